//! The parameters, declared once: `CONFIG GET` and `SET`, the configuration file, the command line and `--help` all read
//! this table. Those that are here have an effect; their values live in `Config`, which also holds the defaults. Those that
//! only keep a value are in `stored`, those that would promise something untrue in `refused`.

use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::RwLock;

use super::choice::{DebugAccess, EvictionPolicy, NewUsersChannels};
use super::declare::{choice, memory, number, scalar, text, yes_no};
use super::kind::{Kind, Reason, Unit, Value};
use super::output_limit::{self, OutputLimits};
use super::setting::{Choice, Text};
use super::{Config, Personality, compute, locks, logged, refused, scripts, stored, streams};

/// A parameter of the server.
#[derive(Debug)]
pub struct Parameter {
    /// Lower case, as in the configuration file.
    pub name: &'static str,
    /// Another name for the same: an older one, or that of another server.
    pub alias: Option<&'static str>,
    /// What a value looks like.
    pub kind: Kind,
    /// When it may be changed.
    pub change: Change,
    /// The personalities that have it.
    pub personalities: &'static [Personality],
    /// Whether patterns find it, or only its name.
    pub is_listed: bool,
    /// One sentence with a full stop.
    pub summary: &'static str,
    /// Whether its values are nobody else's business.
    pub is_secret: bool,
    field: Field,
    /// Asks the system whether a running server can have a value.
    system: fn(&Config, &Value) -> Result<(), Reason>,
}

/// When a parameter may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At any time.
    Live,
    /// Until the server starts.
    AtStart,
    /// Until the server starts, since a client could do harm with it.
    Protected,
}

/// Where the value of a parameter lives.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    Scalar(fn(&Config) -> &AtomicI64),
    Text(fn(&Config) -> &Text),
    OutputLimits(fn(&Config) -> &RwLock<OutputLimits>),
    /// Nowhere: `only` is accepted, and `why` says so to whoever wants something else.
    Fixed {
        only: &'static str,
        why: &'static str,
    },
    /// In `Config::stored`, as it is shown, unless it was never set.
    Stored(&'static str),
}

/// A parameter with its name or alias, whichever was asked for, as it is in the table.
pub type Named = (&'static Parameter, &'static str);

/// The parameters that have an effect, in the order of `--help`.
pub static PARAMETERS: &[Parameter] = &[
    number("port", 0, 65535, |config| config.port.raw()).summary("TCP port; 0 for no TCP."),
    Parameter::new("bind", Kind::Addresses, Field::Text(|config| &config.bind))
        .summary("Addresses to listen on; one that begins with - may be missing."),
    number("metrics-port", 0, 65535, |config| config.metrics_port.raw()).at_start().summary(
        "Port on which whoever reaches it finds /metrics for Prometheus, at the same addresses; 0 for none.",
    ),
    text("unixsocket", |config| &config.unixsocket)
        .at_start()
        .summary("Path of a UNIX socket to listen on too."),
    scalar("unixsocketperm", Kind::Number { unit: Unit::Octal, min: 0, max: 0o777 }, |config| {
        config.unixsocketperm.raw()
    })
    .at_start()
    .summary("Permissions of the UNIX socket; 0 for those that the umask gives."),
    yes_no("protected-mode", |config| config.protected_mode.raw())
        .summary("Without a password, serve this machine only."),
    text("requirepass", |config| &config.requirepass).secret().summary("Password that clients have to give."),
    Parameter::new("aclfile", Kind::TextUntilZero, Field::Text(|config| &config.aclfile))
        .at_start()
        .summary("File that declares the users; without one the configuration file may."),
    choice::<NewUsersChannels>("acl-pubsub-default", |config| config.acl_pubsub_default.raw())
        .summary("Which channels a new user may use."),
    number("acllog-max-len", 0, i64::MAX, |config| config.acllog_max_len.raw())
        .summary("Refusals that ACL LOG keeps at most."),
    number("tcp-backlog", 0, INT_MAX, |config| config.tcp_backlog.raw())
        .at_start()
        .summary("Connections that may wait to be accepted."),
    number("tcp-keepalive", 0, INT_MAX, |config| config.tcp_keepalive.raw())
        .summary("Seconds after which a silent peer is probed; 0 for never."),
    number("timeout", 0, INT_MAX, |config| config.timeout.raw())
        .summary("Seconds after which an idle client is closed; 0 for never."),
    number("maxclients", 1, u32::MAX as i64, |config| config.maxclients.raw())
        .asking(files_for_clients)
        .summary("Clients served at once."),
    memory("proto-max-bulk-len", 1 << 20, |config| config.proto_max_bulk_len.raw())
        .summary("Length of an argument or a string at most."),
    memory("client-query-buffer-limit", 1 << 20, |config| config.client_query_buffer_limit.raw())
        .summary("Bytes of unanswered input at most, per client."),
    memory("maxmemory", 0, |config| config.maxmemory.raw())
        .summary("Bytes that data may take, and everything else that is counted; 0 for no limit."),
    choice::<EvictionPolicy>("maxmemory-policy", |config| config.maxmemory_policy.raw())
        .summary("What to evict when memory is full."),
    maxmemory_samples(INT_MAX).only(REDIS),
    maxmemory_samples(64).only(VALKEY),
    number("maxmemory-eviction-tenacity", 0, 100, |config| config.maxmemory_eviction_tenacity.raw())
        .summary("How long a command may be kept waiting for room, 0 to 100."),
    number("lfu-log-factor", 0, INT_MAX, |config| config.lfu_log_factor.raw())
        .summary("The larger, the more accesses it takes for the access counter of a key to grow."),
    number("lfu-decay-time", 0, INT_MAX, |config| config.lfu_decay_time.raw())
        .summary("Minutes without an access after which that counter loses one; 0 for never."),
    Parameter::new(
        "client-output-buffer-limit",
        Kind::OutputLimits,
        Field::OutputLimits(|config| &config.client_output_buffer_limit),
    )
    .summary("Unsent replies from which a client is closed: at once, or after so many seconds; 0 for any."),
    scalar("maxmemory-clients", Kind::MemoryOrPercent, |config| config.maxmemory_clients.raw())
        .summary("Memory of all clients at most, in bytes or in percent of maxmemory; 0 for any."),
    number("databases", 1, DATABASES_MAX, |config| config.databases.raw())
        .at_start()
        .summary("How many databases there are."),
    number("threads", 0, THREADS_MAX, |config| config.threads.raw())
        .at_start()
        .summary("Network threads; 0 for as many as the machine runs at once."),
    compute::THREADS,
    scalar("shards", Kind::Number { unit: Unit::PowerOfTwo, min: 1, max: SHARDS_MAX }, |config| {
        config.shards.raw()
    })
    .at_start()
    .summary("Independently locked parts of the keyspace, a power of two."),
    scalar("hz", Kind::Number { unit: Unit::Hertz, min: 0, max: INT_MAX }, |config| config.hz.raw())
        .summary("Rounds of background work per second, 1 to 500."),
    number("active-expire-effort", 1, 10, |config| config.active_expire_effort.raw())
        .summary("How hard expired keys are looked for."),
    scalar("lazyfree-lazy-user-del", Kind::YesNoByPersonality, |config| config.lazyfree_lazy_user_del.raw())
        .summary("Whether deleting keys frees their values in the background."),
    scalar("lazyfree-lazy-user-flush", Kind::YesNoByPersonality, |config| {
        config.lazyfree_lazy_user_flush.raw()
    })
    .summary("Whether emptying databases does too."),
    number("hash-max-listpack-entries", 0, i64::MAX, |config| config.hash_max_listpack_entries.raw())
        .alias("hash-max-ziplist-entries")
        .summary("Fields of a compact hash at most."),
    memory("hash-max-listpack-value", 0, |config| config.hash_max_listpack_value.raw())
        .alias("hash-max-ziplist-value")
        .summary("Length of a field or value in a compact hash at most."),
    number("list-compress-depth", 0, INT_MAX, |config| config.list_compress_depth.raw())
        .summary("Whether lists are reported as compressed; 0 for not. None is."),
    number("list-max-listpack-size", INT_MIN, INT_MAX, |config| config.list_max_listpack_size.raw())
        .alias("list-max-ziplist-size")
        .summary("Elements of a compact list at most; -1 to -5 for 4 to 64 kilobytes."),
    number("set-max-intset-entries", 0, i64::MAX, |config| config.set_max_intset_entries.raw())
        .summary("Members of a compact set of integers at most."),
    number("set-max-listpack-entries", 0, i64::MAX, |config| config.set_max_listpack_entries.raw())
        .only(SINCE_72)
        .summary("Members of any other compact set at most."),
    number("set-max-listpack-value", 0, i64::MAX, |config| config.set_max_listpack_value.raw())
        .only(SINCE_72)
        .summary("Length of a member of a compact set at most."),
    number("zset-max-listpack-entries", 0, i64::MAX, |config| config.zset_max_listpack_entries.raw())
        .alias("zset-max-ziplist-entries")
        .summary("Members of a compact sorted set at most."),
    memory("zset-max-listpack-value", 0, |config| config.zset_max_listpack_value.raw())
        .alias("zset-max-ziplist-value")
        .summary("Length of a member in a compact sorted set at most."),
    streams::STREAM_NODE_MAX_BYTES,
    streams::STREAM_NODE_MAX_ENTRIES,
    memory("hll-sparse-max-bytes", 0, |config| config.hll_sparse_max_bytes.raw())
        .summary("Length of a sparse HyperLogLog at most; one that would be longer becomes dense."),
    choice::<DebugAccess>("enable-debug-command", |config| config.enable_debug_command.raw())
        .at_start()
        .summary("Who may use the debugging commands."),
    choice::<Personality>("personality", |config| config.personality.raw())
        .summary("Whose texts and shapes the replies have where servers differ."),
    logged::SLOWER_THAN.only(REDIS),
    logged::SLOWER_THAN.only(VALKEY).alias("commandlog-execution-slower-than"),
    logged::SLOW_MAX_LEN.only(REDIS),
    logged::SLOW_MAX_LEN.only(VALKEY).alias("commandlog-slow-execution-max-len"),
    logged::REQUEST_LARGER_THAN.only(VALKEY),
    logged::REQUEST_LARGER_THAN.only(REDIS).unlisted(),
    logged::LARGE_REQUEST_MAX_LEN.only(VALKEY),
    logged::LARGE_REQUEST_MAX_LEN.only(REDIS).unlisted(),
    logged::REPLY_LARGER_THAN.only(VALKEY),
    logged::REPLY_LARGER_THAN.only(REDIS).unlisted(),
    logged::LARGE_REPLY_MAX_LEN.only(VALKEY),
    logged::LARGE_REPLY_MAX_LEN.only(REDIS).unlisted(),
    scalar("notify-keyspace-events", Kind::EventClasses, |config| config.notify_keyspace_events.raw())
        .summary("Which keyspace events are published, a letter for each class; empty for none."),
    compute::TIMEOUT,
    compute::ASYNC_TIMEOUT,
    compute::JOB_TTL,
    compute::MAX_MEMORY,
    compute::MAX_GROUPS,
    compute::MAX_OUTPUT,
    compute::HARD_TIMEOUT,
    compute::HARD_MAX_MEMORY,
    compute::HARD_MAX_GROUPS,
    compute::HARD_MAX_OUTPUT,
    scripts::BUSY_REPLY_THRESHOLD,
    scripts::LUA_MEMORY_LIMIT,
    locks::LOCK_DEFAULT_LEASE,
    locks::LOCK_SESSION_MAXHOLD,
    number("latency-monitor-threshold", 0, i64::MAX, |config| config.latency_monitor_threshold.raw())
        .summary("Milliseconds from which on what holds clients up is remembered; 0 for never."),
    number("tracking-table-max-keys", 0, i64::MAX, |config| config.tracking_table_max_keys.raw())
        .summary("Keys that are kept for clients that track what they read; 0 for any number."),
    yes_no("latency-tracking", |config| config.latency_tracking.raw())
        .summary("Whether the times of commands are counted by their length."),
    Parameter::new(
        "latency-tracking-info-percentiles",
        Kind::Percentiles,
        Field::Text(|config| &config.latency_tracking_info_percentiles),
    )
    .summary("Shares of the calls whose longest time INFO tells, in percent."),
    scalar("loglevel", Kind::LogLevel, |config| config.loglevel.raw()).summary("The least that is logged."),
    text("logfile", |config| &config.logfile)
        .at_start()
        .summary("File to log to; empty for standard output."),
    Parameter::new("dir", Kind::Directory, Field::Text(|config| &config.dir))
        .protected()
        .summary("Directory that relative paths start from."),
    choice::<DebugAccess>("enable-protected-configs", |config| config.enable_protected_configs.raw())
        .at_start()
        .summary("Who may change what a client could do harm with."),
    text("pidfile", |config| &config.pidfile)
        .at_start()
        .summary("File to write the id of the process to while it runs."),
];

const fn maxmemory_samples(max: i64) -> Parameter {
    number("maxmemory-samples", 1, max, |config| config.maxmemory_samples.raw())
        .summary("How many keys to choose from when one is evicted; three times as many are looked at.")
}

const UNKNOWN: &str = "Bad directive or wrong number of arguments";

/// Whether each of so many clients can have an open file.
fn files_for_clients(config: &Config, clients: &Value) -> Result<(), Reason> {
    let clients_max = config.clients_max();
    if matches!(clients, Value::Scalar(clients) if *clients > clients_max) {
        return Err(format!(
            "The operating system is not able to handle the specified number of clients, try with {clients_max}"
        )
        .into());
    }
    Ok(())
}

/// All personalities, the default.
const EVERY: &[Personality] = Personality::VALUES;
pub(super) const REDIS: &[Personality] = &[Personality::Redis70, Personality::Redis72];
pub(super) const REDIS_70: &[Personality] = &[Personality::Redis70];
pub(super) const SINCE_72: &[Personality] = &[Personality::Redis72, Personality::Valkey91];
pub(super) const VALKEY: &[Personality] = &[Personality::Valkey91];
pub(super) const INT_MIN: i64 = i32::MIN as i64;
pub(super) const INT_MAX: i64 = i32::MAX as i64;
/// Database numbers are stored in 16 bits.
const DATABASES_MAX: i64 = u16::MAX as i64;
pub(super) const THREADS_MAX: i64 = 1024;
const SHARDS_MAX: i64 = 1 << 16;

/// The parameter of this personality that is called `name` in any case.
pub fn find(name: &[u8], personality: Personality) -> Option<Named> {
    every()
        .filter(|parameter| parameter.personalities.contains(&personality))
        .find_map(|parameter| parameter.called(name))
}

/// Whether the values of this parameter are nobody else's business, under any personality.
pub fn is_secret(name: &[u8]) -> bool {
    every().any(|parameter| parameter.is_secret && parameter.called(name).is_some())
}

/// Every parameter that is called `name`, that of this personality first: the personality may change until the server
/// starts.
pub fn candidates(name: &[u8], personality: Personality) -> Vec<Named> {
    let mut found: Vec<Named> = every().filter_map(|parameter| parameter.called(name)).collect();
    found.sort_by_key(|(parameter, _)| !parameter.personalities.contains(&personality));
    found
}

/// What a text means to the first of the candidates that it means something to, else why not to the first.
pub(super) fn parse(
    candidates: &[Named],
    text: &[u8],
    config: &Config,
) -> Result<(&'static Parameter, Value), Reason> {
    let parsed =
        candidates.iter().map(|(parameter, _)| Ok((*parameter, parameter.kind.parse(text, config)?)));
    parsed
        .reduce(|first, next| if first.is_err() && next.is_ok() { next } else { first })
        .unwrap_or_else(|| Err(UNKNOWN.into()))
}

/// Every name and alias with its parameter.
pub fn names(personality: Personality) -> impl Iterator<Item = Named> {
    every().filter(move |parameter| parameter.personalities.contains(&personality)).flat_map(Parameter::names)
}

/// Every parameter of every personality.
pub(super) fn every() -> impl Iterator<Item = &'static Parameter> {
    PARAMETERS.iter().chain(refused::PARAMETERS).chain(stored::PARAMETERS)
}

/// Why a directive that is no parameter is refused.
pub fn refusal(directive: &[u8]) -> &'static str {
    let directive = directive.to_ascii_lowercase();
    let refused = refused::DIRECTIVES.iter().find(|(name, _)| match name.strip_suffix('-') {
        Some(_) => directive.starts_with(name.as_bytes()),
        None => directive == name.as_bytes(),
    });
    match refused {
        Some((_, why)) => why,
        None => UNKNOWN,
    }
}

/// Whether a directive with one value is skipped.
pub fn is_obsolete(directive: &[u8]) -> bool {
    refused::OBSOLETE.iter().any(|name| directive.eq_ignore_ascii_case(name.as_bytes()))
}

impl Parameter {
    pub(super) const fn new(name: &'static str, kind: Kind, field: Field) -> Parameter {
        Parameter {
            name,
            alias: None,
            kind,
            change: Change::Live,
            personalities: EVERY,
            is_listed: true,
            summary: "",
            is_secret: false,
            field,
            system: |_, _| Ok(()),
        }
    }

    /// A parameter of which there is only one value, and why.
    pub(super) const fn fixed(
        name: &'static str,
        kind: Kind,
        only: &'static str,
        why: &'static str,
    ) -> Parameter {
        Parameter::new(name, kind, Field::Fixed { only, why })
    }

    /// A parameter on which nothing acts, with its default as it is shown.
    pub(super) const fn stored(name: &'static str, kind: Kind, default: &'static str) -> Parameter {
        Parameter::new(name, kind, Field::Stored(default))
    }

    pub(super) const fn alias(mut self, alias: &'static str) -> Parameter {
        self.alias = Some(alias);
        self
    }

    pub(super) const fn at_start(mut self) -> Parameter {
        self.change = Change::AtStart;
        self
    }

    pub(super) const fn protected(mut self) -> Parameter {
        self.change = Change::Protected;
        self
    }

    pub(super) const fn secret(mut self) -> Parameter {
        self.is_secret = true;
        self
    }

    const fn asking(mut self, system: fn(&Config, &Value) -> Result<(), Reason>) -> Parameter {
        self.system = system;
        self
    }

    pub(super) const fn summary(mut self, sentence: &'static str) -> Parameter {
        self.summary = sentence;
        self
    }

    /// Only these have it.
    pub(super) const fn only(mut self, personalities: &'static [Personality]) -> Parameter {
        self.personalities = personalities;
        self
    }

    /// Patterns do not find it.
    pub(super) const fn unlisted(mut self) -> Parameter {
        self.is_listed = false;
        self
    }

    /// Why there is only one value, if that is so.
    pub(super) fn why(&self) -> Option<&'static str> {
        match self.field {
            Field::Fixed { why, .. } => Some(why),
            _ => None,
        }
    }

    /// Itself, if `name` is its name or alias in any case.
    fn called(&'static self, name: &[u8]) -> Option<Named> {
        let is_called = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
        if is_called(self.name) {
            return Some((self, self.name));
        }
        self.alias.filter(|alias| is_called(alias)).map(|alias| (self, alias))
    }

    /// Its name and alias.
    fn names(&'static self) -> impl Iterator<Item = Named> {
        [Some(self.name), self.alias].into_iter().flatten().map(move |name| (self, name))
    }

    /// The value now, as `CONFIG GET` shows it.
    pub fn format(&self, config: &Config) -> Vec<u8> {
        match (self.field, self.kind) {
            (Field::Fixed { only, .. }, _) => only.into(),
            (Field::Stored(default), _) => {
                config.stored.value(self.name).map_or_else(|| default.into(), |value| value.to_vec())
            }
            (Field::Text(field), _) => field(config).value().to_vec(),
            (Field::OutputLimits(field), _) => output_limit::format(&field(config).read()).into(),
            (Field::Scalar(field), kind) => kind.format(field(config).load(Ordering::Relaxed), config).into(),
        }
    }

    /// Whether the value is that of `defaults`.
    pub(super) fn is_default(&self, config: &Config, defaults: &Config) -> bool {
        match self.field {
            Field::Scalar(field) => {
                field(config).load(Ordering::Relaxed) == field(defaults).load(Ordering::Relaxed)
            }
            Field::Text(field) => field(config).value() == field(defaults).value(),
            Field::OutputLimits(field) => *field(config).read() == *field(defaults).read(),
            Field::Fixed { .. } => true,
            Field::Stored(default) => self.format(config) == default.as_bytes(),
        }
    }

    /// Whether the server can do what the value asks for.
    pub(super) fn admit(&self, value: &Value, config: &Config) -> Result<(), Reason> {
        match self.field {
            Field::Fixed { only, why } if self.kind.parse(only.as_bytes(), config).as_ref() != Ok(value) => {
                Err(why.into())
            }
            _ => Ok(()),
        }
    }

    /// Whether the system lets a running server have this value.
    pub(super) fn ask_system(&self, value: &Value, config: &Config) -> Result<(), Reason> {
        (self.system)(config, value)
    }

    /// Changes the setting to a value that was parsed and admitted.
    pub(super) fn store(&self, value: Value, config: &Config) {
        match (self.field, value) {
            (Field::Scalar(field), Value::Scalar(value)) => field(config).store(value, Ordering::Relaxed),
            (Field::Text(field), Value::Text(bytes)) => field(config).set(&bytes),
            (Field::Stored(default), value) => {
                let shown = match value {
                    Value::Scalar(raw) => self.kind.format(raw, config).into_bytes().into(),
                    Value::Text(bytes) => bytes,
                    Value::OutputLimits(limits) => output_limit::format(&limits).into_bytes().into(),
                };
                config.stored.set(self.name, shown, default);
            }
            (Field::OutputLimits(field), Value::OutputLimits(limits)) => *field(config).write() = limits,
            (field, _) => {
                debug_assert!(matches!(field, Field::Fixed { .. }), "{}: kind and field differ", self.name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_declaration_is_complete_and_names_are_unique() {
        for personality in Personality::VALUES {
            let mut seen = HashSet::new();
            for (parameter, name) in names(*personality) {
                assert!(seen.insert(name), "{name} stands twice");
                assert!(
                    name.bytes().all(|byte| byte.is_ascii_lowercase() || b"-_46".contains(&byte)),
                    "{name}"
                );
                let is_ours = PARAMETERS.iter().any(|each| each.name == parameter.name);
                assert_eq!(parameter.summary.ends_with('.'), is_ours, "{name}: {}", parameter.summary);
            }
        }
        for (name, why) in refused::DIRECTIVES {
            assert!(candidates(name.as_bytes(), Personality::Redis72).is_empty(), "{name} is a parameter");
            assert!(!why.is_empty());
        }
        assert!(stored::PARAMETERS.iter().all(|parameter| matches!(parameter.field, Field::Stored(_))));
        assert!(refused::PARAMETERS.iter().all(|parameter| parameter.why().is_some()));
    }

    #[test]
    fn every_default_is_a_value_that_its_parameter_takes_and_shows_alike() {
        for personality in Personality::VALUES {
            for parameter in every().filter(|each| each.personalities.contains(personality)) {
                let config = Config::default();
                config.personality.set(*personality);
                let default = parameter.format(&config);
                let value = parameter.kind.parse(&default, &config).expect(parameter.name);
                assert_eq!(parameter.admit(&value, &config), Ok(()), "{}", parameter.name);
                parameter.store(value, &config);
                assert_eq!(parameter.format(&config), default, "{}", parameter.name);
            }
        }
    }

    #[test]
    fn every_parameter_changes_itself_and_no_other() {
        let before = Config::default();
        for parameter in every().filter(|parameter| !matches!(parameter.field, Field::Fixed { .. })) {
            let tries = [
                "4096",
                "no",
                "yes",
                "debug",
                "redis-7.0",
                "7",
                "8",
                "2mb",
                "/",
                "a.b",
                "C",
                "1.2.3.4",
                "::1",
                "A",
                "50 90",
                "normal 1 2 3",
            ];
            let words = match parameter.kind {
                Kind::Choice(words) | Kind::ShutdownFlags(words) => words,
                _ => &["1 2 3"],
            };
            let changes = tries.iter().chain(words).any(|text| {
                let config = Config::default();
                if let Ok(value) = parameter.kind.parse(text.as_bytes(), &config) {
                    parameter.store(value, &config);
                }
                let differs = |other: &&Parameter| other.format(&config) != other.format(&before);
                let changed: Vec<_> = every().filter(differs).map(|other| other.name).collect();
                assert!(
                    changed.iter().all(|name| *name == parameter.name),
                    "{}: {changed:?}",
                    parameter.name
                );
                !changed.is_empty()
            });
            assert!(changes, "{} changes nothing", parameter.name);
        }
    }

    #[test]
    fn a_parameter_belongs_to_its_personalities() {
        let config = Config::default();
        assert_eq!(config.get("availability-zone"), None);
        assert_eq!(config.get("repl-backlog-size").as_deref(), Some(b"1048576".as_slice()));
        assert_eq!(config.get("io-threads-do-reads").as_deref(), Some(b"no".as_slice()));
        config.personality.set(Personality::Valkey91);
        assert_eq!(config.get("availability-zone").as_deref(), Some(b"".as_slice()));
        assert_eq!(config.get("Repl-Backlog-Size").as_deref(), Some(b"10485760".as_slice()));
        assert_eq!(config.get("io-threads-do-reads"), None);
        // It may still become another one.
        config.personality.set(Personality::Redis70);
        for (name, value) in
            [("availability-zone", "x"), ("shutdown-on-sigint", "safe"), ("io-threads", "200")]
        {
            assert_eq!(config.set(name, value), Ok(()), "{name}");
        }
        let error = config.set("shutdown-on-sigint", "never").expect_err("no such word").to_string();
        assert!(error.ends_with("following: default, save, nosave, now, force"), "{error}");
    }

    #[test]
    fn values_are_shown_in_their_own_unit() {
        let config = Config::default();
        for (name, text, shown) in [
            ("unixsocketperm", "0700", "700"),
            ("proto-max-bulk-len", "2mb", "2097152"),
            ("hz", "1000", "500"),
            ("hz", "0", "1"),
            ("loglevel", "WARNING", "warning"),
            ("protected-mode", "NO", "no"),
            ("bind", "127.0.0.1   -::1", "127.0.0.1   -::1"),
        ] {
            config.set(name, text).expect(name);
            assert_eq!(config.get(name).as_deref(), Some(shown.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_would_promise_something_untrue_is_refused_with_its_reason() {
        let config = Config::default();
        for (name, text) in [
            ("min-replicas-to-write", "1"),
            ("tls-cert-file", "server.crt"),
            ("supervised", "systemd"),
            ("appendonly", "yes"),
            ("save", "900 1"),
            ("replicaof", "127.0.0.1 6379"),
            ("slaveof", "127.0.0.1 6379"),
            ("replicaof", "no"),
            ("cluster-enabled", "yes"),
            ("tls-port", "6380"),
            ("daemonize", "yes"),
        ] {
            let error = config.set(name, text).expect_err(name).to_string();
            assert!(error.starts_with(&format!("{name}: ")), "{error}");
            assert_eq!(config.get(name), Config::default().get(name), "{name}");
        }
        for (name, text) in
            [("appendonly", "NO"), ("save", ""), ("replicaof", "no one"), ("slaveof", "NO ONE")]
        {
            assert_eq!(config.set(name, text), Ok(()), "{name}");
        }
        for (directive, part) in [
            ("tls-nosuch", "TLS"),
            ("TLS-PORTS", "TLS"),
            ("user", "Bad directive"),
            ("username", "Bad directive"),
            ("pidfiles", "Bad directive"),
            ("tls", "Bad directive"),
        ] {
            assert!(refusal(directive.as_bytes()).contains(part), "{directive}");
        }
    }

    #[test]
    fn help_names_every_parameter() {
        let help = super::super::help::parameters();
        for parameter in PARAMETERS.iter().chain(refused::PARAMETERS) {
            assert!(help.contains(&format!("  --{} ", parameter.name)), "{}", parameter.name);
        }
        for parameter in stored::PARAMETERS {
            assert_eq!(
                help.lines().filter(|line| line.trim() == parameter.name).count(),
                1,
                "{}",
                parameter.name
            );
        }
        assert!(help.contains("  --port number\n      TCP port; 0 for no TCP. Default: 6379.\n"));
        assert!(help.contains("  --appendonly no\n      the append only file is not written yet"));
    }
}
