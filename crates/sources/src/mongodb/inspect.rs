//! Is everything there that watching needs, and how is what is missing had?

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::results::{CollectionSpecification, CollectionType};

use super::fault::{Fault, MongoDbError, words};
use super::position::Position;
use super::scope::{Images, Scope};
use super::server::{Server, failed};
use super::watch::Watch;
use super::window::Oplog;

/// What was found of a deployment and of what is to be watched there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// What there is to say, what matters most first of all that belongs together.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How good or bad it is.
    pub level: Level,
    /// What was looked at: `server`, `access`, `oplog`, or a collection with its database.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub cure: Option<String>,
}

/// How good or bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, and less can be told of a change.
    Warning,
    /// It cannot be watched.
    Error,
}

impl Inspection {
    /// Looks at everything that watching `scope` needs.
    ///
    /// # Errors
    ///
    /// [`MongoDbError`] when the deployment cannot be asked, or the change stream cannot be opened.
    pub async fn of(server: &Server, scope: &Scope, images: Images) -> Result<Self, MongoDbError> {
        let mut inspection = Self::default();
        inspection.server(server);
        inspection.access(server, scope, images).await?;
        inspection.oplog(server).await;
        for database in scope.databases() {
            let there = collections(server, database).await?;
            let (named, unnamed) = (scope.collections(), scope.collections().is_empty());
            for name in named.iter().filter(|name| !there.iter().any(|found| found.name == **name)) {
                inspection.missing(database, name, images);
            }
            for found in there.iter().filter(|found| unnamed || named.contains(&found.name)) {
                inspection.collection(database, found, images, unnamed);
            }
        }
        Ok(inspection)
    }

    /// The worst level of all findings.
    pub fn level(&self) -> Level {
        self.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Good)
    }

    fn add(&mut self, level: Level, subject: impl Into<String>, message: impl Into<String>, cure: Option<String>) {
        self.findings.push(Finding { level, subject: subject.into(), message: message.into(), cure });
    }

    fn server(&mut self, server: &Server) {
        let version = server.version();
        match server.splits_large_events() {
            true => self.add(Level::Good, "server", format!("MongoDB {version} at {}", server.hosts()), None),
            false => self.add(
                Level::Warning,
                "server",
                format!("MongoDB {version} cannot send a change that is larger than 16 MiB with its documents; such a one comes without them"),
                Some("update the server to 6.0.9 or newer".to_owned()),
            ),
        }
    }

    /// Opens the stream, since what is allowed is known for sure only then.
    async fn access(&mut self, server: &Server, scope: &Scope, images: Images) -> Result<(), MongoDbError> {
        let watch = Watch::new(server, images);
        let now = Position::now(server).await?;
        match watch.open(server, scope, &now).await {
            Ok(_stream) => {
                self.add(Level::Good, "access", format!("the changes of {scope} can be watched"), None);
                Ok(())
            }
            Err(Fault::Driver(error)) => Err(failed(&error, server.hosts())),
            Err(stalled @ Fault::Stalled(_)) => {
                Err(MongoDbError::Unreachable { hosts: server.hosts().to_owned(), reason: stalled.to_string() })
            }
        }
    }

    /// How far back the history reaches, where the user may look at it.
    async fn oplog(&mut self, server: &Server) {
        match Oplog::of(server).await {
            Ok(oplog) => {
                let reaches = humantime::format_duration(oplog.length());
                let message = format!("reaches back {reaches}; a source that is away for longer misses changes");
                self.add(Level::Good, "oplog", message, None);
            }
            Err(error) => {
                let cure = "grant the role `read` on the database `local`, on a replica set, for a warning in time";
                let message = format!("cannot be looked at, so nobody is told when a source falls behind: {}", words(&error));
                self.add(Level::Good, "oplog", message, Some(cure.to_owned()));
            }
        }
    }

    fn missing(&mut self, database: &str, name: &str, images: Images) {
        let subject = format!("{database}.{name}");
        let (message, cure) = match images {
            Images::Computed | Images::Stored => (
                "does not exist yet, and will store no documents before a change when it is made by its first insert",
                Some(format!(
                    "`--enable-images` makes it with them, or in mongosh: \
                     db.getSiblingDB({database:?}).createCollection({name:?}, {{ changeStreamPreAndPostImages: {{ enabled: true }} }})"
                )),
            ),
            Images::Lookup | Images::None => ("does not exist yet; it is watched from its first insert on", None),
        };
        self.add(Level::Warning, subject, message, cure);
    }

    fn collection(&mut self, database: &str, found: &CollectionSpecification, images: Images, unnamed: bool) {
        let subject = format!("{database}.{}", found.name);
        if found.collection_type != CollectionType::Collection {
            // Nobody asked for it by its name.
            if !unnamed {
                let kind = if found.collection_type == CollectionType::View { "view" } else { "time series" };
                let cure = "watch the collection that it is made of, if there is one".to_owned();
                self.add(Level::Error, subject, format!("is a {kind}, which has no changes"), Some(cure));
            }
            return;
        }
        match (images, has_images(found)) {
            (Images::None, _) => self.add(Level::Good, subject, "is watched without documents", None),
            (_, true) => self.add(Level::Good, subject, "stores the documents before its changes", None),
            (Images::Computed | Images::Stored | Images::Lookup, false) => self.add(
                Level::Warning,
                subject,
                "does not store the documents before its changes: `before` is unknown, and so is what an update does not say",
                Some(format!(
                    "`--enable-images` turns it on, or in mongosh: db.getSiblingDB({database:?}).runCommand({{ collMod: {:?}, \
                     changeStreamPreAndPostImages: {{ enabled: true }} }})",
                    found.name
                )),
            ),
        }
    }
}

impl Server {
    /// Has the collections in `scope` store the documents before their changes, and makes those that are named and not there.
    ///
    /// Returns the collections for which that was new, with their databases. Changes made before have no such documents.
    ///
    /// # Errors
    ///
    /// [`MongoDbError`] when a server refuses it: the user needs the actions `collMod`, `createCollection` and `listCollections`
    /// (the built-in role `dbAdmin` has them).
    pub async fn enable_images(&self, scope: &Scope) -> Result<Vec<String>, MongoDbError> {
        let refused = |error| failed(&error, self.hosts());
        let on = doc! { "enabled": true };
        let mut enabled = Vec::new();
        for name in scope.databases() {
            let database = self.client().database(name);
            let there = collections(self, name).await?;
            for missing in scope.collections().iter().filter(|wanted| !there.iter().any(|found| found.name == **wanted)) {
                let create = doc! { "create": missing, "changeStreamPreAndPostImages": &on };
                database.run_command(create).await.map_err(refused)?;
                enabled.push(format!("{name}.{missing}"));
            }
            let wanted = |found: &&CollectionSpecification| {
                let is_named = scope.collections().is_empty() || scope.collections().contains(&found.name);
                is_named && found.collection_type == CollectionType::Collection && !has_images(found)
            };
            for found in there.iter().filter(wanted) {
                let modify = doc! { "collMod": &found.name, "changeStreamPreAndPostImages": &on };
                database.run_command(modify).await.map_err(refused)?;
                enabled.push(format!("{name}.{}", found.name));
            }
        }
        Ok(enabled)
    }
}

/// The collections of a database, but for the server's own, by name.
async fn collections(server: &Server, database: &str) -> Result<Vec<CollectionSpecification>, MongoDbError> {
    let refused = |error| failed(&error, server.hosts());
    let found = server.client().database(database).list_collections().await.map_err(refused)?;
    let mut found: Vec<_> = found.try_collect().await.map_err(refused)?;
    found.retain(|found| !found.name.starts_with("system."));
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

fn has_images(found: &CollectionSpecification) -> bool {
    let images: Option<Document> = found
        .options
        .change_stream_pre_and_post_images
        .as_ref()
        .and_then(|images| mongodb::bson::serialize_to_document(images).ok());
    images.is_some_and(|images| images.get_bool("enabled").unwrap_or(false))
}
