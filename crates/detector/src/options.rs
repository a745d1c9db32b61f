//! How is an argument of any type shown in a report, when the job's author demanded nothing of the type?
//!
//! Method resolution tries the receiver with the fewest automatic references first, so the call that `#[job]` writes,
//! `(&&&Shown(&argument)).shown()`, takes JSON where the type serialises, else debug text, else the type's name.

use std::any::type_name;
use std::fmt::Debug;
use std::time::Duration;

use serde::Serialize;

/// An argument on its way into a report.
pub struct Shown<'a, T: ?Sized>(pub &'a T);

/// The argument serialises.
pub trait ShownAsJson {
    /// The argument as JSON.
    fn shown(&self) -> serde_json::Value;
}

impl<T: Serialize + ?Sized> ShownAsJson for &&Shown<'_, T> {
    fn shown(&self) -> serde_json::Value {
        let json = serde_json::to_value(self.0).unwrap_or_else(|_| type_name::<T>().into());
        if type_name::<T>() == type_name::<Duration>() {
            // Serde writes a duration as two numbers; people read `3s`.
            return serde_json::from_value::<Duration>(json)
                .map_or_else(|_| type_name::<T>().into(), |duration| format!("{duration:?}").into());
        }
        json
    }
}

/// The argument has a debug text.
pub trait ShownAsDebug {
    /// The argument's debug text.
    fn shown(&self) -> serde_json::Value;
}

impl<T: Debug + ?Sized> ShownAsDebug for &Shown<'_, T> {
    fn shown(&self) -> serde_json::Value {
        format!("{:?}", self.0).into()
    }
}

/// Nothing is known of the argument.
pub trait ShownAsType {
    /// The name of the argument's type.
    fn shown(&self) -> serde_json::Value;
}

impl<T: ?Sized> ShownAsType for Shown<'_, T> {
    fn shown(&self) -> serde_json::Value {
        type_name::<T>().into()
    }
}

#[cfg(test)]
mod tests {
    #[allow(unused_imports, reason = "which of the three is used is what these tests are about")]
    use super::{Shown, ShownAsDebug, ShownAsJson, ShownAsType};

    #[derive(Debug)]
    struct OnlyDebug;
    struct Opaque;

    #[test]
    #[expect(clippy::needless_borrow, reason = "the references choose among the three, as in the expansion of `#[job]`")]
    fn an_argument_is_shown_by_the_best_that_its_type_can_do() {
        assert_eq!((&&&Shown(&Some(5))).shown(), serde_json::json!(5));
        assert_eq!((&&&Shown(&std::time::Duration::from_millis(1500))).shown(), "1.5s");
        assert_eq!((&&&Shown(&OnlyDebug)).shown(), "OnlyDebug");
        assert!((&&&Shown(&Opaque)).shown().as_str().unwrap().ends_with("Opaque"));
    }
}
