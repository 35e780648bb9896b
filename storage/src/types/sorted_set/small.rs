//! The small form of a sorted set: members and scores in turns in one packed buffer, in order. Everything is found by
//! walking; how small is small is decided elsewhere.

use super::score::{Cut, PackedScore};
use crate::types::packed::{Element, Elements, Packed, Position};
use crate::types::string::IntBuffer;

/// Members with their scores, from either end.
#[derive(Clone, Debug)]
pub(super) struct Pairs<'a>(Elements<'a>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (Element<'a>, f64);

    fn next(&mut self) -> Option<(Element<'a>, f64)> {
        let member = self.0.next()?;
        Some((member, PackedScore::read(self.0.next()?)))
    }
}

impl DoubleEndedIterator for Pairs<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let score = PackedScore::read(self.0.next_back()?);
        Some((self.0.next_back()?, score))
    }
}

pub(super) fn pairs(packed: &Packed) -> Pairs<'_> {
    Pairs(packed.iter())
}

/// The elements from a rank on.
pub(super) fn pairs_from(packed: &Packed, rank: usize) -> Pairs<'_> {
    Pairs(packed.iter_from(packed.position(2 * rank)))
}

/// The elements in front of a rank.
pub(super) fn pairs_before(packed: &Packed, rank: usize) -> Pairs<'_> {
    Pairs(packed.iter_before(packed.position(2 * rank)))
}

/// How many elements in a row are in front of a cut, from a rank on.
pub(super) fn run(packed: &Packed, rank: usize, cut: Cut<'_>) -> usize {
    let is_before = |(member, score): &(Element<'_>, f64)| {
        let mut buffer = IntBuffer::new();
        let member = member.text(&mut buffer);
        cut.is_behind(*score, || member)
    };
    pairs_from(packed, rank).take_while(is_before).count()
}

/// Where a member is, and its score.
pub(super) fn find(packed: &Packed, member: &[u8]) -> Option<(Position, f64)> {
    let position = packed.find(member, 2)?;
    let score = packed.at(packed.after(position))?;
    Some((position, PackedScore::read(score)))
}

/// Puts a member where it belongs, which is not there yet.
pub(super) fn insert(packed: &mut Packed, member: &[u8], score: f64) {
    let rank = run(packed, 0, Cut::Element(score, member));
    let position = packed.position(2 * rank);
    packed.insert_pair(position, [member.into(), PackedScore::new(score).element()]);
}

/// Gives the member at a position another score, in place if its rank stays.
pub(super) fn change(packed: &mut Packed, position: Position, member: &[u8], score: f64) {
    let kept = packed.after(position);
    let cut = Cut::Element(score, member);
    let is_before = |(other, score): (Element<'_>, f64)| {
        let mut buffer = IntBuffer::new();
        let other = other.text(&mut buffer);
        cut.is_behind(score, || other)
    };
    let previous = Pairs(packed.iter_before(position)).next_back();
    let next = Pairs(packed.iter_from(packed.after(kept))).next();
    if previous.is_none_or(is_before) && !next.is_some_and(is_before) {
        packed.replace(kept, PackedScore::new(score).element());
    } else {
        packed.remove(position, 2);
        insert(packed, member, score);
    }
}
