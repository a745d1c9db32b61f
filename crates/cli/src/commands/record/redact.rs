//! How is what nobody is to know taken out of a change, so that it still says what changed?
//!
//! A value is replaced by something of its type that follows from the value and from a random key of this run: equal values stay
//! equal, and without the key nobody can try which value it was.

use event_detector::bson::DateTime;
use serde_json::{Map, Number, Value, json};
use sha2::{Digest, Sha256};

use super::number::canonical;

/// Integers below this are the same in every form.
const EXACT: u64 = 1 << 53;
/// The milliseconds of some hundred years.
const CENTURY: u64 = 100 * 365 * 86_400_000;

/// The names in objects that are a value that JSON lacks.
const KINDS: [&str; 17] = [
    "$binary",
    "$code",
    "$date",
    "$dbPointer",
    "$maxKey",
    "$minKey",
    "$numberDecimal",
    "$numberDouble",
    "$numberInt",
    "$numberLong",
    "$oid",
    "$regularExpression",
    "$scope",
    "$symbol",
    "$timestamp",
    "$undefined",
    "$uuid",
];

/// Replaces the values of fields.
pub(super) struct Redaction {
    key: [u8; 32],
    /// The fields, as they were named.
    paths: Vec<String>,
    /// Each way in which a path may be meant, with the place of the path.
    ways: Vec<(usize, Vec<String>)>,
    /// How many values of each path were replaced.
    replaced: Vec<u64>,
}

/// How far each way has been followed.
#[derive(Debug, Clone)]
struct Followed(Vec<(usize, usize)>);

impl Redaction {
    /// Replaces the fields at `paths` with the help of a key that nobody else has.
    pub(super) fn new(paths: &[String], key: [u8; 32]) -> Self {
        let mut ways = Vec::new();
        for (at, path) in paths.iter().enumerate() {
            let names: Vec<String> = path.split('.').map(str::to_owned).collect();
            // `after.email` is the `email` of both images; a document may have a field `after`, too.
            if matches!(names[0].as_str(), "after" | "before" | "key") && names.len() > 1 {
                ways.push((at, names[1..].to_vec()));
            }
            ways.push((at, names));
        }
        Self { key, paths: paths.to_vec(), ways, replaced: vec![0; paths.len()] }
    }

    /// The fields as they were named, and how many values of each were replaced.
    pub(super) fn replaced(&self) -> impl Iterator<Item = (&str, u64)> {
        self.paths.iter().map(String::as_str).zip(self.replaced.iter().copied())
    }

    /// Replaces the fields in a change, as [`Change::to_json`](event_detector::Change::to_json) writes it.
    pub(super) fn apply(&mut self, record: &mut Value) {
        let start = Followed((0..self.ways.len()).map(|way| (way, 0)).collect());
        // Before the images, which tell what the key is.
        if self.key_of(record, &start) {
            // A resume token has the key in it.
            if let Some(id) = record.get_mut("id") {
                *id = self.stand_in(id);
            }
        }
        for image in ["before", "after"] {
            if let Some(image) = record.get_mut(image) {
                self.walk(image, &start);
            }
        }
        if let Some(written) = record.pointer_mut("/updateDescription/updatedFields") {
            self.walk(written, &start);
        }
    }

    /// Replaces fields of the document key; false where it has none of them.
    fn key_of(&mut self, record: &mut Value, start: &Followed) -> bool {
        let id = ["before", "after"].into_iter().find_map(|image| record.get(image)?.get("_id")).cloned();
        let Some(key) = record.get_mut("key") else { return false };
        let before = key.clone();
        let names: &[&str] = match (key.get("_id"), id) {
            // It is the `_id` itself, or, of a row, the column `id`.
            (None, _) => &["_id", "id"],
            // It is of a sharded collection, and has the `_id` in it.
            (Some(_), Some(id)) if id != *key => &[],
            // It is an `_id` that has an `_id` in it, or nobody can tell.
            (Some(_), _) => &["_id"],
        };
        for name in names {
            if *key == before {
                self.meet(name, key, start);
            }
        }
        if *key == before {
            self.walk(key, start);
        }
        *key != before
    }

    fn walk(&mut self, value: &mut Value, followed: &Followed) {
        match value {
            Value::Object(members) if !is_scalar(members) => {
                for (name, value) in members {
                    self.meet(name, value, followed);
                }
            }
            Value::Array(elements) => {
                for (at, value) in elements.iter_mut().enumerate() {
                    self.meet(&at.to_string(), value, followed);
                }
            }
            _ => {}
        }
    }

    /// Replaces a value that stands at a name, or goes on below it. An update names a field with its whole path.
    fn meet(&mut self, name: &str, value: &mut Value, followed: &Followed) {
        let mut followed = followed.clone();
        for step in name.split('.') {
            if let Some(path) = self.step(&mut followed, step) {
                self.replaced[path] += 1;
                *value = self.stand_in(value);
                return;
            }
        }
        self.walk(value, &followed);
    }

    /// Goes on by one name; returns the place of the path that is at its end then. A number may be the place in an array, which a
    /// path leaves out.
    fn step(&self, followed: &mut Followed, name: &str) -> Option<usize> {
        let is_place = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        let mut next = Vec::with_capacity(followed.0.len());
        for (way, steps) in followed.0.drain(..) {
            let (path, names) = &self.ways[way];
            if names.get(steps).is_some_and(|wanted| wanted == name) {
                if steps + 1 == names.len() {
                    return Some(*path);
                }
                next.push((way, steps + 1));
            }
            if is_place {
                next.push((way, steps));
            }
        }
        followed.0 = next;
        None
    }

    /// What stands in the place of a value: of its type, and the same for equal values.
    fn stand_in(&self, value: &Value) -> Value {
        match value {
            Value::Null => Value::Null,
            Value::Bool(bool) => Value::Bool(*bool != (self.key[0] & 1 == 1)),
            Value::Number(number) => self.number(&number.to_string()),
            Value::String(text) => self.text("redacted-", text).into(),
            Value::Array(elements) => elements.iter().map(|element| self.stand_in(element)).collect(),
            Value::Object(members) => match members.iter().next().filter(|_| is_scalar(members)) {
                Some((kind, held)) => self.scalar(kind, held, members),
                None => Value::Object(members.iter().map(|(name, value)| (name.clone(), self.stand_in(value))).collect()),
            },
        }
    }

    /// A value of a type that JSON lacks: `{"$date": …}`.
    fn scalar(&self, kind: &str, held: &Value, members: &Map<String, Value>) -> Value {
        let text = held.as_str().map_or_else(|| held.to_string(), str::to_owned);
        match kind {
            "$oid" => json!({ "$oid": self.hex("oid", &text)[..24] }),
            "$date" => {
                let millis = i64::try_from(self.below("date", &text, CENTURY)).unwrap_or_default();
                json!({ "$date": DateTime::from_millis(millis).try_to_rfc3339_string().unwrap_or_default() })
            }
            "$numberInt" | "$numberLong" | "$numberDouble" | "$numberDecimal" => json!({ kind: self.number(&text).to_string() }),
            "$timestamp" => {
                let part = |name| self.below(name, &text, 1 << 31);
                json!({ "$timestamp": { "t": part("t"), "i": part("i") } })
            }
            "$binary" => {
                json!({ "$binary": { "base64": self.base64(&text), "subType": held.get("subType").cloned().unwrap_or("00".into()) } })
            }
            "$uuid" => {
                let hex = self.hex("uuid", &text);
                json!({ "$uuid": format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]) })
            }
            "$regularExpression" => json!({ "$regularExpression": { "pattern": self.text("redacted-", &text), "options": "" } }),
            "$minKey" | "$maxKey" | "$undefined" => Value::Object(members.clone()),
            "$symbol" | "$code" => json!({ kind: self.text("redacted-", &Value::Object(members.clone()).to_string()) }),
            _ => self.text("redacted-", &Value::Object(members.clone()).to_string()).into(),
        }
    }

    /// Numbers that are equal have one stand-in, however they are written: 1, 1.0 and the decimal 1.00.
    fn number(&self, text: &str) -> Value {
        let canonical = canonical(text);
        let exact = self.below("number", &canonical.text, EXACT);
        match canonical.is_integer {
            true => exact.into(),
            #[expect(clippy::cast_precision_loss, reason = "a number that says nothing")]
            false => Number::from_f64((exact >> 12) as f64 + 0.5).map_or(exact.into(), Value::Number),
        }
    }

    fn text(&self, begins: &str, text: &str) -> String {
        format!("{begins}{}", &self.hex("text", text)[..16])
    }

    fn base64(&self, text: &str) -> String {
        use base64::Engine as _;

        base64::engine::general_purpose::STANDARD.encode(&self.digest("binary", text)[..16])
    }

    fn hex(&self, kind: &str, text: &str) -> String {
        self.digest(kind, text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn below(&self, kind: &str, text: &str, limit: u64) -> u64 {
        let digest = self.digest(kind, text);
        let number = digest[..8].iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
        number % limit
    }

    /// Half of what the hash function gives, so that nobody can go on with it.
    fn digest(&self, kind: &str, text: &str) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update(kind);
        hash.update([0]);
        hash.update(text);
        let mut half = [0; 16];
        half.copy_from_slice(&hash.finalize()[..16]);
        half
    }
}

/// Whether an object is a value that JSON lacks, and not a document whose fields begin in the same way, such as a `DBRef`.
fn is_scalar(members: &Map<String, Value>) -> bool {
    !members.is_empty() && members.keys().all(|name| KINDS.contains(&name.as_str()))
}

#[cfg(test)]
mod tests;
