//! How are changes handled until their sources end or somebody says stop?

use std::io::{ErrorKind, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use event_detector::JobDeclaration;
use event_detector_ledger::{Sqlite, Stats};
use event_detector_runtime::{Figure, Rejected, Runtime, Source, Sources, Summary};
use event_detector_server::{ServeError, Server};
use event_detector_sources::{MongoDb, Recorded, Start};
use serde_json::json;

use crate::app::Program;
use crate::args::{Beginning, Run};
use crate::console::{Console, Form, print_rejected};
use crate::exit::{Exit, Failure};
use crate::settings::PASSPHRASES;
use crate::signals::{Stop, Unfinished};
use crate::terminal::{clean, say, say_json, start_spinner};

use super::recorded::open_failure;
use super::{check, count, no_change};

/// Handles the changes of the database, of the file and of the address, if they are named, and of the program's own sources.
pub(crate) async fn run(mut program: Program, mut sources: Sources, what: &Run) -> Result<Exit, Failure> {
    let is_live = program.settings.listen.is_some() || program.settings.mongodb.is_set();
    let takes_changes = is_live || !sources.is_empty();
    if !takes_changes && what.file.is_none() {
        return Err(Failure::new(Exit::Usage, "there is nothing to take changes from").with_hint(
            "watch a database with `--mongodb URI --database NAME`, listen with `--listen 127.0.0.1:8080`, name a file of recorded changes with `--file FILE` (`-` is standard input), \
             or add a source to the program's `App`",
        ));
    }
    // A file alone can be played again, unless somebody says where to keep what came of it.
    let keeps = !what.no_ledger && (takes_changes || program.ledger.is_named);
    // Before all else: another program may have it.
    let ledger = if keeps { Some(ledger(&program)?) } else { None };
    if program.settings.mongodb.is_set() {
        sources.add(mongodb(&mut program, what.watched.enable_images, what.start).await?);
    }
    let listening = match program.settings.listen.take() {
        Some(address) => Some(listen(&mut program, &mut sources, &address, ledger.as_ref()).await?),
        None => None,
    };
    let mut lines = None;
    if let Some(file) = &what.file {
        let recorded = open(file).await?;
        lines = Some(Arc::new(Lines::of(recorded.name())));
        sources.add(if what.strict { recorded.strict() } else { recorded });
    }
    let json = program.options.json;
    let form = Form::choose(&program.options);
    let settings = program.settings.file.clone();
    let kept = ledger.as_ref().map(|_| program.ledger.dir.clone());
    let unfinished = if keeps { Unfinished::Kept } else { Unfinished::Lost };
    let stop = Stop::listen(program.settings.config.drain, unfinished, json);
    let console = if is_live { Console::new(form).announcing() } else { Console::new(form) };
    let runtime = program.runtime(console, ledger)?;
    banner(&runtime, &sources, settings.as_deref(), kept.as_deref(), json);
    if let Some(words) = listening.filter(|_| !json) {
        say(&words);
    }
    if what.file.as_deref() == Some(Path::new("-")) && std::io::stdin().is_terminal() && !json {
        say("Waiting for changes from the terminal, one JSON object a line; Ctrl-D ends.");
    } else if !json {
        start_spinner();
    }
    let start = Instant::now();
    let watched = lines.clone();
    let on_reject = move |rejected: &Rejected| {
        print_rejected(rejected, json);
        if let Some(lines) = &watched {
            lines.count(rejected);
        }
    };
    let summary = runtime.run(sources, stop.requested(), on_reject).await;
    sum_up(&summary, start.elapsed().as_secs_f64(), json);
    Ok(exit(&summary, lines.as_deref(), stop.was_requested()))
}

/// The lines of a file that were no changes.
pub(super) struct Lines {
    /// The file's name as a source.
    source: String,
    rejected: AtomicU64,
}

impl Lines {
    fn of(source: String) -> Self {
        Self { source, rejected: AtomicU64::new(0) }
    }

    fn count(&self, rejected: &Rejected) {
        if rejected.source == self.source {
            self.rejected.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the exit code is to tell of them: no other source has failed, which matters more to whoever starts the program again.
    fn are_all_that_failed(&self, summary: &Summary) -> bool {
        // A strict file fails by its first such line.
        self.rejected.load(Ordering::Relaxed) > 0 && summary.source_errors.iter().all(|(source, _)| *source == self.source)
    }
}

/// Opens the ledger of the settings, for this program alone.
fn ledger(program: &Program) -> Result<Sqlite, Failure> {
    Sqlite::open(&program.ledger.dir, program.ledger.options()).map_err(|error| open_failure(&error))
}

/// The changes of the MongoDB that the settings name; says what keeps them from being told whole.
pub(super) async fn mongodb(program: &mut Program, enable_images: bool, start: Option<Beginning>) -> Result<MongoDb, Failure> {
    let settings = std::mem::take(&mut program.settings.mongodb);
    if settings.is_plain() {
        tracing::warn!(
            "the connection string has a password; write `${{NAME}}` as `uri` in the config file, and it into the environment variable NAME"
        );
    }
    let target = settings.reach().await?;
    let json = program.options.json;
    if enable_images {
        check::enable(&target, json).await?;
    }
    check::warn(&check::inspect(&target).await?, json)?;
    let source = MongoDb::new(target.server, target.scope).images(target.images).on_gap(target.on_gap);
    Ok(match start {
        Some(Beginning::Now) => source.start(Start::Now),
        Some(Beginning::At(time)) => source.start(Start::At(UNIX_EPOCH + Duration::from_millis(time.0.max(0).unsigned_abs()))),
        None => source,
    })
}

/// Adds a server at `address`, and returns how it is to be reached.
async fn listen(program: &mut Program, sources: &mut Sources, address: &str, ledger: Option<&Sqlite>) -> Result<String, Failure> {
    let http = std::mem::take(&mut program.settings.http);
    let plain = http.plain_passphrases();
    let settings = http.resolve()?;
    let header = match settings.hasura.passphrases.is_empty() {
        true => "no passphrase is asked for".to_owned(),
        false => format!("a passphrase is needed in the header {}", settings.hasura.passphrase_header),
    };
    let path = if settings.hasura.triggers.is_empty() { "" } else { " (or /hasura/NAME of a configured trigger)" };
    let server = Server::bind(address, settings, &program.registry).await.map_err(|error| {
        let exit = match &error {
            ServeError::Address { .. } => Exit::Usage,
            ServeError::Bind { source, .. } if source.kind() == ErrorKind::PermissionDenied => Exit::Permission,
            ServeError::Bind { .. } => Exit::Unavailable,
            _ => Exit::Config,
        };
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        let failure = Failure::new(exit, format!("{error}{cause}"));
        match error {
            ServeError::Exposed { .. } => failure.with_hint(format!(
                "set the environment variable {PASSPHRASES}, or `passphrases` under `[hasura]` in the config file"
            )),
            _ => failure,
        }
    })?;
    if plain > 0 {
        tracing::warn!(
            passphrases = plain,
            "the config file holds passphrases in plain text; write `${{NAME}}` there, and the value into the environment variable NAME"
        );
    }
    let words = format!("Hasura's event triggers post to http://{}/hasura{path}; {header}.", server.local_addr());
    sources.add(match ledger.cloned() {
        Some(ledger) => server.figures(move || figures(&ledger.stats())),
        None => server,
    });
    Ok(words)
}

/// What scrapers read of the ledger.
fn figures(stats: &Stats) -> Vec<Figure> {
    #[expect(clippy::cast_precision_loss, reason = "a scraper reads doubles")]
    let number = |value: u64| value as f64;
    vec![
        Figure::gauge("detector_ledger_queued", "What was asked of the ledger and is not on disk.", number(stats.queued)),
        Figure::counter("detector_ledger_commits_total", "Transactions of the ledger.", number(stats.commits)),
        Figure::counter("detector_ledger_rows_total", "Rows that were inserted into the ledger.", number(stats.rows)),
        Figure::counter(
            "detector_ledger_commit_seconds_total",
            "How long all transactions of the ledger took.",
            stats.commit_time.as_secs_f64(),
        ),
        Figure::gauge(
            "detector_ledger_last_commit_seconds",
            "How long the last transaction of the ledger took.",
            stats.last_commit.as_secs_f64(),
        ),
        Figure::gauge("detector_jobs_waiting", "Jobs that wait in the ledger for their time.", number(stats.waiting_jobs)),
        Figure::gauge("detector_dead_letters", "Dead letters that nobody has decided on.", number(stats.open_dead_letters)),
        Figure::gauge("detector_ledger_full", "1 while the ledger's disk is full.", f64::from(u8::from(stats.is_full))),
    ]
}

/// The recorded changes in a file, or on standard input for `-`.
pub(super) async fn open(file: &Path) -> Result<Recorded, Failure> {
    if file == Path::new("-") {
        return Ok(Recorded::stdin());
    }
    Recorded::open(file).await.map_err(|error| {
        let io = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<std::io::Error>());
        io.map_or_else(|| Failure::new(Exit::NoInput, &error), |io| Failure::input(&error, io))
    })
}

/// Says on standard error what the program works with.
fn banner(runtime: &Runtime, sources: &Sources, settings: Option<&Path>, ledger: Option<&Path>, json: bool) {
    let detectors = runtime.registry().detectors();
    let jobs = JobDeclaration::linked().len();
    let names: Vec<&str> = sources.names().collect();
    if json {
        say_json(
            &json!({ "started": { "sources": names, "events": detectors.len(), "jobs": jobs, "config": settings, "ledger": ledger } }),
        );
        return;
    }
    let settings = settings.map(|file| format!(" Settings from {}.", clean(&file.display().to_string()))).unwrap_or_default();
    let ledger = ledger.map(|dir| format!(" Ledger in {}.", clean(&dir.display().to_string()))).unwrap_or_default();
    let jobs = if jobs > 0 { format!(" with {}", count(jobs as u64, "declared job")) } else { String::new() };
    say(&format!(
        "Watching {} ({}) for {}{jobs}.{settings}{ledger} Ctrl-C stops.",
        count(names.len() as u64, "source"),
        clean(&names.join(", ")),
        count(detectors.len() as u64, "event"),
    ));
    if detectors.is_empty() {
        say("warning: no event is selected, so nothing can be detected");
    }
}

/// Says on standard error what came of it all.
fn sum_up(summary: &Summary, seconds: f64, json: bool) {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
    let rate = (summary.changes as f64 / seconds.max(0.001)) as u64;
    if json {
        let left: Vec<_> = summary.left.iter().map(|(source, left)| json!({ "source": source, "left": left })).collect();
        let ended = json!({
            "changes": summary.changes, "seconds": seconds, "changes_per_second": rate, "events": summary.events,
            "undecided": summary.undecided, "event_errors": summary.event_errors, "jobs_succeeded": summary.jobs_succeeded,
            "jobs_failed": summary.jobs_failed, "jobs_cut": summary.jobs_cut, "jobs_retrying": summary.jobs_retrying,
            "duplicates": summary.duplicates, "resumed": summary.resumed, "rejected": summary.rejected,
            "in_flight_at_stop": summary.in_flight_at_stop, "left": left,
            "source_errors": source_errors(summary),
        });
        say_json(&json!({ "ended": ended }));
        return;
    }
    let mut line = format!(
        "Handled {} in {seconds:.2} s ({} a second): {}, {} succeeded",
        count(summary.changes, "change"),
        indicatif::HumanCount(rate),
        count(summary.events, "event"),
        count(summary.jobs_succeeded, "job"),
    );
    let others = [
        (summary.jobs_failed, "failed"),
        (summary.jobs_cut, "cut"),
        (summary.jobs_retrying, "waiting for another attempt"),
        (summary.undecided, "undecided"),
        (summary.event_errors, if summary.event_errors == 1 { "event error" } else { "event errors" }),
    ];
    for (number, what) in others.into_iter().filter(|(number, _)| *number > 0) {
        line.push_str(&format!(", {} {what}", indicatif::HumanCount(number)));
    }
    if summary.rejected > 0 {
        line.push_str(&format!(", {}", no_change(summary.rejected)));
    }
    say(&format!("{line}."));
    if summary.duplicates > 0 {
        let were = if summary.duplicates == 1 { "was" } else { "were" };
        say(&format!("{} {were} recorded before, and {were} not handled again.", count(summary.duplicates, "change")));
    }
    if summary.resumed > 0 {
        say(&format!("Jobs of {} went on out of the ledger.", count(summary.resumed, "change")));
    }
    for (source, left) in &summary.left {
        say(&format!(
            "Stopped: {} in flight {} finished{}; {}: {} was not taken.",
            count(summary.in_flight_at_stop as u64, "change"),
            if summary.in_flight_at_stop == 1 { "was" } else { "were" },
            if summary.jobs_cut > 0 { " or cut" } else { "" },
            clean(source),
            clean(left),
        ));
    }
    say_source_errors(summary);
}

/// Says on standard error which sources cannot go on.
fn say_source_errors(summary: &Summary) {
    for (source, error) in &summary.source_errors {
        say(&format!("error: the source {} ended: {}", clean(source), clean(error)));
    }
}

/// The sources that cannot go on, as JSON.
fn source_errors(summary: &Summary) -> Vec<serde_json::Value> {
    summary.source_errors.iter().map(|(source, error)| json!({ "source": source, "error": error })).collect()
}

/// Says on standard error which sources cannot go on, where the summary is not said; returns whether there are such.
pub(super) fn has_source_errors(summary: &Summary, json: bool) -> bool {
    match json {
        _ if summary.source_errors.is_empty() => return false,
        true => say_json(&json!({ "source_errors": source_errors(summary) })),
        false => say_source_errors(summary),
    }
    true
}

/// What the program's exit code says about a run. One that was told to stop did as it was told; its jobs were reported one by one.
///
/// What a live source rejected is told when it comes, and is no reason to end in another way.
pub(super) fn exit(summary: &Summary, lines: Option<&Lines>, stopped: bool) -> Exit {
    if lines.is_some_and(|lines| lines.are_all_that_failed(summary)) {
        Exit::BadData
    } else if !summary.source_errors.is_empty() {
        Exit::Unavailable
    } else if !stopped && summary.jobs_failed + summary.event_errors + summary.jobs_cut + summary.jobs_retrying > 0 {
        Exit::Failed
    } else {
        Exit::Success
    }
}

#[cfg(test)]
mod tests {
    use event_detector_runtime::{Rejected, Summary};

    use super::{Exit, Lines, exit};

    #[test]
    fn a_source_that_cannot_go_on_is_in_the_exit_code_before_what_was_no_change() {
        let failed = |sources: &[&str]| {
            let source_errors = sources.iter().map(|name| ((*name).to_owned(), "gone".to_owned())).collect();
            Summary { rejected: 1, source_errors, ..Summary::default() }
        };
        let lines = |source: &str| {
            let lines = Lines::of("file".to_owned());
            lines.count(&Rejected { source: source.to_owned(), place: String::new(), error: String::new() });
            lines
        };

        assert_eq!(exit(&failed(&["mongodb"]), None, false), Exit::Unavailable);
        assert_eq!(exit(&failed(&[]), None, false), Exit::Success, "a live source told of it");
        assert_eq!(exit(&failed(&["mongodb"]), Some(&lines("file")), true), Exit::Unavailable);
        assert_eq!(exit(&failed(&["file", "ledger"]), Some(&lines("file")), false), Exit::Unavailable);
        assert_eq!(exit(&failed(&["file"]), Some(&lines("file")), false), Exit::BadData, "a strict one");
        assert_eq!(exit(&failed(&[]), Some(&lines("file")), true), Exit::BadData);
        assert_eq!(exit(&failed(&[]), Some(&lines("mongodb")), false), Exit::Success);
    }
}
