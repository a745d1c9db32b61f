//! How does a run go: a program that is started again and again, a load that goes on meanwhile, and a comparison in the end?

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use fastrand::Rng;
use tokio::time::sleep;

use crate::check::{self, Counted, Histories, Promise, Violation};
use crate::history::{self, Arrival, Progress, Written};
use crate::load::{Load, Writing};
use crate::program::{Program, Start};
use crate::receiver::Receiver;

/// Changes that the program handles at a time: its default.
const IN_FLIGHT: usize = 64;

/// How long the program may take for what it has begun, once it is told to stop.
const DRAIN: Duration = Duration::from_secs(2);

/// What it may need besides to end.
const END: Duration = Duration::from_secs(1);

/// How long a program may need until it takes changes, or does something after it was started again.
const AT_WORK_WITHIN: Duration = Duration::from_secs(30);

/// When nothing has moved for so long, nothing will. Retries wait for less.
const QUIET: Duration = Duration::from_secs(10);

/// Between two looks at what is going on.
const PAUSE: Duration = Duration::from_millis(50);

/// A run of one kind.
pub(crate) struct Run {
    folder: PathBuf,
    data: PathBuf,
    pub(crate) load: Load,
    pub(crate) rng: Rng,
    receiver: Receiver,
    start: Start,
    program: Option<Program>,
    /// Effects that had arrived when the program was started.
    arrived: usize,
    ends: usize,
    /// From each start after an end to the first effect.
    recoveries: Vec<Duration>,
    /// From each word to stop to the end.
    stops: Vec<Duration>,
    violations: Vec<Violation>,
}

/// What a run came to.
pub(crate) struct Judged {
    pub(crate) counted: Counted,
    pub(crate) ends: usize,
    pub(crate) recoveries: Vec<Duration>,
    pub(crate) stops: Vec<Duration>,
    /// How often the program said that something is to be sent again.
    pub(crate) refused: usize,
    pub(crate) violations: Vec<Violation>,
    /// What the numbers do not say.
    pub(crate) remark: Option<String>,
}

impl Run {
    /// Prepares a run that keeps the program's log in `folder`, and its data in `data`.
    ///
    /// # Errors
    ///
    /// When there is no port, or no program.
    pub(crate) async fn new(folder: &Path, data: &Path, load: Load, rng: Rng) -> anyhow::Result<Self> {
        let receiver = Receiver::start().await.context("the receiver cannot listen")?;
        let mut arguments = load.arguments();
        let name = data.to_str().context("the folder's name is no text")?;
        arguments.extend(["--data", name, "--drain", &format!("{}s", DRAIN.as_secs()), "--json"].map(str::to_owned));
        let start = Start::new(&folder.join("program.log"), arguments, receiver.address())?;
        let (arrived, ends, recoveries, stops, violations) = (0, 0, Vec::new(), Vec::new(), Vec::new());
        let (folder, data) = (folder.to_owned(), data.to_owned());
        Ok(Self { folder, data, load, rng, receiver, start, program: None, arrived, ends, recoveries, stops, violations })
    }

    /// From now on the program is started with this variable.
    pub(crate) fn always_with(&mut self, name: &'static str, value: &str) {
        self.start = self.start.with(name, value);
    }

    /// Where the ledger is.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// All that the program has said.
    pub(crate) fn log(&self) -> anyhow::Result<String> {
        fs::read_to_string(self.folder.join("program.log")).context("the log of the program cannot be read")
    }

    /// What the program finds wrong with its ledger.
    pub(crate) async fn check(&self) -> anyhow::Result<Option<String>> {
        self.start.check(&self.data).await
    }

    /// Starts the program, and waits until it takes changes.
    pub(crate) async fn begin(&mut self) -> anyhow::Result<()> {
        self.restart()?;
        self.takes_changes().await
    }

    /// Starts the program, and waits until it takes changes or has ended; whether it takes them.
    pub(crate) async fn begin_or_end(&mut self) -> anyhow::Result<bool> {
        self.restart()?;
        match self.takes_changes().await {
            Ok(()) => Ok(true),
            Err(_) if self.program()?.is_running().is_err() => {
                self.program = None;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn takes_changes(&mut self) -> anyhow::Result<()> {
        let since = Instant::now();
        let mut connection = None;
        while !self.load.is_taken(connection.as_ref()).await {
            self.program()?.is_running()?;
            ensure!(
                since.elapsed() < AT_WORK_WITHIN,
                "{} s after its start the program takes no changes",
                AT_WORK_WITHIN.as_secs()
            );
            sleep(PAUSE).await;
            connection = history::open(&self.data).ok();
        }
        Ok(())
    }

    /// Starts the program.
    pub(crate) fn restart(&mut self) -> anyhow::Result<()> {
        self.restart_as(&self.start.clone())
    }

    /// Starts the program so that it dies at the `nth` time that it passes `point`.
    pub(crate) fn restart_to_die(&mut self, point: &str, nth: u32) -> anyhow::Result<()> {
        self.restart_as(&self.start.with("DETECTOR_CRASH_AT", &format!("{point}:{nth}")))
    }

    fn restart_as(&mut self, start: &Start) -> anyhow::Result<()> {
        self.arrived = self.receiver.count();
        self.program = Some(start.spawn()?);
        Ok(())
    }

    fn program(&mut self) -> anyhow::Result<&mut Program> {
        self.program.as_mut().context("the program is not started")
    }

    /// Waits until the program has done something, and notes how long that took.
    pub(crate) async fn at_work(&mut self) -> anyhow::Result<()> {
        let is_at_work = self.receiver.more_than(self.arrived, AT_WORK_WITHIN).await;
        let program = self.program.as_mut().context("the program is not started")?;
        program.is_running()?;
        ensure!(is_at_work, "{} s after its start the program has done nothing", AT_WORK_WITHIN.as_secs());
        if self.ends > 0 {
            self.recoveries.push(program.age());
        }
        Ok(())
    }

    /// Lets a random time pass: mostly in the middle of work, sometimes while the program is starting.
    pub(crate) async fn live_a_while(&mut self) -> anyhow::Result<()> {
        let pause = if self.rng.u8(..4) == 0 {
            self.rng.u64(20..300)
        } else {
            self.at_work().await?;
            self.rng.u64(0..500)
        };
        sleep(Duration::from_millis(pause)).await;
        Ok(())
    }

    /// Kills the program.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.program.take().context("the program is not started")?.kill().await?;
        self.has_ended().await
    }

    /// Waits until the program has died as it was started to; whether it has `within` that time.
    pub(crate) async fn died(&mut self, within: Duration) -> anyhow::Result<bool> {
        if !self.program()?.died(within).await? {
            return Ok(false);
        }
        self.program = None;
        self.has_ended().await?;
        Ok(true)
    }

    /// Tells the program to stop, which it is not to survive until its end.
    pub(crate) async fn tell_to_stop(&mut self) -> anyhow::Result<()> {
        self.program()?.tell_to_stop().await
    }

    /// Tells the program to stop, which it is to do well, and in time.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let (status, after) = self.program.take().context("the program is not started")?.terminate().await?;
        self.has_ended().await?;
        if status.code() != Some(0) {
            self.violate(Promise::Stop, format!("told to stop, the program ended with {status}"));
        }
        if after > DRAIN + END {
            let what = format!("told to stop, the program took {after:.1?}; {:?} is the most", DRAIN + END);
            self.violate(Promise::Stop, what);
        }
        self.stops.push(after);
        Ok(())
    }

    async fn has_ended(&mut self) -> anyhow::Result<()> {
        self.ends += 1;
        self.receiver.left().await.map_err(anyhow::Error::msg)
    }

    /// How many changes the ledger holds now.
    pub(crate) fn recorded(&self) -> anyhow::Result<u64> {
        Ok(history::progress(&history::open(&self.data)?)?.changes)
    }

    /// Notes a promise that was not kept.
    pub(crate) fn violate(&mut self, promise: Promise, what: String) {
        self.violations.push(Violation { promise, what });
    }

    /// Waits until all is written, and handled; then stops the program, and compares.
    pub(crate) async fn judge(mut self, writing: Writing) -> anyhow::Result<Judged> {
        let written = self.written(writing).await?;
        self.settle(&written).await?;
        let ends = self.ends;
        self.stop().await?;
        if let Load::MongoDb(mongodb) = &self.load {
            mongodb.compare(&written).await?;
            mongodb.drop_database().await?;
        }
        if let Some(found) = self.check().await? {
            self.violate(Promise::Whole, format!("`ledger check` finds: {found}"));
        }
        let ledger = history::read(&history::open(&self.data)?)?;
        let arrivals = self.receiver.arrivals().map_err(anyhow::Error::msg)?;
        let histories = Histories { written: &written, ledger: &ledger, arrivals: &arrivals, ends, in_flight: IN_FLIGHT };
        let (counted, violations) = check::check(&histories);
        self.violations.extend(violations);
        if !self.violations.is_empty() {
            self.keep(&histories)?;
        }
        self.ends = ends;
        Ok(self.judged(counted))
    }

    /// What the run came to, with what was counted.
    pub(crate) fn judged(self, counted: Counted) -> Judged {
        let Self { load, ends, recoveries, stops, violations, .. } = self;
        Judged { counted, ends, recoveries, stops, refused: load.refused(), violations, remark: None }
    }

    /// Writes the histories that the ledger does not hold beside it, for whoever looks for the cause.
    fn keep(&self, histories: &Histories<'_>) -> anyhow::Result<()> {
        let (mut written, mut arrivals) = (String::new(), String::new());
        for change in histories.written {
            let events: Vec<&str> = change.events.iter().map(|event| event.name()).collect();
            writeln!(written, "{}\t{}", change.version, events.join(" "))?;
        }
        for Arrival { key, version, event, job, attempt, succeeds } in histories.arrivals {
            writeln!(arrivals, "{version}\t{event}\t{job}\t{attempt}\t{succeeds}\t{key}")?;
        }
        fs::write(self.folder.join("written.tsv"), written)?;
        fs::write(self.folder.join("arrivals.tsv"), arrivals)?;
        Ok(())
    }

    /// Waits until all is written.
    pub(crate) async fn written(&mut self, writing: Writing) -> anyhow::Result<Vec<Written>> {
        let mut finished = std::pin::pin!(writing.finish());
        loop {
            tokio::select! {
                written = &mut finished => return written,
                () = sleep(PAUSE) => self.program()?.is_running()?,
            }
        }
    }

    /// Waits until the ledger holds what was written and no job is open, or nothing moves any more.
    pub(crate) async fn settle(&mut self, written: &[Written]) -> anyhow::Result<()> {
        let matching = written.iter().filter(|written| !written.events.is_empty()).count() as u64;
        let connection = history::open(&self.data)?;
        let (mut last, mut since) = ((Progress::default(), 0), Instant::now());
        loop {
            self.program()?.is_running()?;
            let now = history::progress(&connection)?;
            if now.open == 0 && now.changes >= matching {
                return Ok(());
            }
            let moved = (now, self.receiver.count());
            if moved != last {
                (last, since) = (moved, Instant::now());
            }
            if since.elapsed() > QUIET {
                // The comparison says what is missing.
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }
}
