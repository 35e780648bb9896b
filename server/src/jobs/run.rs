//! One run of a plan over all shards, by several workers at once.
//!
//! 1. A run has lanes, one for each worker that may take part. A lane begins with its own share of the shards (or
//!    collections) and goes on with whole ones that other lanes have not begun.
//! 2. Whoever comes first opens the run: it fixes the instant, and unless the run is FUZZY opens the cut that keeps it.
//!    Until that has worked, all lanes come again.
//! 3. A worker gives its lane one turn after another. A turn folds a batch that writers have handed over, or visits shards
//!    for one slice and folds the rows into the partial result of the lane, while no shard is locked.
//! 4. Before each turn the run may turn out to be over: nobody waits for it any more, its time is up, it needs too much
//!    memory, or a row has failed that must not. A lane without further turns is done.
//! 5. When all lanes are done, the run is ended, once: the cut is closed, so that nothing more is handed over; what was is
//!    folded, the partial results merge, and the answer goes out.
//!
//! A run knows neither threads nor other runs; those are the business of `queue` and `pool`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use shardis_compute::{Batch, Budget, Isolation, OnTimeout, Partial, Plan, Progress, RowSource, Target};
use shardis_storage::{Cover, Cut, Feed, Key, Keyspace, Patience};

use super::feed::{Fed, Refusal};
use super::order::{End, Order, Profile, concluded};
use super::visit::{Rows, Subject, Toll, Walk};
use super::{Cancel, Promise};
use crate::clock::Clock;

/// Longest time that a run keeps a shard locked, and about that of a turn. A client whose network thread
/// shares a core with a worker waits for as much: at 10,000 requests a second the p90 of GET was 105 us with
/// slices of 100 us, and with these 49 us, as without any run. They cost the run nothing that could be
/// measured.
const COMPUTE_SLICE_US: u64 = 25;
/// Most buckets that it visits in that time.
const COMPUTE_SLICE_BUCKETS: usize = 256;

/// A run.
pub struct Run {
    order: Order,
    started: Instant,
    /// By the server's clock.
    deadline: Option<Duration>,
    cancel: Cancel,
    has_ended: AtomicBool,
    opened: Mutex<Option<Arc<Opened>>>,
    /// What there is to visit: shards, or collections.
    units: Units,
    lanes: Box<[Lane]>,
    /// Heap bytes of all lanes.
    memory_bytes: AtomicUsize,
    promise: Mutex<Option<Promise>>,
}

/// What a run visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Units {
    pub first: usize,
    pub count: usize,
}

/// An instant, and what keeps it.
struct Opened {
    now_ms: i64,
    cut: Option<Cut>,
    fed: Arc<Fed>,
    took: Duration,
}

/// What one worker has of a run.
#[derive(Default)]
struct Lane {
    /// Units of this lane's share that have been taken, by whichever lane.
    taken: AtomicUsize,
    /// Nothing before the first turn: a run that waits costs little.
    work: Mutex<Option<Work>>,
}

struct Work {
    walk: Walk,
    batch: Batch,
    partial: Partial,
    memory_bytes: usize,
    /// The share of the units that it has come through.
    share: f64,
    toll: Toll,
    folding: Duration,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// There is more to do.
    More,
    /// There is more to do, but somebody keeps the shard for long.
    Contended,
    /// The lane is done.
    Done,
}

impl Run {
    /// A run for `workers` workers at most.
    pub fn new(order: Order, promise: Promise, workers: usize, keyspace: &Keyspace, clock: &Clock) -> Run {
        let units = order.units(keyspace);
        let lanes = order.plan.options().threads.map_or(workers, |threads| threads.get().min(workers));
        Run {
            started: clock.tick(),
            deadline: order.deadline(clock),
            cancel: promise.cancel().clone(),
            has_ended: AtomicBool::new(false),
            opened: Mutex::default(),
            lanes: (0..lanes.min(units.count).max(1)).map(|_| Lane::default()).collect(),
            units,
            memory_bytes: AtomicUsize::new(0),
            promise: Mutex::new(Some(promise)),
            order,
        }
    }

    /// How many workers may take part.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Whether it is a job's.
    pub fn is_unattended(&self) -> bool {
        self.order.plan.options().asynchronous.is_some()
    }

    /// Heap bytes of what it has gathered.
    pub fn memory_bytes(&self) -> usize {
        let fed = self.opened.try_lock().and_then(|opened| Some(opened.as_ref()?.fed.memory_bytes()));
        self.memory_bytes.load(Ordering::Relaxed) + fed.unwrap_or(0)
    }

    /// Whether nobody waits for it any more.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_set()
    }

    /// Whether it should stop before its end.
    pub fn is_over(&self, clock: &Clock) -> bool {
        clock.has_reached(self.deadline) || self.is_cancelled() || self.has_ended.load(Ordering::Relaxed)
    }

    /// Gives a lane its next turn, and tells what that cost others.
    pub fn turn(&self, lane: usize, keyspace: &Keyspace, clock: &Clock) -> (Turn, Toll) {
        if self.is_over(clock) {
            return (Turn::Done, Toll::default());
        }
        let mut toll = Toll::default();
        let Some(opened) = self.open(keyspace, clock, &mut toll) else { return (Turn::Contended, toll) };
        let plan = &*self.order.plan;
        let mut work = self.lanes[lane].work.lock();
        let work = work.get_or_insert_with(|| Work::new(plan));
        if let Some(batch) = opened.fed.take_sealed() {
            work.fold(plan, &batch, clock, &|| self.is_over(clock));
            self.judge(work, &opened);
            return (Turn::More, toll);
        }
        let subject = Subject {
            keyspace,
            clock,
            plan,
            db: self.order.db,
            now_ms: opened.now_ms,
            cut: opened.cut.as_ref(),
            fed: &opened.fed,
        };
        let budget = Budget { buckets: COMPUTE_SLICE_BUCKETS, micros: COMPUTE_SLICE_US };
        let started = clock.tick();
        let turn = loop {
            let mut rows = Rows { subject, walk: &mut work.walk, next: || self.take_unit(lane), toll };
            let progress = rows.next_batch(budget, &mut work.batch);
            toll = rows.toll;
            work.fold_own(plan, clock, &|| self.is_over(clock));
            let is_spent = started.elapsed() >= Duration::from_micros(COMPUTE_SLICE_US);
            match progress {
                Progress::Stopped => break Turn::Done,
                _ if toll.is_contended => break Turn::Contended,
                _ if is_spent || work.partial.is_ended() => break Turn::More,
                _ => {}
            }
        };
        work.toll.add(toll);
        self.judge(work, &opened);
        (turn, toll)
    }

    /// Hands over the answer, after the last turn of the last lane.
    pub fn end(&self, clock: &Clock) {
        let Some(promise) = self.promise.lock().take() else { return };
        let opened = self.opened.lock().take();
        if self.is_cancelled() {
            return;
        }
        let end = self.merged(opened, clock);
        match &self.order.then {
            Some(then) => then(end, promise),
            None => promise.fulfil(self.order.clone().answer(end)),
        }
    }

    /// The instant of the run, which whoever comes first fixes; `None` if that cannot be done now.
    fn open(&self, keyspace: &Keyspace, clock: &Clock, toll: &mut Toll) -> Option<Arc<Opened>> {
        let mut opened = self.opened.lock();
        if let Some(opened) = &*opened {
            return Some(Arc::clone(opened));
        }
        let (started, now_ms) = (clock.tick(), clock.now_ms());
        let fed = Arc::new(Fed::new(&self.order.plan, now_ms, self.order.rights.clone()));
        let (shards, keys): (Vec<usize>, Vec<Key<'_>>);
        let cover = match self.order.plan.target() {
            Target::Pattern(_) if self.order.plan.options().isolation == Isolation::Fuzzy => None,
            Target::Pattern(_) if self.units.count == keyspace.shards() => Some(Cover::Every),
            Target::Pattern(_) => {
                shards = (0..self.units.count).map(|unit| self.units.first + unit).collect();
                Some(Cover::Shards(&shards))
            }
            Target::Keys(_) => {
                keys = fed.collections.iter().map(|collection| keyspace.key(&collection.key)).collect();
                Some(Cover::Keys(&keys))
            }
        };
        let cut = match cover {
            Some(cover) => {
                let feed = Arc::clone(&fed) as Arc<dyn Feed>;
                Some(keyspace.open_cut(self.order.db, cover, feed, Patience::Short, now_ms).ok()?)
            }
            None => None,
        };
        self.order.course.begin(now_ms);
        toll.opening = started.elapsed();
        let made = Arc::new(Opened { now_ms, cut, fed, took: toll.opening });
        *opened = Some(Arc::clone(&made));
        Some(made)
    }

    /// Notes what a lane needs, and ends the run if there can be no result any more.
    fn judge(&self, work: &mut Work, opened: &Opened) {
        let share = work.walk.covered() / self.units.count as f64;
        self.order.course.add(share - std::mem::replace(&mut work.share, share));
        let now = work.partial.memory_bytes() + work.batch.memory_bytes();
        let before = std::mem::replace(&mut work.memory_bytes, now);
        let lanes = self.memory_bytes.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        let all = lanes.wrapping_add(now.wrapping_sub(before)) + opened.fed.memory_bytes();
        let is_too_much = all as u64 > self.order.plan.limits().memory_bytes_max;
        if is_too_much {
            opened.fed.refuse(Refusal::Memory);
        }
        if work.partial.is_ended() || opened.fed.refusal().is_some() {
            self.has_ended.store(true, Ordering::Relaxed);
        }
    }

    fn merged(&self, opened: Option<Arc<Opened>>, clock: &Clock) -> End {
        let plan = &*self.order.plan;
        let started = clock.tick();
        let mut profile = Profile { lanes: self.lanes.len(), ..Profile::default() };
        let fed = opened.as_ref().map(|opened| Arc::clone(&opened.fed));
        profile.opening = opened.as_ref().map_or(Duration::ZERO, |opened| opened.took);
        // Closes the cut: no writer hands anything over while the lanes merge.
        drop(opened);
        let (mut merged, mut covered) = (Partial::new(plan), 0.0);
        for mut work in self.lanes.iter().filter_map(|lane| lane.work.lock().take()) {
            work.fold_own(plan, clock, &|| self.is_over(clock));
            merged.merge(plan, work.partial);
            covered += work.walk.covered();
            profile.toll.add(work.toll);
            profile.folding += work.folding;
        }
        if let Some(fed) = fed {
            let is_over = || self.is_over(clock);
            fed.take_rest().iter().for_each(|batch| merged.fold_unless(plan, batch, &is_over));
            profile.fed = fed.rows();
            if let Some(refusal) = fed.refusal() {
                return End::refused(plan, refusal);
            }
        }
        let is_complete = covered >= self.units.count as f64 && !merged.is_cut_short();
        let scanned = merged.scanned();
        if !is_complete && !merged.is_ended() && plan.options().on_timeout == OnTimeout::Fail {
            return End::Overdue { timeout_ms: plan.limits().timeout_ms, scanned };
        }
        let finished = merged.finish(plan);
        profile.merging = started.elapsed();
        let covered = (!is_complete).then(|| (covered / self.units.count as f64).min(ALMOST_ALL));
        concluded(plan, finished, self.delivered(), covered, self.started.elapsed(), profile)
    }

    /// The level that the result has: collections are always read as of one instant.
    fn delivered(&self) -> Isolation {
        match self.order.plan.target() {
            Target::Keys(_) => Isolation::Snapshot,
            Target::Pattern(_) => self.order.plan.options().isolation,
        }
    }

    /// The next unit for a lane: of its own share, else of the first share behind it that has one left.
    fn take_unit(&self, lane: usize) -> Option<usize> {
        let lanes = self.lanes.len();
        (lane..lane + lanes).find_map(|share| {
            let share = share % lanes;
            let taken = self.lanes[share].taken.fetch_add(1, Ordering::Relaxed);
            let unit = share + taken * lanes;
            (unit < self.units.count).then_some(self.units.first + unit)
        })
    }
}

/// The share that is told where all was visited and some rows were left out in the end.
pub(super) const ALMOST_ALL: f64 = 0.99;

impl Work {
    fn new(plan: &Plan) -> Work {
        Work {
            walk: Walk::default(),
            batch: Batch::new(plan),
            partial: Partial::new(plan),
            memory_bytes: 0,
            share: 0.0,
            toll: Toll::default(),
            folding: Duration::ZERO,
        }
    }

    fn fold_own(&mut self, plan: &Plan, clock: &Clock, is_over: &dyn Fn() -> bool) {
        if self.batch.is_empty() {
            return;
        }
        let started = clock.tick();
        self.partial.fold_unless(plan, &self.batch, is_over);
        self.batch.clear();
        self.folding += started.elapsed();
    }

    fn fold(&mut self, plan: &Plan, batch: &Batch, clock: &Clock, is_over: &dyn Fn() -> bool) {
        let started = clock.tick();
        self.partial.fold_unless(plan, batch, is_over);
        self.folding += started.elapsed();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use shardis_compute::{Bounds, Form, Limits};
    use shardis_protocol::{Reply, Version};
    use shardis_storage::{Db, Deadline, Hold, KeyspaceOptions, Patience, Scope};

    use super::super::order::Finished;
    use super::super::{Answer, Ticket};
    use super::*;
    use crate::command::Error;

    const NOW: Duration = Duration::from_secs(1_000_000);

    pub fn keyspace(shards: usize, keys: usize) -> Keyspace {
        let keyspace = Keyspace::new(KeyspaceOptions { shards, databases: 1, seed: 3 });
        for n in 0..keys {
            let name = format!("key:{n}");
            let key = keyspace.key(name.as_bytes());
            let scope = Scope::One(keyspace.shard_of(key.hash()));
            let mut txn = keyspace.begin(scope, Patience::Wait, Hold::Short, 0).unwrap();
            txn.set_string(&key, n.to_string().as_bytes(), Deadline::Never);
        }
        keyspace
    }

    pub fn clock() -> Clock {
        Clock::manual(NOW)
    }

    /// A sum over all strings; what is appended to the command comes last.
    pub fn order(options: &str) -> Order {
        order_of(Form::Aggregate, &format!("* REDUCE SUM 1 v AS sum {options}"))
    }

    pub fn order_of(form: Form, words: &str) -> Order {
        let words: Vec<&[u8]> = words.split_ascii_whitespace().map(str::as_bytes).collect();
        let usual = Limits { timeout_ms: 5000, ..Limits::NONE };
        let plan = Plan::new(form, &words, &Bounds { usual, ..Bounds::NONE }).unwrap();
        Order {
            plan: Arc::new(plan),
            db: Db(0),
            rights: None,
            apply: None,
            then: None,
            respond: Arc::new(|_: &Arc<Plan>, end: End| {
                let scanned = end.scanned();
                Answer::new(scanned, move |reply| describe(end, reply))
            }),
            course: Arc::default(),
        }
    }

    /// A run of an order, and the ticket for its answer.
    pub fn ordered(order: Order, workers: usize, keyspace: &Keyspace, clock: &Clock) -> (Run, Ticket) {
        let (ticket, promise) = Ticket::new();
        (Run::new(order, promise, workers, keyspace, clock), ticket)
    }

    /// Tells the end of a run as text.
    fn describe(end: End, reply: &mut Reply) -> Result<(), Error> {
        reply.simple(&match end {
            End::Result(finished) => {
                let Finished { outcome, covered, .. } = *finished;
                format!("{:?} of {} covered {covered:?}", outcome.scalar().unwrap(), outcome.scanned)
            }
            End::Failed(row) => String::from_utf8(row.message()).unwrap(),
            End::Overdue { timeout_ms, scanned } => {
                format!("overdue after {timeout_ms} ms and {scanned} rows")
            }
            End::Exceeded(exceeded) => exceeded.to_string(),
            End::Denied | End::WrongType | End::Unfit(_) => "refused".into(),
        });
        Ok(())
    }

    pub fn answer(mut ticket: Ticket) -> String {
        let mut reply = Reply::new(Version::Resp3);
        match ticket.block(tokio::sync::watch::channel(false).1, &mut reply) {
            Ok(()) => String::from_utf8(reply.to_vec()).unwrap().trim().to_owned(),
            Err(error) => String::from_utf8(error.text().to_vec()).unwrap(),
        }
    }

    /// Gives all lanes their turns, one after the other, until none wants more.
    fn finish(run: &Arc<Run>, keyspace: &Keyspace, clock: &Clock) {
        let mut open: Vec<usize> = (0..run.lanes()).collect();
        while !open.is_empty() {
            open.retain(|&lane| run.turn(lane, keyspace, clock).0 != Turn::Done);
        }
        run.end(clock);
    }

    #[test]
    fn lanes_share_the_shards_and_their_results_merge() {
        for lanes in 1..6 {
            let (keyspace, clock) = (keyspace(16, 5000), clock());
            let (run, ticket) = ordered(order(""), lanes, &keyspace, &clock);
            finish(&Arc::new(run), &keyspace, &clock);
            assert_eq!(answer(ticket), "+Int(12497500) of 5000 covered None", "{lanes} lanes");
        }
    }

    #[test]
    fn a_lane_takes_its_own_shards_first_and_then_what_others_have_left() {
        let keyspace = keyspace(8, 0);
        let (run, _ticket) = ordered(order(""), 3, &keyspace, &clock());
        assert_eq!([run.take_unit(1), run.take_unit(2), run.take_unit(1)], [Some(1), Some(2), Some(4)]);
        let rest: Vec<usize> = std::iter::from_fn(|| run.take_unit(1)).collect();
        assert_eq!(rest, [7, 5, 0, 3, 6]);
        assert_eq!([0, 1, 2].map(|lane| run.take_unit(lane)), [None; 3]);
    }

    #[test]
    fn a_run_has_as_many_lanes_as_workers_or_as_its_command_allows() {
        let lanes = |options| ordered(order(options), 4, &keyspace(16, 0), &clock()).0.lanes();
        assert_eq!(["", "THREADS 1", "THREADS 3", "THREADS 9"].map(lanes), [4, 1, 3, 4]);
    }

    #[test]
    fn a_run_that_nobody_waits_for_any_more_locks_nothing_from_its_next_turn_on() {
        let (keyspace, clock) = (keyspace(1, 5000), clock());
        let (run, ticket) = ordered(order(""), 1, &keyspace, &clock);
        let (turn, toll) = run.turn(0, &keyspace, &clock);
        assert_eq!((turn, toll.slices), (Turn::More, 1), "one slice is not enough for 5000 keys");
        drop(ticket);
        let (turn, toll) = run.turn(0, &keyspace, &clock);
        assert_eq!((turn, toll.slices), (Turn::Done, 0));
        assert!(run.is_cancelled());
    }

    #[test]
    fn time_is_up_by_the_servers_clock_and_the_answer_tells_how_far_it_came() {
        let keyspace = keyspace(1, 5000);
        let run_for = |options, advance_ms| {
            let clock = clock();
            let (run, ticket) = ordered(order(options), 1, &keyspace, &clock);
            let run = Arc::new(run);
            run.turn(0, &keyspace, &clock);
            clock.advance(Duration::from_millis(advance_ms));
            finish(&run, &keyspace, &clock);
            answer(ticket)
        };
        let complete = "+Int(12497500) of 5000 covered None";
        assert_eq!(run_for("TIMEOUT 100", 99), complete);
        assert_eq!(run_for("", 4999), complete);
        assert_eq!(run_for("TIMEOUT 0", 1_000_000_000), complete);
        for (options, advance_ms) in [("TIMEOUT 100", 100), ("", 5000)] {
            let overdue = run_for(options, advance_ms);
            let rows = overdue.strip_prefix(&format!("+overdue after {advance_ms} ms and "));
            let rows: u64 = rows.and_then(|rows| rows.strip_suffix(" rows")).unwrap().parse().unwrap();
            assert!((1..5000).contains(&rows), "{overdue}");
        }
        let partial = run_for("TIMEOUT 100 ONTIMEOUT PARTIAL", 100);
        let (_, covered) = partial.split_once("covered Some(").unwrap();
        let covered: f64 = covered.strip_suffix(')').unwrap().parse().unwrap();
        assert!(covered > 0.0 && covered < 1.0, "{partial}");
    }

    #[test]
    fn a_row_that_must_not_fail_ends_the_run_in_every_lane() {
        let (keyspace, clock) = (keyspace(16, 5000), clock());
        let bad = keyspace.key(b"bad");
        let scope = Scope::One(keyspace.shard_of(bad.hash()));
        let mut txn = keyspace.begin(scope, Patience::Wait, Hold::Short, 0).unwrap();
        txn.set_string(&bad, b"no number", Deadline::Never);
        drop(txn);
        let (run, ticket) = ordered(order("ONERROR FAIL"), 2, &keyspace, &clock);
        let run = Arc::new(run);
        finish(&run, &keyspace, &clock);
        assert_eq!(answer(ticket), "+ROWERROR bad: v is not a number");
        assert!(run.is_over(&clock));
    }

    #[test]
    fn a_pattern_that_can_match_one_key_visits_its_shard_only() {
        let (keyspace, clock) = (keyspace(16, 5000), clock());
        let (run, ticket) = ordered(order_of(Form::Count, "key:77"), 3, &keyspace, &clock);
        assert_eq!((run.units.count, run.lanes()), (1, 1));
        finish(&Arc::new(run), &keyspace, &clock);
        assert_eq!(answer(ticket), "+Int(1) of 1 covered None");
    }

    #[test]
    fn a_shard_that_somebody_keeps_for_long_is_tried_again() {
        let (keyspace, clock) = (keyspace(1, 10), clock());
        let (run, ticket) = ordered(order(""), 1, &keyspace, &clock);
        let run = Arc::new(run);
        let holder = keyspace.begin(Scope::Every, Patience::Wait, Hold::Long, 0).unwrap();
        assert_eq!(run.turn(0, &keyspace, &clock).0, Turn::Contended);
        drop(holder);
        finish(&run, &keyspace, &clock);
        assert_eq!(answer(ticket), "+Int(45) of 10 covered None");
    }
}
