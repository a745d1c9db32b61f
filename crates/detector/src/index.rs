//! Which detectors can a change be of interest to, without asking each? (Detectors by namespace, operation, changed column and value.)
//!
//! A detector is left out only where its plan [rules the change out](crate::Plan::rules_out); its own function decides the rest.
//! What a change holds is asked of the change itself, so that there is one meaning of *changed*, *equal* and *unknown*.

mod found;
mod hash;
mod need;
mod values;

use std::borrow::Cow;

use crate::change::{Change, Operation, Others, Side};
use crate::plan::{Constant, Operations, Plan};
use crate::value::Reading;

use found::{Found, add_last};
use hash::Map;
use need::{Equals, Need, Of, needs_of};
use values::Values;

/// Up to this many columns are asked of one by one.
const FEW_GATES: usize = 4;

/// The detectors of a registry, by what their plans need.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Those that are asked about every change.
    always: Vec<u32>,
    /// By collection, then by database.
    spaces: Named<Named<Space>>,
}

/// What is there for one name, and what is there for any.
#[derive(Debug)]
struct Named<T> {
    any: Option<Box<T>>,
    named: Map<Box<str>, T>,
}

/// Detectors of one namespace.
#[derive(Debug, Default)]
struct Space {
    /// Which of the branches concern an operation, by its number.
    by_operation: [Box<[u32]>; Operation::ALL.len()],
    branches: Vec<Branch>,
}

/// Detectors of some operations.
#[derive(Debug, Default)]
struct Branch {
    operations: Operations,
    gates: Vec<Gate>,
    /// Where there are many: by the top-level column, those that need it or a part of it to change.
    by_column: Map<Box<[u8]>, Vec<u32>>,
}

/// Detectors that need one column to change, or none in particular.
#[derive(Debug)]
struct Gate {
    changed: Option<Box<str>>,
    /// Those that need nothing else.
    plain: Vec<u32>,
    columns: Vec<Column>,
}

/// Detectors that need one field to have a value.
#[derive(Debug)]
struct Column {
    of: Of,
    path: Box<str>,
    values: Values,
}

/// One need of one detector.
struct Entry<'p> {
    need: Need<'p>,
    changed: Option<&'p str>,
    equals: Option<Equals<'p>>,
    place: u32,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { any: None, named: Map::default() }
    }
}

impl Index {
    /// The index of detectors whose plans, where they have one, are these.
    pub(crate) fn new(plans: &[Option<Plan>]) -> Self {
        let mut index = Self::default();
        let mut entries = Vec::with_capacity(plans.len());
        for (place, plan) in (0..).zip(plans) {
            let needs = plan.as_ref().map(needs_of);
            match needs.filter(|needs| !needs.iter().any(Need::is_anything)) {
                Some(needs) => {
                    entries.extend(needs.into_iter().map(|need| Entry { need, changed: None, equals: None, place }));
                }
                None => index.always.push(place),
            }
        }
        choose(&mut entries);
        // What belongs together then stands together, and the places in their order.
        entries.sort_by(|one, other| one.order().cmp(&other.order()));
        for entry in &entries {
            index.spaces.entry(entry.need.collection).entry(entry.need.database).add(entry);
        }
        index.spaces.each_mut(|databases| databases.each_mut(Space::finish));
        index
    }

    /// The places of detectors that are asked about every change.
    pub(crate) fn always(&self) -> &[u32] {
        &self.always
    }

    /// Gives `told` the places of the detectors that `change` is not ruled out of, in order, each once.
    #[inline]
    pub(crate) fn with_places<T>(&self, change: &Change, told: impl FnOnce(&[u32]) -> T) -> T {
        let mut found = Found::default();
        found.add(&self.always);
        self.spaces.each(change.collection(), |databases| {
            databases.each(change.database(), |space| space.find(change, &mut found));
        });
        told(found.places())
    }
}

impl<T> Named<T> {
    #[inline]
    fn each<'n>(&'n self, name: &str, mut told: impl FnMut(&'n T)) {
        if let Some(any) = &self.any {
            told(any);
        }
        if !self.named.is_empty()
            && let Some(named) = self.named.get(name)
        {
            told(named);
        }
    }

    fn each_mut(&mut self, mut told: impl FnMut(&mut T)) {
        self.any.iter_mut().for_each(|any| told(any));
        self.named.values_mut().for_each(told);
    }

    fn entry(&mut self, name: Option<&str>) -> &mut T
    where
        T: Default,
    {
        match name {
            None => self.any.get_or_insert_default(),
            Some(name) => self.named.entry(name.into()).or_default(),
        }
    }
}

impl Space {
    #[inline]
    fn find<'i>(&'i self, change: &Change, found: &mut Found<'i>) {
        for branch in &self.by_operation[change.operation() as usize] {
            self.branches[*branch as usize].find(change, found);
        }
    }

    fn add(&mut self, entry: &Entry<'_>) {
        let operations = entry.need.operations;
        let branch =
            last(&mut self.branches, |branch| branch.operations == operations, || Branch { operations, ..Branch::default() });
        let gate = last(
            &mut branch.gates,
            |gate| gate.changed.as_deref() == entry.changed,
            || Gate { changed: entry.changed.map(Into::into), plain: Vec::new(), columns: Vec::new() },
        );
        let Some(Equals { of, path, literals }) = entry.equals else {
            return add_last(&mut gate.plain, entry.place);
        };
        let column = last(
            &mut gate.columns,
            |column| column.of == of && *column.path == *path,
            || Column { of, path: path.into(), values: Values::default() },
        );
        literals.iter().for_each(|literal| column.values.add(literal, entry.place));
    }

    fn finish(&mut self) {
        for (operation, branches) in Operation::ALL.into_iter().zip(&mut self.by_operation) {
            let concerned = (0..).zip(&self.branches).filter(|(_, branch)| branch.operations.contains(operation));
            *branches = concerned.map(|(number, _)| number).collect();
        }
        self.branches.iter_mut().for_each(Branch::finish);
        for gate in self.branches.iter_mut().flat_map(|branch| &mut branch.gates) {
            gate.plain.shrink_to_fit();
            gate.columns.iter_mut().for_each(|column| column.values.shrink());
        }
    }
}

/// What became of a gate in the pass over a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Unseen,
    /// Its column did not change.
    Shut,
    Asked,
}

impl Branch {
    #[inline]
    fn find<'i>(&'i self, change: &Change, found: &mut Found<'i>) {
        if self.by_column.is_empty() {
            return self.gates.iter().for_each(|gate| gate.find(change, found));
        }
        self.find_touched(change, found);
    }

    /// Goes over the columns that the change touched, instead of over those that detectors need.
    fn find_touched<'i>(&'i self, change: &Change, found: &mut Found<'i>) {
        let mut passes = vec![Pass::Unseen; self.gates.len()];
        let others = change.each_touched(|column, may_have_changed| {
            for number in self.by_column.get(column).into_iter().flatten() {
                let (gate, pass) = (&self.gates[*number as usize], &mut passes[*number as usize]);
                if (may_have_changed || gate.is_of_a_part()) && *pass != Pass::Asked {
                    *pass = Pass::Asked;
                    gate.find(change, found);
                } else if *pass == Pass::Unseen {
                    *pass = Pass::Shut;
                }
            }
        });
        let is_left = |gate: &Gate, pass| match others {
            Some(Others::Unchanged) => gate.changed.is_none(),
            Some(Others::Unknown) => pass == Pass::Unseen,
            None => pass != Pass::Asked,
        };
        let left = self.gates.iter().zip(passes).filter(|(gate, pass)| is_left(gate, *pass));
        left.for_each(|(gate, _)| gate.find(change, found));
    }

    fn finish(&mut self) {
        if self.gates.len() <= FEW_GATES {
            return;
        }
        for (number, gate) in (0..).zip(&self.gates) {
            if let Some(path) = gate.changed.as_deref() {
                let column = path.split('.').next().unwrap_or(path);
                self.by_column.entry(column.as_bytes().into()).or_default().push(number);
            }
        }
    }
}

impl Gate {
    /// Whether it needs a part of a column to change. What cannot be read in a column that is the same as before leaves its parts
    /// unknown.
    fn is_of_a_part(&self) -> bool {
        self.changed.as_ref().is_some_and(|path| path.contains('.'))
    }

    /// Asks first what is answered by one row, since most changes are decided by a value.
    #[inline]
    fn find<'i>(&'i self, change: &Change, found: &mut Found<'i>) {
        let Some(path) = &self.changed else {
            found.add(&self.plain);
            return self.columns.iter().for_each(|column| column.find(change, found));
        };
        let mut inside = Found::default();
        self.columns.iter().for_each(|column| column.find(change, &mut inside));
        inside.add(&self.plain);
        if !inside.is_empty() && change.changed(path) != Ok(false) {
            found.append(inside);
        }
    }
}

impl Column {
    #[inline]
    fn find<'i>(&'i self, change: &Change, found: &mut Found<'i>) {
        self.values.find(self.read(change), found);
    }

    #[inline]
    fn read<'c>(&self, change: &'c Change) -> Reading<'c> {
        match self.of {
            Of::Before => change.read(Side::Before, &self.path),
            Of::After => change.read(Side::After, &self.path),
            Of::Left => change.read_left(&self.path),
        }
    }
}

impl<'p> Entry<'p> {
    /// By what they are grouped.
    fn order(&self) -> impl Ord + '_ {
        let equals = self.equals.map(|equals| (equals.of, equals.path));
        (self.need.collection, self.need.database, self.need.operations.bits(), self.changed, equals, self.place)
    }
}

/// The last of `items`, where it `is` the one; else a new one behind it.
fn last<T>(items: &mut Vec<T>, is: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> &mut T {
    if !items.last().is_some_and(is) {
        items.push(new());
    }
    items.last_mut().expect("there is one")
}

/// Chooses for each entry, of the columns and values that it needs, those that the fewest others need.
fn choose(entries: &mut [Entry<'_>]) {
    let mut columns: Map<&str, usize> = Map::default();
    let mut values: Map<(Of, &str, Cow<'_, str>), usize> = Map::default();
    for need in entries.iter().map(|entry| &entry.need) {
        need.changed.iter().for_each(|path| *columns.entry(path).or_default() += 1);
        for Equals { of, path, literals } in &need.equals {
            literals.iter().for_each(|literal| *values.entry((*of, path, name(literal))).or_default() += 1);
        }
    }
    for entry in entries {
        entry.changed = entry.need.changed.iter().copied().min_by_key(|path| columns[path]);
        let wanted = |equals: &Equals<'_>| -> usize {
            equals.literals.iter().map(|literal| values[&(equals.of, equals.path, name(literal))]).sum()
        };
        entry.equals = entry.need.equals.iter().copied().min_by_key(wanted);
    }
}

/// What tells literals apart, nearly.
fn name(literal: &Constant) -> Cow<'_, str> {
    match literal {
        Constant::Text(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
