//! C's `long double` as x86 has it: 80 bits, 64 of them mantissa. Redis adds floats in it and prints the sum,
//! so that the last digits a client sees depend on this very width. Only what INCRBYFLOAT and its kin need is
//! here: read, add, print.

use std::ops::Add;

use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, Round};

use crate::float_text::{FloatText, Magnitude};
use crate::limits::LONG_DOUBLE_BYTES_MAX;
use crate::number::parse_hexadecimal;

/// An 80-bit float.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct LongDouble(X87DoubleExtended);

impl LongDouble {
    /// Reads a number as C's `strtold` does, over the whole text: decimal, hexadecimal or infinite, but not
    /// NaN, not beyond the range, not so small that it would become zero, and not longer than Redis's buffer.
    pub fn parse(bytes: &[u8]) -> Option<LongDouble> {
        if bytes.len() >= LONG_DOUBLE_BYTES_MAX {
            return None;
        }
        let FloatText { negative, magnitude } = FloatText::scan(bytes)?;
        let (value, out_of_range) = match magnitude {
            Magnitude::Infinity => (X87DoubleExtended::INFINITY, false),
            Magnitude::Decimal { text, zero } => {
                let value = X87DoubleExtended::from_str_r(text, Round::NearestTiesToEven).ok()?.value;
                (value, value.is_infinite() || value.is_zero() != zero)
            }
            Magnitude::Hexadecimal { text, has_exponent, zero } => {
                let value: X87DoubleExtended = parse_hexadecimal(text, has_exponent)?;
                (value, value.is_infinite() || value.is_zero() != zero)
            }
        };
        (!out_of_range).then(|| LongDouble(if negative { -value } else { value }))
    }

    /// Whether it is not a number, as the sum of both infinities is.
    pub fn is_nan(self) -> bool {
        self.0.is_nan()
    }

    /// Whether it is one of the infinities.
    pub fn is_infinite(self) -> bool {
        self.0.is_infinite()
    }

    /// A thousand times the number, rounded up to an integer; what is beyond 64 bits is as large or small as that gets.
    pub fn thousandfold_rounded_up(self) -> i64 {
        let thousandfold = (self.0 * X87DoubleExtended::from_i128(1000).value).value;
        thousandfold.to_i128_r(i64::BITS as usize, Round::TowardPositive, &mut false).value as i64
    }

    /// Appends the number as C's `%.17Lf` prints it, without the zeros at its end and without the sign of a
    /// zero. There is never an exponent: the largest number has 4933 digits.
    pub fn format(self, out: &mut Vec<u8>) {
        if self.is_nan() {
            return out.extend_from_slice(b"nan");
        }
        let start = out.len();
        if self.0.is_negative() {
            out.push(b'-');
        }
        if self.is_infinite() {
            return out.extend_from_slice(b"inf");
        }
        // The value is mantissa * 2^exponent.
        let bits = self.0.to_bits();
        let mantissa = bits as u64;
        let exponent = ((bits >> 64) as i32 & 0x7fff).max(1) - EXPONENT_BIAS;
        if exponent >= 0 {
            return format_integral(mantissa, exponent as u32, out);
        }
        let scaled = u128::from(mantissa) * u128::from(FRACTION_SCALE);
        let rounded = shifted_to_nearest(scaled, exponent.unsigned_abs());
        if rounded == 0 {
            out.truncate(start);
        }
        let (integral, fraction) =
            (rounded / FRACTION_SCALE as u128, (rounded % FRACTION_SCALE as u128) as u64);
        out.extend_from_slice(itoa::Buffer::new().format(integral).as_bytes());
        format_fraction(fraction, out);
    }
}

impl From<i64> for LongDouble {
    fn from(value: i64) -> LongDouble {
        // 64 bits of mantissa hold every 64-bit integer.
        LongDouble(X87DoubleExtended::from_i128(value.into()).value)
    }
}

impl Add for LongDouble {
    type Output = LongDouble;

    fn add(self, other: LongDouble) -> LongDouble {
        LongDouble((self.0 + other.0).value)
    }
}

/// Shifts to the right and rounds to the nearest, ties to even.
fn shifted_to_nearest(value: u128, shift: u32) -> u128 {
    // The values here have at most 121 bits, so that what is shifted farther than that is below one half.
    if shift >= u128::BITS {
        return 0;
    }
    let (quotient, rest) = (value >> shift, value & ((1 << shift) - 1));
    let half = 1 << (shift - 1);
    quotient + u128::from(rest > half || (rest == half && quotient % 2 == 1))
}

/// Appends the point and the digits behind it, if any is not zero.
fn format_fraction(fraction: u64, out: &mut Vec<u8>) {
    if fraction == 0 {
        return;
    }
    // One more digit in front keeps the leading zeros; the point takes its place.
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(FRACTION_SCALE + fraction).trim_end_matches('0');
    out.push(b'.');
    out.extend_from_slice(&digits.as_bytes()[1..]);
}

/// Appends `mantissa * 2^exponent`, which may be far larger than any integer type.
fn format_integral(mantissa: u64, exponent: u32, out: &mut Vec<u8>) {
    // Groups of nine decimal digits, the lowest first.
    let mut groups: Vec<u32> = Vec::new();
    let mut rest = mantissa;
    while rest > 0 {
        groups.push((rest % GROUP) as u32);
        rest /= GROUP;
    }
    let mut exponent = exponent;
    while exponent > 0 {
        let shift = exponent.min(32);
        exponent -= shift;
        let mut carry = 0;
        for group in &mut groups {
            carry += u64::from(*group) << shift;
            *group = (carry % GROUP) as u32;
            carry /= GROUP;
        }
        while carry > 0 {
            groups.push((carry % GROUP) as u32);
            carry /= GROUP;
        }
    }
    let mut buffer = itoa::Buffer::new();
    let highest = groups.pop().unwrap_or_default();
    out.extend_from_slice(buffer.format(highest).as_bytes());
    for group in groups.iter().rev() {
        // The digit in front keeps the leading zeros.
        out.extend_from_slice(&buffer.format(GROUP + u64::from(*group)).as_bytes()[1..]);
    }
}

/// What is subtracted from the stored exponent when the mantissa is taken for an integer.
const EXPONENT_BIAS: i32 = 16383 + 63;

/// 17 digits are printed behind the point.
const FRACTION_SCALE: u64 = 10_u64.pow(17);

const GROUP: u64 = 10_u64.pow(9);

const _: () = assert!((u64::MAX as u128 * FRACTION_SCALE as u128) < 1 << 121);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(left: &str, right: &str) -> String {
        let [left, right] = [left, right].map(|text| LongDouble::parse(text.as_bytes()).expect("a number"));
        text(left + right)
    }

    fn text(value: LongDouble) -> String {
        let mut out = Vec::new();
        value.format(&mut out);
        String::from_utf8(out).expect("numbers are ASCII")
    }

    #[test]
    fn sums_are_those_of_a_real_server() {
        // Answers of INCRBYFLOAT.
        let table = [
            ("3.0", "1.1", "4.1"),
            ("10.5", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0", "-0", "0"),
            ("-1", "1", "0"),
            ("0", "1e-17", "0.00000000000000001"),
            ("0", "1e-18", "0"),
            ("0", "-1e-18", "0"),
            ("0", "1e-4940", "0"),
            ("0", "0x1.fffffffffffff8p0", "1.99999999999999989"),
            ("0", "1e21", "1000000000000000000000"),
            ("0.1", "0.2", "0.3"),
            ("9223372036854775807", "0.5", "9223372036854775807.5"),
            ("18446744073709551615", "0.25", "18446744073709551615"),
            ("0", "1e30", "1000000000000000000024696061952"),
        ];
        for (left, right, expected) in table {
            assert_eq!(sum(left, right), expected, "{left} + {right}");
        }
    }

    #[test]
    fn the_largest_numbers_have_all_their_digits() {
        let largest = sum("0", "-1.18973149535723176502e4932");
        assert_eq!(largest.len(), 4934);
        assert!(
            largest.starts_with(
                "-118973149535723176502126385303097020516906332229462420044032373389173700552297"
            )
        );
        assert!(largest.ends_with("86811989770240"));
    }

    #[test]
    fn text_out_of_range_is_refused() {
        let long = "1".repeat(LONG_DOUBLE_BYTES_MAX);
        for text in ["1e5000", "1e-5000", "nan", "", " 1", "0x", "0x1p-20000", "1.2e4932", &long] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
        assert!(LongDouble::parse(&long.as_bytes()[..4900]).is_some());
    }

    #[test]
    fn infinities_add_up_to_nothing() {
        let [plus, minus] =
            ["inf", "-Infinity"].map(|text| LongDouble::parse(text.as_bytes()).expect("a number"));
        assert!((plus + minus).is_nan() && (plus + plus).is_infinite() && !plus.is_nan());
        assert_eq!([plus, minus, plus + minus].map(text), ["inf", "-inf", "nan"]);
        let largest = LongDouble::parse(b"1.1e4932").expect("a number");
        assert!((largest + largest).is_infinite());
    }

    proptest! {
        #[test]
        fn integers_are_exact(left: i64, right: i64) {
            prop_assert_eq!(text(LongDouble::from(left)), left.to_string());
            let exact = i128::from(left) + i128::from(right);
            prop_assert_eq!(sum(&left.to_string(), &right.to_string()), exact.to_string());
        }

        #[test]
        fn large_powers_of_two_are_exact(exponent in 0_u32..127) {
            prop_assert_eq!(sum("0", &format!("0x1p{exponent}")), (1_u128 << exponent).to_string());
        }

        #[test]
        fn fractions_of_few_digits_are_printed_as_read(integral in 0..8, fraction in 1..1_000_000) {
            let number = format!("{integral}.{fraction:06}");
            prop_assert_eq!(sum("0", &number), number.trim_end_matches('0'));
        }
    }
}
