//! A member and its score in one allocation that two structures own together: the table that finds a member's score,
//! and the tree that keeps the order. It knows nothing of either.
//!
//! ```text
//! score, 8 bytes | owners, 1 byte | length of the member, a varint | member
//! ```
//!
//! An `Arc` would count in sixteen bytes and point with two words; here a byte counts, and the length is read from the
//! block itself.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};

use crate::number::{VARINT_LEN_MAX, read_varint, write_varint};
use crate::table::TableEntry;
use crate::types::allocation::allocation_bytes;

/// One of the owners of a member with its score.
pub(super) struct MemberEntry {
    /// A block laid out as the head of this file says, which lives as long as it has owners.
    block: NonNull<u8>,
    owns: PhantomData<(AtomicU64, AtomicU8, Box<[u8]>)>,
}

const _: () = assert!(size_of::<Option<MemberEntry>>() == size_of::<usize>());

impl MemberEntry {
    pub fn new(member: &[u8], score: f64) -> MemberEntry {
        let mut varint = [0; VARINT_LEN_MAX];
        let varint_len = write_varint(member.len() as u64, &mut varint);
        let layout = layout(LENGTH_AT + varint_len + member.len());
        // SAFETY: the layout is longer than a score, so not empty.
        let block = unsafe { alloc(layout) };
        let Some(block) = NonNull::new(block) else { handle_alloc_error(layout) };
        // SAFETY: the block is new and has room for all four parts in this order; its start is aligned for the score.
        unsafe {
            block.cast::<u64>().write(score.to_bits());
            block.add(OWNERS_AT).write(1);
            block.add(LENGTH_AT).as_ptr().copy_from_nonoverlapping(varint.as_ptr(), varint_len);
            let member_at = block.add(LENGTH_AT + varint_len);
            member_at.as_ptr().copy_from_nonoverlapping(member.as_ptr(), member.len());
        }
        MemberEntry { block, owns: PhantomData }
    }

    /// One more owner of the same member.
    pub fn share(&self) -> MemberEntry {
        let owners = self.owners().fetch_add(1, Ordering::Relaxed);
        assert!(owners < OWNERS_MAX, "a member is owned by a table and a tree");
        MemberEntry { block: self.block, owns: PhantomData }
    }

    pub fn member(&self) -> &[u8] {
        let (len, at) = self.member_len();
        // SAFETY: that many bytes stand there, written when the block was made and never changed, and the block lives
        // as long as `self` does.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr().add(at), len) }
    }

    #[inline]
    pub fn score(&self) -> f64 {
        f64::from_bits(self.score_bits().load(Ordering::Relaxed))
    }

    /// Changes the score for all owners.
    pub fn set_score(&self, score: f64) {
        self.score_bits().store(score.to_bits(), Ordering::Relaxed);
    }

    /// What the block takes of the heap.
    pub fn memory_bytes(&self) -> usize {
        let (len, at) = self.member_len();
        allocation_bytes(at + len)
    }

    #[inline]
    fn score_bits(&self) -> &AtomicU64 {
        // SAFETY: the block begins with the score, aligned for it, which only this function gives access to.
        unsafe { AtomicU64::from_ptr(self.block.cast().as_ptr()) }
    }

    fn owners(&self) -> &AtomicU8 {
        // SAFETY: this byte of the block is the count, which only this function gives access to.
        unsafe { AtomicU8::from_ptr(self.block.add(OWNERS_AT).as_ptr()) }
    }

    /// The length of the member and where it begins.
    fn member_len(&self) -> (usize, usize) {
        let mut varint = [0; VARINT_LEN_MAX];
        for (index, copy) in varint.iter_mut().enumerate() {
            // SAFETY: the bytes up to the last one of the varint are within the block, and none behind it is read.
            *copy = unsafe { self.block.add(LENGTH_AT + index).read() };
            if *copy & 0x80 == 0 {
                break;
            }
        }
        let (len, varint_len) = read_varint(&varint);
        (len as usize, LENGTH_AT + varint_len)
    }
}

impl TableEntry for MemberEntry {
    fn key(&self) -> &[u8] {
        self.member()
    }

    fn address(&self) -> *const u8 {
        self.block.as_ptr()
    }
}

impl Drop for MemberEntry {
    fn drop(&mut self) {
        if self.owners().fetch_sub(1, Ordering::Release) > 1 {
            return;
        }
        // What other owners did with the block comes before its end.
        fence(Ordering::Acquire);
        let (len, at) = self.member_len();
        // SAFETY: the block was allocated with this layout, and this was its last owner.
        unsafe { dealloc(self.block.as_ptr(), layout(at + len)) };
    }
}

// SAFETY: owners only share what never changes and two atomics, and the last one frees the block, as with an `Arc`.
unsafe impl Send for MemberEntry {}

// SAFETY: as above.
unsafe impl Sync for MemberEntry {}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(allocation_bytes(bytes), align_of::<u64>())
        .expect("invariant: the limits of the protocol keep members below 4 GB")
}

const OWNERS_AT: usize = size_of::<u64>();
const LENGTH_AT: usize = OWNERS_AT + 1;
/// Far more than there are, and far from where the count would wrap.
const OWNERS_MAX: u8 = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_entry_is_a_member_and_the_last_score_set_for_every_owner(
            member in prop_oneof![
                any::<Vec<u8>>(),
                (0..3_usize, 1..9_000_usize).prop_map(|(unit, times)| vec![b'z'; unit * times]),
            ],
            scores in prop::collection::vec(any::<f64>(), 1..10),
        ) {
            let first = MemberEntry::new(&member, scores[0]);
            let mut owners = vec![first.share(), first];
            for score in scores {
                owners[0].set_score(score);
                owners.push(owners[1].share());
                drop(owners.swap_remove(0));
                for owner in &owners {
                    prop_assert_eq!(owner.score().to_bits(), score.to_bits());
                    prop_assert_eq!((owner.member(), owner.key()), (&member[..], &member[..]));
                }
            }
        }
    }

    #[test]
    fn a_short_member_takes_ten_bytes_more() {
        let bytes = |len| MemberEntry::new(&vec![b'm'; len], 0.0).memory_bytes();
        assert_eq!((bytes(22), bytes(23)), (32, 48));
    }

    #[test]
    fn owners_may_be_dropped_by_different_threads() {
        let entry = MemberEntry::new(b"member", 1.5);
        let other = entry.share();
        let member = std::thread::spawn(move || other.member().to_vec()).join();
        assert_eq!((member.ok().as_deref(), entry.score()), (Some(entry.member()), 1.5));
    }
}
