//! The states of reducers: what each keeps while folding, and how two of them become one. All of them may be
//! merged in any order and grouping. Not here: which rows are folded (`read`).

use std::cmp::Ordering;

use crate::encode::{Reader, put_bytes};
use crate::error::DecodeError;
use crate::kernels::read::Vector;
use crate::reducer::Function;
use crate::sum::ExactSum;
use crate::value::Value;

/// What one reducer knows of the rows folded so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    Count(u64),
    Sum(ExactSum),
    Avg(ExactSum),
    /// The least value, null before the first.
    Min(Value),
    Max(Value),
}

impl State {
    pub(crate) fn new(function: Function) -> State {
        match function {
            Function::Count => State::Count(0),
            Function::Sum => State::Sum(ExactSum::default()),
            Function::Avg => State::Avg(ExactSum::default()),
            Function::Min => State::Min(Value::Null),
            Function::Max => State::Max(Value::Null),
        }
    }

    /// Counts rows: the one reducer without argument.
    pub(crate) fn fold_rows(&mut self, rows: u64) {
        if let State::Count(count) = self {
            *count += rows;
        }
    }

    pub(crate) fn fold(&mut self, values: &Vector<'_>) {
        match self {
            State::Count(count) => *count += values.count as u64,
            State::Sum(sum) | State::Avg(sum) => {
                sum.add_ints(&values.ints);
                sum.add_doubles(&values.doubles);
            }
            State::Min(least) => {
                extremes(values, Ordering::Less).for_each(|value| offer(least, value, Ordering::Less))
            }
            State::Max(most) => {
                extremes(values, Ordering::Greater).for_each(|value| offer(most, value, Ordering::Greater));
            }
        }
    }

    /// Both states belong to the same reducer.
    pub(crate) fn merge(&mut self, other: State) {
        match (self, other) {
            (State::Count(count), State::Count(other)) => *count = count.saturating_add(other),
            (State::Sum(sum), State::Sum(other)) | (State::Avg(sum), State::Avg(other)) => sum.merge(&other),
            (State::Min(least), State::Min(other)) => offer(least, other, Ordering::Less),
            (State::Max(most), State::Max(other)) => offer(most, other, Ordering::Greater),
            (state, other) => panic!("invariant: partials of one plan merge, not {state:?} with {other:?}"),
        }
    }

    pub(crate) fn finish(&self) -> Value {
        match self {
            State::Count(count) => Value::Int(i128::from(*count)),
            State::Sum(sum) => sum.total(),
            State::Avg(sum) => sum.mean(),
            State::Min(value) | State::Max(value) => value.clone(),
        }
    }

    /// The state without its function, which whoever decodes knows from the plan.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            State::Count(count) => out.extend_from_slice(&count.to_le_bytes()),
            State::Sum(sum) | State::Avg(sum) => sum.encode(out),
            State::Min(value) | State::Max(value) => encode_value(value, out),
        }
    }

    pub(crate) fn decode(function: Function, input: &mut Reader<'_>) -> Result<State, DecodeError> {
        Ok(match function {
            Function::Count => State::Count(input.u64()?),
            Function::Sum => State::Sum(ExactSum::decode(input)?),
            Function::Avg => State::Avg(ExactSum::decode(input)?),
            Function::Min => State::Min(decode_value(input)?),
            Function::Max => State::Max(decode_value(input)?),
        })
    }
}

/// The extreme of each type among the values; between types `offer` decides.
fn extremes(values: &Vector<'_>, wanted: Ordering) -> impl Iterator<Item = Value> {
    let is_least = wanted == Ordering::Less;
    let int = if is_least { values.ints.iter().min() } else { values.ints.iter().max() };
    let choose = if is_least { f64::min } else { f64::max };
    let double = values.doubles.iter().copied().reduce(choose);
    let texts =
        values.texts.iter().map(|text| (values.has_raw_bytes() || std::str::from_utf8(text).is_err(), *text));
    let text = if is_least { texts.min() } else { texts.max() };
    let text = text.map(|(is_bytes, text)| match String::from_utf8(text.to_vec()) {
        Ok(text) if !is_bytes => Value::Text(text),
        _ => Value::Bytes(text.to_vec()),
    });
    [int.map(|int| Value::Int(i128::from(*int))), double.map(Value::Double), text].into_iter().flatten()
}

/// Replaces `current` if `value` is beyond it in the wanted direction. Null yields to everything.
fn offer(current: &mut Value, value: Value, wanted: Ordering) {
    if value != Value::Null && (*current == Value::Null || value.order(current) == wanted) {
        *current = value;
    }
}

/// A type byte, then the value: fixed-width numbers, or bytes behind their length.
fn encode_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0),
        Value::Int(value) => {
            out.push(1);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Value::Double(value) => {
            out.push(2);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Value::Text(text) => {
            out.push(3);
            put_bytes(out, text.as_bytes());
        }
        Value::Bytes(bytes) => {
            out.push(4);
            put_bytes(out, bytes);
        }
    }
}

fn decode_value(input: &mut Reader<'_>) -> Result<Value, DecodeError> {
    Ok(match input.u8()? {
        0 => Value::Null,
        1 => Value::Int(i128::from_le_bytes(input.array()?)),
        2 => Value::Double(f64::from_bits(input.u64()?)),
        3 => Value::Text(input.text()?),
        4 => Value::Bytes(input.bytes()?.to_vec()),
        _ => return Err(DecodeError::Malformed),
    })
}
