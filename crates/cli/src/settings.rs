//! What did the config file say, and what holds in the end?

mod http;
mod ledger;
mod mongodb;
mod written;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use event_detector::nearest;
use event_detector_runtime::Config;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::args::{Limits, Options, duration};
use crate::exit::{Exit, Failure};
use http::{HasuraTable, Http, HttpTable};

pub(crate) use http::PASSPHRASES;
pub(crate) use ledger::{LedgerSettings, LedgerTable};
pub(crate) use mongodb::{MongoDbTable, Target, failure as mongodb_failure};

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "detector.toml";

/// The keys of the config file whose values are no secrets.
const KEYS: [&str; 25] = [
    "only",
    "except",
    "log",
    "job_timeout",
    "job_retries",
    "in_flight",
    "change_deadline",
    "drain",
    "listen",
    "passphrase_header",
    "answer_within",
    "body_limit",
    "body_timeout",
    "header_timeout",
    "header_limit",
    "idle_timeout",
    "connections",
    "databases",
    "collections",
    "images",
    "on_gap",
    "dir",
    "retention",
    "max_size",
    "record",
];

/// The tables of the config file, as their lines are written.
const TABLES: [&str; 5] = ["[http]", "[hasura]", "[hasura.triggers]", "[ledger]", "[context]"];

/// What holds after flags, environment, file and defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) only: Vec<String>,
    pub(crate) except: Vec<String>,
    pub(crate) log: Option<String>,
    pub(crate) context: Map<String, Value>,
    pub(crate) config: Config,
    /// Where to listen for changes over HTTP, and how.
    pub(crate) listen: Option<String>,
    pub(crate) http: Http,
    /// Which MongoDB to watch.
    pub(crate) mongodb: MongoDbTable,
    /// Where the ledger is.
    pub(crate) ledger: LedgerTable,
    /// The config file that was read.
    pub(crate) file: Option<PathBuf>,
}

/// The config file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    only: Option<Vec<String>>,
    except: Option<Vec<String>>,
    log: Option<String>,
    #[serde(deserialize_with = "some_duration")]
    job_timeout: Option<Duration>,
    job_retries: Option<u32>,
    in_flight: Option<u32>,
    #[serde(deserialize_with = "some_duration")]
    change_deadline: Option<Duration>,
    #[serde(deserialize_with = "some_duration")]
    drain: Option<Duration>,
    listen: Option<String>,
    http: HttpTable,
    hasura: HasuraTable,
    mongodb: MongoDbTable,
    ledger: LedgerTable,
    context: Map<String, Value>,
}

fn some_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Whole(i64),
        Fraction(f64),
        Other(serde::de::IgnoredAny),
    }
    let text = match Written::deserialize(deserializer)? {
        Written::Text(text) => text,
        Written::Whole(number) => number.to_string(),
        Written::Fraction(number) => number.to_string(),
        Written::Other(_) => String::new(),
    };
    duration(&text).map(Some).map_err(serde::de::Error::custom)
}

impl Settings {
    /// Reads the config file, if there is one, and puts flags and environment over it.
    pub(crate) fn load(options: &Options, limits: &Limits) -> Result<Self, Failure> {
        let named = options.config.clone();
        let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let file = match std::fs::read_to_string(&path) {
            Ok(text) => parse(&path, &text)?,
            Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => {
                return Self::merge(options, limits, File::default());
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(Failure::new(Exit::Config, format!("the config file `{}` is not UTF-8 text", path.display())));
            }
            Err(error) => return Err(Failure::input(format!("the config file `{}` cannot be read", path.display()), &error)),
        };
        let settings = Self::merge(options, limits, file)
            .map_err(|failure| failure.with_hint(format!("it is set in `{}`", path.display())))?;
        Ok(Self { file: Some(path), ..settings })
    }

    fn merge(options: &Options, limits: &Limits, file: File) -> Result<Self, Failure> {
        let defaults = Config::default();
        let in_flight = limits.in_flight.or(file.in_flight).map_or(Ok(defaults.in_flight), usize::try_from);
        let config = Config {
            job_timeout: limits.job_timeout.or(file.job_timeout).unwrap_or(defaults.job_timeout),
            job_retries: limits.job_retries.or(file.job_retries).unwrap_or(defaults.job_retries),
            in_flight: in_flight.unwrap_or(usize::MAX),
            // As many as are handled at a time must have a place.
            admitted: defaults.admitted.max(in_flight.unwrap_or(usize::MAX)),
            change_deadline: limits.change_deadline.or(file.change_deadline),
            drain: limits.drain.or(file.drain).unwrap_or(defaults.drain),
            record_all: file.ledger.records_all(),
            ..defaults
        };
        if !(1..=10_000).contains(&config.in_flight) {
            return Err(Failure::new(Exit::Config, format!("`in_flight` is {}; expected 1 to 10000", config.in_flight)));
        }
        let mut context = file.context;
        context.extend(options.context.iter().cloned());
        Ok(Self {
            only: globs(options.only.as_deref(), file.only.as_deref()),
            except: globs(options.except.as_deref(), file.except.as_deref()),
            log: options.log.clone().filter(|log| !log.is_empty()).or(file.log),
            context,
            config,
            listen: file.listen,
            http: Http { http: file.http, hasura: file.hasura },
            mongodb: file.mongodb,
            ledger: file.ledger,
            file: None,
        })
    }
}

/// The globs of a flag or variable, else those of the file. One that is set to nothing is not set.
fn globs(over: Option<&[String]>, under: Option<&[String]>) -> Vec<String> {
    let named = |globs: Option<&[String]>| {
        let trimmed = globs.unwrap_or_default().iter().map(|glob| glob.trim().to_owned());
        trimmed.filter(|glob| !glob.is_empty()).collect::<Vec<_>>()
    };
    let over = named(over);
    if over.is_empty() { named(under) } else { over }
}

fn parse(path: &Path, text: &str) -> Result<File, Failure> {
    toml::from_str(text).map_err(|error| {
        let named = unknown_key(error.message()).map(|(key, _)| key);
        let place = error.span().map(|span| Place::of(text, span.start, named));
        let place_name = place.as_ref().map(|place| format!(":{}:{}", place.line, place.column)).unwrap_or_default();
        let shown = place.map(|place| format!("\n{}", place.shown)).unwrap_or_default();
        let failure = Failure::new(Exit::Config, format!("{}{place_name}: {}{shown}", path.display(), message(error.message())));
        match unknown_key(error.message()).and_then(|(key, known)| nearest(key, known)) {
            Some(name) => failure.with_hint(format!("did you mean `{name}`?")),
            None => failure,
        }
    })
}

/// The words of an error without the value that was written where another is expected; it may be secret.
///
/// serde says ``invalid type: integer `7`, expected a string`` and `invalid value: string "x", expected …`.
fn message(message: &str) -> String {
    let message = message.trim_end();
    let shortened = message.strip_prefix("invalid ").and_then(|rest| {
        let (kind, rest) = rest.split_once(": ")?;
        let (found, expected) = rest.rsplit_once(", expected ")?;
        let type_of_it = found.split(['`', '"']).next()?.trim_end();
        Some(format!("invalid {kind}: {type_of_it}, expected {expected}"))
    });
    shortened.unwrap_or_else(|| message.to_owned())
}

/// Whether `text` is a config file.
#[cfg(test)]
pub(crate) fn check(text: &str) -> Result<(), String> {
    parse(Path::new(DEFAULT_FILE), text).map(|_| ()).map_err(|failure| failure.message)
}

/// Where in a config file something is wrong.
struct Place {
    line: usize,
    column: usize,
    /// The line, with a caret under the place.
    shown: String,
}

impl Place {
    fn of(text: &str, offset: usize, named: Option<&str>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        let column = before[start..].chars().count();
        let content = text[start..].lines().next().unwrap_or_default();
        let (content, under) = shown(content, column, named);
        let margin = line.to_string();
        let shown = format!("  {margin} | {content}\n  {:width$} | {:under$}^", "", "", width = margin.len());
        Self { line, column: column + 1, shown }
    }
}

/// The line as it may be shown, and the column to point at.
///
/// Any text may be a part of a secret, also one that looks like a key, a table or a comment. So a line is shown only where it is
/// one of the tables, or one setting of ours and nothing else; its key alone also where the error itself has `named` it.
fn shown(line: &str, column: usize, named: Option<&str>) -> (String, usize) {
    if TABLES.contains(&line.trim()) {
        return (line.to_owned(), column);
    }
    let (key, value) = line.split_once('=').unwrap_or((line, ""));
    let is_ours = KEYS.contains(&key.trim());
    if is_ours && is_alone(value.trim()) {
        return (line.to_owned(), column);
    }
    if is_ours || named == Some(key.trim()) {
        let under = if column <= key.trim_end().chars().count() { column } else { key.chars().count() + 2 };
        return (format!("{key}= …"), under);
    }
    ("…".to_owned(), 0)
}

/// Whether nothing can stand behind the value of a setting, whether or not its quotes are closed.
fn is_alone(value: &str) -> bool {
    !value.contains([' ', '\t', '=', '#', ',']) && value.splitn(3, ['"', '\'']).nth(2).is_none_or(str::is_empty)
}

/// The key that serde does not know, and those that it does: its words name them in backticks, in this order.
fn unknown_key(message: &str) -> Option<(&str, impl Iterator<Item = &str>)> {
    let mut names = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    Some((names.next()?, names))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{Settings, parse};
    use crate::args::{Limits, Options};

    fn error(text: &str) -> String {
        let failure = parse(Path::new("detector.toml"), text).err().unwrap();
        failure.hint.map_or_else(|| failure.message.clone(), |hint| format!("{}\nhint: {hint}", failure.message))
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_the_nearest_name() {
        insta::assert_snapshot!(error("only = [\"move.*\"]\njob_timeut = \"5s\"\n"), @r"
        detector.toml:2:1: unknown field `job_timeut`, expected one of `only`, `except`, `log`, `job_timeout`, `job_retries`, `in_flight`, `change_deadline`, `drain`, `listen`, `http`, `hasura`, `mongodb`, `ledger`, `context`
          2 | job_timeut = …
            | ^
        hint: did you mean `job_timeout`?
        ");
    }

    #[test]
    fn a_duration_without_unit_says_how_to_write_it() {
        insta::assert_snapshot!(error("\n\ndrain = 5"), @r"
        detector.toml:3:9: a duration needs its unit: write `5s` or `5ms`
          3 | drain = 5
            |         ^
        ");
        assert!(error("drain = \"soon\"").contains("`30s`"), "{}", error("drain = \"soon\""));
        assert!(error("drain = true").contains("`30s`"), "{}", error("drain = true"));
    }

    #[test]
    fn a_syntax_error_is_shown_with_a_caret() {
        insta::assert_snapshot!(error("in_flight = 5\nlog = \"warn\n"), @r#"
        detector.toml:2:12: invalid basic string, expected `"`
          2 | log = "warn
            |            ^
        "#);
    }

    #[test]
    fn a_value_that_may_be_secret_is_not_shown() {
        for text in [
            "[context]\nwebhook_url = \"https://S3CR3T",
            "webhok_url = \"S3CR3T\"",
            "[context]\nurl = S3CR3T",
            "[context]\nmore = \"\"\"\nS3CR3T\n",
            "[context]\na = { S3CR3T }\n",
            "context = \"S3CR3T\"",
            "context = [\"S3CR3T\"]",
            "[hasura]\npassphrases = [\"S3CR3T",
            "[hasura]\npassphrases = \"S3CR3T\"",
            "[hasura]\npassphrases = [[\"S3CR3T\"]]",
            // On one line with something else, in an order of their own, in a comment.
            "[hasura] passphrases = [\"S3CR3T\"]",
            "[hasura]passphrases = [\"S3CR3T\"]",
            "listen = \"127.0.0.1:1\" passphrases = [\"S3CR3T\"]",
            "log = \"warn\" \"S3CR3T\"",
            "log = \"warn\"\"S3CR3T\"",
            "log = 'warn'S3CR3T",
            "drain = 5 S3CR3T",
            "only = [\"a\"] # S3CR3T\u{7}",
            "# passphrases = \"S3CR3T\"\u{7}",
            "hasura = { passphrases = [\"S3CR3T\" }",
            "hasura.passphrases = [\"S3CR3T\"",
            // Over several lines.
            "[hasura]\npassphrases = [\n  \"first\"\n  \"S3CR3T=\",\n]",
            "[hasura]\npassphrases = [\n  \"S3CR3T==\"\n  \"last\",\n]",
            "[hasura]\npassphrases = [\n  S3CR3T=\n]",
            "[hasura]\npassphrases = [\n  [S3CR3T],\n]",
            "[hasura]\npassphrases = [\n  [\"S3CR3T\"],\n]",
            "[hasura]\npassphrases = [\n  \"S3CR3T\n]",
            "[hasura]\nS3CR3T",
            "[S3CR3T",
            // Of another type. (The number is as good a secret as any.)
            "[hasura]\npassphrases = [53237]",
            "[hasura]\npassphrases = [53237.5]",
            "[hasura]\npassphrases = 53237",
            "[hasura]\npassphrases = [{ S3CR3T = 1 }]",
            "[hasura]\npassphrases = [\"a\", 5323-07-01]",
            "[hasura]\npassphrases = [\", expected S3CR3T\", 1]",
            "[hasura]\npassphrases = \"S3CR3T\", expected \"",
            "[hasura.triggers]\nmoves = \"S3CR3T\"",
            "[hasura]\npassphrases = [\"a\"]\npassphrases = [\"S3CR3T\"]",
        ] {
            let error = error(text);
            assert!(!error.contains("S3CR3T") && !error.contains("5323"), "{text}\n{error}");
        }
    }

    #[test]
    fn flags_are_over_the_file_and_the_file_is_over_the_defaults() {
        let file =
            parse(Path::new("f"), "job_timeout = \"5s\"\ndrain = \"1m\"\nonly = [\"a\"]\n[context]\nflag = true\nurl = \"x\"")
                .unwrap();
        let options = Options { context: vec![("url".to_owned(), "y".into())], ..Options::default() };
        let limits = Limits { job_timeout: Some(Duration::from_secs(7)), ..Limits::default() };

        let settings = Settings::merge(&options, &limits, file).unwrap();

        assert_eq!(settings.config.job_timeout, Duration::from_secs(7));
        assert_eq!(settings.config.drain, Duration::from_secs(60));
        assert_eq!(settings.config.in_flight, 64);
        assert_eq!(settings.only, ["a"]);
        assert_eq!(serde_json::Value::from(settings.context), serde_json::json!({ "flag": true, "url": "y" }));
    }

    #[test]
    fn what_is_set_to_nothing_is_not_set() {
        let options =
            Options { only: Some(vec![String::new(), " a ".to_owned()]), log: Some(String::new()), ..Options::default() };

        let settings = Settings::merge(&options, &Limits::default(), super::File::default()).unwrap();

        assert_eq!((settings.only, settings.log), (vec!["a".to_owned()], None));
    }

    #[test]
    fn as_many_changes_have_a_place_as_are_handled_at_a_time() {
        let admitted = |in_flight| {
            let limits = Limits { in_flight, ..Limits::default() };
            Settings::merge(&Options::default(), &limits, super::File::default()).unwrap().config.admitted
        };

        assert_eq!([None, Some(1), Some(5_000)].map(admitted), [1_024, 1_024, 5_000]);
    }

    #[test]
    fn a_bound_out_of_range_is_refused() {
        for number in [0, 10_001, u32::MAX] {
            let file = parse(Path::new("f"), &format!("in_flight = {number}")).unwrap();

            assert!(
                Settings::merge(&Options::default(), &Limits::default(), file)
                    .err()
                    .unwrap()
                    .message
                    .contains("expected 1 to 10000")
            );
        }
    }
}
