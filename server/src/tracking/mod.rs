//! Client-side caching: who has read which key, and who is told when it changes. What clients ask for is `terms`, what they have
//! read `table`, who wants to hear of all keys with a prefix `broadcast`, and how they hear of it `teller`. Which words clients
//! use for all this is told by the commands.
//!
//! # The protocol of tracking
//!
//! 1. *Listening.* While there is a client that tracks, the interest in changes is raised: before the client reads anything. Whoever
//!    changes a key that it has read has locked that key's shard later, so it sees the interest and logs the change.
//! 2. *Reading.* A key that such a client reads is entered while its shard is still locked, once all that happened to it until
//!    then has been told. So nobody changes it between the look and the entry, and what is told behind the entry comes from
//!    behind the look. Of a key only its name counts, not its database, and not whether there is anything.
//! 3. *Changing.* A transaction tells what it has changed from the change log, before it lets its shards go; a program after
//!    each of its calls, so that what it reads later is entered later. Telling a key takes its entry away: each client hears of
//!    it once, and again when it has read it again. What is removed by time or for want of memory may be told when the shards
//!    are gone: then a client hears of a key that it has just read, which is no more than a superfluous message.
//! 4. *Order.* A reply is made before its keys are entered, and whoever has made it takes its messages behind it. So what
//!    makes a reply stale is never sent before it; and what a client's own call has changed is sent behind its reply, that of a
//!    whole transaction included. A call that was blocked and is served by somebody else is answered first, too.
//! 5. *Broadcasting.* Who listens to prefixes hears of all changes of such keys, whoever has read them: of those of a turn at
//!    once, when it is over, and before they are answered. What one turn leaves may be told by another that ends earlier.
//! 6. *Forgetting.* A client that tracks no more is found out when one of its keys changes; when nobody tracks any more, all is
//!    forgotten. More keys than the settings allow are not kept: some of them, by chance, are told as if they had changed.
//!
//! Locks: the terms of one client, then the count of clients or the prefixes; telling locks a part of the table for a look, or the
//! prefixes while it writes into inboxes. Nothing waits for anything else inside, so that whoever holds shards may tell.

mod broadcast;
mod table;
mod teller;
mod terms;

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use shardis_protocol::Request;
use shardis_storage::{Change, What};

use self::broadcast::Broadcasts;
use self::table::KeyTable;
use self::teller::Content;
pub use self::teller::Teller;
pub use self::terms::{Modes, Options, Terms};
use crate::client::{ClientInfo, Gate};
use crate::command::table::Entry;
use crate::interest;
use crate::state::State;

/// Keys that are forgotten in one go because there are too many.
const FORGOTTEN_MAX: usize = 1000;

/// All that clients track on a server.
#[derive(Debug, Default)]
pub struct Tracking {
    table: KeyTable,
    broadcasts: Broadcasts,
    /// How many clients track. Whoever raises or lowers the interest holds it.
    clients: Mutex<usize>,
    /// The same, for those who only look.
    client_count: AtomicUsize,
}

impl Tracking {
    /// Lets a client track, or track on other terms.
    pub fn begin(&self, state: &State, client: &ClientInfo, options: &Options<'_>) {
        let mut prefixes = client.tracking.lock();
        if !client.tracking.has(Modes::ON) {
            let mut clients = self.clients.lock();
            *clients += 1;
            self.client_count.store(*clients, Ordering::Relaxed);
            state.keyspace.interest().raise(interest::TRACKED);
        }
        if let Some(target) = options.redirect.and_then(|id| state.clients.client(id)) {
            target.inbox.open_for_others();
            target.gates.set(Gate::Inbox, true);
        }
        client.tracking.agree(options);
        if options.modes.contains(Modes::BROADCAST) {
            let all = [b"".as_slice()];
            for &prefix in if options.prefixes.is_empty() { &all[..] } else { &options.prefixes } {
                if prefixes.insert(prefix.into()) {
                    self.broadcasts.join(prefix, client.id);
                }
            }
        }
    }

    /// Ends that, if it does.
    pub fn end(&self, client: &ClientInfo) {
        if !client.tracking.has(Modes::ON) {
            return;
        }
        let mut prefixes = client.tracking.lock();
        if !client.tracking.cancel() {
            return;
        }
        for prefix in std::mem::take(&mut *prefixes) {
            self.broadcasts.part(&prefix, client.id);
        }
        let mut clients = self.clients.lock();
        *clients -= 1;
        self.client_count.store(*clients, Ordering::Relaxed);
        if *clients == 0 {
            self.table.clear();
        }
    }

    /// Enters the keys that a call has read, if its client wants to hear of them. Their shards are locked.
    pub fn note_read(&self, state: &State, client: &ClientInfo, entry: &Entry, request: Request<'_>) {
        if entry.only_reads() && client.tracking.remembers_reads() {
            for key in entry.keys(request) {
                self.table.enter(part(state, key), key, client.id);
            }
        }
    }

    /// Tells what has happened to keys by the hand of a client, if it was one.
    fn tell(&self, state: &State, changes: &[Change], by: Option<u64>, teller: &mut Teller) {
        if self.client_count() == 0 {
            if state.keyspace.interest().is_raised(interest::TRACKED) {
                self.rest(state);
            }
            return;
        }
        let mut was_flushed = false;
        for change in changes {
            match change.what {
                // A call that empties all databases is one message.
                What::Flushed if was_flushed => {}
                What::Flushed => {
                    was_flushed = true;
                    self.tell_all(state, teller);
                }
                // To a client its keys are where they were, as the real servers see it.
                What::Swapped => {}
                what if what.is_event_only() => {}
                // Whoever comes upon a key whose time has come knows that; those who listen to prefixes hear of it all the same.
                What::Expired | What::Evicted => {
                    self.tell_readers(state, &change.key, by, teller);
                    self.broadcasts.note(&change.key, None);
                }
                _ => {
                    self.tell_readers(state, &change.key, by, teller);
                    self.broadcasts.note(&change.key, by);
                }
            }
        }
    }

    fn tell_readers(&self, state: &State, key: &[u8], by: Option<u64>, teller: &mut Teller) {
        let readers = self.table.take(part(state, key), key);
        for id in readers.iter().flatten() {
            let Some(client) = state.clients.client(*id) else { continue };
            let is_spared = by == Some(*id) && client.tracking.has(Modes::NO_LOOP);
            if client.tracking.is_by_reads() && !is_spared {
                teller.send(state, &client, Content::Keys(&[key]));
            }
        }
    }

    /// Tells everybody that nothing is what it was.
    fn tell_all(&self, state: &State, teller: &mut Teller) {
        self.table.clear();
        for client in state.clients.all() {
            if client.tracking.has(Modes::ON) {
                teller.send(state, &client, Content::Everything);
            }
        }
    }

    /// Stops listening, unless somebody has begun to track meanwhile.
    #[cold]
    fn rest(&self, state: &State) {
        let clients = self.clients.lock();
        if *clients == 0 {
            state.keyspace.interest().lower(interest::TRACKED);
        }
    }

    /// Sends what there is to broadcast: at the end of a turn.
    #[inline]
    pub fn end_turn(&self, state: &State) {
        if self.broadcasts.are_pending() {
            let mut teller = Teller::default();
            self.broadcasts.send(state, &mut teller);
            teller.finish(state);
        }
    }

    /// Forgets keys by chance while there are too many, and tells who has read them.
    pub fn limit(&self, state: &State) {
        let keys_max = usize::try_from(state.config.tracking_table_max_keys.value()).unwrap_or(usize::MAX);
        if keys_max == 0 || self.keys() <= keys_max {
            return;
        }
        let mut teller = Teller::default();
        for _ in 0..FORGOTTEN_MAX {
            if self.keys() <= keys_max {
                break;
            }
            let Some((key, readers)) = self.table.take_any(&mut state.random.lock()) else { break };
            for client in readers.iter().filter_map(|id| state.clients.client(*id)) {
                if client.tracking.is_by_reads() {
                    teller.send(state, &client, Content::Keys(&[&key]));
                }
            }
        }
        teller.finish(state);
    }

    /// How many clients track.
    pub fn client_count(&self) -> usize {
        self.client_count.load(Ordering::Relaxed)
    }

    /// How many keys have been read by those who want to hear of them.
    pub fn keys(&self) -> usize {
        self.table.keys()
    }

    /// The same, where each counts for each of its readers.
    pub fn items(&self) -> usize {
        self.table.items()
    }

    /// How many prefixes clients listen to.
    pub fn prefixes(&self) -> usize {
        self.broadcasts.prefixes()
    }
}

/// Tells what happened to keys without a command, when the shards are gone.
pub fn tell_removed(state: &State, changes: &[Change]) {
    let mut teller = Teller::default();
    teller.tell(state, changes);
    teller.finish(state);
    state.clients.tracking.end_turn(state);
}

/// The part of the table for a key: those of one part have their shards in common.
fn part(state: &State, key: &[u8]) -> usize {
    state.keyspace.shard_of(state.keyspace.hash(key))
}
