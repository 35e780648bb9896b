//! Locks, semaphores and latches beyond their keys: fences, who holds what by which connection, when the next lease ends, who
//! waits for whom, and what has to be done about all that outside of any command.
//!
//! What a lock is, is `storage::types::lock`; who waits for one, `blocking`; the commands, `commands/lock`. Nothing here is
//! looked at by anybody else.
//!
//! # Why no grant is lost or doubled
//!
//! 1. *One place.* Who holds a lock is what stands in its key's value, and nothing else. It is only changed under the lock of the
//!    key's shard, so that two grants which exclude each other cannot both be made.
//! 2. *In turn.* A request that finds others queued before it, or a holder that it does not get along with, is queued before its
//!    shards are let go (`blocking`, 1). From then on, whatever changes the lock is logged, as the interest is raised.
//! 3. *Handing over.* Whoever changes a lock offers it, under the same locks, to the first in the queue, by running that
//!    request again: if it is served, the next one is first; if not, nobody behind it is asked. So there is no instant
//!    in which a free lock has a queue, unless the first one in it needs another key as well.
//! 4. *The claim.* A request is run again only while its claim is locked, and served only if its wait had not ended. A wait that
//!    ends otherwise leaves the queue and then asks for the key to be offered once more ([`Errand::Offer`]), because those
//!    behind it may have waited for it alone.
//! 5. *The way to the client.* A grant that was made for a connection is noted with it until the bytes of its reply have been written
//!    to the socket. If the connection ends before, wherever the reply is then (promised, received, or among unsent
//!    output), the grant is undone ([`Errand::Undo`]) and the key is offered again.
//! 6. *The end of a term.* Each grant that ends by itself is in the [`register`], in the order of ends. The keeper sleeps until the
//!    first of them and takes it away under the lock of its shard, by 3. Whoever comes to the key before does the same, so that
//!    nobody meets a grant that is over. Fences tell grants apart: what is no longer there is not ended twice.
//! 7. *The end of a connection.* A grant that lasts by a connection is listed with that; who binds one to a connection that has
//!    left meanwhile finds that out, and says so itself.
//! 8. *Errands.* What follows from an end without a transaction is an errand for the keeper. It takes the lock of the key's shard as any
//!    command does, or leaves it to the executor if somebody holds that for long. Nothing waits for errands.
//!
//! The register, the graph and the errands are leaves among the locks: nothing is locked inside of them.

pub mod errands;
pub mod graph;
pub mod register;
pub mod site;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shardis_storage::types::lock::Grant;
use shardis_storage::{Db, ObjectRef, Orphan, Transaction};

pub use self::errands::{Errand, Errands};
pub use self::graph::Graph;
pub use self::register::{Granted, Register};
use crate::clock::Clock;
use crate::command::event;
use crate::state::State;

/// What is known of all locks and semaphores of a server.
#[derive(Debug)]
pub struct Locks {
    last_fence: AtomicU64,
    first_fence: u64,
    /// All grants.
    pub register: Register,
    /// Who waits for whom.
    pub graph: Graph,
    /// What is to be done.
    pub errands: Arc<Errands>,
    /// What has happened.
    pub counts: Counts,
}

/// What has happened to grants beyond being made and given back.
#[derive(Debug, Default)]
pub struct Counts {
    /// Terms that have ended by themselves, or with their connection.
    pub expired: AtomicU64,
    /// Grants that somebody else has ended.
    pub broken: AtomicU64,
    /// Requests that would have closed a cycle.
    pub deadlocks: AtomicU64,
    /// Grants whose reply never left.
    pub undone: AtomicU64,
}

/// Bytes of an owner at most.
pub const OWNER_BYTES_MAX: usize = 512;
/// Bytes of a remark or a reason at most.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Permits of a semaphore, and steps of a latch, at most: what a reply says exactly in any language.
pub const COUNT_MAX: i64 = (1 << 53) - 1;

/// The beginning of 2025 in Unix seconds: fences count from there, so that they stay below 2^53.
const FENCES_SINCE_SECONDS: i64 = 1_735_689_600;
/// Fences for each second that the server might have run before.
const FENCE_BITS_PER_SECOND: u32 = 20;

impl Locks {
    /// Nothing held, for so many shards. The clock says where fences begin, so that they never go back over a restart.
    pub fn new(shards: usize, clock: &Clock) -> Locks {
        let seconds = (clock.now_ms().div_euclid(1000) - FENCES_SINCE_SECONDS).max(0);
        let first_fence = (seconds.unsigned_abs() << FENCE_BITS_PER_SECOND).max(1);
        Locks {
            last_fence: AtomicU64::new(first_fence - 1),
            first_fence,
            register: Register::new(shards),
            graph: Graph::default(),
            errands: Arc::default(),
            counts: Counts::default(),
        }
    }

    /// The next fence.
    #[inline]
    pub fn next_fence(&self) -> u64 {
        self.last_fence.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The fence that was given last; nothing before the first.
    pub fn last_fence(&self) -> Option<u64> {
        (self.grants_made() > 0).then(|| self.last_fence.load(Ordering::Relaxed))
    }

    /// How many grants have been made.
    pub fn grants_made(&self) -> u64 {
        self.last_fence.load(Ordering::Relaxed) + 1 - self.first_fence
    }

    /// Ends what relied on a value that somebody has removed or replaced. Its shard is locked.
    pub fn orphaned(&self, state: &State, txn: &mut Transaction<'_>, orphan: &Orphan) {
        let key = state.keyspace.key(orphan.key());
        let shard = state.keyspace.shard_of(key.hash());
        let end = |fence, term, client| {
            self.register.leave(shard, fence, term, client);
            self.errands.push(Errand::TellLost { client, key: orphan.key().into(), fence });
            self.counts.broken.fetch_add(1, Ordering::Relaxed);
        };
        match orphan.object() {
            Some(ObjectRef::Lock(lock)) => {
                lock.grants()
                    .iter()
                    .for_each(|Grant { fence, term, client, .. }| end(*fence, *term, *client));
                self.graph.note_holders(orphan.db, key.bytes(), std::iter::empty());
                txn.select(orphan.db);
                txn.tell(&key, &event::LOCK_BROKEN);
            }
            Some(ObjectRef::Semaphore(semaphore)) => {
                semaphore.permits().for_each(|(fence, permit)| end(fence, permit.term, permit.client));
            }
            _ => {}
        }
    }

    /// Follows databases that were emptied, or have changed places: grants that are gone with them have ended. All shards are locked.
    pub fn follow(&self, state: &State, txn: &mut Transaction<'_>, dbs: &[Db]) {
        let gone = self.register.follow(dbs, |granted| {
            let key = state.keyspace.key(&granted.key);
            dbs.iter().copied().find(|db| {
                txn.select(*db);
                match txn.inspect(&key).and_then(|entry| entry.any_object()) {
                    Some(ObjectRef::Lock(lock)) => lock.of_fence(granted.fence).is_some(),
                    Some(ObjectRef::Semaphore(semaphore)) => semaphore.permit(granted.fence).is_some(),
                    _ => false,
                }
            })
        });
        for Granted { db, key, client, fence, .. } in gone {
            self.counts.broken.fetch_add(1, Ordering::Relaxed);
            self.graph.note_holders(db, &key, std::iter::empty());
            self.errands.push(Errand::TellLost { client, key, fence });
        }
    }
}
