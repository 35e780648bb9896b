//! How many bits of a slice are set: in the instructions that every processor of the architecture has, or in wider ones where this
//! one has them. Both are compiled from the same lines.

/// How many bits are set.
pub(super) fn count_all(bytes: &[u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
        // SAFETY: all that the function demands is that the processor has these two features, which was just asked.
        return unsafe { count_widely(bytes) };
    }
    sum_up(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn count_widely(bytes: &[u8]) -> usize {
    sum_up(bytes)
}

/// The method of Harley and Seal: sixteen vectors are added up bit by bit as full adders do it, so that only one in sixteen has its bits
/// counted.
#[inline(always)]
fn sum_up(bytes: &[u8]) -> usize {
    let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
    let (mut ones, mut twos, mut fours, mut eights) = ([0; LANES], [0; LANES], [0; LANES], [0; LANES]);
    let mut sixteens = 0;
    for block in blocks {
        let mut four = |index: usize, twos: &mut Vector| {
            let low = add(&mut ones, vector(block, index), vector(block, index + 1));
            let high = add(&mut ones, vector(block, index + 2), vector(block, index + 3));
            add(twos, low, high)
        };
        let (first, second) = (four(0, &mut twos), four(4, &mut twos));
        let low = add(&mut fours, first, second);
        let (third, fourth) = (four(8, &mut twos), four(12, &mut twos));
        let high = add(&mut fours, third, fourth);
        sixteens += count_vector(add(&mut eights, low, high));
    }
    let weighted = [(16, sixteens), (8, count_vector(eights)), (4, count_vector(fours))];
    let weighted = weighted.into_iter().chain([(2, count_vector(twos)), (1, count_vector(ones))]);
    let in_blocks = weighted.map(|(weight, count)| weight * count).sum::<usize>();
    in_blocks + rest.iter().map(|byte| byte.count_ones() as usize).sum::<usize>()
}

/// Words that are worked on together.
type Vector = [u64; LANES];

/// One of the vectors of a block.
#[inline(always)]
fn vector(block: &[u8; BLOCK_BYTES], index: usize) -> Vector {
    let (words, _) = block.as_chunks::<WORD_BYTES>();
    let mut vector = [0; LANES];
    for (lane, word) in vector.iter_mut().enumerate() {
        *word = u64::from_le_bytes(words[index * LANES + lane]);
    }
    vector
}

/// Adds two vectors to a third bit by bit; the carries.
#[inline(always)]
fn add(sum: &mut Vector, first: Vector, second: Vector) -> Vector {
    let mut carries = [0; LANES];
    for lane in 0..LANES {
        let partial = sum[lane] ^ first[lane];
        carries[lane] = sum[lane] & first[lane] | partial & second[lane];
        sum[lane] = partial ^ second[lane];
    }
    carries
}

#[inline(always)]
fn count_vector(vector: Vector) -> usize {
    vector.iter().map(|word| word.count_ones() as usize).sum()
}

const WORD_BYTES: usize = 8;
const LANES: usize = 4;
/// Sixteen vectors.
const BLOCK_BYTES: usize = 16 * LANES * WORD_BYTES;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_ways_count_as_byte_by_byte(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            let expected: usize = bytes.iter().map(|byte| byte.count_ones() as usize).sum();
            prop_assert_eq!((count_all(&bytes), sum_up(&bytes)), (expected, expected));
        }
    }
}
