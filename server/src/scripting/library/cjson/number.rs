//! Numbers in JSON, as C writes and reads them: `%.14g` and `strtod`.

use std::io::Write;

use shardis_protocol::number::parse_f64_clamped;

/// Below it, every integer has at most fourteen digits.
const PLAIN_END: f64 = 1e14;

/// Appends a finite number with so many significant digits at most, as C's `%g` does.
pub fn write(number: f64, precision: i32, out: &mut Vec<u8>) {
    if precision == 14
        && number.abs() < PLAIN_END
        && number.trunc() == number
        && (number != 0.0 || number.is_sign_positive())
    {
        out.extend_from_slice(itoa::Buffer::new().format(number as i64).as_bytes());
        return;
    }
    let places = precision as usize - 1;
    let text = format!("{number:.places$e}");
    let (digits, exponent) = text.split_once('e').expect("invariant: the text has an exponent");
    let exponent: i32 = exponent.parse().expect("invariant: the exponent is an integer");
    let written = if exponent < -4 || exponent >= precision {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{}e{sign}{:02}", without_zeros(digits), exponent.unsigned_abs())
    } else {
        let decimals = (precision - 1 - exponent) as usize;
        write!(out, "{}", without_zeros(&format!("{number:.decimals$}")))
    };
    written.expect("invariant: a vector takes whatever is written");
}

/// Without the zeros that end a fraction.
fn without_zeros(digits: &str) -> &str {
    if !digits.contains('.') {
        return digits;
    }
    digits.trim_end_matches('0').trim_end_matches('.')
}

/// Reads the longest beginning that is a number to C, and tells how long it is.
pub fn read(text: &[u8]) -> Option<(f64, usize)> {
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let magnitude = &text[sign..];
    let starts_with = |word: &[u8]| {
        magnitude.get(..word.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(word))
    };
    let length = match magnitude {
        _ if starts_with(b"infinity") => 8,
        _ if starts_with(b"inf") => 3,
        _ if starts_with(b"nan") => {
            let nan = if sign == 1 && text[0] == b'-' { -f64::NAN } else { f64::NAN };
            return Some((nan, sign + 3 + nan_payload(&magnitude[3..])));
        }
        [b'0', b'x' | b'X', digits @ ..] => match extent(digits, b'p', u8::is_ascii_hexdigit) {
            // The zero is a number by itself.
            0 => 1,
            length => 2 + length,
        },
        _ => extent(magnitude, b'e', u8::is_ascii_digit),
    };
    if length == 0 {
        return None;
    }
    Some((parse_f64_clamped(&text[..sign + length])?, sign + length))
}

/// How much of this is `digits[.digits][mark[sign]digits]`.
fn extent(text: &[u8], mark: u8, is_digit: fn(&u8) -> bool) -> usize {
    let digits_from = |start: usize| text[start..].iter().take_while(|byte| is_digit(byte)).count();
    let whole = digits_from(0);
    let mut end = whole;
    if text.get(end) == Some(&b'.') {
        let fraction = digits_from(end + 1);
        if whole + fraction == 0 {
            return 0;
        }
        end += 1 + fraction;
    }
    if end == 0 {
        return 0;
    }
    if text.get(end).is_some_and(|byte| byte.to_ascii_lowercase() == mark) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'-' | b'+')));
        let exponent = text[end + 1 + sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}

/// How much of this is the parenthesis that may follow not-a-number.
fn nan_payload(text: &[u8]) -> usize {
    let Some(inside) = text.strip_prefix(b"(") else { return 0 };
    let length = inside.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    if inside.get(length) == Some(&b')') { length + 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn numbers_are_written_as_c_writes_them() {
        let cases = [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (1.0, 14, "1"),
            (-12.5, 14, "-12.5"),
            (0.1, 14, "0.1"),
            (1e14, 14, "1e+14"),
            (123_456_789_012_345_680.0, 14, "1.2345678901235e+17"),
            (99_999_999_999_999.9, 14, "1e+14"),
            (0.000_1, 14, "0.0001"),
            (0.000_01, 14, "1e-05"),
            (1e300, 14, "1e+300"),
            (5e-324, 14, "4.9406564584125e-324"),
            (9.99, 2, "10"),
            (99.9, 2, "1e+02"),
            (123.0, 1, "1e+02"),
            (0.05, 1, "0.05"),
            (std::f64::consts::PI, 3, "3.14"),
        ];
        for (number, precision, text) in cases {
            let mut out = Vec::new();
            write(number, precision, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text, "{number} {precision}");
        }
    }

    #[test]
    fn the_longest_beginning_is_read() {
        let cases: [(&str, Option<(f64, usize)>); 14] = [
            ("1", Some((1.0, 1))),
            ("-1.5e3,", Some((-1500.0, 6))),
            ("1e", Some((1.0, 1))),
            ("1e+", Some((1.0, 1))),
            ("1.", Some((1.0, 2))),
            (".5", Some((0.5, 2))),
            (".", None),
            ("-", None),
            ("-inf", Some((f64::NEG_INFINITY, 4))),
            ("Infinity1", Some((f64::INFINITY, 8))),
            ("0x1F.8p1]", Some((63.0, 8))),
            ("0x", Some((0.0, 1))),
            ("0xg", Some((0.0, 1))),
            ("1e999", Some((f64::INFINITY, 5))),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(read(b"nan(12)x").map(|(number, length)| (number.is_nan(), length)), Some((true, 7)));
        assert_eq!(read(b"nan(1").map(|(_, length)| length), Some(3));
    }
}
