//! Which five hundred events are compiled?

mod awkward;
mod exact;
mod opaque;
mod template;
mod words;

#[path = "../src/vocabulary.rs"]
#[expect(unreachable_pub, reason = "the library has it, too")]
mod vocabulary;

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use words::Words;

const SEED: &str = "PLAN_BODIES_SEED";
const DEFAULT_SEED: u64 = 20_261_127;
const BODIES: usize = 500;
/// Of these so many are made of recognised forms only.
const EXACT: usize = 200;

/// The items of a module, `detect` among them.
pub(crate) struct Body {
    items: String,
}

fn main() {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/vocabulary.rs");
    println!("cargo::rerun-if-env-changed={SEED}");
    let seed = match env::var(SEED) {
        Ok(seed) => seed.parse().unwrap_or_else(|_| panic!("{SEED} is `{seed}`; give it a whole number")),
        Err(_) => DEFAULT_SEED,
    };
    println!("cargo::rustc-env={SEED}={seed}");
    let folder = env::var_os("OUT_DIR").map(PathBuf::from).expect("cargo sets OUT_DIR for build scripts");
    fs::write(folder.join("bodies.rs"), written(seed)).expect("OUT_DIR can be written to");
}

fn written(seed: u64) -> String {
    let mut out = String::new();
    let mut table = String::new();
    for nth in 0..BODIES {
        // Each has its own words, so that one more form in the middle leaves the others as they are.
        let mut words = Words::new(seed, nth);
        let (kind, body) = match nth {
            nth if nth < EXACT => ("exact", exact::body(&mut words)),
            nth => ("body", awkward::body(&mut words, nth - EXACT)),
        };
        let source = body.items.trim_end();
        writeln!(
            out,
            "/// Written.\n#[event_detector::event(\"{kind}.{nth:03}\")]\nmod {kind}_{nth:03} {{\n    \
             use event_detector::{{Change, Operation}};\n\n{source}\n}}\n"
        )
        .expect("a text can be written to");
        writeln!(table, "    crate::Written {{ event: \"{kind}.{nth:03}\", source: {source:?} }},")
            .expect("a text can be written to");
    }
    format!("{out}/// Every event, by its name.\npub const WRITTEN: [crate::Written; {BODIES}] = [\n{table}];\n")
}
