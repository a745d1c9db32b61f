//! How is an explanation shown to a person?

use std::fmt::Write as _;

use event_detector::{EventExplanation, ExplainedClause, Form, Truth, Unknown, Verdict};
use unicode_width::UnicodeWidthStr;

use crate::console::{Look, by_cure, shortened};
use crate::terminal::clean;

/// The longest source text of a clause that is shown whole beside others, in characters.
const MAX_BESIDE: usize = 72;
/// The longest source text of a clause that is shown whole in a line or a sentence of its own.
const MAX_ALONE: usize = 300;
/// The longest reason of a failure that is shown whole.
const MAX_ERROR: usize = 500;
/// The last column of places that stand below a clause, so that they are not far from it.
const MAX_STACKED: usize = 100;
/// What stands before a clause and each column.
const INDENT: usize = 3;

/// Shows the verdict of an event, why it is so, and each clause of its rule, in so many columns where they are bounded.
pub(in crate::commands) fn event(text: &mut String, explained: &EventExplanation, look: Look, width: Option<usize>) {
    let place = match explained.file {
        "" => String::new(),
        file => look.dim(&clean(&format!("  {file}:{}", explained.line))),
    };
    let _infallible = writeln!(text, "{}{}{place}", sign(explained, look), look.strong(&clean(explained.event)));
    let _infallible = writeln!(text, "   It {}.\n", sentence(explained));
    match &explained.rule {
        Some(rule) => {
            let rows = rows(explained, rule.root(), look);
            match width {
                Some(width) if Columns::of(&rows, look).total() > width => stacked(text, &rows, look, width),
                _ => table(text, &rows, look),
            }
            let mut unknowns = rule.unknowns();
            if let Verdict::Undecided(more) = &explained.verdict {
                unknowns.extend(more.iter().filter(|more| !rule.unknowns().contains(more)));
            }
            cures(text, unknowns, look);
        }
        None => {
            let _infallible = writeln!(text, "   Its rule is not known, so all that can be shown is what it read:");
            let width = explained.reads.iter().map(|read| clean(&read.read).width()).max().unwrap_or_default().min(MAX_BESIDE);
            for read in &explained.reads {
                let words = clean(&read.read);
                let gap = width.saturating_sub(words.width());
                let _infallible = writeln!(text, "      {words}{:gap$}  {}", "", shortened(&read.answer, MAX_ALONE));
            }
            if explained.reads.is_empty() {
                let _infallible = writeln!(text, "      no field");
            }
            if let Verdict::Undecided(unknowns) = &explained.verdict {
                cures(text, unknowns, look);
            }
        }
    }
}

/// A sign for the verdict.
pub(super) fn sign(explained: &EventExplanation, look: Look) -> &'static str {
    match explained.verdict {
        Verdict::Detected => look.sign("⭐️ ", "* "),
        Verdict::Undecided(_) => look.sign("❔ ", "? "),
        Verdict::Failed(_) => look.sign("💥 ", "! "),
        Verdict::No => look.sign("➖ ", "- "),
    }
}

/// The verdict and its reason, as what follows the event's name.
pub(super) fn sentence(explained: &EventExplanation) -> String {
    let decided = explained.rule.as_ref().and_then(|rule| rule.decided());
    let decided_by_root = explained.rule.as_ref().is_some_and(|rule| rule.root().decided);
    match (&explained.verdict, decided) {
        (Verdict::Detected, None) => "happened".to_owned(),
        (Verdict::Detected, Some(clause)) => match (clause.form, clause.clauses.len()) {
            (Form::All, 0) => "happened: nothing is asked of it".to_owned(),
            (Form::All, number) if decided_by_root => format!("happened: each of its {number} clauses holds"),
            _ => format!("happened: {} holds", quoted(clause)),
        },
        (Verdict::No, None) => "did not happen".to_owned(),
        (Verdict::No, Some(clause)) => match clause.form {
            _ if clause.truth == Truth::Unknown && clause.opaque.is_some() => {
                format!("did not happen: nothing else says no, so it is {}, which is not understood", quoted(clause))
            }
            Form::All => "did not happen: its clauses do not hold together".to_owned(),
            Form::Any | Form::Not | Form::Known | Form::Opaque => format!("did not happen: {} does not hold", quoted(clause)),
        },
        (Verdict::Undecided(unknowns), _) => {
            let first = unknowns.first().map(|unknown| clean(&unknown.read)).unwrap_or_default();
            let jobs = if explained.fires { "its jobs run all the same" } else { "no job runs" };
            let more = if unknowns.len() > 1 { format!(" and {} more", unknowns.len() - 1) } else { String::new() };
            format!("is undecided, and {jobs}: the change does not say `{first}`{more}")
        }
        (Verdict::Failed(panic), _) => format!("failed: `detect` {}", shortened(&panic.to_string(), MAX_ERROR)),
    }
}

fn quoted(clause: &ExplainedClause) -> String {
    format!("`{}`", shortened(&clause.text, MAX_ALONE))
}

/// What would have to be known, and how, those together that have the same cure.
fn cures<'u>(text: &mut String, unknowns: impl IntoIterator<Item = &'u Unknown>, look: Look) {
    for group in by_cure(unknowns) {
        let reads: Vec<String> = group.iter().map(|unknown| format!("`{}`", clean(&unknown.read))).collect();
        let _infallible = writeln!(text, "\n   The change does not say {}:", reads.join(", "));
        for part in group.iter().take(1).flat_map(|unknown| unknown.cure.splitn(2, "; ")) {
            let _infallible = writeln!(text, "      {}", look.dim(&clean(part)));
        }
    }
}

/// A clause, ready to be shown.
struct Row<'e> {
    clause: &'e ExplainedClause,
    /// Its source text, or what it makes of the clauses below it; in front of it what shows how deep it lies.
    text: String,
    note: &'static str,
    place: String,
}

/// The clauses in the order in which they are asked; those of a conjunction at the root stand for it.
fn rows<'e>(event: &EventExplanation, root: &'e ExplainedClause, look: Look) -> Vec<Row<'e>> {
    let mut rows = Vec::new();
    match root.form {
        Form::All if !root.clauses.is_empty() => root.clauses.iter().for_each(|clause| add(&mut rows, event, clause, 0, look)),
        _ => add(&mut rows, event, root, 0, look),
    }
    rows
}

fn add<'e>(rows: &mut Vec<Row<'e>>, event: &EventExplanation, clause: &'e ExplainedClause, depth: usize, look: Look) {
    let words = match clause.form {
        // What a `let` asks, needed or not, is an alternative to it.
        Form::All if clause.clauses.is_empty() => "always".to_owned(),
        Form::Any if clause.clauses.is_empty() => "never".to_owned(),
        Form::All => "all of".to_owned(),
        Form::Any => "one of".to_owned(),
        Form::Not => "not".to_owned(),
        Form::Known | Form::Opaque => clean(&clause.text).into_owned(),
    };
    let note = match (clause.decided, clause.reached) {
        (true, _) => look.sign("◀ decides", "<- decides"),
        (false, false) => "not asked",
        (false, true) => "",
    };
    let place = match (event.file, clause.line) {
        (_, 0) => String::new(),
        ("", line) => format!("line {line}"),
        (file, line) => clean(&format!("{file}:{line}")).into_owned(),
    };
    rows.push(Row { clause, text: format!("{:depth$}{words}", "", depth = depth * INDENT), note, place });
    clause.clauses.iter().for_each(|part| add(rows, event, part, depth + 1, look));
}

impl Row<'_> {
    fn mark(&self, look: Look) -> &'static str {
        match self.clause.truth {
            Truth::True => look.sign("✓", "yes"),
            Truth::False => look.sign("✗", "no"),
            Truth::Unknown => "?",
        }
    }

    /// Words of the row as they look in it.
    fn styled(&self, words: &str, look: Look) -> String {
        match (self.clause.reached, self.clause.decided, self.clause.truth) {
            (false, ..) => look.dim(words),
            (true, true, _) => look.strong(words),
            _ => words.to_owned(),
        }
    }

    fn styled_mark(&self, look: Look) -> String {
        match (self.clause.reached, self.clause.truth) {
            (false, _) => look.dim(self.mark(look)),
            (true, Truth::True) => look.good(self.mark(look)),
            (true, Truth::False) => look.bad(self.mark(look)),
            (true, Truth::Unknown) => look.unsure(self.mark(look)),
        }
    }

    /// Whether it says how clauses are joined, and looks at nothing itself.
    fn joins(&self) -> bool {
        matches!(self.clause.form, Form::All | Form::Any | Form::Not)
    }

    fn expected(&self) -> String {
        if self.joins() { String::new() } else { clean(&self.clause.expected).into_owned() }
    }

    fn actual(&self) -> String {
        clean(&self.clause.actual).into_owned()
    }
}

/// How wide the columns of a table are.
struct Columns {
    mark: usize,
    /// Source text, expected, actual, note, place.
    cells: [usize; 5],
}

impl Columns {
    const TITLES: [&'static str; 5] = ["clause", "expected", "actual", "", ""];

    fn of(rows: &[Row<'_>], look: Look) -> Self {
        let mut cells = Self::TITLES.map(UnicodeWidthStr::width);
        for row in rows {
            for (width, cell) in cells.iter_mut().zip(Self::cells(row)) {
                *width = cell.width().max(*width);
            }
        }
        Self { mark: rows.iter().map(|row| row.mark(look).width()).max().unwrap_or_default(), cells }
    }

    fn cells(row: &Row<'_>) -> [String; 5] {
        [shortened(&row.text, MAX_BESIDE).into_owned(), row.expected(), row.actual(), row.note.to_owned(), row.place.clone()]
    }

    fn total(&self) -> usize {
        let filled = self.cells.iter().filter(|width| **width > 0);
        INDENT + self.mark + filled.map(|width| width + 2).sum::<usize>()
    }
}

/// A clause a line.
fn table(text: &mut String, rows: &[Row<'_>], look: Look) {
    let columns = Columns::of(rows, look);
    let line = |mark: (&str, String), cells: [String; 5], styled: &dyn Fn(usize, &str) -> String| {
        let (plain, mark) = mark;
        let mut line = format!("{:INDENT$}{mark}", "");
        let mut gap = columns.mark - plain.width();
        for (nth, (cell, width)) in cells.iter().zip(columns.cells).enumerate().filter(|(_, (_, width))| *width > 0) {
            if !cell.is_empty() {
                let _infallible = write!(line, "{:gap$}{}", "", styled(nth, cell), gap = gap + 2);
                gap = 0;
            } else {
                gap += 2;
            }
            gap += width - cell.width();
        }
        line + "\n"
    };
    text.push_str(&line(("", String::new()), Columns::TITLES.map(str::to_owned), &|_, cell| look.dim(cell)));
    for row in rows {
        let styled = |nth, cell: &str| if nth == 4 { look.dim(cell) } else { row.styled(cell, look) };
        text.push_str(&line((row.mark(look), row.styled_mark(look)), Columns::cells(row), &styled));
    }
}

/// A clause over two lines, for narrow terminals.
fn stacked(text: &mut String, rows: &[Row<'_>], look: Look, width: usize) {
    let width = width.min(MAX_STACKED);
    for row in rows {
        let depth = row.text.len() - row.text.trim_start().len();
        let note = if row.note.is_empty() { String::new() } else { format!("  {}", row.note) };
        let words = row.styled(&format!("{}{note}", shortened(&row.text, MAX_ALONE)), look);
        let mark_gap = if row.mark(look).width() < 3 && look == Look::Plain { 3 - row.mark(look).width() } else { 0 };
        let _infallible = write!(text, "{:INDENT$}{}{:mark_gap$}  {words}", "", row.styled_mark(look), "");
        if row.joins() {
            let _infallible = writeln!(text);
            continue;
        }
        let indent = INDENT + 5 + depth;
        let values = format!("expected {}, is {}", row.expected(), row.actual());
        let _infallible = write!(text, "\n{:indent$}{}", "", row.styled(&values, look));
        let taken = indent + values.width();
        match width.checked_sub(taken + row.place.width()) {
            _ if row.place.is_empty() => {}
            Some(gap) if gap >= 2 => {
                let _infallible = write!(text, "{:gap$}{}", "", look.dim(&row.place));
            }
            _ => {
                let _infallible = write!(text, "\n{:indent$}{}", "", look.dim(&row.place));
            }
        }
        let _infallible = writeln!(text);
    }
}

#[cfg(test)]
mod tests;
