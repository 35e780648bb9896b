//! Random comparison: the same commands, byte for byte, to ours and to a real server, and every reply
//! compared.
//!
//! 1. `generate` fills the shapes of `commands.txt` with `words`, over few keys, and damages some.
//! 2. `pair` sends them in windows and compares each reply by `compare`, those of a transaction by `queue`, then every key that
//!    is left.
//! 3. A sequence that shows a difference is made short by `shrink` and printed as a transcript.
//!
//! It compares answers, not speed, and one connection at a time: what several clients do to each other is the
//! business of transcripts.

mod compare;
mod generate;
mod grammar;
mod pair;
mod queue;
mod shrink;
mod words;

pub use compare::{EXCEPTIONS, Exception};
pub use pair::Pair;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::notation::{quote, write};
use crate::reference::Reference;
use crate::reply::Reply;
use generate::{Generator, Step};
use grammar::{Part, shapes};
use pair::Difference;

/// A sequence of this many commands starts from empty databases.
const SEQUENCE_COMMANDS: usize = 1000;
/// After so many different failures a run ends.
const FAILURES_MAX: usize = 5;
/// Every command must succeed in this share of its calls, in percent: else it is not tested, only refused.
const SUCCESS_PERCENT_MIN: usize = 30;
/// Fewer calls say nothing about a share.
const CALLS_MIN: usize = 50;

/// What the commands are drawn from, unless told otherwise.
const SEED: u64 = 2;

/// How much to run.
#[derive(Clone, Debug)]
pub struct Settings {
    seed: u64,
    commands: usize,
    duration: Option<Duration>,
}

/// What a run has found.
#[derive(Debug, Default)]
pub struct Report {
    /// Commands compared.
    pub commands: usize,
    /// Transcripts that show a difference.
    pub failures: Vec<String>,
    /// For each command and subcommand of `commands`: calls, and replies that were no error.
    calls: BTreeMap<String, (usize, usize)>,
}

impl Settings {
    /// From `DIFFERENTIAL_SEED` (`random` for a new one; always the same when missing, so that a commit passes or fails by what it is
    /// and not by chance), `DIFFERENTIAL_COMMANDS` (20,000) or `DIFFERENTIAL_SECONDS`.
    pub fn from_environment() -> Self {
        let number = |name: &str| {
            let value = std::env::var(name).ok()?;
            Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
        };
        Self {
            seed: match std::env::var("DIFFERENTIAL_SEED").as_deref() {
                Ok("random") => fastrand::u64(..),
                _ => number("DIFFERENTIAL_SEED").unwrap_or(SEED),
            },
            commands: number("DIFFERENTIAL_COMMANDS").map_or(20_000, |count| count as usize),
            duration: number("DIFFERENTIAL_SECONDS").map(Duration::from_secs),
        }
    }
}

/// The commands and subcommands that a run sends, named as COMMAND LIST names them.
pub fn commands(reference: Reference) -> BTreeSet<String> {
    let literal = |part: &Part| match part {
        Part::Literal(word) => Some(word.as_bytes().to_vec()),
        _ => None,
    };
    let steps = shapes(reference)
        .into_iter()
        .map(|shape| Step { words: shape.parts.iter().map_while(literal).collect() });
    steps.map(|step| table_name(&step)).collect()
}

/// The command or subcommand that is called, in the form of COMMAND LIST.
fn table_name(step: &Step) -> String {
    step.full_name().to_ascii_lowercase().replace(' ', "|")
}

/// Runs random sequences on a pair of servers.
pub fn run(pair: &Pair, settings: &Settings) -> Report {
    let mut generator = Generator::new(settings.seed, pair.reference);
    let calls = commands(pair.reference).into_iter().map(|name| (name, (0, 0))).collect();
    let mut report = Report { calls, ..Report::default() };
    let mut failed = Vec::new();
    let start = Instant::now();
    let unfinished = |report: &Report| match settings.duration {
        Some(duration) => start.elapsed() < duration,
        None => report.commands < settings.commands,
    };
    while unfinished(&report) && failed.len() < FAILURES_MAX {
        let steps: Vec<Step> = (0..SEQUENCE_COMMANDS).map(|_| generator.step()).collect();
        let difference = pair.run(&steps, &failed, |step, (_, reply)| report.count(step, reply));
        report.commands += steps.len();
        let Some(difference) = difference else { continue };
        let name = difference.name.clone();
        report.failures.push(shortest(pair, &steps[..difference.commands], &failed, difference));
        failed.push(name);
    }
    report.describe(pair, settings, start.elapsed());
    report
}

impl Report {
    /// The commands and subcommands that failed too often to have been tested.
    pub fn too_often_refused(&self) -> Vec<&str> {
        let refused = |(calls, successes): &(usize, usize)| {
            *calls >= CALLS_MIN && successes * 100 < calls * SUCCESS_PERCENT_MIN
        };
        self.calls.iter().filter(|(_, counts)| refused(counts)).map(|(name, _)| name.as_str()).collect()
    }

    fn count(&mut self, step: &Step, reply: &Reply) {
        // Damage makes words that are no subcommands; nothing is known of their share.
        let Some((calls, successes)) = self.calls.get_mut(&table_name(step)) else { return };
        *calls += 1;
        *successes += usize::from(!reply.is_error());
    }

    fn describe(&self, pair: &Pair, settings: &Settings, elapsed: Duration) {
        let (reference, protocol) = (pair.reference.personality(), pair.protocol);
        println!(
            "{} commands against {reference} in RESP{protocol}, {elapsed:.1?}; DIFFERENTIAL_SEED={}",
            self.commands, settings.seed
        );
        for (name, (calls, successes)) in &self.calls {
            println!("  {name:<23} {calls:>7} calls {:>4} % succeed", successes * 100 / calls.max(&1));
        }
    }
}

/// Shortens a failing sequence and writes it as a transcript.
fn shortest(pair: &Pair, steps: &[Step], known: &[String], first: Difference) -> String {
    let name = first.name.clone();
    let fails = |steps: &[Step]| pair.run(steps, known, |_, _| {}).filter(|found| found.name == name);
    let short = shrink::shrink(steps, |steps| fails(steps).is_some());
    let difference = fails(&short).unwrap_or(first);
    let mut text = format!("@protocol {}\n", pair.protocol);
    let is_last = short.last() == Some(&difference.step);
    let before = if is_last { &short[..short.len() - 1] } else { &short[..] };
    for step in before {
        line(&mut text, step);
        text.push_str("*\n");
    }
    line(&mut text, &difference.step);
    let theirs = described(&difference.theirs);
    let _ = writeln!(
        text,
        "{theirs}\n# {} answers this; ours:\n# {}",
        pair.reference.personality(),
        described(&difference.ours)
    );
    text
}

fn line(text: &mut String, step: &Step) {
    let words: Vec<String> = step.words.iter().map(|word| quote(word)).collect();
    text.push_str(&format!("a> {}\n", words.join(" ")));
}

fn described(bytes: &[u8]) -> String {
    match Reply::parse(bytes) {
        Ok(Some((reply, _))) => write(&reply),
        _ => String::from_utf8_lossy(bytes).into(),
    }
}
