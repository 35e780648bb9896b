//! Long scripts: two at once against one alone, and what one does to a GET of other keys. On the real servers a script holds
//! everything; on ours the shards of its keys.

use super::Comparison;
use super::reads::Reads;
use crate::connection::{Connection, Value};
use crate::failure::Failure;
use crate::results::{OURS, Section};
use crate::server::{Cores, RunningServer};
use shardis_benches::resp::Words;
use shardis_benches::target::Target;
use shardis_benches::workload::{key, words};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Measures both on every server.
pub fn run(comparison: &mut Comparison) -> Result<(), Failure> {
    let wanted = |figure| comparison.options.selects(SECTION, figure);
    let (together, beside) = (wanted(TOGETHER), wanted(BUSY_OVER_IDLE));
    for program in comparison.options.programs.clone() {
        if together {
            let server = RunningServer::start_on(&program, &comparison.options.out, Cores::All)?;
            run_together(comparison, &server)?;
        }
        if beside {
            let server = RunningServer::start(&program, &comparison.options.out)?;
            watch_reads(comparison, &server)?;
        }
    }
    Ok(())
}

/// The time that two scripts take that are sent at once, over that of one: of each the quietest round, because whatever else
/// the machine does on the two cores only ever adds.
fn run_together(comparison: &mut Comparison, server: &RunningServer) -> Result<(), Failure> {
    let mut connections = [server.connect()?, server.connect()?];
    let steps = steps_in(&mut connections[0], comparison.options.busy / SCRIPT_SHARE)?;
    let (mut alone, mut both) = (Duration::MAX, Duration::MAX);
    for round in 0..comparison.options.rounds {
        comparison.progress(&format!("{TOGETHER}: round {}: {}", round + 1, server.name));
        // Two keys may share a shard by chance, but not in most rounds.
        let scripts = [0, 1].map(|number| script(&format!("script:{round}:{number}"), steps));
        alone = alone.min(time(&mut connections[..1], &scripts)?);
        both = both.min(time(&mut connections, &scripts)?);
    }
    let ratio = both.as_secs_f64() / alone.as_secs_f64();
    let target = if server.name == OURS { TOGETHER_TARGET } else { Target::NONE };
    comparison.results.record((Section::Scripts, TOGETHER, target), &server.name, 0, ratio);
    Ok(())
}

/// How long it takes until each connection has got the reply to its script.
fn time(connections: &mut [Connection], scripts: &[Words]) -> Result<Duration, Failure> {
    let begun = Instant::now();
    for (connection, script) in connections.iter_mut().zip(scripts) {
        connection.ask(script)?;
    }
    for (connection, script) in connections.iter_mut().zip(scripts) {
        has_run(connection, script)?;
    }
    Ok(begun.elapsed())
}

/// GET at a fixed rate: nothing else to do, then beside a script of two seconds, again and again.
fn watch_reads(comparison: &mut Comparison, server: &RunningServer) -> Result<(), Failure> {
    let reads = Reads::of(server, READ_KEYS)?;
    let mut connection = server.connect()?;
    let steps = steps_in(&mut connection, SCRIPT_TIME)?;
    let script = script(&elsewhere(comparison, server, steps)?, steps);
    let duration = comparison.options.busy;
    comparison.progress(&format!("GET at 10,000 requests a second, idle: {}", server.name));
    let idle = reads.p99_us(duration)?;
    comparison.progress(&format!("GET at 10,000 requests a second, beside scripts: {}", server.name));
    let over = AtomicBool::new(false);
    let busy = thread::scope(|scope| {
        let running = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                connection.ask(&script)?;
                has_run(&mut connection, &script)?;
            }
            Ok::<(), Failure>(())
        });
        let busy = reads.p99_us(duration);
        over.store(true, Ordering::Relaxed);
        running.join().expect("invariant: the thread that runs scripts does not panic")?;
        busy
    })?;
    let target = if server.name == OURS { READS_TARGET } else { Target::NONE };
    let figures = [
        ("GET p99 at 10k/s, idle, µs", Target::NONE, idle),
        ("GET p99 at 10k/s, beside a script of 2 s, µs", Target::NONE, busy),
        (BUSY_OVER_IDLE, target, busy / idle),
    ];
    for (name, target, value) in figures {
        comparison.results.record((Section::Scripts, name, target), &server.name, 0, value);
    }
    Ok(())
}

/// A key that shares its shard with none of those that are read: while a script holds it, all of them can be read. Where
/// everything is one shard there is none, and any key will do.
fn elsewhere(comparison: &Comparison, server: &RunningServer, steps: u64) -> Result<String, Failure> {
    let (mut runner, mut reader) = (server.connect()?, server.connect()?);
    let keys = (0..READ_KEYS).map(key);
    let read_all: Words = std::iter::once("MGET".to_owned()).chain(keys).collect();
    let script_time = SCRIPT_TIME / PROBE_SHARE;
    for candidate in 0..CANDIDATES {
        let name = format!("script:{candidate}");
        let probe = script(&name, steps / u64::from(PROBE_SHARE));
        let (begun, mut longest) = (Instant::now(), Duration::ZERO);
        runner.ask(&probe)?;
        while begun.elapsed() < script_time / 2 {
            let asked = Instant::now();
            reader.call(&read_all)?;
            longest = longest.max(asked.elapsed());
        }
        has_run(&mut runner, &probe)?;
        if longest < script_time / 4 {
            return Ok(name);
        }
    }
    comparison.progress(&format!("{}: every key waits for a script", server.name));
    Ok("script".to_owned())
}

/// How many steps a script makes in this time.
fn steps_in(connection: &mut Connection, time: Duration) -> Result<u64, Failure> {
    let probe = script("probe", STEPS_PROBE);
    let begun = Instant::now();
    connection.ask(&probe)?;
    has_run(connection, &probe)?;
    Ok((STEPS_PROBE as f64 * time.as_secs_f64() / begun.elapsed().as_secs_f64()) as u64)
}

fn script(key: &str, steps: u64) -> Words {
    words(["EVAL", LUA, "1", key, &steps.to_string()])
}

/// Reads the reply to a script.
fn has_run(connection: &mut Connection, script: &Words) -> Result<(), Failure> {
    match connection.answer()? {
        Value::Text(text) if text == script[4] => Ok(()),
        other => Err(connection.wrong(script.join(" ").as_bytes(), &script[4], &other)),
    }
}

const SECTION: &str = "scripts";
const TOGETHER: &str = "two scripts on different keys, time over that of one";
const BUSY_OVER_IDLE: &str = "GET p99 at 10k/s, beside a script of 2 s / idle";
/// Writes first, so that it holds its key, and then counts.
const LUA: &str = "redis.call('SET', KEYS[1], ARGV[1]) \
    local count = 0 \
    for step = 1, tonumber(ARGV[1]) do count = count + 1 end \
    return redis.call('GET', KEYS[1])";
const SCRIPT_TIME: Duration = Duration::from_secs(2);
/// Enough to be measured: some hundredths of a second.
const STEPS_PROBE: u64 = 10_000_000;
/// A script that runs beside another takes so much of the time for which latency is watched.
const SCRIPT_SHARE: u32 = 5;
/// A script that only shows which keys it holds is so much shorter.
const PROBE_SHARE: u32 = 20;
/// So few that most shards have none of them.
const READ_KEYS: u64 = 4;
const CANDIDATES: u32 = 20;
/// On two free cores they take as long as one; what the machine does besides takes something.
const TOGETHER_TARGET: Target = Target { goal: None, ..Target::absolute(1.5, 1.5) };
const READS_TARGET: Target = Target { goal: None, ..Target::absolute(3.0, 3.0) };
