//! Which words do predicates and changes share?

/// The collections.
pub const COLLECTIONS: [&str; 4] = ["moves", "orders", "users", "visits"];
/// The databases.
pub const DATABASES: [&str; 3] = ["shop", "archive", ""];
/// Dotted paths that mostly hold a text.
pub const TEXT_PATHS: [&str; 5] = ["status", "status", "note", "doc.s", "arr.0"];
/// Dotted paths that mostly hold a number.
pub const NUMBER_PATHS: [&str; 5] = ["n", "n", "doc.n", "arr.1", "_id"];
/// Paths that hold a truth value, a document, an array, a date, or nothing at all.
pub const OTHER_PATHS: [&str; 15] =
    ["flag", "flag", "flag", "flag", "flag", "flag", "flag", "flag", "flag", "flag", "doc", "arr", "at", "id", "nowhere"];
/// Texts.
pub const TEXTS: [&str; 8] = ["new", "new", "open", "done", "done", "done", "Done", ""];
