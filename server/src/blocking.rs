//! Clients that wait: until a key holds something, or only until their time is over. Here is who waits for what, and who may
//! end a wait; serving waiters is the business of `dispatch::settle`, because only `dispatch` runs commands.
//!
//! # The protocol of waiters
//!
//! 1. *Filing.* A handler that finds nothing at its keys answers [`Flow::Block`](crate::command::Flow::Block). Before the
//!    shards of these keys are let go, its call becomes a [`Waiter`], which takes a ticket and a place at each key that it
//!    waits for, and the interest in changes of that type is raised. Whoever changes such a key later has locked its shard
//!    later, so it sees the interest and logs the change: nothing falls in between.
//! 2. *Serving.* A transaction goes through its log before it lets its shards go. A key that may have become ready, and still
//!    holds something, is offered to those who wait for that type at that key, in the order of their tickets, until it
//!    is gone or nobody is left. An offer runs the waiter's own command again in the same transaction, with the keys it
//!    waits for narrowed to the first of them that is ready. So what makes a key ready is the business of
//!    its command: one that finds nothing for itself blocks once more, keeps its place, and the next one gets the offer.
//! 3. *The claim.* How a wait ends is told through one sender behind one lock. Whoever takes the sender has decided, and
//!    nobody else can: the reply, the end of the time, another client, the closing of the connection, the stop of
//!    the server. An offer keeps the lock while the command runs, and takes the sender when there is a reply. So nothing
//!    is taken from a key for a client that waits no more, and who makes two keys of one waiter ready at the same time
//!    takes turns.
//! 4. *Locks.* The claim is the last lock: whoever holds it waits for nothing, so that nobody waits long for it. The places
//!    are leaves: one at a time, and nothing is done meanwhile.
//! 5. *Other shards.* A command that needs a key beyond those it waits for, in a shard that is not locked, cannot be run
//!    under the locks of somebody else. The key is set aside, so that nobody is served before those who came first, and
//!    is offered once more, under all shards of that waiter, before whoever made it ready is answered. In between others
//!    may take what is there, and then the waiter goes on waiting.
//! 6. *Chains.* What an offer changes is logged as well, and the log is gone through until it is empty. That ends: each
//!    offer that changes something ends a wait, and nobody can be filed at a shard that is locked. Offers have a limit all
//!    the same, beyond which the rest is set aside and left to the executor; so is what has been set aside and finds its
//!    shards held by somebody who takes long, and a command that takes long itself.
//! 7. *Telling.* Replies are handed over when the shards have been let go.
//! 8. *Leaving.* A waiter gives its places up when it is served, or when its client's end of the wait, [`Blocked`], is
//!    dropped, which also ends it if nobody else has. The interest in a type is lowered with the last place.
//! 9. *In turn.* Some commands are [served in turn](crate::command::Command::is_in_turn): those of locks, semaphores and latches.
//!    Their waiters are offered a key whatever is there, also when it is gone or another type has come; the first one that cannot be
//!    served ends the offers, so that nobody overtakes; and one that waits for several keys is run with all of them, at the head of each
//!    queue or not at all. When a wait of that kind ends without being served, its keys are offered once more, because
//!    who stood behind it may be next. A turn is a number, the lower the earlier: who may go ahead has a negative one.
//! 10. *Loss.* Some commands [mind it](crate::command::Command::minds_loss) when a key is gone or another type has come, because what
//!     they wait for was part of the value: a group of a stream. They are offered such a key too, and answer an error.
//! 11. *Grants.* What a reply tells that was granted goes with it until it is on its way to the socket, and is undone if it cannot
//!     get there (`locks`, 5).

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use dashmap::DashMap;
use parking_lot::Mutex;
use shardis_protocol::{OwnedRequest, Reply, Request, Version};
use shardis_storage::{Db, Interest, Kind};
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::block::block_on;
use crate::client::{Client, ClientInfo};
use crate::command::table::{CommandId, Entry};
use crate::command::{Block, Command, Error, Run};
use crate::locks::Errand;
use crate::locks::register::GrantRef;
use crate::state::State;

/// All waiters of a server, by the keys that they wait for.
#[derive(Debug, Default)]
pub struct Waiters {
    queues: DashMap<Box<[u8]>, Queue>,
    /// How many places there are in all queues, by what the interest in them is: it is raised while there is one.
    places: Mutex<BTreeMap<u32, usize>>,
    last_ticket: AtomicI64,
}

/// Those who wait for a key, by database and ticket.
type Queue = BTreeMap<(u16, i64), Arc<Waiter>>;

/// A call that has blocked its client.
#[derive(Debug)]
pub struct Waiter {
    /// What was called.
    pub id: CommandId,
    /// With these words.
    pub request: OwnedRequest,
    /// What is run again instead, if that differs.
    pub again: Option<OwnedRequest>,
    /// By this client.
    pub client: Arc<ClientInfo>,
    /// In this database.
    pub db: Db,
    /// The protocol of its reply.
    pub version: Version,
    /// Whether the keys that it looks up are noted as accessed.
    pub notes_accesses: bool,
    /// Whether its wait ends by itself.
    pub has_end: bool,
    /// Its place in every queue.
    pub ticket: i64,
    /// Since when it waits, in time that has elapsed on the clock.
    pub since: Duration,
    command: &'static Command,
    /// Whether its wait is over, for those who look in passing.
    is_over: AtomicBool,
    /// Whether that is because it was served, or refused.
    is_served: AtomicBool,
    claim: Mutex<Option<oneshot::Sender<End>>>,
}

/// How a wait ends.
#[derive(Debug)]
pub enum End {
    /// With a reply.
    Served(Served),
    /// With an error, because its client has lost the right to it.
    Refused(Error),
    /// Because its time is over, or as if it were.
    TimedOut,
    /// With an error, as another client wants it.
    Unblocked,
    /// With an error, because the server stops.
    Stopped,
}

/// What is promised to a client that waits: a reply, or that it has lost the right to its call.
pub type Promise = Result<Served, Error>;

/// A reply to a call that had blocked.
#[derive(Debug)]
pub struct Served {
    /// What is sent to the client behind its reply, answered or not.
    pub pushed: Option<Box<Reply>>,
    /// The reply.
    pub reply: Reply,
    /// How long it took to make.
    pub took: Duration,
    /// What was granted with it.
    pub granted: SmallVec<[GrantRef; 1]>,
}

/// A reply that has been decided on and is on its way to its client.
#[derive(Debug)]
pub struct Promised(oneshot::Sender<End>, Promise);

/// A blocked client's end of its wait.
#[derive(Debug)]
pub struct Blocked {
    state: Arc<State>,
    info: Arc<ClientInfo>,
    waiter: Arc<Waiter>,
    block: Block,
    end: oneshot::Receiver<End>,
}

impl Waiters {
    /// The first one behind `ticket` who waits for a value of this type at a key.
    pub fn next(&self, db: Db, key: &[u8], kind: Kind, ticket: i64) -> Option<Arc<Waiter>> {
        let queue = self.queues.get(key)?;
        let mut behind = queue.range((db.0, ticket + 1)..=(db.0, i64::MAX));
        behind.find(|(_, waiter)| waiter.kind() == Some(kind)).map(|(_, waiter)| waiter.clone())
    }

    /// The first one whose wait for a value of this type at a key is not over.
    pub fn first(&self, db: Db, key: &[u8], kind: Kind) -> Option<Arc<Waiter>> {
        let queue = self.queues.get(key)?;
        in_turn(&queue, db, kind).next().cloned()
    }

    /// Whether nobody whose wait for a value of this type at a key is not over stands before this ticket. The key's shard is locked.
    pub fn is_next(&self, db: Db, key: &[u8], kind: Kind, ticket: i64) -> bool {
        let Some(queue) = self.queues.get(key) else { return true };
        in_turn(&queue, db, kind).next().is_none_or(|first| first.ticket >= ticket)
    }

    /// Those whose wait for a value of this type at a key is not over, in order.
    pub fn all(&self, db: Db, key: &[u8], kind: Kind) -> Vec<Arc<Waiter>> {
        self.queues.get(key).map_or_else(Vec::new, |queue| in_turn(&queue, db, kind).cloned().collect())
    }

    /// Whether anybody has a place at a key.
    pub fn is_any(&self, key: &[u8]) -> bool {
        self.queues.contains_key(key)
    }

    /// A ticket behind all that were taken.
    pub fn ticket(&self) -> i64 {
        self.last_ticket.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The keys of a database that somebody waits for.
    pub fn keys(&self, db: Db) -> Vec<Box<[u8]>> {
        let waits = |queue: &Queue| queue.range((db.0, i64::MIN)..=(db.0, i64::MAX)).next().is_some();
        self.queues.iter().filter(|queue| waits(queue)).map(|queue| queue.key().clone()).collect()
    }

    /// How many places those have who are served in turn.
    pub fn in_turn_count(&self) -> usize {
        let places = self.places.lock();
        Kind::MEETING_POINTS.iter().filter_map(|kind| places.get(&Interest::in_kind(*kind))).sum()
    }

    /// How many keys somebody waits for whom the caller counts.
    pub fn keys_count(&self, counts: impl Fn(&Waiter) -> bool) -> usize {
        let databases = |queue: &Queue| {
            let counted = queue.iter().filter(|(_, waiter)| counts(waiter));
            let mut databases: Vec<u16> = counted.map(|((db, _), _)| *db).collect();
            databases.dedup();
            databases.len()
        };
        self.queues.iter().map(|queue| databases(&queue)).sum()
    }

    /// Gives a waiter its places. The shards of its keys are locked.
    fn file(&self, interest: &Interest, waiter: &Arc<Waiter>) {
        let Some(kind) = waiter.kind() else { return };
        let bit = Interest::in_kind(kind);
        for key in waiter.keys() {
            {
                let mut places = self.places.lock();
                let count = places.entry(bit).or_default();
                *count += 1;
                if *count == 1 {
                    interest.raise(bit);
                }
            }
            let place = (waiter.db.0, waiter.ticket);
            let replaced = self.queues.entry(key.into()).or_default().insert(place, waiter.clone());
            if replaced.is_some() {
                // It has named the key twice.
                self.give_up(interest, bit);
            }
        }
    }

    /// Takes a waiter's places back, those that it still has.
    pub fn remove(&self, interest: &Interest, waiter: &Waiter) {
        let Some(kind) = waiter.kind() else { return };
        let place = (waiter.db.0, waiter.ticket);
        for key in waiter.keys() {
            let was_there = self.queues.get_mut(key).is_some_and(|mut queue| queue.remove(&place).is_some());
            self.queues.remove_if(key, |_, queue| queue.is_empty());
            if was_there {
                self.give_up(interest, Interest::in_kind(kind));
            }
        }
    }

    fn give_up(&self, interest: &Interest, bit: u32) {
        let mut places = self.places.lock();
        let count = places.entry(bit).or_default();
        *count -= 1;
        if *count == 0 {
            interest.lower(bit);
        }
    }
}

fn in_turn(queue: &Queue, db: Db, kind: Kind) -> impl Iterator<Item = &Arc<Waiter>> {
    let of_db = queue.range((db.0, i64::MIN)..=(db.0, i64::MAX)).map(|(_, waiter)| waiter);
    of_db.filter(move |waiter| waiter.kind() == Some(kind) && !waiter.is_over())
}

impl Waiter {
    /// What it waits for: values of this type, or no key at all.
    pub fn kind(&self) -> Option<Kind> {
        match self.command.run {
            Run::Blocking(kind, _) => Some(kind),
            _ => None,
        }
    }

    /// The keys that it waits for.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let request = self.request.as_request();
        self.command.key_words(request, true).filter_map(move |at| request.arg(at))
    }

    /// The words of its call that are the keys it waits for.
    pub fn keys_at(&self) -> impl Iterator<Item = usize> {
        self.command.key_words(self.request.as_request(), true)
    }

    /// Whether it is served strictly in its turn.
    pub fn is_in_turn(&self) -> bool {
        self.command.is_in_turn
    }

    /// Whether it is answered when what it waits for has gone for good.
    pub fn minds_loss(&self) -> bool {
        self.command.minds_loss
    }

    /// Whether its wait is over.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Lets `serve` try to make the reply, if the wait has not ended. Nobody else can end it meanwhile.
    pub fn offer(&self, serve: impl FnOnce() -> Option<Promise>) -> Option<Promised> {
        let mut claim = self.claim.lock();
        if claim.is_none() {
            return None;
        }
        let promise = serve()?;
        self.is_served.store(true, Ordering::Release);
        self.is_over.store(true, Ordering::Release);
        claim.take().map(|sender| Promised(sender, promise))
    }

    /// Ends the wait, unless it has ended; whether it had not.
    pub fn end(&self, how: End) -> bool {
        let sender = self.claim.lock().take();
        self.is_over.store(true, Ordering::Release);
        // Its client may have gone in this very moment.
        sender.is_some_and(|sender| sender.send(how).is_ok())
    }

    /// Ends the wait without telling anybody.
    pub fn abandon(&self) {
        *self.claim.lock() = None;
        self.is_over.store(true, Ordering::Release);
    }
}

impl Promised {
    /// Hands the reply over; what was granted with it is undone if its client has gone in this very moment.
    pub fn keep(self, state: &State) {
        if let Some(served) = self.hand_over() {
            served.undo(state);
        }
    }

    fn hand_over(self) -> Option<Served> {
        match self.0.send(self.1.map_or_else(End::Refused, End::Served)) {
            Err(End::Served(served)) => Some(served),
            _ => None,
        }
    }
}

impl Served {
    /// Takes back what was granted with a reply that reaches nobody.
    fn undo(self, state: &State) {
        self.granted.into_iter().for_each(|grant| state.locks.errands.push(Errand::Undo(grant)));
    }
}

impl Blocked {
    /// Blocks a client with its call. If the call waits for keys, their shards are locked.
    pub fn new(
        state: &Arc<State>,
        client: &Client,
        entry: &Entry,
        request: Request<'_>,
        mut block: Block,
    ) -> Box<Blocked> {
        let (sender, end) = oneshot::channel();
        let waiter = Arc::new(Waiter {
            id: entry.id,
            request: request.to_owned(),
            again: block.again.take(),
            client: client.info.clone(),
            db: client.db,
            version: client.version,
            notes_accesses: client.notes_accesses,
            has_end: block.end.is_some(),
            ticket: block.ticket.unwrap_or_else(|| state.waiters.ticket()),
            since: state.clock.elapsed(),
            is_over: AtomicBool::new(false),
            is_served: AtomicBool::new(false),
            command: entry.command,
            claim: Mutex::new(Some(sender)),
        });
        client.info.block(waiter.clone());
        state.waiters.file(state.keyspace.interest(), &waiter);
        Box::new(Blocked { state: state.clone(), info: client.info.clone(), waiter, block, end })
    }

    /// When its time is over, in time that has elapsed on the clock.
    pub fn deadline(&self) -> Option<Duration> {
        self.block.end
    }

    /// Ends the wait because its time is over, unless it has ended.
    pub fn time_out(&self) {
        self.waiter.end(End::TimedOut);
    }

    /// How the wait ends; nothing if its client is to go without an answer.
    pub fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<End>> {
        Pin::new(&mut self.end).poll(cx).map(Result::ok)
    }

    /// Waits on this thread.
    pub fn wait(&mut self) -> Option<End> {
        let timer = self.deadline().zip(self.state.runtime.get()).map(|(deadline, runtime)| {
            let (clock, waiter) = (self.state.clock.clone(), self.waiter.clone());
            runtime.spawn(async move {
                clock.sleep_until(deadline).await;
                waiter.end(End::TimedOut);
            })
        });
        let mut stopping = self.state.stopping.subscribe();
        let end = &mut self.end;
        let ended = block_on(async {
            tokio::select! {
                biased;
                end = &mut *end => Some(end.ok()),
                // An error would mean that the server is gone.
                _ = stopping.wait_for(|&stopping| stopping) => None,
            }
        });
        let ended = ended.unwrap_or_else(|| {
            self.waiter.end(End::Stopped);
            block_on(end).ok()
        });
        if let Some(timer) = timer {
            timer.abort();
        }
        ended
    }

    /// What was called.
    pub fn id(&self) -> CommandId {
        self.waiter.id
    }

    /// The call that waits.
    pub fn request(&self) -> Request<'_> {
        self.waiter.request.as_request()
    }

    /// What the client is told in the end.
    pub fn answer(&self, end: End) -> Result<Served, Error> {
        match end {
            End::Served(served) => Ok(served),
            End::Refused(error) => Err(error),
            End::TimedOut => {
                let mut reply = Reply::new(self.waiter.version);
                (self.block.time_is_over)(&mut reply);
                Ok(Served { reply, pushed: None, took: Duration::ZERO, granted: SmallVec::new() })
            }
            End::Unblocked => Err(Error::UNBLOCKED),
            End::Stopped => Err(Error::STOPPING),
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        self.waiter.abandon();
        let waiters = &self.state.waiters;
        waiters.remove(self.state.keyspace.interest(), &self.waiter);
        self.info.go_on();
        // Who waits for a job takes nothing from those behind.
        if !self.waiter.is_in_turn() || self.waiter.kind() == Some(Kind::Job) {
            return;
        }
        self.state.locks.graph.forget(self.waiter.ticket);
        self.end.close();
        if let Ok(End::Served(served)) = self.end.try_recv() {
            served.undo(&self.state);
        }
        if self.waiter.is_served.load(Ordering::Acquire) {
            return;
        }
        for key in self.waiter.keys().filter(|key| waiters.is_any(key)) {
            self.state.locks.errands.push(Errand::Offer { db: self.waiter.db, key: key.into() });
        }
    }
}

#[cfg(test)]
mod tests {
    use shardis_protocol::OwnedRequest;
    use shardis_storage::Transaction;

    use super::*;
    use crate::command::{Call, Done, Flow, keys};

    static POP: Command = Command::blocking("POP", Kind::List, pop).keys(&[keys(1, -2, 1).accesses()]);

    fn pop(_: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
        Ok(Flow::Done)
    }

    /// What may happen to a waiter.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Event {
        Reply,
        NoReply,
        TimedOut,
        Unblocked,
        Abandoned,
    }

    const EVENTS: [Event; 5] =
        [Event::Reply, Event::NoReply, Event::TimedOut, Event::Unblocked, Event::Abandoned];

    fn waiter() -> (Waiter, oneshot::Receiver<End>) {
        let (sender, end) = oneshot::channel();
        let table = crate::command_table();
        let waiter = Waiter {
            id: table.entries()[0].id,
            request: OwnedRequest::from_args(&["POP", "a", "b", "a", "0"]),
            again: None,
            client: Arc::new(ClientInfo::new(1, "?:0".into(), "?:0".into(), -1, 0)),
            db: Db(0),
            version: Version::Resp2,
            notes_accesses: true,
            has_end: false,
            ticket: 1,
            since: Duration::ZERO,
            is_over: AtomicBool::new(false),
            is_served: AtomicBool::new(false),
            command: &POP,
            claim: Mutex::new(Some(sender)),
        };
        (waiter, end)
    }

    fn served() -> Served {
        Served {
            reply: Reply::new(Version::Resp2),
            pushed: None,
            took: Duration::ZERO,
            granted: SmallVec::new(),
        }
    }

    /// Whether the event has decided how the wait ends; a reply on its way is put aside.
    fn happen(event: Event, waiter: &Waiter, promised: &mut Option<Promised>) -> bool {
        match event {
            Event::Reply => {
                let offered = waiter.offer(|| Some(Ok(served())));
                let is_taken = offered.is_some();
                *promised = offered.or(promised.take());
                is_taken
            }
            Event::NoReply => waiter.offer(|| None).is_some(),
            Event::TimedOut => waiter.end(End::TimedOut),
            Event::Unblocked => waiter.end(End::Unblocked),
            Event::Abandoned => {
                waiter.abandon();
                false
            }
        }
    }

    /// Each event takes the claim's lock once, so that whatever happens at the same time happens in one of these orders.
    #[test]
    fn in_every_order_of_events_one_ends_the_wait_and_its_client_sees_which() {
        let mut orders = vec![Vec::new()];
        for _ in EVENTS {
            let longer = |order: Vec<Event>| {
                let left = EVENTS.into_iter().filter(|event| !order.contains(event)).collect::<Vec<_>>();
                left.into_iter().map(move |event| [order.clone(), vec![event]].concat())
            };
            orders = orders.into_iter().flat_map(longer).collect();
        }
        assert_eq!(orders.len(), 120);
        for order in orders {
            let (waiter, mut end) = waiter();
            let mut promised = None;
            let ended: Vec<Event> =
                order.iter().copied().filter(|event| happen(*event, &waiter, &mut promised)).collect();
            assert_eq!(promised.is_some(), ended == [Event::Reply], "{order:?}");
            if let Some(promised) = promised {
                assert!(end.try_recv().is_err(), "replies are handed over later");
                promised.hand_over();
            }
            let first = order.iter().find(|event| **event != Event::NoReply);
            match end.try_recv() {
                Ok(End::Served(_)) => assert_eq!(ended, [Event::Reply], "{order:?}"),
                Ok(End::TimedOut) => assert_eq!(ended, [Event::TimedOut], "{order:?}"),
                Ok(End::Unblocked) => assert_eq!(ended, [Event::Unblocked], "{order:?}"),
                Ok(End::Stopped | End::Refused(_)) => unreachable!("nobody stops or changes rights"),
                Err(_) => assert_eq!((first, ended), (Some(&Event::Abandoned), vec![]), "{order:?}"),
            }
        }
    }

    #[test]
    fn a_waiter_has_one_place_at_each_key_and_leaves_nothing_behind() {
        let (waiters, interest) = (Waiters::default(), Interest::default());
        let (first, second) = (Arc::new(waiter().0), Arc::new(Waiter { ticket: 2, ..waiter().0 }));
        waiters.file(&interest, &first);
        waiters.file(&interest, &second);
        assert_eq!(
            (waiters.keys_count(|_| true), waiters.keys(Db(0)).len(), waiters.keys(Db(1)).len()),
            (2, 2, 0)
        );
        let next = |kind, ticket| waiters.next(Db(0), b"a", kind, ticket).map(|waiter| waiter.ticket);
        assert_eq!([next(Kind::List, 0), next(Kind::List, 1)], [Some(1), Some(2)]);
        assert_eq!([next(Kind::List, 2), next(Kind::Hash, 0)], [None, None]);
        waiters.remove(&interest, &first);
        waiters.remove(&interest, &first);
        assert_eq!((next(Kind::List, 0), waiters.keys_count(|_| true)), (Some(2), 2));
        waiters.remove(&interest, &second);
        assert!(waiters.queues.is_empty() && waiters.places.lock().values().all(|count| *count == 0));
    }
}
