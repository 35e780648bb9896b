//! Where a server accepts, and how that changes: CONFIG SET can change its TCP addresses while it runs. Connections stay whatever becomes of the address they
//! came by.
//!
//! 1. Whoever changes the settings resolves the names, hands the addresses to the one task that has the sockets, and waits for
//!    its answer. A network thread never waits: it leaves the command to others.
//! 2. What stays the same stays open. New sockets are bound before old ones go, so that a refusal leaves everything as it was;
//!    only where an old one is in the way (`*` and `127.0.0.1` at one port) it goes first, and comes back if that was in vain.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::listener::{self, Address, Door, Listener};
use crate::config::Config;
use crate::observe::stats::ThreadStats;
use crate::state::State;

/// Where to listen from now on, and who waits for the answer. Settings change one after the other, so there is one at a time.
#[derive(Debug)]
pub struct Change {
    wanted: Vec<Address>,
    answer: std_mpsc::SyncSender<io::Result<Vec<SocketAddr>>>,
}

/// Binds everything that a server with these settings accepts at.
pub fn bind(config: &Config, listens_tcp: bool) -> io::Result<Vec<Listener>> {
    let (hosts, backlog) = (config.bind_addresses(), config.tcp_backlog.value());
    let mut listeners = Vec::new();
    if listens_tcp {
        let port = u16::try_from(config.port.value()).unwrap_or(0);
        listeners = listener::bind(&listener::resolve_all(&hosts, port)?, backlog)?;
        // If the system has chosen one, that is the setting from here on.
        if let Some(addr) = listeners.first().and_then(Listener::tcp_addr) {
            config.port.set(addr.port().into());
        }
    }
    if let Some(port) = u16::try_from(config.metrics_port.value()).ok().filter(|&port| port != 0) {
        let bound = listener::bind(&listener::resolve_all(&hosts, port)?, backlog)?;
        listeners.extend(bound.into_iter().map(Listener::for_metrics));
    }
    if let Some(path) = config.unix_socket() {
        listeners.push(Listener::Unix(listener::bind_unix(&path, config.unixsocketperm.value())?));
    }
    Ok(listeners)
}

/// Listens where the settings say now. May take as long as names take to be resolved.
pub fn follow(state: &State, changes: &mpsc::UnboundedSender<Change>) -> io::Result<()> {
    let wanted = listener::addresses(&state.config)?;
    let (answer, answered) = std_mpsc::sync_channel(1);
    let is_over = || io::Error::other("the server is stopping");
    changes.send(Change { wanted, answer }).map_err(|_| is_over())?;
    let open = answered.recv().map_err(|_| is_over())??;
    state.listening.lock().tcp = open;
    Ok(())
}

/// Accepts at all these, and follows changes until the server stops.
pub async fn accept(
    listeners: Vec<Listener>,
    mut changes: mpsc::UnboundedReceiver<Change>,
    state: Arc<State>,
    stats: Arc<ThreadStats>,
    door: Door,
) {
    let mut acceptors = Acceptors { open: Vec::new(), state, stats, door };
    acceptors.start(listeners);
    while let Some(Change { wanted, answer }) = changes.recv().await {
        let changed = acceptors.change(&wanted).await;
        // Whoever asked has an answer to wait for.
        let _ = answer.send(changed.map(|()| acceptors.addresses()));
    }
}

/// The tasks that accept over TCP, and what they work with.
struct Acceptors {
    open: Vec<(SocketAddr, JoinHandle<()>)>,
    state: Arc<State>,
    stats: Arc<ThreadStats>,
    door: Door,
}

impl Acceptors {
    fn start(&mut self, listeners: impl IntoIterator<Item = Listener>) {
        for listener in listeners {
            let addr = listener.tcp_addr();
            let (state, stats, door) = (self.state.clone(), self.stats.clone(), self.door.clone());
            let task = tokio::task::spawn_local(listener::accept(listener, state, stats, door));
            self.open.extend(addr.map(|addr| (addr, task)));
        }
    }

    async fn change(&mut self, wanted: &[Address]) -> io::Result<()> {
        let is_open = |addr: SocketAddr| self.open.iter().any(|(open, _)| *open == addr);
        let added: Vec<_> = wanted.iter().filter(|address| !is_open(address.addr)).copied().collect();
        let backlog = self.state.config.tcp_backlog.value();
        let bound = listener::bind(&added, backlog);
        let is_in_the_way = bound.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse);
        if !is_in_the_way {
            let bound = bound?;
            self.close_all_but(wanted).await;
            self.start(bound);
            return Ok(());
        }
        let closed = self.close_all_but(wanted).await;
        let bound = listener::bind(&added, backlog);
        let refusal = bound.as_ref().err().map(|error| io::Error::new(error.kind(), error.to_string()));
        self.start(match bound {
            Ok(bound) => bound,
            Err(_) => listener::bind(&closed, backlog)?,
        });
        refusal.map_or(Ok(()), Err)
    }

    /// Closes what is not wanted any more, and tells where that was.
    async fn close_all_but(&mut self, wanted: &[Address]) -> Vec<Address> {
        let is_wanted = |addr: SocketAddr| wanted.iter().any(|address| address.addr == addr);
        let (kept, closed) =
            std::mem::take(&mut self.open).into_iter().partition(|(addr, _)| is_wanted(*addr));
        self.open = kept;
        let mut addresses = Vec::new();
        for (addr, task) in closed {
            task.abort();
            // The socket is closed when the task is gone, which its being cancelled tells.
            let _ = task.await;
            addresses.push(Address { addr, is_optional: false });
        }
        addresses
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.open.iter().map(|(addr, _)| *addr).collect()
    }
}
