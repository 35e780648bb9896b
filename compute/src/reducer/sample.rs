//! The state of SAMPLE: the rows with the lowest hash of their key or element, seeded. So the same rows are always
//! chosen, on whatever machine they are; each row has the same chance over all seeds.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::extreme;
use super::spec::{Constants, Spec};
use crate::encode::{Reader, put_bytes};
use crate::error::DecodeError;
use crate::value::Value;
use crate::vector::Scalar;

/// The rows chosen so far, the first to yield on top.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    chosen: BinaryHeap<Chosen>,
    /// Bytes of identities and values.
    kept_bytes: usize,
}

/// Ordered by hash, then by identity; a row that comes twice, which it can under one key named twice, by its value.
#[derive(Clone, Debug)]
struct Chosen {
    hash: u64,
    identity: Box<[u8]>,
    value: Value,
}

impl Sample {
    pub(super) fn add(&mut self, spec: &Spec, value: Scalar<'_>, identity: &[u8]) {
        let (rows_max, seed) = constants(spec);
        let hash = xxh3_64_with_seed(identity, seed);
        let yields = |last: &Chosen| {
            let ordering = (hash, identity).cmp(&(last.hash, &last.identity));
            ordering.then_with(|| extreme::order(value, &last.value)).is_lt()
        };
        if self.chosen.len() < rows_max || self.chosen.peek().is_some_and(yields) {
            self.choose(rows_max, Chosen { hash, identity: identity.into(), value: Value::from(value) });
        }
    }

    fn choose(&mut self, rows_max: usize, chosen: Chosen) {
        self.kept_bytes += chosen.bytes();
        self.chosen.push(chosen);
        if self.chosen.len() > rows_max {
            self.kept_bytes -= self.chosen.pop().map_or(0, |last| last.bytes());
        }
    }

    pub(super) fn merge(&mut self, spec: &Spec, other: Sample) {
        let (rows_max, _) = constants(spec);
        other.chosen.into_iter().for_each(|chosen| self.choose(rows_max, chosen));
    }

    /// Values by ascending hash.
    pub(super) fn finish(&self) -> Value {
        Value::List(self.ascending().into_iter().map(|chosen| chosen.value.clone()).collect())
    }

    fn ascending(&self) -> Vec<&Chosen> {
        let mut chosen: Vec<&Chosen> = self.chosen.iter().collect();
        chosen.sort_unstable();
        chosen
    }

    /// `number u64 | identity behind its length, value of each, by ascending hash`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.chosen.len() as u64).to_le_bytes());
        for chosen in self.ascending() {
            put_bytes(out, &chosen.identity);
            chosen.value.encode(out);
        }
    }

    pub(super) fn decode(spec: &Spec, input: &mut Reader<'_>) -> Result<Sample, DecodeError> {
        let (rows_max, seed) = constants(spec);
        let number = input.u64()?;
        if number > rows_max as u64 {
            return Err(DecodeError::Malformed);
        }
        let mut sample = Sample::default();
        for _ in 0..number {
            let (identity, value) = (input.bytes()?, Value::decode(input)?);
            if value == Value::Null {
                return Err(DecodeError::Malformed);
            }
            let hash = xxh3_64_with_seed(identity, seed);
            sample.choose(rows_max, Chosen { hash, identity: identity.into(), value });
        }
        Ok(sample)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.chosen.capacity() * size_of::<Chosen>() + self.kept_bytes
    }
}

impl PartialEq for Sample {
    fn eq(&self, other: &Sample) -> bool {
        self.ascending() == other.ascending()
    }
}

impl Chosen {
    fn bytes(&self) -> usize {
        self.identity.len() + self.value.memory_bytes()
    }
}

impl Ord for Chosen {
    fn cmp(&self, other: &Chosen) -> Ordering {
        let ordering = (self.hash, &self.identity).cmp(&(other.hash, &other.identity));
        ordering.then_with(|| self.value.order(&other.value))
    }
}

impl PartialOrd for Chosen {
    fn partial_cmp(&self, other: &Chosen) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Chosen {
    fn eq(&self, other: &Chosen) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Chosen {}

fn constants(spec: &Spec) -> (usize, u64) {
    match spec.constants {
        Constants::Sample { rows, seed } => (rows, seed),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::function::Function;
    use super::*;

    fn sample(words: &[&[u8]], rows: impl Iterator<Item = i64>) -> Vec<Value> {
        let spec = Spec::new(Function::Sample, words, false, 0).expect("a size and a seed");
        let mut sample = Sample::default();
        rows.for_each(|row| sample.add(&spec, Scalar::Int(row), format!("key:{row}").as_bytes()));
        match sample.finish() {
            Value::List(values) => values,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_seed_alone_decides_which_rows() {
        let chosen = sample(&[b"5"], 0..1000);
        assert_eq!(chosen.len(), 5);
        assert_eq!(sample(&[b"5", b"0"], (0..1000).rev()), chosen);
        assert_ne!(sample(&[b"5", b"1"], 0..1000), chosen);
        // A smaller sample is the beginning of a larger one.
        assert_eq!(sample(&[b"3"], 0..1000), chosen[..3]);
        assert_eq!(sample(&[b"5"], 0..3).len(), 3);
        assert_eq!(sample(&[b"5"], 0..0), []);
    }

    #[test]
    fn every_row_has_the_same_chance() {
        // Of 100,000 rows 10,000 are chosen; half of them within about 150 of 5,000, three standard deviations.
        let low = sample(&[b"10000"], 0..100_000).into_iter();
        let low = low.filter(|value| matches!(value, Value::Int(row) if *row < 50_000)).count();
        assert!((4_850..5_150).contains(&low), "{low}");
    }
}
