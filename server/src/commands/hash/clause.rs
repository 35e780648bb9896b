//! `FIELDS numfields field [field ...]`, the end of the commands over deadlines of fields. The real servers disagree on where
//! it may stand and on what to say when it is wrong; both say it in words of their own.

use smallvec::SmallVec;

use crate::command::args::is_word;
use crate::command::{Args, Call, Error};

/// The fields that a call names, each with its value if they are pairs.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    args: Args<'a>,
    words: usize,
    width: usize,
}

impl<'a> Named<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.words / self.width
    }

    /// The fields.
    pub fn fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.args.rest().take(self.words).step_by(self.width)
    }

    /// The fields with their values.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        self.fields().zip(self.args.rest().take(self.words).skip(1).step_by(self.width))
    }
}

/// What is answered to a clause that is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Refusals {
    missing: &'static Error,
    not_integer: &'static Error,
    not_positive: &'static Error,
    unequal: &'static Error,
    /// Whether a key of that name counts as the word.
    begins_at_key: bool,
}

/// The refusals of a command: those of Redis, and those of Valkey.
pub type Both = [Refusals; 2];

const REDIS: Refusals = Refusals {
    missing: &Error::FIELDS_MISSING,
    not_integer: &Error::FIELDS_NOT_POSITIVE,
    not_positive: &Error::FIELDS_NOT_POSITIVE,
    unequal: &Error::FIELDS_UNEQUAL,
    begins_at_key: false,
};
const VALKEY: Refusals = Refusals {
    missing: &Error::NUMFIELDS,
    not_integer: &Error::NOT_INTEGER,
    not_positive: &Error::NUMFIELDS,
    unequal: &Error::NUMFIELDS,
    begins_at_key: false,
};

/// Of HEXPIRE and its kin.
pub const OF_DEADLINES: Both = [
    Refusals { not_integer: &Error::NUMFIELDS_PARAMETER, not_positive: &Error::NUMFIELDS_PARAMETER, ..REDIS },
    VALKEY,
];
/// Of commands with other options.
pub const OF_VALUES: Both = [REDIS, Refusals { begins_at_key: true, ..VALKEY }];
/// Of commands without options that write.
pub const OF_WRITES: Both = [REDIS, Refusals { missing: &Error::SYNTAX, ..VALKEY }];
/// Of commands without options that read.
pub const OF_READS: Both = [
    REDIS,
    Refusals { missing: &Error::SYNTAX, not_positive: &Error::SYNTAX, unequal: &Error::SYNTAX, ..VALKEY },
];

/// Words that are options.
pub type Words<'a> = SmallVec<[&'a [u8]; 4]>;

/// Takes options and the clause. Where Redis is imitated, options may also stand behind it.
pub fn with_options<'a, O>(
    call: &mut Call<'a>,
    width: usize,
    refusals: &Both,
    read: impl Fn(&Words<'a>) -> Result<O, Error>,
) -> Result<(O, Named<'a>), Error> {
    let is_strict = call.dialect().fields_checked_first;
    let refusals = &refusals[usize::from(is_strict)];
    let mut words = Words::new();
    let is_key = refusals.begins_at_key && call.request().arg(1).is_some_and(|key| is_word(key, "FIELDS"));
    while !is_key && !call.args.take_word("FIELDS") {
        words.push(call.args.next().ok_or_else(|| refusals.missing.clone())?);
    }
    if call.args.is_empty() {
        return Err(refusals.missing.clone());
    }
    let options = read(&words)?;
    let named = numbered(&mut call.args, width, refusals)?;
    if call.args.is_empty() {
        return Ok((options, named));
    }
    words.extend(call.args.rest());
    let options = if is_strict { None } else { read(&words).ok() };
    options.map(|options| (options, named)).ok_or_else(|| refusals.unequal.clone())
}

/// Takes the clause, and nothing else.
pub fn alone<'a>(call: &mut Call<'a>, refusals: &Both) -> Result<Named<'a>, Error> {
    let refusals = &refusals[usize::from(call.dialect().fields_checked_first)];
    if !call.args.take_word("FIELDS") {
        return Err(refusals.missing.clone());
    }
    let named = numbered(&mut call.args, 1, refusals)?;
    if call.args.is_empty() { Ok(named) } else { Err(refusals.unequal.clone()) }
}

fn numbered<'a>(args: &mut Args<'a>, width: usize, refusals: &Refusals) -> Result<Named<'a>, Error> {
    let number = args.integer().map_err(|_| refusals.not_integer.clone())?;
    let count = usize::try_from(number).ok().filter(|&count| count > 0);
    let count = count.ok_or_else(|| refusals.not_positive.clone())?;
    let words = count.checked_mul(width).filter(|&words| words <= args.len());
    let words = words.ok_or_else(|| refusals.unequal.clone())?;
    let named = Named { args: *args, words, width };
    *args = args.behind(words)?;
    Ok(named)
}
