//! Scores: the order that they give to members, and how a packed sorted set keeps one. How scores are read and printed
//! is the server's business.

use std::cmp::Ordering;

use crate::number::parse_i64;
use crate::types::packed::{Element, Side};

/// A gap in the order of a sorted set. No score is ever not-a-number, and the two zeros are equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut<'a> {
    /// In front of all elements of this score, or behind them.
    Score(f64, Side),
    /// In front of this member or behind it, where all scores are the same.
    Member(&'a [u8], Side),
    /// In front of this score with this member.
    Element(f64, &'a [u8]),
}

impl Cut<'_> {
    /// In front of everything.
    pub const FRONT: Cut<'static> = Cut::Score(f64::NEG_INFINITY, Side::Front);
    /// Behind everything.
    pub const BACK: Cut<'static> = Cut::Score(f64::INFINITY, Side::Back);

    /// Whether an element lies in front of it.
    #[inline]
    pub(super) fn is_behind<'m>(self, score: f64, member: impl FnOnce() -> &'m [u8]) -> bool {
        match self {
            Cut::Member(own, Side::Front) => member() < own,
            Cut::Member(own, Side::Back) => member() <= own,
            Cut::Score(..) | Cut::Element(..) => self.is_behind_score(score).unwrap_or_else(|| {
                let Cut::Element(_, own) = self else { return false };
                member() < own
            }),
        }
    }

    /// The same, if the score alone can tell.
    #[inline]
    pub(super) fn is_behind_score(self, score: f64) -> Option<bool> {
        match self {
            Cut::Score(own, Side::Front) => Some(score < own),
            Cut::Score(own, Side::Back) => Some(score <= own),
            Cut::Member(..) => None,
            Cut::Element(own, _) if score == own => None,
            Cut::Element(own, _) => Some(score < own),
        }
    }
}

/// The order of elements: by score, equal ones by member.
pub(super) fn order(one: (f64, &[u8]), other: (f64, &[u8])) -> Ordering {
    one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal).then_with(|| one.1.cmp(other.1))
}

/// A score as an element of a packed sequence: an integer if it is one, else the bytes of the double, high ones first,
/// without the zeros at the end. Bytes that spell an integer get one zero more, lest they be taken for it. A zero loses
/// its sign, as in Redis's listpacks.
pub(super) struct PackedScore {
    integer: Option<i64>,
    bytes: [u8; SCORE_BYTES + 1],
    len: usize,
}

const SCORE_BYTES: usize = size_of::<f64>();

impl PackedScore {
    pub fn new(score: f64) -> PackedScore {
        let integer = score as i64;
        let is_integer = integer as f64 == score;
        let mut bytes = [0; SCORE_BYTES + 1];
        bytes[..SCORE_BYTES].copy_from_slice(&score.to_bits().to_be_bytes());
        let len = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let len = len + usize::from(parse_i64(&bytes[..len]).is_some());
        PackedScore { integer: is_integer.then_some(integer), bytes, len }
    }

    pub fn element(&self) -> Element<'_> {
        match self.integer {
            Some(integer) => Element::Int(integer),
            None => Element::Bytes(&self.bytes[..self.len]),
        }
    }

    /// The score that an element stands for.
    #[inline]
    pub fn read(element: Element<'_>) -> f64 {
        match element {
            Element::Int(integer) => integer as f64,
            Element::Bytes(kept) => {
                let mut bytes = [0; SCORE_BYTES];
                let len = kept.len().min(SCORE_BYTES);
                bytes[..len].copy_from_slice(&kept[..len]);
                f64::from_bits(u64::from_be_bytes(bytes))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::packed::Packed;
    use proptest::prelude::*;

    fn kept(score: f64) -> (f64, usize) {
        let packed = Packed::from(PackedScore::new(score).element());
        let read = packed.nth(0).map(PackedScore::read);
        (read.expect("invariant: one element was packed"), packed.bytes_len())
    }

    #[test]
    fn scores_that_are_short_take_little_room() {
        let table = [(0.0, 3), (7.0, 3), (-1.0, 4), (0.5, 5), (-0.0, 3), (f64::INFINITY, 5), (0.1, 11)];
        for (score, bytes) in table {
            assert_eq!(kept(score), (score, bytes));
        }
    }

    #[test]
    fn bytes_of_a_score_that_spell_an_integer_are_not_taken_for_it() {
        for spelled in [*b"12345678", *b"-1234567", *b"7\0\0\0\0\0\0\0", *b"10\0\0\0\0\0\0"] {
            let score = f64::from_bits(u64::from_be_bytes(spelled));
            assert_eq!(kept(score).0.to_bits(), score.to_bits());
        }
    }

    proptest! {
        #[test]
        fn every_score_reads_back(bits: u64, integer: i64) {
            let scores = [f64::from_bits(bits), f64::from_bits(bits >> 32 << 32), integer as f64];
            for score in scores.into_iter().filter(|score| !score.is_nan()) {
                prop_assert_eq!(kept(score).0, score);
            }
        }
    }
}
