//! A sum over many hashes: COMPUTE on ours, a Lua loop on the others, and what it does to a GET meanwhile.

use super::Comparison;
use super::reads::Reads;
use crate::connection::{Connection, Value};
use crate::failure::Failure;
use crate::results::{OURS, Section};
use crate::server::{Cores, RunningServer};
use shardis_benches::resp::Words;
use shardis_benches::target::{Against, Target};
use shardis_benches::workload::words;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// Compares the sums, then watches GET on our server alone, then two workers.
pub fn run(comparison: &mut Comparison) -> Result<(), Failure> {
    if comparison.options.selects(SECTION, WORKERS) {
        compare_workers(comparison)?;
    }
    let wanted = |figure| comparison.options.selects(SECTION, figure);
    let sums = SUMS.iter().filter(|sum| wanted(sum.name)).collect::<Vec<_>>();
    let latency = wanted(BUSY_OVER_IDLE);
    if sums.is_empty() && !latency {
        return Ok(());
    }
    let programs = comparison.options.programs.clone();
    let items = comparison.options.keys;
    let mut servers = Vec::new();
    for program in programs.iter().take(if sums.is_empty() { 1 } else { programs.len() }) {
        let server = RunningServer::start(program, &comparison.options.out)?;
        comparison.progress(&format!("{}: loading {items} hashes", server.name));
        server.connect()?.load((0..items).map(hash))?;
        servers.push(server);
    }
    for sum in sums {
        compare_sums(comparison, &servers, sum, items)?;
    }
    if latency {
        watch_reads(comparison, &servers[0], items)?;
    }
    Ok(())
}

fn compare_sums(
    comparison: &mut Comparison,
    servers: &[RunningServer],
    sum: &Sum,
    items: u64,
) -> Result<(), Failure> {
    for round in 0..comparison.options.rounds {
        for server in servers {
            let rounds = comparison.options.rounds;
            comparison.progress(&format!("{}: round {} of {rounds}: {}", sum.name, round + 1, server.name));
            let mut connection = server.connect()?;
            let begun = Instant::now();
            sum.run(&mut connection, &server.name, items)?;
            let elapsed_ms = begun.elapsed().as_secs_f64() * 1e3;
            let row = (Section::Compute, sum.name, SUM_TARGET);
            comparison.results.record(row, &server.name, round, elapsed_ms);
        }
    }
    Ok(())
}

/// A sum over the hashes, and how it is asked for where there is no COMPUTE.
struct Sum {
    name: &'static str,
    /// The city whose hashes count; `None`: all.
    city: Option<&'static str>,
    elsewhere: Elsewhere,
}

/// How a server without COMPUTE is asked.
enum Elsewhere {
    /// By this script.
    Script(&'static str),
    /// By a client that reads all hashes, page after page.
    Client,
}

impl Sum {
    /// Runs it once and checks its total.
    fn run(&self, connection: &mut Connection, server: &str, items: u64) -> Result<(), Failure> {
        let counts = |number: &u64| self.city.is_none_or(|wanted| city(*number) == wanted);
        let expected: u64 = (0..items).filter(counts).map(total).sum();
        let found = match (&self.elsewhere, server) {
            (_, OURS) => number(connection, &self.command())?,
            (Elsewhere::Script(script), _) => number(connection, &words(["EVAL", script, "0"]))?,
            (Elsewhere::Client, _) => self.read_all(connection)?,
        };
        if found == expected {
            return Ok(());
        }
        Err(Failure::WrongReply {
            server: server.to_owned(),
            command: self.name.to_owned(),
            expected: expected.to_string(),
            received: found.to_string(),
        })
    }

    fn command(&self) -> Words {
        let mut command = words(["COMPUTE.AGGREGATE", "h:*", "TYPE", "hash"]);
        if let Some(city) = self.city {
            command.extend(["WHERE".to_owned(), format!("h.city == \"{city}\"")]);
        }
        command.extend(words(["REDUCE", "SUM", "1", "h.total", "AS", "total", "SCALAR"]));
        command
    }

    /// SCAN, and the fields of each page in one batch, as a client without scripts does it.
    fn read_all(&self, connection: &mut Connection) -> Result<u64, Failure> {
        let (mut cursor, mut sum) = ("0".to_owned(), 0);
        loop {
            let page = connection.call(&words(["SCAN", &cursor, "MATCH", "h:*", "COUNT", "1000"]))?;
            let Value::Array(mut page) = page else { return Err(connection.wrong(b"SCAN", "a page", &page)) };
            let keys = page.pop().map_or(Vec::new(), texts);
            cursor = page.pop().map_or(Vec::new(), |cursor| texts(Value::Array(vec![cursor]))).concat();
            let asked = keys.iter().map(|key| words(["HMGET", key, "city", "total"]));
            for fields in connection.call_all(asked)? {
                let fields = texts(fields);
                if let [city, total] = fields.as_slice()
                    && self.city.is_none_or(|wanted| city == wanted)
                {
                    sum += total.parse::<u64>().unwrap_or(0);
                }
            }
            if cursor == "0" {
                return Ok(sum);
            }
        }
    }
}

fn texts(value: Value) -> Vec<String> {
    let Value::Array(values) = value else { return Vec::new() };
    values.into_iter().map(|value| if let Value::Text(text) = value { text } else { String::new() }).collect()
}

fn number(connection: &mut Connection, command: &Words) -> Result<u64, Failure> {
    let answer = connection.call(command)?;
    match &answer {
        Value::Text(text) if text.parse::<u64>().is_ok() => Ok(text.parse().unwrap_or_default()),
        other => Err(connection.wrong(command.join(" ").as_bytes(), "a sum", other)),
    }
}

/// The same sum by one worker and by two, on as many cores as there are.
fn compare_workers(comparison: &mut Comparison) -> Result<(), Failure> {
    let program = comparison.options.programs[0].clone();
    let server = RunningServer::start_on(&program, &comparison.options.out, Cores::All)?;
    let items = comparison.options.keys;
    comparison.progress(&format!("{WORKERS}: loading {items} hashes"));
    let mut connection = server.connect()?;
    connection.load((0..items).map(hash))?;
    // Of each the quietest round, because whatever else the machine does on the two cores only ever adds.
    let mut quietest_ms = [f64::INFINITY; 2];
    for round in 0..comparison.options.rounds * WORKERS_ROUNDS {
        for (workers, quietest) in (1..).zip(&mut quietest_ms) {
            let mut command = SUMS[1].command();
            command.extend(["THREADS".to_owned(), format!("{workers}")]);
            let begun = Instant::now();
            number(&mut connection, &command)?;
            *quietest = quietest.min(begun.elapsed().as_secs_f64() * 1e3);
        }
        comparison.progress(&format!("{WORKERS}: round {}", round + 1));
    }
    let [one, two] = quietest_ms;
    for (name, target, value) in [
        ("sum by one worker, ms", Target::NONE, one),
        ("sum by two workers, ms", Target::NONE, two),
        (WORKERS, WORKERS_TARGET, two / one),
    ] {
        comparison.results.record((Section::Compute, name, target), OURS, 0, value);
    }
    Ok(())
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
                SUMS[0].run(&mut connection, &server.name, items)?;
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
    let (city, total) = (city(number), total(number).to_string());
    words(["HSET", &format!("h:{number}"), "name", &format!("user{number}"), "city", &city, "total", &total])
}

fn city(number: u64) -> String {
    format!("city{}", number % 100)
}

fn total(number: u64) -> u64 {
    number % 1000
}

const SECTION: &str = "compute";
const SUMS: [Sum; 3] = [
    Sum { name: "sum over the hashes, ms", city: None, elsewhere: Elsewhere::Script(LUA) },
    Sum { name: "sum of one city, ms", city: Some("city7"), elsewhere: Elsewhere::Script(LUA_CITY) },
    Sum { name: "sum of one city by a client, ms", city: Some("city7"), elsewhere: Elsewhere::Client },
];
const WORKERS: &str = "two workers to one";
/// 1.6 times as fast.
const WORKERS_TARGET: Target = Target { goal: None, ..Target::absolute(0.625, 0.625) };
const WORKERS_ROUNDS: usize = 3;
const BUSY_OVER_IDLE: &str = "GET p99 at 10k/s, computing / idle";
const LUA: &str = "local cursor, sum = '0', 0 \
    repeat \
      local page = redis.call('SCAN', cursor, 'COUNT', 1000) \
      cursor = page[1] \
      for _, key in ipairs(page[2]) do sum = sum + redis.call('HGET', key, 'total') end \
    until cursor == '0' \
    return sum";
const LUA_CITY: &str = "local cursor, sum = '0', 0 \
    repeat \
      local page = redis.call('SCAN', cursor, 'COUNT', 1000) \
      cursor = page[1] \
      for _, key in ipairs(page[2]) do \
        local found = redis.call('HMGET', key, 'city', 'total') \
        if found[1] == 'city7' then sum = sum + found[2] end \
      end \
    until cursor == '0' \
    return sum";
/// Ten times as fast as in Redis.
const SUM_TARGET: Target = Target { goal: None, ..Target::ratio(Against::Peer("redis"), 0.1, 0.1) };
const READS_TARGET: Target = Target { goal: None, ..Target::absolute(3.0, 3.0) };
