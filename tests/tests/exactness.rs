//! Sums of what is only moved, never made, while it is moved all the time: under SNAPSHOT each is the same. Under FUZZY some
//! differ, which shows that the test can fail.
//!
//! `COMPUTE_RUNS` says how many sums are taken; the full run takes 2000.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use shardis_server::{Server, Session, Value};
use shardis_tests::client::{Client, PATIENCE};
use shardis_tests::reply::Reply;
use shardis_tests::server::{Over, eventually};

/// Accounts between which money moves, or elements of a collection, and what each begins with.
const ACCOUNTS: usize = 10_000;
const BALANCE: i64 = 1000;
const TOTAL: i64 = ACCOUNTS as i64 * BALANCE;
/// Connections that move it.
const MOVERS: usize = 16;
/// Threads that make, rename and remove other keys, of so many.
const DISTURBERS: usize = 2;
const GUESTS: usize = 2000;
/// Threads that write to collections.
const WRITERS: usize = 2;
/// Sums unless told otherwise.
const RUNS: usize = 60;
/// FUZZY needs few until one is wrong.
const FUZZY_RUNS_MAX: usize = 2000;

#[test]
fn every_sum_of_one_instant_is_the_same_while_money_moves() {
    let runs = runs();
    let moved = beside_movers(|session| {
        for run in 0..runs {
            assert_eq!(sum_of_accounts(session, "SNAPSHOT"), (TOTAL, ACCOUNTS), "sum {run} of {runs}");
            if run % 100 == 99 {
                println!("{} of {runs} sums", run + 1);
            }
        }
    });
    println!("{runs} sums were exact beside {moved} transfers");
    assert!(moved > runs, "only {moved} transfers ran beside {runs} sums");
}

#[test]
fn sums_of_no_instant_are_wrong_sooner_or_later() {
    beside_movers(|session| {
        let wrong = (0..FUZZY_RUNS_MAX).position(|_| {
            let (total, scanned) = sum_of_accounts(session, "FUZZY");
            assert_eq!(scanned, ACCOUNTS, "who is there throughout counts once");
            total != TOTAL
        });
        println!("the first wrong sum without a cut: {wrong:?}");
        assert!(wrong.is_some(), "{FUZZY_RUNS_MAX} sums without a cut were right by chance");
    });
}

#[test]
fn a_collection_is_that_of_one_instant_while_it_is_written() {
    let server = Server::builder().start().expect("it starts");
    let mut session = server.session();
    let balance = BALANCE.to_string();
    for member in (0..ACCOUNTS).map(member) {
        session.execute(&["ZADD", "board", &balance, &member]);
        session.execute(&["HSET", "purse", &member, &balance]);
        session.execute(&["RPUSH", "row", &balance]);
    }
    let (is_over, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (session, is_over, written) = (server.session(), &is_over, &written);
            scope.spawn(move || write(session, writer, is_over, written));
        }
        let over = Over(&is_over);
        assert!(eventually(PATIENCE, || written.load(Ordering::Relaxed) > WRITERS), "nobody writes");
        let before = written.load(Ordering::Relaxed);
        for run in 0..runs() {
            for (key, expression) in [("board", "s"), ("purse", "v"), ("row", "v")] {
                let summed = sum(&mut session, &["COMPUTE.KAGGREGATE", key], expression);
                assert_eq!(summed, (TOTAL, ACCOUNTS), "run {run} over {key}");
            }
        }
        drop(over);
        let written = written.load(Ordering::Relaxed) - before;
        println!("{} sums over each collection were exact beside {written} transactions", runs());
        assert!(written > 0, "nobody wrote meanwhile");
    });
}

fn runs() -> usize {
    std::env::var("COMPUTE_RUNS").map_or(RUNS, |runs| runs.parse().expect("COMPUTE_RUNS is a number"))
}

/// Runs `sums` while others move money, and make, rename and remove other keys; how many transfers there were.
fn beside_movers(sums: impl FnOnce(&mut Session)) -> usize {
    let server = Server::builder().port(0).start().expect("it starts");
    let mut session = server.session();
    for account in 0..ACCOUNTS {
        session.execute(&["SET", &format!("account:{account}"), &BALANCE.to_string()]);
    }
    let (is_over, moved) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for mover in 0..MOVERS {
            let (server, is_over, moved) = (&server, &is_over, &moved);
            scope.spawn(move || move_money(server, mover, is_over, moved));
        }
        for disturber in 0..DISTURBERS {
            let (session, is_over) = (server.session(), &is_over);
            scope.spawn(move || disturb(session, disturber, is_over));
        }
        let over = Over(&is_over);
        assert!(eventually(PATIENCE, || moved.load(Ordering::Relaxed) > MOVERS), "nothing moves");
        let before = moved.load(Ordering::Relaxed);
        sums(&mut session);
        drop(over);
        moved.load(Ordering::Relaxed) - before
    })
}

fn move_money(server: &Server, mover: usize, is_over: &AtomicBool, moved: &AtomicUsize) {
    let mut client = Client::connect(server.addr().expect("it listens")).expect("it accepts");
    let mut random = fastrand::Rng::with_seed(mover as u64);
    while !is_over.load(Ordering::Relaxed) {
        let (from, to, amount) = (random.usize(..ACCOUNTS), random.usize(..ACCOUNTS), random.i64(1..500));
        let transfer =
            format!("MULTI\r\nDECRBY account:{from} {amount}\r\nINCRBY account:{to} {amount}\r\nEXEC\r\n");
        client.send_raw(transfer.as_bytes()).expect("it reads");
        let replies: Vec<Reply> = (0..4).map(|_| client.reply().expect("a reply")).collect();
        assert_eq!(replies[3].items().len(), 2, "{replies:?}");
        moved.fetch_add(1, Ordering::Relaxed);
    }
}

/// Keys of other names come, change theirs, expire and go.
fn disturb(mut session: Session, disturber: usize, is_over: &AtomicBool) {
    let mut random = fastrand::Rng::with_seed(disturber as u64);
    while !is_over.load(Ordering::Relaxed) {
        let [one, other] = [(); 2].map(|()| format!("guest:{}", random.usize(..GUESTS)));
        match random.u8(..4) {
            0 => session.execute(&["SET", &one, "7", "PX", "5"]),
            1 => session.execute(&["SET", &one, "7"]),
            2 => session.execute(&["RENAME", &one, &other]),
            _ => session.execute(&["DEL", &one, &other]),
        };
    }
}

/// Moves between the elements of collections, and has others come and go.
fn write(mut session: Session, writer: usize, is_over: &AtomicBool, written: &AtomicUsize) {
    let mut random = fastrand::Rng::with_seed(writer as u64);
    let guest = format!("guest:{writer}");
    while !is_over.load(Ordering::Relaxed) {
        let [from, to] = [(); 2].map(|()| member(random.usize(..ACCOUNTS)));
        let calls: [&[&str]; 9] = [
            &["MULTI"],
            &["ZINCRBY", "board", "-3", &from],
            &["ZINCRBY", "board", "3", &to],
            &["HINCRBY", "purse", &from, "-3"],
            &["HINCRBY", "purse", &to, "3"],
            &["LMOVE", "row", "row", "LEFT", "RIGHT"],
            &["ZADD", "board", "0", &guest],
            &["ZREM", "board", &guest],
            &["EXEC"],
        ];
        calls.into_iter().for_each(|call| assert!(!session.execute(call).is_error(), "{call:?}"));
        written.fetch_add(1, Ordering::Relaxed);
    }
}

fn member(number: usize) -> String {
    format!("member:{number}")
}

fn sum_of_accounts(session: &mut Session, isolation: &str) -> (i64, usize) {
    sum(session, &["COMPUTE.AGGREGATE", "account:*", "ISOLATION", isolation], "v")
}

/// A sum, and over how many rows it is; each of them has been read.
fn sum(session: &mut Session, command: &[&str], expression: &str) -> (i64, usize) {
    let reduced = ["REDUCE", "SUM", "1", expression, "AS", "total", "TIMEOUT", "0"];
    let reply = session.execute(&[command, &reduced].concat());
    let Value::Array(rows) = entry(&reply, "rows") else { panic!("{reply:?}") };
    let total = match entry(&rows[0], "total") {
        Value::Integer(total) => *total,
        // Scores are doubles; these are whole.
        Value::Double(total) => *total as i64,
        other => panic!("{other:?} is no sum"),
    };
    assert_eq!(entry(&reply, "errors"), &Value::Integer(0), "{reply:?}");
    let scanned = entry(&reply, "scanned").as_integer().expect("a count");
    (total, usize::try_from(scanned).expect("a count"))
}

fn entry<'v>(map: &'v Value, name: &str) -> &'v Value {
    let Value::Map(entries) = map else { panic!("{map:?}") };
    let found = entries.iter().find(|(key, _)| key.as_bytes() == Some(name.as_bytes()));
    &found.unwrap_or_else(|| panic!("{name} in {map:?}")).1
}
