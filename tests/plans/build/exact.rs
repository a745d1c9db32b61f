//! Which predicates are made of recognised forms only?

use crate::Body;
use crate::words::{CONSTANTS, Holds, Words};

/// Operators that stand between a field and a literal.
const COMPARISONS: [&str; 10] = ["==", "==", "==", "==", "!=", "!=", "<", "<=", ">", ">="];
const OPERATIONS: [&str; 6] = ["Insert", "Update", "Update", "Update", "Delete", "Manual"];
const RARE_OPERATIONS: [&str; 8] = ["Drop", "Rename", "DropDatabase", "Shard", "Create", "Invalidate", "Modify", "Other"];
const NAMES: [&str; 5] = ["change", "change", "change", "c", "row"];
/// Unknowns that a predicate consults at most, where a `let` is to be followed although it is evaluated early.
const FEW: usize = 6;
const MANY: usize = FEW + 1;

/// A condition in source code.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) text: String,
    binds: Binds,
    /// How many unknowns it consults at most.
    weight: usize,
}

/// How strongly an expression holds together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binds {
    /// `if` and its kin.
    Block,
    Or,
    And,
    Comparison,
    Unary,
}

impl Expr {
    fn new(text: String, binds: Binds, weight: usize) -> Self {
        Self { text, binds, weight }
    }

    /// As an operand of what binds as `of`.
    fn within(&self, of: Binds) -> String {
        if self.binds < of { format!("({})", self.text) } else { self.text.clone() }
    }

    /// In parentheses, unless it needs none anywhere.
    pub(crate) fn closed(&self) -> String {
        self.within(Binds::Unary)
    }
}

/// Writes conditions over a change of a name.
pub(crate) struct Exact<'w> {
    pub(crate) words: &'w mut Words,
    pub(crate) change: &'static str,
    /// The reads that a `let` gave a name, and what they hold.
    fields: Vec<(String, Holds)>,
    /// The names of what else was read.
    operation: Option<&'static str>,
    collection: Option<&'static str>,
}

pub(crate) fn body(words: &mut Words) -> Body {
    let change = words.one(&NAMES);
    let mut exact = Exact::new(words, change);
    let mut statements = exact.lets();
    let (rest, weight) = exact.rest();
    let (flags, flagged) = exact.flags(weight);
    statements.extend(flags);
    statements.extend(rest);
    if let Some(flagged) = flagged
        && let Some(last) = statements.last_mut()
    {
        // What was asked early is used in the end.
        *last = match last.strip_prefix("return ").and_then(|last| last.strip_suffix(';')) {
            Some(last) => format!("return {flagged} && ({last});"),
            None => format!("{flagged} && ({last})"),
        };
    }
    let inside =
        if exact.words.chance(15) { "        const DONE: &str = \"new\";\n        use Operation as Kind;\n" } else { "" };
    let of = match exact.words.below(4) {
        0 => "event_detector::Change",
        1 => "Row",
        _ => "Change",
    };
    let alias = if of == "Row" { "    use event_detector::Change as Row;\n" } else { "" };
    let attribute = if exact.words.chance(10) { "    /// Whether it happened.\n    #[inline]\n" } else { "" };
    let body: String = statements.iter().map(|line| format!("        {line}\n")).collect();
    let items = format!("{CONSTANTS}{alias}\n{attribute}    fn detect({change}: &{of}) -> bool {{\n{inside}{body}    }}\n");
    Body { items }
}

impl<'w> Exact<'w> {
    pub(crate) fn new(words: &'w mut Words, change: &'static str) -> Self {
        Self { words, change, fields: Vec::new(), operation: None, collection: None }
    }

    /// Leading reads that have a name.
    fn lets(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let change = self.change;
        if self.words.chance(15) {
            lines.push(format!("let operation = {change}.operation();"));
            self.operation = Some("operation");
        }
        if self.words.chance(15) {
            lines.push(format!("let collection = {change}.collection();"));
            self.collection = Some("collection");
        }
        while self.words.chance(20) && self.fields.len() < 3 {
            let (path, holds) = self.words.path();
            let side = self.words.one(&["after", "after", "before"]);
            // The second of a name hides the first.
            let name = self.words.one(&["field", "other", "status"]);
            lines.push(format!("let {name} = {change}.{side}({path});"));
            self.fields.retain(|(known, _)| known != name);
            self.fields.push((name.to_owned(), holds));
        }
        lines
    }

    /// A condition that is asked before it is needed, where so few unknowns are asked in all that it makes no difference.
    fn flags(&mut self, weight: usize) -> (Vec<String>, Option<String>) {
        if !self.words.chance(25) {
            return (Vec::new(), None);
        }
        let early = self.any(1);
        if weight + early.weight > FEW {
            return (Vec::new(), None);
        }
        (vec![format!("let early = {};", early.text)], Some("early".to_owned()))
    }

    /// Guards, and what is answered in the end.
    fn rest(&mut self) -> (Vec<String>, usize) {
        let mut lines = Vec::new();
        let mut weight = 0;
        if self.words.chance(25) {
            let guard = self.scope();
            lines.push(format!("if !({}) {{\n            return false;\n        }}", guard.text));
            weight += guard.weight;
        }
        if self.words.chance(20) {
            let (guard, answer) = (self.all(), self.words.one(&["true", "false", "{}"]));
            let other = self.any(1);
            let answer = answer.replace("{}", &other.text);
            lines.push(format!("if {} {{\n            return {answer};\n        }}", guard.text));
            weight += guard.weight + other.weight;
        }
        let depth = self.words.one(&[1, 2, 2, 3]);
        let mut last = self.any(depth);
        if lines.is_empty() || self.words.chance(50) {
            let scope = self.scope();
            last =
                Expr::new(format!("{} && {}", scope.within(Binds::And), last.closed()), Binds::And, scope.weight + last.weight);
        }
        weight += last.weight;
        lines.push(if self.words.chance(10) { format!("return {};", last.text) } else { last.text });
        (lines, weight)
    }

    /// What mostly stands first: where the change is from.
    pub(crate) fn scope(&mut self) -> Expr {
        let change = self.change;
        let collection = match self.words.below(6) {
            0 => "MOVES".to_owned(),
            1 => "crate::constants::ORDERS".to_owned(),
            _ => self.words.collection(),
        };
        let read = self.collection.map_or_else(|| format!("{change}.collection()"), str::to_owned);
        match self.words.below(12) {
            0 => Expr::new(format!("{read} != {collection}"), Binds::Comparison, 0),
            1 => Expr::new(format!("{change}.database() == {}", self.words.database()), Binds::Comparison, 0),
            2 => Expr::new(format!("{change}.database() != {}", self.words.database()), Binds::Comparison, 0),
            3 => Expr::new(format!("{read} == {collection} && {change}.is_update()"), Binds::And, 0),
            4 => Expr::new(format!("{change}.is_update() && {read} == {collection}"), Binds::And, 0),
            _ => Expr::new(format!("{read} == {collection}"), Binds::Comparison, 0),
        }
    }

    /// Any condition, `depth` deep at most.
    pub(crate) fn any(&mut self, depth: usize) -> Expr {
        if depth == 0 {
            return self.leaf();
        }
        match self.words.below(20) {
            0..3 => self.joined(depth, "&&", Binds::And),
            3..9 => self.joined(depth, "||", Binds::Or),
            9..11 => {
                let inner = self.any(depth - 1);
                Expr::new(format!("!{}", inner.closed()), Binds::Unary, inner.weight)
            }
            11..13 => self.branches(depth),
            13 => {
                let inner = self.any(depth - 1);
                Expr::new(format!("{{ {} }}", inner.text), Binds::Block, inner.weight)
            }
            14 => self.many(),
            15 => self.arms(depth),
            16 if self.words.chance(50) => Expr::new(self.words.one(&["true", "true", "false"]).to_owned(), Binds::Unary, 0),
            _ => self.leaf(),
        }
    }

    fn joined(&mut self, depth: usize, operator: &str, binds: Binds) -> Expr {
        let parts: Vec<Expr> = (0..2 + self.words.below(4) / 3).map(|_| self.any(depth - 1)).collect();
        let texts: Vec<String> = parts.iter().map(|part| part.within(binds)).collect();
        Expr::new(texts.join(&format!(" {operator} ")), binds, parts.iter().map(|part| part.weight).sum())
    }

    fn all(&mut self) -> Expr {
        let (left, right) = (self.scope(), self.leaf());
        Expr::new(format!("{} && {}", left.within(Binds::And), right.within(Binds::And)), Binds::And, left.weight + right.weight)
    }

    fn branches(&mut self, depth: usize) -> Expr {
        let (condition, yes) = (self.any(depth - 1), self.any(depth - 1));
        // The condition is asked once, and stated twice.
        let mut weight = 2 * condition.weight + yes.weight;
        let mut branch = |exact: &mut Self| {
            let branch = exact.any(depth - 1);
            weight += branch.weight;
            branch.text
        };
        let (yes, no) = match self.words.below(5) {
            0 => (yes.text, "{ false }".to_owned()),
            1 => ("true".to_owned(), format!("{{ {} }}", branch(self))),
            2 => (yes.text, format!("if {} {{ {} }} else {{ {} }}", branch(self), branch(self), branch(self))),
            _ => (yes.text, format!("{{ {} }}", branch(self))),
        };
        Expr::new(format!("if {} {{ {yes} }} else {no}", condition.text), Binds::Block, weight)
    }

    /// Many unknowns one after another, where too many of them leave the whole undecided.
    fn many(&mut self) -> Expr {
        let operator = self.words.one(&["||", "||", "||", "||", "||", "&&"]);
        let binds = if operator == "||" { Binds::Or } else { Binds::And };
        let leaves: Vec<Expr> = (0..4 + self.words.below(5)).map(|_| self.leaf()).collect();
        let texts: Vec<String> = leaves.iter().map(|leaf| leaf.within(binds)).collect();
        Expr::new(texts.join(&format!(" {operator} ")), binds, leaves.iter().map(|leaf| leaf.weight).sum())
    }

    fn arms(&mut self, depth: usize) -> Expr {
        let mut weight = 0;
        let mut arms = String::new();
        for _ in 0..1 + self.words.below(3) {
            let pattern = self.pattern();
            let guard = if self.words.chance(30) {
                let guard = self.any(depth - 1);
                weight += 2 * guard.weight;
                format!(" if {}", guard.closed())
            } else {
                String::new()
            };
            let answer = self.any(depth - 1);
            weight += answer.weight;
            arms += &format!("{pattern}{guard} => {}, ", answer.closed());
        }
        let last = self.any(depth - 1);
        weight += last.weight;
        let read = self.operation.map_or_else(|| format!("{}.operation()", self.change), str::to_owned);
        Expr::new(format!("match {read} {{ {arms}_ => {} }}", last.closed()), Binds::Block, weight)
    }

    fn operation(&mut self) -> &'static str {
        if self.words.chance(10) { self.words.one(&RARE_OPERATIONS) } else { self.words.one(&OPERATIONS) }
    }

    fn pattern(&mut self) -> String {
        match self.words.below(6) {
            0 | 1 => format!("Operation::{} | Operation::{}", self.operation(), self.operation()),
            // (By its name alone it might be a new name for whatever comes.)
            2 => "self::INSERTED".to_owned(),
            _ => format!("Operation::{}", self.operation()),
        }
    }

    /// A condition that is not made of others.
    pub(crate) fn leaf(&mut self) -> Expr {
        let change = self.change;
        match self.words.below(24) {
            0 => Expr::new(
                format!("{change}.is_{}()", self.words.one(&["insert", "update", "update", "delete", "manual"])),
                Binds::Unary,
                0,
            ),
            1 => {
                let read = self.operation.map_or_else(|| format!("{change}.operation()"), str::to_owned);
                let operator = self.words.one(&["==", "==", "!=", "!="]);
                let operand = match self.words.below(5) {
                    0 => "INSERTED".to_owned(),
                    _ => format!("Operation::{}", self.operation()),
                };
                Expr::new(format!("{read} {operator} {operand}"), Binds::Comparison, 0)
            }
            2 => {
                let read = self.operation.map_or_else(|| format!("{change}.operation()"), str::to_owned);
                Expr::new(format!("matches!({read}, {})", self.pattern()), Binds::Unary, 0)
            }
            3..6 => {
                let path = self.path().0;
                Expr::new(format!("{change}.column_changed({path})"), Binds::Unary, 1)
            }
            6..10 => {
                let (path, holds) = self.path();
                let literal = self.words.operand(holds);
                Expr::new(format!("{change}.became({path}, {literal})"), Binds::Unary, 1)
            }
            10..12 => {
                let (path, holds) = self.path();
                let from = self.words.operand(holds);
                // Mostly another one.
                let to = (0..3).map(|_| self.words.operand(holds)).find(|to| *to != from).unwrap_or_else(|| from.clone());
                Expr::new(format!("{change}.changed_from_to({path}, {from}, {to})"), Binds::Unary, 1)
            }
            12..18 => {
                let (field, holds) = self.field();
                let operator = self.words.one(&COMPARISONS);
                Expr::new(format!("{field} {operator} {}", self.words.operand(holds)), Binds::Comparison, 1)
            }
            18..20 => {
                let question = self.words.one(&["exists", "exists", "is_missing", "is_null"]);
                Expr::new(format!("{}.{question}()", self.field().0), Binds::Unary, 1)
            }
            20..22 => self.within(),
            _ if self.words.chance(30) => self.scope(),
            _ => {
                let path = self.path().0;
                Expr::new(format!("{change}.column_changed({path})"), Binds::Unary, 1)
            }
        }
    }

    fn within(&mut self) -> Expr {
        let (field, holds) = self.field();
        let (list, weight) = match self.words.below(9) {
            // Whoever reads only this source cannot know how many they are.
            0 => ("STATES".to_owned(), MANY),
            1 => ("crate::constants::STATES".to_owned(), MANY),
            2 if holds == Holds::Number => ("[0.1f32, 0.2, 1.0]".to_owned(), 3),
            3..5 if holds == Holds::Number => ("[0, 1, 2, 3, 4, 5, 6]".to_owned(), 7),
            3 => ("[DONE, \"new\", \"a\", \"b\", \"c\", \"d\", \"e\", \"open\"]".to_owned(), 8),
            4 => ("[true, false]".to_owned(), 2),
            5 => ("[true]".to_owned(), 1),
            6 => ("[DONE, \"new\"]".to_owned(), 2),
            7 if holds == Holds::Number => ("[1, -1, 2_i64]".to_owned(), 3),
            _ if holds == Holds::Number => ("[1.0, 1.5]".to_owned(), 2),
            _ => (format!("[{}, {}]", self.words.text(), self.words.text()), 2),
        };
        Expr::new(format!("{field}.is_in({list})"), Binds::Unary, weight)
    }

    /// A path: a literal, or a constant's name.
    fn path(&mut self) -> (String, Holds) {
        match self.words.below(12) {
            0 => ("COLUMN".to_owned(), Holds::Text),
            1 => ("crate::constants::STATUS".to_owned(), Holds::Text),
            _ => self.words.path(),
        }
    }

    /// A read field, by its name where it has one.
    fn field(&mut self) -> (String, Holds) {
        if !self.fields.is_empty() && self.words.chance(60) {
            let nth = self.words.below(self.fields.len());
            return self.fields[nth].clone();
        }
        let (path, holds) = self.path();
        let side = self.words.one(&["after", "after", "before"]);
        (format!("{}.{side}({path})", self.change), holds)
    }
}
