//! What does a program with a hundred events take of time and memory?
#![deny(unused_crate_dependencies)] // a listed crate that is never named would register nothing

use std::process::ExitCode;

use event_detector::{Change, Job, event};

macro_rules! events {
    ($($module:ident $name:literal,)*) => {$(
        /// A thing of one kind was written.
        #[event($name)]
        pub mod $module {
            use super::*;

            fn detect(change: &Change) -> bool {
                change.collection() == "things" && change.is_update() && change.column_changed("kind") && change.after("kind") == $name
            }

            fn jobs(_change: &Change) -> Vec<Job> {
                vec![Job::new("answer", async |_cx| Ok::<_, std::convert::Infallible>(42))]
            }
        }
    )*};
}

#[rustfmt::skip]
events! {
    e00 "load.e00", e01 "load.e01", e02 "load.e02", e03 "load.e03", e04 "load.e04", e05 "load.e05", e06 "load.e06", e07 "load.e07", e08 "load.e08", e09 "load.e09",
    e10 "load.e10", e11 "load.e11", e12 "load.e12", e13 "load.e13", e14 "load.e14", e15 "load.e15", e16 "load.e16", e17 "load.e17", e18 "load.e18", e19 "load.e19",
    e20 "load.e20", e21 "load.e21", e22 "load.e22", e23 "load.e23", e24 "load.e24", e25 "load.e25", e26 "load.e26", e27 "load.e27", e28 "load.e28", e29 "load.e29",
    e30 "load.e30", e31 "load.e31", e32 "load.e32", e33 "load.e33", e34 "load.e34", e35 "load.e35", e36 "load.e36", e37 "load.e37", e38 "load.e38", e39 "load.e39",
    e40 "load.e40", e41 "load.e41", e42 "load.e42", e43 "load.e43", e44 "load.e44", e45 "load.e45", e46 "load.e46", e47 "load.e47", e48 "load.e48", e49 "load.e49",
    e50 "load.e50", e51 "load.e51", e52 "load.e52", e53 "load.e53", e54 "load.e54", e55 "load.e55", e56 "load.e56", e57 "load.e57", e58 "load.e58", e59 "load.e59",
    e60 "load.e60", e61 "load.e61", e62 "load.e62", e63 "load.e63", e64 "load.e64", e65 "load.e65", e66 "load.e66", e67 "load.e67", e68 "load.e68", e69 "load.e69",
    e70 "load.e70", e71 "load.e71", e72 "load.e72", e73 "load.e73", e74 "load.e74", e75 "load.e75", e76 "load.e76", e77 "load.e77", e78 "load.e78", e79 "load.e79",
    e80 "load.e80", e81 "load.e81", e82 "load.e82", e83 "load.e83", e84 "load.e84", e85 "load.e85", e86 "load.e86", e87 "load.e87", e88 "load.e88", e89 "load.e89",
    e90 "load.e90", e91 "load.e91", e92 "load.e92", e93 "load.e93", e94 "load.e94", e95 "load.e95", e96 "load.e96", e97 "load.e97", e98 "load.e98", e99 "load.e99",
}

fn main() -> ExitCode {
    event_detector_cli::main()
}
