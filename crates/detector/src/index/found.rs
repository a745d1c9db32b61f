//! Which detectors are to be asked, out of several lists?

/// The places of detectors: those of one list, or of several together.
#[derive(Debug, Default)]
pub(super) struct Found<'i> {
    /// The list, as long as there is only one.
    one: &'i [u32],
    several: Vec<u32>,
}

impl<'i> Found<'i> {
    /// Adds a list, which is in order and names nobody twice.
    #[inline]
    pub(super) fn add(&mut self, list: &'i [u32]) {
        if self.one.is_empty() && self.several.is_empty() {
            self.one = list;
        } else if !list.is_empty() {
            self.add_another(list);
        }
    }

    /// Adds what another has.
    #[inline]
    pub(super) fn append(&mut self, other: Self) {
        if other.several.is_empty() {
            self.add(other.one);
        } else {
            self.add_another(&other.several);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.one.is_empty() && self.several.is_empty()
    }

    fn add_another(&mut self, list: &[u32]) {
        if self.several.is_empty() {
            self.several.extend(self.one);
        }
        self.several.extend(list);
    }

    /// All of them, in order, each once.
    #[inline]
    pub(super) fn places(&mut self) -> &[u32] {
        if self.several.is_empty() {
            return self.one;
        }
        // It is made of a few runs that are in order, which this sort takes as they are.
        self.several.sort();
        self.several.dedup();
        &self.several
    }
}

/// The places of detectors in a table, of which most entries have one.
#[derive(Debug)]
pub(super) enum Places {
    One(u32),
    More(Vec<u32>),
}

impl Places {
    #[inline]
    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(place) => std::slice::from_ref(place),
            Self::More(places) => places,
        }
    }

    /// Adds a place that is not before the last one.
    pub(super) fn add(&mut self, place: u32) {
        match self {
            Self::One(known) if *known == place => {}
            Self::One(known) => *self = Self::More(vec![*known, place]),
            Self::More(places) => add_last(places, place),
        }
    }
}

/// Adds a place that is not before the last one, once.
pub(super) fn add_last(places: &mut Vec<u32>, place: u32) {
    if places.last() != Some(&place) {
        places.push(place);
    }
}
