//! Does the registry hold exactly the events that the sources declare?

use event_detector::{Registry, RegistryError};

use crate::files::{declared_events, sources};

#[test]
fn every_event_in_the_sources_is_registered_and_no_other() {
    let mut written: Vec<String> = sources("events/src").iter().flat_map(|(_, source)| declared_events(source)).collect();
    written.sort();

    let registry = Registry::from_linked().unwrap();

    let registered: Vec<&str> = registry.detectors().iter().map(|detector| detector.name()).collect();
    assert!(!written.is_empty());
    assert_eq!(registered, written, "left: registered, right: `#[event(\"…\")]` in events/src");
}

#[test]
fn every_event_says_where_it_is_declared_and_what_it_means() {
    for detector in Registry::from_linked().unwrap().detectors() {
        let declared = detector.declared();

        assert!(declared.file.replace('\\', "/").contains("events/src/"), "{}: {declared:?}", detector.name());
        assert!(declared.line > 0, "{}: {declared:?}", detector.name());
        assert!(!declared.doc.is_empty(), "{} has no doc line", detector.name());
    }
}

#[test]
fn a_program_without_events_is_told_what_to_name() {
    let error = Registry::try_new([]).unwrap_err();

    assert_eq!(error, RegistryError::Empty);
    assert!(error.to_string().contains("`use events as _;`"), "{error}");
}
