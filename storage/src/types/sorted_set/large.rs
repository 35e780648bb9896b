//! The large form of a sorted set: a table that finds a member's score, and a counting tree that keeps the order. Each
//! member stands once in memory, in an entry that both own.

use super::chunk::{Chunk, Item};
use super::entry::MemberEntry;
use super::score::{Cut, order};
use crate::table::{Hasher, Table};
use crate::types::allocation::allocation_bytes;
use crate::types::tree::{Node, Tree};

/// Members in a table and in a tree.
pub(super) struct Members {
    table: Table<MemberEntry>,
    tree: Tree<Chunk>,
    hasher: Hasher,
    /// The sum of what the entries take of the heap.
    entry_bytes: usize,
}

impl Members {
    pub fn new(seed: u64) -> Members {
        Members { table: Table::new(), tree: Tree::new(), hasher: Hasher::new(seed), entry_bytes: 0 }
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Heap bytes: this structure, the table, the tree and the entries.
    pub fn memory_bytes(&self) -> usize {
        let own = allocation_bytes(size_of::<Members>());
        own + self.table.memory_bytes() + self.tree.memory_bytes() + self.entry_bytes
    }

    /// Members that the table has room for.
    pub fn room(&self) -> usize {
        self.table.room()
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.table.find(self.hasher.hash(member), member).map(MemberEntry::score)
    }

    /// How many elements are in front of a cut.
    pub fn rank(&self, cut: Cut<'_>) -> usize {
        let (node, before) = self.search(cut);
        before + self.tree.node(node).map_or(0, |chunk| chunk.rank(cut))
    }

    /// The node of the element of this rank, and which one of its elements that is.
    pub fn locate(&self, rank: usize) -> Option<(usize, usize)> {
        self.tree.locate(rank)
    }

    /// The elements of a node.
    pub fn node(&self, node: usize) -> Option<&[Item]> {
        self.tree.node(node).map(Chunk::items)
    }

    /// Gives a member the score that `decide` makes of the one that it has, if it has and if that makes one.
    pub fn update<E>(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Result<Option<f64>, E>,
    ) -> Result<Option<f64>, E> {
        let entry = self.table.find(self.hasher.hash(member), member);
        let old = entry.map(MemberEntry::score);
        let given = decide(old)?;
        let Some(score) = given else { return Ok(None) };
        assert!(!score.is_nan(), "scores have an order");
        match old {
            None => self.add(member, score),
            Some(old) if old == score => {}
            Some(old) => {
                if let Some(Item { entry, .. }) = self.take(old, member) {
                    entry.set_score(score);
                    self.insert(Item { score, entry });
                }
            }
        }
        Ok(given)
    }

    /// Adds a member that is not there.
    pub fn add(&mut self, member: &[u8], score: f64) {
        let entry = MemberEntry::new(member, score);
        self.entry_bytes += entry.memory_bytes();
        self.table.insert(self.hasher.hash(member), entry.share(), &self.hasher);
        self.insert(Item { score, entry });
    }

    /// Removes a member, and returns the score that it had.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let entry = self.table.remove(self.hasher.hash(member), member, &self.hasher)?;
        self.entry_bytes -= entry.memory_bytes();
        self.take(entry.score(), member);
        Some(entry.score())
    }

    /// Removes `count` elements from a rank on, or as many as there are.
    pub fn remove_ranks(&mut self, rank: usize, count: usize) {
        let mut count = count;
        while count > 0
            && let Some((node, at)) = self.tree.locate(rank)
        {
            let len = self.tree.node(node).map_or(0, Chunk::len);
            let removed = count.min(len - at);
            let items = if removed == len {
                self.tree.remove(node).into_items()
            } else {
                self.tree.edit(node, |chunk| chunk.remove_many(at, removed))
            };
            for Item { entry, .. } in items {
                let member = entry.member();
                self.table.remove(self.hasher.hash(member), member, &self.hasher);
                self.entry_bytes -= entry.memory_bytes();
            }
            count -= removed;
        }
        if let Some((node, _)) = self.tree.locate(rank.min(self.len().saturating_sub(1))) {
            self.tidy(node);
        }
    }

    /// Visits whole chains of the table until `count` members have been visited or ten times as many chains, so that a
    /// sparse table does not hold its caller up. Zero is the first cursor, and the last.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8], f64)) -> u64 {
        let mut visited = 0;
        let mut cursor = cursor;
        for _ in 0..count.saturating_mul(10) {
            cursor = self.table.scan(cursor, &mut |entry| {
                visited += 1;
                visit(entry.member(), entry.score());
            });
            if cursor == 0 || visited >= count {
                break;
            }
        }
        cursor
    }

    pub fn check_invariants(&self) {
        self.table.check_invariants(&self.hasher);
        self.tree.check_invariants();
        assert_eq!(self.tree.elements(), self.table.len(), "both have the same members");
        assert_eq!(self.entry_bytes, self.table.iter().map(MemberEntry::memory_bytes).sum());
        let items = (0..).map_while(|node| self.node(node)).flatten();
        let mut last: Option<&Item> = None;
        for item in items {
            let member = item.entry.member();
            let found = self.table.find(self.hasher.hash(member), member);
            assert_eq!(
                found.map(MemberEntry::member).map(<[u8]>::as_ptr),
                Some(member.as_ptr()),
                "one entry"
            );
            let is_in_order = last
                .is_none_or(|last| order((last.score, last.entry.member()), (item.score, member)).is_lt());
            assert!(is_in_order, "nodes are in order");
            last = Some(item);
        }
    }

    /// The node in which a cut is, or the end, and how many elements are in front of that node.
    fn search(&self, cut: Cut<'_>) -> (usize, usize) {
        self.tree.search(|bound| cut.is_behind_score(bound), |chunk| chunk.is_before(cut))
    }

    /// Adds an item to the tree.
    fn insert(&mut self, item: Item) {
        let Some(last) = self.tree.nodes().checked_sub(1) else {
            let mut first = Chunk::default();
            first.insert(item);
            return self.tree.insert(0, first);
        };
        let (node, _) = self.search(Cut::Element(item.score, item.entry.member()));
        let node = node.min(last);
        if let Some(rest) = self.tree.edit(node, |chunk| chunk.insert(item)) {
            self.tree.insert(node + 1, rest);
        }
    }

    /// Takes an element out of the tree.
    fn take(&mut self, score: f64, member: &[u8]) -> Option<Item> {
        let cut = Cut::Element(score, member);
        let (node, _) = self.search(cut);
        let at = self.tree.node(node)?.rank(cut);
        let item = self.tree.edit(node, |chunk| chunk.remove(at));
        debug_assert_eq!(item.entry.member(), member);
        self.tidy(node);
        Some(item)
    }

    /// After a removal: an empty node goes, and one with few elements joins a neighbour that has few, too.
    fn tidy(&mut self, node: usize) {
        match self.tree.node(node) {
            Some(chunk) if chunk.len() == 0 => drop(self.tree.remove(node)),
            Some(chunk) if chunk.is_sparse() => {
                let joined = self.join(node);
                if let Some(left) = node.checked_sub(1).filter(|_| !joined) {
                    self.join(left);
                }
            }
            _ => {}
        }
    }

    /// Joins a node with the next one if there is one and both fit into one; returns whether.
    fn join(&mut self, node: usize) -> bool {
        let fit = match (self.tree.node(node), self.tree.node(node + 1)) {
            (Some(one), Some(next)) => one.fits(next),
            _ => false,
        };
        if fit {
            let next = self.tree.remove(node + 1);
            self.tree.edit(node, |chunk| chunk.append(next));
        }
        fit
    }
}

impl Clone for Members {
    /// A copy has entries of its own. They come in order, so its nodes are full.
    fn clone(&self) -> Members {
        let mut copy = Members { hasher: self.hasher, ..Members::new(0) };
        for item in (0..).map_while(|node| self.node(node)).flatten() {
            copy.add(item.entry.member(), item.score);
        }
        copy
    }
}
