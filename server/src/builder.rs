//! Starting and stopping a server: the face for programs that embed one, and for `main`.

use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use shardis_storage::{Gauge, Keyspace, KeyspaceOptions, Random};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::acl::{self, Acl, Surroundings};
use crate::background;
use crate::block::block_on;
use crate::client::Registry;
use crate::clock::Clock;
use crate::command::table::Table;
use crate::commands::FAMILIES;
use crate::config::{Config, ConfigError};
use crate::eviction::MemoryLimit;
use crate::jobs::executor::Executor;
use crate::jobs::pool::Pool;
use crate::keeper;
use crate::locks::Locks;
use crate::log::{Log, Sink};
use crate::net::listener::{Door, Listener, Peer};
use crate::net::{addresses, thread};
use crate::observe::stats::Stats;
use crate::observe::thresholds::Thresholds;
use crate::scripting::watchdog::Watchdog;
use crate::session::{self, Session, Value};
use crate::state::{Listening, State};
use crate::url::percent_encoded;

/// Settings of a server that is not started yet. See [`Server::builder`].
pub struct ServerBuilder {
    config: Config,
    clock: Clock,
    seed: Option<u64>,
    sink: Sink,
    listens_tcp: bool,
}

/// A running server. Dropping it stops it and leaves no thread behind.
pub struct Server {
    state: Arc<State>,
    door: Door,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Made when it is first used.
    session: Mutex<Option<Session>>,
}

/// Asks a server to stop, from anywhere.
#[derive(Clone, Debug)]
pub struct ShutdownHandle(Arc<State>);

impl ShutdownHandle {
    /// Makes [`Server::wait_for_shutdown`] return.
    pub fn request(&self) {
        self.0.request_shutdown();
    }
}

impl ServerBuilder {
    /// Takes over a whole configuration, as read from a file: there port 0 means no TCP.
    pub fn config(mut self, config: Config) -> ServerBuilder {
        self.listens_tcp = config.port.value() != 0;
        self.config = config;
        self
    }

    /// Sets one parameter by its name in redis.conf.
    ///
    /// ```
    /// # use shardis_server::Server;
    /// let server = Server::builder().set("requirepass", "secret")?.set("databases", "4")?.start()?;
    /// assert!(server.url().unwrap().starts_with("redis://:secret@127.0.0.1:"));
    /// assert!(Server::builder().set("appendonly", "yes").is_err(), "nothing is kept");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set(self, name: &str, value: impl AsRef<[u8]>) -> Result<ServerBuilder, ConfigError> {
        self.config.set(name, value.as_ref())?;
        Ok(self)
    }

    /// Listens on this TCP port; 0 is any free one, see [`Server::addr`].
    pub fn port(mut self, port: u16) -> ServerBuilder {
        self.config.port.set(port.into());
        self.listens_tcp = true;
        self
    }

    /// Listens on no TCP port. What is left is a UNIX socket, if one is set, and the process itself.
    pub fn no_listener(mut self) -> ServerBuilder {
        self.listens_tcp = false;
        self
    }

    /// Listens on a UNIX socket too, which is gone when the server is.
    ///
    /// ```
    /// # use shardis_server::Server;
    /// let path = std::env::temp_dir().join(format!("shardis-doc-{}", std::process::id()));
    /// let server = Server::builder().no_listener().unix_socket(&path).start()?;
    /// let mut stream = std::os::unix::net::UnixStream::connect(&path)?;
    /// # use std::io::{Read, Write};
    /// stream.write_all(b"PING\r\nQUIT\r\n")?;
    /// let mut answer = String::new();
    /// stream.read_to_string(&mut answer)?;
    /// assert_eq!(answer, "+PONG\r\n+OK\r\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn unix_socket(self, path: impl Into<PathBuf>) -> ServerBuilder {
        self.config.unixsocket.set(path.into().as_os_str().as_encoded_bytes());
        self
    }

    /// Uses this clock instead of the system's.
    pub fn clock(mut self, clock: Clock) -> ServerBuilder {
        self.clock = clock;
        self
    }

    /// Makes everything random repeatable: with the same seed, the same commands give the same replies.
    ///
    /// ```
    /// # use shardis_server::Server;
    /// let pick = |seed| -> std::io::Result<_> {
    ///     let server = Server::builder().seed(seed).start()?;
    ///     server.execute(&["MSET", "a", "1", "b", "2", "c", "3"]);
    ///     Ok((0..20).map(|_| server.execute(&["RANDOMKEY"])).collect::<Vec<_>>())
    /// };
    /// assert_eq!(pick(7)?, pick(7)?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn seed(mut self, seed: u64) -> ServerBuilder {
        self.seed = Some(seed);
        self
    }

    /// Sends the log somewhere; an embedded server is silent by default.
    pub fn log(mut self, sink: Sink) -> ServerBuilder {
        self.sink = sink;
        self
    }

    /// Starts the server. It is ready for connections when this returns.
    pub fn start(self) -> io::Result<Server> {
        let listens_tcp = self.listens_tcp;
        let state = self.into_state();
        acl::file::load_at_start(&state)?;
        state.apply_settings();
        limit_clients(&state)?;
        let listeners = addresses::bind(&state.config, listens_tcp)?;
        let threads = state.config.thread_count();
        let mut listening = Listening::default();
        for listener in &listeners {
            match listener {
                Listener::Tcp(listener) => listening.tcp.push(listener.local_addr()?),
                Listener::Unix(listener) => {
                    listening.unix = listener.local_addr()?.as_pathname().map(PathBuf::from);
                }
                Listener::Metrics(_) => {}
            }
        }
        *state.listening.lock() = listening;
        let woken = state.clone();
        state.keyspace.on_release({
            let state = Arc::downgrade(&woken);
            move || {
                if let Some(state) = state.upgrade() {
                    state.released.notify_waiters();
                }
            }
        });
        drop(woken);
        Server::launch(state, listeners, threads)
    }

    fn into_state(self) -> Arc<State> {
        let mut random = Random::seeded(self.seed.unwrap_or_else(system_seed));
        let databases = u16::try_from(self.config.databases.value());
        let keyspace = Keyspace::new(KeyspaceOptions {
            shards: usize::try_from(self.config.shards.value()).unwrap_or(1),
            databases: databases.expect("invariant: the table of parameters says how many there may be"),
            // Clients see what the generator gives, and must not learn from it which keys share a bucket.
            seed: if self.seed.is_some() { random.u64() } else { system_seed() },
        });
        let config = Arc::new(self.config);
        let commands = Table::new(FAMILIES, config.personality.value());
        let acl = Acl::new(Surroundings::new(&commands, &config), &config);
        let log_clock = self.clock.clone();
        let stats = Arc::new(Stats::new(commands.entries().len()));
        let clients: Arc<Registry> = Arc::default();
        Arc::new(State {
            memory_limit: MemoryLimit::new(Gauge::new(&keyspace), Random::seeded(random.u64())),
            executor: Executor::new(stats.clone()),
            pool: Pool::default(),
            jobs: Arc::default(),
            cursors: Arc::default(),
            stats,
            log: Log::new(self.sink, config.clone(), move || log_clock.now_ms()),
            run_id: random.fill_hex(RUN_ID_DIGITS),
            replication_id: Mutex::new(random.fill_hex(RUN_ID_DIGITS)),
            started_ms: self.clock.now_ms(),
            locks: Locks::new(keyspace.shards(), &self.clock),
            keyspace,
            thresholds: Thresholds::of(&config),
            watchdog: Watchdog::new(config.clone(), self.clock.clone()),
            scripts: Default::default(),
            functions: Default::default(),
            config,
            clock: self.clock,
            commands,
            acl,
            pubsub: clients.pubsub.clone(),
            clients,
            waiters: Default::default(),
            watchers: Default::default(),
            command_log: Default::default(),
            latency: Default::default(),
            pause: Default::default(),
            poison: Default::default(),
            released: Default::default(),
            shutdown: Default::default(),
            traffic: Default::default(),
            stopping: Default::default(),
            runtime: Default::default(),
            listening: Default::default(),
            addresses: Default::default(),
            changing_settings: Default::default(),
            random: Mutex::new(random),
            memory_peak: Default::default(),
            is_expiry_paused: Default::default(),
            scripts_may_call_all: Default::default(),
            is_background_paused: Default::default(),
            expiry: Default::default(),
        })
    }
}

impl Server {
    /// A server to be set up. Every setting has a default that just works: a free port on loopback, nothing random
    /// fixed, the system's clock, a silent log.
    ///
    /// ```
    /// let server = shardis_server::Server::builder().start()?;
    /// assert_eq!(server.execute(&["SET", "k", "v"]), shardis_server::Value::Simple("OK".into()));
    /// assert_eq!(server.execute(&["GET", "k"]), shardis_server::Value::Bulk(b"v".to_vec()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> ServerBuilder {
        let config = Config::default();
        config.port.set(0);
        ServerBuilder { config, clock: Clock::real(), seed: None, sink: Sink::None, listens_tcp: true }
    }

    fn launch(state: Arc<State>, listeners: Vec<Listener>, threads: usize) -> io::Result<Server> {
        let (hand_in, door_of_first) = tokio::sync::oneshot::channel::<Door>();
        let (changes, to_change) = mpsc::unbounded_channel();
        state.follow_addresses(move |state| addresses::follow(state, &changes));
        let mut handles = Vec::new();
        let mut joins = Vec::new();
        let mut first = Some((door_of_first, listeners, to_change));
        for index in 0..threads.max(1) {
            let duty = first.take();
            let started = thread::start(index, state.clone(), move |state, stats| match duty {
                Some((door, listeners, to_change)) => {
                    Box::new(Box::pin(first_duties(state, stats, door, listeners, to_change)))
                }
                None => Box::new(std::future::ready(())),
            });
            match started {
                Ok((handle, join)) => {
                    handles.push(handle);
                    joins.push(join);
                }
                Err(error) => {
                    stop_threads(&state, joins);
                    return Err(error);
                }
            }
        }
        let door = Door::new(handles);
        // The receiver is the first thread, which has just been started.
        let _ = hand_in.send(door.clone());
        Ok(Server { state, door, threads: Mutex::new(joins), session: Mutex::default() })
    }

    /// The first TCP address that it listens on.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.state.listening.lock().tcp.first().copied()
    }

    /// Every TCP address that it listens on.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.state.listening.lock().tcp.clone()
    }

    /// What a client library connects to: `redis://127.0.0.1:PORT/`, or `unix://PATH`, with the password if there is one.
    /// For the latter there is no common form; `?pass=PASSWORD` is that of the `redis` crate.
    pub fn url(&self) -> Option<String> {
        let listening = self.state.listening.lock();
        let password = self.state.config.requirepass.value();
        let password = percent_encoded(&password, b"");
        let path = listening.unix.as_ref().map(|path| percent_encoded(path.as_os_str().as_bytes(), b"/"));
        match (listening.tcp.first(), path) {
            (Some(addr), _) if password.is_empty() => Some(format!("redis://{addr}/")),
            (Some(addr), _) => Some(format!("redis://:{password}@{addr}/")),
            (None, Some(path)) if password.is_empty() => Some(format!("unix://{path}")),
            (None, Some(path)) => Some(format!("unix://{path}?pass={password}")),
            (None, None) => None,
        }
    }

    /// A connection that never leaves the process: bytes as over a socket, for any client that takes a stream. The
    /// `redis` crate does:
    ///
    /// ```
    /// use redis::aio::MultiplexedConnection;
    /// use redis::{AsyncCommands, AsyncConnectionConfig, RedisConnectionInfo};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let server = shardis_server::Server::builder().no_listener().start()?;
    /// let (info, config) = (RedisConnectionInfo::default(), AsyncConnectionConfig::new());
    /// let (mut client, driver) =
    ///     MultiplexedConnection::new_with_config(&info, server.connect(), config).await?;
    /// tokio::spawn(driver);
    ///
    /// let () = client.set("greeting", "hello").await?;
    /// assert_eq!(client.get::<_, String>("greeting").await?, "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        self.door.enter(&self.state, Peer::Memory(ours), String::from("?:0"), String::from("?:0"), -1);
        theirs
    }

    /// Runs one command here and now, in database 0 and without regard to the calls before it: what selects a database or
    /// switches the protocol needs a [`Server::session`] of its own. Callers take turns. A command that blocks its client
    /// blocks the calling thread.
    ///
    /// `SHUTDOWN` only asks, as [`Server::request_shutdown`] does: whoever holds the server decides when to stop it.
    pub fn execute(&self, args: &[impl AsRef<[u8]>]) -> Value {
        // Whoever has to wait does so without keeping others from their turn.
        let mut taken = self.session.lock();
        let session = taken.get_or_insert_with(|| self.session());
        let Some(blocked) = session.begin_anew(args) else { return session.value() };
        drop(taken);
        session::wait(*blocked)
    }

    /// A client of its own inside the process, without any stream.
    ///
    /// ```
    /// let server = shardis_server::Server::builder().no_listener().start()?;
    /// let (mut one, mut two) = (server.session(), server.session());
    /// one.execute(&["SELECT", "1"]);
    /// one.execute(&["SET", "k", "only there"]);
    /// assert_eq!(two.execute(&["EXISTS", "k"]).as_integer(), Some(0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn session(&self) -> Session {
        Session::new(self.state.clone())
    }

    /// The clock, which a test can move if it is manual.
    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// The settings, live.
    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.state.log
    }

    /// A handle that asks the server to stop.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle(self.state.clone())
    }

    /// Waits until a client or a [`ShutdownHandle`] asks the server to stop.
    pub fn wait_for_shutdown(&self) {
        let mut asked = self.state.shutdown.subscribe();
        // An error would mean that the server is gone already.
        let _ = block_on(asked.wait_for(|&asked| asked));
    }

    /// Waits until a few megabytes have come in, or until the server is asked to stop.
    pub fn wait_for_traffic(&self) {
        let (mut traffic, mut asked) = (self.state.traffic.subscribe(), self.state.shutdown.subscribe());
        block_on(async {
            tokio::select! {
                _ = traffic.wait_for(|&traffic| traffic) => {}
                _ = asked.wait_for(|&asked| asked) => {}
            }
        });
    }

    /// Asks the server to stop; [`Server::wait_for_shutdown`] returns. Until [`Server::stop`] everybody is served as before.
    pub fn request_shutdown(&self) {
        self.state.request_shutdown();
    }

    /// Stops the server and joins its threads. Connections are closed, and the data is gone once the server is dropped:
    /// until then [`Server::execute`] and sessions still answer, but for computations, which are cancelled.
    pub fn stop(&self) {
        stop_threads(&self.state, std::mem::take(&mut self.threads.lock()));
        if let Some(path) = self.state.listening.lock().unix.take() {
            // Somebody may have removed it already.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("addr", &self.addr()).finish_non_exhaustive()
    }
}

/// Promises no more clients than this process may have files open.
fn limit_clients(state: &State) -> io::Result<()> {
    let wanted = state.config.maxclients.value();
    let clients_max = state.config.clients_max();
    if wanted <= clients_max {
        return Ok(());
    }
    let files = state.config.own_files().saturating_add(wanted);
    let limit = clients_max + state.config.own_files();
    if clients_max == 0 {
        let text = format!(
            "The limit on open files ('ulimit -n') is not enough for the server to start. Please increase it to at \
             least {files}"
        );
        return Err(io::Error::other(text));
    }
    state.config.maxclients.set(clients_max);
    state.log.warning(format_args!(
        "You requested maxclients of {wanted} requiring at least {files} max file descriptors. Current maximum open \
         files is {limit}. maxclients has been reduced to {clients_max} to compensate for low ulimit. If you need \
         higher maxclients increase 'ulimit -n'."
    ));
    Ok(())
}

/// What the first thread does beside serving connections: it accepts them, and runs the periodic tasks.
async fn first_duties(
    state: Arc<State>,
    stats: Arc<crate::observe::stats::ThreadStats>,
    door: tokio::sync::oneshot::Receiver<Door>,
    listeners: Vec<Listener>,
    changes: mpsc::UnboundedReceiver<addresses::Change>,
) {
    let Ok(door) = door.await else { return };
    tokio::task::spawn_local(keeper::run(state.clone(), stats.clone()));
    tokio::task::spawn_local(addresses::accept(listeners, changes, state.clone(), stats.clone(), door));
    background::run(state, stats).await;
}

fn stop_threads(state: &State, threads: Vec<JoinHandle<()>>) {
    state.stopping.send_replace(true);
    state.watchdog.stop();
    for thread in threads {
        // A panic over there has been reported already.
        let _ = thread.join();
    }
    state.pool.stop();
    state.executor.stop();
}

/// A seed from the system's randomness.
fn system_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

/// What an in-memory connection holds in each direction before the writer waits.
const PIPE_BYTES: usize = 64 * 1024;
const RUN_ID_DIGITS: usize = 40;
