//! One cache line of the table: seven entries with their tags, and a chain to an overflow line when seven do not do.
//!
//! ```text
//! byte  0      bits 0..6: slot is taken; bit 7: the last slot holds the next bucket of the chain
//! bytes 1..8   the tag of each slot; zero, which is no tag, where there is no entry
//! bytes 8..64  seven words: an entry each; when chained, the last one is the next bucket
//! ```
//!
//! Invariants, which `check_invariants` asserts:
//! 1. taken slots are dense: slots `0..n` are taken, and only the last bucket of a chain has free ones;
//! 2. an overflow bucket is never empty.
//!
//! A bucket knows neither keys nor hashes; the table above it does.

use std::mem::{ManuallyDrop, MaybeUninit};

/// Entries of one bucket.
pub const SLOTS: usize = 7;
const CHAINED: u8 = 1 << 7;
const LAST: usize = SLOTS - 1;
const LOW_BYTES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// A line of the table and, through its chain, the lines behind it.
#[repr(C, align(64))]
pub struct Bucket<E> {
    /// Byte 0: presence bits and the chain bit; bytes 1..8: the tags. One word, so that tags compare at once.
    word: u64,
    slots: [MaybeUninit<Slot<E>>; SLOTS],
}

/// A word of a bucket: which of the two it is, the bucket's first byte says.
union Slot<E> {
    entry: ManuallyDrop<E>,
    next: ManuallyDrop<Box<Bucket<E>>>,
}

const _: () = assert!(size_of::<Bucket<Box<u8>>>() == 64 && size_of::<Slot<Box<u8>>>() == 8);

/// Where an entry stands in a chain. Valid until the chain changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    depth: u32,
    slot: u32,
}

impl<E> Default for Bucket<E> {
    fn default() -> Self {
        Bucket { word: 0, slots: [const { MaybeUninit::uninit() }; SLOTS] }
    }
}

impl<E> Bucket<E> {
    /// The place of the entry with this tag that `is_it` recognises.
    #[inline]
    pub fn find(&self, tag: u8, mut is_it: impl FnMut(&E) -> bool) -> Option<Place> {
        let mut bucket = self;
        let mut depth = 0;
        loop {
            let mut candidates = bucket.candidates(tag);
            while candidates != 0 {
                let slot = (candidates.trailing_zeros() / 8) as usize - 1;
                if is_it(bucket.entry(slot)) {
                    return Some(Place { depth, slot: slot as u32 });
                }
                candidates &= candidates - 1;
            }
            bucket = bucket.next()?;
            depth += 1;
        }
    }

    /// What a tag finds in a line of the chain: what a prefetch wants to know.
    #[inline]
    pub fn probe(&self, tag: u8, line: usize) -> Probe<'_, E> {
        let Some(bucket) = self.lines().nth(line) else { return Probe::Absent };
        match bucket.candidates(tag) {
            0 => bucket.next().map_or(Probe::Absent, Probe::Chained),
            found => Probe::Entry(bucket.entry((found.trailing_zeros() / 8) as usize - 1)),
        }
    }

    /// The entry at a place.
    #[inline]
    pub fn at(&self, place: Place) -> &E {
        self.link(place.depth).entry(place.slot as usize)
    }

    /// The entry at a place, to be changed. Its key must stay what it is.
    #[inline]
    pub fn at_mut(&mut self, place: Place) -> &mut E {
        let bucket = self.link_mut(place.depth);
        assert!(bucket.holds(place.slot as usize));
        // SAFETY: the slot holds an entry, as just asserted, and `&mut self` covers the whole chain.
        unsafe { &mut bucket.slots[place.slot as usize].assume_init_mut().entry }
    }

    /// Adds an entry behind the others; true when that took one more line.
    pub fn push(&mut self, tag: u8, entry: E) -> bool {
        if self.is_chained() {
            return self.next_mut().expect("invariant: chained buckets have a next one").push(tag, entry);
        }
        let count = self.count();
        if count < SLOTS {
            self.put(count, tag, entry);
            return false;
        }
        let last_tag = self.tag(LAST);
        let mut next = Box::<Bucket<E>>::default();
        next.put(0, last_tag, self.take(LAST));
        next.put(1, tag, entry);
        self.slots[LAST].write(Slot { next: ManuallyDrop::new(next) });
        self.word |= u64::from(CHAINED);
        true
    }

    /// Takes the entry at a place out and closes the gap with the last of the chain; true with it when that freed a line.
    pub fn remove(&mut self, place: Place) -> (E, bool) {
        let (last_tag, last, freed) =
            self.pop().expect("invariant: a place exists, so the chain has an entry");
        let bucket = self.link_mut_if(place.depth);
        match bucket {
            Some(bucket) if bucket.holds(place.slot as usize) => {
                let slot = place.slot as usize;
                let removed = bucket.take(slot);
                bucket.put(slot, last_tag, last);
                (removed, freed)
            }
            // The place was the last one itself, or its line was folded into the one before.
            _ => self.remove_folded(place, last_tag, last, freed),
        }
    }

    /// Takes the last entry of the chain; true with it when its line was freed.
    pub fn pop(&mut self) -> Option<(u8, E, bool)> {
        if !self.is_chained() {
            let last = self.count().checked_sub(1)?;
            return Some((self.tag(last), self.take(last), false));
        }
        let next = self.next_mut().expect("invariant: chained buckets have a next one");
        let (tag, entry, freed) = next.pop().expect("invariant: an overflow bucket is never empty");
        if freed || next.is_chained() || next.count() > 1 {
            return Some((tag, entry, freed));
        }
        // One entry is left over there: it comes back into this line, and that line goes.
        let (back_tag, back) = (next.tag(0), next.take(0));
        // SAFETY: the chain bit says that the last slot holds a bucket; the bit is cleared before the slot is used again.
        let next = unsafe { ManuallyDrop::into_inner(self.slots[LAST].assume_init_read().next) };
        self.word &= !u64::from(CHAINED);
        drop(next);
        self.put(LAST, back_tag, back);
        Some((tag, entry, true))
    }

    /// How many entries the chain holds.
    pub fn len(&self) -> usize {
        self.lines().map(Bucket::count).sum()
    }

    /// Entries of the chain, in order.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.lines().flat_map(|bucket| (0..bucket.count()).map(|slot| bucket.entry(slot)))
    }

    /// Whether more than one line is in the chain.
    #[inline]
    pub fn is_chained(&self) -> bool {
        self.word as u8 & CHAINED != 0
    }

    /// Asserts the invariants of the chain.
    pub fn check_invariants(&self) {
        for bucket in self.lines() {
            let presence = bucket.word as u8 & !CHAINED;
            let count = bucket.count();
            assert_eq!(u32::from(presence), (1 << count) - 1, "taken slots are dense");
            assert!(!bucket.is_chained() || count == LAST, "only the last line has free slots");
            let tagged = (0..SLOTS).map(|slot| bucket.tag(slot) != 0);
            assert!(tagged.eq((0..SLOTS).map(|slot| slot < count)), "entries have tags and nothing else has");
        }
        assert!(self.lines().skip(1).all(|bucket| bucket.count() > 0), "overflow lines hold something");
    }

    fn lines(&self) -> impl Iterator<Item = &Bucket<E>> {
        std::iter::successors(Some(self), |bucket| bucket.next())
    }

    /// Bit 7 of byte `slot + 1` is set for every entry whose tag is `tag`.
    #[inline]
    fn candidates(&self, tag: u8) -> u64 {
        let difference = self.word ^ (u64::from(tag) * LOW_BYTES);
        // No carry leaves a byte, so that exactly the bytes without a difference keep their high bit clear.
        let differs = ((difference & !HIGH_BITS) + !HIGH_BITS) | difference;
        !differs & HIGH_BITS & !0xff
    }

    #[inline]
    fn count(&self) -> usize {
        (self.word as u8 & !CHAINED).trailing_ones() as usize
    }

    #[inline]
    fn holds(&self, slot: usize) -> bool {
        slot < SLOTS && self.word & (1 << slot) != 0
    }

    #[inline]
    fn tag(&self, slot: usize) -> u8 {
        (self.word >> (8 * (slot + 1))) as u8
    }

    #[inline]
    fn entry(&self, slot: usize) -> &E {
        assert!(self.holds(slot));
        // SAFETY: the presence bit says that the slot holds an entry.
        unsafe { &self.slots[slot].assume_init_ref().entry }
    }

    #[inline]
    fn next(&self) -> Option<&Bucket<E>> {
        // SAFETY: the chain bit says that the last slot holds a bucket.
        self.is_chained().then(|| unsafe { &**self.slots[LAST].assume_init_ref().next })
    }

    fn next_mut(&mut self) -> Option<&mut Bucket<E>> {
        // SAFETY: the chain bit says that the last slot holds a bucket, and `&mut self` owns it.
        self.is_chained().then(|| unsafe { &mut **self.slots[LAST].assume_init_mut().next })
    }

    fn link(&self, depth: u32) -> &Bucket<E> {
        self.lines().nth(depth as usize).expect("invariant: a place is within its chain")
    }

    fn link_mut(&mut self, depth: u32) -> &mut Bucket<E> {
        self.link_mut_if(depth).expect("invariant: a place is within its chain")
    }

    fn link_mut_if(&mut self, depth: u32) -> Option<&mut Bucket<E>> {
        match depth {
            0 => Some(self),
            _ => self.next_mut()?.link_mut_if(depth - 1),
        }
    }

    /// Puts an entry into a free slot.
    fn put(&mut self, slot: usize, tag: u8, entry: E) {
        assert!(slot < SLOTS && !self.holds(slot) && !(slot == LAST && self.is_chained()));
        self.slots[slot].write(Slot { entry: ManuallyDrop::new(entry) });
        debug_assert!(tag != 0 && self.tag(slot) == 0);
        self.word |= u64::from(tag) << (8 * (slot + 1)) | 1 << slot;
    }

    /// Takes the entry out of a slot and leaves the slot free.
    fn take(&mut self, slot: usize) -> E {
        assert!(self.holds(slot));
        self.word &= !(0xff << (8 * (slot + 1)) | 1 << slot);
        // SAFETY: the presence bit said that the slot holds an entry; clearing it first makes this the only read.
        unsafe { ManuallyDrop::into_inner(self.slots[slot].assume_init_read().entry) }
    }

    /// The rest of `remove` when the chain ends before the place now: the entry is the popped one, or it has moved into
    /// the last slot of the line before.
    fn remove_folded(&mut self, place: Place, last_tag: u8, last: E, freed: bool) -> (E, bool) {
        let folded = freed && place.depth > 0 && place.slot == 0;
        if !folded {
            return (last, freed);
        }
        let bucket = self.link_mut(place.depth - 1);
        let removed = bucket.take(LAST);
        bucket.put(LAST, last_tag, last);
        (removed, freed)
    }
}

/// What a tag finds in the first line of a chain.
pub enum Probe<'a, E> {
    /// An entry that may be it.
    Entry(&'a E),
    /// Nothing here, but the chain goes on.
    Chained(&'a Bucket<E>),
    /// Nothing.
    Absent,
}

impl<E> Drop for Bucket<E> {
    fn drop(&mut self) {
        for slot in 0..SLOTS {
            if self.holds(slot) {
                drop(self.take(slot));
            }
        }
        if self.is_chained() {
            self.word &= !u64::from(CHAINED);
            // SAFETY: the chain bit said that the last slot holds a bucket; clearing it first makes this the only read.
            drop(unsafe { ManuallyDrop::into_inner(self.slots[LAST].assume_init_read().next) });
        }
    }
}

/// Lines that a chain of `entries` has behind its first.
pub fn overflow_lines(entries: usize) -> usize {
    // Every line but the last holds six entries and the link; the last holds two to seven.
    if entries <= SLOTS { 0 } else { (entries - 2) / LAST }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(bucket: &Bucket<Box<u64>>, value: u64) -> Option<Place> {
        bucket.find(value as u8 + 1, |entry| **entry == value)
    }

    #[test]
    fn entries_are_found_through_growth_and_removal_of_the_chain() {
        for size in 1..40u64 {
            for victim in 0..size {
                let mut bucket = Bucket::default();
                let mut lines = 1;
                for value in 0..size {
                    lines += usize::from(bucket.push(value as u8 + 1, Box::new(value)));
                    bucket.check_invariants();
                }
                let place = find(&bucket, victim).unwrap();
                let (removed, freed) = bucket.remove(place);
                lines -= usize::from(freed);
                bucket.check_invariants();
                assert_eq!(*removed, victim);
                assert_eq!(bucket.lines().count(), lines);
                assert_eq!(bucket.len() as u64, size - 1);
                assert!((0..size).all(|value| find(&bucket, value).is_some() == (value != victim)));
            }
        }
    }

    #[test]
    fn equal_tags_are_told_apart_by_the_entry() {
        let mut bucket = Bucket::default();
        for value in 0..20u64 {
            bucket.push(9, Box::new(value));
        }
        for value in 0..20u64 {
            let place = bucket.find(9, |entry| **entry == value).unwrap();
            assert_eq!(**bucket.at(place), value);
            **bucket.at_mut(place) += 0;
        }
        assert!(bucket.find(8, |_| true).is_none());
    }

    #[test]
    fn every_entry_is_dropped_once() {
        let counter = std::rc::Rc::new(());
        let mut bucket = Bucket::default();
        for tag in 1..31 {
            bucket.push(tag, Box::new(counter.clone()));
        }
        let (_, popped, _) = bucket.pop().unwrap();
        drop(popped);
        assert_eq!(std::rc::Rc::strong_count(&counter), 30);
        drop(bucket);
        assert_eq!(std::rc::Rc::strong_count(&counter), 1);
    }
}
