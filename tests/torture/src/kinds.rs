//! In which ways is a program tortured?

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;
use tokio::time::sleep;

use crate::load::Writing;
use crate::run::{Judged, Run};

/// How long a program may live that is started to die at a point that it passes again and again.
const DEAD_WITHIN: Duration = Duration::from_secs(5);

/// How often the disk is filled.
const FILLINGS: usize = 10;

/// So many of these must hold the program up; where it has little to write, it finds room in the log that is there already.
const ENOUGH: usize = 3;

/// The size of that disk, in MiB.
const DISK: usize = 48;

/// A place in the program where it can be told to die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    /// As the program has it.
    pub(crate) name: &'static str,
    /// Up to this many passes it is certain to be passed in a short run.
    passes: u32,
}

/// The points that a run passes.
pub(crate) const POINTS: [Point; 8] = [
    Point { name: "after_recv", passes: 100 },
    Point { name: "after_detect_before_commit", passes: 100 },
    Point { name: "before_ledger_commit", passes: 10 },
    Point { name: "after_ledger_commit", passes: 10 },
    // The last one is at the end, when the program is told to stop.
    Point { name: "mid_checkpoint", passes: 1 },
    Point { name: "after_attempt_started", passes: 100 },
    Point { name: "mid_job", passes: 100 },
    Point { name: "after_effect_before_finish", passes: 100 },
];

/// What part of `changes` belongs to the part `part` of `parts`.
fn share(changes: usize, parts: usize, part: usize) -> usize {
    changes * (part + 1) / parts - changes * part / parts
}

/// Kills the program at random moments.
pub(crate) async fn kills(mut run: Run, changes: usize, kills: usize) -> anyhow::Result<Judged> {
    run.begin().await?;
    let writing = Writing::start(&run.load, &mut run.rng, changes);
    for kill in 0..kills {
        writing.gate().open(share(changes, kills + 1, kill));
        run.live_a_while().await?;
        run.kill().await?;
        run.restart()?;
    }
    writing.gate().open(share(changes, kills + 1, kills));
    run.judge(writing).await
}

/// Tells the program to stop at random moments.
pub(crate) async fn stops(mut run: Run, changes: usize, stops: usize) -> anyhow::Result<Judged> {
    run.begin().await?;
    let writing = Writing::start(&run.load, &mut run.rng, changes);
    for stop in 0..stops {
        writing.gate().open(share(changes, stops + 1, stop));
        run.at_work().await?;
        sleep(Duration::from_millis(run.rng.u64(0..300))).await;
        run.stop().await?;
        run.restart()?;
    }
    writing.gate().open(share(changes, stops + 1, stops));
    run.judge(writing).await
}

/// Lets the program die at one point.
pub(crate) async fn point(mut run: Run, changes: usize, point: Point) -> anyhow::Result<Judged> {
    run.begin().await?;
    run.stop().await?;
    let writing = Writing::start(&run.load, &mut run.rng, changes);
    let nth = run.rng.u32(1..=point.passes);
    run.restart_to_die(point.name, nth)?;
    writing.gate().open(changes);
    if !run.died(DEAD_WITHIN).await? {
        run.tell_to_stop().await?;
        let died = run.died(DEAD_WITHIN).await.with_context(|| format!("`{}` was not passed {nth} times", point.name))?;
        ensure!(died, "the program has not ended, and has not passed `{}` {nth} times", point.name);
    }
    run.restart()?;
    run.judge(writing).await
}

/// Lets the program die at one point again and again, so that a broken promise shows.
pub(crate) async fn deaths(mut run: Run, changes: usize, deaths: usize, point: &str) -> anyhow::Result<Judged> {
    run.begin().await?;
    run.kill().await?;
    let writing = Writing::start(&run.load, &mut run.rng, changes);
    for death in 0..deaths {
        writing.gate().open(share(changes, deaths + 1, death));
        let nth = run.rng.u32(2..=8);
        run.restart_to_die(point, nth)?;
        // What is left of its share may be too little for so many commits.
        if !run.died(Duration::from_secs(1)).await? {
            run.kill().await?;
        }
    }
    run.restart()?;
    writing.gate().open(share(changes, deaths + 1, deaths));
    run.judge(writing).await
}

/// Fills the program's disk, and frees it again.
pub(crate) async fn disk(mut run: Run, changes: usize, disk: &Path) -> anyhow::Result<Judged> {
    run.begin().await?;
    let writing = Writing::start(&run.load, &mut run.rng, changes);
    let filler = disk.join("filler");
    let mut starvations = 0;
    for filling in 0..FILLINGS {
        let part = share(changes, FILLINGS + 1, filling);
        writing.gate().open(part / 2);
        sleep(Duration::from_millis(run.rng.u64(0..100))).await;
        fill(&filler)?;
        writing.gate().open(part - part / 2);
        let starving = run.recorded()?;
        sleep(Duration::from_millis(run.rng.u64(300..1_500))).await;
        let starved = run.recorded()?;
        fs::remove_file(&filler).context("the disk cannot be freed")?;
        sleep(Duration::from_millis(run.rng.u64(300..800))).await;
        // A few commits may find room in the log that is there already.
        if run.recorded()? - starved > starved - starving {
            starvations += 1;
        }
    }
    let remark = starved(starvations)?;
    writing.gate().open(share(changes, FILLINGS + 1, FILLINGS));
    let mut judged = run.judge(writing).await?;
    judged.remark = Some(remark);
    Ok(judged)
}

/// How many of the fillings held the program up; an error where they are too few to prove anything.
fn starved(starvations: usize) -> anyhow::Result<String> {
    let remark = format!("{starvations} of {FILLINGS} fillings of its disk held the program up");
    ensure!(starvations >= ENOUGH, "{remark}, so that nothing is proved");
    Ok(remark)
}

/// Writes until nothing more can be written.
fn fill(filler: &Path) -> anyhow::Result<()> {
    let mut file = File::create(filler).context("the disk cannot be filled")?;
    for size in [1 << 20, 1 << 12, 1] {
        let block = vec![0_u8; size];
        loop {
            match file.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error).context("the disk cannot be filled"),
            }
        }
    }
    Ok(())
}

/// A small disk in memory, until this is dropped.
#[derive(Debug)]
pub(crate) struct Disk<'p>(&'p Path);

impl<'p> Disk<'p> {
    /// Mounts it at the folder `at`.
    ///
    /// # Errors
    ///
    /// Why it cannot be mounted, which takes root.
    pub(crate) async fn mount(at: &'p Path) -> Result<Self, String> {
        let size = format!("size={DISK}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at);
        match mount.output().await {
            Ok(output) if output.status.success() => Ok(Self(at)),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(format!("cannot run `mount`: {error}")),
        }
    }

    /// What it needs to be there.
    pub(crate) fn path(&self) -> &Path {
        self.0
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // What is left of a program keeps it busy; it goes with the machine then.
        let _left = std::process::Command::new("umount").arg(self.0).status();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    /// Points that no run passes: the ledger's own tests die there.
    const ELSEWHERE: [&str; 1] = ["mid_migration"];

    fn sources(folder: PathBuf, texts: &mut Vec<String>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                sources(path, texts);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_point_of_the_program_has_its_run() {
        let mut texts = Vec::new();
        for folder in ["../../crates", "program"] {
            sources(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut texts);
        }
        let calls = texts.iter().flat_map(|text| text.split("crash_point(\"").skip(1));

        let called: BTreeSet<&str> = calls.filter_map(|call| call.split('"').next()).collect();

        let known: BTreeSet<&str> = POINTS.map(|point| point.name).into_iter().chain(ELSEWHERE).collect();
        assert_eq!(known, called, "left: what `cargo xtask torture` knows, right: what the program has");
    }

    #[test]
    fn a_disk_proves_something_only_where_enough_fillings_held_the_program_up() {
        assert!(starved(0).is_err() && starved(ENOUGH - 1).is_err());
        assert!(starved(ENOUGH).unwrap().starts_with("3 of 10 "));
    }

    #[test]
    fn the_shares_are_the_whole() {
        assert_eq!((0..7).map(|part| share(1_000, 7, part)).sum::<usize>(), 1_000);
    }
}
