//! What does a payload say of its own delivery: was it unwrapped, how often was it tried, and which trace goes on?
//! (Trace header: W3C Trace Context, level 1.)

use crate::value::{Origin, Reading, Value};

use super::{Change, Shape};

/// What is to be found in the context, though nobody injected it.
const OF_DELIVERY: [&str; 2] = ["current_retry", "max_retries"];

impl Change {
    /// Whether the payload stood inside something else, as in Hasura's documentation and invocation log, and was taken out.
    ///
    /// Hasura itself never posts it so, which is worth a warning to whoever did.
    pub fn is_unwrapped(&self) -> bool {
        self.unwrapped
    }

    /// The trace that this change is a step of, as the header `traceparent` has it: from the `trace_context` of a Hasura
    /// payload, or `None` where that is not there, malformed or all zero.
    ///
    /// Older versions of Hasura have trace ids of 64 bits, which are written with zeros before them.
    pub fn traceparent(&self) -> Option<String> {
        let trace_id = self.trace_id()?.as_str().and_then(|id| hex_id(&id, &[16, 32]))?;
        let span_id = self.in_trace("span_id")?.as_str().and_then(|id| hex_id(&id, &[16]))?;
        let is_dropped = self.in_trace("sampling_state").is_some_and(|state| state == "0" || state == 0);
        Some(format!("00-{trace_id:0>32}-{span_id}-{}", if is_dropped { "00" } else { "01" }))
    }

    pub(super) fn trace_id(&self) -> Option<Value<'_>> {
        self.in_trace("trace_id")
    }

    fn in_trace(&self, name: &str) -> Option<Value<'_>> {
        let trace = self.cause.filter(|_| self.shape == Shape::Hasura)?;
        let raw = self.raw(trace).get(name).ok().flatten()?;
        Some(Value::new(Reading::Known(raw), Origin::Inside))
    }

    /// A value of the delivery, under its name in the context.
    pub(super) fn of_delivery(&self, name: &str) -> Reading<'_> {
        match self.delivery {
            Some(delivery) if OF_DELIVERY.contains(&name) => self.raw(delivery).get(name).into(),
            _ => Reading::Missing,
        }
    }
}

/// The id in lower case, where it is one of these lengths in hexadecimal digits and not all zero.
fn hex_id(id: &str, lengths: &[usize]) -> Option<String> {
    let is_one =
        lengths.contains(&id.len()) && id.bytes().all(|digit| digit.is_ascii_hexdigit()) && id.bytes().any(|digit| digit != b'0');
    is_one.then(|| id.to_ascii_lowercase())
}
