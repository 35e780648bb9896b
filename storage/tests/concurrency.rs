//! Threads that transfer amounts between keys under every scope: nothing is lost, nobody deadlocks, and whoever was
//! turned away by a long holder is told when it has released. Every wait here ends at a deadline, with a failure.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use shardis_storage::{
    Ahead, Contended, Db, Deadline, Hold, Keyspace, KeyspaceOptions, Patience, Random, Scope, StringRef,
    Transaction,
};

const KEYS: u64 = 64;
const START: i64 = 1_000;
const WAITERS: u64 = 3;
const NOW_MS: i64 = 1_000_000;
const DEADLINE: Duration = Duration::from_secs(60);

/// Counts releases, and lets those wait who were turned away.
#[derive(Default)]
struct Releases {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Releases {
    fn count(&self) -> u64 {
        *self.count.lock().unwrap()
    }

    fn wait_beyond(&self, seen: u64) {
        let count = self.count.lock().unwrap();
        let (_count, timeout) =
            self.changed.wait_timeout_while(count, DEADLINE, |count| *count <= seen).unwrap();
        assert!(!timeout.timed_out(), "a release was not told");
    }
}

struct Bank {
    keyspace: Keyspace,
    releases: Arc<Releases>,
    turned_away: AtomicU64,
}

impl Bank {
    fn new(shards: usize) -> Arc<Bank> {
        let keyspace = Keyspace::new(KeyspaceOptions { shards, databases: 1, seed: 7 });
        let releases = Arc::new(Releases::default());
        let told = Arc::clone(&releases);
        keyspace.on_release(move || {
            *told.count.lock().unwrap() += 1;
            told.changed.notify_all();
        });
        let bank = Bank { keyspace, releases, turned_away: AtomicU64::new(0) };
        bank.with(Scope::Every, Patience::Wait, Hold::Short, |txn| {
            (0..KEYS).for_each(|key| bank.put(txn, key, START));
        });
        Arc::new(bank)
    }

    /// Runs a transaction, again whenever a long holder is in its way.
    fn with<R>(
        &self,
        scope: Scope<'_>,
        patience: Patience,
        hold: Hold,
        run: impl FnOnce(&mut Transaction<'_>) -> R,
    ) -> R {
        loop {
            let seen = self.releases.count();
            match self.keyspace.begin(scope, patience, hold, NOW_MS) {
                Ok(mut txn) => return run(&mut txn),
                Err(Contended) => {
                    self.turned_away.fetch_add(1, Ordering::Relaxed);
                    self.releases.wait_beyond(seen);
                }
            }
        }
    }

    fn shard(&self, key: u64) -> usize {
        self.keyspace.shard_of(self.keyspace.hash(&key.to_le_bytes()))
    }

    fn balance(&self, txn: &mut Transaction<'_>, key: u64) -> i64 {
        let value = txn.string(&self.keyspace.key(&key.to_le_bytes())).unwrap().unwrap();
        let StringRef::Int(value) = value else { panic!("a balance is an integer") };
        value
    }

    fn put(&self, txn: &mut Transaction<'_>, key: u64, balance: i64) {
        txn.set_integer(&self.keyspace.key(&key.to_le_bytes()), balance);
    }

    fn transfer(&self, txn: &mut Transaction<'_>, from: u64, to: u64, amount: i64) {
        let balance = self.balance(txn, from);
        self.put(txn, from, balance - amount);
        let balance = self.balance(txn, to);
        self.put(txn, to, balance + amount);
    }

    fn sum(&self, txn: &mut Transaction<'_>) -> i64 {
        (0..KEYS).map(|key| self.balance(txn, key)).sum()
    }

    /// One random transfer or sum under a random scope.
    fn step(&self, random: &mut Random) {
        let (from, to) = (random.below(KEYS), random.below(KEYS));
        let amount = random.below(100) as i64;
        let hold = if random.below(4) == 0 { Hold::Long } else { Hold::Short };
        let patience = if random.below(2) == 0 { Patience::Short } else { Patience::Wait };
        let mut shards = [self.shard(from), self.shard(to)];
        shards.sort_unstable();
        let several = if shards[0] == shards[1] { &shards[..1] } else { &shards[..] };
        match random.below(8) {
            0..=2 => {
                self.with(Scope::Several(several), patience, hold, |txn| self.transfer(txn, from, to, amount))
            }
            3 => self.with(Scope::Every, patience, hold, |txn| {
                self.transfer(txn, from, to, amount);
                assert_eq!(self.sum(txn), KEYS as i64 * START);
            }),
            4 => self.with(Scope::Discovered, Patience::Wait, hold, |txn| {
                self.transfer(txn, from, to, amount);
            }),
            5 => self.with(Scope::Walk, patience, hold, |txn| {
                let (mut cursor, mut seen) = (0, 0);
                while let Ok(next) = txn.scan(cursor, &mut |_, _| true, &mut |_| seen += 1) {
                    cursor = next;
                    if cursor == 0 {
                        assert_eq!(seen, KEYS);
                        break;
                    }
                }
            }),
            6 => {
                let mut ahead = Ahead::default();
                let hashes = [from, to].map(|key| self.keyspace.hash(&key.to_le_bytes()));
                hashes
                    .into_iter()
                    .for_each(|hash| self.keyspace.look_ahead(Db(0), hash, hash.0 % 2 == 0, &mut ahead));
                self.keyspace.prefetch(Db(0), &ahead);
            }
            // Within one key: in and out again.
            _ => self.with(Scope::One(self.shard(from)), patience, hold, |txn| {
                let balance = self.balance(txn, from);
                self.put(txn, from, balance + amount);
                self.put(txn, from, balance);
            }),
        }
    }
}

/// Waits for a thread's last word; a deadlock fails the test.
fn finish(done: &Receiver<()>, what: &str) {
    match done.recv_timeout(DEADLINE) {
        Ok(()) => {}
        Err(RecvTimeoutError::Timeout) => panic!("deadlock: {what}"),
        Err(RecvTimeoutError::Disconnected) => panic!("panicked: {what}"),
    }
}

/// Runs something on a thread of its own; the receiver hears when it is over.
fn start(run: impl FnOnce() + Send + 'static) -> Receiver<()> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        run();
        let _ = sender.send(());
    });
    receiver
}

#[test]
fn transfers_under_all_scopes_keep_the_sum_and_end() {
    for shards in [1, 4, 64] {
        let bank = Bank::new(shards);
        let threads: Vec<_> = (0..6)
            .map(|seed| {
                let bank = Arc::clone(&bank);
                start(move || {
                    let mut random = Random::seeded(seed);
                    (0..10_000).for_each(|_| bank.step(&mut random));
                })
            })
            .collect();
        for (thread, done) in threads.iter().enumerate() {
            finish(done, &format!("thread {thread} over {shards} shards"));
        }
        let sum = bank.with(Scope::Every, Patience::Short, Hold::Short, |txn| bank.sum(txn));
        assert_eq!(sum, KEYS as i64 * START);
        bank.keyspace.check_invariants();
    }
}

#[test]
fn who_is_turned_away_by_a_long_holder_is_told_of_its_release() {
    let bank = Bank::new(4);
    let first = bank.keyspace.begin(Scope::Every, Patience::Wait, Hold::Long, NOW_MS).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let (holders, over) = (Arc::clone(&bank), Arc::clone(&is_over));
    let holder = start(move || {
        let mut random = Random::seeded(1);
        while !over.load(Ordering::Relaxed) {
            holders.with(Scope::Every, Patience::Wait, Hold::Long, |txn| {
                for _ in 0..200 {
                    holders.transfer(txn, random.below(KEYS), random.below(KEYS), 1);
                }
            });
        }
    });
    let waiters: Vec<_> = (0..WAITERS)
        .map(|seed| {
            let bank = Arc::clone(&bank);
            start(move || {
                let mut random = Random::seeded(seed);
                let scope = |shard| Scope::One(shard);
                for _ in 0..2_000 {
                    let shard = random.below(4) as usize;
                    bank.with(scope(shard), Patience::Short, Hold::Short, |_| {});
                }
            })
        })
        .collect();
    // Nobody gets through before all have been turned away once; what follows is up to chance.
    let turned_away = Arc::clone(&bank);
    let all = start(move || {
        while turned_away.turned_away.load(Ordering::Relaxed) < WAITERS {
            thread::yield_now();
        }
    });
    finish(&all, "a waiter that is not turned away");
    drop(first);
    waiters.iter().for_each(|done| finish(done, "a waiter"));
    is_over.store(true, Ordering::Relaxed);
    finish(&holder, "the holder");
}

/// Three shards in a row: the first is held for long; who waits for it holds another; the third party must be turned
/// away from that other shard, although its holder announced to be short.
#[test]
fn who_waits_for_a_long_holder_counts_as_one() {
    let bank = Bank::new(4);
    for waits_in_discovered in [false, true] {
        let long = bank.keyspace.begin(Scope::One(2), Patience::Wait, Hold::Long, NOW_MS).unwrap();
        let waiting = Arc::clone(&bank);
        let middle = start(move || {
            let scope = if waits_in_discovered { Scope::Discovered } else { Scope::Several(&[1, 2]) };
            waiting.with(scope, Patience::Wait, Hold::Short, |txn| {
                let in_order = (0..KEYS).filter(|key| waiting.shard(*key) == 1);
                in_order.chain((0..KEYS).filter(|key| waiting.shard(*key) == 2)).for_each(|key| {
                    waiting.balance(txn, key);
                });
            });
        });
        // Until the one in the middle has its first shard this gets through; then it is turned away, not held up.
        let turned_away = start({
            let bank = Arc::clone(&bank);
            move || while bank.keyspace.begin(Scope::One(1), Patience::Short, Hold::Short, NOW_MS).is_ok() {}
        });
        finish(&turned_away, "the third party waits for a long holder");
        let several = bank.keyspace.begin(Scope::Several(&[0, 3]), Patience::Short, Hold::Short, NOW_MS);
        assert_eq!(several.is_err(), waits_in_discovered, "the order lock is held for long, or shared");
        drop(several);
        let released = bank.releases.count();
        drop(long);
        finish(&middle, "the one in the middle");
        assert!(bank.releases.count() >= released + 2, "both releases are told");
        assert!(bank.keyspace.begin(Scope::Every, Patience::Short, Hold::Short, NOW_MS).is_ok());
    }
}

#[test]
fn a_long_transaction_that_is_turned_away_leaves_no_marks() {
    let bank = Bank::new(4);
    let long = bank.keyspace.begin(Scope::One(2), Patience::Wait, Hold::Long, NOW_MS).unwrap();
    assert!(bank.keyspace.begin(Scope::Every, Patience::Short, Hold::Long, NOW_MS).is_err());
    // A short holder now has a shard that the failed one had marked: it must be waited for.
    let held = bank.keyspace.begin(Scope::One(0), Patience::Short, Hold::Short, NOW_MS).unwrap();
    let waiter = Arc::clone(&bank);
    let waiting = start(move || {
        assert!(waiter.keyspace.begin(Scope::One(0), Patience::Short, Hold::Short, NOW_MS).is_ok());
    });
    let early = waiting.recv_timeout(Duration::from_millis(20));
    assert_eq!(early, Err(RecvTimeoutError::Timeout), "it waits, and was not turned away");
    drop(held);
    finish(&waiting, "the one who waits for a short holder");
    drop(long);
    assert!(bank.keyspace.begin(Scope::Discovered, Patience::Wait, Hold::Short, NOW_MS).is_ok());
}

#[test]
fn the_shard_of_a_long_walk_and_of_a_long_discovery_is_marked() {
    let bank = Bank::new(2);
    let on = |shard| bank.keyspace.begin(Scope::One(shard), Patience::Short, Hold::Short, NOW_MS);
    let mut walk = bank.keyspace.begin(Scope::Walk, Patience::Wait, Hold::Long, NOW_MS).unwrap();
    assert!(on(0).is_ok() && on(1).is_ok());
    let mut cursor = walk.scan(0, &mut |_, _| true, &mut |_| ()).unwrap();
    assert!(on(0).is_err() && on(1).is_ok());
    let before = bank.releases.count();
    while cursor & 1 == 0 {
        cursor = walk.scan(cursor, &mut |_, _| true, &mut |_| ()).unwrap();
    }
    walk.scan(cursor, &mut |_, _| true, &mut |_| ()).unwrap();
    assert!(on(0).is_ok() && on(1).is_err());
    assert_eq!(bank.releases.count(), before + 1, "moving on releases");
    drop(walk);

    let mut found = bank.keyspace.begin(Scope::Discovered, Patience::Wait, Hold::Long, NOW_MS).unwrap();
    let key = (0..KEYS).find(|key| bank.shard(*key) == 1).unwrap();
    bank.balance(&mut found, key);
    assert!(on(0).is_ok() && on(1).is_err());
    drop(found);
    assert!(on(1).is_ok());
}

#[test]
fn a_listener_that_registers_under_a_lock_is_seen_by_whoever_discovers_that_shard() {
    let bank = Bank::new(2);
    let key = (0..KEYS).find(|key| bank.shard(*key) == 1).unwrap();
    let mut found = bank.keyspace.begin(Scope::Discovered, Patience::Wait, Hold::Short, NOW_MS).unwrap();
    let watching = bank.keyspace.begin(Scope::One(1), Patience::Wait, Hold::Short, NOW_MS).unwrap();
    bank.keyspace.interest().raise(1);
    drop(watching);
    found.set_string(&bank.keyspace.key(&key.to_le_bytes()), b"seen", Deadline::Never);
    assert_eq!(found.settle().changes.len(), 1);
}
