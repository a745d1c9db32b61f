//! How do lines from many places reach one terminal, and what is kept from it?

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::process;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use serde::Serialize;

/// How often a spinner turns when nothing happens.
const TURN: Duration = Duration::from_millis(120);

/// The spinner; there is one terminal, so there is one. Lines are written around it.
static SPINNER: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Writes text to standard output in one piece; when nobody reads it any more, the program ends quietly.
pub(crate) fn out(text: &str) {
    let written = around_spinner(|| match anstream::AutoStream::choice(&io::stdout()) {
        // It holds no styles then, and every byte of JSON has to arrive.
        anstream::ColorChoice::Never => write(io::stdout().lock(), text),
        _ => write(anstream::stdout().lock(), text),
    });
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            stop_spinner();
            process::exit(0)
        }
        // Standard output is where the error would be told; there is no better place left.
        Ok(()) | Err(_) => {}
    }
}

/// How many columns standard output has, where it is a terminal.
pub(crate) fn width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into())
}

/// Writes a line to standard error; that nobody reads it is no reason to end.
pub(crate) fn say(line: &str) {
    let _nowhere_left_to_tell = around_spinner(|| write(anstream::stderr().lock(), &format!("{line}\n")));
}

/// Writes the beginning of a line to standard error, behind which somebody is to answer.
pub(crate) fn say_part(text: &str) {
    let _nowhere_left_to_tell = around_spinner(|| write(anstream::stderr().lock(), text));
}

/// Writes a value to standard error as one line of JSON.
pub(crate) fn say_json(value: &serde_json::Value) {
    say(&json(value));
}

/// A value as JSON in one line, without a character that a terminal obeys.
pub(crate) fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }).to_string());
    // JSON escapes the control characters below a space; those above can only stand inside of its texts.
    escape(&text, |char| format!("\\u{:04x}", u32::from(char))).into_owned()
}

/// Text from outside in one line, without the characters that could rewrite a terminal.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    escape(text, |char| char.escape_default().to_string())
}

/// As [`clean`], but line ends stay.
pub(crate) fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

fn escape(text: &str, escaped: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if is_obeyed(char) { safe.push_str(&escaped(char)) } else { safe.push(char) }
    }
    safe.into()
}

/// Whether a terminal takes the character for an order: control characters, and those that turn the direction or end the line.
fn is_obeyed(char: char) -> bool {
    char.is_control() || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Shows a spinner with the number of changes and their rate, where standard error is a terminal.
pub(crate) fn start_spinner() {
    if io::stderr().is_terminal() {
        let style = ProgressStyle::with_template("{spinner} {human_pos} changes handled, {rate} a second{msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .with_key("rate", |state: &ProgressState, line: &mut dyn std::fmt::Write| {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
                let _infallible = write!(line, "{}", HumanCount(state.per_sec() as u64));
            });
        let spinner = ProgressBar::new_spinner().with_style(style);
        spinner.enable_steady_tick(TURN);
        *SPINNER.lock().unwrap_or_else(PoisonError::into_inner) = Some(spinner);
    }
}

/// Shows how many of `total` have been come to, where standard error is a terminal.
pub(crate) fn start_bar(total: u64) {
    if io::stderr().is_terminal() {
        let style = ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} changes, {eta} left{msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        *SPINNER.lock().unwrap_or_else(PoisonError::into_inner) = Some(ProgressBar::new(total).with_style(style));
    }
}

/// Shows how much of `total` bytes has been read, where standard error is a terminal; without a total, only what was read.
pub(crate) fn start_reading(total: Option<u64>) {
    if !io::stderr().is_terminal() {
        return;
    }
    let bar = match total {
        Some(total) => {
            let style = ProgressStyle::with_template("{wide_bar} {percent} %, {msg}, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total).with_style(style)
        }
        None => {
            let style = ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            let spinner = ProgressBar::new_spinner().with_style(style);
            spinner.enable_steady_tick(TURN);
            spinner
        }
    };
    *SPINNER.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
}

/// Says at the bar how far it has been read, and how fast that goes.
pub(crate) fn note_reading(position: u64, changes: u64) {
    if let Some(bar) = spinner() {
        bar.set_message(format!("{} changes, {} a second", HumanCount(changes), HumanCount(rate(changes, bar.elapsed()))));
        bar.set_position(position);
    }
}

/// So many a second.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
pub(crate) fn rate(number: u64, took: Duration) -> u64 {
    (number as f64 / took.as_secs_f64().max(0.001)) as u64
}

/// Counts one change more at the spinner or bar.
pub(crate) fn count_change() {
    if let Some(spinner) = spinner() {
        spinner.inc(1);
    }
}

/// Says at the spinner what is going on.
pub(crate) fn note_at_spinner(note: &str) {
    if let Some(spinner) = spinner() {
        spinner.set_message(format!("; {note}"));
    }
}

/// Takes the spinner away.
pub(crate) fn stop_spinner() {
    if let Some(spinner) = SPINNER.lock().unwrap_or_else(PoisonError::into_inner).take() {
        spinner.finish_and_clear();
    }
}

/// Standard error for log lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        around_spinner(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn spinner() -> Option<ProgressBar> {
    SPINNER.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn around_spinner<T>(write: impl FnOnce() -> T) -> T {
    match spinner() {
        Some(spinner) => spinner.suspend(write),
        None => write(),
    }
}

fn write(mut to: impl Write, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::{clean, clean_lines, json};

    #[test]
    fn what_a_terminal_would_obey_is_shown_and_not_obeyed() {
        let cases = [
            ("plain, Köln, 東京 🔔", "plain, Köln, 東京 🔔"),
            ("\u{1b}[31mred\r\n", "\\u{1b}[31mred\\r\\n"),
            ("\u{9b}2J\u{7f}\0", "\\u{9b}2J\\u{7f}\\u{0}"),
            ("abc\u{202e}cba\u{2066}\u{2028}", "abc\\u{202e}cba\\u{2066}\\u{2028}"),
        ];
        for (text, cleaned) in cases {
            assert_eq!(clean(text), cleaned);
        }
        assert_eq!(clean_lines("a\n\u{7}b\n"), "a\n\\u{7}b");
    }

    #[test]
    fn json_stays_json_and_says_the_same() {
        let value = serde_json::json!({ "\u{9b}": "\u{1b}\u{7f}\u{85}\u{202e}\n東京" });

        let text = json(&value);

        assert_eq!(text, r#"{"\u009b":"\u001b\u007f\u0085\u202e\n東京"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
