//! Whole numbers as bytes: the strict decimal form that Redis takes for an integer, and the variable-length
//! form in which packed structures keep their sizes. No floating point here.

/// The longest decimal form of an `i64`: a sign and nineteen digits.
pub const I64_LEN_MAX: usize = 20;
/// The longest variable-length form of a `u64`: ten groups of seven bits.
pub const VARINT_LEN_MAX: usize = 10;

/// Reads the one canonical decimal form of an `i64`: an optional `-`, no leading zero, no `+`, no `-0`,
/// nothing else. What it accepts is exactly what [`write_i64`] produces, so text and number can stand for
/// each other.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if text.len() <= I64_LEN_MAX => {}
        _ => return None,
    }
    let mut magnitude: u64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Appends the canonical decimal form.
pub fn write_i64(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// How many bytes [`write_i64`] appends.
pub fn i64_len(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    digits + usize::from(value < 0)
}

/// How many bytes the variable-length form of `value` takes: one for each seven bits, at least one.
pub(crate) fn varint_len(value: u64) -> usize {
    ((u64::BITS - (value | 1).leading_zeros()) as usize).div_ceil(7)
}

/// Writes the variable-length form, low groups first with the high bit on all but the last, and returns its
/// length.
pub(crate) fn write_varint(mut value: u64, out: &mut [u8]) -> usize {
    let mut len = 0;
    while value > 0x7f {
        out[len] = value as u8 | 0x80;
        value >>= 7;
        len += 1;
    }
    out[len] = value as u8;
    len + 1
}

/// Reads a variable-length form from the front of `bytes`: the value and the length of the form.
/// `bytes` must begin with one that [`write_varint`] wrote.
pub(crate) fn read_varint(bytes: &[u8]) -> (u64, usize) {
    let (mut value, mut len) = (0, 0);
    loop {
        let byte = bytes[len];
        value |= u64::from(byte & 0x7f) << (7 * len);
        len += 1;
        if byte & 0x80 == 0 {
            return (value, len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_canonical_form_is_an_integer() {
        let accepted =
            ["0", "1", "-1", "10", "9223372036854775807", "-9223372036854775808", "1000000000000000000"];
        for text in accepted {
            assert_eq!(parse_i64(text.as_bytes()), text.parse().ok(), "{text}");
        }
        let refused = [
            "",
            "-",
            "+1",
            " 1",
            "1 ",
            "01",
            "00",
            "-0",
            "-01",
            "1.0",
            "1e3",
            "0x1",
            "--1",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "99999999999999999999",
            "100000000000000000000",
        ];
        for text in refused {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_number_stand_for_each_other(value in any::<i64>(), shift in 0..64_u32) {
            let value = value >> shift;
            let mut text = Vec::new();
            write_i64(value, &mut text);
            prop_assert_eq!(parse_i64(&text), Some(value));
            prop_assert_eq!(i64_len(value), text.len());
        }

        #[test]
        fn a_parsed_text_prints_as_itself(text in "-?[0-9]{0,21}") {
            if let Some(value) = parse_i64(text.as_bytes()) {
                prop_assert_eq!(value.to_string(), text);
            } else {
                prop_assert!(text.parse::<i64>().map_or(true, |value| value.to_string() != text));
            }
        }

        #[test]
        fn a_varint_reads_back_with_its_length(value in any::<u64>(), shift in 0..64_u32) {
            let value = value >> shift;
            let mut out = [0xff; VARINT_LEN_MAX];
            let len = write_varint(value, &mut out);
            prop_assert_eq!(len, varint_len(value));
            prop_assert_eq!(read_varint(&out), (value, len));
        }
    }
}
