//! Our server inside this process, without any socket: what an embedding program pays for a call, and for a start.
//! There is no peer to compare with; the figures stand for themselves.

use super::Comparison;
use crate::failure::{Failure, system};
use crate::results::{OURS, Section};
use shardis_benches::target::Target;
use shardis_benches::workload;
use shardis_server::{Server, Session, Value};
use std::hint::black_box;
use std::time::Instant;

/// Measures each figure a few times.
pub fn run(comparison: &mut Comparison) -> Result<(), Failure> {
    let wanted = FIGURES.map(|(name, _)| comparison.options.selects(SECTION, name));
    if !wanted.contains(&true) {
        return Ok(());
    }
    let keys = comparison.options.keys;
    for round in 0..comparison.options.rounds {
        comparison.progress(&format!("in process, round {} of {}", round + 1, comparison.options.rounds));
        let values = measure(keys)?;
        for ((name, target), value) in FIGURES.into_iter().zip(values) {
            comparison.results.record((Section::InProcess, name, target), OURS, round, value);
        }
    }
    Ok(())
}

/// The values of `FIGURES`.
fn measure(keys: u64) -> Result<[f64; 5], Failure> {
    let started = Instant::now();
    let server = Server::builder().start().map_err(system("cannot start a server in process"))?;
    let ready_ms = started.elapsed().as_secs_f64() * 1e3;
    let mut session = server.session();
    let mut order: Vec<u64> = (0..keys).collect();
    fastrand::Rng::with_seed(SEED).shuffle(&mut order);
    // In one piece each, so that the caller's own misses are not measured with ours.
    let words =
        |word: fn(u64) -> String| order.iter().flat_map(move |&number| word(number).into_bytes()).collect();
    let (keys, values): (Vec<u8>, Vec<u8>) = (words(workload::key), words(workload::value));
    let key_bytes = workload::key(0).len();
    let value_bytes = workload::value(0).len();
    let pairs = || keys.chunks_exact(key_bytes).zip(values.chunks_exact(value_bytes));
    per_call(&mut session, pairs(), set)?;
    let set_ns = per_call(&mut session, pairs(), set)?;
    let get_ns = per_call(&mut session, pairs(), get)?;
    let hot = || pairs().take(1).cycle().take(HOT_CALLS);
    let hot_get_ns = per_call(&mut session, hot(), get)?;
    let hot_set_ns = per_call(&mut session, hot(), set)?;
    Ok([ready_ms, get_ns, set_ns, hot_get_ns, hot_set_ns])
}

type Call = fn(&mut Session, &[u8], &[u8]) -> bool;

/// Nanoseconds per call, in the quietest slice of all calls: what else the machine does only ever adds. Every reply is checked.
fn per_call<'a>(
    session: &mut Session,
    pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    call: Call,
) -> Result<f64, Failure> {
    let (mut pairs, mut wrong, mut quietest_ns) = (pairs.peekable(), 0_usize, f64::INFINITY);
    while pairs.peek().is_some() {
        let (started, mut calls) = (Instant::now(), 0_usize);
        for (key, value) in pairs.by_ref().take(SLICE_CALLS) {
            calls += 1;
            wrong += usize::from(!call(session, key, value));
        }
        quietest_ns = quietest_ns.min(started.elapsed().as_nanos() as f64 / calls as f64);
    }
    if wrong > 0 {
        return Err(Failure::WrongReply {
            server: OURS.to_owned(),
            command: "calls in process".to_owned(),
            expected: "every reply right".to_owned(),
            received: format!("{wrong} wrong ones"),
        });
    }
    Ok(quietest_ns)
}

fn set(session: &mut Session, key: &[u8], value: &[u8]) -> bool {
    matches!(black_box(session.execute(&[b"SET", key, value])), Value::Simple(text) if text == "OK")
}

fn get(session: &mut Session, key: &[u8], value: &[u8]) -> bool {
    matches!(black_box(session.execute(&[b"GET".as_slice(), key])), Value::Bulk(bytes) if bytes == value)
}

const SECTION: &str = "in-process";
const FIGURES: [(&str, Target); 5] = [
    ("server ready, ms", Target::absolute(2.0, 0.3)),
    ("GET, random keys, ns", Target::absolute(250.0, 150.0)),
    ("SET, random keys, ns", Target::absolute(350.0, 200.0)),
    ("GET, one hot key, ns", Target::absolute(120.0, 80.0)),
    ("SET, one hot key, ns", Target::absolute(180.0, 120.0)),
];
const HOT_CALLS: usize = 1_000_000;
const SLICE_CALLS: usize = 100_000;
const SEED: u64 = 1;
