//! Integers and doubles exactly as Redis reads and prints them. Long doubles are in `long_double.rs`; the
//! digits of a double come from `shortest.rs`.

use std::io::Write;

use rustc_apfloat::ieee::Double;
use rustc_apfloat::{Float, Round};

use crate::float_text::{FloatText, Magnitude};
use crate::limits::{INTEGER_BYTES_MAX, LONG_DOUBLE_BYTES_MAX};
use crate::shortest::{DIGITS_MAX, shortest};

/// Reads an integer by the strict rule for arguments and stored values: an optional minus, no superfluous
/// zero, no space, no plus, the range of an `i64`.
pub fn parse_i64(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'0'] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() >= INTEGER_BYTES_MAX || !matches!(digits.first(), Some(b'1'..=b'9')) {
        return None;
    }
    let mut magnitude = 0_u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
    }
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Reads a double as C's `strtod` does, over the whole text: decimal, hexadecimal or infinite, but not NaN,
/// not beyond the range, and not so small that it would become zero. Hexadecimal text is read up to 5 KB.
pub fn parse_f64(bytes: &[u8]) -> Option<f64> {
    let (value, is_in_range) = scan_f64(bytes)?;
    is_in_range.then_some(value)
}

/// The same, but what is beyond the range is infinite, and what is too small is zero.
pub fn parse_f64_clamped(bytes: &[u8]) -> Option<f64> {
    Some(scan_f64(bytes)?.0)
}

/// The value, and whether it is in the range of doubles.
fn scan_f64(bytes: &[u8]) -> Option<(f64, bool)> {
    // Rust reads decimal text alike; what needs a second look is rare.
    let decimal = str::from_utf8(bytes).ok()?.parse::<f64>();
    if let Ok(value) = decimal
        && value.is_finite()
        && value != 0.0
    {
        return Some((value, true));
    }
    let FloatText { negative, magnitude } = FloatText::scan(bytes)?;
    let (value, zero) = match magnitude {
        Magnitude::Infinity => {
            return Some((if negative { f64::NEG_INFINITY } else { f64::INFINITY }, true));
        }
        Magnitude::Decimal { zero, .. } => (decimal.ok()?, zero),
        Magnitude::Hexadecimal { text, has_exponent, zero } => {
            if text.len() >= LONG_DOUBLE_BYTES_MAX {
                return None;
            }
            let value: Double = parse_hexadecimal(text, has_exponent)?;
            let value = f64::from_bits(value.to_bits() as u64);
            (if negative { -value } else { value }, zero)
        }
    };
    Some((value, value.is_finite() && (value == 0.0) == zero))
}

/// The value of `0x...` text whose grammar has been checked, rounded to the nearest.
pub(crate) fn parse_hexadecimal<F: Float>(text: &str, has_exponent: bool) -> Option<F> {
    let exponent = if has_exponent { "" } else { "p0" };
    let value = F::from_str_r(&format!("{text}{exponent}"), Round::NearestTiesToEven).ok()?;
    Some(value.value)
}

/// Appends a double as Redis 7.2 and later reply it: integers plainly, everything else with the fewest digits
/// that read back as the same number.
pub fn format_f64(value: f64, out: &mut Vec<u8>) {
    if value != 0.0 && value.abs() <= INTEGRAL_MAX && value.trunc() == value {
        out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
        return;
    }
    format_f64_shortest(value, out);
}

/// Appends a double with the fewest digits that read back as the same number, whole numbers too: a large one has an
/// exponent.
pub fn format_f64_shortest(value: f64, out: &mut Vec<u8>) {
    if value == 0.0 || !value.is_finite() {
        return format_special(value, out);
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let mut buffer = [0; DIGITS_MAX];
    let (digits, exponent) = shortest(value.abs(), &mut buffer);
    let count = digits.len() as i32;
    let leading = exponent + count - 1;
    if exponent >= 0 && leading < count + 7 {
        out.extend_from_slice(digits);
        out.resize(out.len() + exponent as usize, b'0');
    } else if exponent < 0 && (exponent > -7 || leading.abs() < 4) {
        format_decimal(digits, leading, out);
    } else {
        format_scientific(digits, leading, 1, out);
    }
}

/// Appends a double as servers before Redis 7.2 reply it, with C's `%.17g`.
pub fn format_f64_legacy(value: f64, out: &mut Vec<u8>) {
    if value == 0.0 || !value.is_finite() {
        return format_special(value, out);
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let mut text = [0; 32];
    let mut unwritten = &mut text[..];
    write!(unwritten, "{:.16e}", value.abs()).expect("invariant: 17 digits and an exponent of three fit");
    let unwritten = unwritten.len();
    let text = &text[..text.len() - unwritten];
    // The text is `d.dddddddddddddddde<exponent>`.
    let mut digits = [text[0]; 17];
    digits[1..].copy_from_slice(&text[2..18]);
    let exponent = parse_i64(&text[19..]).unwrap_or_default() as i32;
    let count = digits.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
    let digits = &digits[..count];
    if (-4..17).contains(&exponent) {
        format_decimal(digits, exponent, out);
    } else {
        format_scientific(digits, exponent, 2, out);
    }
}

fn format_special(value: f64, out: &mut Vec<u8>) {
    let text: &[u8] = match value {
        _ if value.is_nan() => b"nan",
        0.0 if value.is_sign_negative() => b"-0",
        0.0 => b"0",
        _ if value > 0.0 => b"inf",
        _ => b"-inf",
    };
    out.extend_from_slice(text);
}

/// Appends `digits` with the point where it belongs, the first digit standing for 10 to the power of
/// `leading`.
fn format_decimal(digits: &[u8], leading: i32, out: &mut Vec<u8>) {
    if leading < 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + (-leading - 1) as usize, b'0');
        out.extend_from_slice(digits);
        return;
    }
    let integral = leading as usize + 1;
    if integral >= digits.len() {
        out.extend_from_slice(digits);
        out.resize(out.len() + integral - digits.len(), b'0');
        return;
    }
    out.extend_from_slice(&digits[..integral]);
    out.push(b'.');
    out.extend_from_slice(&digits[integral..]);
}

/// Appends `d.ddde+n`, the exponent with at least `exponent_digits_min` digits.
fn format_scientific(digits: &[u8], exponent: i32, exponent_digits_min: usize, out: &mut Vec<u8>) {
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    let mut buffer = itoa::Buffer::new();
    let exponent = buffer.format(exponent.unsigned_abs()).as_bytes();
    out.resize(out.len() + exponent_digits_min.saturating_sub(exponent.len()), b'0');
    out.extend_from_slice(exponent);
}

/// Up to here, half the range of an `i64`, integral doubles are printed as integers.
const INTEGRAL_MAX: f64 = (1_u64 << 62) as f64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(format: fn(f64, &mut Vec<u8>), value: f64) -> String {
        let mut out = Vec::new();
        format(value, &mut out);
        String::from_utf8(out).expect("numbers are ASCII")
    }

    #[test]
    fn integers_have_one_spelling() {
        let valid = [("0", 0), ("7", 7), ("-1", -1), ("9223372036854775807", i64::MAX)];
        for (text, value) in valid.into_iter().chain([("-9223372036854775808", i64::MIN)]) {
            assert_eq!(parse_i64(text.as_bytes()), Some(value));
        }
        let invalid = [
            "",
            "-",
            "+1",
            " 1",
            "1 ",
            "01",
            "-0",
            "-01",
            "1.0",
            "1e3",
            "0x1",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "100000000000000000000",
            "1\0",
        ];
        for text in invalid {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn doubles_are_read_as_c_reads_them() {
        let valid = [
            ("1e3", 1000.0),
            ("0x10", 16.0),
            ("0X1P-2", 0.25),
            ("0x.8", 0.5),
            ("0x1.", 1.0),
            ("0x1.8p+1", 3.0),
            ("-0x1", -1.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("-.5e1", -5.0),
            ("+1", 1.0),
            ("01", 1.0),
            ("inf", f64::INFINITY),
            ("-Inf", f64::NEG_INFINITY),
            ("+inf", f64::INFINITY),
            ("INFINITY", f64::INFINITY),
            ("1e-320", 1e-320),
            ("0e-999", 0.0),
            ("0x0p99999999999999", 0.0),
            ("0x1.fffffffffffff8p0", 2.0),
        ];
        for (text, value) in valid {
            assert_eq!(parse_f64(text.as_bytes()), Some(value), "{text}");
        }
        assert!(parse_f64(b"-0").is_some_and(|zero| zero == 0.0 && zero.is_sign_negative()));
        let invalid = [
            "",
            " 1",
            "1 ",
            "1\0",
            "nan",
            "-nan",
            "nan(1)",
            "infinit",
            ".",
            "-",
            "+-1",
            "1e",
            "1e+",
            "0x",
            "0x.",
            "0x1p",
            "00x1",
            "1_0",
            "1,5",
            "1d",
            "1e0x1",
            "1e400",
            "-1e400",
            "1e-400",
            "0x1p-1080",
            "0x1p99999",
            "1e99999999999999999999",
            "\u{0661}",
        ];
        for text in invalid {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_f64(b"\xff"), None);
    }

    #[test]
    fn a_clamped_double_has_no_range() {
        let clamped = [
            ("1e400", f64::INFINITY),
            ("-0x1p9999", f64::NEG_INFINITY),
            ("1e-400", 0.0),
            ("0x1p-1080", 0.0),
            ("-1.5", -1.5),
        ];
        for (text, value) in clamped {
            assert_eq!(parse_f64_clamped(text.as_bytes()), Some(value), "{text}");
        }
        assert_eq!(parse_f64_clamped(b"nan"), None);
    }

    #[test]
    fn doubles_are_printed_as_real_servers_print_them() {
        let table = [
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (f64::INFINITY, "inf", "inf"),
            (f64::NEG_INFINITY, "-inf", "-inf"),
            (f64::NAN, "nan", "nan"),
            (3.0, "3", "3"),
            (0.1, "0.1", "0.10000000000000001"),
            (-1.5, "-1.5", "-1.5"),
            (1e-7, "1e-7", "9.9999999999999995e-08"),
            (1.5e-10, "1.5e-10", "1.5e-10"),
            (1e-320, "1e-320", "9.9998886718268301e-321"),
            (0.0001, "0.0001", "0.0001"),
            (0.00001234, "1.234e-5", "1.234e-05"),
            (1234567.25, "1234567.25", "1234567.25"),
            (1e17, "100000000000000000", "1e+17"),
            (4611686018427387904.0, "4611686018427387904", "4.6116860184273879e+18"),
            (9.3e18, "9.3e+18", "9.3e+18"),
            (1.2345e19, "1.2345e+19", "1.2345e+19"),
            (1e6 + 0.5, "1000000.5", "1000000.5"),
            (1e21, "1e+21", "1e+21"),
            (1.7976931348623157e308, "1.7976931348623157e+308", "1.7976931348623157e+308"),
        ];
        for (value, text) in [(1e7, "10000000"), (1e8, "1e+8"), (123456789.0, "123456789"), (-0.0, "-0")] {
            assert_eq!(self::text(format_f64_shortest, value), text);
        }
        for (value, shortest, legacy) in table {
            assert_eq!(text(format_f64, value), shortest);
            assert_eq!(text(format_f64_legacy, value), legacy);
        }
    }

    proptest! {
        #[test]
        fn integers_read_back(value: i64) {
            prop_assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
        }

        #[test]
        fn doubles_read_back_in_either_style(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            prop_assert_eq!(parse_f64(text(format_f64, value).as_bytes()), Some(value));
            prop_assert_eq!(parse_f64(text(format_f64_legacy, value).as_bytes()), Some(value));
        }

        #[test]
        fn no_text_panics(text in "[-+]?(0x)?[0-9a-f.]{0,8}([ep][-+]?[0-9]{0,12})?.?") {
            let _ = parse_f64(text.as_bytes());
            let _ = crate::LongDouble::parse(text.as_bytes());
        }
    }
}
