//! The large form of a set: a hash table whose buckets are packed blocks. It alone knows how members are hashed; when a
//! set becomes large is decided elsewhere.
//!
//! An allocation for each member would take 45 bytes for one of 17, as blocks come in steps of 16 bytes and each needs a
//! word that leads to it. Here a dozen of them share one block and one word pair, and it is 23. A lookup reads the word
//! pair, then the block, whose few lines lie one behind the other.
//!
//! The table grows and shrinks like the keyspace's, by linear hashing, one bucket at a time, so that its cursor (`cursor`) does
//! for this one, too. What is kept in bounds is what a bucket costs to walk and to copy: a member counts with its bytes, up
//! to a limit, and with some more for itself.

use crate::random::Random;
use crate::table::{Hasher, base_of, scan_step};
use crate::types::allocation::allocation_bytes;
use crate::types::packed::Element;

use super::block::{Block, Place};

/// Members in buckets.
#[derive(Clone)]
pub(super) struct Table {
    buckets: Buckets,
    hasher: Hasher,
    len: usize,
    /// The sum of what the members cost.
    cost: usize,
    /// The sum of what the blocks take of the heap.
    block_bytes: usize,
    /// At least as many members as the longest bucket has.
    longest: usize,
}

/// Where a member is. It holds until the next change.
pub(super) struct Position {
    bucket: u32,
    place: Place,
}

impl Table {
    pub fn new(seed: u64) -> Table {
        let mut buckets = Buckets::default();
        buckets.push();
        Table { buckets, hasher: Hasher::new(seed), len: 0, cost: 0, block_bytes: 0, longest: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn buckets(&self) -> usize {
        self.buckets.len() as usize
    }

    /// Heap bytes: this structure, the buckets and their blocks.
    pub fn memory_bytes(&self) -> usize {
        allocation_bytes(size_of::<Table>()) + self.buckets.memory_bytes() + self.block_bytes
    }

    pub fn contains(&self, element: Element<'_>) -> bool {
        self.buckets.at(self.index(element)).find(element).is_some()
    }

    /// Whether the member is new.
    pub fn add(&mut self, element: Element<'_>) -> bool {
        let index = self.index(element);
        if self.buckets.at(index).find(element).is_some() {
            return false;
        }
        let entry_bytes = self.change(index, |block| block.push(element));
        self.len += 1;
        self.cost += cost(entry_bytes);
        self.grow();
        true
    }

    /// Whether the member was there.
    pub fn remove(&mut self, element: Element<'_>) -> bool {
        let bucket = self.index(element);
        let Some(place) = self.buckets.at(bucket).find(element) else { return false };
        self.remove_at(Position { bucket, place });
        true
    }

    pub fn remove_at(&mut self, Position { bucket, place }: Position) {
        self.len -= 1;
        self.cost -= cost(place.len());
        self.change(bucket, |block| block.remove(place));
        self.shrink();
    }

    pub fn at(&self, position: &Position) -> Element<'_> {
        self.buckets.at(position.bucket).at(&position.place)
    }

    pub fn iter(&self) -> impl Iterator<Item = Element<'_>> {
        self.buckets.iter().flat_map(Block::iter)
    }

    /// Visits whole buckets until `count` members have been visited or ten times as many buckets, so that a sparse table
    /// does not hold its caller up. Zero is the first cursor, and the last.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(Element<'_>)) -> u64 {
        let mut visited = 0;
        let mut cursor = cursor;
        for _ in 0..count.saturating_mul(10) {
            cursor = scan_step(cursor, self.buckets.len(), |index| {
                let block = self.buckets.at(index);
                visited += block.len();
                block.iter().for_each(&mut *visit);
            });
            if cursor == 0 || visited >= count {
                break;
            }
        }
        cursor
    }

    /// Where a member by chance is, each as likely as another.
    pub fn random(&self, random: &mut Random) -> Option<Position> {
        if self.len == 0 {
            return None;
        }
        // A bucket is taken with a chance in proportion to its length, by rejection.
        for _ in 0..RANDOM_TRIES_MAX {
            let bucket = random.below(u64::from(self.buckets.len())) as u32;
            let index = random.below(self.longest as u64) as usize;
            let block = self.buckets.at(bucket);
            if index < block.len() {
                return Some(Position { bucket, place: block.nth(index) });
            }
        }
        let mut index = random.below(self.len as u64) as usize;
        for bucket in 0..self.buckets.len() {
            let block = self.buckets.at(bucket);
            match index.checked_sub(block.len()) {
                Some(rest) => index = rest,
                None => return Some(Position { bucket, place: block.nth(index) }),
            }
        }
        None
    }

    pub fn check_invariants(&self) {
        let (mut len, mut sum, mut bytes) = (0, 0, 0);
        for (index, block) in (0..).zip(self.buckets.iter()) {
            assert!(block.is_packed() || block.len() == 0);
            assert!(block.len() <= self.longest);
            block.check_invariants();
            assert!(
                block.iter().all(|element| self.index(element) == index),
                "a member is where its hash says"
            );
            len += block.len();
            sum += (0..block.len()).map(|index| cost(block.nth(index).len())).sum::<usize>();
            bytes += block.memory_bytes();
        }
        assert_eq!((len, sum, bytes), (self.len, self.cost, self.block_bytes));
        assert!(self.cost <= self.buckets() * BUCKET_COST_MAX);
    }

    fn index(&self, element: Element<'_>) -> u32 {
        bucket_among(&self.hasher, element, self.buckets.len())
    }

    /// Changes a bucket and keeps the books.
    fn change<R>(&mut self, index: u32, change: impl FnOnce(&mut Block) -> R) -> R {
        let block = self.buckets.at_mut(index);
        self.block_bytes -= block.memory_bytes();
        let outcome = change(block);
        self.block_bytes += block.memory_bytes();
        self.longest = self.longest.max(block.len());
        outcome
    }

    /// Splits buckets while they cost too much: one as a rule, a few after a long member.
    fn grow(&mut self) {
        while self.cost > self.buckets() * BUCKET_COST_MAX {
            let new = self.buckets.len();
            let old = new - base_of(new);
            self.buckets.push();
            let hasher = self.hasher;
            let (kept, moved) =
                self.buckets.at(old).partition(|element| bucket_among(&hasher, element, new + 1) == old);
            self.change(old, |block| *block = kept);
            self.change(new, |block| *block = moved);
        }
    }

    /// Merges buckets while they cost too little: one as a rule, a few after a long member.
    fn shrink(&mut self) {
        while self.cost < self.buckets() * BUCKET_COST_MIN && self.buckets.len() > 1 {
            let Some(last) = self.buckets.pop() else { return };
            self.block_bytes -= last.memory_bytes();
            let index = self.buckets.len();
            self.change(index - base_of(index), |block| block.append(&last));
        }
    }
}

/// The bucket of a member among so many.
fn bucket_among(hasher: &Hasher, element: Element<'_>, buckets: u32) -> u32 {
    let hash = hasher.hash(element.text(&mut itoa::Buffer::new()));
    hash.bucket_among(buckets).expect("invariant: a table has a bucket")
}

/// What a member costs whose entry is so long.
fn cost(entry_bytes: usize) -> usize {
    MEMBER_COST + entry_bytes.min(ENTRY_COST_MAX)
}

/// Blocks by index, in chunks, so that what is moved when there are more is one chunk.
#[derive(Clone, Default)]
struct Buckets {
    /// All full but the last, which is not empty.
    chunks: Vec<Vec<Block>>,
}

impl Buckets {
    fn len(&self) -> u32 {
        let last = self.chunks.last().map_or(0, Vec::len);
        (self.chunks.len().saturating_sub(1) * CHUNK_BLOCKS + last) as u32
    }

    fn at(&self, index: u32) -> &Block {
        &self.chunks[index as usize / CHUNK_BLOCKS][index as usize % CHUNK_BLOCKS]
    }

    fn at_mut(&mut self, index: u32) -> &mut Block {
        &mut self.chunks[index as usize / CHUNK_BLOCKS][index as usize % CHUNK_BLOCKS]
    }

    fn iter(&self) -> impl Iterator<Item = &Block> {
        self.chunks.iter().flatten()
    }

    /// Adds an empty block.
    fn push(&mut self) {
        match self.chunks.last_mut().filter(|last| last.len() < CHUNK_BLOCKS) {
            Some(last) => last.push(Block::default()),
            None => self.chunks.push(vec![Block::default()]),
        }
    }

    /// Takes the last block away.
    fn pop(&mut self) -> Option<Block> {
        let last = self.chunks.last_mut()?;
        let block = last.pop();
        if last.is_empty() {
            self.chunks.pop();
        } else if last.len() <= last.capacity() / 4 {
            last.shrink_to(last.capacity() / 2);
        }
        block
    }

    /// Heap bytes of the chunks.
    fn memory_bytes(&self) -> usize {
        let chunk_bytes = |blocks: usize| allocation_bytes(blocks * size_of::<Block>());
        let last = self.chunks.last().map_or(0, Vec::capacity);
        allocation_bytes(self.chunks.capacity() * size_of::<Vec<Block>>())
            + self.chunks.len().saturating_sub(1) * chunk_bytes(CHUNK_BLOCKS)
            + chunk_bytes(last)
    }
}

/// What the members of a bucket cost on average at the most.
const BUCKET_COST_MAX: usize = 256;
/// And at the least. Far below the maximum, so that no sequence of changes makes the table swing.
const BUCKET_COST_MIN: usize = BUCKET_COST_MAX / 4;
/// What a walk over a member costs beside its bytes.
const MEMBER_COST: usize = 16;
/// A longer member counts as one of this length: several buckets for each would not help it any more.
const ENTRY_COST_MAX: usize = 512;
const CHUNK_BLOCKS: usize = 4096;
/// Enough for the sparsest table to find a member all but always.
const RANDOM_TRIES_MAX: usize = 300;
