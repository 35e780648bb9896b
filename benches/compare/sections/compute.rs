//! A sum over many hashes: COMPUTE on ours, a Lua loop on the others, and what it does to a GET meanwhile.

use super::Comparison;
use super::reads::Reads;
use crate::connection::{Connection, Value};
use crate::failure::Failure;
use crate::results::{OURS, Section};
use crate::server::RunningServer;
use shardis_benches::resp::Words;
use shardis_benches::target::{Against, Target};
use shardis_benches::workload::words;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// Compares the sums, then watches GET on our server alone.
pub fn run(comparison: &mut Comparison) -> Result<(), Failure> {
    let wanted = |figure| comparison.options.selects(SECTION, figure);
    let (sums, latency) = (wanted(SUM), wanted(BUSY_OVER_IDLE));
    if !sums && !latency {
        return Ok(());
    }
    let programs = comparison.options.programs.clone();
    let items = comparison.options.keys;
    let mut servers = Vec::new();
    for program in programs.iter().take(if sums { programs.len() } else { 1 }) {
        let server = RunningServer::start(program, &comparison.options.out)?;
        let knows = server.connect()?.knows(&sum_command(&server.name))?;
        match (knows, server.name == OURS) {
            (true, _) => {
                comparison.progress(&format!("{}: loading {items} hashes", server.name));
                server.connect()?.load((0..items).map(hash))?;
                servers.push(server);
            }
            (false, true) => {
                comparison.not_yet(SUM);
                return Ok(());
            }
            (false, false) => comparison.progress(&format!("{}: no scripts", server.name)),
        }
    }
    if sums {
        compare_sums(comparison, &servers, items)?;
    }
    if latency {
        watch_reads(comparison, &servers[0], items)?;
    }
    Ok(())
}

fn compare_sums(comparison: &mut Comparison, servers: &[RunningServer], items: u64) -> Result<(), Failure> {
    for round in 0..comparison.options.rounds {
        for server in servers {
            comparison.progress(&format!(
                "{SUM}: round {} of {}: {}",
                round + 1,
                comparison.options.rounds,
                server.name
            ));
            let mut connection = server.connect()?;
            let begun = Instant::now();
            sum(&mut connection, &server.name, items)?;
            let elapsed_ms = begun.elapsed().as_secs_f64() * 1e3;
            comparison.results.record((Section::Compute, SUM, SUM_TARGET), &server.name, round, elapsed_ms);
        }
    }
    Ok(())
}

/// Runs the computation once and checks its total.
fn sum(connection: &mut Connection, server: &str, items: u64) -> Result<(), Failure> {
    let command = sum_command(server);
    let expected: u64 = (0..items).map(total).sum();
    match connection.call(&command)? {
        Value::Text(text) if text.parse() == Ok(expected) => Ok(()),
        other => Err(Failure::WrongReply {
            server: server.to_owned(),
            command: command.join(" "),
            expected: expected.to_string(),
            received: format!("{other:?}"),
        }),
    }
}

/// GET at a fixed rate: nothing else to do, then computations back to back on a connection of their own.
fn watch_reads(comparison: &mut Comparison, server: &RunningServer, items: u64) -> Result<(), Failure> {
    let reads = Reads::prepare(server, items)?;
    let duration = comparison.options.busy;
    comparison.progress("GET at 10,000 requests a second, idle");
    let idle = reads.p99_us(duration)?;
    comparison.progress("GET at 10,000 requests a second, computations back to back");
    let over = AtomicBool::new(false);
    let (busy, runs) = thread::scope(|scope| {
        let computing = scope.spawn(|| {
            let mut connection = server.connect()?;
            let mut runs = 0;
            while !over.load(Ordering::Relaxed) {
                sum(&mut connection, &server.name, items)?;
                runs += 1;
            }
            Ok::<u32, Failure>(runs)
        });
        let busy = reads.p99_us(duration);
        over.store(true, Ordering::Relaxed);
        let runs = computing.join().expect("invariant: the computing thread does not panic");
        Ok::<_, Failure>((busy?, runs?))
    })?;
    let figures = [
        ("GET p99 at 10k/s, idle, µs", Target::NONE, idle),
        ("GET p99 at 10k/s, computing, µs", Target::NONE, busy),
        (BUSY_OVER_IDLE, READS_TARGET, busy / idle),
        ("computations meanwhile per second", Target::NONE, f64::from(runs) / duration.as_secs_f64()),
    ];
    for (name, target, value) in figures {
        comparison.results.record((Section::Compute, name, target), &server.name, 0, value);
    }
    Ok(())
}

fn hash(number: u64) -> Words {
    let (city, total) = (format!("city{}", number % 100), total(number).to_string());
    words(["HSET", &format!("h:{number}"), "name", &format!("user{number}"), "city", &city, "total", &total])
}

fn total(number: u64) -> u64 {
    number % 1000
}

fn sum_command(server: &str) -> Words {
    if server == OURS { COMPUTE.split(' ').map(str::to_owned).collect() } else { words(["EVAL", LUA, "0"]) }
}

const SECTION: &str = "compute";
const SUM: &str = "sum over the hashes, ms";
const BUSY_OVER_IDLE: &str = "GET p99 at 10k/s, computing / idle";
const COMPUTE: &str = "COMPUTE.AGGREGATE h:* TYPE hash REDUCE SUM 1 h.total AS total SCALAR ISOLATION FUZZY";
const LUA: &str = "local cursor, sum = '0', 0 \
    repeat \
      local page = redis.call('SCAN', cursor, 'COUNT', 1000) \
      cursor = page[1] \
      for _, key in ipairs(page[2]) do sum = sum + redis.call('HGET', key, 'total') end \
    until cursor == '0' \
    return sum";
/// Ten times as fast as the script in Redis.
const SUM_TARGET: Target = Target { goal: None, ..Target::ratio(Against::Peer("redis"), 0.1, 0.1) };
const READS_TARGET: Target = Target { goal: None, ..Target::absolute(3.0, 3.0) };
