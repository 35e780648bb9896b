//! Who waits for others: how long after a push the client that waits for it is served, and what freeing a huge set costs
//! those who read something else meanwhile.

use super::Comparison;
use super::reads::Reads;
use crate::connection::Value;
use crate::failure::Failure;
use crate::results::{OURS, Section, median};
use crate::server::RunningServer;
use hdrhistogram::Histogram;
use shardis_benches::resp::Words;
use shardis_benches::target::Target;
use shardis_benches::workload::words;
use std::time::Instant;

/// Compares wake-ups, then watches GET beside a DEL.
pub fn run(comparison: &mut Comparison) -> Result<(), Failure> {
    let wanted = |name| comparison.options.selects(SECTION, name);
    let (wakes, frees) = (wanted(WAKE_P50) || wanted(WAKE_P99), wanted(FREEING));
    if wakes {
        wake(comparison)?;
    }
    if frees {
        free(comparison)?;
    }
    Ok(())
}

fn wake(comparison: &mut Comparison) -> Result<(), Failure> {
    let programs = comparison.options.programs.clone();
    let servers = programs.iter().map(|program| RunningServer::start(program, &comparison.options.out));
    let servers = servers.collect::<Result<Vec<_>, _>>()?;
    let pushes = (comparison.options.keys / WAKE_SHARE).max(WAKES_MIN);
    for round in 0..comparison.options.rounds {
        for server in &servers {
            comparison.progress(&format!("wake-ups, round {}: {}", round + 1, server.name));
            let [p50, p99] = wake_us(server, pushes)?;
            for (name, value) in [(WAKE_P50, p50), (WAKE_P99, p99)] {
                comparison.results.record((Section::Waiting, name, Target::NONE), &server.name, round, value);
            }
        }
    }
    Ok(())
}

/// The median and the 99th percentile of the time from sending a push to the reply of the client that waits for it, in
/// microseconds. Clients wait at a key each and are served in turn, so each has long been blocked when its turn comes.
fn wake_us(server: &RunningServer, pushes: u64) -> Result<[f64; 2], Failure> {
    let mut producer = server.connect()?;
    let mut waiting = (0..WAITERS).map(|_| server.connect()).collect::<Result<Vec<_>, _>>()?;
    for (number, client) in waiting.iter_mut().enumerate() {
        client.ask(&pop(number))?;
    }
    let mut quietest = [f64::INFINITY; 2];
    let mut histogram = Histogram::<u64>::new_with_bounds(1, WAKE_NS_MAX, SIGNIFICANT_DIGITS)
        .expect("invariant: fixed bounds");
    for push in 0..pushes {
        let number = push as usize % WAITERS;
        let element = push.to_string();
        let begun = Instant::now();
        producer.ask(&words(["RPUSH", &queue(number), &element]))?;
        let reply = waiting[number].answer()?;
        histogram.saturating_record(begun.elapsed().as_nanos() as u64);
        right(server, "BLPOP", &reply, matches!(&reply, Value::Array(popped) if popped.len() == 2))?;
        let reply = producer.answer()?;
        right(server, "RPUSH", &reply, reply == Value::Text("1".to_owned()))?;
        waiting[number].ask(&pop(number))?;
        if histogram.len() == WINDOW_PUSHES {
            for (quietest, quantile) in quietest.iter_mut().zip([0.5, 0.99]) {
                *quietest = quietest.min(histogram.value_at_quantile(quantile) as f64 / 1e3);
            }
            histogram.reset();
        }
    }
    Ok(quietest)
}

/// GET on our server while a set of millions of members is removed: the quietest of several removals.
fn free(comparison: &mut Comparison) -> Result<(), Failure> {
    let program = comparison.options.programs.iter().find(|program| program.name == OURS);
    let Some(program) = program else { return Ok(()) };
    let server = RunningServer::start(program, &comparison.options.out)?;
    let members = comparison.options.keys * HUGE_SHARE;
    let reads = Reads::prepare(&server, comparison.options.keys)?;
    let mut connection = server.connect()?;
    let (mut quietest, mut del_us) = (f64::INFINITY, Vec::new());
    for round in 0..comparison.options.rounds {
        comparison.progress(&format!("DEL of a set of {members} members, round {}", round + 1));
        connection.load((0..members).step_by(BATCH).map(|first| add(first, members)))?;
        let begun = Instant::now();
        let reply = connection.call(&["DEL", "huge"])?;
        del_us.push(begun.elapsed().as_secs_f64() * 1e6);
        right(&server, "DEL", &reply, reply == Value::Text("1".to_owned()))?;
        quietest = quietest.min(reads.quantile_us(comparison.options.busy / FREEING_SHARE, 0.999)?);
    }
    let del_us = median(del_us).unwrap_or_default();
    for (name, target, value) in [(FREEING, FREEING_TARGET, quietest / 1e3), (DEL, Target::NONE, del_us)] {
        comparison.results.record((Section::Waiting, name, target), &server.name, 0, value);
    }
    Ok(())
}

fn right(server: &RunningServer, command: &str, reply: &Value, is_right: bool) -> Result<(), Failure> {
    if is_right {
        return Ok(());
    }
    Err(Failure::WrongReply {
        server: server.name.clone(),
        command: command.to_owned(),
        expected: "one element of one key".to_owned(),
        received: format!("{reply:?}"),
    })
}

fn queue(number: usize) -> String {
    format!("queue:{number}")
}

fn pop(number: usize) -> Words {
    words(["BLPOP", &queue(number), "0"])
}

fn add(first: u64, members: u64) -> Words {
    let mut call = words(["SADD", "huge"]);
    call.extend((first..(first + BATCH as u64).min(members)).map(|member| format!("member:{member:010}")));
    call
}

const SECTION: &str = "waiting";
const WAKE_P50: &str = "RPUSH to the reply of BLPOP, p50, µs";
const WAKE_P99: &str = "RPUSH to the reply of BLPOP, p99, µs";
const FREEING: &str = "GET p99.9 at 10k/s, while millions of members are freed, ms";
const DEL: &str = "DEL of a set of millions of members, µs";
const FREEING_TARGET: Target = Target { goal: None, ..Target::absolute(2.0, 2.0) };
const WAITERS: usize = 50;
/// For so many keys of the run one push.
const WAKE_SHARE: u64 = 20;
const WAKES_MIN: u64 = 2 * WINDOW_PUSHES;
/// What else the machine does only ever adds: the quietest of windows of so many pushes tells what the server does.
const WINDOW_PUSHES: u64 = 1000;
const SIGNIFICANT_DIGITS: u8 = 3;
const WAKE_NS_MAX: u64 = 60_000_000_000;
/// So many members for each key of the run.
const HUGE_SHARE: u64 = 5;
const BATCH: usize = 1000;
/// Of the time that is taken to watch latency elsewhere.
const FREEING_SHARE: u32 = 20;
