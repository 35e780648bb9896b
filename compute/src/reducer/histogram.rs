//! The state of HIST: how many values are in which bucket, from its start to the next one's.
//!
//! An integer width gives integer starts, for doubles too: floor division is exact there, whatever the signs. With any
//! other width a start is `index * width`, rounded, and the bucket is the last whose start is not above the value; so
//! each value is in the bucket that the starts themselves say. Where doubles are further apart than buckets are, each
//! double is its own start.

use std::collections::BTreeMap;

use super::limit::Limit;
use super::spec::{Constants, Spec, Width};
use crate::encode::Reader;
use crate::error::DecodeError;
use crate::value::Value;
use crate::vector::Scalar;

/// Most buckets of one result.
pub(super) const BUCKETS_MAX: usize = 10_000;

/// From here on `index * width` cannot tell neighbours apart.
const INDEX_END: f64 = (1u64 << 53) as f64;

/// Doubles below this magnitude are integers of 128 bits when rounded down.
const WHOLE_END: f64 = INDEX_END * INDEX_END;

/// Counts by bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Histogram {
    counts: BTreeMap<Start, u64>,
}

/// Where a bucket begins. The order is that of the map, not of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Start {
    Int(i128),
    /// Its bits.
    Double(u64),
}

impl Histogram {
    pub(super) fn add(&mut self, spec: &Spec, value: Scalar<'_>) -> Result<(), Limit> {
        let Constants::Width(width) = spec.constants else { return Ok(()) };
        let start = match (value, width) {
            (Scalar::Int(value), Width::Int(width)) => int_start(value.into(), width),
            (Scalar::Double(value), Width::Int(width)) if value.abs() < WHOLE_END => {
                int_start(value.floor() as i128, width)
            }
            (Scalar::Int(value), Width::Double(width)) => double_start(value as f64, width),
            (Scalar::Double(value), Width::Int(width)) => double_start(value, width as f64),
            (Scalar::Double(value), Width::Double(width)) => double_start(value, width),
            (other, _) => {
                debug_assert!(false, "HIST is given numbers, not {other:?}");
                return Ok(());
            }
        };
        self.count(start, 1)
    }

    fn count(&mut self, start: Start, number: u64) -> Result<(), Limit> {
        let count = self.counts.entry(start).or_default();
        *count = count.saturating_add(number);
        if self.counts.len() > BUCKETS_MAX { Err(Limit::Buckets) } else { Ok(()) }
    }

    pub(super) fn merge(&mut self, other: Histogram) -> Result<(), Limit> {
        other.counts.into_iter().try_for_each(|(start, number)| self.count(start, number))
    }

    pub(super) fn finish(&self) -> Value {
        let bucket = |(start, count): (&Start, &u64)| {
            let start = match start {
                Start::Int(start) => Value::Int(*start),
                Start::Double(bits) => Value::Double(f64::from_bits(*bits)),
            };
            (start, Value::Int((*count).into()))
        };
        let mut buckets: Vec<(Value, Value)> = self.counts.iter().map(bucket).collect();
        buckets.sort_unstable_by(|a, b| a.0.order(&b.0));
        Value::Map(buckets)
    }

    /// `number u32 | start as a value, count u64 of each, integers before doubles, ascending by their number or bits`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.counts.len() as u32).to_le_bytes());
        for (start, count) in &self.counts {
            match start {
                Start::Int(start) => Value::Int(*start).encode(out),
                Start::Double(bits) => Value::Double(f64::from_bits(*bits)).encode(out),
            }
            out.extend_from_slice(&count.to_le_bytes());
        }
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Histogram, DecodeError> {
        let number = u32::from_le_bytes(input.array()?) as usize;
        if number > BUCKETS_MAX {
            return Err(DecodeError::Malformed);
        }
        let mut histogram = Histogram::default();
        for _ in 0..number {
            let start = match Value::decode(input)? {
                Value::Int(start) => Start::Int(start),
                Value::Double(start) if start.is_finite() => Start::Double(start.to_bits()),
                _ => return Err(DecodeError::Malformed),
            };
            let count = input.u64()?;
            let follows = histogram.counts.last_key_value().is_none_or(|(last, _)| *last < start);
            if count == 0 || !follows {
                return Err(DecodeError::Malformed);
            }
            histogram.counts.insert(start, count);
        }
        Ok(histogram)
    }

    /// A node of the map has eleven places, of which at least half are used but in the last ones.
    pub(super) fn memory_bytes(&self) -> usize {
        self.counts.len() * (size_of::<(Start, u64)>() * 3 / 2)
    }
}

fn int_start(value: i128, width: i64) -> Start {
    let width = i128::from(width);
    // The width is above zero, so Euclid's quotient is the floor.
    Start::Int(value.div_euclid(width) * width)
}

fn double_start(value: f64, width: f64) -> Start {
    let index = (value / width).floor();
    let start = if index.abs() >= INDEX_END {
        value
    } else if index * width > value {
        // The quotient was rounded up to the next bucket.
        (index - 1.0) * width
    } else if (index + 1.0) * width <= value {
        (index + 1.0) * width
    } else {
        index * width
    };
    // A start below every double has no value; zero has no sign.
    Start::Double((start.max(f64::MIN) + 0.0).to_bits())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::function::Function;
    use super::*;

    fn spec(width: &str) -> Spec {
        Spec::new(Function::Hist, &[width.as_bytes()], false, 0).expect("a width")
    }

    fn histogram(width: &str, values: &[Scalar<'_>]) -> Vec<(Value, Value)> {
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.add(&spec(width), *value).expect("few buckets"));
        match histogram.finish() {
            Value::Map(buckets) => buckets,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn integer_widths_give_integer_starts() {
        let values = [0, 9, 10, -1, -10, -11, i64::MIN, i64::MAX].map(Scalar::Int);
        let expected =
            [(-9223372036854775810, 1), (-20, 1), (-10, 2), (0, 2), (10, 1), (9223372036854775800, 1)];
        let expected = expected.map(|(start, count)| (Value::Int(start), Value::Int(count)));
        assert_eq!(histogram("10", &values), expected);
        let values = [-0.5, 9.99, 10.0, 1e300].map(Scalar::Double);
        let starts: Vec<Value> = histogram("10", &values).into_iter().map(|(start, _)| start).collect();
        assert_eq!(starts[..3], [Value::Int(-10), Value::Int(0), Value::Int(10)]);
        assert_eq!(starts[3], Value::Double(1e300));
    }

    #[test]
    fn other_widths_give_doubles() {
        let values = [Scalar::Double(-0.1), Scalar::Double(0.0), Scalar::Int(1), Scalar::Double(1.24)];
        let expected = [(-0.25, 1), (0.0, 1), (1.0, 2)];
        let expected = expected.map(|(start, count)| (Value::Double(start), Value::Int(count)));
        assert_eq!(histogram("0.25", &values), expected);
    }

    #[test]
    fn too_many_buckets_are_a_limit() {
        let spec = spec("1");
        let mut histogram = Histogram::default();
        for value in 0..BUCKETS_MAX as i64 {
            assert_eq!(histogram.add(&spec, Scalar::Int(value)), Ok(()));
        }
        assert_eq!(histogram.clone().add(&spec, Scalar::Int(5)), Ok(()));
        let mut other = Histogram::default();
        assert_eq!(other.add(&spec, Scalar::Int(-1)), Ok(()));
        assert_eq!(histogram.merge(other), Err(Limit::Buckets));
    }

    proptest! {
        #[test]
        fn a_start_is_the_last_one_not_above(value in -1e9f64..1e9, width in 1e-3f64..1e3) {
            let Start::Double(bits) = double_start(value, width) else { panic!("a double") };
            let start = f64::from_bits(bits);
            prop_assert!(start <= value && value < start + width * (1.0 + 1e-9) + value.abs() * 1e-15);
        }
    }
}
