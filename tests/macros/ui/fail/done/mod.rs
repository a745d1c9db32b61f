use event_detector::Change;

fn detect(change: &Change) -> bool {
    change.is_update()
}
