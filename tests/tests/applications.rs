//! Programs as people build them with the libraries of their language: locks, queues of tasks, sessions; scripts,
//! transactions, messages and events. Each runs against a real server first, which shows that the test is right, and then
//! against ours.
//!
//! Those in Python and JavaScript are in `clients/`. What single commands answer is not tested here, but by the transcripts.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use redis::{Commands, Connection, ErrorKind, Msg, RedisResult, Script, ServerErrorKind};
use shardis_tests::foreign::{assert_nothing_logged, node_with, python_with, run, script, url};
use shardis_tests::reference::Reference;
use shardis_tests::server::Server;

/// What redis-rs waits for a message.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn the_lock_of_redis_py_excludes_and_changes_hands() {
    let Some(python) = python_with("redis") else { return };
    on_both(&["NOSCRIPT"], |server| {
        run(script(python.clone(), "lock.py").arg(url(server)));
    });
}

#[test]
fn celery_brings_every_task_to_its_end() {
    let Some(python) = python_with("celery, packaging, redis") else { return };
    // Its connections ask for a feature of newer servers, and are refused.
    on_both(&["ERR", "NOSCRIPT"], |server| {
        run(script(python.clone(), "celery_program.py").arg(url(server)));
    });
}

#[test]
fn ioredis_runs_scripts_and_transactions_and_hears_of_events() {
    let Some(node) = node_with("ioredis") else { return };
    on_both(&["ERR", "EXECABORT", "MINE", "NOSCRIPT", "WRONGTYPE"], |server| {
        run(script(node.clone(), "ioredis_scripts.js").arg(url(server)));
    });
}

#[test]
fn node_redis_runs_scripts_and_transactions_and_hears_of_events() {
    let Some(node) = node_with("redis") else { return };
    on_both(&["ERR", "EXECABORT", "MINE", "NOSCRIPT", "WRONGTYPE"], |server| {
        run(script(node.clone(), "node_redis_scripts.js").arg(url(server)));
    });
}

#[test]
fn sessions_of_a_web_server_last_as_long_as_they_are_to() {
    let packages = ["connect-redis", "express-session", "redis"].map(node_with);
    let [Some(node), Some(_), Some(_)] = packages else { return };
    on_both(&[], |server| {
        run(script(node.clone(), "sessions.js").arg(url(server)));
    });
}

#[test]
fn redis_rs_runs_scripts_and_transactions_and_hears_of_events() {
    on_both(&["ERR", "NOSCRIPT"], |server| {
        for protocol in ["resp2", "resp3"] {
            let url = format!("{}?protocol={protocol}", url(server));
            let client = redis::Client::open(url).expect("a valid url");
            let exercises = [runs_scripts, competes, hears];
            for exercise in exercises {
                let mut connection = client.get_connection().expect("it accepts");
                redis::cmd("FLUSHALL").exec(&mut connection).expect("a reply");
                exercise(&client, &mut connection).unwrap_or_else(|error| panic!("{protocol}: {error}"));
            }
        }
    });
}

/// A script by its sum, by its text when that is forgotten, and in a pipeline.
fn runs_scripts(_: &redis::Client, connection: &mut Connection) -> RedisResult<()> {
    redis::cmd("SCRIPT").arg("FLUSH").exec(connection)?;
    let add = Script::new("return {redis.call('INCRBY', KEYS[1], ARGV[1]), ARGV[2], #KEYS}");
    let mut call = add.key("sum");
    for sum in 1..=3 {
        let answer: (i64, String, i64) = call.arg(1).arg("größe").invoke(connection)?;
        assert_eq!(answer, (sum, "größe".into(), 1));
        call = add.key("sum");
        if sum == 2 {
            redis::cmd("SCRIPT").arg("FLUSH").exec(connection)?;
        }
    }
    assert_eq!(add.load(connection)?, add.get_hash());
    let sums: Vec<(i64, i64, i64)> = {
        let mut pipeline = redis::pipe();
        (0..100).for_each(|number| {
            pipeline.cmd("EVALSHA").arg(add.get_hash()).arg(1).arg("sum").arg(1).arg(number);
        });
        pipeline.query(connection)?
    };
    assert!(sums.into_iter().eq((0..100).map(|number| (4 + number, number, 1))));
    let refused = add.key("sum").arg("no number").invoke::<()>(connection).expect_err("it cannot be added");
    assert_eq!(refused.kind(), ErrorKind::Server(ServerErrorKind::ResponseError));
    assert!(refused.to_string().contains("value is not an integer or out of range script: "), "{refused}");
    let unknown =
        redis::cmd("EVALSHA").arg("0".repeat(40)).arg(0).exec(connection).expect_err("nobody knows it");
    assert_eq!(unknown.kind(), ErrorKind::Server(ServerErrorKind::NoScript));
    Ok(())
}

/// Many read a number and write it in a transaction, which fails where another one was quicker.
fn competes(client: &redis::Client, connection: &mut Connection) -> RedisResult<()> {
    const COMPETITORS: i64 = 8;
    const ROUNDS: i64 = 20;
    thread::scope(|scope| {
        let increment = || -> RedisResult<()> {
            let mut own = client.get_connection()?;
            for _ in 0..ROUNDS {
                let _: (i64,) = redis::transaction(&mut own, &["count"], |own, pipeline| {
                    let count: Option<i64> = own.get("count")?;
                    pipeline.set("count", count.unwrap_or_default() + 1).ignore().get("count").query(own)
                })?;
            }
            Ok(())
        };
        let competitors: Vec<_> = (0..COMPETITORS).map(|_| scope.spawn(increment)).collect();
        competitors.into_iter().try_for_each(|competitor| competitor.join().expect("no panic"))
    })?;
    assert_eq!(connection.get::<_, i64>("count")?, COMPETITORS * ROUNDS);
    let (text, length): (String, i64) =
        redis::pipe().atomic().set("k", "v").ignore().get("k").rpush("l", &["a", "b"]).query(connection)?;
    assert_eq!((text.as_str(), length), ("v", 2));
    Ok(())
}

/// Messages on a channel, and events of keys, in their order.
fn hears(client: &redis::Client, connection: &mut Connection) -> RedisResult<()> {
    redis::cmd("CONFIG").arg(&["SET", "notify-keyspace-events", "EA"]).exec(connection)?;
    let mut listening = client.get_connection()?;
    let mut listener = listening.as_pubsub();
    listener.set_read_timeout(Some(PATIENCE))?;
    listener.subscribe("news")?;
    listener.psubscribe("__keyevent@0__:*")?;
    let () = redis::pipe()
        .atomic()
        .set_ex("k", "v", 100)
        .ignore()
        .incr("count", 1)
        .ignore()
        .del("k")
        .ignore()
        .query(connection)?;
    assert_eq!(connection.publish::<_, _, i64>("news", "größe")?, 1);
    let () = connection.pset_ex("k", "v", 1)?;
    let mut next = || -> RedisResult<(String, String)> {
        let message: Msg = listener.get_message()?;
        let channel = message.get_channel_name().trim_start_matches("__keyevent@0__:").to_owned();
        Ok((channel, message.get_payload()?))
    };
    for [channel, message] in [
        ["set", "k"],
        ["expire", "k"],
        ["incrby", "count"],
        ["del", "k"],
        ["news", "größe"],
        ["set", "k"],
        ["expire", "k"],
        ["expired", "k"],
    ] {
        assert_eq!(next()?, (channel.into(), message.into()));
    }
    Ok(())
}

/// Lets a program run on a real server and then on ours, which must refuse nothing but with these codes.
fn on_both(codes: &[&str], exercise: impl Fn(&Server)) {
    if let Some(real) = Reference::Redis.start(&[]) {
        exercise(&real);
    }
    let ours = Server::ours("redis-7.2", &[]);
    exercise(&ours);
    let reply = ours.client().call(&["INFO", "errorstats"]).expect("a reply");
    let stats = String::from_utf8_lossy(reply.text().expect("a text")).into_owned();
    let refused: BTreeSet<&str> = stats.lines().filter_map(refusal).collect();
    let unexpected: Vec<_> = refused.iter().filter(|code| !codes.contains(code)).collect();
    assert!(unexpected.is_empty(), "{unexpected:?} in {stats}");
    assert_nothing_logged(&ours);
}

/// The code that a line of the statistics counts.
fn refusal(line: &str) -> Option<&str> {
    line.strip_prefix("errorstat_")?.split(':').next()
}
