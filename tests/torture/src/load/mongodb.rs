//! How are changes written to a MongoDB?

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, ensure};
use bson::oid::ObjectId;
use bson::{Document, doc};
use mongodb::options::{Acknowledgment, WriteConcern};
use mongodb::{Client, Collection};

use super::Gate;
use crate::history::{Event, Written};

const COLLECTION: &str = "walls";

/// A database of a run's own.
#[derive(Debug, Clone)]
pub(crate) struct MongoDb {
    uri: String,
    database: String,
    walls: Collection<Document>,
}

impl MongoDb {
    /// A new database of the deployment at `uri`.
    ///
    /// # Errors
    ///
    /// When the address is none, or the collection cannot be made.
    pub(crate) async fn create(uri: &str) -> anyhow::Result<Self> {
        let client = Client::with_uri_str(uri).await.context("MONGODB_URI is no address")?;
        let database = format!("torture_{}", ObjectId::new().to_hex());
        let handle = client.database(&database);
        handle.create_collection(COLLECTION).await.context("the MongoDB does not take a collection")?;
        let walls = handle.collection(COLLECTION);
        Ok(Self { uri: uri.to_owned(), database, walls })
    }

    pub(super) fn arguments(&self) -> Vec<String> {
        ["--mongodb", &self.uri, "--database", &self.database].map(str::to_owned).to_vec()
    }

    /// Writes each change once the one before it is there.
    pub(super) async fn write(self, changes: Vec<Written>, gate: Arc<Gate>) -> anyhow::Result<()> {
        let majority = WriteConcern::builder().w(Acknowledgment::Majority).build();
        for change in changes {
            gate.pass().await?;
            let document = &change.version.document;
            let number = change.version.number;
            if change.events.contains(&Event::Built) {
                let wall = doc! { "_id": document, "version": number, "paint": "raw", "number": "none", "bill": "none" };
                self.walls.insert_one(wall).write_concern(majority.clone()).await.context("a wall cannot be built")?;
                continue;
            }
            let mut set = doc! { "version": number };
            for field in change.events.iter().filter_map(|event| event.field()) {
                set.insert(field, format!("{field} {number}"));
            }
            let before = doc! { "_id": document, "version": number - 1 };
            let update = self.walls.update_one(before, doc! { "$set": set }).write_concern(majority.clone());
            let updated = update.await.context("a wall cannot be changed")?;
            ensure!(updated.matched_count == 1, "{} is not at version {}", document, number - 1);
        }
        Ok(())
    }

    /// Compares the collection with what was to be written, as it stands in the end.
    ///
    /// # Errors
    ///
    /// When a document is not at its last version: the program would be blamed for it.
    pub(crate) async fn compare(&self, written: &[Written]) -> anyhow::Result<()> {
        let mut last: HashMap<&str, i64> = HashMap::new();
        for Written { version, .. } in written {
            let last = last.entry(&version.document).or_default();
            *last = version.number.max(*last);
        }
        let mut walls = self.walls.find(doc! {}).await?;
        while walls.advance().await? {
            let wall = walls.current();
            let (document, number) = (wall.get_str("_id")?, wall.get_i64("version")?);
            ensure!(last.remove(document) == Some(number), "{document} is at version {number} in the collection");
        }
        ensure!(last.is_empty(), "the collection lacks {:?}", last.keys());
        Ok(())
    }

    /// Drops the database.
    pub(crate) async fn drop_database(&self) -> anyhow::Result<()> {
        self.walls.client().database(&self.database).drop().await.context("the database of the run cannot be dropped")
    }
}
