//! Bits of byte slices: counting, finding, combining them, and integers of any width at any place. Bit 0 is the highest of the
//! first byte, as bitmaps are numbered, and whatever lies behind the end of a slice reads as zero.
//!
//! Plain functions that know neither keys nor replies. They work on many words at a time in a form that compilers turn into vector
//! instructions.

#[expect(unsafe_code, reason = "wider instructions where there are any: 1 MB in X us, not Y")]
mod count;

use std::ops::Range;

use self::count::count_all;

/// One bit.
pub fn bit(bytes: &[u8], at: usize) -> bool {
    bytes.get(at / 8).is_some_and(|byte| byte & mask(at) != 0)
}

/// Sets or clears one bit of those that are there; what it was.
pub fn set_bit(bytes: &mut [u8], at: usize, is_set: bool) -> bool {
    let byte = &mut bytes[at / 8];
    let was_set = *byte & mask(at) != 0;
    *byte = if is_set { *byte | mask(at) } else { *byte & !mask(at) };
    was_set
}

fn mask(at: usize) -> u8 {
    0x80 >> (at % 8)
}

/// How many bits are set among those of a range, which ends at the end of the slice or before.
pub fn count(bytes: &[u8], bits: Range<usize>) -> usize {
    if bits.is_empty() {
        return 0;
    }
    let (first, last) = (bits.start / 8, (bits.end - 1) / 8);
    let before = bytes[first] & !(0xff >> (bits.start % 8));
    let behind = bytes[last] & (0x7f >> ((bits.end - 1) % 8));
    count_all(&bytes[first..=last]) - (before.count_ones() + behind.count_ones()) as usize
}

/// The first bit of this kind in a range, which ends at the end of the slice or before.
pub fn position(bytes: &[u8], is_set: bool, bits: Range<usize>) -> Option<usize> {
    if bits.is_empty() {
        return None;
    }
    // What has no such bit.
    let without = if is_set { 0 } else { 0xff };
    let first = bits.start / 8;
    let at_start = (bytes[first] ^ without) & 0xff >> (bits.start % 8);
    let byte = if at_start != 0 {
        first
    } else {
        let behind = first + 1;
        behind + first_other(bytes.get(behind..bits.end.div_ceil(8))?, without)?
    };
    let found = if byte == first { at_start } else { bytes[byte] ^ without };
    Some(byte * 8 + found.leading_zeros() as usize).filter(|at| bits.contains(at))
}

/// The first byte that is not this one.
fn first_other(bytes: &[u8], same: u8) -> Option<usize> {
    let is_plain = |block: &[u8]| block.iter().fold(0, |bits, byte| bits | (byte ^ same)) == 0;
    let plain = bytes.chunks_exact(BLOCK_BYTES).take_while(|block| is_plain(block)).count() * BLOCK_BYTES;
    bytes[plain..].iter().position(|&byte| byte != same).map(|at| plain + at)
}

/// An unsigned integer of up to 64 bits that begins at a bit, its highest one first.
pub fn field(bytes: &[u8], at: usize, width: u32) -> u64 {
    assert!((1..=64).contains(&width), "a width of 1 to 64 bits");
    (window(bytes, at) << (at % 8) >> (128 - width)) as u64
}

/// Writes the low bits of an integer where [`field`] reads them; all of them are there.
pub fn set_field(bytes: &mut [u8], at: usize, width: u32, value: u64) {
    assert!((1..=64).contains(&width), "a width of 1 to 64 bits");
    let shift = 128 - width - (at % 8) as u32;
    let of_field = (u128::MAX >> (128 - width)) << shift;
    let changed = window(bytes, at) & !of_field | u128::from(value) << shift & of_field;
    let (first, last) = (at / 8, (at + width as usize - 1) / 8);
    let target = &mut bytes[first..=last];
    target.copy_from_slice(&changed.to_be_bytes()[..target.len()]);
}

/// The sixteen bytes from the one with a bit on.
fn window(bytes: &[u8], at: usize) -> u128 {
    let mut window = [0; 16];
    let rest = bytes.get(at / 8..).unwrap_or_default();
    let len = rest.len().min(window.len());
    window[..len].copy_from_slice(&rest[..len]);
    u128::from_be_bytes(window)
}

/// A way to combine bitmaps bit by bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// What is set in all.
    And,
    /// What is set in any.
    Or,
    /// What is set in an odd number.
    Xor,
    /// What is not set in the first, which is the only one.
    Not,
    /// What is set in the first and in no other.
    Diff,
    /// What is set in any but not in the first.
    Diff1,
    /// What is set in the first and in any other.
    AndOr,
    /// What is set in exactly one.
    One,
}

/// Combines bitmaps. The result is as long as the longest.
pub fn combine(operation: Operation, sources: &[&[u8]]) -> Vec<u8> {
    let mut result = vec![0; sources.iter().map(|source| source.len()).max().unwrap_or(0)];
    // Parts of a size that the nearest cache holds while all sources go over them.
    for (number, target) in result.chunks_mut(PART_BYTES).enumerate() {
        let (start, end) = (number * PART_BYTES, number * PART_BYTES + target.len());
        let mut parts = sources.iter().map(|source| &source[start.min(source.len())..end.min(source.len())]);
        let first = parts.next().unwrap_or_default();
        combine_part(operation, target, first, parts);
    }
    result
}

/// The same for a part of each, of which no source has more than the target, which is all zeros.
fn combine_part<'s>(
    operation: Operation,
    target: &mut [u8],
    first: &[u8],
    others: impl Iterator<Item = &'s [u8]>,
) {
    let head = &mut target[..first.len()];
    match operation {
        Operation::Diff1 | Operation::AndOr => {}
        _ => head.copy_from_slice(first),
    }
    match operation {
        Operation::And => others.for_each(|other| and(target, other)),
        Operation::Or => others.for_each(|other| each(target, other, |to, from| to | from)),
        Operation::Xor => others.for_each(|other| each(target, other, |to, from| to ^ from)),
        Operation::Not => target.iter_mut().for_each(|byte| *byte = !*byte),
        Operation::Diff => others.for_each(|other| each(target, other, |to, from| to & !from)),
        Operation::Diff1 => {
            others.for_each(|other| each(target, other, |to, from| to | from));
            each(target, first, |to, from| to & !from);
        }
        Operation::AndOr => {
            others.for_each(|other| each(target, other, |to, from| to | from));
            and(target, first);
        }
        Operation::One => one(target, others),
    }
}

/// Combines each byte of the target with that of a source which may be shorter.
fn each(target: &mut [u8], source: &[u8], combined: impl Fn(u8, u8) -> u8) {
    for (to, from) in target.iter_mut().zip(source) {
        *to = combined(*to, *from);
    }
}

fn and(target: &mut [u8], source: &[u8]) {
    each(target, source, |to, from| to & from);
    target[source.len()..].fill(0);
}

/// Leaves what is set in exactly one of the target and the others.
fn one<'s>(target: &mut [u8], others: impl Iterator<Item = &'s [u8]>) {
    let mut seen_twice = [0; PART_BYTES];
    let seen_twice = &mut seen_twice[..target.len()];
    for other in others {
        for ((seen, twice), from) in target.iter_mut().zip(seen_twice.iter_mut()).zip(other) {
            *twice |= *seen & from;
            *seen |= from;
        }
    }
    each(target, seen_twice, |seen, twice| seen & !twice);
}

const PART_BYTES: usize = 8 * 1024;

/// Bytes that are looked at together.
const BLOCK_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const OPERATIONS: [Operation; 8] = [
        Operation::And,
        Operation::Or,
        Operation::Xor,
        Operation::Not,
        Operation::Diff,
        Operation::Diff1,
        Operation::AndOr,
        Operation::One,
    ];

    /// Bytes with long runs of the same, of every length around the sizes that are worked on at once.
    fn bitmap() -> impl Strategy<Value = Vec<u8>> {
        let run = (prop_oneof![Just(0), Just(0xff), any::<u8>()], 0..3 * BLOCK_BYTES);
        let runs = vec(run, 0..6);
        let of_runs = runs.prop_map(|runs| {
            runs.into_iter().flat_map(|(byte, len)| std::iter::repeat_n(byte, len)).collect()
        });
        prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..3 * BLOCK_BYTES), of_runs]
    }

    fn range(bytes: &[u8], ends: (prop::sample::Index, prop::sample::Index)) -> Range<usize> {
        let [start, end] = [ends.0, ends.1].map(|end| end.index(bytes.len() * 8 + 1));
        start.min(end)..start.max(end)
    }

    /// What an operation makes of a bit, by its definition.
    fn combined(operation: Operation, bits: &[bool]) -> bool {
        let (first, others) = (bits[0], &bits[1..]);
        let any_other = others.contains(&true);
        let set = bits.iter().filter(|is_set| **is_set).count();
        match operation {
            Operation::And => set == bits.len(),
            Operation::Or => set > 0,
            Operation::Xor => set % 2 == 1,
            Operation::Not => !first,
            Operation::Diff => first && !any_other,
            Operation::Diff1 => !first && any_other,
            Operation::AndOr => first && any_other,
            Operation::One => set == 1,
        }
    }

    proptest! {
        #[test]
        fn bits_are_counted_and_found_as_one_by_one(
            bytes in bitmap(),
            ends in any::<(prop::sample::Index, prop::sample::Index)>(),
        ) {
            let range = range(&bytes, ends);
            prop_assert_eq!(count(&bytes, range.clone()), range.clone().filter(|at| bit(&bytes, *at)).count());
            for is_set in [false, true] {
                let found = range.clone().find(|at| bit(&bytes, *at) == is_set);
                prop_assert_eq!(position(&bytes, is_set, range.clone()), found);
            }
        }

        #[test]
        fn bitmaps_are_combined_as_bit_by_bit(
            sources in vec(prop_oneof![bitmap(), vec(any::<u8>(), PART_BYTES - 3..2 * PART_BYTES + 9)], 1..5),
        ) {
            let slices: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
            for operation in OPERATIONS {
                let slices = if operation == Operation::Not { &slices[..1] } else { &slices[..] };
                let len = slices.iter().map(|source| source.len()).max().unwrap_or(0);
                let mut expected = vec![0; len];
                for at in 0..len * 8 {
                    let bits: Vec<bool> = slices.iter().map(|source| bit(source, at)).collect();
                    set_bit(&mut expected, at, combined(operation, &bits));
                }
                prop_assert_eq!(&combine(operation, slices), &expected, "{:?}", operation);
            }
        }

        #[test]
        fn fields_are_read_and_written_as_bit_by_bit(
            mut bytes in vec(any::<u8>(), 0..24),
            at in 0_usize..260,
            width in 1_u32..=64,
            value in any::<u64>(),
        ) {
            let places = || (at..at + width as usize).rev().enumerate();
            let expected = places().filter(|(_, at)| bit(&bytes, *at)).map(|(place, _)| 1 << place).sum::<u64>();
            prop_assert_eq!(field(&bytes, at, width), expected);
            bytes.resize(bytes.len().max((at + width as usize).div_ceil(8)), 0);
            let mut written = bytes.clone();
            places().for_each(|(place, at)| _ = set_bit(&mut written, at, value >> place & 1 == 1));
            set_field(&mut bytes, at, width, value);
            prop_assert_eq!(bytes, written);
        }
    }

    #[test]
    fn a_bit_that_is_set_tells_what_it_was() {
        let mut bytes = [0b0100_0000, 0];
        assert!(set_bit(&mut bytes, 1, false) && !set_bit(&mut bytes, 15, true));
        assert_eq!(bytes, [0, 1]);
        assert!(bit(&bytes, 15) && !bit(&bytes, 14) && !bit(&bytes, 16));
    }
}
