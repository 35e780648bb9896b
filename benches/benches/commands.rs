//! The command layer: whole commands through a session inside the process, from words to a value, without a socket.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shardis_benches::workload::{key, value};
use shardis_server::{Server, Session, Value};

const KEYS: u64 = 1_000_000;
/// Calls of one measurement; each begins where the last one ended, so that no key is still in a cache.
const CALLS: usize = 1_000;

fn get(session: &mut Session, (key, value): &(String, String)) {
    let reply = session.execute(&[b"GET", key.as_bytes()]);
    assert!(matches!(reply, Value::Bulk(bytes) if bytes == value.as_bytes()));
}

fn set(session: &mut Session, (key, value): &(String, String)) {
    let reply = session.execute(&[b"SET", key.as_bytes(), value.as_bytes()]);
    assert!(matches!(reply, Value::Simple(text) if text == "OK"));
}

type Call = fn(&mut Session, &(String, String));

fn calls(criterion: &mut Criterion) {
    let server = Server::builder().no_listener().start().expect("a server without sockets starts");
    let mut session = server.session();
    let mut numbers: Vec<u64> = (0..KEYS).collect();
    fastrand::Rng::with_seed(1).shuffle(&mut numbers);
    // Shuffled before they are made, so that reading them in order is no miss.
    let pairs: Vec<_> = numbers.into_iter().map(|number| (key(number), value(number))).collect();
    pairs.iter().for_each(|pair| set(&mut session, pair));
    let hot = vec![pairs[0].clone(); CALLS];
    let mut group = criterion.benchmark_group("commands");
    group.throughput(Throughput::Elements(CALLS as u64));
    for (command, call) in [("get", get as Call), ("set", set as Call)] {
        for (kind, pairs) in [("hot", &hot), ("random", &pairs)] {
            let mut batches = pairs.chunks_exact(CALLS).cycle();
            group.bench_function(format!("{command}/{kind}"), |bencher| {
                bencher.iter(|| {
                    batches.next().unwrap_or_default().iter().for_each(|pair| call(&mut session, pair))
                });
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = calls
}
criterion_main!(benches);
