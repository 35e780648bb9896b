//! One network thread: its runtime, the buffers that it lends to its connections, and the way in for new ones.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use shardis_protocol::{Reply, Version};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;

use super::connection::Connection;
use super::held::HeldReplies;
use super::listener::Peer;
use super::window::Window;
use crate::client::Client;
use crate::dispatch::{Context, Runner};
use crate::observe::stats::ThreadStats;
use crate::scripting::engine::EngineSlot;
use crate::state::State;

/// What is read at once. A larger buffer would fall out of the second-level cache.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// What the connections of one thread share.
pub struct Thread {
    /// The server.
    pub state: Arc<State>,
    /// The counters of this thread.
    pub stats: Arc<ThreadStats>,
    /// Runs short scripts.
    engine: Rc<EngineSlot>,
    /// Lent to one connection at a time, between two awaits.
    pub buffers: RefCell<Buffers>,
    /// What connections that have run will send when the others have.
    pub held: HeldReplies,
    /// Connections of this thread.
    load: Arc<AtomicUsize>,
}

/// The buffers of a thread. A connection owns memory only while it has a partial command or unsent output.
pub struct Buffers {
    /// What was just read. It has no memory before the first turn, nor after one that a panic has ended.
    pub read: BytesMut,
    /// The parsed commands.
    pub window: Window,
    /// The replies of this turn.
    pub reply: Reply,
}

/// The way to hand a connection to a thread.
#[derive(Clone, Debug)]
pub struct ThreadHandle {
    arrivals: mpsc::UnboundedSender<(Peer, Client)>,
    load: Arc<AtomicUsize>,
}

impl Thread {
    /// What is around a call of one of its clients, at this instant.
    pub fn context(&self) -> Context<'_> {
        let now_ms = self.state.clock.now_ms();
        let engine = Some(&self.engine);
        Context { state: &self.state, stats: &self.stats, runner: Runner::Network, engine, now_ms }
    }

    /// Whether there is more than one connection.
    pub fn has_several(&self) -> bool {
        self.load.load(Ordering::Relaxed) > 1
    }
}

impl ThreadHandle {
    /// Connections of the thread, those on their way to it included.
    pub fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Hands a connection over. How many may be on their way is bounded by `maxclients`, which counts them too.
    pub fn hand_over(&self, peer: Peer, client: Client) {
        self.load.fetch_add(1, Ordering::Relaxed);
        // The thread is gone only when the server stops; then the connection closes here.
        let _ = self.arrivals.send((peer, client));
    }
}

/// Starts a network thread, which runs until the server is stopped. `first` is run on it as a task of its own.
pub fn start(
    index: usize,
    state: Arc<State>,
    first: impl FnOnce(Arc<State>, Arc<ThreadStats>) -> Box<dyn Future<Output = ()> + Unpin> + Send + 'static,
) -> io::Result<(ThreadHandle, std::thread::JoinHandle<()>)> {
    let (arrivals, incoming) = mpsc::unbounded_channel();
    let load = Arc::new(AtomicUsize::new(0));
    let handle = ThreadHandle { arrivals, load: load.clone() };
    let state_here = state.clone();
    let (built, is_built) = std::sync::mpsc::sync_channel(1);
    let join = std::thread::Builder::new().name(format!("shardis-net-{index}")).spawn(move || {
        // A local runtime stays on the thread that built it, and its tasks need no second queue.
        let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => runtime,
            Err(error) => {
                // Whoever starts the thread waits for this.
                let _ = built.send(Err(error));
                return;
            }
        };
        let _ = built.send(Ok(runtime.handle().clone()));
        let stats = state.stats.thread();
        let first = first(state.clone(), stats.clone());
        let reply = Reply::new(Version::Resp2);
        let buffers = Buffers { read: BytesMut::new(), window: Window::default(), reply };
        let thread = Rc::new(Thread {
            state,
            stats,
            engine: Rc::default(),
            buffers: RefCell::new(buffers),
            held: HeldReplies::default(),
            load,
        });
        runtime.spawn_local(first);
        runtime.block_on(serve(thread, incoming));
        // Dropping the runtime drops the tasks, which closes their connections.
        drop(runtime);
    })?;
    let runtime = is_built.recv().map_err(|_| io::ErrorKind::Other)??;
    // The first thread is as good as any other.
    let _ = state_here.runtime.set(runtime);
    Ok((handle, join))
}

async fn serve(thread: Rc<Thread>, mut incoming: mpsc::UnboundedReceiver<(Peer, Client)>) {
    let mut stopping = thread.state.stopping.subscribe();
    loop {
        tokio::select! {
            arrival = incoming.recv() => match arrival {
                Some((peer, client)) => welcome(&thread, peer, client),
                None => return,
            },
            // An error means that the server itself is gone.
            _ = stopping.wait_for(|&stopping| stopping) => return,
        }
    }
}

fn welcome(thread: &Rc<Thread>, peer: Peer, client: Client) {
    let info = client.info.clone();
    let thread_of_task = thread.clone();
    // Made before the task, which may be ended before it has begun.
    let leaving = Leaving(thread.load.clone());
    let (state, leaver) = (thread.state.clone(), info.clone());
    let task = tokio::task::spawn_local(async move {
        let _leaving = leaving;
        match peer {
            Peer::Tcp(stream) => match listener_stream(stream) {
                Ok(stream) => Connection::new(thread_of_task, stream, client).serve().await,
                Err(error) => {
                    thread_of_task.state.log.verbose(format_args!("Error registering a client: {error}"))
                }
            },
            Peer::Unix(stream) => match tokio::net::UnixStream::from_std(stream) {
                Ok(stream) => Connection::new(thread_of_task, stream, client).serve().await,
                Err(error) => {
                    thread_of_task.state.log.verbose(format_args!("Error registering a client: {error}"))
                }
            },
            Peer::Memory(stream) => Connection::new(thread_of_task, stream, client).serve().await,
        }
        state.log.verbose(format_args!("Client closed connection id={} addr={}", leaver.id, leaver.addr));
    });
    info.set_task(task.abort_handle());
}

fn listener_stream(stream: std::net::TcpStream) -> io::Result<tokio::net::TcpStream> {
    tokio::net::TcpStream::from_std(stream)
}

/// Takes a connection off the thread's load, however its task ends.
struct Leaving(Arc<AtomicUsize>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
