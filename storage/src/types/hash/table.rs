//! The large form of a hash: the cache-line table over entries of one word. It alone knows how a field is
//! hashed and what the entries weigh; when a hash becomes large is decided elsewhere.

use std::collections::HashSet;

use super::entry::FieldEntry;
use crate::random::Random;
use crate::table::{Hasher, Table};

/// Fields and values in a table.
pub(super) struct Fields {
    table: Table<FieldEntry>,
    hasher: Hasher,
    /// The sum of what the entries take of the heap.
    entry_bytes: usize,
}

impl Fields {
    pub fn new(seed: u64) -> Fields {
        Fields { table: Table::new(), hasher: Hasher::new(seed), entry_bytes: 0 }
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Heap bytes of the table and the entries.
    pub fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.entry_bytes
    }

    /// Fields that the table has room for.
    pub fn room(&self) -> usize {
        self.table.room()
    }

    pub fn value(&self, field: &[u8]) -> Option<&[u8]> {
        self.table.find(self.hasher.hash(field), field).map(FieldEntry::value)
    }

    /// Whether the field is new.
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        let hash = self.hasher.hash(field);
        if let Some(entry) = self.table.find_mut(hash, field) {
            self.entry_bytes -= entry.memory_bytes();
            entry.set_value(value);
            self.entry_bytes += entry.memory_bytes();
            return false;
        }
        let entry = FieldEntry::new(field, value);
        self.entry_bytes += entry.memory_bytes();
        self.table.insert(hash, entry, &self.hasher);
        true
    }

    /// Whether the field was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let removed = self.table.remove(self.hasher.hash(field), field, &self.hasher);
        self.entry_bytes -= removed.as_ref().map_or(0, FieldEntry::memory_bytes);
        removed.is_some()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.table.iter().map(|entry| (entry.field(), entry.value()))
    }

    /// Visits whole chains of the table until `count` entries have been visited or ten times as many chains,
    /// so that a sparse table does not hold its caller up. Zero is the first cursor, and the last.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8], &[u8])) -> u64 {
        let mut visited = 0;
        let mut cursor = cursor;
        for _ in 0..count.saturating_mul(10) {
            cursor = self.table.scan(cursor, &mut |entry| {
                visited += 1;
                visit(entry.field(), entry.value());
            });
            if cursor == 0 || visited >= count {
                break;
            }
        }
        cursor
    }

    pub fn random(&self, random: &mut Random) -> Option<(&[u8], &[u8])> {
        self.table.random(random).map(|entry| (entry.field(), entry.value()))
    }

    /// So many different fields by chance, each as likely as another; none if chance does not find that many soon.
    pub fn sample(&self, count: usize, random: &mut Random) -> Option<Vec<(&[u8], &[u8])>> {
        let (mut seen, mut chosen) = (HashSet::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count.saturating_mul(SAMPLE_TRIES) {
            let (field, value) = self.random(random)?;
            if seen.insert(field.as_ptr()) {
                chosen.push((field, value));
            }
            if chosen.len() == count {
                break;
            }
        }
        (chosen.len() == count).then_some(chosen)
    }

    pub fn check_invariants(&self) {
        self.table.check_invariants(&self.hasher);
        assert_eq!(self.entry_bytes, self.table.iter().map(FieldEntry::memory_bytes).sum());
    }
}

impl Clone for Fields {
    fn clone(&self) -> Fields {
        let mut copy = Fields { table: Table::new(), hasher: self.hasher, entry_bytes: self.entry_bytes };
        for entry in self.table.iter() {
            copy.table.insert(self.hasher.hash(entry.field()), entry.clone(), &self.hasher);
        }
        copy
    }
}

/// How often chance is tried for each field of a sample. It finds a new one at least every second time if a sample is half
/// of the fields or less.
const SAMPLE_TRIES: usize = 10;
