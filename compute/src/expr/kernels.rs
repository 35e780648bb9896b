//! Loops over typed slices, for the types that most columns have; everything else goes value by value (`scalar`), which is
//! also what the loops must agree with.

use bumpalo::Bump;

use super::evaluate::{Evaluated, Side};
use super::fault::{Failure, Fault};
use super::scalar::{self, Arithmetic, Comparison};
use crate::vector::{Scalar, Vector};

/// A value for each of some rows.
pub(super) fn repeated(value: Scalar<'_>, rows: usize) -> Vector<'_> {
    match value {
        Scalar::Int(value) => Vector::Ints(vec![value; rows]),
        Scalar::Double(value) => Vector::Doubles(vec![value; rows]),
        Scalar::Bool(value) => Vector::Bools(vec![value; rows]),
        other => Vector::Mixed(vec![other; rows]),
    }
}

/// An arithmetic operator.
pub(super) fn arithmetic<'b>(
    operator: Arithmetic,
    a: Side<'_, 'b>,
    b: Side<'_, 'b>,
    rows: usize,
    arena: &'b Bump,
) -> Evaluated<'b> {
    if let (Some(a), Some(b)) = (Ints::of(a), Ints::of(b)) {
        return match operator {
            Arithmetic::Add => ints(operator, a, b, rows, i64::wrapping_add),
            Arithmetic::Subtract => ints(operator, a, b, rows, i64::wrapping_sub),
            _ => checked(operator, a, b, rows),
        };
    }
    if operator != Arithmetic::Remainder
        && let (Some(a), Some(b)) = (Doubles::of(a), Doubles::of(b))
    {
        let values = match operator {
            Arithmetic::Add => doubles(a, b, rows, |a, b| a + b),
            Arithmetic::Subtract => doubles(a, b, rows, |a, b| a - b),
            Arithmetic::Multiply => doubles(a, b, rows, |a, b| a * b),
            _ => doubles(a, b, rows, |a, b| a / b),
        };
        return Evaluated::of(Vector::Doubles(values));
    }
    each(a, b, rows, |a, b| scalar::arithmetic(operator, a, b, arena))
}

/// A comparison.
pub(super) fn compare<'b>(how: Comparison, a: Side<'_, 'b>, b: Side<'_, 'b>, rows: usize) -> Evaluated<'b> {
    if let (Some(a), Some(b)) = (Ints::of(a), Ints::of(b)) {
        let values = (0..rows).map(|row| how.holds(a.at(row).cmp(&b.at(row))));
        return Evaluated::of(Vector::Bools(values.collect()));
    }
    if let (Some(a), Some(b)) = (Doubles::of(a), Doubles::of(b)) {
        let orders = (0..rows).map(|row| a.at(row).partial_cmp(&b.at(row)).map(|order| how.holds(order)));
        if let Some(values) = orders.collect::<Option<Vec<bool>>>() {
            return Evaluated::of(Vector::Bools(values));
        }
    }
    each(a, b, rows, |a, b| scalar::compare(how, a, b).map(Scalar::Bool))
}

/// Value by value.
pub(super) fn each<'b>(
    a: Side<'_, 'b>,
    b: Side<'_, 'b>,
    rows: usize,
    of: impl Fn(Scalar<'b>, Scalar<'b>) -> Result<Scalar<'b>, Fault<'b>>,
) -> Evaluated<'b> {
    collect((0..rows).map(|row| of(a.at(row), b.at(row))))
}

/// Value by value, but for rows that have failed.
pub(super) fn one<'b>(
    a: &Vector<'b>,
    failures: &[(u32, Failure<'b>)],
    of: impl Fn(Scalar<'b>) -> Result<Scalar<'b>, Fault<'b>>,
) -> Evaluated<'b> {
    let mut failed = failures.iter().map(|(row, _)| *row as usize).peekable();
    collect((0..a.len()).map(|row| {
        if failed.next_if_eq(&row).is_some() {
            return Ok(Scalar::Null);
        }
        of(a.at(row))
    }))
}

fn collect<'b>(results: impl Iterator<Item = Result<Scalar<'b>, Fault<'b>>>) -> Evaluated<'b> {
    let mut failures = Vec::new();
    let values = results.enumerate().map(|(row, result)| match result {
        Ok(value) => value,
        Err(fault) => {
            failures.push((row as u32, Failure::from(fault)));
            Scalar::Null
        }
    });
    let vector = Vector::Mixed(values.collect()).settled();
    Evaluated { vector, failures }
}

/// A side of which all values are integers.
#[derive(Clone, Copy)]
enum Ints<'v> {
    Constant(i64),
    Slice(&'v [i64]),
}

impl<'v> Ints<'v> {
    fn of(side: Side<'v, '_>) -> Option<Ints<'v>> {
        match side {
            Side::Constant(Scalar::Int(value)) => Some(Ints::Constant(value)),
            Side::Vector(Vector::Ints(values)) => Some(Ints::Slice(values)),
            _ => None,
        }
    }

    #[inline(always)]
    fn at(self, row: usize) -> i64 {
        match self {
            Ints::Constant(value) => value,
            Ints::Slice(values) => values[row],
        }
    }
}

/// A side of which all values are numbers, as doubles.
#[derive(Clone, Copy)]
enum Doubles<'v> {
    Constant(f64),
    Slice(&'v [f64]),
    OfInts(&'v [i64]),
}

impl<'v> Doubles<'v> {
    fn of(side: Side<'v, '_>) -> Option<Doubles<'v>> {
        match side {
            Side::Constant(Scalar::Double(value)) => Some(Doubles::Constant(value)),
            Side::Constant(Scalar::Int(value)) => Some(Doubles::Constant(value as f64)),
            Side::Vector(Vector::Doubles(values)) => Some(Doubles::Slice(values)),
            Side::Vector(Vector::Ints(values)) => Some(Doubles::OfInts(values)),
            _ => None,
        }
    }

    #[inline(always)]
    fn at(self, row: usize) -> f64 {
        match self {
            Doubles::Constant(value) => value,
            Doubles::Slice(values) => values[row],
            Doubles::OfInts(values) => values[row] as f64,
        }
    }
}

/// Sums and differences at full speed; whoever overflowed is found by a second look, which hardly ever takes place.
fn ints<'b>(
    operator: Arithmetic,
    a: Ints<'_>,
    b: Ints<'_>,
    rows: usize,
    of: impl Fn(i64, i64) -> i64,
) -> Evaluated<'b> {
    let is_add = operator == Arithmetic::Add;
    let mut overflown = 0;
    let values = (0..rows).map(|row| {
        let (a, b) = (a.at(row), b.at(row));
        let value = of(a, b);
        // A sum has overflown if its sign is neither that of a nor that of b, a difference likewise.
        overflown |= (a ^ value) & (if is_add { b } else { !b } ^ value);
        value
    });
    let values: Vec<i64> = values.collect();
    if overflown < 0 { checked(operator, a, b, rows) } else { Evaluated::of(Vector::Ints(values)) }
}

fn checked<'b>(operator: Arithmetic, a: Ints<'_>, b: Ints<'_>, rows: usize) -> Evaluated<'b> {
    let mut failures = Vec::new();
    let values = (0..rows).map(|row| match scalar::ints(operator, a.at(row), b.at(row)) {
        Ok(value) => value,
        Err(fault) => {
            failures.push((row as u32, Failure::from(fault)));
            0
        }
    });
    let vector = Vector::Ints(values.collect());
    Evaluated { vector, failures }
}

#[inline]
fn doubles(a: Doubles<'_>, b: Doubles<'_>, rows: usize, of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    match (a, b) {
        (Doubles::Slice(a), Doubles::Slice(b)) => a.iter().zip(b).map(|(a, b)| of(*a, *b)).collect(),
        (Doubles::Slice(a), Doubles::Constant(b)) => a.iter().map(|a| of(*a, b)).collect(),
        (Doubles::Constant(a), Doubles::Slice(b)) => b.iter().map(|b| of(a, *b)).collect(),
        _ => (0..rows).map(|row| of(a.at(row), b.at(row))).collect(),
    }
}
