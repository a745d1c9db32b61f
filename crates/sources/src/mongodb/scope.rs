//! What is watched?

use std::fmt;

use mongodb::bson::{Document, doc};

/// Databases whose changes no stream shows.
const SYSTEM: [&str; 3] = ["admin", "config", "local"];

/// The databases and collections that are watched, all by one change stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    databases: Vec<String>,
    /// All, when there is none.
    collections: Vec<String>,
}

/// Why nothing of this name can be watched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// No database is named.
    #[error("no database is named; say which one is to be watched")]
    NoDatabase,
    /// The database is one of the server's own.
    #[error("the database `{name}` is the server's own, and cannot be watched")]
    SystemDatabase {
        /// The database's name.
        name: String,
    },
    /// No database or collection can have this name.
    #[error("{name:?} is no name of a {what}")]
    BadName {
        /// `database` or `collection`.
        what: &'static str,
        /// The name.
        name: String,
    },
}

/// Which documents changes carry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Images {
    /// The document before the change, as the server stored it, and the one after it, computed from the change: exact, and the
    /// cheapest way to have both.
    #[default]
    Computed,
    /// Both as the server has them: for collections whose field names have dots.
    Stored,
    /// The document before, and the one after looked up when the change is read: it may have later changes in it. For collections
    /// that store no images.
    Lookup,
    /// None; an update says what it wrote.
    None,
}

impl Scope {
    /// The changes in these collections of these databases; in all of them, where no collection is named.
    ///
    /// # Errors
    ///
    /// [`ScopeError`] when no database is named, or a name is none.
    pub fn try_new(databases: Vec<String>, collections: Vec<String>) -> Result<Self, ScopeError> {
        if databases.is_empty() {
            return Err(ScopeError::NoDatabase);
        }
        for name in &databases {
            if SYSTEM.contains(&name.as_str()) {
                return Err(ScopeError::SystemDatabase { name: name.clone() });
            }
            if name.is_empty() || name.len() > 63 || name.contains(['/', '\\', '.', ' ', '"', '$', '\0']) {
                return Err(ScopeError::BadName { what: "database", name: name.clone() });
            }
        }
        for name in &collections {
            if name.is_empty() || name.starts_with("system.") || name.contains(['$', '\0']) {
                return Err(ScopeError::BadName { what: "collection", name: name.clone() });
            }
        }
        Ok(Self { databases, collections })
    }

    /// The databases.
    pub fn databases(&self) -> &[String] {
        &self.databases
    }

    /// The collections; all, when there is none.
    pub fn collections(&self) -> &[String] {
        &self.collections
    }

    /// The stage that keeps what is watched, and what happens to it as a whole; none where that is everything.
    ///
    /// Its conditions are those that the server decides on its oplog scan, before it makes an event.
    pub(super) fn filter(&self) -> Option<Document> {
        let is_one = self.databases.len() == 1;
        if is_one && self.collections.is_empty() {
            return None;
        }
        let mut of = Document::new();
        let mut to = Document::new();
        let mut whole = doc! { "operationType": { "$in": ["dropDatabase", "invalidate"] } };
        if !is_one {
            of.insert("ns.db", doc! { "$in": &self.databases });
            to.insert("to.db", doc! { "$in": &self.databases });
            whole.insert("ns.db", doc! { "$in": &self.databases });
        }
        if !self.collections.is_empty() {
            of.insert("ns.coll", doc! { "$in": &self.collections });
            to.insert("to.coll", doc! { "$in": &self.collections });
        }
        Some(doc! { "$match": { "$or": [of, to, whole] } })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.databases.join(", "))?;
        match self.collections.is_empty() {
            true => Ok(()),
            false => write!(formatter, " ({})", self.collections.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::{Scope, ScopeError};

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_that_are_none_are_refused() {
        for (databases, collections) in [
            (vec![], vec![]),
            (vec!["local"], vec![]),
            (vec!["a.b"], vec![]),
            (vec![""], vec![]),
            (vec!["app"], vec!["$x"]),
            (vec!["app"], vec!["system.users"]),
            (vec!["app"], vec![""]),
        ] {
            assert!(Scope::try_new(names(&databases), names(&collections)).is_err(), "{databases:?} {collections:?}");
        }
        assert_eq!(Scope::try_new(vec![], vec![]), Err(ScopeError::NoDatabase));
    }

    #[test]
    fn one_whole_database_needs_no_filter() {
        assert_eq!(Scope::try_new(names(&["app"]), vec![]).unwrap().filter(), None);
    }

    #[test]
    fn a_filter_keeps_what_is_renamed_into_it_and_what_ends_it() {
        let scope = Scope::try_new(names(&["app"]), names(&["moves"])).unwrap();

        assert_eq!(
            scope.filter().unwrap(),
            doc! { "$match": { "$or": [
                { "ns.coll": { "$in": ["moves"] } },
                { "to.coll": { "$in": ["moves"] } },
                { "operationType": { "$in": ["dropDatabase", "invalidate"] } },
            ] } }
        );
        assert_eq!(scope.to_string(), "app (moves)");
    }
}
