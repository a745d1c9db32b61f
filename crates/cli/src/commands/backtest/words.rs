//! How is what a run came to put into words?

use std::fmt::Write as _;

use event_detector::Detector;
use indicatif::HumanCount;

use crate::args::{Backtest, Difference};
use crate::commands::recorded::second;
use crate::commands::{count, no_change};
use crate::console::Look;
use crate::terminal::{clean, rate};

use super::Ended;
use super::against::{Against, Compared, Firing, Rules, Stands};
use super::input::Covers;
use super::tally::{Said, Tally};

/// Names up to this length stand in a line with the numbers.
const NAME: usize = 32;

/// Gaps that are told one by one.
const GAPS: usize = 3;

/// Clauses that were nearly missed and are told.
const MISSES: usize = 3;

/// What the ledger holds, and what it hides.
pub(super) fn covers(covers: &Covers, records_all: bool) -> String {
    let coverage = covers.coverage;
    let mut text = match coverage.first.zip(coverage.last) {
        None => "The ledger holds no change.\n".to_owned(),
        Some((first, last)) => {
            let changes = count(coverage.changes, "change");
            format!("The ledger holds {changes}, recorded from {} to {}.\n", second(first), second(last))
        }
    };
    if coverage.deleted > 0 {
        let older = count(coverage.deleted, "older one");
        let _infallible = writeln!(text, "{older} no longer kept (`retention`).");
    }
    for gap in covers.gaps.iter().take(GAPS) {
        let to = if gap.to.is_empty() { "a time that nobody knows".into() } else { clean(&gap.to) };
        let _infallible = writeln!(text, "Lost: what {} had behind {}, up to {to}.", clean(&gap.source), clean(&gap.from));
    }
    if covers.gaps.len() > GAPS {
        let _infallible = writeln!(text, "`gaps` shows all {} parts that were lost.", covers.gaps.len());
    }
    text.push_str(match records_all {
        true => "It records all changes; what came before `record = \"all\"` was set is there only where an event wanted it.\n",
        false => {
            "It records what an event wanted (`record = \"matched\"`), so what never fired is not in it, and an event\n\
             cannot be seen to fire more often than it did; `record = \"all\"` under `[ledger]` keeps every change.\n"
        }
    });
    text
}

/// A line for each event of which anything was said.
pub(super) fn quiet(ended: &Ended<'_>) -> String {
    let line = |(detector, tally): (&Detector, Tally)| {
        let said = [(tally.fired, "fired"), (tally.undecided, "undecided"), (tally.failed, "failed")];
        let said: Vec<String> =
            said.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
        (!said.is_empty()).then(|| format!("{}: {}\n", detector.name(), said.join(", ")))
    };
    let mut text: String = ended.trial.tallies().filter_map(line).collect();
    for event in ended.against.iter().flat_map(|against| &against.events).filter(|event| event.differs()) {
        let _infallible = writeln!(text, "{}: {}", clean(&event.name), numbers(event));
    }
    text
}

/// The table of all events, and the comparison below it.
pub(super) fn full(ended: &Ended<'_>, look: Look) -> String {
    let longest = ended.trial.tallies().map(|(detector, _)| detector.name().len()).filter(|length| *length <= NAME).max();
    let width = longest.unwrap_or(0).max(5);
    let mut text = format!("{:width$}  {:>9}  {:>8}  {:>9}  {:>9}", "event", "fired", "rate", "not fired", "undecided");
    let fails = ended.trial.tallies().any(|(_, tally)| tally.failed > 0);
    if fails {
        let _infallible = write!(text, "  {:>9}", "failed");
    }
    text = format!("{}\n", look.dim(&text));
    for (detector, tally) in ended.trial.tallies() {
        let name = detector.name();
        let padding = match name.len() {
            length if length <= width => width - length,
            // A longer one has a line of its own.
            _ => width,
        };
        let _infallible = write!(text, "{}{}", look.strong(name), if name.len() > width { "\n" } else { "" });
        let _infallible = write!(text, "{:padding$}{}", "", row(&tally, fails, look));
        text.push_str(if detector.fires_undecided() && tally.undecided > 0 { "  (undecided ones fire, too)\n" } else { "\n" });
        let missed = ended.near_misses.iter().flatten().filter(|miss| miss.event == name);
        for miss in missed.take(MISSES) {
            let times = count(miss.count, "time");
            let _infallible = writeln!(text, "   missed by one clause {times}: {}", look.dim(&clean(&miss.clause)));
        }
    }
    if let Some(against) = &ended.against {
        let compared = compared(against, look);
        let gap = if compared.is_empty() { "" } else { "\n" };
        text = text + gap + &compared;
    }
    text
}

fn row(tally: &Tally, fails: bool, look: Look) -> String {
    let number = |number: u64| HumanCount(number).to_string();
    let rate = if tally.fired == 0 { "-".to_owned() } else { format!("{:.2} %", tally.rate()) };
    let mut row =
        format!("  {:>9}  {rate:>8}  {:>9}  {:>9}", number(tally.fired), number(tally.not_fired), number(tally.undecided));
    if fails {
        let failed = format!("{:>9}", number(tally.failed));
        let _infallible = write!(row, "  {}", if tally.failed > 0 { look.bad(&failed) } else { failed });
    }
    row
}

/// What differs from the run that was kept.
fn compared(against: &Against, look: Look) -> String {
    let mut text = String::new();
    for event in against.events.iter().filter(|event| event.differs() || event.stands != Stands::InBoth) {
        let _infallible = writeln!(text, "{}  {}", look.strong(&clean(&event.name)), numbers(event));
        match event.stands {
            Stands::InBoth => rules(&mut text, &event.rule, look),
            Stands::New => text.push_str("   the event is new\n"),
            Stands::Gone => text.push_str("   the event is not in this program any more\n"),
        }
        for kind in [Difference::Removed, Difference::Added, Difference::Undecided] {
            let shown = event.firings.iter().filter(|firing| firing.kind == kind);
            let mut rest = event.told(kind);
            for firing in shown {
                rest = rest.saturating_sub(1);
                text.push_str(&lines(firing, event.rule.now.is_some(), look));
            }
            if rest > 0 {
                let _infallible =
                    writeln!(text, "   {}", look.dim(&format!("and {} more {} (--limit)", HumanCount(rest), kind.as_str())));
            }
        }
    }
    text
}

fn numbers(event: &Compared) -> String {
    let mut words = format!(
        "{} added, {} removed, {} unchanged",
        HumanCount(event.added),
        HumanCount(event.removed),
        HumanCount(event.unchanged)
    );
    if event.undecided > 0 {
        let _infallible = write!(words, ", {} newly undecided", HumanCount(event.undecided));
    }
    words
}

/// What differs in the rules.
fn rules(text: &mut String, rule: &Rules, look: Look) {
    let (then, now) = rule.differences();
    let _infallible = match (&rule.then, &rule.now) {
        (None, None) => Ok(()),
        (None, Some(_)) => writeln!(text, "   its rule could not be read then"),
        (Some(_), None) => writeln!(text, "   its rule cannot be read now"),
        _ if then.is_empty() && now.is_empty() => {
            writeln!(text, "   its rule reads the same; what differs is in code that it calls, or in the changes")
        }
        _ => Ok(()),
    };
    for (word, clauses) in [("then", then), ("now ", now)] {
        for clause in clauses {
            let _infallible = writeln!(text, "   rule {word}  {}", look.dim(&clean(clause)));
        }
    }
}

fn lines(firing: &Firing, is_readable: bool, look: Look) -> String {
    let sign = match firing.kind {
        Difference::Added => look.sign("➕ ", "+ "),
        Difference::Removed => look.sign("➖ ", "- "),
        Difference::Undecided => look.sign("❔ ", "? "),
    };
    let mut text = format!("   {sign}{}  {}\n", look.strong(&firing.what), look.dim(&clean(&firing.place)));
    let _infallible = writeln!(text, "      {}", look.dim(&format!("id {}", clean(&firing.id))));
    let why = match (firing.kind, firing.now, &firing.says_no) {
        (Difference::Removed, Said::No, Some(no)) => {
            let at = no.at.map(|(file, line)| format!("  {}", look.dim(&format!("{file}:{line}")))).unwrap_or_default();
            let held = match no.actual.as_str() {
                "" => String::new(),
                actual => format!("\n          it is {}, and would have to be {}", clean(actual), clean(&no.expected)),
            };
            format!("no: {}{at}{held}", look.bad(&clean(&no.clause)))
        }
        (Difference::Removed, Said::No, None) if !is_readable => "its rule cannot be read, so no clause can be named".to_owned(),
        (Difference::Removed, Said::No, None) => "no clause of its own says no; `why` shows each".to_owned(),
        (_, now, _) => format!("{} now, {} before", now.as_str(), firing.then.as_str()),
    };
    let _infallible = writeln!(text, "      {why}");
    text
}

/// What was tried, and how fast.
pub(super) fn ending(ended: &Ended<'_>, what: &Backtest) -> String {
    let Ended { trial, from, seconds, .. } = ended;
    let events = trial.tallies().count() as u64;
    let fired: u64 = trial.tallies().map(|(_, tally)| tally.fired).sum();
    let took = std::time::Duration::from_secs_f64(seconds.max(0.0));
    let mut text = format!(
        "\n{} from {}: {} of {} on {}; {seconds:.2} s, {} changes a second. No job ran.",
        count(trial.changes, "change"),
        clean(from),
        count(fired, "firing"),
        count(events, "event"),
        count(trial.with_events, "change"),
        HumanCount(rate(trial.changes, took)),
    );
    if ended.rejected > 0 {
        let _infallible = write!(text, "\n{}.", no_change(ended.rejected));
    }
    if let (Some(against), Some(file)) = (&ended.against, &what.against) {
        let _infallible = write!(
            text,
            "\nAgainst {}: {} added, {} removed, {} newly undecided, {} unchanged.",
            clean(&file.display().to_string()),
            HumanCount(against.number(Difference::Added)),
            HumanCount(against.number(Difference::Removed)),
            HumanCount(against.number(Difference::Undecided)),
            HumanCount(against.events.iter().map(|event| event.unchanged).sum()),
        );
        let (new, gone) = (against.new_changes, against.gone_changes());
        if new + gone > 0 {
            let _infallible = write!(
                text,
                "\nNot compared: {} that {} not in it, {} of it that {} not here.",
                count(new, "change"),
                if new == 1 { "is" } else { "are" },
                count(gone, "change"),
                if gone == 1 { "is" } else { "are" },
            );
        }
        if !against.not_compared.is_empty() {
            let _infallible = write!(text, "\nNot asked then, so not compared: {}.", against.not_compared.join(", "));
        }
    }
    if let Some(file) = &what.save {
        let _infallible =
            write!(text, "\nKept in {}; `backtest --against` compares with it.", clean(&file.display().to_string()));
    }
    text
}
