//! Who hears of all keys with a prefix, and which of them have changed since that was last told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::Modes;
use super::teller::{Content, Teller};
use crate::state::State;

/// Prefixes with their listeners.
#[derive(Debug, Default)]
pub struct Broadcasts {
    prefixes: Mutex<BTreeMap<Box<[u8]>, Listeners>>,
    /// How many prefixes there are, for those who only look.
    count: AtomicUsize,
    /// Whether anything has changed that nobody has been told yet.
    are_pending: AtomicBool,
}

#[derive(Debug, Default)]
struct Listeners {
    clients: BTreeSet<u64>,
    /// The keys that have changed, and by whom last.
    keys: BTreeMap<Box<[u8]>, Option<u64>>,
}

impl Broadcasts {
    /// Lets a client listen to a prefix.
    pub fn join(&self, prefix: &[u8], client: u64) {
        let mut prefixes = self.prefixes.lock();
        prefixes.entry(prefix.into()).or_default().clients.insert(client);
        self.count.store(prefixes.len(), Ordering::Relaxed);
    }

    /// Ends that.
    pub fn part(&self, prefix: &[u8], client: u64) {
        let mut prefixes = self.prefixes.lock();
        if let Some(listeners) = prefixes.get_mut(prefix) {
            listeners.clients.remove(&client);
            if listeners.clients.is_empty() {
                prefixes.remove(prefix);
            }
        }
        self.count.store(prefixes.len(), Ordering::Relaxed);
    }

    /// How many prefixes somebody listens to.
    pub fn prefixes(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Notes that a key has changed.
    pub fn note(&self, key: &[u8], by: Option<u64>) {
        if self.prefixes() == 0 {
            return;
        }
        for (_, listeners) in self.prefixes.lock().iter_mut().filter(|(prefix, _)| key.starts_with(prefix)) {
            match listeners.keys.get_mut(key) {
                Some(author) => *author = by,
                None => {
                    listeners.keys.insert(key.into(), by);
                    self.are_pending.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    /// Whether there is anything to be sent.
    #[inline]
    pub fn are_pending(&self) -> bool {
        self.are_pending.load(Ordering::Relaxed)
    }

    /// Sends what has changed: a message for each prefix, with all its keys.
    pub fn send(&self, state: &State, teller: &mut Teller) {
        let mut prefixes = self.prefixes.lock();
        self.are_pending.store(false, Ordering::Relaxed);
        for listeners in prefixes.values_mut().filter(|listeners| !listeners.keys.is_empty()) {
            let changed = std::mem::take(&mut listeners.keys);
            let keys: Vec<&[u8]> = changed.keys().map(|key| &**key).collect();
            for client in listeners.clients.iter().filter_map(|id| state.clients.client(*id)) {
                if !client.tracking.has(Modes::NO_LOOP) {
                    teller.send(state, &client, Content::Keys(&keys));
                    continue;
                }
                let by_others = changed.iter().filter(|(_, by)| **by != Some(client.id));
                let keys: Vec<&[u8]> = by_others.map(|(key, _)| &**key).collect();
                if !keys.is_empty() {
                    teller.send(state, &client, Content::Keys(&keys));
                }
            }
        }
    }
}
