//! The entries of a stream, in blocks by the id of their first. It knows nothing of groups.
//!
//! 1. A block's entries have ids from its own on, and less than the next block's.
//! 2. An entry is appended to the last block while that has room; what has room is decided as by Redis, because clients see in what
//!    `~` trims where a block ends.
//! 3. A block without live entries is removed, but for one that a trim has emptied by deleting single entries, as in Redis.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ops::Bound;

use super::StreamId;
use super::block::{Block, EntryRef, Place};

/// When a block is full. Zero is no limit.
#[derive(Clone, Copy, Debug)]
pub struct BlockLimits {
    /// Bytes, counted as Redis would.
    pub bytes_max: usize,
    /// Entries, deleted ones included.
    pub entries_max: usize,
}

/// The most bytes of one entry, and of a block.
pub const ENTRY_BYTES_MAX: usize = 1 << 30;

/// What is known of a stream but for its groups.
#[derive(Clone, Debug, Default)]
pub struct Log {
    blocks: BTreeMap<StreamId, Block>,
    len: u64,
    first_id: StreamId,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    heap_bytes: usize,
}

/// When a group's count of what it has read is believed. What was deleted makes it wrong, and the real servers have become more careful
/// over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// As by Redis up to 7.2.
    Lenient,
    /// As by Valkey 9.1.
    Strict,
}

/// Down to what a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimTo {
    /// So many entries.
    Len(u64),
    /// Entries from this id on.
    Id(StreamId),
}

/// How a stream is trimmed.
#[derive(Clone, Copy, Debug)]
pub struct Trim {
    /// Down to what.
    pub to: TrimTo,
    /// Whether blocks stay that are not to go as a whole.
    pub is_approximate: bool,
    /// How many entries go at the most; 0 for any number.
    pub entries_max: u64,
}

impl Log {
    /// How many entries there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many blocks there are.
    pub fn blocks_len(&self) -> usize {
        self.blocks.len()
    }

    /// The ids of the blocks, in order.
    pub fn block_ids(&self) -> impl Iterator<Item = StreamId> {
        self.blocks.keys().copied()
    }

    /// The id of the first entry; the least if there is none.
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The greatest id that was ever given out.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The greatest id that was deleted, by id and not by a trim.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added, as far as is known.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// What the blocks take of the heap, but for their places in the map.
    pub(super) fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    /// Appends an entry, whose id is greater than the last one given out.
    pub fn append<'a>(
        &mut self,
        id: StreamId,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
        limits: BlockLimits,
    ) {
        debug_assert!(id > self.last_id, "ids only grow");
        // Of the last block nothing may be left but deleted entries, and the last id was set back below all of them.
        if let Some(last) = self.blocks.last_key_value().map(|(base, _)| *base).filter(|base| *base > id) {
            self.remove_block(last);
        }
        let bytes = pairs.clone().map(|(field, value)| field.len() + value.len()).sum();
        match self.blocks.last_entry() {
            Some(mut last) if has_room(last.get(), bytes, limits) => {
                let base = *last.key();
                let block = last.get_mut();
                let before = block.heap_bytes();
                block.append(base, id, pairs);
                self.heap_bytes = self.heap_bytes + block.heap_bytes() - before;
            }
            last => {
                if let Some(mut full) = last {
                    let before = full.get().heap_bytes();
                    full.get_mut().shrink();
                    self.heap_bytes = self.heap_bytes + full.get().heap_bytes() - before;
                }
                let mut block = Block::new(pairs.clone().map(|(field, _)| field));
                block.append(id, id, pairs);
                self.heap_bytes += block.heap_bytes();
                self.blocks.insert(id, block);
            }
        }
        self.len += 1;
        self.entries_added += 1;
        self.last_id = id;
        if self.len == 1 {
            self.first_id = id;
        }
    }

    /// Sets what is known of the past: the last id, and the rest where it is given.
    pub fn set_last_id(
        &mut self,
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) {
        self.last_id = last_id;
        self.entries_added = entries_added.unwrap_or(self.entries_added);
        self.max_deleted_id = max_deleted_id.unwrap_or(self.max_deleted_id);
    }

    /// The entries whose ids are within these, both included.
    pub fn range(&self, from: StreamId, to: StreamId) -> Range<'_> {
        let mut blocks = self.blocks.range(self.block_of(from)..);
        let current = blocks.next().map(|(base, block)| (*base, block, block.seek(*base, from)));
        Range { blocks, current, to }
    }

    /// The entries behind so many. Blocks are skipped as a whole.
    pub fn range_from(&self, mut index: usize) -> impl Iterator<Item = EntryRef<'_>> {
        let mut blocks = self.blocks.range(..);
        let mut current = None;
        for (base, block) in blocks.by_ref() {
            if index < block.live() {
                current = Some((*base, block, block.start()));
                break;
            }
            index -= block.live();
        }
        Range { blocks, current, to: StreamId::MAX }.skip(index)
    }

    /// The same, from the last to the first.
    pub fn range_reversed(&self, from: StreamId, to: StreamId) -> RangeReversed<'_> {
        let mut blocks = self.blocks.range(..=to);
        let current = blocks.next_back().map(|(base, block)| {
            let place = to.next().map_or_else(|| block.end(), |next| block.seek(*base, next));
            (*base, block, place)
        });
        RangeReversed { blocks, current, from }
    }

    /// The entry of this id.
    pub fn entry(&self, id: StreamId) -> Option<EntryRef<'_>> {
        self.range(id, id).next()
    }

    /// The id of the last entry that is there.
    pub fn last_entry_id(&self) -> Option<StreamId> {
        if self.is_empty() {
            return None;
        }
        self.range_reversed(StreamId::MIN, StreamId::MAX).next().map(|entry| entry.id())
    }

    /// About how many entries there are between these ids: those of whole blocks, and no more are counted than a little over `enough`.
    pub fn len_between(&self, from: StreamId, to: StreamId, enough: usize) -> usize {
        let mut len = 0;
        for (base, block) in self.blocks.range(self.block_of(from)..) {
            if *base > to || len > enough {
                break;
            }
            len += block.live();
        }
        len
    }

    /// The id of the block in which an entry of this id would be, or of the first one behind it.
    fn block_of(&self, id: StreamId) -> StreamId {
        self.blocks.range(..=id).next_back().map_or(id, |(base, _)| *base)
    }

    /// Deletes the entry of this id; whether it was there.
    pub(super) fn delete(&mut self, id: StreamId) -> bool {
        let Some((&base, block)) = self.blocks.range_mut(..=id).next_back() else { return false };
        if !block.delete(base, id) {
            return false;
        }
        if block.live() == 0 {
            self.remove_block(base);
        }
        self.len -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id {
            self.find_first_id();
        }
        true
    }

    /// Trims from the beginning; `may_delete` is asked for each entry, if it is given. How many entries are gone.
    pub(super) fn trim(
        &mut self,
        trim: Trim,
        mut may_delete: Option<&mut dyn FnMut(StreamId) -> bool>,
    ) -> u64 {
        let mut removed = 0;
        let mut behind = Bound::Unbounded;
        while let Some((&base, block)) = self.blocks.range((behind, Bound::Unbounded)).next() {
            let live = block.live() as u64;
            let is_over = matches!(trim.to, TrimTo::Len(len) if self.len <= len);
            if is_over || trim.entries_max > 0 && removed + live > trim.entries_max {
                break;
            }
            let is_whole = match trim.to {
                TrimTo::Len(len) => self.len - live >= len,
                TrimTo::Id(id) => block.last_id(base) < id,
            };
            match &mut may_delete {
                None if is_whole => {
                    self.remove_block(base);
                    self.len -= live;
                    removed += live;
                    continue;
                }
                None if trim.is_approximate => break,
                None => removed += self.trim_block(base, trim.to, &mut |_| true),
                Some(may_delete) => removed += self.trim_block(base, trim.to, may_delete),
            }
            if !is_whole {
                break;
            }
            if self.blocks[&base].live() == 0 {
                self.remove_block(base);
            }
            behind = Bound::Excluded(base);
        }
        if removed > 0 {
            self.find_first_id();
        }
        removed
    }

    /// Deletes entries at the beginning of a block, as far as they are to go and may.
    fn trim_block(
        &mut self,
        base: StreamId,
        to: TrimTo,
        may_delete: &mut dyn FnMut(StreamId) -> bool,
    ) -> u64 {
        let Some(block) = self.blocks.get_mut(&base) else { return 0 };
        let (mut removed, mut place) = (0, block.start());
        while let Some(entry) = block.next(base, &mut place) {
            let id = entry.id();
            let stays = match to {
                TrimTo::Len(len) => self.len <= len,
                TrimTo::Id(least) => id >= least,
            };
            if stays {
                break;
            }
            if may_delete(id) {
                block.delete_before(base, place);
                removed += 1;
                self.len -= 1;
            }
        }
        removed
    }

    fn remove_block(&mut self, base: StreamId) {
        if let Some(block) = self.blocks.remove(&base) {
            self.heap_bytes -= block.heap_bytes();
        }
    }

    fn find_first_id(&mut self) {
        let first = self.range(StreamId::MIN, StreamId::MAX).next();
        self.first_id = first.map_or(StreamId::MIN, |entry| entry.id());
    }

    /// Whether something from this id on was deleted by its id, as far as is known.
    pub fn has_gap_from(&self, id: StreamId, counting: Counting) -> bool {
        let is_behind = counting == Counting::Lenient && self.first_id > self.max_deleted_id;
        !self.is_empty() && !is_behind && self.max_deleted_id != StreamId::MIN && id <= self.max_deleted_id
    }

    /// How many entries were ever added up to this id, if that can be told.
    pub fn entries_up_to(&self, id: StreamId, counting: Counting) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.is_empty() && id <= self.last_id {
            return Some(self.entries_added);
        }
        if counting == Counting::Strict && id != StreamId::MIN && id < self.max_deleted_id {
            return None;
        }
        if id == self.last_id {
            return Some(self.entries_added);
        }
        let is_whole = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < self.first_id;
        if id > self.last_id || !is_whole {
            return None;
        }
        // XSETID may have set the count to less than there are.
        let gone = self.entries_added.wrapping_sub(self.len);
        match id.cmp(&self.first_id) {
            Ordering::Less => Some(gone),
            Ordering::Equal => Some(gone.wrapping_add(1)),
            Ordering::Greater => None,
        }
    }
}

fn has_room(block: &Block, bytes: usize, limits: BlockLimits) -> bool {
    let bytes_max =
        if limits.bytes_max == 0 { ENTRY_BYTES_MAX } else { limits.bytes_max.min(ENTRY_BYTES_MAX) };
    block.listpack_bytes() + bytes < bytes_max
        && (limits.entries_max == 0 || block.len() < limits.entries_max)
}

/// Entries of a log, from the first to the last.
#[derive(Debug)]
pub struct Range<'a> {
    blocks: btree_map::Range<'a, StreamId, Block>,
    current: Option<(StreamId, &'a Block, Place)>,
    to: StreamId,
}

impl<'a> Iterator for Range<'a> {
    type Item = EntryRef<'a>;

    fn next(&mut self) -> Option<EntryRef<'a>> {
        loop {
            let (base, block, place) = self.current.as_mut()?;
            if let Some(entry) = block.next(*base, place) {
                return Some(entry).filter(|entry| entry.id() <= self.to);
            }
            self.current = self.blocks.next().map(|(base, block)| (*base, block, block.start()));
        }
    }
}

/// Entries of a log, from the last to the first.
#[derive(Debug)]
pub struct RangeReversed<'a> {
    blocks: btree_map::Range<'a, StreamId, Block>,
    current: Option<(StreamId, &'a Block, Place)>,
    from: StreamId,
}

impl<'a> Iterator for RangeReversed<'a> {
    type Item = EntryRef<'a>;

    fn next(&mut self) -> Option<EntryRef<'a>> {
        loop {
            let (base, block, place) = self.current.as_mut()?;
            if let Some(entry) = block.previous(*base, place) {
                return Some(entry).filter(|entry| entry.id() >= self.from);
            }
            self.current = self.blocks.next_back().map(|(base, block)| (*base, block, block.end()));
        }
    }
}
