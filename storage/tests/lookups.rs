//! Looking keys up, case by case: by chance, for a second time, and where nothing is locked yet. What lookups do in
//! general is compared with a model in `keyspace`.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use shardis_storage::{
    Deadline, Hold, Keyspace, KeyspaceOptions, ManyExpired, Patience, Random, Scope, Transaction,
};

fn keyspace(shards: usize) -> Keyspace {
    Keyspace::new(KeyspaceOptions { shards, databases: 1, seed: 1 })
}

fn begin<'k>(keyspace: &'k Keyspace, scope: Scope<'_>, now_ms: i64) -> Transaction<'k> {
    keyspace.begin(scope, Patience::Wait, Hold::Short, now_ms).unwrap()
}

#[test]
fn a_random_key_is_found_among_any_number_of_expired_ones() {
    let keyspace = keyspace(4);
    let mut txn = begin(&keyspace, Scope::Every, 0);
    for n in 0..3000 {
        txn.set_string(&keyspace.key(format!("expires:{n}").as_bytes()), b"", Deadline::At(5));
    }
    txn.set_string(&keyspace.key(b"live"), b"", Deadline::Never);
    drop(txn);
    let mut random = Random::seeded(1);
    let mut txn = begin(&keyspace, Scope::Every, 5);
    assert_eq!(txn.random_key(&mut random, 10), Err(ManyExpired));
    assert_eq!(txn.len(), 3001 - 10);
    assert_eq!(txn.random_key(&mut random, usize::MAX), Ok(Some(b"live".to_vec())));
    assert!(txn.remove(&keyspace.key(b"live")));
    assert_eq!(txn.random_key(&mut random, usize::MAX), Ok(None));
    assert!(txn.is_empty());
}

#[test]
fn a_discovered_shard_may_be_inspected_first() {
    let keyspace = keyspace(4);
    let mut txn = begin(&keyspace, Scope::Discovered, 0);
    assert!(txn.inspect(&keyspace.key(b"k")).is_none());
}

#[test]
fn a_hit_that_was_taken_back_is_not_counted() {
    let keyspace = keyspace(1);
    let mut txn = begin(&keyspace, Scope::One(0), 0);
    let key = keyspace.key(b"k");
    txn.set_string(&key, b"", Deadline::Never);
    assert!(txn.lookup(&key).is_some());
    txn.uncount(&key);
    assert!(txn.peek(&key).is_some());
    drop(txn);
    assert_eq!(keyspace.totals().hits, 1);
}

#[test]
fn accesses_are_noted_unless_somebody_says_otherwise() {
    let keyspace = keyspace(1);
    let key = keyspace.key(b"k");
    let idle_ms = |seconds: i64| {
        begin(&keyspace, Scope::One(0), seconds * 1000).inspect(&key).map(|entry| entry.idle_ms())
    };
    begin(&keyspace, Scope::One(0), 0).set_string(&key, b"", Deadline::Never);
    let mut txn = begin(&keyspace, Scope::One(0), 5000);
    txn.note_accesses(false);
    assert!(txn.lookup(&key).is_some() && txn.find(&key).is_some());
    txn.set_string(&key, b"longer than what was there before, and longer than its place", Deadline::Never);
    drop(txn);
    assert_eq!(idle_ms(7), Some(7000));
    assert!(begin(&keyspace, Scope::One(0), 8000).lookup(&key).is_some());
    assert_eq!(idle_ms(9), Some(1000));
}

#[test]
fn expired_keys_stay_when_they_are_to_be_kept_and_nobody_sees_them() {
    let keyspace = keyspace(1);
    let key = keyspace.key(b"k");
    begin(&keyspace, Scope::One(0), 0).set_string(&key, b"", Deadline::At(5));
    for (keeps, keys) in [(true, 1), (false, 0)] {
        let mut txn = begin(&keyspace, Scope::One(0), 5);
        if keeps {
            txn.keep_expired();
        }
        assert!(txn.lookup(&key).is_none());
        txn.settle();
        assert_eq!(txn.len(), keys);
    }
}
