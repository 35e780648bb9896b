//! Writing strings. A string lives in its entry, so changing one may move the entry; this is the one place that does.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::Key;
use super::change::What;
use super::entry::Entry;
use super::new_value::NewValue;
use super::transaction::Transaction;
use crate::table::Position;
use crate::types::Kind;
use crate::types::WrongType;
use crate::types::string::{INLINE_BYTES_MAX, IntBuffer, StringRef, StringTooLong};

/// What a change makes a string longer by, or less.
const CHANGE_BYTES_EXPECTED: usize = 16;

/// What becomes of a key's deadline when its value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// It stays as it is.
    Keep,
    /// The key does not expire.
    Never,
    /// It expires then: Unix milliseconds.
    At(i64),
}

impl Transaction<'_> {
    /// Sets a string in the place of whatever is there. A canonical integer is kept as one.
    #[inline]
    pub fn set_string(&mut self, key: &Key<'_>, value: &[u8], deadline: Deadline) {
        self.set_value(key, NewValue::from_bytes(value), deadline);
    }

    /// Sets a string that stays text, even if it reads as an integer.
    pub fn set_text(&mut self, key: &Key<'_>, value: &[u8], deadline: Deadline) {
        self.set_value(key, NewValue::text(value), deadline);
    }

    /// Sets a string that counts as grown in place: `raw`, never an integer.
    pub fn set_raw_string(&mut self, key: &Key<'_>, value: &[u8], deadline: Deadline) {
        self.set_value(key, NewValue::raw(value), deadline);
    }

    /// Sets an integer and keeps the deadline.
    pub fn set_integer(&mut self, key: &Key<'_>, value: i64) {
        self.set_value(key, NewValue::Int(value), Deadline::Keep);
    }

    /// Appends to the string at a key, which is created if need be; the new length.
    pub fn append(
        &mut self,
        key: &Key<'_>,
        tail: &[u8],
        bytes_max: usize,
    ) -> Result<Result<usize, StringTooLong>, WrongType> {
        let Some(position) = self.live_position(key) else {
            if tail.len() > bytes_max {
                return Ok(Err(StringTooLong));
            }
            self.set_string(key, tail, Deadline::Never);
            return Ok(Ok(tail.len()));
        };
        let len = self.string_len(key, position)?;
        let Some(total) = len.checked_add(tail.len()).filter(|&total| total <= bytes_max) else {
            return Ok(Err(StringTooLong));
        };
        self.rewrite(key, position, total, |bytes| bytes.extend_from_slice(tail));
        self.0.log(key.bytes(), Kind::String, What::Modified);
        Ok(Ok(total))
    }

    /// Writes `bytes` at `offset` of the string at a key, filling a gap with zeros; the new length. Writing nothing to
    /// a missing key does not create it.
    pub fn write_range(
        &mut self,
        key: &Key<'_>,
        offset: usize,
        bytes: &[u8],
        bytes_max: usize,
    ) -> Result<Result<usize, StringTooLong>, WrongType> {
        let position = self.live_position(key);
        let len = position.map_or(Ok(0), |position| self.string_len(key, position))?;
        if bytes.is_empty() {
            return Ok(Ok(len));
        }
        let Some(end) = offset.checked_add(bytes.len()).filter(|&end| end <= bytes_max) else {
            return Ok(Err(StringTooLong));
        };
        let total = len.max(end);
        let write = |target: &mut Vec<u8>| {
            target.resize(total, 0);
            target[offset..end].copy_from_slice(bytes);
        };
        match position {
            Some(position) => {
                self.rewrite(key, position, total, write);
                self.0.log(key.bytes(), Kind::String, What::Modified);
            }
            None => {
                let mut value = Vec::with_capacity(total);
                write(&mut value);
                self.set_value(key, grown(&mut value), Deadline::Never);
            }
        }
        Ok(Ok(total))
    }

    /// Lets `change` have the bytes of the string at a key, if there is one and it passes `check`; it counts as grown in place
    /// then. What `change` returns begins with whether that is a change of the key that somebody is to hear of.
    pub fn change_string<R, E: From<WrongType>>(
        &mut self,
        key: &Key<'_>,
        check: impl FnOnce(StringRef<'_>) -> Result<(), E>,
        change: impl FnOnce(&mut Vec<u8>) -> (bool, R),
    ) -> Result<Option<R>, E> {
        let Some(position) = self.live_position(key) else { return Ok(None) };
        let entry = self.0.database_mut(key.hash()).table.at(position);
        let string = entry.string().ok_or(WrongType)?;
        check(string)?;
        let capacity = string.len() + CHANGE_BYTES_EXPECTED;
        let (is_changed, outcome) = self.rewrite(key, position, capacity, change);
        if is_changed {
            self.0.log(key.bytes(), Kind::String, What::Modified);
        }
        Ok(Some(outcome))
    }

    /// Lets `change` have a part of the bytes of the string at a key, which is `raw` from then on and gets zeros until it has
    /// `len_min` of them; what of the part lies behind all that is cut off. It is told how long the string was, if there was
    /// one, and what it returns begins with whether all this is a change: a string that only has become longer need not be one.
    pub fn change_bytes<R>(
        &mut self,
        key: &Key<'_>,
        len_min: usize,
        part: Range<usize>,
        change: impl FnOnce(&mut [u8], Option<usize>) -> (bool, R),
    ) -> Result<R, WrongType> {
        let within = |total: usize| part.start.min(total)..part.end.min(total);
        let Some(position) = self.live_position(key) else {
            let mut bytes = vec![0; len_min];
            let (is_changed, outcome) = change(&mut bytes[within(len_min)], None);
            self.add(key, Entry::new(key.bytes(), grown(&mut bytes), None, self.0.clock));
            if is_changed {
                self.0.log(key.bytes(), Kind::String, What::Created);
            }
            return Ok(outcome);
        };
        let len = self.string_len(key, position)?;
        let (total, part) = (len.max(len_min), within(len.max(len_min)));
        let (is_changed, outcome) =
            if total == len && self.0.database_mut(key.hash()).table.at(position).is_raw_inline() {
                self.overwrite(key, position, part, |bytes| change(bytes, Some(len)))
            } else {
                self.rewrite(key, position, total, |bytes| {
                    bytes.resize(total, 0);
                    change(&mut bytes[part], Some(len))
                })
            };
        if is_changed {
            self.0.log(key.bytes(), Kind::String, What::Modified);
        }
        Ok(outcome)
    }

    /// Sets a string that was made anew as one that counts as grown in place, and takes its buffer along. It never expires.
    pub fn set_made(&mut self, key: &Key<'_>, mut bytes: Vec<u8>) {
        self.set_value(key, grown(&mut bytes), Deadline::Never);
    }

    fn set_value(&mut self, key: &Key<'_>, value: NewValue<'_>, deadline: Deadline) {
        let clock = self.0.clock;
        let Some(position) = self.live_position(key) else {
            let deadline_ms = match deadline {
                Deadline::At(ms) => Some(ms),
                Deadline::Keep | Deadline::Never => None,
            };
            self.insert(key, Entry::new(key.bytes(), value, deadline_ms, clock), What::Created);
            return self.log_deadline(key, deadline);
        };
        let fed = self.0.before_change(key.hash(), position);
        let database = self.0.database_mut(key.hash());
        let entry = database.table.change(fed).at_mut(position);
        let old_deadline = entry.deadline_ms();
        let deadline_ms = match deadline {
            Deadline::Keep => old_deadline,
            Deadline::Never => None,
            Deadline::At(ms) => Some(ms),
        };
        let in_place = if deadline_ms == old_deadline { entry.replace_in_place(value) } else { Err(value) };
        // A value that fits the place of the old one weighs the same.
        if let Err(value) = in_place {
            // Finding it has set its clock, if that is to be set.
            let new = Entry::new(key.bytes(), value, deadline_ms, entry.clock());
            let old = std::mem::replace(entry, new);
            database.weight_bytes = database.weight_bytes + entry.weight_bytes() - old.weight_bytes();
            database.deadlines += u32::from(deadline_ms.is_some());
            database.deadlines -= u32::from(old_deadline.is_some());
            database.timed_hashes -= u32::from(old.has_field_deadlines());
            self.0.discard(old);
        }
        self.0.log(key.bytes(), Kind::String, What::Overwritten);
        self.log_deadline(key, deadline);
    }

    /// Logs the deadline that a value has come with.
    fn log_deadline(&mut self, key: &Key<'_>, deadline: Deadline) {
        if matches!(deadline, Deadline::At(_)) {
            self.0.log(key.bytes(), Kind::String, What::Deadline);
        }
    }

    fn string_len(&mut self, key: &Key<'_>, position: Position) -> Result<usize, WrongType> {
        let entry = self.0.database_mut(key.hash()).table.at(position);
        entry.string().map(|string| string.len()).ok_or(WrongType)
    }

    /// Lets `write` change a part of a short string that is `raw`, and touches nothing else of it.
    fn overwrite<R>(
        &mut self,
        key: &Key<'_>,
        position: Position,
        part: Range<usize>,
        write: impl FnOnce(&mut [u8]) -> R,
    ) -> R {
        let fed = self.0.before_change(key.hash(), position);
        let entry = self.0.database_mut(key.hash()).table.change(fed).at_mut(position);
        let mut bytes: SmallVec<[u8; PART_BYTES_INLINE]> = SmallVec::new();
        if let Some(StringRef::Bytes(present)) = entry.string() {
            bytes.extend_from_slice(&present[part.clone()]);
        }
        let outcome = write(&mut bytes);
        entry.overwrite(part.start, &bytes);
        outcome
    }

    /// Lets `write` change the bytes of an existing string, `capacity` of them or so. A long one changes in its own buffer,
    /// which is copied first only if a reply still holds on to it. Whether it is a change to log is the caller's business.
    fn rewrite<R>(
        &mut self,
        key: &Key<'_>,
        position: Position,
        capacity: usize,
        write: impl FnOnce(&mut Vec<u8>) -> R,
    ) -> R {
        let fed = self.0.before_change(key.hash(), position);
        let database = self.0.database_mut(key.hash());
        let entry = database.table.change(fed).at_mut(position);
        let old_weight = entry.weight_bytes();
        let outcome = if let Some(shared) = entry.shared_mut() {
            write(Arc::make_mut(shared))
        } else {
            let mut bytes = Vec::with_capacity(capacity);
            if let Some(string) = entry.string() {
                bytes.extend_from_slice(string.bytes(&mut IntBuffer::new()));
            }
            let outcome = write(&mut bytes);
            if let Err(value) = entry.replace_in_place(grown(&mut bytes)) {
                let deadline_ms = entry.deadline_ms();
                *entry = Entry::new(key.bytes(), value, deadline_ms, entry.clock());
            }
            outcome
        };
        database.weight_bytes = database.weight_bytes + entry.weight_bytes() - old_weight;
        outcome
    }
}

/// A string that was grown in place; the buffer of a long one is taken along.
fn grown(bytes: &mut Vec<u8>) -> NewValue<'_> {
    if bytes.len() <= INLINE_BYTES_MAX {
        NewValue::Raw(bytes)
    } else {
        NewValue::Shared(Arc::new(std::mem::take(bytes)))
    }
}

/// Bytes of a part of a string that take no allocation while they are changed.
const PART_BYTES_INLINE: usize = 64;
