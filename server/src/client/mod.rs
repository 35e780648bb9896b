//! A client: what its connection knows, and what others may see of it (`registry`); what all of them are held to: `limits` of
//! their time and memory, and the `pause`.

mod gates;
pub mod inbox;
pub mod limits;
pub mod line;
mod monitors;
pub mod pause;
pub mod queue;
pub mod registry;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use shardis_protocol::{Mark, Reply, Request, Version};
use shardis_storage::Db;

pub use self::gates::{Gate, Gates};
use self::inbox::Wakes;
pub use self::monitors::Monitors;
pub use self::queue::Queue;
pub use self::registry::{ClientInfo, Mode, Registry};
use crate::command::Flags;
use crate::command::call::FirstKey;
use crate::command::table::Entry;
use crate::locks::register::GrantRef;
use crate::pubsub::Topic;
use crate::state::State;
use crate::tracking::Options;
use crate::watch::Watches;

/// The connection's own view of its client.
#[derive(Debug)]
pub struct Client {
    /// Its number, never used twice.
    pub id: u64,
    /// The selected database.
    pub db: Db,
    /// The protocol it speaks.
    pub version: Version,
    /// Whether it may run commands; always true while no password is set.
    pub is_authenticated: bool,
    /// Whether the connection ends after the replies so far.
    pub close_after_reply: bool,
    /// Whether it is a script, whose caller `info` is about.
    pub is_script: bool,
    /// Calls that ran, whether they failed or not.
    pub commands: u64,
    /// Which calls it is answered.
    pub answers: Answers,
    /// Whether the keys that it looks up are noted as accessed.
    pub notes_accesses: bool,
    /// The commands that it has gathered since MULTI.
    pub queue: Option<Box<Queue>>,
    /// The keys that it watches.
    pub watches: Option<Box<Watches>>,
    /// Those that its turn has to wake when it is over.
    pub wakes: Wakes,
    /// What its calls were granted since its connection looked, and how much had been written when their replies were complete.
    pub granted: Vec<(usize, GrantRef)>,
    /// Up to where what the call under way has written is sent to a client that is not answered, too.
    pushed: Option<Mark>,
    /// What others see.
    pub info: Arc<ClientInfo>,
    /// `None` for a session inside the process, which is no connection.
    registry: Option<Arc<Registry>>,
}

/// Which calls a client is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// All.
    All,
    /// All but the next one.
    AllButNext,
    /// All but the one under way.
    AllButThis,
    /// None.
    None,
}

impl Client {
    /// A new client, entered in the registry until it is dropped.
    pub fn new(registry: &Arc<Registry>, info: ClientInfo, is_authenticated: bool) -> Client {
        let mut client = Client::detached(info, is_authenticated);
        registry.insert(client.info.clone());
        client.registry = Some(registry.clone());
        client
    }

    /// A client without a connection, which nobody else sees: a session inside the process.
    pub fn detached(info: ClientInfo, is_authenticated: bool) -> Client {
        let info = Arc::new(info);
        Client {
            id: info.id,
            db: Db(0),
            version: Version::Resp2,
            is_authenticated,
            close_after_reply: false,
            is_script: false,
            commands: 0,
            answers: Answers::All,
            notes_accesses: true,
            queue: None,
            watches: None,
            wakes: Wakes::default(),
            granted: Vec::new(),
            pushed: None,
            info,
            registry: None,
        }
    }

    /// What a script is to the commands that it calls, for the client that has called it.
    pub fn of_script(caller: &Client) -> Client {
        Client {
            id: caller.id,
            db: caller.db,
            version: Version::Resp2,
            is_authenticated: true,
            close_after_reply: false,
            is_script: true,
            commands: 0,
            answers: Answers::All,
            notes_accesses: caller.notes_accesses,
            queue: None,
            watches: None,
            wakes: Wakes::default(),
            granted: Vec::new(),
            pushed: None,
            info: caller.info.clone(),
            registry: None,
        }
    }

    /// Selects a database. What a script selects is its own business.
    pub fn select(&mut self, db: Db) {
        self.db = db;
        if !self.is_script {
            self.info.db.store(db.0, Ordering::Relaxed);
        }
    }

    /// Switches the protocol of all further replies and messages. Those that have come before are handed out.
    pub fn set_version(&mut self, version: Version) -> Reply {
        let mut unsent = Reply::new(version);
        self.version = version;
        let number = if version == Version::Resp3 { 3 } else { 2 };
        self.info.protocol.store(number, Ordering::Relaxed);
        self.info.inbox.switch(version, &mut unsent);
        self.note_subscriptions();
        unsent
    }

    /// Lets others send it what it has not asked for. False for a session inside the process, which nobody can send anything
    /// to.
    fn open_inbox(&mut self) -> bool {
        if self.is_connection() && !self.info.gates.has(Gate::Inbox) {
            self.info.inbox.open(self.version);
            self.info.gates.set(Gate::Inbox, true);
        }
        self.is_connection()
    }

    /// Writes what others have sent it behind what there is, unless that would stand inside the reply to a transaction. It is
    /// sent even if the client is not answered.
    pub fn take_messages(&mut self, reply: &mut Reply) {
        if !self.info.gates.has(Gate::Transaction) {
            self.take_messages_here(reply);
        }
    }

    /// The same, wherever that is.
    pub fn take_messages_here(&mut self, reply: &mut Reply) {
        if self.info.gates.has(Gate::Inbox) && self.info.inbox.take(reply) {
            self.note_pushed(reply);
        }
    }

    /// Notes that all that the call has written so far is sent even if the client is not answered.
    pub fn note_pushed(&mut self, reply: &Reply) {
        self.pushed = (self.answers != Answers::All).then(|| reply.mark());
    }

    /// From where on what the call has written is a reply, if that is not its beginning.
    pub fn take_pushed(&mut self) -> Option<Mark> {
        self.pushed.take()
    }

    /// Lets it listen to something; how much it listens to then. `None` for a session inside the process.
    pub fn subscribe(&mut self, topic: Topic, name: &[u8]) -> Option<usize> {
        let registry = self.registry.clone().filter(|_| self.open_inbox())?;
        let told = registry.pubsub.subscribe(&self.info, topic, name);
        self.note_subscriptions();
        Some(told)
    }

    /// Ends that; how much it listens to then. What has come until now is its inbox.
    pub fn unsubscribe(&mut self, topic: Topic, name: &[u8]) -> usize {
        let told = match &self.registry {
            Some(registry) => registry.pubsub.unsubscribe(&self.info, topic, name),
            None => 0,
        };
        self.note_subscriptions();
        told
    }

    /// Holds it to what listeners may do, whose replies and messages look alike in RESP2.
    fn note_subscriptions(&mut self) {
        let is_held = self.version == Version::Resp2 && self.info.subscriptions.is_any();
        self.info.gates.set(Gate::Subscribed, is_held);
    }

    fn stop_listening(&mut self) {
        if let Some(registry) = &self.registry {
            registry.pubsub.leave(&self.info);
        }
        self.info.gates.set(Gate::Subscribed, false);
    }

    /// Lets it track keys, or track them on other terms. False for a session inside the process.
    pub fn track(&mut self, state: &State, options: &Options<'_>) -> bool {
        let is_possible = self.open_inbox();
        if is_possible {
            state.clients.tracking.begin(state, &self.info, options);
            self.info.gates.set(Gate::Tracking, true);
        }
        is_possible
    }

    /// Ends that.
    pub fn stop_tracking(&mut self) {
        if let Some(registry) = &self.registry {
            registry.tracking.end(&self.info);
        }
        self.info.gates.set(Gate::Tracking, false);
    }

    /// Shows it the commands of all clients from now on. False for a session inside the process.
    pub fn monitor(&mut self) -> bool {
        let Some(registry) = self.registry.clone().filter(|_| self.open_inbox()) else { return false };
        registry.monitors.add(self.info.clone());
        self.info.gates.set(Gate::Monitor, true);
        true
    }

    fn stop_monitoring(&mut self) {
        if let Some(registry) = self.registry.as_ref().filter(|_| self.info.gates.has(Gate::Monitor)) {
            self.info.gates.set(Gate::Monitor, false);
            registry.monitors.remove(&self.info);
        }
    }

    /// Whether it is a connection: not a session inside the process, whose caller would have to wait where it waits.
    pub fn is_connection(&self) -> bool {
        self.registry.is_some()
    }

    /// Says which calls it is answered.
    pub fn answer(&mut self, answers: Answers) {
        self.answers = answers;
        self.info.set_mode(Mode::Silent, answers == Answers::None);
    }

    /// Notes what a call was granted, whose reply is complete with so many bytes.
    #[cold]
    pub fn note_granted(&mut self, granted: &[GrantRef], reply_bytes: usize) {
        // Who does not want the reply has what it would tell.
        let is_told = matches!(self.answers, Answers::All | Answers::AllButNext);
        if self.is_connection() && is_told {
            self.granted.extend(granted.iter().map(|grant| (reply_bytes, *grant)));
        }
    }

    /// Ends a call: whether it is not answered.
    pub fn is_unanswered(&mut self) -> bool {
        match self.answers {
            Answers::All | Answers::AllButNext => false,
            Answers::AllButThis => {
                self.answers = Answers::All;
                true
            }
            Answers::None => true,
        }
    }

    /// Gathers its commands from now on.
    pub fn begin_queue(&mut self) {
        self.queue = Some(Box::default());
        self.info.gates.set(Gate::Transaction, true);
        self.info.show_queue(Some((0, 0)));
    }

    /// Gathers one more command; gives the memory behind all of them.
    pub fn gather(
        &mut self,
        entry: &Entry,
        flags: Flags,
        first_key: Option<FirstKey>,
        request: Request<'_>,
    ) -> usize {
        let Some(queue) = &mut self.queue else { return 0 };
        queue.push(entry, flags, first_key, request);
        self.info.show_queue(Some((queue.calls.len(), queue.bytes)));
        queue.bytes
    }

    /// Ends the gathering, and shows so: what has been gathered, if it did.
    pub fn end_queue(&mut self) -> Option<Box<Queue>> {
        self.info.show_queue(None);
        self.info.gates.set(Gate::Transaction, false);
        self.queue.take()
    }

    /// Says whether the keys that it looks up are noted as accessed.
    pub fn note_accesses(&mut self, notes: bool) {
        self.notes_accesses = notes;
        self.info.set_mode(Mode::NoTouch, !notes);
    }

    /// Back to what it was when it was new, but for its number and the library that drives it. A connection loses its
    /// trust unless `is_open`; a session never does, and speaks the newest protocol. What others have sent it until now is
    /// handed out.
    pub fn reset(&mut self, is_open: bool) -> Reply {
        let is_session = !self.is_connection();
        self.stop_monitoring();
        self.end_queue();
        self.watches = None;
        self.stop_listening();
        self.stop_tracking();
        self.select(Db(0));
        let unsent = self.set_version(if is_session { Version::Resp3 } else { Version::Resp2 });
        self.is_authenticated = is_session || is_open;
        self.info.names.lock().name.clear();
        self.info.set_mode(Mode::NoEvict, false);
        self.note_accesses(true);
        // A skip that is under way ends with the call.
        if self.answers != Answers::AllButThis {
            self.answer(Answers::All);
        }
        unsent
    }

    /// Is gone for all others: hears nothing more and is not listed.
    pub fn leave(&mut self) {
        self.watches = None;
        self.stop_monitoring();
        self.stop_listening();
        self.stop_tracking();
        self.info.inbox.close();
        self.info.note_left();
        if let Some(registry) = &self.registry {
            registry.remove(self.id);
        }
    }

    /// Is listed although it has left, unless somebody has closed it.
    pub fn stay_listed(&self) {
        if let Some(registry) = self.registry.as_ref().filter(|_| !self.info.is_closed()) {
            registry.insert(self.info.clone());
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // What a script shares with its caller stays the caller's.
        if !self.is_script {
            self.leave();
        }
    }
}
