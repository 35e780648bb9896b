//! Fields of which some have a deadline: the fields as they would be without, and beside them a second, plain hash from field to
//! deadline. As long as no deadline can have come, reading looks at the fields only.
//!
//! Nothing expires by itself here: whoever reads says what time it is and does not see what has expired, and whoever
//! expires (`expire`) takes the deadlines a few at a time. So that it knows when there is nothing to do, no deadline is
//! earlier than `earliest_ms`; how early the earliest is exactly is known again each time that all have been looked at.

use super::{Element, Hash, HashContext};

/// Fields, and the deadlines of some of them.
#[derive(Clone)]
pub(super) struct Timed {
    /// All fields. They have no deadlines by themselves.
    pub fields: Hash,
    /// Of the fields that have one, the deadline: Unix milliseconds, as an integer.
    deadlines: Hash,
    /// No deadline is earlier.
    earliest_ms: i64,
    /// Neither is any of those that were looked at or set since the cursor was zero.
    earliest_passed_ms: i64,
    /// How far the look at all deadlines has come; zero between two of them.
    cursor: u64,
}

/// What an expiration of fields did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpiredFields {
    /// Fields whose deadlines it looked at.
    pub sampled: usize,
    /// Fields that it removed.
    pub removed: usize,
}

impl Timed {
    /// Fields without deadlines yet.
    pub fn new(fields: Hash) -> Timed {
        let deadlines = Hash::new();
        Timed { fields, deadlines, earliest_ms: NEVER_MS, earliest_passed_ms: NEVER_MS, cursor: 0 }
    }

    /// What fields and deadlines take of the heap.
    pub fn memory_bytes(&self) -> usize {
        self.fields.memory_bytes() + self.deadlines.memory_bytes()
    }

    pub fn has_deadlines(&self) -> bool {
        !self.deadlines.is_empty()
    }

    /// Whether some deadline may have come.
    #[inline]
    pub fn is_due(&self, now_ms: i64) -> bool {
        self.earliest_ms <= now_ms
    }

    pub fn deadline_ms(&self, field: &[u8]) -> Option<i64> {
        self.deadlines.field(field, ALWAYS_MS)?.as_i64()
    }

    pub fn has_expired(&self, field: &[u8], now_ms: i64) -> bool {
        self.is_due(now_ms) && self.deadline_ms(field).is_some_and(|deadline| deadline <= now_ms)
    }

    pub fn has_element_expired(&self, field: Element<'_>, now_ms: i64) -> bool {
        match field {
            Element::Bytes(bytes) => self.has_expired(bytes, now_ms),
            Element::Int(value) => self.has_expired(itoa::Buffer::new().format(value).as_bytes(), now_ms),
        }
    }

    /// Gives a field that is there another deadline, or none.
    pub fn set_deadline(&mut self, field: &[u8], deadline_ms: Option<i64>, context: &HashContext) {
        let Some(deadline_ms) = deadline_ms else { return self.forget(field) };
        self.deadlines.set(field, itoa::Buffer::new().format(deadline_ms).as_bytes(), context);
        self.earliest_ms = self.earliest_ms.min(deadline_ms);
        self.earliest_passed_ms = self.earliest_passed_ms.min(deadline_ms);
    }

    /// Removes a field, and returns whether it was there and had not expired.
    pub fn remove(&mut self, field: &[u8], now_ms: i64) -> bool {
        let has_expired = self.has_expired(field, now_ms);
        self.forget(field);
        self.fields.remove(field, now_ms) && !has_expired
    }

    /// Removes fields whose deadline has come, having looked at about `count` deadlines from where the last call ended.
    pub fn expire(&mut self, now_ms: i64, count: usize) -> ExpiredFields {
        let mut done = ExpiredFields::default();
        if !self.is_due(now_ms) {
            return done;
        }
        let mut due = Vec::new();
        let earliest_passed_ms = &mut self.earliest_passed_ms;
        self.cursor = self.deadlines.scan(self.cursor, count, ALWAYS_MS, &mut |field, deadline_ms| {
            done.sampled += 1;
            match deadline_ms.as_i64() {
                Some(deadline_ms) if deadline_ms > now_ms => {
                    *earliest_passed_ms = deadline_ms.min(*earliest_passed_ms);
                }
                _ => due.push(field.to_vec()),
            }
        });
        if self.cursor == 0 {
            self.earliest_ms = std::mem::replace(&mut self.earliest_passed_ms, NEVER_MS);
        }
        for field in &due {
            done.removed += usize::from(self.fields.remove(field, now_ms));
            self.forget(field);
        }
        done
    }

    pub fn check_invariants(&self) {
        self.deadlines.check_invariants();
        assert!(self.fields.timed().is_none() && self.deadlines.timed().is_none());
        assert!(self.cursor != 0 || self.earliest_ms <= self.earliest_passed_ms);
        for (field, deadline_ms) in self.deadlines.iter(ALWAYS_MS) {
            assert!(self.fields.contains(&field.to_vec(), ALWAYS_MS), "only fields have deadlines");
            assert!(deadline_ms.as_i64().is_some_and(|deadline_ms| deadline_ms >= self.earliest_ms));
        }
    }

    /// Removes the deadline of a field.
    fn forget(&mut self, field: &[u8]) {
        if self.deadlines.remove(field, ALWAYS_MS) && self.deadlines.is_empty() {
            (self.earliest_ms, self.earliest_passed_ms, self.cursor) = (NEVER_MS, NEVER_MS, 0);
        }
    }
}

/// Later than every deadline.
const NEVER_MS: i64 = i64::MAX;
/// The time for a hash that has no deadlines.
const ALWAYS_MS: i64 = i64::MIN;
