//! A stream: entries that are appended, and groups of consumers that share them.

mod block;
mod group;
mod id;
mod log;
#[cfg(test)]
mod properties;

use std::collections::BTreeMap;

pub use self::block::{EntryRef, Pair};
pub use self::group::{Consumer, Group, Pending};
pub use self::id::StreamId;
pub use self::log::{BlockLimits, Counting, ENTRY_BYTES_MAX, Log, Range, RangeReversed, Trim, TrimTo};
use super::allocation::allocation_bytes;

/// A stream.
#[derive(Clone, Debug, Default)]
pub struct Stream(Box<Parts>);

#[derive(Clone, Debug, Default)]
struct Parts {
    log: Log,
    groups: BTreeMap<Box<[u8]>, Group>,
    /// What the groups take of the heap.
    groups_bytes: usize,
}

/// What becomes of what groups have pending when an entry is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// It stays pending.
    #[default]
    Keep,
    /// It is pending no more.
    Delete,
    /// The entry stays until every group has got it and acknowledged it.
    Acknowledged,
}

/// What has become of an entry that was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone.
    Done,
    /// A group still needs it.
    Refused,
    /// It was not there.
    Absent,
}

impl Stream {
    /// Its entries.
    pub fn log(&self) -> &Log {
        &self.0.log
    }

    /// Its groups, by name.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> {
        self.0.groups.iter().map(|(name, group)| (&**name, group))
    }

    /// The group of a name.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.0.groups.get(name)
    }

    /// Appends an entry, whose id is greater than the last one given out.
    pub fn append<'a>(
        &mut self,
        id: StreamId,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
        limits: BlockLimits,
    ) {
        self.0.log.append(id, pairs, limits);
    }

    /// Sets what is known of the past: the last id, and the rest where it is given.
    pub fn set_last_id(
        &mut self,
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) {
        self.0.log.set_last_id(last_id, entries_added, max_deleted_id);
    }

    /// Deletes an entry.
    pub fn delete(&mut self, id: StreamId, references: References) -> Deletion {
        match references {
            References::Keep => {}
            References::Delete => self.forget(id),
            References::Acknowledged if self.is_needed(id) => return Deletion::Refused,
            References::Acknowledged => {}
        }
        if self.0.log.delete(id) { Deletion::Done } else { Deletion::Absent }
    }

    /// Trims the beginning; how many entries are gone.
    pub fn trim(&mut self, trim: Trim, references: References) -> u64 {
        let Parts { log, groups, groups_bytes } = &mut *self.0;
        match references {
            References::Keep => log.trim(trim, None),
            References::Delete => log.trim(
                trim,
                Some(&mut |id| {
                    forget(groups, groups_bytes, id);
                    true
                }),
            ),
            References::Acknowledged => log.trim(trim, Some(&mut |id| !is_needed(groups, id))),
        }
    }

    /// Whether a group has not got an entry yet, or has it pending.
    pub fn is_needed(&self, id: StreamId) -> bool {
        is_needed(&self.0.groups, id)
    }

    /// An entry is pending nowhere any more.
    pub fn forget(&mut self, id: StreamId) {
        let Parts { groups, groups_bytes, .. } = &mut *self.0;
        forget(groups, groups_bytes, id);
    }

    /// Makes a group, unless there is one of that name; whether it is new.
    pub fn create_group(&mut self, name: &[u8], group: Group) -> bool {
        let is_new = !self.0.groups.contains_key(name);
        if is_new {
            self.0.groups_bytes += group_bytes(name) + group.heap_bytes();
            self.0.groups.insert(name.into(), group);
        }
        is_new
    }

    /// Removes a group; whether there was one.
    pub fn destroy_group(&mut self, name: &[u8]) -> bool {
        let removed = self.0.groups.remove(name);
        if let Some(group) = &removed {
            self.0.groups_bytes -= group_bytes(name) + group.heap_bytes();
        }
        removed.is_some()
    }

    /// Lets `change` have the group of a name, beside the entries.
    pub fn change_group<R>(&mut self, name: &[u8], change: impl FnOnce(&mut Group, &Log) -> R) -> Option<R> {
        let Parts { log, groups, groups_bytes } = &mut *self.0;
        let group = groups.get_mut(name)?;
        let before = group.heap_bytes();
        let outcome = change(group, log);
        *groups_bytes = *groups_bytes + group.heap_bytes() - before;
        Some(outcome)
    }

    /// About what it takes of the heap.
    pub fn memory_bytes(&self) -> usize {
        let Parts { log, groups_bytes, .. } = &*self.0;
        let places = log.blocks_len() * BLOCK_PLACE_BYTES;
        allocation_bytes(size_of::<Parts>()) + log.heap_bytes() + places + groups_bytes
    }
}

fn is_needed(groups: &BTreeMap<Box<[u8]>, Group>, id: StreamId) -> bool {
    groups.values().any(|group| group.last_id() < id || group.pending_entry(id).is_some())
}

fn forget(groups: &mut BTreeMap<Box<[u8]>, Group>, groups_bytes: &mut usize, id: StreamId) {
    for group in groups.values_mut() {
        let before = group.heap_bytes();
        group.acknowledge(id);
        *groups_bytes = *groups_bytes + group.heap_bytes() - before;
    }
}

fn group_bytes(name: &[u8]) -> usize {
    allocation_bytes(name.len()) + GROUP_PLACE_BYTES
}

/// Nodes of maps are half full where keys come in order.
const BLOCK_PLACE_BYTES: usize = 2 * (size_of::<StreamId>() + size_of::<block::Block>());
const GROUP_PLACE_BYTES: usize = 2 * (size_of::<Box<[u8]>>() + size_of::<Group>());
