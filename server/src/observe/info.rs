//! The report of INFO: sections of fields, in the order and under the names that tools parse. What this server has none
//! of yet is reported as by a server that does not use it.

use std::fmt::Display;
use std::fs;
use std::sync::atomic::Ordering;

use shardis_storage::ShardTotals;

use crate::client::registry::Waiting;
use crate::config::Dialect;
use crate::state::{BASE_BYTES, CLIENT_BYTES, State};

/// A section of the report.
pub struct Section {
    /// What a call may ask for, in any case; the first is the title.
    pub names: &'static [&'static str],
    /// Whether it is part of the report when nothing is asked for.
    pub is_default: bool,
    write: fn(&mut Report<'_>),
}

const fn section(names: &'static [&'static str], is_default: bool, write: fn(&mut Report<'_>)) -> Section {
    Section { names, is_default, write }
}

const SECTIONS: [Section; 13] = [
    section(&["Server"], true, |report| report.server()),
    section(&["Clients"], true, |report| report.clients()),
    section(&["Memory"], true, |report| report.memory()),
    section(&["Persistence"], true, |report| report.persistence()),
    section(&["Stats"], true, |report| report.stats()),
    section(&["Replication"], true, |report| report.replication()),
    section(&["CPU"], true, |report| report.cpu()),
    section(&["Modules", "module_list"], true, |_| {}),
    section(&["Commandstats"], false, |report| report.command_stats()),
    section(&["Errorstats"], true, |report| report.error_stats()),
    section(&["Cluster"], true, |report| report.field("cluster_enabled", 0)),
    section(&["Keyspace"], true, |report| report.keyspace()),
    section(&["Compute"], false, |report| report.compute()),
];

/// The sections that are wanted. Waits for every shard and reads files of the system, so it is nothing for a network
/// thread.
pub fn report(state: &State, is_wanted: impl Fn(&Section) -> bool) -> String {
    let dialect = state.config.dialect();
    let mut report = Report { state, dialect, totals: state.keyspace.totals(), text: String::new() };
    for section in SECTIONS.iter().filter(|section| is_wanted(section)) {
        if !report.text.is_empty() {
            report.text.push_str("\r\n");
        }
        report.text.push_str(&format!("# {}\r\n", section.names[0]));
        (section.write)(&mut report);
    }
    report.text
}

/// A report under construction.
struct Report<'s> {
    state: &'s State,
    dialect: &'static Dialect,
    totals: ShardTotals,
    text: String,
}

impl Report<'_> {
    fn field(&mut self, name: &str, value: impl Display) {
        self.text.push_str(&format!("{name}:{value}\r\n"));
    }

    /// Several fields with one value.
    fn fields(&mut self, names: &[&str], value: impl Display) {
        for name in names {
            self.field(name, &value);
        }
    }

    /// A number of bytes, and the same for humans.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(&format!("{name}_human"), human(bytes));
    }

    /// A number of bytes and how many times another one that is.
    fn surplus(&mut self, ratio: &str, difference: &str, bytes: u64, base: u64) {
        self.field(ratio, format_args!("{:.2}", bytes as f64 / base.max(1) as f64));
        self.field(difference, bytes as i64 - base as i64);
    }

    fn server(&mut self) {
        let State { clock, config, .. } = self.state;
        self.field("redis_version", self.dialect.redis_version);
        if let Some(version) = self.dialect.valkey_version {
            self.field("server_name", self.dialect.server_name);
            self.field("valkey_version", version);
            self.field("valkey_release_stage", "ga");
        }
        self.field("redis_git_sha1", "00000000");
        self.fields(&["redis_git_dirty", "redis_build_id"], 0);
        self.field(self.dialect.mode_field, "standalone");
        self.field("os", operating_system());
        self.field("arch_bits", usize::BITS);
        self.field("monotonic_clock", "POSIX clock_gettime");
        self.field("multiplexing_api", "epoll");
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
        self.fields(&["hz", "configured_hz"], config.hz.value());
        self.field("lru_clock", (clock.now_ms() / 1000) & ACCESS_CLOCK_MASK);
        let program = std::env::current_exe().unwrap_or_default();
        self.field("executable", program.display());
        self.field("config_file", config.file.clone().unwrap_or_default().display());
        self.field("io_threads_active", 0);
        if self.dialect.tells_listeners_and_denials {
            self.listeners();
        }
        self.field("shardis_version", env!("CARGO_PKG_VERSION"));
    }

    fn listeners(&mut self) {
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

    fn clients(&mut self) {
        self.field("connected_clients", self.state.clients.len());
        self.field("cluster_connections", 0);
        self.field("maxclients", self.state.config.maxclients.value());
        self.fields(&["client_recent_max_input_buffer", "client_recent_max_output_buffer"], 0);
        let clients = self.state.clients.all();
        let blocked = clients.iter().filter(|client| client.is_waiting(Waiting::Blocked)).count();
        self.field("blocked_clients", blocked);
        self.fields(&["tracking_clients", "pubsub_clients", "watching_clients"], 0);
        self.fields(&["clients_in_timeout_table", "total_watched_keys"], 0);
        self.fields(&["total_blocking_keys", "total_blocking_keys_on_nokey"], 0);
    }

    fn memory(&mut self) {
        let used = self.state.used_memory_with(&self.totals) as u64;
        let peak = self.state.memory_peak.load(Ordering::Relaxed) as u64;
        let resident = status_bytes("/proc/self/status", "VmRSS:");
        let clients = (self.state.clients.len() * CLIENT_BYTES) as u64;
        let overhead = (BASE_BYTES + self.totals.table_bytes) as u64 + clients;
        let dataset = used.saturating_sub(overhead);
        self.bytes("used_memory", used);
        self.bytes("used_memory_rss", resident);
        self.bytes("used_memory_peak", peak);
        self.field("used_memory_peak_perc", percent(used, peak));
        self.field("used_memory_overhead", overhead);
        self.field("used_memory_startup", BASE_BYTES);
        self.field("used_memory_dataset", dataset);
        self.field("used_memory_dataset_perc", percent(dataset, used - BASE_BYTES as u64));
        self.field("allocator_allocated", used);
        self.fields(&["allocator_active", "allocator_resident"], resident);
        self.bytes("total_system_memory", status_bytes("/proc/meminfo", "MemTotal:"));
        self.fields(&["used_memory_lua", "used_memory_vm_eval"], 0);
        self.field("used_memory_lua_human", human(0));
        self.fields(&["used_memory_scripts_eval", "number_of_cached_scripts", "number_of_functions"], 0);
        self.fields(&["number_of_libraries", "used_memory_vm_functions"], 0);
        self.bytes("used_memory_vm_total", 0);
        self.field("used_memory_functions", 0);
        self.bytes("used_memory_scripts", 0);
        self.bytes("maxmemory", self.setting("maxmemory").parse().unwrap_or(0));
        self.field("maxmemory_policy", self.setting("maxmemory-policy"));
        self.surplus("allocator_frag_ratio", "allocator_frag_bytes", resident, used);
        self.surplus("allocator_rss_ratio", "allocator_rss_bytes", resident, resident);
        self.surplus("rss_overhead_ratio", "rss_overhead_bytes", resident, resident);
        self.surplus("mem_fragmentation_ratio", "mem_fragmentation_bytes", resident, used);
        self.fields(&["mem_not_counted_for_evict", "mem_replication_backlog"], 0);
        self.fields(&["mem_total_replication_buffers", "mem_clients_slaves"], 0);
        self.field("mem_clients_normal", clients);
        self.fields(&["mem_cluster_links", "mem_aof_buffer"], 0);
        self.field("mem_allocator", if cfg!(feature = "mimalloc") { "mimalloc" } else { "libc" });
        self.field("active_defrag_running", 0);
        self.field("lazyfree_pending_objects", self.state.executor.pending_frees());
        self.field("lazyfreed_objects", 0);
    }

    /// A parameter as CONFIG GET shows it.
    fn setting(&self, name: &str) -> String {
        String::from_utf8(self.state.config.get(name).unwrap_or_default()).unwrap_or_default()
    }

    /// Nothing is ever saved; the data is as old as the server.
    fn persistence(&mut self) {
        let clock = &self.state.clock;
        let started = clock.now_ms() / 1000 - clock.elapsed().as_secs() as i64;
        self.fields(
            &["loading", "async_loading", "rdb_changes_since_last_save", "rdb_bgsave_in_progress"],
            0,
        );
        self.field("rdb_last_save_time", started);
        self.field("rdb_last_bgsave_status", "ok");
        self.fields(&["rdb_last_bgsave_time_sec", "rdb_current_bgsave_time_sec"], -1);
        self.fields(&["rdb_saves", "aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"], 0);
        self.fields(&["aof_last_rewrite_time_sec", "aof_current_rewrite_time_sec"], -1);
        self.fields(&["aof_last_bgrewrite_status", "aof_last_write_status"], "ok");
    }

    fn stats(&mut self) {
        let stats = &self.state.stats;
        let (rates, errors) = (stats.rates(), stats.errors());
        let kilobytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
        self.field("total_connections_received", stats.sum(|thread| &thread.connections_received));
        self.field("total_commands_processed", stats.calls());
        self.field("instantaneous_ops_per_sec", rates.calls);
        self.field("total_net_input_bytes", stats.sum(|thread| &thread.input_bytes));
        self.field("total_net_output_bytes", stats.sum(|thread| &thread.output_bytes));
        self.field("instantaneous_input_kbps", kilobytes(rates.input_bytes));
        self.field("instantaneous_output_kbps", kilobytes(rates.output_bytes));
        self.field("rejected_connections", stats.sum(|thread| &thread.connections_rejected));
        self.field("expired_keys", self.totals.expired);
        self.field("evicted_keys", 0);
        self.field("evicted_clients", stats.clients_evicted.load(Ordering::Relaxed));
        self.field("keyspace_hits", self.totals.hits);
        self.field("keyspace_misses", self.totals.misses);
        self.fields(&["pubsub_channels", "pubsub_patterns", "pubsubshard_channels", "latest_fork_usec"], 0);
        self.fields(&["tracking_total_keys", "tracking_total_items", "tracking_total_prefixes"], 0);
        self.field("unexpected_error_replies", 0);
        self.field("total_error_replies", errors.values().sum::<u64>());
        self.field("total_reads_processed", stats.sum(|thread| &thread.reads));
        self.field("total_writes_processed", stats.sum(|thread| &thread.writes));
        if self.dialect.tells_listeners_and_denials {
            self.field("acl_access_denied_auth", stats.sum(|thread| &thread.authentications_denied));
            self.fields(&["acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel"], 0);
        }
    }

    fn replication(&mut self) {
        self.field("role", "master");
        self.field("connected_slaves", 0);
        self.field("master_failover_state", "no-failover");
        self.field("master_replid", &self.state.run_id);
        self.field("master_replid2", "0".repeat(self.state.run_id.len()));
        self.field("master_repl_offset", 0);
        self.field("second_repl_offset", -1);
        self.field("repl_backlog_active", 0);
        self.field("repl_backlog_size", 1024 * 1024);
        self.fields(&["repl_backlog_first_byte_offset", "repl_backlog_histlen"], 0);
    }

    fn cpu(&mut self) {
        let [user, system, children_user, children_system] = processor_times().unwrap_or_default();
        let fields = [
            ("used_cpu_sys", system),
            ("used_cpu_user", user),
            ("used_cpu_sys_children", children_system),
            ("used_cpu_user_children", children_user),
        ];
        for (name, seconds) in fields {
            self.field(name, format_args!("{seconds:.6}"));
        }
    }

    fn command_stats(&mut self) {
        for entry in self.state.commands.entries() {
            let totals = self.state.stats.command(entry.id);
            if totals == Default::default() {
                continue;
            }
            let microseconds = totals.nanoseconds as f64 / 1000.0;
            self.text.push_str(&format!(
                "cmdstat_{}:calls={},usec={},usec_per_call={:.2},rejected_calls={},failed_calls={}\r\n",
                entry.full_name,
                totals.calls,
                totals.nanoseconds / 1000,
                microseconds / totals.calls.max(1) as f64,
                totals.rejected,
                totals.failed,
            ));
        }
    }

    fn error_stats(&mut self) {
        for (code, count) in self.state.stats.errors() {
            self.field(
                &format!("errorstat_{}", String::from_utf8_lossy(&code)),
                format_args!("count={count}"),
            );
        }
    }

    fn compute(&mut self) {
        for (name, value) in self.state.pool.report().fields() {
            self.field(name, value);
        }
    }

    fn keyspace(&mut self) {
        let averages = self.state.average_ttl_ms.lock().clone();
        for (number, totals) in std::mem::take(&mut self.totals.databases).iter().enumerate() {
            if totals.keys > 0 {
                let average = averages.get(number).filter(|_| totals.deadlines > 0).unwrap_or(&0);
                let value = format!("keys={},expires={},avg_ttl={average}", totals.keys, totals.deadlines);
                self.field(&format!("db{number}"), value);
            }
        }
    }
}

/// As Redis writes bytes for humans.
fn human(bytes: u64) -> String {
    const UNITS: [char; 5] = ['K', 'M', 'G', 'T', 'P'];
    let mut value = bytes as f64;
    let mut unit = None;
    for larger in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = Some(larger);
    }
    unit.map_or_else(|| format!("{bytes}B"), |unit| format!("{value:.2}{unit}"))
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", part as f64 / whole.max(1) as f64 * 100.0)
}

/// Name, release and processor; the release only where the system tells it in a file.
fn operating_system() -> String {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok();
    let name = read("ostype").unwrap_or_else(|| std::env::consts::OS.to_owned());
    let release = read("osrelease").unwrap_or_default();
    format!("{} {} {}", name.trim(), release.trim(), std::env::consts::ARCH)
}

/// A line `name: n kB` of a status file, in bytes; zero where there is no such file.
fn status_bytes(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Seconds of this process: user, system, and both of its children.
fn processor_times() -> Option<[f64; 4]> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program comes second, in parentheses, and may hold anything.
    let (_, fields) = text.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(USER_TIME_FIELD).map(str::parse::<u64>);
    let mut seconds = [0.0; 4];
    for value in &mut seconds {
        *value = ticks.next()?.ok()? as f64 / TICKS_PER_SECOND;
    }
    Some(seconds)
}

/// Where the user's time stands in `/proc/self/stat`, counted behind the name.
const USER_TIME_FIELD: usize = 11;
/// Linux reports times to programs in hundredths of a second, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;
const SECONDS_PER_DAY: u64 = 24 * 60 * 60;
/// The access clock counts seconds in 24 bits.
const ACCESS_CLOCK_MASK: i64 = (1 << 24) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_humans_have_two_decimals_and_the_largest_unit_that_fits() {
        let cases = [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (965_792, "943.16K"),
            (1_048_576, "1.00M"),
            (25_276_502_016, "23.54G"),
            (1 << 40, "1.00T"),
            (u64::MAX, "16384.00P"),
        ];
        for (bytes, text) in cases {
            assert_eq!(human(bytes), text);
        }
    }

    #[test]
    fn the_system_tells_memory_and_time() {
        assert!(status_bytes("/proc/self/status", "VmRSS:") > 0);
        assert!(status_bytes("/proc/meminfo", "MemTotal:") > 0);
        assert_eq!(status_bytes("/proc/self/status", "NoSuchLine:"), 0);
        assert_eq!(status_bytes("/no/such/file", "VmRSS:"), 0);
        assert!(processor_times().is_some_and(|times| times.iter().all(|seconds| *seconds >= 0.0)));
    }
}
