//! The pause of all clients. While it lasts, calls are held back, all of them or those that write, and no key expires. Nobody
//! waits on a thread: the connection of a call that is held back runs it again when the pause is over.
//!
//! A pause that begins during another one makes it stricter and longer, and never the other way round.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::command::Flags;

/// Whose calls are held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nobody's.
    #[default]
    None,
    /// Those that may change data.
    Writes,
    /// All.
    All,
}

impl Severity {
    /// As INFO says it.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::None => "none",
            Severity::Writes => "write",
            Severity::All => "all",
        }
    }
}

/// The pause of a server, under way or not.
#[derive(Debug, Default)]
pub struct Pause {
    /// Whether there may be one, for those who look at every call: written when one begins and ends, and at no other time.
    may_be: AtomicU8,
    span: Mutex<Span>,
    /// Told when a pause is ended before its time.
    pub ended: Notify,
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    severity: Severity,
    /// In time that has elapsed on the clock.
    end: Duration,
}

impl Pause {
    /// Begins a pause of this length, or adds it to the one under way.
    pub fn begin(&self, severity: Severity, length: Duration, clock: &Clock) {
        let end = clock.elapsed().saturating_add(length);
        let mut span = self.span.lock();
        self.forget_if_over(&mut span, clock);
        *span = Span { severity: span.severity.max(severity), end: span.end.max(end) };
        self.may_be.store(1, Ordering::Release);
    }

    /// Ends it now.
    pub fn end(&self) {
        let mut span = self.span.lock();
        *span = Span::default();
        self.may_be.store(0, Ordering::Release);
        drop(span);
        self.ended.notify_waiters();
    }

    /// When it ends, in time that has elapsed on the clock.
    pub fn deadline(&self) -> Duration {
        self.span.lock().end
    }

    /// Whose calls are held back, and for how long.
    pub fn report(&self, clock: &Clock) -> (Severity, Duration) {
        let severity = self.severity(clock);
        (severity, self.deadline().saturating_sub(clock.elapsed()))
    }

    /// Whether there is one.
    #[inline]
    pub fn is_on(&self, clock: &Clock) -> bool {
        self.may_be() && self.severity(clock) != Severity::None
    }

    /// Whether there may be one: all that a call looks at while there is none.
    #[inline]
    pub fn may_be(&self) -> bool {
        self.may_be.load(Ordering::Acquire) != 0
    }

    /// Whether it holds back a call of a command with these flags.
    pub fn holds_back(&self, flags: Flags, clock: &Clock) -> bool {
        match self.severity(clock) {
            Severity::None => false,
            Severity::Writes => flags.contains(Flags::WRITE) || flags.contains(Flags::MAY_REPLICATE),
            Severity::All => true,
        }
    }

    #[cold]
    fn severity(&self, clock: &Clock) -> Severity {
        let mut span = self.span.lock();
        self.forget_if_over(&mut span, clock);
        span.severity
    }

    fn forget_if_over(&self, span: &mut Span, clock: &Clock) {
        if span.end <= clock.elapsed() {
            *span = Span::default();
            self.may_be.store(0, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_end_and_the_stricter_kind_win() {
        let clock = Clock::manual(Duration::ZERO);
        let pause = Pause::default();
        let holds =
            || [Flags::WRITE, Flags::MAY_REPLICATE, Flags::READONLY].map(|f| pause.holds_back(f, &clock));
        let seconds = Duration::from_secs;
        pause.begin(Severity::Writes, seconds(10), &clock);
        assert_eq!(holds(), [true, true, false]);
        pause.begin(Severity::All, seconds(5), &clock);
        assert_eq!((holds(), pause.deadline()), ([true; 3], seconds(10)));
        pause.begin(Severity::Writes, seconds(20), &clock);
        clock.advance(seconds(15));
        assert_eq!((holds(), pause.deadline()), ([true; 3], seconds(20)));
        clock.advance(seconds(5));
        assert_eq!((holds(), pause.is_on(&clock)), ([false; 3], false));
        pause.begin(Severity::Writes, seconds(1), &clock);
        assert_eq!(holds(), [true, true, false], "what is over has no say any more");
        pause.end();
        assert_eq!((holds(), pause.is_on(&clock)), ([false; 3], false));
    }
}
