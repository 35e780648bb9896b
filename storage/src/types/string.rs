//! Strings: what a string value is and how one is read. Where its bytes live (in the entry, or in a buffer of their own
//! that replies share) is the business of `keyspace::entry`.

use std::sync::Arc;

use crate::number;

/// Strings up to this length live inside their entry: one allocation a key. Longer ones get a buffer of their own, so
/// that a reply can send it by reference.
pub const INLINE_BYTES_MAX: usize = 1024;

/// The value would exceed the limit for strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringTooLong;

/// A string value in place.
#[derive(Clone, Copy, Debug)]
pub enum StringRef<'a> {
    /// Bytes inside the entry.
    Bytes(&'a [u8]),
    /// A canonical integer, kept as one.
    Int(i64),
    /// A buffer of its own, which a reply may hold on to.
    Shared(&'a Arc<Vec<u8>>),
}

/// Room for the digits of an integer.
pub type IntBuffer = itoa::Buffer;

impl<'a> StringRef<'a> {
    /// Length in bytes, of an integer that of its digits.
    pub fn len(&self) -> usize {
        match self {
            StringRef::Bytes(bytes) => bytes.len(),
            StringRef::Int(value) => number::i64_len(*value),
            StringRef::Shared(bytes) => bytes.len(),
        }
    }

    /// Whether it is the empty string.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, digits being written to `buffer`.
    pub fn bytes<'b>(&self, buffer: &'b mut IntBuffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match *self {
            StringRef::Bytes(bytes) => bytes,
            StringRef::Int(value) => buffer.format(value).as_bytes(),
            StringRef::Shared(bytes) => bytes,
        }
    }

    /// A copy of the bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.bytes(&mut IntBuffer::new()).to_vec()
    }

    /// The value as an integer, if its text is one in canonical form.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            StringRef::Bytes(bytes) => number::parse_i64(bytes),
            StringRef::Int(value) => Some(*value),
            // A buffer of its own is longer than any integer.
            StringRef::Shared(_) => None,
        }
    }
}
