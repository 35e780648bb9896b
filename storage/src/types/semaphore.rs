//! A semaphore: so many permits, and who has which. It knows no key, no queue and no clock. It is there until somebody removes
//! its key, whether permits are out or not.

use std::collections::BTreeMap;

use super::lock::{NEVER_MS, Term};

/// What one request has got of a semaphore.
#[derive(Clone, Debug)]
pub struct Permit {
    /// For whom.
    pub owner: Box<[u8]>,
    /// How many of those that there are.
    pub count: u64,
    /// How long.
    pub term: Term,
    /// The connection that has asked.
    pub client: u64,
}

/// So many permits.
#[derive(Clone, Debug, Default)]
pub struct Semaphore(Box<Permits>);

#[derive(Clone, Debug)]
struct Permits {
    size: u64,
    used: u64,
    /// By the fence of each.
    out: BTreeMap<u64, Permit>,
    owners_bytes: usize,
    /// Nothing that is out ends before.
    next_end_ms: u64,
}

impl Default for Permits {
    fn default() -> Permits {
        Permits { size: 0, used: 0, out: BTreeMap::new(), owners_bytes: 0, next_end_ms: NEVER_MS }
    }
}

impl Semaphore {
    /// A semaphore with all its permits.
    pub fn of_size(size: u64) -> Semaphore {
        Semaphore(Box::new(Permits { size, ..Permits::default() }))
    }

    /// How many permits there are.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// How many are out.
    pub fn used(&self) -> u64 {
        self.0.used
    }

    /// How many are left; negative while more are out than there are.
    pub fn left(&self) -> i64 {
        i64::try_from(self.0.size).unwrap_or(i64::MAX) - i64::try_from(self.0.used).unwrap_or(i64::MAX)
    }

    /// Changes how many there are.
    pub fn resize(&mut self, size: u64) {
        self.0.size = size;
    }

    /// Whether so many can be had now.
    pub fn has(&self, count: u64) -> bool {
        self.left() >= i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// Hands permits out under a number.
    pub fn hand_out(&mut self, fence: u64, permit: Permit) {
        self.0.used += permit.count;
        self.0.owners_bytes += permit.owner.len();
        self.0.next_end_ms = self.0.next_end_ms.min(permit.term.end_ms());
        self.0.out.insert(fence, permit);
    }

    /// Takes back what is out under a number.
    pub fn take_back(&mut self, fence: u64) -> Option<Permit> {
        let permit = self.0.out.remove(&fence)?;
        self.0.used -= permit.count;
        self.0.owners_bytes -= permit.owner.len();
        Some(permit)
    }

    /// What is out under a number.
    pub fn permit(&self, fence: u64) -> Option<&Permit> {
        self.0.out.get(&fence)
    }

    /// Changes how long that lasts.
    pub fn set_term(&mut self, fence: u64, term: Term) {
        if let Some(permit) = self.0.out.get_mut(&fence) {
            permit.term = term;
            self.0.next_end_ms = self.0.next_end_ms.min(term.end_ms());
        }
    }

    /// All that is out, the oldest first.
    pub fn permits(&self) -> impl Iterator<Item = (u64, &Permit)> {
        self.0.out.iter().map(|(fence, permit)| (*fence, permit))
    }

    /// Whether anything may be over.
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.0.next_end_ms <= now_ms
    }

    /// Takes back what is over.
    pub fn expire(&mut self, now_ms: u64) -> Vec<(u64, Permit)> {
        let over: Vec<u64> = self
            .permits()
            .filter(|(_, permit)| permit.term.is_over(now_ms))
            .map(|(fence, _)| fence)
            .collect();
        let over = over.into_iter().filter_map(|fence| Some((fence, self.take_back(fence)?))).collect();
        let ends = self.permits().map(|(_, permit)| permit.term.end_ms());
        self.0.next_end_ms = ends.min().unwrap_or(NEVER_MS);
        over
    }

    /// Heap bytes.
    pub fn memory_bytes(&self) -> usize {
        let entry_bytes = size_of::<(u64, Permit)>();
        size_of::<Permits>() + self.0.owners_bytes + self.0.out.len() * entry_bytes
    }

    /// Asserts what must hold at any time.
    pub fn check_invariants(&self) {
        assert!(self.0.out.values().all(|permit| permit.term.end_ms() >= self.0.next_end_ms));
        assert_eq!(self.0.used, self.0.out.values().map(|permit| permit.count).sum::<u64>());
        assert_eq!(self.0.owners_bytes, self.0.out.values().map(|permit| permit.owner.len()).sum::<usize>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit(count: u64, end_ms: u64) -> Permit {
        Permit { owner: Box::from(&b"me"[..]), count, term: Term::Lease { end_ms }, client: 1 }
    }

    #[test]
    fn permits_come_back_by_their_number_or_by_time() {
        let mut semaphore = Semaphore::of_size(5);
        semaphore.hand_out(7, permit(2, 100));
        semaphore.hand_out(8, permit(3, 50));
        assert_eq!((semaphore.left(), semaphore.has(0), semaphore.has(1)), (0, true, false));
        semaphore.resize(1);
        assert_eq!(semaphore.left(), -4);
        assert!(semaphore.take_back(9).is_none());
        let over = semaphore.expire(50);
        assert_eq!(over.iter().map(|(fence, _)| *fence).collect::<Vec<_>>(), [8]);
        assert_eq!((semaphore.left(), semaphore.take_back(7).map(|permit| permit.count)), (-1, Some(2)));
        assert_eq!((semaphore.left(), semaphore.used()), (1, 0));
        semaphore.check_invariants();
    }
}
