//! Which runs does the command line ask for, and what becomes of their files?

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use fastrand::Rng;
use tokio::runtime::Runtime;

use crate::check::Promise;
use crate::damage;
use crate::kinds::{self, Disk, POINTS, Point};
use crate::load::{Http, Load, MongoDb};
use crate::report::{End, Outcome, Times};
use crate::run::{Judged, Run};
use crate::servers::Servers;
use crate::{Arguments, Kind, Spoil};

/// Where the files of runs are; those of a run that went wrong stay. The target folder is where nobody keeps anything.
const FOLDER: &str = "target/torture";

/// Changes of a run in which the program dies at one point.
const CHANGES_OF_A_POINT: usize = 200;

/// Most changes of a run with a broken promise, so that it ends within a minute.
const CHANGES_OF_A_SPOILT_RUN: usize = 3_000;

/// How often the program dies in it.
const DEATHS_OF_A_SPOILT_RUN: usize = 16;

/// Changes in a ledger that is damaged.
const CHANGES_OF_A_DAMAGED_LEDGER: usize = 1_000;

/// Changes of a run on a small disk, which holds them all: fewer would find room in the log that is there already.
const CHANGES_OF_A_DISK: usize = 5_000;

/// All runs that are asked for.
pub(crate) struct Suite<'a> {
    arguments: &'a Arguments,
    seed: u64,
    tokio: Runtime,
    servers: Servers,
    outcomes: Vec<Outcome>,
}

/// One run.
#[derive(Debug, Clone, Copy)]
enum Task {
    Kills,
    Stops,
    Point(Point),
    Disk,
    Damage,
    Spoilt(Spoil, &'static str, Promise),
}

/// Where changes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    MongoDb,
    Http,
}

/// Each promise that can be broken, with the source of changes by which that shows, the point at which the program is to die, and what
/// must be found broken then.
const SPOILT: [(Spoil, From, &str, Promise); 3] = [
    (Spoil::UniqueKey, From::Http, "after_ledger_commit", Promise::RecordedOnce),
    (Spoil::CommitBeforeReceipt, From::Http, "before_ledger_commit", Promise::NothingLost),
    (Spoil::PositionWithRows, From::MongoDb, "before_ledger_commit", Promise::NothingLost),
];

impl<'a> Suite<'a> {
    /// The runs of these arguments.
    ///
    /// # Errors
    ///
    /// When the system has no threads to give.
    pub(crate) fn new(arguments: &'a Arguments, seed: u64) -> anyhow::Result<Self> {
        let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("threads cannot be started")?;
        Ok(Self { arguments, seed, tokio, servers: Servers::default(), outcomes: Vec::new() })
    }

    /// Does them all, one after another.
    ///
    /// # Errors
    ///
    /// When a MongoDB cannot be started, or a file not be written.
    pub(crate) fn run(mut self) -> anyhow::Result<Vec<Outcome>> {
        if let Some(spoil) = self.arguments.spoil {
            for (one, from, point, shows) in SPOILT.into_iter().filter(|(one, ..)| spoil == *one || spoil == Spoil::All) {
                self.add(Task::Spoilt(one, point, shows), from)?;
            }
            return Ok(self.outcomes);
        }
        let kind = self.arguments.kind;
        let asked = |one| kind == one || kind == Kind::All;
        if asked(Kind::Mongodb) {
            self.add(Task::Kills, From::MongoDb)?;
        }
        if asked(Kind::Http) {
            self.add(Task::Kills, From::Http)?;
        }
        if asked(Kind::Points) {
            for (from, point) in [From::MongoDb, From::Http].into_iter().flat_map(|from| POINTS.map(|point| (from, point))) {
                self.add(Task::Point(point), from)?;
            }
        }
        if asked(Kind::Stop) {
            self.add(Task::Stops, From::MongoDb)?;
            self.add(Task::Stops, From::Http)?;
        }
        if asked(Kind::Disk) {
            self.add(Task::Disk, From::MongoDb)?;
            self.add(Task::Disk, From::Http)?;
        }
        if asked(Kind::Damage) {
            self.add(Task::Damage, From::Http)?;
        }
        Ok(self.outcomes)
    }

    fn add(&mut self, task: Task, from: From) -> anyhow::Result<()> {
        let (kind, with) = (self.kind(task, from), self.with(task, from));
        eprintln!("torture: {kind} {with}");
        let begun = Instant::now();
        let (end, kept) = self.end(task, from, kind)?;
        let spoilt = match task {
            Task::Spoilt(.., shows) => Some(shows),
            _ => None,
        };
        let outcome = Outcome { kind, with, seed: self.seed, seconds: begun.elapsed().as_secs_f64(), spoilt, end, kept };
        self.outcomes.push(outcome);
        Ok(())
    }

    /// As `--kind` has it.
    fn kind(&self, task: Task, from: From) -> &'static str {
        match (task, from) {
            (Task::Kills, From::MongoDb) => "mongodb",
            (Task::Kills, From::Http) => "http",
            (Task::Stops, _) => "stop",
            (Task::Point(_), _) => "points",
            (Task::Disk, _) => "disk",
            (Task::Damage, _) => "damage",
            (Task::Spoilt(..), _) => "spoil",
        }
    }

    /// What tells it from the other runs of its kind.
    fn with(&self, task: Task, from: From) -> String {
        let from = if from == From::MongoDb { "mongodb" } else { "http" };
        match task {
            Task::Kills => format!("{} kills", self.arguments.kills),
            Task::Stops => format!("{from} {} times", self.arguments.stops),
            Task::Point(point) => format!("{from} {}", point.name),
            Task::Disk => from.to_owned(),
            Task::Damage => format!("{} times", self.arguments.damages),
            Task::Spoilt(spoil, ..) => format!("{from} {}", spoil.name()),
        }
    }

    fn end(&mut self, task: Task, from: From, kind: &str) -> anyhow::Result<(End, Option<PathBuf>)> {
        let uri = match from {
            From::MongoDb => match self.servers.uri()? {
                Some(uri) => Some(uri),
                None => return Ok((skipped("there is no MongoDB; set MONGODB_URI, or put `mongod` on PATH"), None)),
            },
            From::Http => None,
        };
        fs::create_dir_all(FOLDER).with_context(|| format!("cannot make the folder {FOLDER}"))?;
        let folder = tempfile::Builder::new().prefix(&format!("{kind}-{}-", self.seed)).tempdir_in(FOLDER);
        let folder = folder.with_context(|| format!("cannot make a folder in {FOLDER}"))?;
        let rng = self.rng(&self.with(task, from));
        let end = match self.tokio.block_on(tortured(task, self.arguments, folder.path(), uri.as_deref(), rng)) {
            Ok(Ok(Judged { counted, ends, recoveries, stops, refused, violations, remark })) => End::Judged {
                counted,
                ends,
                refused,
                recovery: Times::of(recoveries),
                stop: Times::of(stops),
                violations,
                remark,
            },
            Ok(Err(why)) => skipped(&why),
            Err(error) => End::Failed { why: format!("{error:#}") },
        };
        let is_wanted = match &end {
            End::Judged { violations, .. } => !violations.is_empty() && self.arguments.spoil.is_none(),
            End::Failed { .. } => true,
            End::Skipped { .. } => false,
        };
        Ok((end, is_wanted.then(|| folder.keep())))
    }

    /// The random choices of one run: others than those of the next.
    fn rng(&self, name: &str) -> Rng {
        Rng::with_seed(name.bytes().fold(self.seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte))))
    }
}

/// Does one run; without an address of a MongoDB it is one over HTTP. Or why the machine cannot do it.
async fn tortured(
    task: Task,
    arguments: &Arguments,
    folder: &Path,
    uri: Option<&str>,
    rng: Rng,
) -> anyhow::Result<Result<Judged, String>> {
    let Arguments { changes, kills, stops, .. } = *arguments;
    let load = match uri {
        Some(uri) => Load::MongoDb(MongoDb::create(uri).await?),
        None => Load::Http(Http::find().await?),
    };
    let data = folder.join("data");
    let judged = match task {
        Task::Kills => kinds::kills(Run::new(folder, &data, load, rng).await?, changes, kills).await?,
        Task::Stops => kinds::stops(Run::new(folder, &data, load, rng).await?, changes, stops).await?,
        Task::Point(point) => kinds::point(Run::new(folder, &data, load, rng).await?, CHANGES_OF_A_POINT, point).await?,
        Task::Spoilt(spoil, point, _) => {
            let mut run = Run::new(folder, &data, load, rng).await?;
            run.always_with("DETECTOR_SPOIL", spoil.name());
            kinds::deaths(run, changes.min(CHANGES_OF_A_SPOILT_RUN), DEATHS_OF_A_SPOILT_RUN, point).await?
        }
        Task::Damage => {
            let run = Run::new(folder, &data, load, rng).await?;
            damage::damages(run, folder, CHANGES_OF_A_DAMAGED_LEDGER, arguments.damages).await?
        }
        Task::Disk => {
            let at = folder.join("disk");
            fs::create_dir(&at).context("cannot make a folder for the disk")?;
            let disk = match Disk::mount(&at).await {
                Ok(disk) => disk,
                Err(why) => return Ok(Err(format!("a small disk cannot be mounted: {why}"))),
            };
            let on_disk = disk.path().join("data");
            let run = Run::new(folder, &on_disk, load, rng).await?;
            let judged = kinds::disk(run, CHANGES_OF_A_DISK, disk.path()).await;
            // The disk goes; what is looked at later stays.
            damage::copy(&on_disk, &data)?;
            judged?
        }
    };
    Ok(Ok(judged))
}

/// A run that this machine cannot do; with CI=true nothing may be skipped.
fn skipped(why: &str) -> End {
    if env::var("CI").is_ok_and(|value| value == "true" || value == "1") {
        return End::Failed { why: format!("{why}; and with CI=true nothing may be skipped") };
    }
    End::Skipped { why: why.to_owned() }
}
