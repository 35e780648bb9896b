//! The sections about what is there: the server, its clients, modules and engines.

use std::sync::Arc;

use super::Report;
use super::system::operating_system;
use crate::blocking::Waiter;
use crate::client::ClientInfo;
use crate::client::pause::Severity;
use crate::client::registry::Waiting;
use crate::scripting::watchdog::Kind;
use crate::state::State;

impl Report<'_> {
    pub(super) fn server(&mut self) {
        let State { clock, config, .. } = self.state;
        self.field("redis_version", self.dialect.redis_version);
        if let Some(version) = self.dialect.valkey_version {
            self.field("server_name", self.dialect.server_name);
            self.field("valkey_version", version);
            self.field("valkey_release_stage", "ga");
        }
        self.field("redis_git_sha1", "00000000");
        self.none(&["redis_git_dirty", "redis_build_id"]);
        self.field(self.dialect.mode_field, "standalone");
        self.field("os", operating_system());
        self.field("arch_bits", usize::BITS);
        self.field("monotonic_clock", "POSIX clock_gettime");
        self.field("multiplexing_api", "epoll");
        self.field("atomicvar_api", "c11-builtin");
        self.field("gcc_version", "0.0.0");
        self.field("process_id", std::process::id());
        self.field("process_supervised", "no");
        self.field("run_id", &self.state.run_id);
        let tcp = self.state.listening.lock().tcp.clone();
        let port = tcp.first().map_or(config.port.value(), |addr| addr.port().into());
        self.field("tcp_port", port);
        self.field("server_time_usec", clock.now_us());
        let uptime = clock.elapsed().as_secs();
        self.field("uptime_in_seconds", uptime);
        self.field("uptime_in_days", uptime / SECONDS_PER_DAY);
        self.fields(&["hz", "configured_hz", "clients_hz"], config.hz.value());
        self.field("lru_clock", (clock.now_ms() / 1000) & ACCESS_CLOCK_MASK);
        let program = std::env::current_exe().unwrap_or_default();
        self.field("executable", program.display());
        self.field("config_file", config.file.clone().unwrap_or_default().display());
        self.none(&["io_threads_active"]);
        self.field("availability_zone", "");
        self.listeners();
        self.field("shardis_version", env!("CARGO_PKG_VERSION"));
    }

    fn listeners(&mut self) {
        if !self.dialect.tells("listener") {
            return;
        }
        let listening = self.state.listening.lock().clone();
        let tcp = listening.tcp.first().map(|first| {
            let binds: String = listening.tcp.iter().map(|addr| format!("bind={},", addr.ip())).collect();
            format!("name=tcp,{binds}port={}", first.port())
        });
        let unix = listening.unix.map(|path| format!("name=unix,bind={}", path.display()));
        for (index, listener) in [tcp, unix].into_iter().flatten().enumerate() {
            self.field(&format!("listener{index}"), listener);
        }
    }

    /// There is no TLS.
    pub(super) fn tls(&mut self) {
        for name in ["tls_server_cert", "tls_client_cert", "tls_ca_cert"] {
            self.field(&format!("{name}_serial"), "none");
            self.field(&format!("{name}_expires_in_seconds"), 0);
        }
    }

    pub(super) fn clients(&mut self) {
        let totals = self.state.clients.totals();
        self.field("connected_clients", self.state.clients.len());
        self.none(&["cluster_connections"]);
        self.field("maxclients", self.state.config.maxclients.value());
        self.field("client_recent_max_input_buffer", totals.input_bytes_max);
        self.field("client_recent_max_output_buffer", totals.output_bytes_max);
        let clients = self.state.clients.all();
        let blocked = clients.iter().filter(|client| client.is_waiting(Waiting::Blocked)).count();
        self.field("blocked_clients", blocked);
        self.field("tracking_clients", self.state.clients.tracking.client_count());
        self.field("pubsub_clients", self.state.pubsub.client_count());
        self.field("watching_clients", self.state.watchers.clients());
        let has_end = |client: &Arc<ClientInfo>| client.blocked().is_some_and(|waiter| waiter.has_end);
        self.field("clients_in_timeout_table", clients.iter().filter(|client| has_end(client)).count());
        self.field("total_watched_keys", self.state.watchers.keys());
        let waiters = &self.state.waiters;
        self.field("total_blocking_keys", waiters.keys_count(|_| true));
        self.field("total_blocking_keys_on_nokey", waiters.keys_count(Waiter::minds_loss));
        let (severity, left) = self.state.pause.report(&self.state.clock);
        self.field("paused_reason", if severity == Severity::None { "none" } else { "client_pause" });
        self.field("paused_actions", severity.name());
        self.field("paused_timeout_milliseconds", left.as_millis());
    }

    pub(super) fn modules(&mut self) {
        for (name, version, _) in self.dialect.modules {
            self.field(
                "module",
                format_args!("name={name},ver={version},api=1,filters=0,usedby=[],using=[],options=[]"),
            );
        }
    }

    /// The one engine.
    pub(super) fn scripting_engines(&mut self) {
        let used: usize =
            [Kind::Script, Kind::Function].map(|kind| self.state.watchdog.memory_bytes(kind)).iter().sum();
        self.field("engines_count", 1);
        self.field("engines_total_used_memory", used);
        self.none(&["engines_total_memory_overhead"]);
        self.field(
            "engine_0",
            format_args!("name=LUA,module=lua,abi_version=4,used_memory={used},memory_overhead=0"),
        );
    }
}

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;
/// The access clock counts seconds in 24 bits.
const ACCESS_CLOCK_MASK: i64 = (1 << 24) - 1;
