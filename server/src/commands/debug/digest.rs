//! DEBUG DIGEST and DIGEST-VALUE: a fingerprint of the data, the same as that of a Redis with the same data, so that servers
//! can be compared. It is made of SHA-1 sums: things whose order matters are mixed, others combined by exclusive or.

use sha1::{Digest as _, Sha1};
use shardis_protocol::{DoubleStyle, number};
use shardis_storage::types::packed::Element;
use shardis_storage::types::stream::StreamId;
use shardis_storage::{Db, EntryRef, IntBuffer, Kind, ObjectRef, Transaction, View};

use crate::command::{Call, Done, Flow};

pub(super) fn of_everything(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let databases = call.state.keyspace.databases();
    let keys: usize = (0..databases).map(|db| of_database(txn, db).len()).sum();
    if call.should_offload(keys) {
        return Ok(Flow::Offload);
    }
    let mut digest = Digest::new(call);
    for db in 0..databases {
        let view = of_database(txn, db);
        if view.is_empty() {
            continue;
        }
        digest.mix(&u32::from(db).to_be_bytes());
        view.for_each_key(&mut |key, entry| {
            let mut whole = Digest::new(call);
            whole.mix(key);
            whole.add_value(entry);
            digest.combine(&whole.sum);
        });
    }
    call.simple(&hex::encode(digest.sum))
}

/// The data, with this database as the current one.
fn of_database<'t, 'k>(txn: &'t mut Transaction<'k>, db: u16) -> &'t View<'k> {
    txn.select(Db(db));
    txn
}

pub(super) fn of_values(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let args = call.args;
    if call.should_offload(args.len()) {
        return Ok(Flow::Offload);
    }
    call.reply.array(args.len());
    for key in args {
        let mut digest = Digest::new(call);
        if let Some(entry) = txn.inspect(&call.state.keyspace.key(key)) {
            digest.add_value(entry);
        }
        call.reply.simple(&hex::encode(digest.sum));
    }
    Ok(Flow::Done)
}

/// A score as the real servers have it in fingerprints: without the short way for whole numbers.
fn format_score(style: DoubleStyle, score: f64, out: &mut Vec<u8>) {
    match style {
        DoubleStyle::Shortest => number::format_f64_shortest(score, out),
        DoubleStyle::SeventeenDigits => number::format_f64_legacy(score, out),
    }
}

/// A fingerprint under construction.
struct Digest {
    sum: [u8; DIGEST_BYTES],
    /// By this instant fields have expired.
    now_ms: i64,
    tells_field_deadlines: bool,
    doubles: DoubleStyle,
}

const DIGEST_BYTES: usize = 20;

impl Digest {
    fn new(call: &Call<'_>) -> Digest {
        let tells_field_deadlines = call.dialect().digest_tells_field_deadlines;
        Digest {
            sum: Default::default(),
            now_ms: call.now_ms,
            tells_field_deadlines,
            doubles: call.dialect().doubles,
        }
    }

    /// Adds something, in whatever order.
    fn combine(&mut self, bytes: &[u8]) {
        let sum = Sha1::digest(bytes);
        self.sum.iter_mut().zip(sum).for_each(|(byte, other)| *byte ^= other);
    }

    /// Adds something behind what was added before.
    fn mix(&mut self, bytes: &[u8]) {
        self.combine(bytes);
        self.sum = Sha1::digest(self.sum).into();
    }

    /// Adds a value: its type, what is in it, and whether it expires.
    fn add_value(&mut self, entry: EntryRef<'_>) {
        self.mix(&number(entry.kind()).to_be_bytes());
        if let Some(string) = entry.string() {
            self.mix(string.bytes(&mut IntBuffer::default()));
        }
        match entry.any_object() {
            Some(ObjectRef::List(list)) => list.iter().for_each(|element| self.mix_element(element)),
            Some(ObjectRef::Set(set)) => {
                for element in set.iter() {
                    self.combine(element.text(&mut itoa::Buffer::new()));
                }
            }
            Some(ObjectRef::SortedSet(set)) => {
                for (member, score) in set.iter() {
                    let (mut pair, mut digits) = (Digest { sum: Default::default(), ..*self }, Vec::new());
                    format_score(self.doubles, score, &mut digits);
                    pair.mix_element(member);
                    pair.mix(&digits);
                    self.combine(&pair.sum);
                }
            }
            Some(ObjectRef::Hash(hash)) => {
                for (field, value) in hash.iter(self.now_ms) {
                    let mut pair = Digest { sum: Default::default(), ..*self };
                    pair.mix_element(field);
                    pair.mix_element(value);
                    if self.tells_field_deadlines && hash.deadline_ms(&field.to_vec()).is_some() {
                        pair.combine(b"!!hexpire!!");
                    }
                    self.combine(&pair.sum);
                }
            }
            Some(ObjectRef::Stream(stream)) => {
                for entry in stream.log().range(StreamId::MIN, StreamId::MAX) {
                    let StreamId { ms, seq } = entry.id();
                    self.mix(format!("{ms}.{seq}").as_bytes());
                    for (field, value) in entry.pairs() {
                        self.mix_element(field);
                        self.mix_element(value);
                    }
                }
            }
            Some(ObjectRef::Lock(lock)) => {
                lock.grants().iter().for_each(|grant| self.combine(&grant.fence.to_be_bytes()));
            }
            Some(ObjectRef::Semaphore(semaphore)) => {
                self.mix(&semaphore.size().to_be_bytes());
                semaphore.permits().for_each(|(fence, _)| self.combine(&fence.to_be_bytes()));
            }
            Some(ObjectRef::Latch(latch)) => self.mix(&latch.count().to_be_bytes()),
            Some(ObjectRef::Job(job)) => {
                self.mix(job.stage().name().as_bytes());
                self.mix(job.outcome());
            }
            None => {}
        }
        if entry.deadline_ms().is_some() {
            self.combine(b"!!expire!!");
        }
    }

    fn mix_element(&mut self, element: Element<'_>) {
        match element {
            Element::Bytes(bytes) => self.mix(bytes),
            Element::Int(value) => self.mix(itoa::Buffer::new().format(value).as_bytes()),
        }
    }
}

/// The number of a type.
fn number(kind: Kind) -> u32 {
    match kind {
        Kind::String => 0,
        Kind::List => 1,
        Kind::Set => 2,
        Kind::SortedSet => 3,
        Kind::Hash => 4,
        Kind::Stream => 6,
        // What the imitated servers do not have is outside of their numbers.
        Kind::Lock => 100,
        Kind::Semaphore => 101,
        Kind::Latch => 102,
        Kind::Job => 103,
    }
}
