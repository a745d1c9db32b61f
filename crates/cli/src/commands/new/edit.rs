//! Where in a file of Rust does something new belong? Lines are read, not Rust: what is found stands at the start of a line.

/// The items that a list of modules is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Module,
    Reexport,
}

impl Item {
    /// The name behind which the item that starts with `line` is sorted.
    fn key(self, line: &str) -> Option<&str> {
        let rest = match self {
            Self::Module => without_visibility(line).strip_prefix("mod ")?,
            Self::Reexport => line.strip_prefix("pub use ")?,
        };
        let end = rest.find(|char: char| !(char.is_alphanumeric() || char == '_')).unwrap_or(rest.len());
        (self == Self::Reexport || rest[end..].starts_with(';')).then_some(&rest[..end])
    }
}

/// How a module is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// `mod name;`
    File,
    /// `mod name { … }`
    Inline,
}

/// Whether `text` has the module `name` at its top.
pub(super) fn names_module(text: &str, name: &str) -> Option<Named> {
    text.lines().find_map(|line| {
        let rest = without_visibility(line).strip_prefix("mod ")?.strip_prefix(name)?.trim_start();
        match rest.chars().next()? {
            ';' => Some(Named::File),
            '{' => Some(Named::Inline),
            _ => None,
        }
    })
}

/// The line, counted from 1, that declares the event `name`.
pub(super) fn declares_event(text: &str, name: &str) -> Option<usize> {
    let quoted = format!("\"{name}\"");
    let mut attributes = ["#[event(", "#[event_detector::event("].into_iter().flat_map(|start| text.match_indices(start));
    let (at, _) = attributes.find(|(at, start)| text[at + start.len()..].trim_start().starts_with(&quoted))?;
    Some(text[..at].matches('\n').count() + 1)
}

/// Whether `#[event]` is imported at the top of `text`.
pub(super) fn imports_event(text: &str) -> bool {
    let imports = text.split("\nuse event_detector::").skip(1).filter_map(|rest| rest.split(';').next());
    imports.flat_map(|names| names.split(|char: char| !(char.is_alphanumeric() || char == '_'))).any(|name| name == "event")
}

/// `text` with the item `new`, named `name`, in its place among its like.
pub(super) fn with_item(text: &str, kind: Item, name: &str, new: &str) -> String {
    edited(text, |lines| {
        let items: Vec<(usize, &str)> = lines.iter().enumerate().filter_map(|(at, line)| Some((at, kind.key(line)?))).collect();
        if let Some((at, _)) = items.iter().rev().find(|(_, key)| *key < name) {
            return (end(lines, *at), format!("{new}\n"));
        }
        if let Some((at, _)) = items.first() {
            return (start(lines, *at), format!("{new}\n"));
        }
        let last_module = lines.iter().rposition(|line| Item::Module.key(line).is_some());
        let at = last_module.map_or_else(|| header(lines), |at| end(lines, at));
        let before = if at == 0 { "" } else { "\n" };
        let after = if lines.get(at).is_some_and(|line| !line.trim().is_empty()) { "\n" } else { "" };
        (at, format!("{before}{new}\n{after}"))
    })
}

/// `text` with `new` before the module of its tests, or at its end.
pub(super) fn before_tests(text: &str, new: &str) -> String {
    edited(text, |lines| {
        let is_tests = |at: usize| {
            let behind = lines[at..].iter().find(|line| !line.starts_with("#["));
            lines[at] == "#[cfg(test)]" && behind.is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
        };
        match (0..lines.len()).find(|at| is_tests(*at)) {
            Some(at) => (start(lines, at), format!("{new}\n")),
            None => (lines.len(), format!("\n{new}")),
        }
    })
}

/// `text` with what `place` adds before a line; the ends of its lines stay as they are.
fn edited(text: &str, place: impl FnOnce(&[&str]) -> (usize, String)) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let (at, new) = place(&lines);
    let new_lines = new.lines().map(str::to_owned);
    let old = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let all: Vec<String> = old(&lines[..at]).into_iter().chain(new_lines).chain(old(&lines[at..])).collect();
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    all.join(end) + end
}

fn without_visibility(line: &str) -> &str {
    let Some(rest) = line.strip_prefix("pub") else { return line };
    let rest = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest);
    rest.trim_start()
}

/// The first line of the comments and attributes that belong to the item in line `at`.
fn start(lines: &[&str], at: usize) -> usize {
    let belongs = |line: &&&str| line.starts_with("///") || line.starts_with("#[") || line.starts_with("// ");
    at - lines[..at].iter().rev().take_while(belongs).count()
}

/// The line behind the item that starts in line `at` and ends with a semicolon.
fn end(lines: &[&str], at: usize) -> usize {
    let is_end = |line: &&str| line.split("//").next().unwrap_or(line).trim_end().ends_with(';');
    lines[at..].iter().position(is_end).map_or(lines.len(), |length| at + length + 1)
}

/// The line behind what a file says of itself.
fn header(lines: &[&str]) -> usize {
    let mut end = 0;
    let mut is_open = false;
    for (at, line) in lines.iter().enumerate() {
        let is_attribute = is_open || line.starts_with("#![");
        is_open = is_attribute && !line.split("//").next().unwrap_or(line).trim_end().ends_with(']');
        if is_attribute || line.starts_with("//!") {
            end = at + 1;
        } else if !line.trim().is_empty() {
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::{Item, Named, before_tests, declares_event, imports_event, names_module, with_item};

    fn with_module(text: &str, name: &str) -> String {
        with_item(text, Item::Module, name, &format!("pub mod {name};"))
    }

    #[test]
    fn a_module_is_named_in_its_place() {
        let cases = [
            ("//! E.\n\npub mod a;\npub mod c;\n", "//! E.\n\npub mod a;\npub mod b;\npub mod c;\n"),
            ("//! E.\n\npub mod c;\n", "//! E.\n\npub mod b;\npub mod c;\n"),
            ("pub mod a;\n", "pub mod a;\npub mod b;\n"),
            ("mod a; // first\npub(crate) mod c;", "mod a; // first\npub mod b;\npub(crate) mod c;\n"),
            ("//! E.\n\n/// C.\n#[cfg(unix)]\nmod c;\n", "//! E.\n\npub mod b;\n/// C.\n#[cfg(unix)]\nmod c;\n"),
            ("//! E.\n", "//! E.\n\npub mod b;\n"),
            ("", "pub mod b;\n"),
            (
                "//! E.\n#![deny(\n    x,\n)] // so\n\nuse x::y;\n",
                "//! E.\n#![deny(\n    x,\n)] // so\n\npub mod b;\n\nuse x::y;\n",
            ),
            ("use x::y;\n", "pub mod b;\n\nuse x::y;\n"),
            ("mod a;\n\nmod tests {\n    mod c;\n}\n", "mod a;\npub mod b;\n\nmod tests {\n    mod c;\n}\n"),
            ("//! E.\r\n\r\npub mod c;\r\n", "//! E.\r\n\r\npub mod b;\r\npub mod c;\r\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(with_module(text, "b"), expected, "{text}");
        }
    }

    #[test]
    fn a_function_is_handed_on_in_its_place() {
        let cases = [
            ("mod a;\nmod b;\n\npub use a::a;\n", "mod a;\nmod b;\n\npub use a::a;\npub use b::b;\n"),
            ("pub use a::{\n    x, y,\n};\npub use c::c;\n", "pub use a::{\n    x, y,\n};\npub use b::b;\npub use c::c;\n"),
            ("mod a;\nmod b;\n\n/// F.\npub fn f() {}\n", "mod a;\nmod b;\n\npub use b::b;\n\n/// F.\npub fn f() {}\n"),
            ("mod b;\n", "mod b;\n\npub use b::b;\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(with_item(text, Item::Reexport, "b", "pub use b::b;"), expected, "{text}");
        }
    }

    #[test]
    fn an_event_stands_before_the_tests() {
        let cases = [
            ("a\n", "a\n\nNEW\n"),
            ("a\n\n#[cfg(test)]\nmod tests {\n}\n", "a\n\nNEW\n\n#[cfg(test)]\nmod tests {\n}\n"),
            (
                "#[cfg(test)]\nuse x;\n\n/// T.\n#[cfg(test)]\n#[x]\nmod t {\n}\n",
                "#[cfg(test)]\nuse x;\n\nNEW\n\n/// T.\n#[cfg(test)]\n#[x]\nmod t {\n}\n",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(before_tests(text, "NEW\n"), expected);
        }
    }

    #[test]
    fn what_is_there_is_found() {
        let text = "\nuse event_detector::{\n    Change, event,\n};\n\n#[event(\"a.b\")]\npub mod b {\n    mod c {}\n}\nmod d;\n";

        assert_eq!(
            ["b", "c", "d", "a"].map(|name| names_module(text, name)),
            [Some(Named::Inline), None, Some(Named::File), None]
        );
        assert_eq!((declares_event(text, "a.b"), declares_event(text, "a.c")), (Some(6), None));
        assert!(imports_event(text) && !imports_event("\nuse event_detector::{Change, events};\n"));
    }
}
