//! The section about memory.

use super::Report;
use super::system::machine_bytes;
use crate::observe::memory::{ALLOCATOR, MemoryUse, Surplus};
use crate::scripting::watchdog::Kind;

impl Report<'_> {
    pub(super) fn memory(&mut self) {
        let memory = MemoryUse::measure(self.state, &self.totals);
        self.bytes("used_memory", memory.used);
        self.bytes("used_memory_rss", memory.resident);
        self.bytes("used_memory_peak", memory.peak);
        self.field("used_memory_peak_perc", format_args!("{:.2}%", memory.peak_percent()));
        self.field("used_memory_overhead", memory.overhead());
        self.field("used_memory_startup", memory.startup);
        self.field("used_memory_dataset", memory.dataset());
        self.field("used_memory_dataset_perc", format_args!("{:.2}%", memory.dataset_percent()));
        self.field("allocator_allocated", memory.used);
        self.fields(&["allocator_active", "allocator_resident"], memory.resident);
        self.none(&["allocator_muzzy"]);
        self.bytes("total_system_memory", machine_bytes());
        self.scripts(&memory);
        let maxmemory = self.setting("maxmemory").and_then(|bytes| bytes.parse().ok());
        self.bytes("maxmemory", maxmemory.unwrap_or(0));
        self.field("maxmemory_policy", self.setting("maxmemory-policy").unwrap_or_default());
        self.surplus("allocator_frag", memory.fragmentation());
        self.surplus("allocator_rss", Surplus::NONE);
        self.surplus("rss_overhead", Surplus::NONE);
        self.surplus("mem_fragmentation", memory.fragmentation());
        self.none(&["mem_not_counted_for_evict", "mem_replication_backlog"]);
        self.none(&["mem_total_replication_buffers", "mem_replicas_repl_buffer", "mem_clients_slaves"]);
        self.field("mem_clients_normal", memory.clients);
        self.none(&["mem_cluster_links", "mem_cluster_slot_import", "mem_cluster_slot_export"]);
        self.none(&["mem_aof_buffer"]);
        self.field("mem_allocator", ALLOCATOR);
        self.none(&["mem_overhead_db_hashtable_rehashing", "active_defrag_running"]);
        self.field("lazyfree_pending_objects", self.state.executor.pending_frees());
        self.field("lazyfreed_objects", self.state.executor.freed());
    }

    /// What scripts and functions take: their texts, and the engines that run them.
    fn scripts(&mut self, memory: &MemoryUse) {
        let engines = |kind| self.state.watchdog.memory_bytes(kind) as u64;
        let (of_scripts, of_functions) = (engines(Kind::Script), engines(Kind::Function));
        let collection = self.state.functions.collection();
        self.fields(&["used_memory_lua", "used_memory_vm_eval"], of_scripts);
        self.human("used_memory_lua", of_scripts);
        self.field("used_memory_scripts_eval", memory.scripts);
        self.field("number_of_cached_scripts", self.state.scripts.len());
        self.field("number_of_functions", collection.functions_count());
        self.field("number_of_libraries", collection.libraries().len());
        self.field("used_memory_vm_functions", of_functions);
        self.bytes("used_memory_vm_total", of_scripts + of_functions);
        self.field("used_memory_functions", memory.functions);
        self.bytes("used_memory_scripts", memory.scripts + memory.functions);
    }

    /// How much more there is than there need be: as a ratio, and in bytes.
    fn surplus(&mut self, name: &str, surplus: Surplus) {
        self.field(&format!("{name}_ratio"), format_args!("{:.2}", surplus.ratio));
        self.field(&format!("{name}_bytes"), surplus.bytes);
    }
}
