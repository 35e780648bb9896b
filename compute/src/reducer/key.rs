//! Values as the keys of DISTINCT and TOPK. Numbers that are equal are one key, so that 1 and 1.0 count as the same
//! value; a text is never a number, and bytes are never a text:
//!
//! ```text
//! 1 bool u8 | 2 int i64 | 3 double u64, of what is no i64 | 4 text | 5 bytes          integers little-endian
//! ```

use std::str;

use crate::encode::Reader;
use crate::error::DecodeError;
use crate::value::Value;
use crate::vector::Scalar;

/// A number as its key is: whole doubles that are an `i64` are integers.
pub(crate) fn normalized(value: Scalar<'_>) -> Scalar<'_> {
    match value {
        Scalar::Double(double) => whole(double).map_or(value, Scalar::Int),
        value => value,
    }
}

/// The integer that a double is, if it is one.
pub(super) fn whole(double: f64) -> Option<i64> {
    // 2^63 is the first that is none; the cast saturates there and would compare equal.
    const INTS_END: f64 = (1u64 << 63) as f64;
    let int = double as i64;
    (int as f64 == double && double < INTS_END).then_some(int)
}

/// Appends the key of a value; null has none.
pub(super) fn put_key(value: Scalar<'_>, out: &mut Vec<u8>) {
    match normalized(value) {
        Scalar::Null => debug_assert!(false, "null is no key"),
        Scalar::Bool(value) => out.extend_from_slice(&[1, u8::from(value)]),
        Scalar::Int(value) => {
            out.push(2);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Scalar::Double(value) => {
            out.push(3);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Scalar::Text(text) => {
            out.push(4);
            out.extend_from_slice(text.as_bytes());
        }
        Scalar::Bytes(bytes) => {
            out.push(5);
            out.extend_from_slice(bytes);
        }
    }
}

/// The value of a key; `Malformed` if no value has it.
pub(super) fn read_key(key: &[u8]) -> Result<Value, DecodeError> {
    let mut input = Reader::new(key);
    let value = match input.u8()? {
        1 => Value::Bool(input.flag()?),
        2 => Value::Int(i64::from_le_bytes(input.array()?).into()),
        3 => {
            let double = input.double()?;
            if whole(double).is_some() {
                return Err(DecodeError::Malformed);
            }
            Value::Double(double)
        }
        4 => {
            return str::from_utf8(&key[1..])
                .map(|text| Value::Text(text.into()))
                .or(Err(DecodeError::Malformed));
        }
        5 => return Ok(Value::Bytes(key[1..].to_vec())),
        _ => return Err(DecodeError::Malformed),
    };
    input.end()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: Scalar<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        put_key(value, &mut out);
        out
    }

    #[test]
    fn equal_numbers_are_one_key_and_text_is_no_number() {
        assert_eq!(key(Scalar::Int(1)), key(Scalar::Double(1.0)));
        assert_eq!(key(Scalar::Int(i64::MIN)), key(Scalar::Double(i64::MIN as f64)));
        let values = [
            Scalar::Bool(true),
            Scalar::Int(1),
            Scalar::Int(i64::MAX),
            Scalar::Double(9223372036854775808.0),
            Scalar::Double(1.5),
            Scalar::Text("1"),
            Scalar::Bytes(b"1"),
        ];
        for (at, value) in values.iter().enumerate() {
            assert_eq!(read_key(&key(*value)), Ok(Value::from(*value)));
            assert!(values[..at].iter().all(|other| key(*other) != key(*value)), "{value:?}");
        }
    }

    #[test]
    fn no_two_keys_are_one_value() {
        let one = [&[3][..], &1f64.to_bits().to_le_bytes()].concat();
        for malformed in [&one[..], b"", &[0], &[6], &[1], &[1, 2], &[1, 1, 0], &[2, 0], &[4, 0xff]] {
            assert_eq!(read_key(malformed), Err(DecodeError::Malformed), "{malformed:?}");
        }
    }
}
