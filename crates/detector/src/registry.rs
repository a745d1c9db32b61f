//! Which events does this program know?

use std::fmt;
use std::sync::Arc;

use crate::change::Change;
use crate::detector::{Detector, Verdict};
use crate::index::Index;
use crate::plan::Plan;

/// The detectors of a program, sorted by name, each name once.
#[derive(Debug, Clone)]
pub struct Registry {
    detectors: Vec<Detector>,
    /// The plan of each detector, where it has one.
    plans: Arc<[Option<Plan>]>,
    index: Arc<Index>,
    /// The names of those that were filtered out.
    left_out: Vec<&'static str>,
}

/// A set of detectors that no program should start with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// There is no detector.
    #[error(
        "no detectors are linked into this binary; name the crate that declares them in its root, e.g. `use events as _;`, \
         or pass them to `Registry::try_new`"
    )]
    Empty,
    /// Two events have one name.
    #[error("the event `{name}` is declared twice: {first} and {second}; rename one of them")]
    DuplicateName {
        /// The name.
        name: &'static str,
        /// Where it is declared.
        first: Place,
        /// Where it is declared again.
        second: Place,
    },
}

/// Where an event is declared, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    file: &'static str,
    line: u32,
}

impl Place {
    fn of(detector: &Detector) -> Self {
        let declared = detector.declared();
        Self { file: declared.file, line: declared.line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file {
            "" => out.write_str("in a detector made by hand"),
            file => write!(out, "at {file}:{}", self.line),
        }
    }
}

impl Registry {
    /// Every detector that `#[event]` declared in the crates linked into this program.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when there is none, or two have one name.
    pub fn from_linked() -> Result<Self, RegistryError> {
        Self::try_new(inventory::iter::<Detector>().copied())
    }

    /// The given detectors.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when there is none, or two have one name.
    pub fn try_new(detectors: impl IntoIterator<Item = Detector>) -> Result<Self, RegistryError> {
        let mut detectors: Vec<Detector> = detectors.into_iter().collect();
        detectors.sort_by_key(|detector| (detector.name(), detector.declared().file, detector.declared().line));
        if detectors.is_empty() {
            return Err(RegistryError::Empty);
        }
        match detectors.windows(2).find(|pair| pair[0].name() == pair[1].name()) {
            Some(pair) => Err(RegistryError::DuplicateName {
                name: pair[0].name(),
                first: Place::of(&pair[0]),
                second: Place::of(&pair[1]),
            }),
            None => Ok(Self::of(detectors, Vec::new())),
        }
    }

    /// The detectors that `keep` says yes to; it may leave none.
    #[must_use]
    pub fn filtered(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.detectors.retain(|detector| {
            let is_kept = keep(detector.name());
            if !is_kept {
                self.left_out.push(detector.name());
            }
            is_kept
        });
        Self::of(self.detectors, self.left_out)
    }

    /// The registry of sorted detectors.
    fn of(detectors: Vec<Detector>, left_out: Vec<&'static str>) -> Self {
        let plans: Arc<[_]> = detectors.iter().map(Detector::plan).collect();
        Self { index: Arc::new(Index::new(&plans)), detectors, plans, left_out }
    }

    /// Whether the program has an event of this name, be it filtered out.
    pub fn knows(&self, name: &str) -> bool {
        self.get(name).is_some() || self.left_out.contains(&name)
    }

    /// The detectors, sorted by name.
    pub fn detectors(&self) -> &[Detector] {
        &self.detectors
    }

    /// The detector of the event `name`.
    pub fn get(&self, name: &str) -> Option<&Detector> {
        self.place(name).map(|at| &self.detectors[at])
    }

    /// The plan of the event `name`; none for one that is not here, or that has none.
    pub fn plan(&self, name: &str) -> Option<&Plan> {
        self.place(name).and_then(|at| self.plans[at].as_ref())
    }

    /// Asks the detectors about `change`, and gives every verdict that is not [`Verdict::No`] to `told`, in the order of their names.
    ///
    /// It comes to the same as to [evaluate](Detector::evaluate) each of them, but that those are not asked which certainly say no;
    /// so a panic that one of these would meet is not seen.
    pub fn evaluate<'r>(&'r self, change: &Change, told: impl FnMut(&'r Detector, Verdict)) {
        self.index.with_places(change, |places| {
            Detector::evaluate_some(places.len(), |at| &self.detectors[places[at] as usize], change, told);
        });
    }

    /// The detectors that are asked about every change: those without a plan, and those whose plan does not say of which changes
    /// they certainly do not hold.
    pub fn always_asked(&self) -> impl Iterator<Item = &Detector> {
        self.index.always().iter().map(|place| &self.detectors[*place as usize])
    }

    /// The detectors that have a plan, each with it.
    pub(crate) fn planned(&self) -> impl Iterator<Item = (&Detector, &Plan)> {
        self.detectors.iter().zip(&*self.plans).filter_map(|(detector, plan)| Some((detector, plan.as_ref()?)))
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.detectors.binary_search_by(|detector| detector.name().cmp(name)).ok()
    }
}
