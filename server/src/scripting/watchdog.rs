//! Who looks after scripts and functions that run for long: from `busy-reply-threshold` on they are said to be busy, which other
//! clients are told instead of being served, and a client may end one that has not written anything yet.
//!
//! Each engine has a [`Status`], which it writes and others read: what it costs a script is a few plain stores. The engine
//! looks at it from time to time while its script runs. Below, a script is a function as well unless it says otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use shardis_protocol::OwnedRequest;

use crate::clock::Clock;
use crate::config::Config;

/// A script that has been running for so long lets others have its core when it is looked at.
const LONG: Duration = Duration::from_millis(1);

/// Looks after the scripts of a server.
#[derive(Debug)]
pub struct Watchdog {
    engines: Mutex<Vec<Arc<Status>>>,
    /// Whether some script is busy.
    is_busy: Arc<AtomicBool>,
    /// Whether all must end, because the server does.
    is_stopping: Arc<AtomicBool>,
    config: Arc<Config>,
    clock: Clock,
}

/// What an engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Scripts, each brought by its caller.
    Script,
    /// Functions of libraries.
    Function,
}

/// A function that runs, and has been running for long.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its name.
    pub name: String,
    /// The words of the call.
    pub request: OwnedRequest,
    /// For how long it has been running.
    pub took: Duration,
}

/// What an engine does.
pub struct Status {
    kind: Kind,
    /// Which function is busy, and the words of its call.
    called: Mutex<Option<(String, OwnedRequest)>>,
    /// What the engine takes.
    memory_bytes: AtomicUsize,
    /// When its script has begun, in nanoseconds of the clock, and one more; 0 while none runs.
    began_ns: AtomicU64,
    /// Whether its script has called a command that writes.
    has_written: AtomicBool,
    /// Whether somebody wants its script to end.
    is_killed: AtomicBool,
    /// Whether the script is busy.
    is_busy: AtomicBool,
    /// Whether any script of the server is.
    any_is_busy: Arc<AtomicBool>,
    /// Whether all must end.
    is_stopping: Arc<AtomicBool>,
    /// Told when it becomes so.
    on_busy: Box<dyn Fn() + Send + Sync>,
    config: Arc<Config>,
    clock: Clock,
}

impl std::fmt::Debug for Status {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Status").field("began_ns", &self.began_ns).finish_non_exhaustive()
    }
}

/// What came of the wish to end scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Killed {
    /// One at least will end.
    Done,
    /// No script is busy.
    NotBusy,
    /// Those that are have written.
    HaveWritten,
    /// Those that are are others than were meant.
    Others(Kind),
}

impl Watchdog {
    /// A watchdog of a server without engines yet.
    pub fn new(config: Arc<Config>, clock: Clock) -> Watchdog {
        let (engines, is_busy, is_stopping) = Default::default();
        Watchdog { engines, is_busy, is_stopping, config, clock }
    }

    /// Whether some script is busy.
    #[inline]
    pub fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Relaxed)
    }

    /// Which kind of script is busy.
    pub fn busy_kind(&self) -> Option<Kind> {
        let engines = self.engines.lock();
        engines.iter().find(|status| status.is_busy.load(Ordering::Acquire)).map(|status| status.kind)
    }

    /// The function that is busy.
    pub fn busy_function(&self) -> Option<Running> {
        let engines = self.engines.lock();
        engines.iter().filter(|status| status.is_busy.load(Ordering::Acquire)).find_map(|status| {
            let (name, request) = status.called.lock().clone()?;
            let began_ns = status.began_ns.load(Ordering::Acquire).saturating_sub(1);
            let took = status.clock.elapsed().saturating_sub(Duration::from_nanos(began_ns));
            Some(Running { name, request, took })
        })
    }

    /// What the engines of a kind take.
    pub fn memory_bytes(&self, kind: Kind) -> usize {
        let engines = self.engines.lock();
        let of_kind = engines.iter().filter(|status| status.kind == kind && Arc::strong_count(status) > 1);
        of_kind.map(|status| status.memory_bytes.load(Ordering::Relaxed)).sum()
    }

    /// Looks after one more engine.
    pub fn enroll(&self, kind: Kind, on_busy: impl Fn() + Send + Sync + 'static) -> Arc<Status> {
        let status = Arc::new(Status {
            kind,
            called: Mutex::default(),
            memory_bytes: AtomicUsize::default(),
            began_ns: AtomicU64::default(),
            has_written: AtomicBool::default(),
            is_killed: AtomicBool::default(),
            is_busy: AtomicBool::default(),
            any_is_busy: self.is_busy.clone(),
            is_stopping: self.is_stopping.clone(),
            on_busy: Box::new(on_busy),
            config: self.config.clone(),
            clock: self.clock.clone(),
        });
        let mut engines = self.engines.lock();
        // Those whose thread has ended, or whose engine was replaced.
        engines.retain(|status| Arc::strong_count(status) > 1);
        engines.push(status.clone());
        status
    }

    /// Ends all of a kind that are busy and have not written.
    pub fn kill(&self, kind: Kind) -> Killed {
        let engines = self.engines.lock();
        let mut outcome = Killed::NotBusy;
        for status in engines.iter().filter(|status| status.is_busy.load(Ordering::Acquire)) {
            let found = if status.has_written.load(Ordering::Acquire) {
                Killed::HaveWritten
            } else if status.kind != kind {
                Killed::Others(status.kind)
            } else {
                status.is_killed.store(true, Ordering::Release);
                Killed::Done
            };
            outcome = match (outcome, found) {
                (Killed::Done, _) | (_, Killed::Done) => Killed::Done,
                (Killed::HaveWritten, _) => Killed::HaveWritten,
                (_, found) => found,
            };
        }
        outcome
    }

    /// Ends all, written or not: the server stops, and waits for its threads.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    /// Called by an engine whose script has ended after having been busy.
    fn calm_down(&self) {
        // In this order: whoever becomes busy meanwhile says so first of itself, and then of all.
        self.is_busy.store(false, Ordering::SeqCst);
        if self.engines.lock().iter().any(|status| status.is_busy.load(Ordering::SeqCst)) {
            self.is_busy.store(true, Ordering::SeqCst);
        }
    }
}

impl Status {
    /// A script begins.
    #[inline]
    pub fn begin(&self) {
        let began = self.clock.elapsed().as_nanos() as u64;
        self.has_written.store(false, Ordering::Relaxed);
        self.is_killed.store(false, Ordering::Relaxed);
        self.began_ns.store(began + 1, Ordering::Release);
    }

    /// It has ended, and its engine takes so many bytes now.
    #[inline]
    pub fn end(&self, watchdog: &Watchdog, memory_bytes: usize) {
        self.began_ns.store(0, Ordering::Release);
        self.note_memory(memory_bytes);
        if self.is_busy.load(Ordering::Relaxed) {
            self.is_busy.store(false, Ordering::SeqCst);
            *self.called.lock() = None;
            watchdog.calm_down();
        }
    }

    /// Its engine takes so many bytes now.
    pub fn note_memory(&self, memory_bytes: usize) {
        self.memory_bytes.store(memory_bytes, Ordering::Relaxed);
    }

    /// It has called a command that writes.
    #[inline]
    pub fn note_write(&self) {
        self.has_written.store(true, Ordering::Release);
    }

    /// Whether its script was ended by somebody.
    pub fn is_killed(&self) -> bool {
        self.is_killed.load(Ordering::Acquire) || self.is_stopping.load(Ordering::Acquire)
    }

    /// A look at what others want, from inside the script: whether it must end. `called` tells what runs, should that be busy
    /// from now on.
    pub fn look(&self, called: impl FnOnce() -> Option<(String, OwnedRequest)>) -> bool {
        let began = self.began_ns.load(Ordering::Relaxed);
        if began == 0 {
            return false;
        }
        let limit_ms = u64::try_from(self.config.scripts.busy_reply_threshold.value()).unwrap_or_default();
        let ran = self.clock.elapsed().saturating_sub(Duration::from_nanos(began - 1));
        if limit_ms > 0 && ran >= Duration::from_millis(limit_ms) && !self.is_busy.load(Ordering::Relaxed) {
            if self.kind == Kind::Function {
                *self.called.lock() = called();
            }
            self.is_busy.store(true, Ordering::SeqCst);
            self.any_is_busy.store(true, Ordering::SeqCst);
            (self.on_busy)();
        }
        if ran >= LONG {
            // Where cores are few, the threads of the network need this one.
            thread::yield_now();
        }
        self.is_killed()
    }
}
