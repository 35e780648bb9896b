//! `Partial`: what is known of a result after some of its rows. Each worker folds batches into one of its
//! own; they merge in any order and grouping, also as bytes between machines, and only the last is finished.
//! Not here: who folds what.
//!
//! Encoded, all integers little-endian:
//!
//! ```text
//! version u8 | scanned u64 | matched u64 | errors u64 | failed u8 [ key bytes | text bytes ] | body
//! ```

mod finish;
mod fold;
mod groups;
mod rows;

use crate::encode::{Reader, put_bytes};
use crate::error::{DecodeError, Exceeded, RowError};
use crate::plan::{Plan, Shape};
use crate::reducer::State;
use crate::text;
use crate::value::Value;

pub(crate) use self::fold::{computed, conform, told};
use self::groups::Groups;
use self::rows::Rows;

/// Version of the encoding; raised whenever its meaning changes.
const VERSION: u8 = 2;

/// A part of a plan's result. It may only meet batches and partials of the plan it was made for.
#[derive(Clone, Debug, PartialEq)]
pub struct Partial {
    scanned: u64,
    matched: u64,
    errors: u64,
    /// Whether rows were left out because it was over. Such a part is never sent anywhere.
    is_cut_short: bool,
    failure: Option<RowError>,
    exceeded: Option<Exceeded>,
    body: Body,
}

/// What the rows have become.
#[derive(Clone, Debug, PartialEq)]
enum Body {
    /// A state for each reducer.
    One(Vec<State>),
    Groups(Groups),
    Rows(Rows),
}

/// A finished result.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The names of its columns, in the order of the command.
    pub columns: Vec<Vec<u8>>,
    /// The rows of the result, each with a value for each column.
    pub rows: Vec<Vec<Value>>,
    /// Rows looked at.
    pub scanned: u64,
    /// Rows that the plan is about, those included that failed later than WHERE.
    pub matched: u64,
    /// Rows left out because an expression failed on them.
    pub errors: u64,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A row failed under `ONERROR FAIL`.
    Failed(RowError),
    /// A limit was passed.
    Exceeded(Exceeded),
}

impl Outcome {
    /// The lone value that `COMPUTE.COUNT` and SCALAR reply.
    pub fn scalar(&self) -> Option<&Value> {
        self.rows.first()?.first()
    }

    /// One of its rows as an object of JSON.
    pub fn json(&self, row: &[Value]) -> Vec<u8> {
        text::object(&self.columns, row)
    }

    /// About how many bytes its values take in a reply.
    pub fn weight_bytes(&self) -> usize {
        self.rows.iter().flatten().map(weight_bytes).sum()
    }
}

/// A number, or text behind its length, with what stands around it.
fn weight_bytes(value: &Value) -> usize {
    const FRAME_BYTES: usize = 8;
    FRAME_BYTES
        + match value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::List(values) => values.iter().map(weight_bytes).sum(),
            Value::Map(pairs) => {
                pairs.iter().map(|(key, value)| weight_bytes(key) + weight_bytes(value)).sum()
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Double(_) => 0,
        }
}

impl Partial {
    /// The result of no rows.
    pub fn new(plan: &Plan) -> Partial {
        let body = match plan.shape() {
            Shape::Select(_) => Body::Rows(Rows::default()),
            Shape::Reduce(reduction) if reduction.groups.is_empty() => {
                Body::One(reduction.reducers.iter().map(|reducer| State::new(&reducer.spec)).collect())
            }
            Shape::Reduce(_) => Body::Groups(Groups::default()),
        };
        Partial {
            scanned: 0,
            matched: 0,
            errors: 0,
            is_cut_short: false,
            failure: None,
            exceeded: None,
            body,
        }
    }

    /// Adds the rows of another partial of the same plan.
    pub fn merge(&mut self, plan: &Plan, other: Partial) {
        self.scanned = self.scanned.saturating_add(other.scanned);
        self.matched = self.matched.saturating_add(other.matched);
        self.errors = self.errors.saturating_add(other.errors);
        self.is_cut_short |= other.is_cut_short;
        if let Some(failure) = other.failure {
            self.fail(failure);
        }
        let merged = match (&mut self.body, other.body, plan.shape()) {
            (Body::One(states), Body::One(others), Shape::Reduce(reduction)) => {
                let specs = reduction.reducers.iter().map(|reducer| &reducer.spec);
                let mut pairs = states.iter_mut().zip(others).zip(specs);
                pairs
                    .try_for_each(|((state, other), spec)| state.merge(spec, other))
                    .map_err(Exceeded::Reducer)
            }
            (Body::Groups(groups), Body::Groups(others), _) => groups.merge(plan, others),
            (Body::Rows(rows), Body::Rows(others), _) => rows.merge(plan, others),
            _ => unreachable!("invariant: partials of one plan merge"),
        };
        self.exceeded = self.exceeded.take().or(other.exceeded).or(merged.err());
    }

    /// Whether it cannot become a result any more, whatever rows come.
    pub fn is_ended(&self) -> bool {
        self.failure.is_some() || self.exceeded.is_some()
    }

    /// Whether rows are missing that were to be folded when it was over.
    pub fn is_cut_short(&self) -> bool {
        self.is_cut_short
    }

    /// Rows folded so far.
    pub fn scanned(&self) -> u64 {
        self.scanned
    }

    /// Heap bytes of what it keeps.
    pub fn memory_bytes(&self) -> usize {
        match &self.body {
            Body::One(states) => states.iter().map(|state| size_of::<State>() + state.memory_bytes()).sum(),
            Body::Groups(groups) => groups.memory_bytes(),
            Body::Rows(rows) => rows.memory_bytes(),
        }
    }

    /// Appends it as bytes, to be decoded with the same plan. One that has ended or was cut short has no such form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        for count in [self.scanned, self.matched, self.errors] {
            out.extend_from_slice(&count.to_le_bytes());
        }
        out.push(u8::from(self.failure.is_some()));
        if let Some(failure) = &self.failure {
            put_bytes(out, &failure.key);
            put_bytes(out, failure.text.as_bytes());
        }
        match &self.body {
            Body::One(states) => states.iter().for_each(|state| state.encode(out)),
            Body::Groups(groups) => groups.encode(out),
            Body::Rows(rows) => rows.encode(out),
        }
    }

    /// Reads a partial of `plan` back.
    pub fn decode(plan: &Plan, bytes: &[u8]) -> Result<Partial, DecodeError> {
        let mut input = Reader::new(bytes);
        let version = input.u8()?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let (scanned, matched, errors) = (input.u64()?, input.u64()?, input.u64()?);
        let failure = if input.flag()? {
            Some(RowError { key: input.bytes()?.to_vec(), text: input.text()? })
        } else {
            None
        };
        let body = match plan.shape() {
            Shape::Select(_) => Body::Rows(Rows::decode(plan, &mut input)?),
            Shape::Reduce(reduction) if reduction.groups.is_empty() => {
                let states =
                    reduction.reducers.iter().map(|reducer| State::decode(&reducer.spec, &mut input));
                Body::One(states.collect::<Result<_, _>>()?)
            }
            Shape::Reduce(_) => Body::Groups(Groups::decode(plan, &mut input)?),
        };
        input.end()?;
        Ok(Partial { scanned, matched, errors, is_cut_short: false, failure, exceeded: None, body })
    }

    /// Keeps the least of several failures, so that the same partials tell of the same one in whatever order they
    /// merge. Which failures those are is another matter: a run stops soon after the first.
    fn fail(&mut self, failure: RowError) {
        if self.failure.as_ref().is_none_or(|current| failure < *current) {
            self.failure = Some(failure);
        }
    }
}
