//! The options that SET and its relatives share: when to write, and what becomes of the time to live. Words
//! are recognised first and numbers read later, because a wrong word is reported before a wrong number.

use shardis_protocol::number;
use shardis_storage::{Deadline, EntryRef};

use super::conditional::Comparison;
use crate::command::args::is_word;
use crate::command::{Call, Error};
use crate::commands::keys::expire::TimeUnit;

/// What a call said behind its keys and values.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// When to write.
    pub condition: Condition<'a>,
    /// What becomes of the time to live.
    pub expiry: Expiry<'a>,
    /// `GET`: reply the old value.
    pub old_value: bool,
}

/// When to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    /// In any case.
    Always,
    /// `NX`: if there is no such key.
    Absent,
    /// `XX`: if there is one.
    Present,
    /// `IFEQ`, `IFNE`, `IFDEQ`, `IFDNE`: if the value compares so.
    Compares(Comparison<'a>),
}

/// What becomes of the time to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry<'a> {
    /// Nothing was said.
    Unsaid,
    /// `KEEPTTL`.
    Keep,
    /// `PERSIST`.
    Persist,
    /// `EX`, `PX`, `EXAT`, `PXAT`: the unit, and the number as it was sent.
    Until(TimeUnit, &'a [u8]),
}

/// An option word of a command.
pub type Word = (&'static str, Meaning);

/// What a word stands for.
#[derive(Clone, Copy, Debug)]
pub enum Meaning {
    Condition(Condition<'static>),
    /// A comparison with the next argument: of digests or values, for equality or difference.
    Compare {
        digest: bool,
        equal: bool,
    },
    Expiry(Expiry<'static>),
    /// A time, in the next argument.
    Until(TimeUnit),
    OldValue,
}

impl<'a> Options<'a> {
    /// Takes all arguments that are left, each of them one of `words` or its operand. A word may be repeated;
    /// of two that exclude each other the second is a syntax error.
    pub fn parse(args: impl IntoIterator<Item = &'a [u8]>, words: &[Word]) -> Result<Options<'a>, Error> {
        let mut args = args.into_iter();
        let mut take = || args.next();
        let mut options = Options { condition: Condition::Always, expiry: Expiry::Unsaid, old_value: false };
        while let Some(arg) = take() {
            let named = |(name, _): &&Word| is_word(arg, name);
            let &(_, meaning) = words.iter().find(named).ok_or(Error::SYNTAX)?;
            match meaning {
                Meaning::Condition(condition) => options.require(condition)?,
                Meaning::Compare { digest, equal } => {
                    let operand = take().ok_or(Error::SYNTAX)?;
                    options.require(Condition::Compares(Comparison { digest, equal, operand }))?;
                }
                Meaning::Expiry(expiry) => options.expire(expiry)?,
                Meaning::Until(unit) => options.expire(Expiry::Until(unit, take().ok_or(Error::SYNTAX)?))?,
                Meaning::OldValue => options.old_value = true,
            }
        }
        Ok(options)
    }

    fn require(&mut self, condition: Condition<'a>) -> Result<(), Error> {
        let fits = match self.condition {
            Condition::Always => true,
            Condition::Compares(_) => false,
            chosen => chosen == condition,
        };
        self.condition = condition;
        if fits { Ok(()) } else { Err(Error::SYNTAX) }
    }

    fn expire(&mut self, expiry: Expiry<'a>) -> Result<(), Error> {
        let fits = match (self.expiry, expiry) {
            (Expiry::Unsaid, _) => true,
            (Expiry::Until(chosen, _), Expiry::Until(unit, _)) => chosen == unit,
            (chosen, expiry) => chosen == expiry,
        };
        self.expiry = expiry;
        if fits { Ok(()) } else { Err(Error::SYNTAX) }
    }
}

impl Condition<'_> {
    /// Whether to write over what is there now.
    pub fn holds(self, current: Option<EntryRef<'_>>) -> Result<bool, Error> {
        match (self, current) {
            (Condition::Always, _) => Ok(true),
            (Condition::Absent, current) => Ok(current.is_none()),
            (Condition::Present, current) => Ok(current.is_some()),
            // What is not there differs from everything.
            (Condition::Compares(comparison), None) => Ok(!comparison.equal),
            (Condition::Compares(comparison), Some(entry)) => {
                comparison.holds(entry.string().ok_or(Error::WRONG_TYPE)?)
            }
        }
    }
}

impl Expiry<'_> {
    /// The deadline to write with; the number must be positive and within reach.
    pub fn deadline(self, call: &Call<'_>) -> Result<Deadline, Error> {
        let (unit, operand) = match self {
            Expiry::Unsaid | Expiry::Persist => return Ok(Deadline::Never),
            Expiry::Keep => return Ok(Deadline::Keep),
            Expiry::Until(unit, operand) => (unit, operand),
        };
        let amount = number::parse_i64(operand).ok_or(Error::NOT_INTEGER)?;
        let deadline = if amount > 0 { unit.deadline_ms(amount, call.now_ms) } else { None };
        deadline.map(Deadline::At).ok_or_else(|| Error::invalid_expire(call.command.name))
    }
}

pub const NX: Word = ("NX", Meaning::Condition(Condition::Absent));
pub const XX: Word = ("XX", Meaning::Condition(Condition::Present));
pub const IFEQ: Word = ("IFEQ", Meaning::Compare { digest: false, equal: true });
pub const IFNE: Word = ("IFNE", Meaning::Compare { digest: false, equal: false });
pub const IFDEQ: Word = ("IFDEQ", Meaning::Compare { digest: true, equal: true });
pub const IFDNE: Word = ("IFDNE", Meaning::Compare { digest: true, equal: false });
pub const GET: Word = ("GET", Meaning::OldValue);
pub const EX: Word = ("EX", Meaning::Until(TimeUnit::SECONDS));
pub const PX: Word = ("PX", Meaning::Until(TimeUnit::MILLISECONDS));
pub const EXAT: Word = ("EXAT", Meaning::Until(TimeUnit::UNIX_SECONDS));
pub const PXAT: Word = ("PXAT", Meaning::Until(TimeUnit::UNIX_MILLISECONDS));
pub const KEEPTTL: Word = ("KEEPTTL", Meaning::Expiry(Expiry::Keep));
pub const PERSIST: Word = ("PERSIST", Meaning::Expiry(Expiry::Persist));
