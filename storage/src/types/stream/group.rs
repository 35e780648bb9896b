//! Groups of consumers: what each has been given, and what it has not acknowledged yet. It knows ids, not entries.
//!
//! 1. What is pending in a group is pending with exactly one of its consumers: both lists change together.
//! 2. A consumer has a number for as long as it lives, so that what is pending does not repeat its name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::StreamId;
use super::log::{Counting, Log};
use crate::types::allocation::allocation_bytes;

/// Those who share the entries of a stream among themselves.
#[derive(Clone, Debug)]
pub struct Group {
    last_id: StreamId,
    /// How many entries of the stream were ever read, if that is known.
    entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Pending>,
    consumers: BTreeMap<u64, Consumer>,
    numbers: BTreeMap<Arc<[u8]>, u64>,
    last_number: u64,
    names_bytes: usize,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// To whom: the number of the consumer.
    pub consumer: u64,
    /// When, the last time: Unix milliseconds.
    pub delivered_ms: i64,
    /// How often.
    pub deliveries: u64,
}

/// One of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Arc<[u8]>,
    seen_ms: i64,
    active_ms: Option<i64>,
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// When it last asked for anything: Unix milliseconds.
    pub fn seen_ms(&self) -> i64 {
        self.seen_ms
    }

    /// When it last got anything, if it has.
    pub fn active_ms(&self) -> Option<i64> {
        self.active_ms
    }

    /// How many entries it has not acknowledged.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }
}

impl Group {
    /// A group that has got everything up to an id, which are so many entries, if that is known.
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> Group {
        Group {
            last_id,
            entries_read,
            pending: BTreeMap::new(),
            consumers: BTreeMap::new(),
            numbers: BTreeMap::new(),
            last_number: 0,
            names_bytes: 0,
        }
    }

    /// The last id that was delivered.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// How many entries of the stream were ever read, if that is known.
    pub fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }

    /// Goes on behind another id.
    pub fn set_last_id(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        (self.last_id, self.entries_read) = (last_id, entries_read);
    }

    /// Has got everything up to an id at least.
    pub fn raise_last_id(&mut self, id: StreamId) {
        self.last_id = self.last_id.max(id);
    }

    /// How many entries of the stream are still to be delivered, if that is known.
    pub fn lag(&self, log: &Log, counting: Counting) -> Option<u64> {
        if log.entries_added() == 0 {
            return Some(0);
        }
        let read = match self.entries_read {
            Some(read) if !log.has_gap_from(self.last_id, counting) => Some(read),
            _ => log.entries_up_to(self.last_id, counting),
        };
        read.map(|read| log.entries_added().wrapping_sub(read))
    }

    /// Counts an entry behind the last id as read; that is the last id from then on.
    pub fn read(&mut self, log: &Log, id: StreamId, counting: Counting) {
        let is_counted = match counting {
            Counting::Lenient => !log.has_gap_from(id, counting),
            Counting::Strict => self.last_id >= log.first_id() && !log.has_gap_from(self.last_id, counting),
        };
        match &mut self.entries_read {
            Some(read) if is_counted => *read = read.saturating_add(1),
            read if log.entries_added() > 0 => *read = log.entries_up_to(id, counting),
            _ => {}
        }
        self.last_id = id;
    }

    /// How many entries are pending.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// What is pending, by id.
    pub fn pending(
        &self,
        ids: RangeInclusive<StreamId>,
    ) -> impl DoubleEndedIterator<Item = (StreamId, Pending)> {
        let is_empty = ids.is_empty();
        let ids = if is_empty { StreamId::MAX..=StreamId::MAX } else { ids };
        self.pending.range(ids).filter(move |_| !is_empty).map(|(id, pending)| (*id, *pending))
    }

    /// The same of one consumer.
    pub fn pending_of(
        &self,
        consumer: u64,
        ids: RangeInclusive<StreamId>,
    ) -> impl Iterator<Item = (StreamId, Pending)> {
        let own = self.consumers.get(&consumer).filter(|_| !ids.is_empty());
        let own = own.into_iter().flat_map(move |consumer| consumer.pending.range(ids.clone()));
        own.filter_map(|id| Some((*id, *self.pending.get(id)?)))
    }

    /// What is known of an entry that is pending.
    pub fn pending_entry(&self, id: StreamId) -> Option<Pending> {
        self.pending.get(&id).copied()
    }

    /// The consumers, by name.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = (u64, &Consumer)> {
        self.numbers.values().map(|number| (*number, &self.consumers[number]))
    }

    /// The consumer of a number.
    pub fn consumer(&self, number: u64) -> Option<&Consumer> {
        self.consumers.get(&number)
    }

    /// The number of a consumer.
    pub fn number(&self, name: &[u8]) -> Option<u64> {
        self.numbers.get(name).copied()
    }

    /// Makes a consumer, unless there is one of that name; its number, and whether it is new.
    pub fn enter(&mut self, name: &[u8], now_ms: i64) -> (u64, bool) {
        if let Some(number) = self.number(name) {
            return (number, false);
        }
        self.last_number += 1;
        let name: Arc<[u8]> = name.into();
        self.names_bytes += allocation_bytes(name.len() + ARC_BYTES);
        let consumer =
            Consumer { name: name.clone(), seen_ms: now_ms, active_ms: None, pending: BTreeSet::new() };
        self.consumers.insert(self.last_number, consumer);
        self.numbers.insert(name, self.last_number);
        (self.last_number, true)
    }

    /// Notes that a consumer has asked for something.
    pub fn see(&mut self, number: u64, now_ms: i64) {
        if let Some(consumer) = self.consumers.get_mut(&number) {
            consumer.seen_ms = now_ms;
        }
    }

    /// Removes a consumer with all that it has pending; how much that was, if there was one.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let consumer = self.numbers.remove(name).and_then(|number| self.consumers.remove(&number))?;
        self.names_bytes -= allocation_bytes(name.len() + ARC_BYTES);
        for id in &consumer.pending {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// Makes an entry pending with a consumer, whoever had it.
    pub fn put(&mut self, id: StreamId, pending: Pending) {
        let before = self.pending.insert(id, pending);
        if let Some(before) = before.filter(|before| before.consumer != pending.consumer)
            && let Some(consumer) = self.consumers.get_mut(&before.consumer)
        {
            consumer.pending.remove(&id);
        }
        if before.is_none_or(|before| before.consumer != pending.consumer)
            && let Some(consumer) = self.consumers.get_mut(&pending.consumer)
        {
            consumer.pending.insert(id);
        }
    }

    /// Notes that a consumer has got something.
    pub fn note_active(&mut self, number: u64, now_ms: i64) {
        if let Some(consumer) = self.consumers.get_mut(&number) {
            consumer.active_ms = Some(now_ms);
        }
    }

    /// An entry is pending no more; whether it was.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        if let Some(consumer) = self.consumers.get_mut(&pending.consumer) {
            consumer.pending.remove(&id);
        }
        true
    }

    /// About what it takes of the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.pending.len() * PENDING_BYTES + self.consumers.len() * CONSUMER_BYTES + self.names_bytes
    }
}

/// The counters of an `Arc`.
const ARC_BYTES: usize = 16;
/// Nodes of maps are half full where keys come in order.
const PENDING_BYTES: usize = 2 * (size_of::<StreamId>() + size_of::<Pending>() + size_of::<StreamId>());
const CONSUMER_BYTES: usize =
    2 * (size_of::<u64>() + size_of::<Consumer>() + size_of::<Arc<[u8]>>() + size_of::<u64>());
