//! The protocol of cuts, as `keyspace::cut` states it, on paper: a few actors with two shards, whose steps are run in every order that
//! their locks allow. It knows nothing of the real keyspace and takes memory to be sequentially consistent; that the word is read no
//! older than what one has seen is the coherence of one word, which the real code has from the processor.

#![allow(clippy::expect_used, reason = "a panic is how a test fails")]

use std::collections::HashSet;

const SHARDS: usize = 2;

/// One step of an actor; the actors take turns between any two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    OrderShared,
    OrderExclusive,
    OrderRelease,
    Lock(usize),
    Unlock(usize),
    /// A transaction reads the epoch.
    Read,
    /// A transaction puts its bit to the key of a shard, after it has shown the old value to the cut if it is after it.
    Write(usize, u8),
    /// The same without showing it.
    WriteUnseen(usize, u8),
    /// The opener files its parts.
    File,
    /// The opener raises the epoch.
    Raise,
    /// The visitor looks at the key of a shard unless that is done.
    Visit(usize),
}

use Step::{
    File, Lock, OrderExclusive, OrderRelease, OrderShared, Raise, Read, Unlock, Visit, Write, WriteUnseen,
};

/// Several known shards: both are written, as one change.
const SEVERAL: &[Step] = &[
    OrderShared,
    Lock(0),
    Lock(1),
    Read,
    Write(0, BOTH),
    Write(1, BOTH),
    Unlock(0),
    Unlock(1),
    OrderRelease,
];
/// Two transactions of one shard each, the second after the first.
const CHAIN: &[Step] =
    &[Lock(0), Read, Write(0, FIRST), Unlock(0), Lock(1), Read, Write(1, SECOND), Unlock(1)];
/// Shards are locked as they are touched.
const DISCOVERED: &[Step] = &[
    OrderExclusive,
    Lock(1),
    Read,
    Write(1, FOUND),
    Lock(0),
    Read,
    Write(0, FOUND),
    Unlock(1),
    Unlock(0),
    OrderRelease,
];
const CUT: &[Step] =
    &[OrderShared, File, Raise, OrderRelease, Lock(0), Visit(0), Unlock(0), Lock(1), Visit(1), Unlock(1)];

const BOTH: u8 = 1;
const FIRST: u8 = 2;
const SECOND: u8 = 4;
const FOUND: u8 = 8;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    /// Where each actor is, and the epoch that it has read.
    at: [u8; 4],
    read: [u8; 4],
    /// Who holds `order` shared, by bits, and who holds it alone.
    shared: u8,
    exclusive: Option<u8>,
    locks: [Option<u8>; SHARDS],
    epoch: u8,
    is_filed: bool,
    /// The keys: who has written them.
    keys: [u8; SHARDS],
    /// What the cut has got of each.
    cut: [Option<u8>; SHARDS],
    /// What had been written and let go when the cut began, and what had been begun when it was there.
    finished_before: u8,
    begun_before: u8,
}

impl State {
    /// After the next step of an actor; `None` if it has to wait.
    fn after(mut self, actor: usize, step: Step, finished: u8, begun: u8) -> Option<State> {
        let bit = 1 << actor;
        match step {
            OrderShared if self.exclusive.is_some() => return None,
            OrderShared => self.shared |= bit,
            OrderExclusive if self.exclusive.is_some() || self.shared != 0 => return None,
            OrderExclusive => self.exclusive = Some(actor as u8),
            OrderRelease => {
                self.shared &= !bit;
                self.exclusive = self.exclusive.filter(|holder| usize::from(*holder) != actor);
            }
            Lock(shard) if self.locks[shard].is_some() => return None,
            Lock(shard) => self.locks[shard] = Some(actor as u8),
            Unlock(shard) => self.locks[shard] = None,
            Read => self.read[actor] = self.epoch,
            Write(shard, bits) => {
                if self.read[actor] == 1 && self.is_filed {
                    self.cut[shard].get_or_insert(self.keys[shard]);
                }
                self.keys[shard] |= bits;
            }
            WriteUnseen(shard, bits) => self.keys[shard] |= bits,
            File => {
                self.is_filed = true;
                self.finished_before = finished;
            }
            Raise => {
                self.epoch = 1;
                self.begun_before = begun;
            }
            Visit(shard) => drop(self.cut[shard].get_or_insert(self.keys[shard])),
        }
        self.at[actor] += 1;
        Some(self)
    }

    /// Whether what the cut has got was there at one instant between its beginning and its end.
    fn is_consistent(&self) -> bool {
        let [zero, one] = self.cut.map(|seen| seen.expect("everything was visited"));
        let is_whole = |bit| (zero & bit != 0) == (one & bit != 0);
        let seen = zero | one;
        is_whole(BOTH)
            && is_whole(FOUND)
            && (one & SECOND == 0 || zero & FIRST != 0)
            && seen & self.finished_before == self.finished_before
            && seen & !self.begun_before == 0
    }
}

/// Runs the actors in every order; how many ends there are, and how many of them are inconsistent.
fn explore(actors: &[&[Step]]) -> (usize, usize) {
    let (mut seen, mut stack) = (HashSet::new(), vec![State::default()]);
    let (mut ends, mut wrong) = (0, 0);
    while let Some(state) = stack.pop() {
        if !seen.insert(state) {
            continue;
        }
        let bits = |actor: usize, until: usize| {
            actors[actor][..until].iter().fold(0, |bits, step| match step {
                Write(_, bit) | WriteUnseen(_, bit) => bits | bit,
                _ => bits,
            })
        };
        // A bit counts as finished when its actor has let its last shard go, and as begun when it holds its first.
        let finished = (0..actors.len()).fold(0, |all, actor| {
            let done = &actors[actor][..state.at[actor].into()];
            let last = done.iter().rposition(|step| matches!(step, Unlock(_)));
            let is_free = state.locks.iter().all(|holder| holder.map(usize::from) != Some(actor));
            all | last.filter(|_| is_free).map_or(0, |last| bits(actor, last))
        });
        let begun = (0..actors.len()).fold(0, |all, actor| {
            // Up to the next unlock everything belongs to what has begun.
            let at = usize::from(state.at[actor]);
            let is_inside = state.locks.iter().any(|holder| holder.map(usize::from) == Some(actor));
            let rest = actors[actor][at..].iter().position(|step| matches!(step, Unlock(_))).unwrap_or(0);
            all | bits(actor, if is_inside { at + rest } else { at })
        });
        let mut is_end = true;
        for (actor, steps) in actors.iter().enumerate() {
            if let Some(step) = steps.get(usize::from(state.at[actor])) {
                is_end = false;
                stack.extend(state.after(actor, *step, finished, begun));
            }
        }
        if is_end {
            ends += 1;
            wrong += usize::from(!state.is_consistent());
        }
    }
    (ends, wrong)
}

/// The same steps but for some.
fn but(steps: &[Step], change: impl Fn(Step) -> Option<Step>) -> Vec<Step> {
    steps.iter().filter_map(|step| change(*step)).collect()
}

/// The same steps with the shards exchanged.
fn mirrored(steps: &[Step]) -> Vec<Step> {
    but(steps, |step| {
        Some(match step {
            Lock(shard) => Lock(1 - shard),
            Unlock(shard) => Unlock(1 - shard),
            Visit(shard) => Visit(1 - shard),
            step => step,
        })
    })
}

#[test]
fn every_order_of_steps_gives_one_instant() {
    for writers in [[SEVERAL, CHAIN], [SEVERAL, DISCOVERED], [CHAIN, DISCOVERED], [CHAIN, CHAIN]] {
        for cut in [CUT, &mirrored(CUT)] {
            let (ends, wrong) = explore(&[cut, writers[0], writers[1]]);
            assert!(ends > 3, "{writers:?}: {ends} ends");
            assert_eq!(wrong, 0, "{writers:?}");
        }
    }
    let (ends, wrong) = explore(&[CUT, SEVERAL, CHAIN, DISCOVERED]);
    assert!(ends > 10 && wrong == 0, "{wrong} of {ends}");
}

/// Each part of the protocol is needed: without it, some order of steps goes wrong.
#[test]
fn what_is_left_out_is_missed() {
    let early = |steps: &[Step]| {
        let rest = but(steps, |step| (step != Read).then_some(step));
        [&[Read][..], &rest].concat()
    };
    let unseen = |steps: &[Step]| {
        but(steps, |step| match step {
            Write(shard, bits) => Some(WriteUnseen(shard, bits)),
            step => Some(step),
        })
    };
    let first_lock = |steps: &[Step]| {
        let rest = but(steps, |step| (step != Read).then_some(step));
        let at = rest.iter().position(|step| matches!(step, Lock(_))).unwrap_or(0) + 1;
        [&rest[..at], &[Read], &rest[at..]].concat()
    };
    let disorderly = |steps: &[Step]| {
        but(steps, |step| (!matches!(step, OrderShared | OrderExclusive | OrderRelease)).then_some(step))
    };
    // The visitor comes to either shard first.
    let is_wrong =
        |cut: &[Step], writer: &[Step]| [cut, &mirrored(cut)].iter().any(|cut| explore(&[cut, writer]).1 > 0);
    for writer in [SEVERAL, CHAIN, DISCOVERED] {
        assert!(!is_wrong(CUT, writer));
        assert!(is_wrong(CUT, &early(writer)), "the epoch is read under the lock: {writer:?}");
        assert!(is_wrong(CUT, &unseen(writer)), "writers feed: {writer:?}");
    }
    assert!(is_wrong(CUT, &first_lock(SEVERAL)), "the epoch is read under the last lock");
    assert!(is_wrong(&disorderly(CUT), DISCOVERED), "opening waits for who discovers");
    assert!(!is_wrong(&disorderly(CUT), SEVERAL), "but for nobody else");
}
