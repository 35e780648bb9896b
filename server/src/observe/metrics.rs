//! The figures of INFO for Prometheus, under the names that the exporter for Redis gives them, so that dashboards made for it
//! show this server too. What it has no name for begins with `shardis_`. How they are asked for is `net/metrics`.

use std::fmt::Debug;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeMetric, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use super::info::system;
use crate::config::Choice;
use crate::state::State;

/// The media type of the text.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All figures as text. Waits for every shard and reads files of the system, so it is nothing for a network thread.
pub fn text(state: &State) -> Result<String, std::fmt::Error> {
    let mut figures = Figures(Registry::default());
    figures.server(state);
    figures.traffic(state);
    figures.keys(state);
    figures.commands(state);
    let mut text = String::new();
    text::encode(&mut text, &figures.0)?;
    Ok(text)
}

type Labels = Vec<(&'static str, String)>;

/// What is gathered.
struct Figures(Registry);

impl Figures {
    fn server(&mut self, state: &State) {
        let identity = vec![
            ("redis_version", state.config.dialect().redis_version.to_owned()),
            ("shardis_version", env!("CARGO_PKG_VERSION").to_owned()),
            ("redis_mode", "standalone".to_owned()),
            ("role", "master".to_owned()),
            ("run_id", state.run_id.clone()),
            ("maxmemory_policy", state.config.maxmemory_policy.value().word().to_owned()),
        ];
        self.gauges("redis_instance_info", "What this server is.", [(identity, 1.0)]);
        self.gauge("redis_up", "Whether the server answers.", 1_u64);
        self.gauge("redis_uptime_in_seconds", "Time since the start.", state.clock.elapsed().as_secs());
        self.gauge("redis_connected_clients", "Clients.", state.clients.len() as u64);
        self.gauge("redis_config_maxclients", "Clients at most.", config(state.config.maxclients.value()));
        self.gauge("redis_memory_used_bytes", "Bytes that are counted.", state.used_memory() as u64);
        self.gauge("redis_memory_used_rss_bytes", "Bytes that are resident.", system::resident_bytes());
        self.gauge(
            "redis_memory_max_bytes",
            "Limit of memory; 0 for none.",
            config(state.config.maxmemory.value()),
        );
        if let Some([user, system, ..]) = system::processor_times("/proc/self/stat") {
            self.counter("redis_cpu_user_seconds", "Processor time of the program.", user);
            self.counter("redis_cpu_sys_seconds", "Processor time of the system for it.", system);
        }
        self.gauge("shardis_shards", "Independently locked parts.", state.keyspace.shards() as u64);
        let waiting = state.executor.pending_frees() as u64;
        self.gauge("redis_lazyfree_pending_objects", "Values that wait to be freed.", waiting);
    }

    fn traffic(&mut self, state: &State) {
        let stats = &state.stats;
        let sums = [
            (
                "redis_connections_received",
                "Connections accepted.",
                stats.sum(|thread| &thread.connections_received),
            ),
            (
                "redis_rejected_connections",
                "Connections refused.",
                stats.sum(|thread| &thread.connections_rejected),
            ),
            ("redis_net_input_bytes", "Bytes read from clients.", stats.sum(|thread| &thread.input_bytes)),
            ("redis_net_output_bytes", "Bytes written to clients.", stats.sum(|thread| &thread.output_bytes)),
            ("redis_commands_processed", "Commands run.", stats.calls()),
            ("redis_evicted_keys", "Keys evicted to make room.", stats.sum(|thread| &thread.evicted_keys)),
        ];
        for (name, help, value) in sums {
            self.counter(name, help, value);
        }
        let errors = stats.errors();
        let by_code = errors
            .iter()
            .map(|(code, count)| (vec![("err", String::from_utf8_lossy(code).into_owned())], *count as f64));
        self.counters("redis_errors", "Error replies by their code.", by_code);
    }

    fn keys(&mut self, state: &State) {
        let totals = state.keyspace.totals();
        self.counter("redis_keyspace_hits", "Lookups that found their key.", totals.hits);
        self.counter("redis_keyspace_misses", "Lookups that did not.", totals.misses);
        self.counter("redis_expired_keys", "Keys whose time had come.", totals.expired);
        let by_database = |count: fn(&shardis_storage::DatabaseTotals) -> usize| {
            let databases = totals.databases.iter().zip(0..).filter(|(database, _)| database.keys > 0);
            databases.map(move |(database, n)| (vec![("db", format!("db{n}"))], count(database) as f64))
        };
        self.gauges("redis_db_keys", "Keys.", by_database(|database| database.keys));
        self.gauges(
            "redis_db_keys_expiring",
            "Keys that expire.",
            by_database(|database| database.deadlines),
        );
    }

    fn commands(&mut self, state: &State) {
        let used: Vec<_> = state
            .commands
            .entries()
            .iter()
            .map(|entry| (entry.full_name.as_str(), state.stats.command(entry.id)))
            .filter(|(_, totals)| totals.calls + totals.rejected > 0)
            .collect();
        let by_command = |value: fn(&crate::observe::stats::CommandTotals) -> f64| {
            used.iter().map(move |(name, totals)| (vec![("cmd", (*name).to_owned())], value(totals)))
        };
        self.counters("redis_commands", "Calls that ran.", by_command(|totals| totals.calls as f64));
        let seconds = by_command(|totals| totals.nanoseconds as f64 / 1e9);
        self.counters("redis_commands_duration_seconds", "Time of the calls.", seconds);
        let rejected = by_command(|totals| totals.rejected as f64);
        self.counters("redis_commands_rejected_calls", "Calls refused before they ran.", rejected);
        let failed = by_command(|totals| totals.failed as f64);
        self.counters("redis_commands_failed_calls", "Calls that answered an error.", failed);
    }

    fn gauge<N: Debug + Send + Sync + 'static>(&mut self, name: &str, help: &str, value: N)
    where
        ConstGauge<N>: EncodeMetric,
    {
        self.0.register(name, help.trim_end_matches('.'), ConstGauge::new(value));
    }

    fn counter<N: Debug + Send + Sync + 'static>(&mut self, name: &str, help: &str, value: N)
    where
        ConstCounter<N>: EncodeMetric,
    {
        self.0.register(name, help.trim_end_matches('.'), ConstCounter::new(value));
    }

    fn gauges(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, f64)>) {
        let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help.trim_end_matches('.'), family);
    }

    fn counters(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, f64)>) {
        let family = Family::<Labels, Counter<f64, AtomicU64>>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).inc_by(value);
        }
        self.0.register(name, help.trim_end_matches('.'), family);
    }
}

/// A setting that cannot be negative.
fn config(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
