//! A node of a large sorted set: some elements in order. It knows how many are good for one node; what a sorted set is
//! made of is told elsewhere.

use super::entry::MemberEntry;
use super::score::{Cut, order};
use crate::types::allocation::allocation_bytes;
use crate::types::tree::Node;

/// A score beside the entry that has it too: comparing scores reads no entry.
pub(super) struct Item {
    pub score: f64,
    pub entry: MemberEntry,
}

impl Item {
    fn is_before(&self, cut: Cut<'_>) -> bool {
        cut.is_behind(self.score, || self.entry.member())
    }
}

/// Elements in order.
#[derive(Default)]
pub(super) struct Chunk {
    items: Vec<Item>,
}

impl Chunk {
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// How many elements are in front of a cut.
    pub fn rank(&self, cut: Cut<'_>) -> usize {
        self.items.partition_point(|item| item.is_before(cut))
    }

    /// Whether all elements are in front of a cut.
    pub fn is_before(&self, cut: Cut<'_>) -> bool {
        self.items.last().is_none_or(|last| last.is_before(cut))
    }

    /// Puts an item where it belongs. What then is too much for one node comes back, to stand behind this one.
    pub fn insert(&mut self, item: Item) -> Option<Chunk> {
        let at = self.rank(Cut::Element(item.score, item.entry.member()));
        if self.items.len() < CHUNK_ITEMS_MAX {
            self.insert_at(at, item);
            return None;
        }
        // What is added in order leaves full nodes behind.
        let kept = if at == self.items.len() { at } else { CHUNK_ITEMS_MAX / 2 };
        let mut rest = Chunk { items: self.items.split_off(kept) };
        match at.checked_sub(kept) {
            Some(at) => rest.insert_at(at, item),
            None => self.insert_at(at, item),
        }
        self.fit();
        Some(rest)
    }

    pub fn remove(&mut self, at: usize) -> Item {
        let removed = self.items.remove(at);
        self.fit();
        removed
    }

    pub fn remove_many(&mut self, at: usize, count: usize) -> Vec<Item> {
        let removed = self.items.drain(at..at + count).collect();
        self.fit();
        removed
    }

    pub fn into_items(self) -> Vec<Item> {
        self.items
    }

    /// Whether so few are left that it should join another node.
    pub fn is_sparse(&self) -> bool {
        self.items.len() < CHUNK_ITEMS_MAX / 4
    }

    /// Whether two nodes make one that is not soon divided again.
    pub fn fits(&self, other: &Chunk) -> bool {
        self.items.len() + other.items.len() <= CHUNK_ITEMS_MAX / 2
    }

    /// Adds all elements of the next node.
    pub fn append(&mut self, next: Chunk) {
        self.items.reserve_exact(next.items.len());
        self.items.extend(next.items);
    }

    fn insert_at(&mut self, at: usize, item: Item) {
        if self.items.len() == self.items.capacity() {
            self.items.reserve_exact(fitting(self.items.len() + 1) - self.items.len());
        }
        self.items.insert(at, item);
    }

    /// Gives room back that is not soon needed.
    fn fit(&mut self) {
        let fitting = fitting(self.items.len());
        if self.items.capacity() > fitting + CHUNK_ITEMS_MAX / 8 {
            self.items.shrink_to(fitting);
        }
    }
}

impl Node for Chunk {
    /// The score of the last element.
    type Bound = f64;

    fn len(&self) -> usize {
        self.items.len()
    }

    fn memory_bytes(&self) -> usize {
        allocation_bytes(self.items.capacity() * size_of::<Item>())
    }

    fn bound(&self) -> f64 {
        self.items.last().map_or(0.0, |last| last.score)
    }

    fn check_invariants(&self) {
        assert!(self.items.len() <= CHUNK_ITEMS_MAX);
        for item in &self.items {
            assert_eq!(
                item.score.to_bits(),
                item.entry.score().to_bits(),
                "a score is the same at both places"
            );
        }
        for pair in self.items.windows(2) {
            let [one, next] = [&pair[0], &pair[1]].map(|item| (item.score, item.entry.member()));
            assert!(order(one, next).is_lt(), "elements are in order");
        }
    }
}

/// As many items as take no more memory than `count` do.
fn fitting(count: usize) -> usize {
    allocation_bytes(count * size_of::<Item>()) / size_of::<Item>()
}

/// The most elements of a node: moving half of them on an insertion costs about as much as finding the node.
const CHUNK_ITEMS_MAX: usize = 128;
