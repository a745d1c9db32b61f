//! Is this a name, and what is called after it?

/// The characters that an event's name may have, as the attribute `#[event]` has it.
const LONGEST: usize = 128;

/// Words that are no identifiers in Rust.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else", "enum",
    "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut",
    "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Files and modules that have a meaning of their own, and crates that a module of the same name would hide.
const TAKEN: [&str; 15] = [
    "alloc",
    "anyhow",
    "core",
    "event_detector",
    "events",
    "jobs",
    "lib",
    "main",
    "proc_macro",
    "serde_json",
    "std",
    "test",
    "testing",
    "tests",
    "tokio",
];

/// Names that cargo keeps for its own folders.
const CARGO: [&str; 4] = ["build", "deps", "examples", "incremental"];

/// Where an event goes, and what it watches until somebody says better.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EventNames {
    /// The file below `events/src`, without its ending.
    pub(super) file: String,
    pub(super) module: String,
    pub(super) collection: String,
    pub(super) column: String,
    pub(super) value: String,
}

impl EventNames {
    /// The names for the event `name`, which must be one.
    pub(super) fn of(name: &str) -> Self {
        let segments: Vec<&str> = name.split('.').collect();
        let (value, before) = segments.split_last().map_or((name, &[][..]), |(last, before)| (*last, before));
        let file = if before.is_empty() { value.to_owned() } else { before.join("_") };
        let (collection, column) = match before {
            [] => ("documents".to_owned(), "status".to_owned()),
            [subject] => (plural(subject), "status".to_owned()),
            [subject, parts @ ..] => (plural(subject), format!("{}_status", parts.join("_").replace('-', "_"))),
        };
        Self { file: identifier(&file), module: identifier(value), collection, column, value: value.to_owned() }
    }
}

/// Says why `name` is no name of an event, with a better one where there is one; the rule is that of `#[event]`.
pub(super) fn check_event(name: &str) -> Result<(), (String, String)> {
    let Some(fault) = event_fault(name) else { return Ok(()) };
    let rule = "an event's name is lower-case segments of `a-z`, `0-9`, `_` and `-`, joined by dots";
    let better = event_corrected(name);
    Err((format!("{fault}: {rule}"), better.map_or("e.g. `parcel.delivered`".to_owned(), |better| format!("write `{better}`"))))
}

fn event_fault(name: &str) -> Option<String> {
    let is_allowed = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '_' | '-' | '.');
    if name.is_empty() {
        return Some("the name is empty".to_owned());
    }
    if let Some(stranger) = name.chars().find(|&char| !is_allowed(char)) {
        return Some(format!("`{}` contains `{}`", name.escape_debug(), stranger.escape_debug()));
    }
    if name.split('.').any(str::is_empty) {
        return Some(format!("`{name}` has an empty segment"));
    }
    (name.len() > LONGEST).then(|| format!("the name has {} characters and may have {LONGEST}", name.len()))
}

fn event_corrected(name: &str) -> Option<String> {
    let parts = words(name, '.', |char| matches!(char, '/' | ':' | '#' | '>'));
    let segments: Vec<&str> =
        parts.split('.').map(|segment| segment.trim_matches(['_', '-'])).filter(|segment| !segment.is_empty()).collect();
    let better = segments.join(".");
    event_fault(&better).is_none().then_some(better)
}

/// Says why `name` is no name of a job, with a better one where there is one.
pub(super) fn check_job(name: &str) -> Result<(), (String, String)> {
    let Some(fault) = job_fault(name) else { return Ok(()) };
    let parts = words(name, '_', |char| matches!(char, '-' | '.' | '/' | ':'));
    let parts: Vec<&str> = parts.split('_').filter(|word| !word.is_empty()).collect();
    let better = [parts.join("_"), format!("{}_job", parts.join("_"))].into_iter().find(|better| job_fault(better).is_none());
    let cure = better.map_or("e.g. `send_receipt`".to_owned(), |better| format!("write `{better}`"));
    Err((format!("{fault}: a job is a function, named in `snake_case`"), cure))
}

fn job_fault(name: &str) -> Option<String> {
    let shown = name.escape_debug();
    let stranger = name.chars().find(|&char| !(char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_'));
    if name.is_empty() {
        Some("the name is empty".to_owned())
    } else if let Some(stranger) = stranger {
        Some(format!("`{shown}` contains `{}`", stranger.escape_debug()))
    } else if !name.starts_with(|char: char| char.is_ascii_lowercase()) {
        Some(format!("`{shown}` does not begin with a letter"))
    } else if KEYWORDS.contains(&name) {
        Some(format!("`{shown}` is a word of Rust"))
    } else if TAKEN.contains(&name) {
        Some(format!("`{shown}` means something else already"))
    } else {
        (name.len() > LONGEST).then(|| format!("the name has {} characters and may have {LONGEST}", name.len()))
    }
}

/// `name` in lower case, with `joint` where a new word begins: at an upper-case letter, and at what `is_joint`.
fn words(name: &str, joint: char, is_joint: impl Fn(char) -> bool) -> String {
    let mut words = String::new();
    let mut was_lower = false;
    for char in name.trim().chars() {
        if char.is_uppercase() && was_lower {
            words.push(joint);
        }
        was_lower = char.is_lowercase() || char.is_numeric();
        match char {
            char if is_joint(char) => words.push(joint),
            char if char.is_whitespace() => words.push('_'),
            char => words.extend(char.to_lowercase()),
        }
    }
    words
}

/// `text` as a name of a module: `move` becomes `move_`, `2nd-try` becomes `_2nd_try`.
fn identifier(text: &str) -> String {
    let mut name = text.replace('-', "_");
    if name.starts_with(|char: char| char.is_ascii_digit()) {
        name.insert(0, '_');
    }
    if KEYWORDS.contains(&name.as_str()) || TAKEN.contains(&name.as_str()) || name == "_" {
        name.push('_');
    }
    name
}

/// `parcel` to `parcels`, `delivery` to `deliveries`; a word that ends in one `s` is taken for a plural.
fn plural(word: &str) -> String {
    let word = word.replace('-', "_");
    let ends = |ends: &[&str]| ends.iter().any(|end| word.ends_with(end));
    if ends(&["ss", "x", "z", "ch", "sh"]) {
        word + "es"
    } else if ends(&["s"]) {
        word
    } else if word.ends_with('y') && !ends(&["ay", "ey", "iy", "oy", "uy"]) {
        format!("{}ies", word.trim_end_matches('y'))
    } else {
        word + "s"
    }
}

/// A folder's name as the name of a program and its package.
pub(super) fn package(folder: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() || char == '_' { char.to_ascii_lowercase() } else { '-' };
    let name: String = folder.chars().map(plain).collect();
    let parts: Vec<&str> = name.split('-').filter(|part| !part.is_empty()).collect();
    let mut name = parts.join("-");
    if !name.starts_with(|char: char| char.is_ascii_lowercase()) {
        name = format!("app-{name}").trim_end_matches('-').to_owned();
    }
    let is_taken = [&KEYWORDS[..], &TAKEN, &CARGO].iter().any(|names| names.contains(&name.replace('-', "_").as_str()));
    if is_taken || name.starts_with("event-detector") || name.starts_with("event_detector") {
        name.push_str("-app");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::{EventNames, check_event, check_job, package};

    #[test]
    fn an_event_is_filed_under_all_of_its_name_but_the_last_word() {
        let cases = [
            ("parcel.delivered", ["parcel", "delivered", "parcels", "status", "delivered"]),
            ("parcel.pickup.picked-up", ["parcel_pickup", "picked_up", "parcels", "pickup_status", "picked-up"]),
            ("a.b-c.d.e", ["a_b_c_d", "e", "as", "b_c_d_status", "e"]),
            ("parcel-lost", ["parcel_lost", "parcel_lost", "documents", "status", "parcel-lost"]),
            ("move", ["move_", "move_", "documents", "status", "move"]),
            ("type.match", ["type_", "match_", "types", "status", "match"]),
            ("lib.tests", ["lib_", "tests_", "libs", "status", "tests"]),
            ("2fa.2nd-try", ["_2fa", "_2nd_try", "2fas", "status", "2nd-try"]),
            ("printer.jobs", ["printer", "jobs_", "printers", "status", "jobs"]),
            ("delivery._", ["delivery", "__", "deliveries", "status", "_"]),
            ("address.box", ["address", "box_", "addresses", "status", "box"]),
            ("orders.key", ["orders", "key", "orders", "status", "key"]),
        ];
        for (name, [file, module, collection, column, value]) in cases {
            let [file, module, collection, column, value] = [file, module, collection, column, value].map(str::to_owned);

            assert_eq!(EventNames::of(name), EventNames { file, module, collection, column, value }, "{name}");
        }
    }

    #[test]
    fn names_of_events_are_those_of_the_attribute() {
        for name in ["a", "parcel.pickup.successful", "order-2.item_3.x", "_", &"a".repeat(128)] {
            assert_eq!(check_event(name), Ok(()));
        }
        let cases = [
            ("", "the name is empty", "e.g. `parcel.delivered`"),
            ("Parcel.Picked Up", "`Parcel.Picked Up` contains `P`", "write `parcel.picked_up`"),
            ("ParcelDelivered", "contains `P`", "write `parcel.delivered`"),
            ("parcel/delivered", "contains `/`", "write `parcel.delivered`"),
            ("parcel..delivered.", "has an empty segment", "write `parcel.delivered`"),
            ("päckchen.da", "contains `ä`", "e.g. `parcel.delivered`"),
            ("a\nb!", "`a\\nb!` contains `\\n`", "e.g. `parcel.delivered`"),
            (&"a".repeat(129), "129 characters and may have 128", "e.g. `parcel.delivered`"),
        ];
        for (name, fault, cure) in cases {
            let (said, better) = check_event(name).unwrap_err();

            assert!(said.contains(fault) && better == cure, "{name}: {said}; {better}");
        }
    }

    #[test]
    fn names_of_jobs_are_names_of_functions() {
        for name in ["a", "send_receipt", "rerun_2nd"] {
            assert_eq!(check_job(name), Ok(()));
        }
        let cases = [
            ("SendReceipt", "contains `S`", "write `send_receipt`"),
            ("send-receipt", "contains `-`", "write `send_receipt`"),
            ("send receipt.now", "contains ` `", "write `send_receipt_now`"),
            ("_send", "begin with a letter", "write `send`"),
            ("2nd", "begin with a letter", "e.g. `send_receipt`"),
            ("move", "is a word of Rust", "write `move_job`"),
            ("testing", "means something else", "write `testing_job`"),
            ("", "is empty", "e.g. `send_receipt`"),
            ("säge", "contains `ä`", "e.g. `send_receipt`"),
        ];
        for (name, fault, cure) in cases {
            let (said, better) = check_job(name).unwrap_err();

            assert!(said.contains(fault) && better == cure, "{name}: {said}; {better}");
        }
    }

    #[test]
    fn a_program_is_named_after_its_folder_as_far_as_cargo_lets_it() {
        let cases = [
            ("shop", "shop"),
            ("My Shop", "my-shop"),
            ("shop_2", "shop_2"),
            ("2shop", "app-2shop"),
            ("Größe", "gr-e"),
            ("東京", "app"),
            ("test", "test-app"),
            ("events", "events-app"),
            ("move", "move-app"),
            ("build", "build-app"),
            ("event-detector", "event-detector-app"),
        ];
        for (folder, name) in cases {
            assert_eq!(package(folder), name, "{folder}");
        }
    }
}
