//! What did the config file say, and what holds in the end?

use std::path::{Path, PathBuf};
use std::time::Duration;

use event_detector::nearest;
use event_detector_runtime::Config;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::args::{Options, duration};
use crate::exit::{Exit, Failure};

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "detector.toml";

/// What holds after flags, environment, file and defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) only: Vec<String>,
    pub(crate) except: Vec<String>,
    pub(crate) log: Option<String>,
    pub(crate) context: Map<String, Value>,
    pub(crate) config: Config,
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
    context: Map<String, Value>,
}

fn some_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Whole(i64),
        Fraction(f64),
    }
    let text = match Written::deserialize(deserializer)? {
        Written::Text(text) => text,
        Written::Whole(number) => number.to_string(),
        Written::Fraction(number) => number.to_string(),
    };
    duration(&text).map(Some).map_err(serde::de::Error::custom)
}

impl Settings {
    /// Reads the config file, if there is one, and puts flags and environment over it.
    pub(crate) fn load(options: &Options) -> Result<Self, Failure> {
        let named = options.config.clone();
        let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let file = match std::fs::read_to_string(&path) {
            Ok(text) => parse(&path, &text)?,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => File::default(),
            Err(error) => return Err(Failure::input(format!("the config file `{}` cannot be read", path.display()), &error)),
        };
        Self::merge(options, file).map_err(|failure| failure.with_hint(format!("it is set in `{}`", path.display())))
    }

    fn merge(options: &Options, file: File) -> Result<Self, Failure> {
        let defaults = Config::default();
        let in_flight = options.in_flight.or(file.in_flight).map_or(Ok(defaults.in_flight), usize::try_from);
        let config = Config {
            job_timeout: options.job_timeout.or(file.job_timeout).unwrap_or(defaults.job_timeout),
            job_retries: options.job_retries.or(file.job_retries).unwrap_or(defaults.job_retries),
            in_flight: in_flight.unwrap_or(usize::MAX),
            change_deadline: options.change_deadline.or(file.change_deadline),
            drain: options.drain.or(file.drain).unwrap_or(defaults.drain),
            ..defaults
        };
        if !(1..=10_000).contains(&config.in_flight) {
            return Err(Failure::new(Exit::Config, format!("`in_flight` is {}; expected 1 to 10000", config.in_flight)));
        }
        let mut context = file.context;
        context.extend(options.context.iter().cloned());
        Ok(Self {
            only: options.only.clone().or(file.only).unwrap_or_default(),
            except: options.except.clone().or(file.except).unwrap_or_default(),
            log: options.log.clone().or(file.log),
            context,
            config,
        })
    }
}

fn parse(path: &Path, text: &str) -> Result<File, Failure> {
    toml::from_str(text).map_err(|error| {
        let failure = Failure::new(Exit::Config, format!("the config file `{}` is wrong: {error}", path.display()));
        match unknown_key_hint(error.message()) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })
}

/// The nearest known key, from serde's words about an unknown one: the first name in backticks is it, the others are known.
fn unknown_key_hint(message: &str) -> Option<String> {
    let mut names = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let wanted = names.next()?;
    nearest(wanted, names).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{Settings, parse};
    use crate::args::Options;

    fn error(text: &str) -> String {
        let failure = parse(Path::new("detector.toml"), text).err().unwrap();
        format!("{} {}", failure.message, failure.hint.unwrap_or_default())
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_the_nearest_name() {
        let error = error("only = [\"move.*\"]\njob_timeut = \"5s\"\n");

        assert!(error.contains("line 2") && error.contains("`job_timeut`") && error.contains("did you mean `job_timeout`?"), "{error}");
    }

    #[test]
    fn a_duration_without_unit_says_how_to_write_it() {
        assert!(error("drain = 5").contains("write `5s`"), "{}", error("drain = 5"));
        assert!(error("drain = \"soon\"").contains("`30s`"), "{}", error("drain = \"soon\""));
    }

    #[test]
    fn flags_are_over_the_file_and_the_file_is_over_the_defaults() {
        let file = parse(Path::new("f"), "job_timeout = \"5s\"\ndrain = \"1m\"\nonly = [\"a\"]\n[context]\nflag = true\nurl = \"x\"").unwrap();
        let options = Options {
            job_timeout: Some(Duration::from_secs(7)),
            context: vec![("url".to_owned(), "y".into())],
            ..Options::default()
        };

        let settings = Settings::merge(&options, file).unwrap();

        assert_eq!(settings.config.job_timeout, Duration::from_secs(7));
        assert_eq!(settings.config.drain, Duration::from_secs(60));
        assert_eq!(settings.config.in_flight, 64);
        assert_eq!(settings.only, ["a"]);
        assert_eq!(serde_json::Value::from(settings.context), serde_json::json!({ "flag": true, "url": "y" }));
    }

    #[test]
    fn a_bound_out_of_range_is_refused() {
        let file = parse(Path::new("f"), "in_flight = 0").unwrap();

        assert!(Settings::merge(&Options::default(), file).err().unwrap().message.contains("expected 1 to 10000"));
    }
}
