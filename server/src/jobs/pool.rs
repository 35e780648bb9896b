//! The shard workers: threads that give the runs under way their turns. They start with the first run and
//! stop with the server. They own no data and no run; a turn locks one shard at a time, like any command.
//!
//! Workers and network threads may have to share a core, and a client that waits for one reply notices what a
//! run does not. So turns are short, and a worker offers its core after each: a network thread with something
//! to do has it at once, one that is never done shares it with the worker half and half, as the system sees
//! to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::order::Order;
use super::queue::Queue;
use super::run::{Run, Turn};
use super::visit::Toll;
use super::{Answer, Promise};
use crate::clock::Clock;
use crate::command::Error;
use crate::observe::info::system;
use crate::observe::latency::Event;
use crate::state::State;

/// Runs plans over the shards.
#[derive(Default)]
pub struct Pool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Memory of the machine, once somebody has asked.
    machine_bytes: OnceLock<u64>,
}

#[derive(Default)]
struct Shared {
    queue: Queue,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    finished: AtomicU64,
    cancelled: AtomicU64,
    slices: AtomicU64,
    slice_max_us: AtomicU64,
}

/// What the pool is doing and has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Workers; none before the first run.
    pub workers: usize,
    /// Runs under way.
    pub active: usize,
    /// Runs that wait for others to end.
    pub waiting: usize,
    /// Runs that were answered, with a result or an error.
    pub finished: u64,
    /// Runs that ended because nobody waited for them any more.
    pub cancelled: u64,
    /// How often a run has locked a shard.
    pub slices: u64,
    /// The longest time that one has kept it, in microseconds; longer than a slice only if the system
    /// took the core away meanwhile, or a value was huge.
    pub slice_max_us: u64,
}

impl Pool {
    /// Has a plan run; the promise is kept when that ends.
    pub fn submit(&self, state: &Arc<State>, order: Order, promise: Promise) {
        let workers = self.start(state);
        if workers == 0 && !self.shared.queue.is_stopped() {
            return promise.fulfil(Answer::new(None, |_| {
                Err(Error::fixed(&"ERR no thread could be started for the computation"))
            }));
        }
        self.shared.queue.push(Run::new(order, promise, workers, &state.keyspace, &state.clock));
    }

    /// Heap bytes of all runs.
    pub fn memory_bytes(&self) -> usize {
        self.shared.queue.memory_bytes()
    }

    /// Bytes of memory that the machine has.
    pub fn machine_bytes(&self) -> u64 {
        *self.machine_bytes.get_or_init(system::machine_bytes)
    }

    /// What it is doing and has done.
    pub fn report(&self) -> Report {
        let (active, waiting) = self.shared.queue.lengths();
        let Counters { finished, cancelled, slices, slice_max_us } = &self.shared.counters;
        let [finished, cancelled, slices, slice_max_us] =
            [finished, cancelled, slices, slice_max_us].map(|counter| counter.load(Ordering::Relaxed));
        let workers = self.threads.lock().len();
        Report { workers, active, waiting, finished, cancelled, slices, slice_max_us }
    }

    /// Ends all runs without an answer, and the threads.
    pub fn stop(&self) {
        self.shared.queue.stop();
        // In a statement of its own, which ends the lock before the waiting begins.
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            // A panic over there has poisoned the server already.
            let _ = thread.join();
        }
    }

    /// Starts the threads unless they are running; how many there are.
    fn start(&self, state: &Arc<State>) -> usize {
        let mut threads = self.threads.lock();
        if threads.is_empty() && !self.shared.queue.is_stopped() {
            let spawn = |worker: usize| {
                let (shared, state) = (self.shared.clone(), state.clone());
                let name = format!("shardis-comp-{worker}");
                std::thread::Builder::new().name(name).spawn(move || shared.serve(&state, worker)).ok()
            };
            // Where the system refuses to give more threads, fewer do the work.
            threads.extend((0..state.config.compute_thread_count()).map_while(spawn));
            self.shared.queue.open(threads.len());
        }
        threads.len()
    }
}

impl Report {
    /// Every figure with its name.
    pub fn fields(&self) -> [(&'static str, u64); 7] {
        [
            ("compute_workers", self.workers as u64),
            ("compute_active", self.active as u64),
            ("compute_waiting", self.waiting as u64),
            ("compute_finished", self.finished),
            ("compute_cancelled", self.cancelled),
            ("compute_slices", self.slices),
            ("compute_slice_max_us", self.slice_max_us),
        ]
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("report", &self.report()).finish()
    }
}

impl Shared {
    fn serve(&self, state: &State, worker: usize) {
        let _poison = state.poison.guard();
        let _stop = StopOnPanic(&self.queue);
        let mut round = 0;
        while let Some(share) = self.queue.next(worker, round) {
            if state.poison.is_set() {
                return self.queue.stop();
            }
            round = round.wrapping_add(1);
            let (turn, toll) = share.run.turn(share.lane, &state.keyspace, &state.clock);
            self.count(toll, state);
            match turn {
                Turn::Done if self.queue.close(&share) => self.end(&share.run, &state.clock),
                Turn::Contended => std::thread::sleep(CONTENDED_PAUSE),
                Turn::Done | Turn::More => std::thread::yield_now(),
            }
            if round % ROUNDS_TO_SWEEP == 0 {
                let stale = self.queue.take_stale(|run| run.is_over(&state.clock));
                stale.iter().for_each(|run| self.end(run, &state.clock));
            }
        }
    }

    fn end(&self, run: &Arc<Run>, clock: &Clock) {
        let Counters { finished, cancelled, .. } = &self.counters;
        let counter = if run.is_cancelled() { cancelled } else { finished };
        counter.fetch_add(1, Ordering::Relaxed);
        run.end(clock);
    }

    fn count(&self, toll: Toll, state: &State) {
        for (event, took) in [(Event::ComputeCut, toll.opening), (Event::ComputeSlice, toll.held_max)] {
            if state.thresholds.is_long(took) {
                state.latency.note(event, took, &state.config, state.clock.now_ms().div_euclid(1000));
            }
        }
        self.counters.slices.fetch_add(toll.slices, Ordering::Relaxed);
        let held_us = u64::try_from(toll.held_max.as_micros()).unwrap_or(u64::MAX);
        self.counters.slice_max_us.fetch_max(held_us, Ordering::Relaxed);
    }
}

/// A worker that panics takes the pool with it, so that nobody waits for runs that cannot end.
struct StopOnPanic<'a>(&'a Queue);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

/// How long a worker waits for a shard that somebody keeps for long, before it looks for others and tries
/// again.
const CONTENDED_PAUSE: Duration = Duration::from_micros(500);
/// Turns between two looks at the runs that wait: some milliseconds.
const ROUNDS_TO_SWEEP: usize = 64;
