//! BITFIELD and BITFIELD_RO: several integers in one string. All steps are read before the first is done, so that a string
//! is made as long as the last of those that write needs it. What becomes of an integer that does not fit is `integer`.

use shardis_protocol::{Reply, Request};
use shardis_storage::{IntBuffer, StringRef, Transaction, View, bits};
use smallvec::SmallVec;

use super::integer::{Integer, Overflow};
use super::{bit_offset, grows_long};
use crate::command::Arity::AtLeast;
use crate::command::args::{is_word, until_zero};
use crate::command::{Access, Args, Call, Command, Done, Error, Flags, Flow, event, key};
use crate::config::Dialect;

pub static BITFIELD: Command = Command::write("BITFIELD", bitfield)
    .syntax(
        "key [operation=<get-block=GET encoding offset | write=<overflow-block=[OVERFLOW <WRAP | SAT | FAIL>] \
         write-operation=<set-block=SET encoding offset value:integer | incrby-block=INCRBY encoding offset \
         increment>>> [operation ...]]",
    )
    .arity(AtLeast(2))
    .keys(&[key(1)
        .read_write()
        .accesses()
        .updates()
        .varying(access)
        .notes("This command allows both access and modification of the key")])
    .flags(Flags::DENY_OOM)
    .event("setbit")
    .since("3.2.0")
    .complexity("O(1) for each subcommand specified")
    .summary("Performs arbitrary bitfield integer operations on strings.");

/// Whether all steps read, as far as that can be seen.
fn access(request: Request<'_>, _: &Dialect) -> Access {
    let mut args = Args::new(request, 2);
    while let Some(word) = args.next() {
        let behind = match Word::of(word, args.len()) {
            Some(Word::Get) => 2,
            Some(Word::Overflow) => 1,
            Some(Word::Set | Word::Increment) | None => {
                return Access(Access::READ_WRITE | Access::ACCESS | Access::UPDATE);
            }
        };
        args = args.behind(behind).unwrap_or(args);
    }
    Access(Access::READ_ONLY | Access::ACCESS)
}

fn bitfield(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let steps = steps(call)?;
    if call.should_offload(steps.len()) {
        return Ok(Flow::Offload);
    }
    let Some(len) = steps.iter().filter_map(Step::len_min).max() else {
        let value = txn.string(&key)?;
        return read(call.reply, value, &steps);
    };
    if grows_long(call, txn, &key, len) {
        return Ok(Flow::Offload);
    }
    let start = steps.iter().map(|step| step.offset / 8).min().unwrap_or(0);
    let end = steps.iter().map(Step::end).max().unwrap_or(0);
    let is_silent = txn.change_bytes(&key, len, start..end, |bytes, old_len| {
        let is_longer = old_len.is_none_or(|old_len| old_len < len);
        call.reply.array(steps.len());
        let mut is_changed = false;
        for step in &steps {
            let is_other = step.run(bytes, start * 8, call.reply);
            is_changed |= is_other.is_some_and(|is_other| is_other || is_longer);
        }
        (is_changed, !is_changed && old_len.is_none())
    })?;
    // As in the real servers, a string of zeros is left behind where nothing could be written, which is no change of the key.
    if is_silent {
        txn.tell(&key, &event::NEW);
    }
    Ok(Flow::Done)
}

pub static BITFIELD_RO: Command = Command::read("BITFIELD_RO", bitfield_ro)
    .syntax("key [get-block=GET encoding offset [GET encoding offset ...]]")
    .arity(AtLeast(2))
    .keys(&[key(1).read_only().accesses()])
    .flags(Flags::FAST)
    .since("6.0.0")
    .complexity("O(1) for each subcommand specified")
    .summary("Performs arbitrary read-only bitfield integer operations on strings.");

fn bitfield_ro(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let steps = steps(call)?;
    if steps.iter().any(|step| step.len_min().is_some()) {
        return Err(Error::BITFIELD_READS_ONLY);
    }
    if call.should_offload(steps.len()) {
        return Ok(Flow::Offload);
    }
    let value = view.string(&key)?;
    read(call.reply, value, &steps)
}

/// Replies to steps that only read.
fn read(reply: &mut Reply, value: Option<StringRef<'_>>, steps: &[Step]) -> Done {
    let mut digits = IntBuffer::new();
    let bytes = value.as_ref().map_or(&b""[..], |value| value.bytes(&mut digits));
    reply.array(steps.len());
    for step in steps {
        reply.integer(step.integer.read(bits::field(bytes, step.offset, step.integer.width)));
    }
    Ok(Flow::Done)
}

/// The word that begins a step.
enum Word {
    Get,
    Set,
    Increment,
    Overflow,
}

impl Word {
    /// The word, if as many others follow as it needs.
    fn of(word: &[u8], behind: usize) -> Option<Word> {
        let known = [("GET", 2, Word::Get), ("SET", 3, Word::Set), ("INCRBY", 3, Word::Increment)];
        let known = known.into_iter().chain([("OVERFLOW", 1, Word::Overflow)]);
        let mut fitting = known.filter(|(name, needed, _)| is_word(word, name) && behind >= *needed);
        fitting.next().map(|(_, _, word)| word)
    }
}

/// What is to be done to one integer.
struct Step {
    integer: Integer,
    offset: usize,
    action: Action,
    overflow: Overflow,
}

#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Increment(i64),
}

/// Reads all steps of a call.
fn steps(call: &mut Call<'_>) -> Result<SmallVec<[Step; STEPS_INLINE]>, Error> {
    let mut steps = SmallVec::new();
    let mut overflow = Overflow::Wrap;
    while let Some(word) = call.args.next() {
        let word = Word::of(word, call.args.len()).ok_or(Error::SYNTAX)?;
        if let Word::Overflow = word {
            overflow = Overflow::named(call.args.take()?).ok_or(Error::BITFIELD_OVERFLOW)?;
            continue;
        }
        let integer = call.args.take()?;
        let integer = if call.dialect().bitfield_type_ends_at_zero { until_zero(integer) } else { integer };
        let integer = Integer::named(integer).ok_or(Error::BITFIELD_TYPE)?;
        let place = call.args.take()?;
        let offset = match place.strip_prefix(b"#") {
            Some(number) => bit_offset(call, number, integer.width.into())?,
            None => bit_offset(call, place, 1)?,
        };
        let action = match word {
            Word::Set => Action::Set(call.args.integer()?),
            Word::Increment => Action::Increment(call.args.integer()?),
            Word::Get | Word::Overflow => Action::Get,
        };
        steps.push(Step { integer, offset, action, overflow });
    }
    Ok(steps)
}

impl Step {
    /// The byte where it ends.
    fn end(&self) -> usize {
        (self.offset + self.integer.width as usize).div_ceil(8)
    }

    /// How long the string has to be; nothing if it is only read.
    fn len_min(&self) -> Option<usize> {
        match self.action {
            Action::Get => None,
            Action::Set(_) | Action::Increment(_) => Some(self.end()),
        }
    }

    /// Does it to the bytes of a string from a bit on and replies; of what has been written, whether that is another integer than
    /// before.
    fn run(&self, bytes: &mut [u8], start: usize, reply: &mut Reply) -> Option<bool> {
        let (offset, width) = (self.offset - start, self.integer.width);
        let old = self.integer.read(bits::field(bytes, offset, width));
        let new = match self.action {
            Action::Get => {
                reply.integer(old);
                return None;
            }
            Action::Set(value) => self.integer.set(value, self.overflow),
            Action::Increment(increment) => self.integer.add(old, increment, self.overflow),
        };
        let Some(new) = new else {
            reply.null();
            return None;
        };
        bits::set_field(bytes, offset, width, new as u64);
        reply.integer(if let Action::Set(_) = self.action { old } else { new });
        Some(new != old)
    }
}

/// Steps of a call that take no allocation.
const STEPS_INLINE: usize = 4;
