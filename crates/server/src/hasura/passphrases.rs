//! Does the sender know a passphrase?

use std::fmt;

use axum::http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::settings::SettingsError;

/// A secret text that a sender shows in a header. It is never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

impl<T: Into<String>> From<T> for Passphrase {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Passphrase(…)")
    }
}

/// The passphrases that are valid now; without any, everybody is let in.
pub(super) struct Passphrases {
    header: HeaderName,
    /// Digests have one length, so comparing them says nothing of the length of a passphrase either.
    digests: Vec<[u8; 32]>,
}

impl Passphrases {
    pub(super) fn try_new(header: &str, passphrases: &[Passphrase]) -> Result<Self, SettingsError> {
        let name = HeaderName::try_from(header).map_err(|_| SettingsError::Header { header: header.to_owned() })?;
        let digests = passphrases.iter().enumerate().map(|(at, Passphrase(text))| {
            let is_sendable = !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control);
            if is_sendable { Ok(Sha256::digest(text).into()) } else { Err(SettingsError::Passphrase { nth: at + 1 }) }
        });
        Ok(Self { header: name, digests: digests.collect::<Result<_, _>>()? })
    }

    /// Whether the request shows one of them, and only one.
    pub(super) fn admit(&self, headers: &HeaderMap) -> bool {
        if self.digests.is_empty() {
            return true;
        }
        let mut shown = headers.get_all(&self.header).iter();
        let (Some(shown), None) = (shown.next(), shown.next()) else { return false };
        let shown: [u8; 32] = Sha256::digest(shown.as_bytes()).into();
        // All are compared, so that time does not tell which one it was.
        self.digests.iter().fold(Choice::from(0), |known, digest| known | digest.ct_eq(&shown)).into()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Passphrase, Passphrases};
    use crate::hasura::settings::SettingsError;

    fn admits(known: &[&str], shown: &[&str]) -> bool {
        let known: Vec<_> = known.iter().copied().map(Passphrase::from).collect();
        let mut headers = HeaderMap::new();
        for value in shown {
            headers.append(HeaderName::from_static("x-secret"), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Passphrases::try_new("X-Secret", &known).unwrap().admit(&headers)
    }

    #[test]
    fn each_of_the_passphrases_lets_in_and_nothing_else_does() {
        for known in ["old one", "new one", "schlüssel"] {
            assert!(admits(&["old one", "new one", "schlüssel"], &[known]), "{known}");
        }
        for unknown in [&[][..], &[""], &["old"], &["old one "], &["old one, new one"], &["OLD ONE"], &["old one", "old one"]] {
            assert!(!admits(&["old one", "new one"], unknown), "{unknown:?}");
        }
    }

    #[test]
    fn without_passphrases_everybody_is_let_in() {
        assert!(admits(&[], &[]) && admits(&[], &["anything"]));
    }

    #[test]
    fn a_passphrase_that_no_header_can_carry_is_refused_by_its_number() {
        for odd in ["", " led", "trailing\n", "in\0side"] {
            let error = Passphrases::try_new("x-secret", &["fine".into(), odd.into()]).err();
            assert_eq!(error, Some(SettingsError::Passphrase { nth: 2 }), "{odd:?}");
        }
    }

    #[test]
    fn a_passphrase_is_not_shown() {
        assert_eq!(format!("{:?}", Passphrase::from("S3CR3T-CANARY")), "Passphrase(…)");
    }
}
