//! What the memory is used for, as INFO and MEMORY report it.

use std::sync::atomic::Ordering;

use shardis_storage::ShardTotals;

use super::info::system::resident_bytes;
use crate::state::{BASE_BYTES, State};

/// What the memory is used for, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct MemoryUse {
    /// Everything that is counted.
    pub used: u64,
    /// The most that was ever counted.
    pub peak: u64,
    /// What a server without data and clients uses.
    pub startup: u64,
    /// What the system says that the process has.
    pub resident: u64,
    /// Clients with their buffers.
    pub clients: u64,
    /// The tables that find keys.
    pub tables: u64,
    /// The scripts that are kept.
    pub scripts: u64,
    /// The libraries of functions.
    pub functions: u64,
}

/// How much more of one thing there is than of another.
#[derive(Clone, Copy, Debug)]
pub struct Surplus {
    /// How many times as much.
    pub ratio: f64,
    /// How many bytes more.
    pub bytes: i64,
}

impl Surplus {
    /// As much of both.
    pub const NONE: Surplus = Surplus { ratio: 1.0, bytes: 0 };
}

impl MemoryUse {
    /// Looks at the clients and at the system; the sizes of the data are known already.
    pub fn measure(state: &State, totals: &ShardTotals) -> MemoryUse {
        let used = state.used_memory_with(totals) as u64;
        MemoryUse {
            used,
            peak: state.memory_peak.load(Ordering::Relaxed) as u64,
            startup: BASE_BYTES as u64,
            resident: resident_bytes(),
            clients: state.clients.totals().memory_bytes as u64,
            tables: totals.table_bytes as u64,
            scripts: state.scripts.memory_bytes() as u64,
            functions: state.functions.memory_bytes() as u64,
        }
    }

    /// What is not data.
    pub fn overhead(&self) -> u64 {
        self.startup + self.tables + self.clients + self.scripts + self.functions
    }

    /// What is data.
    pub fn dataset(&self) -> u64 {
        self.used.saturating_sub(self.overhead())
    }

    /// The share of the data in what came after the start.
    pub fn dataset_percent(&self) -> f64 {
        percent(self.dataset(), self.used.saturating_sub(self.startup))
    }

    /// The share of the peak that is used now.
    pub fn peak_percent(&self) -> f64 {
        percent(self.used, self.peak)
    }

    /// How much more the process has than is counted.
    pub fn fragmentation(&self) -> Surplus {
        Surplus {
            ratio: self.resident as f64 / self.used.max(1) as f64,
            bytes: self.resident as i64 - self.used as i64,
        }
    }
}

/// A report on what is wrong with the use of memory, in the words of the real servers.
pub fn problems(memory: &MemoryUse, clients: u64, product: &str) -> String {
    if memory.used < JUDGED_BYTES_MIN {
        return TOO_LITTLE.to_owned();
    }
    let fragmentation = memory.fragmentation();
    let found = [
        (memory.peak > memory.used + memory.used / 2, PEAK),
        (fragmentation.ratio > 1.4 && fragmentation.bytes > FRAGMENTED_BYTES_MIN, FRAGMENTED),
        (memory.clients.checked_div(clients).unwrap_or(0) > CLIENT_BYTES_MAX, LARGE_CLIENTS),
    ];
    let found: Vec<_> = found.iter().filter(|(is_found, _)| *is_found).map(|(_, text)| *text).collect();
    if found.is_empty() {
        return NO_PROBLEM.to_owned();
    }
    let text = format!("{FOUND}{}{END}", found.concat());
    text.replace("{product}", product).replace("{allocator}", ALLOCATOR)
}

/// With less nothing can be said.
const JUDGED_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// With less than this too much, the ratio says nothing.
const FRAGMENTED_BYTES_MIN: i64 = 10 * 1024 * 1024;
/// More for each client is much.
const CLIENT_BYTES_MAX: u64 = 200 * 1024;

const TOO_LITTLE: &str = "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be \
    used in these conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will \
    be back to our programming as soon as I finished rebooting.\n";
const NO_PROBLEM: &str = "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on \
    this base.\n";
const FOUND: &str = "Sam, I detected a few issues in this {product} instance memory implants:\n\n";
const PEAK: &str = " * Peak memory: In the past this instance used more than 150% the memory that is currently using. \
    The allocator is normally not able to release memory after a peak, so you can expect to see a big fragmentation \
    ratio, however this is actually harmless and is only due to the memory peak, and if the {product} instance Resident \
    Set Size (RSS) is currently bigger than expected, the memory will be used as soon as you fill the {product} instance \
    with more data. If the memory peak was only occasional and you want to try to reclaim memory, please try the MEMORY \
    PURGE command, otherwise the only other option is to shutdown and restart the instance.\n\n";
const FRAGMENTED: &str = " * High total RSS: This instance has a memory fragmentation and RSS overhead greater than 1.4 \
    (this means that the Resident Set Size of the {product} process is much larger than the sum of the logical \
    allocations {product} performed). This problem is usually due either to a large peak memory (check if there is a \
    peak memory entry above in the report) or may result from a workload that causes the allocator to fragment memory a \
    lot. If the problem is a large peak memory, then there is no issue. Note: The currently used allocator is \
    \"{allocator}\".\n\n";
const LARGE_CLIENTS: &str = " * Big client buffers: The buffers of the clients take more than 200K for each on average. \
    Clients that send very large commands, or that do not read their replies, do that; CLIENT LIST shows which ones.\n\n";
const END: &str = "I'm here to keep you safe, Sam. I want to help you.\n";

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64 * 100.0
}

/// What the allocator is called.
pub const ALLOCATOR: &str = if cfg!(feature = "mimalloc") { "mimalloc" } else { "libc" };

#[cfg(test)]
mod tests {
    use super::*;

    const MEGABYTE: u64 = 1024 * 1024;
    const HEALTHY: MemoryUse = MemoryUse {
        used: 20 * MEGABYTE,
        peak: 21 * MEGABYTE,
        startup: MEGABYTE / 2,
        resident: 22 * MEGABYTE,
        clients: MEGABYTE,
        tables: MEGABYTE,
        scripts: 0,
        functions: 0,
    };

    #[test]
    fn each_problem_is_told_when_there_is_it() {
        let told = |memory: MemoryUse| problems(&memory, 10, "Redis");
        assert_eq!(told(HEALTHY), NO_PROBLEM);
        assert_eq!(told(MemoryUse { used: MEGABYTE, ..HEALTHY }), TOO_LITTLE);
        for (memory, part) in [
            (MemoryUse { peak: 31 * MEGABYTE, ..HEALTHY }, "\n * Peak memory: "),
            (MemoryUse { resident: 40 * MEGABYTE, ..HEALTHY }, "\n * High total RSS: "),
            (MemoryUse { clients: 3 * MEGABYTE, ..HEALTHY }, "\n * Big client buffers: "),
        ] {
            let text = told(memory);
            assert!(text.contains(part) && text.matches(" * ").count() == 1, "{text}");
            assert!(
                text.starts_with("Sam, I detected a few issues in this Redis instance")
                    && text.ends_with(END)
            );
        }
    }

    #[test]
    fn shares_are_of_what_came_after_the_start() {
        let memory = MemoryUse {
            used: 1000,
            startup: 200,
            tables: 50,
            clients: 100,
            scripts: 20,
            functions: 30,
            ..HEALTHY
        };
        assert_eq!((memory.overhead(), memory.dataset(), memory.dataset_percent()), (400, 600, 75.0));
        let empty = MemoryUse { used: 200, startup: 200, tables: 0, clients: 0, ..HEALTHY };
        assert_eq!((empty.dataset(), empty.dataset_percent()), (0, 0.0));
    }
}
