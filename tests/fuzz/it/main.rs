//! Does everything hold for what is kept: the payloads, and what a fuzzer once found?

use std::fs;
use std::path::Path;

use event_detector_fuzz::check;

const MOST_FILES: usize = 200;
const MOST_BYTES: usize = 200 * 1024;

/// The content of every file of a folder beside this package.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
}

#[test]
fn everything_holds_for_every_payload_and_for_all_of_the_corpus() {
    let kept = [files("corpus"), files("../payloads")].concat();
    assert!(kept.len() > 30);

    for (path, bytes) in kept {
        println!("{path}");
        check(&bytes);
    }
}

#[test]
fn everything_holds_for_every_payload_cut_anywhere() {
    for (path, bytes) in files("../payloads") {
        println!("{path}");
        for end in (0..bytes.len()).step_by(7) {
            check(&bytes[..end]);
        }
    }
}

#[test]
fn the_corpus_stays_small() {
    let corpus = files("corpus");

    assert!(corpus.len() < MOST_FILES, "{} files; merge them with libFuzzer's `-merge=1`", corpus.len());
    assert!(corpus.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < MOST_BYTES);
}
