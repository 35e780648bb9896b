//! `ExactSum`: a sum of integers and doubles without any rounding until it is asked for, so that the result
//! does not depend on order, on sharding or on how partials were merged. Not a general big number: it adds
//! and divides once.
//!
//! Integers go into one `i128`. Doubles go into a fixed-point number wide enough for all of them, in units of
//! 2^-1074, the smallest double:
//!
//! ```text
//! limb        33      32      31            16             0
//!          [ i128 ][ i128 ][ i128 ]  ...  [ i128 ]  ...  [ i128 ]     limb i counts units of 2^(64 i - 1074)
//!             |       |_ largest doubles     |_ holds the 1
//!             |_ sign, and room for more rows than there can be
//! ```
//!
//! A limb is an `i128` of which 64 bits are its own; the others take what overflows until `carry` moves it
//! on. In carried form every limb but the last is in 0..2^64, which makes the form unique. Crates for this
//! exist, but the one that is maintained (`xsum`) neither merges nor encodes its state, and takes no
//! integers.

use std::num::NonZeroU64;

use crate::encode::Reader;
use crate::error::DecodeError;
use crate::value::Value;

/// An exact sum and the number of values in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ExactSum {
    count: u64,
    ints: i128,
    /// Present once there was a double: most sums never need it.
    doubles: Option<Box<FixedPoint>>,
}

impl ExactSum {
    pub(crate) fn add_ints(&mut self, values: &[i64]) {
        self.count = self.count.saturating_add(values.len() as u64);
        // Wrapping is out of reach: it takes 2^64 values.
        self.ints = self.ints.wrapping_add(values.iter().map(|value| i128::from(*value)).sum());
    }

    pub(crate) fn add_int(&mut self, value: i64) {
        self.count = self.count.saturating_add(1);
        self.ints = self.ints.wrapping_add(value.into());
    }

    pub(crate) fn add_double(&mut self, value: f64) {
        self.count = self.count.saturating_add(1);
        self.doubles.get_or_insert_default().add_one(value);
    }

    pub(crate) fn add_doubles(&mut self, values: &[f64]) {
        if !values.is_empty() {
            self.count = self.count.saturating_add(values.len() as u64);
            self.doubles.get_or_insert_default().add(values);
        }
    }

    pub(crate) fn merge(&mut self, other: &ExactSum) {
        self.count = self.count.saturating_add(other.count);
        self.ints = self.ints.wrapping_add(other.ints);
        if let Some(doubles) = &other.doubles {
            self.doubles.get_or_insert_default().merge(doubles);
        }
    }

    /// The sum: an integer unless there was a double among the values.
    pub(crate) fn total(&self) -> Value {
        match &self.doubles {
            None => Value::Int(self.ints),
            Some(_) => Value::Double(self.divide(NonZeroU64::MIN)),
        }
    }

    /// The sum divided by the number of values, rounded once; null without values.
    pub(crate) fn mean(&self) -> Value {
        NonZeroU64::new(self.count).map_or(Value::Null, |count| Value::Double(self.divide(count)))
    }

    fn divide(&self, divisor: NonZeroU64) -> f64 {
        let mut sum = self.doubles.as_deref().cloned().unwrap_or_default();
        sum.add_int(self.ints);
        sum.divide(divisor)
    }

    /// Bytes it keeps outside of itself.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.doubles.as_deref().map_or(0, size_of_val)
    }

    /// `count u64 | ints i128 | whether doubles follow u8 | 34 limbs u64`, little-endian.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.ints.to_le_bytes());
        out.push(u8::from(self.doubles.is_some()));
        if let Some(doubles) = &self.doubles {
            doubles.encode(out);
        }
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<ExactSum, DecodeError> {
        let count = input.u64()?;
        let ints = i128::from_le_bytes(input.array()?);
        let doubles = input.flag()?.then(|| FixedPoint::decode(input)).transpose()?.map(Box::new);
        Ok(ExactSum { count, ints, doubles })
    }
}

/// Bits of the largest double: 2^1024 in units of 2^-1074.
const DOUBLE_BITS: usize = 1024 + 1074;

/// Enough for 2^64 of the largest doubles and a sign.
const LIMBS: usize = 34;
const _: () = assert!(LIMBS * 64 > DOUBLE_BITS + 64 + 1);

/// Values that can be added between two carries: each is below 2^116 in its limb, which holds 2^127.
const ADDS_MAX: usize = 1024;
const _: () = assert!(53 + 63 + ADDS_MAX.ilog2() < 127);

/// Bits of a double's mantissa that are stored; one more is implied.
const MANTISSA_BITS: u32 = 52;

/// Where the unit of integers, 2^0, lies.
const ONE_BIT: usize = 1074;

/// Bits below the unit that a quotient keeps before it is rounded.
const FRACTION_BITS: usize = 64;

#[derive(Clone, Debug)]
struct FixedPoint {
    limbs: [i128; LIMBS],
    /// Values added since the last carry.
    adds: usize,
}

impl Default for FixedPoint {
    fn default() -> FixedPoint {
        FixedPoint { limbs: [0; LIMBS], adds: 0 }
    }
}

impl PartialEq for FixedPoint {
    fn eq(&self, other: &FixedPoint) -> bool {
        self.carried().limbs == other.carried().limbs
    }
}

impl FixedPoint {
    /// Adds finite doubles: what can be split costs a few additions for the whole chunk.
    fn add(&mut self, values: &[f64]) {
        let (chunks, rest) = values.as_chunks::<SPLIT_VALUES>();
        for chunk in chunks {
            match split(chunk) {
                Some(parts) => parts.iter().for_each(|part| self.add_one(*part)),
                None => chunk.iter().for_each(|value| self.add_one(*value)),
            }
        }
        rest.iter().for_each(|value| self.add_one(*value));
    }

    #[inline]
    fn add_one(&mut self, value: f64) {
        let bits = value.to_bits();
        let exponent = (bits >> MANTISSA_BITS) & 0x7ff;
        let mantissa = i128::from(bits & ((1 << MANTISSA_BITS) - 1));
        debug_assert!(exponent != 0x7ff, "only finite doubles are added");
        // A subnormal has no implied bit, and the exponent of the smallest normal number.
        let mantissa = mantissa | (i128::from(exponent != 0) << MANTISSA_BITS);
        let position = exponent.saturating_sub(1) as usize;
        let shifted = mantissa << (position % 64);
        self.limbs[position / 64] += if value.is_sign_negative() { -shifted } else { shifted };
        self.adds += 1;
        if self.adds == ADDS_MAX {
            self.carry();
        }
    }

    fn add_int(&mut self, value: i128) {
        self.carry();
        let (limb, shift) = (ONE_BIT / 64, ONE_BIT % 64);
        self.limbs[limb] += (value & i128::from(u64::MAX)) << shift;
        self.limbs[limb + 1] += (value >> 64) << shift;
        self.carry();
    }

    fn merge(&mut self, other: &FixedPoint) {
        self.carry();
        for (limb, other) in self.limbs.iter_mut().zip(&other.carried().limbs) {
            *limb += other;
        }
        self.carry();
    }

    /// The unique form.
    fn carried(&self) -> FixedPoint {
        let mut carried = self.clone();
        carried.carry();
        carried
    }

    fn carry(&mut self) {
        let mut carry = 0;
        for limb in &mut self.limbs[..LIMBS - 1] {
            let full = *limb + carry;
            carry = full >> 64;
            *limb = full & i128::from(u64::MAX);
        }
        self.limbs[LIMBS - 1] += carry;
        self.adds = 0;
    }

    /// The double nearest to the number divided by `divisor`.
    fn divide(mut self, divisor: NonZeroU64) -> f64 {
        self.carry();
        let negative = self.limbs[LIMBS - 1] < 0;
        if negative {
            self.limbs.iter_mut().for_each(|limb| *limb = -*limb);
            self.carry();
        }
        let divisor = u128::from(divisor.get());
        let mut quotient = [0u64; LIMBS + FRACTION_BITS / 64];
        let mut remainder = 0u128;
        for (at, digit) in quotient.iter_mut().enumerate().rev() {
            let limb = at.checked_sub(FRACTION_BITS / 64).map_or(0, |at| self.limbs[at] as u64);
            let dividend = (remainder << 64) | u128::from(limb);
            *digit = (dividend / divisor) as u64;
            remainder = dividend % divisor;
        }
        let magnitude = round(&quotient, remainder != 0);
        // Not on zero: there is only one.
        if negative && magnitude != 0.0 { -magnitude } else { magnitude }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        // Carried form: all limbs fit 64 bits, the last one with its sign.
        self.carried().limbs.iter().for_each(|limb| out.extend_from_slice(&(*limb as u64).to_le_bytes()));
    }

    fn decode(input: &mut Reader<'_>) -> Result<FixedPoint, DecodeError> {
        let mut sum = FixedPoint::default();
        for limb in &mut sum.limbs {
            *limb = i128::from(input.u64()?);
        }
        sum.limbs[LIMBS - 1] = i128::from(sum.limbs[LIMBS - 1] as i64);
        Ok(sum)
    }
}

/// Doubles that are split together.
const SPLIT_VALUES: usize = 256;

/// Into how many parts each of them goes.
const SPLIT_PARTS: usize = 2;

/// Powers of two between the largest value and the unit it is split by: room for the sum of a chunk, and a bit more.
const SPLIT_ROOM: u64 = SPLIT_VALUES.ilog2() as u64 + 1;

/// Least exponent, as it is stored, at which every unit is a normal double.
const SPLIT_EXPONENT_MIN: u64 = 53 * SPLIT_PARTS as u64;

/// A few doubles with exactly the sum of these, if there are such: the error-free extraction of Rump, Ogita and Oishi
/// ("Accurate floating-point summation", 2008). Adding a large power of two and taking it away again leaves the
/// leading bits of a value; all those of a chunk are multiples of one unit and fit a double together, so that their
/// sum does not round, in whatever lanes a processor adds it up. What is left goes through the same again. `None` if
/// there is a rest in the end, because values differ by more than about ten powers of ten, or if the powers would leave
/// the range of doubles.
fn split(values: &[f64; SPLIT_VALUES]) -> Option<[f64; SPLIT_PARTS]> {
    let mut lanes = [0.0; SPLIT_LANES];
    for chunk in values.as_chunks::<SPLIT_LANES>().0 {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if value.abs() > *lane { value.abs() } else { *lane };
        }
    }
    let largest = lanes.into_iter().fold(0.0, f64::max);
    let exponent = largest.to_bits() >> MANTISSA_BITS;
    if !(SPLIT_EXPONENT_MIN..0x7ff - SPLIT_ROOM - 1).contains(&exponent) {
        return None;
    }
    let mut unit = f64::from_bits((exponent + 1 + SPLIT_ROOM) << MANTISSA_BITS);
    let mut rest = *values;
    let mut parts = [0.0; SPLIT_PARTS];
    for part in &mut parts {
        let (mut lanes, mut left) = ([0.0; SPLIT_LANES], [0u64; SPLIT_LANES]);
        for chunk in rest.as_chunks_mut::<SPLIT_LANES>().0 {
            for ((lane, left), value) in lanes.iter_mut().zip(&mut left).zip(chunk) {
                let leading = (unit + *value) - unit;
                *value -= leading;
                *lane += leading;
                *left |= value.to_bits();
            }
        }
        *part = lanes.iter().sum();
        // Scores and amounts have few bits: often nothing is left after the first part.
        if left == [0; SPLIT_LANES] {
            return Some(parts);
        }
        // What is left of a value is at most 2^-53 of this unit.
        unit *= (1u64 << SPLIT_ROOM) as f64 / (1u64 << 53) as f64;
    }
    None
}

/// Sums side by side, for what a processor can do at once.
const SPLIT_LANES: usize = 8;

/// Rounds half to even a number in units of 2^-(1074 + `FRACTION_BITS`); `sticky` tells of a remainder below
/// them.
fn round(digits: &[u64], sticky: bool) -> f64 {
    let Some(top) = digits.iter().rposition(|digit| *digit != 0) else { return 0.0 };
    let highest = top * 64 + digits[top].ilog2() as usize;
    // The lowest bit the result can hold: 53 bits from the highest, or the unit if the result is subnormal.
    let lowest = highest.saturating_sub(MANTISSA_BITS as usize).max(FRACTION_BITS);
    let half = window(digits, lowest - 1) & 1 == 1;
    let mantissa = window(digits, lowest);
    let up = half && (mantissa & 1 == 1 || sticky || any_below(digits, lowest - 1));
    // The implied bit of the mantissa raises the exponent by one, as does a carry out of rounding up.
    let bits = (((lowest - FRACTION_BITS) as u64) << MANTISSA_BITS) + mantissa + u64::from(up);
    f64::from_bits(bits.min(f64::INFINITY.to_bits()))
}

/// The 64 bits from `position` upwards.
fn window(digits: &[u64], position: usize) -> u64 {
    let digit = |at: usize| u128::from(digits.get(at).copied().unwrap_or(0));
    let at = position / 64;
    ((digit(at + 1) << 64 | digit(at)) >> (position % 64)) as u64
}

fn any_below(digits: &[u64], position: usize) -> bool {
    let (whole, rest) = (position / 64, position % 64);
    digits[..whole].iter().any(|digit| *digit != 0) || digits[whole] & ((1 << rest) - 1) != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum_of(doubles: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        sum.add_doubles(doubles);
        sum
    }

    fn total(doubles: &[f64]) -> f64 {
        match sum_of(doubles).total() {
            Value::Double(value) => value,
            other => panic!("{other:?} is no double"),
        }
    }

    #[test]
    fn nothing_is_lost_to_cancellation() {
        assert_eq!(total(&[1e308, 1.0, -1e308]), 1.0);
        assert_eq!(total(&[1e308, 1e308, -1e308]), 1e308);
        assert_eq!(total(&[f64::MAX, f64::from_bits(1), -f64::MAX]), f64::from_bits(1));
        assert_eq!(total(&[0.1; 10]), 1.0);
        assert_eq!(total(&[1.5, -1.5]).to_bits(), 0);
    }

    #[test]
    fn a_sum_too_large_is_infinite() {
        assert_eq!(total(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(total(&[-f64::MAX, -f64::MAX]), f64::NEG_INFINITY);
        assert_eq!(sum_of(&[f64::MAX; 5000]).mean(), Value::Double(f64::MAX));
    }

    #[test]
    fn every_double_alone_is_its_own_sum() {
        for value in
            [f64::MIN_POSITIVE, f64::from_bits(1), f64::from_bits(0xf_ffff_ffff_ffff), f64::MAX, 1.0, -0.1]
        {
            assert_eq!(total(&[value]), value);
        }
    }

    #[test]
    fn halves_are_rounded_to_even() {
        let unit = (1u64 << 53) as f64;
        assert_eq!(total(&[unit, 1.0]), unit);
        assert_eq!(total(&[unit, 1.0, 1e-300]), unit + 2.0);
        assert_eq!(total(&[unit, 3.0]), unit + 4.0);
        // The carry of rounding up reaches the exponent.
        assert_eq!(total(&[unit * 2.0 - 1.0, 0.5]), unit * 2.0);
    }

    #[test]
    fn integers_and_doubles_meet_without_rounding() {
        let mut sum = sum_of(&[0.5]);
        sum.add_ints(&[i64::MAX, i64::MAX, -i64::MAX, -i64::MAX, 1]);
        assert_eq!(sum.total(), Value::Double(1.5));
        assert_eq!(sum.mean(), Value::Double(0.25));
        let mut sum = ExactSum::default();
        sum.add_ints(&[i64::MAX; 3]);
        assert_eq!(sum.total(), Value::Int(3 * i128::from(i64::MAX)));
        sum.add_ints(&[-1]);
        assert_eq!(sum.mean(), Value::Double(6917529027641081855.0));
    }

    #[test]
    fn means_are_rounded_once() {
        let mut sum = ExactSum::default();
        assert_eq!(sum.mean(), Value::Null);
        sum.add_ints(&[1, 0, 0]);
        assert_eq!(sum.mean(), Value::Double(1.0 / 3.0));
        let mut sum = ExactSum::default();
        sum.add_ints(&[-1, 0, 0]);
        assert_eq!(sum.mean(), Value::Double(-1.0 / 3.0));
        assert_eq!(sum_of(&[f64::from_bits(1), 0.0, 0.0]).mean(), Value::Double(0.0));
        assert_eq!(
            sum_of(&[f64::from_bits(1), f64::from_bits(1), 0.0]).mean(),
            Value::Double(f64::from_bits(1))
        );
    }

    #[test]
    fn split_sums_are_those_of_single_values() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state
        };
        // By how much exponents differ: nothing, little, what two parts just hold, and anything.
        for (base, spread) in [(1023, 1), (1000, 20), (900, 33), (900, 36), (2, 60), (2000, 46), (1, 2046)] {
            for _ in 0..200 {
                let doubles: Vec<f64> = (0..SPLIT_VALUES)
                    .map(|_| {
                        let (exponent, bits) = (base + (random() >> 40) % spread, random());
                        f64::from_bits(exponent << MANTISSA_BITS | bits >> 12 | bits << 63)
                    })
                    .collect();
                let mut single = ExactSum::default();
                doubles.iter().for_each(|double| single.add_double(*double));
                assert_eq!(sum_of(&doubles), single);
                assert_eq!(sum_of(&doubles).total(), single.total());
            }
        }
        let (mut equal, mut chunk) = ([0.1; SPLIT_VALUES], [0.0; SPLIT_VALUES]);
        assert!(split(&equal).is_some_and(|parts| parts[0] != 0.0 && parts[1] != 0.0));
        equal[7] = 1e300;
        assert_eq!(split(&equal), None);
        chunk[1] = f64::MAX;
        assert_eq!(split(&chunk), None);
    }

    /// Doubles of one window of exponents, with the same values as integers in units of the lowest one.
    fn window_of_doubles() -> impl Strategy<Value = (i32, Vec<i128>)> {
        let value =
            (any::<i64>().prop_map(|bits| bits >> 11), 0u32..60).prop_map(|(m, e)| i128::from(m) << e);
        (-1074i32..900, prop::collection::vec(value, 0..50))
    }

    /// 2^exponent times an integer of at most 53 significant bits, exactly.
    fn scale(mantissa: f64, exponent: i32) -> f64 {
        let half = exponent / 2;
        mantissa * 2f64.powi(half) * 2f64.powi(exponent - half)
    }

    proptest! {
        #[test]
        fn sums_agree_with_integer_arithmetic((exponent, values) in window_of_doubles()) {
            let doubles: Vec<f64> = values.iter().map(|value| scale(*value as f64, exponent)).collect();
            let exact: i128 = values.iter().sum();
            // The conversion of an integer to a double rounds half to even, and scaling upwards never rounds.
            prop_assert_eq!(total(&[&doubles[..], &[0.0]].concat()), scale(exact as f64, exponent));
        }

        #[test]
        fn means_agree_with_integer_arithmetic(
            values in prop::collection::vec(-(1i64 << 40)..1 << 40, 1..50),
        ) {
            let mut sum = ExactSum::default();
            sum.add_ints(&values);
            // Both sides are exact doubles, so one division is correctly rounded.
            let expected = values.iter().sum::<i64>() as f64 / values.len() as f64;
            prop_assert_eq!(sum.mean(), Value::Double(expected));
        }

        #[test]
        fn order_and_grouping_do_not_matter(
            bits in prop::collection::vec(any::<u64>(), 0..40),
            ints in prop::collection::vec(any::<i64>(), 0..10),
            cut in 0usize..40,
        ) {
            let doubles: Vec<f64> = bits.into_iter().map(f64::from_bits).filter(|d| d.is_finite()).collect();
            let mut whole = sum_of(&doubles);
            whole.add_ints(&ints);
            let (left, right) = doubles.split_at(cut.min(doubles.len()));
            let mut merged = ExactSum::default();
            merged.add_ints(&ints);
            merged.merge(&sum_of(&right.iter().rev().copied().collect::<Vec<_>>()));
            merged.merge(&sum_of(left));
            prop_assert_eq!(&merged, &whole);
            let mut bytes = Vec::new();
            merged.encode(&mut bytes);
            prop_assert_eq!(ExactSum::decode(&mut Reader::new(&bytes)), Ok(whole));
        }
    }
}
