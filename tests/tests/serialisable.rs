//! Many clients at once, whose transactions, scripts and commands must have an order, and the test of the test: what has none
//! is found, in histories made by hand and in those of clients that leave out what holds their commands together.
//!
//! `SERIALISABLE_SECONDS` says for how long, `SERIALISABLE_SEED` repeats the choices of a run, though not its interleaving.
//! nextest ends a test after five minutes; for longer ones there is `cargo test`.

use std::time::{Duration, Instant};

use shardis_tests::history::{Carrier, Fault, Kind, Operation, Report, Seen, Settings, What, check, run};
use shardis_tests::server::{Server, stand_in};

const CLIENTS: usize = 32;
/// Within this time a fault must be found.
const FAULT_PATIENCE: Duration = Duration::from_secs(30);
/// A history that is checked in this time is not checked in more than linear time.
const CHECK_PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn what_clients_see_has_an_order() {
    let server = start();
    let carriers = vec![Carrier::Exec, Carrier::Script];
    let time = number("SERIALISABLE_SECONDS").map_or(Duration::from_secs(5), Duration::from_secs);
    let report = go(&server, carriers, true, time).unwrap_or_else(|fault| panic!("{}", fault.text));
    eprintln!("{report:?}");
    assert!(report.committed > report.rounds && report.aborted > report.rounds, "watching has been tested");
}

#[test]
fn commands_that_nothing_holds_together_have_none() {
    let fault = go(&start(), vec![Carrier::Nothing], true, FAULT_PATIENCE).expect_err("a fault");
    eprintln!("{}", fault.text);
}

#[test]
fn changes_and_looks_that_nothing_holds_together_have_none() {
    let fault = go(&start(), vec![Carrier::Deeds], true, FAULT_PATIENCE).expect_err("a fault");
    assert_eq!(fault.kind, Kind::Cycle, "{}", fault.text);
    eprintln!("{}", fault.text);
}

#[test]
fn changing_what_was_read_without_watching_has_none() {
    let server = start();
    let carriers = vec![Carrier::Exec, Carrier::Script];
    let fault = go(&server, carriers, false, FAULT_PATIENCE).expect_err("a fault");
    eprintln!("{}", fault.text);
}

#[test]
fn operations_one_after_another_have_an_order() {
    let history = [
        operation(0, 0..1, &[("a", What::Made(1)), ("b", What::MadeMarked(1, 7))]),
        operation(1, 2..3, &[("a", What::Met(1)), ("b", What::MetMark(7)), ("c", What::Met(0))]),
        operation(0, 4..5, &[("b", What::Made(2)), ("b", What::Met(2)), ("d", What::Put(5))]),
        operation(1, 6..7, &[("a", What::Met(1)), ("d", What::Met(5)), ("b", What::Passed(1))]),
    ];
    assert!(check(&history).is_ok());
}

#[test]
fn operations_at_the_same_time_have_the_order_that_fits() {
    let history = [
        operation(0, 0..9, &[("a", What::Met(2)), ("b", What::Made(1))]),
        operation(1, 1..8, &[("a", What::Made(1)), ("b", What::Met(0))]),
        operation(2, 2..7, &[("a", What::Made(2)), ("b", What::Met(0))]),
    ];
    assert!(check(&history).is_ok());
}

#[test]
fn a_lost_update_is_found() {
    let history = [
        operation(0, 0..9, &[("a", What::Met(0)), ("a", What::Made(1))]),
        operation(1, 1..8, &[("a", What::Met(0)), ("a", What::Made(1))]),
    ];
    assert_eq!(fault(&history).kind, Kind::TwoWriters);
}

#[test]
fn write_skew_is_found() {
    let history = [
        operation(0, 0..9, &[("a", What::Met(0)), ("b", What::Made(1))]),
        operation(1, 1..8, &[("b", What::Met(0)), ("a", What::Made(1))]),
    ];
    let fault = fault(&history);
    assert_eq!(fault.kind, Kind::Cycle);
    assert!(fault.text.contains("A met a before B made version 1 of it\n"), "{}", fault.text);
    assert!(fault.text.ends_with("B met b before A made version 1 of it"), "{}", fault.text);
}

#[test]
fn a_dirty_read_is_found() {
    // Whoever made it was discarded, or overwrote it in the same operation.
    let discarded = [operation(0, 0..9, &[("a", What::MetMark(7))])];
    assert_eq!(fault(&discarded).kind, Kind::Unwritten);
    let overwritten = [
        operation(0, 0..9, &[("a", What::Made(1)), ("a", What::Made(2))]),
        operation(1, 1..8, &[("a", What::Met(1))]),
    ];
    assert_eq!(fault(&overwritten).kind, Kind::Cycle);
    // It was not met, but counted on.
    let built_on = [operation(0, 0..9, &[("a", What::Made(2))])];
    assert_eq!(fault(&built_on).kind, Kind::Unwritten);
}

#[test]
fn a_read_that_cannot_be_repeated_is_found() {
    let others = operation(0, 0..9, &[("a", What::Made(1))]);
    let twice = |first, second| operation(1, 1..8, &[("a", first), ("a", second)]);
    assert_eq!(fault(&[others.clone(), twice(What::Met(0), What::Met(1))]).kind, Kind::Cycle);
    assert_eq!(fault(&[others, twice(What::Met(1), What::Met(0))]).kind, Kind::Backwards);
    assert_eq!(fault(&[twice(What::Made(1), What::Met(0))]).kind, Kind::Backwards);
    assert_eq!(fault(&[twice(What::Met(1), What::Made(1))]).kind, Kind::Backwards);
}

#[test]
fn half_of_an_operation_is_found() {
    let history = [
        operation(0, 0..9, &[("a", What::Put(1)), ("b", What::Put(1))]),
        operation(1, 1..8, &[("a", What::Met(1)), ("b", What::Met(0))]),
    ];
    assert_eq!(fault(&history).kind, Kind::Cycle);
}

#[test]
fn an_order_against_time_is_found() {
    let stale = [operation(0, 0..1, &[("a", What::Made(1))]), operation(1, 2..3, &[("a", What::Met(0))])];
    let text = fault(&stale).text;
    assert!(text.contains("had ended 1 ns before"), "{text}");
    let early = [operation(0, 0..1, &[("a", What::Met(1))]), operation(1, 2..3, &[("a", What::Made(1))])];
    assert_eq!(fault(&early).kind, Kind::Cycle);
    // Through others that began and ended in between.
    let far = [
        operation(0, 0..1, &[("a", What::Made(1))]),
        operation(1, 2..3, &[("b", What::Made(1))]),
        operation(2, 4..5, &[("c", What::Made(1))]),
        operation(3, 6..7, &[("a", What::Met(0))]),
    ];
    assert_eq!(fault(&far).kind, Kind::Cycle);
    // What touches in time is at the same time.
    let touching = [operation(0, 0..2, &[("a", What::Made(1))]), operation(1, 2..3, &[("a", What::Met(0))])];
    assert!(check(&touching).is_ok());
}

#[test]
fn readers_that_disagree_are_found() {
    let history = [
        operation(0, 0..9, &[("a", What::Made(1))]),
        operation(1, 0..9, &[("b", What::Made(1))]),
        operation(2, 0..9, &[("a", What::Met(1)), ("b", What::Met(0))]),
        operation(3, 0..9, &[("a", What::Met(0)), ("b", What::Met(1))]),
    ];
    assert_eq!(fault(&history).kind, Kind::Cycle);
}

#[test]
fn many_operations_are_checked_at_once() {
    let names: Vec<String> = (0..10).map(|number| format!("counter:{number}")).collect();
    let mut history: Vec<Operation> = (0..300_000)
        .map(|index| {
            let made = (names[index % 10].as_str(), What::Made(index as u64 / 10 + 1));
            // The others were last made by those before it.
            let met = |back: usize| {
                let version = index.checked_sub(back).map_or(0, |other| other as u64 / 10 + 1);
                (names[(index + 10 - back) % 10].as_str(), What::Met(version))
            };
            let start = index as u64 * 10;
            operation(index % 32, start..start + 300, &[met(1), met(2), made])
        })
        .collect();
    let start = Instant::now();
    assert!(check(&history).is_ok());
    history[150_000].seen[0].what = What::Met(12_000);
    assert_eq!(fault(&history).kind, Kind::Cycle);
    assert!(start.elapsed() < CHECK_PATIENCE, "{:?}", start.elapsed());
}

fn operation(client: usize, time_ns: std::ops::Range<u64>, seen: &[(&str, What)]) -> Operation {
    let seen = seen.iter().map(|(object, what)| Seen::new(*object, *what)).collect();
    Operation { client, start_ns: time_ns.start, end_ns: time_ns.end, seen, text: String::new() }
}

fn fault(history: &[Operation]) -> Fault {
    check(history).expect_err("a fault")
}

fn start() -> Server {
    let arguments: &[&str] = if stand_in().is_some() { &[] } else { &["--threads", "3"] };
    Server::ours("redis-7.2", arguments)
}

fn go(server: &Server, carriers: Vec<Carrier>, watches: bool, time: Duration) -> Result<Report, Fault> {
    let seed = number("SERIALISABLE_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SERIALISABLE_SEED={seed}");
    run(server.address(), &Settings { seed, time, clients: CLIENTS, carriers, watches })
}

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}
