//! Which forms are awkward? (`%` and a letter stand for words; see `template`.)

/// What stands in `fn detect(change: &Change) -> bool { … }`.
pub(crate) const BODIES: &[&str] = &[
    // Opaque code before and after what is known.
    "%C && %O",
    "%O && %C",
    "%C && (%O || %L)",
    "(%O || %L) && %C",
    "%C && !%O && %L",
    "%L || %O",
    "%C && if %O { %L } else { %L }",
    "%C && if %L { %O } else { %L }",
    // Names that hide others.
    "let change = change; %C && %L",
    "let other = change; other.collection() == %Q && other.became(%S, %T)",
    "let done = \"new\"; { let done = \"done\"; change.after(\"status\") == done }",
    "let status = change.before(\"status\"); let status = change.after(\"status\"); status == %T",
    "let status = change.before(%S); let was = status == %T; let status = change.after(%S); !was && status == %T",
    "let field = change.after(%K); let check = |field: i64| change.before(%K) == field; %C && check(1) && field > 0",
    "let operation = Operation::Insert; change.operation() == operation && %L",
    "let path = \"status\"; change.became(path, %T)",
    "%C && { const DONE: &str = \"new\"; change.after(\"status\") == DONE }",
    "%C && { use Operation::Delete as Insert; matches!(change.operation(), Insert) }",
    "({ use Operation::*; !matches!(change.operation(), Insert) }) && %L",
    "%C && { struct Limits; impl Limits { const HALF: i64 = 1; } change.after(\"n\") == Limits::HALF }",
    "if change.is_update() { const COLUMN: &str = \"n\"; change.column_changed(COLUMN) } else { change.after(COLUMN) == \"done\" }",
    "if let Some(change) = Some(change) { %C && %L } else { false }",
    "match change { change if %C => %L, change => %L }",
    "for change in [change] { if %L { return true; } } false",
    "let c = |change: &Change| { %C && %L }; c(change)",
    // The operation, by whatever name.
    "use Operation::*; matches!(change.operation(), Insert | Update) && %L",
    "use Operation as Change2; change.operation() == Change2::Update && %L",
    "match change.operation() { Operation::Insert => %L, other if other == Operation::Update => %L, _ => false }",
    "match change.operation() { operation if operation.as_str() == \"update\" => %L, Operation::Insert => true, _ => %L }",
    "match change.operation() { INSERTED => %L, Operation::Delete => return false, _ if %O => true, _ => %L }",
    "match change.operation() { Operation::Update if %O => %L, Operation::Update | Operation::Insert => %L, _ => false }",
    "match change.operation() { change @ (Operation::Insert | Operation::Delete) => change == Operation::Insert, _ => %L }",
    "match change.operation() { Operation::Insert => { let n = change.after(%K); n == 1 } Operation::Update => %L, _ => false }",
    "match (change.operation(), %L) { (Operation::Insert, true) => true, (Operation::Update, flag) => !flag, _ => false }",
    "match change.operation() { Operation::Insert | Operation::Update => {} _ => return false } %L",
    "const OPERATION: Operation = Operation::Update; match change.operation() { OPERATION => %L, _ => false }",
    "%C && (change.operation() as u8) < 2",
    // Ways out.
    "if %L { return true; } %C && %O",
    "if %O { return true; } %C && %L",
    "if !%C { return false } if %O { return false } %L",
    "%C && (%L || return false)",
    "if %C { return %L } else if %O { return true } %L",
    "if !(%C) { return false; } else { return %E; }",
    "if %O { if %L { return true; } } %C",
    "return if %C { %L } else { %O };",
    "if %C { %L } else { return %O }",
    "let answer = if %C { %L } else { return %L }; !answer",
    "'out: { if !%C { break 'out; } return %L; } false",
    "loop { if %C { break %L; } return false; }",
    // `let`.
    "let flag = %L; %C && flag",
    "let (flag, other) = (%L, %L); %C && flag && !other",
    "let wide = change.after(%P).is_in([0, 1, 2, 3, 4, 5, 6]); %C && wide",
    "let mut found = false; for path in [\"status\", \"n\"] { found |= change.column_changed(path); } %C && found",
    "let mut found = %L; if %C { found = !found; } found",
    "let Some(n) = change.after(%K).as_i64() else { return false }; %C && n > 0",
    "let Some(text) = change.after(%S).as_str() else { return %L }; %C || text == %T",
    "let n: i64 = change.after(%S).as_str().and_then(|text| text.parse().ok()).unwrap_or_default(); %C && n == 0",
    "let field: event_detector::Value<'_> = change.after(%S); %C && field == %T",
    "let field = &change.after(%S); %C && *field == %T",
    "let field = change.after(%S); let same = field; same == %T && %C",
    "let (was, is) = (change.before(%S), change.after(%S)); %C && was != is",
    "let after = |path: &'static str| change.after(path); %C && after(%S) == %T",
    "let _ = change.after(%K).as_i64(); %C && %L",
    "let _unused = %O; %C && %L",
    "let columns = change.changed_columns(); %C && columns.iter().any(|column| column == \"status\")",
    "change.changed_columns(); %C && %L",
    // Too many unknowns before a certain no.
    "(change.column_changed(\"n\") || change.column_changed(\"status\") || change.column_changed(\"flag\") || change.column_changed(\"at\") \
     || change.column_changed(\"arr\") || change.column_changed(\"doc\") || change.column_changed(\"note\")) && %C && %O",
    "let early = change.after(\"n\") == 1; let late = change.before(\"n\") == 2; change.collection() == \"moves\" && (early || late)",
    "let a = change.after(\"n\").is_in([0, 1, 2]); let b = change.after(\"status\").is_in([\"a\", \"b\", \"c\", \"done\"]); %C && a && b",
    // Panics.
    "change.after(\"n\").as_i64().unwrap() > 0 && %C",
    "%C && change.after(\"n\").as_i64().unwrap() > 0",
    "%C && change.after(\"n\").as_i64().is_some() && change.after(\"n\").as_i64().unwrap() > 0",
    "if change.is_delete() && %O { panic!(\"a delete\") } %C && %L",
    "%C && (change.is_update() || unreachable!())",
    "let text = change.after(%S).as_str().expect(\"a text\"); %C && text == %T",
    "match change.operation() { Operation::Insert => %L, Operation::Update => %L, other => panic!(\"{other}\") }",
    // Attributes.
    "#[cfg(any())] if %C { return false; } %C && %L",
    "#[cfg(not(any()))] if !%C { return false; } %L",
    "#[allow(unused_variables)] let flag = %L; %C && flag",
    "match change.operation() { #[cfg(any())] Operation::Insert => false, Operation::Insert | Operation::Update => %L, _ => false }",
    "%C && { #[cfg(any())] { return false; } %L }",
    // Macros.
    "macro_rules! changed { ($path:expr) => { change.column_changed($path) } } %C && (change.is_insert() || changed!(%S))",
    "macro_rules! DONE { () => { \"new\" } } %C && change.after(\"status\") == DONE!()",
    "%C && std::matches!(change.operation(), Operation::Insert | Operation::Update) && %L",
    "assert!(change.collection().len() < 100); %C && %L",
    "%C && cfg!(not(any())) && %L",
];

/// What stands in a module: its `detect`, and what is around it.
pub(crate) const MODULES: &[&str] = &[
    // A `matches!` of the user's own, before and after where it is used.
    "    macro_rules! matches { ($of:expr, $pattern:pat) => { !std::matches!($of, $pattern) } }\n    \
     fn detect(change: &Change) -> bool { %C && matches!(change.operation(), Operation::Insert) }\n",
    "    fn detect(change: &Change) -> bool { %C && matches!(change.operation(), Operation::Insert) }\n    \
     macro_rules! matches { ($of:expr, $pattern:pat) => { !std::matches!($of, $pattern) } }\n    \
     fn other() -> bool { matches!(1, 2) }\n",
    "    macro_rules! matches { ($of:expr, $pattern:pat) => { !std::matches!($of, $pattern) } }\n    \
     fn detect(change: &Change) -> bool { matches!(change.collection(), \"moves\" | \"users\") && %L }\n",
    "    macro_rules! matches { ($of:expr, $pattern:pat) => { change_is(&$of, stringify!($pattern)) } }\n    \
     fn change_is(operation: &Operation, _: &str) -> bool { *operation == Operation::Update }\n    \
     fn detect(change: &Change) -> bool { matches!(change.operation(), Operation::Insert) && %L }\n",
    "    macro_rules! matches {\n        (change.operation(), $pattern:pat) => { true };\n        \
     ($of:expr, $pattern:pat) => { std::matches!($of, $pattern) };\n    }\n    \
     fn detect(change: &Change) -> bool { %C && matches!(change.operation(), Operation::Insert) }\n",
    "    macro_rules! matches { ($of:expr, $pattern:pat) => { if std::matches!($of, $pattern) { return true } else { false } } }\n    \
     fn detect(change: &Change) -> bool { matches!(change.operation(), Operation::Update) && %C && %L }\n",
    "    macro_rules! matches { ($of:expr, $pattern:pat) => { if std::matches!($of, $pattern) { return true } else { true } } }\n    \
     fn detect(change: &Change) -> bool { matches!(change.collection(), \"moves\") && change.collection() != \"moves\" && %L }\n",
    // Types that bring comparisons of their own.
    "    struct Old; impl PartialEq<Old> for event_detector::Value<'_> { fn eq(&self, _: &Old) -> bool { !(*self == \"new\") } }\n    \
     const OLD: Old = Old;\n    fn detect(change: &Change) -> bool { %C && change.after(\"status\") == OLD }\n",
    "    struct Any; impl PartialEq<Any> for &str { fn eq(&self, _: &Any) -> bool { true } }\n    \
     const ANY: Any = Any;\n    fn detect(change: &Change) -> bool { change.collection() == ANY && %L }\n",
    "    enum State { Done } impl From<State> for event_detector::Literal<'_> { fn from(_: State) -> Self { Self::Text(\"done\") } }\n    \
     use State::Done;\n    fn detect(change: &Change) -> bool { %C && change.became(\"status\", Done) }\n",
    "    struct Kinds; impl PartialEq<Kinds> for Operation { fn eq(&self, _: &Kinds) -> bool { *self != Operation::Delete } }\n    \
     const KINDS: Kinds = Kinds;\n    fn detect(change: &Change) -> bool { change.operation() == KINDS && %L }\n",
    "    const MAYBE: Option<&str> = Some(\"done\");\n    \
     fn detect(change: &Change) -> bool { %C && change.after(\"status\").is_in(MAYBE) }\n",
    "    struct Path; impl std::ops::Deref for Path { type Target = str; fn deref(&self) -> &str { \"status\" } }\n    \
     static PATH: &Path = &Path;\n    fn detect(change: &Change) -> bool { %C && change.column_changed(PATH) }\n",
    // Traits whose methods come before ours.
    "    trait Loose { fn exists(self) -> bool; }\n    \
     impl Loose for event_detector::Value<'_> { fn exists(self) -> bool { !event_detector::Value::exists(self) } }\n    \
     fn detect(change: &Change) -> bool { %C && change.after(%S).exists() }\n",
    "    trait Loose { fn is_null(self) -> bool; fn is_in<const N: usize>(self, of: [&str; N]) -> bool; }\n    \
     impl Loose for event_detector::Value<'_> {\n        fn is_null(self) -> bool { event_detector::Value::exists(self) }\n        \
     fn is_in<const N: usize>(self, of: [&str; N]) -> bool { !of.into_iter().any(|text| self == text) }\n    }\n    \
     fn detect(change: &Change) -> bool { %C && (change.after(%S).is_null() || change.before(%S).is_in([%T])) }\n",
    "    trait Loose { fn is_update(&self) -> bool; }\n    impl Loose for Change { fn is_update(&self) -> bool { true } }\n    \
     fn detect(change: &Change) -> bool { %C && change.is_update() && %L }\n",
    "    trait Wide { fn is_missing(self) -> bool; }\n    impl Wide for event_detector::Value<'_> { fn is_missing(self) -> bool { true } }\n    \
     fn detect(change: &Change) -> bool { let field = change.after(\"n\"); %C && field.is_missing() }\n",
    // Other ways to write the function.
    "    use event_detector::{Change as Row, Operation as Kind};\n    \
     fn detect(row: &Row) -> bool { row.collection() == %Q && row.operation() != Kind::Delete && row.after(%K) >= %N }\n",
    "    type Alias = Change;\n    pub(super) fn detect<'c>(change: &'c Alias) -> bool { %C && %E }\n",
    "    fn detect(r#type: &Change) -> bool { r#type.collection() == %Q && r#type.column_changed(%S) }\n",
    "    fn detect(mut change: &Change) -> bool { if change.is_manual() { change = &*change; } %C && %L }\n",
    "    #[must_use]\n    #[cold]\n    fn detect(change: &event_detector::Change) -> bool { %C && %E }\n",
    "    #[cfg(any())]\n    fn detect(change: &Change) -> bool { change.is_delete() && %C }\n    \
     #[cfg(not(any()))]\n    fn detect(change: &Change) -> bool { %C && %L }\n",
    "    #[cfg(not(any()))]\n    fn detect(change: &Change) -> bool { %C && %L }\n",
    "    fn detect(change: &Change) -> bool { wanted(change) && %C }\n    fn wanted(change: &Change) -> bool { %E }\n",
    "    fn detect(change: &Change) -> bool { fn is(change: &Change) -> bool { %L } %C && is(change) }\n",
    "    const CHECKS: [fn(&Change) -> bool; 2] = [Change::is_update, Change::is_insert];\n    \
     fn detect(change: &Change) -> bool { %C && CHECKS.iter().any(|check| check(change)) }\n",
    "    macro_rules! rule { ($change:ident, $of:expr) => { $change.collection() == $of && $change.is_update() } }\n    \
     fn detect(change: &Change) -> bool { rule!(change, %Q) && %L }\n",
    "    macro_rules! predicate { ($of:ident, $body:expr) => { fn wanted($of: &Change) -> bool { $body } } }\n    \
     predicate! { change, change.is_update() }\n    fn detect(change: &Change) -> bool { %C && wanted(change) }\n",
    "    mod texts { pub(super) const DONE: &str = \"new\"; }\n    \
     fn detect(change: &Change) -> bool { use texts::DONE; %C && change.after(\"status\") == DONE }\n",
    // Names that an expansion might use.
    "    const DETECT: &str = \"status\";\n    const JOBS: &str = \"done\";\n    \
     fn detect(change: &Change) -> bool { %C && change.after(DETECT) == JOBS }\n",
    "    struct Plan; struct At; struct Side; struct Comparison; struct Const; fn plan() -> bool { true }\n    \
     fn detect(change: &Change) -> bool { %C && (%O || plan()) && %L }\n",
    "    mod std { pub(super) fn some() -> bool { true } }\n    mod event_detector2 {}\n    \
     fn detect(change: &Change) -> bool { %C && std::some() && %O && %L }\n",
    "    fn detect(nth: &Change) -> bool { nth.collection() == %Q && nth.after(%K).as_i64() == Some(1) }\n",
    "    const NTH: i64 = 1;\n    const OPERATION: Operation = Operation::Update;\n    \
     fn detect(change: &Change) -> bool { %C && change.operation() == OPERATION && change.after(%K) == NTH && %O }\n",
];
