//! A value on its way into an entry, in the representation that it will have there. How it is written there is the business of
//! `entry`.

use std::sync::Arc;

use super::shape::{FORCED_RAW, Tag};
use crate::number;
use crate::types::Object;
use crate::types::string::INLINE_BYTES_MAX;

/// A value on its way into an entry.
#[derive(Debug)]
pub enum NewValue<'a> {
    /// A string of at most `INLINE_BYTES_MAX` bytes, copied into the entry.
    Inline(&'a [u8]),
    /// The same, grown in place and hence `raw`.
    Raw(&'a [u8]),
    /// An integer.
    Int(i64),
    /// An integer that was copied from another key.
    CopiedInt(i64),
    /// A long string.
    Shared(Arc<Vec<u8>>),
    /// A collection.
    Object(Object),
}

impl<'a> NewValue<'a> {
    /// The representation that Redis would choose for a string: an integer if canonical, else its bytes.
    #[inline]
    pub fn from_bytes(bytes: &'a [u8]) -> NewValue<'a> {
        match number::parse_i64(bytes) {
            Some(value) => NewValue::Int(value),
            None => NewValue::text(bytes),
        }
    }

    /// The bytes of a string that stays text, even if it reads as an integer.
    pub fn text(bytes: &'a [u8]) -> NewValue<'a> {
        if bytes.len() <= INLINE_BYTES_MAX {
            NewValue::Inline(bytes)
        } else {
            NewValue::Shared(Arc::new(bytes.to_vec()))
        }
    }

    /// The bytes of a string that was grown in place.
    pub fn raw(bytes: &'a [u8]) -> NewValue<'a> {
        if bytes.len() <= INLINE_BYTES_MAX {
            NewValue::Raw(bytes)
        } else {
            NewValue::Shared(Arc::new(bytes.to_vec()))
        }
    }

    pub(super) fn tag(&self) -> Tag {
        match self {
            NewValue::Inline(_) | NewValue::Raw(_) => Tag::Inline,
            NewValue::Int(_) | NewValue::CopiedInt(_) => Tag::Int,
            NewValue::Shared(_) => Tag::Shared,
            NewValue::Object(Object::List(_)) => Tag::List,
            NewValue::Object(Object::Set(_)) => Tag::Set,
            NewValue::Object(Object::SortedSet(_)) => Tag::SortedSet,
            NewValue::Object(Object::Hash(_)) => Tag::Hash,
            NewValue::Object(Object::Stream(_)) => Tag::Stream,
            NewValue::Object(Object::Lock(_)) => Tag::Lock,
            NewValue::Object(Object::Semaphore(_)) => Tag::Semaphore,
            NewValue::Object(Object::Latch(_)) => Tag::Latch,
            NewValue::Object(Object::Job(_)) => Tag::Job,
        }
    }

    pub(super) fn inline_bytes(&self) -> usize {
        match self {
            NewValue::Inline(bytes) | NewValue::Raw(bytes) => bytes.len(),
            NewValue::Int(_) | NewValue::CopiedInt(_) | NewValue::Shared(_) | NewValue::Object(_) => 0,
        }
    }

    pub(super) fn raw_flag(&self) -> u8 {
        if matches!(self, NewValue::Raw(_) | NewValue::CopiedInt(_)) { FORCED_RAW } else { 0 }
    }
}
