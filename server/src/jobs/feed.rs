//! Rows that writers hand over: before a writer changes what a run has not seen yet, it gives the run the row as it was at
//! the run's instant. Writers only copy; workers fold. Not here: when that happens (`storage::keyspace::cut`).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use shardis_compute::{Batch, Plan, Target};
use shardis_storage::{EntryRef, Feed};

use super::rights::Rights;
use super::rows::{ElementRows, KeyRows, Place};

/// What writers have handed over to one run, and how far its visits of collections have come.
pub struct Fed {
    plan: Arc<Plan>,
    now_ms: i64,
    /// Rows by shard, so that writers of different shards rarely meet.
    stripes: Box<[Mutex<Option<Batch>>]>,
    /// Batches that are full.
    sealed: Mutex<Vec<Batch>>,
    sealed_bytes: AtomicUsize,
    /// Rows that were handed over.
    rows: AtomicU64,
    /// The most bytes that may wait; then nothing more is taken, and the run is to end.
    bytes_max: usize,
    rights: Option<Arc<Rights>>,
    refusal: OnceLock<Refusal>,
    /// The collections that are visited, by key; none for a plan over the keyspace.
    pub collections: Box<[Collection]>,
}

/// Why a run can have no result, as far as those know who make its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is about a key that its caller may not read.
    Denied,
    /// A key of the plan has a type that it does not read.
    WrongType,
    /// It needs more memory than it may.
    Memory,
}

/// A collection of a plan.
#[derive(Debug)]
pub struct Collection {
    /// Its key.
    pub key: Vec<u8>,
    /// At which places of the command it stands.
    pub at: Vec<u64>,
    /// How far it has been visited. Changed only under the lock of its shard.
    pub place: Mutex<Place>,
}

impl Collection {
    /// The collections of a plan, by key.
    fn of(target: &Target) -> Vec<Collection> {
        let Target::Keys(keys) = target else { return Vec::new() };
        let mut places: Vec<(&Vec<u8>, u64)> = keys.iter().zip(0..).collect();
        places.sort_unstable();
        let same_key = places.chunk_by(|(a, _), (b, _)| a == b);
        same_key
            .map(|places| Collection {
                key: places[0].0.clone(),
                at: places.iter().map(|&(_, at)| at).collect(),
                place: Mutex::default(),
            })
            .collect()
    }
}

const STRIPES: usize = 16;

impl Fed {
    /// For a run of a plan as of `now_ms`.
    pub fn new(plan: &Arc<Plan>, now_ms: i64, rights: Option<Arc<Rights>>) -> Fed {
        Fed {
            plan: Arc::clone(plan),
            now_ms,
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            sealed: Mutex::default(),
            sealed_bytes: AtomicUsize::new(0),
            rows: AtomicU64::new(0),
            bytes_max: usize::try_from(plan.limits().memory_bytes_max).unwrap_or(usize::MAX),
            rights,
            refusal: OnceLock::new(),
            collections: Collection::of(plan.target()).into(),
        }
    }

    /// Batches to fold.
    pub fn take_sealed(&self) -> Option<Batch> {
        if self.sealed_bytes.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let batch = self.sealed.lock().pop()?;
        self.sealed_bytes.fetch_sub(batch.memory_bytes(), Ordering::Relaxed);
        Some(batch)
    }

    /// All that is left, when nothing more comes.
    pub fn take_rest(&self) -> Vec<Batch> {
        let mut rest = std::mem::take(&mut *self.sealed.lock());
        rest.extend(self.stripes.iter().filter_map(|stripe| stripe.lock().take()));
        rest
    }

    /// Bytes that wait to be folded.
    pub fn memory_bytes(&self) -> usize {
        self.sealed_bytes.load(Ordering::Relaxed)
    }

    /// Rows that were handed over so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Why there can be no result any more, if so.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal.get().copied()
    }

    /// Notes why there can be none. The first reason counts.
    pub fn refuse(&self, refusal: Refusal) {
        let _ = self.refusal.set(refusal);
    }

    /// Whether the plan is about a key.
    #[inline]
    pub fn admits(&self, rows: &KeyRows<'_>, key: &[u8], entry: EntryRef<'_>) -> bool {
        rows.admits(key, entry) && self.rights.as_ref().is_none_or(|rights| self.may_touch(rights, key))
    }

    #[cold]
    fn may_touch(&self, rights: &Rights, key: &[u8]) -> bool {
        let may_touch = rights.may_touch(key);
        if !may_touch && !self.plan.options().authorized {
            self.refuse(Refusal::Denied);
        }
        may_touch
    }

    /// Lets `push` add rows to the batch of a shard until it says that there are no more.
    fn add(&self, shard: usize, mut push: impl FnMut(&mut Batch) -> bool) {
        let mut stripe = self.stripes[shard % STRIPES].lock();
        loop {
            if self.sealed_bytes.load(Ordering::Relaxed) > self.bytes_max {
                return self.refuse(Refusal::Memory);
            }
            let batch = stripe.get_or_insert_with(|| Batch::new(&self.plan));
            let before = batch.rows();
            let is_done = push(batch);
            self.rows.fetch_add((batch.rows() - before) as u64, Ordering::Relaxed);
            if batch.is_full()
                && let Some(full) = stripe.take()
            {
                self.sealed_bytes.fetch_add(full.memory_bytes(), Ordering::Relaxed);
                self.sealed.lock().push(full);
            }
            if is_done {
                return;
            }
        }
    }

    /// The rest of a collection, as it was.
    fn feed_collection(&self, shard: usize, collection: &Collection, entry: EntryRef<'_>) {
        let rows = ElementRows { plan: &self.plan, now_ms: self.now_ms };
        let mut place = collection.place.lock();
        self.add(shard, |batch| {
            match rows.push(batch, &collection.key, &collection.at, entry, *place) {
                Ok(next) => *place = next,
                Err(_) => {
                    self.refuse(Refusal::WrongType);
                    *place = Place::End;
                }
            }
            *place == Place::End
        });
    }
}

impl std::fmt::Debug for Fed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fed").field("rows", &self.rows()).finish_non_exhaustive()
    }
}

impl Feed for Fed {
    fn feed(&self, shard: usize, key: &[u8], entry: EntryRef<'_>) {
        if self.plan.pattern().is_none() {
            if let Ok(at) = self.collections.binary_search_by(|collection| (*collection.key).cmp(key)) {
                self.feed_collection(shard, &self.collections[at], entry);
            }
            return;
        }
        let rows = KeyRows::new(&self.plan, self.now_ms);
        if self.admits(&rows, key, entry) {
            self.add(shard, |batch| {
                rows.push(batch, key, entry);
                true
            });
        }
    }
}
