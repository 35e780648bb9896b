//! Who listens, by what they listen to. A channel has a lock of its own, and is there as long as somebody listens to it; the
//! patterns have one together, since a message is matched against all of them.
//!
//! A channel that its last listener leaves is marked as gone under its lock, and then taken out of the map. Whoever comes
//! upon one that is gone takes it out too and makes another one, so that nobody joins what nobody can find.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use parking_lot::{Mutex, MutexGuard};

use crate::client::ClientInfo;

/// Those who listen to one thing, by their numbers.
pub type Listeners = BTreeMap<u64, Arc<ClientInfo>>;

/// Channels by their names.
#[derive(Debug, Default)]
pub struct Channels {
    by_name: DashMap<Arc<[u8]>, Arc<Mutex<Channel>>>,
    /// How many listen to how many, for those who only want to know whether any do.
    memberships: AtomicUsize,
}

#[derive(Debug, Default)]
struct Channel {
    listeners: Listeners,
    is_gone: bool,
}

impl Channels {
    /// Whether anybody listens to any.
    #[inline]
    pub fn is_any(&self) -> bool {
        self.memberships.load(Ordering::Acquire) > 0
    }

    /// Adds a listener that was none.
    pub fn join(&self, name: &Arc<[u8]>, client: &Arc<ClientInfo>) {
        loop {
            let known = self.by_name.entry(name.clone()).or_default().clone();
            let mut channel = known.lock();
            if !channel.is_gone {
                channel.listeners.insert(client.id, client.clone());
                self.memberships.fetch_add(1, Ordering::Release);
                return;
            }
            drop(channel);
            self.forget(name, &known);
        }
    }

    /// Takes a listener away.
    pub fn part(&self, name: &[u8], client: &ClientInfo) {
        let Some(known) = self.find(name) else { return };
        let mut channel = known.lock();
        let was_there = channel.listeners.remove(&client.id).is_some();
        self.memberships.fetch_sub(usize::from(was_there), Ordering::Release);
        channel.is_gone = channel.listeners.is_empty();
        if channel.is_gone {
            drop(channel);
            self.forget(name, &known);
        }
    }

    /// Shows the listeners of a channel, if there are any; it is locked meanwhile.
    #[inline]
    pub fn visit(&self, name: &[u8], show: impl FnOnce(&Listeners)) {
        if !self.is_any() {
            return;
        }
        if let Some(channel) = self.find(name) {
            show(&channel.lock().listeners);
        }
    }

    /// The names that are wanted.
    pub fn names(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Vec<Arc<[u8]>> {
        let names = self.by_name.iter().map(|channel| channel.key().clone());
        names.filter(|name| is_wanted(name)).collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_name.len()
    }

    /// How many listen to one.
    pub fn listeners(&self, name: &[u8]) -> usize {
        self.find(name).map_or(0, |channel| channel.lock().listeners.len())
    }

    fn find(&self, name: &[u8]) -> Option<Arc<Mutex<Channel>>> {
        self.by_name.get(name).map(|channel| channel.clone())
    }

    fn forget(&self, name: &[u8], gone: &Arc<Mutex<Channel>>) {
        self.by_name.remove_if(name, |_, known| Arc::ptr_eq(known, gone));
    }
}

/// Patterns, each with its listeners.
#[derive(Debug, Default)]
pub struct Patterns {
    listeners: Mutex<BTreeMap<Arc<[u8]>, Listeners>>,
    count: AtomicUsize,
}

impl Patterns {
    /// Whether there is any.
    #[inline]
    pub fn is_any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// All of them, for as long as nobody else is to come in between.
    pub fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<[u8]>, Listeners>> {
        self.listeners.lock()
    }

    /// Adds a listener.
    pub fn join(&self, pattern: &Arc<[u8]>, client: &Arc<ClientInfo>) {
        let mut patterns = self.listeners.lock();
        patterns.entry(pattern.clone()).or_default().insert(client.id, client.clone());
        self.count.store(patterns.len(), Ordering::Release);
    }

    /// Takes a listener away.
    pub fn part(&self, pattern: &[u8], client: &ClientInfo) {
        let mut patterns = self.listeners.lock();
        if let Some(listeners) = patterns.get_mut(pattern) {
            listeners.remove(&client.id);
            if listeners.is_empty() {
                patterns.remove(pattern);
            }
        }
        self.count.store(patterns.len(), Ordering::Release);
    }

    /// Those that are wanted.
    pub fn names(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Vec<Arc<[u8]>> {
        self.listeners.lock().keys().filter(|pattern| is_wanted(pattern)).cloned().collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// How many listen by one.
    pub fn listeners(&self, pattern: &[u8]) -> usize {
        self.listeners.lock().get(pattern).map_or(0, BTreeMap::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: u64) -> Arc<ClientInfo> {
        Arc::new(ClientInfo::new(id, "?:0".into(), "?:0".into(), -1, 0))
    }

    #[test]
    fn a_channel_is_there_as_long_as_somebody_listens() {
        let channels = Channels::default();
        let name: Arc<[u8]> = b"news"[..].into();
        let (one, other) = (client(1), client(2));
        channels.join(&name, &one);
        channels.join(&name, &other);
        channels.part(b"none", &one);
        assert_eq!((channels.listeners(b"news"), channels.count(), channels.is_any()), (2, 1, true));
        channels.part(b"news", &one);
        channels.part(b"news", &one);
        assert_eq!((channels.listeners(b"news"), channels.count(), channels.is_any()), (1, 1, true));
        channels.part(b"news", &other);
        assert_eq!((channels.listeners(b"news"), channels.count(), channels.is_any()), (0, 0, false));
    }

    #[test]
    fn nobody_joins_a_channel_that_is_gone() {
        let channels = Channels::default();
        let name: Arc<[u8]> = b"news"[..].into();
        std::thread::scope(|scope| {
            for id in 1..=4 {
                let (channels, name) = (&channels, &name);
                scope.spawn(move || {
                    let client = client(id);
                    for _ in 0..2000 {
                        channels.join(name, &client);
                        let mut is_found = false;
                        channels.visit(name, |listeners| is_found = listeners.contains_key(&id));
                        assert!(is_found, "whoever listens is found");
                        channels.part(name, &client);
                    }
                });
            }
        });
        assert_eq!((channels.count(), channels.is_any()), (0, false));
    }
}
