//! Random commands to ours and to every installed reference, in both protocols: no reply may differ.
//!
//! `DIFFERENTIAL_COMMANDS` or `DIFFERENTIAL_SECONDS` say how much, `DIFFERENTIAL_SEED` repeats a run.

use shardis_tests::differential::{Pair, Settings, run};
use shardis_tests::reference::Reference;
use shardis_tests::server::{Server, stand_in};

#[test]
fn ours_and_redis_agree_in_resp2() {
    compare(Reference::Redis, 2);
}

#[test]
fn ours_and_redis_agree_in_resp3() {
    compare(Reference::Redis, 3);
}

#[test]
fn ours_and_valkey_agree_in_resp2() {
    compare(Reference::Valkey, 2);
}

#[test]
fn ours_and_valkey_agree_in_resp3() {
    compare(Reference::Valkey, 3);
}

fn compare(reference: Reference, protocol: u8) {
    if let Some(other) = stand_in().filter(|personality| personality != reference.personality()) {
        return eprintln!("SKIPPED: a {other} cannot stand in for ours beside {}", reference.personality());
    }
    let Some(theirs) = reference.start(&[]) else { return };
    let pair = Pair::new(Server::ours(reference.personality(), &[]), theirs, reference, protocol);
    let report = run(&pair, &Settings::from_environment());
    assert!(
        report.failures.is_empty(),
        "{} differences:\n\n{}",
        report.failures.len(),
        report.failures.join("\n")
    );
    let refused = report.too_often_refused();
    assert!(refused.is_empty(), "refused too often to have been compared: {refused:?}");
}
