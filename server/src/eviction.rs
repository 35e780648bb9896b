//! The limit of memory: keeps what the server uses within `maxmemory` by evicting keys, and tells when commands that may need
//! more have to be refused.
//!
//! How much there is takes a look at every shard, which is too long for each command. So a thread works on credit: bytes that it
//! may add before somebody looks again, so few that the credits of all threads together are half of a margin (a thread that has
//! waited in vain gets a little more); and whoever evicts makes room for the whole margin. So the limit holds without any memory
//! that two threads write for each command. Credit is void when a setting changes and, as memory changes in other ways too, with
//! every round of background work. When there is no room and nothing is ever evicted, that stands until then, or until somebody
//! gives memory back.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use shardis_storage::{Access, Eviction, Gauge, Hand, Random, Rank};

use crate::config::{Config, EvictionPolicy};
use crate::dispatch::settle;
use crate::observe::latency::Event;
use crate::observe::stats::ThreadStats;
use crate::state::State;

/// The limit of one server.
#[derive(Debug)]
pub struct MemoryLimit {
    evictor: Mutex<Evictor>,
    /// Credit that was given in another epoch is void. Zero is no epoch.
    epoch: AtomicU64,
    /// Whether somebody found no room in this epoch.
    is_denying: AtomicBool,
    excess: Mutex<Excess>,
}

/// For how long there has been too much.
#[derive(Debug, Default)]
struct Excess {
    /// Since when, in time that has elapsed on the clock.
    since: Option<Duration>,
    before: Duration,
}

#[derive(Debug)]
struct Evictor {
    gauge: Gauge,
    hand: Hand,
    random: Random,
}

/// What one thread may add to the memory before somebody has to look how much there is. Only its thread writes it.
#[derive(Debug, Default)]
pub struct Credit {
    bytes: AtomicI64,
    /// What was given: memory that comes back does not make more of it, as others see that room too.
    share: AtomicI64,
    epoch: AtomicU64,
    /// The [`Verdict`] of the last look.
    verdict: AtomicU8,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// There is room.
    Enough,
    /// There is none, and nothing is ever evicted.
    Denied,
    /// There is none, but any command may have made a key one that can be evicted: whoever needs more looks again.
    LookAgain,
}

/// Whether there is room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is.
    Enough,
    /// There is none, and there are more keys to evict than there was time for.
    Soon,
    /// There is none, and nothing to evict.
    None,
}

impl Credit {
    /// What is known without a look.
    #[inline]
    fn verdict(&self, epoch: u64, needs_more: bool) -> Option<Room> {
        if self.epoch.load(Ordering::Relaxed) != epoch {
            return None;
        }
        match self.verdict.load(Ordering::Relaxed) {
            ENOUGH => (self.bytes.load(Ordering::Relaxed) > 0).then_some(Room::Enough),
            LOOK_AGAIN if needs_more => None,
            _ => Some(Room::None),
        }
    }

    fn give(&self, bytes: usize, verdict: Verdict, epoch: u64) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.share.store(bytes, Ordering::Relaxed);
        self.verdict.store(verdict as u8, Ordering::Relaxed);
        self.epoch.store(epoch, Ordering::Relaxed);
    }
}

impl MemoryLimit {
    /// A limit whose choices a seed determines.
    pub fn new(gauge: Gauge, random: Random) -> MemoryLimit {
        MemoryLimit {
            evictor: Mutex::new(Evictor { gauge, hand: Hand::default(), random }),
            epoch: AtomicU64::new(1),
            is_denying: AtomicBool::new(false),
            excess: Mutex::default(),
        }
    }

    /// Notes by how much a command has changed the memory.
    #[inline]
    pub fn note(&self, credit: &Credit, before: usize, after: usize) {
        let growth = after as i64 - before as i64;
        let left = credit.bytes.load(Ordering::Relaxed).saturating_sub(growth);
        credit.bytes.store(left.min(credit.share.load(Ordering::Relaxed)), Ordering::Relaxed);
        if growth < 0 {
            self.note_freed();
        }
    }

    /// How long there has been more than there may be: all together since the statistics were reset, and this time.
    pub fn excess(&self, now: Duration) -> (Duration, Duration) {
        let excess = self.excess.lock();
        let current = excess.since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
        (excess.before + current, current)
    }

    /// Counts what is past as nothing.
    pub fn reset_excess(&self) {
        self.excess.lock().before = Duration::ZERO;
    }

    fn note_excess(&self, is_exceeded: bool, now: Duration) {
        let mut excess = self.excess.lock();
        if is_exceeded {
            excess.since.get_or_insert(now);
        } else if let Some(since) = excess.since.take() {
            excess.before += now.saturating_sub(since);
        }
    }

    /// Ends a denial, as memory has come back.
    #[inline]
    pub fn note_freed(&self) {
        if self.is_denying.load(Ordering::Relaxed) {
            self.void_credit();
        }
    }

    /// Takes all credit back.
    pub fn void_credit(&self) {
        self.is_denying.store(false, Ordering::Relaxed);
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Makes room if there is none, for a command that `needs_more` or for any other. To be called while there is a limit.
    /// During a pause nothing is evicted, and nothing refused.
    #[inline]
    pub fn make_room(&self, state: &State, stats: &ThreadStats, needs_more: bool) -> Room {
        let verdict = stats.memory_credit.verdict(self.epoch.load(Ordering::Relaxed), needs_more);
        verdict.unwrap_or_else(|| self.look(state, stats))
    }

    #[cold]
    fn look(&self, state: &State, stats: &ThreadStats) -> Room {
        if state.pause.is_on(&state.clock) {
            return Room::Enough;
        }
        let epoch = self.epoch.load(Ordering::Relaxed);
        // Somebody may be at it, for which there is time; if that takes longer, everybody goes on for a little.
        let Some(mut evictor) = self.evictor.try_lock_for(WAIT_MAX) else {
            stats.memory_credit.give(MARGIN_BYTES_MIN, Verdict::Enough, epoch);
            return Room::Enough;
        };
        let limit = usize::try_from(state.config.maxmemory.value()).unwrap_or(0);
        if limit == 0 {
            return Room::Enough;
        }
        // Keys are removed below: a panic there must not leave the server answering.
        let _guard = state.poison.guard();
        let margin = (limit / MARGIN_SHARE).clamp(MARGIN_BYTES_MIN, MARGIN_BYTES_MAX).min(limit / 2);
        let eviction = eviction(&state.config);
        // Before the look, so that what comes back during it is noticed.
        self.is_denying.store(eviction.is_none(), Ordering::Relaxed);
        let measure = state.keyspace.measure(&mut evictor.gauge);
        let mut used = state.used_memory_beside(measure.bytes);
        let mut candidates = eviction.map_or(0, |eviction| measure.candidates(eviction));
        if let Some(eviction) = eviction
            && used > limit - margin
            && candidates > 0
        {
            let is_current = || self.epoch.load(Ordering::Relaxed) == epoch;
            let (evicted, bytes) = evictor.evict(state, stats, eviction, used - (limit - margin), is_current);
            used = used.saturating_sub(bytes);
            candidates = candidates.saturating_sub(evicted);
        }
        // Short of time is not short of keys: the next command goes on.
        let is_full = used > limit && candidates == 0;
        // What ends a denial is only seen where no key can be evicted anyway: elsewhere another key may become a candidate.
        self.is_denying.store(is_full && eviction.is_none(), Ordering::Relaxed);
        let verdict = match (is_full, eviction.is_some()) {
            (false, _) => Verdict::Enough,
            (true, false) => Verdict::Denied,
            (true, true) => Verdict::LookAgain,
        };
        let shares = 2 * state.stats.threads().max(1);
        stats.memory_credit.give(limit.saturating_sub(used).min(margin) / shares, verdict, epoch);
        self.note_excess(used > limit, state.clock.elapsed());
        match (used > limit, is_full) {
            (false, _) => Room::Enough,
            (true, false) => Room::Soon,
            (true, true) => Room::None,
        }
    }
}

impl Evictor {
    /// Evicts keys until `wanted` bytes have come back, none is found, time is up, or the settings are others: how many keys
    /// went, and their bytes.
    fn evict(
        &mut self,
        state: &State,
        stats: &ThreadStats,
        eviction: Eviction,
        wanted: usize,
        is_current: impl Fn() -> bool,
    ) -> (usize, usize) {
        let started = state.clock.tick();
        let budget = budget(state.config.maxmemory_eviction_tenacity.value());
        let now_ms = state.clock.now_ms();
        let is_watched = state.config.latency_monitor_threshold.value() > 0;
        let note = |event, took| state.latency.note(event, took, &state.config, now_ms.div_euclid(1000));
        let (mut keys, mut bytes) = (0, 0);
        while bytes < wanted && is_current() {
            if keys % KEYS_PER_LOOK == KEYS_PER_LOOK - 1 && started.elapsed() >= budget {
                break;
            }
            let key_started = is_watched.then(|| state.clock.tick());
            let found = state.keyspace.evict(eviction, &mut self.hand, &mut self.random, now_ms);
            if let Some(started) = key_started {
                note(Event::EvictionDel, started.elapsed());
            }
            let Some(evicted) = found else { break };
            keys += 1;
            bytes += evicted.bytes;
            stats.evicted_keys.add(u64::from(!evicted.is_expired));
            settle::finish(state, evicted.settled);
        }
        note(Event::EvictionCycle, started.elapsed());
        (keys, bytes)
    }
}

/// What is evicted; nothing under `noeviction`.
fn eviction(config: &Config) -> Option<Eviction> {
    let (rank, only_mortal) = match config.maxmemory_policy.value() {
        EvictionPolicy::VolatileLru => (Rank::Idle, true),
        EvictionPolicy::VolatileLfu => (Rank::Unused, true),
        EvictionPolicy::VolatileRandom => (Rank::Chance, true),
        EvictionPolicy::VolatileTtl => (Rank::Soonest, true),
        EvictionPolicy::AllkeysLru => (Rank::Idle, false),
        EvictionPolicy::AllkeysLfu => (Rank::Unused, false),
        EvictionPolicy::AllkeysRandom => (Rank::Chance, false),
        EvictionPolicy::NoEviction => return None,
    };
    let samples = usize::try_from(config.maxmemory_samples.value()).unwrap_or(1);
    Some(Eviction { rank, only_mortal, samples })
}

/// How the accesses of keys are remembered under a policy.
pub fn access(config: &Config) -> Access {
    match config.maxmemory_policy.value() {
        EvictionPolicy::VolatileLfu | EvictionPolicy::AllkeysLfu => {
            let setting = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
            Access::Frequency {
                log_factor: setting(config.lfu_log_factor.value()),
                decay_minutes: setting(config.lfu_decay_time.value()),
            }
        }
        _ => Access::Recency,
    }
}

/// How long a command may be kept waiting for room: 50 microseconds for each step of tenacity up to ten, then 15 percent more
/// for each, and as long as it takes at a hundred.
fn budget(tenacity: i64) -> Duration {
    match tenacity {
        ..=10 => Duration::from_micros(50 * u64::try_from(tenacity).unwrap_or(0)),
        11..100 => Duration::from_micros(500).mul_f64(1.15_f64.powi(tenacity as i32 - 10)),
        _ => Duration::MAX,
    }
}

const ENOUGH: u8 = Verdict::Enough as u8;
const LOOK_AGAIN: u8 = Verdict::LookAgain as u8;
/// How long a command waits for another that makes room.
const WAIT_MAX: Duration = Duration::from_millis(1);
/// What is evicted at once beyond what must be: this share of the limit.
const MARGIN_SHARE: usize = 256;
const MARGIN_BYTES_MIN: usize = 16 * 1024;
const MARGIN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Keys that are evicted between two looks at the clock.
const KEYS_PER_LOOK: usize = 16;

#[cfg(test)]
mod tests {
    use shardis_storage::{Keyspace, KeyspaceOptions};

    use super::*;

    #[test]
    fn credit_is_spent_and_void_in_another_epoch_and_a_denial_ends_when_memory_comes_back() {
        let keyspace = Keyspace::new(KeyspaceOptions { shards: 1, databases: 1, seed: 1 });
        let limit = MemoryLimit::new(Gauge::new(&keyspace), Random::seeded(1));
        let credit = Credit::default();
        let verdict = || credit.verdict(limit.epoch.load(Ordering::Relaxed), true);
        assert_eq!(verdict(), None);
        credit.give(100, Verdict::Enough, 1);
        limit.note(&credit, 1000, 1099);
        assert_eq!(verdict(), Some(Room::Enough));
        limit.note(&credit, 0, 1);
        assert_eq!(verdict(), None);
        limit.note(&credit, 50, 0);
        assert_eq!(verdict(), Some(Room::Enough), "what was given back can be spent again");
        limit.note(&credit, 1_000_000, 0);
        limit.note(&credit, 0, 100);
        assert_eq!(verdict(), None, "but no more than the share");
        credit.give(0, Verdict::LookAgain, 1);
        assert_eq!(credit.verdict(1, false), Some(Room::None));
        assert_eq!(verdict(), None, "who needs more looks again");
        credit.give(0, Verdict::Denied, 1);
        limit.is_denying.store(true, Ordering::Relaxed);
        limit.note(&credit, 10, 20);
        assert_eq!(verdict(), Some(Room::None));
        limit.note(&Credit::default(), 20, 10);
        assert_eq!(verdict(), None);
    }

    #[test]
    fn tenacity_is_time() {
        assert_eq!(budget(0), Duration::ZERO);
        assert_eq!(budget(10), Duration::from_micros(500));
        assert!(budget(99) > Duration::from_secs(100) && budget(99) < Duration::from_secs(200));
        assert_eq!(budget(100), Duration::MAX);
    }
}
