//! What is kept of a run, to compare another one with?

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure};
use crate::files::Whole;

use super::known::{Known, packed, unpacked};
use super::tally::{Said, Tally};

/// The format that this version writes and reads.
const FORMAT: u32 = 1;

/// A run as it is kept: of each change by what it is known again, and what was said of those of which something was.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The version of the format.
    backtest: u32,
    /// The version of event-detector that wrote it.
    version: String,
    pub(super) changes: u64,
    /// Whether every event of the program was asked.
    pub(super) is_whole: bool,
    pub(super) events: Vec<SavedEvent>,
    pub(super) said: Vec<SavedChange>,
    /// The digests of all changes.
    seen: String,
}

/// An event, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedEvent {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) tally: Tally,
    /// The clauses of its rule; none where it cannot be read.
    pub(super) rule: Option<Vec<String>>,
}

/// A change of which something was said: the places of the events in the list of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedChange {
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) nth: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fired: Vec<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    undecided: Vec<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failed: Vec<usize>,
}

fn is_none(nth: &u32) -> bool {
    *nth == 0
}

/// What is to be kept of a run that goes on.
#[derive(Debug, Default)]
pub(super) struct Saving {
    said: Vec<SavedChange>,
    digests: Vec<u64>,
}

impl SavedChange {
    /// What was said by which event.
    pub(super) fn said(&self) -> impl Iterator<Item = (usize, Said)> {
        let each = |places: &'_ [usize], said: Said| places.iter().map(move |place| (*place, said)).collect::<Vec<_>>();
        let all = [each(&self.fired, Said::Fired), each(&self.undecided, Said::Undecided), each(&self.failed, Said::Failed)];
        all.into_iter().flatten()
    }
}

impl Saving {
    /// Notes what was said of a change.
    pub(super) fn add(&mut self, id: &str, known: Known, said: impl Iterator<Item = (usize, Said)>) {
        self.digests.push(known.digest);
        let mut change =
            SavedChange { id: String::new(), nth: known.nth, fired: Vec::new(), undecided: Vec::new(), failed: Vec::new() };
        let mut is_empty = true;
        for (place, said) in said {
            is_empty = false;
            match said {
                Said::Fired => change.fired.push(place),
                Said::Undecided => change.undecided.push(place),
                Said::Failed => change.failed.push(place),
                Said::No => {}
            }
        }
        if !is_empty {
            id.clone_into(&mut change.id);
            self.said.push(change);
        }
    }

    /// The run, now that it is over.
    pub(super) fn finish(self, events: Vec<SavedEvent>, is_whole: bool) -> Saved {
        Saved {
            backtest: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            changes: self.digests.len() as u64,
            is_whole,
            events,
            said: self.said,
            seen: packed(self.digests),
        }
    }
}

impl Saved {
    /// The run that was kept in a file.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => unsaved(path, &"it is no text"),
            _ => Failure::input(format!("`{name}` cannot be read"), &error),
        })?;
        #[derive(Deserialize)]
        struct Version {
            backtest: u32,
        }
        let version: Version = serde_json::from_str(&text).map_err(|error| unsaved(path, &error))?;
        if version.backtest != FORMAT {
            let found = version.backtest;
            return Err(Failure::new(Exit::Config, format!("`{name}` is of format {found}, and this version reads {FORMAT}"))
                .with_hint("keep the run again with `--save FILE`"));
        }
        let saved: Self = serde_json::from_str(&text).map_err(|error| unsaved(path, &error))?;
        let is_known = |place: usize| place < saved.events.len();
        match saved.said.iter().all(|change| change.said().all(|(place, _)| is_known(place))) {
            true => Ok(saved),
            false => Err(unsaved(path, &"it names an event that it does not list")),
        }
    }

    /// The digests of all changes, sorted.
    pub(super) fn digests(&self, path: &Path) -> Result<Vec<u64>, Failure> {
        unpacked(&self.seen).ok_or_else(|| unsaved(path, &"its list of changes is damaged"))
    }

    /// Puts the run into a file.
    pub(super) fn write(&self, to: Whole) -> Result<(), Failure> {
        to.finish(|to| {
            serde_json::to_writer(&mut *to, self)?;
            to.write_all(b"\n")
        })
    }
}

fn unsaved(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::BadData, format!("`{}` is no run that `backtest --save` kept: {why}", path.display()))
        .with_hint("`backtest … --save FILE` keeps one")
}

#[cfg(test)]
mod tests {
    use super::{Saved, SavedEvent, Saving};
    use crate::commands::backtest::known::Ids;
    use crate::commands::backtest::tally::{Said, Tally};
    use crate::exit::Exit;
    use crate::files::Whole;

    #[test]
    fn a_run_is_read_as_it_was_kept_and_what_said_nothing_costs_a_few_letters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let (mut saving, mut ids) = (Saving::default(), Ids::default());
        for number in 0..10_000 {
            saving.add("x", ids.meet(&format!("a-long-id-{number}")), std::iter::empty());
        }
        saving.add("one", ids.meet("one"), [(0, Said::Fired), (1, Said::Undecided)].into_iter());
        saving.add("one", ids.meet("one"), [(1, Said::Failed)].into_iter());
        let event = |name: &str| SavedEvent { name: name.to_owned(), tally: Tally::default(), rule: None };
        let kept = saving.finish(vec![event("a"), event("b")], true);

        kept.write(Whole::begin(&path).unwrap()).unwrap();
        let read = Saved::read(&path).unwrap();

        assert!(std::fs::metadata(&path).unwrap().len() < 75_000);
        assert_eq!((read.changes, read.is_whole, &read.events, &read.said), (10_002, true, &kept.events, &kept.said));
        assert_eq!(read.digests(&path).unwrap().len(), 10_002);
        assert_eq!(read.said[0].said().collect::<Vec<_>>(), [(0, Said::Fired), (1, Said::Undecided)]);
        assert_eq!((read.said[1].id.as_str(), read.said[1].nth), ("one", 1));
    }

    #[test]
    fn what_was_not_kept_here_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let whole = r#"{"backtest":1,"version":"0","changes":1,"is_whole":true,"events":[],"said":[],"seen":""}"#;
        for (text, exit, words) in [
            ("{}", Exit::BadData, "no run that `backtest --save` kept: missing field `backtest`"),
            ("nonsense", Exit::BadData, "no run"),
            (r#"{"backtest":2}"#, Exit::Config, "is of format 2, and this version reads 1"),
            (
                &whole.replace(r#""said":[]"#, r#""said":[{"id":"a","fired":[0]}]"#),
                Exit::BadData,
                "an event that it does not list",
            ),
        ] {
            std::fs::write(&path, text).unwrap();

            let failure = Saved::read(&path).unwrap_err();

            assert_eq!(failure.exit, exit, "{}", failure.message);
            assert!(failure.message.contains(words), "{}", failure.message);
        }
        std::fs::write(&path, whole.replace(r#""seen":"""#, r#""seen":"?""#)).unwrap();
        let damaged = Saved::read(&path).unwrap();
        assert!(damaged.digests(&path).unwrap_err().message.contains("damaged"));
        assert_eq!(Saved::read(&folder.path().join("none")).unwrap_err().exit, Exit::NoInput);
    }
}
