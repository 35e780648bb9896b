//! `Partial`: what is known of a result after some of its rows. Each worker folds batches into one of its
//! own; they merge in any order and grouping, also as bytes between machines, and only the last is finished.
//! Not here: who folds what.
//!
//! Encoded, all integers little-endian:
//!
//! ```text
//! version u8 | scanned u64 | matched u64 | errors u64 | failed u8 [ key bytes | text bytes ] | states
//! ```

use crate::batch::Batch;
use crate::encode::{Reader, put_bytes};
use crate::error::{DecodeError, RowError};
use crate::kernels::read::{Failed, Vector};
use crate::kernels::reduce::State;
use crate::plan::{OnError, Plan};
use crate::value::Value;

/// Version of the encoding; raised whenever its meaning changes.
const VERSION: u8 = 1;

/// A part of a plan's result. It may only meet batches and partials of the plan it was made for.
#[derive(Clone, Debug, PartialEq)]
pub struct Partial {
    scanned: u64,
    matched: u64,
    errors: u64,
    failure: Option<RowError>,
    states: Vec<State>,
}

/// A finished result.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The rows of the result, each with its names and values in the order of the command.
    pub rows: Vec<Vec<(Vec<u8>, Value)>>,
    /// Rows looked at.
    pub scanned: u64,
    /// Rows that the plan is about, those included that failed.
    pub matched: u64,
    /// Rows left out because an expression failed on them.
    pub errors: u64,
}

impl Outcome {
    /// The lone value that `COMPUTE.COUNT` and SCALAR reply.
    pub fn scalar(&self) -> Option<&Value> {
        self.rows.first()?.first().map(|(_, value)| value)
    }
}

impl Partial {
    /// The result of no rows.
    pub fn new(plan: &Plan) -> Partial {
        let states = plan.reducers().iter().map(|reducer| State::new(reducer.function)).collect();
        Partial { scanned: 0, matched: 0, errors: 0, failure: None, states }
    }

    /// Adds the rows of a batch, which stays as it is.
    pub fn fold(&mut self, plan: &Plan, batch: &Batch) {
        let mut vectors: Vec<Vector<'_>> =
            plan.inputs().iter().map(|input| Vector::read(batch, *input)).collect();
        let mut kept = batch.rows();
        if plan.options().on_error != OnError::Null
            && let Some(failed) = Failed::of(&vectors, batch.rows())
        {
            if plan.options().on_error == OnError::Fail {
                self.fail(row_error(plan, batch, &failed, &vectors));
            }
            vectors.iter_mut().for_each(|vector| vector.drop_failed(&failed));
            kept -= failed.count;
        }
        self.scanned += batch.rows() as u64;
        self.matched += batch.rows() as u64;
        self.errors += (batch.rows() - kept) as u64;
        for (state, reducer) in self.states.iter_mut().zip(plan.reducers()) {
            match reducer.input {
                Some(input) => state.fold(&vectors[input]),
                None => state.fold_rows(kept as u64),
            }
        }
    }

    /// Adds the rows of another partial of the same plan.
    pub fn merge(&mut self, other: Partial) {
        assert_eq!(self.states.len(), other.states.len(), "invariant: partials of one plan merge");
        self.scanned = self.scanned.saturating_add(other.scanned);
        self.matched = self.matched.saturating_add(other.matched);
        self.errors = self.errors.saturating_add(other.errors);
        if let Some(failure) = other.failure {
            self.fail(failure);
        }
        for (state, other) in self.states.iter_mut().zip(other.states) {
            state.merge(other);
        }
    }

    /// The row that ended the run, under `ONERROR FAIL`: no further row can make a result of it.
    pub fn failure(&self) -> Option<&RowError> {
        self.failure.as_ref()
    }

    /// Rows folded so far.
    pub fn scanned(&self) -> u64 {
        self.scanned
    }

    /// The result of all rows that came in.
    pub fn finish(self, plan: &Plan) -> Result<Outcome, RowError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let named = plan.reducers().iter().zip(&self.states);
        let row = named.map(|(reducer, state)| (reducer.name.clone(), state.finish())).collect();
        Ok(Outcome { rows: vec![row], scanned: self.scanned, matched: self.matched, errors: self.errors })
    }

    /// Appends it as bytes, to be decoded with the same plan.
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
        self.states.iter().for_each(|state| state.encode(out));
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
        let states = plan.reducers().iter().map(|reducer| State::decode(reducer.function, &mut input));
        let states = states.collect::<Result<_, _>>()?;
        input.end()?;
        Ok(Partial { scanned, matched, errors, failure, states })
    }

    /// Keeps the least of several failures, so that the same partials tell of the same one in whatever order they
    /// merge. Which failures those are is another matter: a run stops soon after the first.
    fn fail(&mut self, failure: RowError) {
        if self.failure.as_ref().is_none_or(|current| failure < *current) {
            self.failure = Some(failure);
        }
    }
}

/// What to tell of the first row that failed.
fn row_error(plan: &Plan, batch: &Batch, failed: &Failed, vectors: &[Vector<'_>]) -> RowError {
    let row = failed.rows.iter().position(|failed| *failed).unwrap_or(0);
    let mut texts = vectors.iter().zip(plan.inputs()).filter_map(|(vector, input)| {
        let source = &plan.columns()[input.column].source;
        vector.failure(row).map(|failure| format!("{source} {failure}"))
    });
    RowError { key: batch.key(row).to_vec(), text: texts.next().unwrap_or_default() }
}
