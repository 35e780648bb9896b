//! Taking over what other consumers have not acknowledged.

use shardis_storage::types::stream::{EntryRef, Group, Log, Pending, Stream, StreamId};
use shardis_storage::{Key, Transaction};

use super::options::parse_all;
use super::{id, reply_entry, reply_id};
use crate::command::Arity::AtLeast;
use crate::command::event;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};

pub static XCLAIM: Command = Command::write("XCLAIM", xclaim)
    .syntax(
        "key group consumer min-idle-time id [id ...] [IDLE ms:integer] \
         [TIME unix-time-milliseconds:unix-time] [RETRYCOUNT count:integer] [FORCE] [JUSTID] [LASTID lastid]",
    )
    .arity(AtLeast(6))
    .keys(&[key(1).read_write().updates()])
    .flags(Flags::FAST)
    .since("5.0.0")
    .complexity("O(log N) with N being the number of messages in the PEL of the consumer group.")
    .summary(
        "Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a consumer \
         group member.",
    )
    .tips(&["nondeterministic_output"]);

fn xclaim(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (key, name, consumer) = (call.next_key()?, call.args.take()?, call.args.take()?);
    let mut stream = txn.edit::<Stream>(&key)?.ok_or_else(|| Error::no_key_or_group(key.bytes(), name))?;
    if stream.group(name).is_none() {
        return Err(Error::no_key_or_group(key.bytes(), name));
    }
    let idle_ms_min = call.args.integer().map_err(|_| Error::XCLAIM_MIN_IDLE)?;
    if call.should_offload(call.args.len()) {
        return Ok(Flow::Offload);
    }
    let claim = Claim::parse(call, idle_ms_min)?;
    let outcome = stream.change(|stream| {
        (false, stream.change_group(name, |group, log| claim.run(call, group, log, consumer)))
    });
    drop(stream);
    note(txn, &key, outcome.unwrap_or_default());
    Ok(Flow::Done)
}

/// What XCLAIM is to do.
struct Claim {
    ids: Vec<StreamId>,
    idle_ms_min: i64,
    /// When the entries count as delivered.
    delivered_ms: i64,
    deliveries: Option<u64>,
    forces: bool,
    only_ids: bool,
    last_id: StreamId,
}

impl Claim {
    fn parse(call: &mut Call<'_>, idle_ms_min: i64) -> Result<Claim, Error> {
        // The ids end where one cannot be read.
        let is_id = |word: &&[u8]| id::parse_strict(word, id::Missing::Least).is_ok();
        let count = call.args.rest().take_while(is_id).count();
        let ids = parse_all(call.args.rest().take(count))?;
        call.args = call.args.behind(count)?;
        let (mut delivered_ms, mut deliveries) = (None, None);
        let mut claim = Claim {
            ids,
            idle_ms_min: idle_ms_min.max(0),
            delivered_ms: call.now_ms,
            deliveries: None,
            forces: false,
            only_ids: false,
            last_id: StreamId::MIN,
        };
        while let Some(word) = call.args.peek() {
            let args = &mut call.args;
            let has_more = args.len() > 1;
            if args.take_word("FORCE") {
                claim.forces = true;
            } else if args.take_word("JUSTID") {
                claim.only_ids = true;
            } else if has_more && args.take_word("IDLE") {
                let idle_ms = args.integer().map_err(|_| Error::XCLAIM_IDLE)?;
                delivered_ms = Some(call.now_ms.wrapping_sub(idle_ms));
            } else if has_more && args.take_word("TIME") {
                delivered_ms = Some(args.integer().map_err(|_| Error::XCLAIM_TIME)?);
            } else if has_more && args.take_word("RETRYCOUNT") {
                deliveries = Some(args.integer().map_err(|_| Error::XCLAIM_RETRYCOUNT)?);
            } else if has_more && args.take_word("LASTID") {
                claim.last_id = id::parse_strict(args.take()?, id::Missing::Least)?;
            } else {
                return Err(Error::unknown_xclaim_option(word));
            }
        }
        // A time that makes no sense is now: clients reckon it by clocks of their own.
        let sensible = 0..=call.now_ms;
        claim.delivered_ms = delivered_ms.filter(|ms| sensible.contains(ms)).unwrap_or(call.now_ms);
        claim.deliveries = deliveries.and_then(|count| u64::try_from(count).ok());
        Ok(claim)
    }

    fn run(&self, call: &mut Call<'_>, group: &mut Group, log: &Log, name: &[u8]) -> Outcome {
        let mut outcome = Outcome { has_changed: self.last_id > group.last_id(), is_new: false };
        group.raise_last_id(self.last_id);
        let mut taker = Taker::new(call, group, name, self.only_ids);
        let (start, mut count) = (call.reply.mark(), 0);
        for &id in &self.ids {
            let pending = group.pending_entry(id);
            let Some(entry) = log.entry(id) else {
                outcome.has_changed |= group.acknowledge(id);
                continue;
            };
            if pending.is_some_and(|pending| !is_idle(&pending, call.now_ms, self.idle_ms_min))
                || pending.is_none() && !self.forces
            {
                continue;
            }
            let before = pending.map_or(1, |pending| pending.deliveries);
            let deliveries = self.deliveries.unwrap_or_else(|| taker.count(before));
            taker.take(call, group, entry, (self.delivered_ms, deliveries));
            count += 1;
        }
        call.reply.insert_array_header(start, count);
        outcome.is_new = taker.is_new;
        outcome.has_changed |= count > 0;
        outcome
    }
}

pub static XAUTOCLAIM: Command = Command::write("XAUTOCLAIM", xautoclaim)
    .syntax("key group consumer min-idle-time start:string [COUNT count:integer] [JUSTID]")
    .arity(AtLeast(6))
    .keys(&[key(1).read_write().deletes()])
    .flags(Flags::FAST)
    .since("6.2.0")
    .complexity("O(1) if COUNT is small.")
    .summary(
        "Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as \
         consumer group member.",
    )
    .history(&[(
        "7.0.0",
        "Added an element to the reply array, containing deleted entries the command cleared from the PEL",
    )])
    .tips(&["nondeterministic_output"]);

fn xautoclaim(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (key, name, consumer) = (call.next_key()?, call.args.take()?, call.args.take()?);
    let idle_ms_min = call.args.integer().map_err(|_| Error::XAUTOCLAIM_MIN_IDLE)?;
    let [from, _] = id::parse_range(call.args.take()?, b"+")?;
    let mut walk = Walk { from, idle_ms_min: idle_ms_min.max(0), count: COUNT_BY_DEFAULT, only_ids: false };
    while !call.args.is_empty() {
        if call.args.len() > 1 && call.args.take_word("COUNT") {
            let count = call.args.integer().ok().filter(|count| (1..=COUNT_MAX).contains(count));
            walk.count = count.map(|count| count as usize).ok_or(Error::COUNT_NOT_POSITIVE)?;
        } else if call.args.take_word("JUSTID") {
            walk.only_ids = true;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    let mut stream = txn.edit::<Stream>(&key)?.ok_or_else(|| Error::no_key_or_group(key.bytes(), name))?;
    let group = stream.group(name).ok_or_else(|| Error::no_key_or_group(key.bytes(), name))?;
    if call.should_offload(walk.attempts().min(group.pending_len())) {
        return Ok(Flow::Offload);
    }
    let outcome = stream.change(|stream| {
        (false, stream.change_group(name, |group, log| walk.run(call, group, log, consumer)))
    });
    drop(stream);
    note(txn, &key, outcome.unwrap_or_default());
    Ok(Flow::Done)
}

const COUNT_BY_DEFAULT: usize = 100;
/// More would not fit what the real servers allocate for the ids.
const COUNT_MAX: i64 = i64::MAX / 16;
/// So many entries are looked at for each that may be claimed.
const ATTEMPTS_PER_CLAIM: usize = 10;

/// What XAUTOCLAIM is to do.
struct Walk {
    from: StreamId,
    idle_ms_min: i64,
    count: usize,
    only_ids: bool,
}

impl Walk {
    fn attempts(&self) -> usize {
        self.count.saturating_mul(ATTEMPTS_PER_CLAIM)
    }

    fn run(&self, call: &mut Call<'_>, group: &mut Group, log: &Log, name: &[u8]) -> Outcome {
        let mut taker = Taker::new(call, group, name, self.only_ids);
        let (mut claimed, mut deleted, mut looked_at) = (Vec::new(), Vec::new(), 0);
        let mut next = None;
        for (id, pending) in group.pending(self.from..=StreamId::MAX) {
            if looked_at == self.attempts() || claimed.len() + deleted.len() == self.count {
                next = Some(id);
                break;
            }
            looked_at += 1;
            match log.entry(id) {
                None => deleted.push(id),
                Some(entry) if is_idle(&pending, call.now_ms, self.idle_ms_min) => {
                    claimed.push((pending, entry));
                }
                Some(_) => {}
            }
        }
        call.reply.array(3);
        reply_id(call.reply, next.unwrap_or(StreamId::MIN));
        call.reply.array(claimed.len());
        let has_changed = !claimed.is_empty() || !deleted.is_empty();
        for (pending, entry) in claimed {
            taker.take(call, group, entry, (call.now_ms, taker.count(pending.deliveries)));
        }
        call.reply.array(deleted.len());
        for id in deleted {
            group.acknowledge(id);
            reply_id(call.reply, id);
        }
        Outcome { has_changed, is_new: taker.is_new }
    }
}

/// Who takes entries over.
struct Taker<'a> {
    name: &'a [u8],
    /// Its number, once it is one of the group.
    number: Option<u64>,
    is_new: bool,
    only_ids: bool,
}

impl Taker<'_> {
    fn new<'a>(call: &Call<'_>, group: &mut Group, name: &'a [u8], only_ids: bool) -> Taker<'a> {
        let mut taker = Taker { name, number: None, is_new: false, only_ids };
        if !call.dialect().consumers_come_with_entries {
            taker.enter(group, call.now_ms);
        }
        taker
    }

    fn enter(&mut self, group: &mut Group, now_ms: i64) -> u64 {
        if let Some(number) = self.number {
            return number;
        }
        let (number, is_new) = group.enter(self.name, now_ms);
        group.see(number, now_ms);
        (self.number, self.is_new) = (Some(number), is_new);
        number
    }

    /// Takes an entry over, as delivered at this time and so often, and replies it.
    fn take(
        &mut self,
        call: &mut Call<'_>,
        group: &mut Group,
        entry: EntryRef<'_>,
        (delivered_ms, deliveries): (i64, u64),
    ) {
        let consumer = self.enter(group, call.now_ms);
        group.put(entry.id(), Pending { consumer, delivered_ms, deliveries });
        group.note_active(consumer, call.now_ms);
        if self.only_ids {
            reply_id(call.reply, entry.id());
        } else {
            reply_entry(call.reply, entry);
        }
    }

    /// How often an entry has been delivered with this time; ids alone are no delivery.
    fn count(&self, before: u64) -> u64 {
        before.saturating_add(u64::from(!self.only_ids))
    }
}

fn is_idle(pending: &Pending, now_ms: i64, idle_ms_min: i64) -> bool {
    idle_ms_min == 0 || now_ms - pending.delivered_ms >= idle_ms_min
}

/// What claiming has changed.
#[derive(Default)]
struct Outcome {
    /// Whether the consumer was made.
    is_new: bool,
    /// Whether anything else was.
    has_changed: bool,
}

fn note(txn: &mut Transaction<'_>, key: &Key<'_>, outcome: Outcome) {
    if outcome.is_new {
        txn.tell(key, &event::CONSUMER_CREATED);
    }
    if outcome.is_new || outcome.has_changed {
        txn.count_change();
    }
}
