//! Computing while the server does other things: exact beside writers of other keys, ended by time or by the client's leaving,
//! and without harm to anybody else. Grammar and replies are in `scripts/compute`; sums of what changes are in `exactness.rs`.

use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use shardis_server::{Clock, Server, Session, Value};
use shardis_tests::client::{Client, PATIENCE};
use shardis_tests::server::{Over, eventually};

/// Hashes that nobody touches while they are computed over.
const HASHES: usize = 100_000;
/// Keys that each writer adds and removes again, in turns: enough to split and to merge many buckets.
const CHURN: usize = 20_000;
/// Few shards, so that each takes many slices.
const SHARDS: &str = "4";
const WRITERS: usize = 2;
/// Runs beside the writers.
const ROUNDS: usize = 12;
/// Runs that may end before their client is seen to have left.
const ATTEMPTS_MAX: usize = 2000;
/// Times that a database is emptied or swapped.
const FLUSHES: usize = 20;
/// Runs whose end is timed, and what half of them must keep to: much more than the five milliseconds that they should
/// take, because the machine may do other things.
const CANCELS: usize = 9;
const SOON: Duration = Duration::from_millis(250);
/// A run of some time.
const SLOW: &str = "COMPUTE.AGGREGATE order:* THREADS 1 REDUCE SUM 1 h.total AS a REDUCE VAR 1 h.total AS b \
                    REDUCE QUANTILE 2 h.total 0.5 AS c REDUCE DISTINCT 1 key AS d\r\n";
/// A list that takes its time to be gone through, and more so for each of its elements.
const TWENTY: &str = "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]";
/// Runs under way at once.
const JOBS_MAX: usize = 8;

#[test]
fn what_nobody_touches_is_computed_exactly_while_writers_run() {
    let server = Server::builder().set("shards", SHARDS).expect("a power of two").start().expect("it starts");
    fill(&server);
    let naive = Naive::new();
    let is_over = AtomicBool::new(false);
    let churned = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (session, is_over) = (server.session(), &is_over);
                scope.spawn(move || churn(session, writer, is_over))
            })
            .collect();
        let mut session = server.session();
        let over = Over(&is_over);
        for round in 0..ROUNDS {
            let reply =
                aggregate(&mut session, "order:*", &["THREADS", if round % 2 == 0 { "1" } else { "2" }]);
            naive.assert_equals(&reply);
        }
        drop(over);
        writers.into_iter().map(|writer| writer.join().expect("a writer ends")).sum::<usize>()
    });
    assert!(churned > CHURN, "only {churned} writes ran beside {ROUNDS} runs");
}

#[test]
fn a_run_ends_soon_after_its_client_has_left() {
    let server = Server::builder().port(0).start().expect("it starts");
    fill(&server);
    let mut session = server.session();
    let slices = compute_info(&mut session, "slices");
    assert!(!session.execute(&SLOW.split_ascii_whitespace().collect::<Vec<_>>()).is_error());
    let complete_slices = compute_info(&mut session, "slices") - slices;
    let (mut took, mut least_slices) = (Vec::new(), u64::MAX);
    for _ in 0..ATTEMPTS_MAX {
        let [cancelled, slices] = ["cancelled", "slices"].map(|name| compute_info(&mut session, name));
        let mut client = Client::connect(server.addr().expect("it listens")).expect("it accepts");
        client.send_raw(SLOW.as_bytes()).expect("it reads");
        if !eventually(SOON, || compute_info(&mut session, "active") > 0) {
            continue;
        }
        client.stream().shutdown(Shutdown::Both).expect("it was open");
        let left = Instant::now();
        let is_quiet = eventually(PATIENCE, || compute_info(&mut session, "active") == 0);
        assert!(is_quiet, "the run goes on without its client");
        if compute_info(&mut session, "cancelled") > cancelled {
            took.push(left.elapsed());
            least_slices = least_slices.min(compute_info(&mut session, "slices") - slices);
        }
        if took.len() == CANCELS {
            break;
        }
    }
    took.sort_unstable();
    assert_eq!(took.len(), CANCELS, "too few runs were cancelled in {ATTEMPTS_MAX} attempts");
    assert!(least_slices < complete_slices, "{least_slices} slices, {complete_slices} for a whole run");
    let median = took[CANCELS / 2];
    println!("from leaving to the last slice: median {median:?}, longest {:?}", took[CANCELS - 1]);
    assert!(median < SOON, "{took:?}");
    Naive::new().assert_equals(&aggregate(&mut session, "order:*", &[]));
}

#[test]
fn a_run_ends_when_its_time_is_up() {
    let clock = Clock::manual(Duration::from_secs(1_700_000_000));
    let server = Server::builder().clock(clock.clone()).start().expect("it starts");
    fill(&server);
    let mut session = server.session();
    // While the clock stands still, no time is ever up.
    let reply = aggregate(&mut session, "order:*", &["TIMEOUT", "1"]);
    Naive::new().assert_equals(&reply);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                clock.advance(Duration::from_millis(10));
            }
        });
        let over = Over(&is_over);
        let failed = aggregate(&mut session, "order:*", &["TIMEOUT", "1"]);
        let partial = aggregate(&mut session, "order:*", &["TIMEOUT", "1", "ONTIMEOUT", "PARTIAL"]);
        let unlimited = aggregate(&mut session, "order:*", &["TIMEOUT", "0"]);
        drop(over);
        let Value::Error(text) = failed else { panic!("{failed:?}") };
        let scanned = text.strip_prefix("DEADLINE the computation has reached its TIMEOUT of 1 ms, scanned=");
        let scanned: usize = scanned.and_then(|scanned| scanned.parse().ok()).unwrap_or(HASHES);
        assert!(scanned < HASHES, "{text}");
        assert_eq!(entry(&partial, "partial"), &Value::Boolean(true));
        let Value::Double(covered) = entry(&partial, "covered") else { panic!("{partial:?}") };
        assert!((0.0..1.0).contains(covered), "{partial:?}");
        assert!(integer(&partial, "scanned") < HASHES as i64);
        Naive::new().assert_equals(&unlimited);
    });
}

#[test]
fn more_runs_than_may_be_under_way_are_all_answered() {
    let server = Server::builder().start().expect("it starts");
    fill(&server);
    let naive = Naive::new();
    thread::scope(|scope| {
        for _ in 0..2 * JOBS_MAX + 1 {
            let mut session = server.session();
            let naive = &naive;
            scope.spawn(move || naive.assert_equals(&aggregate(&mut session, "order:*", &[])));
        }
    });
    let mut session = server.session();
    assert_eq!(compute_info(&mut session, "finished"), 2 * JOBS_MAX as u64 + 1);
    assert_eq!(["active", "waiting", "cancelled"].map(|name| compute_info(&mut session, name)), [0; 3]);
}

#[test]
fn others_are_served_while_a_run_is_under_way() {
    let server = Server::builder().port(0).start().expect("it starts");
    fill(&server);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let computing = scope.spawn(|| {
            let mut session = server.session();
            while !is_over.load(Ordering::Relaxed) {
                Naive::new().assert_equals(&aggregate(&mut session, "order:*", &[]));
            }
        });
        let over = Over(&is_over);
        let mut client = Client::connect(server.addr().expect("it listens")).expect("it accepts");
        let mut session = server.session();
        let mut served = 0;
        // A run that is seen before and after a reply went on beside it.
        let is_served = eventually(PATIENCE, || {
            let before = compute_info(&mut session, "active");
            let reply = client.call(&["HGET", "order:7", "region"]).expect("a reply");
            assert_eq!(reply.text(), Some(&b"eu"[..]));
            served += before * compute_info(&mut session, "active");
            served > 100
        });
        drop(over);
        assert!(is_served, "only {served} replies while a run was under way");
        computing.join().expect("every run was right");
    });
}

#[test]
fn stopping_the_server_ends_the_runs_under_way() {
    let server = Server::builder().start().expect("it starts");
    fill(&server);
    let mut session = server.session();
    let computing = thread::spawn(move || {
        let mut runs = 0;
        loop {
            match aggregate(&mut session, "order:*", &[]) {
                Value::Map(_) => runs += 1,
                other => return (runs, other),
            }
        }
    });
    let mut watching = server.session();
    assert!(eventually(PATIENCE, || compute_info(&mut watching, "finished") > 0));
    server.stop();
    let (runs, last) = computing.join().expect("the loop ends");
    assert!(runs > 0);
    assert_eq!(last, Value::Error("CANCELED the server is stopping".into()));
}

/// It would go on for half a minute.
#[test]
fn stopping_the_server_ends_an_atomic_run() {
    let server = Server::builder().port(0).start().expect("it starts");
    fill(&server);
    let mut monitor = Client::connect(server.addr().expect("it listens")).expect("it accepts");
    monitor.call(&["MONITOR"]).expect("a reply");
    let mut session = server.session();
    let computing = thread::spawn(move || {
        let condition = format!("{TWENTY}.all(a, {TWENTY}.all(b, a * b + len > 0))");
        let words = ["COMPUTE.COUNT", "*", "WHERE", &condition, "ISOLATION", "ATOMIC", "TIMEOUT", "0"];
        session.execute(&words)
    });
    monitor.reply().expect("the command is shown when it has begun");
    let stopped = Instant::now();
    server.stop();
    assert!(stopped.elapsed() < PATIENCE, "{:?}", stopped.elapsed());
    let last = computing.join().expect("it ends");
    assert_eq!(last, Value::Error("CANCELED the server is stopping".into()));
}

#[test]
fn a_database_that_is_emptied_or_swapped_meanwhile_counts_whole_or_not_at_all() {
    let server = Server::builder().set("shards", SHARDS).expect("a power of two").start().expect("it starts");
    let (mut session, mut other) = (server.session(), server.session());
    other.execute(&["SELECT", "1"]);
    let mut met = [[0; 2]; 2];
    for round in 0..FLUSHES {
        for n in 0..CHURN {
            session.execute(&["SET", &format!("key:{n}"), "1"]);
        }
        other.execute(&["SET", "lonely", "1"]);
        let finished = compute_info(&mut session, "finished");
        let swaps = round % 2 == 1;
        let counted = thread::scope(|scope| {
            let mut counting = server.session();
            let count = scope.spawn(move || {
                counting.execute(&["COMPUTE.COUNT", "*", "WHERE", "len == 1", "THREADS", "1", "TIMEOUT", "0"])
            });
            // Somewhere in the run, or right behind it where the machine is fast.
            eventually(PATIENCE, || {
                compute_info(&mut session, "active") > 0 || compute_info(&mut session, "finished") > finished
            });
            let words: &[&str] = if swaps { &["SWAPDB", "0", "1"] } else { &["FLUSHALL"] };
            assert!(!session.execute(words).is_error());
            count.join().expect("it ends").as_integer().expect("a number")
        });
        let little = i64::from(swaps);
        assert!([little, CHURN as i64].contains(&counted), "{counted} of {CHURN} in round {round}");
        met[usize::from(swaps)][usize::from(counted == little)] += 1;
        session.execute(&["FLUSHALL"]);
    }
    println!("whole and not: {met:?}");
}

/// What the aggregates of the untouched hashes are, computed in the plainest way.
struct Naive {
    total: i64,
    least: i64,
    most: i64,
    with_discount: i64,
    half: f64,
}

impl Naive {
    fn new() -> Naive {
        let totals = (0..HASHES).map(total);
        Naive {
            total: totals.clone().sum(),
            least: totals.clone().min().expect("there are some"),
            most: totals.max().expect("there are some"),
            with_discount: (0..HASHES).filter(|n| has_discount(*n)).count() as i64,
            // Quarters add up without rounding.
            half: (0..HASHES).filter(|n| has_discount(*n)).map(|n| n as f64 + 0.25).sum(),
        }
    }

    fn assert_equals(&self, reply: &Value) {
        let Value::Array(rows) = entry(reply, "rows") else { panic!("{reply:?}") };
        let row = |name| entry(&rows[0], name);
        assert_eq!(row("total"), &Value::Integer(self.total));
        assert_eq!((row("least"), row("most")), (&Value::Integer(self.least), &Value::Integer(self.most)));
        assert_eq!(row("n"), &Value::Integer(HASHES as i64));
        assert_eq!(row("mean"), &Value::Double(self.total as f64 / HASHES as f64));
        assert_eq!(row("discounts"), &Value::Integer(self.with_discount));
        assert_eq!(row("sum of discounts"), &Value::Double(self.half));
        assert_eq!((integer(reply, "scanned"), integer(reply, "errors")), (HASHES as i64, 0));
        assert_eq!(entry(reply, "partial"), &Value::Boolean(false));
        assert_eq!(entry(reply, "isolation"), &Value::Bulk(b"snapshot".to_vec()));
    }
}

fn total(n: usize) -> i64 {
    (n as i64 * 7919) % 10_007 - 5000
}

fn has_discount(n: usize) -> bool {
    n.is_multiple_of(3)
}

/// The untouched hashes; one in three has a field that the others miss.
fn fill(server: &Server) {
    let mut session = server.session();
    for n in 0..HASHES {
        let (key, total, discount) = (format!("order:{n}"), total(n).to_string(), format!("{n}.25"));
        let words = ["HSET", &key, "total", &total, "region", "eu", "discount", &discount];
        let fields = session.execute(if has_discount(n) { &words[..] } else { &words[..6] });
        assert!(!fields.is_error(), "{fields:?}");
    }
}

/// Missing fields are null here, so that every hash counts.
fn aggregate(session: &mut Session, pattern: &str, options: &[&str]) -> Value {
    let mut words = vec!["COMPUTE.AGGREGATE", pattern, "ONERROR", "NULL"];
    for (function, field, name) in [
        ("SUM", "h.total", "total"),
        ("MIN", "h.total", "least"),
        ("MAX", "h.total", "most"),
        ("AVG", "h.total", "mean"),
        ("COUNT", "h.discount", "discounts"),
        ("SUM", "h.discount", "sum of discounts"),
    ] {
        words.extend(["REDUCE", function, "1", field, "AS", name]);
    }
    words.extend(["REDUCE", "COUNT", "0", "AS", "n"]);
    words.extend(options);
    // On a loaded machine a run may take longer than the default allows, which is not what is tested.
    if !options.contains(&"TIMEOUT") {
        words.extend(["TIMEOUT", "0"]);
    }
    session.execute(&words)
}

/// Adds and removes keys of the same kind beside the untouched ones; how many writes that were.
fn churn(mut session: Session, writer: usize, is_over: &AtomicBool) -> usize {
    let mut writes = 0;
    while !is_over.load(Ordering::Relaxed) {
        for command in ["HSET", "DEL"] {
            for n in 0..CHURN {
                let key = format!("writer:{writer}:{n}");
                let words = [command, &key, "total", "1"];
                let reply = session.execute(if command == "HSET" { &words[..] } else { &words[..2] });
                assert_eq!(reply, Value::Integer(1));
                writes += 1;
            }
        }
    }
    writes
}

fn compute_info(session: &mut Session, name: &str) -> u64 {
    let reply = session.execute(&["INFO", "compute"]);
    let text = String::from_utf8_lossy(reply.as_bytes().expect("a report")).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("compute_{name}:")));
    line.unwrap_or_else(|| panic!("{name} in {text}")).parse().expect("a number")
}

fn entry<'v>(map: &'v Value, name: &str) -> &'v Value {
    let Value::Map(entries) = map else { panic!("{map:?}") };
    let found = entries.iter().find(|(key, _)| key.as_bytes() == Some(name.as_bytes()));
    &found.unwrap_or_else(|| panic!("{name} in {map:?}")).1
}

fn integer(map: &Value, name: &str) -> i64 {
    entry(map, name).as_integer().expect("an integer")
}
