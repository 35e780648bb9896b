//! The state of HLL: the registers of Redis' HyperLogLog, filled as PFADD fills them, read as PFCOUNT reads them. A value
//! counts by its text, so 1 and "1" are the same here. Not the encoding of a Redis key.
//!
//! 1. MurmurHash64A of the text. The low 14 bits choose one of 16384 registers; of the other 50 the lowest one bit
//!    counts, from 1, or 51 if there is none.
//! 2. A register keeps the greatest count, so order and merging cannot matter.
//! 3. The estimate is that of Otmar Ertl ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), which
//!    takes nothing but how many registers have which count.
//!
//! Up to `SPARSE_MAX` registers that are not zero are kept as a sorted list, since most groups have few values.

use super::text::put_scalar;
use crate::encode::Reader;
use crate::error::DecodeError;
use crate::value::Value;
use crate::vector::{Scalar, Vector};

/// 1.04 / sqrt(16384), rounded as Redis states it.
pub(super) const STANDARD_ERROR: f64 = 0.0081;

/// Bits of a hash that choose a register.
const INDEX_BITS: u32 = 14;

const REGISTERS: usize = 1 << INDEX_BITS;

/// The greatest count: no one bit in the other bits.
const COUNT_MAX: u8 = (64 - INDEX_BITS + 1) as u8;

/// A full register takes 6 bits when encoded.
const ENCODED_BYTES: usize = REGISTERS * 6 / 8;
const _: () = assert!(COUNT_MAX < 1 << 6);

/// Most registers kept as a list; it takes an eighth of the whole then.
const SPARSE_MAX: usize = 512;

/// The seed of PFADD.
const SEED: u64 = 0xadc8_3b19;

/// Which register has which count.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Registers {
    /// Those above zero, ascending by register.
    Sparse(Vec<(u16, u8)>),
    Dense(Box<[u8; REGISTERS]>),
}

impl Default for Registers {
    fn default() -> Registers {
        Registers::Sparse(Vec::new())
    }
}

impl Registers {
    pub(super) fn fold(&mut self, values: &Vector<'_>) {
        let mut text = Vec::new();
        for value in (0..values.len()).map(|row| values.at(row)).filter(|value| *value != Scalar::Null) {
            text.clear();
            put_scalar(value, &mut text);
            self.add_text(&text);
        }
    }

    pub(super) fn add(&mut self, value: Scalar<'_>) {
        match value {
            Scalar::Text(text) => self.add_text(text.as_bytes()),
            Scalar::Bytes(bytes) => self.add_text(bytes),
            value => {
                let mut text = Vec::new();
                put_scalar(value, &mut text);
                self.add_text(&text);
            }
        }
    }

    fn add_text(&mut self, text: &[u8]) {
        let hash = murmur_hash(text, SEED);
        let register = (hash & (REGISTERS as u64 - 1)) as u16;
        // The bit above the 50 ends the search.
        let rest = (hash >> INDEX_BITS) | 1 << (64 - INDEX_BITS);
        self.raise(register, rest.trailing_zeros() as u8 + 1);
    }

    fn raise(&mut self, register: u16, count: u8) {
        match self {
            Registers::Dense(counts) => {
                let current = &mut counts[usize::from(register)];
                *current = count.max(*current);
            }
            Registers::Sparse(list) => {
                match list.binary_search_by_key(&register, |(register, _)| *register) {
                    Ok(at) => list[at].1 = count.max(list[at].1),
                    Err(at) if list.len() < SPARSE_MAX => list.insert(at, (register, count)),
                    Err(_) => {
                        let mut counts = Box::new([0; REGISTERS]);
                        list.iter().for_each(|(register, count)| counts[usize::from(*register)] = *count);
                        counts[usize::from(register)] = count;
                        *self = Registers::Dense(counts);
                    }
                }
            }
        }
    }

    pub(super) fn merge(&mut self, other: Registers) {
        match (&mut *self, other) {
            (Registers::Dense(counts), Registers::Dense(other)) => {
                counts.iter_mut().zip(other.iter()).for_each(|(count, other)| *count = (*count).max(*other));
            }
            (Registers::Sparse(list), Registers::Dense(other)) => {
                let list = std::mem::take(list);
                *self = Registers::Dense(other);
                list.into_iter().for_each(|(register, count)| self.raise(register, count));
            }
            (_, Registers::Sparse(list)) => {
                list.into_iter().for_each(|(register, count)| self.raise(register, count));
            }
        }
    }

    /// How many registers have each count.
    fn histogram(&self) -> [u32; 64] {
        let mut histogram = [0; 64];
        match self {
            Registers::Dense(counts) => counts.iter().for_each(|count| histogram[usize::from(*count)] += 1),
            Registers::Sparse(list) => {
                histogram[0] = (REGISTERS - list.len()) as u32;
                list.iter().for_each(|(_, count)| histogram[usize::from(*count)] += 1);
            }
        }
        histogram
    }

    pub(super) fn finish(&self) -> Value {
        // 1 / (2 ln 2), the constant of infinitely many registers.
        const ALPHA: f64 = 0.721_347_520_444_481_7;
        let (registers, histogram) = (REGISTERS as f64, self.histogram());
        let last = usize::from(COUNT_MAX);
        let mut sum = registers * tau((registers - f64::from(histogram[last])) / registers);
        for count in histogram[1..last].iter().rev() {
            sum = (sum + f64::from(*count)) * 0.5;
        }
        sum += registers * sigma(f64::from(histogram[0]) / registers);
        Value::Int((ALPHA * registers * registers / sum).round() as i128)
    }

    /// `number of registers above zero u16`, then, up to `SPARSE_MAX`, `register u16 | count u8` of each, ascending,
    /// else all registers in 6 bits each, as Redis lays them out: the low bits of a byte belong to the earlier one.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let zeros = self.histogram()[0] as usize;
        out.extend_from_slice(&((REGISTERS - zeros) as u16).to_le_bytes());
        match self {
            Registers::Sparse(list) => {
                for (register, count) in list {
                    out.extend_from_slice(&register.to_le_bytes());
                    out.push(*count);
                }
            }
            Registers::Dense(counts) => {
                for four in counts.as_chunks::<4>().0 {
                    let packed =
                        four.iter().rev().fold(0u32, |packed, count| packed << 6 | u32::from(*count));
                    out.extend_from_slice(&packed.to_le_bytes()[..3]);
                }
            }
        }
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Registers, DecodeError> {
        let used = usize::from(u16::from_le_bytes(input.array()?));
        if used <= SPARSE_MAX {
            let mut list: Vec<(u16, u8)> = Vec::new();
            for _ in 0..used {
                let entry = (u16::from_le_bytes(input.array()?), input.u8()?);
                let is_valid = usize::from(entry.0) < REGISTERS && (1..=COUNT_MAX).contains(&entry.1);
                if !is_valid || list.last().is_some_and(|last| last.0 >= entry.0) {
                    return Err(DecodeError::Malformed);
                }
                list.push(entry);
            }
            Ok(Registers::Sparse(list))
        } else {
            let packed: [u8; ENCODED_BYTES] = input.array()?;
            let mut counts = Box::new([0; REGISTERS]);
            for (four, bytes) in counts.as_chunks_mut::<4>().0.iter_mut().zip(packed.as_chunks::<3>().0) {
                let packed = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
                for (at, count) in four.iter_mut().enumerate() {
                    *count = (packed >> (6 * at) & 0x3f) as u8;
                }
            }
            let is_valid = counts.iter().all(|count| *count <= COUNT_MAX);
            if !is_valid || counts.iter().filter(|count| **count > 0).count() != used {
                return Err(DecodeError::Malformed);
            }
            Ok(Registers::Dense(counts))
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Registers::Sparse(list) => list.capacity() * size_of::<(u16, u8)>(),
            Registers::Dense(_) => REGISTERS,
        }
    }
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

/// Ertl's correction for registers that are full.
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

/// Austin Appleby's MurmurHash64A, which reads little-endian here as Redis does.
fn murmur_hash(bytes: &[u8], seed: u64) -> u64 {
    const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
    const SHIFT: u32 = 47;
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mut mixed = u64::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed = (mixed ^ mixed >> SHIFT).wrapping_mul(MULTIPLIER);
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

    fn estimate(values: impl Iterator<Item = i64>) -> Value {
        let mut registers = Registers::default();
        values.for_each(|value| registers.add(Scalar::Int(value)));
        registers.finish()
    }

    #[test]
    fn hashes_are_those_that_others_publish() {
        assert_eq!(murmur_hash(b"hello", 0), 2_191_231_550_387_646_743);
        assert_eq!(murmur_hash(b"hello", 123), 2_597_646_618_390_559_622);
        assert_eq!(murmur_hash(b"helloworld", 123), 4_934_371_746_140_206_573);
    }

    #[test]
    fn few_values_are_counted_exactly() {
        assert_eq!(estimate(0..0), Value::Int(0));
        for count in [1, 7, 100] {
            assert_eq!(estimate(0..count), Value::Int(count.into()));
        }
    }

    #[test]
    fn estimates_stay_within_three_standard_errors() {
        for count in [1_000, 10_000, 100_000] {
            let Value::Int(estimate) = estimate(0..count) else { panic!("an integer") };
            let error = (estimate as f64 / count as f64 - 1.0).abs();
            assert!(error < 3.0 * STANDARD_ERROR, "{estimate} for {count}");
        }
    }

    #[test]
    fn numbers_count_by_their_text() {
        let mut registers = Registers::default();
        registers.fold(&Vector::Ints(vec![1, 2]));
        registers.fold(&Vector::Doubles(vec![1.0, 0.5]));
        registers.fold(&Vector::Mixed(vec![Scalar::Text("2"), Scalar::Null, Scalar::Bytes(b"0.5")]));
        assert_eq!(registers.finish(), Value::Int(3));
    }

    #[test]
    fn lists_become_registers_and_both_read_back() {
        let mut registers = Registers::default();
        for value in 0..2_000 {
            registers.add(Scalar::Int(value));
            if value % 97 == 0 {
                let mut bytes = Vec::new();
                registers.encode(&mut bytes);
                assert_eq!(Registers::decode(&mut Reader::new(&bytes)).as_ref(), Ok(&registers));
            }
        }
        assert!(matches!(registers, Registers::Dense(_)));
    }
}
