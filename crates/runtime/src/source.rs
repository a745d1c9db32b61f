//! Where do changes come from?

use std::future::Future;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::intake::Intake;
use crate::ledger::LedgerError;

/// Why a source cannot go on.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A source of changes.
pub trait Source: Send + 'static {
    /// The source's name, in the banner and in reports.
    fn name(&self) -> String;

    /// Hands over changes until there are no more, or the intake is stopping.
    ///
    /// # Errors
    ///
    /// What keeps the source from going on; the other sources go on. [`NotTaken::Stopping`], passed on from the intake, is a stop, not a failure.
    fn run(self, intake: Intake) -> impl Future<Output = Result<SourceEnd, SourceError>> + Send;
}

/// How a source ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEnd {
    /// There are no more changes.
    Exhausted,
    /// It stopped because the intake did.
    Stopped {
        /// What it did not hand over, in words.
        left: String,
    },
}

/// Why a change was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The intake no longer takes changes.
    #[error("the program is stopping and takes no more changes")]
    Stopping,
    /// The ledger cannot record it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Something a source read that is not a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The source's name.
    pub source: String,
    /// Where in the source it stands.
    pub place: String,
    /// What is wrong with it.
    pub error: String,
}

pub(crate) type StartedSource = Box<dyn FnOnce(Intake) -> BoxFuture<'static, Result<SourceEnd, SourceError>> + Send>;

/// Sources that wait to be run.
#[derive(Default)]
pub struct Sources {
    pub(crate) sources: Vec<(String, StartedSource)>,
}

impl Sources {
    /// Adds a source.
    pub fn add(&mut self, source: impl Source) {
        let name = source.name();
        self.sources.push((name, Box::new(move |intake| source.run(intake).boxed())));
    }

    /// The names of the sources.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|(name, _)| name.as_str())
    }

    /// A name that two of them have.
    pub(crate) fn name_of_two(&self) -> Option<&str> {
        let mut names: Vec<&str> = self.names().collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
}
