//! How does code of users panic without taking anything else down, and what is left to report?

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{self, AssertUnwindSafe};

use once_cell::sync::OnceCell;

/// A panic that was caught at the edge of users' code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panic {
    message: String,
    location: Option<String>,
}

impl Panic {
    /// The panic's own text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// `file:line` of the panic, where the panic hook saw it.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(out, "panicked at {location}: {}", self.message),
            None => write!(out, "panicked: {}", self.message),
        }
    }
}

impl std::error::Error for Panic {}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `body`, and turns a panic into a value that names its place.
///
/// The first call puts a panic hook in front of the one in place: a guarded panic is recorded instead of printed,
/// every other panic goes to the hook that was there before.
///
/// # Errors
///
/// The panic, when `body` panicked.
pub fn catch_panic<T>(body: impl FnOnce() -> T) -> Result<T, Panic> {
    record_locations();
    let outer = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    GUARDED.set(outer);
    result.map_err(|payload| {
        let panic = Panic { message: message(payload.as_ref()), location: LOCATION.take() };
        discard(payload);
        panic
    })
}

/// Drops what was panicked with, whose drop may panic again.
fn discard(payload: Box<dyn Any + Send>) {
    let outer = GUARDED.replace(true);
    if let Err(another) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // Whatever that is, it is not given another chance.
        std::mem::forget(another);
    }
    GUARDED.set(outer);
}

fn record_locations() {
    static HOOK: OnceCell<()> = OnceCell::new();
    HOOK.get_or_init(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if GUARDED.get() {
                LOCATION.set(info.location().map(|at| format!("{}:{}", at.file(), at.line())));
            } else {
                previous(info);
            }
        }));
    });
}

fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a value that is not text".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::catch_panic;

    #[test]
    fn a_caught_panic_names_its_message_and_place() {
        let panic = catch_panic(|| -> u8 { panic!("no {}", "luck") }).unwrap_err();

        assert_eq!(panic.message(), "no luck");
        assert!(panic.location().unwrap().contains("panics.rs:"), "{panic}");
    }

    #[test]
    fn what_was_panicked_with_may_panic_when_it_is_dropped() {
        struct PanicsOnDrop;
        impl Drop for PanicsOnDrop {
            fn drop(&mut self) {
                panic!("again");
            }
        }

        let panic = catch_panic(|| std::panic::panic_any(PanicsOnDrop)).unwrap_err();

        assert_eq!(panic.message(), "a value that is not text");
    }

    #[test]
    fn a_body_that_returns_is_passed_through() {
        assert_eq!(catch_panic(|| 5), Ok(5));
    }
}
