//! The parameters, declared once: `CONFIG GET` and `SET`, the configuration file, the command line and `--help` all read
//! this table. A parameter that is not here does not exist; one that is here has an effect, or is `fixed` and refuses
//! every value that would promise one. Values live in `Config`, which also holds the defaults.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::RwLock;

use super::choice::DebugAccess;
use super::kind::{Kind, Reason, Unit, Value};
use super::output_limit::{self, OutputLimits};
use super::setting::{Choice, Text};
use super::{Config, Personality, known};

/// A parameter of the server.
#[derive(Debug)]
pub struct Parameter {
    /// Lower case, as in the configuration file.
    pub name: &'static str,
    /// An older name for the same.
    pub alias: Option<&'static str>,
    /// What a value looks like.
    pub kind: Kind,
    /// When it may be changed.
    pub change: Change,
    /// One sentence with a full stop.
    pub summary: &'static str,
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
    /// Until the server starts, although Redis can change it later.
    AtStartHere,
    /// Until the server starts, since a client could do harm with it.
    Protected,
}

/// Where the value of a parameter lives.
#[derive(Clone, Copy, Debug)]
enum Field {
    Scalar(fn(&Config) -> &AtomicI64),
    Text(fn(&Config) -> &Text),
    OutputLimits(fn(&Config) -> &RwLock<OutputLimits>),
    /// Nowhere: `only` is accepted, and `why` says so to whoever wants something else.
    Fixed {
        only: &'static str,
        why: &'static str,
    },
}

/// All parameters, in the order of `--help`.
pub static PARAMETERS: &[Parameter] = &[
    number("port", 0, 65535, |config| config.port.raw()).at_start_here().summary("TCP port; 0 for no TCP."),
    Parameter::new("bind", Kind::Addresses, Field::Text(|config| &config.bind))
        .at_start_here()
        .summary("Addresses to listen on; one that begins with - may be missing."),
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
    text("requirepass", |config| &config.requirepass).summary("Password that clients have to give."),
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
    number("compute-threads", 0, THREADS_MAX, |config| config.compute_threads.raw())
        .at_start()
        .summary("Threads that compute; 0 for as many as the machine runs at once."),
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
    number("list-max-listpack-size", INT_MIN, INT_MAX, |config| config.list_max_listpack_size.raw())
        .alias("list-max-ziplist-size")
        .summary("Elements of a compact list at most; -1 to -5 for 4 to 64 kilobytes."),
    choice::<DebugAccess>("enable-debug-command", |config| config.enable_debug_command.raw())
        .at_start()
        .summary("Who may use the debugging commands."),
    choice::<Personality>("personality", |config| config.personality.raw())
        .summary("Whose texts and shapes the replies have where servers differ."),
    scalar("loglevel", Kind::LogLevel, |config| config.loglevel.raw()).summary("The least that is logged."),
    text("logfile", |config| &config.logfile)
        .at_start()
        .summary("File to log to; empty for standard output."),
    Parameter::new("dir", Kind::Directory, Field::Text(|config| &config.dir))
        .protected()
        .summary("Directory that relative paths start from."),
    fixed("save", Kind::Words, "", "snapshots are not written yet: all data is in memory only")
        .summary("When to write snapshots."),
    fixed(
        "appendonly",
        Kind::YesNo,
        "no",
        "the append only file is not written yet: all data is in memory only",
    )
    .summary("Whether to keep a journal."),
    fixed("maxmemory", Kind::Number { unit: Unit::Memory, min: 0, max: i64::MAX }, "0", NO_EVICTION)
        .summary("Bytes of data at most."),
    fixed("maxmemory-policy", Kind::Choice(EVICTION_POLICIES), "noeviction", NO_EVICTION)
        .summary("What to evict when memory is full."),
    fixed("replicaof", Kind::Peer, "", "replication is not there yet: this server can only stand alone")
        .alias("slaveof")
        .at_start()
        .summary("The server to follow."),
    fixed("cluster-enabled", Kind::YesNo, "no", "cluster mode is not there yet")
        .at_start()
        .summary("Whether to be a node of a cluster."),
    fixed("tls-port", Kind::Number { unit: Unit::Plain, min: 0, max: 65535 }, "0", NO_TLS)
        .summary("TLS port."),
    fixed("aclfile", Kind::Text, "", NO_ACL).at_start().summary("File with the users."),
    fixed(
        "daemonize",
        Kind::YesNo,
        "no",
        "this program stays in the foreground: let the service manager start it",
    )
    .at_start()
    .summary("Whether to go into the background."),
];

/// Directives that are no parameters and would promise something untrue; a name that ends with `-` is a prefix.
static REFUSED_DIRECTIVES: &[(&str, &str)] = &[
    ("tls-", NO_TLS),
    ("user", NO_ACL),
    ("rename-command", "commands cannot be renamed"),
    ("loadmodule", "modules cannot be loaded"),
    ("sentinel", "sentinel mode is not supported"),
    ("test-memory", "this program does not test memory"),
    ("check-system", "this program does not check the system"),
];

/// Why a parameter of `known` is refused.
pub(super) const NOT_YET_HERE: &str = "is a parameter of Redis that this server does not have yet";
const NO_EVICTION: &str = "keys are not evicted yet, so a limit would not be kept";
const NO_TLS: &str = "TLS is not supported yet: connections are not encrypted";
const NO_ACL: &str = "users and their permissions are not there yet: only requirepass protects this server";

const EVICTION_POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];

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

const INT_MIN: i64 = i32::MIN as i64;
const INT_MAX: i64 = i32::MAX as i64;
/// Database numbers are stored in 16 bits.
const DATABASES_MAX: i64 = u16::MAX as i64;
const THREADS_MAX: i64 = 1024;
const SHARDS_MAX: i64 = 1 << 16;

/// The parameter called `name` in any case, and its name or alias as it is in the table.
pub fn find(name: &[u8]) -> Option<(&'static Parameter, &'static str)> {
    names().find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name))
}

/// Every name and alias with its parameter.
pub fn names() -> impl Iterator<Item = (&'static Parameter, &'static str)> {
    PARAMETERS.iter().flat_map(|parameter| {
        [Some(parameter.name), parameter.alias].into_iter().flatten().map(move |name| (parameter, name))
    })
}

/// Why a directive that is no parameter is refused.
pub fn refusal(directive: &[u8]) -> &'static str {
    let directive = directive.to_ascii_lowercase();
    let refused = REFUSED_DIRECTIVES.iter().find(|(name, _)| match name.strip_suffix('-') {
        Some(_) => directive.starts_with(name.as_bytes()),
        None => directive == name.as_bytes(),
    });
    match refused {
        Some((_, why)) => why,
        None if known::NOT_YET.iter().any(|name| name.as_bytes() == directive) => NOT_YET_HERE,
        None => "Bad directive or wrong number of arguments",
    }
}

/// The parameters as `--help` lists them, with their defaults.
pub fn help() -> String {
    let defaults = Config::default();
    let mut text = String::new();
    for parameter in PARAMETERS {
        let name = format!("--{} {}", parameter.name, parameter.kind.hint());
        let default = parameter.format(&defaults);
        let default = if default.is_empty() { "\"\"".to_owned() } else { default.escape_ascii().to_string() };
        let _ = match parameter.field {
            Field::Fixed { .. } => {
                writeln!(text, "  {name}\n      {} Only {default} for now.", parameter.summary)
            }
            _ => writeln!(text, "  {name}\n      {} Default: {default}.", parameter.summary),
        };
    }
    text
}

impl Parameter {
    const fn new(name: &'static str, kind: Kind, field: Field) -> Parameter {
        Parameter { name, alias: None, kind, change: Change::Live, summary: "", field, system: |_, _| Ok(()) }
    }

    const fn alias(mut self, alias: &'static str) -> Parameter {
        self.alias = Some(alias);
        self
    }

    const fn at_start(mut self) -> Parameter {
        self.change = Change::AtStart;
        self
    }

    const fn at_start_here(mut self) -> Parameter {
        self.change = Change::AtStartHere;
        self
    }

    const fn protected(mut self) -> Parameter {
        self.change = Change::Protected;
        self
    }

    const fn asking(mut self, system: fn(&Config, &Value) -> Result<(), Reason>) -> Parameter {
        self.system = system;
        self
    }

    const fn summary(mut self, sentence: &'static str) -> Parameter {
        self.summary = sentence;
        self
    }

    /// The value now, as `CONFIG GET` shows it.
    pub fn format(&self, config: &Config) -> Vec<u8> {
        match (self.field, self.kind) {
            (Field::Fixed { only, .. }, _) => only.into(),
            (Field::Text(field), _) => field(config).value().to_vec(),
            (Field::OutputLimits(field), _) => output_limit::format(&field(config).read()).into(),
            (Field::Scalar(field), kind) => kind.format(field(config).load(Ordering::Relaxed), config).into(),
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
            (Field::OutputLimits(field), Value::OutputLimits(limits)) => *field(config).write() = limits,
            (field, _) => {
                debug_assert!(matches!(field, Field::Fixed { .. }), "{}: kind and field differ", self.name)
            }
        }
    }
}

const fn scalar(name: &'static str, kind: Kind, field: fn(&Config) -> &AtomicI64) -> Parameter {
    Parameter::new(name, kind, Field::Scalar(field))
}

const fn yes_no(name: &'static str, field: fn(&Config) -> &AtomicI64) -> Parameter {
    scalar(name, Kind::YesNo, field)
}

const fn number(name: &'static str, min: i64, max: i64, field: fn(&Config) -> &AtomicI64) -> Parameter {
    scalar(name, Kind::Number { unit: Unit::Plain, min, max }, field)
}

const fn memory(name: &'static str, min: i64, field: fn(&Config) -> &AtomicI64) -> Parameter {
    scalar(name, Kind::Number { unit: Unit::Memory, min, max: i64::MAX }, field)
}

const fn choice<T: Choice>(name: &'static str, field: fn(&Config) -> &AtomicI64) -> Parameter {
    scalar(name, Kind::Choice(T::WORDS), field)
}

const fn text(name: &'static str, field: fn(&Config) -> &Text) -> Parameter {
    Parameter::new(name, Kind::Text, Field::Text(field))
}

const fn fixed(name: &'static str, kind: Kind, only: &'static str, why: &'static str) -> Parameter {
    Parameter::new(name, kind, Field::Fixed { only, why })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_declaration_is_complete_and_names_are_unique() {
        let mut seen = HashSet::new();
        for (parameter, name) in names() {
            assert!(seen.insert(name), "{name} stands twice");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
            assert!(parameter.summary.ends_with('.'), "{name}: {}", parameter.summary);
        }
        for (name, why) in REFUSED_DIRECTIVES {
            assert!(find(name.as_bytes()).is_none(), "{name} is a parameter");
            assert!(!why.is_empty());
        }
    }

    #[test]
    fn every_default_is_a_value_that_its_parameter_takes_and_shows_alike() {
        for parameter in PARAMETERS {
            let config = Config::default();
            let default = parameter.format(&config);
            let value = parameter.kind.parse(&default, &config).expect(parameter.name);
            assert_eq!(parameter.admit(&value, &config), Ok(()), "{}", parameter.name);
            parameter.store(value, &config);
            assert_eq!(parameter.format(&config), default, "{}", parameter.name);
        }
    }

    #[test]
    fn every_parameter_changes_itself_and_no_other() {
        let before = Config::default();
        for parameter in PARAMETERS.iter().filter(|parameter| !matches!(parameter.field, Field::Fixed { .. }))
        {
            let changes = ["no", "yes", "debug", "redis-7.0", "7", "8", "2mb", "/", "normal 1 2 3"]
                .iter()
                .any(|text| {
                    let config = Config::default();
                    if let Ok(value) = parameter.kind.parse(text.as_bytes(), &config) {
                        parameter.store(value, &config);
                    }
                    let differs = |other: &&Parameter| other.format(&config) != other.format(&before);
                    let changed: Vec<_> = PARAMETERS.iter().filter(differs).map(|other| other.name).collect();
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
            ("appendonly", "yes"),
            ("save", "900 1"),
            ("replicaof", "127.0.0.1 6379"),
            ("slaveof", "127.0.0.1 6379"),
            ("replicaof", "no"),
            ("cluster-enabled", "yes"),
            ("tls-port", "6380"),
            ("aclfile", "users.acl"),
            ("maxmemory", "1gb"),
            ("maxmemory-policy", "allkeys-lru"),
            ("daemonize", "yes"),
        ] {
            let error = config.set(name, text).expect_err(name).to_string();
            assert!(error.starts_with(&format!("{name}: ")), "{error}");
            assert_eq!(
                config.get(name),
                Some(find(name.as_bytes()).expect(name).0.format(&Config::default()))
            );
        }
        for (name, text) in [
            ("appendonly", "NO"),
            ("save", ""),
            ("replicaof", "no one"),
            ("slaveof", "NO ONE"),
            ("maxmemory", "0kb"),
            ("maxmemory-policy", "noeviction"),
        ] {
            assert_eq!(config.set(name, text), Ok(()), "{name}");
        }
        for (directive, part) in [
            ("tls-cert-file", "TLS"),
            ("TLS-PORTS", "TLS"),
            ("user", "users"),
            ("username", "Bad directive"),
            ("PidFile", NOT_YET_HERE),
            ("pidfiles", "Bad directive"),
            ("tls", "Bad directive"),
        ] {
            assert!(refusal(directive.as_bytes()).contains(part), "{directive}");
        }
    }

    #[test]
    fn help_names_every_parameter() {
        let help = help();
        for parameter in PARAMETERS {
            assert!(help.contains(&format!("  --{} ", parameter.name)), "{}", parameter.name);
        }
        assert!(help.contains("  --port number\n      TCP port; 0 for no TCP. Default: 6379.\n"));
        assert!(help.contains("  --appendonly yes|no\n      Whether to keep a journal. Only no for now.\n"));
    }
}
