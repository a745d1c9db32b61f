//! What may stand in a clause: a look at the change, and what it is compared with?

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{BinOp, Expr, ExprBinary, ExprLit, ExprMethodCall, ExprUnary, Lit, UnOp};

use super::attributes::attributes;
use super::names::{Binding, Scope, name};
use super::reader::Reader;

/// A look at the change that consults nothing by itself.
#[derive(Clone)]
pub(super) enum Read {
    /// A field of one image.
    Field {
        side: &'static str,
        path: Operand,
    },
    Collection,
    Database,
    Operation,
}

/// A literal, or a path that no local binds.
#[derive(Clone)]
pub(super) struct Operand {
    pub(super) tokens: TokenStream,
    pub(super) is_path: bool,
}

/// An expression without the parentheses around it.
pub(super) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(paren) if paren.attrs.is_empty() => bare(&paren.expr),
        Expr::Group(group) if group.attrs.is_empty() => bare(&group.expr),
        other => other,
    }
}

/// A call of a method without type arguments: its receiver, its name and its arguments.
pub(super) fn method(expr: &Expr) -> Option<(&Expr, String, Vec<&Expr>)> {
    match bare(expr) {
        Expr::MethodCall(ExprMethodCall { attrs, receiver, method, turbofish: None, args, .. }) if attrs.is_empty() => {
            Some((bare(receiver), name(method), args.iter().collect()))
        }
        _ => None,
    }
}

/// A path of one word.
pub(super) fn word(expr: &Expr) -> Option<String> {
    match bare(expr) {
        Expr::Path(path) if path.attrs.is_empty() && path.qself.is_none() => path.path.get_ident().map(name),
        _ => None,
    }
}

/// The operator's name in `Comparison`.
pub(super) fn comparison(op: &BinOp) -> Option<&'static str> {
    match op {
        BinOp::Eq(_) => Some("Equal"),
        BinOp::Ne(_) => Some("NotEqual"),
        BinOp::Lt(_) => Some("Less"),
        BinOp::Le(_) => Some("LessOrEqual"),
        BinOp::Gt(_) => Some("Greater"),
        BinOp::Ge(_) => Some("GreaterOrEqual"),
        _ => None,
    }
}

impl Reader<'_> {
    /// Whether `expr` is the change itself.
    pub(super) fn is_change(&self, expr: &Expr, scope: &Scope) -> bool {
        word(expr).is_some_and(|word| self.parameter.as_deref() == Some(&*word) && scope.get(&word).is_none())
    }

    pub(super) fn read(&self, expr: &Expr, scope: &Scope) -> Option<Read> {
        if let Some(word) = word(expr) {
            return match scope.get(&word)? {
                Binding::Read(read) => Some(read.clone()),
                _ => None,
            };
        }
        let (receiver, method, args) = method(expr)?;
        if !self.is_change(receiver, scope) {
            return None;
        }
        match (method.as_str(), &args[..]) {
            ("before", [path]) => Some(Read::Field { side: "Before", path: self.operand(path)? }),
            ("after", [path]) => Some(Read::Field { side: "After", path: self.operand(path)? }),
            ("collection", []) => Some(Read::Collection),
            ("database", []) => Some(Read::Database),
            ("operation", []) => Some(Read::Operation),
            _ => None,
        }
    }

    pub(super) fn operand(&self, expr: &Expr) -> Option<Operand> {
        let expr = bare(expr);
        if !attributes(expr).is_empty() {
            return None;
        }
        let is_path = match expr {
            Expr::Lit(ExprLit { lit, .. }) => {
                matches!(lit, Lit::Str(_) | Lit::Int(_) | Lit::Float(_) | Lit::Bool(_)).then_some(false)?
            }
            Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr: number, .. }) => match bare(number) {
                Expr::Lit(ExprLit { attrs, lit: Lit::Int(_) | Lit::Float(_) }) => attrs.is_empty().then_some(false)?,
                _ => return None,
            },
            Expr::Path(path) if path.qself.is_none() && self.knows_paths => {
                let is_local = path.path.get_ident().is_some_and(|word| {
                    let word = name(word);
                    self.parameter.as_deref() == Some(&*word) || self.bound.contains(&word)
                });
                if is_local {
                    return None;
                }
                true
            }
            _ => return None,
        };
        Some(Operand { tokens: expr.to_token_stream(), is_path })
    }

    /// The elements of an array that is written out, or a constant that is one; with the number of elements, where it is seen.
    pub(super) fn operands(&self, expr: &Expr) -> Option<(Operand, usize)> {
        let Expr::Array(array) = bare(expr) else {
            return self.operand(expr).filter(|operand| operand.is_path).map(|operand| (operand, usize::MAX));
        };
        if array.elems.is_empty() || !array.attrs.is_empty() {
            return None;
        }
        let elements: Vec<Operand> = array.elems.iter().map(|element| self.operand(element)).collect::<Option<_>>()?;
        let is_path = elements.iter().any(|element| element.is_path);
        Some((Operand { tokens: array.to_token_stream(), is_path }, elements.len()))
    }

    /// The expression that makes a constant of it, where it is one of ours.
    pub(super) fn constant(&self, operand: &Operand) -> TokenStream {
        let (private, tokens) = (&self.private, &operand.tokens);
        quote!((&#private::Const(&#tokens)).__constant())
    }

    pub(super) fn constants(&self, operand: &Operand) -> TokenStream {
        let (private, tokens) = (&self.private, &operand.tokens);
        quote!((&#private::Const(&#tokens)).__constants())
    }

    /// The two sides of a comparison.
    pub(super) fn sides<'e>(&self, expr: &'e ExprBinary, scope: &Scope) -> Option<(Read, &'static str, &'e Expr)> {
        Some((self.read(&expr.left, scope)?, comparison(&expr.op)?, bare(&expr.right)))
    }
}
