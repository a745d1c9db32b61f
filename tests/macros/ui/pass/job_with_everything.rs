//! A job that uses all there is, in a crate with strict lints.
#![forbid(unsafe_code)]
#![deny(missing_docs, unreachable_pub, unused, unused_qualifications, clippy::all)]

use std::time::Duration;

use event_detector::{Effect, JobContext, JobDeclaration, job};

/// What jobs find in the state.
pub struct Pool;

/// An argument that neither serialises nor prints.
#[derive(Clone)]
pub struct Opaque;

mod hidden {
    use event_detector::JobContext;

    /// Is generic, hides nothing, and takes what it likes.
    #[event_detector::job(crate = ::event_detector)]
    pub(crate) async fn generic<T, const N: usize>(
        _: JobContext,
        value: T,
        r#type: impl Into<String> + Clone + Send + Sync + 'static,
    ) -> std::io::Result<usize>
    where
        T: Clone + Send + Sync + std::fmt::Debug + 'static,
    {
        Ok(format!("{value:?} {}", r#type.into()).len() + N)
    }
}

/// Runs one move again.
/// And again.
#[job(timeout = "1m30s", retries = 3, effect = "once", skip(token))]
#[allow(clippy::too_many_arguments)]
pub async fn rerun(
    context: JobContext,
    move_id: Option<i64>,
    mut token: String,
    opaque: Opaque,
    cx: u8,
    job: &'static str,
    shown_0: fn(&str) -> usize,
    _unused: char,
) -> std::io::Result<String> {
    let Opaque = opaque;
    let _ = (context.state::<Pool>(), context.try_state::<u8>());
    token.push_str(job);
    if cx > 0 && move_id.is_none() {
        // The user's function sees itself, not its constructor.
        return Box::pin(rerun(context, Some(1), token, opaque, 0, job, shown_0, 'c')).await;
    }
    Ok(token)
}

/// Is not there.
#[job]
#[cfg(any())]
pub async fn absent(_: JobContext) -> std::io::Result<()> {
    missing()
}

fn main() {
    let job = rerun(Some(7), "secret".to_owned(), Opaque, 1, "x", str::len, 'u');
    assert_eq!(job.name(), "rerun");
    assert_eq!((job.own_timeout(), job.own_retries()), (Some(Duration::from_secs(90)), Some(3)));
    assert_eq!(job.declared_effect(), Effect::Once);
    let options: Vec<_> = job.options().iter().map(|option| option.name).collect();
    assert_eq!(options, ["move_id", "opaque", "cx", "job", "shown_0", "unused"]);
    assert_eq!(job.options()[0].value, 7);
    assert!(job.options()[1].value.as_str().unwrap().ends_with("Opaque"));

    let generic = hidden::generic::<u8, 4>(3, "x");
    assert_eq!(generic.name(), "generic");
    assert_eq!(generic.declared_effect(), Effect::Idempotent);
    assert_eq!(generic.options()[0].value, "3");

    let [generic, rerun] = JobDeclaration::linked().try_into().unwrap();
    assert_eq!((generic.name, generic.needs.len()), ("generic", 0));
    assert_eq!((rerun.name, rerun.doc, rerun.line), ("rerun", "Runs one move again.", 35));
    assert!(rerun.needs[0].type_name().ends_with("::Pool"));
}
