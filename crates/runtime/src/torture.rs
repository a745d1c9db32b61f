//! Where does a program under torture die, and which promise does it break?
//!
//! Without the feature `torture` none of this is there: a crash point is nothing, and no promise is broken.

/// Ends the process here, as `kill -9` would, where the environment variable `DETECTOR_CRASH_AT` names this point: `NAME` at the first
/// time that it is passed, `NAME:7` at the seventh.
#[cfg(feature = "torture")]
#[doc(hidden)]
pub fn crash_point(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static AT: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let at = std::env::var("DETECTOR_CRASH_AT").ok()?;
        let (name, nth) = at.split_once(':').unwrap_or((&at, "1"));
        Some((name.to_owned(), nth.parse().ok()?))
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);
    if let Some((at, nth)) = AT.as_ref()
        && at == name
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *nth
    {
        // SIGKILL of the own process, as nothing in it may have the last word.
        let _sent = std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
        std::process::abort();
    }
}

/// Nothing: the feature `torture` is off.
#[cfg(not(feature = "torture"))]
#[doc(hidden)]
#[inline]
pub fn crash_point(_name: &str) {}

/// Whether the environment variable `DETECTOR_SPOIL` says that the promise of this name is to be broken, to see that the torture
/// notices: `unique-key`, `commit-before-receipt`, `position-with-rows`.
#[cfg(feature = "torture")]
#[doc(hidden)]
pub fn spoiled(promise: &str) -> bool {
    use std::sync::LazyLock;

    static SPOILED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("DETECTOR_SPOIL").ok());
    SPOILED.as_deref() == Some(promise)
}

/// Never: the feature `torture` is off.
#[cfg(not(feature = "torture"))]
#[doc(hidden)]
#[inline]
pub fn spoiled(_promise: &str) -> bool {
    false
}
