//! The parameters of the imitated servers on which nothing acts: their values are kept and shown, since programs save
//! and restore them. One row each; where servers differ, one for each of them. A row leaves this table when something
//! acts on the parameter. What would promise something untrue is not here, but in `refused`.

use super::kind::{Kind, Unit};
use super::options::{INT_MAX, INT_MIN, Parameter, REDIS, REDIS_70, SINCE_72, VALKEY};
use super::shape::{self, Shape};

/// All of them, by name, and behind them those that are not listed.
#[rustfmt::skip]
pub static PARAMETERS: &[Parameter] = &[
    number("active-defrag-cycle-max", 1, 99, "25"),
    number("active-defrag-cycle-min", 1, 99, "1"),
    number("active-defrag-cycle-us", 0, 100000, "500").only(VALKEY),
    memory("active-defrag-ignore-bytes", 1, "104857600"),
    number("active-defrag-max-scan-fields", 1, i64::MAX, "1000"),
    number("active-defrag-threshold-lower", 0, 1000, "10"),
    number("active-defrag-threshold-upper", 0, 1000, "100"),
    flag("activerehashing", "yes"),
    flag("always-show-logo", "no").at_start(),
    flag("aof-load-truncated", "yes"),
    flag("aof-rewrite-incremental-fsync", "yes"),
    flag("aof-timestamp-enabled", "no"),
    flag("aof-use-rdb-preamble", "yes"),
    c_text("aof_rewrite_cpulist", "").at_start().only(REDIS),
    c_text("aof_rewrite_cpulist", "").alias("aof-rewrite-cpulist").at_start().only(VALKEY),
    shaped("appenddirname", shape::journal_directory, "appendonlydir").at_start(),
    shaped("appendfilename", shape::journal, "appendonly.aof").at_start(),
    choice("appendfsync", &["everysec", "always", "no"], "everysec"),
    memory("auto-aof-rewrite-min-size", 0, "67108864"),
    number("auto-aof-rewrite-percentage", 0, INT_MAX, "100"),
    text("availability-zone", "").only(VALKEY),
    c_text("bgsave_cpulist", "").at_start().only(REDIS),
    c_text("bgsave_cpulist", "").alias("bgsave-cpulist").at_start().only(VALKEY),
    c_text("bind-source-addr", ""),
    c_text("bio_cpulist", "").at_start().only(REDIS),
    c_text("bio_cpulist", "").alias("bio-cpulist").at_start().only(VALKEY),
    flag("cluster-allow-pubsubshard-when-down", "yes"),
    flag("cluster-allow-reads-when-down", "no"),
    flag("cluster-allow-replica-migration", "yes"),
    number("cluster-announce-bus-port", 0, PORT_MAX, "0"),
    shaped("cluster-announce-client-ipv4", shape::ipv4, "").only(VALKEY),
    shaped("cluster-announce-client-ipv6", shape::ipv6, "").only(VALKEY),
    number("cluster-announce-client-port", 0, PORT_MAX, "0").only(VALKEY),
    number("cluster-announce-client-tls-port", 0, PORT_MAX, "0").only(VALKEY),
    shaped("cluster-announce-hostname", shape::host_name, ""),
    shaped("cluster-announce-human-nodename", shape::node_name, "").only(SINCE_72),
    c_text("cluster-announce-ip", "").only(REDIS),
    shaped("cluster-announce-ip", shape::node_address, "").only(VALKEY),
    number("cluster-announce-port", 0, PORT_MAX, "0"),
    number("cluster-announce-tls-port", 0, PORT_MAX, "0"),
    number("cluster-blacklist-ttl", i64::MIN, i64::MAX, "60").only(VALKEY),
    c_text("cluster-config-file", "nodes.conf").at_start(),
    choice("cluster-config-save-behavior", &["sync", "best-effort"], "sync").only(VALKEY),
    number("cluster-databases", 1, INT_MAX, "1").at_start().only(VALKEY),
    memory("cluster-link-sendbuf-limit", 0, "0"),
    number("cluster-manual-failover-timeout", 1, INT_MAX, "5000").only(VALKEY),
    number("cluster-migration-barrier", 0, INT_MAX, "1"),
    number("cluster-node-timeout", 0, i64::MAX, "15000"),
    number("cluster-port", 0, PORT_MAX, "0").at_start(),
    choice("cluster-preferred-endpoint-type", &["ip", "hostname", "unknown-endpoint"], "ip"),
    flag("cluster-replica-no-failover", "no").alias("cluster-slave-no-failover"),
    number("cluster-replica-validity-factor", 0, INT_MAX, "10").alias("cluster-slave-validity-factor"),
    flag("cluster-require-full-coverage", "yes"),
    number("cluster-slot-migration-log-max-len", 0, i64::MAX, "1000").only(VALKEY),
    flag("cluster-slot-stats-enabled", "no").only(VALKEY),
    flag("crash-log-enabled", "yes"),
    flag("crash-memcheck-enabled", "yes"),
    shaped("dbfilename", shape::snapshot, "dump.rdb").protected(),
    flag("disable-thp", "yes").at_start(),
    flag("dual-channel-replication-enabled", "no").only(VALKEY),
    flag("dynamic-hz", "yes").only(REDIS),
    choice("enable-module-command", &["no", "yes", "local"], "no").at_start(),
    flag("extended-redis-compatibility", "no").only(VALKEY),
    c_text("hash-seed", "").at_start().only(VALKEY),
    flag("hide-user-data-from-log", "yes").only(VALKEY),
    c_text("ignore-warnings", ""),
    flag("import-mode", "no").only(VALKEY),
    number("io-threads", 1, 128, "1").at_start().only(REDIS),
    number("io-threads", 1, 256, "1").only(VALKEY),
    flag("io-threads-do-reads", "no").at_start().only(REDIS),
    flag("jemalloc-bg-thread", "yes"),
    flag("lazyfree-lazy-eviction", "no").only(REDIS),
    flag("lazyfree-lazy-eviction", "yes").only(VALKEY),
    flag("lazyfree-lazy-expire", "no").only(REDIS),
    flag("lazyfree-lazy-expire", "yes").only(VALKEY),
    flag("lazyfree-lazy-server-del", "no").only(REDIS),
    flag("lazyfree-lazy-server-del", "yes").only(VALKEY),
    shaped("locale-collate", shape::collation, "").only(SINCE_72),
    choice("log-format", &["legacy", "logfmt", "json"], "legacy").only(VALKEY),
    choice("log-timestamp-format", &["legacy", "iso8601", "milliseconds"], "legacy").only(VALKEY),
    text("masterauth", "").secret().only(REDIS),
    text("masterauth", "").secret().alias("primaryauth").only(VALKEY),
    c_text("masteruser", "").secret().only(REDIS),
    c_text("masteruser", "").secret().alias("primaryuser").only(VALKEY),
    number("max-new-connections-per-cycle", 1, 1000, "10").only(VALKEY),
    number("max-new-tls-connections-per-cycle", 1, 1000, "1").only(VALKEY),
    number("min-replicas-max-lag", 0, INT_MAX, "10").alias("min-slaves-max-lag"),
    flag("mptcp", "no").at_start().only(VALKEY),
    flag("no-appendfsync-on-rewrite", "no"),
    choice("oom-score-adj", &["no", "yes", "relative", "absolute"], "no"),
    Parameter::stored("oom-score-adj-values", Kind::ShapedWords(shape::oom_scores), "0 200 800"),
    number("prefetch-batch-max-size", 0, 128, "16").only(VALKEY),
    shaped("proc-title-template", shape::title_template, "{title} {listen-addr} {server-mode}"),
    choice("propagation-error-behavior", &["ignore", "panic", "panic-on-replicas"], "ignore"),
    flag("rdb-del-sync-files", "no"),
    flag("rdb-save-incremental-fsync", "yes"),
    choice("rdb-version-check", &["strict", "relaxed"], "strict").only(VALKEY),
    flag("rdbchecksum", "yes").at_start(),
    flag("rdbcompression", "yes"),
    number("rdma-completion-vector", -1, 1024, "-1").at_start().only(VALKEY),
    memory("rdma-rx-size", 1 << 16, "1048576").at_start().only(VALKEY),
    memory("repl-backlog-size", 1, "1048576").only(REDIS),
    memory("repl-backlog-size", 1, "10485760").only(VALKEY),
    number("repl-backlog-ttl", 0, i64::MAX, "3600"),
    flag("repl-disable-tcp-nodelay", "no"),
    choice("repl-diskless-load", &["disabled", "on-empty-db", "swapdb"], "disabled").only(REDIS),
    choice("repl-diskless-load", LOADS, "disabled").only(VALKEY),
    flag("repl-diskless-sync", "yes"),
    number("repl-diskless-sync-delay", 0, INT_MAX, "5"),
    number("repl-diskless-sync-max-replicas", 0, INT_MAX, "0"),
    flag("repl-mptcp", "no").at_start().only(VALKEY),
    number("repl-ping-replica-period", 1, INT_MAX, "10").alias("repl-ping-slave-period"),
    number("repl-timeout", 1, INT_MAX, "60"),
    c_text("replica-announce-ip", "").alias("slave-announce-ip"),
    number("replica-announce-port", 0, PORT_MAX, "0").alias("slave-announce-port"),
    flag("replica-announced", "yes"),
    flag("replica-ignore-disk-write-errors", "no"),
    flag("replica-ignore-maxmemory", "yes").alias("slave-ignore-maxmemory"),
    flag("replica-lazy-flush", "no").alias("slave-lazy-flush").only(REDIS),
    flag("replica-lazy-flush", "yes").alias("slave-lazy-flush").only(VALKEY),
    number("replica-priority", 0, INT_MAX, "100").alias("slave-priority"),
    flag("replica-read-only", "yes").alias("slave-read-only"),
    flag("replica-serve-stale-data", "yes").alias("slave-serve-stale-data"),
    choice("sanitize-dump-payload", &["no", "yes", "clients"], "no").only(REDIS),
    c_text("server_cpulist", "").at_start().only(REDIS),
    c_text("server_cpulist", "").alias("server-cpulist").at_start().only(VALKEY),
    flag("set-proc-title", "yes").at_start(),
    flags("shutdown-on-sigint", SHUTDOWNS_OF_REDIS).only(REDIS),
    flags("shutdown-on-sigint", SHUTDOWNS).only(VALKEY),
    flags("shutdown-on-sigterm", SHUTDOWNS_OF_REDIS).only(REDIS),
    flags("shutdown-on-sigterm", SHUTDOWNS).only(VALKEY),
    number("shutdown-timeout", 0, INT_MAX, "10"),
    memory("slot-migration-max-failover-repl-bytes", -1, "0").only(VALKEY),
    number("socket-mark-id", 0, u32::MAX as i64, "0").at_start(),
    flag("stop-writes-on-bgsave-error", "yes"),
    choice("syslog-facility", FACILITIES, "local0").at_start(),
    c_text("syslog-ident", "redis").at_start().only(REDIS),
    c_text("syslog-ident", "valkey").at_start().only(VALKEY),
    // Servers tell these only to those who know their names.
    flag("aof-disable-auto-gc", "no").only(REDIS_70),
    flag("aof-disable-auto-gc", "no").only(SINCE_72).unlisted(),
    number("cluster-message-gossip-perc", 1, 100, "10").only(VALKEY).unlisted(),
    number("cluster-ping-interval", 0, i64::MAX, "0").only(VALKEY).unlisted(),
    text("debug-context", "").only(VALKEY).unlisted(),
    flag("enable-debug-assert", "no").at_start().only(VALKEY).unlisted(),
    flag("io-threads-always-active", "no").only(VALKEY).unlisted(),
    number("key-load-delay", INT_MIN, INT_MAX, "0").unlisted(),
    number("loading-process-events-interval-bytes", 1024, INT_MAX, "2097152").unlisted(),
    flag("lua-enable-deprecated-api", "no").at_start().only(REDIS).unlisted(),
    flag("lua-enable-deprecated-api", "no").protected().only(VALKEY).unlisted(),
    flag("lua-enable-insecure-api", "no").protected().only(VALKEY).unlisted(),
    number("min-io-threads-avoid-copy-reply", 0, INT_MAX, "7").only(VALKEY).unlisted(),
    number("min-string-size-avoid-copy-reply", 0, INT_MAX, "16384").only(VALKEY).unlisted(),
    number("min-string-size-avoid-copy-reply-threaded", 0, INT_MAX, "65536").only(VALKEY).unlisted(),
    number("rdb-key-save-delay", INT_MIN, INT_MAX, "0").unlisted(),
    flag("use-exit-on-panic", "no").unlisted(),
    number("watchdog-period", 0, INT_MAX, "0").unlisted(),
    // Of Redis after 7.2: programs that know them find them, under whatever name the server goes.
    power_of_two("array-slice-size", "4096").unlisted(),
    number("array-sparse-kmax", 0, INT_MAX, "10").unlisted(),
    number("array-sparse-kmin", 0, INT_MAX, "5").unlisted(),
    flag("cluster-slot-stats-enabled", "no").only(REDIS).unlisted(),
    flag("hide-user-data-from-log", "no").only(REDIS).unlisted(),
    flag("key-memory-histograms", "no").unlisted(),
    number("lookahead", 1, INT_MAX, "16").unlisted(),
    number("stream-idmp-duration", 1, i64::MAX, "100").unlisted(),
    number("stream-idmp-maxsize", 1, i64::MAX, "100").unlisted(),
];

const PORT_MAX: i64 = u16::MAX as i64;
const LOADS: &[&str] = &["disabled", "on-empty-db", "swapdb", "flush-before-load"];
const SHUTDOWNS: &[&str] = &["default", "save", "nosave", "now", "force", "safe", "failover"];
const SHUTDOWNS_OF_REDIS: &[&str] = SHUTDOWNS.split_at(5).0;
const FACILITIES: &[&str] =
    &["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"];

const fn flag(name: &'static str, default: &'static str) -> Parameter {
    Parameter::stored(name, Kind::YesNo, default)
}

const fn number(name: &'static str, min: i64, max: i64, default: &'static str) -> Parameter {
    Parameter::stored(name, Kind::Number { unit: Unit::Plain, min, max }, default)
}

const fn power_of_two(name: &'static str, default: &'static str) -> Parameter {
    Parameter::stored(name, Kind::Number { unit: Unit::PowerOfTwo, min: 1, max: INT_MAX }, default)
}

const fn memory(name: &'static str, min: i64, default: &'static str) -> Parameter {
    Parameter::stored(name, Kind::Number { unit: Unit::Memory, min, max: i64::MAX }, default)
}

const fn choice(name: &'static str, words: &'static [&'static str], default: &'static str) -> Parameter {
    Parameter::stored(name, Kind::Choice(words), default)
}

const fn flags(name: &'static str, words: &'static [&'static str]) -> Parameter {
    Parameter::stored(name, Kind::ShutdownFlags(words), words[0])
}

const fn text(name: &'static str, default: &'static str) -> Parameter {
    Parameter::stored(name, Kind::Text, default)
}

/// A text that ends at its first zero byte.
const fn c_text(name: &'static str, default: &'static str) -> Parameter {
    Parameter::stored(name, Kind::TextUntilZero, default)
}

const fn shaped(name: &'static str, shape: Shape, default: &'static str) -> Parameter {
    Parameter::stored(name, Kind::Shaped(shape), default)
}
