//! The estimate: that of Otmar Ertl ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), which takes nothing
//! but how many registers have which number. The order of the operations is Redis's, so that both round alike.

use super::REGISTERS;
use super::hash::NUMBER_MAX;

/// How many registers have each number. 6 bits can be more than a hash gives: clients can write any.
pub(super) type Histogram = [u32; 64];

/// 1 / (2 ln 2), the constant of infinitely many registers.
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// What Redis has instead of an estimate that does not fit.
const BEYOND: i64 = i64::MIN;

pub(super) fn estimate(histogram: &Histogram) -> i64 {
    let (registers, last) = (REGISTERS as f64, usize::from(NUMBER_MAX));
    let mut sum = registers * tau((registers - f64::from(histogram[last])) / registers);
    for count in histogram[1..last].iter().rev() {
        sum = (sum + f64::from(*count)) * 0.5;
    }
    sum += registers * sigma(f64::from(histogram[0]) / registers);
    let estimate = (ALPHA * registers * registers / sum).round();
    if estimate < i64::MAX as f64 { estimate as i64 } else { BEYOND }
}

/// Ertl's correction for registers that are zero.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    // Each round squares what is added, so it is soon too small to change the sum.
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// Ertl's correction for registers that have the greatest number.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    // Each round more than halves what is subtracted.
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_scale_are_defined() {
        let mut histogram = [0; 64];
        histogram[0] = REGISTERS as u32;
        assert_eq!(estimate(&histogram), 0);
        for number in [51, 52, 63] {
            let mut histogram = [0; 64];
            histogram[number] = REGISTERS as u32;
            assert_eq!(estimate(&histogram), BEYOND, "all registers have {number}");
        }
    }

    #[test]
    fn both_corrections_end_for_every_share() {
        for registers in 0..=REGISTERS {
            let share = registers as f64 / REGISTERS as f64;
            assert!(sigma(share) >= 0.0 && tau(share) >= 0.0);
        }
    }
}
