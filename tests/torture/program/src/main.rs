//! What is it that `cargo xtask torture` kills? Walls are built, painted, numbered and billed, and every attempt of every job tells
//! a receiver of it.
#![deny(unused_crate_dependencies)] // a listed crate that is never named would register nothing

mod receiver;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use event_detector::{Change, Job, JobContext, event, job};
use event_detector_cli::App;
// For their feature `torture`.
use event_detector_ledger as _;
use event_detector_runtime::crash_point;

use receiver::{Receiver, Will};

/// The walls.
const COLLECTION: &str = "walls";

/// A wall is there.
#[event("wall.built")]
pub mod built {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == COLLECTION && change.is_insert()
    }

    fn jobs(_change: &Change) -> Vec<Job> {
        vec![note()]
    }
}

/// A wall has another colour: two jobs, one of which fails now and then.
#[event("wall.painted")]
pub mod painted {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == COLLECTION && change.is_update() && change.column_changed("paint")
    }

    fn jobs(_change: &Change) -> Vec<Job> {
        vec![note(), photograph()]
    }
}

/// A wall has another number, and no number is told before the ones before it.
#[event("wall.numbered", ordered)]
pub mod numbered {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == COLLECTION && change.is_update() && change.column_changed("number")
    }

    fn jobs(_change: &Change) -> Vec<Job> {
        vec![engrave()]
    }
}

/// A wall is to be paid for, once.
#[event("wall.billed")]
pub mod billed {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == COLLECTION && change.is_update() && change.column_changed("bill")
    }

    fn jobs(_change: &Change) -> Vec<Job> {
        vec![bill()]
    }
}

/// Never fails.
#[job]
async fn note(cx: JobContext) -> anyhow::Result<()> {
    have_effect(&cx, Will::Succeed).await
}

/// Fails now and then.
#[job(retries = 4)]
async fn photograph(cx: JobContext) -> anyhow::Result<()> {
    have_effect(&cx, now_and_then(&cx)).await
}

/// Fails now and then, and later changes of the document wait for it.
#[job(retries = 4)]
async fn engrave(cx: JobContext) -> anyhow::Result<()> {
    have_effect(&cx, now_and_then(&cx)).await
}

/// Must not happen twice.
#[job(effect = "once")]
async fn bill(cx: JobContext) -> anyhow::Result<()> {
    have_effect(&cx, Will::Succeed).await
}

/// One change in ten fails at first, two in a hundred so often that the program puts their jobs aside for a while, and one in a
/// hundred for ever. It depends on the change and the attempt alone.
fn now_and_then(cx: &JobContext) -> Will {
    let change = cx.change();
    let wall = change.key().as_str().and_then(|name| name.strip_prefix('w')?.parse().ok()).unwrap_or(0_i64);
    let failures = match (wall + 11 * change.after("version").as_i64().unwrap_or_default()) % 100 {
        0 => u32::MAX,
        1 | 2 => 4,
        3..13 => 1,
        _ => 0,
    };
    if cx.attempt() <= failures { Will::Fail } else { Will::Succeed }
}

/// Works for a few milliseconds, in the middle of which it tells the receiver.
async fn have_effect(cx: &JobContext, will: Will) -> anyhow::Result<()> {
    let version = cx.change().after("version").as_i64().unwrap_or_default().unsigned_abs();
    tokio::time::sleep(Duration::from_millis(version % 3)).await;
    crash_point("mid_job");
    cx.state::<Receiver>()?.tell(cx, will).await?;
    tokio::time::sleep(Duration::from_millis(version % 4)).await;
    if will == Will::Fail {
        bail!("this was to fail");
    }
    Ok(())
}

/// Ends with whoever tortures it and holds the other side of standard input: nobody watches a program that was left behind.
fn end_with_owner() {
    if std::env::var_os(receiver::ADDRESS).is_none() {
        return;
    }
    std::thread::spawn(|| {
        let _ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::abort();
    });
}

fn main() -> ExitCode {
    end_with_owner();
    App::default().state(Receiver::default()).main()
}
