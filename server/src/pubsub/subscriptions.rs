//! What one client listens to. Only its own connection adds to it; whoever closes the client takes all of it away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::Topic;

/// What the registry and the client keep for a name, beside its bytes: the entries of two trees and a map.
const NAME_BYTES: usize = 128;

/// The subscriptions of a client.
#[derive(Debug, Default)]
pub struct Subscriptions {
    names: Mutex<Names>,
    /// How many there are, and what they take, for those who only look.
    total: AtomicUsize,
    bytes: AtomicUsize,
}

/// Names by topic.
#[derive(Debug, Default)]
struct Names([BTreeSet<Arc<[u8]>>; TOPICS.len()]);

const TOPICS: [Topic; 3] = [Topic::Channel, Topic::Pattern, Topic::ShardChannel];

impl Subscriptions {
    /// Whether there is any.
    #[inline]
    pub fn is_any(&self) -> bool {
        self.total.load(Ordering::Relaxed) > 0
    }

    /// Memory that they take.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many channels, patterns and shard channels it listens to.
    pub fn counts(&self) -> [usize; TOPICS.len()] {
        let names = self.names.lock();
        TOPICS.map(|topic| names.0[topic as usize].len())
    }

    /// The names of a topic.
    pub fn names(&self, topic: Topic) -> Vec<Arc<[u8]>> {
        self.names.lock().0[topic as usize].iter().cloned().collect()
    }

    /// As many as the client is told, who hears of shard channels apart from the others.
    pub fn told(&self, topic: Topic) -> usize {
        self.lock().told(topic)
    }

    /// Holds them, so that what the registry knows and what they say is one.
    pub(super) fn lock(&self) -> Held<'_> {
        Held { names: self.names.lock(), of: self }
    }
}

/// The subscriptions of a client, for whoever changes them.
pub(super) struct Held<'s> {
    names: MutexGuard<'s, Names>,
    of: &'s Subscriptions,
}

impl Held<'_> {
    /// Adds a name; `None` if it is there.
    pub fn insert(&mut self, topic: Topic, name: &[u8]) -> Option<Arc<[u8]>> {
        let names = &mut self.names.0[topic as usize];
        if names.contains(name) {
            return None;
        }
        let name: Arc<[u8]> = name.into();
        names.insert(name.clone());
        self.of.total.fetch_add(1, Ordering::Relaxed);
        self.of.bytes.fetch_add(NAME_BYTES + name.len(), Ordering::Relaxed);
        Some(name)
    }

    /// Takes a name away; whether it was there.
    pub fn remove(&mut self, topic: Topic, name: &[u8]) -> bool {
        let was_there = self.names.0[topic as usize].remove(name);
        if was_there {
            self.of.total.fetch_sub(1, Ordering::Relaxed);
            self.of.bytes.fetch_sub(NAME_BYTES + name.len(), Ordering::Relaxed);
        }
        was_there
    }

    /// Takes all names away.
    pub fn take_all(&mut self) -> impl Iterator<Item = (Topic, BTreeSet<Arc<[u8]>>)> + use<> {
        self.of.total.store(0, Ordering::Relaxed);
        self.of.bytes.store(0, Ordering::Relaxed);
        TOPICS.into_iter().zip(std::mem::take(&mut self.names.0))
    }

    /// How many there are.
    pub fn total(&self) -> usize {
        self.names.0.iter().map(BTreeSet::len).sum()
    }

    /// As [`Subscriptions::told`].
    pub fn told(&self, topic: Topic) -> usize {
        let count = |topic: Topic| self.names.0[topic as usize].len();
        match topic {
            Topic::ShardChannel => count(Topic::ShardChannel),
            Topic::Channel | Topic::Pattern => count(Topic::Channel) + count(Topic::Pattern),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_once_and_shard_channels_apart() {
        let subscriptions = Subscriptions::default();
        let mut held = subscriptions.lock();
        assert!(held.insert(Topic::Channel, b"a").is_some());
        assert!(held.insert(Topic::Channel, b"a").is_none());
        assert!(held.insert(Topic::Pattern, b"a").is_some());
        assert!(held.insert(Topic::ShardChannel, b"a").is_some());
        assert_eq!((held.told(Topic::Channel), held.told(Topic::ShardChannel), held.total()), (2, 1, 3));
        assert!(held.remove(Topic::Pattern, b"a") && !held.remove(Topic::Pattern, b"a"));
        drop(held);
        assert_eq!((subscriptions.counts(), subscriptions.memory_bytes()), ([1, 0, 1], 2 * (NAME_BYTES + 1)));
        assert_eq!(subscriptions.lock().take_all().map(|(_, names)| names.len()).sum::<usize>(), 2);
        assert_eq!((subscriptions.is_any(), subscriptions.memory_bytes()), (false, 0));
    }
}
