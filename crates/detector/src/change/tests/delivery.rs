//! Is what a payload says of its delivery found, and is it kept apart from the change?

use serde_json::{Value, json};

use crate::change::Change;

fn payload(trace: Value, delivery: Value) -> Change {
    let payload = json!({
        "id": "1", "table": { "name": "moves" }, "delivery_info": delivery,
        "event": { "op": "INSERT", "data": { "new": { "id": 7 } }, "trace_context": trace },
    });
    Change::from_json(payload.to_string()).unwrap()
}

#[test]
fn the_trace_is_told_as_the_header_has_it_or_not_at_all() {
    const LONG: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";
    let trace = |id: &str, span: &str| json!({ "trace_id": id, "span_id": span });
    let sampled = |state: Value| json!({ "trace_id": LONG, "span_id": SPAN, "sampling_state": state });
    let told = |flags: &str| Some(format!("00-{LONG}-{SPAN}-{flags}"));
    let table = [
        (trace(LONG, SPAN), told("01")),
        (trace(&LONG.to_uppercase(), &SPAN.to_uppercase()), told("01")),
        (trace("a3ce929d0e0e4736", SPAN), Some(format!("00-0000000000000000a3ce929d0e0e4736-{SPAN}-01"))),
        (sampled("0".into()), told("00")),
        (sampled(0.into()), told("00")),
        (sampled("1".into()), told("01")),
        (sampled("d".into()), told("01")),
        (sampled(Value::Null), told("01")),
        (trace(LONG, ""), None),
        (trace(LONG, "00f067aa0ba902b"), None),
        (trace(LONG, "0000000000000000"), None),
        (trace(LONG, LONG), None),
        (trace("00000000000000000000000000000000", SPAN), None),
        (trace("0000000000000000", SPAN), None),
        (trace("4bf92f3577b34da6a3ce929d0e0e473", SPAN), None),
        (trace("4bf92f3577b34da6a3ce929d0e0e473g", SPAN), None),
        (trace("é0f067aa0ba902", SPAN), None),
        (json!({ "trace_id": 7, "span_id": SPAN }), None),
        (json!({ "trace_id": LONG }), None),
        (json!({ "span_id": SPAN }), None),
        (json!({}), None),
        (Value::Null, None),
        ("x".into(), None),
        (json!([LONG]), None),
    ];

    for (trace, expected) in table {
        assert_eq!(payload(trace.clone(), Value::Null).traceparent(), expected, "{trace}");
    }
    assert_eq!(Change::from(Change::insert("moves")).traceparent(), None);
}

#[test]
fn a_trace_id_alone_is_the_correlation_id_as_it_is_written() {
    for id in ["4bf92f3577b34da6a3ce929d0e0e4736", "short"] {
        let change = payload(json!({ "trace_id": id }), Value::Null);

        assert_eq!((change.correlation_id(), change.traceparent()), (id, None));
        assert_eq!(change.to_json().unwrap()["correlation_id"], id);
    }
}

#[test]
fn a_trace_that_is_no_object_is_no_cause() {
    let change = payload("4bf92f3577b34da6a3ce929d0e0e4736".into(), Value::Null);

    assert!(change.to_json().unwrap().get("correlation_id").is_none());
}

#[test]
fn the_correlation_id_of_a_record_is_no_trace() {
    let trace = r#"{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}"#;
    let record = format!(r#"{{"operation":"insert","collection":"moves","correlation_id":{trace}}}"#);

    assert_eq!(Change::from_json(record).unwrap().traceparent(), None);
}

#[test]
fn the_retries_are_in_the_context_unless_somebody_injected_others() {
    let delivered = || payload(Value::Null, json!({ "current_retry": 2, "max_retries": 5, "other": 1 }));
    let injected = delivered().with_context("current_retry", "mine");

    assert!(delivered().context("current_retry") == 2 && delivered().context("max_retries") == 5);
    assert!(delivered().context("other").is_missing() && delivered().context("delivery_info").is_missing());
    assert!(injected.context("current_retry") == "mine" && injected.context("max_retries") == 5);
    for other in [Value::Null, json!([]), json!(3), json!({})] {
        assert!(payload(Value::Null, other).context("current_retry").is_missing());
    }
}

#[test]
fn the_record_of_a_change_is_the_same_whichever_delivery_it_came_with() {
    let first = payload(Value::Null, json!({ "current_retry": 0, "max_retries": 5 }));
    let third = payload(Value::Null, json!({ "current_retry": 2, "max_retries": 5 }));

    assert_eq!(first.to_json(), third.to_json());
    assert!(third.contexts().is_empty());
}
