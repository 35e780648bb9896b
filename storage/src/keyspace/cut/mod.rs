//! Consistent cuts: one instant of a database, or of some of its keys, that is read while writers go on.
//!
//! A cut is opened, its owner visits what it covers, shard by shard (`visit`), and whoever is about to change something that has
//! not been visited yet first shows it to the cut (`hook`): visit before write. What was visited and what was fed together are
//! exactly what was there at the instant, each key once. What a cut still has to see of a shard is its part (`part`). Nothing
//! is copied here and no thread is woken: both are the business of the [`Feed`] that the cut was opened with.
//!
//! # Why it is one instant
//!
//! 1. One word, [`Interest`], holds the epoch, which is the number of cuts so far, and whether any is open. Opening a cut files
//!    its parts and then, in one store, raises the epoch and says that cuts are open. Visitors come after that store.
//! 2. A transaction reads that word once its last shard is locked and before its first change. If it finds the epoch of a cut or
//!    a later one it is *after* the cut, else *before* it. What is before does not know of the cut and feeds nothing; what is
//!    after feeds all that it changes. (A walk holds one shard at a time: each of its shards is a transaction of its own.)
//! 3. No visitor has been in a shard that a transaction before the cut holds: it would have unlocked it before the transaction
//!    locked it, so the store, the visit, the lock and the read of the word would have happened in this order, and whoever reads
//!    a word after a store sees it (coherence). So the visitor comes later and finds all changes of the transaction.
//! 4. In the same way nobody who is after the cut has held a shard earlier than somebody who is before it: the later one would
//!    have read the word after the earlier one, and no older value. The same holds for any two transactions of which one
//!    begins when the other is known to be over, by whatever way and in whichever shards: who sees a change is not before a cut
//!    that the change is after. So those before the cut are a beginning of history, and their changes are all that the cut shows.
//! 5. Where shards are locked while changes are made already (`Scope::Discovered`), 2 needs help: the word is read before
//!    the last shard is locked. Such a transaction holds `order` exclusively, and opening a cut holds it shared for the moment of
//!    filing and the store. So the store comes before the transaction or after it, and the word stays as it is meanwhile. Nobody
//!    else is kept waiting by opening, nor has to be waited for: by 3 and 4, those who hold several shards need no help.
//!
//! # Locks
//!
//! The parts of a shard have a lock of their own, behind that of the shard: who holds it waits for nothing. Writers and visitors take
//! it while they hold the shard, so they never meet there; opening and closing take it without the shard, for a moment. The
//! number of open cuts has a lock, behind `order`, under which the locks of parts are taken one after the other.
//!
//! # What it costs
//!
//! With no cut open, a change looks at one bit of a word that its transaction has anyway. With one, a change of a key that the cut has
//! still to see feeds that one key; flushing and exchanging databases take constant time for each shard.

mod hook;
mod part;
mod visit;

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

pub(super) use self::hook::Fed;
use self::part::{Coverage, Part, ShardCuts};
pub use self::visit::CutVisit;
use super::change::{Epoch, Interest};
use super::entry_ref::EntryRef;
use super::scope::{Contended, Hold, Patience};
use super::view::View;
use super::{Db, Key, Keyspace};

/// Where writers put what a cut has not visited yet.
pub trait Feed: Send + Sync {
    /// An entry as it was at the cut, which is about to change. Called by the writer, under the lock of the shard: it copies
    /// what it needs and returns. It must not wait, must not lock a shard and must not open, visit or close a cut.
    fn feed(&self, shard: usize, key: &[u8], entry: EntryRef<'_>);
}

/// What a cut covers of a database.
#[derive(Clone, Copy, Debug)]
pub enum Cover<'a> {
    /// All of it.
    Every,
    /// Some shards, each once.
    Shards(&'a [usize]),
    /// Some keys; one that is named twice is seen once.
    Keys(&'a [Key<'a>]),
}

/// Why no cut was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutRefusal {
    /// Something long runs that may lock any shard; who waits for it comes back when it has released them.
    Contended,
    /// [`CUTS_MAX`] are open; who waits comes back when one was closed.
    TooMany,
}

/// Cuts that may be open at once: each change looks at them all.
pub const CUTS_MAX: usize = 16;

/// An open cut. Dropping it closes it: nothing is fed to it any more. That may free what was flushed meanwhile, so it is not for
/// a thread that serves clients.
pub struct Cut {
    cuts: Arc<Cuts>,
    facts: Arc<Facts>,
    /// The shards it has a part in.
    shards: Box<[usize]>,
}

/// What all parts of a cut have in common.
struct Facts {
    epoch: Epoch,
    now_ms: i64,
    feed: Arc<dyn Feed>,
}

/// The open cuts of a keyspace.
#[derive(Default)]
pub(super) struct Cuts {
    pub interest: Interest,
    /// How many are open.
    open: Mutex<usize>,
    /// One for each shard, made for the first cut.
    shards: OnceLock<Box<[ShardCuts]>>,
}

impl Keyspace {
    /// Opens a cut at this moment over a part of database `db`. What a deadline up to `now_ms` has is not seen, what a later one has
    /// is, however long the cut stays open.
    pub fn open_cut(
        &self,
        db: Db,
        cover: Cover<'_>,
        feed: Arc<dyn Feed>,
        patience: Patience,
        now_ms: i64,
    ) -> Result<Cut, CutRefusal> {
        assert!(db.0 < self.databases, "a database that there is");
        let mut view = View::new(self, patience, Hold::Short, now_ms);
        view.order_shared().map_err(|Contended| CutRefusal::Contended)?;
        let cuts = &self.cuts;
        let mut open = cuts.open.lock();
        if *open == CUTS_MAX {
            return Err(CutRefusal::TooMany);
        }
        let facts = Arc::new(Facts { epoch: cuts.interest.observers().epoch().next(), now_ms, feed });
        let shards = cuts.file(self, db, cover, &facts);
        *open += 1;
        cuts.interest.begin_epoch();
        debug_assert_eq!(cuts.interest.observers().epoch(), facts.epoch, "epochs begin under the lock");
        Ok(Cut { cuts: Arc::clone(cuts), facts, shards })
    }
}

impl Cut {
    /// The instant by which it is judged what had expired: Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.facts.now_ms
    }

    /// The shards that it covers something of.
    pub fn shards(&self) -> &[usize] {
        &self.shards
    }
}

impl std::fmt::Debug for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cut").field("now_ms", &self.facts.now_ms).finish_non_exhaustive()
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        let mut open = self.cuts.open.lock();
        let left: Vec<Part> =
            self.shards.iter().filter_map(|shard| self.cuts.shard(*shard).lock().take(&self.facts)).collect();
        *open -= 1;
        if *open == 0 {
            self.cuts.interest.close_cuts();
        }
        drop(open);
        // May take its time: a flushed table may be freed.
        drop(left);
    }
}

impl Cuts {
    /// Files the parts of a cut; the shards in which it has one.
    fn file(&self, keyspace: &Keyspace, db: Db, cover: Cover<'_>, facts: &Arc<Facts>) -> Box<[usize]> {
        self.shards.get_or_init(|| (0..keyspace.shards()).map(|_| ShardCuts::default()).collect());
        let put = |shard: usize, coverage| self.shard(shard).lock().add(Part::new(facts, db, coverage));
        match cover {
            Cover::Every => (0..keyspace.shards()).inspect(|&shard| put(shard, Coverage::table())).collect(),
            Cover::Shards(shards) => {
                let mut shards = Box::<[usize]>::from(shards);
                shards.sort_unstable();
                assert!(shards.is_sorted_by(|a, b| a < b), "each shard once");
                shards.iter().for_each(|&shard| put(shard, Coverage::table()));
                shards
            }
            Cover::Keys(keys) => {
                let mut keys: Vec<_> = keys.iter().map(|key| (keyspace.shard_of(key.hash), key)).collect();
                keys.sort_by_key(|(shard, _)| *shard);
                let groups = keys.chunk_by(|(a, _), (b, _)| a == b);
                let filed = groups.map(|group| {
                    let shard = group[0].0;
                    put(shard, Coverage::keys(group.iter().map(|(_, key)| *key), &keyspace.hasher));
                    shard
                });
                filed.collect()
            }
        }
    }

    /// The parts in a shard; there has been a cut.
    fn shard(&self, index: usize) -> &ShardCuts {
        &self.shards.get().expect("invariant: made for the first cut")[index]
    }

    /// Bytes that the open cuts keep for the sake of one shard, which may be locked: keys, and tables that were flushed.
    pub fn memory_bytes(&self, shard: usize) -> usize {
        self.shards.get().map_or(0, |shards| size_of::<ShardCuts>() + shards[shard].lock().memory_bytes())
    }
}
