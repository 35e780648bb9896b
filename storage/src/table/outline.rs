//! What somebody who has not locked a table may know of it: enough to ask for the line of a bucket. Whoever has locked it
//! publishes that when it lets go; it may be old or torn when it is read, and then the wrong line is asked for.

use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::bucket::Bucket;
use super::hash::KeyHash;
use super::prefetch::prefetch;

/// Where the buckets of a table lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The first bucket.
    first: *mut Line,
    /// How many there are, or `BEYOND`.
    buckets: u32,
}

/// Instead of a number of buckets: they do not all lie behind the first.
const BEYOND: u32 = u32::MAX;

/// The size and alignment of a bucket.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Line([u8; 64]);

/// The outline of a table, for those who have not locked it.
#[derive(Debug, Default)]
pub struct Published {
    first: AtomicPtr<Line>,
    buckets: AtomicU32,
}

impl Outline {
    #[inline]
    pub(super) fn new<E>(first: *const Bucket<E>, buckets: u32, chunk_buckets: usize) -> Outline {
        let buckets = if buckets as usize <= chunk_buckets { buckets } else { BEYOND };
        Outline { first: first.cast_mut().cast(), buckets }
    }
}

impl Published {
    /// Makes an outline known.
    #[inline]
    pub fn publish(&self, outline: Outline) {
        if self.buckets.load(Ordering::Relaxed) != outline.buckets
            || self.first.load(Ordering::Relaxed) != outline.first
        {
            self.first.store(outline.first, Ordering::Relaxed);
            self.buckets.store(outline.buckets, Ordering::Relaxed);
        }
    }

    /// Asks for the line of the bucket that a key would be in; `false` if that cannot be told from here.
    #[inline]
    pub fn prefetch_bucket(&self, hash: KeyHash) -> bool {
        match self.buckets.load(Ordering::Relaxed) {
            BEYOND => false,
            buckets => {
                if let Some(index) = hash.bucket_among(buckets) {
                    prefetch(self.line(index));
                }
                true
            }
        }
    }

    #[inline]
    fn line(&self, index: u32) -> *const Line {
        self.first.load(Ordering::Relaxed).wrapping_add(index as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::buckets::Buckets;

    #[test]
    fn what_is_published_is_where_the_buckets_lie() {
        let mut buckets = Buckets::<Box<u64>>::new();
        let published = Published::default();
        for count in [1, 2, 9, 100, 16_384] {
            while buckets.len() < count {
                buckets.push();
            }
            published.publish(buckets.outline());
            for index in [0, count / 2, count - 1] {
                assert_eq!(published.line(index).addr(), std::ptr::from_ref(buckets.at(index)).addr());
            }
            assert!(published.prefetch_bucket(KeyHash(u64::MAX)));
        }
        buckets.push();
        published.publish(buckets.outline());
        assert!(!published.prefetch_bucket(KeyHash(0)), "not all lie behind the first");
    }
}
