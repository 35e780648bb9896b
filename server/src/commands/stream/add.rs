//! Adding entries, and cutting off the oldest.

use shardis_storage::Transaction;
use shardis_storage::types::stream::{BlockLimits, ENTRY_BYTES_MAX, Log, Stream, StreamId, Trim, TrimTo};

use super::options::TrimOptions;
use super::{block_limits, id, reply_id};
use crate::command::Arity::AtLeast;
use crate::command::args::until_zero;
use crate::command::event;
use crate::command::{Args, Call, Command, Done, Error, Flags, Flow, key};

pub static XADD: Command = Command::write("XADD", xadd)
    .syntax(
        "key [NOMKSTREAM]@6.2.0 condition=[KEEPREF | DELREF | ACKED]@8.2.0 \
         trim=[strategy=<MAXLEN | MINID@6.2.0> operator=[= | ~] threshold [LIMIT count:integer]@6.2.0] \
         id-selector=<* | id> field value [field value ...]",
    )
    .arity(AtLeast(5))
    .keys(&[key(1)
        .read_write()
        .updates()
        .notes("UPDATE instead of INSERT because of the optional trimming feature")])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since("5.0.0")
    .complexity(
        "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
    )
    .summary("Appends a new message to a stream. Creates the key if it doesn't exist.")
    .history(&[
        ("6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option."),
        ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
        ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
    ])
    .tips(&["nondeterministic_output"]);

fn xadd(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let limits = block_limits(call);
    let options = TrimOptions::parse(&mut call.args, true)?;
    let wish = call.args.next().map(Wish::parse).transpose()?;
    let trim = options.trim(limits)?;
    let pairs = call.args;
    let Some(wish) = wish.filter(|_| !pairs.is_empty() && pairs.len().is_multiple_of(2)) else {
        return Err(Error::arity("xadd"));
    };
    if wish == (Wish::Id(StreamId::MIN)) {
        return Err(Error::ID_ZERO);
    }
    let entry = Entry { wish, pairs, now_ms: call.now_ms, limits };
    let (id, trimmed) = if let Some(mut stream) = txn.edit::<Stream>(&key)? {
        let id = entry.id(stream.log())?;
        if should_offload(call, stream.log(), trim) {
            return Ok(Flow::Offload);
        }
        stream.change(|stream| {
            entry.append(stream, id);
            let trimmed = trim.map_or(0, |trim| stream.trim(trim, options.references()));
            (true, (id, trimmed))
        })
    } else if options.must_exist {
        return call.null();
    } else {
        let id = entry.id(&Log::default())?;
        txn.upsert::<Stream>(&key)?.change(|stream| {
            entry.append(stream, id);
            let trimmed = trim.map_or(0, |trim| stream.trim(trim, options.references()));
            (true, (id, trimmed))
        })
    };
    if trimmed > 0 {
        txn.tell(&key, &event::STREAM_TRIMMED);
    }
    reply_id(call.reply, id);
    Ok(Flow::Done)
}

/// The id that an entry is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// One that the server makes.
    Any,
    /// One of this millisecond.
    At(u64),
    /// This.
    Id(StreamId),
}

impl Wish {
    fn parse(word: &[u8]) -> Result<Wish, Error> {
        if until_zero(word) == b"*" {
            return Ok(Wish::Any);
        }
        let (ms, seq) = id::parse_for_entry(word)?;
        Ok(seq.map_or(Wish::At(ms), |seq| Wish::Id(StreamId { ms, seq })))
    }
}

/// An entry that is to be added.
struct Entry<'a> {
    wish: Wish,
    pairs: Args<'a>,
    now_ms: i64,
    limits: BlockLimits,
}

impl Entry<'_> {
    /// The id that it gets.
    fn id(&self, log: &Log) -> Result<StreamId, Error> {
        let last = log.last_id();
        let next = last.next().ok_or(Error::IDS_EXHAUSTED)?;
        let now_ms = u64::try_from(self.now_ms).unwrap_or(0);
        let id = match self.wish {
            Wish::Any if now_ms > last.ms => StreamId { ms: now_ms, seq: 0 },
            Wish::Any => next,
            Wish::At(ms) if ms == last.ms => {
                Some(next).filter(|next| next.ms == ms).ok_or(Error::ID_TOO_SMALL)?
            }
            Wish::At(ms) => StreamId { ms, seq: 0 },
            Wish::Id(id) => id,
        };
        if id <= last {
            return Err(Error::ID_TOO_SMALL);
        }
        let bytes: usize = self.pairs.into_iter().map(<[u8]>::len).sum();
        if bytes > ENTRY_BYTES_MAX { Err(Error::ENTRY_TOO_LARGE) } else { Ok(id) }
    }

    fn append(&self, stream: &mut Stream, id: StreamId) {
        stream.append(id, Pairs(self.pairs), self.limits);
    }
}

/// Words as pairs.
#[derive(Clone)]
struct Pairs<'a>(Args<'a>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len() / 2, Some(self.0.len() / 2))
    }
}

impl ExactSizeIterator for Pairs<'_> {}

/// Whether cutting off what is too much takes long.
fn should_offload(call: &Call<'_>, log: &Log, trim: Option<Trim>) -> bool {
    let excess = match trim.map(|trim| (trim.to, trim.entries_max)) {
        None => 0,
        Some((TrimTo::Len(len), 0)) => log.len().saturating_sub(len),
        Some((TrimTo::Id(id), 0)) if id > log.first_id() => log.len(),
        Some((TrimTo::Id(_), 0)) => 0,
        Some((_, entries_max)) => entries_max.min(log.len()),
    };
    call.should_offload(usize::try_from(excess).unwrap_or(usize::MAX) / ENTRIES_PER_WORK_UNIT)
}

/// Most entries go with their whole block.
const ENTRIES_PER_WORK_UNIT: usize = 64;

pub static XTRIM: Command = Command::write("XTRIM", xtrim)
    .syntax(
        "key trim=<strategy=<MAXLEN | MINID@6.2.0> operator=[= | ~] threshold [LIMIT count:integer]@6.2.0 \
         condition=[KEEPREF | DELREF | ACKED]@8.2.0>",
    )
    .arity(AtLeast(4))
    .keys(&[key(1).read_write().deletes()])
    .since("5.0.0")
    .complexity(
        "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are \
         organized in macro nodes containing multiple entries that can be released with a single deallocation.",
    )
    .summary("Deletes messages from the beginning of a stream.")
    .history(&[
        ("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option."),
        ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
    ])
    .tips(&["nondeterministic_output"]);

fn xtrim(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let options = TrimOptions::parse(&mut call.args, false)?;
    let trim = options.trim(block_limits(call))?.ok_or(Error::NO_TRIM)?;
    let Some(mut stream) = txn.edit::<Stream>(&key)? else { return call.integer(0) };
    if should_offload(call, stream.log(), Some(trim)) {
        return Ok(Flow::Offload);
    }
    let trimmed = stream.change(|stream| {
        let trimmed = stream.trim(trim, options.references());
        (trimmed > 0, trimmed)
    });
    drop(stream);
    call.integer(trimmed)
}
