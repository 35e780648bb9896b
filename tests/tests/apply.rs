//! Changing what is selected while others write: no write is lost, limits hold, and those who may not change a key do not.
//! Grammar and replies are in `scripts/compute`.

use std::thread;

use shardis_server::{Server, Session, Value};

/// Counters that everybody increments.
const COUNTERS: usize = 2000;
const WRITERS: usize = 3;
/// How often each writer increments every counter, and how often all are incremented by one command.
const ROUNDS: usize = 10;

#[test]
fn no_increment_is_lost_among_those_of_clients() {
    for isolation in ["SNAPSHOT", "FUZZY", "ATOMIC"] {
        let server =
            Server::builder().set("shards", "4").expect("a power of two").start().expect("it starts");
        let mut session = server.session();
        for n in 0..COUNTERS {
            session.execute(&["SET", format!("n:{n}").as_str(), "0"]);
        }
        let changed: i64 = thread::scope(|scope| {
            for _ in 0..WRITERS {
                let mut session = server.session();
                scope.spawn(move || {
                    for n in (0..ROUNDS).flat_map(|_| 0..COUNTERS) {
                        session.execute(&["INCR", format!("n:{n}").as_str()]);
                    }
                });
            }
            let mut apply = || {
                let words = ["COMPUTE.APPLY", "n:*", "ISOLATION", isolation, "TIMEOUT", "0"];
                let action = ["WHERE", "v >= 0", "DO", "INCRBY", "1"];
                let reply = session.execute(&[words.as_slice(), &action].concat());
                assert_eq!((integer(&reply, "skipped"), integer(&reply, "errors")), (0, 0), "{reply:?}");
                integer(&reply, "changed")
            };
            (0..ROUNDS).map(|_| apply()).sum()
        });
        assert_eq!(changed, (ROUNDS * COUNTERS) as i64);
        let sum = sum(&mut session);
        assert_eq!(sum, ((WRITERS + 1) * ROUNDS * COUNTERS) as i64, "{isolation}");
    }
}

/// Whoever comes first takes a key out of the condition; the other finds that out under the lock.
#[test]
fn a_key_is_changed_by_one_of_two_who_want_it() {
    let server = Server::builder().start().expect("it starts");
    let mut session = server.session();
    for n in 0..COUNTERS {
        session.execute(&["SET", format!("n:{n}").as_str(), "0"]);
    }
    let totals: Vec<(i64, i64)> = thread::scope(|scope| {
        let claims: Vec<_> = (0..WRITERS)
            .map(|_| {
                let mut session = server.session();
                scope.spawn(move || {
                    let reply =
                        session.execute(&["COMPUTE.APPLY", "n:*", "WHERE", "v == 0", "DO", "INCRBY", "1"]);
                    let [matched, changed, skipped] =
                        ["matched", "changed", "skipped"].map(|name| integer(&reply, name));
                    assert_eq!(matched, changed + skipped, "{reply:?}");
                    (matched, changed)
                })
            })
            .collect();
        claims.into_iter().map(|claim| claim.join().expect("it ends")).collect()
    });
    assert_eq!(totals.iter().map(|(_, changed)| changed).sum::<i64>(), COUNTERS as i64, "{totals:?}");
    assert_eq!(sum(&mut session), COUNTERS as i64);
}

#[test]
fn nothing_is_added_without_memory_but_everything_may_go() {
    let server = Server::builder().start().expect("it starts");
    let mut session = server.session();
    for n in 0..COUNTERS {
        session.execute(&["SET", format!("n:{n}").as_str(), "0"]);
    }
    session.execute(&["CONFIG", "SET", "maxmemory", "1"]);
    for isolation in ["SNAPSHOT", "ATOMIC"] {
        let words = [
            "COMPUTE.APPLY",
            "n:*",
            "MAXMEM",
            "1000000",
            "ISOLATION",
            isolation,
            "WHERE",
            "v == 0",
            "DO",
            "INCRBY",
            "1",
        ];
        let reply = format!("{:?}", session.execute(&words));
        assert!(reply.contains("OOM"), "{reply}");
    }
    let reply =
        session.execute(&["COMPUTE.APPLY", "n:*", "MAXMEM", "1000000", "WHERE", "v == 0", "DO", "DEL"]);
    assert_eq!(integer(&reply, "changed"), COUNTERS as i64, "{reply:?}");
}

fn sum(session: &mut Session) -> i64 {
    match session.execute(&["COMPUTE.AGGREGATE", "n:*", "REDUCE", "SUM", "1", "v", "AS", "sum", "SCALAR"]) {
        Value::Integer(sum) => sum,
        other => panic!("{other:?} is no sum"),
    }
}

fn integer(map: &Value, name: &str) -> i64 {
    let Value::Map(entries) = map else { panic!("{map:?}") };
    let found = entries.iter().find(|(key, _)| key.as_bytes() == Some(name.as_bytes()));
    found.and_then(|(_, value)| value.as_integer()).unwrap_or_else(|| panic!("{name} in {map:?}"))
}
