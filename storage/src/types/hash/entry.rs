//! A field and its value in one allocation behind one word: the entry of a large hash. It knows nothing of
//! the table that it stands in, and holds text only: what a packed hash keeps as an integer is digits here.
//!
//! ```text
//! length of the field, a varint | length of the value, a varint | field | value
//! ```
//!
//! A box of bytes would be two words, its length beside its address; here the length is read from the block
//! itself.

use std::marker::PhantomData;
use std::ptr::{NonNull, slice_from_raw_parts_mut};

use crate::number::{VARINT_LEN_MAX, read_varint, varint_len, write_varint};
use crate::table::TableEntry;
use crate::types::allocation::allocation_bytes;

/// A field and its value.
pub(super) struct FieldEntry {
    /// The start of a `Box<[u8]>` that this entry owns, laid out as the head of this file says.
    block: NonNull<u8>,
    owns: PhantomData<Box<[u8]>>,
}

const _: () = assert!(size_of::<Option<FieldEntry>>() == size_of::<usize>());

impl FieldEntry {
    pub fn new(field: &[u8], value: &[u8]) -> FieldEntry {
        let lengths = [field.len() as u64, value.len() as u64];
        let len = varint_len(lengths[0]) + varint_len(lengths[1]) + field.len() + value.len();
        let mut block = Vec::with_capacity(len);
        for length in lengths {
            let mut varint = [0; VARINT_LEN_MAX];
            let varint_len = write_varint(length, &mut varint);
            block.extend_from_slice(&varint[..varint_len]);
        }
        block.extend_from_slice(field);
        block.extend_from_slice(value);
        debug_assert_eq!(block.len(), len);
        let block = Box::leak(block.into_boxed_slice());
        FieldEntry { block: NonNull::from(block).cast(), owns: PhantomData }
    }

    pub fn field(&self) -> &[u8] {
        let layout = self.layout();
        &self.bytes()[layout.field_at..layout.value_at]
    }

    pub fn value(&self) -> &[u8] {
        &self.bytes()[self.layout().value_at..]
    }

    /// Gives the field another value, in place if it is as long as the old one.
    pub fn set_value(&mut self, value: &[u8]) {
        let layout = self.layout();
        if value.len() == layout.len - layout.value_at {
            self.bytes_mut()[layout.value_at..].copy_from_slice(value);
        } else {
            *self = FieldEntry::new(self.field(), value);
        }
    }

    /// What the block takes of the heap.
    pub fn memory_bytes(&self) -> usize {
        allocation_bytes(self.layout().len)
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the block is an owned box of as many bytes as its layout says, and lives as long as `self`
        // does.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr(), self.layout().len) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` makes this the only reference to the block.
        unsafe { std::slice::from_raw_parts_mut(self.block.as_ptr(), self.layout().len) }
    }

    fn layout(&self) -> Layout {
        let (field_len, field_len_len) = self.varint(0);
        let (value_len, value_len_len) = self.varint(field_len_len);
        let field_at = field_len_len + value_len_len;
        let value_at = field_at + field_len;
        Layout { field_at, value_at, len: value_at + value_len }
    }

    /// Reads the varint that begins at `offset`, which is the start of one of the two: the number and its own
    /// length.
    fn varint(&self, offset: usize) -> (usize, usize) {
        let mut varint = [0; VARINT_LEN_MAX];
        for (index, copy) in varint.iter_mut().enumerate() {
            // SAFETY: the bytes up to the last one of the varint are within the block, and none behind it is
            // read.
            *copy = unsafe { self.block.add(offset + index).read() };
            if *copy & 0x80 == 0 {
                break;
            }
        }
        let (value, len) = read_varint(&varint);
        (value as usize, len)
    }
}

impl TableEntry for FieldEntry {
    fn key(&self) -> &[u8] {
        self.field()
    }

    fn address(&self) -> *const u8 {
        self.block.as_ptr()
    }
}

impl Clone for FieldEntry {
    fn clone(&self) -> FieldEntry {
        FieldEntry::new(self.field(), self.value())
    }
}

impl Drop for FieldEntry {
    fn drop(&mut self) {
        let block = slice_from_raw_parts_mut(self.block.as_ptr(), self.layout().len);
        // SAFETY: `new` leaked this box with this length, and nobody uses the entry after its drop.
        drop(unsafe { Box::from_raw(block) });
    }
}

// SAFETY: the entry owns its block as a `Box<[u8]>` would, and that may be sent.
unsafe impl Send for FieldEntry {}

// SAFETY: a shared entry only reads its block, as a shared `Box<[u8]>` does.
unsafe impl Sync for FieldEntry {}

/// Where things are in a block.
#[derive(Clone, Copy)]
struct Layout {
    field_at: usize,
    value_at: usize,
    len: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            any::<Vec<u8>>(),
            (0..3_usize, 1..9_000_usize).prop_map(|(unit, times)| vec![b'z'; unit * times])
        ]
    }

    proptest! {
        #[test]
        fn an_entry_is_a_field_and_the_last_value_set(
            field in text(), values in prop::collection::vec(text(), 1..10)
        ) {
            let mut entry = FieldEntry::new(&field, &values[0]);
            for value in &values {
                let copy = entry.clone();
                entry.set_value(value);
                drop(copy);
                prop_assert_eq!(entry.field(), &field[..]);
                prop_assert_eq!(entry.key(), &field[..]);
                prop_assert_eq!(entry.value(), &value[..]);
                let flipped: Vec<u8> = value.iter().map(|byte| !byte).collect();
                entry.set_value(&flipped);
                prop_assert_eq!(entry.value(), &flipped[..]);
            }
        }
    }

    #[test]
    fn a_short_field_and_value_take_two_bytes_more() {
        assert_eq!(FieldEntry::new(&[0; 16], &[0; 14]).memory_bytes(), 32);
        assert_eq!(FieldEntry::new(&[0; 16], &[0; 15]).memory_bytes(), 48);
    }

    #[test]
    fn entries_may_be_dropped_by_another_thread() {
        let entry = FieldEntry::new(b"field", b"value");
        let value = std::thread::spawn(move || entry.value().to_vec()).join();
        assert_eq!(value.ok().as_deref(), Some(&b"value"[..]));
    }
}
