//! The promise of SCAN over a whole keyspace: what is there from the first step to the last is returned, whatever comes,
//! goes, grows, shrinks or expires in between; and an iteration over few keys takes few steps.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeSet, HashMap};

use shardis_storage::{
    Db, Deadline, ExpiryCycle, Hold, Key, Keyspace, KeyspaceOptions, Patience, Random, Scope, Transaction,
};

const NOW_MS: i64 = 1_000_000;
const LATER_MS: i64 = NOW_MS + 5_000;
const DB: Db = Db(1);

fn keyspace(shards: usize, seed: u64) -> Keyspace {
    Keyspace::new(KeyspaceOptions { shards, databases: 2, seed })
}

fn write(keyspace: &Keyspace, name: &str, change: impl FnOnce(&mut Transaction<'_>, &Key<'_>)) {
    let key = keyspace.key(name.as_bytes());
    let scope = Scope::One(keyspace.shard_of(key.hash()));
    let mut txn = keyspace.begin(scope, Patience::Wait, Hold::Short, NOW_MS).unwrap();
    txn.select(DB);
    change(&mut txn, &key);
}

fn set(keyspace: &Keyspace, name: &str, deadline: Deadline) {
    write(keyspace, name, |txn, key| txn.set_string(key, b"1", deadline));
}

/// One call of SCAN, with as many steps; counts what it returns and says where to go on.
fn scan(
    keyspace: &Keyspace,
    mut cursor: u64,
    steps: usize,
    now_ms: i64,
    seen: &mut HashMap<String, usize>,
) -> u64 {
    let mut view = keyspace.begin(Scope::Walk, Patience::Wait, Hold::Short, now_ms).unwrap();
    view.select(DB);
    for _ in 0..steps {
        let mut keep = |key: &[u8]| {
            *seen.entry(String::from_utf8(key.to_vec()).unwrap()).or_insert(0) += 1;
        };
        cursor = view.scan(cursor, &mut |_, _| true, &mut keep).unwrap();
        if cursor == 0 {
            break;
        }
    }
    cursor
}

#[test]
fn what_is_there_throughout_is_returned_whatever_happens_in_between() {
    for seed in 0..20 {
        let keyspace = keyspace(1 << (seed % 5), seed);
        let mut random = Random::seeded(seed);
        let mut guests = BTreeSet::new();
        (0..500).for_each(|n| set(&keyspace, &format!("stays:{n}"), Deadline::Never));
        (0..500).for_each(|n| set(&keyspace, &format!("expires:{n}"), Deadline::At(LATER_MS)));
        (0..500).for_each(|n| set(&keyspace, &format!("outlives:{n}"), Deadline::At(LATER_MS + 1)));
        let (mut cursor, mut seen, mut cycle) = (0, HashMap::new(), ExpiryCycle::default());
        loop {
            // The clock moves on, and the cycle starts to remove, in the middle of some iterations.
            let now_ms = if seen.len() > 700 { LATER_MS } else { NOW_MS };
            cursor = scan(&keyspace, cursor, 1 + random.below(5) as usize, now_ms, &mut seen);
            if cursor == 0 {
                break;
            }
            match random.below(4) {
                // Many at once, so that the tables double or shrink to a fraction.
                0 => (0..random.below(3_000)).for_each(|_| {
                    let name = format!("guest:{}", random.u64());
                    set(&keyspace, &name, Deadline::Never);
                    guests.insert(name);
                }),
                1 => std::mem::take(&mut guests)
                    .iter()
                    .for_each(|name| write(&keyspace, name, |txn, key| assert!(txn.remove(key)))),
                _ => drop(cycle.step(&keyspace, now_ms, 4)),
            }
        }
        for n in 0..500 {
            assert!(seen.contains_key(&format!("stays:{n}")), "seed {seed}");
            assert!(seen.contains_key(&format!("outlives:{n}")), "seed {seed}");
        }
        keyspace.check_invariants();
    }
}

#[test]
fn a_keyspace_that_rests_is_returned_once_and_exactly() {
    for shards in [1, 2, 64] {
        let keyspace = keyspace(shards, 9);
        (0..2_000).for_each(|n| set(&keyspace, &format!("key:{n}"), Deadline::Never));
        (0..100).for_each(|n| set(&keyspace, &format!("expired:{n}"), Deadline::At(NOW_MS)));
        let (mut cursor, mut seen) = (0, HashMap::new());
        loop {
            cursor = scan(&keyspace, cursor, 1, NOW_MS, &mut seen);
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen.len(), 2_000);
        assert!(seen.iter().all(|(name, times)| name.starts_with("key:") && *times == 1));
        assert_eq!(keyspace.totals().databases[1].keys, 2_100, "SCAN itself removes nothing");
    }
}

#[test]
fn few_keys_in_any_number_of_shards_take_few_steps() {
    for shards in [1, 1024, 65_536] {
        let keyspace = keyspace(shards, 3);
        (0..5).for_each(|n| set(&keyspace, &format!("key:{n}"), Deadline::Never));
        let mut seen = HashMap::new();
        // One for each key, and one for the shards behind the last.
        assert_eq!((scan(&keyspace, 0, 6, NOW_MS, &mut seen), seen.len()), (0, 5), "{shards} shards");
    }
}

#[test]
fn what_a_scan_wants_and_meets_expired_is_removed_before_it_moves_on() {
    let keyspace = keyspace(2, 3);
    (0..10).for_each(|n| set(&keyspace, &format!("expired:{n}"), Deadline::At(NOW_MS)));
    let mut view = keyspace.begin(Scope::Walk, Patience::Wait, Hold::Short, NOW_MS).unwrap();
    view.select(DB);
    for shard in 0..2 {
        let mut wants = |key: &[u8], _: shardis_storage::EntryRef<'_>| key != b"expired:3";
        view.scan(shard, &mut wants, &mut |_| unreachable!("none is alive")).unwrap();
    }
    view.settle();
    drop(view);
    let totals = keyspace.totals();
    assert_eq!((totals.databases[1].keys, totals.expired), (1, 9), "all but the one that was not wanted");
}

#[test]
fn a_cursor_from_nowhere_does_no_harm() {
    let keyspace = keyspace(16, 3);
    (0..300).for_each(|n| set(&keyspace, &format!("key:{n}"), Deadline::Never));
    let mut random = Random::seeded(1);
    for cursor in [u64::MAX, 1 << 63, u64::from(u32::MAX)].into_iter().chain((0..1_000).map(|_| random.u64()))
    {
        let mut steps = 0;
        let mut at = scan(&keyspace, cursor, 1, NOW_MS, &mut HashMap::new());
        while at != 0 {
            at = scan(&keyspace, at, 1, NOW_MS, &mut HashMap::new());
            steps += 1;
            assert!(steps < 10_000, "cursor {cursor} never ends");
        }
    }
}
