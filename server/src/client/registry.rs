//! The clients of a server, as CLIENT LIST and INFO see them.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use dashmap::DashMap;
use parking_lot::Mutex;
use shardis_protocol::Version;
use tokio::task::AbortHandle;

use super::inbox::Inbox;
use super::{Gate, Gates, Monitors};
use crate::acl::{self, Attempt, Surroundings, User};
use crate::blocking::{End, Waiter};
use crate::locks::{Errand, Errands};
use crate::observe::stats::Counter;
use crate::pubsub::{PubSub, Subscriptions};
use crate::state::CLIENT_BYTES;
use crate::tracking::{Terms, Tracking};

/// What others may see of a client. The connection writes, anybody reads.
#[derive(Debug)]
pub struct ClientInfo {
    /// Its number.
    pub id: u64,
    /// The peer's address, as Redis writes it.
    pub addr: String,
    /// Our address.
    pub laddr: String,
    /// The descriptor; -1 if it has none.
    pub fd: i32,
    /// Whether it came over a UNIX socket.
    pub is_unix: bool,
    /// When it connected: Unix milliseconds.
    pub connected_ms: i64,
    /// When it last sent or took something, or its wait ended: Unix milliseconds.
    pub active_ms: AtomicI64,
    /// Its last command: an index into the command table, `NO_COMMAND` before the first.
    pub last_command: AtomicU16,
    /// The selected database.
    pub db: AtomicU16,
    /// 2 or 3.
    pub protocol: AtomicU8,
    /// A [`Waiting`].
    pub waiting: AtomicU8,
    /// Its [`Mode`]s.
    pub modes: AtomicU8,
    /// Bytes read and not yet run.
    pub query_bytes: AtomicUsize,
    /// Memory kept for more of them.
    pub query_free_bytes: AtomicUsize,
    /// Bytes of replies not yet sent.
    pub output_bytes: AtomicUsize,
    /// Bytes it has sent since it connected.
    pub received: Counter,
    /// Bytes it has taken since it connected.
    pub sent: Counter,
    /// Commands it has run, as of its last turn.
    pub commands: AtomicU64,
    /// What its calls are held to beyond everybody's.
    pub gates: Gates,
    /// What other threads have for it.
    pub inbox: Inbox,
    /// How many commands it has gathered for a transaction, and one more; 0 without a transaction.
    queued: AtomicUsize,
    /// The memory behind them.
    queue_bytes: AtomicUsize,
    /// Keys that it watches.
    pub watched: AtomicUsize,
    /// Whether one of them has changed.
    is_spoiled: AtomicBool,
    /// What it listens to.
    pub subscriptions: Subscriptions,
    /// Which changes of keys it hears of.
    pub tracking: Terms,
    /// What it calls itself.
    pub names: Mutex<Names>,
    /// When a sweep first found more unsent output than the soft limit allows, in Unix milliseconds; 0 while it does not.
    pub over_soft_limit_ms: AtomicI64,
    /// Which user it is; none for a session inside the process, until it logs in.
    user: Mutex<Option<Arc<User>>>,
    /// Its wait, while it is blocked by a command.
    blocked: Mutex<Option<Arc<Waiter>>>,
    /// Who is to hear when it leaves, because grants last by its connection.
    leaving: OnceLock<Arc<Errands>>,
    /// Whether it has left.
    has_left: AtomicBool,
    task: Mutex<Task>,
}

/// Whether a client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It does not.
    No,
    /// For a command that runs elsewhere, or until one that holds its data has ended.
    Elsewhere,
    /// As a blocking command has asked for, or until a pause is over.
    Blocked,
}

/// How a client wants to be treated, a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is not closed for the memory that it takes.
    NoEvict = 1 << 0,
    /// What it looks up is not noted as an access.
    NoTouch = 1 << 1,
    /// It can be sent to another server.
    Redirect = 1 << 2,
    /// Nothing is sent to it.
    Silent = 1 << 3,
}

/// The task of a connection.
#[derive(Debug, Default)]
enum Task {
    /// It is on its way to its thread.
    #[default]
    Coming,
    Running(AbortHandle),
    Closed,
}

/// What a client calls itself and its library.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// By CLIENT SETNAME or HELLO.
    pub name: Vec<u8>,
    /// By CLIENT SETINFO.
    pub lib_name: Vec<u8>,
    /// By CLIENT SETINFO.
    pub lib_ver: Vec<u8>,
}

/// No command has been run yet.
pub const NO_COMMAND: u16 = u16::MAX;

impl ClientInfo {
    /// A client that has just connected.
    pub fn new(id: u64, addr: String, laddr: String, fd: i32, now_ms: i64) -> ClientInfo {
        ClientInfo {
            id,
            is_unix: laddr.starts_with('/'),
            addr,
            laddr,
            fd,
            connected_ms: now_ms,
            active_ms: now_ms.into(),
            last_command: NO_COMMAND.into(),
            db: 0.into(),
            protocol: 2.into(),
            waiting: (Waiting::No as u8).into(),
            modes: 0.into(),
            query_bytes: 0.into(),
            query_free_bytes: 0.into(),
            output_bytes: 0.into(),
            received: Counter::default(),
            sent: Counter::default(),
            commands: 0.into(),
            gates: Gates::default(),
            inbox: Inbox::default(),
            queued: 0.into(),
            queue_bytes: 0.into(),
            watched: 0.into(),
            is_spoiled: AtomicBool::default(),
            subscriptions: Subscriptions::default(),
            tracking: Terms::default(),
            names: Mutex::default(),
            over_soft_limit_ms: 0.into(),
            user: Mutex::default(),
            blocked: Mutex::default(),
            leaving: OnceLock::new(),
            has_left: AtomicBool::default(),
            task: Mutex::default(),
        }
    }

    /// Whether the client is on this machine.
    pub fn is_local(&self) -> bool {
        self.is_unix || self.is_loopback()
    }

    /// Whether the peer is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.addr.parse::<std::net::SocketAddr>().is_ok_and(|addr| addr.ip().is_loopback())
    }

    /// How many commands it has gathered for a transaction, and the memory behind them; nothing without one.
    pub fn queue(&self) -> Option<(usize, usize)> {
        let queued = self.queued.load(Ordering::Relaxed).checked_sub(1)?;
        Some((queued, self.queue_bytes.load(Ordering::Relaxed)))
    }

    /// Shows what [`ClientInfo::queue`] tells.
    pub(super) fn show_queue(&self, queue: Option<(usize, usize)>) {
        let (queued, bytes) = queue.map_or((0, 0), |(calls, bytes)| (calls + 1, bytes));
        self.queued.store(queued, Ordering::Relaxed);
        self.queue_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Whether a key that it watches has changed.
    pub fn is_spoiled(&self) -> bool {
        self.is_spoiled.load(Ordering::Acquire)
    }

    /// Notes that a key that it watches has changed.
    pub fn spoil(&self) {
        self.is_spoiled.store(true, Ordering::Release);
    }

    /// Forgets that: it watches no key any more.
    pub fn forget_spoiled(&self) {
        self.is_spoiled.store(false, Ordering::Release);
    }

    /// Whether it waits, and for what.
    pub fn is_waiting(&self, what: Waiting) -> bool {
        self.waiting.load(Ordering::Acquire) == what as u8
    }

    /// Whether it is in a mode.
    pub fn is_in(&self, mode: Mode) -> bool {
        self.modes.load(Ordering::Relaxed) & mode as u8 != 0
    }

    /// Puts it into a mode, or out of it. Only its own connection does.
    pub fn set_mode(&self, mode: Mode, is_on: bool) {
        let others = self.modes.load(Ordering::Relaxed) & !(mode as u8);
        self.modes.store(others | if is_on { mode as u8 } else { 0 }, Ordering::Relaxed);
    }

    /// Makes it another user, or the same one with other rules. A session is not held to them.
    pub(crate) fn set_user(&self, user: Arc<User>, is_held: bool) {
        // Both under the lock, so that the gate is that of the user who is there.
        let mut current = self.user.lock();
        self.gates.set(Gate::Rules, is_held && !user.may_all());
        *current = Some(user);
    }

    /// Allows it nothing any more, as the user it is.
    pub(crate) fn bar(&self, around: Surroundings<'_>) {
        let name = self.user_name();
        self.set_user(Arc::new(User::new(&name, around)), true);
    }

    /// The user whose rules its calls are held to, unless they may be anything.
    pub fn rules(&self) -> Option<Arc<User>> {
        if self.gates.has(Gate::Rules) { self.user.lock().clone() } else { None }
    }

    /// Whether it may make a call. Nothing is remembered of it if not.
    pub fn may(&self, attempt: &Attempt<'_>) -> bool {
        self.rules().is_none_or(|user| user.check(attempt).is_ok())
    }

    /// Whether it is this user.
    pub fn is_user(&self, name: &[u8]) -> bool {
        self.user.lock().as_ref().map_or(acl::DEFAULT, |user| &user.name) == name
    }

    /// The name of its user.
    pub fn user_name(&self) -> Box<[u8]> {
        self.user.lock().as_ref().map_or_else(|| acl::DEFAULT.into(), |user| user.name.clone())
    }

    /// Memory that it takes: input that has not run and output that has not been sent, with their buffers, and what it listens
    /// to.
    pub fn memory_bytes(&self) -> usize {
        let queue_bytes = self.queue_bytes.load(Ordering::Relaxed);
        CLIENT_BYTES
            + self.input_bytes()
            + queue_bytes
            + self.unsent_bytes()
            + self.subscriptions.memory_bytes()
    }

    /// The buffer of its input.
    fn input_bytes(&self) -> usize {
        let buffers = [&self.query_bytes, &self.query_free_bytes];
        buffers.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum()
    }

    /// Output that waits: replies, and what others have for it.
    pub fn unsent_bytes(&self) -> usize {
        self.output_bytes.load(Ordering::Relaxed) + self.inbox.bytes()
    }

    /// The protocol that it speaks.
    pub fn version(&self) -> Version {
        if self.protocol.load(Ordering::Relaxed) == 3 { Version::Resp3 } else { Version::Resp2 }
    }

    /// Has it said when it leaves that grants last by its connection; at once, if it has left already.
    pub(crate) fn tell_of_leaving(&self, errands: &Arc<Errands>) {
        self.leaving.get_or_init(|| errands.clone());
        if self.has_left.load(Ordering::SeqCst) {
            errands.push(Errand::Leave { client: self.id });
        }
    }

    /// Notes that it has left.
    pub(super) fn note_left(&self) {
        self.has_left.store(true, Ordering::SeqCst);
        if let Some(errands) = self.leaving.get() {
            errands.push(Errand::Leave { client: self.id });
        }
    }

    /// Makes it one that waits. If it has been closed already, nothing comes of that.
    pub(crate) fn block(&self, waiter: Arc<Waiter>) {
        *self.blocked.lock() = Some(waiter.clone());
        if matches!(*self.task.lock(), Task::Closed) {
            waiter.abandon();
        }
    }

    /// Makes it one that waits no more.
    pub(crate) fn go_on(&self) {
        *self.blocked.lock() = None;
    }

    /// Its wait, while a command blocks it.
    pub fn blocked(&self) -> Option<Arc<Waiter>> {
        self.blocked.lock().clone()
    }

    /// Ends its wait; whether it could be ended, which only one caller can.
    pub fn unblock(&self, how: End) -> bool {
        self.blocked().is_some_and(|waiter| waiter.end(how))
    }

    /// Hands over the connection's task, which ends at once if the client has been closed on its way.
    pub(crate) fn set_task(&self, handle: AbortHandle) {
        let mut task = self.task.lock();
        match *task {
            Task::Coming => *task = Task::Running(handle),
            Task::Running(_) => unreachable!("a client has one task"),
            Task::Closed => handle.abort(),
        }
    }

    /// Whether somebody has ended the connection.
    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.task.lock(), Task::Closed)
    }

    /// Ends the connection, whatever it is doing. What it waits for is for others from here on, although its task is still
    /// there.
    pub(super) fn close(&self) {
        if let Task::Running(handle) = std::mem::replace(&mut *self.task.lock(), Task::Closed) {
            handle.abort();
        }
        self.inbox.close();
        if let Some(waiter) = self.blocked() {
            waiter.abandon();
        }
    }
}

/// Sums and extremes over all clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientTotals {
    /// Memory of all, their buffers included.
    pub memory_bytes: usize,
    /// The largest buffer of input.
    pub input_bytes_max: usize,
    /// The most bytes of replies that one has not taken yet.
    pub output_bytes_max: usize,
}

/// All clients of a server.
#[derive(Debug, Default)]
pub struct Registry {
    clients: DashMap<u64, Arc<ClientInfo>>,
    next_id: AtomicU64,
    count: AtomicUsize,
    /// Those that see the commands of all others.
    pub monitors: Monitors,
    /// Those that listen to channels.
    pub pubsub: Arc<PubSub>,
    /// Which keys they have read, and hear of.
    pub tracking: Tracking,
}

impl Registry {
    /// The number for a new client: from 1 on.
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How many clients there are.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All clients, in the order in which they came.
    pub fn all(&self) -> Vec<Arc<ClientInfo>> {
        let mut all: Vec<_> = self.clients.iter().map(|client| client.value().clone()).collect();
        all.sort_unstable_by_key(|client| client.id);
        all
    }

    /// Sums and extremes over all clients: one step for each.
    pub fn totals(&self) -> ClientTotals {
        self.clients.iter().fold(ClientTotals::default(), |totals, client| ClientTotals {
            memory_bytes: totals.memory_bytes + client.memory_bytes(),
            input_bytes_max: totals.input_bytes_max.max(client.input_bytes()),
            output_bytes_max: totals.output_bytes_max.max(client.unsent_bytes()),
        })
    }

    /// The client of a number.
    pub fn client(&self, id: u64) -> Option<Arc<ClientInfo>> {
        self.clients.get(&id).map(|client| client.value().clone())
    }

    pub(super) fn insert(&self, info: Arc<ClientInfo>) {
        let is_new = self.clients.insert(info.id, info).is_none();
        self.count.fetch_add(usize::from(is_new), Ordering::Relaxed);
    }

    /// Closes a client, whatever it is doing; whether it was there. Nobody sees it from here on, although its thread may
    /// still be at work on its last commands.
    pub fn close(&self, client: &ClientInfo) -> bool {
        // In this order: its own thread takes it out too when it ends.
        let is_there = self.remove(client.id);
        client.close();
        self.pubsub.leave(client);
        self.tracking.end(client);
        is_there
    }

    pub(super) fn remove(&self, id: u64) -> bool {
        let is_there = self.clients.remove(&id).is_some();
        self.count.fetch_sub(usize::from(is_there), Ordering::Relaxed);
        is_there
    }
}
