//! Registers of 6 bits each, one after the other from the lowest bit of the first byte on. They are never unpacked: whatever
//! takes all of them works on whole words.

use super::REGISTER_BYTES;
use super::estimate::Histogram;

/// The number of a register.
pub(super) fn register(registers: &[u8; REGISTER_BYTES], register: usize) -> u8 {
    let (at, shift) = (register * 6 / 8, register * 6 % 8);
    (two_bytes(registers, at) >> shift & 0x3f) as u8
}

/// Raises a register to a number; whether it was below.
pub(super) fn raise(registers: &mut [u8; REGISTER_BYTES], register: usize, number: u8) -> bool {
    let (at, shift) = (register * 6 / 8, register * 6 % 8);
    let both = two_bytes(registers, at);
    if (both >> shift & 0x3f) as u8 >= number {
        return false;
    }
    let [low, high] = (both & !(0x3f << shift) | u16::from(number) << shift).to_le_bytes();
    registers[at] = low;
    if let Some(second) = registers.get_mut(at + 1) {
        *second = high;
    }
    true
}

/// The byte at `at` and the one behind it; behind the last one there is zero.
fn two_bytes(registers: &[u8; REGISTER_BYTES], at: usize) -> u16 {
    u16::from_le_bytes([registers[at], registers.get(at + 1).copied().unwrap_or(0)])
}

/// Raises all registers to the numbers of others, eight at a time.
pub(super) fn raise_all(registers: &mut [u8; REGISTER_BYTES], others: &[u8; REGISTER_BYTES]) {
    for (eight, other) in registers.as_chunks_mut::<6>().0.iter_mut().zip(others.as_chunks::<6>().0) {
        let (word, other) = (word(eight), word(other));
        let even = greater(word & EVEN, other & EVEN, ABOVE_EVEN);
        let odd = greater(word & ODD, other & ODD, ABOVE_ODD);
        eight.copy_from_slice(&(even | odd).to_le_bytes()[..6]);
    }
}

/// How many registers have each number. Two neighbours are counted together, as the 12 bits that they are: that is half as many
/// steps, and neighbouring steps seldom raise the same counter.
pub(super) fn histogram(registers: &[u8; REGISTER_BYTES]) -> Histogram {
    let mut pairs = [0_u16; 64 * 64];
    for eight in registers.as_chunks::<6>().0 {
        let word = word(eight);
        for shift in [0, 12, 24, 36] {
            pairs[(word >> shift & 0xfff) as usize] += 1;
        }
    }
    let mut histogram = [0; 64];
    for (second, row) in pairs.as_chunks::<64>().0.iter().enumerate() {
        let mut sum = 0;
        for (first, count) in row.iter().enumerate() {
            histogram[first] += u32::from(*count);
            sum += u32::from(*count);
        }
        histogram[second] += sum;
    }
    histogram
}

/// Every second one of eight registers, with six bits free above each, and the others.
const EVEN: u64 = 0x03f0_3f03_f03f;
const ODD: u64 = EVEN << 6;
/// The lowest of the free bits above each.
const ABOVE_EVEN: u64 = 0x0400_4004_0040;
const ABOVE_ODD: u64 = ABOVE_EVEN << 6;

/// Eight registers as a word.
fn word(eight: &[u8; 6]) -> u64 {
    let [a, b, c, d, e, f] = *eight;
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

/// The greater one of each of four pairs, which have the bits `above` them free.
fn greater(a: u64, b: u64, above: u64) -> u64 {
    // The bit above stays where a is not less than b, and then a - b is below it.
    let difference = (a | above) - b;
    let is_not_less = difference & above;
    b + (difference & (is_not_less - (is_not_less >> 6)))
}

#[cfg(test)]
mod tests {
    use super::super::REGISTERS;
    use super::*;
    use crate::Random;

    fn random(seed: u64) -> (Vec<u8>, [u8; REGISTER_BYTES]) {
        let mut random = Random::seeded(seed);
        let numbers: Vec<u8> = (0..REGISTERS).map(|_| (random.u64() & 0x3f) as u8).collect();
        let mut registers = [0; REGISTER_BYTES];
        for (at, number) in numbers.iter().enumerate() {
            assert_eq!(raise(&mut registers, at, *number), *number > 0);
        }
        (numbers, registers)
    }

    fn numbers(registers: &[u8; REGISTER_BYTES]) -> Vec<u8> {
        (0..REGISTERS).map(|at| register(registers, at)).collect()
    }

    #[test]
    fn registers_are_raised_and_leave_their_neighbours_alone() {
        let (mut plain, mut registers) = random(1);
        assert_eq!(numbers(&registers), plain);
        let mut random = Random::seeded(2);
        for _ in 0..100_000 {
            let at = (random.u64() % REGISTERS as u64) as usize;
            let number = (random.u64() & 0x3f) as u8;
            assert_eq!(raise(&mut registers, at, number), plain[at] < number);
            plain[at] = plain[at].max(number);
        }
        assert_eq!(numbers(&registers), plain);
    }

    #[test]
    fn all_registers_are_raised_to_those_of_others() {
        let ((plain, mut registers), (other_plain, other)) = (random(3), random(4));
        raise_all(&mut registers, &other);
        let greatest: Vec<u8> = plain.iter().zip(&other_plain).map(|(a, b)| *a.max(b)).collect();
        assert_eq!(numbers(&registers), greatest);
    }

    #[test]
    fn the_histogram_counts_each_register_once() {
        let (plain, registers) = random(5);
        let mut counted = [0; 64];
        plain.iter().for_each(|number| counted[usize::from(*number)] += 1);
        assert_eq!(histogram(&registers), counted);
        let mut all_zero = [0; 64];
        all_zero[0] = REGISTERS as u32;
        assert_eq!(histogram(&[0; REGISTER_BYTES]), all_zero);
    }
}
