//! How does the expansion of `#[event]` write a plan down? (Nothing else calls this.)
//!
//! A part that turns out to be no constant of ours makes its clause opaque.

use std::borrow::Cow;
use std::cell::Cell;

use crate::change::{Change, Operation, Side};

use super::{Ask, Clause, Comparison, Condition, Constant, Operations};

/// Where a clause stands in the source code: its text on one line, and its line in the file.
#[derive(Debug, Clone, Copy)]
pub struct At(pub &'static str, pub u32);

const NO_CONSTANT: &str = "a part of it is no constant of a type that fields are compared with here";

impl At {
    fn clause(self, condition: Condition) -> Clause {
        Clause { condition, text: Cow::Borrowed(self.0), line: self.1 }
    }

    fn known(self, condition: Option<Condition>) -> Clause {
        self.clause(condition.unwrap_or(Condition::Opaque { why: NO_CONSTANT.into(), ask: None }))
    }

    /// Each of these.
    pub fn all(self, clauses: Vec<Clause>) -> Clause {
        self.clause(Condition::All { clauses })
    }

    /// One of these.
    pub fn any(self, clauses: Vec<Clause>) -> Clause {
        self.clause(Condition::Any { clauses })
    }

    /// Not this.
    pub fn not(self, clause: Clause) -> Clause {
        self.clause(Condition::Not { clause: Box::new(clause) })
    }

    /// The operations that a pattern, a comparison or a predicate of the change says yes to.
    pub fn operation(self, holds: impl Fn(Operation) -> bool) -> Clause {
        self.clause(Condition::Operation { operations: Operations::of(holds) })
    }

    /// The operations that `matches` says yes to. It may be a macro of the user's own: one that does not come to its end, because
    /// it leaves the function, says nothing.
    pub fn operation_matching(self, matches: impl Fn(Operation, &Cell<bool>) -> bool) -> Clause {
        match Operation::ALL.into_iter().all(|operation| ended(&matches, operation).is_some()) {
            true => self.operation(|operation| ended(&matches, operation) == Some(true)),
            false => self.opaque("the macro leaves the function"),
        }
    }

    /// The collection is this.
    pub fn collection(self, name: Option<Constant>) -> Clause {
        self.known(text(name).map(|name| Condition::Collection { name }))
    }

    /// The database is this.
    pub fn database(self, name: Option<Constant>) -> Clause {
        self.known(text(name).map(|name| Condition::Database { name }))
    }

    /// The collection is one of `names`, if these are what `matches` says yes to; it may be a macro that means something else.
    pub fn collection_in(self, names: &[&'static str], matches: impl Fn(&str, &Cell<bool>) -> bool) -> Clause {
        self.one_of(names, matches, |name| Condition::Collection { name })
    }

    /// The database is one of `names`, if these are what `matches` says yes to.
    pub fn database_in(self, names: &[&'static str], matches: impl Fn(&str, &Cell<bool>) -> bool) -> Clause {
        self.one_of(names, matches, |name| Condition::Database { name })
    }

    fn one_of(
        self,
        names: &[&'static str],
        matches: impl Fn(&str, &Cell<bool>) -> bool,
        is: fn(Cow<'static, str>) -> Condition,
    ) -> Clause {
        let others = names.iter().flat_map(|name| {
            // What stands for other characters in patterns of all sorts is no letter.
            let (other, without) = (name.replace(is_mark, "x"), name.replace(is_mark, ""));
            [format!("{name}s"), name.to_uppercase(), name.chars().skip(1).collect(), other, without]
        });
        let mut others = others.chain([String::new(), "?".to_owned()]).filter(|other| !names.contains(&other.as_str()));
        let says = |name: &str, answer| ended(|name, has_ended| matches(name, has_ended), name) == Some(answer);
        if !names.iter().all(|name| says(name, true)) || !others.all(|other| says(&other, false)) {
            return self.opaque("the macro means something else than the standard library's");
        }
        let mut clauses: Vec<Clause> = names.iter().map(|name| self.clause(is(Cow::Borrowed(name)))).collect();
        if clauses.len() == 1 { clauses.remove(0) } else { self.any(clauses) }
    }

    /// The column changed.
    pub fn changed(self, path: Option<Constant>) -> Clause {
        self.known(text(path).map(|path| Condition::Changed { path }))
    }

    /// A field beside a constant.
    pub fn compare(self, side: Side, path: Option<Constant>, comparison: Comparison, literal: Option<Constant>) -> Clause {
        let parts = text(path).zip(literal);
        self.known(parts.map(|(path, literal)| Condition::Compare { side, path, comparison, literal }))
    }

    /// The field is there.
    pub fn exists(self, side: Side, path: Option<Constant>) -> Clause {
        self.known(text(path).map(|path| Condition::Exists { side, path }))
    }

    /// The field is there and null.
    pub fn null(self, side: Side, path: Option<Constant>) -> Clause {
        self.known(text(path).map(|path| Condition::Null { side, path }))
    }

    /// The field equals one of these.
    pub fn within(self, side: Side, path: Option<Constant>, literals: Option<Vec<Constant>>) -> Clause {
        let parts = text(path).zip(literals);
        self.known(parts.map(|(path, literals)| Condition::In { side, path, literals }))
    }

    /// The field became this.
    pub fn became(self, path: Option<Constant>, literal: Option<Constant>) -> Clause {
        let parts = text(path).zip(literal);
        self.known(parts.map(|(path, literal)| Condition::Became { path, literal }))
    }

    /// The field was this and is that.
    pub fn from_to(self, path: Option<Constant>, from: Option<Constant>, to: Option<Constant>) -> Clause {
        let parts = text(path).zip(from).zip(to);
        self.known(parts.map(|((path, from), to)| Condition::FromTo { path, from, to }))
    }

    /// Code that is not understood, and why.
    pub fn opaque(self, why: &'static str) -> Clause {
        self.clause(Condition::Opaque { why: why.into(), ask: None })
    }
}

impl Clause {
    /// Says how the clause is asked on its own, should it be opaque.
    #[must_use]
    pub fn asked(mut self, function: fn(&Change, u32) -> bool, nth: u32) -> Self {
        if let Condition::Opaque { ask, .. } = &mut self.condition {
            *ask = Some(Ask { function, nth });
        }
        self
    }
}

/// The change in a clause that is asked about one part of it: it answers what it was given.
#[derive(Debug, Clone, Copy)]
pub struct AskedChange<T>(pub T);

impl AskedChange<Operation> {
    /// The operation.
    pub fn operation(self) -> Operation {
        self.0
    }
}

impl<'n> AskedChange<&'n str> {
    /// The name, as the collection's.
    pub fn collection(self) -> &'n str {
        self.0
    }

    /// The name, as the database's.
    pub fn database(self) -> &'n str {
        self.0
    }
}

/// What `matches` says of `asked`, where it comes to its end.
fn ended<T>(matches: impl Fn(T, &Cell<bool>) -> bool, asked: T) -> Option<bool> {
    let has_ended = Cell::new(false);
    let answer = matches(asked, &has_ended);
    has_ended.get().then_some(answer)
}

fn is_mark(c: char) -> bool {
    !c.is_alphanumeric()
}

fn text(constant: Option<Constant>) -> Option<Cow<'static, str>> {
    match constant? {
        Constant::Text(text) => Some(text),
        _ => None,
    }
}
