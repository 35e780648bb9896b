//! Reading what is new, or what a consumer has not acknowledged, and waiting for it. When something has come, these run once more, and
//! look at those of their keys that are locked then: of the others nothing has come.

use shardis_protocol::{Aggregate, OwnedRequest, Reply, Request, Version};
use shardis_storage::types::stream::{Counting, Group, Log, Pending, Stream, StreamId};
use shardis_storage::{Key, Kind, Transaction};

use super::id::{self, Missing};
use super::range::OFFLOAD_LEN;
use super::{negative_is_zero, reply_entries, reply_entry, reply_id};
use crate::command::Arity::AtLeast;
use crate::command::args::{is_word, until_zero};
use crate::command::event;
use crate::command::{Args, Call, Command, Done, Error, Flags, Flow, halved_behind_word};

pub static XREAD: Command = Command::blocking("XREAD", Kind::Stream, xread)
    .syntax("[COUNT count:integer] [BLOCK milliseconds:integer] streams=<STREAMS key [key ...] id [id ...]>")
    .arity(AtLeast(4))
    .keys(&[halved_behind_word("STREAMS", 1, first_key).read_only().accesses()])
    .flags(Flags::READONLY)
    .since("5.0.0")
    .summary(
        "Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message is \
         available otherwise.",
    );

fn xread(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let options = Options::parse(call, false)?;
    let wanted = options.wanted(call, txn)?;
    let mut work = 0;
    for (key, after) in wanted.iter().filter_map(|wanted| Some((&wanted.key, wanted.after?))) {
        if let Some(stream) = txn.looked_up(key).and_then(|entry| entry.object::<Stream>()) {
            work += options.count.min(stream.log().len_between(after, StreamId::MAX, OFFLOAD_LEN));
        }
    }
    if call.should_offload(work) {
        wanted.iter().for_each(|wanted| txn.uncount(&wanted.key));
        return Ok(Flow::Offload);
    }
    let mut reply = Served::begin(call);
    for Wanted { key, after, .. } in &wanted {
        let Some(stream) = txn.looked_up(key).and_then(|entry| entry.object::<Stream>()) else { continue };
        let Some(from) = after.and_then(StreamId::next) else { continue };
        if stream.log().last_entry_id().is_some_and(|last| last >= from) {
            reply.key(call, key);
            reply_entries(call.reply, stream.log().range(from, StreamId::MAX).take(options.count));
        }
    }
    if reply.end(call) { Ok(Flow::Done) } else { options.wait(call, &wanted) }
}

pub static XREADGROUP: Command = Command::blocking("XREADGROUP", Kind::Stream, xreadgroup)
    .syntax(
        "group-block=<GROUP group consumer> [COUNT count:integer] [BLOCK milliseconds:integer] [NOACK] \
         streams=<STREAMS key [key ...] id [id ...]>",
    )
    .arity(AtLeast(7))
    .keys(&[halved_behind_word("STREAMS", 4, first_key).read_only().accesses()])
    .minds_loss()
    .since("5.0.0")
    .complexity(
        "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always \
         asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP \
         blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.",
    )
    .summary(
        "Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is \
         available otherwise.",
    );

fn xreadgroup(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let options = Options::parse(call, true)?;
    let wanted = options.wanted(call, txn)?;
    let Some([group, consumer]) = options.group else { return Err(Error::GROUP_MISSING) };
    let reader = Reader {
        group,
        consumer,
        count: options.count,
        keeps: !options.is_acknowledged,
        now_ms: call.now_ms,
        counting: call.dialect().counting,
    };
    let mut work = 0;
    for Wanted { key, after, .. } in &wanted {
        if let Some(stream) = txn.looked_up(key).and_then(|entry| entry.object::<Stream>()) {
            work += reader.work(stream, *after);
        }
    }
    if call.should_offload(work) {
        wanted.iter().for_each(|wanted| txn.uncount(&wanted.key));
        return Ok(Flow::Offload);
    }
    let mut served = Served::begin(call);
    for Wanted { key, after, .. } in &wanted {
        let Some(mut stream) = txn.edit::<Stream>(key)? else { continue };
        let outcome = stream.change(|stream| {
            let outcome = stream
                .change_group(group, |group, log| reader.read(call, &mut served, key, group, log, *after));
            (false, outcome.unwrap_or_default())
        });
        drop(stream);
        if outcome.is_new {
            txn.tell(key, &event::CONSUMER_CREATED);
        }
        if outcome.has_changed || outcome.is_new {
            txn.count_change();
        }
    }
    if served.end(call) { Ok(Flow::Done) } else { options.wait(call, &wanted) }
}

/// What is asked for.
struct Options<'a> {
    timeout_ms: Option<u64>,
    count: usize,
    group: Option<[&'a [u8]; 2]>,
    /// Whether what is delivered counts as acknowledged.
    is_acknowledged: bool,
    /// The word of the first key.
    first: usize,
    /// How many keys there are, and as many ids behind them.
    len: usize,
}

impl<'a> Options<'a> {
    fn parse(call: &mut Call<'a>, is_group: bool) -> Result<Options<'a>, Error> {
        let mut options = Options {
            timeout_ms: None,
            count: usize::MAX,
            group: None,
            is_acknowledged: false,
            first: 0,
            len: 0,
        };
        while !call.args.is_empty() {
            let behind = call.args.len() - 1;
            if behind > 0 && call.args.take_word("BLOCK") {
                options.timeout_ms = Some(call.timeout_ms()?);
            } else if behind > 0 && call.args.take_word("COUNT") {
                let count = negative_is_zero(call.args.integer()?);
                options.count = if count == 0 { usize::MAX } else { count };
            } else if behind > 0 && call.args.take_word("STREAMS") {
                options.first = call.request().len() - behind;
                options.len = behind / 2;
                if !behind.is_multiple_of(2) {
                    return Err(unbalanced(call, is_group));
                }
                break;
            } else if behind > 1 && call.args.take_word("GROUP") {
                if !is_group {
                    return Err(Error::GROUP_OF_XREAD);
                }
                options.group = Some([call.args.take()?, call.args.take()?]);
            } else if call.args.take_word("NOACK") {
                if !is_group {
                    return Err(Error::NOACK_OF_XREAD);
                }
                options.is_acknowledged = true;
            } else if behind > 0 && call.args.take_word("CLAIM") {
                return Err(if is_group { Error::NO_CLAIM } else { Error::CLAIM_OF_XREAD });
            } else {
                return Err(Error::SYNTAX);
            }
        }
        if options.len == 0 {
            return Err(Error::SYNTAX);
        }
        if is_group && options.group.is_none() {
            return Err(Error::GROUP_MISSING);
        }
        Ok(options)
    }

    /// The keys that can be looked at, with what is wanted of each.
    fn wanted(&self, call: &Call<'a>, txn: &mut Transaction<'_>) -> Result<Vec<Wanted<'a>>, Error> {
        let is_again = call.ticket.is_some();
        let mut wanted = Vec::with_capacity(self.len);
        for at in self.first..self.first + self.len {
            let (key, id_at) = (call.key(at)?, at + self.len);
            if call.ready_key.is_some_and(|ready| ready != at) || is_again && !txn.holds(&key) {
                continue;
            }
            let stream = match txn.lookup(&key) {
                Some(entry) => Some(entry.object::<Stream>().ok_or(Error::WRONG_TYPE)?),
                None => None,
            };
            let group = match self.group {
                None => None,
                Some([name, _]) => {
                    let group = stream.and_then(|stream| stream.group(name));
                    Some(group.ok_or_else(|| Error::no_group_to_read(key.bytes(), name))?)
                }
            };
            let word = call.request().arg(id_at).unwrap_or_default();
            let is_relative = until_zero(word) == b"$";
            let after = after(call, word, stream, group)?;
            wanted.push(Wanted { key, after, id_at, is_relative });
        }
        Ok(wanted)
    }

    /// Lets the client wait, if it wants to.
    fn wait(&self, call: &mut Call<'_>, wanted: &[Wanted<'_>]) -> Done {
        let Some(timeout_ms) = self.timeout_ms else { return call.null_array() };
        let flow = call.block(timeout_ms, Reply::null_array);
        if let Some(block) = &mut call.block {
            block.again = absolute(call.args.request(), wanted);
        }
        flow
    }
}

fn unbalanced(call: &Call<'_>, is_group: bool) -> Error {
    match (is_group, call.dialect().unbalanced_streams_names_command) {
        (true, true) => Error::unbalanced_streams("xreadgroup", ">"),
        (false, true) => Error::unbalanced_streams("xread", "$"),
        (_, false) => Error::UNBALANCED_XREAD,
    }
}

/// What is wanted of a key.
struct Wanted<'a> {
    key: Key<'a>,
    /// Entries behind this id; of a group nothing stands for those that it has not got.
    after: Option<StreamId>,
    /// The word that says so.
    id_at: usize,
    /// Whether it means the moment of the call.
    is_relative: bool,
}

/// The id behind which entries are wanted.
fn after(
    call: &Call<'_>,
    word: &[u8],
    stream: Option<&Stream>,
    group: Option<&Group>,
) -> Result<Option<StreamId>, Error> {
    let log = stream.map(Stream::log);
    match (until_zero(word), group) {
        (b"$", Some(_)) => Err(Error::LAST_ID_OF_GROUP),
        (b"$", None) => Ok(Some(log.map_or(StreamId::MIN, Log::last_id))),
        (b"+", group) => {
            let last_entry = call.dialect().last_entry.ok_or(Error::INVALID_STREAM_ID)?;
            if group.is_some() {
                return Err(Error::TOP_ID_OF_GROUP);
            }
            Ok(Some(log.and_then(last_entry).and_then(StreamId::previous).unwrap_or_default()))
        }
        (b">", Some(_)) => Ok(None),
        (b">", None) => Err(Error::NEW_ID_OF_XREAD),
        _ => id::parse_strict(word, Missing::Least).map(Some),
    }
}

/// The call with ids in the place of words that mean the moment of the call, if it has such.
fn absolute(request: Request<'_>, wanted: &[Wanted<'_>]) -> Option<OwnedRequest> {
    if !wanted.iter().any(|wanted| wanted.is_relative) {
        return None;
    }
    let texts: Vec<(usize, id::Text)> = wanted
        .iter()
        .filter(|wanted| wanted.is_relative)
        .map(|wanted| (wanted.id_at, id::Text::new(wanted.after.unwrap_or_default())))
        .collect();
    let mut texts = texts.iter().peekable();
    let words = request.iter().enumerate().map(|(at, word)| match texts.next_if(|(id_at, _)| *id_at == at) {
        Some((_, text)) => text.as_bytes(),
        None => word,
    });
    let words: Vec<&[u8]> = words.collect();
    Some(OwnedRequest::from_args(&words))
}

/// The word of the first key: behind `STREAMS`, where that is no argument of an option.
fn first_key(request: Request<'_>) -> Option<usize> {
    let mut args = Args::new(request, 1);
    while let Some(word) = args.next() {
        let arguments =
            [("STREAMS", 0), ("NOACK", 0), ("BLOCK", 1), ("COUNT", 1), ("CLAIM", 1), ("GROUP", 2)];
        let (name, count) = arguments.into_iter().find(|(name, _)| is_word(word, name))?;
        if name == "STREAMS" {
            let len = args.len();
            return Some(request.len() - len);
        }
        args = args.behind(count).ok()?;
    }
    None
}

/// The reply: keys, and behind each its entries.
struct Served {
    start: shardis_protocol::Mark,
    keys: usize,
}

impl Served {
    fn begin(call: &Call<'_>) -> Served {
        Served { start: call.reply.mark(), keys: 0 }
    }

    fn key(&mut self, call: &mut Call<'_>, key: &Key<'_>) {
        self.keys += 1;
        if call.reply.version() == Version::Resp2 {
            call.reply.array(2);
        }
        call.reply.bulk(key.bytes());
    }

    /// Whether there was anything.
    fn end(self, call: &mut Call<'_>) -> bool {
        if self.keys > 0 {
            let is_map = call.reply.version() == Version::Resp3;
            let aggregate = if is_map { Aggregate::Map } else { Aggregate::Array };
            call.reply.insert_header(self.start, aggregate, self.keys);
        }
        self.keys > 0
    }
}

/// A consumer that reads for its group.
struct Reader<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    count: usize,
    /// Whether what it gets is pending then.
    keeps: bool,
    now_ms: i64,
    counting: Counting,
}

/// What reading has changed.
#[derive(Default)]
struct Outcome {
    /// Whether the consumer was made.
    is_new: bool,
    /// Whether it has got anything.
    has_changed: bool,
}

impl Reader<'_> {
    /// How many entries it may get.
    fn work(&self, stream: &Stream, after: Option<StreamId>) -> usize {
        let Some(group) = stream.group(self.group) else { return 0 };
        let len = match after {
            None => stream.log().len_between(group.last_id(), StreamId::MAX, OFFLOAD_LEN),
            Some(_) => {
                let consumer = group.number(self.consumer).and_then(|number| group.consumer(number));
                consumer.map_or(0, |consumer| consumer.pending_len())
            }
        };
        self.count.min(len)
    }

    fn read(
        &self,
        call: &mut Call<'_>,
        served: &mut Served,
        key: &Key<'_>,
        group: &mut Group,
        log: &Log,
        after: Option<StreamId>,
    ) -> Outcome {
        let is_any = after.is_some() || log.last_entry_id().is_some_and(|last| last > group.last_id());
        if !is_any && call.dialect().consumers_come_with_entries {
            return Outcome::default();
        }
        let (number, is_new) = group.enter(self.consumer, self.now_ms);
        group.see(number, self.now_ms);
        if !is_any {
            return Outcome { is_new, has_changed: false };
        }
        served.key(call, key);
        let has_changed = match after {
            Some(after) => self.read_pending(call.reply, group, log, number, after),
            None => {
                self.read_new(call.reply, group, log, number);
                true
            }
        };
        Outcome { is_new, has_changed }
    }

    fn read_new(&self, reply: &mut Reply, group: &mut Group, log: &Log, number: u64) {
        let pending = Pending { consumer: number, delivered_ms: self.now_ms, deliveries: 1 };
        let entries = log.range(group.last_id().next().unwrap_or(StreamId::MAX), StreamId::MAX);
        reply_entries(
            reply,
            entries.take(self.count).inspect(|entry| {
                group.read(log, entry.id(), self.counting);
                if self.keeps {
                    group.put(entry.id(), pending);
                }
            }),
        );
        if self.keeps {
            group.note_active(number, self.now_ms);
        }
    }

    /// What is pending of an entry that is gone has no fields.
    fn read_pending(
        &self,
        reply: &mut Reply,
        group: &mut Group,
        log: &Log,
        number: u64,
        after: StreamId,
    ) -> bool {
        let from = after.next().unwrap_or(StreamId::MAX);
        let own: Vec<_> = group.pending_of(number, from..=StreamId::MAX).take(self.count).collect();
        reply.array(own.len());
        for (id, pending) in &own {
            let Some(entry) = log.entry(*id) else {
                reply.array(2);
                reply_id(reply, *id);
                reply.null_array();
                continue;
            };
            reply_entry(reply, entry);
            let deliveries = pending.deliveries.saturating_add(1);
            group.put(*id, Pending { delivered_ms: self.now_ms, deliveries, ..*pending });
        }
        !own.is_empty()
    }
}
