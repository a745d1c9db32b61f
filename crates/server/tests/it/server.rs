//! Where a server may listen, and what it says of itself.

use event_detector_runtime::{Config, Source};
use event_detector_server::hasura::{self, SettingsError};
use event_detector_server::{ServeError, Server, Settings};
use serde_json::json;

use crate::support::{Meeting, Running, builder, notes};

async fn bind(address: &str, settings: Settings) -> Result<Server, ServeError> {
    let runtime = builder(notes, &Meeting::new()).build().unwrap();
    Server::bind(address, settings, runtime.registry()).await
}

fn secret() -> Settings {
    Settings { hasura: hasura::Settings { passphrases: vec!["CANARY".into()], ..Default::default() }, ..Settings::default() }
}

#[tokio::test]
async fn an_address_that_others_reach_needs_a_passphrase() {
    for exposed in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = bind(exposed, Settings::default()).await.unwrap_err();
        assert!(matches!(error, ServeError::Exposed { .. }), "{error}");
        assert!(error.to_string().ends_with("set a passphrase, or listen at 127.0.0.1"), "{error}");
    }
    let server = bind("0.0.0.0:0", secret()).await.unwrap();
    assert_ne!(server.local_addr().port(), 0);
    assert_eq!(server.name(), format!("http://{}", server.local_addr()));
    assert!(!format!("{server:?}").contains("CANARY"));
}

#[tokio::test]
async fn the_loopback_needs_none() {
    for loopback in ["127.0.0.1:0", "localhost:0", "127.8.8.8:0", "[::ffff:127.0.0.1]:0"] {
        assert!(!matches!(bind(loopback, Settings::default()).await, Err(ServeError::Exposed { .. })), "{loopback}");
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_named() {
    let taken = bind("127.0.0.1:0", Settings::default()).await.unwrap();

    let again = bind(&taken.local_addr().to_string(), Settings::default()).await.unwrap_err();
    let none = bind("nonsense", Settings::default()).await.unwrap_err();

    assert!(again.to_string().contains(&format!("{} cannot be listened at", taken.local_addr())), "{again}");
    assert_eq!(none.to_string(), "\"nonsense\" is no address to listen at; expected a host and a port, e.g. `127.0.0.1:8080`");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_listening() {
    let zero = std::time::Duration::ZERO;
    let defaults = Settings::default;
    let triggers = [("moves".to_owned(), vec!["move.chnaged".to_owned()])].into();
    let hasura = hasura::Settings { triggers, ..Default::default() };
    for (settings, needle) in [
        (Settings { header_timeout: zero, ..defaults() }, "`header_timeout` is 0; expected a time longer than 0"),
        (Settings { idle_timeout: zero, ..defaults() }, "`idle_timeout` is 0"),
        (Settings { header_limit: 12, ..defaults() }, "`header_limit` is 12; expected 1 KiB to 1 MiB"),
        (Settings { connections: 0, ..defaults() }, "`connections` is 0; expected 1 to 1,000,000"),
        (
            Settings { hasura, ..defaults() },
            "no event matches `move.chnaged` of the trigger `moves`; did you mean `move.changed`?",
        ),
    ] {
        let error = bind("127.0.0.1:0", settings).await.unwrap_err();
        assert!(matches!(error, ServeError::Settings(SettingsError::OutOfRange { .. } | SettingsError::NoEvent { .. })));
        assert!(error.to_string().contains(needle), "{error}");
    }
}

#[tokio::test]
async fn it_says_that_it_lives_that_it_is_ready_and_which_one_it_is() {
    let server = Running::start(notes, Config::default(), secret()).await;

    let [health, ready, version] = [server.get("/healthz").await, server.get("/readyz").await, server.get("/version").await];

    assert_eq!((health.status, health.body), (200, json!({ "status": "ok" })));
    assert_eq!((ready.status, ready.body), (200, json!({ "status": "ready" })));
    assert_eq!((version.status, &version.body["version"]), (200, &json!(env!("CARGO_PKG_VERSION"))));
    assert_eq!(version.header("x-request-id").len(), 36);
    let mut client = server.connect().await;
    let wrong = client.ask("POST /readyz HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!((wrong.code(), wrong.header("allow")), ((405, "wrong_method"), "GET, HEAD"));
    let nowhere = server.get("/metric").await;
    assert_eq!(nowhere.code(), (404, "unknown_source"));
}
