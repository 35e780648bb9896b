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
    pairs_from(packed, rank).take_while(|pair| is_before(*pair, cut)).count()
}

/// The elements from one cut on, and how many of them are in front of another.
pub(super) fn between<'a>(packed: &'a Packed, from: Cut<'_>, to: Cut<'_>) -> (Pairs<'a>, usize) {
    let pairs = Pairs(packed.iter_from(place(packed, packed.position(0), from)));
    let count = pairs.clone().take_while(|pair| is_before(*pair, to)).count();
    (pairs, count)
}

fn is_before((member, score): (Element<'_>, f64), cut: Cut<'_>) -> bool {
    let mut buffer = IntBuffer::new();
    cut.is_behind(score, || member.text(&mut buffer))
}

/// The first position from one on that is not in front of a cut.
fn place(packed: &Packed, from: Position, cut: Cut<'_>) -> Position {
    let mut place = from;
    let mut pairs = Pairs(packed.iter_from(from));
    while pairs.next().is_some_and(|pair| is_before(pair, cut)) {
        place = packed.position_of(&pairs.0);
    }
    place
}

/// Where a member is, and its score.
pub(super) fn find(packed: &Packed, member: &[u8]) -> Option<(Position, f64)> {
    let position = packed.find(member, 2)?;
    let score = packed.at(packed.after(position))?;
    Some((position, PackedScore::read(score)))
}

/// Puts a member where it belongs, which is not there yet.
pub(super) fn insert(packed: &mut Packed, member: &[u8], score: f64) {
    let position = place(packed, packed.position(0), Cut::Element(score, member));
    packed.insert_pair(position, [member.into(), PackedScore::new(score).element()]);
}

/// Gives the member at a position another score, and moves it to where it belongs then.
pub(super) fn change(packed: &mut Packed, position: Position, member: &[u8], score: f64) {
    let cut = Cut::Element(score, member);
    let behind = packed.after(packed.after(position));
    let previous = Pairs(packed.iter_before(position)).next_back();
    let to = if previous.is_none_or(|previous| is_before(previous, cut)) {
        place(packed, behind, cut)
    } else {
        place(packed, packed.position(0), cut)
    };
    let position = packed.shift(position, 2, to);
    packed.replace(packed.after(position), PackedScore::new(score).element());
}
