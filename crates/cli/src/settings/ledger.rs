//! Where is the ledger, what is recorded there, and for how long?

use std::path::PathBuf;
use std::time::Duration;

use event_detector_ledger::Options;
use serde::{Deserialize, Deserializer};

use crate::args::{Kept, size};

use super::some_duration;

/// The directory that is used where none is named.
const DEFAULT_DIR: &str = "detector-data";

/// `[ledger]`, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LedgerTable {
    dir: Option<PathBuf>,
    #[serde(deserialize_with = "some_duration")]
    retention: Option<Duration>,
    #[serde(deserialize_with = "some_size")]
    max_size: Option<u64>,
    record: Option<Record>,
}

/// Which changes are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Record {
    /// Those for which a detector did not say no.
    Matched,
    /// All of them.
    All,
}

/// What is said of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerSettings {
    /// Its directory.
    pub(crate) dir: PathBuf,
    /// Whether somebody named the directory.
    pub(crate) is_named: bool,
    /// How long changes are kept, where that is said.
    pub(crate) retention: Option<Duration>,
    /// How large it may be, where that is said.
    pub(crate) max_size: Option<u64>,
}

impl LedgerTable {
    /// Whether changes are recorded, too, that no event wants.
    pub(crate) fn records_all(&self) -> bool {
        self.record == Some(Record::All)
    }

    /// Puts flags and environment over what the file says.
    pub(crate) fn under(self, flags: &Kept) -> LedgerSettings {
        let named = |dir: Option<PathBuf>| dir.filter(|dir| !dir.as_os_str().is_empty());
        let dir = named(flags.data.clone()).or(named(self.dir));
        LedgerSettings {
            is_named: dir.is_some(),
            dir: dir.unwrap_or_else(|| PathBuf::from(DEFAULT_DIR)),
            retention: self.retention,
            max_size: self.max_size,
        }
    }
}

impl LedgerSettings {
    /// How the ledger is kept.
    pub(crate) fn options(&self) -> Options {
        let defaults = Options::default();
        Options { retention: self.retention.unwrap_or(defaults.retention), max_bytes: self.max_size.or(defaults.max_bytes) }
    }
}

fn some_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Number(i64),
        Other(serde::de::IgnoredAny),
    }
    let text = match Written::deserialize(deserializer)? {
        Written::Text(text) => text,
        Written::Number(number) => number.to_string(),
        Written::Other(_) => String::new(),
    };
    size(&text).map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use super::LedgerTable;
    use crate::args::Kept;

    fn under(file: &str, flag: Option<&str>) -> super::LedgerSettings {
        let table: LedgerTable = toml::from_str(file).unwrap();
        table.under(&Kept { data: flag.map(PathBuf::from) })
    }

    #[test]
    fn a_flag_is_over_the_file_and_what_nobody_named_is_the_default() {
        let place = |file: &str, flag: Option<&str>| {
            let settings = under(file, flag);
            (settings.dir, settings.is_named)
        };

        assert_eq!(place("", None), (PathBuf::from("detector-data"), false));
        assert_eq!(place("dir = \"a\"", None), (PathBuf::from("a"), true));
        assert_eq!(place("dir = \"a\"", Some("b")), (PathBuf::from("b"), true));
        assert_eq!(place("dir = \"\"", Some("")), (PathBuf::from("detector-data"), false));
    }

    #[test]
    fn everything_that_may_be_said_of_a_ledger_is_read() {
        let table: LedgerTable =
            toml::from_str("dir = \"d\"\nretention = \"7d\"\nmax_size = \"2GiB\"\nrecord = \"all\"").unwrap();
        let records_all = table.records_all();
        let settings = table.under(&Kept::default());

        assert_eq!(settings.dir, Path::new("d"));
        assert_eq!(settings.options().retention, Duration::from_secs(7 * 86_400));
        assert_eq!((settings.options().max_bytes, records_all), (Some(2 << 30), true));
        assert!(!LedgerTable::default().records_all());
    }

    #[test]
    fn what_is_wrong_says_what_is_right() {
        let error = |text: &str| toml::from_str::<LedgerTable>(text).unwrap_err().message().to_owned();

        assert!(error("max_size = 5").contains("`5GiB`"), "{}", error("max_size = 5"));
        assert!(error("max_size = true").contains("`10GiB`"));
        assert!(error("retention = 30").contains("`30s`"));
        assert!(error("record = \"some\"").contains("`matched` or `all`"));
        assert!(error("folder = \"x\"").contains("`dir`"));
    }
}
