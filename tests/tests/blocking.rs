//! Clients that wait for keys: how their waits end, in the time of the server and in that of its host, and that chains and
//! crowds are served to the last. Replies to single clients are in the transcripts; random interleavings are in `waiters`.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use shardis_server::{Clock, Server, ServerBuilder, Value};
use shardis_tests::client::{Client, PATIENCE, encode};
use shardis_tests::reply::Reply;
use shardis_tests::server::eventually;

/// More than one thread takes care of before it leaves the rest to another.
const LONG_CHAIN: usize = 1100;
/// More than one transaction serves.
const CROWD: usize = 1200;
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_wait_ends_by_the_clock() {
    let server = start(Server::builder().clock(Clock::manual(1_000_000 * SECOND)));
    let mut client = connect(&server);
    block(&server, &mut client, &["BLPOP", "l", "5"]);
    assert_eq!(figure(&server, "clients_in_timeout_table"), 1);
    server.clock().advance(Duration::from_millis(4999));
    assert_eq!(server.execute(&["EXISTS", "l"]), Value::Integer(0));
    assert_eq!(figure(&server, "blocked_clients"), 1);
    server.clock().advance(Duration::from_millis(1));
    assert_eq!(client.reply().expect("a reply"), Reply::NilArray);
    assert_eq!(["blocked_clients", "total_blocking_keys"].map(|name| figure(&server, name)), [0, 0]);
}

#[test]
fn a_host_waits_on_its_own_thread() {
    let server = start(Server::builder());
    let popped = thread::scope(|scope| {
        let popping = scope.spawn(|| server.execute(&["BLPOP", "other", "l", "0"]));
        let mut session = server.session();
        assert!(eventually(PATIENCE, || figure(&server, "total_blocking_keys") == 2));
        assert_eq!(session.execute(&["RPUSH", "l", "x", "y"]), Value::Integer(2));
        popping.join().expect("no panic")
    });
    assert_eq!(popped, Value::Array(vec![Value::Bulk(b"l".into()), Value::Bulk(b"x".into())]));
    assert_eq!(server.execute(&["LLEN", "l"]), Value::Integer(1));
    assert_eq!(server.execute(&["BLMOVE", "l", "m", "LEFT", "LEFT", "0"]), Value::Bulk(b"y".into()));
}

#[test]
fn the_wait_of_a_host_ends_by_the_clock() {
    let server = start(Server::builder());
    assert_eq!(server.execute(&["BLPOP", "l", "0.02"]), Value::Null);
    assert_eq!(server.session().execute(&["BLMPOP", "0.001", "1", "l", "LEFT"]), Value::Null);
    let server = start(Server::builder().clock(Clock::manual(1_000_000 * SECOND)));
    thread::scope(|scope| {
        let popping = scope.spawn(|| server.execute(&["BRPOP", "l", "3600"]));
        assert!(eventually(PATIENCE, || figure(&server, "total_blocking_keys") == 1));
        server.clock().advance(3600 * SECOND);
        assert_eq!(popping.join().expect("no panic"), Value::Null);
    });
}

#[test]
fn a_host_that_waits_is_told_when_the_server_stops() {
    let server = start(Server::builder());
    let stopped = Value::Error("CANCELED the server is stopping".into());
    thread::scope(|scope| {
        let popping = scope.spawn(|| server.execute(&["BLPOP", "l", "0"]));
        assert!(eventually(PATIENCE, || figure(&server, "total_blocking_keys") == 1));
        server.stop();
        assert_eq!(popping.join().expect("no panic"), stopped);
    });
    assert_eq!(server.execute(&["BLPOP", "l", "0"]), stopped);
    assert_eq!(server.execute(&["RPUSH", "l", "x"]), Value::Integer(1));
    assert_eq!(server.execute(&["LPOP", "l"]), Value::Bulk(b"x".into()), "nobody is waiting any more");
}

#[test]
fn who_has_left_gets_nothing() {
    let server = start(Server::builder());
    let mut client = connect(&server);
    block(&server, &mut client, &["BLPOP", "l", "0"]);
    drop(client);
    assert!(eventually(PATIENCE, || figure(&server, "total_blocking_keys") == 0));
    assert_eq!(server.execute(&["RPUSH", "l", "x"]), Value::Integer(1));
    assert_eq!(server.execute(&["LLEN", "l"]), Value::Integer(1));
}

#[test]
fn a_client_is_unblocked_once_and_its_pipeline_goes_on() {
    let server = start(Server::builder());
    let mut client = connect(&server);
    let Ok(Reply::Integer(id)) = client.call(&["CLIENT", "ID"]) else { panic!("a number") };
    let id = id.to_string();
    let unblock = |how| server.execute(&["CLIENT", "UNBLOCK", &id, how]);
    let outcomes = [
        ("TIMEOUT", Reply::NilArray),
        ("ERROR", Reply::Error(b"UNBLOCKED client unblocked via CLIENT UNBLOCK".into())),
    ];
    for (how, reply) in outcomes {
        assert_eq!(unblock(how), Value::Integer(0));
        block(&server, &mut client, &["BLMOVE", "l", "m", "LEFT", "LEFT", "0"]);
        client.send_raw(&encode(&["ECHO", "behind"])).expect("it is read");
        assert_eq!(unblock(how), Value::Integer(1));
        assert_eq!(unblock(how), Value::Integer(0));
        assert_eq!(client.reply().expect("a reply"), reply);
        assert_eq!(client.reply().expect("a reply"), Reply::Bulk(b"behind".into()));
    }
}

#[test]
fn a_call_that_is_too_large_for_a_network_thread_waits_as_well() {
    let server = start(Server::builder());
    let mut client = connect(&server);
    let keys: Vec<String> = (0..2000).map(|number| format!("key:{number}")).collect();
    let mut call = vec!["BLPOP"];
    call.extend(keys.iter().map(String::as_str));
    call.push("0");
    block(&server, &mut client, &call);
    assert_eq!(figure(&server, "total_blocking_keys"), 2000);
    assert_eq!(server.execute(&["RPUSH", "key:1234", "x"]), Value::Integer(1));
    assert_eq!(client.reply().expect("a reply").items()[0], Reply::Bulk(b"key:1234".into()));
}

/// Whoever makes it ready need not wait for it, and neither does anybody else on its thread.
#[test]
fn what_takes_long_is_served_elsewhere() {
    let server = start(Server::builder());
    let (mut first, mut second) = (connect(&server), connect(&server));
    block(&server, &mut first, &["BLMPOP", "0", "1", "l", "LEFT", "COUNT", "100000"]);
    block(&server, &mut second, &["BLPOP", "l", "0"]);
    for _ in 0..100 {
        server.execute(&[["RPUSH", "long"].as_slice(), &["x"; 1000]].concat());
    }
    server.execute(&["RPUSH", "long", "last"]);
    assert_eq!(connect(&server).call(&["RENAME", "long", "l"]).expect("a reply"), Reply::simple("OK"));
    assert_eq!(first.reply().expect("a reply").items()[1].items().len(), 100_000);
    assert_eq!(second.reply().expect("a reply").items()[1], Reply::Bulk(b"last".into()));
    assert_eq!(server.execute(&["EXISTS", "l"]), Value::Integer(0));
}

#[test]
fn a_chain_is_followed_to_its_end() {
    let server = start(Server::builder());
    let mut clients: Vec<Client> = (0..LONG_CHAIN).map(|_| connect(&server)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let (from, to) = (format!("key:{number}"), format!("key:{}", number + 1));
        client.send_raw(&encode(&["BLMOVE", &from, &to, "LEFT", "RIGHT", "0"])).expect("it is read");
    }
    assert!(eventually(PATIENCE, || figure(&server, "blocked_clients") == LONG_CHAIN as u64));
    assert_eq!(connect(&server).call(&["RPUSH", "key:0", "x"]).expect("a reply"), Reply::Integer(1));
    for mut client in clients {
        assert_eq!(client.reply().expect("a reply"), Reply::Bulk(b"x".into()));
    }
    let last = format!("key:{LONG_CHAIN}");
    assert_eq!(server.execute(&["LPOP", &last]), Value::Bulk(b"x".into()));
    assert_eq!(server.execute(&["DBSIZE"]), Value::Integer(0));
}

#[test]
fn a_crowd_is_served_in_the_order_in_which_it_came() {
    let server = start(Server::builder());
    let mut clients: Vec<Client> = (0..CROWD).map(|_| connect(&server)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send_raw(&encode(&["BLPOP", "l", "0"])).expect("it is read");
        assert!(eventually(PATIENCE, || figure(&server, "blocked_clients") == number as u64 + 1));
    }
    let mut push = vec!["RPUSH".to_owned(), "l".to_owned()];
    push.extend((0..CROWD).map(|number| number.to_string()));
    assert_eq!(server.execute(&push), Value::Integer(CROWD as i64));
    for (number, client) in clients.iter_mut().enumerate() {
        let reply = client.reply().expect("a reply");
        assert_eq!(reply.items()[1], Reply::Bulk(number.to_string().into()));
    }
}

/// Each hop serves the next one, who comes back for more: there is never an end to it for whoever has begun.
#[test]
fn a_ring_of_waiters_turns() {
    let server = start(Server::builder());
    let (done, is_done) = mpsc::channel();
    thread::scope(|scope| {
        for (from, to) in [("a", "b"), ("b", "c"), ("c", "a")] {
            let (server, done) = (&server, done.clone());
            scope.spawn(move || {
                let mut session = server.session();
                for _ in 0..1000 {
                    let moved = session.execute(&["BLMOVE", from, to, "LEFT", "RIGHT", "0"]);
                    assert_eq!(moved, Value::Bulk(b"x".into()));
                }
                done.send(()).expect("somebody listens");
            });
        }
        server.execute(&["RPUSH", "a", "x"]);
        (0..3).for_each(|_| is_done.recv_timeout(PATIENCE).expect("each goes round a thousand times"));
    });
    assert_eq!(server.execute(&["LRANGE", "a", "0", "-1"]), Value::Array(vec![Value::Bulk(b"x".into())]));
}

/// Blocks a client, and waits until it is.
fn block(server: &Server, client: &mut Client, call: &[&str]) {
    let before = figure(server, "blocked_clients");
    client.send_raw(&encode(call)).expect("it is read");
    assert!(eventually(PATIENCE, || figure(server, "blocked_clients") == before + 1));
}

fn connect(server: &Server) -> Client {
    Client::connect(server.addr().expect("it listens")).expect("it accepts")
}

fn start(builder: ServerBuilder) -> Server {
    builder.set("threads", "2").expect("a number").start().expect("it starts")
}

fn figure(server: &Server, name: &str) -> u64 {
    let report = server.session().execute(&["INFO", "clients"]);
    let report = String::from_utf8_lossy(report.as_bytes().expect("a text")).into_owned();
    let figure = report.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    figure.and_then(|figure| figure.parse().ok()).unwrap_or_else(|| panic!("no {name} in {report}"))
}
