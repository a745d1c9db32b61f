//! How does a template become the text of a file?

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// `template` with a value in the place of each `{{name}}`.
pub(super) fn filled(template: &str, values: &[(&str, &str)]) -> String {
    let fill = |text: String, (name, value): &(&str, &str)| text.replace(&format!("{{{{{name}}}}}"), value);
    values.iter().fold(template.to_owned(), fill)
}

/// `source` as `cargo fmt` would leave it in `folder`, where there is a `rustfmt`; else as it is.
pub(super) fn formatted(source: &str, folder: &Path) -> String {
    rustfmt(source, folder).unwrap_or_else(|| source.to_owned())
}

fn rustfmt(source: &str, folder: &Path) -> Option<String> {
    let there = folder.ancestors().find(|folder| folder.is_dir())?;
    let mut command = Command::new("rustfmt");
    command.args(["--edition", "2024", "--quiet"]).current_dir(there);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let (mut input, source) = (child.stdin.take()?, source.to_owned());
    let writer = thread::spawn(move || input.write_all(source.as_bytes()));
    let output = child.wait_with_output().ok()?;
    writer.join().ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn each_name_is_replaced_wherever_it_stands() {
        assert_eq!(filled("{{a}} {{b}} {{a}} {a}", &[("a", "1"), ("b", "2")]), "1 2 1 {a}");
    }
}
