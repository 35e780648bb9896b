//! Times to live: setting, reading and removing them.

use shardis_protocol::number;
use shardis_storage::{Key, Notice, Transaction, View};

use super::refuse_deadline;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::is_word;
use crate::command::event;
use crate::command::{Call, Command, Done, Error, Flags, KeySpec, key};

const UPDATED: &[KeySpec] = &[key(1).read_write().updates()];
const READ: &[KeySpec] = &[key(1).read_only().accesses()];
const HISTORY: &[(&str, &str)] = &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")];

/// How a command spells an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeUnit {
    unit_ms: i64,
    from_now: bool,
}

impl TimeUnit {
    pub const SECONDS: TimeUnit = TimeUnit { unit_ms: 1000, from_now: true };
    pub const MILLISECONDS: TimeUnit = TimeUnit { unit_ms: 1, from_now: true };
    pub const UNIX_SECONDS: TimeUnit = TimeUnit { unit_ms: 1000, from_now: false };
    pub const UNIX_MILLISECONDS: TimeUnit = TimeUnit { unit_ms: 1, from_now: false };

    /// The instant that `amount` stands for; `None` beyond 64 bits.
    pub fn deadline_ms(self, amount: i64, now_ms: i64) -> Option<i64> {
        let origin = if self.from_now { now_ms } else { 0 };
        amount.checked_mul(self.unit_ms)?.checked_add(origin)
    }

    /// The amount that stands for `deadline_ms`, seconds rounded to the nearest. A deadline in the past is
    /// now.
    pub fn amount(self, deadline_ms: i64, now_ms: i64) -> i64 {
        let ms = self.milliseconds(deadline_ms, now_ms);
        ms / self.unit_ms + i64::from(2 * (ms % self.unit_ms) >= self.unit_ms)
    }

    /// The same, seconds rounded up.
    pub fn amount_rounded_up(self, deadline_ms: i64, now_ms: i64) -> i64 {
        let ms = self.milliseconds(deadline_ms, now_ms);
        ms / self.unit_ms + i64::from(ms % self.unit_ms > 0)
    }

    fn milliseconds(self, deadline_ms: i64, now_ms: i64) -> i64 {
        if self.from_now { (deadline_ms - now_ms).max(0) } else { deadline_ms }
    }
}

pub static EXPIRE: Command = Command::write("EXPIRE", expire)
    .syntax("key seconds [NX | XX | GT | LT]@7.0.0")
    .arity(AtLeast(3))
    .keys(UPDATED)
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Sets the expiration time of a key in seconds.")
    .history(HISTORY);

fn expire(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    set_deadline(call, txn, TimeUnit::SECONDS)
}

pub static PEXPIRE: Command = Command::write("PEXPIRE", pexpire)
    .syntax("key milliseconds [NX | XX | GT | LT]@7.0.0")
    .arity(AtLeast(3))
    .keys(UPDATED)
    .flags(Flags::FAST)
    .since("2.6.0")
    .complexity("O(1)")
    .summary("Sets the expiration time of a key in milliseconds.")
    .history(HISTORY);

fn pexpire(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    set_deadline(call, txn, TimeUnit::MILLISECONDS)
}

pub static EXPIREAT: Command = Command::write("EXPIREAT", expireat)
    .syntax("key unix-time-seconds [NX | XX | GT | LT]@7.0.0")
    .arity(AtLeast(3))
    .keys(UPDATED)
    .flags(Flags::FAST)
    .since("1.2.0")
    .complexity("O(1)")
    .summary("Sets the expiration time of a key to a Unix timestamp.")
    .history(HISTORY);

fn expireat(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    set_deadline(call, txn, TimeUnit::UNIX_SECONDS)
}

pub static PEXPIREAT: Command = Command::write("PEXPIREAT", pexpireat)
    .syntax("key unix-time-milliseconds [NX | XX | GT | LT]@7.0.0")
    .arity(AtLeast(3))
    .keys(UPDATED)
    .flags(Flags::FAST)
    .since("2.6.0")
    .complexity("O(1)")
    .summary("Sets the expiration time of a key to a Unix milliseconds timestamp.")
    .history(HISTORY);

fn pexpireat(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    set_deadline(call, txn, TimeUnit::UNIX_MILLISECONDS)
}

fn set_deadline(call: &mut Call<'_>, txn: &mut Transaction<'_>, unit: TimeUnit) -> Done {
    let key = call.next_key()?;
    let amount = call.args.take()?;
    // A wrong option is reported before a wrong number.
    let condition = DeadlineCondition::parse(call.args.rest())?;
    let amount = number::parse_i64(amount).ok_or(Error::NOT_INTEGER)?;
    let deadline = unit.deadline_ms(amount, call.now_ms);
    let deadline = deadline.ok_or_else(|| Error::invalid_expire(call.command.name))?;
    let Some(entry) = txn.find(&key) else { return call.integer(0) };
    refuse_deadline(entry)?;
    if !condition.allows(entry.deadline_ms(), deadline) {
        return call.integer(0);
    }
    let done = if deadline <= call.now_ms {
        remove_overdue(call, txn, &key)
    } else {
        txn.set_deadline(&key, Some(deadline))
    };
    call.integer(i64::from(done))
}

/// Removes a key that has got a deadline which is past; whether it was there.
pub fn remove_overdue(call: &Call<'_>, txn: &mut Transaction<'_>, key: &Key<'_>) -> bool {
    if call.dialect().past_deadlines_expire {
        txn.announce(Notice::Event(&event::EXPIRED));
    }
    txn.remove(key)
}

/// When a deadline may replace another.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeadlineCondition {
    absent: bool,
    present: bool,
    greater: bool,
    less: bool,
}

impl DeadlineCondition {
    pub fn parse<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<DeadlineCondition, Error> {
        let mut condition = DeadlineCondition::default();
        for word in words {
            let flag = match word {
                _ if is_word(word, "NX") => &mut condition.absent,
                _ if is_word(word, "XX") => &mut condition.present,
                _ if is_word(word, "GT") => &mut condition.greater,
                _ if is_word(word, "LT") => &mut condition.less,
                _ => return Err(Error::unsupported_option(word)),
            };
            *flag = true;
        }
        if condition.absent && (condition.present || condition.greater || condition.less) {
            return Err(Error::NX_AND_OTHERS);
        }
        if condition.greater && condition.less { Err(Error::GT_AND_LT) } else { Ok(condition) }
    }

    /// Whether `next` may replace `current`; what never expires counts as expiring last.
    pub fn allows(self, current: Option<i64>, next: i64) -> bool {
        (!self.absent || current.is_none())
            && (!self.present || current.is_some())
            && (!self.greater || current.is_some_and(|current| next > current))
            && (!self.less || current.is_none_or(|current| next < current))
    }
}

pub static TTL: Command = Command::read("TTL", ttl)
    .syntax("key")
    .arity(Exactly(2))
    .keys(READ)
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Returns the expiration time in seconds of a key.")
    .history(&[("2.8.0", "Added the -2 reply.")])
    .tips(&["nondeterministic_output"]);

fn ttl(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_deadline(call, view, TimeUnit::SECONDS)
}

pub static PTTL: Command = Command::read("PTTL", pttl)
    .syntax("key")
    .arity(Exactly(2))
    .keys(READ)
    .flags(Flags::FAST)
    .since("2.6.0")
    .complexity("O(1)")
    .summary("Returns the expiration time in milliseconds of a key.")
    .history(&[("2.8.0", "Added the -2 reply.")])
    .tips(&["nondeterministic_output"]);

fn pttl(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_deadline(call, view, TimeUnit::MILLISECONDS)
}

pub static EXPIRETIME: Command = Command::read("EXPIRETIME", expiretime)
    .syntax("key")
    .arity(Exactly(2))
    .keys(READ)
    .flags(Flags::FAST)
    .since("7.0.0")
    .complexity("O(1)")
    .summary("Returns the expiration time of a key as a Unix timestamp.");

fn expiretime(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_deadline(call, view, TimeUnit::UNIX_SECONDS)
}

pub static PEXPIRETIME: Command = Command::read("PEXPIRETIME", pexpiretime)
    .syntax("key")
    .arity(Exactly(2))
    .keys(READ)
    .flags(Flags::FAST)
    .since("7.0.0")
    .complexity("O(1)")
    .summary("Returns the expiration time of a key as a Unix milliseconds timestamp.");

fn pexpiretime(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_deadline(call, view, TimeUnit::UNIX_MILLISECONDS)
}

fn reply_deadline(call: &mut Call<'_>, view: &mut View<'_>, unit: TimeUnit) -> Done {
    let key = call.next_key()?;
    let Some(entry) = view.peek(&key) else { return call.integer(NO_KEY) };
    let Some(deadline) = entry.deadline_ms() else { return call.integer(NO_DEADLINE) };
    call.integer(unit.amount(deadline, call.now_ms))
}

/// The reply instead of a time when there is no key.
const NO_KEY: i64 = -2;
/// The reply instead of a time when the key does not expire.
const NO_DEADLINE: i64 = -1;

pub static PERSIST: Command = Command::write("PERSIST", persist)
    .syntax("key")
    .arity(Exactly(2))
    .keys(UPDATED)
    .flags(Flags::FAST)
    .since("2.2.0")
    .complexity("O(1)")
    .summary("Removes the expiration time of a key.");

fn persist(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let found = txn.find(&key);
    found.map_or(Ok(()), refuse_deadline)?;
    let expires = found.is_some_and(|entry| entry.deadline_ms().is_some());
    call.integer(i64::from(expires && txn.set_deadline(&key, None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_to_the_nearest() {
        assert_eq!(TimeUnit::SECONDS.amount(10_499, 0), 10);
        assert_eq!(TimeUnit::SECONDS.amount(10_500, 0), 11);
        assert_eq!(TimeUnit::MILLISECONDS.amount(10_499, 10_000), 499);
        assert_eq!(TimeUnit::UNIX_SECONDS.amount(i64::MAX, 0), 9_223_372_036_854_776);
        assert_eq!(TimeUnit::SECONDS.amount(5, 10), 0, "what is about to expire has no negative time left");
    }

    #[test]
    fn an_instant_beyond_64_bits_is_none() {
        assert_eq!(TimeUnit::SECONDS.deadline_ms(i64::MAX / 1000, 1000), None);
        assert_eq!(TimeUnit::UNIX_SECONDS.deadline_ms(i64::MAX / 1000 + 1, 0), None);
        assert_eq!(TimeUnit::UNIX_MILLISECONDS.deadline_ms(i64::MAX, 1000), Some(i64::MAX));
        assert_eq!(TimeUnit::MILLISECONDS.deadline_ms(-5, 1000), Some(995));
    }

    #[test]
    fn no_deadline_counts_as_the_latest() {
        let condition = |greater, less| DeadlineCondition { greater, less, ..DeadlineCondition::default() };
        assert!(!condition(true, false).allows(None, i64::MAX));
        assert!(condition(false, true).allows(None, i64::MAX));
        assert!(!condition(true, false).allows(Some(5), 5) && !condition(false, true).allows(Some(5), 5));
        assert!(condition(true, false).allows(Some(5), 6) && condition(false, true).allows(Some(5), 4));
    }
}
