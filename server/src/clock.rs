//! The one source of time. TTL, TIME, timeouts, idle times, the slow log and periodic tasks all ask here, so that a test
//! which moves a manual clock moves all of them together.
//!
//! Wall time is in Unix microseconds and may be set back, by whoever sets the system's clock or moves a manual one.
//! Elapsed time is counted from the start of the clock and never goes back; whoever sleeps, sleeps by it. A manual clock
//! stands still until it is told to move; moving it forward wakes sleepers in the order of their deadlines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rustix::time::{ClockId, clock_gettime};
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
    started: Instant,
    /// `None` for the system's clock.
    manual: Option<Mutex<Manual>>,
}

/// A clock that somebody moves.
#[derive(Debug)]
struct Manual {
    /// What it showed when it was last moved, stopped or let run.
    shown_us: i64,
    /// Since when it has been running from there; `None` while it stands still.
    running: Option<Instant>,
    /// Elapsed time is counted from here, which goes back whenever the clock does.
    started_us: i64,
    /// Who sleeps, by deadline in elapsed time and order of arrival.
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

impl Clock {
    /// The system's clock.
    pub fn real() -> Clock {
        Clock(Arc::new(Inner { started: now(), manual: None }))
    }

    /// A clock that stands at `unix` (time since the Unix epoch) until it is moved.
    pub fn manual(unix: Duration) -> Clock {
        let us = micros(unix);
        let manual = Manual { shown_us: us, running: None, started_us: us, sleepers: BTreeMap::new() };
        Clock(Arc::new(Inner { started: now(), manual: Some(manual.into()) }))
    }

    /// Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        match &self.0.manual {
            None => {
                let (seconds, nanoseconds) = system_time();
                seconds * 1000 + nanoseconds / 1_000_000
            }
            Some(_) => self.now_us().div_euclid(1000),
        }
    }

    /// Unix microseconds.
    pub fn now_us(&self) -> i64 {
        match &self.0.manual {
            None => {
                let (seconds, nanoseconds) = system_time();
                seconds * 1_000_000 + nanoseconds / 1000
            }
            Some(manual) => manual.lock().now_us(),
        }
    }

    /// Time since the clock was made.
    pub fn elapsed(&self) -> Duration {
        match &self.0.manual {
            None => self.0.started.elapsed(),
            Some(manual) => manual.lock().elapsed(),
        }
    }

    /// Whether [`Clock::elapsed`] has come to `deadline`; there may be none.
    pub(crate) fn has_reached(&self, deadline: Option<Duration>) -> bool {
        deadline.is_some_and(|deadline| self.elapsed() >= deadline)
    }

    /// A tick of the processor's time, for measuring how long something takes; never manual.
    pub fn tick(&self) -> Instant {
        now()
    }

    /// Waits until [`Clock::elapsed`] is at `deadline`.
    pub async fn sleep_until(&self, deadline: Duration) {
        let Some(manual) = &self.0.manual else {
            return pause(deadline.saturating_sub(self.elapsed())).await;
        };
        loop {
            let (wake, running_for) = {
                let mut manual = manual.lock();
                let left = deadline.saturating_sub(manual.elapsed());
                if left.is_zero() {
                    return;
                }
                (manual.enlist(deadline), manual.running.map(|_| left))
            };
            // An error means that the clock was stopped or let run, and that everybody is to look again.
            let _ = match running_for {
                None => wake.await.ok(),
                Some(left) => timeout(left, wake).await.and_then(Result::ok),
            };
        }
    }

    /// Moves a manual clock forward and wakes who was waiting for it.
    ///
    /// Whoever reads a key whose time has come finds nothing from now on. What nobody reads is removed soon after, by the
    /// periodic task on a thread of the server, and what one run of it does not reach waits for the clock to move again.
    /// Until then `DBSIZE` counts it, as in Redis.
    ///
    /// # Panics
    ///
    /// If the clock is not manual.
    pub fn advance(&self, duration: Duration) {
        let mut manual = self.lock_manual();
        let to_us = manual.now_us().saturating_add(micros(duration));
        manual.move_to(to_us);
    }

    /// Sets a manual clock to a time since the Unix epoch. Moving it back wakes nobody, and takes no elapsed time away.
    ///
    /// # Panics
    ///
    /// If the clock is not manual.
    pub fn set(&self, unix: Duration) {
        self.lock_manual().move_to(micros(unix));
    }

    /// Stops a manual clock where it stands.
    ///
    /// # Panics
    ///
    /// If the clock is not manual.
    pub fn freeze(&self) {
        let mut manual = self.lock_manual();
        manual.shown_us = manual.now_us();
        manual.running = None;
        manual.wake_all_to_look_again();
    }

    /// Lets a manual clock run from where it stands.
    ///
    /// # Panics
    ///
    /// If the clock is not manual.
    pub fn resume(&self) {
        let mut manual = self.lock_manual();
        manual.shown_us = manual.now_us();
        manual.running = Some(now());
        manual.wake_all_to_look_again();
    }

    fn lock_manual(&self) -> MutexGuard<'_, Manual> {
        let manual = self.0.manual.as_ref();
        manual.unwrap_or_else(|| panic!("only a manual clock can be moved")).lock()
    }
}

impl Manual {
    fn now_us(&self) -> i64 {
        self.shown_us.saturating_add(self.running.map_or(0, |since| micros(since.elapsed())))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.now_us().saturating_sub(self.started_us)).unwrap_or(0))
    }

    fn move_to(&mut self, to_us: i64) {
        let back_us = self.now_us().saturating_sub(to_us).max(0);
        self.started_us = self.started_us.saturating_sub(back_us);
        self.shown_us = to_us;
        self.running = self.running.map(|_| now());
        let elapsed = self.elapsed();
        while let Some(first) = self.sleepers.first_entry().filter(|first| first.key().0 <= elapsed) {
            // Nobody there any more is as good as woken.
            let _ = first.remove().send(());
        }
    }

    fn wake_all_to_look_again(&mut self) {
        self.sleepers.clear();
    }

    fn enlist(&mut self, deadline: Duration) -> oneshot::Receiver<()> {
        let (wake, sleeper) = oneshot::channel();
        // Sleepers whose task has gone are taken off the list when it is next touched.
        self.sleepers.retain(|_, wake| !wake.is_closed());
        let ticket = self.sleepers.keys().map(|(_, ticket)| ticket + 1).max().unwrap_or(0);
        self.sleepers.insert((deadline, ticket), wake);
        sleeper
    }
}

/// Waits by the system's time, which no manual clock stops: for those who wait for the system itself.
#[expect(clippy::disallowed_methods, reason = "this is the place that sleeps")]
pub async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Ends what takes longer, by the system's time: for those who wait for the system itself.
#[expect(clippy::disallowed_methods, reason = "this is the place that knows the time")]
pub async fn limit<T>(duration: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(duration, work).await.ok()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "this is the place that reads the system's clock")]
fn now() -> Instant {
    Instant::now()
}

/// Seconds and nanoseconds since 1970, as the system has them: a `SystemTime` would first make a duration of them, and this is
/// asked for every call from inside the process.
fn system_time() -> (i64, i64) {
    let now = clock_gettime(ClockId::Realtime);
    (now.tv_sec, now.tv_nsec)
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
                clock.sleep_until(Duration::from_secs(seconds)).await;
                woken.lock().push(seconds);
            }));
        }
        while sleepers(&clock) < 3 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(10));
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*woken.lock(), [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_takes_no_time_away_from_those_who_sleep() {
        let clock = Clock::manual(Duration::from_secs(1_000_000));
        clock.advance(Duration::from_secs(10));
        let sleeper = clock.clone();
        let task = tokio::spawn(async move { sleeper.sleep_until(Duration::from_secs(11)).await });
        while sleepers(&clock) < 1 {
            tokio::task::yield_now().await;
        }
        clock.set(Duration::from_secs(5));
        assert_eq!((clock.now_ms(), clock.elapsed()), (5_000, Duration::from_secs(10)));
        assert_eq!(sleepers(&clock), 1, "it has one more second to sleep");
        clock.advance(Duration::from_secs(1));
        task.await.unwrap();
    }

    #[tokio::test]
    async fn sleepers_notice_that_a_clock_runs_from_now_on() {
        let clock = Clock::manual(Duration::ZERO);
        let sleeper = clock.clone();
        let task = tokio::spawn(async move { sleeper.sleep_until(Duration::from_millis(1)).await });
        while sleepers(&clock) < 1 {
            tokio::task::yield_now().await;
        }
        clock.resume();
        task.await.unwrap();
        clock.freeze();
        assert!(clock.elapsed() >= Duration::from_millis(1));
    }

    fn sleepers(clock: &Clock) -> usize {
        clock.lock_manual().sleepers.len()
    }
}
