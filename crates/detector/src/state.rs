//! What does a job take from outside: pools, clients, settings, each found by its type?

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The values a program registered for its jobs, one of each type.
#[derive(Clone, Default)]
pub struct State {
    values: HashMap<TypeId, (&'static str, Arc<dyn Any + Send + Sync>)>,
}

impl State {
    /// Registers `value`; a second value of the same type replaces the first.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.values.insert(TypeId::of::<T>(), (type_name::<T>(), Arc::new(value)));
    }

    /// The registered value of type `T`.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.values.get(&TypeId::of::<T>())?.1.downcast_ref()
    }

    /// Whether a value of the type that `need` names is registered.
    pub fn satisfies(&self, need: &StateNeed) -> bool {
        self.values.contains_key(&(need.id)())
    }

    /// The names of the registered types, sorted.
    pub fn type_names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.values.values().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn require<T: Send + Sync + 'static>(&self) -> Result<&T, MissingState> {
        self.get().ok_or_else(|| MissingState { wanted: type_name::<T>(), registered: self.type_names() })
    }
}

impl fmt::Debug for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.type_names()).finish()
    }
}

/// A type that a job's source asks of the state, so that a program can refuse to start without it.
#[derive(Debug, Clone, Copy)]
pub struct StateNeed {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
}

impl StateNeed {
    /// The need of a value of type `T`.
    pub const fn of<T: Send + Sync + 'static>() -> Self {
        Self { id: TypeId::of::<T>, name: type_name::<T> }
    }

    /// The wanted type's name, for messages.
    pub fn type_name(&self) -> &'static str {
        (self.name)()
    }
}

/// A job asked for state that the program did not register. Trying again cannot help, so it is never retried.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "no state of type `{wanted}` is registered (registered: {}); add `.state(value)` to the program's `App`, or ask with `try_state` if it is optional",
    list(.registered)
)]
pub struct MissingState {
    wanted: &'static str,
    registered: Vec<&'static str>,
}

fn list(names: &[&'static str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::{State, StateNeed};

    #[test]
    fn a_missing_state_names_the_type_the_registered_ones_and_the_cure() {
        let mut state = State::default();
        state.insert(5_u8);

        let error = state.require::<String>().unwrap_err().to_string();

        assert!(error.contains("String") && error.contains("u8") && error.contains(".state(value)"), "{error}");
    }

    #[test]
    fn a_need_is_satisfied_by_its_own_type_only() {
        let mut state = State::default();
        state.insert(5_u8);

        assert!(state.satisfies(&StateNeed::of::<u8>()));
        assert!(!state.satisfies(&StateNeed::of::<u16>()));
    }
}
