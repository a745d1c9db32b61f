//! Events and jobs that a macro by example writes.
use event_detector::{Change, JobContext, event, job};

macro_rules! watched {
    ($module:ident, $name:literal, $collection:literal) => {
        #[event($name)]
        mod $module {
            fn detect(change: &super::Change) -> bool {
                change.collection() == $collection
            }
        }
    };
}

macro_rules! as_event {
    ($item:item) => {
        #[event("move.wrapped")]
        $item
    };
}

macro_rules! as_job {
    ($item:item, $timeout:literal) => {
        #[job(timeout = $timeout)]
        $item
    };
}

watched!(users, "user.changed", "users");

as_event! {
    mod wrapped {
        fn detect(_: &super::Change) -> bool {
            true
        }
    }
}

as_job! {
    async fn hello(_: JobContext, name: String) -> std::io::Result<String> {
        Ok(name)
    },
    "3s"
}

fn main() {
    let registry = event_detector::Registry::from_linked().unwrap();
    let names: Vec<_> = registry.detectors().iter().map(|event| event.name()).collect();

    assert_eq!(names, ["move.wrapped", "user.changed"]);
    assert_eq!(hello("x".to_owned()).own_timeout(), Some(std::time::Duration::from_secs(3)));
}
