//! How scripts are found by what needs no hashing: a sum is as good as random, and numbers are given one after the other.

use std::hash::{BuildHasherDefault, Hasher};

/// Makes hashers of one sum or one number each.
pub type Plain = BuildHasherDefault<PlainHasher>;

/// The hash of one sum or one number.
#[derive(Clone, Debug, Default)]
pub struct PlainHasher(u64);

impl Hasher for PlainHasher {
    fn write(&mut self, sum: &[u8]) {
        self.0 = sum.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(SPREAD);
    }

    /// The length of the sum, which is that of all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Odd, so that different numbers stay different; the golden ratio, so that neighbours differ in their highest bits.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;
    use crate::scripting::script::sum;

    #[test]
    fn hashes_differ_in_their_lowest_and_highest_bits() {
        let of_sums: Vec<u64> = (0..100).map(|n| Plain::default().hash_one(sum(&[n]))).collect();
        let of_numbers: Vec<u64> = (0..100_u64).map(|n| Plain::default().hash_one(n)).collect();
        for hashes in [of_sums, of_numbers] {
            for shift in [0, 57] {
                let mut bits: Vec<u64> = hashes.iter().map(|hash| hash >> shift & 0x7F).collect();
                bits.sort_unstable();
                bits.dedup();
                assert!(bits.len() > 50, "only {} of 128 at bit {shift}", bits.len());
            }
        }
    }
}
