//! Values as text: what CONCAT joins and HLL hashes, spelled as the server prints it in a reply. Integers are decimal;
//! a double has the fewest digits that read back as the same number, without a point if it is whole and up to 2^62,
//! else with an exponent where Redis writes one: `3`, `0.1`, `1e+300`. Not here: text to numbers (`number`).
//!
//! The digits are those of the standard library, which are the shortest and of those the nearest. Redis's own have
//! one too many, or a worse last one, for one double in about 400; both read back. The layout around them takes the few
//! lines below, so a crate would only save time that no reducer spends.

use std::io::Write;

use crate::value::Value;
use crate::vector::Scalar;

/// Up to here whole doubles are printed as integers.
const WHOLE_MAX: f64 = (1u64 << 62) as f64;

/// Zeros added behind the digits, from which on a number has an exponent.
const ZEROS_MAX: i32 = 8;

/// Digits behind the point, and powers of ten before the first digit: a number that has as many of both has an exponent.
const DECIMALS_MAX: i32 = 7;
const POWERS_MAX: i32 = 4;

/// Appends the text of a value; nothing for null.
pub(crate) fn put_scalar(value: Scalar<'_>, out: &mut Vec<u8>) {
    match value {
        Scalar::Null => {}
        Scalar::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Scalar::Int(value) => put_int(value.into(), out),
        Scalar::Double(value) => put_double(value, out),
        Scalar::Text(text) => out.extend_from_slice(text.as_bytes()),
        Scalar::Bytes(bytes) => out.extend_from_slice(bytes),
    }
}

/// The same for a finished value; a list or map has no text.
pub(crate) fn put_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Bool(value) => put_scalar(Scalar::Bool(*value), out),
        Value::Int(value) => put_int(*value, out),
        Value::Double(value) => put_double(*value, out),
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bytes(bytes) => out.extend_from_slice(bytes),
        Value::List(_) | Value::Map(_) => debug_assert!(false, "reducers are given values of one kind each"),
    }
}

fn put_int(value: i128, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("invariant: a vector takes every byte");
}

/// Appends a double, which is not NaN.
pub(crate) fn put_double(value: f64, out: &mut Vec<u8>) {
    if value.abs() <= WHOLE_MAX && value.trunc() == value {
        return put_int(value as i128, out);
    }
    if value < 0.0 {
        out.push(b'-');
    }
    if value.is_infinite() {
        return out.extend_from_slice(b"inf");
    }
    let scientific = format!("{:e}", value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let leading: i32 = exponent.parse().unwrap_or_default();
    let count = digits.len() as i32;
    // What the last digit stands for, a power of ten.
    let trailing = leading - (count - 1);
    if (0..ZEROS_MAX).contains(&trailing) {
        out.extend_from_slice(&digits);
        out.resize(out.len() + trailing as usize, b'0');
    } else if trailing < 0 && (trailing > -DECIMALS_MAX || leading.abs() < POWERS_MAX) {
        // All digits before the point if `leading` is not negative, else none and a few zeros behind it.
        let (whole, fraction) = digits.split_at(usize::try_from(leading + 1).unwrap_or(0));
        out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
        out.push(b'.');
        out.resize(out.len() + usize::try_from(-leading - 1).unwrap_or(0), b'0');
        out.extend_from_slice(fraction);
    } else {
        out.push(digits[0]);
        if count > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if leading < 0 { b"e-" } else { b"e+" });
        put_int(leading.unsigned_abs().into(), out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        put_double(value, &mut out);
        String::from_utf8(out).expect("numbers are ASCII")
    }

    #[test]
    fn doubles_look_as_in_a_reply() {
        for (value, expected) in [
            (0.0, "0"),
            (3.0, "3"),
            (-3.5, "-3.5"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (12.5, "12.5"),
            (1e15, "1000000000000000"),
            (4611686018427387904.0, "4611686018427387904"),
            (1e20, "1e+20"),
            (123456789012345680000.0, "123456789012345680000"),
            (12345.6789012345, "1.23456789012345e+4"),
            (1234.56789012345, "1234.56789012345"),
            (1.5e19, "1.5e+19"),
            (1e300, "1e+300"),
            (-1.5e300, "-1.5e+300"),
            (0.0001, "0.0001"),
            (0.000001, "0.000001"),
            (0.0000125, "1.25e-5"),
            (1e-7, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (0.00012345678901, "1.2345678901e-4"),
            (0.0012345678901, "0.0012345678901"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    proptest! {
        #[test]
        fn doubles_read_back(bits: u64) {
            let value = f64::from_bits(bits);
            if value.is_finite() {
                prop_assert_eq!(text(value).parse::<f64>(), Ok(value + 0.0));
            }
        }
    }
}
