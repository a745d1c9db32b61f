//! Is damage to the files of a ledger told, or harmless?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use fastrand::Rng;
use tokio::time::sleep;

use crate::check::{Counted, Promise};
use crate::history::{self, Ledger};
use crate::load::Writing;
use crate::run::{Judged, Run};

/// What a ledger consists of that can be damaged.
const FILES: [&str; 3] = ["ledger.db", "ledger.db-wal", "mark"];

/// The bytes of a page of SQLite.
const PAGE: usize = 4096;

/// So many damages are not all told, and not all harmless.
const MANY: usize = 20;

/// What came of the damages.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    damages: usize,
    told: usize,
    harmless: usize,
}

/// Something that happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    /// A bit is another.
    Bit { at: usize, bit: u8 },
    /// The file ends early.
    Cut { at: usize },
    /// A page is all zeros.
    Zeros { page: usize },
    /// Two pages stand in each other's place.
    Swapped { one: usize, other: usize },
    /// There is no file.
    Gone,
}

/// Damages the ledger that a killed program left, again and again, and starts the program on it.
pub(crate) async fn damages(mut run: Run, folder: &Path, changes: usize, damages: usize) -> anyhow::Result<Judged> {
    let data = run.data().to_owned();
    let sound = folder.join("sound");
    run.begin().await?;
    // Half of it is in the database, half in its log.
    let writing = Writing::start(&run.load, &mut run.rng, changes);
    writing.gate().open(changes / 2);
    run.at_work().await?;
    sleep(Duration::from_secs(1)).await;
    run.stop().await?;
    run.begin().await?;
    writing.gate().open(changes - changes / 2);
    let written = run.written(writing).await?;
    run.settle(&written).await?;
    run.kill().await?;
    copy(&data, &sound)?;
    let before = read(&data)?;
    replace(&sound, &data)?;
    // Whoever cries at everything tells nothing.
    if let Some(what) = told(&mut run).await?.or_else(|| difference(&before, read(&data))) {
        run.violate(Promise::DamageTold, format!("nothing happened to a ledger, and still: {what}"));
    }
    let mut found = Found { damages, ..Found::default() };
    for _ in 0..damages {
        replace(&sound, &data)?;
        let (file, damage) = any(&mut run.rng, &data)?;
        damage.happen(&data.join(file))?;
        if told(&mut run).await?.is_some() {
            found.told += 1;
            continue;
        }
        match difference(&before, read(&data)) {
            None => found.harmless += 1,
            Some(what) => run.violate(Promise::DamageTold, format!("{damage:?} of {file} was not told, and {what}")),
        }
    }
    found.check()?;
    let counted = Counted { recorded: before.changes.len(), jobs: before.jobs.len(), ..Counted::default() };
    let mut judged = run.judged(counted);
    judged.remark = Some(found.to_string());
    Ok(judged)
}

impl Found {
    /// Whether the damages prove anything: among many there are some of either kind.
    fn check(&self) -> anyhow::Result<()> {
        let Self { damages, told, harmless } = *self;
        let is_proof = damages < MANY || (told > 0 && harmless > 0);
        ensure!(is_proof, "{self}: with so many there are some of either kind, so nothing is proved");
        Ok(())
    }
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { damages, told, harmless } = self;
        write!(formatter, "{damages} damages: {told} told, {harmless} harmless")
    }
}

/// Starts the program on a ledger, lets it work, and stops it; what was said of damage.
async fn told(run: &mut Run) -> anyhow::Result<Option<String>> {
    let logged = run.log()?.len();
    if run.begin_or_end().await? {
        run.stop().await?;
    }
    let log = run.log()?.split_off(logged);
    let said = log.lines().find(|line| line.contains("ledger") && (line.contains("damaged") || line.contains("lost")));
    match said {
        Some(said) => Ok(Some(said.to_owned())),
        None => run.check().await,
    }
}

fn read(data: &Path) -> anyhow::Result<Ledger> {
    history::open(data).and_then(|connection| history::read(&connection))
}

/// What of the ledger before is not in the one after; nothing, where all is there.
fn difference(before: &Ledger, after: anyhow::Result<Ledger>) -> Option<String> {
    let after = match after {
        Ok(after) => after,
        Err(error) => return Some(format!("it cannot be read any more: {error:#}")),
    };
    let changes = |ledger: &Ledger| -> BTreeSet<_> {
        ledger.changes.iter().map(|change| (change.row, change.seq, change.id.clone(), change.version.clone())).collect()
    };
    let verdicts = |ledger: &Ledger| -> BTreeSet<_> {
        ledger.verdicts.iter().map(|verdict| (verdict.change, verdict.event.clone(), verdict.said.clone())).collect()
    };
    let jobs = |ledger: &Ledger| -> BTreeMap<_, _> {
        ledger.jobs.iter().map(|job| (job.row, (job.change, job.name.clone(), job.stage.clone(), job.attempts))).collect()
    };
    if changes(before) != changes(&after) {
        return Some(format!("of {} changes {} are left, or they are others", before.changes.len(), after.changes.len()));
    }
    if verdicts(before) != verdicts(&after) {
        return Some("its verdicts are others".to_owned());
    }
    (jobs(before) != jobs(&after)).then(|| "its jobs are others".to_owned())
}

/// A file, and something that can happen to it.
fn any(rng: &mut Rng, data: &Path) -> anyhow::Result<(&'static str, Damage)> {
    let files: Vec<(&str, usize)> = FILES
        .iter()
        .filter_map(|file| Some((*file, usize::try_from(fs::metadata(data.join(file)).ok()?.len()).ok()?)))
        .filter(|(_, length)| *length > 0)
        .collect();
    let (file, length) = rng.choice(files).context("the ledger has no files")?;
    let pages = length.div_ceil(PAGE);
    let damage = match rng.u8(..16) {
        0..6 => Damage::Bit { at: rng.usize(..length), bit: rng.u8(..8) },
        6..9 => Damage::Cut { at: rng.usize(..length) },
        9..12 => Damage::Zeros { page: rng.usize(..pages) },
        12..15 if pages > 2 => {
            let one = rng.usize(..pages - 1);
            Damage::Swapped { one, other: rng.usize(one + 1..pages) }
        }
        _ => Damage::Gone,
    };
    Ok((file, damage))
}

impl Damage {
    fn happen(self, path: &Path) -> anyhow::Result<()> {
        if self == Self::Gone {
            return fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()));
        }
        let mut bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        self.change(&mut bytes);
        fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
    }

    fn change(self, bytes: &mut Vec<u8>) {
        let page = |page: usize, length: usize| (page * PAGE).min(length)..((page + 1) * PAGE).min(length);
        let length = bytes.len();
        match self {
            Self::Bit { at, bit } => bytes[at] ^= 1 << bit,
            Self::Cut { at } => bytes.truncate(at),
            Self::Zeros { page: zeros } => bytes[page(zeros, length)].fill(0),
            Self::Swapped { one, other } => {
                let (one, other) = (page(one, length), page(other, length));
                let size = one.len().min(other.len());
                let (front, back) = bytes.split_at_mut(other.start);
                front[one.start..one.start + size].swap_with_slice(&mut back[..size]);
            }
            Self::Gone => bytes.clear(),
        }
    }
}

/// Copies the files of a folder; there are no folders in it.
pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = || -> std::io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        Ok(())
    };
    copied().with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Makes the folder `to` the same as `from`.
fn replace(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::remove_dir_all(to).with_context(|| format!("cannot remove {}", to.display()))?;
    copy(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(damage: Damage) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..=2).flat_map(|page| [page; PAGE]).collect();
        bytes.truncate(PAGE * 2 + 10);
        damage.change(&mut bytes);
        bytes
    }

    #[test]
    fn every_damage_changes_the_bytes_that_it_says() {
        assert_eq!(changed(Damage::Bit { at: 7, bit: 2 })[6..9], [0, 4, 0]);
        assert_eq!(changed(Damage::Cut { at: 7 }).len(), 7);
        assert_eq!(changed(Damage::Zeros { page: 1 })[PAGE..][..PAGE], [0; PAGE]);
        assert_eq!(changed(Damage::Zeros { page: 2 })[PAGE * 2..], [0; 10]);
        assert_eq!(changed(Damage::Swapped { one: 0, other: 1 })[..PAGE], [1; PAGE]);
        assert_eq!(changed(Damage::Swapped { one: 0, other: 2 })[..11], [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0]);
    }

    #[test]
    fn many_damages_that_are_all_told_or_all_harmless_prove_nothing() {
        for (damages, told, harmless, is_proof) in
            [(100, 60, 40, true), (20, 20, 0, false), (20, 0, 20, false), (19, 19, 0, true), (0, 0, 0, true)]
        {
            let found = Found { damages, told, harmless };

            assert_eq!(found.check().is_ok(), is_proof, "{found}");
        }
    }

    #[test]
    fn what_is_missing_afterwards_is_found() {
        let change = history::Change {
            row: 1,
            source: "s".to_owned(),
            seq: 1,
            id: "a".to_owned(),
            version: history::Version { document: "w1".to_owned(), number: 1 },
            deaths: 0,
        };
        let ledger = Ledger { changes: vec![change], ..Ledger::default() };

        assert_eq!(difference(&ledger, Ok(ledger.clone())), None);
        assert!(difference(&ledger, Ok(Ledger::default())).unwrap().contains("of 1 changes 0 are left"));
        assert!(difference(&ledger, Err(anyhow::anyhow!("no database"))).unwrap().contains("no database"));
    }
}
