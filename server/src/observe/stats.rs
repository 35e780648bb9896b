//! Statistics: each thread that runs commands counts for itself, and a report adds up. No cache line is written by two
//! threads, so counting costs a plain store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use super::histogram::{Distribution, Histogram, Range};
use crate::command::table::CommandId;
use crate::eviction::Credit;

/// A counter that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Nothing counted.
    pub const fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    /// Counts `n` more. Only the owning thread calls this: it is no atomic addition.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// The count.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn reset(&self) {
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
    /// How long they took; there is none before the first call that was tracked.
    histogram: OnceLock<Box<Histogram>>,
}

impl CommandCounters {
    /// Counts the time of a call.
    #[inline]
    pub fn took(&self, took: Took, is_tracked: bool) {
        self.nanoseconds.add(took.nanoseconds);
        if is_tracked {
            self.histogram.get_or_init(Default::default).count(took.range);
        }
    }
}

/// The time of a call, ready to be counted: several calls may have the same.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    nanoseconds: u64,
    range: Range,
}

impl Took {
    /// So long.
    pub fn new(nanoseconds: u64) -> Took {
        Took { nanoseconds, range: Range::of(nanoseconds) }
    }
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
    /// Calls that have changed something. Unlike most, they are counted from the start.
    pub changes: Counter,
    /// Keys evicted to make room.
    pub evicted_keys: Counter,
    /// What it may add to the memory without looking how much there is.
    pub memory_credit: Credit,
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
        count_kind(&mut errors, code, 1);
    }
}

/// All threads' statistics of one server.
#[derive(Debug)]
pub struct Stats {
    commands: usize,
    threads: Mutex<Vec<Arc<ThreadStats>>>,
    /// Those of `threads` whose thread has ended: their counts stay, and the next thread goes on with them.
    spare: Mutex<Vec<Arc<ThreadStats>>>,
    sampled: Mutex<Sampled>,
    /// Clients closed for the memory that all of them took.
    pub clients_evicted: AtomicU64,
    /// Clients closed for what they sent ahead.
    pub over_query_limit: AtomicU64,
    /// Clients closed for what they did not read.
    pub over_output_limit: AtomicU64,
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

/// What is done in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Calls of all commands.
    pub calls: u64,
    /// Bytes read from clients.
    pub input_bytes: u64,
    /// Bytes written to clients.
    pub output_bytes: u64,
}

/// What the last sample found, and what follows from it and the one before.
#[derive(Debug, Default)]
struct Sampled {
    elapsed: Duration,
    counts: Rates,
    rates: Rates,
}

impl Stats {
    /// Statistics over a table of so many commands.
    pub fn new(commands: usize) -> Stats {
        let (threads, spare, sampled) = (Mutex::default(), Mutex::default(), Mutex::default());
        Stats {
            commands,
            threads,
            spare,
            sampled,
            clients_evicted: AtomicU64::default(),
            over_query_limit: AtomicU64::default(),
            over_output_limit: AtomicU64::default(),
        }
    }

    /// Statistics for one more thread.
    pub fn thread(&self) -> Arc<ThreadStats> {
        if let Some(spare) = self.spare.lock().pop() {
            return spare;
        }
        let thread = Arc::new(ThreadStats {
            commands: (0..self.commands).map(|_| CommandCounters::default()).collect(),
            connections_received: Counter::default(),
            connections_rejected: Counter::default(),
            input_bytes: Counter::default(),
            output_bytes: Counter::default(),
            reads: Counter::default(),
            writes: Counter::default(),
            changes: Counter::default(),
            evicted_keys: Counter::default(),
            memory_credit: Credit::default(),
            errors: Mutex::default(),
        });
        self.threads.lock().push(thread.clone());
        thread
    }

    /// Takes the statistics of a thread that counts no more.
    pub fn retire(&self, thread: &Arc<ThreadStats>) {
        self.spare.lock().push(thread.clone());
    }

    /// Threads that count.
    pub fn threads(&self) -> usize {
        let all = self.threads.lock().len();
        all.saturating_sub(self.spare.lock().len())
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

    /// How long the calls of one command took, if any was tracked.
    pub fn distribution(&self, id: CommandId) -> Option<Distribution> {
        let mut sum = Distribution::default();
        for thread in self.threads.lock().iter() {
            thread.command(id).histogram.get().inspect(|histogram| sum.add(histogram));
        }
        (sum.calls > 0).then_some(sum)
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
                count_kind(&mut sums, code, *count);
            }
        }
        sums
    }

    /// Looks at the counters, `elapsed` after the start; the rates are those between two such looks.
    pub fn sample(&self, elapsed: Duration) {
        let counts = Rates {
            calls: self.calls(),
            input_bytes: self.sum(|thread| &thread.input_bytes),
            output_bytes: self.sum(|thread| &thread.output_bytes),
        };
        let mut sampled = self.sampled.lock();
        let period_ms = elapsed.saturating_sub(sampled.elapsed).as_millis().max(1) as u64;
        let per_second = |now: u64, before: u64| now.saturating_sub(before).saturating_mul(1000) / period_ms;
        let before = sampled.counts;
        let rates = Rates {
            calls: per_second(counts.calls, before.calls),
            input_bytes: per_second(counts.input_bytes, before.input_bytes),
            output_bytes: per_second(counts.output_bytes, before.output_bytes),
        };
        *sampled = Sampled { elapsed, counts, rates };
    }

    /// What was done per second between the last two samples.
    pub fn rates(&self) -> Rates {
        self.sampled.lock().rates
    }

    /// Sets everything to zero but what is counted from the start. A count made at the same moment may survive.
    pub fn reset(&self) {
        for thread in self.threads.lock().iter() {
            for counters in &thread.commands {
                let CommandCounters { calls, nanoseconds, rejected, failed, histogram } = counters;
                histogram.get().inspect(|histogram| histogram.reset());
                [calls, nanoseconds, rejected, failed].into_iter().for_each(Counter::reset);
            }
            let ThreadStats { connections_received, connections_rejected, input_bytes, output_bytes, .. } =
                &**thread;
            let of_connections = [connections_received, connections_rejected, input_bytes, output_bytes];
            of_connections
                .into_iter()
                .chain([&thread.reads, &thread.writes, &thread.evicted_keys])
                .for_each(Counter::reset);
            thread.errors.lock().clear();
        }
        for closed in [&self.clients_evicted, &self.over_query_limit, &self.over_output_limit] {
            closed.store(0, Ordering::Relaxed);
        }
        let mut sampled = self.sampled.lock();
        (sampled.counts, sampled.rates) = (Rates::default(), Rates::default());
    }
}

/// Counts errors of a kind, or of the one kind that stands for all beyond `ERROR_KINDS_MAX`.
fn count_kind(errors: &mut BTreeMap<Vec<u8>, u64>, code: &[u8], count: u64) {
    if let Some(counted) = errors.get_mut(code) {
        *counted += count;
    } else if errors.len() < ERROR_KINDS_MAX {
        errors.insert(code.to_vec(), count);
    } else {
        *errors.entry(OTHER_ERRORS.to_vec()).or_insert(0) += count;
    }
}

/// Kinds of errors beyond this many are not told apart, so that a client cannot fill the memory with them.
const ERROR_KINDS_MAX: usize = 128;
/// What is counted instead, under Valkey's name for it.
const OTHER_ERRORS: &[u8] = b"ERRORSTATS_OVERFLOW";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_errors_beyond_the_limit_are_counted_together() {
        let stats = Stats::new(1);
        for thread in [stats.thread(), stats.thread()] {
            for kind in 0..ERROR_KINDS_MAX + 10 {
                thread.count_error(format!("E{kind}").as_bytes());
            }
        }
        let errors = stats.errors();
        assert_eq!(errors.len(), ERROR_KINDS_MAX + 1);
        assert_eq!((errors[b"E0".as_slice()], errors[OTHER_ERRORS]), (2, 20));
    }

    #[test]
    fn rates_are_those_of_the_time_between_two_samples() {
        let stats = Stats::new(1);
        let thread = stats.thread();
        stats.sample(Duration::from_secs(1));
        thread.input_bytes.add(3000);
        stats.sample(Duration::from_secs(4));
        assert_eq!(stats.rates(), Rates { calls: 0, input_bytes: 1000, output_bytes: 0 });
        stats.reset();
        assert_eq!(stats.rates(), Rates::default());
        thread.input_bytes.add(50);
        stats.sample(Duration::from_millis(4500));
        assert_eq!(stats.rates().input_bytes, 100);
    }
}
