//! Groups: a state of each reducer for each combination of values that GROUPBY met. A whole double is the same group as
//! its integer. Groups are found by their values as bytes, which are unique.

use std::collections::HashMap;

use super::finish::Given;
use crate::encode::{Reader, put_bytes};
use crate::error::{DecodeError, Exceeded};
use crate::plan::{Plan, Reduction, Shape};
use crate::reducer::{Spec, State, normalized};
use crate::value::Value;
use crate::vector::{Rows, Scalar, Vector};

/// States by group.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Groups {
    groups: HashMap<Box<[u8]>, Vec<State>>,
    /// Heap bytes of all that.
    memory_bytes: usize,
}

/// What a map keeps for an entry beside its key and states.
const ENTRY_BYTES: usize = size_of::<(Box<[u8]>, Vec<State>)>() + 1;

impl Groups {
    pub(super) fn fold(
        &mut self,
        reduction: &Reduction,
        groups_max: u64,
        vectors: &[Vector<'_>],
        rows: Rows<'_>,
    ) -> Result<(), Exceeded> {
        let by = &vectors[..reduction.groups.len()];
        let mut key = Vec::new();
        for row in 0..rows.len {
            key.clear();
            by.iter().for_each(|values| put_scalar(values.at(row), &mut key));
            if !self.groups.contains_key(key.as_slice()) {
                self.open(&key, reduction, groups_max)?;
            }
            let Some(states) = self.groups.get_mut(key.as_slice()) else { continue };
            for (state, reducer) in states.iter_mut().zip(&reduction.reducers) {
                let before = state.memory_bytes();
                let arguments = &vectors[reducer.arguments.clone()];
                state.fold_row(&reducer.spec, arguments, rows, row).map_err(Exceeded::Reducer)?;
                self.memory_bytes = self.memory_bytes + state.memory_bytes() - before;
            }
        }
        Ok(())
    }

    fn open(&mut self, key: &[u8], reduction: &Reduction, groups_max: u64) -> Result<(), Exceeded> {
        if self.groups.len() as u64 >= groups_max {
            return Err(Exceeded::Groups { max: groups_max });
        }
        let states: Vec<State> = reduction.reducers.iter().map(|reducer| State::new(&reducer.spec)).collect();
        self.memory_bytes += weight(key, &states);
        self.groups.insert(key.into(), states);
        Ok(())
    }

    pub(super) fn merge(&mut self, plan: &Plan, other: Groups) -> Result<(), Exceeded> {
        let Shape::Reduce(reduction) = plan.shape() else { return Ok(()) };
        let groups_max = plan.limits().groups_max;
        for (key, others) in other.groups {
            let Some(states) = self.groups.get_mut(&key) else {
                if self.groups.len() as u64 >= groups_max {
                    return Err(Exceeded::Groups { max: groups_max });
                }
                self.memory_bytes += weight(&key, &others);
                self.groups.insert(key, others);
                continue;
            };
            for ((state, other), reducer) in states.iter_mut().zip(others).zip(&reduction.reducers) {
                let before = state.memory_bytes();
                state.merge(&reducer.spec, other).map_err(Exceeded::Reducer)?;
                self.memory_bytes = self.memory_bytes + state.memory_bytes() - before;
            }
        }
        Ok(())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Each group: its values, then those of the reducers.
    pub(super) fn finish(&self, reduction: &Reduction) -> Vec<Given> {
        let specs: Vec<&Spec> = reduction.reducers.iter().map(|reducer| &reducer.spec).collect();
        let finished = self.groups.iter().map(|(key, states)| {
            let mut values = values_of(key, reduction.groups.len());
            let identity = values.clone();
            values.extend(states.iter().zip(&specs).map(|(state, spec)| state.finish(spec)));
            Given { values, identity }
        });
        finished.collect()
    }

    /// `groups u64 | (key bytes | states) ..`, by ascending keys.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.groups.len() as u64).to_le_bytes());
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_unstable_by_key(|(key, _)| *key);
        for (key, states) in groups {
            put_bytes(out, key);
            states.iter().for_each(|state| state.encode(out));
        }
    }

    pub(super) fn decode(plan: &Plan, input: &mut Reader<'_>) -> Result<Groups, DecodeError> {
        let Shape::Reduce(reduction) = plan.shape() else { return Err(DecodeError::Malformed) };
        let mut groups = Groups::default();
        for _ in 0..input.u64()? {
            let key: Box<[u8]> = input.bytes()?.into();
            if values_of(&key, reduction.groups.len()).len() != reduction.groups.len() {
                return Err(DecodeError::Malformed);
            }
            let states = reduction.reducers.iter().map(|reducer| State::decode(&reducer.spec, input));
            let states = states.collect::<Result<Vec<_>, _>>()?;
            groups.memory_bytes += weight(&key, &states);
            if groups.groups.insert(key, states).is_some() {
                return Err(DecodeError::Malformed);
            }
        }
        Ok(groups)
    }
}

fn weight(key: &[u8], states: &[State]) -> usize {
    let states_bytes: usize = states.iter().map(|state| size_of::<State>() + state.memory_bytes()).sum();
    ENTRY_BYTES + key.len() + states_bytes
}

/// Appends a value as bytes: equal values have equal bytes.
fn put_scalar(value: Scalar<'_>, out: &mut Vec<u8>) {
    match normalized(value) {
        Scalar::Null => Value::Null.encode(out),
        Scalar::Bool(value) => Value::Bool(value).encode(out),
        Scalar::Int(value) => Value::Int(value.into()).encode(out),
        Scalar::Double(value) => Value::Double(value).encode(out),
        // Without a copy of the text.
        Scalar::Text(text) => {
            out.push(Value::TEXT);
            put_bytes(out, text.as_bytes());
        }
        Scalar::Bytes(bytes) => {
            out.push(Value::BYTES);
            put_bytes(out, bytes);
        }
    }
}

/// The values of a group; fewer than that many if the bytes are damaged.
fn values_of(key: &[u8], count: usize) -> Vec<Value> {
    let mut input = Reader::new(key);
    let values: Vec<Value> = (0..count).map_while(|_| Value::decode(&mut input).ok()).collect();
    if input.end().is_ok() { values } else { Vec::new() }
}
