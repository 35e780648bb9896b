//! The server as commands see it: the keyspace, the command table, the services and the settings of one server. There
//! is no global state: many servers live in one process and share nothing.

use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};
use shardis_storage::{Interest, Keyspace, Random, ShardTotals};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use crate::acl::{Acl, Surroundings};
use crate::blocking::Waiters;
use crate::client::Registry;
use crate::client::pause::Pause;
use crate::clock::Clock;
use crate::command::table::Table;
use crate::config::{Config, EventClasses};
use crate::eviction::{self, MemoryLimit};
use crate::interest;
use crate::jobs::cursors::{Closed, Cursors};
use crate::jobs::directory::Directory;
use crate::jobs::executor::Executor;
use crate::jobs::pool::Pool;
use crate::locks::Locks;
use crate::log::Log;
use crate::observe::command_log::CommandLog;
use crate::observe::latency::LatencyMonitor;
use crate::observe::stats::Stats;
use crate::observe::thresholds::Thresholds;
use crate::poison::Poison;
use crate::pubsub::PubSub;
use crate::scripting::cache::Scripts;
use crate::scripting::functions::Functions;
use crate::scripting::watchdog::Watchdog;
use crate::watch::Watchers;

/// One server.
pub struct State {
    /// The data.
    pub keyspace: Keyspace,
    /// The settings.
    pub config: Arc<Config>,
    /// The one source of time.
    pub clock: Clock,
    /// Every command.
    pub commands: Table,
    /// The users, and what was refused to them.
    pub acl: Acl,
    /// Every connection.
    pub clients: Arc<Registry>,
    /// Who listens to which channels.
    pub pubsub: Arc<PubSub>,
    /// Those that a command has blocked.
    pub waiters: Waiters,
    /// What is known of locks and semaphores beyond their keys.
    pub locks: Locks,
    /// Those that watch keys.
    pub watchers: Watchers,
    /// The scripts that they have brought.
    pub scripts: Scripts,
    /// Their libraries of functions.
    pub functions: Functions,
    /// Looks after scripts that run for long.
    pub watchdog: Watchdog,
    /// Whether and how long they are paused.
    pub pause: Pause,
    /// What the threads count.
    pub stats: Arc<Stats>,
    /// From what on commands are.
    pub thresholds: Thresholds,
    /// The commands that were worth remembering.
    pub command_log: CommandLog,
    /// What has held clients up.
    pub latency: LatencyMonitor,
    /// Where the log goes.
    pub log: Log,
    /// Keeps the data within `maxmemory`.
    pub memory_limit: MemoryLimit,
    /// Threads for what takes long.
    pub executor: Executor,
    /// Threads that compute.
    pub pool: Pool,
    /// Which computations there are.
    pub jobs: Arc<Directory>,
    /// Results that are fetched page by page.
    pub cursors: Arc<Cursors>,
    /// Whether a panic has struck.
    pub poison: Poison,
    /// Forty hexadecimal digits that name this run of the server.
    pub run_id: String,
    /// As many that would name the history of its data to replicas.
    pub replication_id: Mutex<String>,
    /// When it was started: Unix milliseconds.
    pub started_ms: i64,
    /// Told whenever a long holder has released its shards.
    pub released: Notify,
    /// True once the server is asked to stop.
    pub shutdown: watch::Sender<bool>,
    /// True once a network thread has read [`TRAFFIC_BYTES_MIN`].
    pub traffic: watch::Sender<bool>,
    /// True once the threads must end.
    pub(crate) stopping: watch::Sender<bool>,
    /// Runs tasks on a network thread, for those who have no runtime; there once the server has been started.
    pub(crate) runtime: OnceLock<Handle>,
    /// Where it listens, once it does.
    pub(crate) listening: Mutex<Listening>,
    /// Held by whoever changes settings while the server runs, so that each change is all or nothing.
    pub(crate) changing_settings: Mutex<()>,
    /// Listens where the settings say; there once the server listens at all.
    pub(crate) addresses: OnceLock<Box<FollowAddresses>>,
    pub(crate) random: Mutex<Random>,
    pub(crate) memory_peak: std::sync::atomic::AtomicUsize,
    /// Whether expired keys stay until somebody meets them: for tests, by DEBUG SET-ACTIVE-EXPIRE.
    pub(crate) is_expiry_paused: std::sync::atomic::AtomicBool,
    /// Whether scripts may call what they may not: for tests, by DEBUG SET-DISABLE-DENY-SCRIPTS.
    pub(crate) scripts_may_call_all: std::sync::atomic::AtomicBool,
    /// Whether the periodic tasks rest: for tests, by DEBUG PAUSE-CRON.
    pub(crate) is_background_paused: std::sync::atomic::AtomicBool,
    /// What active expiry has seen and done.
    pub(crate) expiry: Mutex<ExpiryReport>,
}

/// What active expiry has seen and done.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExpiryReport {
    /// Average milliseconds that keys with a deadline have left, by database, as of the last round.
    pub average_ttl_ms: Vec<i64>,
    /// How many in a hundred keys with a deadline are probably past it: a mean in which the latest cycles count most.
    pub stale_percent: f64,
    /// Fields removed because their time had come.
    pub fields: u64,
    /// Cycles that had to stop because their time was over.
    pub interrupted: u64,
    /// The time it took.
    pub spent: std::time::Duration,
}

impl ExpiryReport {
    /// Sets everything to zero but what is known of the keys.
    pub fn reset_counters(&mut self) {
        *self =
            ExpiryReport { average_ttl_ms: std::mem::take(&mut self.average_ttl_ms), ..Default::default() };
    }
}

pub(crate) type FollowAddresses = dyn Fn(&State) -> std::io::Result<()> + Send + Sync;

/// Input from which on a server is at work and no longer only there.
pub const TRAFFIC_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// Where a server listens.
#[derive(Clone, Debug, Default)]
pub struct Listening {
    /// TCP addresses.
    pub tcp: Vec<std::net::SocketAddr>,
    /// The UNIX socket.
    pub unix: Option<std::path::PathBuf>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("run_id", &self.run_id).finish_non_exhaustive()
    }
}

impl State {
    /// The generator of everything random in this server.
    pub fn random(&self) -> MutexGuard<'_, Random> {
        self.random.lock()
    }

    /// Asks the server to stop; returns at once.
    pub fn request_shutdown(&self) {
        self.shutdown.send_replace(true);
    }

    /// Whether clients may do something before they have logged in.
    pub fn is_open(&self) -> bool {
        self.acl.is_open()
    }

    /// What the rules of users depend on.
    pub fn surroundings(&self) -> Surroundings<'_> {
        Surroundings::new(&self.commands, &self.config)
    }

    /// Names in the log the parameters that were set although nothing acts on them, each once.
    fn tell_stored(&self) {
        let names = self.config.stored.take_untold();
        if !names.is_empty() {
            self.log
                .notice(format_args!("These parameters are kept and have no effect: {}", names.join(", ")));
        }
    }

    /// Bytes of data, and of everything else that is counted.
    pub fn used_memory(&self) -> usize {
        self.used_memory_with(&self.keyspace.totals())
    }

    /// The same, where the sizes of the data are known already.
    pub fn used_memory_with(&self, totals: &ShardTotals) -> usize {
        use std::sync::atomic::Ordering;
        let used = self.used_memory_beside(totals.memory_bytes);
        self.memory_peak.fetch_max(used, Ordering::Relaxed);
        used
    }

    /// The same, where the keys take so many bytes.
    pub fn used_memory_beside(&self, keys_bytes: usize) -> usize {
        let of_programs = self.scripts.memory_bytes() + self.functions.memory_bytes();
        let of_computations = self.pool.memory_bytes() + self.jobs.memory_bytes() + self.cursors.counts().1;
        let of_locks = self.locks.register.memory_bytes();
        keys_bytes
            + BASE_BYTES
            + self.clients.totals().memory_bytes
            + of_programs
            + of_computations
            + of_locks
    }

    /// Frees what cursors had that were closed, where that may take long.
    pub fn close_cursors(&self, closed: Closed) {
        if !closed.is_empty() {
            self.executor.run(move |_| drop(closed));
        }
    }

    /// Says how the server comes to listen where changed settings say. Once.
    pub(crate) fn follow_addresses(
        &self,
        follow: impl Fn(&State) -> std::io::Result<()> + Send + Sync + 'static,
    ) {
        let is_first = self.addresses.set(Box::new(follow)).is_ok();
        assert!(is_first, "a server is launched once");
    }

    /// Listens where the settings say, or leaves everything as it is.
    pub fn listen_anew(&self) -> std::io::Result<()> {
        self.addresses.get().map_or(Ok(()), |follow| follow(self))
    }

    /// Listens to changes, and to lookups that find nothing, as long as somebody is to be told of them.
    fn follow_events(&self) {
        let classes = EventClasses(self.config.notify_keyspace_events.value() as u32);
        let interest = self.keyspace.interest();
        for (bits, is_wanted) in [
            (interest::EVENTS, classes.tell()),
            (Interest::MISSES, classes.tell() && classes.has(EventClasses::MISSED)),
        ] {
            if is_wanted { interest.raise(bits) } else { interest.lower(bits) }
        }
    }

    /// Lets changed settings take effect that are not looked up when they matter, and names those that have none.
    pub fn apply_settings(&self) {
        self.tell_stored();
        self.keyspace.set_access(eviction::access(&self.config));
        self.thresholds.apply(&self.config);
        self.memory_limit.void_credit();
        self.follow_events();
    }
}

/// The server without any data: tables, buffers and threads; a figure measured once.
pub(crate) const BASE_BYTES: usize = 512 * 1024;
/// An idle connection: its task, its entry in the registry.
pub(crate) const CLIENT_BYTES: usize = 2 * 1024;
