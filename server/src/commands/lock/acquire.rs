//! Acquiring locks, one or several at once, and waiting for them. When the keys are offered to who waits, these run once more.
//!
//! A request that would be let through by those who hold a lock still has to wait while others stand before it in the queue; who
//! has the lock already does not, because others wait for him.

use shardis_protocol::{Reply, number};
use shardis_storage::types::lock::{Ask, HOLDS_MAX, Lock, Verdict};
use shardis_storage::{Interest, Key, Kind, Transaction};
use smallvec::SmallVec;

use super::options::{Of, Options, owner};
use super::{SINCE, admitted, count, lease};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key, numbered};
use crate::locks::graph;
use crate::locks::site::{Admitted, Site, instant_ms};

pub static ACQUIRE: Command = Command::blocking("LOCK.ACQUIRE", Kind::Lock, acquire)
    .syntax(
        "key owner [LEASE milliseconds | SESSION [GRACE milliseconds]] [WAIT milliseconds] [SHARED] [LIMIT count] \
         [BARGE] [NOTE text]",
    )
    .arity(AtLeast(3))
    .keys(&[key(1).read_write().accesses().updates()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .in_turn()
    .with_client()
    .since(SINCE)
    .complexity("O(1); O(N) with N owners that share the lock.")
    .summary("Acquires a lock for an owner, or waits for it in turn.");

fn acquire(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let keys = [call.next_key()?];
    let mut args = call.args;
    let (owner, options) = (owner(&mut args)?, Options::parse(&mut args, Of::Lock)?);
    let request = Request { owner, options };
    match request.attempt(call, txn, &keys)? {
        Attempt::Granted(granted, now_ms) => {
            admitted(call.reply, &granted[0], now_ms);
            Ok(Flow::Done)
        }
        Attempt::Busy(busy) => request.wait(call, txn, &keys, &busy),
    }
}

pub static MACQUIRE: Command = Command::blocking("LOCK.MACQUIRE", Kind::Lock, macquire)
    .syntax(
        "numkeys:integer key [key ...] owner [LEASE milliseconds | SESSION [GRACE milliseconds]] [WAIT milliseconds] \
         [SHARED] [LIMIT count] [BARGE] [NOTE text]",
    )
    .arity(AtLeast(4))
    .keys(&[numbered(1, 1).read_write().accesses().updates()])
    .flags(Flags::DENY_OOM.union(Flags::MOVABLE_KEYS))
    .in_turn()
    .with_client()
    .since(SINCE)
    .complexity("O(N) with N being the number of keys.")
    .summary("Acquires several locks for an owner, all or none, or waits for all of them in turn.");

fn macquire(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let numkeys = number::parse_i64(call.args.take()?).and_then(|numkeys| usize::try_from(numkeys).ok());
    let numkeys = numkeys.filter(|&numkeys| numkeys > 0).ok_or(Error::INVALID_NUMKEYS)?;
    if numkeys >= call.args.len() {
        return Err(Error::NUMKEYS_BEYOND_ARGUMENTS);
    }
    let keys: Vec<Key<'_>> = call.keys().collect();
    let mut names: Vec<&[u8]> = keys.iter().map(Key::bytes).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::LOCK_KEY_TWICE);
    }
    let mut args = call.args.behind(numkeys)?;
    let (owner, options) = (owner(&mut args)?, Options::parse(&mut args, Of::Lock)?);
    let request = Request { owner, options };
    match request.attempt(call, txn, &keys)? {
        Attempt::Granted(granted, now_ms) => {
            call.reply.map(2);
            call.reply.bulk(b"fences");
            call.reply.array(granted.len());
            granted.iter().for_each(|granted| count(call.reply, granted.fence));
            call.reply.bulk(b"lease");
            let soonest = granted.iter().map(|granted| granted.term).min_by_key(|term| term.end_ms());
            lease(call.reply, soonest.unwrap_or(granted[0].term), now_ms);
            Ok(Flow::Done)
        }
        Attempt::Busy(busy) => request.wait(call, txn, &keys, &busy),
    }
}

/// Who asks for what.
struct Request<'a> {
    owner: &'a [u8],
    options: Options<'a>,
}

/// How an attempt went.
enum Attempt {
    /// All is granted, at this instant.
    Granted(SmallVec<[Admitted; 1]>, u64),
    /// Nothing is: what those say who hold the keys, in the order of the keys.
    Busy(SmallVec<[Verdict; 1]>),
}

impl Request<'_> {
    /// Acquires all keys if that is possible now.
    fn attempt(
        &self,
        call: &mut Call<'_>,
        txn: &mut Transaction<'_>,
        keys: &[Key<'_>],
    ) -> Result<Attempt, Error> {
        let state = call.state;
        // Whoever barges stands before all but those who have the lock and want more of it.
        let ticket = call.ticket.unwrap_or(if self.options.barges { BARGING } else { i64::MAX });
        let is_queue = txn.is_observed(Interest::in_kind(Kind::Lock));
        let now_ms = instant_ms(state);
        let ask = self.ask(call, now_ms);
        let (mut verdicts, mut can_all) = (SmallVec::<[Verdict; 1]>::new(), true);
        for key in keys {
            let mut site = Site::at(state, txn, *key, now_ms);
            let verdict = site.judge(&ask, self.options.limit.unwrap_or(HOLDS_MAX))?;
            can_all &= match verdict {
                Verdict::New => !is_queue || state.waiters.is_next(call.db, key.bytes(), Kind::Lock, ticket),
                Verdict::Again(_) | Verdict::Upgrade(_) => true,
                Verdict::Busy | Verdict::BusyUpgrade => false,
                Verdict::Full => return self.refuse(call, key, verdicts),
                Verdict::Crowded => return Err(Error::LOCK_CROWDED),
            };
            verdicts.push(verdict);
        }
        if !can_all {
            return Ok(Attempt::Busy(verdicts));
        }
        let mut granted = SmallVec::new();
        for (key, verdict) in keys.iter().zip(verdicts) {
            let mut site = Site::at(state, txn, *key, now_ms);
            let admitted = site.admit(&ask, verdict, call.client.as_ref())?;
            call.granted.push(admitted.grant);
            granted.push(admitted);
        }
        Ok(Attempt::Granted(granted, now_ms))
    }

    fn ask(&self, call: &Call<'_>, now_ms: u64) -> Ask<'_> {
        Ask {
            owner: self.owner,
            mode: self.options.mode(),
            term: self.options.term(call, now_ms),
            client: call.client.as_ref().map_or(0, |client| client.id),
            note: self.options.note,
        }
    }

    /// What becomes of a request for more holds than there may be.
    fn refuse(
        &self,
        call: &Call<'_>,
        key: &Key<'_>,
        mut verdicts: SmallVec<[Verdict; 1]>,
    ) -> Result<Attempt, Error> {
        if self.options.limit.is_none_or(|limit| limit > HOLDS_MAX) {
            return Err(Error::LOCK_HOLDS);
        }
        // In a program nobody waits.
        if self.options.wait_ms.is_some() && call.program.is_none() {
            return Err(Error::deadlock_by_limit(key.bytes()));
        }
        verdicts.push(Verdict::Full);
        Ok(Attempt::Busy(verdicts))
    }

    /// Waits, if it is to, unless that would be waiting for itself.
    fn wait(
        &self,
        call: &mut Call<'_>,
        txn: &mut Transaction<'_>,
        keys: &[Key<'_>],
        verdicts: &[Verdict],
    ) -> Done {
        let Some(wait_ms) = self.options.wait_ms else { return call.null_array() };
        let mut ticket = call.ticket;
        if ticket.is_none() && call.program.is_none() {
            let number = call.state.waiters.ticket();
            let turn = if verdicts.contains(&Verdict::BusyUpgrade) {
                i64::MIN + number
            } else if self.options.barges {
                -number
            } else {
                number
            };
            self.enter(call, txn, keys, verdicts, turn)?;
            ticket = Some(turn);
        }
        let flow = call.block(wait_ms, Reply::null_array);
        if let Some(block) = &mut call.block {
            block.ticket = ticket;
        }
        flow
    }

    /// Enters the request in the graph of those who wait, with the keys that it has not got already.
    fn enter(
        &self,
        call: &Call<'_>,
        txn: &mut Transaction<'_>,
        keys: &[Key<'_>],
        verdicts: &[Verdict],
        ticket: i64,
    ) -> Result<(), Error> {
        let waits = |verdict: &Verdict| !matches!(verdict, Verdict::Again(_) | Verdict::Upgrade(_));
        let mut awaited = Vec::new();
        for (key, _) in keys.iter().zip(verdicts).filter(|(_, verdict)| waits(verdict)) {
            let lock = txn.inspect(key).and_then(|entry| entry.object::<Lock>());
            let grants = lock.map_or(&[][..], Lock::grants);
            awaited.push((key.bytes(), grants.iter().map(|grant| grant.owner.as_slice().into()).collect()));
        }
        let request = graph::Request { ticket, owner: self.owner, db: call.db };
        if call.state.locks.graph.wait(&request, &awaited) {
            return Ok(());
        }
        call.state.locks.counts.deadlocks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Err(Error::deadlock(awaited.first().map_or(b"", |(key, _)| *key)))
    }
}

/// Before all turns of those who barge, and behind those of who has the lock and wants more of it.
const BARGING: i64 = i64::MIN / 2;
