//! A sum over accounts between which money moves all the time: under SNAPSHOT every sum is the same, as money is only moved,
//! never made. Under FUZZY some sums differ, which shows that the test can fail.
//!
//! `COMPUTE_RUNS` says how many sums are taken; the full run takes 2000.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use shardis_server::{Server, Session, Value};
use shardis_tests::server::Over;

const ACCOUNTS: u64 = 10_000;
const MOVERS: usize = 16;
const BALANCE: i64 = 1000;
/// Sums unless told otherwise.
const RUNS: usize = 60;
/// FUZZY needs few until one is wrong.
const FUZZY_RUNS_MAX: usize = 2000;

fn runs() -> usize {
    std::env::var("COMPUTE_RUNS").map_or(RUNS, |runs| runs.parse().expect("COMPUTE_RUNS is a number"))
}

#[test]
fn every_sum_of_one_instant_is_the_same_while_money_moves() {
    let runs = runs();
    let moved = beside_movers(|session| {
        for run in 0..runs {
            assert_eq!(sum(session, "SNAPSHOT"), total(), "sum {run} of {runs}");
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
        let wrong = (0..FUZZY_RUNS_MAX).position(|_| sum(session, "FUZZY") != total());
        assert!(wrong.is_some(), "{FUZZY_RUNS_MAX} sums without a cut were right by chance");
    });
}

fn total() -> i64 {
    ACCOUNTS as i64 * BALANCE
}

/// Runs `sums` while others move money, and make, rename and remove other keys; how many transfers there were.
fn beside_movers(sums: impl FnOnce(&mut Session)) -> usize {
    let server = Server::builder().start().expect("it starts");
    let mut session = server.session();
    for account in 0..ACCOUNTS {
        session.execute(&["SET", &name(account), &BALANCE.to_string()]);
    }
    let (is_over, moved) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for mover in 0..MOVERS {
            let (session, is_over, moved) = (server.session(), &is_over, &moved);
            scope.spawn(move || match mover % 4 {
                3 => disturb(session, mover, is_over),
                _ => move_money(session, mover as u64, is_over, moved),
            });
        }
        let over = Over(&is_over);
        sums(&mut session);
        drop(over);
    });
    moved.into_inner()
}

fn move_money(mut session: Session, seed: u64, is_over: &AtomicBool, moved: &AtomicUsize) {
    let mut random = fastrand::Rng::with_seed(seed);
    while !is_over.load(Ordering::Relaxed) {
        let (from, to) = (name(random.u64(..ACCOUNTS)), name(random.u64(..ACCOUNTS)));
        let amount = random.u64(1..500).to_string();
        session.execute(&["MULTI"]);
        session.execute(&["DECRBY", &from, &amount]);
        session.execute(&["INCRBY", &to, &amount]);
        assert!(matches!(session.execute(&["EXEC"]), Value::Array(done) if done.len() == 2));
        moved.fetch_add(1, Ordering::Relaxed);
    }
}

/// Keys of other names come, change theirs, expire and go.
fn disturb(mut session: Session, mover: usize, is_over: &AtomicBool) {
    let mut random = fastrand::Rng::with_seed(mover as u64);
    while !is_over.load(Ordering::Relaxed) {
        let (one, other) = (random.u64(..2000), random.u64(..2000));
        let (one, other) = (format!("guest:{one}"), format!("guest:{other}"));
        match random.u8(..4) {
            0 => session.execute(&["SET", &one, "7", "PX", "5"]),
            1 => session.execute(&["SET", &one, "7"]),
            2 => session.execute(&["RENAME", &one, &other]),
            _ => session.execute(&["DEL", &one, &other]),
        };
    }
}

fn sum(session: &mut Session, isolation: &str) -> i64 {
    let words = [
        "COMPUTE.AGGREGATE",
        "account:*",
        "REDUCE",
        "SUM",
        "1",
        "v",
        "AS",
        "sum",
        "SCALAR",
        "TIMEOUT",
        "0",
        "ISOLATION",
        isolation,
    ];
    match session.execute(&words) {
        Value::Integer(sum) => sum,
        other => panic!("{other:?} is no sum"),
    }
}

fn name(account: u64) -> String {
    format!("account:{account}")
}
