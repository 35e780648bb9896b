//! The words behind the owner of a request for a lock or for permits: how, how long, and whether to wait.

use shardis_protocol::number;
use shardis_storage::types::lock::{Mode, Term};

use crate::command::{Args, Call, Error};
use crate::config::locks::LEASE_MS_MAX;
use crate::locks::{COUNT_MAX, OWNER_BYTES_MAX, TEXT_BYTES_MAX};

/// What a request asks for beside key and owner.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// How long, in milliseconds.
    lease_ms: Option<u64>,
    /// As long as the connection lives, and so long after that.
    grace_ms: Option<u64>,
    /// How long to wait; 0 is for ever.
    pub wait_ms: Option<u64>,
    /// Whether others may share it.
    is_shared: bool,
    /// How often the owner may hold it.
    pub limit: Option<u32>,
    /// Whether to go ahead of others who wait.
    pub barges: bool,
    /// A remark.
    pub note: Option<&'a [u8]>,
    /// How many permits.
    pub count: Option<u64>,
}

/// Whose options these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A request for locks.
    Lock,
    /// A request for permits.
    Semaphore,
}

impl<'a> Options<'a> {
    /// Takes all words that are left.
    pub fn parse(args: &mut Args<'a>, of: Of) -> Result<Options<'a>, Error> {
        let mut options = Options::default();
        while !args.is_empty() {
            let is_lock = of == Of::Lock;
            if args.take_word("LEASE") {
                once(&mut options.lease_ms, milliseconds(args, "LEASE", 1)?)?;
            } else if args.take_word("SESSION") {
                let grace_ms = if args.take_word("GRACE") { milliseconds(args, "GRACE", 0)? } else { 0 };
                once(&mut options.grace_ms, grace_ms)?;
            } else if args.take_word("WAIT") {
                once(&mut options.wait_ms, milliseconds(args, "WAIT", 0)?)?;
            } else if is_lock && args.take_word("LIMIT") {
                let limit = in_range(args, "LIMIT", 1, u32::MAX.into())?;
                once(&mut options.limit, u32::try_from(limit).unwrap_or(u32::MAX))?;
            } else if is_lock && args.take_word("NOTE") {
                once(&mut options.note, text(args, "NOTE")?)?;
            } else if is_lock && !options.is_shared && args.take_word("SHARED") {
                options.is_shared = true;
            } else if is_lock && !options.barges && args.take_word("BARGE") {
                options.barges = true;
            } else if !is_lock && args.take_word("N") {
                once(&mut options.count, in_range(args, "N", 1, COUNT_MAX)?)?;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        if options.lease_ms.is_some() && options.grace_ms.is_some() {
            return Err(Error::LEASE_AND_SESSION);
        }
        Ok(options)
    }

    /// How the lock is to be held.
    pub fn mode(&self) -> Mode {
        if self.is_shared { Mode::Shared } else { Mode::Exclusive }
    }

    /// How long, from now on.
    pub fn term(&self, call: &Call<'_>, now_ms: u64) -> Term {
        let settings = &call.state.config.locks;
        match self.grace_ms {
            Some(grace_ms) => Term::Session { grace_ms, end_ms: settings.session_end_ms(now_ms) },
            None => {
                let usual_ms = || settings.default_lease_ms.value().unsigned_abs();
                Term::Lease { end_ms: now_ms.saturating_add(self.lease_ms.unwrap_or_else(usual_ms)) }
            }
        }
    }
}

/// Takes the name of an owner.
pub fn owner<'a>(args: &mut Args<'a>) -> Result<&'a [u8], Error> {
    let owner = args.take()?;
    if (1..=OWNER_BYTES_MAX).contains(&owner.len()) { Ok(owner) } else { Err(Error::owner_length()) }
}

/// Takes a remark.
pub fn text<'a>(args: &mut Args<'a>, name: &str) -> Result<&'a [u8], Error> {
    let text = args.take()?;
    if text.len() <= TEXT_BYTES_MAX { Ok(text) } else { Err(Error::text_length(name)) }
}

/// Takes a time.
pub fn milliseconds(args: &mut Args<'_>, name: &str, min: i64) -> Result<u64, Error> {
    let range = min..=LEASE_MS_MAX;
    let value = number::parse_i64(args.take()?).filter(|value| range.contains(value));
    value.and_then(|value| u64::try_from(value).ok()).ok_or_else(|| Error::lease_range(name, min))
}

/// Takes a number in a range.
pub fn in_range(args: &mut Args<'_>, name: &str, min: i64, max: i64) -> Result<u64, Error> {
    let value = number::parse_i64(args.take()?).filter(|value| (min..=max).contains(value));
    value.and_then(|value| u64::try_from(value).ok()).ok_or_else(|| Error::count_range(name, min, max))
}

/// Takes a fence.
pub fn fence(args: &mut Args<'_>) -> Result<u64, Error> {
    let fence = number::parse_i64(args.take()?).and_then(|fence| u64::try_from(fence).ok());
    fence.ok_or(Error::FENCE_NOT_INTEGER)
}

/// Takes `FENCE n`, once.
pub fn fence_option(args: &mut Args<'_>, found: &mut Option<u64>) -> Result<bool, Error> {
    let is_there = args.take_word("FENCE");
    if is_there {
        let fence = fence(args)?;
        once(found, fence)?;
    }
    Ok(is_there)
}

/// Sets an option that is not set yet.
fn once<T>(option: &mut Option<T>, value: T) -> Result<(), Error> {
    match option.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::SYNTAX),
    }
}
