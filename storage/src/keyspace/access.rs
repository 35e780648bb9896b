//! What an entry remembers of its accesses: 24 bits, which mean the second of the last one, or, while keys are to be evicted
//! by how often they are used, a minute and a counter that grows with the logarithm of the number of accesses and shrinks
//! with time. The two readings follow Redis's formulas; after a switch between them, what is there is read wrongly until
//! it has been accessed again, as with Redis.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Keyspace;
use super::shard::Touchable;
use crate::table::KeyHash;

/// How accesses are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The second of the last one.
    Recency,
    /// How many there were.
    Frequency {
        /// The larger, the more accesses it takes for the counter to grow: up to 2^31 - 1.
        log_factor: u32,
        /// Minutes without an access after which the counter loses one; 0 for never. Up to 2^31 - 1.
        decay_minutes: u32,
    },
}

/// The present way, for every thread to read.
#[derive(Debug, Default)]
pub(super) struct AccessCell(AtomicU64);

/// The way of one transaction, read once: a word that is zero for recency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AccessWord(u64);

/// What is remembered has 24 bits.
pub(super) const REMEMBERED_MASK: u32 = (1 << 24) - 1;
const IS_FREQUENCY: u64 = 1 << 63;
const SETTING_MAX: u32 = i32::MAX as u32;
const DECAY_SHIFT: u32 = 31;

const COUNTER_MASK: u32 = 0xff;
const COUNTER_MAX: u32 = 0xff;
/// The counter of a new key, so that it is not evicted before it had a chance to be used.
const COUNTER_NEW: u32 = 5;
const MINUTES_MASK: u32 = 0xffff;

impl AccessCell {
    pub fn set(&self, access: Access) {
        let word = match access {
            Access::Recency => 0,
            Access::Frequency { log_factor, decay_minutes } => {
                let decay = u64::from(decay_minutes.min(SETTING_MAX)) << DECAY_SHIFT;
                IS_FREQUENCY | decay | u64::from(log_factor.min(SETTING_MAX))
            }
        };
        self.0.store(word, Ordering::Relaxed);
    }

    #[inline]
    pub fn word(&self) -> AccessWord {
        AccessWord(self.0.load(Ordering::Relaxed))
    }
}

impl AccessWord {
    #[inline]
    pub fn is_frequency(self) -> bool {
        self.0 != 0
    }

    /// What a key remembers that is made now; under recency also one that is accessed.
    #[inline]
    pub fn new_at(self, now_ms: i64) -> u32 {
        if self.is_frequency() {
            minutes(now_ms) << 8 | COUNTER_NEW
        } else {
            (now_ms / 1000) as u32 & REMEMBERED_MASK
        }
    }

    /// Under frequency, what a key remembers after an access, if it remembered this. `chance` is any number that differs from
    /// access to access.
    #[cold]
    pub fn accessed(self, remembered: u32, now_ms: i64, chance: u64) -> u32 {
        let counter = self.frequency(remembered, now_ms);
        minutes(now_ms) << 8 | self.counted(counter, chance)
    }

    /// Under frequency, the counter as it is after the time since the last access.
    pub fn frequency(self, remembered: u32, now_ms: i64) -> u32 {
        let counter = remembered & COUNTER_MASK;
        let decay_minutes = (self.0 >> DECAY_SHIFT) as u32 & SETTING_MAX;
        let elapsed = minutes(now_ms).wrapping_sub(remembered >> 8) & MINUTES_MASK;
        counter.saturating_sub(elapsed.checked_div(decay_minutes).unwrap_or(0))
    }

    /// The counter after one more access: the larger it is, the less likely it grows.
    fn counted(self, counter: u32, chance: u64) -> u32 {
        let log_factor = self.0 & u64::from(SETTING_MAX);
        let above_new = u64::from(counter.saturating_sub(COUNTER_NEW));
        let one_in = above_new * log_factor + 1;
        let grows = counter < COUNTER_MAX && mixed(chance).is_multiple_of(one_in);
        counter + u32::from(grows)
    }
}

/// Notes accesses of one instant.
#[derive(Clone, Copy)]
pub(super) struct Toucher<'k> {
    pub keyspace: &'k Keyspace,
    /// How they are remembered.
    pub access: AccessWord,
    /// Whether they are.
    pub notes: bool,
    /// What a key remembers that is accessed now.
    pub clock: u32,
    pub now_ms: i64,
}

impl Toucher<'_> {
    #[inline]
    pub fn touch(self, entry: &mut Touchable<'_>, hash: KeyHash) {
        if !self.notes {
            return;
        }
        if self.access.is_frequency() { self.count(entry, hash) } else { entry.touch(self.clock) }
    }

    #[cold]
    fn count(self, entry: &mut Touchable<'_>, hash: KeyHash) {
        let nth = self.keyspace.slots[self.keyspace.shard_of(hash)].count_access();
        let chance = hash.0 ^ u64::from(nth) << 32;
        entry.touch(self.access.accessed(entry.clock(), self.now_ms, chance));
    }
}

fn minutes(now_ms: i64) -> u32 {
    (now_ms / 60_000) as u32 & MINUTES_MASK
}

/// A number without any pattern for each number.
fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ number >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ number >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;
    const NOW_MS: i64 = 29_000_000 * MINUTE_MS;

    fn word(access: Access) -> AccessWord {
        let cell = AccessCell::default();
        cell.set(access);
        cell.word()
    }

    fn frequency(log_factor: u32, decay_minutes: u32) -> AccessWord {
        word(Access::Frequency { log_factor, decay_minutes })
    }

    #[test]
    fn recency_is_the_second() {
        let recency = word(Access::Recency);
        assert!(!recency.is_frequency());
        assert_eq!(recency.new_at(5_999), 5);
        assert_eq!(recency.new_at(1_000 << 24), 0);
    }

    #[test]
    fn the_counter_shrinks_with_time_and_the_minute_wraps() {
        let access = frequency(10, 1);
        let remembered = access.new_at(NOW_MS);
        for (minutes, counter) in [(0, 5), (1, 4), (4, 1), (5, 0), (300, 0), (65_536, 5)] {
            assert_eq!(access.frequency(remembered, NOW_MS + minutes * MINUTE_MS), counter, "{minutes}");
        }
        assert_eq!(frequency(10, 0).frequency(remembered, NOW_MS + 1000 * MINUTE_MS), 5, "0 is never");
        assert_eq!(frequency(10, 3).frequency(remembered, NOW_MS + 7 * MINUTE_MS), 3);
        let largest = frequency(u32::MAX, u32::MAX);
        assert_eq!(largest.frequency(remembered, NOW_MS + 9 * MINUTE_MS), 5);
    }

    /// The table that Redis's documentation gives: the counter after so many accesses.
    #[test]
    fn the_counter_grows_with_the_logarithm_of_the_accesses() {
        let rows = [
            (0, 100, 104..=105),
            (1, 1_000, 44..=54),
            (10, 100, 8..=13),
            (10, 100_000, 128..=156),
            (100, 1_000, 9..=14),
        ];
        for (log_factor, accesses, expected) in rows {
            let access = frequency(log_factor, 1);
            let remembered = (0..accesses).fold(access.new_at(NOW_MS), |remembered, chance| {
                access.accessed(remembered, NOW_MS, chance)
            });
            let counter = access.frequency(remembered, NOW_MS);
            assert!(expected.contains(&counter), "factor {log_factor}, {accesses} accesses: {counter}");
        }
        let hot =
            (0..10_000_000).fold(COUNTER_NEW, |counter, chance| frequency(0, 1).counted(counter, chance));
        assert_eq!(hot, COUNTER_MAX);
    }
}
