//! `State`: what one reducer knows of the rows folded so far. This is the one place that knows which reducer keeps
//! what; how each folds and merges is in the file of its own.
//!
//! The encoded form has no tag: whoever decodes knows the reducer from the plan, and the version from the partial
//! around it. It belongs to the `Spec` it was made with.

use super::concat::Joined;
use super::distinct::Distinct;
use super::extreme::{Beside, End, Extreme, Placed};
use super::frequent::Frequent;
use super::function::Function;
use super::histogram::Histogram;
use super::hll::Registers;
use super::limit::Limit;
use super::quantile::Sketch;
use super::sample::Sample;
use super::spec::Spec;
use super::truth::Truths;
use super::variance::Variance;
use crate::encode::Reader;
use crate::error::DecodeError;
use crate::sum::ExactSum;
use crate::value::Value;
use crate::vector::{Rows, Scalar, Vector};

/// One reducer's share of a partial result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    Count(u64),
    /// SUM and AVG.
    Sum(ExactSum),
    /// MIN and MAX.
    Extreme(Extreme),
    /// ARGMIN and ARGMAX.
    Beside(Beside),
    /// FIRST and LAST.
    Placed(Placed),
    /// VAR and STDDEV.
    Variance(Variance),
    Distinct(Box<Distinct>),
    Hll(Registers),
    Quantile(Sketch),
    TopK(Box<Frequent>),
    Sample(Sample),
    Hist(Histogram),
    /// ANY and ALL.
    Truths(Truths),
    Concat(Joined),
}

impl State {
    /// The state before any row.
    pub(crate) fn new(spec: &Spec) -> State {
        match spec.function {
            Function::Count => State::Count(0),
            Function::Sum | Function::Avg => State::Sum(ExactSum::default()),
            Function::Min | Function::Max => State::Extreme(Extreme::new()),
            Function::Var | Function::Stddev => State::Variance(Variance::default()),
            Function::First | Function::Last => State::Placed(Placed::new()),
            Function::ArgMin | Function::ArgMax => State::Beside(Beside::new()),
            Function::Distinct => State::Distinct(Box::default()),
            Function::Hll => State::Hll(Registers::default()),
            Function::Quantile => State::Quantile(Sketch::default()),
            Function::TopK => State::TopK(Box::default()),
            Function::Sample => State::Sample(Sample::default()),
            Function::Hist => State::Hist(Histogram::default()),
            Function::Any | Function::All => State::Truths(Truths::default()),
            Function::Concat => State::Concat(Joined::default()),
        }
    }

    /// Adds all rows. After a `Limit` the state is of no more use.
    pub(crate) fn fold(
        &mut self,
        spec: &Spec,
        arguments: &[Vector<'_>],
        rows: Rows<'_>,
    ) -> Result<(), Limit> {
        debug_assert!(arguments.iter().all(|argument| argument.len() == rows.len));
        match (self, arguments) {
            (State::Count(count), []) => *count = count.saturating_add(rows.len as u64),
            (State::Count(count), [Vector::Mixed(values)]) => {
                let present = values.iter().filter(|value| **value != Scalar::Null).count();
                *count = count.saturating_add(present as u64);
            }
            (State::Count(count), [values, ..]) => *count = count.saturating_add(values.len() as u64),
            (State::Sum(sum), [Vector::Ints(values)]) => sum.add_ints(values),
            (State::Sum(sum), [Vector::Doubles(values)]) => sum.add_doubles(values),
            (State::Extreme(extreme), [values]) => extreme.fold(end(spec.function), values),
            (State::Variance(variance), [Vector::Ints(values)]) => variance.add_ints(values),
            (State::Variance(variance), [Vector::Doubles(values)]) => variance.add_doubles(values),
            (State::Truths(truths), [Vector::Bools(values)]) => truths.fold(values),
            (State::Distinct(distinct), [values]) => distinct.fold(values),
            (State::Hll(registers), [values]) => registers.fold(values),
            (State::Quantile(sketch), [Vector::Doubles(values)]) => {
                values.iter().for_each(|value| sketch.add(*value));
            }
            (state, arguments) => {
                for row in 0..rows.len {
                    state.fold_row(spec, arguments, rows, row)?;
                }
            }
        }
        Ok(())
    }

    /// Adds one of the rows. After a `Limit` the state is of no more use.
    pub(crate) fn fold_row(
        &mut self,
        spec: &Spec,
        arguments: &[Vector<'_>],
        rows: Rows<'_>,
        row: usize,
    ) -> Result<(), Limit> {
        let [first, others @ ..] = arguments else {
            debug_assert!(matches!(self, State::Count(_)), "only COUNT may lack its argument");
            if let State::Count(count) = self {
                *count = count.saturating_add(1);
            }
            return Ok(());
        };
        let value = first.at(row);
        if value == Scalar::Null {
            return Ok(());
        }
        match self {
            State::Count(count) => *count = count.saturating_add(1),
            State::Sum(sum) => match value {
                Scalar::Int(value) => sum.add_int(value),
                Scalar::Double(value) => sum.add_double(value),
                _ => debug_assert!(false, "SUM is given numbers, not {value:?}"),
            },
            State::Extreme(extreme) => extreme.offer(end(spec.function), value),
            State::Beside(beside) => {
                let by = others.first().map_or(Scalar::Null, |by| by.at(row));
                beside.offer(end(spec.function), value, by);
            }
            State::Placed(placed) => placed.offer(end(spec.function), value, place(rows, row)),
            State::Variance(variance) => match value {
                Scalar::Int(value) => variance.add_int(value),
                Scalar::Double(value) => variance.add_double(value),
                _ => debug_assert!(false, "VAR is given numbers, not {value:?}"),
            },
            State::Distinct(distinct) => distinct.add(value),
            State::Hll(registers) => registers.add(value),
            State::Quantile(sketch) => match value {
                Scalar::Int(value) => sketch.add(value as f64),
                Scalar::Double(value) => sketch.add(value),
                _ => debug_assert!(false, "QUANTILE is given numbers, not {value:?}"),
            },
            State::TopK(frequent) => frequent.add(spec, value),
            State::Sample(sample) => {
                debug_assert!(row < rows.identities.len(), "SAMPLE asks for identities");
                sample.add(spec, value, rows.identities.get(row).copied().unwrap_or_default());
            }
            State::Hist(histogram) => histogram.add(spec, value)?,
            State::Truths(truths) => match value {
                Scalar::Bool(value) => truths.add(value),
                _ => debug_assert!(false, "ANY and ALL are given truth values, not {value:?}"),
            },
            State::Concat(joined) => {
                let place = if spec.ordered { place(rows, row) } else { 0 };
                joined.add(spec, value, place)?;
            }
        }
        Ok(())
    }

    /// Adds the rows of another state of the same reducer. After a `Limit` the state is of no more use.
    pub(crate) fn merge(&mut self, spec: &Spec, other: State) -> Result<(), Limit> {
        match (self, other) {
            (State::Count(count), State::Count(other)) => *count = count.saturating_add(other),
            (State::Sum(sum), State::Sum(other)) => sum.merge(&other),
            (State::Extreme(extreme), State::Extreme(other)) => extreme.merge(end(spec.function), other),
            (State::Beside(beside), State::Beside(other)) => beside.merge(end(spec.function), other),
            (State::Placed(placed), State::Placed(other)) => placed.merge(end(spec.function), other),
            (State::Variance(variance), State::Variance(other)) => variance.merge(&other),
            (State::Distinct(distinct), State::Distinct(other)) => distinct.merge(*other),
            (State::Hll(registers), State::Hll(other)) => registers.merge(other),
            (State::Quantile(sketch), State::Quantile(other)) => sketch.merge(other),
            (State::TopK(frequent), State::TopK(other)) => frequent.merge(spec, *other),
            (State::Sample(sample), State::Sample(other)) => sample.merge(spec, other),
            (State::Hist(histogram), State::Hist(other)) => histogram.merge(other)?,
            (State::Truths(truths), State::Truths(other)) => truths.merge(other),
            (State::Concat(joined), State::Concat(other)) => joined.merge(spec, other)?,
            (state, other) => panic!("invariant: partials of one plan merge, not {state:?} with {other:?}"),
        }
        Ok(())
    }

    /// The result of all rows that came in.
    pub(crate) fn finish(&self, spec: &Spec) -> Value {
        match self {
            State::Count(count) => Value::Int((*count).into()),
            State::Sum(sum) if spec.function == Function::Avg => sum.mean(),
            State::Sum(sum) => sum.total(),
            State::Extreme(extreme) => extreme.finish(),
            State::Beside(beside) => beside.finish(),
            State::Placed(placed) => placed.finish(),
            State::Variance(variance) => {
                let variance = variance.finish();
                let is_deviation = spec.function == Function::Stddev;
                variance.map_or(Value::Null, |variance| {
                    Value::Double(if is_deviation { variance.sqrt() } else { variance })
                })
            }
            State::Distinct(distinct) => distinct.finish(),
            State::Hll(registers) => registers.finish(),
            State::Quantile(sketch) => sketch.finish(spec),
            State::TopK(frequent) => frequent.finish(spec),
            State::Sample(sample) => sample.finish(),
            State::Hist(histogram) => histogram.finish(),
            State::Truths(truths) if spec.function == Function::Any => Value::Bool(truths.any()),
            State::Truths(truths) => Value::Bool(truths.all()),
            State::Concat(joined) => joined.finish(spec),
        }
    }

    /// Appends it as bytes, to be decoded with the same `Spec`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            State::Count(count) => out.extend_from_slice(&count.to_le_bytes()),
            State::Sum(sum) => sum.encode(out),
            State::Extreme(extreme) => extreme.encode(out),
            State::Beside(beside) => beside.encode(out),
            State::Placed(placed) => placed.encode(out),
            State::Variance(variance) => variance.encode(out),
            State::Distinct(distinct) => distinct.encode(out),
            State::Hll(registers) => registers.encode(out),
            State::Quantile(sketch) => sketch.encode(out),
            State::TopK(frequent) => frequent.encode(out),
            State::Sample(sample) => sample.encode(out),
            State::Hist(histogram) => histogram.encode(out),
            State::Truths(truths) => truths.encode(out),
            State::Concat(joined) => joined.encode(out),
        }
    }

    /// Reads a state of the reducer back. Whatever the bytes say, no more is kept than the `Spec` allows.
    pub(crate) fn decode(spec: &Spec, input: &mut Reader<'_>) -> Result<State, DecodeError> {
        Ok(match spec.function {
            Function::Count => State::Count(input.u64()?),
            Function::Sum | Function::Avg => State::Sum(ExactSum::decode(input)?),
            Function::Min | Function::Max => State::Extreme(Extreme::decode(input)?),
            Function::Var | Function::Stddev => State::Variance(Variance::decode(input)?),
            Function::First | Function::Last => State::Placed(Placed::decode(input)?),
            Function::ArgMin | Function::ArgMax => State::Beside(Beside::decode(input)?),
            Function::Distinct => State::Distinct(Box::new(Distinct::decode(input)?)),
            Function::Hll => State::Hll(Registers::decode(input)?),
            Function::Quantile => State::Quantile(Sketch::decode(input)?),
            Function::TopK => State::TopK(Box::new(Frequent::decode(spec, input)?)),
            Function::Sample => State::Sample(Sample::decode(spec, input)?),
            Function::Hist => State::Hist(Histogram::decode(input)?),
            Function::Any | Function::All => State::Truths(Truths::decode(input)?),
            Function::Concat => State::Concat(Joined::decode(spec, input)?),
        })
    }

    /// Bytes it keeps outside of itself, found without looking at every value.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            State::Count(_) | State::Truths(_) => 0,
            State::Sum(sum) => sum.memory_bytes(),
            State::Extreme(extreme) => extreme.memory_bytes(),
            State::Beside(beside) => beside.memory_bytes(),
            State::Placed(placed) => placed.memory_bytes(),
            State::Variance(variance) => variance.memory_bytes(),
            State::Distinct(distinct) => size_of_val(&**distinct) + distinct.memory_bytes(),
            State::Hll(registers) => registers.memory_bytes(),
            State::Quantile(sketch) => sketch.memory_bytes(),
            State::TopK(frequent) => size_of_val(&**frequent) + frequent.memory_bytes(),
            State::Sample(sample) => sample.memory_bytes(),
            State::Hist(histogram) => histogram.memory_bytes(),
            State::Concat(joined) => joined.memory_bytes(),
        }
    }
}

/// Every group of rows has one for each reducer, so what is large is boxed.
const _: () = assert!(size_of::<State>() <= 64);

/// Which end of the order a function keeps.
fn end(function: Function) -> End {
    match function {
        Function::Max | Function::ArgMax | Function::Last => End::Greatest,
        _ => End::Least,
    }
}

fn place(rows: Rows<'_>, row: usize) -> u64 {
    debug_assert!(row < rows.ordinals.len(), "FIRST, LAST and CONCAT ask for ordinals");
    rows.ordinals.get(row).copied().unwrap_or_default()
}
