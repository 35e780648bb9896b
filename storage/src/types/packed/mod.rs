//! A sequence of byte strings in one exact allocation: the small form of every collection, and the nodes of
//! long lists. It knows order and content only; fields and values, limits and thresholds are its owners'.
//!
//! ```text
//! count, a varint | entry | entry | ...            nothing at all while there is no element
//! entry:            head    | body   | back
//!                   integer or     the length of head and body, readable from its end,
//!                   length         so that entries can be walked from both ends
//! ```
//!
//! Entries are laid out as in Redis's listpack, which snapshots store, so that [`Packed::listpack_bytes`], on
//! which the thresholds of OBJECT ENCODING depend, is a subtraction. What is spared is the listpack's header
//! and end mark. An element that reads as a canonical integer is always stored as one; so equal elements have
//! equal entries.

mod entry;

use std::fmt;
use std::mem;
use std::ops::Range;

pub use self::entry::{ELEMENT_BYTES_MAX, Element};
pub(in crate::types) use self::entry::{Entry, back_of, content_len, decode, last_entry};
use self::entry::{back_len, entry_len};
use super::allocation::allocation_bytes;
use crate::number::{VARINT_LEN_MAX, read_varint, varint_len, write_varint};
use crate::table::prefetch;

/// How much of a long buffer is worth asking for in advance.
const PREFETCH_BYTES: usize = 4 * LINE_BYTES;
const LINE_BYTES: usize = 64;

/// The bytes of a listpack that are not entries: its length, its count and its end mark.
pub(crate) const LISTPACK_FRAME_BYTES: usize = 4 + 2 + 1;

/// An end of a sequence, or the direction towards it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Where the first element is.
    Front,
    /// Where the last element is.
    Back,
}

impl Side {
    /// The other end.
    pub fn opposite(self) -> Side {
        match self {
            Side::Front => Side::Back,
            Side::Back => Side::Front,
        }
    }
}

/// Where an element is. It holds until the next change before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position(usize);

/// A sequence of elements in one allocation without spare room.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Packed {
    bytes: Box<[u8]>,
}

impl Packed {
    /// An empty sequence, which allocates nothing.
    pub fn new() -> Packed {
        Packed::default()
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        if self.bytes.is_empty() { 0 } else { read_varint(&self.bytes).0 as usize }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes of the one buffer.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// Asks for the lines that a short buffer is in, or a long one begins and ends in.
    #[inline]
    pub fn prefetch(&self) {
        let beginning = &self.bytes[..self.bytes.len().min(PREFETCH_BYTES)];
        beginning.iter().step_by(LINE_BYTES).chain(self.bytes.last()).for_each(|byte| prefetch(byte));
    }

    /// What the buffer takes of the heap.
    pub fn memory_bytes(&self) -> usize {
        allocation_bytes(self.bytes.len())
    }

    /// How long a listpack with the same elements would be.
    pub fn listpack_bytes(&self) -> usize {
        LISTPACK_FRAME_BYTES + self.entries().len()
    }

    /// All elements, from either end.
    pub fn iter(&self) -> Elements<'_> {
        Elements { entries: self.entries() }
    }

    /// The elements from `position` to the end.
    pub fn iter_from(&self, position: Position) -> Elements<'_> {
        Elements { entries: &self.bytes[position.0..] }
    }

    /// The elements before `position`.
    pub fn iter_before(&self, position: Position) -> Elements<'_> {
        Elements { entries: &self.bytes[self.start()..position.0] }
    }

    /// Where the element of this index is, found from the nearer end. The length stands for the end, and no
    /// index may be greater.
    pub fn position(&self, index: usize) -> Position {
        let len = self.len();
        assert!(index <= len, "a position is within the sequence");
        if index <= len / 2 {
            let mut at = self.start();
            for _ in 0..index {
                at += entry_len(&self.bytes[at..]);
            }
            return Position(at);
        }
        let mut at = self.bytes.len();
        for _ in index..len {
            let (content_len, back_len) = last_entry(&self.bytes[..at]);
            at -= content_len + back_len;
        }
        Position(at)
    }

    /// The position behind the element at `position`.
    pub fn after(&self, position: Position) -> Position {
        Position(position.0 + entry_len(&self.bytes[position.0..]))
    }

    /// The element at `position`, or none at the end.
    pub fn at(&self, position: Position) -> Option<Element<'_>> {
        self.iter_from(position).next()
    }

    /// The element of this index.
    pub fn nth(&self, index: usize) -> Option<Element<'_>> {
        if index < self.len() { self.at(self.position(index)) } else { None }
    }

    /// Finds `wanted` among the elements of index 0, `step`, 2 × `step` and so on. `step` is at least 1.
    pub fn find(&self, wanted: &[u8], step: usize) -> Option<Position> {
        let wanted = Entry::new(wanted.into());
        let mut at = self.start();
        let mut skip = 0;
        while at < self.bytes.len() {
            if skip == 0 {
                if wanted.begins(&self.bytes[at..]) {
                    return Some(Position(at));
                }
                skip = step;
            }
            skip -= 1;
            at += entry_len(&self.bytes[at..]);
        }
        None
    }

    /// Adds an element at an end.
    pub fn push(&mut self, side: Side, element: Element<'_>) {
        self.insert(self.end(side), element);
    }

    /// Adds elements at an end, one after the other, and moves the buffer once.
    pub fn push_all<'a>(&mut self, side: Side, elements: impl Iterator<Item = Element<'a>> + Clone) {
        let (mut added_len, mut count) = (0, 0);
        for element in elements.clone() {
            added_len += Entry::new(element).len();
            count += 1;
        }
        let mut added = vec![0; added_len];
        let mut rest = &mut added[..];
        for element in elements {
            let entry = Entry::new(element);
            let (place, others) = match side {
                Side::Back => rest.split_at_mut(entry.len()),
                Side::Front => {
                    let (others, place) = rest.split_at_mut(rest.len() - entry.len());
                    (place, others)
                }
            };
            entry.write_to(place);
            rest = others;
        }
        let Position(end) = self.end(side);
        self.splice(end..end, &[&added], self.len() + count);
    }

    /// Takes an element off an end and shows it.
    pub fn pop_with<R>(&mut self, side: Side, visit: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        let position = match side {
            Side::Front => self.end(side),
            Side::Back => self.position(self.len().checked_sub(1)?),
        };
        let result = visit(self.at(position)?);
        self.remove(position, 1);
        Some(result)
    }

    /// Puts an element where `position` is, before the one that is there.
    pub fn insert(&mut self, position: Position, element: Element<'_>) {
        let entry = Entry::new(element);
        self.splice(position.0..position.0, &entry.parts(), self.len() + 1);
    }

    /// Puts two elements where `position` is, at once.
    pub fn insert_pair(&mut self, position: Position, pair: [Element<'_>; 2]) {
        let entries = pair.map(Entry::new);
        let [[a, b, c], [d, e, f]] = [entries[0].parts(), entries[1].parts()];
        self.splice(position.0..position.0, &[a, b, c, d, e, f], self.len() + 2);
    }

    /// Puts an element in the place of the one at `position`.
    pub fn replace(&mut self, position: Position, element: Element<'_>) {
        let entry = Entry::new(element);
        self.splice(position.0..self.after(position).0, &entry.parts(), self.len());
    }

    /// Moves `count` elements from `position` on to in front of what is at `to`, which is not between them; where they are
    /// then.
    pub fn shift(&mut self, position: Position, count: usize, to: Position) -> Position {
        let end = (0..count).fold(position, |end, _| self.after(end));
        let (from, len) = (position.0, end.0 - position.0);
        if to.0 <= from {
            self.bytes[to.0..end.0].rotate_right(len);
            return to;
        }
        self.bytes[from..to.0].rotate_left(len);
        Position(to.0 - len)
    }

    /// Where the rest of a walk towards the end begins.
    pub fn position_of(&self, rest: &Elements<'_>) -> Position {
        Position(self.bytes.len() - rest.entries.len())
    }

    /// Removes `count` elements from `position` on.
    pub fn remove(&mut self, position: Position, count: usize) {
        let end = (0..count).fold(position, |end, _| self.after(end));
        self.splice(position.0..end.0, &[], self.len() - count);
    }

    /// Removes elements that are `wanted`, at most `count` of them from an end on, and returns how many they were.
    pub fn remove_equal(&mut self, wanted: &[u8], from: Side, count: usize) -> usize {
        let wanted = Entry::new(wanted.into());
        let (mut found, mut at) = (Vec::new(), self.start());
        while at < self.bytes.len() {
            let end = at + entry_len(&self.bytes[at..]);
            if wanted.begins(&self.bytes[at..]) {
                found.push(at..end);
            }
            at = end;
        }
        let removed = count.min(found.len());
        let chosen = match from {
            Side::Front => &found[..removed],
            Side::Back => &found[found.len() - removed..],
        };
        if let [first, .., last] | [first @ last] = chosen {
            let gaps = chosen.windows(2).map(|pair| &self.bytes[pair[0].end..pair[1].start]);
            let kept = gaps.collect::<Vec<_>>().concat();
            self.splice(first.start..last.end, &[&kept], self.len() - removed);
        }
        removed
    }

    /// Keeps the first `index` elements and returns the others.
    pub fn split_off(&mut self, index: usize) -> Packed {
        let Position(at) = self.position(index);
        let mut rest = Packed::new();
        rest.splice(0..0, &[&self.bytes[at..]], self.len() - index);
        self.splice(at..self.bytes.len(), &[], index);
        rest
    }

    /// Adds all elements of `other` behind the own ones.
    pub fn append(&mut self, other: &Packed) {
        let end = self.bytes.len();
        self.splice(end..end, &[other.entries()], self.len() + other.len());
    }

    /// Panics if the buffer is not what the head of this file says.
    pub fn check_invariants(&self) {
        let mut at = self.start();
        for element in self.iter() {
            let length = entry_len(&self.bytes[at..]);
            let entry = Entry::new(Element::Bytes(&element.to_vec())).parts().concat();
            assert_eq!(entry, self.bytes[at..at + length], "an entry has the shortest form");
            let (content_len, back_len) = last_entry(&self.bytes[..at + length]);
            assert_eq!(content_len + back_len, length);
            at += length;
        }
        assert_eq!(self.iter().count(), self.len());
        assert!(self.bytes.is_empty() || !self.entries().is_empty(), "an empty sequence has no buffer");
    }

    fn end(&self, side: Side) -> Position {
        match side {
            Side::Front => Position(self.start()),
            Side::Back => Position(self.bytes.len()),
        }
    }

    /// Where the first entry begins.
    fn start(&self) -> usize {
        if self.bytes.is_empty() { 0 } else { varint_len(self.len() as u64) }
    }

    fn entries(&self) -> &[u8] {
        &self.bytes[self.start()..]
    }

    /// The one way in which the buffer changes: `parts` take the place of the bytes in `range`, and `count`
    /// that of the old count. The buffer keeps its exact size, because the allocator rounds up and grows in
    /// place anyway.
    fn splice(&mut self, range: Range<usize>, parts: &[&[u8]], count: usize) {
        let old_header = 0..self.start();
        let mut header = [0; VARINT_LEN_MAX];
        let header_len = if count == 0 { 0 } else { write_varint(count as u64, &mut header) };
        replace(&mut self.bytes, range, parts, old_header, &header[..header_len]);
    }
}

impl From<Element<'_>> for Packed {
    /// A sequence of one element.
    fn from(element: Element<'_>) -> Packed {
        let mut packed = Packed::new();
        packed.push(Side::Back, element);
        packed
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

/// Elements one after another, from either end.
#[derive(Clone, Debug, Default)]
pub struct Elements<'a> {
    entries: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        if self.entries.is_empty() {
            return None;
        }
        let content_len = content_len(self.entries);
        let (content, rest) = self.entries.split_at(content_len);
        self.entries = &rest[back_len(content_len)..];
        Some(decode(content))
    }
}

impl<'a> DoubleEndedIterator for Elements<'a> {
    fn next_back(&mut self) -> Option<Element<'a>> {
        if self.entries.is_empty() {
            return None;
        }
        let (content_len, back_len) = last_entry(self.entries);
        let end = self.entries.len() - back_len;
        let (rest, content) = self.entries[..end].split_at(end - content_len);
        self.entries = rest;
        Some(decode(content))
    }
}

/// Puts `parts` in the place of the bytes in `range` and `header` in that of the first ones, with one move of the buffer.
pub(in crate::types) fn replace(
    buffer: &mut Box<[u8]>,
    range: Range<usize>,
    parts: &[&[u8]],
    old_header: Range<usize>,
    header: &[u8],
) {
    let mut bytes = mem::take(buffer).into_vec();
    let added: usize = parts.iter().map(|part| part.len()).sum::<usize>() + header.len();
    bytes.reserve_exact(added.saturating_sub(range.len() + old_header.len()));
    replace_range(&mut bytes, range, parts);
    replace_range(&mut bytes, old_header, &[header]);
    *buffer = bytes.into_boxed_slice();
}

/// Puts `parts` in the place of `range`, moving what follows once, growing to the exact size.
fn replace_range(bytes: &mut Vec<u8>, range: Range<usize>, parts: &[&[u8]]) {
    let inserted: usize = parts.iter().map(|part| part.len()).sum();
    let (old_len, len) = (bytes.len(), bytes.len() - range.len() + inserted);
    if len > old_len {
        bytes.reserve_exact(len - old_len);
        bytes.resize(len, 0);
    }
    if len != old_len {
        bytes.copy_within(range.end..old_len, range.start + inserted);
        bytes.truncate(len);
    }
    let mut at = range.start;
    for part in parts {
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_around_every_step_read_back_from_both_ends() {
        let steps = [0, 63, 64, 125, 126, 4095, 4096, 16_377, 16_378, 16_379, 2_097_145, 2_097_146];
        for len in steps.into_iter().flat_map(|len: usize| [len.saturating_sub(1), len, len + 1]) {
            let mut packed = Packed::new();
            let text = vec![b'x'; len];
            packed.push(Side::Back, Element::Int(7));
            packed.push(Side::Back, text.as_slice().into());
            packed.check_invariants();
            assert_eq!(packed.iter().next_back(), Some(text.as_slice().into()));
            assert_eq!(packed.iter().nth(1), Some(text.as_slice().into()));
        }
    }

    #[test]
    fn nine_short_items_fit_a_smaller_size_class_than_their_listpack() {
        let mut packed = Packed::new();
        for item in 0..9 {
            packed.push(Side::Back, format!("item{item}").as_bytes().into());
        }
        assert_eq!(allocation_bytes(packed.listpack_bytes()), 80);
        assert_eq!(packed.memory_bytes(), 64);
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            3 => any::<Vec<u8>>(),
            3 => (any::<i64>(), 0..64_u32)
                .prop_map(|(value, shift)| (value >> shift).to_string().into_bytes()),
            1 => "0?[0-9]{0,3}".prop_map(String::into_bytes),
            1 => (0..70_usize, 1..300_usize).prop_map(|(unit, times)| vec![b'y'; unit * times]),
        ]
    }

    #[derive(Clone, Debug)]
    enum Operation {
        Push(Side, Vec<u8>),
        PushAll(Side, Vec<Vec<u8>>),
        Pop(Side),
        Insert(usize, Vec<u8>),
        InsertPair(usize, Vec<u8>, Vec<u8>),
        Replace(usize, Vec<u8>),
        Remove(usize, usize),
        Shift(usize, usize, usize),
        SplitAndSwap(usize),
        Find(usize, usize),
        RemoveEqual(usize, Side, usize),
    }

    fn side() -> impl Strategy<Value = Side> {
        prop_oneof![Just(Side::Front), Just(Side::Back)]
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let index = 0..1_000_usize;
        prop_oneof![
            6 => (side(), text()).prop_map(|(side, text)| Operation::Push(side, text)),
            1 => (side(), prop::collection::vec(text(), 0..9))
                .prop_map(|(side, texts)| Operation::PushAll(side, texts)),
            2 => side().prop_map(Operation::Pop),
            3 => (index.clone(), text()).prop_map(|(index, text)| Operation::Insert(index, text)),
            1 => (index.clone(), text(), text())
                .prop_map(|(index, one, two)| Operation::InsertPair(index, one, two)),
            3 => (index.clone(), text()).prop_map(|(index, text)| Operation::Replace(index, text)),
            1 => (index.clone(), 0..4_usize).prop_map(|(index, count)| Operation::Remove(index, count)),
            2 => (index.clone(), 0..4_usize, index.clone())
                .prop_map(|(index, count, to)| Operation::Shift(index, count, to)),
            1 => index.clone().prop_map(Operation::SplitAndSwap),
            1 => (index.clone(), 1..4_usize).prop_map(|(index, step)| Operation::Find(index, step)),
            1 => (index, side(), 0..9_usize)
                .prop_map(|(index, side, count)| Operation::RemoveEqual(index, side, count)),
        ]
    }

    fn apply(packed: &mut Packed, model: &mut Vec<Vec<u8>>, operation: Operation) {
        match operation {
            Operation::Push(side, text) => {
                packed.push(side, text.as_slice().into());
                let index = if side == Side::Front { 0 } else { model.len() };
                model.insert(index, text);
            }
            Operation::PushAll(side, texts) => {
                packed.push_all(side, texts.iter().map(|text| text.as_slice().into()));
                for text in texts {
                    let index = if side == Side::Front { 0 } else { model.len() };
                    model.insert(index, text);
                }
            }
            Operation::Pop(side) => {
                let index = if side == Side::Front { 0 } else { model.len().saturating_sub(1) };
                let expected = (index < model.len()).then(|| model.remove(index));
                assert_eq!(packed.pop_with(side, |element| element.to_vec()), expected);
            }
            Operation::Insert(index, text) => {
                let index = index % (model.len() + 1);
                packed.insert(packed.position(index), text.as_slice().into());
                model.insert(index, text);
            }
            Operation::InsertPair(index, one, two) => {
                let index = index % (model.len() + 1);
                packed.insert_pair(packed.position(index), [one.as_slice().into(), two.as_slice().into()]);
                model.splice(index..index, [one, two]);
            }
            Operation::SplitAndSwap(index) => {
                let index = index % (model.len() + 1);
                let mut rest = packed.split_off(index);
                rest.append(packed);
                *packed = rest;
                model.rotate_left(index);
            }
            _ if model.is_empty() => {}
            Operation::Replace(index, text) => {
                let index = index % model.len();
                packed.replace(packed.position(index), text.as_slice().into());
                model[index] = text;
            }
            Operation::Remove(index, count) => {
                let index = index % model.len();
                let count = count.min(model.len() - index);
                packed.remove(packed.position(index), count);
                model.drain(index..index + count);
            }
            Operation::Shift(index, count, to) => {
                let index = index % model.len();
                shift(packed, model, index, count.min(model.len() - index), to);
            }
            Operation::Find(index, step) => {
                let wanted = &model[index % model.len()];
                let found = (0..model.len()).step_by(step).find(|&index| model[index] == *wanted);
                assert_eq!(packed.find(wanted, step), found.map(|index| packed.position(index)));
            }
            Operation::RemoveEqual(index, side, count) => {
                let wanted = model[index % model.len()].clone();
                let mut found: Vec<_> = (0..model.len()).filter(|&index| model[index] == wanted).collect();
                match side {
                    Side::Front => found.truncate(count),
                    Side::Back => drop(found.drain(..found.len().saturating_sub(count))),
                }
                assert_eq!(packed.remove_equal(&wanted, side, count), found.len());
                found.into_iter().rev().for_each(|index| drop(model.remove(index)));
            }
        }
    }

    fn shift(packed: &mut Packed, model: &mut Vec<Vec<u8>>, index: usize, count: usize, to: usize) {
        let to = to % (model.len() - count + 1);
        let before = if to <= index { to } else { to + count };
        let shifted = packed.shift(packed.position(index), count, packed.position(before));
        assert_eq!(shifted, packed.position(to));
        let moved: Vec<_> = model.drain(index..index + count).collect();
        model.splice(to..to, moved);
    }

    fn check(packed: &Packed, model: &[Vec<u8>], index: usize) {
        packed.check_invariants();
        assert_eq!(packed.len(), model.len());
        assert!(packed.iter().map(|element| element.to_vec()).eq(model.iter().cloned()));
        assert!(packed.iter().rev().eq(model.iter().rev().map(|text| Element::Bytes(text))));
        assert!(packed.iter().zip(model).all(|(element, text)| element.len() == text.len()));
        let index = index % (model.len() + 1);
        assert_eq!(packed.nth(index), model.get(index).map(|text| Element::Bytes(text)));
        let position = packed.position(index);
        assert!(packed.iter_from(position).eq(model[index..].iter().map(|text| Element::Bytes(text))));
        let mut rest = packed.iter();
        rest.by_ref().take(index).for_each(drop);
        assert_eq!(packed.position_of(&rest), position);
        assert!(packed.iter_before(position).eq(model[..index].iter().map(|text| Element::Bytes(text))));
        let entries: usize =
            model.iter().map(|text| Entry::new(text.as_slice().into()).parts().concat().len()).sum();
        assert_eq!(packed.listpack_bytes(), LISTPACK_FRAME_BYTES + entries);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn a_packed_sequence_is_a_sequence(
            operations in prop::collection::vec((operation(), 0..1_000_usize), 0..500)
        ) {
            let (mut packed, mut model) = (Packed::new(), Vec::new());
            for (operation, index) in operations {
                apply(&mut packed, &mut model, operation);
                check(&packed, &model, index);
            }
        }

        #[test]
        fn the_count_may_change_its_width(len in 120..140_usize, removed in 0..20_usize) {
            let mut packed = Packed::new();
            (0..len).for_each(|value| packed.push(Side::Front, Element::Int(value as i64)));
            packed.remove(packed.position(0), removed);
            packed.check_invariants();
            prop_assert_eq!(packed.nth(0), Some(Element::Int((len - removed - 1) as i64)));
            prop_assert_eq!(packed.len(), len - removed);
        }
    }
}
