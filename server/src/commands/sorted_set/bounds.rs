//! The ends of ranges: of ranks, of scores, of members; and which ranks they stand for in a sorted set.

use std::ops::Range;

use shardis_protocol::number;
use shardis_storage::types::packed::Side;
use shardis_storage::types::sorted_set::{Cut, SortedSet};

use crate::command::args::until_zero;
use crate::command::{Call, Error};

/// What the ends of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Ranks.
    Rank,
    /// Scores.
    Score,
    /// Members, where all have the same score.
    Lex,
}

/// A range in a sorted set.
#[derive(Clone, Copy, Debug)]
pub enum Bounds<'a> {
    /// From a rank to another, both included and negative from the end.
    Ranks(i64, i64),
    /// What lies between two cuts.
    Cuts(Cut<'a>, Cut<'a>),
}

impl<'a> Bounds<'a> {
    /// Takes the next two arguments for the ends of a range.
    pub fn take(call: &mut Call<'a>, by: By) -> Result<Bounds<'a>, Error> {
        let ends = [call.args.take()?, call.args.take()?];
        Bounds::parse(call, by, ends)
    }

    /// The range between two ends, the smaller one first.
    pub fn parse(call: &Call<'_>, by: By, [min, max]: [&'a [u8]; 2]) -> Result<Bounds<'a>, Error> {
        match by {
            By::Rank => {
                let rank = |text| number::parse_i64(text).ok_or(Error::NOT_INTEGER);
                Ok(Bounds::Ranks(rank(min)?, rank(max)?))
            }
            By::Score => {
                let cut = |text, included| score_cut(call, text, included).ok_or(Error::RANGE_NOT_FLOAT);
                Ok(Bounds::Cuts(cut(min, Side::Front)?, cut(max, Side::Back)?))
            }
            By::Lex => {
                let cut = |text, included| member_cut(text, included).ok_or(Error::RANGE_NOT_LEX);
                Ok(Bounds::Cuts(cut(min, Side::Front)?, cut(max, Side::Back)?))
            }
        }
    }

    /// The ranks of the range; those of a `reversed` one are counted from the end.
    pub fn ranks(self, set: &SortedSet, reversed: bool) -> Range<usize> {
        let len = set.len();
        let ranks = match self {
            Bounds::Cuts(min, max) => return set.ranks(min, max),
            Bounds::Ranks(start, stop) => between(start, stop, len),
        };
        if reversed { len - ranks.end..len - ranks.start } else { ranks }
    }
}

/// The ranks from `start` to `stop`, both included and negative from the end.
fn between(start: i64, stop: i64, len: usize) -> Range<usize> {
    let from_start = |rank: i64| match usize::try_from(rank) {
        Ok(rank) => Some(rank),
        Err(_) => usize::try_from(rank.unsigned_abs()).ok().and_then(|back| len.checked_sub(back)),
    };
    let first = from_start(start).unwrap_or(0).min(len);
    let end = from_start(stop).map_or(0, |last| last.saturating_add(1)).min(len);
    first..end.max(first)
}

/// Where a range of scores ends, on the side of its number where the number is `included`. As C reads it: nothing is 0,
/// and a zero byte is the end.
fn score_cut(call: &Call<'_>, text: &[u8], included: Side) -> Option<Cut<'static>> {
    let (text, side) = match text {
        [b'(', text @ ..] => (text, included.opposite()),
        _ => (text, included),
    };
    let text = until_zero(text);
    if text.is_empty() {
        return Some(Cut::Score(0.0, side));
    }
    let number = call.dialect().behind_space(text);
    let score = call.dialect().reads_double(number).then(|| number::parse_f64_clamped(number)).flatten()?;
    Some(Cut::Score(score, side))
}

/// Where a range of members ends.
fn member_cut(text: &[u8], included: Side) -> Option<Cut<'_>> {
    match text {
        [b'-'] | [b'-', 0, ..] => Some(Cut::FRONT),
        [b'+'] | [b'+', 0, ..] => Some(Cut::BACK),
        [b'[', member @ ..] => Some(Cut::Member(member, included)),
        [b'(', member @ ..] => Some(Cut::Member(member, included.opposite())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_cut_to_the_set() {
        assert_eq!(between(0, -1, 5), 0..5);
        assert_eq!(between(-100, 100, 5), 0..5);
        assert_eq!(between(-2, -1, 5), 3..5);
        assert_eq!(between(i64::MIN, i64::MAX, 5), 0..5);
        for (start, stop) in [(3, 1), (5, 10), (-10, -6), (0, i64::MIN), (i64::MAX, i64::MAX)] {
            assert!(between(start, stop, 5).is_empty(), "{start} {stop}");
        }
        assert!(between(0, -1, 0).is_empty());
    }

    #[test]
    fn an_end_of_members_says_whether_it_belongs_to_the_range() {
        let cases: [(&[u8], Option<Cut<'_>>); 8] = [
            (b"-", Some(Cut::FRONT)),
            (b"+", Some(Cut::BACK)),
            (b"+\0x", Some(Cut::BACK)),
            (b"[", Some(Cut::Member(b"", Side::Back))),
            (b"(a\0b", Some(Cut::Member(b"a\0b", Side::Front))),
            (b"-a", None),
            (b"", None),
            (b"a", None),
        ];
        for (text, cut) in cases {
            assert_eq!(member_cut(text, Side::Back), cut, "{text:?}");
        }
    }
}
