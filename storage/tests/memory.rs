//! What a key costs: the rows of small strings that the project promises, with the default number of shards.

use shardis_storage::{Deadline, Hold, Keyspace, KeyspaceOptions, Patience, Scope};

const SHARDS: usize = 1024;
const KEYS: usize = 1_000_000;

fn keyspace() -> Keyspace {
    Keyspace::new(KeyspaceOptions { shards: SHARDS, databases: 16, seed: 1 })
}

fn fill(keyspace: &Keyspace, keys: usize, value: impl Fn(usize) -> Vec<u8>, deadline: Deadline) {
    for n in 0..keys {
        let name = format!("key:{n:012}");
        let key = keyspace.key(name.as_bytes());
        let scope = Scope::One(keyspace.shard_of(key.hash()));
        let mut txn = keyspace.begin(scope, Patience::Wait, Hold::Short, 0).expect("nobody else holds it");
        txn.set_string(&key, &value(n), deadline);
    }
}

#[test]
fn small_strings_take_no_more_than_promised() {
    type Value = fn(usize) -> Vec<u8>;
    let rows: [(&str, Value, Deadline, usize); 4] = [
        (
            "16-byte key, 8-byte value",
            |n| format!("v{:07}", n % 10_000_000).into_bytes(),
            Deadline::Never,
            47,
        ),
        ("16-byte key, 64-byte value", |_| vec![b'v'; 64], Deadline::Never, 110),
        ("16-byte key, integer", |n| n.to_string().into_bytes(), Deadline::Never, 47),
        ("16-byte key, 64-byte value, TTL", |_| vec![b'v'; 64], Deadline::At(1_800_000_000_000), 120),
    ];
    for (row, value, deadline, bytes_max) in rows {
        let keyspace = keyspace();
        let before = keyspace.totals().memory_bytes;
        fill(&keyspace, KEYS, value, deadline);
        let grown = keyspace.totals().memory_bytes - before;
        assert!(grown <= bytes_max * KEYS, "{row}: {:.2} bytes a key", grown as f64 / KEYS as f64);
    }
}

/// A shard that has any key has a table, and with few keys that is most of the memory.
#[test]
fn a_few_keys_in_many_shards_stay_small() {
    let keyspace = keyspace();
    fill(&keyspace, 100, |n| n.to_string().into_bytes(), Deadline::Never);
    let bytes = keyspace.totals().memory_bytes;
    assert!(bytes <= 256 * 1024, "{bytes} bytes for a hundred keys");
}
