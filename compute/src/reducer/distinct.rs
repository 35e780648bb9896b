//! The state of DISTINCT: every value there was, once. What counts as the same value is said in `key`. Integers and
//! doubles are kept as they are, everything else by its key. The hash is the standard library's, keyed at random against
//! values made to collide; no result can show it.

use std::collections::HashSet;
use std::hash::Hash;

use super::key::{put_key, read_key, whole};
use crate::encode::{Reader, put_bytes};
use crate::error::DecodeError;
use crate::value::Value;
use crate::vector::{Scalar, Vector};

/// Values by kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Distinct {
    ints: HashSet<i64>,
    /// The bits of doubles that are no `i64`.
    doubles: HashSet<u64>,
    /// Keys of all others.
    others: HashSet<Box<[u8]>>,
    /// Bytes of those keys.
    others_bytes: usize,
}

impl Distinct {
    pub(super) fn fold(&mut self, values: &Vector<'_>) {
        match values {
            Vector::Ints(values) => self.ints.extend(values),
            Vector::Doubles(values) => values.iter().for_each(|value| self.add_double(*value)),
            Vector::Bools(values) => {
                let kinds = [false, true].into_iter().filter(|value| values.contains(value));
                kinds.for_each(|value| self.add(Scalar::Bool(value)));
            }
            Vector::Mixed(values) => {
                let values = values.iter().filter(|value| **value != Scalar::Null);
                values.for_each(|value| self.add(*value));
            }
        }
    }

    pub(super) fn add(&mut self, value: Scalar<'_>) {
        match value {
            Scalar::Int(value) => {
                self.ints.insert(value);
            }
            Scalar::Double(value) => self.add_double(value),
            value => {
                let mut key = Vec::new();
                put_key(value, &mut key);
                self.add_key(key.into());
            }
        }
    }

    fn add_double(&mut self, value: f64) {
        match whole(value) {
            Some(int) => self.ints.insert(int),
            None => self.doubles.insert(value.to_bits()),
        };
    }

    fn add_key(&mut self, key: Box<[u8]>) {
        let bytes = key.len();
        if self.others.insert(key) {
            self.others_bytes += bytes;
        }
    }

    /// The smaller one goes into the larger.
    pub(super) fn merge(&mut self, mut other: Distinct) {
        if other.len() > self.len() {
            std::mem::swap(self, &mut other);
        }
        self.ints.extend(other.ints);
        self.doubles.extend(other.doubles);
        other.others.into_iter().for_each(|key| self.add_key(key));
    }

    fn len(&self) -> usize {
        self.ints.len() + self.doubles.len() + self.others.len()
    }

    pub(super) fn finish(&self) -> Value {
        Value::Int(self.len() as i128)
    }

    /// `number u64 | ints i64 .. | number u64 | doubles u64 .. | number u64 | keys behind their lengths ..`, each list
    /// ascending.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let ints = sorted(&self.ints);
        out.extend_from_slice(&(ints.len() as u64).to_le_bytes());
        ints.iter().for_each(|int| out.extend_from_slice(&int.to_le_bytes()));
        let doubles = sorted(&self.doubles);
        out.extend_from_slice(&(doubles.len() as u64).to_le_bytes());
        doubles.iter().for_each(|bits| out.extend_from_slice(&bits.to_le_bytes()));
        let others = sorted(&self.others);
        out.extend_from_slice(&(others.len() as u64).to_le_bytes());
        others.iter().for_each(|key| put_bytes(out, key));
    }

    /// Nothing is reserved for what a length promises: the sets grow with what is there.
    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Distinct, DecodeError> {
        let mut distinct = Distinct::default();
        let mut is_new = true;
        for _ in 0..input.u64()? {
            is_new &= distinct.ints.insert(i64::from_le_bytes(input.array()?));
        }
        for _ in 0..input.u64()? {
            let double = input.double()?;
            is_new &= whole(double).is_none() && distinct.doubles.insert(double.to_bits());
        }
        for _ in 0..input.u64()? {
            let key = input.bytes()?;
            let is_number = matches!(read_key(key)?, Value::Int(_) | Value::Double(_));
            is_new &= !is_number && !distinct.others.contains(key);
            distinct.add_key(key.into());
        }
        if is_new { Ok(distinct) } else { Err(DecodeError::Malformed) }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        table_bytes(&self.ints) + table_bytes(&self.doubles) + table_bytes(&self.others) + self.others_bytes
    }
}

fn sorted<T: Ord>(values: &HashSet<T>) -> Vec<&T> {
    let mut values: Vec<&T> = values.iter().collect();
    values.sort_unstable();
    values
}

fn table_bytes<T: Hash + Eq>(values: &HashSet<T>) -> usize {
    hash_table_bytes(values.capacity(), size_of::<T>())
}

/// What a hash table of the standard library takes: a slot and a byte each, an eighth of them always free.
pub(super) fn hash_table_bytes(capacity: usize, entry_bytes: usize) -> usize {
    capacity.div_ceil(7) * 8 * (entry_bytes + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_count_once() {
        let mut distinct = Distinct::default();
        distinct.fold(&Vector::Ints(vec![1, 2, 2, 3]));
        distinct.fold(&Vector::Doubles(vec![1.0, 2.5, 2.5, 1e300]));
        distinct.fold(&Vector::Bools(vec![true, true]));
        let texts =
            [Scalar::Text("1"), Scalar::Null, Scalar::Text("1"), Scalar::Bytes(b"1"), Scalar::Bool(true)];
        distinct.fold(&Vector::Mixed(texts.to_vec()));
        // 1 2 3, 2.5 1e300, true, the text and the bytes.
        assert_eq!(distinct.finish(), Value::Int(8));
        assert_eq!(Distinct::default().finish(), Value::Int(0));
    }
}
