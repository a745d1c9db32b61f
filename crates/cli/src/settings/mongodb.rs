//! Which MongoDB is watched, and what of it?

use event_detector_sources::{Images, MongoDbError, OnGap, Scope, Server};
use serde::Deserialize;

use crate::args::{Shown, Watched};
use crate::exit::{Exit, Failure};

use super::written::{resolved, variable};

/// `[mongodb]`, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MongoDbTable {
    uri: Option<String>,
    databases: Vec<String>,
    collections: Vec<String>,
    images: Option<Shown>,
    on_gap: Option<Lost>,
    /// Whether the file itself holds a password.
    #[serde(skip)]
    is_plain: bool,
}

/// What is done where a part of the history is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Lost {
    Stop,
    Skip,
}

/// A deployment that is reached, and what of it is watched.
pub(crate) struct Target {
    pub(crate) server: Server,
    pub(crate) scope: Scope,
    pub(crate) images: Images,
    pub(crate) on_gap: OnGap,
}

impl MongoDbTable {
    /// Puts flags and environment over what the file says.
    pub(crate) fn under(self, flags: &Watched) -> Self {
        let named = |over: &[String], under: Vec<String>| if over.is_empty() { under } else { over.to_vec() };
        Self {
            is_plain: self.uri.as_deref().is_some_and(|uri| variable(uri).is_none() && uri.contains('@')),
            uri: flags.mongodb.clone().filter(|uri| !uri.is_empty()).or(self.uri),
            databases: named(&flags.database, self.databases),
            collections: named(&flags.collection, self.collections),
            images: if flags.lookup { Some(Shown::Lookup) } else { flags.images.or(self.images) },
            on_gap: self.on_gap,
        }
    }

    /// Whether a deployment is named.
    pub(crate) fn is_set(&self) -> bool {
        self.uri.is_some()
    }

    /// Whether the file itself holds a password.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Connects to the deployment.
    pub(crate) async fn reach(self) -> Result<Target, Failure> {
        let Some(written) = self.uri else {
            return Err(Failure::new(Exit::Usage, "no MongoDB is named").with_hint(
                "name it with `--mongodb mongodb://127.0.0.1:27017/?replicaSet=rs0`, in the environment variable DETECTOR_MONGODB, \
                 or as `uri` under `[mongodb]` in the config file",
            ));
        };
        let uri = resolved("uri", &written)?;
        let server = Server::connect(&uri).await.map_err(|error| failure(&error))?;
        let mut databases = self.databases;
        if let Some(database) = server.default_database().filter(|_| databases.is_empty()) {
            databases.push(database.to_owned());
        }
        let scope = Scope::try_new(databases, self.collections).map_err(|error| {
            Failure::new(Exit::Usage, error)
                .with_hint("name what is watched with `--database NAME` (several: repeat it, or `a,b`)")
        })?;
        let on_gap = match self.on_gap {
            None | Some(Lost::Stop) => OnGap::Stop,
            Some(Lost::Skip) => OnGap::Skip,
        };
        Ok(Target { server, scope, images: self.images.unwrap_or_default().into(), on_gap })
    }
}

/// The failure of the program that an error of a deployment is.
pub(crate) fn failure(error: &MongoDbError) -> Failure {
    let exit = match error {
        MongoDbError::ConnectionString { .. } => Exit::Usage,
        MongoDbError::Unreachable { .. } => Exit::Unavailable,
        MongoDbError::Denied { .. } => Exit::Permission,
        _ => Exit::Config,
    };
    Failure::new(exit, error)
}

impl From<Shown> for Images {
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::Computed => Self::Computed,
            Shown::Stored => Self::Stored,
            Shown::Lookup => Self::Lookup,
            Shown::None => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MongoDbTable, Shown, Watched};

    #[test]
    fn flags_are_over_the_file() {
        let file: MongoDbTable =
            toml::from_str("uri = \"${URI}\"\ndatabases = [\"a\"]\ncollections = [\"x\"]\nimages = \"stored\"").unwrap();
        let flags = Watched { database: vec!["b".to_owned()], lookup: true, ..Watched::default() };

        let merged = file.under(&flags);

        assert_eq!((merged.databases, merged.collections), (vec!["b".to_owned()], vec!["x".to_owned()]));
        assert_eq!((merged.uri.as_deref(), merged.images), (Some("${URI}"), Some(Shown::Lookup)));
    }

    #[test]
    fn a_password_in_the_file_is_noticed_and_one_in_the_environment_is_none() {
        let plain = |uri: &str| {
            MongoDbTable { uri: Some(uri.to_owned()), ..MongoDbTable::default() }.under(&Watched::default()).is_plain()
        };

        assert!(plain("mongodb://me:secret@host/"));
        assert!(!plain("mongodb://host/") && !plain("${MONGODB_URI}"));
    }
}
