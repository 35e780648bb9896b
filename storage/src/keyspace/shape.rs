//! How an entry lies in its block: what its header says, and where each part is. Knows no memory: `entry` reads and writes.
//!
//! ```text
//! byte 0      what the value is (`Tag`)
//! byte 1      flags: deadline of 6 bytes, deadline of 8 bytes, long key, forced raw
//! bytes 2..5  what is remembered of accesses (`access`), 24 bits
//! bytes 5..8  length of the key (12 bits) and of an inline string (12 bits)
//! [8 bytes]   length of a long key
//! [6 or 8]    deadline: Unix milliseconds
//! key bytes
//! value       inline string: its bytes; integer: 8 bytes; long string: its handle; collection: its two words
//! ```

use std::alloc::Layout;

use crate::types::allocation::allocation_bytes;

pub(super) const HEADER_BYTES: usize = 8;
pub(super) const LONG_KEY_BYTES: usize = 8;
pub(super) const DEADLINE_BYTES: usize = 6;
pub(super) const WIDE_DEADLINE_BYTES: usize = 8;
pub(super) const WORD_BYTES: usize = 8;
/// A collection: where its elements are, and how they are stored.
pub(super) const COLLECTION_BYTES: usize = 2 * WORD_BYTES;
/// Lengths in the header have 12 bits; a longer key has its length behind the header.
pub(super) const HEADER_LENGTH_MAX: usize = (1 << 12) - 1;

pub(super) const HAS_DEADLINE: u8 = 1 << 0;
pub(super) const WIDE_DEADLINE: u8 = 1 << 1;
pub(super) const DEADLINE_FLAGS: u8 = HAS_DEADLINE | WIDE_DEADLINE;
pub(super) const LONG_KEY: u8 = 1 << 2;
/// The string was grown in place: Redis reports `raw` for such a one, however short. Or the integer is a copy: Redis
/// shares small ones between keys, but not those.
pub(super) const FORCED_RAW: u8 = 1 << 3;

/// What the value bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Tag {
    /// The bytes of a string.
    Inline,
    /// An `i64`.
    Int,
    /// An `Arc<Vec<u8>>`.
    Shared,
    /// A `List`.
    List,
    /// A `Set`.
    Set,
    /// A `SortedSet`.
    SortedSet,
    /// A `Hash`.
    Hash,
    /// A `Lock`.
    Lock,
    /// A `Semaphore`.
    Semaphore,
    /// A `Latch`.
    Latch,
    /// A `Job`.
    Job,
    /// A `Stream`.
    Stream,
    /// Nothing: the collection is in the hands of a guard.
    Lent,
}

impl Tag {
    #[inline]
    pub(super) fn of(byte: u8) -> Tag {
        match byte {
            0 => Tag::Inline,
            1 => Tag::Int,
            2 => Tag::Shared,
            3 => Tag::List,
            4 => Tag::Set,
            5 => Tag::SortedSet,
            6 => Tag::Hash,
            7 => Tag::Lock,
            8 => Tag::Semaphore,
            9 => Tag::Latch,
            10 => Tag::Job,
            11 => Tag::Stream,
            _ => Tag::Lent,
        }
    }
}

/// What decides where each part of an entry lies.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) tag: Tag,
    pub(super) flags: u8,
    pub(super) key_bytes: usize,
    pub(super) inline_bytes: usize,
}

impl Shape {
    pub(super) fn deadline_at(self) -> usize {
        HEADER_BYTES + if self.flags & LONG_KEY != 0 { LONG_KEY_BYTES } else { 0 }
    }

    pub(super) fn deadline_bytes(self) -> usize {
        match self.flags & DEADLINE_FLAGS {
            0 => 0,
            HAS_DEADLINE => DEADLINE_BYTES,
            _ => WIDE_DEADLINE_BYTES,
        }
    }

    pub(super) fn key_at(self) -> usize {
        self.deadline_at() + self.deadline_bytes()
    }

    pub(super) fn value_at(self) -> usize {
        let at = self.key_at() + self.key_bytes;
        // References to handles and collections are given out, so they are aligned.
        if matches!(self.tag, Tag::Inline | Tag::Int) { at } else { at.next_multiple_of(WORD_BYTES) }
    }

    pub(super) fn value_bytes(self) -> usize {
        match self.tag {
            Tag::Inline => self.inline_bytes,
            Tag::Int | Tag::Shared => WORD_BYTES,
            Tag::List
            | Tag::Set
            | Tag::SortedSet
            | Tag::Hash
            | Tag::Lock
            | Tag::Semaphore
            | Tag::Latch
            | Tag::Job
            | Tag::Stream
            | Tag::Lent => COLLECTION_BYTES,
        }
    }

    pub(super) fn block_bytes(self) -> usize {
        allocation_bytes(self.value_at() + self.value_bytes())
    }

    pub(super) fn layout(self) -> Layout {
        Layout::from_size_align(self.block_bytes(), WORD_BYTES)
            .expect("invariant: keys and values are bounded")
    }
}

pub(super) fn long_key_flag(key_bytes: usize) -> u8 {
    if key_bytes > HEADER_LENGTH_MAX { LONG_KEY } else { 0 }
}

pub(super) fn deadline_flags(deadline_ms: Option<i64>) -> u8 {
    match deadline_ms {
        None => 0,
        Some(ms) if (0..1 << (8 * DEADLINE_BYTES)).contains(&ms) => HAS_DEADLINE,
        Some(_) => DEADLINE_FLAGS,
    }
}
