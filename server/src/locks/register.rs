//! All grants, by the shard of their key and by when they end; those that last by a connection, by that as well. It says when
//! to look at which key, never who holds it: what has gone from the value is passed over.
//!
//! Each shard's part is only written by who has locked the shard, so that its own lock is free but for the keeper's look.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use parking_lot::Mutex;
use shardis_storage::Db;
use shardis_storage::types::lock::{NEVER_MS, Term};

/// All grants of a server.
#[derive(Debug)]
pub struct Register {
    shards: Box<[Mutex<BTreeMap<(u64, u64), Granted>>]>,
    /// Of each connection by which grants last: their shards and ends, by fence.
    sessions: DashMap<u64, HashMap<u64, (usize, u64)>>,
    /// No grant ends before, unless the keeper has been woken.
    next_end_ms: AtomicU64,
    /// About what the entries take.
    bytes: AtomicUsize,
}

/// A grant in the register.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The database.
    pub db: Db,
    /// The key.
    pub key: Box<[u8]>,
    /// Its number.
    pub fence: u64,
    /// The connection that has asked for it.
    pub client: u64,
}

/// A grant that was just made, to be found should its reply not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantRef {
    /// The shard of its key.
    pub shard: u32,
    /// Its number.
    pub fence: u64,
    /// When it was to end.
    pub end_ms: u64,
}

impl Register {
    /// An empty one.
    pub fn new(shards: usize) -> Register {
        Register {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            sessions: DashMap::new(),
            next_end_ms: AtomicU64::new(NEVER_MS),
            bytes: AtomicUsize::new(0),
        }
    }

    /// Enters a grant; whether the keeper has to be woken, as it ends before all others.
    #[must_use]
    pub fn enter(&self, shard: usize, granted: Granted, term: Term) -> bool {
        let end_ms = term.end_ms();
        if matches!(term, Term::Session { .. }) {
            self.sessions.entry(granted.client).or_default().insert(granted.fence, (shard, end_ms));
        }
        self.bytes.fetch_add(weight(&granted), Ordering::Relaxed);
        let replaced = self.shards[shard].lock().insert((end_ms, granted.fence), granted);
        self.lighten(replaced.iter());
        end_ms < self.next_end_ms.load(Ordering::SeqCst)
            && end_ms < self.next_end_ms.fetch_min(end_ms, Ordering::SeqCst)
    }

    /// Takes a grant out that had this term.
    pub fn leave(&self, shard: usize, fence: u64, term: Term, client: u64) {
        let left = self.shards[shard].lock().remove(&(term.end_ms(), fence));
        self.lighten(left.iter());
        if matches!(term, Term::Session { .. }) {
            self.leave_session(client, fence);
        }
    }

    /// The same for what has just been entered anew, with another fence, term or connection than it had before: the first triple is
    /// what it was, the second what it is. So it is never out of the books, whoever looks.
    pub fn leave_former(
        &self,
        shard: usize,
        (fence, before, client): (u64, Term, u64),
        (fence_now, term, client_now): (u64, Term, u64),
    ) {
        if (before.end_ms(), fence) != (term.end_ms(), fence_now) {
            let left = self.shards[shard].lock().remove(&(before.end_ms(), fence));
            self.lighten(left.iter());
        }
        let is_same = matches!(term, Term::Session { .. }) && (fence, client) == (fence_now, client_now);
        if matches!(before, Term::Session { .. }) && !is_same {
            self.leave_session(client, fence);
        }
    }

    fn leave_session(&self, client: u64, fence: u64) {
        if let Some(mut session) = self.sessions.get_mut(&client) {
            session.remove(&fence);
        }
        self.sessions.remove_if(&client, |_, session| session.is_empty());
    }

    /// When the next grant ends, as far as is known: not later than this.
    pub fn next_end_ms(&self) -> u64 {
        self.next_end_ms.load(Ordering::SeqCst)
    }

    /// Takes out what is over; and when the next one ends.
    pub fn take_due(&self, now_ms: u64) -> (Vec<Granted>, u64) {
        // Whoever enters something from here on that ends earlier than what is found wakes the keeper.
        self.next_end_ms.store(NEVER_MS, Ordering::SeqCst);
        let (mut due, mut next_ms) = (Vec::new(), NEVER_MS);
        for shard in &self.shards {
            let mut shard = shard.lock();
            while let Some(first) = shard.first_entry() {
                if first.key().0 > now_ms {
                    next_ms = next_ms.min(first.key().0);
                    break;
                }
                due.push(first.remove());
            }
        }
        self.lighten(due.iter());
        (due, self.next_end_ms.fetch_min(next_ms, Ordering::SeqCst).min(next_ms))
    }

    /// The grants that last by a connection which has left, as they are now.
    pub fn of_session(&self, client: u64) -> Vec<(GrantRef, Granted)> {
        let Some((_, session)) = self.sessions.remove(&client) else { return Vec::new() };
        let find = |(fence, (shard, end_ms))| {
            let grant = GrantRef { shard: u32::try_from(shard).unwrap_or_default(), fence, end_ms };
            let part: &Mutex<BTreeMap<(u64, u64), Granted>> = &self.shards[shard];
            let granted = part.lock().get(&(end_ms, fence)).cloned();
            granted.map(|granted| (grant, granted))
        };
        session.into_iter().filter_map(find).collect()
    }

    /// The grant that was made just now.
    pub fn find(&self, grant: GrantRef) -> Option<Granted> {
        let shard = self.shards[grant.shard as usize].lock();
        let as_it_was = shard.get(&(grant.end_ms, grant.fence)).cloned();
        if as_it_was.is_some() {
            return as_it_was;
        }
        // It may have been renewed since.
        shard.values().find(|granted| granted.fence == grant.fence).cloned()
    }

    /// Looks for the grants of databases that were emptied, or have changed places: `find` tells where one is now, if it is
    /// anywhere. Takes out those that are gone. All shards are locked.
    pub fn follow(&self, dbs: &[Db], mut find: impl FnMut(&Granted) -> Option<Db>) -> Vec<Granted> {
        let mut gone = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            let is_gone = |_: &(u64, u64), granted: &mut Granted| {
                let found = if dbs.contains(&granted.db) { find(granted) } else { Some(granted.db) };
                granted.db = found.unwrap_or(granted.db);
                found.is_none()
            };
            gone.extend(shard.extract_if(.., is_gone).map(|(_, granted)| granted));
        }
        self.lighten(gone.iter());
        for granted in &gone {
            if let Some(mut session) = self.sessions.get_mut(&granted.client) {
                session.remove(&granted.fence);
            }
        }
        gone
    }

    /// About how many bytes it takes.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn lighten<'g>(&self, gone: impl Iterator<Item = &'g Granted>) {
        self.bytes.fetch_sub(gone.map(weight).sum(), Ordering::Relaxed);
    }

    /// How many grants there are, and how many of them last by a connection.
    pub fn counts(&self) -> (usize, usize) {
        let grants = self.shards.iter().map(|shard| shard.lock().len()).sum();
        (grants, self.sessions.iter().map(|session| session.len()).sum())
    }

    /// The keys of a database that somebody holds, in order and each once.
    pub fn keys(&self, db: Db) -> Vec<Box<[u8]>> {
        let mut keys = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let of_db = shard.values().filter(|granted| granted.db == db);
            keys.extend(of_db.map(|granted| granted.key.clone()));
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// About what an entry takes, with its place among those of its connection.
fn weight(granted: &Granted) -> usize {
    size_of::<((u64, u64), Granted)>() + granted.key.len() + size_of::<(u64, (usize, u64))>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(fence: u64, client: u64) -> Granted {
        Granted { db: Db(0), key: Box::from(&b"k"[..]), fence, client }
    }

    #[test]
    fn the_keeper_is_woken_only_for_what_ends_before_all_others() {
        let register = Register::new(2);
        let lease = |end_ms| Term::Lease { end_ms };
        assert!(register.enter(0, granted(1, 1), lease(50)));
        assert!(!register.enter(1, granted(2, 1), lease(60)));
        assert!(register.enter(1, granted(3, 1), lease(40)));
        let (due, next_ms) = register.take_due(40);
        assert_eq!((due.len(), due[0].fence, next_ms), (1, 3, 50));
        register.leave(0, 1, lease(50), 1);
        assert!(!register.enter(0, granted(4, 1), lease(70)));
        assert_eq!(register.take_due(50).1, 60);
        assert_eq!(register.counts(), (2, 0));
        assert_eq!(register.memory_bytes(), 2 * weight(&granted(1, 1)));
    }

    #[test]
    fn a_connection_that_leaves_has_what_lasted_by_it() {
        let register = Register::new(1);
        let session = Term::Session { grace_ms: 0, end_ms: NEVER_MS };
        assert!(!register.enter(0, granted(1, 7), session) && !register.enter(0, granted(2, 7), session));
        register.leave(0, 1, session, 7);
        assert_eq!(register.of_session(7).iter().map(|(grant, _)| grant.fence).collect::<Vec<_>>(), [2]);
        assert!(register.of_session(7).is_empty() && register.sessions.is_empty());
    }
}
