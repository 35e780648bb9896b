//! Computation inside this process, without any socket: how near the sum over a sorted set comes to a plain loop over the
//! same numbers, and what kernels gain over the interpreter. There is no peer; the figures stand for themselves.

use super::Comparison;
use crate::failure::{Failure, system};
use crate::results::{OURS, Section};
use shardis_benches::target::Target;
use shardis_compute::{Batch, Bounds, Field, Form, Partial, Plan, Row, Value as Sum};
use shardis_server::{Server, Session, Value};
use std::hint::black_box;
use std::time::Instant;

/// Measures each figure a few times.
pub fn run(comparison: &mut Comparison) -> Result<(), Failure> {
    let (light, lowering) =
        (comparison.options.selects(SECTION, LIGHT), comparison.options.selects(SECTION, LOWERING));
    for round in 0..comparison.options.rounds {
        if light {
            comparison.progress(&format!("{LIGHT}: round {}", round + 1));
            let (plain_ns, ours_ns) = speed_of_light(comparison.options.keys)?;
            let rows = [
                ("loop over a slice, ns a double", Target::NONE, plain_ns),
                ("sum over a sorted set, ns a member", Target::NONE, ours_ns),
                (LIGHT, LIGHT_TARGET, ours_ns / plain_ns),
            ];
            record(comparison, round, &rows);
        }
        if lowering {
            comparison.progress(&format!("{LOWERING}: round {}", round + 1));
            let (kernels_ns, interpreter_ns) = (per_row(false)?, per_row(true)?);
            let rows = [
                ("kernels, ns a row", Target::NONE, kernels_ns),
                ("interpreter, ns a row", Target::NONE, interpreter_ns),
                (LOWERING, LOWERING_TARGET, kernels_ns / interpreter_ns),
            ];
            record(comparison, round, &rows);
        }
    }
    Ok(())
}

fn record(comparison: &mut Comparison, round: usize, rows: &[(&str, Target, f64)]) {
    for (name, target, value) in rows {
        comparison.results.record((Section::Compute, name, *target), OURS, round, *value);
    }
}

/// Nanoseconds for each of `members` doubles: added up in a loop, and by a computation over a sorted set.
fn speed_of_light(members: u64) -> Result<(f64, f64), Failure> {
    let scores: Vec<f64> = (0..members).map(|number| number as f64 * 0.5 - 1000.0).collect();
    let server = Server::builder().start().map_err(system("cannot start a server in process"))?;
    let mut session = server.session();
    for (chunk, numbers) in scores.chunks(MEMBERS_PER_CALL).enumerate() {
        let mut words = vec!["ZADD".to_owned(), "board".to_owned()];
        for (at, score) in numbers.iter().enumerate() {
            words.extend([score.to_string(), format!("member:{}", chunk * MEMBERS_PER_CALL + at)]);
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        session.execute(&words);
    }
    let expected: f64 = scores.iter().sum();
    let mut plain_ns = f64::INFINITY;
    for _ in 0..REPETITIONS {
        let started = Instant::now();
        black_box(black_box(&scores).iter().sum::<f64>());
        plain_ns = plain_ns.min(started.elapsed().as_nanos() as f64 / members as f64);
    }
    let mut ours_ns = f64::INFINITY;
    for _ in 0..REPETITIONS {
        let started = Instant::now();
        let sum = sum(&mut session)?;
        ours_ns = ours_ns.min(started.elapsed().as_nanos() as f64 / members as f64);
        check("COMPUTE.KAGGREGATE", sum, expected)?;
    }
    Ok((plain_ns, ours_ns))
}

fn sum(session: &mut Session) -> Result<f64, Failure> {
    match session.execute(&["COMPUTE.KAGGREGATE", "board", "REDUCE", "SUM", "1", "s", "AS", "sum", "SCALAR"])
    {
        Value::Double(sum) => Ok(sum),
        other => Err(wrong("COMPUTE.KAGGREGATE", "a double", &format!("{other:?}"))),
    }
}

/// Nanoseconds a row for a condition and a sum over hashes, in the quietest of some batches.
fn per_row(interpreted: bool) -> Result<f64, Failure> {
    let bounds = Bounds::NONE;
    let words = ["*", "WHERE", CONDITION, "REDUCE", "SUM", "1", "h.price * h.amount", "AS", "sum"];
    let plan = Plan::new(Form::Aggregate, &words.map(str::as_bytes), &bounds)
        .map_err(|error| wrong(CONDITION, "a plan", &error.to_string()))?;
    let plan = if interpreted { plan.interpreted() } else { plan };
    let mut batch = Batch::new(&plan);
    for number in 0..ROWS {
        let row = Row { key: b"order", ..Row::default() };
        batch.push_row(row, |source| match source.to_string().as_str() {
            "h.price" => Field::Int(number % 200),
            "h.amount" => Field::Int(number % 7),
            _ => Field::Bytes(if number % 3 == 0 { b"eu" } else { b"us" }),
        });
    }
    let chosen = (0..ROWS).filter(|number| number % 200 > 100 && number % 3 == 0);
    let expected: i64 = chosen.map(|number| (number % 200) * (number % 7)).sum();
    let mut quietest_ns = f64::INFINITY;
    for _ in 0..REPETITIONS {
        let started = Instant::now();
        let mut partial = Partial::new(&plan);
        partial.fold(&plan, &batch);
        quietest_ns = quietest_ns.min(started.elapsed().as_nanos() as f64 / ROWS as f64);
        let outcome =
            partial.finish(&plan).map_err(|ended| wrong(CONDITION, "a sum", &format!("{ended:?}")))?;
        match outcome.scalar() {
            Some(Sum::Int(sum)) => check(CONDITION, *sum as f64, expected as f64)?,
            other => return Err(wrong(CONDITION, "an integer", &format!("{other:?}"))),
        }
    }
    Ok(quietest_ns)
}

fn check(command: &str, sum: f64, expected: f64) -> Result<(), Failure> {
    if sum == expected { Ok(()) } else { Err(wrong(command, &expected.to_string(), &sum.to_string())) }
}

fn wrong(command: &str, expected: &str, received: &str) -> Failure {
    Failure::WrongReply {
        server: OURS.to_owned(),
        command: command.to_owned(),
        expected: expected.to_owned(),
        received: received.to_owned(),
    }
}

const SECTION: &str = "compute";
const LIGHT: &str = "sum over a sorted set to a loop over a slice";
const LOWERING: &str = "kernels to the interpreter";
const CONDITION: &str = "h.price > 100 && h.region == \"eu\"";
/// A quarter of the speed of a loop.
const LIGHT_TARGET: Target = Target { goal: None, ..Target::absolute(4.0, 4.0) };
/// Five times as fast.
const LOWERING_TARGET: Target = Target { goal: None, ..Target::absolute(0.2, 0.2) };
const MEMBERS_PER_CALL: usize = 1000;
const ROWS: i64 = 1024;
const REPETITIONS: usize = 20;
