//! The settings of one server: typed, live, and without any global state. This file holds the values and their defaults
//! and the rules of changing them; `options` declares the parameters by which people name them, `file` and
//! `arguments` read those from a configuration file and a command line.
//!
//! Nothing here acts on a setting: whoever needs one reads it when it matters.

pub mod arguments;
mod choice;
mod compute;
mod declare;
mod dialects;
mod events;
pub mod file;
mod help;
mod kind;
pub(crate) mod locks;
mod logged;
pub mod options;
mod output_limit;
mod personality;
mod refused;
mod rewrite;
mod scripts;
mod setting;
mod shape;
mod stored;
mod streams;
mod voice;

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::thread;

use parking_lot::{Mutex, RwLock};
use rustix::process::{Resource, getrlimit};
use shardis_protocol::number;

pub use self::choice::{DebugAccess, EvictionPolicy, Level, NewUsersChannels};
use self::compute::ComputeLimits;
pub use self::events::EventClasses;
use self::file::UserLine;
pub(crate) use self::file::read_whole;
pub use self::kind::{Kind, Reason, Unit, percentile};
pub(crate) use self::kind::{os_text, parse_memory};
use self::locks::LockSettings;
use self::logged::LoggedSettings;
use self::options::{Change, Named};
pub use self::output_limit::{ClientClass, OutputLimit, OutputLimits};
pub use self::personality::{Dialect, Personality};
pub use self::rewrite::RewriteError;
pub(crate) use self::rewrite::replace;
use self::scripts::ScriptSettings;
pub use self::setting::{Choice, Scalar, Setting, Stored, Text};
use self::streams::StreamSettings;
pub use self::voice::Voice;

/// The settings of one server. The fields are named after their parameters; `options` says what each is for.
#[expect(missing_docs, reason = "the table of parameters has a sentence for each field")]
pub struct Config {
    /// The configuration file that was read, as an absolute path.
    pub file: Option<PathBuf>,
    /// The users that were declared in it.
    pub users: Vec<UserLine>,
    pub port: Setting<i64>,
    pub bind: Text,
    pub metrics_port: Setting<i64>,
    pub unixsocket: Text,
    pub unixsocketperm: Setting<i64>,
    pub protected_mode: Setting<bool>,
    pub requirepass: Text,
    pub aclfile: Text,
    pub acl_pubsub_default: Setting<NewUsersChannels>,
    pub acllog_max_len: Setting<i64>,
    pub tcp_backlog: Setting<i64>,
    pub tcp_keepalive: Setting<i64>,
    pub timeout: Setting<i64>,
    pub maxclients: Setting<i64>,
    pub proto_max_bulk_len: Setting<i64>,
    pub client_query_buffer_limit: Setting<i64>,
    pub maxmemory: Setting<i64>,
    pub maxmemory_policy: Setting<EvictionPolicy>,
    pub maxmemory_samples: Setting<i64>,
    pub maxmemory_eviction_tenacity: Setting<i64>,
    pub lfu_log_factor: Setting<i64>,
    pub lfu_decay_time: Setting<i64>,
    pub client_output_buffer_limit: RwLock<OutputLimits>,
    pub maxmemory_clients: Setting<i64>,
    pub databases: Setting<i64>,
    pub threads: Setting<i64>,
    pub compute: ComputeLimits,
    pub shards: Setting<i64>,
    pub hz: Setting<i64>,
    pub active_expire_effort: Setting<i64>,
    pub lazyfree_lazy_user_del: Setting<Option<bool>>,
    pub lazyfree_lazy_user_flush: Setting<Option<bool>>,
    pub hash_max_listpack_entries: Setting<i64>,
    pub hash_max_listpack_value: Setting<i64>,
    pub streams: StreamSettings,
    pub list_max_listpack_size: Setting<i64>,
    /// Whether lists are reported as compressed: 0 for not. None is.
    pub list_compress_depth: Setting<i64>,
    pub set_max_intset_entries: Setting<i64>,
    pub set_max_listpack_entries: Setting<i64>,
    pub set_max_listpack_value: Setting<i64>,
    pub zset_max_listpack_entries: Setting<i64>,
    pub zset_max_listpack_value: Setting<i64>,
    pub hll_sparse_max_bytes: Setting<i64>,
    pub enable_debug_command: Setting<DebugAccess>,
    pub enable_protected_configs: Setting<DebugAccess>,
    pub personality: Setting<Personality>,
    pub logged: LoggedSettings,
    pub notify_keyspace_events: Setting<i64>,
    pub scripts: ScriptSettings,
    pub locks: LockSettings,
    pub latency_monitor_threshold: Setting<i64>,
    pub latency_tracking: Setting<bool>,
    /// Keys that are kept for clients that track them; 0 for any number.
    pub tracking_table_max_keys: Setting<i64>,
    pub latency_tracking_info_percentiles: Text,
    pub loglevel: Setting<Level>,
    pub logfile: Text,
    pub pidfile: Text,
    pub dir: Text,
    /// The values of the parameters that nothing acts on.
    pub stored: Stored,
    /// Held while the configuration file is rewritten.
    rewriting: Mutex<()>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            file: None,
            users: Vec::new(),
            port: Setting::new(6379),
            bind: Text::new("127.0.0.1 -::1"),
            metrics_port: Setting::new(0),
            unixsocket: Text::new(""),
            unixsocketperm: Setting::new(0),
            protected_mode: Setting::new(true),
            requirepass: Text::new(""),
            aclfile: Text::new(""),
            acl_pubsub_default: Setting::new(NewUsersChannels::None),
            acllog_max_len: Setting::new(128),
            tcp_backlog: Setting::new(511),
            tcp_keepalive: Setting::new(300),
            timeout: Setting::new(0),
            maxclients: Setting::new(10_000),
            proto_max_bulk_len: Setting::new(512 << 20),
            client_query_buffer_limit: Setting::new(1 << 30),
            maxmemory: Setting::new(0),
            maxmemory_policy: Setting::new(EvictionPolicy::NoEviction),
            maxmemory_samples: Setting::new(5),
            maxmemory_eviction_tenacity: Setting::new(10),
            lfu_log_factor: Setting::new(10),
            lfu_decay_time: Setting::new(1),
            client_output_buffer_limit: RwLock::new(output_limit::DEFAULTS),
            maxmemory_clients: Setting::new(0),
            databases: Setting::new(16),
            threads: Setting::new(0),
            compute: ComputeLimits::default(),
            shards: Setting::new(1024),
            hz: Setting::new(10),
            active_expire_effort: Setting::new(1),
            lazyfree_lazy_user_del: Setting::new(None),
            lazyfree_lazy_user_flush: Setting::new(None),
            hash_max_listpack_entries: Setting::new(512),
            hash_max_listpack_value: Setting::new(64),
            streams: StreamSettings::default(),
            list_max_listpack_size: Setting::new(-2),
            list_compress_depth: Setting::new(0),
            set_max_intset_entries: Setting::new(512),
            set_max_listpack_entries: Setting::new(128),
            set_max_listpack_value: Setting::new(64),
            zset_max_listpack_entries: Setting::new(128),
            zset_max_listpack_value: Setting::new(64),
            hll_sparse_max_bytes: Setting::new(3000),
            enable_debug_command: Setting::new(DebugAccess::No),
            enable_protected_configs: Setting::new(DebugAccess::No),
            personality: Setting::new(Personality::Redis72),
            logged: LoggedSettings::default(),
            notify_keyspace_events: Setting::new(0),
            scripts: ScriptSettings::default(),
            locks: LockSettings::default(),
            latency_monitor_threshold: Setting::new(0),
            latency_tracking: Setting::new(true),
            tracking_table_max_keys: Setting::new(1_000_000),
            latency_tracking_info_percentiles: Text::new("50 99 99.9"),
            loglevel: Setting::new(Level::Notice),
            logfile: Text::new(""),
            pidfile: Text::new(""),
            // Taken once, so that relative paths mean the same for as long as the server runs.
            dir: Text::new(env::current_dir().unwrap_or_default().as_os_str().as_bytes()),
            stored: Stored::default(),
            rewriting: Mutex::default(),
        }
    }
}

/// Without the values: one of them is a password.
impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Config").finish_non_exhaustive()
    }
}

/// A change of a setting that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// There is no parameter of this name.
    Unknown(Vec<u8>),
    /// The parameter does not take this value, or not now.
    Refused {
        /// The name of the parameter.
        name: Vec<u8>,
        /// In the words of Redis, where it has some.
        reason: Reason,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Unknown(name) => write!(formatter, "unknown parameter '{}'", name.escape_ascii()),
            ConfigError::Refused { name, reason } => write!(formatter, "{}: {reason}", name.escape_ascii()),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Sets a parameter by name before the server starts.
    pub fn set(&self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), ConfigError> {
        let name = name.as_ref();
        let candidates = options::candidates(name, self.personality.value());
        let Some((_, known)) = candidates.first() else { return Err(ConfigError::Unknown(name.into())) };
        options::parse(&candidates, value.as_ref(), self)
            .and_then(|(parameter, value)| {
                parameter.admit(&value, self)?;
                parameter.store(value, self);
                Ok(())
            })
            .map_err(|reason| ConfigError::Refused { name: known.as_bytes().into(), reason })
    }

    /// Sets parameters of a running server, all of them or none. What a client could do harm with is set only if
    /// `is_trusted`.
    pub fn set_live(&self, pairs: &[(&[u8], &[u8])], is_trusted: bool) -> Result<(), ConfigError> {
        let mut changes: Vec<(Named, &[u8])> = Vec::with_capacity(pairs.len());
        for (name, value) in pairs {
            let (parameter, known) = options::find(name, self.personality.value())
                .ok_or_else(|| ConfigError::Unknown(name.to_vec()))?;
            let reason = match parameter.change {
                Change::AtStart => "can't set immutable config",
                Change::Protected if !is_trusted => "can't set protected config",
                _ if changes.iter().any(|((_, earlier), _)| *earlier == known) => "duplicate parameter",
                Change::Live | Change::Protected => {
                    changes.push(((parameter, known), value));
                    continue;
                }
            };
            return Err(ConfigError::Refused { name: name.to_vec(), reason: reason.into() });
        }
        self.change(&changes)
    }

    /// A parameter as `CONFIG GET` shows it.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        let found = options::find(name.as_ref(), self.personality.value());
        found.map(|(parameter, _)| parameter.format(self))
    }

    /// What the imitated server answers where others answer something else.
    pub fn dialect(&self) -> &'static Dialect {
        self.personality.value().dialect()
    }

    /// The shares of the calls whose longest time INFO tells, in percent.
    pub fn percentiles(&self) -> Vec<f64> {
        let text = self.latency_tracking_info_percentiles.value();
        text.split(|&byte| byte == b' ').filter_map(number::parse_f64).collect()
    }

    /// The addresses to listen on, as they are written: `127.0.0.1`, `-::1`, `*`.
    pub fn bind_addresses(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.bind.value()).split_whitespace().map(str::to_owned).collect()
    }

    /// The UNIX socket to listen on, if any.
    pub fn unix_socket(&self) -> Option<PathBuf> {
        (!self.unixsocket.is_empty()).then(|| self.path(&self.unixsocket.value()))
    }

    /// The file to log to, if any.
    pub fn log_file(&self) -> Option<PathBuf> {
        (!self.logfile.is_empty()).then(|| self.path(&self.logfile.value()))
    }

    /// The file that declares the users, if any.
    pub fn acl_file(&self) -> Option<PathBuf> {
        (!self.aclfile.is_empty()).then(|| self.path(&self.aclfile.value()))
    }

    /// The file to write the id of the process to, if any.
    pub fn pid_file(&self) -> Option<PathBuf> {
        (!self.pidfile.is_empty()).then(|| self.path(&self.pidfile.value()))
    }

    /// How many network threads to start.
    pub fn thread_count(&self) -> usize {
        or_available(self.threads.value())
    }

    /// How many threads compute.
    pub fn compute_thread_count(&self) -> usize {
        or_available(self.compute.threads.value())
    }

    /// How many clients the limit on this process's open files leaves room for.
    pub fn clients_max(&self) -> i64 {
        let files = getrlimit(Resource::Nofile).current.and_then(|files| i64::try_from(files).ok());
        files.unwrap_or(i64::MAX).saturating_sub(self.own_files()).max(0)
    }

    /// Open files that are no clients: sockets to listen on, the log, what each thread waits with. Redis reserves as many
    /// for itself, whatever it needs.
    pub fn own_files(&self) -> i64 {
        let threads = i64::try_from(self.thread_count()).unwrap_or(i64::MAX);
        threads.saturating_mul(FILES_PER_THREAD).saturating_add(FILES_BESIDE_THREADS).max(FILES_OF_REDIS)
    }

    /// How much may wait to be sent to a client.
    pub fn output_limit(&self, class: ClientClass) -> OutputLimit {
        self.client_output_buffer_limit.read()[class as usize]
    }

    /// How much memory all clients together may take, if that is limited.
    pub fn client_memory_max(&self) -> Option<u64> {
        let limit = self.maxmemory_clients.value();
        let bytes = match u64::try_from(limit) {
            Ok(bytes) => bytes,
            Err(_) => {
                let maxmemory = u128::try_from(self.maxmemory.value()).unwrap_or(0);
                u64::try_from(maxmemory * u128::from(limit.unsigned_abs()) / 100).unwrap_or(u64::MAX)
            }
        };
        (bytes > 0).then_some(bytes)
    }

    /// Whether DEL frees in the background.
    pub fn lazy_user_del(&self) -> bool {
        self.by_personality(self.lazyfree_lazy_user_del.value())
    }

    /// Whether FLUSHALL and FLUSHDB free in the background when nothing else is asked for.
    pub fn lazy_user_flush(&self) -> bool {
        self.by_personality(self.lazyfree_lazy_user_flush.value())
    }

    /// A path, taken from `dir` on when it is relative. The directory of the process never changes: it may host others.
    fn path(&self, bytes: &[u8]) -> PathBuf {
        PathBuf::from(OsStr::from_bytes(&self.dir.value())).join(OsStr::from_bytes(bytes))
    }

    /// What was chosen, or what the imitated server does.
    fn by_personality(&self, chosen: Option<bool>) -> bool {
        chosen.unwrap_or_else(|| self.dialect().frees_in_background)
    }

    /// Checks all changes, then makes them. What the system has to grant is asked for last.
    fn change(&self, changes: &[(Named, &[u8])]) -> Result<(), ConfigError> {
        let refused = |name: &str, reason| ConfigError::Refused { name: name.as_bytes().into(), reason };
        let mut values = Vec::with_capacity(changes.len());
        for ((parameter, name), text) in changes {
            let value = parameter
                .kind
                .parse(text, self)
                .and_then(|value| parameter.admit(&value, self).map(|()| value));
            values.push(value.map_err(|reason| refused(name, reason))?);
        }
        for (((parameter, name), _), value) in changes.iter().zip(&values) {
            parameter.ask_system(value, self).map_err(|reason| refused(name, reason))?;
        }
        for (((parameter, _), _), value) in changes.iter().zip(values) {
            parameter.store(value, self);
        }
        Ok(())
    }
}

const FILES_PER_THREAD: i64 = 4;
const FILES_BESIDE_THREADS: i64 = 20;
const FILES_OF_REDIS: i64 = 32;

/// A number of threads, where zero stands for as many as the machine runs at once.
fn or_available(threads: i64) -> usize {
    match usize::try_from(threads) {
        Ok(0) | Err(_) => thread::available_parallelism().map_or(1, usize::from),
        Ok(threads) => threads,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_live(config: &Config, words: &[&str]) -> Result<(), (String, Option<String>)> {
        let pairs: Vec<_> = words.chunks(2).map(|pair| (pair[0].as_bytes(), pair[1].as_bytes())).collect();
        config.set_live(&pairs, false).map_err(|error| match error {
            ConfigError::Unknown(name) => (String::from_utf8(name).expect("a name"), None),
            ConfigError::Refused { name, reason } => {
                (String::from_utf8(name).expect("a name"), Some(reason.into_owned()))
            }
        })
    }

    /// Answers of redis-server 7.0.15 and valkey-server 9.1.2, which agree on these.
    #[test]
    fn the_first_error_of_a_live_change_is_told_as_redis_does() {
        let immutable = Some("can't set immutable config");
        let not_integer = Some("argument couldn't be parsed into an integer");
        let table: &[(&[&str], &str, Option<&str>)] = &[
            (&["nosuch", "1"], "nosuch", None),
            (&["NoSuch", "1", "timeout", "abc"], "NoSuch", None),
            (&["timeout", "abc", "NoSuch", "1"], "NoSuch", None),
            (&["nosuch", "1", "nosuch2", "1"], "nosuch", None),
            (&["", "1"], "", None),
            (&["databases", "16", "nosuch", "1"], "databases", immutable),
            (&["TIMEout", "1", "timeout", "2"], "timeout", Some("duplicate parameter")),
            (&["timeout", "1", "dataBASES", "3", "timeout", "4"], "dataBASES", immutable),
            (&["logfile", ""], "logfile", immutable),
            (&["replicaof", "no one"], "replicaof", immutable),
            (&["dir", "/"], "dir", Some("can't set protected config")),
            (&["TIMEOUT", "abc"], "timeout", not_integer),
            (&["hash-max-ziplist-entries", "abc"], "hash-max-ziplist-entries", not_integer),
            (&["timeout", "77", "hz", "abc"], "hz", not_integer),
        ];
        for (words, name, reason) in table {
            let config = Config::default();
            let told = set_live(&config, words).expect_err(name);
            assert_eq!((told.0.as_str(), told.1.as_deref()), (*name, *reason), "{words:?}");
            assert_eq!(config.timeout.value(), 0, "nothing is changed");
        }
    }

    #[test]
    fn the_level_nothing_came_with_7_2() {
        let config = Config::default();
        assert_eq!(set_live(&config, &["loglevel", "nothing"]), Ok(()));
        config.personality.set(Personality::Redis70);
        let known = "argument(s) must be one of the following: debug, verbose, notice, warning";
        assert_eq!(
            set_live(&config, &["loglevel", "nothing"]),
            Err(("loglevel".to_owned(), Some(known.to_owned())))
        );
        assert_eq!(set_live(&config, &["loglevel", "warning"]), Ok(()));
    }

    #[test]
    fn a_name_and_its_alias_are_no_duplicates_and_the_last_counts() {
        let config = Config::default();
        let words = ["hash-max-ziplist-entries", "1", "hash-max-listpack-entries", "2"];
        assert_eq!(set_live(&config, &words), Ok(()));
        assert_eq!(config.get("Hash-Max-Ziplist-Entries").as_deref(), Some(b"2".as_slice()));
        assert_eq!(config.hash_max_listpack_entries.value(), 2);
        assert_eq!(config.get("nosuch"), None);
    }

    #[test]
    fn what_is_fixed_at_run_time_can_be_set_before() {
        let config = Config::default();
        for (name, value) in [("port", "0"), ("databases", "2"), ("dir", "/"), ("logfile", "x.log")] {
            assert_eq!(config.set(name, value), Ok(()), "{name}");
        }
        assert_eq!(config.log_file(), Some(PathBuf::from("/x.log")));
        assert_eq!(config.unix_socket(), None);
        config.unixsocket.set(b"/run/s.sock");
        assert_eq!(config.unix_socket(), Some(PathBuf::from("/run/s.sock")));
        assert_eq!(config.set("nosuch", "1"), Err(ConfigError::Unknown(b"nosuch".to_vec())));
    }

    #[test]
    fn freeing_in_the_background_follows_the_personality_until_chosen() {
        let config = Config::default();
        assert!(!config.lazy_user_del());
        config.personality.set(Personality::Valkey91);
        assert!(config.lazy_user_del() && config.lazy_user_flush());
        assert_eq!(config.get("lazyfree-lazy-user-del").as_deref(), Some(b"yes".as_slice()));
        assert_eq!(set_live(&config, &["lazyfree-lazy-user-del", "no"]), Ok(()));
        assert!(!config.lazy_user_del() && config.lazy_user_flush());
    }

    #[test]
    fn a_password_is_never_shown_by_debug() {
        let config = Config::default();
        config.requirepass.set(b"secret");
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn zero_threads_are_as_many_as_the_machine_has() {
        let config = Config::default();
        assert!(config.thread_count() >= 1 && config.compute_thread_count() >= 1);
        config.threads.set(3);
        assert_eq!(config.thread_count(), 3);
        config.bind.set(b" 127.0.0.1  -::1 ");
        assert_eq!(config.bind_addresses(), ["127.0.0.1", "-::1"]);
    }
}
