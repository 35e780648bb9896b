//! The workloads over streams, and their data. What a workload is, and the list of all, is the parent.

use super::{Dataset, Pick, Reply, SEVERAL, SINGLE, Setting, Workload, key, words, workload};
use crate::resp::{self, Words};

pub const XRANGE: Workload = workload(
    "XRANGE 100",
    &STREAMS,
    |p| words(["XRANGE", &key(p.item), "-", "+"]),
    |_| resp::array_of((FIRST..FIRST + ENTRIES).map(|seq| entry(&seq.to_string())).collect()),
    SEVERAL,
);
/// All ids are of one millisecond and have as many digits.
pub const XADD: Workload = Workload {
    visits: 100,
    reply: Reply::Like(|_| resp::bulk("5-######")),
    ..growing("XADD", |p| words(["XADD", &key(p.item), "5-*", "temp", "21", "hum", "45"]))
};
/// Each visit gets another entry.
pub const XREADGROUP: Workload = Workload {
    visits: ENTRIES,
    reply: Reply::Like(|p| {
        resp::array_of(vec![resp::array_of(vec![
            resp::bulk(&key(p.item)),
            resp::array_of(vec![entry("######")]),
        ])])
    }),
    ..growing("XREADGROUP COUNT 1", |p| {
        words(["XREADGROUP", "GROUP", "new", "c", "COUNT", "1", "STREAMS", &key(p.item), ">"])
    })
};
pub const XACK: Workload = Workload {
    visits: ENTRIES,
    reply: Reply::Exact(|_| resp::integer(1)),
    ..growing("XACK", |p| words(["XACK", &key(p.item), "read", &format!("5-{}", FIRST + p.visit)]))
};

const fn growing(name: &'static str, request: fn(Pick) -> Words) -> Workload {
    Workload {
        name,
        dataset: &GROUPED,
        visits: 1,
        request,
        reply: Reply::Exact(|_| Vec::new()),
        setting: Setting::Plain,
        depths: SINGLE,
    }
}

static STREAMS: Dataset =
    Dataset { name: "streams of 100", keys_per_item: 100, load: |n| fill(FILL, n), consumed: false };
static GROUPED: Dataset = Dataset {
    name: "streams of 100 with groups",
    keys_per_item: 100,
    load: |n| fill(FILL_FOR_GROUPS, n),
    consumed: true,
};

fn fill(script: &str, number: u64) -> Words {
    words(["EVAL", script, "1", &key(number)])
}

const FILL: &str = "for seq = 100000, 100099 do \
    redis.call('XADD', KEYS[1], '5-' .. seq, 'temp', '21', 'hum', '45') end";
/// One group has got nothing yet, the other all.
const FILL_FOR_GROUPS: &str = "redis.call('DEL', KEYS[1]) for seq = 100000, 100099 do \
    redis.call('XADD', KEYS[1], '5-' .. seq, 'temp', '21', 'hum', '45') end \
    redis.call('XGROUP', 'CREATE', KEYS[1], 'new', '0') redis.call('XGROUP', 'CREATE', KEYS[1], 'read', '0') \
    redis.call('XREADGROUP', 'GROUP', 'read', 'c', 'STREAMS', KEYS[1], '>')";
const FIRST: u64 = 100_000;
const ENTRIES: u64 = 100;

fn entry(seq: &str) -> Vec<u8> {
    let fields = ["temp", "21", "hum", "45"].map(resp::bulk).to_vec();
    resp::array_of(vec![resp::bulk(&format!("5-{seq}")), resp::array_of(fields)])
}
