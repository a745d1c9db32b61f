use event_detector::event;

#[event("move.done")]
pub mod done {
    use event_detector::{Change, Operation};

    fn detect(change: &Change) -> bool {
        const UNUSED: u8 = "x";
        if change.is_updated() {
            return false;
        }
        let n = change.after("n").as_int();
        let text: u8 = change.user();
        change.collection() == MOVES
            && change.after(7) == "x"
            && change.after("n") == 'c'
            && change.column_changed("n", "m")
            && matches!(change.operation(), Operation::Inserted)
            && change.user()
            && n.is_some() ^ unknown(change)
    }
}

#[event("move.rest")]
pub mod rest {
    use event_detector::Change;

    fn detect(change: &Change) -> bool {
        if change.is_insert() {
            return change.user();
        }
        for x in change {}
        change.user()
    }
}

#[event("move.arms")]
pub mod arms {
    use event_detector::{Change, Operation};

    fn detect(change: &Change) -> bool {
        match change.operation() {
            Operation::Insert => !change.key(),
            Operation::Update => change.after("status") == "done" || change.before("active"),
            _ => false,
        }
    }
}

fn main() {}
