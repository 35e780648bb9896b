//! The one source of time. TTL, TIME, timeouts, idle times, the slow log and periodic tasks all ask here, so that a test
//! which moves a manual clock moves all of them together.
//!
//! Wall time is in Unix microseconds. Elapsed time is counted from the start of the server and never goes back. A
//! manual clock stands still until it is told to move; moving it forward wakes sleepers in the order of their deadlines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// A handle on a clock; clones show the same time.
///
/// A server that is given a manual one lives in the time of its test:
///
/// ```
/// use std::time::Duration;
/// use shardis_server::{Clock, Server, Value};
///
/// let clock = Clock::manual(Duration::from_secs(1_700_000_000));
/// let server = Server::builder().no_listener().clock(clock.clone()).start()?;
/// server.execute(&["SET", "session", "x", "EX", "60"]);
/// clock.advance(Duration::from_secs(59));
/// assert_eq!(server.execute(&["TTL", "session"]), Value::Integer(1));
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(server.execute(&["GET", "session"]), Value::Null);
///
/// clock.resume(); // from here on it runs with the system's
/// clock.freeze(); // and here it stops again
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    is_manual: bool,
    started: Instant,
    started_us: i64,
    /// What a manual clock shows while it stands still; `RUNNING` while it runs.
    frozen_us: AtomicI64,
    /// How far a running manual clock is ahead of the system's.
    offset_us: AtomicI64,
    /// Who sleeps on a manual clock, by deadline and order of arrival.
    sleepers: Mutex<BTreeMap<(i64, u64), oneshot::Sender<()>>>,
}

const RUNNING: i64 = i64::MIN;

impl Clock {
    /// The system's clock.
    pub fn real() -> Clock {
        Clock::new(false, RUNNING)
    }

    /// A clock that stands at `unix` (time since the Unix epoch) until it is moved.
    pub fn manual(unix: Duration) -> Clock {
        Clock::new(true, micros(unix))
    }

    fn new(is_manual: bool, frozen_us: i64) -> Clock {
        let started_us = if frozen_us == RUNNING { system_us() } else { frozen_us };
        Clock(Arc::new(Inner {
            is_manual,
            started: now(),
            started_us,
            frozen_us: frozen_us.into(),
            offset_us: 0.into(),
            sleepers: Mutex::default(),
        }))
    }

    /// Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.now_us().div_euclid(1000)
    }

    /// Unix microseconds.
    pub fn now_us(&self) -> i64 {
        let inner = &*self.0;
        match inner.frozen_us.load(Ordering::Acquire) {
            RUNNING if inner.is_manual => system_us() + inner.offset_us.load(Ordering::Acquire),
            RUNNING => system_us(),
            frozen => frozen,
        }
    }

    /// Time since the server started.
    pub fn elapsed(&self) -> Duration {
        if self.0.is_manual {
            return Duration::from_micros(u64::try_from(self.now_us() - self.0.started_us).unwrap_or(0));
        }
        self.0.started.elapsed()
    }

    /// A tick of the processor's time, for measuring how long something takes; never manual.
    pub fn tick(&self) -> Instant {
        now()
    }

    /// Waits until the clock shows `deadline_us`.
    pub async fn sleep_until(&self, deadline_us: i64) {
        loop {
            let left = deadline_us - self.now_us();
            if left <= 0 {
                return;
            }
            let wake = self.enlist(deadline_us);
            let is_frozen = self.0.frozen_us.load(Ordering::Acquire) != RUNNING;
            if is_frozen {
                // An error means that the clock was moved backwards and asks everybody to look again.
                let _ = wake.await;
            } else {
                let _ = timeout(Duration::from_micros(left as u64), wake).await;
            }
        }
    }

    /// Waits this long by the clock.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now_us().saturating_add(micros(duration))).await;
    }

    /// Moves a manual clock forward and wakes who was waiting for it.
    ///
    /// # Panics
    ///
    /// If the clock is not manual.
    pub fn advance(&self, duration: Duration) {
        self.move_to(self.now_us().saturating_add(micros(duration)));
    }

    /// Sets a manual clock to a time since the Unix epoch.
    ///
    /// # Panics
    ///
    /// If the clock is not manual.
    pub fn set(&self, unix: Duration) {
        self.move_to(micros(unix));
    }

    /// Stops a manual clock where it stands.
    ///
    /// # Panics
    ///
    /// If the clock is not manual.
    pub fn freeze(&self) {
        self.assert_manual();
        self.0.frozen_us.store(self.now_us(), Ordering::Release);
        self.wake_until(self.now_us());
    }

    /// Lets a manual clock run with the system's from where it stands.
    ///
    /// # Panics
    ///
    /// If the clock is not manual.
    pub fn resume(&self) {
        self.assert_manual();
        self.0.offset_us.store(self.now_us() - system_us(), Ordering::Release);
        self.0.frozen_us.store(RUNNING, Ordering::Release);
        // Everybody looks again, and sleeps by the system's clock from now on.
        self.wake_until(i64::MAX);
    }

    fn move_to(&self, to_us: i64) {
        self.assert_manual();
        if self.0.frozen_us.load(Ordering::Acquire) == RUNNING {
            self.0.offset_us.store(to_us - system_us(), Ordering::Release);
        } else {
            self.0.frozen_us.store(to_us, Ordering::Release);
        }
        self.wake_until(to_us);
    }

    fn assert_manual(&self) {
        assert!(self.0.is_manual, "only a manual clock can be moved");
    }

    fn enlist(&self, deadline_us: i64) -> oneshot::Receiver<()> {
        let (wake, sleeper) = oneshot::channel();
        let mut sleepers = self.0.sleepers.lock();
        // Sleepers whose task has gone are taken off the list when it is next touched.
        sleepers.retain(|_, wake| !wake.is_closed());
        let ticket = sleepers.keys().map(|(_, ticket)| ticket + 1).max().unwrap_or(0);
        sleepers.insert((deadline_us, ticket), wake);
        drop(sleepers);
        // The clock may have moved in between; then nobody else would wake this one.
        if self.now_us() >= deadline_us {
            self.wake_until(deadline_us);
        }
        sleeper
    }

    fn wake_until(&self, us: i64) {
        loop {
            let mut sleepers = self.0.sleepers.lock();
            let Some(first) = sleepers.first_entry().filter(|first| first.key().0 <= us) else { return };
            let wake = first.remove();
            drop(sleepers);
            // Nobody there any more is as good as woken.
            let _ = wake.send(());
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "this is the place that reads the system's clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "this is the place that reads the system's clock")]
fn system_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros)
}

#[expect(clippy::disallowed_methods, reason = "this is the place that sleeps")]
async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(duration, future).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_clock_stands_still_until_it_is_moved() {
        let clock = Clock::manual(Duration::from_secs(100));
        assert_eq!((clock.now_ms(), clock.elapsed()), (100_000, Duration::ZERO));
        clock.advance(Duration::from_millis(1500));
        assert_eq!((clock.now_ms(), clock.elapsed()), (101_500, Duration::from_millis(1500)));
        clock.set(Duration::from_secs(5));
        assert_eq!(clock.now_ms(), 5_000);
    }

    #[tokio::test]
    async fn sleepers_wake_in_the_order_of_their_deadlines() {
        let clock = Clock::manual(Duration::ZERO);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for seconds in [3, 1, 2] {
            let (clock, woken) = (clock.clone(), woken.clone());
            tasks.push(tokio::spawn(async move {
                clock.sleep(Duration::from_secs(seconds)).await;
                woken.lock().push(seconds);
            }));
        }
        while clock.0.sleepers.lock().len() < 3 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(10));
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*woken.lock(), [1, 2, 3]);
    }
}
