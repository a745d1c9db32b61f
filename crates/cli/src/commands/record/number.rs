//! Which numbers are equal, however they are written?

/// A number as all that are equal to it are written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Canonical {
    pub(super) text: String,
    pub(super) is_integer: bool,
}

/// The number in its one form: sign, digits without zeros at the ends, exponent. What is no number, as `NaN`, is itself.
pub(super) fn canonical(text: &str) -> Canonical {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()),
        None => (unsigned, Some(0)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let (Some(exponent), false, true) = (exponent, digits.is_empty(), digits.bytes().all(|byte| byte.is_ascii_digit())) else {
        return Canonical { text: text.to_owned(), is_integer: false };
    };
    let significant = digits.trim_start_matches('0');
    let short = significant.trim_end_matches('0');
    if short.is_empty() {
        return Canonical { text: "0".to_owned(), is_integer: true };
    }
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let exponent = exponent.saturating_sub(length(fraction)).saturating_add(length(significant) - length(short));
    Canonical { text: format!("{sign}{short}e{exponent}"), is_integer: exponent >= 0 }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn equal_numbers_have_one_form() {
        for (equal, form, is_integer) in [
            (vec!["1", "1.0", "1.00", "+1", "0.1e1", "10E-1"], "1e0", true),
            (vec!["-250", "-2.5E+2", "-250.000"], "-25e1", true),
            (vec!["0.5", "5e-1", "00.50"], "5e-1", false),
            (vec!["0", "-0", "0.000", "0e9"], "0", true),
            (vec!["NaN"], "NaN", false),
            (vec!["-Infinity"], "-Infinity", false),
        ] {
            for text in equal {
                let canonical = canonical(text);
                assert_eq!((canonical.text.as_str(), canonical.is_integer), (form, is_integer), "{text}");
            }
        }
    }
}
