//! Which runs are under way and which wait, and who works on what next. Runs under way share the workers
//! fairly, turn by turn; the others wait in the order of arrival, for no longer than their time limit. How
//! many wait is bounded by the number of connections, each of which has one command under way, and of jobs (`directory`).

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::run::Run;

/// Runs under way at once.
pub const COMPUTE_JOBS_MAX: usize = 8;
/// Those among them that nobody waits for: they may take long, and leave room for the others.
const UNATTENDED_MAX: usize = 6;

/// The runs of one pool.
#[derive(Default)]
pub struct Queue {
    runs: Mutex<Runs>,
    change: Condvar,
}

#[derive(Default)]
struct Runs {
    active: Vec<Active>,
    waiting: VecDeque<Arc<Run>>,
    /// How many workers ask for turns.
    workers: usize,
    /// Runs begun so far: each begins with another worker, so that runs of few lanes spread over all.
    begun: usize,
    is_stopped: bool,
}

/// A run under way.
struct Active {
    run: Arc<Run>,
    first_worker: usize,
    /// The lanes that are not done.
    open: Vec<bool>,
}

/// A lane of a run, to be given a turn.
pub struct Share {
    /// The run.
    pub run: Arc<Run>,
    /// Its lane.
    pub lane: usize,
}

impl Queue {
    /// Tells how many workers there will be, before the first run.
    pub fn open(&self, workers: usize) {
        self.runs.lock().workers = workers;
    }

    /// Adds a run. After `stop` it is dropped.
    pub fn push(&self, run: Run) {
        let mut runs = self.runs.lock();
        if !runs.is_stopped {
            runs.waiting.push_back(Arc::new(run));
            self.activate(&mut runs);
        }
    }

    /// What a worker does next; waits if that is nothing. `None` after `stop`. A worker counts its rounds, so
    /// that every run has its turn.
    pub fn next(&self, worker: usize, round: usize) -> Option<Share> {
        let mut runs = self.runs.lock();
        loop {
            if runs.is_stopped {
                return None;
            }
            let (workers, count) = (runs.workers, runs.active.len());
            let mut in_turn = (0..count).map(|at| &runs.active[round.wrapping_add(at) % count]);
            if let Some(share) = in_turn.find_map(|active| active.share_of(worker, workers)) {
                return Some(share);
            }
            self.change.wait(&mut runs);
        }
    }

    /// Notes that a lane is done; whether it was the last of its run, which can be ended then.
    pub fn close(&self, share: &Share) -> bool {
        let mut runs = self.runs.lock();
        let Some(at) = runs.active.iter().position(|active| Arc::ptr_eq(&active.run, &share.run)) else {
            return false;
        };
        let open = &mut runs.active[at].open;
        open[share.lane] = false;
        let is_last = !open.contains(&true);
        if is_last {
            runs.active.remove(at);
            self.activate(&mut runs);
        }
        is_last
    }

    /// Takes out what is over before it has begun.
    pub fn take_stale(&self, is_stale: impl Fn(&Run) -> bool) -> Vec<Arc<Run>> {
        let mut stale = Vec::new();
        self.runs.lock().waiting.retain(|run| {
            let is_stale = is_stale(run);
            if is_stale {
                stale.push(Arc::clone(run));
            }
            !is_stale
        });
        stale
    }

    /// How many runs are under way, and how many wait.
    pub fn lengths(&self) -> (usize, usize) {
        let runs = self.runs.lock();
        (runs.active.len(), runs.waiting.len())
    }

    /// Heap bytes of the runs under way.
    pub fn memory_bytes(&self) -> usize {
        self.runs.lock().active.iter().map(|active| active.run.memory_bytes()).sum()
    }

    /// Whether it has been stopped.
    pub fn is_stopped(&self) -> bool {
        self.runs.lock().is_stopped
    }

    /// Drops all runs and sends everybody home.
    pub fn stop(&self) {
        let mut runs = self.runs.lock();
        runs.is_stopped = true;
        let dropped = (std::mem::take(&mut runs.active), std::mem::take(&mut runs.waiting));
        drop(runs);
        drop(dropped);
        self.change.notify_all();
    }

    fn activate(&self, runs: &mut Runs) {
        while runs.active.len() < COMPUTE_JOBS_MAX {
            let unattended = runs.active.iter().filter(|active| active.run.is_unattended()).count();
            let may_begin = |run: &Arc<Run>| unattended < UNATTENDED_MAX || !run.is_unattended();
            let Some(run) = runs.waiting.iter().position(may_begin).and_then(|at| runs.waiting.remove(at))
            else {
                return;
            };
            runs.active.push(Active { first_worker: runs.begun, open: vec![true; run.lanes()], run });
            runs.begun = runs.begun.wrapping_add(1);
            self.change.notify_all();
        }
    }
}

impl Active {
    fn share_of(&self, worker: usize, workers: usize) -> Option<Share> {
        let lane = (worker + workers - self.first_worker % workers) % workers;
        let is_open = self.open.get(lane).is_some_and(|&open| open);
        is_open.then(|| Share { run: Arc::clone(&self.run), lane })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ticket;
    use super::super::run::tests::{answer, clock, keyspace, order, ordered};
    use super::*;

    fn queue(workers: usize) -> Queue {
        let queue = Queue::default();
        queue.open(workers);
        queue
    }

    fn run(workers: usize, options: &str) -> (Run, Ticket) {
        ordered(order(options), workers, &keyspace(16, 0), &clock())
    }

    #[test]
    fn runs_beyond_the_limit_wait_until_one_has_closed_its_last_lane() {
        let queue = queue(2);
        let tickets: Vec<Ticket> = (0..=COMPUTE_JOBS_MAX)
            .map(|_| {
                let (run, ticket) = run(2, "");
                queue.push(run);
                ticket
            })
            .collect();
        assert_eq!(queue.lengths(), (COMPUTE_JOBS_MAX, 1));
        let first = [0, 1].map(|worker| queue.next(worker, 0).unwrap());
        assert!(Arc::ptr_eq(&first[0].run, &first[1].run) && first[0].lane != first[1].lane);
        assert!(!queue.close(&first[0]));
        assert_eq!(queue.lengths(), (COMPUTE_JOBS_MAX, 1));
        assert!(queue.close(&first[1]));
        assert_eq!(queue.lengths(), (COMPUTE_JOBS_MAX, 0));
        assert!(!queue.close(&first[1]), "a run ends once");
        drop(tickets);
    }

    #[test]
    fn runs_that_nobody_waits_for_leave_room_for_others() {
        let queue = queue(1);
        let mut tickets = Vec::new();
        for options in ["ASYNC"; 7].into_iter().chain([""]) {
            let (run, ticket) = run(1, options);
            queue.push(run);
            tickets.push(ticket);
        }
        assert_eq!(queue.lengths(), (UNATTENDED_MAX + 1, 1));
    }

    #[test]
    fn a_worker_gives_all_runs_under_way_their_turns() {
        let queue = queue(1);
        let tickets = [(); 3].map(|()| {
            let (run, ticket) = run(1, "");
            queue.push(run);
            ticket
        });
        let turns: Vec<Arc<Run>> = (0..6).map(|round| queue.next(0, round).unwrap().run).collect();
        assert!((0..3).all(|at| Arc::ptr_eq(&turns[at], &turns[at + 3])));
        assert!(!Arc::ptr_eq(&turns[0], &turns[1]) && !Arc::ptr_eq(&turns[1], &turns[2]));
        drop(tickets);
    }

    #[test]
    fn runs_of_one_lane_spread_over_the_workers() {
        let queue = queue(2);
        let tickets = [(); 2].map(|()| {
            let (run, ticket) = run(2, "THREADS 1");
            queue.push(run);
            ticket
        });
        let [one, other] = [0, 1].map(|worker| queue.next(worker, 0).unwrap().run);
        assert!(!Arc::ptr_eq(&one, &other));
        drop(tickets);
    }

    #[test]
    fn what_is_over_before_it_has_begun_is_taken_out() {
        let queue = queue(1);
        let mut tickets: Vec<Ticket> = (0..COMPUTE_JOBS_MAX + 3)
            .map(|_| {
                let (run, ticket) = run(1, "");
                queue.push(run);
                ticket
            })
            .collect();
        tickets.remove(COMPUTE_JOBS_MAX + 1);
        let stale = queue.take_stale(Run::is_cancelled);
        assert!(stale.len() == 1 && stale[0].is_cancelled());
        assert_eq!(queue.lengths(), (COMPUTE_JOBS_MAX, 2));
    }

    #[test]
    fn stopping_answers_everybody_and_takes_no_further_run() {
        let queue = queue(1);
        let (before, waiting) = run(1, "");
        queue.push(before);
        queue.stop();
        assert_eq!(answer(waiting), "CANCELED the server is stopping");
        let (after, late) = run(1, "");
        queue.push(after);
        assert_eq!(answer(late), "CANCELED the server is stopping");
        assert!(queue.next(0, 0).is_none());
    }
}
