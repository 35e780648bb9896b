//! `Value`: what a reducer answers, and the one order of all values. Not the columns a batch holds: those are
//! typed.

use std::cmp::Ordering;

/// A finished value. Doubles are never NaN and zero is never negative, so equal results are equal bit for
/// bit.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: an average, a minimum or a maximum of no values.
    Null,
    /// An integer; sums may leave the range of `i64`.
    Int(i128),
    /// A double; infinite only when a sum of finite doubles is too large.
    Double(f64),
    /// Text.
    Text(String),
    /// Bytes that are no valid UTF-8, or are pinned to be bytes.
    Bytes(Vec<u8>),
}

impl Value {
    /// The order of MIN and MAX: numbers by their exact value, then strings, then bytes, both bytewise.
    /// An integer comes before the double of the same value, so that no two distinct values are equal.
    pub fn order(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Double(a), Value::Double(b)) => a.total_cmp(b),
            (Value::Int(a), Value::Double(b)) => order_mixed(*a, *b),
            (Value::Double(a), Value::Int(b)) => order_mixed(*b, *a).reverse(),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Int(_) | Value::Double(_) => 1,
            Value::Text(_) => 2,
            Value::Bytes(_) => 3,
        }
    }
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
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(a.order(b), i.cmp(&j), "{a:?} against {b:?}");
            }
        }
    }
}
