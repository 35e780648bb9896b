//! Statistics: each thread that runs commands counts for itself, and a report adds up. No cache line is written by two
//! threads, so counting costs a plain store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::command::table::CommandId;

/// A counter that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts `n` more. Only the owning thread calls this: it is no atomic addition.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// The count.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// What one thread counts about one command.
#[derive(Debug, Default)]
pub struct CommandCounters {
    /// Calls that ran.
    pub calls: Counter,
    /// Their time in nanoseconds.
    pub nanoseconds: Counter,
    /// Calls refused before they ran.
    pub rejected: Counter,
    /// Calls that ran and answered an error.
    pub failed: Counter,
}

/// What one thread counts.
#[derive(Debug)]
#[repr(align(64))]
pub struct ThreadStats {
    commands: Box<[CommandCounters]>,
    /// Connections accepted.
    pub connections_received: Counter,
    /// Connections refused.
    pub connections_rejected: Counter,
    /// Bytes read from clients.
    pub input_bytes: Counter,
    /// Bytes written to clients.
    pub output_bytes: Counter,
    /// Reads that brought something.
    pub reads: Counter,
    /// Writes.
    pub writes: Counter,
    errors: Mutex<BTreeMap<Vec<u8>, u64>>,
}

impl ThreadStats {
    /// The counters of a command.
    #[inline]
    pub fn command(&self, id: CommandId) -> &CommandCounters {
        &self.commands[id.index()]
    }

    /// Counts an error reply by its code.
    pub fn count_error(&self, code: &[u8]) {
        let mut errors = self.errors.lock();
        if let Some(count) = errors.get_mut(code) {
            *count += 1;
        } else if errors.len() < ERROR_KINDS_MAX {
            errors.insert(code.to_vec(), 1);
        }
    }
}

/// All threads' statistics of one server.
#[derive(Debug)]
pub struct Stats {
    commands: usize,
    threads: Mutex<Vec<Arc<ThreadStats>>>,
}

/// The sum over threads for one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandTotals {
    /// Calls that ran.
    pub calls: u64,
    /// Their time in nanoseconds.
    pub nanoseconds: u64,
    /// Calls refused before they ran.
    pub rejected: u64,
    /// Calls that ran and answered an error.
    pub failed: u64,
}

impl Stats {
    /// Statistics over a table of so many commands.
    pub fn new(commands: usize) -> Stats {
        Stats { commands, threads: Mutex::default() }
    }

    /// Statistics for one more thread.
    pub fn thread(&self) -> Arc<ThreadStats> {
        let thread = Arc::new(ThreadStats {
            commands: (0..self.commands).map(|_| CommandCounters::default()).collect(),
            connections_received: Counter::default(),
            connections_rejected: Counter::default(),
            input_bytes: Counter::default(),
            output_bytes: Counter::default(),
            reads: Counter::default(),
            writes: Counter::default(),
            errors: Mutex::default(),
        });
        self.threads.lock().push(thread.clone());
        thread
    }

    /// The sum of a counter over all threads.
    pub fn sum(&self, counter: impl Fn(&ThreadStats) -> &Counter) -> u64 {
        self.threads.lock().iter().map(|thread| counter(thread).value()).sum()
    }

    /// The sums of one command.
    pub fn command(&self, id: CommandId) -> CommandTotals {
        let mut totals = CommandTotals::default();
        for thread in self.threads.lock().iter() {
            let counters = thread.command(id);
            totals.calls += counters.calls.value();
            totals.nanoseconds += counters.nanoseconds.value();
            totals.rejected += counters.rejected.value();
            totals.failed += counters.failed.value();
        }
        totals
    }

    /// Calls of all commands.
    pub fn calls(&self) -> u64 {
        let threads = self.threads.lock();
        threads.iter().flat_map(|thread| thread.commands.iter()).map(|counters| counters.calls.value()).sum()
    }

    /// Error replies by code.
    pub fn errors(&self) -> BTreeMap<Vec<u8>, u64> {
        let mut sums = BTreeMap::new();
        for thread in self.threads.lock().iter() {
            for (code, count) in thread.errors.lock().iter() {
                *sums.entry(code.clone()).or_insert(0) += count;
            }
        }
        sums
    }

    /// Sets everything to zero. A count made at the same moment may survive.
    pub fn reset(&self) {
        for thread in self.threads.lock().iter() {
            for counters in &thread.commands {
                let CommandCounters { calls, nanoseconds, rejected, failed } = counters;
                [calls, nanoseconds, rejected, failed].into_iter().for_each(Counter::reset);
            }
            let ThreadStats { connections_received, connections_rejected, input_bytes, output_bytes, .. } = &**thread;
            let of_connections = [connections_received, connections_rejected, input_bytes, output_bytes];
            of_connections.into_iter().chain([&thread.reads, &thread.writes]).for_each(Counter::reset);
            thread.errors.lock().clear();
        }
    }
}

/// Kinds of errors beyond this many are not told apart, so that a client cannot fill the memory with them.
const ERROR_KINDS_MAX: usize = 128;
