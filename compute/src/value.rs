//! `Value`: what a reducer answers, and the one order of all values. Not the columns a batch holds: those are
//! typed.

use std::cmp::Ordering;

use crate::encode::{Reader, put_bytes};
use crate::error::DecodeError;
use crate::vector::Scalar;

/// A finished value. Doubles are never NaN and zero is never negative, so equal results are equal bit for
/// bit.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: an average, a minimum or a maximum of no values.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer; sums may leave the range of `i64`.
    Int(i128),
    /// A double; infinite only when a sum of finite doubles is too large.
    Double(f64),
    /// Text.
    Text(String),
    /// Bytes that are no valid UTF-8, or are pinned to be bytes.
    Bytes(Vec<u8>),
    /// Several values: what QUANTILE of several shares, TOPK and SAMPLE answer.
    List(Vec<Value>),
    /// Values by other values, in the order of those: what HIST answers.
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// The order of MIN and MAX: truth values, numbers by their exact value, then strings, then bytes, both
    /// bytewise, then lists and maps.
    /// An integer comes before the double of the same value, so that no two distinct values are equal.
    pub fn order(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Double(a), Value::Double(b)) => a.total_cmp(b),
            (Value::Int(a), Value::Double(b)) => order_mixed(*a, *b),
            (Value::Double(a), Value::Int(b)) => order_mixed(*b, *a).reverse(),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::List(a), Value::List(b)) => order_lists(a.iter(), b.iter()),
            (Value::Map(a), Value::Map(b)) => {
                order_lists(a.iter().flat_map(|(k, v)| [k, v]), b.iter().flat_map(|(k, v)| [k, v]))
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }

    /// The type byte of text.
    pub(crate) const TEXT: u8 = 4;
    /// That of bytes.
    pub(crate) const BYTES: u8 = 5;

    /// Appends a type byte, then the value: fixed-width little-endian numbers, or bytes behind their length. Lists and
    /// maps are only made of finished results, which nobody encodes.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.push(0),
            Value::Bool(value) => out.extend_from_slice(&[1, u8::from(*value)]),
            Value::Int(value) => {
                out.push(2);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Value::Double(value) => {
                out.push(3);
                out.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            Value::Text(text) => {
                out.push(Value::TEXT);
                put_bytes(out, text.as_bytes());
            }
            Value::Bytes(bytes) => {
                out.push(Value::BYTES);
                put_bytes(out, bytes);
            }
            Value::List(_) | Value::Map(_) => {
                unreachable!("invariant: reducers keep values of rows, which are one number or text")
            }
        }
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Value, DecodeError> {
        Ok(match input.u8()? {
            0 => Value::Null,
            1 => Value::Bool(input.flag()?),
            2 => Value::Int(i128::from_le_bytes(input.array()?)),
            3 => Value::Double(input.double()?),
            Value::TEXT => Value::Text(input.text()?),
            Value::BYTES => Value::Bytes(input.bytes()?.to_vec()),
            _ => return Err(DecodeError::Malformed),
        })
    }

    /// Bytes it keeps outside of itself.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Value::Text(text) => text.capacity(),
            Value::Bytes(bytes) => bytes.capacity(),
            _ => 0,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Bool(_) => 1,
            Value::Int(_) | Value::Double(_) => 2,
            Value::Text(_) => 3,
            Value::Bytes(_) => 4,
            Value::List(_) => 5,
            Value::Map(_) => 6,
        }
    }
}

impl From<Scalar<'_>> for Value {
    fn from(scalar: Scalar<'_>) -> Value {
        match scalar {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Int(value) => Value::Int(value.into()),
            Scalar::Double(value) => Value::Double(value),
            Scalar::Text(text) => Value::Text(text.into()),
            Scalar::Bytes(bytes) => Value::Bytes(bytes.into()),
        }
    }
}

/// The first difference decides, else the length.
fn order_lists<'v>(a: impl Iterator<Item = &'v Value>, mut b: impl Iterator<Item = &'v Value>) -> Ordering {
    for left in a {
        match b.next().map(|right| left.order(right)) {
            None => return Ordering::Greater,
            Some(Ordering::Equal) => {}
            Some(order) => return order,
        }
    }
    if b.next().is_some() { Ordering::Less } else { Ordering::Equal }
}

/// Compares without rounding: the integer part as integers, then the fraction decides.
fn order_mixed(int: i128, double: f64) -> Ordering {
    let whole = double.trunc();
    // 2^127 as a double; the cast below is exact for everything smaller in magnitude.
    let limit = (1u128 << 127) as f64;
    if whole.abs() >= limit {
        return if double > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    let fraction = double - whole;
    int.cmp(&(whole as i128)).then(if fraction < 0.0 { Ordering::Greater } else { Ordering::Less })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_one_order_across_all_types() {
        let ascending = [
            Value::Null,
            Value::Bool(false),
            Value::Bool(true),
            Value::Double(f64::NEG_INFINITY),
            Value::Double(-1e300),
            Value::Int(-3),
            Value::Double(-2.5),
            Value::Int(-2),
            Value::Double(-2.0),
            Value::Int(0),
            Value::Double(0.0),
            Value::Double(0.5),
            Value::Int(1),
            Value::Int(9_007_199_254_740_992),
            Value::Double(9_007_199_254_740_992.0),
            Value::Int(9_007_199_254_740_993),
            Value::Int(i128::MAX),
            Value::Double(1e300),
            Value::Text(String::new()),
            Value::Text("b".into()),
            Value::Text("ba".into()),
            Value::Bytes(vec![0]),
            Value::Bytes(vec![0xff]),
            Value::List(vec![]),
            Value::List(vec![Value::Int(1)]),
            Value::List(vec![Value::Int(1), Value::Null]),
            Value::Map(vec![(Value::Int(0), Value::Int(1))]),
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(a.order(b), i.cmp(&j), "{a:?} against {b:?}");
            }
        }
    }
}
