//! `Vector`: what one expression gave for some rows of a batch, in their order, by type where it can be: kernels and
//! reducers run over plain slices then. Not here: how it is computed (`expr`), and what is made of it (`reducer`).

use crate::value::Value;

/// One value of one row. Text borrows from the batch, or from the arena in which it was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'b> {
    /// Nothing.
    Null,
    Bool(bool),
    Int(i64),
    /// Never NaN, and zero is never negative.
    Double(f64),
    Text(&'b str),
    /// Bytes that are no valid UTF-8, or are pinned to be bytes.
    Bytes(&'b [u8]),
}

/// The values of one expression, one for each row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Vector<'b> {
    Ints(Vec<i64>),
    /// None is NaN or a negative zero.
    Doubles(Vec<f64>),
    Bools(Vec<bool>),
    /// Of any type each, nulls included.
    Mixed(Vec<Scalar<'b>>),
}

/// Which rows a vector's values are of, for those reducers that ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    /// How many there are.
    pub(crate) len: usize,
    /// Their places in the order of their source, ascending or not; empty if no reducer of the plan asks.
    pub(crate) ordinals: &'a [u64],
    /// What tells them apart, their key or their element; empty if no reducer of the plan asks.
    pub(crate) identities: &'a [&'a [u8]],
}

impl<'b> Vector<'b> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Vector::Ints(values) => values.len(),
            Vector::Doubles(values) => values.len(),
            Vector::Bools(values) => values.len(),
            Vector::Mixed(values) => values.len(),
        }
    }

    /// The value of a row.
    #[inline]
    pub(crate) fn at(&self, row: usize) -> Scalar<'b> {
        match self {
            Vector::Ints(values) => Scalar::Int(values[row]),
            Vector::Doubles(values) => Scalar::Double(values[row]),
            Vector::Bools(values) => Scalar::Bool(values[row]),
            Vector::Mixed(values) => values[row],
        }
    }
}

impl Vector<'_> {
    /// The same values, by type if they all have one that has a slice of its own.
    pub(crate) fn settled(self) -> Self {
        let Vector::Mixed(values) = &self else { return self };
        match values.first() {
            Some(Scalar::Int(_)) => all(values, |value| match value {
                Scalar::Int(value) => Some(*value),
                _ => None,
            })
            .map_or(self, Vector::Ints),
            Some(Scalar::Double(_)) => all(values, |value| match value {
                Scalar::Double(value) => Some(*value),
                _ => None,
            })
            .map_or(self, Vector::Doubles),
            Some(Scalar::Bool(_)) => all(values, |value| match value {
                Scalar::Bool(value) => Some(*value),
                _ => None,
            })
            .map_or(self, Vector::Bools),
            _ => self,
        }
    }
}

/// `None` as soon as one is of another type.
fn all<'b, T>(values: &[Scalar<'b>], of: impl Fn(&Scalar<'b>) -> Option<T>) -> Option<Vec<T>> {
    values.iter().map(of).collect()
}

impl<'b> Scalar<'b> {
    /// A finished value as one of an expression: a sum beyond the range of integers is a double there, a list or map is
    /// nothing.
    pub(crate) fn of_value(value: &'b Value) -> Scalar<'b> {
        match value {
            Value::Null | Value::List(_) | Value::Map(_) => Scalar::Null,
            Value::Bool(value) => Scalar::Bool(*value),
            Value::Int(value) => i64::try_from(*value).map_or(Scalar::Double(*value as f64), Scalar::Int),
            Value::Double(value) => Scalar::Double(*value),
            Value::Text(text) => Scalar::Text(text),
            Value::Bytes(bytes) => Scalar::Bytes(bytes),
        }
    }
}

impl Vector<'_> {
    /// Leaves only those values that are marked.
    pub(crate) fn keep(&mut self, kept: &[bool]) {
        let mut is_kept = kept.iter();
        let mut next = || *is_kept.next().unwrap_or(&false);
        match self {
            Vector::Ints(values) => values.retain(|_| next()),
            Vector::Doubles(values) => values.retain(|_| next()),
            Vector::Bools(values) => values.retain(|_| next()),
            Vector::Mixed(values) => values.retain(|_| next()),
        }
        // Where some values failed, those that are left may all be of one type.
        let values = std::mem::replace(self, Vector::Ints(Vec::new()));
        *self = values.settled();
    }
}
