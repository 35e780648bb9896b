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
#[cfg(test)]
pub(super) use self::tests::Fault;
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
    #[cfg(test)]
    pub fault: tests::FaultCell,
}

impl Keyspace {
    /// Opens a cut at this moment over a part of database `db`. What has a deadline up to `now_ms` is not seen, what has a
    /// later one is, however long the cut stays open.
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::keyspace::new_value::NewValue;
    use crate::keyspace::{KeyspaceOptions, Scope, Transaction};
    use crate::random::Random;
    use crate::table::{Frontier, KeyHash};
    use crate::types::string::StringRef;

    /// What is wrong on purpose, to show that a test would notice.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[repr(u8)]
    pub enum Fault {
        None,
        /// Writers feed nothing.
        NoHook,
        /// The epoch is read before the shards are locked.
        EarlyEpoch,
    }

    #[derive(Default)]
    pub struct FaultCell(AtomicU8);

    impl FaultCell {
        pub fn is(&self, fault: Fault) -> bool {
            self.0.load(Ordering::Relaxed) == fault as u8
        }
    }

    const SHARDS: usize = 8;
    const ACCOUNTS: usize = 48;
    const START: i64 = 1_000;
    const GUESTS: u64 = 200;
    const NOW_MS: i64 = 1_000_000;
    /// Each of the faults is found within the first few.
    const CUTS: usize = 300;
    /// Ends a search for what goes wrong.
    const DEADLINE: Duration = Duration::from_secs(60);

    type Rows = BTreeMap<Vec<u8>, i64>;

    #[derive(Default)]
    struct Sink(Mutex<Vec<(Vec<u8>, i64)>>);

    impl Feed for Sink {
        fn feed(&self, _shard: usize, key: &[u8], entry: EntryRef<'_>) {
            self.0.lock().push((key.to_vec(), number(entry)));
        }
    }

    fn number(entry: EntryRef<'_>) -> i64 {
        match entry.string() {
            Some(StringRef::Int(number)) => number,
            other => panic!("only integers are there: {other:?}"),
        }
    }

    /// Threads that keep something true of every instant, each in its own way.
    struct Bank {
        keyspace: Keyspace,
        accounts: Vec<String>,
        /// Two keys of different shards; who writes the second has seen the first.
        chain: [String; 2],
        announced: AtomicU64,
        is_over: AtomicBool,
    }

    impl Bank {
        fn new(fault: Fault) -> Bank {
            let keyspace = Keyspace::new(KeyspaceOptions { shards: SHARDS, databases: 2, seed: 9 });
            keyspace.cuts.fault.0.store(fault as u8, Ordering::Relaxed);
            let shard = |name: &str| keyspace.shard_of(keyspace.hash(name.as_bytes()));
            let mut names = (0..).map(|n| format!("chain:{n}"));
            let first = names.next().unwrap();
            let second = names.find(|name| shard(name) != shard(&first)).unwrap();
            let bank = Bank {
                keyspace,
                accounts: (0..ACCOUNTS).map(|n| format!("account:{n}")).collect(),
                chain: [first, second],
                announced: AtomicU64::new(0),
                is_over: AtomicBool::new(false),
            };
            bank.write(Scope::Every, |txn| {
                bank.accounts.iter().for_each(|name| bank.set(txn, name, START));
                bank.chain.iter().for_each(|name| bank.set(txn, name, 0));
            });
            bank
        }

        fn write(&self, scope: Scope<'_>, change: impl FnOnce(&mut Transaction<'_>)) {
            change(&mut self.keyspace.begin(scope, Patience::Wait, Hold::Short, NOW_MS).unwrap());
        }

        fn set(&self, txn: &mut Transaction<'_>, name: &str, value: i64) {
            txn.set_integer(&self.keyspace.key(name.as_bytes()), value);
        }

        fn add(&self, txn: &mut Transaction<'_>, name: &str, amount: i64) {
            let found = txn.find(&self.keyspace.key(name.as_bytes())).map(number);
            self.set(txn, name, found.unwrap() + amount);
        }

        fn shard(&self, name: &str) -> usize {
            self.keyspace.shard_of(self.keyspace.hash(name.as_bytes()))
        }

        fn until_over(&self, mut step: impl FnMut(u64)) {
            let mut steps = 0;
            while !self.is_over.load(Ordering::Relaxed) {
                step(steps);
                steps += 1;
            }
        }

        /// Amounts go from account to account, and once in a while all are put into another order, or flushed and written anew.
        fn transfer(&self, seed: u64) {
            let mut random = Random::seeded(seed);
            self.until_over(|_| {
                let mut account = || &self.accounts[random.below(ACCOUNTS as u64) as usize];
                let (from, to) = (account(), account());
                let mut shards = [self.shard(from), self.shard(to)];
                shards.sort_unstable();
                let several = if shards[0] == shards[1] { &shards[..1] } else { &shards[..] };
                let scope = match random.below(8) {
                    0 => Scope::Every,
                    1..=3 => Scope::Discovered,
                    _ => Scope::Several(several),
                };
                let is_flush = matches!(scope, Scope::Every) && random.below(4) == 0;
                self.write(scope, |txn| {
                    if is_flush {
                        drop(txn.flush(Some(Db(1))));
                        txn.select(Db(1));
                        self.accounts.iter().for_each(|name| self.set(txn, name, START));
                        txn.swap(Db(0), Db(1));
                        txn.select(Db(0));
                        self.chain.iter().for_each(|name| {
                            let key = self.keyspace.key(name.as_bytes());
                            txn.select(Db(1));
                            let moved = txn.take(&key).unwrap();
                            txn.select(Db(0));
                            txn.put(&key, moved);
                        });
                    }
                    self.add(txn, from, -7);
                    self.add(txn, to, 7);
                });
            });
        }

        /// The first key of the chain, and then what the other thread of it waits for.
        fn lead(&self) {
            self.until_over(|step| {
                let number = step + 1;
                self.write(Scope::One(self.shard(&self.chain[0])), |txn| {
                    self.set(txn, &self.chain[0], number as i64);
                });
                self.announced.store(number, Ordering::Release);
            });
        }

        fn follow(&self) {
            self.until_over(|_| {
                let number = self.announced.load(Ordering::Acquire);
                self.write(Scope::One(self.shard(&self.chain[1])), |txn| {
                    self.set(txn, &self.chain[1], number as i64);
                });
            });
        }

        /// Keys that are worth nothing come and go, so that tables grow and shrink.
        fn guests(&self) {
            self.until_over(|step| {
                let name = format!("guest:{}", step % GUESTS);
                let key = self.keyspace.key(name.as_bytes());
                self.write(Scope::One(self.shard(&name)), |txn| {
                    if (step / GUESTS).is_multiple_of(2) {
                        txn.set_integer(&key, 0)
                    } else {
                        _ = txn.remove(&key)
                    }
                });
            });
        }

        /// Opens a cut, visits it, and tells what is wrong with it.
        fn cut(&self, random: &mut Random) -> Result<(), String> {
            let sink = Arc::new(Sink::default());
            let feed = Arc::clone(&sink) as Arc<dyn Feed>;
            let cut = self.keyspace.open_cut(Db(0), Cover::Every, feed, Patience::Wait, NOW_MS).unwrap();
            // Each shard has its visitor come sooner or later than the others'.
            let mut left: Vec<usize> = cut.shards().to_vec();
            let mut rows = Vec::new();
            while !left.is_empty() {
                let at = random.below(left.len() as u64) as usize;
                let mut visit = self.keyspace.visit_cut(&cut, left[at], Patience::Wait, NOW_MS).unwrap();
                let row = |key: &[u8], entry: EntryRef<'_>| {
                    rows.push((key.to_vec(), number(entry)));
                    false
                };
                if visit.step(|_, _| true, row) == Frontier::END {
                    left.swap_remove(at);
                }
            }
            drop(cut);
            rows.append(&mut sink.0.lock());
            let all = rows.len();
            let rows: Rows = rows.into_iter().collect();
            if rows.len() != all {
                return Err(format!("{} rows of {all} are twice there", all - rows.len()));
            }
            let sum: i64 = self.accounts.iter().filter_map(|name| rows.get(name.as_bytes())).sum();
            let [first, second] = [0, 1].map(|at| rows.get(self.chain[at].as_bytes()).copied().unwrap_or(-1));
            match sum == START * ACCOUNTS as i64 && first >= second && second >= 0 {
                true => Ok(()),
                false => Err(format!("the sum is {sum}; the chain {first}, {second}")),
            }
        }

        /// Opens cuts while everybody writes, until there were so many or one was wrong.
        fn run(&self, cuts: usize) -> Result<(), String> {
            let began = Instant::now();
            thread::scope(|scope| {
                for seed in 0..2 {
                    scope.spawn(move || self.transfer(seed));
                }
                scope.spawn(|| self.lead());
                scope.spawn(|| self.follow());
                scope.spawn(|| self.guests());
                let mut random = Random::seeded(5);
                let mut cuts = (0..cuts).take_while(|_| began.elapsed() < DEADLINE);
                let outcome = cuts.try_for_each(|_| self.cut(&mut random));
                self.is_over.store(true, Ordering::Relaxed);
                outcome
            })
        }
    }

    #[test]
    fn every_cut_is_one_instant_while_threads_write() {
        Bank::new(Fault::None).run(CUTS).unwrap();
    }

    #[test]
    fn a_cut_that_is_none_is_noticed() {
        for fault in [Fault::NoHook, Fault::EarlyEpoch] {
            let found = Bank::new(fault).run(1_000_000);
            assert!(found.is_err(), "{fault:?} goes unnoticed");
        }
    }

    #[test]
    fn what_is_just_ahead_of_the_frontier_is_fed_and_what_is_behind_is_not() {
        let hasher = crate::table::Hasher::new(1);
        for (position, is_ahead) in [(999, false), (1_000, true), (1_001, true)] {
            let hash = |position: u32| KeyHash(position.reverse_bits().into());
            let frontier = Frontier::of(hash(1_000));
            let sink = Arc::new(Sink::default());
            let facts =
                Arc::new(Facts { epoch: Epoch::default(), now_ms: NOW_MS, feed: Arc::clone(&sink) as _ });
            let coverage = Coverage::Table { frontier, done: part::Names::default() };
            let mut part = Part::new(&facts, Db(0), coverage);
            let entry = crate::keyspace::entry::Entry::new(b"key", NewValue::Int(1), None, 0);
            let key = Key { bytes: b"key", hash: hash(position) };
            part.pass(0, &key, Some(EntryRef::new(&entry, 0)), &hasher);
            assert_eq!(sink.0.lock().len(), usize::from(is_ahead), "{position}");
        }
    }
}
