//! What a connection notices and tells beside its commands: signs of life, a peer that reads slowly or leaves, its figures
//! in CLIENT LIST. Servers are embedded, with one network thread and a clock that stands still until it is moved.
//!
//! That a sweep for idle clients has happened is seen by an idle one that came last: it is closed after all others were
//! looked at.

use std::io::{ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shardis_server::log::{Level, Sink};
use shardis_server::{Clock, Server, ServerBuilder, Value};
use shardis_tests::client::{Client, PATIENCE, encode};
use shardis_tests::reply::Reply;
use shardis_tests::server::eventually;

/// More than the buffers of two sockets take.
const BIG_BYTES: usize = 30_000_000;
/// Less than the timeout, which is one second; twice as long is more.
const MOST_OF_TIMEOUT: Duration = Duration::from_millis(700);
/// So many that one is caught which leaves after its reply.
const LEAVING_CLIENTS: usize = 100;
/// Longer than any test: it ends with its server.
const FOREVER_SECONDS: &str = "1000";

#[test]
fn a_client_that_sends_slowly_is_not_idle() {
    let server = start(builder().set("timeout", "1").expect("a number"));
    let mut slow = connect(&server);
    let command = encode(&["SET", "k", "0123456789"]);
    let (mut sent, mut idle) = (0, connect(&server));
    for byte in &command[..command.len() - 1] {
        slow.send_raw(&[*byte]).expect("it is read");
        sent += 1;
        let is_read = || list(&server, &slow).is_some_and(|line| field(&line, "qbuf") == sent.to_string());
        assert!(eventually(PATIENCE, is_read), "{:?} after {sent} bytes", list(&server, &slow));
        if sent % 10 == 0 {
            server.clock().advance(MOST_OF_TIMEOUT);
        }
    }
    assert!(idle.is_closed());
    slow.send_raw(b"\n").expect("it is read");
    assert_eq!(slow.reply().expect("a reply"), Reply::simple("OK"));
}

#[test]
fn a_client_that_reads_slowly_is_not_idle() {
    let server = start(builder().set("timeout", "1").expect("a number"));
    let mut slow = connect(&server);
    let mut left = ask_for_much(&server, &mut slow);
    let mut idle = connect(&server);
    while left > 0 {
        let before = unsent_bytes(&server, &slow);
        // So much that the server can send more of what is left.
        left -= read_some(&slow, left.min(BIG_BYTES / 4));
        let has_gone_on = || before == 0 || unsent_bytes(&server, &slow) < before;
        assert!(eventually(PATIENCE, has_gone_on), "nothing more is sent");
        if before > 0 {
            server.clock().advance(MOST_OF_TIMEOUT);
        }
    }
    assert!(idle.is_closed());
    assert_eq!(slow.call(&["PING"]).expect("it is still there"), Reply::simple("PONG"));
}

#[test]
fn a_client_whose_command_waits_is_not_idle_until_it_has_been_answered() {
    let server = start(builder().set("timeout", "1").expect("a number"));
    let (mut long, mut parked, mut computing) = (connect(&server), connect(&server), connect(&server));
    long.send_raw(&encode(&["DEBUG", "SLEEP", "1.5"])).expect("it is read");
    wait_until_held(&server);
    begin(&server, &mut parked, &["GET", "k"]);
    begin(&server, &mut computing, &["COMPUTE.COUNT", "*", "ISOLATION", "FUZZY", "TIMEOUT", "0"]);
    let mut idle = connect(&server);
    assert_eq!(idle.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
    server.clock().advance(Duration::from_secs(10));
    assert!(idle.is_closed());
    assert_eq!(long.reply().expect("a reply"), Reply::simple("OK"));
    assert_eq!(parked.reply().expect("a reply"), Reply::Nil);
    assert_eq!(computing.reply().expect("a reply"), Reply::Integer(0));
    for client in [&long, &parked, &computing] {
        assert_eq!(field(&list(&server, client).expect("it is connected"), "idle"), "0");
    }
}

#[test]
fn replies_in_front_of_a_command_that_waits_are_sent_meanwhile() {
    let server = start(builder());
    let mut clients = [connect(&server), connect(&server), connect(&server)];
    let lengths = clients.each_mut().map(|client| ask_for_much(&server, client));
    let [long, parked, computing] = &mut clients;
    long.send_raw(&encode(&["DEBUG", "SLEEP", FOREVER_SECONDS])).expect("it is read");
    wait_until_held(&server);
    begin(&server, parked, &["GET", "k"]);
    begin(&server, computing, &["COMPUTE.COUNT", "*", "ISOLATION", "FUZZY", "TIMEOUT", "0"]);
    for (client, length) in clients.iter().zip(lengths) {
        assert_eq!(read_some(client, length), length);
    }
}

#[test]
fn a_client_that_leaves_its_computation_is_noticed_whatever_it_has_sent_ahead() {
    let server = start(builder());
    let mut long = connect(&server);
    long.send_raw(&encode(&["DEBUG", "SLEEP", FOREVER_SECONDS])).expect("it is read");
    wait_until_held(&server);
    let mut leaving = connect(&server);
    begin(&server, &mut leaving, &["COMPUTE.COUNT", "*", "ISOLATION", "FUZZY", "TIMEOUT", "0"]);
    leaving.send_raw(&b"PING\r\n".repeat(20_000)).expect("it is read");
    let address = address(&leaving);
    assert!(lines(&server).iter().any(|line| field(line, "addr") == address));
    drop(leaving);
    let has_gone = || lines(&server).iter().all(|line| field(line, "addr") != address);
    assert!(eventually(PATIENCE, has_gone), "it is waited for");
}

#[test]
fn what_a_waiting_client_sends_ahead_has_the_limit_of_its_query_buffer() {
    let server = start(builder().set("client-query-buffer-limit", "1mb").expect("a size"));
    let mut long = connect(&server);
    long.send_raw(&encode(&["DEBUG", "SLEEP", FOREVER_SECONDS])).expect("it is read");
    wait_until_held(&server);
    let mut eager = connect(&server);
    begin(&server, &mut eager, &["COMPUTE.COUNT", "*", "ISOLATION", "FUZZY", "TIMEOUT", "0"]);
    // The server may close before it has read everything.
    let _ = eager.send_raw(&b"PING\r\n".repeat(1_000_000));
    assert!(eager.is_closed());
}

#[test]
fn a_command_that_was_read_is_run_although_its_client_has_left() {
    let server = start(builder());
    let mut long = connect(&server);
    long.send_raw(&encode(&["DEBUG", "SLEEP", "0.5"])).expect("it is read");
    wait_until_held(&server);
    let mut leaving = connect(&server);
    begin(&server, &mut leaving, &["SET", "left", "behind"]);
    drop(leaving);
    assert_eq!(long.reply().expect("a reply"), Reply::simple("OK"));
    let is_set = || server.execute(&["GET", "left"]) == Value::Bulk(b"behind".to_vec());
    assert!(eventually(PATIENCE, is_set));
}

#[test]
fn the_list_of_clients_tells_what_is_left_to_send_until_nothing_is() {
    let server = start(builder());
    let mut client = connect(&server);
    let length = ask_for_much(&server, &mut client);
    let line = list(&server, &client).expect("it is connected");
    assert_eq!([field(&line, "oll"), field(&line, "events")], ["1", "rw"]);
    assert_eq!(read_some(&client, length), length);
    let is_sent = || {
        let line = list(&server, &client).expect("it is connected");
        ["omem", "oll", "events"].map(|name| field(&line, name)) == ["0", "0", "r"]
    };
    assert!(eventually(PATIENCE, is_sent), "{:?}", list(&server, &client));
}

#[test]
fn the_list_of_clients_counts_what_each_has_sent_taken_and_run() {
    let server = start(builder().set("personality", "valkey-9.1").expect("it is known"));
    let mut client = connect(&server);
    // One that succeeds, one that fails, and two that are refused before they run.
    let (mut sent, mut taken) = (0, 0);
    for command in [&["RPUSH", "list", "a"][..], &["GET", "list"], &["GET"], &["NOSUCH"]] {
        let bytes = encode(command);
        client.send_raw(&bytes).expect("it is read");
        sent += bytes.len();
        taken += client.frame(PATIENCE).expect("a reply").0.len();
    }
    let expected = [sent.to_string(), taken.to_string(), "2".to_owned()];
    let counted = |client: &Client| {
        let line = list(&server, client).expect("it is connected");
        ["tot-net-in", "tot-net-out", "tot-cmds"].map(|name| field(&line, name).to_owned())
    };
    let is_told = eventually(PATIENCE, || counted(&client) == expected);
    assert!(is_told, "{:?} instead of {expected:?}", counted(&client));
    // What runs elsewhere counts too.
    let keys: Vec<String> = (0..10_000).map(|number| format!("key:{number}")).collect();
    let many: Vec<&str> = ["EXISTS"].into_iter().chain(keys.iter().map(String::as_str)).collect();
    for command in [&many[..], &["COMPUTE.COUNT", "*", "ISOLATION", "FUZZY"]] {
        client.call(command).expect("a reply");
    }
    assert_eq!(counted(&client)[2], "4");
    client.call(&["EVAL", "redis.call('ping'); redis.call('ping')", "0"]).expect("a reply");
    assert_eq!(counted(&client)[2], "7", "the calls of a script are its caller's");
    let own = client.call(&["CLIENT", "INFO"]).expect("a reply");
    let own = String::from_utf8_lossy(own.text().expect("a line")).into_owned();
    assert_eq!(field(&own, "tot-cmds"), "7", "without the one under way");
}

#[test]
fn whoever_has_read_the_reply_to_quit_is_gone_for_all_others() {
    let server = start(builder());
    for round in 0..LEAVING_CLIENTS {
        let mut client = connect(&server);
        client.call(&["SUBSCRIBE", "news"]).expect("a confirmation");
        assert_eq!(client.call(&["QUIT"]).expect("a reply"), Reply::simple("OK"));
        assert_eq!(server.execute(&["PUBLISH", "news", "x"]), Value::Integer(0), "round {round}");
        assert_eq!(list(&server, &client), None, "round {round}");
    }
}

#[test]
fn who_quits_but_does_not_read_is_listed_and_can_be_closed() {
    let server = start(builder());
    let mut client = connect(&server);
    ask_for_much(&server, &mut client);
    client.send_raw(&encode(&["QUIT"])).expect("it is read");
    let has_quit = || list(&server, &client).is_some_and(|line| field(&line, "cmd") == "quit");
    assert!(eventually(PATIENCE, has_quit), "{:?}", list(&server, &client));
    let killed = server.execute(&["CLIENT", "KILL", "ADDR", &address(&client)]);
    assert_eq!((killed, list(&server, &client)), (Value::Integer(1), None));
}

#[test]
fn replies_of_a_client_whose_turn_ends_in_a_panic_are_sent_to_nobody_else() {
    static PANICS: AtomicBool = AtomicBool::new(true);
    let sink = Sink::Callback(Box::new(|level, line| {
        if level == Level::Verbose && line.contains("Protocol error") && PANICS.swap(false, Ordering::Relaxed)
        {
            panic!("a host whose log fails");
        }
    }));
    let server = start(builder().set("loglevel", "verbose").expect("a level").log(sink));
    let (mut unlucky, mut other) = (connect(&server), connect(&server));
    unlucky.send_raw(b"ECHO secret\r\n*1\r\n$-9\r\n").expect("it is read");
    assert!(unlucky.is_closed());
    assert!(!PANICS.load(Ordering::Relaxed), "the log was never called");
    assert_eq!(other.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
}

fn builder() -> ServerBuilder {
    let builder = Server::builder().clock(Clock::manual(Duration::from_secs(1_700_000_000)));
    let builder = builder.set("threads", "1").expect("a number");
    builder.set("enable-debug-command", "yes").expect("a switch")
}

fn start(builder: ServerBuilder) -> Server {
    builder.start().expect("it starts")
}

/// A new client, which the server has seen already.
fn connect(server: &Server) -> Client {
    let client = Client::connect(server.addr().expect("it listens")).expect("it accepts");
    assert!(eventually(PATIENCE, || list(server, &client).is_some()));
    client
}

/// Asks for a value that is too large to be sent at once, and waits until some of it is; the length of the reply.
fn ask_for_much(server: &Server, client: &mut Client) -> usize {
    let value = "x".repeat(BIG_BYTES);
    assert_eq!(server.execute(&["SET", "big", &value]), Value::Simple("OK".into()));
    client.send_raw(&encode(&["GET", "big"])).expect("it is read");
    assert!(eventually(PATIENCE, || unsent_bytes(server, client) > 0));
    format!("${BIG_BYTES}\r\n").len() + BIG_BYTES + "\r\n".len()
}

/// Reads this many bytes.
fn read_some(client: &Client, length: usize) -> usize {
    let mut stream = client.stream();
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    stream.read_exact(&mut vec![0; length]).expect("so much is sent");
    length
}

/// Waits until a long command holds all shards.
fn wait_until_held(server: &Server) {
    let is_held = eventually(PATIENCE, || {
        let mut probe = connect(server);
        begin(server, &mut probe, &["GET", "k"]);
        is_silent(&probe)
    });
    assert!(is_held, "reads are answered");
}

/// Sends a command and waits until the server has seen it and, if it can, has answered it.
fn begin(server: &Server, client: &mut Client, command: &[&str]) {
    client.send_raw(&encode(command)).expect("it is read");
    let is_seen =
        || list(server, client).is_some_and(|line| field(&line, "cmd") == command[0].to_lowercase());
    assert!(eventually(PATIENCE, is_seen), "{:?}", list(server, client));
    // The one network thread answers the next client when it has done with this one.
    let mut other = Client::connect(server.addr().expect("it listens")).expect("it accepts");
    assert_eq!(other.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
}

/// Whether the server has sent nothing that was not read yet.
fn is_silent(client: &Client) -> bool {
    let stream = client.stream();
    stream.set_nonblocking(true).expect("a socket");
    let seen = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("a socket");
    seen.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

fn unsent_bytes(server: &Server, client: &Client) -> usize {
    let line = list(server, client).expect("it is connected");
    field(&line, "omem").parse().expect("a number")
}

/// The line of a client.
fn list(server: &Server, client: &Client) -> Option<String> {
    let address = address(client);
    lines(server).into_iter().find(|line| field(line, "addr") == address)
}

fn address(client: &Client) -> String {
    client.stream().local_addr().expect("it is connected").to_string()
}

fn lines(server: &Server) -> Vec<String> {
    let list = server.execute(&["CLIENT", "LIST"]);
    let text = String::from_utf8_lossy(list.as_bytes().expect("a text")).into_owned();
    text.lines().map(str::to_owned).collect()
}

fn field<'t>(line: &'t str, name: &str) -> &'t str {
    let mut fields = line.split_ascii_whitespace().filter_map(|field| field.split_once('='));
    fields.find(|(found, _)| *found == name).unwrap_or_else(|| panic!("no {name} in {line}")).1
}
