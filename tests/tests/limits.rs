//! What clients are held to and how they may be treated, where it needs a clock or much data: the limits of output and of
//! memory, the pause, accesses that are not noted. Servers are embedded, with one network thread and a clock that stands
//! still until it is moved.

use std::io::Read;
use std::time::Duration;

use shardis_server::{Clock, Server, ServerBuilder, Value};
use shardis_tests::client::{Client, PATIENCE, encode};
use shardis_tests::reply::Reply;
use shardis_tests::server::eventually;

/// More than the buffers of two sockets take.
const BIG_BYTES: usize = 30_000_000;
/// From here on a client's commands are not run until it reads, whatever its limits say.
const OUTPUT_BYTES_MAX: usize = 1 << 30;
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_client_over_the_hard_limit_of_its_output_is_closed_at_once() {
    let builder = builder().set("client-output-buffer-limit", "normal 1mb 0 0").expect("a limit");
    let server = start(builder.set("personality", "valkey-9.1").expect("a personality"));
    let (mut greedy, mut other) = (connect(&server), connect(&server));
    set_big(&server, BIG_BYTES);
    greedy.send_raw(&encode(&["GET", "big"])).expect("it is read");
    assert!(greedy.is_closed());
    assert_eq!(other.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
    assert_eq!(lines(&server).len(), 1);
    assert_eq!(other.figure("client_output_buffer_limit_disconnections"), 1);
}

#[test]
fn a_client_over_the_soft_limit_of_its_output_is_closed_when_its_time_is_over() {
    let server = start(builder().set("client-output-buffer-limit", "normal 0 1mb 2").expect("a limit"));
    let slow = connect(&server);
    set_big(&server, BIG_BYTES);
    let mut slow = slow;
    slow.send_raw(&encode(&["GET", "big"])).expect("it is read");
    assert!(eventually(PATIENCE, || unsent_bytes(&server) > 1 << 20));
    let mut seconds = 0;
    let is_closed = eventually(PATIENCE, || {
        server.clock().advance(SECOND);
        seconds += 1;
        lines(&server).is_empty()
    });
    assert!(is_closed && seconds > 2, "closed after {seconds} s");
}

#[test]
fn a_client_that_never_reads_is_stopped_and_goes_on_when_it_does() {
    let server = start(builder());
    let mut deaf = connect(&server);
    let length = 64 << 20;
    set_big(&server, length);
    let replies = OUTPUT_BYTES_MAX / length + 4;
    deaf.send_raw(&encode(&["GET", "big"]).repeat(replies)).expect("it is read");
    deaf.send_raw(&encode(&["SET", "done", "1"])).expect("it is read");
    assert!(eventually(PATIENCE, || unsent_bytes(&server) >= OUTPUT_BYTES_MAX), "{}", unsent_bytes(&server));
    let mut other = connect(&server);
    for _ in 0..100 {
        assert_eq!(other.call(&["GET", "done"]).expect("a reply"), Reply::Nil);
    }
    assert!(unsent_bytes(&server) < OUTPUT_BYTES_MAX + length + 1000);
    let mut chunk = vec![0; 1 << 20];
    let mut left = replies * (format!("${length}\r\n").len() + length + 2) + "+OK\r\n".len();
    deaf.stream().set_read_timeout(Some(PATIENCE)).expect("a time limit");
    while left > 0 {
        let wanted = left.min(chunk.len());
        left -= deaf.stream().read(&mut chunk[..wanted]).expect("every reply arrives");
    }
    assert_eq!(other.call(&["GET", "done"]).expect("a reply"), Reply::Bulk(b"1".to_vec()));
}

#[test]
fn the_clients_that_take_the_most_memory_are_closed_but_not_those_that_are_spared() {
    let server = start(builder().set("maxmemory-clients", "8mb").expect("a size"));
    let mut spared = connect(&server);
    assert_eq!(spared.call(&["CLIENT", "NO-EVICT", "ON"]).expect("a reply"), Reply::simple("OK"));
    let (mut small, mut large) = (connect(&server), connect(&server));
    send_unfinished(&mut spared, 3 << 20);
    send_unfinished(&mut large, 6 << 20);
    let is_evicted = eventually(PATIENCE, || {
        server.clock().advance(SECOND / 10);
        lines(&server).len() == 2
    });
    assert!(is_evicted && large.is_closed(), "{:#?}", lines(&server));
    assert_eq!(small.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
    let stats = server.execute(&["INFO", "stats"]);
    let stats = String::from_utf8_lossy(stats.as_bytes().expect("a text")).into_owned();
    assert!(stats.contains("\r\nevicted_clients:1\r\n"), "{stats}");
}

#[test]
fn a_pause_ends_when_its_time_is_over_and_what_was_held_back_runs_in_order() {
    let server = start(builder());
    let mut clients = [connect(&server), connect(&server)];
    assert_eq!(clients[0].call(&["CLIENT", "PAUSE", "1000", "ALL"]).expect("a reply"), Reply::simple("OK"));
    for (client, word) in clients.iter_mut().zip(["one", "two"]) {
        client.send_raw(&encode(&["RPUSH", word, "a"])).expect("it is read");
        client.send_raw(&encode(&["RPUSH", word, "b"])).expect("it is read");
        client.send_raw(&encode(&["LRANGE", word, "0", "-1"])).expect("it is read");
    }
    let are_blocked = || lines(&server).iter().filter(|line| line.contains(" flags=b ")).count() == 2;
    assert!(eventually(PATIENCE, are_blocked));
    server.clock().advance(Duration::from_millis(999));
    assert!(are_blocked());
    server.clock().advance(Duration::from_millis(1));
    for client in &mut clients {
        assert_eq!(client.reply().expect("a reply"), Reply::Integer(1));
        assert_eq!(client.reply().expect("a reply"), Reply::Integer(2));
        assert_eq!(client.reply().expect("a reply").items().len(), 2);
    }
}

#[test]
fn nothing_expires_during_a_pause_and_nobody_sees_what_should_have() {
    let server = start(builder());
    let mut client = connect(&server);
    assert_eq!(server.execute(&["SET", "k", "v", "PX", "100"]), Value::Simple("OK".into()));
    assert_eq!(server.execute(&["CLIENT", "PAUSE", "10000", "WRITE"]), Value::Simple("OK".into()));
    for _ in 0..20 {
        server.clock().advance(SECOND / 10);
        assert_eq!(client.call(&["GET", "k"]).expect("a reply"), Reply::Nil);
    }
    assert_eq!(server.execute(&["DBSIZE"]), Value::Integer(1));
    assert_eq!(server.execute(&["CLIENT", "UNPAUSE"]), Value::Simple("OK".into()));
    assert_eq!(client.call(&["GET", "k"]).expect("a reply"), Reply::Nil);
    assert_eq!(server.execute(&["DBSIZE"]), Value::Integer(0));
}

#[test]
fn nothing_is_evicted_during_a_pause_and_a_random_key_may_be_one_that_has_expired() {
    let server = start(builder());
    for number in 0..1000 {
        let (name, value) = (format!("key:{number}"), "x".repeat(1000));
        server.execute(&["SET", &name, &value, "PX", "100"]);
    }
    for (name, value) in [("maxmemory-policy", "allkeys-lru"), ("maxmemory", "700kb")] {
        server.execute(&["CLIENT", "PAUSE", "10000", "WRITE"]);
        server.execute(&["CONFIG", "SET", name, value]);
    }
    let mut client = connect(&server);
    for _ in 0..100 {
        assert!(matches!(client.call(&["GET", "key:1"]).expect("a reply"), Reply::Bulk(_)));
    }
    assert_eq!(server.execute(&["DBSIZE"]), Value::Integer(1000));
    server.clock().advance(SECOND);
    assert!(matches!(client.call(&["RANDOMKEY"]).expect("a reply"), Reply::Bulk(_)));
    assert_eq!(server.execute(&["DBSIZE"]), Value::Integer(1000));
    server.execute(&["CLIENT", "UNPAUSE"]);
    assert_eq!(client.call(&["RANDOMKEY"]).expect("a reply"), Reply::Nil);
}

#[test]
fn where_nothing_can_be_evicted_only_who_needs_more_is_refused_until_something_can() {
    let server = start(builder().set("maxmemory-policy", "volatile-lru").expect("a policy"));
    for number in 0..1000 {
        server.execute(&["SET", &format!("key:{number}"), &"x".repeat(1000)]);
    }
    server.execute(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let mut client = connect(&server);
    for _ in 0..3 {
        assert!(client.call(&["SET", "k", "v"]).expect("a reply").is_error());
        assert!(matches!(client.call(&["GET", "key:1"]).expect("a reply"), Reply::Bulk(_)));
    }
    for number in 0..1000 {
        assert_eq!(
            client.call(&["EXPIRE", &format!("key:{number}"), "100"]).expect("a reply"),
            Reply::Integer(1)
        );
    }
    assert_eq!(client.call(&["SET", "k", "v"]).expect("a reply"), Reply::simple("OK"));
}

#[test]
fn idle_monitors_stay_and_what_waits_for_them_counts() {
    let server = start(builder().set("timeout", "1").expect("a timeout"));
    let (mut monitor, mut other) = (connect(&server), connect(&server));
    assert_eq!(monitor.call(&["MONITOR"]).expect("a reply"), Reply::simple("OK"));
    assert_eq!(other.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
    let is_closed = eventually(PATIENCE, || {
        server.clock().advance(SECOND);
        lines(&server).len() == 1
    });
    assert!(is_closed && lines(&server)[0].contains(" flags=O "), "{:#?}", lines(&server));
    server.execute(&["CONFIG", "SET", "timeout", "0"]);
    server.execute(&["CONFIG", "SET", "personality", "valkey-9.1"]);
    server.execute(&["CONFIG", "SET", "client-output-buffer-limit", "normal 8mb 0 0"]);
    let long = "x".repeat(1 << 20);
    let is_gone = (0..100).any(|_| {
        server.execute(&["ECHO", &long]);
        lines(&server).is_empty()
    });
    assert!(is_gone, "what waits for a monitor is limited");
    let stats = server.execute(&["INFO", "stats"]);
    let stats = String::from_utf8_lossy(stats.as_bytes().expect("a text")).into_owned();
    assert!(stats.contains("\r\nclient_output_buffer_limit_disconnections:1\r\n"), "{stats}");
}

#[test]
fn a_client_that_leaves_during_a_pause_leaves_no_write_behind() {
    let server = start(builder());
    assert_eq!(server.execute(&["CLIENT", "PAUSE", "10000", "WRITE"]), Value::Simple("OK".into()));
    let mut leaving = connect(&server);
    leaving.send_raw(&encode(&["SET", "k", "v"])).expect("it is read");
    assert!(eventually(PATIENCE, || lines(&server)[0].contains(" flags=b ")));
    drop(leaving);
    assert!(eventually(PATIENCE, || lines(&server).is_empty()));
    server.execute(&["CLIENT", "UNPAUSE"]);
    assert_eq!(server.execute(&["GET", "k"]), Value::Null);
}

#[test]
fn what_a_client_looks_at_without_touching_stays_as_idle_as_it_was() {
    let server = start(builder());
    let mut client = connect(&server);
    for key in ["read", "written", "touched"] {
        server.execute(&["SET", key, "v"]);
    }
    server.clock().advance(10 * SECOND);
    client.call(&["CLIENT", "NO-TOUCH", "ON"]).expect("a reply");
    client.call(&["GET", "read"]).expect("a reply");
    client.call(&["APPEND", "written", "something much longer than its place"]).expect("a reply");
    client.call(&["TOUCH", "touched"]).expect("a reply");
    let idle = |key| server.execute(&["OBJECT", "IDLETIME", key]).as_integer();
    assert_eq!(["read", "written", "touched"].map(idle), [Some(10), Some(10), Some(0)]);
    client.call(&["CLIENT", "NO-TOUCH", "OFF"]).expect("a reply");
    client.call(&["GET", "read"]).expect("a reply");
    assert_eq!(idle("read"), Some(0));
}

#[test]
fn a_wait_ends_by_the_clock_and_a_host_never_waits() {
    let server = start(builder());
    assert_eq!(server.execute(&["WAIT", "1", "0"]), Value::Integer(0));
    assert_eq!(server.execute(&["CLIENT", "REPLY", "OFF"]), Value::Null);
    let mut client = connect(&server);
    client.send_raw(&encode(&["WAIT", "1", "5000"])).expect("it is read");
    assert!(eventually(PATIENCE, || lines(&server)[0].contains(" flags=b ")));
    let report = server.execute(&["INFO", "clients"]);
    assert!(String::from_utf8_lossy(report.as_bytes().expect("a text")).contains("blocked_clients:1\r\n"));
    server.clock().advance(5 * SECOND);
    assert_eq!(client.reply().expect("a reply"), Reply::Integer(0));
    assert!(lines(&server)[0].contains(" flags=N "));
}

fn builder() -> ServerBuilder {
    let builder = Server::builder().clock(Clock::manual(Duration::from_secs(1_700_000_000)));
    builder.set("threads", "1").expect("a number")
}

fn start(builder: ServerBuilder) -> Server {
    builder.start().expect("it starts")
}

/// A new client, which the server has seen already.
fn connect(server: &Server) -> Client {
    let mut client = Client::connect(server.addr().expect("it listens")).expect("it accepts");
    // An error is an answer to a client that a pause holds back nothing of.
    client.call(&["ECHO"]).expect("a reply");
    client
}

fn set_big(server: &Server, bytes: usize) {
    assert_eq!(server.execute(&["SET", "big", &"x".repeat(bytes)]), Value::Simple("OK".into()));
}

/// Sends the beginning of a command, which the server has to keep.
fn send_unfinished(client: &mut Client, bytes: usize) {
    client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000000\r\n").expect("it is read");
    client.send_raw(&vec![b'x'; bytes]).expect("it is read");
}

/// What waits to be sent to all clients.
fn unsent_bytes(server: &Server) -> usize {
    let lines = lines(server);
    let fields =
        lines.iter().filter_map(|line| line.split_once(" omem=")?.1.split(' ').next()?.parse::<usize>().ok());
    fields.sum()
}

fn lines(server: &Server) -> Vec<String> {
    let list = server.execute(&["CLIENT", "LIST"]);
    let text = String::from_utf8_lossy(list.as_bytes().expect("a text")).into_owned();
    text.lines().map(str::to_owned).collect()
}
