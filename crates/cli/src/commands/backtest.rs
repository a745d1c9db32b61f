//! What would the events of this program make of recorded changes, and what did they make of them before? No job runs.

mod against;
mod input;
mod known;
mod objects;
mod saved;
mod tally;
mod trial;
mod words;

use std::path::Path;
use std::time::Instant;

use event_detector::{NearMiss, NearMisses, Registry};
use serde_json::json;

use crate::app::Program;
use crate::args::Backtest;
use crate::console::Form;
use crate::exit::{Exit, Failure};
use crate::files::Whole;
use crate::globs;
use crate::terminal::{clean, json as json_line, note_reading, out, say, say_json, start_reading, stop_spinner};

use super::{count, rule};
use against::Against;
use input::Input;
use known::Ids;
use saved::{SavedEvent, Saving};
use tally::Said;
use trial::Trial;

/// Progress is told after so many changes.
const TOLD: u64 = 4_096;

/// What a run came to.
struct Ended<'r> {
    trial: Trial<'r>,
    /// Where they were asked for, by event.
    near_misses: Option<Vec<NearMiss>>,
    against: Option<Against>,
    /// What was no change.
    rejected: u64,
    /// Where the changes came from.
    from: String,
    seconds: f64,
}

/// Tries the events on changes, and compares what is said of them with a run that was kept.
pub(crate) async fn backtest(mut program: Program, what: &Backtest) -> Result<Exit, Failure> {
    let registry = globs::select(program.registry.clone(), &what.event, &[])?;
    let is_whole = what.event.is_empty() && program.settings.only.is_empty() && program.settings.except.is_empty();
    // All that can be wrong with the command line is found before the changes are read.
    let against = what.against.as_deref().map(|path| Against::read(path, &registry, what.limit)).transpose()?;
    let save = what.save.as_deref().map(Whole::begin).transpose()?;
    let mut input = Input::find(&program, what)?;
    let form = Form::choose(&program.options);
    if let (Some(covers), false) = (input.covers(), form == Form::Json) {
        say(words::covers(covers, program.settings.config.record_all).trim_end());
    }
    program.registry = registry;
    let mut saving = save.as_ref().map(|_| Saving::default());
    let ended = run(&program, what, &mut input, against, saving.as_mut()).await;
    stop_spinner();
    let ended = ended?;
    if ended.trial.changes == 0 {
        return Err(nothing(&ended));
    }
    if let (Some(saving), Some(save)) = (saving, save) {
        saving.finish(events(&ended, &program.registry), is_whole).write(save)?;
    }
    match form {
        Form::Json => out(&(json_line(&objects::run(&ended, input.covers(), program.settings.config.record_all)) + "\n")),
        Form::Quiet(_) => out(&words::quiet(&ended)),
        Form::Full(look) => out(&words::full(&ended, look)),
    }
    if form != Form::Json {
        say(&words::ending(&ended, what));
    }
    if let (Some(against), Some(kept), false) = (&ended.against, &what.against, what.fail_on.is_empty())
        && against.new_changes == ended.trial.changes
    {
        return Err(nothing_compared(&ended, kept));
    }
    Ok(exit(&ended, what))
}

async fn run<'r>(
    program: &'r Program,
    what: &Backtest,
    input: &mut Input,
    mut against: Option<Against>,
    mut saving: Option<&mut Saving>,
) -> Result<Ended<'r>, Failure> {
    let registry: &Registry = &program.registry;
    let json = program.options.json;
    let mut trial = Trial::new(registry);
    let mut misses = what.near_misses.then(|| NearMisses::new(registry));
    let mut ids = (against.is_some() || saving.is_some()).then(Ids::default);
    let (start, from) = (Instant::now(), input.name(what));
    let mut rejected = 0;
    if !json {
        start_reading(input.total());
    }
    while let Some(next) = input.next().await? {
        match next {
            Ok(change) => {
                let found = trial.ask(&change).map_err(|failure| at(failure, &input.place()))?;
                if let Some(known) = ids.as_mut().map(|ids| ids.meet(change.id())) {
                    let said = || found.iter().map(|(place, verdict)| (*place, Said::from(verdict)));
                    if let Some(saving) = &mut saving {
                        saving.add(change.id(), known, said());
                    }
                    if let Some(against) = &mut against {
                        against.meet(registry, &change, known, said(), || input.place());
                    }
                }
                if let Some(misses) = &mut misses {
                    misses.note(registry, &change);
                }
                if trial.changes.is_multiple_of(TOLD) {
                    note_reading(input.position(), trial.changes);
                }
            }
            Err(error) => {
                rejected += 1;
                refused(&input.place(), &error, json);
            }
        }
    }
    let near_misses = misses.map(NearMisses::into_counts);
    Ok(Ended { trial, near_misses, against, rejected, from, seconds: start.elapsed().as_secs_f64() })
}

/// Says on standard error what is no change.
fn refused(place: &str, error: &str, json: bool) {
    if json {
        say_json(&json!({ "rejected": { "place": place, "error": error } }));
    } else {
        say(&format!("{}: {}", clean(place), clean(error)));
    }
}

/// A failure with the place of the change that it is about.
fn at(failure: Failure, place: &str) -> Failure {
    Failure { message: format!("{place}: {}", failure.message), ..failure }
}

/// The failure that a run is which met no change.
fn nothing(ended: &Ended<'_>) -> Failure {
    match ended.rejected {
        0 => Failure::new(Exit::NoInput, format!("there is no change in {}", ended.from)).with_hint(
            "`record` makes a file of real changes; a ledger has those that an event wanted, or all with `record = \"all\"`",
        ),
        lines => Failure::new(Exit::BadData, format!("of {} in {} none is a change", count(lines, "line"), ended.from))
            .with_hint("`detect --help` says what a line may be"),
    }
}

/// The failure that a comparison is which is to fail on something, and looked at nothing.
fn nothing_compared(ended: &Ended<'_>, kept: &Path) -> Failure {
    let message = format!("no change in {} is in `{}`, so nothing was compared", ended.from, kept.display());
    Failure::new(Exit::NoInput, message).with_hint("compare with a run that `--save` kept of the same changes")
}

/// The events with their rules, as they are kept.
fn events(ended: &Ended<'_>, registry: &Registry) -> Vec<SavedEvent> {
    let event = |(detector, tally): (&event_detector::Detector, _)| SavedEvent {
        name: detector.name().to_owned(),
        tally,
        rule: registry.plan(detector.name()).map(rule::texts),
    };
    ended.trial.tallies().map(event).collect()
}

/// What somebody asked to be told of comes first.
fn exit(ended: &Ended<'_>, what: &Backtest) -> Exit {
    let differs = ended.against.as_ref().is_some_and(|against| what.fail_on.iter().any(|kind| against.number(*kind) > 0));
    if differs {
        Exit::Failed
    } else if ended.rejected > 0 {
        Exit::BadData
    } else if ended.trial.tallies().any(|(_, tally)| tally.failed > 0) {
        Exit::Failed
    } else {
        Exit::Success
    }
}
