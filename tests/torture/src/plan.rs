//! What is written in a run? All of it follows from the seed.

use std::collections::BTreeSet;

use fastrand::Rng;

use crate::history::{Event, Version, Written};

/// Documents of a run: few enough that each is changed again while the program still has an earlier change of it.
const DOCUMENTS: usize = 500;

/// Changes for several writers, who each write theirs in this order; a document has one writer.
pub(crate) fn plan(rng: &mut Rng, changes: usize, writers: usize) -> Vec<Vec<Written>> {
    let documents = DOCUMENTS.min(changes.div_ceil(4)).max(1);
    let mut numbers = vec![0; documents];
    let mut plan = vec![Vec::new(); writers];
    for _ in 0..changes {
        let document = rng.usize(..documents);
        numbers[document] += 1;
        let version = Version { document: format!("w{document}"), number: numbers[document] };
        let events = if version.number == 1 { BTreeSet::from([Event::Built]) } else { events(rng) };
        plan[document % writers].push(Written { version, events });
    }
    plan
}

/// The events in an update: none in a tenth of them, in others several.
fn events(rng: &mut Rng) -> BTreeSet<Event> {
    match rng.u8(..20) {
        0 | 1 => BTreeSet::new(),
        2..=7 => [Event::Painted].into(),
        8..=12 => [Event::Numbered].into(),
        13..=15 => [Event::Billed].into(),
        16 | 17 => [Event::Painted, Event::Numbered].into(),
        _ => [Event::Painted, Event::Numbered, Event::Billed].into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_changes_again() {
        let of = |seed| plan(&mut Rng::with_seed(seed), 1_000, 8);

        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn each_document_has_one_writer_and_its_versions_in_order() {
        let plan = plan(&mut Rng::with_seed(3), 1_000, 8);

        assert_eq!(plan.iter().map(Vec::len).sum::<usize>(), 1_000);
        let mut writers = HashMap::new();
        let mut last: HashMap<&str, i64> = HashMap::new();
        for (writer, written) in plan.iter().enumerate().flat_map(|(writer, all)| all.iter().map(move |one| (writer, one))) {
            let Version { document, number } = &written.version;
            assert_eq!(*writers.entry(document).or_insert(writer), writer);
            let last = last.entry(document).or_default();
            *last += 1;
            assert_eq!(last, number);
            assert_eq!(written.events.contains(&Event::Built), *number == 1);
        }
    }
}
