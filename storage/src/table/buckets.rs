//! Where the primary buckets of a table lie: one after the other in one chunk, which nearly every table never outgrows, so
//! that a bucket is found without reading anything on the way. A table with more buckets goes on in further chunks: what
//! is moved when it grows is one chunk, a megabyte at the most.

use super::bucket::Bucket;
use super::outline::Outline;
use crate::types::allocation::allocation_bytes;

/// Buckets of a full chunk: 114,688 entries. With 1024 shards, 117 million keys are in first chunks.
const CHUNK_BUCKETS: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 14;

type Chunk<E> = Vec<Bucket<E>>;

/// The primary buckets of a table, by index.
pub struct Buckets<E> {
    first: Chunk<E>,
    /// All full but the last, which is not empty.
    more: Option<Box<More<E>>>,
}

/// The chunks behind the first.
struct More<E>(Vec<Chunk<E>>);

impl<E> Buckets<E> {
    pub const fn new() -> Buckets<E> {
        Buckets { first: Vec::new(), more: None }
    }

    #[inline]
    pub fn len(&self) -> u32 {
        match &self.more {
            None => self.first.len() as u32,
            Some(more) => more.len() + CHUNK_BUCKETS as u32,
        }
    }

    #[inline]
    pub fn at(&self, index: u32) -> &Bucket<E> {
        match self.first.get(index as usize) {
            Some(bucket) => bucket,
            None => self.beyond(index),
        }
    }

    #[inline]
    pub fn at_mut(&mut self, index: u32) -> &mut Bucket<E> {
        match self.first.get_mut(index as usize) {
            Some(bucket) => bucket,
            None => &mut chunks_mut(&mut self.more)[chunk_of(index)][index as usize % CHUNK_BUCKETS],
        }
    }

    /// Whether one more bucket takes no more memory.
    #[inline]
    pub fn has_room(&self) -> bool {
        let last = match &self.more {
            None => &self.first,
            Some(more) => more.0.last().expect("invariant: there is a chunk where there are more"),
        };
        last.len() < last.capacity()
    }

    /// Adds an empty bucket at the end.
    pub fn push(&mut self) {
        if self.first.len() < CHUNK_BUCKETS {
            return push(&mut self.first);
        }
        let chunks = &mut self.more.get_or_insert_with(|| Box::new(More(Vec::new()))).0;
        if chunks.last().is_none_or(|last| last.len() == CHUNK_BUCKETS) {
            chunks.push(Vec::new());
        }
        push(chunks.last_mut().expect("invariant: just made sure"));
    }

    /// Takes the last bucket away.
    pub fn pop(&mut self) -> Option<Bucket<E>> {
        let Some(more) = &mut self.more else { return pop(&mut self.first) };
        let last = more.0.last_mut().expect("invariant: there is a chunk where there are more");
        let popped = pop(last);
        if last.is_empty() {
            more.0.pop();
        }
        if more.0.is_empty() {
            self.more = None;
        }
        popped
    }

    /// Where the first chunk lies.
    #[inline]
    pub fn outline(&self) -> Outline {
        Outline::new(self.first.as_ptr(), self.len(), CHUNK_BUCKETS)
    }

    /// Heap bytes of all chunks.
    pub fn memory_bytes(&self) -> usize {
        let more = self.more.as_ref().map_or(0, |more| {
            let list = size_of::<More<E>>() + allocation_bytes(more.0.capacity() * size_of::<Chunk<E>>());
            list + more.0.iter().map(chunk_bytes).sum::<usize>()
        });
        chunk_bytes(&self.first) + more
    }

    #[cold]
    fn beyond(&self, index: u32) -> &Bucket<E> {
        let more = self.more.as_ref().expect("invariant: only buckets of the table are looked at");
        &more.0[chunk_of(index)][index as usize % CHUNK_BUCKETS]
    }
}

impl<E> More<E> {
    fn len(&self) -> u32 {
        let last = self.0.last().map_or(0, Vec::len);
        ((self.0.len() - 1) * CHUNK_BUCKETS + last) as u32
    }
}

/// Which chunk behind the first.
fn chunk_of(index: u32) -> usize {
    (index >> CHUNK_BITS) as usize - 1
}

#[cold]
fn chunks_mut<E>(more: &mut Option<Box<More<E>>>) -> &mut [Chunk<E>] {
    &mut more.as_mut().expect("invariant: only buckets of the table are looked at").0
}

fn push<E>(chunk: &mut Chunk<E>) {
    if chunk.len() == chunk.capacity() {
        let capacity = capacity_for::<E>(chunk.len() + 1).min(CHUNK_BUCKETS);
        chunk.reserve_exact(capacity - chunk.len());
    }
    chunk.push(Bucket::default());
}

fn pop<E>(chunk: &mut Chunk<E>) -> Option<Bucket<E>> {
    let popped = chunk.pop();
    // Far below the capacity, so that no sequence of inserts and removals moves a chunk again and again.
    if chunk.len() * 3 < chunk.capacity() {
        chunk.shrink_to(capacity_for::<E>(chunk.len()));
    }
    popped
}

/// As many buckets as the allocation for `buckets` has room for: a fifth of them is free on average.
fn capacity_for<E>(buckets: usize) -> usize {
    let line = size_of::<Bucket<E>>();
    match buckets * line {
        0 => 0,
        bytes if bytes.is_power_of_two() => buckets,
        bytes => (allocation_bytes(bytes + line - 1) - (line - 1)) / line,
    }
}

/// What the allocation of a chunk takes: it is aligned for a line, which costs most of one unless its size is a power of two.
fn chunk_bytes<E>(chunk: &Chunk<E>) -> usize {
    let line = size_of::<Bucket<E>>();
    match chunk.capacity() * line {
        bytes if bytes.is_power_of_two() => bytes,
        0 => 0,
        bytes => allocation_bytes(bytes + line - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_found_in_all_chunks_as_they_come_and_go() {
        let mut buckets = Buckets::<Box<u64>>::new();
        let full = 2 * CHUNK_BUCKETS as u32 + 10;
        for index in 0..full {
            assert_eq!(buckets.len(), index);
            buckets.push();
            buckets.at_mut(index).push(1, Box::new(index.into()));
        }
        for index in 0..full {
            assert_eq!(buckets.at(index).iter().next().map(|entry| **entry), Some(index.into()));
        }
        for index in (0..full).rev() {
            let mut popped = buckets.pop().unwrap();
            assert_eq!(popped.pop().map(|(_, entry, _)| *entry), Some(index.into()));
            assert_eq!(buckets.len(), index);
        }
        assert!(buckets.pop().is_none());
        assert_eq!(buckets.memory_bytes(), 0);
    }

    #[test]
    fn a_chunk_fills_its_allocation() {
        for buckets in 1..=CHUNK_BUCKETS {
            let capacity = capacity_for::<Box<u64>>(buckets);
            assert!((buckets..=buckets + buckets / 4 + 1).contains(&capacity), "{buckets}: {capacity}");
        }
    }
}
