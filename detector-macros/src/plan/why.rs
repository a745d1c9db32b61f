//! Why is code not understood? In a few words, for people who wonder why their event is asked about every change.

use quote::ToTokens;
use syn::{BinOp, Expr};

use super::operand::{bare, comparison, method};
use super::text::Place;

pub(super) fn why(expr: &Expr, is_change: impl Fn(&Expr) -> bool) -> String {
    match bare(expr) {
        Expr::MethodCall(call) => match method_of_change(expr, &is_change) {
            Some(method) => format!("`{method}` is read in a way that only the code itself can follow"),
            None => format!("`{}` is a method that plans do not know", call.method),
        },
        Expr::Call(call) => format!("it calls the function `{}`", Place::of(&call.func).text),
        Expr::Macro(call) => format!("it calls the macro `{}!`", Place::of(&call.mac.path).text),
        Expr::Binary(binary) => match &binary.op {
            op @ (BinOp::BitXor(_) | BinOp::BitAnd(_) | BinOp::BitOr(_)) => {
                format!("plans do not know the operator `{}` of truth values", op.to_token_stream())
            }
            op if comparison(op).is_none() => format!("plans do not know the operator `{}`", op.to_token_stream()),
            _ => match method_of_change(&binary.left, &is_change) {
                Some(method) if !matches!(method.as_str(), "before" | "after" | "collection" | "database" | "operation") => {
                    format!("`{method}` is read in a way that only the code itself can follow")
                }
                _ => "it is no comparison of a field on the left with a literal or a constant on the right".to_owned(),
            },
        },
        Expr::Path(path) => format!("`{}` is a value that only the code itself knows", Place::of(path).text),
        Expr::If(_) => "it is an `if` with a pattern, or one without an `else`".to_owned(),
        Expr::Match(_) => "it is a `match` of something else than the operation".to_owned(),
        Expr::Block(_) => "it is a block with statements".to_owned(),
        Expr::Closure(_) => "it is a closure".to_owned(),
        _ => "plans do not know this kind of expression".to_owned(),
    }
}

/// The method of the change that a chain of calls begins with, as far as more follows.
fn method_of_change(expr: &Expr, is_change: &impl Fn(&Expr) -> bool) -> Option<String> {
    match bare(expr) {
        Expr::MethodCall(call) if is_change(&call.receiver) => Some(call.method.to_string()),
        Expr::MethodCall(call) => method_of_change(&call.receiver, is_change),
        Expr::Unary(unary) => method_of_change(&unary.expr, is_change),
        _ => method(expr).and_then(|(receiver, ..)| method_of_change(receiver, is_change)),
    }
}
