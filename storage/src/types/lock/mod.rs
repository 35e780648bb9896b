//! A lock: who holds it, how often and how long. It knows no key, no queue and no clock; who waits for it is the business of
//! the server, and time is an argument.
//!
//! 1. There is one [`Grant`] for each owner. Either it is the only one, or all are shared.
//! 2. A grant is a stack of holds. It is exclusive while there is an exclusive hold in it, and undoing goes from the latest to
//!    the first. So who has read, then written, and gives one back, reads on.
//! 3. Each new grant has a fence, greater than all before it; so has one that becomes exclusive. What has an older one is stale.
//! 4. A grant lasts by its [`Term`]. One whose time is over stays until [`Lock::expire`] takes it away, which callers do before
//!    anything else, so that nobody meets it.
//!
//! A lock without grants is free, which is to say that there is no such key.

mod term;

use smallvec::SmallVec;

pub use self::term::{NEVER_MS, Term};

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By nobody else.
    Exclusive,
    /// By others as well, if they share it.
    Shared,
}

impl Mode {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Exclusive => "exclusive",
            Mode::Shared => "shared",
        }
    }
}

/// An owner's name; short ones take no memory of their own.
pub type Owner = SmallVec<[u8; OWNER_BYTES_INLINE]>;

const OWNER_BYTES_INLINE: usize = 24;

/// How often one owner holds a lock at the most.
pub const HOLDS_MAX: u32 = 65_536;

/// Owners that share a lock at the most: each request looks at all of them.
pub const SHARERS_MAX: usize = 10_000;

/// What one owner has of a lock.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Who.
    pub owner: Owner,
    /// The number of this grant, which is how stale ones are told.
    pub fence: u64,
    /// How long.
    pub term: Term,
    /// The connection that last asked for it.
    pub client: u64,
    /// A remark of its owner.
    pub note: Box<[u8]>,
    /// Runs of holds of one mode, the latest at the end.
    runs: SmallVec<[(Mode, u32); 2]>,
}

/// What is asked of a lock.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// For whom.
    pub owner: &'a [u8],
    /// How.
    pub mode: Mode,
    /// How long.
    pub term: Term,
    /// By which connection.
    pub client: u64,
    /// A remark, if there is a new one.
    pub note: Option<&'a [u8]>,
}

/// What would become of a request, as far as those count who hold the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A new grant.
    New,
    /// One more hold of the grant at this place.
    Again(usize),
    /// The shared grant at this place becomes exclusive, with a new fence.
    Upgrade(usize),
    /// It has to wait for others.
    Busy,
    /// It is a shared one that has to wait for the others to become exclusive.
    BusyUpgrade,
    /// Its owner holds it as often as it may.
    Full,
    /// As many share it as may.
    Crowded,
}

/// Who holds a lock.
#[derive(Clone, Debug, Default)]
pub struct Lock(Option<Box<Grants>>);

#[derive(Clone, Debug, Default)]
struct Grants {
    all: SmallVec<[Grant; 1]>,
    /// Memory behind owners, remarks and runs.
    behind_bytes: usize,
}

impl Grant {
    /// How often its owner holds the lock.
    pub fn holds(&self) -> u32 {
        self.runs.iter().map(|(_, count)| count).sum()
    }

    /// How its owner holds the lock.
    pub fn mode(&self) -> Mode {
        let is_exclusive = self.runs.iter().any(|(mode, _)| *mode == Mode::Exclusive);
        if is_exclusive { Mode::Exclusive } else { Mode::Shared }
    }

    fn hold(&mut self, mode: Mode) {
        match self.runs.last_mut() {
            Some((last, count)) if *last == mode => *count += 1,
            _ => self.runs.push((mode, 1)),
        }
    }

    /// Undoes the latest hold.
    fn undo(&mut self) {
        if let Some((_, count)) = self.runs.last_mut() {
            *count -= 1;
            if *count == 0 {
                self.runs.pop();
            }
        }
    }

    fn behind_bytes(&self) -> usize {
        let owner = if self.owner.spilled() { self.owner.capacity() } else { 0 };
        let runs = if self.runs.spilled() { self.runs.capacity() * size_of::<(Mode, u32)>() } else { 0 };
        owner + runs + self.note.len()
    }
}

impl Lock {
    /// All grants, in the order in which they were made.
    pub fn grants(&self) -> &[Grant] {
        self.0.as_ref().map_or(&[], |grants| &grants.all)
    }

    /// Whether nobody holds it.
    pub fn is_free(&self) -> bool {
        self.grants().is_empty()
    }

    /// How it is held.
    pub fn mode(&self) -> Option<Mode> {
        self.grants().first().map(Grant::mode)
    }

    /// Heap bytes.
    pub fn memory_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |grants| {
            let all = if grants.all.spilled() { grants.all.capacity() * size_of::<Grant>() } else { 0 };
            size_of::<Grants>() + all + grants.behind_bytes
        })
    }

    /// The place of an owner's grant.
    pub fn of_owner(&self, owner: &[u8]) -> Option<usize> {
        self.grants().iter().position(|grant| *grant.owner == *owner)
    }

    /// The place of the grant with this fence.
    pub fn of_fence(&self, fence: u64) -> Option<usize> {
        self.grants().iter().position(|grant| grant.fence == fence)
    }

    /// Takes away what is over.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Grant> {
        self.end_where(|grant| grant.term.is_over(now_ms))
    }

    /// Whether anything is over.
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.grants().iter().any(|grant| grant.term.is_over(now_ms))
    }

    /// What would become of a request. Who may hold it `limit` times may not once more.
    pub fn judge(&self, owner: &[u8], mode: Mode, limit: u32) -> Verdict {
        if let Some(at) = self.of_owner(owner) {
            let own = &self.grants()[at];
            return match mode {
                _ if own.holds() >= limit.min(HOLDS_MAX) => Verdict::Full,
                Mode::Exclusive if own.mode() == Mode::Shared && self.grants().len() == 1 => {
                    Verdict::Upgrade(at)
                }
                Mode::Exclusive if own.mode() == Mode::Shared => Verdict::BusyUpgrade,
                Mode::Exclusive | Mode::Shared => Verdict::Again(at),
            };
        }
        match self.mode() {
            None => Verdict::New,
            Some(Mode::Shared) if mode == Mode::Shared && self.grants().len() < SHARERS_MAX => Verdict::New,
            Some(Mode::Shared) if mode == Mode::Shared => Verdict::Crowded,
            Some(_) => Verdict::Busy,
        }
    }

    /// Carries out a request that [`Lock::judge`] lets through; `fence` is that of a new grant. Its place.
    pub fn admit(&mut self, ask: &Ask<'_>, verdict: Verdict, fence: impl FnOnce() -> u64) -> usize {
        let grants = self.0.get_or_insert_default();
        let at = match verdict {
            Verdict::New => {
                grants.all.push(Grant {
                    owner: Owner::from_slice(ask.owner),
                    fence: fence(),
                    term: ask.term,
                    client: ask.client,
                    note: ask.note.unwrap_or_default().into(),
                    runs: SmallVec::new(),
                });
                grants.all.len() - 1
            }
            Verdict::Again(at) | Verdict::Upgrade(at) => {
                let grant = &mut grants.all[at];
                grants.behind_bytes -= grant.behind_bytes();
                if matches!(verdict, Verdict::Upgrade(_)) {
                    grant.fence = fence();
                }
                let (term, is_of_newest) = grant.term.joined_by(ask.term);
                grant.term = term;
                if is_of_newest {
                    grant.client = ask.client;
                }
                if let Some(note) = ask.note {
                    grant.note = note.into();
                }
                at
            }
            Verdict::Busy | Verdict::BusyUpgrade | Verdict::Full | Verdict::Crowded => {
                unreachable!("only what is let through is carried out")
            }
        };
        let grant = &mut grants.all[at];
        grant.hold(ask.mode);
        grants.behind_bytes += grant.behind_bytes();
        at
    }

    /// Undoes the latest hold of a grant, or all: how many are left, and the grant if it has ended.
    pub fn release(&mut self, at: usize, all: bool) -> (u32, Option<Grant>) {
        let Some(grants) = &mut self.0 else { return (0, None) };
        let grant = &mut grants.all[at];
        if !all && grant.holds() > 1 {
            grants.behind_bytes -= grant.behind_bytes();
            grant.undo();
            grants.behind_bytes += grant.behind_bytes();
            return (grant.holds(), None);
        }
        (0, Some(self.end(at)))
    }

    /// Changes how long a grant lasts, and by which connection.
    pub fn set_term(&mut self, at: usize, term: Term, client: u64) {
        if let Some(grants) = &mut self.0 {
            (grants.all[at].term, grants.all[at].client) = (term, client);
        }
    }

    /// Ends a grant.
    pub fn end(&mut self, at: usize) -> Grant {
        let grants = self.0.as_mut().expect("invariant: there is a grant at this place");
        let grant = grants.all.remove(at);
        grants.behind_bytes -= grant.behind_bytes();
        grant
    }

    /// Ends all grants.
    pub fn end_all(&mut self) -> Vec<Grant> {
        self.end_where(|_| true)
    }

    fn end_where(&mut self, is_over: impl Fn(&Grant) -> bool) -> Vec<Grant> {
        let Some(grants) = &mut self.0 else { return Vec::new() };
        let (mut ended, mut left) = (Vec::new(), SmallVec::new());
        for grant in std::mem::take(&mut grants.all) {
            if is_over(&grant) {
                grants.behind_bytes -= grant.behind_bytes();
                ended.push(grant);
            } else {
                left.push(grant);
            }
        }
        grants.all = left;
        ended
    }

    /// Asserts what must hold at any time.
    pub fn check_invariants(&self) {
        let grants = self.grants();
        assert!(grants.len() <= 1 || grants.iter().all(|grant| grant.mode() == Mode::Shared));
        assert!(grants.iter().all(|grant| (1..=HOLDS_MAX).contains(&grant.holds())));
        for (at, grant) in grants.iter().enumerate() {
            assert_eq!(self.of_owner(&grant.owner), Some(at), "one grant for each owner");
            assert_eq!(self.of_fence(grant.fence), Some(at), "one fence for each grant");
        }
        let behind_bytes: usize = grants.iter().map(Grant::behind_bytes).sum();
        assert_eq!(self.0.as_ref().map_or(0, |grants| grants.behind_bytes), behind_bytes);
    }
}

#[cfg(test)]
mod tests;
