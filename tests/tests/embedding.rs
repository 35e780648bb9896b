//! The server as a library: everything that a program which embeds one relies on.
//!
//! The tests of this file take turns, because some count the threads of the process.

use std::fs;
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Commands, ProtocolVersion, RedisConnectionInfo};
use shardis_server::log::Sink;
use shardis_server::{Clock, Server, ServerBuilder, Value};
use shardis_tests::client::{Client, PATIENCE};
use shardis_tests::server::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

/// Servers that one process runs at a time in these tests.
const SERVERS: usize = 50;
/// Starts of which the fastest counts: what others do on this machine only ever adds to it.
const STARTS: usize = 20;
/// Far above what a start takes, so that a slow machine is no failure; the figure itself is printed.
const START_PATIENCE: Duration = Duration::from_millis(20);
/// The manual clocks begin here.
const EPOCH: Duration = Duration::from_secs(1_700_000_000);

#[test]
fn a_server_listens_where_it_says() {
    let _turn = turn();
    let server = start(Server::builder().port(0));
    let address = server.addr().expect("it listens");
    assert!(address.ip().is_loopback() && address.port() != 0, "{address}");
    let others = server.addrs();
    assert!(
        others.iter().all(|other| other.ip().is_loopback() && other.port() == address.port()),
        "{others:?}"
    );
    let url = server.url().expect("it listens");
    assert_eq!(url, format!("redis://{address}/"));
    assert_serves(&url);
}

#[test]
fn a_password_is_part_of_the_url() {
    let _turn = turn();
    let builder = Server::builder().set("requirepass", "p@ss/w:rd %").expect("any text is a password");
    let server = start(builder);
    assert_serves(&server.url().expect("it listens"));
    let without = format!("redis://{}/", server.addr().expect("it listens"));
    let mut stranger =
        redis::Client::open(without).expect("a valid url").get_connection().expect("it accepts");
    assert!(stranger.get::<_, String>("k").is_err_and(|error| error.to_string().contains("NOAUTH")));
    // Whoever holds the server itself needs none.
    assert_eq!(server.execute(&["GET", "k"]), bulk("v"));
}

#[test]
fn a_unix_socket_is_there_while_the_server_is() {
    let _turn = turn();
    let path = std::env::temp_dir().join(format!("shardis-embedded-{}", std::process::id()));
    let server = start(Server::builder().no_listener().unix_socket(&path));
    assert_eq!(server.addr(), None);
    let url = server.url().expect("it listens");
    assert_eq!(url, format!("unix://{}", path.display()));
    assert_serves(&url);
    let odd = std::env::temp_dir().join(format!("shardis-embedded-{} ?%#ö", std::process::id()));
    let builder = Server::builder().set("requirepass", "p@ss&?").expect("any text is a password");
    assert_serves(&start(builder.no_listener().unix_socket(&odd)).url().expect("it listens"));
    server.stop();
    assert!(!path.exists(), "the socket stays behind");
}

#[test]
fn without_a_listener_only_the_process_itself_gets_in() {
    let _turn = turn();
    let server = start(Server::builder().no_listener());
    assert_eq!((server.addr(), server.url(), server.addrs()), (None, None, vec![]));
    assert_eq!(server.execute(&["PING"]), Value::Simple("PONG".into()));
}

#[test]
fn stop_and_drop_leave_nothing_behind() {
    let _turn = turn();
    assert_eq!(threads(), 0, "of tests before this one");
    let stopped = start(Server::builder());
    occupy(&stopped);
    assert!(threads() > 2, "{} threads", threads());
    stopped.stop();
    assert_eq!(threads(), 0);
    let address = stopped.addr().expect("it was listening");
    assert!(TcpStream::connect(address).is_err(), "the port is still open");
    stopped.stop();
    let dropped = start(Server::builder());
    occupy(&dropped);
    drop(dropped);
    assert_eq!(threads(), 0);
}

/// Makes every kind of thread start: network, executor, compute.
fn occupy(server: &Server) {
    assert_serves(&server.url().expect("it listens"));
    let mut words = vec!["MSET".to_owned()];
    (0..5000).for_each(|number| words.extend([format!("key:{number}"), "1".to_owned()]));
    let connection = || redis::Client::open(server.url().expect("it listens")).expect("a valid url");
    let mut client = connection().get_connection().expect("it accepts");
    let () = redis::cmd("MSET").arg(&words[1..]).query(&mut client).expect("a reply");
    let count = server.execute(&["COMPUTE.COUNT", "key:*", "ISOLATION", "FUZZY"]);
    assert_eq!(count, Value::Integer(5000));
}

#[test]
fn calls_from_inside_are_answered_after_a_stop_but_for_computations() {
    let _turn = turn();
    let server = start(Server::builder());
    let mut session = server.session();
    server.execute(&["SHUTDOWN"]);
    server.wait_for_shutdown();
    assert_eq!(server.execute(&["SET", "k", "v"]), ok(), "to ask is not to stop");
    server.stop();
    assert_eq!(session.execute(&["GET", "k"]), bulk("v"));
    let count = server.execute(&["COMPUTE.COUNT", "*", "ISOLATION", "FUZZY"]);
    assert_eq!(count, Value::Error("CANCELED the server is stopping".into()));
    assert_eq!(server.execute(&["FLUSHALL", "ASYNC"]), ok());
    assert_eq!(server.execute(&["DBSIZE"]), Value::Integer(0));
}

#[test]
fn a_connection_in_memory_is_one_for_the_redis_crate() {
    let _turn = turn();
    runtime().block_on(async {
        let server = start(Server::builder().no_listener());
        for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
            let settings = RedisConnectionInfo::default().set_protocol(protocol).set_db(1);
            let (mut client, driver) = MultiplexedConnection::new_with_config(
                &settings,
                server.connect(),
                AsyncConnectionConfig::new(),
            )
            .await
            .expect("a handshake");
            let driver = tokio::spawn(driver);
            let text = "x".repeat(300_000);
            let () = client.set("k", &text).await.expect("a reply");
            assert_eq!(client.get::<_, String>("k").await.expect("a reply"), text);
            let mut other = client.clone();
            let counts = tokio::join!(client.incr("count", 1), other.incr("count", 1));
            let (Ok(one), Ok(two)): (redis::RedisResult<i64>, redis::RedisResult<i64>) = counts else {
                panic!("{counts:?}")
            };
            assert_eq!(one + 1, two);
            let () = client.del("count").await.expect("a reply");
            drop((client, other));
            driver.await.expect("the driver ends when its connections have gone");
        }
    });
}

#[test]
fn connections_in_memory_end_from_either_side() {
    let _turn = turn();
    runtime().block_on(async {
        let server = start(Server::builder().no_listener());
        let mut session = server.session();
        let mut clients = || {
            let list = session.execute(&["CLIENT", "LIST"]);
            list.as_bytes().map_or(0, |list| list.iter().filter(|&&byte| byte == b'\n').count())
        };
        let before = clients();
        let mut stream = server.connect();
        stream.write_all(b"PING\r\nQUIT\r\n").await.expect("it is read");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it ends");
        assert_eq!(answer, "+PONG\r\n+OK\r\n");
        drop(server.connect());
        assert!(eventually(PATIENCE, || clients() == before), "a connection stays");
        let mut stream = server.connect();
        server.stop();
        assert_eq!(stream.read(&mut [0]).await.expect("it is closed"), 0);
    });
}

#[test]
fn sessions_have_their_own_database_and_name() {
    let _turn = turn();
    let server = start(Server::builder().no_listener());
    let (mut one, mut two) = (server.session(), server.session());
    assert_eq!(one.execute(&["SELECT", "5"]), ok());
    assert_eq!(one.execute(&["CLIENT", "SETNAME", "one"]), ok());
    assert_eq!(one.execute(&["SET", "k", "in five"]), ok());
    assert_eq!(two.execute(&["GET", "k"]), Value::Null);
    assert_eq!(two.execute(&["CLIENT", "GETNAME"]), Value::Null);
    assert_eq!(server.execute(&["EXISTS", "k"]), Value::Integer(0));
    assert!(one.execute(&["LPUSH", "k", "x"]).is_error());
    assert!(one.execute(&[] as &[&str]).is_error());
}

#[test]
fn a_session_may_ask_for_no_answers() {
    let _turn = turn();
    let server = start(Server::builder().no_listener());
    let mut session = server.session();
    let commands =
        [&["COMPUTE.COUNT", "*", "ISOLATION", "FUZZY"][..], &["BLPOP", "nothing", "0.001"], &["GET", "k"]];
    for command in commands {
        assert_eq!(session.execute(&["CLIENT", "REPLY", "SKIP"]), Value::Null);
        assert_eq!(session.execute(command), Value::Null, "{command:?}");
        assert_eq!(session.execute(&["ECHO", "heard"]), bulk("heard"), "{command:?}");
    }
    assert_eq!(session.execute(&["CLIENT", "REPLY", "OFF"]), Value::Null);
    for command in commands {
        assert_eq!(session.execute(command), Value::Null, "{command:?}");
    }
    assert_eq!(session.execute(&["CLIENT", "REPLY", "ON"]), ok());
}

#[test]
fn a_manual_clock_moves_everything_that_asks_for_the_time() {
    let _turn = turn();
    let server = start(manual().set("timeout", "300").expect("a number"));
    let url = server.url().expect("it listens");
    let mut idle = redis::Client::open(url).expect("a valid url").get_connection().expect("it accepts");
    let () = idle.set_ex("k", "v", 100).expect("a reply");
    assert_eq!(seconds(&server), EPOCH.as_secs());

    server.clock().advance(Duration::from_secs(60));
    assert_eq!(seconds(&server), EPOCH.as_secs() + 60);
    assert_eq!(server.execute(&["TTL", "k"]), Value::Integer(40));
    assert_eq!(server.execute(&["OBJECT", "IDLETIME", "k"]), Value::Integer(60));
    assert_eq!(field(&server.execute(&["CLIENT", "LIST"]), "idle="), "60");
    assert_eq!(field(&server.execute(&["INFO", "server"]), "uptime_in_seconds:"), "60");
    // Still served, and with that no longer idle.
    assert_eq!(idle.get::<_, Option<String>>("k").expect("a reply").as_deref(), Some("v"));

    server.clock().set(EPOCH + Duration::from_secs(161));
    assert_eq!(server.execute(&["GET", "k"]), Value::Null);
    let () = idle.set("k", "w").expect("a reply");
    server.clock().advance(Duration::from_secs(301));
    let is_closed =
        eventually(PATIENCE, || field(&server.execute(&["INFO", "clients"]), "connected_clients:") == "0");
    assert!(is_closed, "a client has been idle for longer than the timeout");
    assert!(idle.get::<_, String>("k").is_err());
}

#[test]
fn keys_expire_by_a_manual_clock_without_being_touched() {
    let _turn = turn();
    let server = start(manual());
    for number in 0..1000 {
        let milliseconds = (1000 + number).to_string();
        assert_eq!(server.execute(&["SET", &format!("key:{number}"), "v", "PX", &milliseconds]), ok());
    }
    server.clock().advance(Duration::from_millis(999));
    assert_eq!(server.execute(&["DBSIZE"]), Value::Integer(1000));
    server.clock().advance(Duration::from_secs(2));
    let moves = || server.clock().advance(Duration::from_secs(1));
    let is_empty = eventually(PATIENCE, || {
        moves();
        server.execute(&["DBSIZE"]) == Value::Integer(0)
    });
    assert!(is_empty, "{:?} keys are left", server.execute(&["DBSIZE"]));
}

#[test]
fn a_clock_that_is_set_back_stops_no_periodic_task() {
    let _turn = turn();
    let server = start(manual().no_listener());
    let is_empty = |server: &Server| {
        eventually(PATIENCE, || {
            server.clock().advance(Duration::from_secs(1));
            server.execute(&["DBSIZE"]) == Value::Integer(0)
        })
    };
    server.execute(&["SET", "before", "v", "EX", "1"]);
    assert!(is_empty(&server), "nothing expires");
    // Further back than the clock moves in the patience of this test.
    server.clock().set(EPOCH - Duration::from_secs(10_000_000));
    server.execute(&["SET", "after", "v", "EX", "1"]);
    assert!(is_empty(&server), "nothing expires any more");
}

#[test]
fn a_manual_clock_runs_when_it_is_told_to_and_freezes_again() {
    let _turn = turn();
    let server = start(manual().no_listener());
    let now = || server.clock().now_us();
    let before = now();
    server.clock().resume();
    assert!(eventually(PATIENCE, || now() > before), "it stands still");
    server.clock().freeze();
    let frozen = now();
    assert!(!eventually(Duration::from_millis(10), || now() != frozen), "it runs");
    server.clock().set(EPOCH + Duration::from_secs(7));
    assert_eq!(seconds(&server), EPOCH.as_secs() + 7);
}

#[test]
fn a_seed_makes_chance_repeatable() {
    let _turn = turn();
    let observe = |seed| {
        let server = start(Server::builder().no_listener().seed(seed).clock(Clock::manual(EPOCH)));
        (0..300).for_each(|number| assert_eq!(server.execute(&["SET", &format!("key:{number}"), "v"]), ok()));
        let mut seen: Vec<Value> = (0..100).map(|_| server.execute(&["RANDOMKEY"])).collect();
        seen.push(server.execute(&["SCAN", "0", "COUNT", "100"]));
        seen.push(server.execute(&["KEYS", "*"]));
        seen.push(Value::Simple(field(&server.execute(&["INFO", "server"]), "run_id:")));
        seen
    };
    assert_eq!(observe(1), observe(1));
    let (one, two) = (observe(1), observe(2));
    (0..one.len()).skip(100).for_each(|index| assert_ne!(one[index], two[index], "{index}"));
    assert_ne!(one[..100], two[..100]);
}

#[test]
fn each_call_of_a_server_is_as_the_first() {
    let _turn = turn();
    let server = start(Server::builder().no_listener().set("requirepass", "secret").expect("a password"));
    let words: [&[&str]; 4] = [&["RESET"], &["SELECT", "7"], &["HELLO", "2"], &["CLIENT", "SETNAME", "me"]];
    for words in words {
        let answer = server.execute(words);
        assert!(!matches!(answer, Value::Error(_)), "{words:?}: {answer:?}");
        assert_eq!(server.execute(&["SET", "k", "v"]), ok(), "{words:?}");
        assert_eq!(server.execute(&["GET", "nothing"]), Value::Null, "{words:?}");
        let client = server.execute(&["CLIENT", "INFO"]);
        let fields = ["db=", "resp=", "name="].map(|name| field(&client, &format!(" {name}")));
        assert_eq!(&fields[..2], ["0", "3"], "{words:?}");
        assert!(fields[2].is_empty() || fields[2].contains('='), "{words:?}: {client:?}");
    }
    let mut session = server.session();
    assert_eq!(session.execute(&["SELECT", "7"]), ok());
    assert_eq!(session.execute(&["EXISTS", "k"]), Value::Integer(0));
    assert_eq!(session.execute(&["RESET"]), Value::Simple("RESET".into()));
    assert_eq!(session.execute(&["EXISTS", "k"]), Value::Integer(1), "it is still trusted");
}

#[test]
fn calls_may_come_from_inside_a_runtime() {
    let _turn = turn();
    runtime().block_on(async {
        let server = start(Server::builder().no_listener());
        assert_eq!(server.execute(&["SET", "k", "v"]), ok());
        let count = server.execute(&["COMPUTE.COUNT", "*", "ISOLATION", "FUZZY"]);
        assert_eq!(count, Value::Integer(1));
        server.request_shutdown();
        server.wait_for_shutdown();
    });
}

#[test]
fn a_long_call_of_the_host_keeps_only_those_waiting_who_need_the_data() {
    let _turn = turn();
    let server = start(sleepy(Server::builder()));
    assert_eq!(server.execute(&["SET", "k", "v"]), ok());
    let address = server.addr().expect("it listens");
    let client = || Client::connect(address).expect("it accepts");
    let mut awake = client();
    let asleep = put_to_sleep(&server);
    let mut parked = None;
    let is_parked = eventually(PATIENCE, || {
        let mut reading = client();
        reading.send_raw(b"GET k\r\n").expect("it is read");
        ping(&mut awake);
        let is_silent = reading.frame(Duration::from_millis(1)).is_err();
        parked = Some(reading);
        is_silent || asleep.is_finished()
    });
    (0..200).for_each(|_| ping(&mut awake));
    assert!(is_parked && !asleep.is_finished(), "the sleep ended before the others were served");
    assert_eq!(asleep.join().expect("it has only slept"), ok());
    let value = parked.expect("one was made").reply().expect("a reply");
    assert_eq!(value.text(), Some(b"v".as_slice()));
}

#[test]
fn whoever_holds_the_data_for_seconds_keeps_one_look_at_the_memory_waiting_and_not_more() {
    let _turn = turn();
    let server = start(sleepy(manual()));
    let mut awake = Client::connect(server.addr().expect("it listens")).expect("it accepts");
    let asleep = put_to_sleep(&server);
    assert!(eventually(PATIENCE, || {
        server.clock().advance(Duration::from_secs(1));
        ping(&mut awake);
        threads_named("shardis-exec-") == 1
    }));
    for _ in 0..20 {
        server.clock().advance(Duration::from_secs(1));
        // By the second reply, what the clock has woken on the same thread has had its turn.
        (0..2).for_each(|_| ping(&mut awake));
    }
    assert!(!asleep.is_finished(), "the sleep ended too soon");
    assert_eq!(threads_named("shardis-exec-"), 1);
    asleep.join().expect("it has only slept");
}

/// With one network thread, and commands that hold the data.
fn sleepy(builder: ServerBuilder) -> ServerBuilder {
    let builder = builder.set("threads", "1").expect("a number");
    builder.set("enable-debug-command", "yes").expect("a word")
}

/// Holds all the data for a while, from a thread of its own.
fn put_to_sleep(server: &Server) -> JoinHandle<Value> {
    let mut session = server.session();
    std::thread::spawn(move || session.execute(&["DEBUG", "SLEEP", "1.5"]))
}

fn ping(client: &mut Client) {
    let reply = client.call(&["PING"]).expect("a reply");
    assert_eq!(reply.text(), Some(b"PONG".as_slice()));
}

#[test]
fn servers_of_one_process_share_nothing() {
    let _turn = turn();
    let (one, two) = (start(Server::builder()), start(manual()));
    assert_serves(&one.url().expect("it listens"));
    assert_eq!(one.execute(&["CONFIG", "SET", "maxclients", "7"]), ok());
    two.clock().advance(Duration::from_secs(1_000_000));
    assert_eq!(two.execute(&["DBSIZE"]), Value::Integer(0));
    assert_ne!(two.config().maxclients.value(), 7);
    assert_ne!(seconds(&one), seconds(&two));
    assert_ne!(run_id(&one), run_id(&two));
    assert_eq!(field(&two.execute(&["INFO", "stats"]), "total_connections_received:"), "0");
    assert_eq!(used_memory(&two), used_memory(&start(manual())));
    drop(one);
    assert_serves(&two.url().expect("it listens"));
}

#[test]
fn fifty_servers_run_at_once() {
    let _turn = turn();
    let servers: Vec<Server> = (0..SERVERS).map(|_| start(Server::builder())).collect();
    for (number, server) in servers.iter().enumerate() {
        assert_eq!(server.execute(&["SET", "number", &number.to_string()]), ok());
    }
    for (number, server) in servers.iter().enumerate() {
        assert_eq!(server.execute(&["GET", "number"]), bulk(&number.to_string()));
        assert_serves(&server.url().expect("it listens"));
    }
    drop(servers);
    assert_eq!(threads(), 0);
}

#[test]
fn a_start_takes_no_time_worth_mentioning() {
    let _turn = turn();
    let time = |_| {
        let before = Instant::now();
        let server = start(Server::builder());
        let took = before.elapsed();
        assert_serves(&server.url().expect("it listens"));
        took
    };
    let fastest = (0..STARTS).map(time).min().expect("there are some");
    println!("the fastest of {STARTS} starts took {fastest:?}");
    assert!(fastest < START_PATIENCE, "{fastest:?}");
}

#[test]
fn a_server_tells_its_log_and_can_be_asked_to_stop() {
    let _turn = turn();
    let lines = std::sync::Arc::new(Mutex::new(Vec::new()));
    let sink = Sink::Callback(Box::new({
        let lines = lines.clone();
        move |_, line| lines.lock().expect("no writer panicked").push(line.to_owned())
    }));
    let server = start(Server::builder().log(sink));
    let handle = server.shutdown_handle();
    server.log().notice("a line of mine");
    let asking = std::thread::spawn(move || handle.request());
    server.wait_for_shutdown();
    asking.join().expect("it has only asked");
    assert!(lines.lock().expect("no writer panicked").contains(&"a line of mine".to_owned()));
}

#[test]
fn what_cannot_be_had_is_an_error() {
    let _turn = turn();
    let first = start(Server::builder());
    let port = first.addr().expect("it listens").port();
    let taken = Server::builder().port(port).start().map(|_| ());
    assert!(taken.is_err_and(|error| error.to_string().contains("Address already in use")));
    assert!(Server::builder().set("nosuch", "1").is_err());
    assert!(Server::builder().set("databases", "0").is_err());
    assert!(Server::builder().set("databases", "65536").is_err());
    assert!(Server::builder().set("appendonly", "yes").is_err());
    drop(first);
    assert_eq!(threads(), 0);
}

/// Holds the turn of a test. A test that has failed while it had it is no reason for the others to fail too.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the clients need; the server brings its own.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn start(builder: ServerBuilder) -> Server {
    builder.start().expect("it starts")
}

fn manual() -> ServerBuilder {
    Server::builder().clock(Clock::manual(EPOCH))
}

/// Threads of servers in this process.
fn threads() -> usize {
    threads_named("shardis-")
}

fn threads_named(start: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("a process has threads");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with(start)).count()
}

fn assert_serves(url: &str) {
    let client = redis::Client::open(url).expect("a valid url");
    let mut connection = client.get_connection().unwrap_or_else(|error| panic!("{url}: {error}"));
    let () = connection.set("k", "v").expect("a reply");
    assert_eq!(connection.get::<_, String>("k").expect("a reply"), "v");
}

fn seconds(server: &Server) -> u64 {
    let Value::Array(time) = server.execute(&["TIME"]) else { panic!("TIME answers an array") };
    let seconds = time[0].as_bytes().expect("seconds");
    String::from_utf8_lossy(seconds).parse().expect("a number")
}

fn run_id(server: &Server) -> String {
    field(&server.execute(&["INFO", "server"]), "run_id:")
}

fn used_memory(server: &Server) -> String {
    field(&server.execute(&["INFO", "memory"]), "used_memory:")
}

/// What stands behind `name` in a text, up to the next white space.
fn field(text: &Value, name: &str) -> String {
    let text = String::from_utf8_lossy(text.as_bytes().expect("a text")).into_owned();
    let (_, rest) = text.split_once(name).unwrap_or_else(|| panic!("no {name} in {text}"));
    rest.split_whitespace().next().unwrap_or_default().to_owned()
}

fn bulk(text: &str) -> Value {
    Value::Bulk(text.into())
}

fn ok() -> Value {
    Value::Simple("OK".into())
}
