//! The periodic tasks and their budgets: active expiry, and the limits that clients are held to.
//! They run on the first network thread in slices that nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shardis_storage::ExpiryCycle;

use crate::client::limits;
use crate::dispatch::{Context, Runner, server_job, settle};
use crate::eviction::Room;
use crate::observe::latency::Event;
use crate::observe::stats::ThreadStats;
use crate::state::State;

/// Buckets that one step of the expiry cycle visits under one lock.
const STEP_BUCKETS: usize = 16;
/// Share of due keys among the sampled ones above which the cycle goes on at once: one in this many.
const DUE_SHARE: usize = 10;
/// Share of the thread's time that expiry may take at effort 1, in percent; each further effort adds two.
const EXPIRY_PERCENT: u32 = 10;
/// How much the latest cycle counts in the mean share of keys past their deadline.
const STALE_WEIGHT: f64 = 0.05;
/// One slice of expiry: after this long other tasks of the thread get their turn.
const SLICE: Duration = Duration::from_micros(500);

/// How often those are told who wait for the progress of a job.
const PROGRESS_PERIOD: Duration = Duration::from_millis(100);

const SECOND: Duration = Duration::from_secs(1);

/// Runs until the server stops.
pub async fn run(state: Arc<State>, stats: Arc<ThreadStats>) {
    let mut cycle = ExpiryCycle::default();
    let mut averages = Averages::new(&state);
    let mut next_second = state.clock.elapsed() + SECOND;
    let mut due = state.clock.elapsed();
    let mut next_progress = state.clock.elapsed();
    let is_noting_memory = Arc::default();
    loop {
        let hz = u32::try_from(state.config.hz.value()).unwrap_or(1).max(1);
        let period = SECOND / hz;
        // The next period counts from this one, so that a clock which is moved in between is not missed.
        state.clock.sleep_until(due + period).await;
        due = state.clock.elapsed();
        if state.is_background_paused.load(Ordering::Relaxed) {
            continue;
        }
        if !state.is_expiry_paused.load(Ordering::Relaxed) && !state.pause.is_on(&state.clock) {
            expire(&state, &mut cycle, &mut averages, period).await;
        }
        // Memory grows in other ways than by commands.
        if state.config.maxmemory.value() != 0 {
            state.memory_limit.void_credit();
            // Everybody is served between two slices, each as long as a command may be kept waiting for room.
            while state.memory_limit.make_room(&state, &stats, true) == Room::Soon {
                tokio::task::yield_now().await;
                state.memory_limit.void_credit();
            }
        }
        if state.clock.elapsed() >= next_progress {
            state.close_cursors(state.cursors.close_idle(state.clock.elapsed()));
            next_progress = state.clock.elapsed() + PROGRESS_PERIOD;
            server_job::tell_progress(&Context {
                state: &state,
                stats: &stats,
                runner: Runner::Network,
                engine: None,
                now_ms: state.clock.now_ms(),
            });
        }
        limits::evict(&state);
        state.clients.tracking.limit(&state);
        // By the clock and not by counting periods: a manual clock may jump over many.
        if state.clock.elapsed() >= next_second {
            next_second = state.clock.elapsed() + SECOND;
            limits::close_overdue(&state);
            state.stats.sample(state.clock.elapsed());
            note_memory(&state, &is_noting_memory);
        }
    }
}

/// One period of active expiry: whole rounds while many keys are due, at least one slice, within its share of time.
async fn expire(state: &State, cycle: &mut ExpiryCycle, averages: &mut Averages, period: Duration) {
    let effort = u32::try_from(state.config.active_expire_effort.value()).unwrap_or(1).clamp(1, 10);
    let budget = period * (EXPIRY_PERCENT + 2 * (effort - 1)) / 100;
    let started = state.clock.tick();
    let (mut sampled_all, mut expired_all) = (0, 0);
    loop {
        let (sampled, expired, is_round) = expire_slice(state, cycle, averages);
        sampled_all += sampled;
        expired_all += expired;
        let goes_on = !is_round && expired * DUE_SHARE > sampled;
        let is_over = started.elapsed() >= budget;
        if !goes_on || is_over {
            let mut report = state.expiry.lock();
            let stale_percent = expired_all as f64 / sampled_all.max(1) as f64 * 100.0;
            report.stale_percent += (stale_percent - report.stale_percent) * STALE_WEIGHT;
            report.interrupted += u64::from(goes_on);
            report.spent += started.elapsed();
            drop(report);
            let now_seconds = state.clock.now_ms().div_euclid(1000);
            return state.latency.note(Event::ExpireCycle, started.elapsed(), &state.config, now_seconds);
        }
        tokio::task::yield_now().await;
    }
}

fn expire_slice(state: &State, cycle: &mut ExpiryCycle, averages: &mut Averages) -> (usize, usize, bool) {
    let started = state.clock.tick();
    let (mut sampled, mut expired) = (0, 0);
    loop {
        let step = cycle.step(&state.keyspace, state.clock.now_ms(), STEP_BUCKETS);
        sampled += step.sampled + step.fields.sampled;
        expired += step.expired + step.fields.removed;
        if step.fields.removed > 0 {
            state.expiry.lock().fields += step.fields.removed as u64;
        }
        averages.note(state, &step);
        settle::finish(state, step.settled);
        if step.is_round || started.elapsed() >= SLICE {
            return (sampled, expired, step.is_round);
        }
    }
}

/// The average time that keys have left, for INFO: gathered over a round.
struct Averages {
    sums: Vec<(i64, i64)>,
}

impl Averages {
    fn new(state: &State) -> Averages {
        Averages { sums: vec![(0, 0); state.keyspace.databases().into()] }
    }

    fn note(&mut self, state: &State, step: &shardis_storage::CycleStep) {
        let (left_ms, keys) = &mut self.sums[usize::from(step.db.0)];
        *left_ms = left_ms.saturating_add(step.left_ms);
        *keys += (step.sampled - step.expired) as i64;
        if step.is_round {
            let averages = self.sums.iter().map(|&(left_ms, keys)| left_ms.checked_div(keys).unwrap_or(0));
            state.expiry.lock().average_ttl_ms = averages.collect();
            self.sums.fill((0, 0));
        }
    }
}

/// Looks at the memory, for its peak. Adding it up waits for every shard, which is nothing for a network thread, and
/// nothing to wait for on several threads at once. An executor thread that was used gives back what the allocator keeps.
fn note_memory(state: &Arc<State>, is_under_way: &Arc<AtomicBool>) {
    if is_under_way.swap(true, Ordering::Relaxed) {
        return;
    }
    let (state_there, is_under_way) = (state.clone(), is_under_way.clone());
    state.executor.run(move |_| {
        state_there.used_memory();
        is_under_way.store(false, Ordering::Relaxed);
    });
}
