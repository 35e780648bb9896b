//! Real clients against our program: what they do with a real server must work here, and the server must neither
//! refuse anything nor have anything to complain about.
//!
//! The clients in Python and JavaScript are told what to do by the scripts in `clients/`. `./tests/run` installs
//! what is needed; where something is missing, the test is skipped, or fails where `CI` is set.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use redis::{Commands, ConnectionLike, Value};
use shardis_tests::foreign::{
    assert_nothing_logged, directory, is_available, limited, node_with, python_with, run, script, socket, url,
};
use shardis_tests::server::Server;

const PERSONALITY: &str = "redis-7.2";

#[test]
fn redis_py_works_without_a_refusal() {
    let Some(python) = python_with("redis") else { return };
    let server = ours();
    run(script(python, "redis_py.py").args([url(&server), socket(&server)]));
    assert_no_complaint(&server);
}

#[test]
fn ioredis_works_without_a_refusal() {
    let Some(node) = node_with("ioredis") else { return };
    let server = ours();
    run(script(node, "ioredis.js").args([url(&server), socket(&server)]));
    assert_no_complaint(&server);
}

#[test]
fn node_redis_works_without_a_refusal() {
    let Some(node) = node_with("redis") else { return };
    let server = ours();
    run(script(node, "node_redis.js").args([url(&server), socket(&server)]));
    assert_no_complaint(&server);
}

#[test]
fn old_connections_of_redis_py_work_again_after_the_server_was_killed() {
    let Some(python) = python_with("redis") else { return };
    let mut server = ours();
    let url = url(&server);
    through_a_restart(&mut server, script(python, "reconnect.py").arg(url));
}

#[test]
fn old_connections_of_ioredis_work_again_after_the_server_was_killed() {
    let Some(node) = node_with("ioredis") else { return };
    let mut server = ours();
    let url = url(&server);
    through_a_restart(&mut server, script(node, "reconnect.js").args(["ioredis", &url]));
}

#[test]
fn old_connections_of_node_redis_work_again_after_the_server_was_killed() {
    let Some(node) = node_with("redis") else { return };
    let mut server = ours();
    let url = url(&server);
    through_a_restart(&mut server, script(node, "reconnect.js").args(["redis", &url]));
}

#[test]
fn redis_rs_tells_that_the_server_was_killed_and_connects_again() {
    let mut server = ours();
    let client = redis::Client::open(url(&server)).expect("a valid url");
    let mut connection = client.get_connection().expect("it accepts");
    let () = connection.set("k", "v").expect("a reply");
    server.restart();
    let failed = connection.get::<_, Option<String>>("k").expect_err("the connection is gone");
    assert!(failed.is_connection_dropped() || failed.is_io_error(), "{failed}");
    assert!(!connection.is_open());
    let mut connection = client.get_connection().expect("it accepts again");
    assert_eq!(connection.get::<_, Option<String>>("k"), Ok(None), "it started with nothing");
}

/// Lets a client connect, kills and starts the server, and lets the client go on.
fn through_a_restart(server: &mut Server, command: &mut Command) {
    let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it can be started");
    let mut lines = BufReader::new(client.stdout.take().expect("a pipe")).lines();
    let mut said = || lines.next().map(|line| line.expect("letters"));
    assert_eq!(said().as_deref(), Some("connected"));
    server.restart();
    client.stdin.take().expect("a pipe").write_all(b"go on\n").expect("it reads");
    assert_eq!(said().as_deref(), Some("again"));
    assert!(client.wait().expect("it ends").success());
}

#[test]
fn redis_rs_works_without_a_refusal() {
    let server = ours();
    for protocol in ["resp2", "resp3"] {
        let url = format!("{}?protocol={protocol}", url(&server));
        let mut client = redis::Client::open(url).expect("a valid url").get_connection().expect("it accepts");
        exercise(&mut client).unwrap_or_else(|error| panic!("{protocol}: {error}"));
    }
    assert_no_complaint(&server);
}

/// What a Rust program does in passing: every type, a pipeline, an iterator over the keys.
fn exercise(client: &mut redis::Connection) -> redis::RedisResult<()> {
    redis::cmd("FLUSHALL").exec(client)?;
    assert!(client.check_connection());
    let () = client.set_ex("text", "größe", 100)?;
    assert_eq!(client.get::<_, String>("text")?, "größe");
    assert!((1..=100).contains(&client.ttl::<_, i64>("text")?));
    assert_eq!(client.incr::<_, _, i64>("count", 5)?, 5);
    assert_eq!(client.get::<_, Option<i64>>("missing")?, None);
    let () = client.hset_multiple("hash", &[("one", 1), ("two", 2)])?;
    assert_eq!(client.hgetall::<_, Vec<(String, i64)>>("hash")?.len(), 2);
    assert_eq!(client.rpush::<_, _, i64>("list", &["a", "b", "c"])?, 3);
    assert_eq!(client.lrange::<_, Vec<String>>("list", 1, -1)?, ["b", "c"]);
    let numbers: Vec<i64> = {
        let mut pipeline = redis::pipe();
        (0..10_000).for_each(|number| {
            pipeline.set(number, number).ignore().get(number);
        });
        pipeline.query(client)?
    };
    assert!(numbers.into_iter().eq(0..10_000));
    let found: Result<Vec<String>, _> = client.scan_match("1??")?.collect();
    assert_eq!(found?.len(), 100);
    let words = ["[0-9]", "REDUCE", "SUM", "1", "v", "AS", "sum", "SCALAR", "ISOLATION", "FUZZY"];
    assert_eq!(redis::cmd("COMPUTE.AGGREGATE").arg(&words).query::<Value>(client)?, Value::Int(45));
    Ok(())
}

#[test]
fn redis_cli_prints_replies_in_all_its_forms() {
    if !is_available("redis-cli") {
        return;
    }
    let server = ours();
    let socket = socket(&server);
    let cases: [(&[&str], &str); 12] = [
        (&["RPUSH", "list", "a", "b\"c"], "2\n"),
        (&["LRANGE", "list", "0", "-1"], "a\nb\"c\n"),
        (&["--csv", "LRANGE", "list", "0", "-1"], "\"a\",\"b\\\"c\"\n"),
        (&["--no-raw", "LRANGE", "list", "0", "-1"], "1) \"a\"\n2) \"b\\\"c\"\n"),
        (&["HSET", "hash", "field", "1"], "1\n"),
        (&["-3", "--no-raw", "HGETALL", "hash"], "1# \"field\" => \"1\"\n"),
        (&["--json", "HGETALL", "hash"], "{\"field\":\"1\"}\n"),
        (&["-n", "2", "DBSIZE"], "0\n"),
        (&["-s", &socket, "ECHO", "over a socket"], "over a socket\n"),
        (&["-r", "3", "INCR", "count"], "1\n2\n3\n"),
        (&["--scan", "--pattern", "h*"], "hash\n"),
        (&["--no-raw", "COMPUTE.COUNT", "*", "ISOLATION", "FUZZY"], "(integer) 3\n"),
    ];
    for (arguments, expected) in cases {
        let printed = run(redis_cli(&server).args(arguments));
        assert_eq!(printed, expected, "{arguments:?}");
    }
    assert_no_complaint(&server);
}

#[test]
fn redis_cli_prints_our_own_replies_in_both_protocols() {
    if !is_available("redis-cli") {
        return;
    }
    let server = ours();
    let call = |words: &[&str]| run(redis_cli(&server).args(words));
    call(&["ZADD", "board", "20", "ann", "35.5", "bob"]);
    let sum = ["COMPUTE.KAGGREGATE", "board", "REDUCE", "SUM", "1", "s", "AS", "sum", "SCALAR"];
    let select = ["COMPUTE.KSELECT", "board", "WHERE", "s > 30.0", "RETURN", "2", "m", "s"];
    let acquire = ["LOCK.ACQUIRE", "lock", "me", "LEASE", "60000"];
    for (protocol, total, first_lines, is_map) in [
        ("-2", "\"55.5\"\n", "1) \"rows\"\n 2) 1) 1) \"bob\"\n       2) \"35.5\"\n", false),
        ("-3", "(double) 55.5\n", "1# \"rows\" => \n   1) 1) \"bob\"\n      2) (double) 35.5\n", true),
    ] {
        let form = [protocol, "--no-raw"];
        assert_eq!(call(&[&form[..], &sum].concat()), total);
        let selected = call(&[&form[..], &select].concat());
        assert!(selected.trim_start().starts_with(first_lines), "{selected}");
        let grant = call(&[&form[..], &acquire].concat());
        assert_eq!(grant.starts_with("1# \"fence\" => (integer) "), is_map, "{grant}");
        assert_eq!(grant.starts_with("1) \"fence\"\n2) (integer) "), !is_map, "{grant}");
        let fence: String =
            grant.lines().take(2).flat_map(|line| line.rsplit(' ').next()).last().unwrap_or_default().into();
        let fence = if is_map {
            grant.lines().next().and_then(|line| line.rsplit(' ').next())
        } else {
            Some(fence.as_str())
        };
        let fence = fence.expect("a fence");
        assert_eq!(call(&[&form[..], &["LOCK.ACQUIRE", "lock", "other"]].concat()), "(nil)\n");
        assert!(!call(&[&form[..], &["LOCK.GUARD", "lock", fence, "INCR", "n"]].concat()).is_empty());
        assert_eq!(call(&[&form[..], &["LOCK.RELEASE", "lock", "me"]].concat()), "(integer) 0\n");
    }
    assert_no_complaint(&server);
}

#[test]
fn redis_cli_looks_for_big_keys_and_loads_in_bulk() {
    if !is_available("redis-cli") {
        return;
    }
    let server = ours();
    let load: String = (0..10_000).map(|number| format!("SET key:{number} {number}\r\n")).collect();
    let file = PathBuf::from(directory(&server)).join("load");
    fs::write(&file, load).expect("the server's directory can be written");
    let input = fs::File::open(file).expect("it has just been written");
    let loaded = run(redis_cli(&server).arg("--pipe").stdin(input));
    assert!(loaded.contains("errors: 0, replies: 10000\n"), "{loaded}");
    run(redis_cli(&server).args(["RPUSH", "list", "1", "2", "3"]));
    let big = run(redis_cli(&server).arg("--bigkeys"));
    assert!(big.contains("Sampled 10001 keys in the keyspace!"), "{big}");
    assert!(big.contains("Biggest   list found '\"list\"' has 3 items"), "{big}");
    assert_no_complaint(&server);
}

#[test]
fn redis_cli_looks_for_heavy_and_hot_keys_and_samples_the_latency() {
    if !is_available("redis-cli") {
        return;
    }
    let server = ours();
    run(redis_cli(&server).args(["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"]));
    run(redis_cli(&server).args(["SET", "small", "x"]));
    run(redis_cli(&server).args(["SETRANGE", "heavy", "100000", "x"]));
    run(redis_cli(&server).args(["-r", "1000", "GET", "small"]));
    let heavy = run(redis_cli(&server).arg("--memkeys"));
    assert!(heavy.contains("Sampled 2 keys in the keyspace!"), "{heavy}");
    assert!(heavy.contains("Biggest string found '\"heavy\"' has 1"), "{heavy}");
    let hot = run(redis_cli(&server).arg("--hotkeys"));
    assert!(hot.contains("Sampled 2 keys in the keyspace!"), "{hot}");
    let hottest = hot.lines().find(|line| line.contains("keyname: "));
    assert!(hottest.is_some_and(|line| line.ends_with("keyname: \"small\"")), "{hot}");
    let sampled = run(redis_cli(&server).args(["--latency", "--raw"]));
    // Least, most and average milliseconds, and how often.
    assert!(sampled.split_whitespace().count() >= 4, "{sampled}");
    assert_no_complaint(&server);
}

#[test]
fn redis_cli_shows_statistics_and_monitors_until_it_is_stopped() {
    if !is_available("redis-cli") {
        return;
    }
    let server = ours();
    let port = server.address().port().to_string();
    let statistics =
        first_lines(Command::new("redis-cli").args(["-p", &port, "--stat", "-i", "0.1"]), 4, || ());
    assert!(statistics[1].starts_with("keys       mem      clients"), "{statistics:?}");
    assert_eq!(statistics[3].split_whitespace().next(), Some("0"), "{statistics:?}");
    let history =
        first_lines(Command::new("redis-cli").args(["-p", &port, "--latency-history", "--raw"]), 3, || ());
    assert!(history.iter().all(|line| line.split_whitespace().count() == 4), "{history:?}");
    let monitored = first_lines(Command::new("redis-cli").args(["-p", &port, "MONITOR"]), 2, || {
        run(redis_cli(&server).args(["SET", "key", "value"]));
    });
    assert_eq!(monitored[0], "OK");
    assert!(monitored[1].ends_with("\"SET\" \"key\" \"value\""), "{monitored:?}");
    assert_no_complaint(&server);
}

#[test]
fn redis_cli_hints_and_explains_our_own_commands() {
    let Some(python) = python_with("redis").filter(|_| is_available("redis-cli")) else { return };
    let server = ours();
    let port = server.address().port().to_string();
    run(script(python, "redis_cli_hints.py").args(["redis-cli", "-p", &port]));
    assert_no_complaint(&server);
}

#[test]
fn redis_benchmark_measures_without_a_refusal() {
    if !is_available("redis-benchmark") {
        return;
    }
    let server = ours();
    let port = server.address().port().to_string();
    let tests = "set,get,incr,mset,hset,lpush,rpop,lrange";
    for pipeline in ["1", "16"] {
        let arguments = ["-p", &port, "-t", tests, "-n", "10000", "-P", pipeline, "-q"];
        let report = run(limited("redis-benchmark").args(arguments));
        let finished = report.matches(" requests per second").count();
        assert_eq!(finished, 12, "six tests, LRANGE in four sizes, and two rounds of LPUSH: {report}");
        assert!(!report.to_lowercase().contains("warning"), "{report}");
    }
    assert_no_complaint(&server);
}

#[test]
fn the_articles_program_and_its_compute_variant_find_the_sum() {
    let Some(python) = python_with("redis") else { return };
    let server = ours();
    let port = server.address().port().to_string();
    for name in ["article.py", "article_compute.py"] {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
        let printed = run(limited(&python).arg(program).args(["--port", &port]));
        assert!(printed.ends_with("5. GET sums:result answers 600\n"), "{name} prints:\n{printed}");
    }
    let mut client = server.client();
    let texts = [["sums:subtasks", "3"], ["sums:1", "2"]];
    for [key, length] in texts {
        let reply = client.call(&["LLEN", key]).expect("a reply");
        assert_eq!(format!("{reply:?}"), format!("Integer({length})"), "{key}");
    }
    assert_nothing_logged(&server);
}

fn ours() -> Server {
    Server::ours(PERSONALITY, &[])
}

fn assert_no_complaint(server: &Server) {
    let reply = server.client().call(&["INFO", "stats"]).expect("a reply");
    let stats = String::from_utf8_lossy(reply.text().expect("a text")).into_owned();
    for counter in ["total_error_replies:0", "unexpected_error_replies:0"] {
        assert!(stats.lines().any(|line| line == counter), "not {counter}: {}", refusals(server));
    }
    assert_nothing_logged(server);
}

fn refusals(server: &Server) -> String {
    let reply = server.client().call(&["INFO", "errorstats", "commandstats"]).expect("a reply");
    String::from_utf8_lossy(reply.text().expect("a text")).into_owned()
}

/// The first lines that a program prints which goes on until it is ended; `meanwhile` happens after the first.
fn first_lines(command: &mut Command, count: usize, meanwhile: impl Fn()) -> Vec<String> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it can be started");
    let output = child.stdout.take().expect("its output is piped");
    let mut lines = Vec::with_capacity(count);
    for line in BufReader::new(output).lines().take(count) {
        lines.push(line.expect("it prints lines"));
        if lines.len() == 1 {
            meanwhile();
        }
    }
    child.kill().expect("it is still running");
    child.wait().expect("it has been ended");
    assert_eq!(lines.len(), count, "{command:?} ended early: {lines:?}");
    lines
}

fn redis_cli(server: &Server) -> Command {
    let mut command = limited("redis-cli");
    command.args(["-p", &server.address().port().to_string()]);
    command
}
