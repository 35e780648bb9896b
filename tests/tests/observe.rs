//! What tells operators what commands cost, where a transcript cannot: many clients at once, a reader that does not read,
//! commands that run elsewhere than on a network thread.

use std::collections::BTreeMap;
use std::thread;

use shardis_server::Value;
use shardis_tests::client::{Client, PATIENCE, encode};
use shardis_tests::reply::Reply;
use shardis_tests::server::{Server, eventually};

const CLIENTS: usize = 6;
const COMMANDS_PER_CLIENT: usize = 3000;
const PIPELINE: usize = 50;
/// A line that is long enough to fill every buffer soon.
const LONG_BYTES: usize = 1024 * 1024;
/// Members that are too many and too large to be copied in no time.
const LARGE_MEMBERS: usize = 500;
const LARGE_MEMBER_BYTES: usize = 60_000;
/// Such lines that are more than a monitor's inbox, what is under way and the system's buffers hold together.
const LONG_LINES_MAX: usize = 400;

#[test]
fn a_monitor_sees_each_command_of_each_client_once_and_in_order() {
    let server = Server::ours("redis-7.2", &["--threads", "3"]);
    let mut monitors = [server.client(), server.client()];
    for monitor in &mut monitors {
        assert_eq!(call(monitor, &["MONITOR"]), Reply::Simple("OK".into()));
    }
    let address = server.address();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || send_numbered(&mut Client::connect(address).expect("it listens"), client));
        }
        for monitor in monitors {
            scope.spawn(move || expect_numbered(monitor));
        }
    });
}

fn send_numbered(client: &mut Client, name: usize) {
    for first in (0..COMMANDS_PER_CLIENT).step_by(PIPELINE) {
        let batch =
            (first..first + PIPELINE).flat_map(|number| encode(&["ECHO", &format!("{name}-{number}")]));
        client.send_raw(&batch.collect::<Vec<_>>()).expect("it is read");
        client.frames(PIPELINE).expect("replies");
    }
}

fn expect_numbered(mut monitor: Client) {
    let mut next: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..CLIENTS * COMMANDS_PER_CLIENT {
        let line = monitor.reply().expect("a line");
        let line = String::from_utf8_lossy(line.text().expect("a simple string")).into_owned();
        let word = line.rsplit('"').nth(1).expect("an argument");
        let (client, number) = word.split_once('-').expect("a numbered command");
        let expected = next.entry(client.into()).or_default();
        assert_eq!(number, expected.to_string(), "{line}");
        *expected += 1;
    }
    assert!(next.values().all(|&count| count == COMMANDS_PER_CLIENT), "{next:?}");
}

#[test]
fn a_monitor_that_does_not_read_is_closed_and_holds_up_nobody() {
    let server = Server::ours("redis-7.2", &["--threads", "2"]);
    let mut monitor = server.client();
    assert_eq!(call(&mut monitor, &["MONITOR"]), Reply::Simple("OK".into()));
    let mut client = server.client();
    let long = "x".repeat(LONG_BYTES);
    let is_gone = (0..LONG_LINES_MAX).any(|_| {
        assert_eq!(call(&mut client, &["ECHO", &long]), Reply::Bulk(long.clone().into()));
        let list = call(&mut client, &["CLIENT", "LIST"]);
        !String::from_utf8_lossy(list.text().expect("a list")).contains("flags=O")
    });
    assert!(is_gone, "the lines of a monitor that does not read pile up without limit");
    assert_eq!(call(&mut client, &["PING"]), Reply::Simple("PONG".into()));
}

#[test]
fn no_command_is_blamed_for_the_time_of_another_one() {
    let server = Server::ours("redis-7.2", &["--threads", "1", "--slowlog-log-slower-than", "100000"]);
    let mut client = server.client();
    let batch: &[&[&str]] =
        &[&["PING"], &["SET", "k", "v"], &["DEBUG", "SLEEP", "0.15"], &["GET", "k"], &["PING"]];
    let bytes: Vec<u8> = batch.iter().flat_map(|command| encode(command)).collect();
    client.send_raw(&bytes).expect("it is read");
    client.frames(batch.len()).expect("replies");
    assert_eq!(logged(&call(&mut client, &["SLOWLOG", "GET"])), ["DEBUG SLEEP 0.15"]);
}

#[test]
fn jobs_and_commands_that_run_elsewhere_are_logged_once() {
    let server = Server::ours("redis-7.2", &["--threads", "1"]);
    let mut client = server.client();
    call(&mut client, &["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    call(&mut client, &["SLOWLOG", "RESET"]);
    call(&mut client, &["MSET", "a", "1", "b", "2"]);
    for isolation in ["SNAPSHOT", "ATOMIC"] {
        call(&mut client, &["COMPUTE.COUNT", "*", "WHERE", "v > 1", "ISOLATION", isolation]);
        call(&mut client, &["COMPUTE.APPLY", "*", "ISOLATION", isolation, "WHERE", "v > 1", "DO", "DEL"]);
    }
    call(&mut client, &["COMPUTE.COUNT", "*", "WHERE", "v >"]);
    call(&mut client, &["INFO", "nosuch"]);
    let expected = [
        "INFO nosuch",
        "COMPUTE.COUNT * WHERE v >",
        "COMPUTE.APPLY * ISOLATION ATOMIC WHERE v > 1 DO DEL (scanned 1)",
        "COMPUTE.COUNT * WHERE v > 1 ISOLATION ATOMIC (scanned 1)",
        "COMPUTE.APPLY * ISOLATION SNAPSHOT WHERE v > 1 DO DEL (scanned 2)",
        "COMPUTE.COUNT * WHERE v > 1 ISOLATION SNAPSHOT (scanned 2)",
        "MSET a 1 b 2",
        "SLOWLOG RESET",
    ];
    assert_eq!(logged(&call(&mut client, &["SLOWLOG", "GET"])), expected);
}

/// Opening a cut looks at each shard, and large members are copied while theirs is locked.
#[test]
fn what_a_computation_holds_up_others_by_is_an_event() {
    let server = Server::ours("redis-7.2", &["--shards", "65536"]);
    let mut client = server.client();
    call(&mut client, &["CONFIG", "SET", "latency-monitor-threshold", "1"]);
    for member in 0..LARGE_MEMBERS {
        call(&mut client, &["SADD", "set", &format!("{member}{}", "x".repeat(LARGE_MEMBER_BYTES))]);
    }
    let computations: [(&str, &[&str]); 2] = [
        ("compute-cut", &["COMPUTE.COUNT", "s*"]),
        ("compute-slice", &["COMPUTE.KSELECT", "set", "WHERE", "v == 'none'", "RETURN", "1", "v"]),
    ];
    for (event, computation) in computations {
        let is_seen = eventually(PATIENCE, || {
            assert!(!call(&mut client, computation).is_error());
            !call(&mut client, &["LATENCY", "HISTORY", event]).items().is_empty()
        });
        assert!(is_seen, "{event}");
    }
}

#[test]
fn calls_from_inside_the_process_are_logged_and_shown() {
    let server = shardis_server::Server::builder().start().expect("it starts");
    let address = server.addr().expect("it listens");
    let mut monitor = Client::connect(address).expect("it listens");
    assert_eq!(call(&mut monitor, &["MONITOR"]), Reply::Simple("OK".into()));
    let mut session = server.session();
    session.execute(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    session.execute(&["SET", "k", "v"]);
    let line = monitor.reply().expect("a line");
    assert!(line.text().is_some_and(|line| line.ends_with(b"] \"SET\" \"k\" \"v\"")), "{line:?}");
    let Value::Array(entries) = session.execute(&["SLOWLOG", "GET", "1"]) else { panic!("no array") };
    let [Value::Array(entry)] = &entries[..] else { panic!("not one entry: {entries:?}") };
    let words = ["SET", "k", "v"].map(|word| Value::Bulk(word.into()));
    assert_eq!(entry[3], Value::Array(words.into()));
    // Nobody could be sent anything.
    let refused = session.execute(&["MONITOR"]);
    assert_eq!(refused, Value::Error("ERR MONITOR isn't allowed for DENY BLOCKING client".into()));
}

fn call(client: &mut Client, words: &[&str]) -> Reply {
    client.call(words).expect("a reply")
}

/// The commands of a slow log.
fn logged(log: &Reply) -> Vec<String> {
    let words = |entry: &Reply| {
        let words = entry.items()[3].items().iter().filter_map(Reply::text);
        words.map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
    };
    log.items().iter().map(words).collect()
}

/// One turn would answer everything with one write.
#[test]
fn a_turn_that_takes_long_is_ended_so_that_others_get_theirs() {
    let server = Server::ours("redis-7.2", &[]);
    let mut client = server.client();
    for set in ["a", "b"] {
        let members = (0..LONG_SET).map(|member| format!("{set}{member}"));
        let words: Vec<String> = ["SADD".to_owned(), set.to_owned()].into_iter().chain(members).collect();
        client.call(&words).expect("a reply");
    }
    let before = client.figure("total_writes_processed");
    client.send_raw(&encode(&["SINTER", "a", "b"]).repeat(LONG_TURN)).expect("it is there");
    client.frames(LONG_TURN).expect("replies");
    let writes = client.figure("total_writes_processed") - before;
    assert!(writes > 4, "{writes} writes");
}

/// Members of a set that one look for each is short work.
const LONG_SET: usize = 450;
/// Commands that are sent at once and take some ten milliseconds together.
const LONG_TURN: usize = 1500;
