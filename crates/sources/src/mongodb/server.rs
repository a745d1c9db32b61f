//! Which deployment is it, and what can it do?

use std::time::Duration;

use mongodb::Client;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, Timestamp, doc};
use mongodb::error::Error;
use mongodb::options::{ClientOptions, ServerAddress};

use super::fault::{Class, MongoDbError, classify, code, words};
use super::position::Deployment;

/// How long a server is looked for, where the connection string does not say. The driver's own 30 seconds are how long a change
/// stream would stand still after a planned restart of the primary, because it waits for the server that is gone.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection may take, where the connection string does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The first version with documents before a change.
const WITH_IMAGES: Version = (6, 0, 0);
/// The first version that can send a large event in parts.
const SPLITTING: Version = (6, 0, 9);
/// The first version that takes the paths of a description apart.
const DISAMBIGUATING: Version = (6, 1, 0);

type Version = (u32, u32, u32);

/// A deployment of MongoDB that can be watched. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Server {
    client: Client,
    hosts: String,
    database: Option<String>,
    /// The name of its replica set; empty for a sharded cluster.
    set: String,
    version: Version,
    version_text: String,
}

impl Server {
    /// Connects, and finds out what the deployment can do.
    ///
    /// Where the connection string sets no `serverSelectionTimeoutMS` or `connectTimeoutMS`, both are two seconds.
    ///
    /// # Errors
    ///
    /// [`MongoDbError`] when the connection string is none, nobody answers, the server is alone or too old, or access is denied.
    /// No error has a password in it.
    pub async fn connect(uri: &str) -> Result<Self, MongoDbError> {
        let invalid = |error: Error| MongoDbError::ConnectionString { reason: redacted(&words(&error), uri) };
        let mut options = ClientOptions::parse(uri).await.map_err(invalid)?;
        options.server_selection_timeout.get_or_insert(SELECTION_TIMEOUT);
        options.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
        options.app_name.get_or_insert_with(|| "event-detector".to_owned());
        let hosts = options.hosts.iter().map(ServerAddress::to_string).collect::<Vec<_>>().join(", ");
        let database = options.default_database.clone();
        let client = Client::with_options(options).map_err(invalid)?;
        let failed = |error: Error| failed(&error, &hosts);
        let hello = command(&client, "hello").await.map_err(failed)?;
        let is_sharded = hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
        let set = hello.get_str("setName").unwrap_or_default().to_owned();
        if set.is_empty() && !is_sharded {
            return Err(MongoDbError::Standalone { hosts });
        }
        let about = command(&client, "buildInfo").await.map_err(failed)?;
        let version_text = about.get_str("version").unwrap_or_default().to_owned();
        let version = version(&version_text);
        if version < WITH_IMAGES {
            return Err(MongoDbError::TooOld { version: version_text });
        }
        Ok(Self { client, hosts, database, set, version, version_text })
    }

    /// A server that nobody answers for.
    #[cfg(test)]
    pub(super) async fn nowhere() -> Self {
        let options = ClientOptions::parse("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=10").await.unwrap();
        let (set, version_text) = ("rs0".to_owned(), "6.0.27".to_owned());
        let client = Client::with_options(options).unwrap();
        Self { client, hosts: "127.0.0.1:9".to_owned(), database: None, set, version: (6, 0, 27), version_text }
    }

    /// The driver's client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The hosts of the connection string.
    pub fn hosts(&self) -> &str {
        &self.hosts
    }

    /// The database that the connection string names.
    pub fn default_database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The server's version, such as `6.0.27`.
    pub fn version(&self) -> &str {
        &self.version_text
    }

    /// Whether it can send an event in parts that is too large for one message.
    pub(super) fn splits_large_events(&self) -> bool {
        self.version >= SPLITTING
    }

    /// Whether it says which fields a path in an update's description means.
    pub(super) fn tells_paths_apart(&self) -> bool {
        self.version >= DISAMBIGUATING
    }

    /// Which deployment it is. What tells it from others of its name, not every user may know.
    pub(super) async fn deployment(&self) -> Deployment {
        let id = if self.set.is_empty() { self.cluster_id().await } else { self.replica_set_id().await };
        Deployment { name: self.set.clone(), id: id.map(|id| id.to_hex()) }
    }

    async fn replica_set_id(&self) -> Option<ObjectId> {
        let config = command(&self.client, "replSetGetConfig").await.ok()?;
        config.get_document("config").ok()?.get_document("settings").ok()?.get_object_id("replicaSetId").ok()
    }

    async fn cluster_id(&self) -> Option<ObjectId> {
        let version = self.client.database("config").collection::<Document>("version").find_one(doc! {}).await.ok()??;
        version.get_object_id("clusterId").ok()
    }

    /// The cluster time of now.
    pub(super) async fn operation_time(&self) -> Result<Timestamp, MongoDbError> {
        let hello = command(&self.client, "hello").await.map_err(|error| failed(&error, &self.hosts))?;
        let time = hello.get_timestamp("operationTime");
        time.map_err(|_| MongoDbError::Standalone { hosts: self.hosts.clone() })
    }
}

async fn command(client: &Client, name: &str) -> Result<Document, Error> {
    client.database("admin").run_command(doc! { name: 1 }).await
}

/// What an error means that a server or the way to it answered a question with.
pub(super) fn failed(error: &Error, hosts: &str) -> MongoDbError {
    let reason = words(error);
    match classify(error) {
        Class::Denied => MongoDbError::Denied { code: code(error).unwrap_or(18), reason },
        Class::Config | Class::Oversize | Class::Lost | Class::Elsewhere => match code(error) {
            Some(40_573) => MongoDbError::Standalone { hosts: hosts.to_owned() },
            code => MongoDbError::Refused { code: code.unwrap_or(0), reason },
        },
        Class::Resume | Class::Unknown => MongoDbError::Unreachable { hosts: hosts.to_owned(), reason },
    }
}

/// The numbers of a version; what is none counts as zero.
fn version(text: &str) -> Version {
    let number = |part: &str| part.split(|sign: char| !sign.is_ascii_digit()).next().and_then(|digits| digits.parse().ok());
    let mut parts = text.split('.').map(|part| number(part).unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

/// The words without what stands between `//` and `@` in the connection string.
fn redacted(words: &str, uri: &str) -> String {
    let rest = uri.split_once("//").map_or(uri, |(_, rest)| rest);
    let Some((user, _)) = rest.rsplit_once('@') else { return words.to_owned() };
    let secrets = [user, user.split_once(':').map_or("", |(_, password)| password)];
    let hidden = secrets.into_iter().filter(|secret| !secret.is_empty());
    hidden.fold(words.to_owned(), |words, secret| words.replace(secret, "…"))
}

#[cfg(test)]
mod tests {
    use super::{Server, redacted, version};
    use crate::mongodb::MongoDbError;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(version("6.0.9") < version("6.0.27") && version("6.0.27") < version("7.0.0-rc1"));
        assert_eq!(version("7.0.2-rc1"), (7, 0, 2));
        assert_eq!(version(""), (0, 0, 0));
    }

    #[test]
    fn what_is_secret_in_a_connection_string_is_not_repeated() {
        assert_eq!(redacted("no `me:S3CR3T` at S3CR3T", "mongodb://me:S3CR3T@host"), "no `…` at …");
        assert_eq!(redacted("plain", "mongodb://host"), "plain");
    }

    #[tokio::test]
    async fn a_connection_string_that_is_none_says_what_one_is() {
        for uri in ["", "localhost", "mongodb://", "mongodb://me:S3CR3T@", "mongodb://me:S3CR3T@[", "http://me:S3CR3T@x/"] {
            let error = Server::connect(uri).await.unwrap_err();

            assert!(matches!(error, MongoDbError::ConnectionString { .. }), "{uri}: {error}");
            let text = error.to_string();
            assert!(text.contains("mongodb://host:27017") && !text.contains("S3CR3T"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_told_with_its_address() {
        let error = Server::connect("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100").await.unwrap_err();

        assert!(matches!(&error, MongoDbError::Unreachable { hosts, .. } if hosts == "127.0.0.1:9"), "{error}");
    }
}
