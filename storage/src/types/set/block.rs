//! The small forms of a set, each in one exact allocation: integers in ascending order, found by halving, or any
//! members in order of arrival, found by walking. When a set has which form is its owner's; so is that members differ.
//!
//! ```text
//! four times the count plus the layout, a varint | members     nothing at all while there is no integer
//! layout 0          each member as head and body of a packed entry, without the back: nobody walks backwards
//! layout 1, 2, 3    integers of 2, 4 or 8 bytes, low byte first
//! ```

use std::cmp::Ordering;
use std::ops::Range;

use crate::number::{VARINT_LEN_MAX, read_varint, write_varint};
use crate::table::prefetch;
use crate::types::allocation::allocation_bytes;
use crate::types::packed::{Element, Entry, content_len, decode, replace};

/// Members in one allocation without spare room.
#[derive(Clone, Default)]
pub(super) struct Block {
    bytes: Box<[u8]>,
}

/// Where a member is. It holds until the next change.
pub(super) type Place = Range<usize>;

/// What the first bytes say.
#[derive(Clone, Copy)]
struct Header {
    count: usize,
    layout: u8,
    /// Where the members begin.
    start: usize,
}

impl Block {
    /// A block that takes any members; the default takes integers only, as long as it is not pushed to.
    pub fn packed() -> Block {
        Block { bytes: Box::new([PACKED]) }
    }

    pub fn len(&self) -> usize {
        self.header().count
    }

    /// Whether it takes any members.
    pub fn is_packed(&self) -> bool {
        self.header().layout == PACKED
    }

    /// What the block takes of the heap.
    pub fn memory_bytes(&self) -> usize {
        allocation_bytes(self.bytes.len())
    }

    /// Asks for the lines that a short block is in, or a long one begins in.
    pub fn prefetch(&self) {
        let beginning = &self.bytes[..self.bytes.len().min(PREFETCH_BYTES)];
        beginning.iter().step_by(LINE_BYTES).chain(beginning.last()).for_each(|byte| prefetch(byte));
    }

    pub fn iter(&self) -> Members<'_> {
        let header = self.header();
        Members { layout: header.layout, bytes: &self.bytes[header.start..] }
    }

    /// Where a member is.
    pub fn find(&self, wanted: Element<'_>) -> Option<Place> {
        let header = self.header();
        match (header.layout, wanted.as_i64()) {
            (PACKED, _) => self.walk_to(header, wanted),
            (_, Some(value)) => {
                let place = self.search(header, value).ok()?;
                Some(place..place + width(header.layout))
            }
            (_, None) => None,
        }
    }

    /// Where the member of this index is, which is below the length.
    pub fn nth(&self, index: usize) -> Place {
        let header = self.header();
        assert!(index < header.count, "a place is within the block");
        if header.layout != PACKED {
            let width = width(header.layout);
            let at = header.start + index * width;
            return at..at + width;
        }
        let at = (0..index).fold(header.start, |at, _| at + content_len(&self.bytes[at..]));
        at..at + content_len(&self.bytes[at..])
    }

    /// The member at a place.
    pub fn at(&self, place: &Place) -> Element<'_> {
        member(self.header().layout, &self.bytes[place.clone()])
    }

    /// The least and the greatest integer of a block of integers.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        let last = self.len().checked_sub(1)?;
        let integer = |index| self.at(&self.nth(index)).as_i64();
        integer(0).zip(integer(last))
    }

    /// Adds a member that is not there to a block that takes any; returns the bytes that it takes.
    pub fn push(&mut self, element: Element<'_>) -> usize {
        let entry = Entry::new(element);
        let (end, count) = (self.bytes.len(), self.len() + 1);
        self.splice(end..end, &entry.content(), count, PACKED);
        entry.content_len()
    }

    /// Adds an integer to a block of integers, and returns whether it is new.
    pub fn insert(&mut self, value: i64) -> bool {
        let layout = layout_of(value).max(self.header().layout);
        if layout > self.header().layout {
            self.widen(layout);
        }
        let header = Header { layout, ..self.header() };
        let Err(at) = self.search(header, value) else { return false };
        let bytes = value.to_le_bytes();
        self.splice(at..at, &[&bytes[..width(layout)]], header.count + 1, layout);
        true
    }

    /// Takes the member at a place out.
    pub fn remove(&mut self, place: Place) {
        let header = self.header();
        self.splice(place, &[], header.count - 1, header.layout);
    }

    /// Adds all members of another block, none of which is here; both take any.
    pub fn append(&mut self, other: &Block) {
        let (end, count) = (self.bytes.len(), self.len() + other.len());
        self.splice(end..end, &[other.iter().bytes], count, PACKED);
    }

    /// The members for which `stays` holds, and the others; of a block that takes any.
    pub fn partition(&self, mut stays: impl FnMut(Element<'_>) -> bool) -> (Block, Block) {
        let (mut kept, mut moved) = ((0, Vec::new()), (0, Vec::new()));
        let mut rest = self.iter().bytes;
        while !rest.is_empty() {
            let (content, behind) = rest.split_at(content_len(rest));
            let (count, bytes) = if stays(decode(content)) { &mut kept } else { &mut moved };
            *count += 1;
            bytes.extend_from_slice(content);
            rest = behind;
        }
        let block = |(count, entries): (usize, Vec<u8>)| {
            let mut block = Block::default();
            block.splice(0..0, &[&entries], count, PACKED);
            block
        };
        (block(kept), block(moved))
    }

    /// Panics if the block is not what the head of this file says.
    pub fn check_invariants(&self) {
        assert_eq!(self.iter().count(), self.len());
        for (index, element) in self.iter().enumerate() {
            assert_eq!(self.find(element), Some(self.nth(index)), "members differ");
        }
        if !self.is_packed() {
            let values = || self.iter().map(|element| element.as_i64());
            assert!(values().zip(values().skip(1)).all(|(one, next)| one < next), "integers ascend");
        }
    }

    fn header(&self) -> Header {
        if self.bytes.is_empty() {
            return Header { count: 0, layout: NARROWEST, start: 0 };
        }
        let (word, start) = read_varint(&self.bytes);
        Header { count: (word >> LAYOUT_BITS) as usize, layout: word as u8 & LAYOUT_MASK, start }
    }

    fn walk_to(&self, header: Header, wanted: Element<'_>) -> Option<Place> {
        let wanted = Entry::new(wanted);
        let mut at = header.start;
        while at < self.bytes.len() {
            let entries = &self.bytes[at..];
            if wanted.begins(entries) {
                return Some(at..at + wanted.content_len());
            }
            at += content_len(entries);
        }
        None
    }

    /// Where an integer is, or where it would be.
    fn search(&self, header: Header, value: i64) -> Result<usize, usize> {
        let width = width(header.layout);
        let (mut low, mut high) = (0, header.count);
        while low < high {
            let middle = low.midpoint(high);
            let at = header.start + middle * width;
            match integer(&self.bytes[at..at + width]).cmp(&value) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Ok(at),
            }
        }
        Err(header.start + low * width)
    }

    /// Gives every integer more bytes.
    fn widen(&mut self, layout: u8) {
        let mut bytes = Vec::with_capacity(self.len() * width(layout));
        for value in self.iter().filter_map(|element| element.as_i64()) {
            bytes.extend_from_slice(&value.to_le_bytes()[..width(layout)]);
        }
        let header = self.header();
        self.splice(header.start..self.bytes.len(), &[&bytes], header.count, layout);
    }

    /// The one way in which the bytes change: `parts` take the place of those in `range`, which is behind the header, and a
    /// new header that of the old one.
    fn splice(&mut self, range: Range<usize>, parts: &[&[u8]], count: usize, layout: u8) {
        let old_header = 0..self.header().start;
        let mut header = [0; VARINT_LEN_MAX];
        let word = (count as u64) << LAYOUT_BITS | u64::from(layout);
        let header_len = if count == 0 { 0 } else { write_varint(word, &mut header) };
        replace(&mut self.bytes, range, parts, old_header, &header[..header_len]);
    }
}

/// Members one after another.
#[derive(Clone)]
pub(super) struct Members<'a> {
    layout: u8,
    bytes: &'a [u8],
}

impl<'a> Iterator for Members<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        if self.bytes.is_empty() {
            return None;
        }
        let len = if self.layout == PACKED { content_len(self.bytes) } else { width(self.layout) };
        let (first, rest) = self.bytes.split_at(len);
        self.bytes = rest;
        Some(member(self.layout, first))
    }
}

fn member(layout: u8, bytes: &[u8]) -> Element<'_> {
    if layout == PACKED { decode(bytes) } else { Element::Int(integer(bytes)) }
}

/// An integer of 2, 4 or 8 bytes.
fn integer(bytes: &[u8]) -> i64 {
    match *bytes {
        [a, b] => i16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => unreachable!("integers have one of three widths"),
    }
}

/// The narrowest layout that an integer fits into.
fn layout_of(value: i64) -> u8 {
    match value {
        _ if i16::try_from(value).is_ok() => NARROWEST,
        _ if i32::try_from(value).is_ok() => NARROWEST + 1,
        _ => NARROWEST + 2,
    }
}

const fn width(layout: u8) -> usize {
    1 << layout
}

/// Any members.
const PACKED: u8 = 0;
/// Integers of two bytes.
const NARROWEST: u8 = 1;
const LAYOUT_BITS: u32 = 2;
const LAYOUT_MASK: u8 = (1 << LAYOUT_BITS) - 1;
const _: () = assert!(width(NARROWEST) == size_of::<i16>() && width(LAYOUT_MASK) == size_of::<i64>());
/// How much of a block is worth asking for in advance: what a set of ten short members takes.
const PREFETCH_BYTES: usize = 2 * LINE_BYTES;
const LINE_BYTES: usize = 64;
