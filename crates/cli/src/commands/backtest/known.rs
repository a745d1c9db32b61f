//! By what is a change known again in another run?

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The bits of a digest: of a million changes, two have the same one once in five hundred runs.
const BITS: u32 = 48;

/// A change as it is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) digest: u64,
    /// So many changes before it have its id.
    pub(super) nth: u32,
}

/// The ids that were met so far.
#[derive(Debug, Default)]
pub(super) struct Ids(HashMap<u64, u32>);

impl Ids {
    /// The change with this id, which is the next one that has it.
    pub(super) fn meet(&mut self, id: &str) -> Known {
        let times = self.0.entry(digest(id, 0)).or_default();
        let nth = *times;
        *times += 1;
        Known { digest: digest(id, nth), nth }
    }
}

/// A number that is the same in every build for an id and how often it was met before: FNV-1a, mixed so that each bit counts.
pub(super) fn digest(id: &str, nth: u32) -> u64 {
    let bytes = id.bytes().chain(nth.to_le_bytes());
    let hash = bytes.fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    (hash ^ (hash >> 33)) >> (u64::BITS - BITS)
}

/// Digests as text, of six letters each: sorted, the distance from one to the next in as few bytes as it needs.
pub(super) fn packed(mut digests: Vec<u64>) -> String {
    digests.sort_unstable();
    let mut bytes = Vec::with_capacity(digests.len() * 5);
    let mut last = 0;
    for digest in digests {
        let mut distance = digest - last;
        last = digest;
        while distance >= 0x80 {
            bytes.push((distance & 0x7F) as u8 | 0x80);
            distance >>= 7;
        }
        bytes.push((distance & 0x7F) as u8);
    }
    STANDARD_NO_PAD.encode(bytes)
}

/// The digests, sorted; nothing where the text is none of theirs.
pub(super) fn unpacked(text: &str) -> Option<Vec<u64>> {
    let bytes = STANDARD_NO_PAD.decode(text).ok()?;
    let mut digests = Vec::with_capacity(bytes.len() / 4);
    let (mut last, mut distance, mut shift) = (0_u64, 0_u64, 0);
    for byte in bytes {
        if shift > BITS {
            return None;
        }
        distance |= u64::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            last = last.checked_add(distance)?;
            digests.push(last);
            (distance, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(digests)
}

#[cfg(test)]
mod tests {
    use super::{Ids, digest, packed, unpacked};

    #[test]
    fn a_change_is_known_by_its_id_and_by_how_often_that_came() {
        let mut ids = Ids::default();

        let met = [ids.meet("a"), ids.meet("b"), ids.meet("a")];

        assert_eq!(met.map(|known| known.nth), [0, 0, 1]);
        assert_ne!(met[0].digest, met[2].digest);
        assert_eq!(met[2].digest, digest("a", 1));
        assert_eq!(digest("a", 0), 0x4A88_9421_DCA7, "it is the same in every build");
    }

    #[test]
    fn a_million_digests_take_six_letters_each_and_come_back() {
        let mut digests: Vec<u64> = (0..1_000_000).map(|number| digest(&format!("id-{number}"), 0)).collect();

        let text = packed(digests.clone());

        digests.sort_unstable();
        assert_eq!(unpacked(&text).unwrap(), digests);
        assert!(text.len() < 6_100_000, "{}", text.len());
        digests.dedup();
        assert_eq!(digests.len(), 1_000_000);
    }

    #[test]
    fn what_is_no_list_of_digests_is_refused() {
        assert_eq!(unpacked(""), Some(vec![]));
        for text in ["?", "gA", "////////////////////////", "A"] {
            assert_eq!(unpacked(text), None, "{text}");
        }
    }
}
