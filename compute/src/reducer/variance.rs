//! The state of VAR and STDDEV: the sample variance, with n - 1.
//!
//! Of integers it keeps their exact sum and the exact sum of their squares, so that neither order nor merging can show
//! and only the last divisions round. Of doubles it keeps number, mean and sum of squared deviations (Welford's), and
//! merges them by the formula of Chan, Golub and LeVeque, which rounds: results of the same rows in another order
//! differ in the last digits. The exact way would take over a kilobyte for each group there. Where there are both, they are
//! merged at the end. A variance beyond the largest double is infinite.

use crate::encode::Reader;
use crate::error::DecodeError;

/// Both parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Variance {
    /// Present once there was an integer.
    ints: Option<Box<Squares>>,
    doubles: Moments,
}

impl Variance {
    pub(super) fn add_int(&mut self, value: i64) {
        self.ints.get_or_insert_default().add(value);
    }

    pub(super) fn add_ints(&mut self, values: &[i64]) {
        if !values.is_empty() {
            let ints = self.ints.get_or_insert_default();
            values.iter().for_each(|value| ints.add(*value));
        }
    }

    pub(super) fn add_double(&mut self, value: f64) {
        self.doubles.merge(&Moments { count: 1, mean: value, squares: 0.0 });
    }

    pub(super) fn add_doubles(&mut self, values: &[f64]) {
        self.doubles.merge(&Moments::of(values));
    }

    pub(super) fn merge(&mut self, other: &Variance) {
        if let Some(other) = &other.ints {
            self.ints.get_or_insert_default().merge(other);
        }
        self.doubles.merge(&other.doubles);
    }

    /// The variance, if there are two values.
    pub(super) fn finish(&self) -> Option<f64> {
        let mut all = self.ints.as_ref().map_or(Moments::default(), |ints| ints.moments());
        all.merge(&self.doubles);
        (all.count >= 2).then(|| all.squares / (all.count - 1) as f64)
    }

    /// `whether there are integers u8 [ count u64 | sum i128 | squares u128 | squares above 2^128 u64 ] |
    /// count u64 | mean f64 | squares f64`, the last three of the doubles.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.ints.is_some()));
        if let Some(ints) = &self.ints {
            out.extend_from_slice(&ints.count.to_le_bytes());
            out.extend_from_slice(&ints.sum.to_le_bytes());
            out.extend_from_slice(&ints.low.to_le_bytes());
            out.extend_from_slice(&ints.high.to_le_bytes());
        }
        out.extend_from_slice(&self.doubles.count.to_le_bytes());
        out.extend_from_slice(&self.doubles.mean.to_le_bytes());
        out.extend_from_slice(&self.doubles.squares.to_le_bytes());
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Variance, DecodeError> {
        let ints = if input.flag()? {
            let (count, sum) = (input.u64()?, i128::from_le_bytes(input.array()?));
            let (low, high) = (u128::from_le_bytes(input.array()?), input.u64()?);
            Some(Box::new(Squares { count, sum, low, high }))
        } else {
            None
        };
        let (count, mean, squares) = (input.u64()?, input.double()?, input.double()?);
        if !mean.is_finite() || squares < 0.0 || (count == 0 && (mean, squares) != (0.0, 0.0)) {
            return Err(DecodeError::Malformed);
        }
        Ok(Variance { ints, doubles: Moments { count, mean, squares } })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.ints.as_deref().map_or(0, size_of_val)
    }
}

/// Number, exact sum and exact sum of squares of integers.
#[derive(Clone, Debug, Default, PartialEq)]
struct Squares {
    count: u64,
    sum: i128,
    /// The sum of squares, 128 bits of it and the 64 above them: each square has up to 126.
    low: u128,
    high: u64,
}

impl Squares {
    fn add(&mut self, value: i64) {
        let magnitude = u128::from(value.unsigned_abs());
        let (low, carry) = self.low.overflowing_add(magnitude * magnitude);
        // None of the others can overflow: it takes 2^64 values.
        (self.low, self.high) = (low, self.high.wrapping_add(u64::from(carry)));
        (self.count, self.sum) = (self.count.saturating_add(1), self.sum.wrapping_add(value.into()));
    }

    fn merge(&mut self, other: &Squares) {
        let (low, carry) = self.low.overflowing_add(other.low);
        self.low = low;
        self.high = self.high.wrapping_add(other.high).wrapping_add(u64::from(carry));
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// The sum of squared deviations is (n * squares - sum^2) / n, of which the difference is exact in 256 bits.
    fn moments(&self) -> Moments {
        if self.count == 0 {
            return Moments::default();
        }
        let count = self.count as f64;
        let (low, high) = multiply(self.low, self.count.into());
        let high = u128::from(self.high).wrapping_mul(self.count.into()).wrapping_add(high);
        let magnitude = self.sum.unsigned_abs();
        let (low_sum, high_sum) = multiply(magnitude, magnitude);
        let (low, borrow) = low.overflowing_sub(low_sum);
        let high = high.wrapping_sub(high_sum).wrapping_sub(borrow.into());
        // 2^128.
        let unit = (1u128 << 64) as f64 * (1u128 << 64) as f64;
        Moments {
            count: self.count,
            mean: self.sum as f64 / count,
            squares: (high as f64 * unit + low as f64) / count,
        }
    }
}

/// The product, its lower half first.
fn multiply(a: u128, b: u128) -> (u128, u128) {
    let half = |number: u128| (number & u128::from(u64::MAX), number >> 64);
    let ((a_low, a_high), (b_low, b_high)) = (half(a), half(b));
    let (low, cross) = (a_low * b_low, a_high * b_low);
    // Neither sum overflows: (2^64 - 1)^2 + 2 * (2^64 - 1) is 2^128 - 1.
    let middle = cross + (low >> 64);
    let other = a_low * b_high + (middle & u128::from(u64::MAX));
    (other << 64 | (low & u128::from(u64::MAX)), a_high * b_high + (middle >> 64) + (other >> 64))
}

/// Number, mean, and sum of squared deviations from it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// In two passes, so that nothing cancels; from the first value, so that equal values have no deviation at all.
    fn of(values: &[f64]) -> Moments {
        let Some(first) = values.first() else { return Moments::default() };
        let count = values.len() as f64;
        let mean = first + sum_of(values, |value| value - first) / count;
        let squares = sum_of(values, |value| (value - mean) * (value - mean));
        let mut moments = Moments { count: values.len() as u64, mean, squares };
        moments.settle();
        moments
    }

    fn merge(&mut self, other: &Moments) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let (ours, theirs) = (self.count as f64, other.count as f64);
        let (both, distance) = (ours + theirs, other.mean - self.mean);
        self.count = self.count.saturating_add(other.count);
        self.mean += distance * (theirs / both);
        self.squares += other.squares + distance * distance * (ours / both) * theirs;
        self.settle();
    }

    /// What has left the range of doubles stays infinite, and never becomes NaN.
    fn settle(&mut self) {
        if !(self.squares.is_finite() && self.mean.is_finite()) {
            (self.mean, self.squares) = (0.0, f64::INFINITY);
        }
        // Zero has no sign in what is encoded.
        self.mean += 0.0;
    }
}

/// Sums in lanes, which a processor adds side by side.
fn sum_of(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += term(*value);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|value| term(*value)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variance(ints: &[i64], doubles: &[f64]) -> Option<f64> {
        let mut variance = Variance::default();
        variance.add_ints(ints);
        variance.add_doubles(doubles);
        variance.finish()
    }

    #[test]
    fn worked_examples() {
        assert_eq!(variance(&[2, 4, 4, 4, 5, 5, 7, 9], &[]), Some(32.0 / 7.0));
        assert_eq!(variance(&[], &[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), Some(32.0 / 7.0));
        assert_eq!(variance(&[2, 4, 4, 4], &[5.0, 5.0, 7.0, 9.0]), Some(32.0 / 7.0));
        assert_eq!(variance(&[], &[]), None);
        assert_eq!(variance(&[5], &[]), None);
        assert_eq!(variance(&[5], &[5.0]), Some(0.0));
        assert_eq!(variance(&[], &[0.1; 1000]), Some(0.0));
    }

    #[test]
    fn integers_far_from_zero_lose_nothing() {
        let far = i64::MAX - 10;
        assert_eq!(variance(&[far, far + 1, far + 2], &[]), Some(1.0));
        // Deviations of 2^63 - 1/2 from the mean of -1/2.
        assert_eq!(variance(&[i64::MIN, i64::MAX], &[]), Some((1u128 << 127) as f64));
    }

    #[test]
    fn what_is_too_large_is_infinite() {
        assert_eq!(variance(&[], &[f64::MAX, -f64::MAX]), Some(f64::INFINITY));
        assert_eq!(variance(&[1], &[f64::MAX, f64::MAX, f64::MAX]), Some(f64::INFINITY));
        let mut single = Variance::default();
        [f64::MAX, -f64::MAX, f64::MAX, 1.0].into_iter().for_each(|value| single.add_double(value));
        assert_eq!(single.finish(), Some(f64::INFINITY));
    }

    proptest! {
        #[test]
        fn integers_agree_with_wide_arithmetic(values in prop::collection::vec(-(1i64 << 50)..1 << 50, 2..20)) {
            let (count, sum) = (values.len() as i128, values.iter().map(|value| i128::from(*value)).sum::<i128>());
            let squares: i128 = values.iter().map(|value| i128::from(*value) * i128::from(*value)).sum();
            let expected = (count * squares - sum * sum) as f64 / count as f64 / (count - 1) as f64;
            prop_assert_eq!(variance(&values, &[]), Some(expected));
        }

        #[test]
        fn products_agree_with_the_ring(a: u128, b: u128) {
            let (low, high) = multiply(a, b);
            prop_assert_eq!(low, a.wrapping_mul(b));
            // Modulo 2^64 - 1 the four digits of a number only add up.
            let rest = |number: u128| (number % u128::from(u64::MAX)) % u128::from(u64::MAX);
            let modulus = u128::from(u64::MAX);
            prop_assert_eq!(rest(rest(a) * rest(b)), rest(rest(low) + rest(high)) % modulus);
        }
    }
}
