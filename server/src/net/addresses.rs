//! The TCP addresses of a running server, which CONFIG SET can change: new sockets are bound before old ones go, so that a
//! refusal leaves everything as it was. Connections stay whatever becomes of the address they came by.
//!
//! What stays the same stays open. An address that another one covers at the same port (`*` and `127.0.0.1`) cannot be
//! bound while that is open, and is refused.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::listener::{self, Door, Listener};
use crate::observe::stats::ThreadStats;
use crate::state::State;

/// What is to be changed: sockets that are to accept, and addresses that are to be given up.
#[derive(Debug)]
pub struct Change {
    open: Vec<Listener>,
    close: Vec<SocketAddr>,
}

/// Changes that are under way at most.
pub const CHANGES_MAX: usize = 16;

/// Binds what the settings say now and is not open yet, and sends what follows from that to those who accept.
pub fn follow(state: &State, changes: &mpsc::Sender<Change>) -> io::Result<()> {
    let mut listening = state.listening.lock();
    let wanted = listener::addresses(&state.config)?;
    let is_open = |addr: &SocketAddr| listening.tcp.contains(addr);
    let added: Vec<_> = wanted.iter().filter(|(addr, _)| !is_open(addr)).cloned().collect();
    let open = listener::bind_resolved(&added, state.config.tcp_backlog.value())?;
    let open: Vec<_> = open.into_iter().map(Listener::Tcp).collect();
    let (kept, close) = listening
        .tcp
        .iter()
        .partition::<Vec<SocketAddr>, _>(|addr| wanted.iter().any(|(new, _)| new == *addr));
    let opened: Vec<_> = open.iter().filter_map(Listener::tcp_addr).collect();
    changes.try_send(Change { open, close }).map_err(io::Error::other)?;
    listening.tcp = kept.into_iter().chain(opened).collect();
    Ok(())
}

/// Accepts at all these, and follows changes until the server stops.
pub async fn accept(
    listeners: Vec<Listener>,
    mut changes: mpsc::Receiver<Change>,
    state: Arc<State>,
    stats: Arc<ThreadStats>,
    door: Door,
) {
    let mut open: HashMap<SocketAddr, AbortHandle> = HashMap::new();
    let start = |listener: Listener, open: &mut HashMap<_, _>| {
        let addr = listener.tcp_addr();
        let accepting = listener::accept(listener, state.clone(), stats.clone(), door.clone());
        let task = tokio::task::spawn_local(accepting).abort_handle();
        open.extend(addr.map(|addr| (addr, task)));
    };
    listeners.into_iter().for_each(|listener| start(listener, &mut open));
    while let Some(change) = changes.recv().await {
        change.close.iter().filter_map(|addr| open.remove(addr)).for_each(|task| task.abort());
        change.open.into_iter().for_each(|listener| start(listener, &mut open));
    }
}
