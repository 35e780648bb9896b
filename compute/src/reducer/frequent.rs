//! The state of TOPK: counters of the most frequent values, by the Space-Saving algorithm (Metwally, Agrawal and El
//! Abbadi, 2005) in the form that Anderson and others gave it ("A high-performance algorithm for identifying frequent
//! items in data streams", 2017), which makes room for many values at once.
//!
//! 1. A table holds a counter for each value. When it has more than its most, only the greater half stays; `floor`
//!    is then the greatest count that was dropped, and no value outside the table has come more often than that.
//! 2. A value that comes anew may have been dropped, so it begins with the floor, and so does its error. The true count
//!    is at most the count, and at least the count less the error.
//! 3. Merging adds counters; a value that only one side has may have come on the other side up to its floor. The
//!    floors add up (Agarwal and others, "Mergeable summaries", 2012).
//!
//! While nothing was dropped everything is exact and order cannot matter. Afterwards it can; the errors always hold.

use std::collections::HashMap;

use super::distinct::hash_table_bytes;
use super::key::{put_key, read_key};
use super::spec::{Constants, Spec};
use crate::encode::{Reader, put_bytes};
use crate::error::DecodeError;
use crate::value::Value;
use crate::vector::Scalar;

/// Counters that stay for each value that is asked for, and at least.
const COUNTERS_PER_VALUE: usize = 10;
const COUNTERS_MIN: usize = 1_000;

/// The table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Frequent {
    /// By the value's key.
    counters: HashMap<Box<[u8]>, Counter>,
    floor: u64,
    /// Bytes of all keys.
    keys_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counter {
    count: u64,
    error: u64,
}

impl Frequent {
    pub(super) fn add(&mut self, spec: &Spec, value: Scalar<'_>) {
        let mut key = Vec::new();
        put_key(value, &mut key);
        if let Some(counter) = self.counters.get_mut(key.as_slice()) {
            counter.count = counter.count.saturating_add(1);
            return;
        }
        self.insert(key.into(), Counter { count: self.floor.saturating_add(1), error: self.floor });
        self.make_room(spec);
    }

    fn insert(&mut self, key: Box<[u8]>, counter: Counter) {
        self.keys_bytes += key.len();
        self.counters.insert(key, counter);
    }

    pub(super) fn merge(&mut self, spec: &Spec, mut other: Frequent) {
        for (key, ours) in &mut self.counters {
            let floor = Counter { count: other.floor, error: other.floor };
            let theirs = other.counters.remove(key).unwrap_or(floor);
            ours.count = ours.count.saturating_add(theirs.count);
            ours.error = ours.error.saturating_add(theirs.error);
        }
        for (key, theirs) in other.counters {
            let count = theirs.count.saturating_add(self.floor);
            let error = theirs.error.saturating_add(self.floor);
            self.insert(key, Counter { count, error });
        }
        self.floor = self.floor.saturating_add(other.floor);
        self.make_room(spec);
    }

    /// Keeps the greater half of a table that is too large; among equal counts the least keys, so that the same table
    /// always keeps the same.
    fn make_room(&mut self, spec: &Spec) {
        let counters_max = counters_max(spec);
        if self.counters.len() <= counters_max {
            return;
        }
        let mut counters: Vec<_> = std::mem::take(&mut self.counters).into_iter().collect();
        counters.sort_unstable_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(&b.0)));
        self.floor = self.floor.max(counters[counters_max / 2].1.count);
        counters.truncate(counters_max / 2);
        self.keys_bytes = counters.iter().map(|(key, _)| key.len()).sum();
        self.counters = counters.into_iter().collect();
    }

    /// `[value, count, error]` of each, by descending count, then by value.
    pub(super) fn finish(&self, spec: &Spec) -> Value {
        let decoded = self.counters.iter().filter_map(|(key, counter)| {
            let value = read_key(key);
            debug_assert!(value.is_ok(), "only keys are inserted");
            Some((value.ok()?, *counter))
        });
        let mut all: Vec<(Value, Counter)> = decoded.collect();
        all.sort_unstable_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.order(&b.0)));
        all.truncate(kept(spec));
        let number = |number: u64| Value::Int(number.into());
        let entry = |(value, counter): (Value, Counter)| {
            Value::List(vec![value, number(counter.count), number(counter.error)])
        };
        Value::List(all.into_iter().map(entry).collect())
    }

    /// `floor u64 | number u64 | key behind its length, count u64, error u64 of each, ascending by key`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut counters: Vec<_> = self.counters.iter().collect();
        counters.sort_unstable_by_key(|(key, _)| *key);
        out.extend_from_slice(&self.floor.to_le_bytes());
        out.extend_from_slice(&(counters.len() as u64).to_le_bytes());
        for (key, counter) in counters {
            put_bytes(out, key);
            out.extend_from_slice(&counter.count.to_le_bytes());
            out.extend_from_slice(&counter.error.to_le_bytes());
        }
    }

    pub(super) fn decode(spec: &Spec, input: &mut Reader<'_>) -> Result<Frequent, DecodeError> {
        let mut frequent = Frequent { floor: input.u64()?, ..Frequent::default() };
        let number = input.u64()?;
        if number > counters_max(spec) as u64 {
            return Err(DecodeError::Malformed);
        }
        for _ in 0..number {
            let key = input.bytes()?;
            let counter = Counter { count: input.u64()?, error: input.u64()? };
            read_key(key)?;
            let is_counter = counter.error < counter.count && counter.count >= frequent.floor;
            if !is_counter || frequent.counters.contains_key(key) {
                return Err(DecodeError::Malformed);
            }
            frequent.insert(key.into(), counter);
        }
        Ok(frequent)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        hash_table_bytes(self.counters.capacity(), size_of::<(Box<[u8]>, Counter)>()) + self.keys_bytes
    }
}

/// How many values are asked for.
fn kept(spec: &Spec) -> usize {
    match spec.constants {
        Constants::Kept(kept) => kept,
        _ => 0,
    }
}

/// Most counters of a table: twice those that stay when it is full.
fn counters_max(spec: &Spec) -> usize {
    2 * (kept(spec) * COUNTERS_PER_VALUE).max(COUNTERS_MIN)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::function::Function;
    use super::*;

    fn spec(kept: &str) -> Spec {
        Spec::new(Function::TopK, &[kept.as_bytes()], false, 0).expect("a number of values")
    }

    fn entries(value: Value) -> Vec<(Value, i128, i128)> {
        let Value::List(entries) = value else { panic!("a list") };
        let entry = |entry| match entry {
            Value::List(parts) => match <[Value; 3]>::try_from(parts) {
                Ok([value, Value::Int(count), Value::Int(error)]) => (value, count, error),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        entries.into_iter().map(entry).collect()
    }

    #[test]
    fn the_most_frequent_come_first_and_ties_by_value() {
        let spec = spec("3");
        let mut frequent = Frequent::default();
        for text in ["b", "c", "a", "c", "b", "d"] {
            frequent.add(&spec, Scalar::Text(text));
        }
        [Scalar::Int(1), Scalar::Double(1.0), Scalar::Double(1.0)]
            .iter()
            .for_each(|value| frequent.add(&spec, *value));
        let text = |text: &str| Value::Text(text.into());
        let expected = vec![(Value::Int(1), 3, 0), (text("b"), 2, 0), (text("c"), 2, 0)];
        assert_eq!(entries(frequent.finish(&spec)), expected);
        assert_eq!(Frequent::default().finish(&spec), Value::List(vec![]));
    }

    #[test]
    fn errors_hold_beyond_the_table_however_it_was_merged() {
        let spec = spec("20");
        let mut counts: HashMap<i128, i128> = HashMap::new();
        let mut parts = vec![Frequent::default(); 3];
        let mut state = 7u64;
        for row in 0..100_000usize {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Small numbers are frequent, and most of the others come once or twice.
            let value = ((state >> 33) % 30_000) >> ((state >> 20) % 12);
            *counts.entry(value.into()).or_default() += 1;
            parts[row % 3].add(&spec, Scalar::Int(value as i64));
        }
        let mut merged = Frequent::default();
        parts.into_iter().for_each(|part| merged.merge(&spec, part));
        assert!(merged.floor > 0 && merged.counters.len() <= counters_max(&spec));
        // A thousand counters stay, so nothing that has come more often than this was lost.
        assert!(merged.floor <= 100_000 / 1_000, "{}", merged.floor);
        for (value, count, error) in entries(merged.finish(&spec)) {
            let Value::Int(value) = value else { panic!("integers") };
            let exact = counts[&value];
            assert!(exact <= count && count - error <= exact, "{value}: {exact} in {count} - {error}");
        }
        for (value, exact) in counts {
            let mut key = Vec::new();
            put_key(Scalar::Int(value as i64), &mut key);
            assert!(merged.counters.contains_key(&key[..]) || exact <= i128::from(merged.floor));
        }
    }
}
