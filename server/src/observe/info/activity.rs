//! The sections about what is done and was done: persistence, statistics, replication, processor, keys.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Report;
use super::system::processor_times;
use crate::acl::log::Reason;
use crate::config::percentile;
use crate::pubsub::Topic;

impl Report<'_> {
    /// Nothing is ever saved; the data is as old as the server. A call that changes something is one change, however many
    /// elements it is about.
    pub(super) fn persistence(&mut self) {
        self.none(&[
            "loading",
            "async_loading",
            "current_cow_peak",
            "current_cow_size",
            "current_cow_size_age",
        ]);
        self.field("current_fork_perc", "0.00");
        self.none(&["current_save_keys_processed", "current_save_keys_total"]);
        self.field("rdb_changes_since_last_save", self.state.stats.sum(|thread| &thread.changes));
        self.none(&["rdb_bgsave_in_progress"]);
        self.field("rdb_last_save_time", self.state.started_ms / 1000);
        self.field("rdb_last_bgsave_status", "ok");
        self.fields(&["rdb_last_bgsave_time_sec", "rdb_current_bgsave_time_sec"], -1);
        self.none(&["rdb_saves", "rdb_last_cow_size", "rdb_last_load_keys_expired"]);
        self.none(&["rdb_last_load_keys_loaded"]);
        self.none(&["aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"]);
        self.fields(&["aof_last_rewrite_time_sec", "aof_current_rewrite_time_sec"], -1);
        self.field("aof_last_bgrewrite_status", "ok");
        self.none(&["aof_rewrites", "aof_rewrites_consecutive_failures"]);
        self.field("aof_last_write_status", "ok");
        self.none(&["aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"]);
        self.none(&["slot_migration_fork_in_progress"]);
    }

    pub(super) fn stats(&mut self) {
        self.traffic();
        self.removals();
        self.field("keyspace_hits", self.totals.hits);
        self.field("keyspace_misses", self.totals.misses);
        self.field("pubsub_channels", self.state.pubsub.count(Topic::Channel));
        self.field("pubsub_patterns", self.state.pubsub.count(Topic::Pattern));
        self.field("pubsubshard_channels", self.state.pubsub.count(Topic::ShardChannel));
        self.none(&[
            "latest_fork_usec",
            "total_forks",
            "migrate_cached_sockets",
            "slave_expires_tracked_keys",
        ]);
        self.none(&["active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits"]);
        self.none(&["active_defrag_key_misses", "total_active_defrag_time", "current_active_defrag_time"]);
        self.field("tracking_total_keys", self.state.clients.tracking.keys());
        self.field("tracking_total_items", self.state.clients.tracking.items());
        self.field("tracking_total_prefixes", self.state.clients.tracking.prefixes());
        self.none(&["unexpected_error_replies"]);
        let stats = &self.state.stats;
        self.field("total_error_replies", stats.errors().values().sum::<u64>());
        self.none(&["dump_payload_sanitizations"]);
        self.field("total_reads_processed", stats.sum(|thread| &thread.reads));
        self.field("total_writes_processed", stats.sum(|thread| &thread.writes));
        self.none(&["io_threaded_reads_processed", "io_threaded_writes_processed"]);
        self.none(&["io_threaded_freed_objects", "io_threaded_accept_processed"]);
        self.none(&["io_threaded_poll_processed", "io_threaded_total_prefetch_batches"]);
        self.none(&["io_threaded_total_prefetch_entries"]);
        let closed = |count: &AtomicU64| count.load(Ordering::Relaxed);
        self.field("client_query_buffer_limit_disconnections", closed(&stats.over_query_limit));
        self.field("client_output_buffer_limit_disconnections", closed(&stats.over_output_limit));
        self.none(&["reply_buffer_shrinks", "reply_buffer_expands"]);
        self.none(&["eventloop_cycles", "eventloop_duration_sum", "eventloop_duration_cmd_sum"]);
        self.none(&["instantaneous_eventloop_cycles_per_sec", "instantaneous_eventloop_duration_usec"]);
        for (name, reason) in [
            ("acl_access_denied_auth", Reason::Login),
            ("acl_access_denied_cmd", Reason::Command),
            ("acl_access_denied_key", Reason::Key),
            ("acl_access_denied_channel", Reason::Channel),
        ] {
            self.field(name, self.state.acl.log.denied(reason));
        }
        self.none(&["acl_access_denied_tls_cert"]);
        self.field("acl_access_denied_db", self.state.acl.log.denied(Reason::Database));
    }

    /// What came and went.
    fn traffic(&mut self) {
        let stats = &self.state.stats;
        let rates = stats.rates();
        let kilobytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
        self.field("total_connections_received", stats.sum(|thread| &thread.connections_received));
        self.field("total_commands_processed", stats.calls());
        self.field("instantaneous_ops_per_sec", rates.calls);
        self.field("total_net_input_bytes", stats.sum(|thread| &thread.input_bytes));
        self.field("total_net_output_bytes", stats.sum(|thread| &thread.output_bytes));
        self.none(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
        self.none(&["total_net_cluster_slot_import_bytes", "total_net_cluster_slot_export_bytes"]);
        self.field("instantaneous_input_kbps", kilobytes(rates.input_bytes));
        self.field("instantaneous_output_kbps", kilobytes(rates.output_bytes));
        self.fields(&["instantaneous_input_repl_kbps", "instantaneous_output_repl_kbps"], kilobytes(0));
        self.field("rejected_connections", stats.sum(|thread| &thread.connections_rejected));
        self.none(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
    }

    /// Keys that had to go.
    fn removals(&mut self) {
        let expiry = self.state.expiry.lock().clone();
        self.field("expired_keys", self.totals.expired);
        self.field("expired_fields", expiry.fields);
        self.field("expired_stale_perc", format_args!("{:.2}", expiry.stale_percent));
        self.field("expired_keys_with_volatile_items_stale_perc", "0.00");
        self.field("expired_time_cap_reached_count", expiry.interrupted);
        self.field("expire_cycle_cpu_milliseconds", expiry.spent.as_millis());
        self.field("evicted_keys", self.state.stats.sum(|thread| &thread.evicted_keys));
        let evicted = self.state.stats.clients_evicted.load(Ordering::Relaxed);
        self.field("evicted_clients", evicted);
        self.none(&["evicted_scripts"]);
        let (total, current) = self.state.memory_limit.excess(self.state.clock.elapsed());
        self.field("total_eviction_exceeded_time", total.as_millis());
        self.field("current_eviction_exceeded_time", current.as_millis());
    }

    pub(super) fn replication(&mut self) {
        let id = self.state.replication_id.lock().clone();
        self.field("role", "master");
        self.none(&["connected_slaves", "replicas_waiting_psync"]);
        self.field("master_failover_state", "no-failover");
        self.field("master_replid", &id);
        self.field("master_replid2", "0".repeat(id.len()));
        self.field("master_repl_offset", 0);
        self.field("second_repl_offset", -1);
        self.none(&["repl_backlog_active"]);
        let backlog = self.setting("repl-backlog-size");
        self.field("repl_backlog_size", backlog.as_deref().unwrap_or(self.dialect.replication_backlog));
        self.none(&["repl_backlog_first_byte_offset", "repl_backlog_histlen"]);
    }

    pub(super) fn cpu(&mut self) {
        let process = processor_times("/proc/self/stat").unwrap_or_default();
        let [user, system, children_user, children_system] = process;
        let main_thread = format!("/proc/self/task/{}/stat", std::process::id());
        let [main_user, main_system, ..] = processor_times(&main_thread).unwrap_or_default();
        let fields = [
            ("used_cpu_sys", system),
            ("used_cpu_user", user),
            ("used_cpu_sys_children", children_system),
            ("used_cpu_user_children", children_user),
            ("used_cpu_sys_main_thread", main_system),
            ("used_cpu_user_main_thread", main_user),
            ("used_active_time_main_thread", 0.0),
        ];
        for (name, seconds) in fields {
            self.field(name, format_args!("{seconds:.6}"));
        }
    }

    pub(super) fn command_stats(&mut self) {
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

    pub(super) fn error_stats(&mut self) {
        for (code, count) in self.state.stats.errors() {
            self.field(
                &format!("errorstat_{}", String::from_utf8_lossy(&code)),
                format_args!("count={count}"),
            );
        }
    }

    pub(super) fn latency_stats(&mut self) {
        let percentiles = self.state.config.percentiles();
        for entry in self.state.commands.entries() {
            let Some(distribution) = self.state.stats.distribution(entry.id) else { continue };
            let shares = percentiles.iter().map(|&percent| {
                let microseconds = distribution.percentile(percent) as f64 / 1000.0;
                format!("p{}={microseconds:.3}", percentile(percent))
            });
            let shares = shares.collect::<Vec<_>>().join(",");
            self.field(&format!("latency_percentiles_usec_{}", entry.full_name), shares);
        }
    }

    /// Locks and semaphores: what is held now, and what has happened.
    pub(super) fn locks(&mut self) {
        let locks = &self.state.locks;
        let (grants, sessions) = locks.register.counts();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &locks.counts;
        let waiting = self.state.waiters.in_turn_count();
        self.field("locks_grants", grants);
        self.field("locks_session_grants", sessions);
        self.field("locks_waiting", waiting);
        self.field("locks_grants_made", locks.grants_made());
        self.field("locks_grants_expired", count(&counts.expired));
        self.field("locks_grants_broken", count(&counts.broken));
        self.field("locks_grants_undone", count(&counts.undone));
        self.field("locks_deadlocks", count(&counts.deadlocks));
        self.field("locks_last_fence", locks.last_fence().unwrap_or_default());
    }

    pub(super) fn compute(&mut self) {
        for (name, value) in self.state.pool.report().fields() {
            self.field(name, value);
        }
        let (jobs, open) = self.state.jobs.counts();
        let (cursors, cursor_bytes) = self.state.cursors.counts();
        self.field("compute_jobs", jobs);
        self.field("compute_jobs_open", open);
        self.field("compute_cursors", cursors);
        self.field("compute_cursor_bytes", cursor_bytes);
        self.field("compute_memory", self.state.pool.memory_bytes());
    }

    pub(super) fn keyspace(&mut self) {
        let averages = self.state.expiry.lock().average_ttl_ms.clone();
        for (number, totals) in std::mem::take(&mut self.totals.databases).iter().enumerate() {
            if totals.keys > 0 {
                let average = averages.get(number).filter(|_| totals.deadlines > 0).unwrap_or(&0);
                let mut value =
                    format!("keys={},expires={},avg_ttl={average}", totals.keys, totals.deadlines);
                if self.state.config.dialect().info_counts_timed_hashes {
                    value.push_str(&format!(",keys_with_volatile_items={}", totals.timed_hashes));
                }
                self.field(&format!("db{number}"), value);
            }
        }
    }
}
