//! Which register an element belongs to, and the number that it gives it.

use super::REGISTERS;

/// Bits of a hash that choose a register.
const REGISTER_BITS: u32 = REGISTERS.trailing_zeros();

/// The greatest number: none of the other bits is one.
pub(super) const NUMBER_MAX: u8 = (u64::BITS - REGISTER_BITS + 1) as u8;

const SEED: u64 = 0xadc8_3b19;

/// The register of an element, and where the lowest one bit of the rest of its hash is, from 1.
pub(super) fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element, SEED);
    let register = (hash & (REGISTERS as u64 - 1)) as usize;
    // A bit above the rest ends the search.
    let rest = hash >> REGISTER_BITS | 1 << (NUMBER_MAX - 1);
    (register, rest.trailing_zeros() as u8 + 1)
}

/// Austin Appleby's MurmurHash64A of little-endian words.
fn murmur(bytes: &[u8], seed: u64) -> u64 {
    const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
    const SHIFT: u32 = 47;
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mixed = u64::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        let mixed = (mixed ^ mixed >> SHIFT).wrapping_mul(MULTIPLIER);
        hash = (hash ^ mixed).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ hash >> SHIFT).wrapping_mul(MULTIPLIER);
    hash ^ hash >> SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_that_others_publish() {
        assert_eq!(murmur(b"hello", 0), 2_191_231_550_387_646_743);
        assert_eq!(murmur(b"hello", 123), 2_597_646_618_390_559_622);
        assert_eq!(murmur(b"helloworld", 123), 4_934_371_746_140_206_573);
    }

    #[test]
    fn numbers_are_between_one_and_the_greatest() {
        let numbers = (0..100_000_u32).map(|element| place(&element.to_le_bytes()).1);
        assert!(numbers.clone().all(|number| (1..=NUMBER_MAX).contains(&number)));
        let ones = numbers.filter(|number| *number == 1).count();
        assert!((49_000..51_000).contains(&ones), "every second one is 1, and not {ones} of 100000");
    }
}
