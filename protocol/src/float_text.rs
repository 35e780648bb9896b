//! What C's `strtod` and `strtold` take for a number: the grammar alone, shared by both widths. The value is
//! computed where the width is known.

/// A number as text, without its sign.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FloatText<'a> {
    pub(crate) negative: bool,
    pub(crate) magnitude: Magnitude<'a>,
}

/// The forms of a number. Those with digits tell whether all of them are zero, for that is how a value
/// rounded down to zero is told from a true one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Magnitude<'a> {
    Infinity,
    Decimal {
        text: &'a str,
        zero: bool,
    },
    /// `0x`, hexadecimal digits and perhaps a binary exponent.
    Hexadecimal {
        text: &'a str,
        has_exponent: bool,
        zero: bool,
    },
}

impl FloatText<'_> {
    /// Takes the text apart. `None` if it is no number from its first to its last byte, or is not-a-number,
    /// which Redis accepts nowhere.
    pub(crate) fn scan(bytes: &[u8]) -> Option<FloatText<'_>> {
        let (negative, bytes) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, bytes),
        };
        let magnitude = match bytes {
            _ if bytes.eq_ignore_ascii_case(b"inf") || bytes.eq_ignore_ascii_case(b"infinity") => {
                Magnitude::Infinity
            }
            [b'0', b'x' | b'X', digits @ ..] => {
                let (has_exponent, zero) = scan_digits(digits, b'p', u8::is_ascii_hexdigit)?;
                Magnitude::Hexadecimal { text: str::from_utf8(bytes).ok()?, has_exponent, zero }
            }
            _ => {
                let (_, zero) = scan_digits(bytes, b'e', u8::is_ascii_digit)?;
                Magnitude::Decimal { text: str::from_utf8(bytes).ok()?, zero }
            }
        };
        Some(FloatText { negative, magnitude })
    }
}

/// Checks `digits[.digits][mark[sign]digits]` and tells whether there is an exponent and whether all digits
/// are zero.
fn scan_digits(text: &[u8], mark: u8, is_digit: fn(&u8) -> bool) -> Option<(bool, bool)> {
    let mark_at = text.iter().position(|byte| byte.to_ascii_lowercase() == mark);
    let mantissa = &text[..mark_at.unwrap_or(text.len())];
    let digits = mantissa.iter().filter(|byte| is_digit(byte)).count();
    let points = mantissa.iter().filter(|byte| **byte == b'.').count();
    if digits == 0 || points > 1 || digits + points != mantissa.len() {
        return None;
    }
    if let Some(mark_at) = mark_at {
        let exponent = &text[mark_at + 1..];
        let exponent = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
        if exponent.is_empty() || !exponent.iter().all(u8::is_ascii_digit) {
            return None;
        }
    }
    Some((mark_at.is_some(), mantissa.iter().all(|byte| matches!(byte, b'0' | b'.'))))
}
