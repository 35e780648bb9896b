//! The allocator of the program: mimalloc, asked in the form that takes the least memory. It counts nothing; what data
//! weighs is told by `types/allocation.rs`, a model of the size classes here.
//!
//! Asked for an alignment, its third version adds room for that to every size that is no power of two, although each of
//! its blocks is aligned for a word pair anyway: 16 bytes for most entries of a keyspace.

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys as mimalloc;

/// To be made the `#[global_allocator]` of a program.
#[derive(Debug)]
pub struct Allocator;

/// Gives back to the system what the calling thread has freed and the allocator kept for it. To be called by a thread that has
/// freed much and will allocate little.
pub fn release_unused() {
    // SAFETY: it asks for nothing, and touches only what is free.
    unsafe { mimalloc::mi_collect(true) }
}

/// What blocks are aligned for without asking, if they are as large.
const ALIGNMENT_MIN: usize = 16;

/// The size to ask for so that the block is aligned by itself, where it can be.
fn aligned_by_size(size: usize, align: usize) -> Option<usize> {
    (align <= ALIGNMENT_MIN).then_some(size.max(align))
}

// SAFETY: blocks come from mimalloc, which hands none out twice before it is freed and needs no layout to free one. Blocks of
// at least their alignment are aligned up to `ALIGNMENT_MIN` by its contract; for others the alignment is asked for.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: both take any size and any power of two as alignment.
        unsafe {
            match aligned_by_size(layout.size(), layout.align()) {
                Some(size) => mimalloc::mi_malloc(size).cast(),
                None => mimalloc::mi_malloc_aligned(layout.size(), layout.align()).cast(),
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        unsafe {
            match aligned_by_size(layout.size(), layout.align()) {
                Some(size) => mimalloc::mi_zalloc(size).cast(),
                None => mimalloc::mi_zalloc_aligned(layout.size(), layout.align()).cast(),
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: the caller vouches that the block came from here and is not used any more.
        unsafe { mimalloc::mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as for `alloc`; the caller vouches for the block.
        unsafe {
            match aligned_by_size(new_size, layout.align()) {
                Some(size) => mimalloc::mi_realloc(block.cast(), size).cast(),
                None => mimalloc::mi_realloc_aligned(block.cast(), new_size, layout.align()).cast(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::allocation::allocation_bytes;

    /// A block that is filled to its end and read back when it goes.
    struct Block {
        address: *mut u8,
        layout: Layout,
        mark: u8,
    }

    impl Block {
        fn new(layout: Layout, mark: u8, zeroed: bool) -> Block {
            // SAFETY: sizes here are never zero.
            let address =
                unsafe { if zeroed { Allocator.alloc_zeroed(layout) } else { Allocator.alloc(layout) } };
            assert!(!address.is_null() && address.addr().is_multiple_of(layout.align()));
            let block = Block { address, layout, mark };
            assert!(!zeroed || block.bytes().iter().all(|&byte| byte == 0));
            block.fill()
        }

        fn resized(mut self, size: usize) -> Block {
            let kept = size.min(self.layout.size());
            // SAFETY: the block came from there with this layout, and the old address is forgotten.
            self.address = unsafe { Allocator.realloc(self.address, self.layout, size) };
            self.layout = Layout::from_size_align(size, self.layout.align()).unwrap();
            assert!(self.address.addr().is_multiple_of(self.layout.align()));
            // SAFETY: so many bytes were written before and moved along.
            let moved = unsafe { std::slice::from_raw_parts(self.address, kept) };
            assert!(moved.iter().all(|&byte| byte == self.mark));
            self.fill()
        }

        fn fill(self) -> Block {
            // SAFETY: the block is that long and belongs to nobody else.
            unsafe { self.address.write_bytes(self.mark, self.layout.size()) };
            self
        }

        fn bytes(&self) -> &[u8] {
            // SAFETY: the block is that long, and its bytes are written when this is called.
            unsafe { std::slice::from_raw_parts(self.address, self.layout.size()) }
        }
    }

    impl Drop for Block {
        fn drop(&mut self) {
            assert!(
                self.bytes().iter().all(|&byte| byte == self.mark),
                "another block was written over this one"
            );
            // SAFETY: the block came from there with this layout and is not used any more.
            unsafe { Allocator.dealloc(self.address, self.layout) };
        }
    }

    proptest! {
        #[test]
        fn blocks_are_aligned_keep_their_content_and_never_overlap(
            steps in proptest::collection::vec((1..3000_usize, 0..8_u32, any::<bool>(), 1..3000_usize), 1..60),
        ) {
            let mut blocks = Vec::new();
            for (mark, (size, alignment, zeroed, new_size)) in steps.into_iter().enumerate() {
                let layout = Layout::from_size_align(size, 1 << alignment).unwrap();
                let block = Block::new(layout, mark as u8, zeroed);
                blocks.push(block);
                if mark % 3 == 2 {
                    let block = blocks.swap_remove(mark % blocks.len());
                    blocks.push(block.resized(new_size));
                }
            }
        }
    }

    #[test]
    fn blocks_take_what_the_model_says() {
        for size in (1..2000).chain([5000, 50_000, 500_000]) {
            let layout = Layout::from_size_align(size, align_of::<usize>()).unwrap();
            let block = Block::new(layout, 1, false);
            // SAFETY: the block came from there.
            let taken = unsafe { mimalloc::mi_usable_size(block.address.cast()) };
            assert_eq!(taken, allocation_bytes(size), "{size} bytes");
        }
    }
}
