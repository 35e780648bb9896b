//! The lock against a naive model: a list of holds, where each is a line of its own.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct Hold {
    owner: u8,
    mode: Mode,
}

/// All holds in order, and for each owner its fence and its end.
#[derive(Default)]
struct Model {
    holds: Vec<Hold>,
    terms: Vec<(u8, u64, u64)>,
}

impl Model {
    fn owners(&self) -> Vec<u8> {
        self.terms.iter().map(|(owner, ..)| *owner).collect()
    }

    fn is_exclusive(&self, owner: u8) -> bool {
        self.holds.iter().any(|hold| hold.owner == owner && hold.mode == Mode::Exclusive)
    }

    fn holds_of(&self, owner: u8) -> usize {
        self.holds.iter().filter(|hold| hold.owner == owner).count()
    }

    /// Whether a request is let through, and then with a new fence.
    fn ask(&mut self, owner: u8, mode: Mode, limit: usize, end_ms: u64, fence: u64) -> Option<bool> {
        let others_exclusive = self.owners().iter().any(|other| *other != owner && self.is_exclusive(*other));
        let others = self.owners().iter().any(|other| *other != owner);
        let holds = self.holds_of(owner);
        if holds >= limit && holds > 0 {
            return None;
        }
        let is_fresh = holds == 0 || (mode == Mode::Exclusive && !self.is_exclusive(owner));
        if others_exclusive || (mode == Mode::Exclusive && others && !self.is_exclusive(owner)) {
            return None;
        }
        self.holds.push(Hold { owner, mode });
        match self.terms.iter_mut().find(|(other, ..)| *other == owner) {
            Some((_, known, end)) => {
                *end = end_ms.max(*end);
                if is_fresh {
                    *known = fence;
                }
            }
            None => self.terms.push((owner, fence, end_ms)),
        }
        Some(is_fresh)
    }

    fn release(&mut self, owner: u8, all: bool) {
        let latest = self.holds.iter().rposition(|hold| hold.owner == owner);
        if let Some(at) = latest {
            self.holds.remove(at);
        }
        if all {
            self.holds.retain(|hold| hold.owner != owner);
        }
        if self.holds_of(owner) == 0 {
            self.terms.retain(|(other, ..)| *other != owner);
        }
    }

    fn expire(&mut self, now_ms: u64) {
        let over: Vec<u8> = self.terms.iter().filter(|term| term.2 <= now_ms).map(|term| term.0).collect();
        over.into_iter().for_each(|owner| self.release(owner, true));
    }
}

fn name(owner: u8) -> Vec<u8> {
    // Some are too long to lie inline.
    vec![b'a' + owner; usize::from(owner) * 10 + 1]
}

proptest! {
    #[test]
    fn a_lock_equals_a_list_of_holds(
        steps in proptest::collection::vec((0u8..5, 0u8..4, any::<bool>(), 1u64..40, 1u32..5), 1..120),
    ) {
        let (mut lock, mut model, mut now_ms, mut fence) = (Lock::default(), Model::default(), 0, 100);
        for (step, owner, flag, amount, limit) in steps {
            let owner_name = name(owner);
            match step {
                0 | 1 => {
                    let mode = if flag { Mode::Shared } else { Mode::Exclusive };
                    let end_ms = now_ms + amount;
                    fence += 1;
                    let expected = model.ask(owner, mode, limit as usize, end_ms, fence);
                    let verdict = lock.judge(&owner_name, mode, limit);
                    let is_fresh = matches!(verdict, Verdict::New | Verdict::Upgrade(_));
                    let is_let = is_fresh || matches!(verdict, Verdict::Again(_));
                    prop_assert_eq!(is_let.then_some(is_fresh), expected, "{:?}", verdict);
                    if is_let {
                        let term = Term::Lease { end_ms };
                        let ask = Ask { owner: &owner_name, mode, term, client: 1, note: Some(&owner_name) };
                        lock.admit(&ask, verdict, || fence);
                    }
                }
                2 | 3 => {
                    if let Some(at) = lock.of_owner(&owner_name) {
                        lock.release(at, flag);
                    }
                    model.release(owner, flag);
                }
                _ => {
                    now_ms += amount;
                    lock.expire(now_ms);
                    model.expire(now_ms);
                }
            }
            lock.check_invariants();
            let grants: Vec<_> = lock.grants().iter().map(|grant| {
                (grant.owner.to_vec(), grant.fence, grant.term.end_ms(), grant.holds() as usize, grant.mode())
            }).collect();
            let expected: Vec<_> = model.terms.iter().map(|&(owner, fence, end_ms)| {
                let mode = if model.is_exclusive(owner) { Mode::Exclusive } else { Mode::Shared };
                (name(owner), fence, end_ms, model.holds_of(owner), mode)
            }).collect();
            prop_assert_eq!(grants, expected);
        }
    }
}

#[test]
fn a_session_stays_one_and_a_lease_never_gets_shorter() {
    let session = Term::Session { grace_ms: 10, end_ms: NEVER_MS };
    let lease = |end_ms| Term::Lease { end_ms };
    assert_eq!(lease(50).joined_by(lease(20)), (lease(50), true));
    assert_eq!(lease(50).joined_by(session), (session, true));
    assert_eq!(session.joined_by(lease(20)), (session, false));
    let grace = Term::Grace { grace_ms: 10, end_ms: 110 };
    assert_eq!(session.without_connection(100), Some(grace));
    assert_eq!(grace.joined_by(lease(20)), (lease(110), true));
    assert_eq!(Term::Session { grace_ms: 0, end_ms: NEVER_MS }.without_connection(1), None);
    assert_eq!((session.left_ms(5), lease(7).left_ms(5), lease(7).left_ms(9)), (None, Some(2), Some(0)));
}
