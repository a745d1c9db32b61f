//! How do the statements of a body become one condition?

use std::collections::BTreeSet;

use quote::{ToTokens, quote};
use syn::{Block, Expr, ExprIf, Local, Pat, Stmt};

use super::names::{Binding, Scope, bound_by, has_word, names_of, returns_only_false};
use super::node::{Leaf, Node};
use super::reader::Reader;
use super::text::Place;

/// Larger conditions are not written again where a name stands for them.
const LARGEST_BOUND: usize = 32;

/// Where statements stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// They are the body itself.
    Body,
    /// In a block whose value is that of the function.
    Tail,
    /// In a block within an expression.
    Inside,
}

impl Level {
    pub(super) fn is_tail(self) -> bool {
        self != Self::Inside
    }

    fn below(self) -> Self {
        match self {
            Self::Body => Self::Tail,
            other => other,
        }
    }
}

impl Reader<'_> {
    /// What `statements` come to.
    pub(super) fn statements(&mut self, statements: &[Stmt], scope: Scope, level: Level) -> Node {
        let Some((first, rest)) = statements.split_first() else {
            return self.rest(statements, "it ends without a value", &scope, level);
        };
        if level != Level::Body && statements.iter().any(|statement| matches!(statement, Stmt::Item(_))) {
            return self.rest(statements, "it declares items", &scope, level);
        }
        match first {
            Stmt::Expr(expr, None) if rest.is_empty() => self.expression(expr, &scope, level.is_tail()),
            Stmt::Expr(Expr::Return(leave), _) if level.is_tail() && leave.attrs.is_empty() => match &leave.expr {
                Some(value) => self.expression(value, &scope, true),
                None => self.rest(statements, "it ends without a value", &scope, level),
            },
            Stmt::Expr(Expr::If(guard), _) if level.is_tail() && is_guard(guard) => {
                let condition = self.expression(&guard.cond, &scope, false);
                let then = self.statements(&guard.then_branch.stmts, scope.clone(), level.below());
                let otherwise = self.statements(rest, scope, level);
                Node::branch(place(statements), Place::of(guard), condition, then, otherwise)
            }
            Stmt::Local(local) if local.attrs.is_empty() => self.local(local, statements, rest, scope, level),
            // The reader has it already.
            Stmt::Item(_) => self.statements(rest, scope, level),
            _ => self.rest(statements, reason(first), &scope, level),
        }
    }

    /// All of `statements` as one clause that is not understood.
    fn rest(&mut self, statements: &[Stmt], why: &str, scope: &Scope, level: Level) -> Node {
        let code = quote!(#(#statements)*);
        if level == Level::Body {
            let nth = self.script.clauses;
            self.script.clauses += 1;
            let others = statements.iter().filter(|statement| !matches!(statement, Stmt::Item(_)));
            self.script.end = Some(quote!(#(#others)*));
            return Node::Opaque { place: Place::of(code), why: why.to_owned(), ask: Some(nth) };
        }
        let ask = self.ask(&quote!({ #code }), scope, level.is_tail());
        Node::Opaque { place: Place::of(code), why: why.to_owned(), ask }
    }

    fn local(&mut self, local: &Local, statements: &[Stmt], rest: &[Stmt], mut scope: Scope, level: Level) -> Node {
        let names = bound_by(&local.pat);
        if self.parameter.as_ref().is_some_and(|parameter| names.contains(parameter)) {
            return self.rest(statements, "it gives the name of the change to something else", &scope, level);
        }
        if !returns_only_false(local.to_token_stream()) || (level == Level::Inside && has_word(local, "return")) {
            return self.rest(statements, "a `let` may leave the function", &scope, level);
        }
        let binding = self.binding(local, &scope);
        let mut eager = None;
        match binding {
            Binding::Clause(mut node) => {
                self.lets += 1;
                node.bind(self.lets);
                eager = Some((self.lets, node.clone()));
                self.bind(&names, &Binding::Clause(node), local, &mut scope, level);
            }
            Binding::Read(read) => self.bind(&names, &Binding::Read(read), local, &mut scope, level),
            Binding::Local => {
                self.bind(&names, &Binding::Local, local, &mut scope, level);
                let ask = (level == Level::Body).then(|| {
                    let nth = self.script.clauses;
                    self.script.clauses += 1;
                    self.script.code.extend(quote!(if __nth == #nth { return true; }));
                    nth
                });
                let why = "its value is one that only the code itself knows".to_owned();
                let opaque = Node::Opaque { place: Place::of(local), why, ask };
                return Node::all(place(statements), [opaque, self.statements(rest, scope, level)]);
            }
        }
        let whole = place(statements);
        let rest = self.statements(rest, scope, level);
        match eager {
            // The function asks it here, needed or not, and the plan in the same order.
            Some((number, node)) if node.consults() && !(self.is_lazy && comes_first(number, &rest)) => {
                let place = Place::of(local);
                let asked = Node::any(place.clone(), [node, Node::truth(place, true)]);
                Node::all(whole, [asked, rest])
            }
            _ => rest,
        }
    }

    /// What the name of a `let` stands for.
    fn binding(&mut self, local: &Local, scope: &Scope) -> Binding {
        let Some(init) = local.init.as_ref().filter(|init| init.diverge.is_none() && is_plain(&local.pat)) else {
            return Binding::Local;
        };
        if let Some(read) = self.read(&init.expr, scope) {
            return Binding::Read(read);
        }
        let before = self.script.clone();
        let node = self.expression(&init.expr, scope, false);
        if node.is_exact() && node.size() <= LARGEST_BOUND {
            return Binding::Clause(node);
        }
        self.script = before;
        Binding::Local
    }

    fn bind(&mut self, names: &BTreeSet<String>, binding: &Binding, local: &Local, scope: &mut Scope, level: Level) {
        if level == Level::Body {
            // Names that only recognised clauses use are used here. One without a value yet is used by what gives it one.
            let used = if local.init.is_some() { names_of(&local.pat) } else { Vec::new() };
            self.script.code.extend(quote!(#local #(let _ = &#used;)*));
            if matches!(binding, Binding::Local) {
                self.script.leading.extend(names.iter().cloned());
            }
        } else {
            self.leave_out(local);
        }
        for name in names {
            if level == Level::Body {
                scope.bind(name.clone(), binding.clone());
            } else {
                scope.bind_inside(name.clone(), binding.clone());
            }
        }
    }
}

/// Whether `rest` asks the clause of the `let` with this number before any other that may consult an unknown, but for those of
/// earlier `let`s, so that it does not matter that the function asks it where it is bound.
fn comes_first(number: usize, rest: &Node) -> bool {
    let members = match rest {
        Node::All(_, members) | Node::Any(_, members) => members,
        other => std::slice::from_ref(other),
    };
    for member in members.iter().filter(|member| member.consults()) {
        match member {
            Node::Leaf(Leaf { bound: Some(bound), weight: 1, names_constant: false, .. }) if *bound <= number => {
                if *bound == number {
                    return true;
                }
            }
            _ => return false,
        }
    }
    false
}

fn place(statements: &[Stmt]) -> Place {
    Place::of(quote!(#(#statements)*))
}

/// `if condition { …; return value; }`.
fn is_guard(guard: &ExprIf) -> bool {
    guard.attrs.is_empty() && guard.else_branch.is_none() && !has_pattern(&guard.cond) && returns(&guard.then_branch)
}

fn returns(block: &Block) -> bool {
    block.stmts.iter().any(|statement| matches!(statement, Stmt::Expr(Expr::Return(_), _)))
}

/// Whether a condition has a `let`.
pub(super) fn has_pattern(condition: &Expr) -> bool {
    match condition {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_pattern(&binary.left) || has_pattern(&binary.right),
        Expr::Paren(paren) => has_pattern(&paren.expr),
        Expr::Group(group) => has_pattern(&group.expr),
        Expr::Unary(unary) => has_pattern(&unary.expr),
        _ => false,
    }
}

/// A name, with or without its type.
fn is_plain(pattern: &Pat) -> bool {
    match pattern {
        Pat::Ident(pattern) => {
            pattern.attrs.is_empty() && pattern.by_ref.is_none() && pattern.mutability.is_none() && pattern.subpat.is_none()
        }
        Pat::Type(typed) => typed.attrs.is_empty() && matches!(*typed.pat, Pat::Ident(_)) && is_plain(&typed.pat),
        _ => false,
    }
}

fn reason(statement: &Stmt) -> &'static str {
    match statement {
        Stmt::Local(_) => "a `let` has an attribute",
        Stmt::Item(_) => "it declares items",
        Stmt::Macro(_) => "it calls a macro as a statement",
        Stmt::Expr(Expr::If(_), _) => "it is an `if` that plans do not follow",
        Stmt::Expr(Expr::ForLoop(_) | Expr::While(_) | Expr::Loop(_), _) => "it is a loop",
        Stmt::Expr(..) => "it is a statement that plans do not follow",
    }
}
