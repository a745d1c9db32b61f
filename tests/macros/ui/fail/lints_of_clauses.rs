#![deny(deprecated, unused, nonstandard_style)]
use event_detector::event;

#[event("move.done")]
pub mod done {
    use event_detector::{Change, Operation};

    #[deprecated]
    const OLD: &str = "old";

    fn detect(change: &Change) -> bool {
        let unused = change.user();
        if change.after("status") == OLD || (change.after("Status").as_str() == None) {
            return false;
        }
        match change.operation() {
            Operation::Insert => change.after(OLD).get("x").exists() && {
                let BadName = 1;
                BadName == 1
            },
            other => false,
            _ => true,
        }
    }
}

fn main() {}
