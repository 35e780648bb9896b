//! The state of QUANTILE: a DDSketch (Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch",
//! 2019), which counts values by buckets whose width is relative to the values in them.
//!
//! Of the mappings that the paper names we take the linear interpolation between powers of two: a bucket is the exponent
//! of a double and the first six bits of its mantissa, which is a shift. Each power of two so has 64 buckets, and the answer
//! for one differs by at most 1/129 from any value in it, within the 1 % that is promised. Values closer to zero than the
//! least normal double count as zero. The least and greatest value are kept as they are.
//!
//! The crate `sketches-ddsketch` is not used: it computes buckets by the logarithm of the platform, whose last digit may
//! differ between machines, keeps a sum that depends on the order of values, and joins its lowest buckets when there are
//! many, which gives up the bound.

use std::collections::BTreeMap;

use super::spec::{Constants, Spec};
use crate::encode::Reader;
use crate::error::DecodeError;
use crate::value::Value;

/// The bound that is stated.
pub(super) const RELATIVE_ERROR: f64 = 0.01;

/// Buckets of a power of two.
const BUCKETS: usize = 64;

/// Bits of a double below those that name its bucket.
const SHIFT: u32 = f64::MANTISSA_DIGITS - 1 - BUCKETS.ilog2();

/// Counts of the buckets of one power of two.
type Page = Box<[u64; BUCKETS]>;

/// How many values are in which bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sketch {
    /// By biased exponent, negated for negative values. Zeros are in the first bucket of page 0.
    pages: BTreeMap<i16, Page>,
    /// The least and the greatest value.
    range: Option<(f64, f64)>,
}

impl Sketch {
    /// Adds a finite value.
    pub(super) fn add(&mut self, value: f64) {
        let (least, greatest) = self.range.unwrap_or((value, value));
        self.range = Some((least.min(value), greatest.max(value)));
        let (page, bucket) = place(value);
        let count = &mut self.page(page)[bucket];
        *count = count.saturating_add(1);
    }

    fn page(&mut self, page: i16) -> &mut [u64; BUCKETS] {
        self.pages.entry(page).or_insert_with(|| Box::new([0; BUCKETS]))
    }

    pub(super) fn merge(&mut self, other: Sketch) {
        let Some((least, greatest)) = other.range else { return };
        let (our_least, our_greatest) = self.range.unwrap_or((least, greatest));
        self.range = Some((our_least.min(least), our_greatest.max(greatest)));
        for (page, counts) in other.pages {
            for (count, other) in self.page(page).iter_mut().zip(counts.iter()) {
                *count = count.saturating_add(*other);
            }
        }
    }

    /// One double for one share, a list for several; null without values.
    pub(super) fn finish(&self, spec: &Spec) -> Value {
        let (Constants::Shares(shares), Some(range)) = (&spec.constants, self.range) else {
            return Value::Null;
        };
        let buckets: Vec<(f64, u64)> = self.ascending().collect();
        let total = buckets.iter().fold(0u64, |total, (_, count)| total.saturating_add(*count));
        let quantile = |share: &f64| Value::Double(quantile(*share, &buckets, total, range));
        match shares.as_slice() {
            [share] => quantile(share),
            shares => Value::List(shares.iter().map(quantile).collect()),
        }
    }

    /// Buckets that have values, each with the value it stands for.
    fn ascending(&self) -> impl Iterator<Item = (f64, u64)> {
        let in_page = |(page, counts): (&i16, &Page)| {
            let (page, counts) = (*page, counts.clone());
            let buckets = (0..BUCKETS).map(move |at| if page < 0 { BUCKETS - 1 - at } else { at });
            buckets.map(move |bucket| (middle(page, bucket), counts[bucket]))
        };
        self.pages.iter().flat_map(in_page).filter(|(_, count)| *count > 0)
    }

    /// `number of buckets u32 | page i16 | bucket u8 | count u64 of each, ascending | least f64 | greatest f64`; the last
    /// two only if there are buckets.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let of_page = |(page, counts): (&i16, &Page)| {
            let (page, counts) = (*page, counts.clone());
            (0..BUCKETS).map(move |bucket| (page, bucket, counts[bucket])).filter(|(.., count)| *count > 0)
        };
        let buckets: Vec<(i16, usize, u64)> = self.pages.iter().flat_map(of_page).collect();
        out.extend_from_slice(&(buckets.len() as u32).to_le_bytes());
        for (page, bucket, count) in buckets {
            out.extend_from_slice(&page.to_le_bytes());
            out.push(bucket as u8);
            out.extend_from_slice(&count.to_le_bytes());
        }
        if let Some((least, greatest)) = self.range {
            out.extend_from_slice(&least.to_le_bytes());
            out.extend_from_slice(&greatest.to_le_bytes());
        }
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Sketch, DecodeError> {
        let mut sketch = Sketch::default();
        let mut last = None;
        for _ in 0..u32::from_le_bytes(input.array()?) {
            let page = i16::from_le_bytes(input.array()?);
            let (bucket, count) = (usize::from(input.u8()?), input.u64()?);
            let is_place = if page == 0 { bucket == 0 } else { bucket < BUCKETS && page.abs() < 0x7ff };
            if !is_place || count == 0 || last.is_some_and(|last| last >= (page, bucket)) {
                return Err(DecodeError::Malformed);
            }
            last = Some((page, bucket));
            sketch.page(page)[bucket] = count;
        }
        if !sketch.pages.is_empty() {
            let (least, greatest) = (input.double()?, input.double()?);
            let is_range = least.is_finite() && greatest.is_finite() && least <= greatest;
            let has = |value| {
                let (page, bucket) = place(value);
                sketch.pages.get(&page).is_some_and(|counts| counts[bucket] > 0)
            };
            if !is_range || !has(least) || !has(greatest) {
                return Err(DecodeError::Malformed);
            }
            sketch.range = Some((least, greatest));
        }
        Ok(sketch)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.pages.len() * (size_of::<[u64; BUCKETS]>() + 2 * size_of::<(i16, Page)>())
    }
}

/// The value at `share` of the way from the least to the greatest: that of rank `share * (total - 1)`, rounded down.
fn quantile(share: f64, buckets: &[(f64, u64)], total: u64, (least, greatest): (f64, f64)) -> f64 {
    let last = total.saturating_sub(1);
    let rank = ((share * last as f64) as u64).min(last);
    if rank == 0 {
        return least;
    }
    if rank == last {
        return greatest;
    }
    let mut below = 0u64;
    let bucket = buckets.iter().find(|(_, count)| {
        below = below.saturating_add(*count);
        below > rank
    });
    bucket.map_or(greatest, |(middle, _)| middle.clamp(least, greatest))
}

/// Page and bucket of a value.
fn place(value: f64) -> (i16, usize) {
    let bits = value.abs().to_bits();
    let exponent = (bits >> (f64::MANTISSA_DIGITS - 1)) as i16;
    if exponent == 0 {
        return (0, 0);
    }
    let bucket = (bits >> SHIFT) as usize % BUCKETS;
    (if value < 0.0 { -exponent } else { exponent }, bucket)
}

/// What a bucket stands for: of a least magnitude l and the next one u it is 2lu / (l + u), equally far from both
/// relative to them. With l = 64 + bucket and u = l + 1, in units of the page, that is l * 2u / (l + u).
fn middle(page: i16, bucket: usize) -> f64 {
    if page == 0 {
        return 0.0;
    }
    let bits = u64::from(page.unsigned_abs()) << (f64::MANTISSA_DIGITS - 1) | (bucket as u64) << SHIFT;
    let lower = (BUCKETS + bucket) as f64;
    let magnitude = f64::from_bits(bits) * (2.0 * (lower + 1.0) / (2.0 * lower + 1.0));
    if page < 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::function::Function;
    use super::*;

    fn quantiles(values: &[f64], shares: &[&str]) -> Value {
        let shares: Vec<&[u8]> = shares.iter().map(|share| share.as_bytes()).collect();
        let spec = Spec::new(Function::Quantile, &shares, false, 0).expect("shares");
        let mut sketch = Sketch::default();
        values.iter().for_each(|value| sketch.add(*value));
        sketch.finish(&spec)
    }

    #[test]
    fn worked_examples() {
        assert_eq!(quantiles(&[], &["0.5"]), Value::Null);
        assert_eq!(quantiles(&[], &["0.5", "0.9"]), Value::Null);
        assert_eq!(quantiles(&[12.5], &["0.3"]), Value::Double(12.5));
        let ends = Value::List(vec![Value::Double(-5.0), Value::Double(0.0), Value::Double(7.0)]);
        assert_eq!(quantiles(&[7.0, 0.0, -5.0], &["0", "0.5", "1"]), ends);
        let Value::Double(median) = quantiles(&[3.0, -1000.0, 100.0, 1e300, 5e-324], &["0.5"]) else {
            panic!("one double")
        };
        assert!((median - 3.0).abs() <= 3.0 * RELATIVE_ERROR, "{median}");
    }

    #[test]
    fn many_values_are_within_the_bound() {
        // A spread over many powers of two, on both sides of zero.
        let mut values: Vec<f64> =
            (0..100_000i32).map(|i| f64::from(i % 1000 - 300).powi(3) * 0.37).collect();
        let shares = ["0.001", "0.1", "0.25", "0.299", "0.5", "0.9", "0.99", "0.9999"];
        let Value::List(estimates) = quantiles(&values, &shares) else { panic!("a list") };
        values.sort_by(f64::total_cmp);
        for (share, estimate) in shares.iter().zip(estimates) {
            let share: f64 = share.parse().expect("a number");
            let exact = values[(share * (values.len() - 1) as f64) as usize];
            let Value::Double(estimate) = estimate else { panic!("doubles") };
            assert!(
                (estimate - exact).abs() <= exact.abs() * RELATIVE_ERROR,
                "{share}: {estimate} for {exact}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_bucket_stands_for_all_its_values(bits: u64) {
            let value = f64::from_bits(bits);
            if value.is_normal() {
                let (page, bucket) = place(value);
                prop_assert!((middle(page, bucket) - value).abs() <= value.abs() * 0.0078, "{}", value);
            }
        }
    }
}
