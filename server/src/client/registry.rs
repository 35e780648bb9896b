//! The clients of a server, as CLIENT LIST and INFO see them.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use super::Monitors;
use super::inbox::Inbox;
use crate::observe::stats::Counter;
use crate::state::CLIENT_BYTES;

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
    /// Whether it waits for a command that runs elsewhere, or until one that holds its data has ended.
    pub is_waiting: AtomicU8,
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
    /// Whether it sees the commands of all clients.
    pub is_monitor: AtomicBool,
    /// What other threads have for it.
    pub inbox: Inbox,
    /// What it calls itself.
    pub names: Mutex<Names>,
    /// Ends the connection's task.
    pub(crate) abort: OnceLock<AbortHandle>,
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
            is_waiting: 0.into(),
            query_bytes: 0.into(),
            query_free_bytes: 0.into(),
            output_bytes: 0.into(),
            received: Counter::default(),
            sent: Counter::default(),
            commands: 0.into(),
            is_monitor: AtomicBool::default(),
            inbox: Inbox::default(),
            names: Mutex::default(),
            abort: OnceLock::new(),
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

    /// Ends the connection, whatever it is doing.
    pub fn close(&self) {
        if let Some(task) = self.abort.get() {
            task.abort();
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
        self.clients.iter().fold(ClientTotals::default(), |totals, client| {
            let input_bytes =
                client.query_bytes.load(Ordering::Relaxed) + client.query_free_bytes.load(Ordering::Relaxed);
            let output_bytes = client.output_bytes.load(Ordering::Relaxed);
            ClientTotals {
                memory_bytes: totals.memory_bytes + CLIENT_BYTES + input_bytes + output_bytes,
                input_bytes_max: totals.input_bytes_max.max(input_bytes),
                output_bytes_max: totals.output_bytes_max.max(output_bytes),
            }
        })
    }

    /// The client of a number.
    pub fn client(&self, id: u64) -> Option<Arc<ClientInfo>> {
        self.clients.get(&id).map(|client| client.value().clone())
    }

    pub(super) fn insert(&self, info: Arc<ClientInfo>) {
        self.clients.insert(info.id, info);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, id: u64) {
        if self.clients.remove(&id).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
