//! Who may send where, and what strangers learn.

use axum::body::Bytes;
use axum::http::{Method, Request};
use event_detector_server::hasura::Settings;
use serde_json::json;

use crate::support::{Answer, events, hasura, hasura_with, notes, payload, post, send};

pub(crate) fn guarded() -> Settings {
    Settings {
        passphrase_header: "X-Secret".to_owned(),
        passphrases: vec!["CANARY-old".into(), "CANARY-new".into()],
        triggers: [("moves", "move.changed"), ("orders", "order.*")].map(|(name, glob)| (name.into(), vec![glob.into()])).into(),
        ..Settings::default()
    }
}

pub(crate) fn shown(path: &str, passphrase: &str) -> Request<Bytes> {
    let mut request = post(path, payload().to_string());
    request.headers_mut().insert("x-secret", passphrase.parse().unwrap());
    request
}

#[tokio::test]
async fn while_passphrases_are_rotated_each_of_them_is_valid() {
    let (hasura, meeting) = hasura_with(notes, guarded());

    for passphrase in ["CANARY-old", "CANARY-new"] {
        assert_eq!(send(&hasura, shown("/hasura", passphrase)).await.status, 200, "{passphrase}");
    }
    assert_eq!(meeting.notes().len(), 2);
}

#[tokio::test]
async fn a_missing_and_a_wrong_passphrase_are_told_the_same() {
    let (hasura, meeting) = hasura_with(notes, guarded());

    let missing = send(&hasura, post("/hasura/moves", payload().to_string())).await;
    let mut answers = vec![missing];
    for wrong in ["", "CANARY", "CANARY-old2", "canary-old"] {
        answers.push(send(&hasura, shown("/hasura/moves", wrong)).await);
    }

    for mut answer in answers {
        answer.body.as_object_mut().unwrap().remove("request_id");
        let hint = "send one of the receiver's passphrases, once, in the header that it asks for";
        let expected = json!({ "code": "unauthorized", "message": "the passphrase is missing or wrong", "hint": hint });
        assert_eq!((answer.status, answer.body), (401, expected));
    }
    assert_eq!(meeting.notes(), [""; 0]);
}

#[tokio::test]
async fn who_does_not_know_the_passphrase_is_refused_before_the_body_is_looked_at() {
    let (hasura, _) = hasura_with(notes, guarded());
    let mut request = Request::post("/hasura").body(Bytes::from_static(b"not JSON")).unwrap();
    request.headers_mut().insert("content-length", "99999999999".parse().unwrap());

    assert_eq!(send(&hasura, request).await.code(), (401, "unauthorized"));
}

#[tokio::test]
async fn pages_in_a_browser_reach_no_receiver_without_a_passphrase() {
    let from_a_page = |mut request: Request<Bytes>| {
        request.headers_mut().insert("origin", "http://rebound.example:8080".parse().unwrap());
        request
    };
    let (open, meeting) = hasura(notes);
    let (guarded, _) = hasura_with(notes, guarded());

    let refused = send(&open, from_a_page(post("/hasura", payload().to_string()))).await;
    let stranger = send(&guarded, from_a_page(post("/hasura", payload().to_string()))).await;
    let known = send(&guarded, from_a_page(shown("/hasura", "CANARY-new"))).await;

    assert_eq!((refused.code(), meeting.notes()), ((403, "from_a_browser"), Vec::new()));
    assert_eq!((stranger.status, known.status), (401, 200));
}

#[tokio::test]
async fn the_names_of_triggers_are_told_only_to_those_who_know_the_passphrase() {
    let (hasura, _) = hasura_with(notes, guarded());

    let stranger = send(&hasura, post("/hasura/move", payload().to_string())).await;
    let known = send(&hasura, shown("/hasura/move", "CANARY-new")).await;

    assert_eq!((stranger.code(), known.code()), ((404, "unknown_source"), (404, "unknown_source")));
    assert!(!stranger.text().contains("moves"), "{stranger:?}");
    let hint = known.body["hint"].as_str().unwrap();
    assert_eq!(hint, "did you mean `moves`? the triggers are `moves`, `orders`");
}

#[tokio::test]
async fn a_trigger_is_watched_for_its_own_events_and_the_bare_path_for_all() {
    let (hasura, _) = hasura_with(notes, guarded());

    let named = send(&hasura, shown("/hasura/moves", "CANARY-old")).await;
    let other = send(&hasura, shown("/hasura/orders", "CANARY-old")).await;
    let bare = send(&hasura, shown("/hasura", "CANARY-old")).await;

    assert_eq!(events(&named.body), ["move.changed"]);
    assert_eq!(events(&other.body), [""; 0]);
    assert_eq!(events(&bare.body), ["move.changed", "move.pickup.done"]);
}

#[tokio::test]
async fn without_configured_triggers_any_name_is_taken_and_odd_ones_are_not() {
    let (hasura, _) = hasura(notes);

    let any = send(&hasura, post("/hasura/m%C3%B6ves%20all", payload().to_string())).await;
    let odd = send(&hasura, post("/hasura/a%0Ab", payload().to_string())).await;
    let not_text = send(&hasura, post("/hasura/%FF", payload().to_string())).await;
    let long = send(&hasura, post(&format!("/hasura/{}", "a".repeat(300)), payload().to_string())).await;

    assert_eq!((any.status, &any.body["change"]["source"]), (200, &json!("hasura/möves all")));
    for refused in [odd, not_text, long] {
        assert_eq!(refused.code(), (404, "unknown_source"));
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let (hasura, meeting) = hasura(notes);
    let ask = async |method: Method, path: &str| -> Answer {
        let mut request = post(path, payload().to_string());
        *request.method_mut() = method;
        send(&hasura, request).await
    };

    for path in ["/", "/hasura/", "/hasura/a/b", "/Hasura"] {
        assert_eq!(ask(Method::POST, path).await.code(), (404, "unknown_source"), "{path}");
    }
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = ask(method, "/hasura/moves").await;
        assert_eq!((answer.code(), answer.header("allow")), ((405, "wrong_method"), "POST"));
    }
    assert_eq!(meeting.notes(), [""; 0]);
}
