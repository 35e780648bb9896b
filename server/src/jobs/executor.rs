//! The executor: threads for what would hold up a network thread. A few run long commands; one runs functions, which keep
//! things between calls and so have to be together; one frees, and gives way to everybody else.
//!
//! Threads start with the first work and stop with the server. What they have freed they keep for the work that follows, and
//! give it back to the system when there is none for a while: memory that is given back costs a fault a page when it is next
//! asked for, which is most of the time that a megabyte takes. The queues are bounded by who fills them: each connection
//! has at most one command here, and what is freed was in memory before.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use shardis_storage::Detached;

use crate::observe::stats::{Stats, ThreadStats};
use crate::scripting::engine::EngineSlot;

/// Threads for commands: a long one does not hold up another.
const THREADS_MAX: usize = 4;
/// How long a thread has nothing to do before it gives memory back.
const QUIET_BEFORE_RELEASE: Duration = Duration::from_millis(50);

/// Runs long commands and functions and frees what is heavy, on threads of its own.
#[derive(Debug)]
pub struct Executor {
    commands: Crew,
    functions: Crew,
    freeing: Crew,
}

/// What a thread has for its work.
#[derive(Debug)]
pub struct Worker {
    /// Where to count what it does.
    pub stats: Arc<ThreadStats>,
    /// Runs scripts.
    pub engine: Rc<EngineSlot>,
}

type Work = Box<dyn FnOnce(&Worker) + Send>;

/// Some threads with a queue of work.
struct Crew {
    name: &'static str,
    threads_max: usize,
    /// What its threads are for.
    task: Task,
    stats: Arc<Stats>,
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What threads are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Long commands.
    Commands,
    /// Functions, and what is run together with them.
    Functions,
    /// Freeing, while all others go first.
    Freeing,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrival: Condvar,
}

#[derive(Default)]
struct Queue {
    work: VecDeque<Work>,
    /// Bytes-heavy values waiting to be freed: databases and entries.
    frees: usize,
    /// Those that were freed.
    freed: usize,
    idle: usize,
    is_stopped: bool,
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(self.name).field("threads", &self.threads.lock().len()).finish_non_exhaustive()
    }
}

impl Executor {
    /// An executor without any thread yet.
    pub fn new(stats: Arc<Stats>) -> Executor {
        let crew = |name, threads_max, task| Crew {
            name,
            threads_max,
            task,
            stats: stats.clone(),
            shared: Arc::default(),
            threads: Mutex::default(),
        };
        Executor {
            commands: crew("exec", THREADS_MAX, Task::Commands),
            functions: crew("func", 1, Task::Functions),
            freeing: crew("free", 1, Task::Freeing),
        }
    }

    /// Runs `work` as soon as a thread is free. After `stop` it is dropped unrun.
    pub fn run(&self, work: impl FnOnce(&Worker) + Send + 'static) {
        self.commands.run(Box::new(work));
    }

    /// The same on a thread for this task.
    pub fn run_for(&self, task: Task, work: impl FnOnce(&Worker) + Send + 'static) {
        let crew = match task {
            Task::Commands => &self.commands,
            Task::Functions => &self.functions,
            Task::Freeing => &self.freeing,
        };
        crew.run(Box::new(work));
    }

    /// Frees keys in the background.
    pub fn free(&self, detached: Detached) {
        if detached.is_empty() {
            return;
        }
        let keys = detached.keys();
        self.freeing.shared.queue.lock().frees += keys;
        let shared = self.freeing.shared.clone();
        self.freeing.run(Box::new(move |_| {
            drop(detached);
            let mut queue = shared.queue.lock();
            queue.frees -= keys;
            queue.freed += keys;
        }));
    }

    /// Keys that wait to be freed.
    pub fn pending_frees(&self) -> usize {
        self.freeing.shared.queue.lock().frees
    }

    /// Keys that were freed in the background.
    pub fn freed(&self) -> usize {
        self.freeing.shared.queue.lock().freed
    }

    /// Sets the count of freed keys to zero.
    pub fn reset_freed(&self) {
        self.freeing.shared.queue.lock().freed = 0;
    }

    /// Finishes the work under way, drops the rest and ends the threads.
    pub fn stop(&self) {
        self.commands.stop();
        self.functions.stop();
        self.freeing.stop();
    }
}

impl Crew {
    fn run(&self, work: Work) {
        let mut queue = self.shared.queue.lock();
        if queue.is_stopped {
            return;
        }
        queue.work.push_back(work);
        if queue.idle >= queue.work.len() {
            self.shared.arrival.notify_one();
            return;
        }
        drop(queue);
        self.start_thread();
    }

    fn stop(&self) {
        let mut queue = self.shared.queue.lock();
        queue.is_stopped = true;
        let dropped = std::mem::take(&mut queue.work);
        drop(queue);
        drop(dropped);
        self.shared.arrival.notify_all();
        // In a statement of its own, which ends the lock before the waiting begins: work may bring more work.
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            // The threads catch the panics of their work.
            let _ = thread.join();
        }
    }

    fn start_thread(&self) {
        let mut threads = self.threads.lock();
        // Once `stop` has looked at the list, nobody would join a new one.
        if threads.len() == self.threads_max || self.shared.queue.lock().is_stopped {
            return;
        }
        let (shared, stats, task) = (self.shared.clone(), self.stats.clone(), self.task);
        let name = format!("shardis-{}-{}", self.name, threads.len());
        let serve = move || {
            if task == Task::Freeing {
                give_way();
            }
            shared.serve(&Worker::new(&stats, task));
        };
        match std::thread::Builder::new().name(name).spawn(serve) {
            Ok(thread) => threads.push(thread),
            // With one thread at least the work gets done later; without any it is done here.
            Err(_) if threads.is_empty() => {
                drop(threads);
                self.shared.drain(&Worker::new(&self.stats, task));
            }
            Err(_) => {}
        }
    }
}

impl Shared {
    fn serve(&self, worker: &Worker) {
        let mut queue = self.queue.lock();
        let mut may_have_freed = false;
        loop {
            if let Some(work) = queue.work.pop_front() {
                drop(queue);
                perform(work, worker);
                may_have_freed = true;
                queue = self.queue.lock();
                continue;
            }
            if queue.is_stopped {
                return;
            }
            queue.idle += 1;
            let is_quiet = if may_have_freed {
                self.arrival.wait_for(&mut queue, QUIET_BEFORE_RELEASE).timed_out()
            } else {
                self.arrival.wait(&mut queue);
                false
            };
            queue.idle -= 1;
            if is_quiet && queue.work.is_empty() {
                drop(queue);
                release_unused();
                may_have_freed = false;
                queue = self.queue.lock();
            }
        }
    }

    fn drain(&self, worker: &Worker) {
        while let Some(work) = { self.queue.lock().work.pop_front() } {
            perform(work, worker);
        }
    }
}

impl Worker {
    fn new(stats: &Stats, task: Task) -> Worker {
        let engine =
            if task == Task::Functions { EngineSlot::with_functions() } else { EngineSlot::default() };
        Worker { stats: stats.thread(), engine: Rc::new(engine) }
    }
}

/// Runs work and survives it: a panic has been reported, has marked the server if there was anything to spoil, and closes
/// the connection that waits for an answer; the thread is needed for others.
fn perform(work: Work, worker: &Worker) {
    let _ = catch_unwind(AssertUnwindSafe(|| work(worker)));
}

/// Gives back what this thread has freed, which may be a lot.
fn release_unused() {
    #[cfg(feature = "mimalloc")]
    shardis_storage::allocator::release_unused();
}

/// Makes the calling thread go last where it shares a core. Work that is done a moment at a time, as on a network thread, need
/// not wait for slices of milliseconds then. Where the system does not let it, everything goes on, less smoothly.
fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICENESS);
}

/// What is added to the niceness of a thread that gives way.
const NICENESS: i32 = 10;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Far longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn executor() -> Arc<Executor> {
        Arc::new(Executor::new(Arc::new(Stats::new(1))))
    }

    #[test]
    fn a_panic_takes_no_thread_away() {
        let executor = executor();
        for _ in 0..3 * THREADS_MAX {
            executor.run(|_| panic!("a panic that this test asks for"));
        }
        let (sender, receiver) = mpsc::channel();
        executor.run(move |_| sender.send(()).unwrap());
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(()));
        executor.stop();
    }

    /// Each round gives the two a chance to meet.
    #[test]
    fn stop_and_work_that_brings_more_work_do_not_wait_for_each_other() {
        for _ in 0..100 {
            let executor = executor();
            let (begin, has_begun) = mpsc::channel();
            let of_work = executor.clone();
            executor.run(move |_| {
                begin.send(()).unwrap();
                (0..1000).for_each(|_| of_work.run(|_| ()));
            });
            has_begun.recv_timeout(PATIENCE).unwrap();
            let (end, has_ended) = mpsc::channel();
            std::thread::spawn(move || {
                executor.stop();
                end.send(executor.commands.threads.lock().len())
            });
            assert_eq!(has_ended.recv_timeout(PATIENCE), Ok(0), "threads that nobody has joined");
        }
    }
}
