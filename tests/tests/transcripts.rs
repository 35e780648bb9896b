//! Every transcript against ours, and against every reference that is installed.
//!
//! `TRANSCRIPT=string/set` runs only the transcripts whose path contains it; `UPDATE=1` writes down what the
//! references answer instead of comparing.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use shardis_tests::reference::Reference;
use shardis_tests::server::stand_in;
use shardis_tests::transcript::{Script, Target, paths, run, update};

/// Servers started at a time.
const WORKERS: usize = 4;
/// Differences printed before the rest is only counted.
const FAILURES_SHOWN_MAX: usize = 50;

/// The personality that we have unless told otherwise.
const PERSONALITY: &str = "redis-7.2";

/// Transcripts that ours, in the personality of a reference, does not answer as that does, and why.
const UNLIKE: [(Reference, &str, &str); 5] = [
    (Reference::Redis, "server/command_docs", "our declarations have the words and arguments of 7.2"),
    (Reference::Valkey, "server/command_docs", "our declarations have the words and arguments of 7.2"),
    (Reference::Valkey, "scripting/help", "our help is that of Redis"),
    (Reference::Valkey, "protocol/inline", "quotes are read as in Redis, however they are placed"),
    (
        Reference::Valkey,
        "protocol/ignored",
        "what stands where a line should end is not looked at, as in Redis",
    ),
];

#[test]
fn ours_answers_every_transcript() {
    check(&Target::Ours(PERSONALITY), |_| true);
}

#[test]
fn ours_answers_as_redis_in_its_personality() {
    check_personality(Reference::Redis);
}

#[test]
fn ours_answers_as_valkey_in_its_personality() {
    check_personality(Reference::Valkey);
}

#[test]
fn redis_answers_every_transcript_that_claims_it() {
    check_reference(Reference::Redis);
}

#[test]
fn valkey_answers_every_transcript_that_claims_it() {
    check_reference(Reference::Valkey);
}

fn check_personality(reference: Reference) {
    let is_like = |script: &Script| {
        !UNLIKE.iter().any(|(other, name, _)| *other == reference && script.name().contains(name))
    };
    let target = Target::Ours(reference.personality());
    // A real server that stands in for ours has the personality that it has.
    if stand_in().is_none_or(|personality| personality == reference.personality()) {
        check(&target, |script| script.references.contains(&reference) && is_like(script));
    }
}

fn check_reference(reference: Reference) {
    let Some(program) = reference.find() else { return };
    check(&Target::Reference(reference, program), |script| script.references.contains(&reference));
}

fn check(target: &Target, applies: impl Fn(&Script) -> bool) {
    if std::env::var_os("UPDATE").is_some() {
        return update_once(target);
    }
    let mut scripts = load();
    scripts.retain(applies);
    let count = scripts.len();
    let failures = each(scripts, |script| run(&script, target).iter().map(ToString::to_string).collect());
    let shown = failures.iter().take(FAILURES_SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join("\n");
    let mut files: BTreeMap<&str, usize> = BTreeMap::new();
    for failure in &failures {
        *files.entry(failure.split(':').next().unwrap_or_default()).or_default() += 1;
    }
    let total =
        format!("{} differences in {} of {count} transcripts on {target}", failures.len(), files.len());
    assert!(failures.is_empty(), "{total}: {files:#?}\n{shown}");
}

/// One of the tests updates, with both references; the others have nothing to do.
fn update_once(target: &Target) {
    if !matches!(target, Target::Ours(PERSONALITY)) {
        return;
    }
    let find = |reference: &Reference| reference.find().map(|program| Target::Reference(*reference, program));
    let references: Vec<Target> = Reference::ALL.iter().filter_map(find).collect();
    let report = |script: Script| match update(&script, &references) {
        0 => Vec::new(),
        count => vec![format!("{}: {count} steps rewritten", script.name())],
    };
    each(load(), report).iter().for_each(|line| println!("{line}"));
}

fn load() -> Vec<Script> {
    let scripts: Vec<Script> =
        paths().iter().map(|path| Script::load(path).unwrap_or_else(|error| panic!("{error}"))).collect();
    assert!(!scripts.is_empty(), "no transcript found");
    scripts
}

/// Does `work` for every script, several at a time, and collects what it returns in the order of the scripts.
fn each(scripts: Vec<Script>, work: impl Fn(Script) -> Vec<String> + Sync) -> Vec<String> {
    let queue = Mutex::new(scripts.into_iter().enumerate());
    let results = Mutex::new(BTreeMap::new());
    let next = || queue.lock().expect("no worker panicked").next();
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((number, script)) = next() {
                    let lines = work(script);
                    results.lock().expect("no worker panicked").insert(number, lines);
                }
            });
        }
    });
    results.into_inner().expect("no worker panicked").into_values().flatten().collect()
}
