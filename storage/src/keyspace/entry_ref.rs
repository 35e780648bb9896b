//! An entry where it is, as a view shows it.

use super::access::REMEMBERED_MASK;
use super::entry::Entry;
use crate::types::string::StringRef;
use crate::types::{Collection, Kind, ObjectRef};

/// An entry in place.
#[derive(Clone, Copy, Debug)]
pub struct EntryRef<'a> {
    entry: &'a Entry,
    clock: u32,
}

impl<'a> EntryRef<'a> {
    pub(super) fn new(entry: &'a Entry, clock: u32) -> EntryRef<'a> {
        EntryRef { entry, clock }
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        self.entry.kind()
    }

    /// How the value is stored, as `OBJECT ENCODING` says it, where strings of `raw_bytes_min` bytes and more do not
    /// share the allocation of their object.
    pub fn encoding(&self, raw_bytes_min: usize) -> &'static str {
        self.entry.encoding_name(raw_bytes_min)
    }

    /// Whether it is an integer that was copied from another key: Redis shares small ones between keys, but not those.
    pub fn is_copied_integer(&self) -> bool {
        self.entry.is_copied_integer()
    }

    /// When it expires: Unix milliseconds.
    pub fn deadline_ms(&self) -> Option<i64> {
        self.entry.deadline_ms()
    }

    /// Milliseconds since the last access, in steps of a second; only while recency is remembered.
    pub fn idle_ms(&self) -> i64 {
        i64::from(seconds_between(self.entry.clock(), self.clock)) * 1000
    }

    /// What it remembers of its accesses, 24 bits.
    pub fn access_clock(&self) -> u32 {
        self.entry.clock()
    }

    /// The value, if it is a string.
    pub fn string(&self) -> Option<StringRef<'a>> {
        self.entry.string()
    }

    /// The value, if it is a collection of this type.
    pub fn object<T: Collection>(&self) -> Option<&'a T> {
        self.entry.object().and_then(T::from_ref)
    }

    /// The value, if it is a collection.
    pub fn any_object(&self) -> Option<ObjectRef<'a>> {
        self.entry.object()
    }

    /// Heap bytes of the entry and its value.
    pub fn memory_bytes(&self) -> usize {
        self.entry.weight_bytes()
    }
}

/// How much later the second of two clocks is, in seconds.
pub(super) fn seconds_between(earlier: u32, later: u32) -> u32 {
    later.wrapping_sub(earlier) & REMEMBERED_MASK
}
