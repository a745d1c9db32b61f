//! Which expressions are conditions that a plan can state?

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{BinOp, Block, Expr, ExprBinary, ExprGroup, ExprIf, ExprLit, ExprParen, ExprUnary, Lit, UnOp};

use super::LARGEST;
use super::attributes::attributes;
use super::names::{Binding, Scope};
use super::node::Node;
use super::operand::{Read, method, word};
use super::reader::Reader;
use super::statements::{Level, has_pattern};
use super::text::Place;

impl Reader<'_> {
    /// What `expr` states; what is not understood is opaque, and no more than that. In `tail` position its value is the function's.
    pub(super) fn expression(&mut self, expr: &Expr, scope: &Scope, tail: bool) -> Node {
        let left = self.left.take();
        if self.is_too_large {
            return Node::truth(Place::of(TokenStream::new()), true);
        }
        match self.recognised(expr, scope, tail) {
            Some(node) => {
                // What is written once may have to be stated several times, and those again.
                self.is_too_large |= node.size() > LARGEST;
                node
            }
            None => {
                self.left = left;
                self.opaque_expression(expr, scope, tail)
            }
        }
    }

    /// Decides whether it is understood before anything in it is read.
    fn recognised(&mut self, expr: &Expr, scope: &Scope, tail: bool) -> Option<Node> {
        if !attributes(expr).is_empty() {
            return None;
        }
        match expr {
            Expr::Paren(ExprParen { expr: inner, .. }) | Expr::Group(ExprGroup { expr: inner, .. }) => {
                Some(self.expression(inner, scope, tail))
            }
            Expr::Lit(ExprLit { lit: Lit::Bool(value), .. }) => Some(Node::truth(Place::of(expr), value.value)),
            Expr::Unary(ExprUnary { op: UnOp::Not(_), expr: inner, .. }) => {
                let before = self.script.clone();
                match self.expression(inner, scope, false) {
                    // Nothing is known of its opposite either.
                    Node::Opaque { why, .. } => {
                        self.script = before;
                        Some(self.opaque(expr, why, scope, tail))
                    }
                    node => Some(Node::not(Place::of(expr), node)),
                }
            }
            Expr::Binary(ExprBinary { left, op: op @ (BinOp::And(_) | BinOp::Or(_)), right, .. }) => {
                let left_node = self.expression(left, scope, false);
                self.left = ends(left);
                let members = [left_node, self.expression(right, scope, false)];
                let combine = if matches!(op, BinOp::And(_)) { Node::all } else { Node::any };
                Some(combine(Place::of(expr), members))
            }
            Expr::Binary(binary) => self.comparison(binary, scope),
            Expr::MethodCall(_) => self.method(expr, scope),
            Expr::Macro(call) => self.matches(call, scope),
            Expr::Match(choice) => self.match_operation(choice, scope, tail),
            Expr::If(choice) => self.choice(choice, scope, tail),
            Expr::Block(block) if block.label.is_none() => Some(self.block(&block.block, scope, tail)),
            Expr::Return(leave) if tail => Some(self.expression(leave.expr.as_deref()?, scope, true)),
            Expr::Path(_) => match scope.get(&word(expr)?)? {
                Binding::Clause(node) => Some(node.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    fn block(&mut self, block: &Block, scope: &Scope, tail: bool) -> Node {
        self.statements(&block.stmts, scope.clone(), if tail { Level::Tail } else { Level::Inside })
    }

    fn choice(&mut self, choice: &ExprIf, scope: &Scope, tail: bool) -> Option<Node> {
        let (_, otherwise) = choice.else_branch.as_ref()?;
        if has_pattern(&choice.cond) {
            return None;
        }
        let condition = self.expression(&choice.cond, scope, false);
        let then = self.block(&choice.then_branch, scope, tail);
        let otherwise = self.expression(otherwise, scope, tail);
        Some(Node::branch(Place::of(choice), Place::of(&choice.cond), condition, then, otherwise))
    }

    fn comparison(&mut self, binary: &ExprBinary, scope: &Scope) -> Option<Node> {
        let (read, comparison, right) = self.sides(binary, scope)?;
        let right = self.operand(right)?;
        let (constant, right_is_path, krate) = (self.constant(&right), right.is_path, self.krate);
        let (call, negated) = match (&read, comparison) {
            (Read::Field { side, path }, _) => {
                let side = format_ident!("{side}");
                let (path_constant, comparison) = (self.constant(path), format_ident!("{comparison}"));
                let call = quote!(compare(#krate::Side::#side, #path_constant, #krate::Comparison::#comparison, #constant));
                return Some(self.leaf(binary, call, 1, path.is_path || right.is_path, scope));
            }
            (Read::Operation, "Equal" | "NotEqual") if right.is_path => {
                let (op, right) = (&binary.op, &right.tokens);
                let call = quote!(operation(|__operation| __operation #op #right));
                return Some(self.leaf(binary, call, 0, false, scope));
            }
            (Read::Collection, "Equal" | "NotEqual") => (quote!(collection(#constant)), comparison == "NotEqual"),
            (Read::Database, "Equal" | "NotEqual") => (quote!(database(#constant)), comparison == "NotEqual"),
            _ => return None,
        };
        if !negated {
            return Some(self.leaf(binary, call, 0, right.is_path, scope));
        }
        // Where the name is no constant of ours, it is the clause within that is opaque.
        let (left, right) = (&binary.left, &binary.right);
        let equal = self.leaf(&quote!(!(#binary)), call, 0, right_is_path, scope);
        Some(Node::not(Place::of(binary), equal.at(Place::of(quote!(#left == #right)))))
    }

    fn method(&mut self, expr: &Expr, scope: &Scope) -> Option<Node> {
        let (receiver, method, args) = method(expr)?;
        if self.is_change(receiver, scope) {
            return self.method_of_change(expr, &method, &args, scope);
        }
        let Read::Field { side, path } = self.read(receiver, scope)? else { return None };
        let krate = self.krate;
        let side_name = format_ident!("{side}");
        let (path_constant, side) = (self.constant(&path), quote!(#krate::Side::#side_name));
        let (call, weight, names_constant) = match (method.as_str(), &args[..]) {
            ("exists" | "is_missing", []) => (quote!(exists(#side, #path_constant)), 1, path.is_path),
            ("is_null", []) => (quote!(null(#side, #path_constant)), 1, path.is_path),
            ("is_in", [list]) => {
                let (list, weight) = self.operands(list)?;
                let constants = self.constants(&list);
                (quote!(within(#side, #path_constant, #constants)), weight, path.is_path || list.is_path)
            }
            _ => return None,
        };
        if method == "is_missing" {
            let exists = self.leaf(&quote!(!#expr), call, weight, names_constant, scope);
            let field = Place::of(receiver);
            let place = Place { text: format!("{}.exists()", field.text), line: field.line };
            return Some(Node::not(Place::of(expr), exists.at(place)));
        }
        Some(self.leaf(expr, call, weight, names_constant, scope))
    }

    fn method_of_change(&mut self, expr: &Expr, method: &str, args: &[&Expr], scope: &Scope) -> Option<Node> {
        let operands: Vec<_> = args.iter().map(|arg| self.operand(arg)).collect::<Option<_>>()?;
        let constants: Vec<TokenStream> = operands.iter().map(|operand| self.constant(operand)).collect();
        let krate = self.krate;
        let is = |operation: &str| {
            let operation = format_ident!("{operation}");
            (quote!(operation(|__operation| __operation == #krate::Operation::#operation)), 0)
        };
        let (call, weight) = match (method, &constants[..]) {
            ("is_insert", []) => is("Insert"),
            ("is_update", []) => is("Update"),
            ("is_delete", []) => is("Delete"),
            ("is_manual", []) => is("Manual"),
            ("column_changed", [path]) => (quote!(changed(#path)), 1),
            ("became", [path, to]) => (quote!(became(#path, #to)), 1),
            ("changed_from_to", [path, from, to]) => (quote!(from_to(#path, #from, #to)), 1),
            _ => return None,
        };
        let names_constant = operands.iter().any(|operand| operand.is_path);
        Some(self.leaf(&expr.to_token_stream(), call, weight, names_constant, scope))
    }
}

/// The places of the first and the last token.
fn ends(expr: &Expr) -> Option<(Span, Span)> {
    let mut tokens = expr.to_token_stream().into_iter();
    let first = tokens.next()?;
    let last = tokens.last().unwrap_or_else(|| first.clone());
    let of_group = |token: &TokenTree, place: fn(&Group) -> Span| match token {
        TokenTree::Group(group) => place(group),
        other => other.span(),
    };
    Some((of_group(&first, Group::span_open), of_group(&last, Group::span_close)))
}
