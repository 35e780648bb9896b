//! The storage layer alone: lookups and writes over more keys than the caches hold, with and without the prefetch of a
//! command window, and growth. One thread, no parsing, no replies.

use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shardis_benches::workload::{key, value};
use shardis_storage::{
    Ahead, Db, Deadline, Hold, IntBuffer, Key, KeyHash, Keyspace, KeyspaceOptions, Patience, Scope,
    Transaction,
};

const KEYS: u64 = 1_000_000;
/// As many commands as a network thread plans together.
const WINDOW: usize = 32;
/// Calls of one measurement; each begins where the last one ended, so that no key is still in a cache.
const CALLS: usize = 32 * WINDOW;
const INSERTS: u64 = 100_000;

/// A key, in place: one that lies elsewhere would cost a miss of its own.
type Name = [u8; 16];

fn name(number: u64) -> Name {
    key(number).into_bytes().try_into().expect("invariant: the keys of the workloads have 16 bytes")
}

/// A keyspace of `numbers`, in that order.
fn filled(numbers: Range<u64>) -> Keyspace {
    let keyspace = Keyspace::new(KeyspaceOptions { shards: 1024, databases: 16, seed: 1 });
    let mut reply = Vec::new();
    for number in numbers {
        reply.clear();
        set(&keyspace, &keyspace.key(&name(number)), &mut reply);
    }
    keyspace
}

fn with<R>(keyspace: &Keyspace, key: &Key<'_>, run: impl FnOnce(&mut Transaction<'_>) -> R) -> R {
    let scope = Scope::One(keyspace.shard_of(key.hash()));
    match keyspace.begin(scope, Patience::Short, Hold::Short, 1_000) {
        Ok(mut txn) => run(&mut txn),
        Err(_) => unreachable!("nobody else is here"),
    }
}

type Call = fn(&Keyspace, &Key<'_>, &mut Vec<u8>);

/// Copies the value out, as a reply does.
fn get(keyspace: &Keyspace, key: &Key<'_>, reply: &mut Vec<u8>) {
    with(keyspace, key, |txn| match txn.string(key) {
        Ok(Some(string)) => reply.extend_from_slice(string.bytes(&mut IntBuffer::new())),
        other => panic!("a key that was set: {other:?}"),
    });
}

fn set(keyspace: &Keyspace, key: &Key<'_>, reply: &mut Vec<u8>) {
    with(keyspace, key, |txn| txn.set_string(key, VALUE, Deadline::Never));
    reply.extend_from_slice(VALUE);
}

/// What a network thread reuses from window to window.
#[derive(Default)]
struct Buffers {
    hashes: Vec<KeyHash>,
    ahead: Ahead,
    reply: Vec<u8>,
}

/// A window of calls, planned and run as a network thread does it: the bytes of the replies.
fn window(
    keyspace: &Keyspace,
    names: &[Name],
    Buffers { hashes, ahead, reply }: &mut Buffers,
    call: Call,
) -> usize {
    reply.clear();
    hashes.clear();
    hashes.extend(names.iter().map(|name| keyspace.hash(name)));
    ahead.clear();
    hashes.iter().for_each(|&hash| keyspace.look_ahead(Db(0), hash, false, ahead));
    keyspace.prefetch(Db(0), ahead);
    let keys = names.iter().zip(&*hashes).map(|(name, hash)| Key::with_hash(name, *hash));
    keys.for_each(|key| call(keyspace, &key, reply));
    black_box(reply).len()
}

fn lookups(criterion: &mut Criterion) {
    assert_eq!(value(0).len(), VALUE.len());
    let keyspace = filled(0..KEYS);
    let mut random = fastrand::Rng::with_seed(1);
    let mut names: Vec<Name> = (0..KEYS).map(name).collect();
    random.shuffle(&mut names);
    let hot = vec![name(KEYS / 2); CALLS];
    let mut group = criterion.benchmark_group("storage");
    group.throughput(Throughput::Elements(CALLS as u64));
    for (command, call) in [("get", get as Call), ("set", set as Call)] {
        for (kind, names, window_len) in
            [("hot", &hot, 1), ("random", &names, 1), ("random, window of 32", &names, WINDOW)]
        {
            let mut batches = names.chunks_exact(CALLS).cycle();
            let mut buffers = Buffers::default();
            group.bench_function(format!("{command}/{kind}"), |bencher| {
                bencher.iter(|| {
                    let batch = batches.next().unwrap_or_default();
                    let bytes: usize = batch
                        .chunks(window_len)
                        .map(|names| window(&keyspace, names, &mut buffers, call))
                        .sum();
                    assert_eq!(bytes, CALLS * VALUE.len());
                });
            });
        }
    }
    group.finish();
}

/// Inserts into an empty keyspace, splits included.
fn growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("storage");
    group.throughput(Throughput::Elements(INSERTS)).sample_size(10);
    group.bench_function("insert/grow to 100k", |bencher| {
        bencher.iter_with_large_drop(|| {
            let keyspace = filled(0..INSERTS);
            assert_eq!(keyspace.totals().databases[0].keys as u64, INSERTS);
            keyspace
        });
    });
    group.finish();
}

const VALUE: &[u8] = &[b'v'; 64];

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = lookups, growth
}
criterion_main!(benches);
