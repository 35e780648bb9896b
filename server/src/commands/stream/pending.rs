//! What groups have got and not acknowledged: acknowledging it, and looking at it.

use shardis_storage::types::stream::{Consumer, Group, Pending, Stream, StreamId};
use shardis_storage::{Transaction, View};

use super::options::parse_all;
use super::{id, negative_is_zero, reply_id};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};

pub static XACK: Command = Command::write("XACK", xack)
    .syntax("key group id [id ...]")
    .arity(AtLeast(4))
    .keys(&[key(1).read_write().updates()])
    .flags(Flags::FAST)
    .since("5.0.0")
    .complexity("O(1) for each message ID processed.")
    .summary(
        "Returns the number of messages that were successfully acknowledged by the consumer group member of a stream.",
    );

fn xack(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (key, name) = (call.next_key()?, call.args.take()?);
    let Some(mut stream) = txn.edit::<Stream>(&key)? else { return call.integer(0) };
    if stream.group(name).is_none() {
        return call.integer(0);
    }
    if call.should_offload(call.args.len()) {
        return Ok(Flow::Offload);
    }
    let ids = parse_all(call.args.rest())?;
    let acknowledge = |group: &mut Group| ids.iter().filter(|id| group.acknowledge(**id)).count();
    let acknowledged =
        stream.change(|stream| (false, stream.change_group(name, |group, _| acknowledge(group))));
    drop(stream);
    let acknowledged = acknowledged.unwrap_or(0);
    if acknowledged > 0 {
        txn.count_change();
    }
    call.integer(acknowledged)
}

pub static XPENDING: Command = Command::read("XPENDING", xpending)
    .syntax("key group filters=[[IDLE min-idle-time:integer]@6.2.0 start:string end:string count:integer [consumer]]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_only().accesses()])
    .since("5.0.0")
    .complexity(
        "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is \
         O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command \
         returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional \
         O(N) time for iterating every consumer.",
    )
    .summary("Returns the information and entries from a stream consumer group's pending entries list.")
    .history(&[("6.2.0", "Added the `IDLE` option and exclusive range intervals.")])
    .tips(&["nondeterministic_output"]);

fn xpending(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let (key, name) = (call.next_key()?, call.args.take()?);
    let filter = Filter::parse(call)?;
    let stream = view.read::<Stream>(&key)?;
    let Some(group) = stream.and_then(|stream| stream.group(name)) else {
        return Err(Error::no_key_or_group(key.bytes(), name));
    };
    let Some(filter) = filter else {
        summarise(call, group);
        return Ok(Flow::Done);
    };
    if call.should_offload(filter.work(group)) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    filter.reply(call, group);
    Ok(Flow::Done)
}

/// How many are pending, the first and the last of them, and how many each consumer has.
fn summarise(call: &mut Call<'_>, group: &Group) {
    let reply = &mut *call.reply;
    let mut pending = group.pending(StreamId::MIN..=StreamId::MAX).map(|(id, _)| id);
    let first = pending.next();
    reply.array(4);
    reply.integer(group.pending_len() as i64);
    let Some(first) = first else {
        reply.null();
        reply.null();
        return reply.null_array();
    };
    reply_id(reply, first);
    reply_id(reply, pending.next_back().unwrap_or(first));
    let busy =
        || group.consumers().map(|(_, consumer)| consumer).filter(|consumer| consumer.pending_len() > 0);
    reply.array(busy().count());
    for consumer in busy() {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_integer(consumer.pending_len() as i64);
    }
}

/// Which entries are asked for.
struct Filter<'a> {
    idle_ms_min: i64,
    ids: [StreamId; 2],
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    fn parse(call: &mut Call<'a>) -> Result<Option<Filter<'a>>, Error> {
        let words = call.args.len();
        if words == 0 {
            return Ok(None);
        }
        if !(3..=6).contains(&words) {
            return Err(Error::SYNTAX);
        }
        let mut idle_ms_min = 0;
        if call.args.take_word("IDLE") {
            idle_ms_min = call.args.integer()?;
            if words < 5 {
                return Err(Error::SYNTAX);
            }
        }
        let (start, end) = (call.args.take()?, call.args.take()?);
        let count = negative_is_zero(call.args.integer()?);
        let ids = id::parse_range(start, end)?;
        Ok(Some(Filter { idle_ms_min, ids, count, consumer: call.args.next() }))
    }

    fn work(&self, group: &Group) -> usize {
        if self.idle_ms_min > 0 { group.pending_len() } else { self.count.min(group.pending_len()) }
    }

    fn reply(&self, call: &mut Call<'_>, group: &Group) {
        let [from, to] = self.ids;
        match self.consumer {
            None => self.reply_each(call, group, group.pending(from..=to)),
            Some(name) => match group.number(name) {
                None => call.reply.array(0),
                Some(number) => self.reply_each(call, group, group.pending_of(number, from..=to)),
            },
        }
    }

    fn reply_each(
        &self,
        call: &mut Call<'_>,
        group: &Group,
        pending: impl Iterator<Item = (StreamId, Pending)>,
    ) {
        let (start, mut count) = (call.reply.mark(), 0);
        let idle_ms = |pending: &Pending| call.now_ms - pending.delivered_ms;
        let is_wanted = |pending: &Pending| self.idle_ms_min == 0 || idle_ms(pending) >= self.idle_ms_min;
        for (id, pending) in pending.filter(|(_, pending)| is_wanted(pending)).take(self.count) {
            call.reply.array(4);
            reply_id(call.reply, id);
            call.reply.bulk(group.consumer(pending.consumer).map_or(&b""[..], Consumer::name));
            call.reply.integer(idle_ms(&pending).max(0));
            call.reply.integer(deliveries(&pending));
            count += 1;
        }
        call.reply.insert_array_header(start, count);
    }
}

/// How often an entry was delivered, as replies tell it.
pub(super) fn deliveries(pending: &Pending) -> i64 {
    i64::try_from(pending.deliveries).unwrap_or(i64::MAX)
}
