//! The states that keep one value: the least or greatest (MIN, MAX), the one of the least or greatest other (ARGMIN,
//! ARGMAX), the first or last by its place (FIRST, LAST). All compare by `Value::order`; where that ties, the least
//! value is kept, so that it does not matter which came first. ARGMIN and ARGMAX leave out rows in which either of the
//! two is null.

use std::cmp::Ordering;

use crate::encode::Reader;
use crate::error::DecodeError;
use crate::value::Value;
use crate::vector::{Scalar, Vector};

/// Which end of the order is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Least,
    Greatest,
}

impl End {
    /// How something compares with what it replaces.
    fn wanted(self) -> Ordering {
        match self {
            End::Least => Ordering::Less,
            End::Greatest => Ordering::Greater,
        }
    }
}

/// The least or greatest value so far, null before the first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extreme(Value);

impl Extreme {
    pub(super) fn new() -> Extreme {
        Extreme(Value::Null)
    }

    pub(super) fn fold(&mut self, end: End, values: &Vector<'_>) {
        match values {
            Vector::Ints(values) => {
                let ints = values.iter().copied();
                let int = if end == End::Least { ints.min() } else { ints.max() };
                int.into_iter().for_each(|int| self.offer(end, Scalar::Int(int)));
            }
            Vector::Doubles(values) => {
                let double = values.iter().copied().reduce(|best, value| {
                    let is_better = if end == End::Least { value < best } else { value > best };
                    if is_better { value } else { best }
                });
                double.into_iter().for_each(|double| self.offer(end, Scalar::Double(double)));
            }
            Vector::Bools(values) => {
                for value in [false, true].into_iter().filter(|value| values.contains(value)) {
                    self.offer(end, Scalar::Bool(value));
                }
            }
            Vector::Mixed(values) => values.iter().for_each(|value| self.offer(end, *value)),
        }
    }

    pub(super) fn offer(&mut self, end: End, value: Scalar<'_>) {
        if value != Scalar::Null && (self.0 == Value::Null || order(value, &self.0) == end.wanted()) {
            self.0 = Value::from(value);
        }
    }

    pub(super) fn merge(&mut self, end: End, other: Extreme) {
        if other.0 != Value::Null && (self.0 == Value::Null || other.0.order(&self.0) == end.wanted()) {
            self.0 = other.0;
        }
    }

    pub(super) fn finish(&self) -> Value {
        self.0.clone()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Extreme, DecodeError> {
        Value::decode(input).map(Extreme)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

/// The value that stands beside the least or greatest other one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Beside(Option<Box<(Value, Value)>>);

impl Beside {
    pub(super) fn new() -> Beside {
        Beside(None)
    }

    pub(super) fn offer(&mut self, end: End, value: Scalar<'_>, by: Scalar<'_>) {
        if value == Scalar::Null || by == Scalar::Null {
            return;
        }
        let replaces = self.0.as_ref().is_none_or(|kept| {
            let ordering = order(by, &kept.1);
            ordering == end.wanted() || (ordering.is_eq() && order(value, &kept.0).is_lt())
        });
        if replaces {
            self.0 = Some(Box::new((Value::from(value), Value::from(by))));
        }
    }

    pub(super) fn merge(&mut self, end: End, other: Beside) {
        let Some(other) = other.0 else { return };
        let replaces = self.0.as_ref().is_none_or(|kept| {
            let ordering = other.1.order(&kept.1);
            ordering == end.wanted() || (ordering.is_eq() && other.0.order(&kept.0).is_lt())
        });
        if replaces {
            self.0 = Some(other);
        }
    }

    pub(super) fn finish(&self) -> Value {
        self.0.as_ref().map_or(Value::Null, |kept| kept.0.clone())
    }

    /// `value | by`, both null if there is none.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let (value, by) = self.0.as_deref().unwrap_or(&(Value::Null, Value::Null));
        value.encode(out);
        by.encode(out);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Beside, DecodeError> {
        match (Value::decode(input)?, Value::decode(input)?) {
            (Value::Null, Value::Null) => Ok(Beside(None)),
            (Value::Null, _) | (_, Value::Null) => Err(DecodeError::Malformed),
            kept => Ok(Beside(Some(Box::new(kept)))),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let of = |kept: &(Value, Value)| size_of_val(kept) + kept.0.memory_bytes() + kept.1.memory_bytes();
        self.0.as_deref().map_or(0, of)
    }
}

/// The value with the lowest or highest place in its source.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    place: u64,
    /// Null before the first.
    value: Value,
}

impl Placed {
    pub(super) fn new() -> Placed {
        Placed { place: 0, value: Value::Null }
    }

    pub(super) fn offer(&mut self, end: End, value: Scalar<'_>, place: u64) {
        if value == Scalar::Null {
            return;
        }
        let ordering = place.cmp(&self.place);
        let replaces = self.value == Value::Null
            || ordering == end.wanted()
            || (ordering.is_eq() && order(value, &self.value).is_lt());
        if replaces {
            *self = Placed { place, value: Value::from(value) };
        }
    }

    pub(super) fn merge(&mut self, end: End, other: Placed) {
        if other.value == Value::Null {
            return;
        }
        let ordering = other.place.cmp(&self.place);
        let replaces = self.value == Value::Null
            || ordering == end.wanted()
            || (ordering.is_eq() && other.value.order(&self.value).is_lt());
        if replaces {
            *self = other;
        }
    }

    pub(super) fn finish(&self) -> Value {
        self.value.clone()
    }

    /// `place u64 | value`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.place.to_le_bytes());
        self.value.encode(out);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Placed, DecodeError> {
        Ok(Placed { place: input.u64()?, value: Value::decode(input)? })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.value.memory_bytes()
    }
}

/// `Value::order` without copying the text.
pub(super) fn order(scalar: Scalar<'_>, value: &Value) -> Ordering {
    match (scalar, value) {
        (Scalar::Text(text), Value::Text(other)) => text.cmp(other),
        (Scalar::Bytes(bytes), Value::Bytes(other)) => bytes.cmp(other),
        // Between kinds the kinds alone decide.
        (Scalar::Text(_), _) => Value::Text(String::new()).order(value),
        (Scalar::Bytes(_), _) => Value::Bytes(Vec::new()).order(value),
        (scalar, value) => Value::from(scalar).order(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_between_truths_and_texts() {
        let values = vec![
            Scalar::Text("b"),
            Scalar::Null,
            Scalar::Double(1.5),
            Scalar::Int(2),
            Scalar::Bytes(b"\xff"),
        ];
        let mut least = Extreme::new();
        least.fold(End::Least, &Vector::Mixed(values.clone()));
        assert_eq!(least.finish(), Value::Double(1.5));
        least.fold(End::Least, &Vector::Bools(vec![true]));
        assert_eq!(least.finish(), Value::Bool(true));
        let mut greatest = Extreme::new();
        greatest.fold(End::Greatest, &Vector::Mixed(values));
        assert_eq!(greatest.finish(), Value::Bytes(vec![0xff]));
        assert_eq!(Extreme::new().finish(), Value::Null);
    }

    #[test]
    fn typed_columns_give_what_their_values_give() {
        for end in [End::Least, End::Greatest] {
            for column in [
                Vector::Ints(vec![3, -7, 9]),
                Vector::Doubles(vec![0.5, -1e300, 2.0]),
                Vector::Bools(vec![true, false]),
                Vector::Ints(vec![]),
            ] {
                let (mut whole, mut single) = (Extreme::new(), Extreme::new());
                whole.fold(end, &column);
                (0..column.len()).for_each(|row| single.offer(end, column.at(row)));
                assert_eq!(whole, single);
            }
        }
    }

    #[test]
    fn ties_go_to_the_least_value() {
        for end in [End::Least, End::Greatest] {
            let mut beside = Beside::new();
            assert_eq!(beside.finish(), Value::Null);
            for (value, by) in [("b", 5), ("a", 5), ("c", 5)] {
                beside.offer(end, Scalar::Text(value), Scalar::Int(by));
            }
            beside.offer(end, Scalar::Text("0"), Scalar::Null);
            beside.offer(end, Scalar::Null, Scalar::Int(5));
            assert_eq!(beside.finish(), Value::Text("a".into()));
        }
        let mut beside = Beside::new();
        beside.offer(End::Greatest, Scalar::Text("a"), Scalar::Int(1));
        beside.offer(End::Greatest, Scalar::Text("b"), Scalar::Double(1.5));
        assert_eq!(beside.finish(), Value::Text("b".into()));
    }

    #[test]
    fn places_decide_what_is_first() {
        let (mut first, mut last) = (Placed::new(), Placed::new());
        for (place, value) in [(7, "g"), (3, "c"), (9, "i"), (4, "d")] {
            first.offer(End::Least, Scalar::Text(value), place);
            last.offer(End::Greatest, Scalar::Text(value), place);
        }
        first.offer(End::Least, Scalar::Null, 0);
        assert_eq!((first.finish(), last.finish()), (Value::Text("c".into()), Value::Text("i".into())));
    }
}
