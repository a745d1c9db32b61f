//! What does `cargo xtask instructions` do?
//!
//! It counts, since counts do not depend on the machine's mood: valgrind runs a piece of work twice, once with more changes, and the
//! difference is what the changes cost. The work is that of the bench `detect`, built as for release.

use std::process::ExitCode;

use xtask::Failure;

use crate::run;

const PACKAGE: &str = "event-detector";
const BENCH: &str = "detect";

/// What a reader can do about a missing valgrind.
const HOW_TO_GET_IT: &str = "Install it (Debian: apt-get install valgrind)";

/// The work with fewer changes, and with more; the second is an even number of rounds over the payloads longer.
const TIMES: [u64; 2] = [800, 2_400];

/// What may be spent on a change: the target where there is one, else a tenth above what was measured when the line was written.
const LIMITS: [Limit; 8] = [
    Limit { what: "BSON, sparse", kind: "bson-sparse", events: 10, most: 7_500 },
    Limit { what: "BSON, sparse", kind: "bson-sparse", events: 1_000, most: 7_500 },
    Limit { what: "BSON, sparse", kind: "bson-sparse", events: 10_000, most: 7_500 },
    Limit { what: "BSON, dense", kind: "bson-dense", events: 1_000, most: 8_490 },
    Limit { what: "JSON, sparse", kind: "json-sparse", events: 1_000, most: 12_400 },
    Limit { what: "JSON, dense", kind: "json-dense", events: 1_000, most: 15_400 },
    Limit { what: "BSON, both documents", kind: "bson-both", events: 1_000, most: 6_450 },
    Limit { what: "BSON, events without a plan", kind: "opaque", events: 100, most: 49_100 },
];

struct Limit {
    what: &'static str,
    /// What the bench calls the work.
    kind: &'static str,
    events: u32,
    /// The most instructions for one change.
    most: u64,
}

/// Counts the instructions of each kind of work, prints them, and fails where one is above its limit.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    if !args.is_empty() {
        return Err(Failure::usage("`instructions` takes no arguments; its limits stand in xtask/src/instructions.rs"));
    }
    if !run::succeeds(run::command("valgrind").arg("--version")) {
        if run::is_ci() {
            let why = format!("no `valgrind`, and with CI=true nothing may be skipped. {HOW_TO_GET_IT}");
            return Err(Failure::unavailable(why));
        }
        eprintln!("xtask: SKIPPED: counting instructions (there is no `valgrind`). {HOW_TO_GET_IT}");
        return Ok(ExitCode::SUCCESS);
    }
    let program = build()?;
    println!("{:<30} {:>7} {:>12} {:>8}", "instructions for a change", "events", "counted", "limit");
    let mut above = Vec::new();
    for limit in &LIMITS {
        let counted = limit.count(&program)?;
        println!("{:<30} {:>7} {:>12} {:>8}", limit.what, limit.events, counted, limit.most);
        if counted > limit.most {
            above.push(format!("{} with {} events ({counted}, at most {})", limit.what, limit.events, limit.most));
        }
    }
    verdict(&above)
}

/// Ends well where nothing is above its limit.
fn verdict(above: &[String]) -> Result<ExitCode, Failure> {
    match above {
        [] => Ok(ExitCode::SUCCESS),
        above => Err(Failure::failed(format!(
            "more instructions than allowed: {}; find them with `valgrind --tool=callgrind`, or, where they are worth it, raise the \
             limit in xtask/src/instructions.rs and say why",
            above.join(", ")
        ))),
    }
}

/// Builds the bench and says where it is.
fn build() -> Result<String, Failure> {
    let mut cargo = run::command("cargo");
    cargo.args(["bench", "--quiet", "-p", PACKAGE, "--bench", BENCH, "--no-run", "--message-format", "json"]);
    let output = cargo
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| Failure::failed(format!("cannot run `cargo`: {error}")))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    executable(&messages).ok_or_else(|| Failure::failed(format!("the bench `{BENCH}` cannot be built")))
}

/// Where cargo's messages say that the bench is.
fn executable(messages: &str) -> Option<String> {
    let name = format!("\"name\":\"{BENCH}\"");
    let mut benches = messages.lines().filter(|message| message.contains(&name));
    let path = benches.find_map(|message| message.split_once("\"executable\":\"")?.1.split_once('"'))?.0;
    // A Windows path is written with escapes.
    Some(path.replace("\\\\", "\\"))
}

impl Limit {
    /// The instructions for one change.
    fn count(&self, program: &str) -> Result<u64, Failure> {
        let [fewer, more] = TIMES;
        let difference = self.total(program, more)?.saturating_sub(self.total(program, fewer)?);
        Ok(difference / (more - fewer))
    }

    /// The instructions of the whole program, with so many changes.
    fn total(&self, program: &str, times: u64) -> Result<u64, Failure> {
        let mut valgrind = run::command("valgrind");
        valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", program, "--work", self.kind]);
        let output = valgrind.arg(self.events.to_string()).arg(times.to_string()).output();
        let output = output.map_err(|error| Failure::failed(format!("cannot run `valgrind`: {error}")))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let counted = instructions(&said).filter(|_| output.status.success());
        counted.ok_or_else(|| Failure::failed(format!("valgrind did not count `{}`: {}", self.kind, said.trim())))
    }
}

/// The count in what valgrind says: `==1== I   refs:      1,234,567`.
fn instructions(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("refs:") && line.split_whitespace().any(|word| word == "I"))?;
    line.split_once("refs:")?.1.trim().replace(',', "").parse().ok()
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn the_count_is_read_from_what_valgrind_says() {
        let said = "==7== Cachegrind, a cache and branch-prediction profiler\n==7== \n==7== I   refs:      1,234,567\n";

        assert_eq!(instructions(said), Some(1_234_567));
        assert_eq!(instructions("valgrind: detect: No such file or directory"), None);
    }

    #[test]
    fn the_bench_is_found_among_the_messages_of_cargo() {
        let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"bson\"},\"executable\":null}\nnot JSON\n\
                        {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"detect\"},\"executable\":\"/x/detect-1\"}\n";

        assert_eq!(executable(messages).as_deref(), Some("/x/detect-1"));
        assert_eq!(executable(""), None);
    }

    #[test]
    fn what_is_above_its_limit_is_named_with_the_place_of_the_limits() {
        assert_eq!(verdict(&[]).unwrap(), ExitCode::SUCCESS);
        let failure = verdict(&["BSON, sparse with 10 events (8000, at most 7500)".to_owned()]).unwrap_err().to_string();

        assert!(failure.contains("8000, at most 7500") && failure.contains("xtask/src/instructions.rs"), "{failure}");
    }

    #[test]
    fn it_takes_no_arguments() {
        assert!(run(&["--fast".to_owned()]).unwrap_err().to_string().contains("takes no arguments"));
    }
}
