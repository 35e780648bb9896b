//! What operators and functions make of single values: the meaning that kernels must keep, and the functions of ours that
//! the interpreter calls. Where the language has a meaning of its own, this is it; an integer with a double
//! becomes a double, which is ours. Not here: loops over columns (`kernels`).

use std::cmp::Ordering;

use bumpalo::Bump;
use xxhash_rust::xxh3::xxh3_64;

use super::fault::Fault;
use crate::number;
use crate::vector::Scalar;

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// A function of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Size,
    StartsWith,
    EndsWith,
    Contains,
    Int,
    Double,
    String,
    Bool,
    Bytes,
    Number,
    /// Text of both sides in a row.
    Join,
    /// The multiple of the second that is not above the first.
    Bucket,
    Hash,
}

impl Comparison {
    /// Whether it holds of values in this order.
    #[inline]
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::AtMost => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::AtLeast => order.is_ge(),
        }
    }
}

/// The value of an operator on two integers.
#[inline]
pub(crate) fn ints(operator: Arithmetic, a: i64, b: i64) -> Result<i64, Fault<'static>> {
    let value = match operator {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide | Arithmetic::Remainder if b == 0 => return Err(Fault::DivisionByZero),
        Arithmetic::Divide => a.checked_div(b),
        Arithmetic::Remainder => a.checked_rem(b),
    };
    value.ok_or(Fault::Overflow)
}

/// The value of an operator on two doubles, by the rules of IEEE 754; there is no remainder of them.
#[inline]
pub(crate) fn doubles(operator: Arithmetic, a: f64, b: f64) -> Result<f64, Fault<'static>> {
    Ok(match operator {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide => a / b,
        Arithmetic::Remainder => return Err(Fault::Operand("% needs integers")),
    })
}

/// The value of an arithmetic operator.
pub(crate) fn arithmetic<'b>(
    operator: Arithmetic,
    a: Scalar<'b>,
    b: Scalar<'b>,
    arena: &'b Bump,
) -> Result<Scalar<'b>, Fault<'b>> {
    match (a, b) {
        (Scalar::Int(a), Scalar::Int(b)) => ints(operator, a, b).map(Scalar::Int),
        (Scalar::Double(a), Scalar::Double(b)) => doubles(operator, a, b).map(Scalar::Double),
        (Scalar::Int(a), Scalar::Double(b)) => doubles(operator, a as f64, b).map(Scalar::Double),
        (Scalar::Double(a), Scalar::Int(b)) => doubles(operator, a, b as f64).map(Scalar::Double),
        (Scalar::Text(_) | Scalar::Bytes(_), Scalar::Text(_) | Scalar::Bytes(_))
            if operator == Arithmetic::Add =>
        {
            join(a, b, arena)
        }
        _ => Err(Fault::Operand("arithmetic needs two numbers")),
    }
}

/// The value of `-a`.
pub(crate) fn negate<'b>(a: Scalar<'b>) -> Result<Scalar<'b>, Fault<'b>> {
    match a {
        Scalar::Int(a) => a.checked_neg().map(Scalar::Int).ok_or(Fault::Overflow),
        Scalar::Double(a) => Ok(Scalar::Double(-a)),
        _ => Err(Fault::Operand("- needs a number")),
    }
}

/// Whether a comparison holds. Values of types that have no common order are only equal or not.
#[inline]
pub(crate) fn compare(how: Comparison, a: Scalar<'_>, b: Scalar<'_>) -> Result<bool, Fault<'static>> {
    match order(a, b) {
        Some(order) => Ok(how.holds(order)),
        None if how == Comparison::Equal => Ok(false),
        None if how == Comparison::NotEqual => Ok(true),
        None => Err(Fault::Incomparable),
    }
}

/// Whether a comparison holds of two fields whose text may be anything: as numbers if both are, else as bytes. A side that
/// has a type of its own decides how the other is read.
pub(crate) fn compare_loosely(how: Comparison, a: Scalar<'_>, b: Scalar<'_>) -> Result<bool, Fault<'static>> {
    let numbers = || Some((number_of(a)?, number_of(b)?));
    match (is_text(a), is_text(b)) {
        (true, true) => match numbers() {
            Some((a, b)) => compare(how, a, b),
            None => Ok(how.holds(text_of(a).cmp(text_of(b)))),
        },
        (true, false) if is_number(b) => {
            compare(how, number_of(a).ok_or(Fault::Operand("is not a number"))?, b)
        }
        (false, true) if is_number(a) => {
            compare(how, a, number_of(b).ok_or(Fault::Operand("is not a number"))?)
        }
        _ => compare(how, a, b),
    }
}

/// The order of two values that have one. NaN has none.
#[inline]
fn order(a: Scalar<'_>, b: Scalar<'_>) -> Option<Ordering> {
    match (a, b) {
        (Scalar::Int(a), Scalar::Int(b)) => Some(a.cmp(&b)),
        (Scalar::Double(a), Scalar::Double(b)) => a.partial_cmp(&b),
        (Scalar::Int(a), Scalar::Double(b)) => (a as f64).partial_cmp(&b),
        (Scalar::Double(a), Scalar::Int(b)) => a.partial_cmp(&(b as f64)),
        (Scalar::Bool(a), Scalar::Bool(b)) => Some(a.cmp(&b)),
        (Scalar::Null, Scalar::Null) => Some(Ordering::Equal),
        _ if is_text(a) && is_text(b) => Some(text_of(a).cmp(text_of(b))),
        _ => None,
    }
}

/// The value of a function. The number of arguments has been checked.
pub(crate) fn call<'b>(
    function: Function,
    arguments: &[Scalar<'b>],
    arena: &'b Bump,
) -> Result<Scalar<'b>, Fault<'b>> {
    let [first, rest @ ..] = arguments else { return Err(Fault::Operand("a function needs an argument")) };
    let second = rest.first().copied().unwrap_or(Scalar::Null);
    match (function, *first) {
        (Function::Size, Scalar::Text(text)) => Ok(Scalar::Int(text.chars().count() as i64)),
        (Function::Size, Scalar::Bytes(bytes)) => Ok(Scalar::Int(bytes.len() as i64)),
        (Function::StartsWith | Function::EndsWith | Function::Contains, Scalar::Text(text)) => {
            let Scalar::Text(part) = second else { return Err(Fault::Operand("text is compared with text")) };
            Ok(Scalar::Bool(match function {
                Function::StartsWith => text.starts_with(part),
                Function::EndsWith => text.ends_with(part),
                _ => text.contains(part),
            }))
        }
        (Function::Int, value) => to_int(value),
        (Function::Double, value) => to_double(value),
        (Function::String, value) => to_text(value, arena),
        (Function::Bool, Scalar::Bool(value)) => Ok(Scalar::Bool(value)),
        (Function::Bool, Scalar::Text(text)) => match text {
            "1" | "t" | "true" | "TRUE" | "True" => Ok(Scalar::Bool(true)),
            "0" | "f" | "false" | "FALSE" | "False" => Ok(Scalar::Bool(false)),
            _ => Err(Fault::Operand("is not a truth value")),
        },
        (Function::Bytes, Scalar::Text(text)) => Ok(Scalar::Bytes(text.as_bytes())),
        (Function::Bytes, bytes @ Scalar::Bytes(_)) => Ok(bytes),
        (Function::Number, value) => number_of(value).ok_or(Fault::Operand("is not a number")),
        (Function::Join, first) => join(first, second, arena),
        (Function::Bucket, value) => bucket(value, second),
        (Function::Hash, value) if is_text(value) => Ok(Scalar::Int(xxh3_64(text_of(value)) as i64)),
        _ => Err(Fault::Operand("has a type that the function does not take")),
    }
}

fn to_int<'b>(value: Scalar<'b>) -> Result<Scalar<'b>, Fault<'b>> {
    match value {
        Scalar::Int(_) => Ok(value),
        // The ends are out: as doubles they are beyond the range, or may have been.
        Scalar::Double(double) if double > i64::MIN as f64 && double < i64::MAX as f64 => {
            Ok(Scalar::Int(double as i64))
        }
        Scalar::Double(_) => Err(Fault::Overflow),
        Scalar::Text(text) => text.parse().map(Scalar::Int).map_err(|_| Fault::Operand("is not an integer")),
        _ => Err(Fault::Operand("cannot be made an integer")),
    }
}

fn to_double<'b>(value: Scalar<'b>) -> Result<Scalar<'b>, Fault<'b>> {
    match value {
        Scalar::Int(int) => Ok(Scalar::Double(int as f64)),
        Scalar::Double(_) => Ok(value),
        Scalar::Text(text) => text.parse().map(Scalar::Double).map_err(|_| Fault::Operand("is not a number")),
        _ => Err(Fault::Operand("cannot be made a double")),
    }
}

fn to_text<'b>(value: Scalar<'b>, arena: &'b Bump) -> Result<Scalar<'b>, Fault<'b>> {
    match value {
        Scalar::Text(_) => Ok(value),
        Scalar::Int(int) => kept(&int.to_string(), arena).map(Scalar::Text),
        Scalar::Double(double) => kept(&double.to_string(), arena).map(Scalar::Text),
        Scalar::Bool(is_true) => Ok(Scalar::Text(if is_true { "true" } else { "false" })),
        Scalar::Bytes(bytes) => {
            std::str::from_utf8(bytes).map(Scalar::Text).map_err(|_| Fault::Operand("is not valid UTF-8"))
        }
        Scalar::Null => Err(Fault::Operand("null has no text")),
    }
}

/// Text that was made, kept as long as the other values of its batch.
pub(crate) fn kept<'b>(text: &str, arena: &'b Bump) -> Result<&'b str, Fault<'b>> {
    arena.try_alloc_str(text).map(|text| &*text).map_err(|_| Fault::Memory)
}

/// Text if both sides are, else bytes.
fn join<'b>(a: Scalar<'b>, b: Scalar<'b>, arena: &'b Bump) -> Result<Scalar<'b>, Fault<'b>> {
    let (first, second) = (text_of(a), text_of(b));
    let joined = arena.try_alloc_slice_fill_copy(first.len() + second.len(), 0).map_err(|_| Fault::Memory)?;
    let (head, tail) = joined.split_at_mut(first.len());
    head.copy_from_slice(first);
    tail.copy_from_slice(second);
    Ok(match (a, b, std::str::from_utf8(joined)) {
        (Scalar::Text(_), Scalar::Text(_), Ok(text)) => Scalar::Text(text),
        _ => Scalar::Bytes(joined),
    })
}

fn bucket<'b>(value: Scalar<'b>, width: Scalar<'b>) -> Result<Scalar<'b>, Fault<'b>> {
    if let (Scalar::Int(value), Scalar::Int(width)) = (value, width) {
        if width <= 0 {
            return Err(Fault::Operand("the width of a bucket is above 0"));
        }
        let start = i128::from(value).div_euclid(i128::from(width)) * i128::from(width);
        return i64::try_from(start).map(Scalar::Int).map_err(|_| Fault::Overflow);
    }
    match (to_double(value)?, to_double(width)?) {
        (Scalar::Double(value), Scalar::Double(width)) if width > 0.0 && width.is_finite() => {
            Ok(Scalar::Double((value / width).floor() * width))
        }
        _ => Err(Fault::Operand("the width of a bucket is above 0")),
    }
}

/// The number that a value is, or that its text is.
fn number_of<'b>(value: Scalar<'_>) -> Option<Scalar<'b>> {
    match value {
        Scalar::Int(int) => Some(Scalar::Int(int)),
        Scalar::Double(double) => Some(Scalar::Double(double)),
        Scalar::Text(text) => read_number(text.as_bytes()),
        Scalar::Bytes(bytes) => read_number(bytes),
        Scalar::Null | Scalar::Bool(_) => None,
    }
}

/// The number that some text is.
pub(crate) fn read_number<'b>(text: &[u8]) -> Option<Scalar<'b>> {
    number::integer(text).map(Scalar::Int).or_else(|| number::decimal(text).map(Scalar::Double))
}

fn is_text(value: Scalar<'_>) -> bool {
    matches!(value, Scalar::Text(_) | Scalar::Bytes(_))
}

fn is_number(value: Scalar<'_>) -> bool {
    matches!(value, Scalar::Int(_) | Scalar::Double(_))
}

fn text_of<'b>(value: Scalar<'b>) -> &'b [u8] {
    match value {
        Scalar::Text(text) => text.as_bytes(),
        Scalar::Bytes(bytes) => bytes,
        _ => &[],
    }
}
