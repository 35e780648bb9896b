//! Text to numbers, by the one rule for untyped values: an integer if the text is how an `i64` is printed,
//! else a double if it is a finite decimal number. Not the parser for options of a command, nor for reply
//! formatting.

/// Longest text read as a number. The exact decimal expansion of any double fits several times.
pub(crate) const NUMBER_BYTES_MAX: usize = 4096;

/// Longest text of an `i64`: a sign and 19 digits.
const INTEGER_BYTES_MAX: usize = 20;

/// Longest text, sign apart, whose digits surely fit a `u64`.
const SHORT_DECIMAL_BYTES_MAX: usize = 19;

/// Largest integer up to which every integer is a double.
const EXACT_MAX: u64 = 1 << 53;

/// Powers of ten that are exact doubles, so that one division by them is correctly rounded.
const POWERS_OF_TEN: [f64; 19] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// The integer that prints exactly as `text`, if there is one: no plus sign, no leading zero, no `-0`.
#[inline]
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    if text.len() > INTEGER_BYTES_MAX {
        return None;
    }
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [] => return None,
        [b'0', ..] => return (text.len() == 1).then_some(0),
        _ => {}
    }
    // Twenty digits can only follow a missing sign; nothing of that length is an `i64`.
    if digits.len() == INTEGER_BYTES_MAX {
        return None;
    }
    let (magnitude, []) = take_digits(digits, 0) else { return None };
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// The double nearest to the decimal number in `text`; `None` for anything else and for what is too large.
/// Zero is always positive, so that the order of `-0` and `0` cannot show in a result.
pub(crate) fn decimal(text: &[u8]) -> Option<f64> {
    // Most text that is no number shows it at once.
    let first = text.first()?;
    if text.len() > NUMBER_BYTES_MAX || !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
        return None;
    }
    let value = short_decimal(text).or_else(|| std::str::from_utf8(text).ok()?.parse().ok())?;
    value.is_finite().then_some(value + 0.0)
}

/// `-12.50` and its like without the general parser: digits and power of ten are both exact doubles, so their
/// quotient is the nearest one.
#[inline]
fn short_decimal(text: &[u8]) -> Option<f64> {
    let (negative, number) = match text {
        [b'-', number @ ..] => (true, number),
        number => (false, number),
    };
    if number.len() > SHORT_DECIMAL_BYTES_MAX {
        return None;
    }
    let (mantissa, rest) = take_digits(number, 0);
    let (mantissa, decimals) = match rest {
        [] => (mantissa, 0),
        [b'.', decimals @ ..] => match take_digits(decimals, mantissa) {
            (mantissa, []) => (mantissa, decimals.len()),
            _ => return None,
        },
        _ => return None,
    };
    // What does not begin with a digit, `.5` or nothing, is left to the general parser.
    if mantissa > EXACT_MAX || number.len() == rest.len() {
        return None;
    }
    let value = mantissa as f64 / POWERS_OF_TEN[decimals];
    Some(if negative { -value } else { value })
}

/// Appends the leading digits of `text` to `value`; also gives what follows them.
#[inline]
fn take_digits(text: &[u8], mut value: u64) -> (u64, &[u8]) {
    for (at, byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (value, &text[at..]);
        }
        value = value * 10 + u64::from(digit);
    }
    (value, &[])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_canonical_integers_are_integers() {
        for text in ["0", "7", "-7", "10", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(integer(text.as_bytes()), text.parse().ok(), "{text}");
        }
        for text in [
            "",
            "-",
            "+1",
            "-0",
            "00",
            "007",
            "-01",
            "1 ",
            " 1",
            "1.0",
            "1e3",
            "9223372036854775808",
            "--1",
            "-9223372036854775809",
            "99999999999999999999",
            "18446744073709551616",
            "123456789012345678901",
            "½",
        ] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn finite_decimal_numbers_are_doubles() {
        for (text, value) in [
            ("12.50", 12.5),
            ("-0.1", -0.1),
            ("007", 7.0),
            ("+5", 5.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("9007199254740993", 9007199254740992.0),
            ("99999999999999999999", 1e20),
            ("9999999999999999999", 1e19),
            ("0.000000000000000001", 1e-18),
            ("1e-400", 0.0),
        ] {
            assert_eq!(decimal(text.as_bytes()), Some(value), "{text}");
        }
        for text in
            ["", ".", "-", "-.", "inf", "-Infinity", "nan", "1e309", "0x10", "1 ", " 1", "1.2.3", "12a", "1e"]
        {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
        assert_eq!(decimal(b"-0").map(f64::to_bits), Some(0));
        assert_eq!(decimal(&[b'1'; NUMBER_BYTES_MAX + 1]), None);
        assert_eq!(decimal(b"\xff"), None);
    }

    proptest! {
        #[test]
        fn every_i64_reads_back(value: i64) {
            prop_assert_eq!(integer(value.to_string().as_bytes()), Some(value));
        }

        #[test]
        fn an_integer_prints_as_it_was_read(text in "-?[0-9]{0,21}") {
            if let Some(value) = integer(text.as_bytes()) {
                prop_assert_eq!(value.to_string(), text);
            } else {
                prop_assert!(text.parse::<i64>().map_or(true, |value| value.to_string() != text));
            }
        }

        #[test]
        fn decimals_agree_with_the_general_parser(text in "-?[0-9]{0,12}\\.?[0-9]{0,12}(e-?[0-9]{1,3})?") {
            let expected = text.parse::<f64>().ok().filter(|value| value.is_finite());
            let bits = |value: f64| (value + 0.0).to_bits();
            prop_assert_eq!(decimal(text.as_bytes()).map(f64::to_bits), expected.map(bits));
        }
    }
}
