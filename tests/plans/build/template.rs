//! How are the places of a template filled?

use crate::exact::Exact;
use crate::opaque::CONDITIONS;
use crate::words::Words;

/// `template` with words for its places: `%C` a condition on the collection, `%Q` a collection's name, `%E` any recognised
/// condition, `%L` a small one, `%O` one that is not recognised, `%P` a path, `%S` and `%K` that of a text and of a number, `%T` a
/// text, `%N` a number.
pub(crate) fn filled(template: &str, words: &mut Words) -> String {
    let mut parts = template.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let place = part.chars().next().expect("a letter stands behind each `%`");
        out += &match place {
            'C' => Exact::new(words, "change").scope().closed(),
            'E' => Exact::new(words, "change").any(2).closed(),
            'L' => Exact::new(words, "change").leaf().closed(),
            'O' => {
                let condition = words.one(CONDITIONS);
                format!("({})", filled(condition, words))
            }
            'P' => words.path().0,
            'Q' => words.collection(),
            'S' => words.text_path(),
            'K' => words.number_path(),
            'T' => words.text(),
            'N' => words.number(),
            other => panic!("no word stands for `%{other}`"),
        };
        out += &part[place.len_utf8()..];
    }
    out
}
