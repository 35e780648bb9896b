//! Iteration in steps that survives growth and shrinking in between.
//!
//! The cursor counts buckets of the smaller mask in reverse binary: the highest bit moves fastest. When the mask gains
//! or loses a bit between two steps, the buckets already visited are then exactly those whose low bits were visited, so
//! that nothing present from beginning to end is missed; what moved may be seen twice. A step visits one bucket of the
//! smaller mask and, where it has been split, its other half.

use super::growth::base_of;
use super::{Table, TableEntry};

impl<E: TableEntry> Table<E> {
    /// Visits one bucket and its other half; the cursor of the next step, 0 at the end.
    pub fn scan(&self, cursor: u64, visit: &mut dyn FnMut(&E)) -> u64 {
        scan_step(cursor, self.buckets.len(), |index| self.bucket(index).iter().for_each(&mut *visit))
    }
}

/// One step of any table that grows as this one does: visits a bucket and its other half, by index.
pub(crate) fn scan_step(cursor: u64, buckets: u32, mut visit: impl FnMut(u32)) -> u64 {
    if buckets == 0 {
        return 0;
    }
    let base = base_of(buckets);
    let at = cursor as u32 & (base - 1);
    visit(at);
    if at + base < buckets {
        visit(at + base);
    }
    u64::from(next(at, base))
}

/// The successor of `at` among `base` buckets in reverse binary, 0 after the last.
fn next(at: u32, base: u32) -> u32 {
    // Setting the bits above the mask lets the carry run out of it.
    let reversed = (at | !(base - 1)).reverse_bits().wrapping_add(1);
    reversed.reverse_bits()
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn reverse_binary_visits_every_bucket_once() {
        for base in [1u32, 2, 8, 64] {
            let mut seen = vec![0];
            let mut at = next(0, base);
            while at != 0 {
                seen.push(at);
                at = next(at, base);
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..base).collect::<Vec<_>>());
        }
    }
}
