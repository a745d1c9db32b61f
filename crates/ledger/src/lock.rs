//! Who owns the ledger?

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use event_detector_runtime::Millis;

use crate::files::{now, open_private};

/// So long a lock that is held is asked for again: a process that another thread is just starting has it too, until it is another program.
const PATIENCE: Duration = Duration::from_millis(200);
/// So often meanwhile.
const PAUSE: Duration = Duration::from_millis(10);

/// The lock on a ledger, for as long as this is held: the system takes it from a process that is gone.
#[derive(Debug)]
pub(crate) struct Owner {
    #[expect(dead_code, reason = "held for its drop, which ends the lock")]
    file: File,
}

/// The process that has the lock, as it wrote down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    pub(crate) host: String,
    pub(crate) since: Millis,
}

impl Owner {
    /// Takes the lock, or says who has it.
    pub(crate) fn take(path: &Path) -> io::Result<Result<Self, Holder>> {
        let mut file = open_private(path)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Ok(Err(read(file)?)),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let Holder { pid, host, since } = Holder { pid: std::process::id(), host: host(), since: now() };
        file.set_len(0)?;
        write!(file, "pid {pid}\nhost {host}\nsince {since}\n")?;
        Ok(Ok(Self { file }))
    }
}

/// What the holder wrote; parts that are not there yet are empty.
fn read(mut file: File) -> io::Result<Holder> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_default()
    };
    Ok(Holder {
        pid: value("pid").parse().unwrap_or_default(),
        host: value("host").to_owned(),
        since: value("since").parse().unwrap_or_default(),
    })
}

/// The name of this machine; empty where the system does not say.
fn host() -> String {
    let name = ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| fs::read_to_string(path).ok());
    name.map(|name| name.trim().to_owned()).unwrap_or_default()
}
