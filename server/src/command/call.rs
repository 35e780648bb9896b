//! One invocation of a command: its arguments, its reply and what it may know of its caller.

use std::cell::Cell;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shardis_protocol::limits::{ARGUMENT_BYTES_MIN, BULK_SHARED_BYTES_MIN};
use shardis_protocol::{LongDouble, OwnedRequest, Reply, Request, Version, number};
use shardis_storage::types::packed::Element;
use shardis_storage::{Db, Key, KeyHash, Random, ShardTotals, StringRef};
use smallvec::SmallVec;

use super::{Args, Command, Error, Reach};
use crate::client::ClientInfo;
use crate::client::limits::OUTPUT_BYTES_MAX;
use crate::config::Dialect;
use crate::locks::register::GrantRef;
use crate::scripting::functions::Called;
use crate::scripting::script::Script;
use crate::state::State;

/// What a handler answers: an error replaces whatever it had written.
pub type Done = Result<Flow, Error>;

/// How a call went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The reply is written.
    Done,
    /// Nothing was changed or written: the work is large, run it once more on an executor thread.
    Offload,
    /// Nothing is written or changed: the client waits, as [`Call::block`] says.
    Block,
}

/// A wait that a command asks for.
#[derive(Clone, Debug)]
pub struct Block {
    /// When it ends, in time that has elapsed on the clock; `None` for never.
    pub end: Option<Duration>,
    /// Writes the reply if nothing has happened until then.
    pub time_is_over: fn(&mut Reply),
    /// Writes the reply where nobody can wait: inside a program.
    pub cannot_wait: fn(&mut Reply),
    /// Its turn, if it has taken one already.
    pub ticket: Option<i64>,
    /// What is run again instead of what was called, where words of that mean the instant at which it was.
    pub again: Option<OwnedRequest>,
}

/// One invocation.
pub struct Call<'c> {
    /// What is invoked; of a container the subcommand.
    pub command: &'static Command,
    /// The arguments behind the name (and the subcommand).
    pub args: Args<'c>,
    /// Where the reply goes.
    pub reply: &'c mut Reply,
    /// The server.
    pub state: &'c State,
    /// The database selected by the caller.
    pub db: Db,
    /// The instant of this call: Unix milliseconds.
    pub now_ms: i64,
    /// Whether the keys that it looks up are noted as accessed.
    pub notes_accesses: bool,
    /// Whether it may read keys that only running it tells.
    pub may_discover: bool,
    /// Whether the call can be run once more by somebody who may take long; false with him, so that offloading ends there.
    pub may_offload: bool,
    /// The program that runs it, if one does.
    pub(crate) program: Option<Caller<'c>>,
    /// The script that it runs, once it has been found.
    pub(crate) script: Option<Arc<Script>>,
    /// The function that it calls, once it has been found.
    pub(crate) function: Option<Called>,
    /// The sizes of all shards, where they are locked already.
    pub(crate) totals: Option<Box<ShardTotals>>,
    /// The hash of the first key, made while planning.
    pub(crate) first_key: Option<FirstKey>,
    /// The word of the one key to look at, when a call that has blocked is run again because of it.
    pub(crate) ready_key: Option<usize>,
    /// What the client is to wait for, once the handler has said so.
    pub(crate) block: Option<Block>,
    /// Who makes it, if the command wants to know.
    pub(crate) client: Option<Arc<ClientInfo>>,
    /// Its turn, when a call that has blocked is run again.
    pub(crate) ticket: Option<i64>,
    /// What it has been granted.
    pub(crate) granted: SmallVec<[GrantRef; 1]>,
}

/// The program that a call is part of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller<'c> {
    /// Whether it is a script or a function, not a transaction.
    pub is_script: bool,
    /// The instant of all calls that ask for one, once the first has asked: Unix microseconds.
    pub time_us: &'c Cell<Option<i64>>,
    /// Whether it is a transaction that began because all conditions in it held.
    pub has_met_conditions: bool,
}

/// The first key of a call: its word, which is not the name, and its hash.
#[derive(Clone, Copy, Debug)]
pub struct FirstKey {
    /// Its word.
    pub at: NonZeroU16,
    /// Its hash.
    pub hash: KeyHash,
}

/// A word of a call as a key, hashed once.
#[inline(always)]
fn key_at<'c>(state: &State, request: Request<'c>, first: Option<FirstKey>, at: usize) -> Option<Key<'c>> {
    let bytes = request.arg(at)?;
    let first = first.filter(|first| usize::from(first.at.get()) == at);
    Some(first.map_or_else(|| state.keyspace.key(bytes), |first| Key::with_hash(bytes, first.hash)))
}

impl<'c> Call<'c> {
    /// All words of the call.
    #[inline]
    pub fn request(&self) -> Request<'c> {
        self.args.request()
    }

    /// Word `index` of the call as a key.
    #[inline(always)]
    pub fn key(&self, index: usize) -> Result<Key<'c>, Error> {
        key_at(self.state, self.request(), self.first_key, index).ok_or(Error::SYNTAX)
    }

    /// Takes the next argument as a key.
    #[inline(always)]
    pub fn next_key(&mut self) -> Result<Key<'c>, Error> {
        let at = self.request().len() - self.args.len();
        self.args.take()?;
        self.key(at)
    }

    /// The keys of the call, from its declaration, in order.
    pub fn keys(&self) -> impl Iterator<Item = Key<'c>> + use<'c> {
        let (state, request, first) = (self.state, self.request(), self.first_key);
        let positions = self.command.keys.iter().filter_map(move |spec| spec.positions(request)).flatten();
        positions.filter_map(move |at| key_at(state, request, first, at))
    }

    /// The keys that the call may wait for, in order: those that it accesses, or the one of them that has become ready
    /// meanwhile.
    pub fn awaited_keys(&self) -> impl Iterator<Item = Key<'c>> + use<'c> {
        let (state, request, first, ready) = (self.state, self.request(), self.first_key, self.ready_key);
        let words = self.command.key_words(request, true);
        let words = words.filter(move |&at| ready.is_none_or(|ready| ready == at));
        words.filter_map(move |at| key_at(state, request, first, at))
    }

    /// Counters and sizes of the data. Who asks must have declared that it needs every shard, because inside a program
    /// nobody else can ask them.
    pub fn totals(&mut self) -> ShardTotals {
        debug_assert_eq!(self.command.reach, Reach::Every);
        self.totals.take().map_or_else(|| self.state.keyspace.totals(), |totals| *totals)
    }

    /// The subcommand as it was written.
    pub fn subcommand(&self) -> &'c [u8] {
        self.request().arg(1).unwrap_or_default()
    }

    /// Takes the next argument as milliseconds to wait.
    pub fn timeout_ms(&mut self) -> Result<u64, Error> {
        let timeout_ms = number::parse_i64(self.args.take()?).ok_or(Error::TIMEOUT_NOT_INTEGER)?;
        if timeout_ms > i64::MAX - self.now_ms {
            return Err(Error::TIMEOUT_OUT_OF_RANGE);
        }
        u64::try_from(timeout_ms).map_err(|_| Error::TIMEOUT_NEGATIVE)
    }

    /// Reads word `index` of the call as seconds to wait, with a fraction: in milliseconds, rounded up.
    pub fn timeout_seconds(&self, index: usize) -> Result<u64, Error> {
        let word = self.request().arg(index).unwrap_or_default();
        let timeout_ms = LongDouble::parse(word).ok_or(Error::TIMEOUT_NOT_FLOAT)?.thousandfold_rounded_up();
        if self.dialect().endless_timeouts_are_negative {
            if timeout_ms == i64::MAX {
                return Err(Error::TIMEOUT_NEGATIVE);
            }
        } else if timeout_ms > i64::MAX - self.now_ms {
            return Err(Error::TIMEOUT_OUT_OF_RANGE);
        }
        u64::try_from(timeout_ms).map_err(|_| Error::TIMEOUT_NEGATIVE)
    }

    /// Lets the client wait, for so many milliseconds at the most; 0 is for ever. What has the time run out answers.
    pub fn block(&mut self, timeout_ms: u64, time_is_over: fn(&mut Reply)) -> Done {
        let length = Duration::from_millis(timeout_ms);
        let end = (timeout_ms > 0).then(|| self.state.clock.elapsed().saturating_add(length));
        self.block = Some(Block { end, time_is_over, cannot_wait: time_is_over, ticket: None, again: None });
        Ok(Flow::Block)
    }

    /// The same where those who cannot wait have an answer of their own.
    pub fn block_unless(
        &mut self,
        cannot_wait: fn(&mut Reply),
        timeout_ms: u64,
        time_is_over: fn(&mut Reply),
    ) -> Done {
        let flow = self.block(timeout_ms, time_is_over);
        self.block = self.block.take().map(|block| Block { cannot_wait, ..block });
        flow
    }

    /// Whether `work` units (keys, elements) are too much for a network thread and the caller can wait elsewhere.
    pub fn should_offload(&self, work: usize) -> bool {
        self.may_offload && work > OFFLOAD_WORK_MIN
    }

    /// A generator of the call's own, seeded by the server's, for which nobody waits while elements are drawn.
    pub fn random(&self) -> Random {
        Random::seeded(self.state.random().u64())
    }

    /// Refuses a reply of so many elements that no collection limits, because they may repeat, as soon as it would be longer
    /// than what a client may leave unread. The real servers go on until there is no memory left.
    pub fn bound_repeated(&self, count: usize) -> Result<(), Error> {
        let is_too_long =
            count > OUTPUT_BYTES_MAX / ARGUMENT_BYTES_MIN || self.reply.len() > OUTPUT_BYTES_MAX;
        if is_too_long { Err(Error::OUT_OF_RANGE) } else { Ok(()) }
    }

    /// Replies `+OK`.
    #[inline]
    pub fn ok(&mut self) -> Done {
        self.reply.ok();
        Ok(Flow::Done)
    }

    /// Replies a simple string.
    pub fn simple(&mut self, text: &str) -> Done {
        self.reply.simple(text);
        Ok(Flow::Done)
    }

    /// Replies an integer.
    #[inline]
    pub fn integer(&mut self, value: impl TryInto<i64>) -> Done {
        self.reply.integer(value.try_into().unwrap_or(i64::MAX));
        Ok(Flow::Done)
    }

    /// Replies a bulk string.
    pub fn bulk(&mut self, bytes: &[u8]) -> Done {
        self.reply.bulk(bytes);
        Ok(Flow::Done)
    }

    /// Replies the null of the protocol.
    #[inline]
    pub fn null(&mut self) -> Done {
        self.reply.null();
        Ok(Flow::Done)
    }

    /// Replies the null of the protocol where an array is expected.
    pub fn null_array(&mut self) -> Done {
        self.reply.null_array();
        Ok(Flow::Done)
    }

    /// Replies a string value; a long one by reference.
    #[inline(always)]
    pub fn string(&mut self, value: StringRef<'_>) -> Done {
        match value {
            StringRef::Bytes(bytes) => self.reply.bulk(bytes),
            StringRef::Int(value) => self.reply.bulk_integer(value),
            StringRef::Shared(bytes) if bytes.len() < BULK_SHARED_BYTES_MIN => self.reply.bulk(bytes),
            StringRef::Shared(bytes) => self.reply.bulk_shared(Bytes::from_owner(SharedBytes(bytes.clone()))),
        }
        Ok(Flow::Done)
    }

    /// Replies a double.
    #[inline]
    pub fn double(&mut self, value: f64) -> Done {
        self.reply.set_double_style(self.dialect().doubles);
        self.reply.double(value);
        Ok(Flow::Done)
    }

    /// Replies an element of a collection.
    #[inline]
    pub fn element(&mut self, element: Element<'_>) -> Done {
        match element {
            Element::Bytes(bytes) => self.reply.bulk(bytes),
            Element::Int(value) => self.reply.bulk_integer(value),
        }
        // A reply in blocks is the call's own, so that nobody has marked anything but its beginning.
        self.reply.finish_block();
        Ok(Flow::Done)
    }

    /// Begins a reply of so many elements; with a value each they are pairs in RESP3, and one after the other in RESP2.
    pub fn elements(&mut self, count: usize, with_values: bool) {
        let is_flat = with_values && self.reply.version() == Version::Resp2;
        self.reply.array(if is_flat { 2 * count } else { count });
    }

    /// Begins an element with its value.
    pub fn pair(&mut self) {
        if self.reply.version() == Version::Resp3 {
            self.reply.array(2);
        }
    }

    /// The instant of this call: Unix microseconds.
    pub fn instant_us(&self) -> i64 {
        let now_us = || self.state.clock.now_us();
        let frozen = self.program.filter(|_| self.dialect().time_is_frozen);
        let Some(Caller { time_us, .. }) = frozen else { return now_us() };
        // In the millisecond in which deadlines begin.
        let instant = time_us.get().unwrap_or_else(|| now_us().min(self.now_ms * 1000 + 999));
        time_us.set(Some(instant));
        instant
    }

    /// What the imitated server answers where others answer something else.
    pub fn dialect(&self) -> &'static Dialect {
        self.state.config.dialect()
    }

    /// Replies the help of a container.
    pub fn help(&mut self, container: &str, lines: &[&str]) -> Done {
        let last = ["HELP", self.dialect().help_of_help];
        self.reply.array(lines.len() + 3);
        self.reply.simple(&format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
        for line in lines.iter().chain(&last) {
            match self.dialect().help_names_server {
                true => self.reply.simple(line),
                false => self.reply.simple(&line.replace("Redis ", "")),
            }
        }
        Ok(Flow::Done)
    }
}

/// A string value that a reply holds on to.
struct SharedBytes(Arc<Vec<u8>>);

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// More keys or elements than this are too much work for a network thread: about 100 microseconds.
pub const OFFLOAD_WORK_MIN: usize = 1000;

impl Command {
    /// The words of the keys that a call may wait for, or of its others.
    pub fn key_words<'a>(
        &self,
        request: Request<'a>,
        are_awaited: bool,
    ) -> impl Iterator<Item = usize> + use<'a> {
        let specs = self.keys.iter().filter(move |spec| spec.is_awaited() == are_awaited);
        specs.filter_map(move |spec| spec.positions(request)).flatten()
    }

    /// A call of it as others may see it.
    pub fn shown<'a>(&self, request: Request<'a>) -> impl ExactSizeIterator<Item = &'a [u8]> {
        let is_secret = self.is_secret;
        let word = move |at| request.arg(at).unwrap_or_default();
        (0..request.len()).map(move |at| if is_secret(request, at) { REDACTED } else { word(at) })
    }
}

/// What stands for a word that is nobody else's business.
const REDACTED: &[u8] = b"(redacted)";
