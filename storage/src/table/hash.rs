//! The seeded hash, and which of its bits choose shard, bucket and tag. The three never share a bit, so that keys of
//! one shard still spread over its buckets, and keys of one bucket over the tags.
//!
//! ```text
//! bit 63 ........ 48 47 ........ 40 39 ... 32 31 ........ 0
//!     shard (top k)   (unused)       tag       bucket
//! ```

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The hash of a key, made once per command and used for everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyHash(pub u64);

/// Shard indices use at most the top 16 bits.
pub const SHARD_BITS_MAX: u32 = 16;
/// Bucket indices use at most the low 32 bits.
pub const BUCKET_BITS_MAX: u32 = 32;
const TAG_SHIFT: u32 = 32;
const _: () = assert!(BUCKET_BITS_MAX <= TAG_SHIFT && TAG_SHIFT + 8 <= 64 - SHARD_BITS_MAX);

impl KeyHash {
    /// The bits that choose a bucket.
    #[inline]
    pub(crate) fn bucket_bits(self) -> u32 {
        self.0 as u32
    }

    /// The bucket among so many: by as many low bits as there are whole doublings, one more where that half exists.
    #[inline]
    pub(crate) fn bucket_among(self, buckets: u32) -> Option<u32> {
        let high = buckets.checked_sub(1)?;
        // All bits up to the highest of `high`.
        let mask = (u64::from(u32::MAX) >> high.leading_zeros()) as u32;
        let index = self.bucket_bits() & mask;
        Some(if index > high { index & (mask >> 1) } else { index })
    }

    /// The byte that a bucket keeps beside each entry; never zero, which says that there is none.
    #[inline]
    pub(crate) fn tag(self) -> u8 {
        let tag = (self.0 >> TAG_SHIFT) as u8;
        tag | u8::from(tag == 0)
    }

    /// The shard among `1 << bits`.
    #[inline]
    pub(crate) fn shard(self, bits: u32) -> usize {
        debug_assert!(bits <= SHARD_BITS_MAX);
        // The double shift keeps `bits == 0` defined.
        (self.0 >> 1 >> (63 - bits)) as usize
    }
}

/// Hashes keys under a seed of its own, so that nobody can prepare keys that collide.
#[derive(Clone, Copy, Debug)]
pub struct Hasher {
    seed: u64,
}

impl Hasher {
    /// A hasher with this seed.
    pub const fn new(seed: u64) -> Hasher {
        Hasher { seed }
    }

    /// The hash of `bytes`.
    #[inline]
    pub fn hash(&self, bytes: &[u8]) -> KeyHash {
        KeyHash(xxh3_64_with_seed(bytes, self.seed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_index_is_within_bounds_for_every_width() {
        for bits in 0..=SHARD_BITS_MAX {
            assert!(KeyHash(u64::MAX).shard(bits) < (1 << bits));
            assert_eq!(KeyHash(0).shard(bits), 0);
        }
        assert_eq!(KeyHash(u64::MAX).shard(10), 1023);
    }
}
