//! Parameters and directives that would promise something untrue: the default is all that they accept, and whoever
//! wants something else is told why. A row leaves this table when the server can keep the promise.

use super::kind::{Kind, Unit};
use super::options::{INT_MAX, Parameter, REDIS, VALKEY};
use super::shape;

/// Parameters of which there is only one value.
pub static PARAMETERS: &[Parameter] = &[
    fixed(
        "save",
        Kind::ShapedWords(shape::save_points),
        "",
        "snapshots are not written yet: all data is in memory only",
    ),
    fixed(
        "appendonly",
        Kind::YesNo,
        "no",
        "the append only file is not written yet: all data is in memory only",
    ),
    fixed("replicaof", Kind::Peer, "", "replication is not there yet: this server can only stand alone")
        .alias("slaveof")
        .at_start(),
    fixed(
        "min-replicas-to-write",
        number(0, INT_MAX),
        "0",
        "replication is not there yet: no replica would have the data",
    )
    .alias("min-slaves-to-write"),
    fixed("cluster-enabled", Kind::YesNo, "no", "cluster mode is not there yet").at_start(),
    fixed(
        "daemonize",
        Kind::YesNo,
        "no",
        "this program stays in the foreground: let the service manager start it",
    )
    .at_start(),
    fixed("supervised", Kind::Choice(&["no", "upstart", "systemd", "auto"]), "no", NO_SUPERVISOR).at_start(),
    fixed("syslog-enabled", Kind::YesNo, "no", "the log goes to standard output or to a file only")
        .at_start(),
    fixed(
        "unixsocketgroup",
        Kind::TextUntilZero,
        "",
        "the UNIX socket always belongs to the group of the process",
    )
    .at_start()
    .only(VALKEY),
    fixed(
        "activedefrag",
        Kind::YesNo,
        "no",
        "Active defragmentation cannot be enabled: it requires a Redis server \
        compiled with a modified Jemalloc like the one shipped by default with the Redis source distribution",
    )
    .only(REDIS),
    fixed(
        "activedefrag",
        Kind::YesNo,
        "no",
        "Active defragmentation cannot be enabled: it requires a server \
        compiled with a modified Jemalloc like the one shipped by default with the source distribution",
    )
    .only(VALKEY),
    fixed("rdma-bind", Kind::Words, "", NO_RDMA).only(VALKEY),
    fixed("rdma-port", number(0, PORT_MAX), "0", NO_RDMA).only(VALKEY),
    tls("tls-port", number(0, PORT_MAX), "0"),
    tls("tls-auth-clients", Kind::Choice(&["no", "yes", "optional"]), "yes"),
    tls("tls-auth-clients-user", Kind::Choice(&["CN", "URI", "off"]), "off").only(VALKEY),
    tls("tls-auto-reload-interval", number(0, INT_MAX), "0").only(VALKEY),
    tls("tls-ca-cert-dir", Kind::TextUntilZero, ""),
    tls("tls-ca-cert-file", Kind::TextUntilZero, ""),
    tls("tls-cert-file", Kind::TextUntilZero, ""),
    tls("tls-ciphers", Kind::TextUntilZero, ""),
    tls("tls-ciphersuites", Kind::TextUntilZero, ""),
    tls("tls-client-cert-file", Kind::TextUntilZero, ""),
    tls("tls-client-key-file", Kind::TextUntilZero, ""),
    tls("tls-client-key-file-pass", Kind::TextUntilZero, "").secret(),
    tls("tls-cluster", Kind::YesNo, "no"),
    tls("tls-dh-params-file", Kind::TextUntilZero, ""),
    tls("tls-key-file", Kind::TextUntilZero, ""),
    tls("tls-key-file-pass", Kind::TextUntilZero, "").secret(),
    tls("tls-prefer-server-ciphers", Kind::YesNo, "no"),
    tls("tls-protocols", Kind::TextUntilZero, ""),
    tls("tls-replication", Kind::YesNo, "no"),
    tls("tls-session-cache-size", number(0, INT_MAX), "20480"),
    tls("tls-session-cache-timeout", number(0, INT_MAX), "300"),
    tls("tls-session-caching", Kind::YesNo, "yes"),
];

/// Directives that are no parameters; a name that ends with `-` is a prefix.
pub static DIRECTIVES: &[(&str, &str)] = &[
    ("tls-", NO_TLS),
    ("rename-command", "commands cannot be renamed"),
    ("loadmodule", "modules cannot be loaded"),
    ("sentinel", "sentinel mode is not supported"),
    ("test-memory", "this program does not test memory"),
    ("check-system", "this program does not check the system"),
];

/// What was a parameter once: the imitated servers skip it, if it has one value.
pub static OBSOLETE: &[&str] =
    &["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands", "events-per-io-thread"];

const NO_TLS: &str = "TLS is not supported yet: connections are not encrypted";
const NO_SUPERVISOR: &str = "no service manager is told that the server is ready";
const NO_RDMA: &str = "No RDMA building support.";
const PORT_MAX: i64 = u16::MAX as i64;

const fn fixed(name: &'static str, kind: Kind, only: &'static str, why: &'static str) -> Parameter {
    Parameter::fixed(name, kind, only, why)
}

const fn tls(name: &'static str, kind: Kind, only: &'static str) -> Parameter {
    fixed(name, kind, only, NO_TLS)
}

const fn number(min: i64, max: i64) -> Kind {
    Kind::Number { unit: Unit::Plain, min, max }
}
