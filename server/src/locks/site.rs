//! The key of a lock or semaphore whose shard is locked, and all that has to follow when its grants change: the register, the
//! graph, events, and who is told. Commands and the keeper change grants here and nowhere else.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use shardis_storage::types::lock::{Ask, Grant, Lock, Term, Verdict};
use shardis_storage::types::semaphore::{Permit, Semaphore};
use shardis_storage::{Event, Interest, Key, Kind, Notice, ObjectRef, Transaction, WrongType};

use super::register::{GrantRef, Granted};
use super::{Errand, Locks};
use crate::client::ClientInfo;
use crate::command::event;
use crate::state::State;

/// The present instant, as terms have it: monotonic milliseconds.
pub fn instant_ms(state: &State) -> u64 {
    u64::try_from(state.clock.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The key.
pub struct Site<'s, 't, 'k> {
    state: &'s State,
    txn: &'t mut Transaction<'k>,
    key: Key<'s>,
    /// The instant: monotonic milliseconds.
    pub now_ms: u64,
}

/// What somebody has got.
#[derive(Clone, Copy, Debug)]
pub struct Admitted {
    /// The number of the grant.
    pub fence: u64,
    /// How often its owner has it now.
    pub holds: u32,
    /// How long it lasts.
    pub term: Term,
    /// Where to find it.
    pub grant: GrantRef,
}

/// Why grants end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Their owner gives them back.
    Released,
    /// Their time is over, or their connection is gone.
    Expired,
    /// Somebody else ends them.
    Broken,
}

impl Ending {
    fn event(self) -> &'static Event {
        match self {
            Ending::Released => &event::LOCK_RELEASED,
            Ending::Expired => &event::LOCK_EXPIRED,
            Ending::Broken => &event::LOCK_BROKEN,
        }
    }

    fn count(self, locks: &Locks) {
        match self {
            Ending::Released => return,
            Ending::Expired => &locks.counts.expired,
            Ending::Broken => &locks.counts.broken,
        }
        .fetch_add(1, Ordering::Relaxed);
    }
}

/// A grant on its way out of the books.
struct Ended {
    fence: u64,
    term: Term,
    client: u64,
}

impl From<&Grant> for Ended {
    fn from(grant: &Grant) -> Ended {
        Ended { fence: grant.fence, term: grant.term, client: grant.client }
    }
}

impl Ended {
    fn of(fence: u64, permit: &Permit) -> Ended {
        Ended { fence, term: permit.term, client: permit.client }
    }
}

impl<'s, 't, 'k> Site<'s, 't, 'k> {
    /// The site of a key in the transaction's current database. What it changes is told by its own events.
    pub fn new(state: &'s State, txn: &'t mut Transaction<'k>, key: Key<'s>) -> Site<'s, 't, 'k> {
        Site::at(state, txn, key, instant_ms(state))
    }

    /// The same at an instant that is known.
    pub fn at(state: &'s State, txn: &'t mut Transaction<'k>, key: Key<'s>, now_ms: u64) -> Site<'s, 't, 'k> {
        txn.announce(Notice::Silent);
        Site { state, txn, key, now_ms }
    }

    /// What `read` finds at the lock, without what is over; the default where there is no lock.
    pub fn read_lock<R: Default>(&mut self, read: impl Fn(&Lock) -> R) -> Result<R, WrongType> {
        let now_ms = self.now_ms;
        let Some(found) = self.txn.find(&self.key) else { return Ok(R::default()) };
        let lock = found.object::<Lock>().ok_or(WrongType)?;
        if !lock.is_due(now_ms) {
            return Ok(read(lock));
        }
        self.sweep_lock()?;
        Ok(self.peek_lock().map_or_else(R::default, read))
    }

    fn peek_lock(&mut self) -> Option<&Lock> {
        self.txn.inspect(&self.key).and_then(|entry| entry.object::<Lock>())
    }

    /// What would become of a request, as far as the holders count.
    pub fn judge(&mut self, ask: &Ask<'_>, limit: u32) -> Result<Verdict, WrongType> {
        let verdict = self.read_lock(|lock| Some(lock.judge(ask.owner, ask.mode, limit)))?;
        Ok(verdict.unwrap_or(Verdict::New))
    }

    /// Makes a grant, or adds to one.
    pub fn admit(
        &mut self,
        ask: &Ask<'_>,
        verdict: Verdict,
        client: Option<&Arc<ClientInfo>>,
    ) -> Result<Admitted, WrongType> {
        let locks = &self.state.locks;
        let mut guard = self.txn.upsert::<Lock>(&self.key)?;
        let before = match verdict {
            Verdict::Again(at) | Verdict::Upgrade(at) => guard.grants().get(at).map(Ended::from),
            _ => None,
        };
        let (fence, holds, term, owner) = guard.change(|lock| {
            let at = lock.admit(ask, verdict, || locks.next_fence());
            let grant = &lock.grants()[at];
            (true, (grant.fence, grant.holds(), grant.term, grant.client))
        });
        drop(guard);
        self.enter(fence, term, owner, client);
        if let Some(Ended { fence: former, term: before, client: its }) = before {
            locks.register.leave_former(self.shard(), (former, before, its), (fence, term, owner));
        }
        self.txn.tell(&self.key, &event::LOCK_ACQUIRED);
        self.note_holders();
        Ok(Admitted { fence, holds, term, grant: self.grant_ref(fence, term) })
    }

    /// Undoes the latest hold of a grant, or all; how many are left.
    pub fn release(&mut self, fence: u64, all: bool) -> Result<Option<u32>, WrongType> {
        let Some(mut guard) = self.txn.edit::<Lock>(&self.key)? else { return Ok(None) };
        let Some(at) = guard.of_fence(fence) else { return Ok(None) };
        let (left, ended) = guard.change(|lock| (true, lock.release(at, all)));
        drop(guard);
        match &ended {
            Some(grant) => self.strike([Ended::from(grant)], Ending::Released),
            None => self.txn.tell(&self.key, &event::LOCK_RELEASED),
        }
        Ok(Some(left))
    }

    /// Changes how long a grant lasts, and by which connection.
    pub fn set_term(
        &mut self,
        fence: u64,
        term: Term,
        client: u64,
        info: Option<&Arc<ClientInfo>>,
    ) -> Result<(), WrongType> {
        let Some(mut guard) = self.txn.edit::<Lock>(&self.key)? else { return Ok(()) };
        let Some(at) = guard.of_fence(fence) else { return Ok(()) };
        let before = Ended::from(&guard.grants()[at]);
        guard.change(|lock| (true, lock.set_term(at, term, client)));
        drop(guard);
        self.rebook((fence, before.term, before.client), (term, client), info);
        Ok(())
    }

    /// Ends all grants of a lock, or all permits of a semaphore: how many there were.
    pub fn end_all(&mut self) -> Result<usize, WrongType> {
        let Some(mut guard) = self.txn.edit::<Lock>(&self.key)? else { return Ok(0) };
        let ended = guard.change(|lock| (!lock.is_free(), lock.end_all()));
        drop(guard);
        self.strike(ended.iter().map(Ended::from), Ending::Broken);
        Ok(ended.len())
    }

    /// Takes away what is over, whatever is at the key.
    pub fn sweep(&mut self) {
        match self.txn.inspect(&self.key).map(|entry| entry.kind()) {
            // The type has just been looked at.
            Some(Kind::Lock) => self.sweep_lock().unwrap_or_default(),
            Some(Kind::Semaphore) => drop(self.semaphore()),
            _ => {}
        }
    }

    fn sweep_lock(&mut self) -> Result<(), WrongType> {
        let now_ms = self.now_ms;
        let Some(found) = self.txn.find(&self.key) else { return Ok(()) };
        if !found.object::<Lock>().ok_or(WrongType)?.is_due(now_ms) {
            return Ok(());
        }
        let Some(mut guard) = self.txn.edit::<Lock>(&self.key)? else { return Ok(()) };
        let ended = guard.change(|lock| (true, lock.expire(now_ms)));
        drop(guard);
        self.strike(ended.iter().map(Ended::from), Ending::Expired);
        Ok(())
    }

    /// Lets a connection go: all grants or permits that lasted by it end, or last a little longer.
    pub fn depart(&mut self, client: u64) {
        let now_ms = self.now_ms;
        let is_its = |term: Term, owner: u64| matches!(term, Term::Session { .. }) && owner == client;
        let Some(entry) = self.txn.inspect(&self.key) else { return };
        let its: Vec<(u64, Term)> = match entry.any_object() {
            Some(ObjectRef::Lock(lock)) => {
                let its = lock.grants().iter().filter(|grant| is_its(grant.term, grant.client));
                its.map(|grant| (grant.fence, grant.term)).collect()
            }
            Some(ObjectRef::Semaphore(semaphore)) => {
                let its = semaphore.permits().filter(|(_, permit)| is_its(permit.term, permit.client));
                its.map(|(fence, permit)| (fence, permit.term)).collect()
            }
            _ => return,
        };
        for (fence, term) in its {
            let next = term.without_connection(now_ms).unwrap_or(Term::Lease { end_ms: now_ms });
            // Neither fails: the value has just been looked at.
            let _ = self.set_term(fence, next, client, None);
            self.set_permit_term(fence, next, None);
        }
        self.sweep();
    }

    /// Takes back what was granted to somebody who never heard of it.
    pub fn undo(&mut self, fence: u64) {
        self.state.locks.counts.undone.fetch_add(1, Ordering::Relaxed);
        // Another type has come in its place, or nothing is left of it; then there is nothing to be undone.
        let _ = self.release(fence, false);
        let _ = self.give_back(fence);
    }

    /// The semaphore, without what is over.
    pub fn semaphore(&mut self) -> Result<Option<&Semaphore>, WrongType> {
        let now_ms = self.now_ms;
        let Some(found) = self.txn.find(&self.key) else { return Ok(None) };
        let semaphore = found.object::<Semaphore>().ok_or(WrongType)?;
        if semaphore.is_due(now_ms) {
            let Some(mut guard) = self.txn.edit::<Semaphore>(&self.key)? else { return Ok(None) };
            let ended = guard.change(|semaphore| (true, semaphore.expire(now_ms)));
            drop(guard);
            self.strike(ended.iter().map(|(fence, permit)| Ended::of(*fence, permit)), Ending::Expired);
        }
        Ok(self.txn.inspect(&self.key).and_then(|entry| entry.object::<Semaphore>()))
    }

    /// Hands permits out: their number.
    pub fn hand_out(
        &mut self,
        permit: Permit,
        client: Option<&Arc<ClientInfo>>,
    ) -> Result<Option<(u64, i64, GrantRef)>, WrongType> {
        let fence = self.state.locks.next_fence();
        let Some(mut guard) = self.txn.edit::<Semaphore>(&self.key)? else { return Ok(None) };
        let (term, owner) = (permit.term, permit.client);
        let left = guard.change(|semaphore| {
            semaphore.hand_out(fence, permit);
            (true, semaphore.left())
        });
        drop(guard);
        self.enter(fence, term, owner, client);
        self.txn.tell(&self.key, &event::LOCK_ACQUIRED);
        Ok(Some((fence, left, self.grant_ref(fence, term))))
    }

    /// Takes a permit back: how many are left then, if it was out.
    pub fn give_back(&mut self, fence: u64) -> Result<Option<i64>, WrongType> {
        let Some(mut guard) = self.txn.edit::<Semaphore>(&self.key)? else { return Ok(None) };
        let taken = guard.change(|semaphore| {
            let permit = semaphore.take_back(fence);
            (permit.is_some(), permit.map(|permit| (permit, semaphore.left())))
        });
        drop(guard);
        let Some((permit, left)) = taken else { return Ok(None) };
        self.strike([Ended::of(fence, &permit)], Ending::Released);
        Ok(Some(left))
    }

    /// Changes how long a permit lasts, if it is out.
    pub fn set_permit_term(&mut self, fence: u64, term: Term, info: Option<&Arc<ClientInfo>>) {
        let Ok(Some(mut guard)) = self.txn.edit::<Semaphore>(&self.key) else { return };
        let Some(before) = guard.permit(fence).map(|permit| Ended::of(fence, permit)) else { return };
        guard.change(|semaphore| (true, semaphore.set_term(fence, term)));
        drop(guard);
        self.rebook((fence, before.term, before.client), (term, before.client), info);
    }

    /// Keeps a grant in the register, whose term or connection has changed. It is entered before it leaves, so that whoever looks finds it.
    fn rebook(
        &mut self,
        before: (u64, Term, u64),
        (term, client): (Term, u64),
        info: Option<&Arc<ClientInfo>>,
    ) {
        let fence = before.0;
        self.enter(fence, term, client, info);
        self.state.locks.register.leave_former(self.shard(), before, (fence, term, client));
    }

    fn shard(&self) -> usize {
        self.state.keyspace.shard_of(self.key.hash())
    }

    fn grant_ref(&self, fence: u64, term: Term) -> GrantRef {
        GrantRef { shard: u32::try_from(self.shard()).unwrap_or_default(), fence, end_ms: term.end_ms() }
    }

    /// Enters a grant in the books, and binds it to its connection if it lasts by that.
    fn enter(&mut self, fence: u64, term: Term, client: u64, info: Option<&Arc<ClientInfo>>) {
        let locks = &self.state.locks;
        let granted = Granted { db: self.txn.db(), key: self.key.bytes().into(), fence, client };
        if locks.register.enter(self.shard(), granted, term) {
            locks.errands.wake();
        }
        if let (Term::Session { .. }, Some(info)) = (term, info) {
            info.tell_of_leaving(&locks.errands);
        }
    }

    /// Takes what has ended out of the books, and tells those who have lost it.
    fn strike(&mut self, ended: impl IntoIterator<Item = Ended>, ending: Ending) {
        let locks = &self.state.locks;
        for Ended { fence, term, client } in ended {
            locks.register.leave(self.shard(), fence, term, client);
            ending.count(locks);
            if ending != Ending::Released {
                let key = self.key.bytes().into();
                locks.errands.push(Errand::TellLost { client, key, fence });
            }
            self.txn.tell(&self.key, ending.event());
        }
        self.note_holders();
    }

    /// Lets the graph know who holds the lock, if anybody waits for any.
    pub fn note_holders(&mut self) {
        if !self.txn.is_observed(Interest::in_kind(Kind::Lock)) {
            return;
        }
        let (state, db, key) = (self.state, self.txn.db(), self.key);
        let grants = self.peek_lock().map_or(&[][..], Lock::grants);
        state.locks.graph.note_holders(db, key.bytes(), grants.iter().map(|grant| &*grant.owner));
    }
}
