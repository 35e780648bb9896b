//! Keys that clients watch, so that a transaction runs only if none of them has changed.
//!
//! # The protocol of watching
//!
//! 1. A client that watches a key is entered at it while the key's shard is locked, and the interest in changes is raised. Whoever
//!    changes the key later has locked the shard later, so it sees the interest and logs the change.
//! 2. Before it lets its shards go, a transaction marks those who watch a key that it has changed. A marked client's transaction
//!    will not run.
//! 3. What is removed by time or for want of memory may be told after the shard was let go. So the transaction of a client also
//!    locks the shards of the keys that it watches, and compares what is there with what was there when it began to watch: a
//!    removal is seen by that, whoever has told it or not.
//! 4. With these shards locked, nobody can change a watched key between the look at the mark and the end of the transaction.
//!
//! The entries are leaves: one is locked at a time, and nothing is done meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use parking_lot::Mutex;
use shardis_storage::{Change, Db, What};

use crate::client::ClientInfo;
use crate::command::program::Presence;
use crate::interest;
use crate::state::State;

/// All watched keys of a server, and who watches them.
#[derive(Debug, Default)]
pub struct Watchers {
    keys: DashMap<Box<[u8]>, Vec<Watcher>>,
    /// How many entries there are in all lists: the interest is raised while there is one.
    entries: Mutex<usize>,
    clients: AtomicUsize,
}

#[derive(Debug)]
struct Watcher {
    db: Db,
    client: Arc<ClientInfo>,
    was: Presence,
}

/// The keys that one client watches. Dropping it ends that.
#[derive(Debug)]
pub struct Watches {
    state: Arc<State>,
    client: Arc<ClientInfo>,
    keys: Vec<(Db, Box<[u8]>, Presence)>,
}

impl Watchers {
    /// How many clients watch keys.
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// How many keys are watched, each once.
    pub fn keys(&self) -> usize {
        let databases = |watchers: &[Watcher]| {
            let mut databases: Vec<u16> = watchers.iter().map(|watcher| watcher.db.0).collect();
            databases.sort_unstable();
            databases.dedup();
            databases.len()
        };
        self.keys.iter().map(|watchers| databases(&watchers)).sum()
    }

    /// Marks those who watch what has changed. `presence` tells what is at a key now.
    pub fn note(&self, change: &Change, mut presence: impl FnMut(Db, &[u8]) -> Presence) {
        match change.what {
            What::Flushed => self.note_all(change.db, |_, was| was == Presence::Live),
            What::Swapped => self.note_all(change.db, |key, was| {
                was == Presence::Live || presence(change.db, key) == Presence::Live
            }),
            what if what.is_event_only() => {}
            what => {
                let Some(watchers) = self.keys.get(&change.key) else { return };
                let is_lasting = what != What::Expired;
                let of_db = watchers.iter().filter(|watcher| watcher.db == change.db);
                of_db
                    .filter(|watcher| is_lasting || watcher.was == Presence::Live)
                    .for_each(|watcher| watcher.client.spoil());
            }
        }
    }

    fn note_all(&self, db: Db, mut is_changed: impl FnMut(&[u8], Presence) -> bool) {
        for watchers in &self.keys {
            for watcher in watchers.iter().filter(|watcher| watcher.db == db) {
                if is_changed(watchers.key(), watcher.was) {
                    watcher.client.spoil();
                }
            }
        }
    }

    fn enter(&self, state: &State, key: &[u8], watcher: Watcher) {
        {
            let mut entries = self.entries.lock();
            *entries += 1;
            if *entries == 1 {
                state.keyspace.interest().raise(interest::WATCHED);
            }
        }
        self.keys.entry(key.into()).or_default().push(watcher);
    }

    fn leave(&self, state: &State, key: &[u8], db: Db, client: &ClientInfo) {
        if let Some(mut watchers) = self.keys.get_mut(key) {
            watchers.retain(|watcher| watcher.db != db || watcher.client.id != client.id);
        }
        self.keys.remove_if(key, |_, watchers| watchers.is_empty());
        let mut entries = self.entries.lock();
        *entries -= 1;
        if *entries == 0 {
            state.keyspace.interest().lower(interest::WATCHED);
        }
    }
}

impl Watches {
    /// The watches of a client that has none yet.
    pub fn new(state: &Arc<State>, client: &Arc<ClientInfo>) -> Watches {
        state.watchers.clients.fetch_add(1, Ordering::Relaxed);
        Watches { state: state.clone(), client: client.clone(), keys: Vec::new() }
    }

    /// Watches one more key, at which this is now. Its shard is locked.
    pub fn add(&mut self, db: Db, key: &[u8], was: Presence) {
        if self.keys.iter().any(|(its_db, its_key, _)| *its_db == db && **its_key == *key) {
            return;
        }
        let watcher = Watcher { db, client: self.client.clone(), was };
        self.state.watchers.enter(&self.state, key, watcher);
        self.keys.push((db, key.into(), was));
        self.client.watched.store(self.keys.len(), Ordering::Relaxed);
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|(_, key, _)| &**key)
    }

    /// Whether any of them has changed. Their shards are locked.
    pub fn are_spoiled(&self, mut presence: impl FnMut(Db, &[u8]) -> Presence) -> bool {
        let is_gone = |was, now| was == Presence::Live && now != Presence::Live;
        self.client.is_spoiled() || self.keys.iter().any(|(db, key, was)| is_gone(*was, presence(*db, key)))
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        for (db, key, _) in &self.keys {
            self.state.watchers.leave(&self.state, key, *db, &self.client);
        }
        self.client.watched.store(0, Ordering::Relaxed);
        self.client.forget_spoiled();
        self.state.watchers.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
