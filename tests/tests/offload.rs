//! Nothing long runs on a network thread: with one such thread, whatever takes long keeps waiting only those who need
//! the same data, and every reply comes in its place.
//!
//! What has to be under way is waited for by its effect: a read of any key that gets no answer.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

use shardis_server::Clock;
use shardis_tests::client::{Client, PATIENCE, encode};
use shardis_tests::reply::Reply;
use shardis_tests::server::{Server, eventually};

/// Far more than is done on a network thread in one go.
const MANY_KEYS: usize = 5000;
/// As many keys as take a walk over them some time.
const KEYS_TO_WALK: usize = 300_000;
/// Long enough for hundreds of round trips.
const SLEEP_SECONDS: &str = "1.5";
/// It holds for every key, and takes the interpreter some hundred steps for each.
const SLOW_CONDITION: &str = "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, a * b + len > 0))";
/// Threads of the executor for long commands.
const EXECUTOR_THREADS: usize = 4;
/// Exchanges with a server that does something long.
const ROUND_TRIPS: usize = 200;

fn ours() -> Server {
    Server::ours("redis-7.2", &["--threads", "1"])
}

#[test]
fn a_sleeping_command_holds_up_nobody_who_needs_no_data() {
    let server = ours();
    let mut clients = Clients::of(&server);
    let mut parked = clients.put_to_sleep(&server);
    for _ in 0..ROUND_TRIPS {
        assert_eq!(call(&mut clients.awake, &["PING"]), Reply::simple("PONG"));
        assert_eq!(call(&mut clients.awake, &["ECHO", "hello"]), bulk("hello"));
    }
    // A new connection is accepted by the same thread.
    assert_eq!(call(&mut server.client(), &["PING"]), Reply::simple("PONG"));
    assert!(is_silent(&parked), "a read was answered although all shards are held");
    assert!(is_silent(&clients.asleep), "the sleep ended before the others were served");
    assert_eq!(clients.asleep.reply().expect("a reply"), Reply::simple("OK"));
    assert_eq!(parked.reply().expect("a reply"), bulk("v"));
}

#[test]
fn statistics_are_reset_elsewhere() {
    let server = ours();
    let mut clients = Clients::of(&server);
    let mut parked = clients.put_to_sleep(&server);
    let mut resetting = server.client();
    resetting.send_raw(&encode(&["CONFIG", "RESETSTAT"])).expect("it is read");
    for _ in 0..ROUND_TRIPS {
        assert_eq!(call(&mut clients.awake, &["PING"]), Reply::simple("PONG"));
    }
    assert!(is_silent(&clients.asleep), "the sleep ended before the others were served");
    assert_eq!(parked.reply().expect("a reply"), bulk("v"));
    assert_eq!(resetting.reply().expect("a reply"), Reply::simple("OK"));
}

#[test]
fn parked_commands_keep_their_order_with_those_behind_them() {
    let server = ours();
    let mut clients = Clients::of(&server);
    let mut parked = clients.put_to_sleep(&server);
    send(&mut parked, &[&["PING"], &["SET", "k", "w"], &["GET", "k"], &["DEL", "k"], &["GET", "k"]]);
    for _ in 0..ROUND_TRIPS {
        assert_eq!(call(&mut clients.awake, &["PING"]), Reply::simple("PONG"));
    }
    assert!(is_silent(&parked) && is_silent(&clients.asleep));
    let expected =
        [bulk("v"), Reply::simple("PONG"), Reply::simple("OK"), bulk("w"), Reply::Integer(1), Reply::Nil];
    assert_eq!(replies(&mut parked, expected.len()), expected);
}

#[test]
fn commands_behind_an_offloaded_one_keep_their_order() {
    let server = ours();
    let mut client = server.client();
    send(
        &mut client,
        &[
            &["SET", "k", "v"],
            &["DEBUG", "SLEEP", "0.1"],
            &["GET", "k"],
            &["KEYS", "*"],
            &["PING"],
            &["DEBUG", "SLEEP", "0.1"],
            &["DEL", "k"],
            &["DBSIZE"],
        ],
    );
    let keys = Reply::Items(shardis_tests::reply::Kind::Array, vec![bulk("k")]);
    let expected = [
        Reply::simple("OK"),
        Reply::simple("OK"),
        bulk("v"),
        keys,
        Reply::simple("PONG"),
        Reply::simple("OK"),
        Reply::Integer(1),
        Reply::Integer(0),
    ];
    assert_eq!(replies(&mut client, expected.len()), expected);
}

/// Behind a command whose reply comes later, the start of another is not remembered as something that it is not.
#[test]
fn a_pipeline_cut_anywhere_behind_an_offloaded_command_is_read_as_it_was_written() {
    let server = ours();
    let mut client = server.client();
    let like_a_command = "x\r\n*1\r\n$8\r\nFLUSHALL\r\ny";
    let words: [&[&str]; 6] = [
        &["INFO", "server"],
        &["SET", "k", like_a_command],
        &["COMPUTE.COUNT", "*", "ISOLATION", "FUZZY"],
        &["GET", "k"],
        &["KEYS", "k"],
        &["ECHO", like_a_command],
    ];
    let pipeline: Vec<u8> = words.iter().flat_map(|words| encode(words)).chain(*b"PING later\r\n").collect();
    for cut in encode(words[0]).len()..pipeline.len() {
        client.send_raw(&pipeline[..cut]).expect("it is read");
        // Its first reply shows that it has seen the first part.
        let info = client.reply().expect("a reply");
        assert!(info.text().is_some_and(|text| text.starts_with(b"# Server")), "{info:?}");
        client.send_raw(&pipeline[cut..]).expect("it is read");
        let replies = replies(&mut client, words.len());
        let expected = [Reply::simple("OK"), bulk(like_a_command), bulk(like_a_command), bulk("later")];
        assert_eq!(
            [&replies[0], &replies[2], &replies[4], &replies[5]].map(Clone::clone),
            expected,
            "cut at {cut}"
        );
    }
}

#[test]
fn an_offloaded_command_runs_for_its_own_client() {
    let server = ours();
    let mut client = Client::connect_speaking(server.address(), 3).expect("it accepts");
    assert_eq!(call(&mut client, &["SELECT", "5"]), Reply::simple("OK"));
    fill(&mut client, MANY_KEYS);
    assert_eq!(call(&mut client, &["KEYS", "*"]).items().len(), MANY_KEYS);
    let names = names(MANY_KEYS + 1);
    let command = Vec::from_iter(["MGET"].into_iter().chain(names.iter().map(String::as_str)));
    let values = call(&mut client, &command);
    assert_eq!(values.items().last(), Some(&Reply::Null), "its protocol is still the third");
    assert_eq!(call(&mut client, &["SELECT", "0"]), Reply::simple("OK"));
    assert_eq!(call(&mut client, &["KEYS", "*"]).items(), []);
}

#[test]
fn a_walk_over_many_keys_answers_once_and_lets_others_in() {
    let server = ours();
    let (mut walking, mut others) = (server.client(), server.client());
    fill(&mut walking, KEYS_TO_WALK);
    for pattern in ["*", "nothing*", "key:1*"] {
        walking.send_raw(&encode(&["KEYS", pattern])).expect("it is read");
        assert_eq!(call(&mut others, &["PING"]), Reply::simple("PONG"));
        assert_eq!(call(&mut others, &["GET", "key:7"]), bulk("7"));
        let names = names(KEYS_TO_WALK);
        let expected = match pattern {
            "*" => names.len(),
            _ => names.iter().filter(|name| pattern != "nothing*" && name.starts_with("key:1")).count(),
        };
        assert_eq!(walking.reply().expect("a reply").items().len(), expected, "{pattern}");
    }
}

#[test]
fn a_client_that_leaves_during_its_command_harms_nobody() {
    let server = ours();
    let mut clients = Clients::of(&server);
    let mut parked = clients.put_to_sleep(&server);
    let gone_while_parked = clients.park(&server);
    drop(clients.asleep);
    drop(gone_while_parked);
    for _ in 0..ROUND_TRIPS {
        assert_eq!(call(&mut clients.awake, &["PING"]), Reply::simple("PONG"));
    }
    assert_eq!(parked.reply().expect("a reply"), bulk("v"));
    assert_eq!(call(&mut clients.awake, &["SET", "k", "after"]), Reply::simple("OK"));
    assert_eq!(call(&mut parked, &["GET", "k"]), bulk("after"));
    let connected = || {
        let list = server.client().call(&["CLIENT", "LIST"]).expect("a reply");
        list.text().map_or(0, |text| text.iter().filter(|&&byte| byte == b'\n').count())
    };
    assert!(eventually(PATIENCE, || connected() == 3), "{} connections", connected());
}

#[test]
fn several_long_commands_wait_for_each_other_and_for_nobody_else() {
    let server = ours();
    let mut sleeping: Vec<Client> = (0..8).map(|_| server.client()).collect();
    sleeping.iter_mut().for_each(|client| send(client, &[&["DEBUG", "SLEEP", "0.1"], &["PING"]]));
    let mut awake = server.client();
    for _ in 0..ROUND_TRIPS {
        assert_eq!(call(&mut awake, &["PING"]), Reply::simple("PONG"));
    }
    for client in &mut sleeping {
        assert_eq!(replies(client, 2), [Reply::simple("OK"), Reply::simple("PONG")]);
    }
}

/// A computation whose words make no sense needs no data, so only reading them can keep its client waiting.
#[test]
fn long_expressions_are_read_elsewhere() {
    let server = ours();
    let mut clients = Clients::of(&server);
    let parked = clients.put_to_sleep(&server);
    // All threads that read long ones are busy: these wait for the shards.
    let mut busy: Vec<Client> = (1..EXECUTOR_THREADS).map(|_| server.client()).collect();
    busy.iter_mut().for_each(|client| send(client, &[&["COMPUTE.COUNT", "*", "ISOLATION", "ATOMIC"]]));
    let long = format!("v >{}", " v +".repeat(200));
    let queued: &[&[&str]] =
        &[&["MULTI"], &["COMPUTE.KSELECT", "k", "RETURN", "1", "v", "WHERE", &long], &["EXEC"]];
    let (mut alone, mut in_transaction) = (server.client(), server.client());
    send(&mut alone, &[&["COMPUTE.COUNT", "*", "WHERE", &long]]);
    for _ in 0..ROUND_TRIPS {
        assert_eq!(call(&mut clients.awake, &["PING"]), Reply::simple("PONG"));
        assert!(is_refused(&call(&mut clients.awake, &["COMPUTE.COUNT", "*", "WHERE", "v > v +"])));
    }
    assert!(is_silent(&alone), "a long expression was read on the network thread");
    assert!(is_silent(&parked) && is_silent(&clients.asleep), "the sleep ended before");
    assert!(is_refused(&alone.reply().expect("a reply")));
    send(&mut in_transaction, queued);
    let replies = replies(&mut in_transaction, 3);
    assert!(is_refused(&replies[2].items()[0]), "{replies:?}");
}

fn is_refused(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(text) if text.starts_with(b"BADEXPR"))
}

/// While it holds everything it looks whether anybody still waits for its answer; otherwise it would go on for half a minute.
#[test]
fn an_atomic_run_whose_client_leaves_lets_the_others_in() {
    let server = ours();
    let mut filling = server.client();
    fill(&mut filling, KEYS_TO_WALK);
    let reads = ["COMPUTE.COUNT", "*", "ISOLATION", "ATOMIC", "TIMEOUT", "0", "WHERE", SLOW_CONDITION];
    let writes = ["COMPUTE.APPLY", "*", "ISOLATION", "ATOMIC", "TIMEOUT", "0", "WHERE", SLOW_CONDITION];
    for words in [reads.to_vec(), [&writes[..], &["DO", "DEL"]].concat()] {
        let mut clients = Clients::of(&server);
        clients.asleep.send_raw(&encode(&words)).expect("it is read");
        let mut parked = clients.park(&server);
        drop(clients.asleep);
        assert_eq!(parked.reply().expect("a reply"), bulk("v"));
        assert_eq!(call(&mut parked, &["SET", "k", "w"]), Reply::simple("OK"));
        assert_eq!(call(&mut parked, &["DBSIZE"]), Reply::Integer(KEYS_TO_WALK as i64 + 1));
    }
}

#[test]
fn the_time_that_an_atomic_run_waits_for_shards_counts() {
    let server = ours();
    let mut clients = Clients::of(&server);
    let parked = clients.put_to_sleep(&server);
    let mut client = server.client();
    send(&mut client, &[&["COMPUTE.COUNT", "*", "ISOLATION", "ATOMIC", "TIMEOUT", "1"]]);
    let text = "DEADLINE the computation has reached its TIMEOUT of 1 ms, scanned=0";
    assert_eq!(client.reply().expect("a reply"), Reply::Error(text.into()));
    drop(parked);
}

#[test]
fn thousands_of_keys_in_one_command_are_exact() {
    let server = ours();
    let mut client = server.client();
    fill(&mut client, MANY_KEYS);
    let names = names(MANY_KEYS * 2);
    let command = |name| Vec::from_iter([name].into_iter().chain(names.iter().map(String::as_str)));
    let values = call(&mut client, &command("MGET"));
    let expected = (0..MANY_KEYS * 2)
        .map(|number| if number < MANY_KEYS { bulk(&number.to_string()) } else { Reply::Nil });
    assert!(values.items().iter().cloned().eq(expected));
    let half = Reply::Integer(MANY_KEYS as i64);
    for name in ["EXISTS", "TOUCH", "UNLINK"] {
        assert_eq!(call(&mut client, &command(name)), half, "{name}");
    }
    fill(&mut client, MANY_KEYS);
    assert_eq!(call(&mut client, &command("DEL")), half);
    assert_eq!(call(&mut client, &command("DEL")), Reply::Integer(0));
    assert_eq!(call(&mut client, &["DBSIZE"]), Reply::Integer(0));
}

#[test]
fn flushes_take_everything_before_them_and_nothing_behind() {
    let server = ours();
    let mut client = server.client();
    let empty_bytes = used_memory(&mut client);
    for command in [
        &["FLUSHALL", "SYNC"][..],
        &["FLUSHALL", "ASYNC"],
        &["FLUSHDB", "SYNC"],
        &["FLUSHDB", "ASYNC"],
        &["FLUSHALL"],
    ] {
        fill(&mut client, KEYS_TO_WALK);
        assert!(used_memory(&mut client) > empty_bytes + KEYS_TO_WALK as u64);
        send(&mut client, &[command, &["SET", "later", "v"], &["DBSIZE"], &["DEL", "later"]]);
        let expected = [Reply::simple("OK"), Reply::simple("OK"), Reply::Integer(1), Reply::Integer(1)];
        assert_eq!(replies(&mut client, expected.len()), expected, "{command:?}");
        let is_given_back = || used_memory(&mut client) < empty_bytes + KEYS_TO_WALK as u64;
        assert!(eventually(PATIENCE, is_given_back), "{command:?} keeps memory");
    }
}

#[test]
fn a_command_that_is_offloaded_counts_its_lookups_once() {
    let server = ours();
    let mut client = server.client();
    let elements: Vec<String> =
        names(MANY_KEYS).into_iter().flat_map(|name| [name, "v".to_owned()]).collect();
    let elements: Vec<&str> = elements.iter().map(String::as_str).collect();
    call(&mut client, &[&["RPUSH", "list"], &elements[..]].concat());
    call(&mut client, &[&["HSET", "hash"], &elements[..]].concat());
    let members: Vec<&str> = elements.chunks(2).flat_map(|pair| ["1", pair[0]]).collect();
    call(&mut client, &[&["ZADD", "sorted"], &members[..]].concat());
    let text = "x".repeat(MANY_KEYS);
    call(&mut client, &["MSET", "one", &text, "two", &text]);
    for (command, hits, misses) in [
        (&["LRANGE", "list", "0", "-1"][..], 1, 0),
        (&["HGETALL", "hash"], 1, 0),
        (&["HKEYS", "hash"], 1, 0),
        (&["HVALS", "hash"], 1, 0),
        (&["HRANDFIELD", "hash", "1000000"], 1, 0),
        (&["LPOS", "list", "nothing"], 1, 0),
        (&["SORT", "list", "ALPHA"], 1, 0),
        (&["ZRANDMEMBER", "sorted", "1000000"], 1, 0),
        (&["ZUNION", "2", "sorted", "missing"], 1, 1),
        (&["COPY", "hash", "copy"], 1, 0),
        (&["LCS", "one", "two", "LEN"], 2, 0),
    ] {
        call(&mut client, &["CONFIG", "RESETSTAT"]);
        call(&mut client, command);
        let counted = (client.figure("keyspace_hits"), client.figure("keyspace_misses"));
        assert_eq!(counted, (hits, misses), "{command:?}");
    }
}

#[test]
fn a_reply_of_many_blocks_is_exact() {
    let server = ours();
    let mut client = server.client();
    let elements = names(KEYS_TO_WALK);
    let words: Vec<&str> = elements.iter().map(String::as_str).collect();
    for words in words.chunks(1000) {
        call(&mut client, &[&["RPUSH", "list"], words].concat());
        call(&mut client, &[&["SADD", "set"], words].concat());
    }
    let listed = call(&mut client, &["LRANGE", "list", "0", "-1"]);
    let expected: Vec<Reply> = words.iter().map(|word| bulk(word)).collect();
    assert!(listed.items() == expected, "another list");
    // Its length is known last.
    let common = call(&mut client, &["SINTER", "set", "set"]);
    let members: HashSet<&[u8]> = common.items().iter().filter_map(Reply::text).collect();
    assert!(
        members == words.iter().map(|word| word.as_bytes()).collect() && common.items().len() == words.len()
    );
    assert_eq!(call(&mut client, &["ECHO", "behind"]), bulk("behind"));
}

#[test]
fn a_random_key_is_found_behind_any_number_of_expired_ones() {
    let clock = Clock::manual(Duration::from_secs(1_700_000_000));
    let builder = shardis_server::Server::builder().port(0).clock(clock.clone());
    let server =
        builder.set("enable-debug-command", "yes").expect("it is allowed").start().expect("it starts");
    let mut client = Client::connect(server.addr().expect("it listens")).expect("it accepts");
    call(&mut client, &["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    for name in names(MANY_KEYS) {
        call(&mut client, &["SET", &name, "v", "PX", "1"]);
    }
    call(&mut client, &["SET", "live", "v"]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(call(&mut client, &["RANDOMKEY"]), bulk("live"));
    call(&mut client, &["DEL", "live"]);
    assert_eq!(call(&mut client, &["RANDOMKEY"]), Reply::Nil);
}

#[test]
fn few_keys_are_scanned_in_one_call_whatever_the_number_of_shards() {
    for shards in ["1", "1024", "65536"] {
        let server = Server::ours("redis-7.2", &["--shards", shards]);
        let mut client = server.client();
        fill(&mut client, 5);
        let reply = call(&mut client, &["SCAN", "0"]);
        assert_eq!(reply.items()[0], bulk("0"), "{shards} shards");
        assert_eq!(reply.items()[1].items().len(), 5, "{shards} shards");
    }
}

/// A client whose command will take long, and one that watches.
struct Clients {
    asleep: Client,
    awake: Client,
}

impl Clients {
    fn of(server: &Server) -> Clients {
        let mut clients = Clients { asleep: server.client(), awake: server.client() };
        assert_eq!(call(&mut clients.awake, &["SET", "k", "v"]), Reply::simple("OK"));
        clients
    }

    /// Lets the one sleep in its command, and gives a client that waits for it with a `GET`.
    fn put_to_sleep(&mut self, server: &Server) -> Client {
        self.asleep.send_raw(&encode(&["DEBUG", "SLEEP", SLEEP_SECONDS])).expect("it is read");
        self.park(server)
    }

    /// A client that waits with a `GET`.
    fn park(&mut self, server: &Server) -> Client {
        let mut parked = None;
        let is_parked = eventually(PATIENCE, || {
            let mut client = server.client();
            client.send_raw(&encode(&["GET", "k"])).expect("it is read");
            // By then the thread has seen the command before.
            (0..10).for_each(|_| assert_eq!(call(&mut self.awake, &["PING"]), Reply::simple("PONG")));
            let is_parked = is_silent(&client);
            parked = Some(client);
            is_parked
        });
        assert!(is_parked && is_silent(&self.asleep), "reads are answered during the sleep");
        parked.expect("one was made")
    }
}

/// Whether the server has sent it nothing that was not read yet.
fn is_silent(client: &Client) -> bool {
    let stream: &TcpStream = client.stream();
    stream.set_nonblocking(true).expect("a socket");
    let seen = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("a socket");
    seen.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Sets so many keys to their numbers.
fn fill(client: &mut Client, count: usize) {
    let names = names(count);
    for (first, chunk) in names.chunks(1000).enumerate().map(|(index, chunk)| (index * 1000, chunk)) {
        let mut command = vec!["MSET".to_owned()];
        let pairs = chunk.iter().enumerate().map(|(index, name)| [name.clone(), (first + index).to_string()]);
        command.extend(pairs.flatten());
        assert_eq!(client.call(&command).expect("a reply"), Reply::simple("OK"));
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key:{number}")).collect()
}

fn used_memory(client: &mut Client) -> u64 {
    client.figure("used_memory")
}

fn send(client: &mut Client, commands: &[&[&str]]) {
    let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
    client.send_raw(&bytes).expect("it is read");
}

fn replies(client: &mut Client, count: usize) -> Vec<Reply> {
    (0..count).map(|_| client.reply().expect("a reply")).collect()
}

fn call(client: &mut Client, command: &[&str]) -> Reply {
    client.call(command).unwrap_or_else(|error| panic!("{}: {error}", command[0]))
}

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.into())
}
