//! A block of a stream: neighbouring entries in one buffer. It knows where entries are and what they hold; which block an entry goes
//! to, and when a block is gone, is the log's.
//!
//! ```text
//! fields of the block    count, a varint, and as many names
//! entry, entry, ...      head  ms  seq  [count]  elements...  back
//! head                   a varint: what is between it and `back` in bytes, times four; plus two where the names of the fields
//!                        are those of the block, so that only values follow; plus one where the entry is deleted
//! ms                     a varint: milliseconds behind the id of the block
//! seq                    a varint: behind that of the block's id where these are 0, else the number itself
//! elements               head and body of a packed entry each: values, or names and values in turn
//! back                   the length of all before it, readable from its end
//! ```
//!
//! Entries that are not deleted are in the order of their ids. A deleted one may be greater than those behind it, where the last id was
//! set back below it; it stays where it is, with its mark, until the whole block is gone. How long Redis's listpack with the same entries
//! would be is counted, because that decides when a block is full, which clients see in what `~` trims.

use super::StreamId;
use crate::number::{VARINT_LEN_MAX, read_varint, write_varint};
use crate::types::allocation::allocation_bytes;
use crate::types::packed::{Element, Entry, LISTPACK_FRAME_BYTES, back_of, content_len, decode, last_entry};

const IS_DELETED: u64 = 1;
const HAS_FIELDS_OF_BLOCK: u64 = 2;
const FLAG_BITS: u32 = 2;

/// Neighbouring entries of a stream. The id that they are counted from is that of the first, which its owner keeps.
#[derive(Clone, Debug)]
pub(super) struct Block {
    bytes: Vec<u8>,
    /// Where the entries begin.
    entries_at: u32,
    live: u32,
    deleted: u32,
    listpack_bytes: u32,
}

/// A field of an entry and its value.
pub type Pair<'a> = (Element<'a>, Element<'a>);

/// An entry in place.
#[derive(Clone, Copy, Debug)]
pub struct EntryRef<'a> {
    id: StreamId,
    /// Names and values in turn, or values alone.
    elements: &'a [u8],
    /// The names, where the elements are values alone.
    fields: Option<&'a [u8]>,
    len: usize,
}

/// An entry where it lies in its block.
#[derive(Clone, Copy)]
struct Placed {
    at: usize,
    end: usize,
    body_at: usize,
    flags: u64,
    id: StreamId,
    /// Where its number of fields, or its first value, is.
    elements_at: usize,
}

impl Placed {
    fn is_deleted(&self) -> bool {
        self.flags & IS_DELETED != 0
    }
}

impl Block {
    /// A block without entries, for those with these fields.
    pub fn new<'a>(fields: impl ExactSizeIterator<Item = &'a [u8]>) -> Block {
        let count = fields.len();
        let mut bytes = Vec::with_capacity(FIRST_BYTES);
        push_varint(&mut bytes, count as u64);
        // The numbers of live and deleted entries and of fields, and the zero that ends the names.
        let mut listpack_bytes = LISTPACK_FRAME_BYTES + 3 * SMALL_INTEGER_BYTES + integer_bytes(count as i64);
        for field in fields {
            listpack_bytes += push_element(&mut bytes, field);
        }
        let entries_at = bytes.len() as u32;
        Block { bytes, entries_at, live: 0, deleted: 0, listpack_bytes: listpack_bytes as u32 }
    }

    /// Entries that are not deleted.
    pub fn live(&self) -> usize {
        self.live as usize
    }

    /// Entries that are there, deleted or not.
    pub fn len(&self) -> usize {
        (self.live + self.deleted) as usize
    }

    /// How long Redis's listpack with the same entries would be.
    pub fn listpack_bytes(&self) -> usize {
        // Both numbers are counted as small ones.
        let grown = |count: u32| integer_bytes(i64::from(count)) - SMALL_INTEGER_BYTES;
        self.listpack_bytes as usize + grown(self.live) + grown(self.deleted)
    }

    /// What the buffer takes of the heap.
    pub fn heap_bytes(&self) -> usize {
        allocation_bytes(self.bytes.capacity())
    }

    /// Gives back what the buffer has to spare.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Appends an entry, whose id is greater than all before it.
    pub fn append<'a>(
        &mut self,
        base: StreamId,
        id: StreamId,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) {
        let at = self.bytes.len();
        let has_fields_of_block = self.has_fields(pairs.clone().map(|(field, _)| field));
        // Most entries have a head of one byte; one that needs more is moved.
        self.bytes.push(0);
        let (ms, seq) = (id.ms - base.ms, if id.ms == base.ms { id.seq - base.seq } else { id.seq });
        push_varint(&mut self.bytes, ms);
        push_varint(&mut self.bytes, seq);
        let pairs_len = pairs.len() as i64;
        // Flags, both parts of the id, and the number of elements.
        let mut listpack_bytes = SMALL_INTEGER_BYTES
            + integer_bytes(ms as i64)
            + integer_bytes(id.seq.wrapping_sub(base.seq) as i64);
        let elements = if has_fields_of_block {
            pairs.for_each(|(_, value)| listpack_bytes += push_element(&mut self.bytes, value));
            pairs_len + 3
        } else {
            push_varint(&mut self.bytes, pairs_len as u64);
            listpack_bytes += integer_bytes(pairs_len);
            for (field, value) in pairs {
                listpack_bytes += push_element(&mut self.bytes, field);
                listpack_bytes += push_element(&mut self.bytes, value);
            }
            2 * pairs_len + 4
        };
        listpack_bytes += integer_bytes(elements);
        let flags = if has_fields_of_block { HAS_FIELDS_OF_BLOCK } else { 0 };
        self.write_head(at, flags);
        let (back, back_len) = back_of(self.bytes.len() - at);
        self.bytes.extend_from_slice(&back[..back_len]);
        self.live += 1;
        self.listpack_bytes = self.listpack_bytes.saturating_add(listpack_bytes as u32);
    }

    /// Writes the head of the entry that begins at `at` and ends with the buffer, for which there is one byte so far.
    fn write_head(&mut self, at: usize, flags: u64) {
        let body_len = (self.bytes.len() - at - 1) as u64;
        let mut head = [0; VARINT_LEN_MAX];
        let head_len = write_varint(body_len << FLAG_BITS | flags, &mut head);
        self.bytes[at] = head[0];
        if head_len > 1 {
            self.bytes.splice(at + 1..at + 1, head[1..head_len].iter().copied());
        }
    }

    /// Whether these are the fields of the block.
    fn has_fields<'a>(&self, fields: impl ExactSizeIterator<Item = &'a [u8]>) -> bool {
        let (count, mut at) = self.varint(0);
        if count != fields.len() as u64 {
            return false;
        }
        for field in fields {
            let own = &self.bytes[at..];
            if !Entry::new(Element::Bytes(field)).begins(own) {
                return false;
            }
            at += content_len(own);
        }
        true
    }

    fn varint(&self, at: usize) -> (u64, usize) {
        let (value, len) = read_varint(&self.bytes[at..]);
        (value, at + len)
    }

    /// The entry that begins here.
    fn placed(&self, base: StreamId, at: usize) -> Placed {
        let (head, body_at) = self.varint(at);
        let body_end = body_at + (head >> FLAG_BITS) as usize;
        let (ms, seq_at) = self.varint(body_at);
        let (seq, elements_at) = self.varint(seq_at);
        let id = StreamId { ms: base.ms + ms, seq: if ms == 0 { base.seq + seq } else { seq } };
        let end = body_end + back_of(body_end - at).1;
        Placed { at, end, body_at: body_end, flags: head & ((1 << FLAG_BITS) - 1), id, elements_at }
    }

    /// The entry that ends here.
    fn placed_before(&self, base: StreamId, end: usize) -> Placed {
        let (len, back_len) = last_entry(&self.bytes[..end]);
        self.placed(base, end - back_len - len)
    }

    fn entry(&self, placed: &Placed) -> EntryRef<'_> {
        let body = &self.bytes[..placed.body_at];
        if placed.flags & HAS_FIELDS_OF_BLOCK != 0 {
            let (count, names_at) = self.varint(0);
            let fields = &self.bytes[names_at..self.entries_at as usize];
            let elements = &body[placed.elements_at..];
            EntryRef { id: placed.id, elements, fields: Some(fields), len: count as usize }
        } else {
            let (count, elements_at) = self.varint(placed.elements_at);
            EntryRef { id: placed.id, elements: &body[elements_at..], fields: None, len: count as usize }
        }
    }

    /// The id of the last entry, deleted or not.
    pub fn last_id(&self, base: StreamId) -> StreamId {
        self.placed_before(base, self.bytes.len()).id
    }

    /// Where the first entry is whose id is not less.
    pub fn seek(&self, base: StreamId, id: StreamId) -> Place {
        let mut at = self.entries_at as usize;
        // A reader of what is new is mostly at the end.
        if self.bytes.len() > at && self.last_id(base) < id {
            return Place(self.bytes.len());
        }
        while at < self.bytes.len() {
            let placed = self.placed(base, at);
            if placed.id >= id {
                break;
            }
            at = placed.end;
        }
        Place(at)
    }

    /// Where the first entry is.
    pub fn start(&self) -> Place {
        Place(self.entries_at as usize)
    }

    /// Behind the last entry.
    pub fn end(&self) -> Place {
        Place(self.bytes.len())
    }

    /// The next entry that is not deleted; the place is then behind it.
    pub fn next(&self, base: StreamId, place: &mut Place) -> Option<EntryRef<'_>> {
        while place.0 < self.bytes.len() {
            let placed = self.placed(base, place.0);
            place.0 = placed.end;
            if !placed.is_deleted() {
                return Some(self.entry(&placed));
            }
        }
        None
    }

    /// The entry before a place that is not deleted; the place is then before it.
    pub fn previous(&self, base: StreamId, place: &mut Place) -> Option<EntryRef<'_>> {
        while place.0 > self.entries_at as usize {
            let placed = self.placed_before(base, place.0);
            place.0 = placed.at;
            if !placed.is_deleted() {
                return Some(self.entry(&placed));
            }
        }
        None
    }

    /// Marks the entry of this id as deleted; whether it was there.
    pub fn delete(&mut self, base: StreamId, id: StreamId) -> bool {
        let mut place = self.seek(base, id);
        let is_there = self.next(base, &mut place).is_some_and(|entry| entry.id() == id);
        if is_there {
            self.delete_before(base, place);
        }
        is_there
    }

    /// Marks the entry before a place as deleted, which it was not.
    pub fn delete_before(&mut self, base: StreamId, place: Place) {
        let at = self.placed_before(base, place.0).at;
        // The flags are in the lowest bits of the first byte.
        self.bytes[at] |= IS_DELETED as u8;
        self.live -= 1;
        self.deleted += 1;
    }
}

/// A place between entries of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

impl<'a> EntryRef<'a> {
    /// Its id.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// How many fields it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none; no entry is so.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its fields and their values.
    pub fn pairs(self) -> impl Iterator<Item = Pair<'a>> {
        let (mut elements, mut fields) = (self.elements, self.fields);
        (0..self.len).map(move |_| {
            let field = take_element(fields.as_mut().unwrap_or(&mut elements));
            (field, take_element(&mut elements))
        })
    }
}

fn take_element<'a>(elements: &mut &'a [u8]) -> Element<'a> {
    let (content, rest) = elements.split_at(content_len(elements));
    *elements = rest;
    decode(content)
}

fn push_varint(bytes: &mut Vec<u8>, value: u64) {
    let mut buffer = [0; VARINT_LEN_MAX];
    let len = write_varint(value, &mut buffer);
    bytes.extend_from_slice(&buffer[..len]);
}

/// Appends an element; how long it would be in a listpack.
fn push_element(bytes: &mut Vec<u8>, element: &[u8]) -> usize {
    let entry = Entry::new(Element::Bytes(element));
    for part in entry.content() {
        bytes.extend_from_slice(part);
    }
    entry.len()
}

/// How long an integer is in a listpack.
fn integer_bytes(value: i64) -> usize {
    if (0..128).contains(&value) { SMALL_INTEGER_BYTES } else { Entry::new(Element::Int(value)).len() }
}

/// An integer below 128, in a listpack.
const SMALL_INTEGER_BYTES: usize = 2;
/// Room for some entries, so that a buffer does not begin with many small steps.
const FIRST_BYTES: usize = 128;
