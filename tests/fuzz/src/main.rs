//! Which bytes break what must hold of them? (A program of libFuzzer's; `cargo xtask fuzz` builds and runs it.)
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| event_detector_fuzz::check(bytes));
