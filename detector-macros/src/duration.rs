//! How long is `"1m30s"`?

/// What the developer may write, for messages.
pub(crate) const FORM: &str = "whole numbers with units, largest first: `\"500ms\"`, `\"30s\"`, `\"5m\"`, `\"1h\"`, `\"1m30s\"`";

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The milliseconds that `text` names, or what is wrong with it.
pub(crate) fn parse_millis(text: &str) -> Result<u64, String> {
    let mut rest = text;
    let mut allowed = UNITS.as_slice();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        let (Ok(number), Some(at)) = (number.parse::<u64>(), allowed.iter().position(|(name, _)| *name == unit)) else {
            return Err(format!("`{text}` is not a duration; write {FORM}"));
        };
        total = number
            .checked_mul(allowed[at].1)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| format!("`{text}` is longer than can be counted in milliseconds"))?;
        allowed = &allowed[at + 1..];
        rest = after;
    }
    match (total, text) {
        (0, "") => Err(format!("a duration is missing; write {FORM}")),
        (0, _) => {
            Err("no work can be done in no time; write a longer duration, or leave `timeout` out for the runtime's default"
                .to_owned())
        }
        (total, _) => Ok(total),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_millis;

    #[test]
    fn durations_are_counted_in_milliseconds() {
        let cases =
            [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("1m30s", 90_000), ("1h1ms", 3_600_001)];

        for (text, millis) in cases {
            assert_eq!(parse_millis(text), Ok(millis), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in [
            "",
            "30",
            "s",
            "30 s",
            "1.5s",
            "-3s",
            "30sec",
            "30s1m",
            "1s1s",
            "0s",
            "0h0m",
            "99999999999999999999s",
            "9999999999999999h",
            "3S",
            "١s",
        ] {
            assert!(parse_millis(text).is_err(), "{text}");
        }
    }
}
