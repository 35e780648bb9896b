//! Streams against a plain list of entries.

use proptest::prelude::*;

use super::*;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A list of entries: what a stream is.
#[derive(Debug, Default)]
struct Plain(Vec<(StreamId, Fields)>);

#[derive(Clone, Debug)]
enum Step {
    Append { ms: u64, seq: u64, fields: Fields },
    Delete(usize),
    Trim { len: u64, is_approximate: bool },
    TrimTo { at: usize, is_approximate: bool },
    Range(usize, usize),
}

const LIMITS: [BlockLimits; 3] = [
    BlockLimits { bytes_max: 4096, entries_max: 100 },
    BlockLimits { bytes_max: 120, entries_max: 0 },
    BlockLimits { bytes_max: 0, entries_max: 3 },
];

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..200_i64).prop_map(|number| number.to_string().into_bytes()),
        2 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        3 => prop::collection::vec(any::<u8>(), 0..20),
        1 => prop::collection::vec(any::<u8>(), 60..300),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    prop_oneof![
        2 => (element(), element()).prop_map(|(a, b)| vec![(b"temp".to_vec(), a), (b"hum".to_vec(), b)]),
        1 => prop::collection::vec((element(), element()), 1..5),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let distance = prop_oneof![8 => 0..3_u64, 1 => 0..100_000_u64, 1 => any::<u64>().prop_map(|ms| ms >> 20)];
    let seq = prop_oneof![9 => 1..3_u64, 1 => any::<u64>()];
    prop_oneof![
        12 => (distance, seq, fields()).prop_map(|(ms, seq, fields)| Step::Append { ms, seq, fields }),
        4 => any::<usize>().prop_map(Step::Delete),
        1 => (0..60_u64, any::<bool>()).prop_map(|(len, is_approximate)| Step::Trim { len, is_approximate }),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(at, is_approximate)| Step::TrimTo { at, is_approximate }),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Step::Range(from, to)),
    ]
}

fn found<'a>(entries: impl Iterator<Item = EntryRef<'a>>) -> Vec<(StreamId, Fields)> {
    let pairs = |entry: EntryRef<'_>| entry.pairs().map(|(f, v)| (f.to_vec(), v.to_vec())).collect();
    entries.map(|entry| (entry.id(), pairs(entry))).collect()
}

fn append(stream: &mut Stream, id: StreamId, fields: &Fields, limits: BlockLimits) {
    stream.append(id, fields.iter().map(|(f, v)| (&f[..], &v[..])), limits);
}

/// What the stream takes of the heap, counted from the beginning.
fn counted_bytes(stream: &Stream) -> usize {
    let mut copy = stream.clone();
    copy.0.groups_bytes = stream.groups().map(|(name, group)| group_bytes(name) + group.heap_bytes()).sum();
    copy.memory_bytes()
}

impl Plain {
    fn id(&self, at: usize) -> StreamId {
        let ids: Vec<_> = self.0.iter().map(|(id, _)| *id).collect();
        let missing = StreamId { ms: at as u64 % 1000, seq: 3 };
        if ids.is_empty() || at.is_multiple_of(5) { missing } else { ids[at % ids.len()] }
    }
}

proptest! {
    #[test]
    fn a_stream_is_a_list_of_entries(which in 0..LIMITS.len(), steps in prop::collection::vec(step(), 1..250)) {
        let limits = LIMITS[which];
        let (mut stream, mut plain) = (Stream::default(), Plain::default());
        for step in steps {
            match step {
                Step::Append { ms, seq, fields } => {
                    let last = stream.log().last_id();
                    let Some(ms) = last.ms.checked_add(ms) else { continue };
                    let Some(seq) = (if ms == last.ms { last.seq.checked_add(seq) } else { Some(seq) }) else { continue };
                    let id = StreamId { ms, seq };
                    append(&mut stream, id, &fields, limits);
                    plain.0.push((id, fields));
                }
                Step::Delete(at) => {
                    let id = plain.id(at);
                    let was_there = plain.0.iter().any(|(own, _)| *own == id);
                    plain.0.retain(|(own, _)| *own != id);
                    let expected = if was_there { Deletion::Done } else { Deletion::Absent };
                    prop_assert_eq!(stream.delete(id, References::Keep), expected);
                }
                Step::Trim { len, is_approximate } => {
                    let removed = stream.trim(Trim { to: TrimTo::Len(len), is_approximate, entries_max: 0 }, References::Keep);
                    prop_assert!(is_approximate || removed as usize == plain.0.len().saturating_sub(len as usize));
                    prop_assert!(plain.0.len() - removed as usize >= plain.0.len().min(len as usize));
                    plain.0.drain(..removed as usize);
                }
                Step::TrimTo { at, is_approximate } => {
                    let least = plain.id(at);
                    let due = plain.0.iter().take_while(|(id, _)| *id < least).count();
                    let removed = stream.trim(Trim { to: TrimTo::Id(least), is_approximate, entries_max: 0 }, References::Keep);
                    prop_assert!(removed as usize == due || is_approximate && (removed as usize) < due);
                    plain.0.drain(..removed as usize);
                }
                Step::Range(from, to) => {
                    let (from, to) = (plain.id(from), plain.id(to));
                    let mut expected: Vec<_> =
                        plain.0.iter().filter(|(id, _)| (from..=to).contains(id)).cloned().collect();
                    if from <= to {
                        prop_assert_eq!(&found(stream.log().range(from, to)), &expected);
                        let behind = plain.0.len() / 2;
                        prop_assert_eq!(&found(stream.log().range_from(behind))[..], &plain.0[behind..]);
                        expected.reverse();
                        prop_assert_eq!(&found(stream.log().range_reversed(from, to)), &expected);
                    }
                }
            }
            prop_assert_eq!(stream.log().len(), plain.0.len() as u64);
            let first = plain.0.first().map_or(StreamId::MIN, |(id, _)| *id);
            prop_assert_eq!(stream.log().first_id(), first);
            prop_assert_eq!(stream.log().last_entry_id(), plain.0.last().map(|(id, _)| *id));
            prop_assert_eq!(stream.memory_bytes(), counted_bytes(&stream));
        }
        prop_assert_eq!(found(stream.log().range(StreamId::MIN, StreamId::MAX)), plain.0);
    }

    #[test]
    fn what_is_pending_in_a_group_is_pending_with_one_consumer(
        steps in prop::collection::vec((0..4_u8, 0..20_u64, 0..4_u8), 1..200),
    ) {
        let mut stream = Stream::default();
        prop_assert!(stream.create_group(b"g", Group::new(StreamId::MIN, None)));
        let mut plain = BTreeMap::new();
        for (step, seq, name) in steps {
            let (id, name) = (StreamId { ms: 1, seq }, [b'c', name]);
            let removed = stream.change_group(b"g", |group, _| match step {
                0 | 1 => {
                    let (consumer, _) = group.enter(&name, 5);
                    group.put(id, Pending { consumer, delivered_ms: 7, deliveries: 1 });
                    plain.insert(id, name);
                    0
                }
                2 => {
                    let is_pending = group.acknowledge(id);
                    usize::from(is_pending != plain.remove(&id).is_some())
                }
                _ => {
                    let own = plain.values().filter(|own| **own == name).count();
                    plain.retain(|_, own| *own != name);
                    group.remove_consumer(&name).unwrap_or(0).abs_diff(own)
                }
            });
            prop_assert_eq!(removed, Some(0));
            let Some(group) = stream.group(b"g") else { return Err(TestCaseError::fail("it was made above")) };
            let owner = |pending: Pending| group.consumer(pending.consumer).map(|consumer| consumer.name().to_vec());
            let all = StreamId::MIN..=StreamId::MAX;
            let pending: Vec<_> = group.pending(all.clone()).map(|(id, pending)| (id, owner(pending))).collect();
            let expected: Vec<_> = plain.iter().map(|(id, name)| (*id, Some(name.to_vec()))).collect();
            prop_assert_eq!(pending, expected);
            for (number, consumer) in group.consumers() {
                let ids: Vec<_> = group.pending_of(number, all.clone()).map(|(id, _)| id).collect();
                let own: Vec<_> =
                    plain.iter().filter(|(_, name)| name[..] == *consumer.name()).map(|(id, _)| *id).collect();
                prop_assert_eq!(consumer.pending_len(), own.len());
                prop_assert_eq!(ids, own);
            }
            prop_assert_eq!(stream.memory_bytes(), counted_bytes(&stream));
        }
        prop_assert!(stream.destroy_group(b"g"));
        prop_assert_eq!(stream.0.groups_bytes, 0);
    }
}

#[test]
fn a_last_id_that_is_set_back_below_deleted_entries_finds_what_is_added_then() {
    let fields = vec![(b"f".to_vec(), b"v".to_vec())];
    let id = |ms| StreamId { ms, seq: 1 };
    let mut stream = Stream::default();
    [1, 5, 6].into_iter().for_each(|ms| append(&mut stream, id(ms), &fields, LIMITS[0]));
    assert_eq!(stream.delete(id(6), References::Keep), Deletion::Done);
    assert_eq!(stream.delete(id(5), References::Keep), Deletion::Done);
    stream.set_last_id(id(2), None, None);
    append(&mut stream, id(3), &fields, LIMITS[0]);
    assert!(stream.log().entry(id(3)).is_some() && stream.log().entry(id(5)).is_none());
    assert_eq!(stream.log().last_entry_id(), Some(id(3)));
    assert_eq!(stream.delete(id(3), References::Keep), Deletion::Done);

    let mut stream = Stream::default();
    [5, 6].into_iter().for_each(|ms| append(&mut stream, id(ms), &fields, LIMITS[0]));
    assert_eq!(stream.delete(id(6), References::Keep), Deletion::Done);
    let trim = Trim { to: TrimTo::Id(StreamId { ms: 6, seq: 0 }), is_approximate: false, entries_max: 0 };
    assert_eq!((stream.trim(trim, References::Keep), stream.log().blocks_len()), (1, 1));
    stream.set_last_id(id(2), None, None);
    append(&mut stream, id(3), &fields, LIMITS[0]);
    assert_eq!(found(stream.log().range(StreamId::MIN, StreamId::MAX)), [(id(3), fields)]);
    assert_eq!(stream.memory_bytes(), counted_bytes(&stream));
}

#[test]
fn blocks_end_where_those_of_redis_end() {
    // Entries in the first blocks of a stream of Redis 7.0.15, as XTRIM ~ shows them, for entries of these fields.
    let blocks = |limits: BlockLimits, value: &str| {
        let mut stream = Stream::default();
        for number in 1..=500 {
            let fields = vec![(b"field".to_vec(), value.as_bytes().to_vec())];
            append(&mut stream, StreamId { ms: number, seq: 0 }, &fields, limits);
        }
        let all: Vec<_> = stream.log().block_ids().map(|id| id.ms).collect();
        all.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    };
    assert_eq!(blocks(LIMITS[0], "x"), [100, 100, 100, 100]);
    assert_eq!(blocks(LIMITS[2], "x")[..3], [3, 3, 3]);
}

#[test]
fn a_small_entry_takes_few_bytes() {
    let mut stream = Stream::default();
    const ENTRIES: u64 = 100_000;
    for number in 0..ENTRIES {
        let values = [(number % 100).to_string(), (number % 70).to_string()];
        let fields = [("temp", &values[0]), ("hum", &values[1])];
        let pairs = fields.iter().map(|(field, value)| (field.as_bytes(), value.as_bytes()));
        stream.append(
            StreamId { ms: 1_700_000_000_000 + number / 100, seq: number % 100 + 1 },
            pairs,
            LIMITS[0],
        );
    }
    let bytes = stream.memory_bytes() as f64 / ENTRIES as f64;
    assert!(bytes < 10.0, "{bytes} bytes an entry");
}
