//! Which keys have been read by whom: keys in parts with a lock each, as the shards of the keys are.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use shardis_storage::Random;
use smallvec::SmallVec;

/// Parts of the table. With a million keys, the limit by default, a part has some thousand.
const PARTS: usize = 1024;
/// Readers of a key without memory of their own.
const READERS_INLINE: usize = 2;

/// Those who have read a key, by their numbers, ascending.
pub type Readers = SmallVec<[u64; READERS_INLINE]>;

type Part = HashMap<Box<[u8]>, Readers>;

/// Keys and their readers. There is nothing before the first one is entered.
#[derive(Debug, Default)]
pub struct KeyTable {
    parts: OnceLock<Box<[Mutex<Part>]>>,
    keys: AtomicUsize,
    items: AtomicUsize,
}

impl KeyTable {
    /// Enters a reader.
    pub fn enter(&self, part: usize, key: &[u8], reader: u64) {
        let parts = self.parts.get_or_init(|| (0..PARTS).map(|_| Mutex::default()).collect());
        let mut part = parts[part % PARTS].lock();
        let readers = match part.get_mut(key) {
            Some(readers) => readers,
            None => {
                self.keys.fetch_add(1, Ordering::Relaxed);
                part.entry(key.into()).or_default()
            }
        };
        if let Err(at) = readers.binary_search(&reader) {
            readers.insert(at, reader);
            self.items.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes a key out: those who have read it.
    pub fn take(&self, part: usize, key: &[u8]) -> Option<Readers> {
        if self.keys() == 0 {
            return None;
        }
        let readers = self.parts.get()?[part % PARTS].lock().remove(key)?;
        self.note_gone(1, readers.len());
        Some(readers)
    }

    /// Takes some key out.
    pub fn take_any(&self, random: &mut Random) -> Option<(Box<[u8]>, Readers)> {
        let parts = self.parts.get()?;
        let start = random.below(PARTS as u64) as usize;
        for at in 0..PARTS {
            let mut part = parts[(start + at) % PARTS].lock();
            if part.is_empty() {
                continue;
            }
            let at = random.below(part.len() as u64) as usize;
            let key = part.keys().nth(at)?.clone();
            let readers = part.remove(&key)?;
            self.note_gone(1, readers.len());
            return Some((key, readers));
        }
        None
    }

    /// Takes all out.
    pub fn clear(&self) {
        if self.keys() == 0 {
            return;
        }
        for part in self.parts.get().into_iter().flatten() {
            let mut part = part.lock();
            self.note_gone(part.len(), part.values().map(SmallVec::len).sum());
            *part = Part::new();
        }
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    /// How many readers all keys have together.
    pub fn items(&self) -> usize {
        self.items.load(Ordering::Relaxed)
    }

    fn note_gone(&self, keys: usize, items: usize) {
        self.keys.fetch_sub(keys, Ordering::Relaxed);
        self.items.fetch_sub(items, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(table: &KeyTable) -> (usize, usize) {
        (table.keys(), table.items())
    }

    #[test]
    fn a_key_has_each_reader_once_and_loses_all_together() {
        let table = KeyTable::default();
        assert_eq!(table.take(0, b"a"), None);
        for reader in [3, 1, 2, 3] {
            table.enter(0, b"a", reader);
        }
        table.enter(0, b"b", 1);
        assert_eq!(counts(&table), (2, 4));
        assert_eq!(table.take(0, b"a").map(SmallVec::into_vec), Some(vec![1, 2, 3]));
        assert_eq!((table.take(0, b"a"), counts(&table)), (None, (1, 1)));
        table.clear();
        assert_eq!((table.take(0, b"b"), counts(&table)), (None, (0, 0)));
    }

    #[test]
    fn whatever_is_there_can_be_taken() {
        let (table, mut random) = (KeyTable::default(), Random::seeded(1));
        let mut keys: Vec<_> = (0..100_usize).map(|key| key.to_string().into_bytes()).collect();
        keys.iter().enumerate().for_each(|(part, key)| table.enter(part * 37, key, 1));
        let mut taken: Vec<_> = std::iter::from_fn(|| table.take_any(&mut random))
            .map(|(key, readers)| {
                assert_eq!(readers.as_slice(), [1]);
                key.into_vec()
            })
            .collect();
        taken.sort_unstable();
        keys.sort_unstable();
        assert!(taken == keys && counts(&table) == (0, 0));
    }
}
