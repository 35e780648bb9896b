//! The load workloads: data to store first, requests to send, answers to expect, depths to run at.
//!
//! A workload does not know who sends it: the load generator, a criterion bench or an in-process caller.

mod bitmap;
mod hyperloglog;
mod stream;

use crate::memory::person;
use crate::places::{self, PLACES};
use crate::resp::{self, Words};
use crate::target::{Against, Target};

/// Data that several workloads share.
pub struct Dataset {
    /// Names the data in progress messages.
    pub name: &'static str,
    /// One item for so many keys of the run: collections are fewer than strings.
    pub keys_per_item: u64,
    /// The command that stores item `number`.
    pub load: fn(number: u64) -> Words,
    /// Workloads use the data up or let it grow: it is stored anew before each measurement, and a measurement
    /// ends when every request was sent once.
    pub consumed: bool,
}

impl Dataset {
    /// How many items a run stores that was asked for `keys` keys.
    pub fn items(&self, keys: u64) -> u64 {
        (keys / self.keys_per_item).max(ITEMS_MIN)
    }
}

/// Which item a request touches.
#[derive(Clone, Copy, Debug)]
pub struct Pick {
    /// The item's number.
    pub item: u64,
    /// How often the workload's list of requests touched it before.
    pub visit: u64,
    /// How many items there are.
    pub items: u64,
}

/// What a right server answers.
pub enum Reply {
    /// Exactly these bytes.
    Exact(fn(Pick) -> Vec<u8>),
    /// These bytes, where `#` stands for any digit: the order among connections decides which.
    Like(fn(Pick) -> Vec<u8>),
    /// An integer in this range, where the order among connections decides which.
    Integer {
        /// The smallest right answer.
        min: i64,
        /// The largest right answer.
        max: i64,
    },
}

/// Requests sent together before the replies are read.
pub struct Depth {
    /// Requests per batch.
    pub pipeline: usize,
    /// Limits on server CPU per request.
    pub cpu: Target,
}

/// What surrounds a request.
#[derive(Clone, Copy)]
pub enum Setting {
    /// Nothing.
    Plain,
    /// The server knows this script, which the request calls by its digest.
    Script(&'static str),
    /// So many of the request, for items far apart, stand between MULTI and EXEC and count as one.
    Transaction(u64),
}

/// One kind of request.
pub struct Workload {
    /// Names the row; the first word is the command.
    pub name: &'static str,
    /// What is stored beforehand.
    pub dataset: &'static Dataset,
    /// How often the list of requests touches each item.
    pub visits: u64,
    /// The request.
    pub request: fn(Pick) -> Words,
    /// Its answer.
    pub reply: Reply,
    /// What surrounds it.
    pub setting: Setting,
    /// The depths at which it runs.
    pub depths: &'static [Depth],
}

/// Every workload; those that share a dataset stand together, readers before writers.
pub const WORKLOADS: &[Workload] = &[
    workload("GET", &STRINGS, |p| words(["GET", &key(p.item)]), value_reply, HEADLINE),
    workload("SET", &STRINGS, |p| words(["SET", &key(p.item), &value(p.item)]), |_| resp::ok(), HEADLINE),
    workload("EXISTS", &STRINGS, |p| words(["EXISTS", &key(p.item)]), |_| resp::integer(1), SINGLE),
    workload(
        "MGET 10 keys",
        &STRINGS,
        |p| ten_keys(p).fold(words(["MGET"]), |command, item| with(command, [key(item)])),
        |p| resp::array(&ten_keys(p).map(value).collect::<Vec<_>>()),
        SEVERAL,
    ),
    workload(
        "MSET 10 keys",
        &STRINGS,
        |p| ten_keys(p).fold(words(["MSET"]), |command, item| with(command, [key(item), value(item)])),
        |_| resp::ok(),
        SEVERAL,
    ),
    Workload {
        setting: Setting::Script(GET_SCRIPT),
        ..workload(
            "EVALSHA of one GET",
            &STRINGS,
            |p| words(["EVALSHA", GET_SCRIPT_SHA1, "1", &key(p.item)]),
            value_reply,
            PROGRAMS,
        )
    },
    Workload {
        setting: Setting::Transaction(5),
        ..workload(
            "MULTI of 5 SET",
            &STRINGS,
            |p| words(["SET", &key(p.item), &value(p.item)]),
            |_| resp::ok(),
            PROGRAMS,
        )
    },
    workload("EXPIRE", &STRINGS, |p| words(["EXPIRE", &key(p.item), "100000"]), |_| resp::integer(1), SINGLE),
    workload(
        "GET of a tenth of the keys",
        &FEW_STRINGS,
        |p| words(["GET", &key(p.item)]),
        value_reply,
        UNJUDGED,
    ),
    workload(
        "GET 8 bytes",
        &SHORT_STRINGS,
        |p| words(["GET", &key(p.item)]),
        |p| resp::bulk(&short_value(p.item)),
        UNJUDGED,
    ),
    workload(
        "SET 8 bytes",
        &SHORT_STRINGS,
        |p| words(["SET", &key(p.item), &short_value(p.item)]),
        |_| resp::ok(),
        UNJUDGED,
    ),
    workload(
        "GET 1024 bytes",
        &LONG_STRINGS,
        |p| words(["GET", &key(p.item)]),
        |p| resp::bulk(&long_value(p.item)),
        UNJUDGED,
    ),
    workload(
        "SET 1024 bytes",
        &LONG_STRINGS,
        |p| words(["SET", &key(p.item), &long_value(p.item)]),
        |_| resp::ok(),
        UNJUDGED,
    ),
    bitmap::GETBIT,
    bitmap::BITCOUNT,
    bitmap::BITOP,
    bitmap::SETBIT,
    bitmap::BITFIELD,
    bitmap::LARGE_BITCOUNT,
    bitmap::LARGE_BITOP,
    Workload {
        name: "INCR",
        dataset: &COUNTERS,
        visits: 1,
        request: |p| words(["INCR", &key(p.item)]),
        reply: Reply::Integer { min: 1, max: i64::MAX },
        setting: Setting::Plain,
        depths: SINGLE,
    },
    Workload {
        name: "LPUSH",
        dataset: &LISTS,
        visits: SHORT_LIST,
        request: |p| words(["LPUSH", &format!("list:{}", p.item), LIST_ITEM]),
        reply: Reply::Integer { min: SHORT_LIST as i64 + 1, max: 2 * SHORT_LIST as i64 },
        setting: Setting::Plain,
        depths: SINGLE,
    },
    Workload {
        visits: SHORT_LIST,
        ..workload(
            "RPOP",
            &LISTS,
            |p| words(["RPOP", &format!("list:{}", p.item)]),
            |_| resp::bulk(LIST_ITEM),
            SINGLE,
        )
    },
    // Half of the members are there already.
    Workload {
        name: "SADD",
        dataset: &SETS,
        visits: 2 * SMALL_SET,
        request: |p| words(["SADD", &format!("set:{}", p.item), &format!("member:{}", p.visit)]),
        reply: Reply::Integer { min: 0, max: 1 },
        setting: Setting::Plain,
        depths: SINGLE,
    },
    workload(
        "HGET",
        &HASHES,
        |p| words(["HGET", &format!("h:{}", p.item), "city"]),
        |p| resp::bulk(&format!("city{}", p.item % 100)),
        SINGLE,
    ),
    workload(
        "HSET",
        &HASHES,
        |p| words(["HSET", &format!("h:{}", p.item), "city", &format!("city{}", p.item % 100)]),
        |_| resp::integer(0),
        SINGLE,
    ),
    workload(
        "ZSCORE",
        &SORTED_SETS,
        |p| words(["ZSCORE", &format!("z:{}", p.item), "m5"]),
        |_| resp::bulk("5"),
        SINGLE,
    ),
    // Each visit gives the member another place among the ten.
    Workload {
        visits: SMALL_SET,
        ..workload(
            "ZADD",
            &SORTED_SETS,
            |p| words(["ZADD", &format!("z:{}", p.item), &p.visit.to_string(), "m5"]),
            |_| resp::integer(0),
            SINGLE,
        )
    },
    hyperloglog::PFCOUNT,
    hyperloglog::PFCOUNT_OF_THREE,
    hyperloglog::PFADD,
    stream::XRANGE,
    stream::XADD,
    stream::XREADGROUP,
    stream::XACK,
    workload(
        "LRANGE 0 99",
        &LONG_LISTS,
        |p| words(["LRANGE", &format!("list:{}", p.item), "0", "99"]),
        |p| resp::array(&hundred("item", p.item)),
        SEVERAL,
    ),
    workload(
        "ZRANGE 0 99 WITHSCORES",
        &LONG_SORTED_SETS,
        |p| words(["ZRANGE", &format!("z:{}", p.item), "0", "99", "WITHSCORES"]),
        |p| {
            let members = hundred("member", p.item).into_iter().zip(0_u64..);
            resp::array(&members.flat_map(|(member, score)| [member, score.to_string()]).collect::<Vec<_>>())
        },
        SEVERAL,
    ),
    workload("GEOSEARCH 11 of 90", &PLACES, places::search, places::found, SEVERAL),
    // Each visit moves a place that is never found.
    Workload {
        visits: places::MOVES,
        ..workload("GEOADD", &PLACES, places::move_last, |_| resp::integer(0), SINGLE)
    },
    // Servers keep a hash of this size packed, in the order in which the fields came.
    workload(
        "HGETALL 50 fields",
        &LONG_HASHES,
        |p| words(["HGETALL", &format!("h:{}", p.item)]),
        |p| resp::array(&fifty_fields(p.item)),
        SEVERAL,
    ),
];

impl Workload {
    /// The commands of one request.
    pub fn commands(&self, pick: Pick) -> Vec<Words> {
        match self.setting {
            Setting::Plain | Setting::Script(_) => vec![(self.request)(pick)],
            Setting::Transaction(count) => {
                let queued = far_apart(pick, count).map(self.request);
                std::iter::once(words(["MULTI"])).chain(queued).chain([words(["EXEC"])]).collect()
            }
        }
    }

    /// The replies to the commands of one request, where `reply` is that to each that is not of the setting.
    pub fn replies(&self, reply: fn(Pick) -> Vec<u8>, pick: Pick) -> Vec<u8> {
        match self.setting {
            Setting::Plain | Setting::Script(_) => reply(pick),
            Setting::Transaction(count) => {
                let mut replies = resp::ok();
                far_apart(pick, count).for_each(|_| replies.extend(resp::queued()));
                replies.extend(resp::array_of(far_apart(pick, count).map(reply).collect()));
                replies
            }
        }
    }
}

/// A key of sixteen bytes.
pub fn key(number: u64) -> String {
    format!("key:{number:012}")
}

/// A value of 64 bytes.
pub fn value(number: u64) -> String {
    format!("v{number:063}")
}

/// A command from its words.
pub fn words<const N: usize>(words: [&str; N]) -> Words {
    words.map(str::to_owned).into()
}

const fn workload(
    name: &'static str,
    dataset: &'static Dataset,
    request: fn(Pick) -> Words,
    reply: fn(Pick) -> Vec<u8>,
    depths: &'static [Depth],
) -> Workload {
    Workload {
        name,
        dataset,
        visits: 1,
        request,
        reply: Reply::Exact(reply),
        setting: Setting::Plain,
        depths,
    }
}

fn value_reply(pick: Pick) -> Vec<u8> {
    resp::bulk(&value(pick.item))
}

fn short_value(number: u64) -> String {
    format!("v{number:07}")
}

fn long_value(number: u64) -> String {
    format!("v{number:01023}")
}

/// Ten different items far apart.
fn ten_keys(pick: Pick) -> impl Iterator<Item = u64> {
    far_apart(pick, 10).map(|pick| pick.item)
}

/// So many different items far apart, so that neither keys nor allocations are neighbours.
fn far_apart(pick: Pick, count: u64) -> impl Iterator<Item = Pick> {
    let item = move |step| (pick.item + step * (pick.items / count)) % pick.items;
    (0..count).map(move |step| Pick { item: item(step), ..pick })
}

fn hundred(prefix: &str, item: u64) -> Words {
    (0..100).map(|number| format!("{prefix}:{:010}", item * 100 + number)).collect()
}

fn fifty_fields(item: u64) -> Words {
    (0..50).flat_map(|field| [format!("field:{field:02}"), format!("value:{:08}", item + field)]).collect()
}

fn with(mut command: Words, more: impl IntoIterator<Item = String>) -> Words {
    command.extend(more);
    command
}

static STRINGS: Dataset = Dataset {
    name: "strings of 64 bytes",
    keys_per_item: 1,
    load: |n| words(["SET", &key(n), &value(n)]),
    consumed: false,
};
static FEW_STRINGS: Dataset =
    Dataset { name: "a tenth of the strings", keys_per_item: 10, load: STRINGS.load, consumed: false };
static SHORT_STRINGS: Dataset = Dataset {
    name: "strings of 8 bytes",
    keys_per_item: 1,
    load: |n| words(["SET", &key(n), &short_value(n)]),
    consumed: false,
};
static LONG_STRINGS: Dataset = Dataset {
    name: "strings of 1024 bytes",
    keys_per_item: 10,
    load: |n| words(["SET", &key(n), &long_value(n)]),
    consumed: false,
};
static COUNTERS: Dataset = Dataset {
    name: "counters",
    keys_per_item: 1,
    load: |n| words(["SET", &key(n), &(n * 7919).to_string()]),
    consumed: false,
};
static LISTS: Dataset = Dataset {
    name: "lists of 20",
    keys_per_item: 10,
    load: |n| {
        let items = std::iter::repeat_n(LIST_ITEM.to_owned(), SHORT_LIST as usize);
        with(words(["RPUSH", &format!("list:{n}")]), items)
    },
    consumed: true,
};
static SETS: Dataset = Dataset {
    name: "sets of 10",
    keys_per_item: 10,
    load: |n| {
        let members = (0..SMALL_SET).map(|member| format!("member:{}", 2 * member));
        with(words(["SADD", &format!("set:{n}")]), members)
    },
    consumed: true,
};
static HASHES: Dataset =
    Dataset { name: "hashes of 5 fields", keys_per_item: 10, load: person, consumed: false };
static SORTED_SETS: Dataset = Dataset {
    name: "sorted sets of 10",
    keys_per_item: 10,
    load: |n| {
        let pairs = (0..SMALL_SET).flat_map(|member| [member.to_string(), format!("m{member}")]);
        with(words(["ZADD", &format!("z:{n}")]), pairs)
    },
    consumed: false,
};
static LONG_LISTS: Dataset = Dataset {
    name: "lists of 100",
    keys_per_item: 100,
    load: |n| with(words(["RPUSH", &format!("list:{n}")]), hundred("item", n)),
    consumed: false,
};
static LONG_SORTED_SETS: Dataset = Dataset {
    name: "sorted sets of 100",
    keys_per_item: 100,
    load: |n| {
        let members = hundred("member", n).into_iter().zip(0_u64..);
        let pairs = members.flat_map(|(member, score)| [score.to_string(), member]);
        with(words(["ZADD", &format!("z:{n}")]), pairs)
    },
    consumed: false,
};
static LONG_HASHES: Dataset = Dataset {
    name: "hashes of 50 fields",
    keys_per_item: 100,
    load: |n| with(words(["HSET", &format!("h:{n}")]), fifty_fields(n)),
    consumed: false,
};

const HEADLINE: &[Depth] = &[
    Depth { pipeline: 1, cpu: Target::ratio(Against::Peer("valkey"), 0.95, 0.85) },
    Depth { pipeline: 16, cpu: Target::ratio(Against::Peer("valkey"), 0.75, 0.60) },
    Depth { pipeline: 100, cpu: Target::ratio(Against::Peer("valkey"), 0.30, 0.20) },
];
const SINGLE: &[Depth] = &[Depth { pipeline: 16, cpu: Target::ratio(Against::BestPeer, 0.75, 0.60) }];
const SEVERAL: &[Depth] = &[
    Depth { pipeline: 1, cpu: Target { goal: None, ..Target::ratio(Against::BestPeer, 0.90, 0.90) } },
    Depth { pipeline: 16, cpu: Target::ratio(Against::BestPeer, 0.75, 0.50) },
];
const PROGRAMS: &[Depth] = &[Depth {
    pipeline: 16,
    cpu: Target { goal: None, ..Target::ratio(Against::Peer("valkey"), 0.75, 0.75) },
}];
const PAR: &[Depth] =
    &[Depth { pipeline: 16, cpu: Target { goal: None, ..Target::ratio(Against::BestPeer, 1.00, 1.00) } }];
const UNJUDGED: &[Depth] = &[Depth { pipeline: 16, cpu: Target::NONE }];

/// A batch must not touch an item twice, so there are at least as many items as requests in the longest one.
const ITEMS_MIN: u64 = 100;
/// A script of one call, and its digest.
const GET_SCRIPT: &str = "return redis.call('GET', KEYS[1])";
const GET_SCRIPT_SHA1: &str = "d3c21d0c2b9ca22f82737626a27bcaf5d288f99f";
/// Items in the lists that are pushed to and popped from; all alike, so that the order of pops does not matter.
const SHORT_LIST: u64 = 20;
const LIST_ITEM: &str = "item:0000000000";
/// Members in the small sets and sorted sets.
const SMALL_SET: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_batch_fits_into_the_fewest_items() {
        let deepest = WORKLOADS.iter().flat_map(|workload| workload.depths).map(|depth| depth.pipeline).max();
        assert!(deepest.is_some_and(|pipeline| pipeline as u64 <= ITEMS_MIN));
    }

    #[test]
    fn workloads_of_a_dataset_stand_together() {
        let mut names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.dataset.name).collect();
        names.dedup();
        let runs = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(runs, names.len());
    }

    #[test]
    fn names_begin_with_the_command_that_is_sent() {
        for workload in WORKLOADS {
            let commands = workload.commands(Pick { item: 3, visit: 0, items: ITEMS_MIN });
            assert_eq!(workload.name.split(' ').next(), commands[0].first().map(String::as_str));
        }
    }

    #[test]
    fn ten_keys_are_ten_different_items() {
        for items in [100, 1009, 1_000_000] {
            let mut picked: Vec<u64> = ten_keys(Pick { item: items - 1, visit: 0, items }).collect();
            picked.sort_unstable();
            picked.dedup();
            assert_eq!(picked.len(), 10);
            assert!(picked.iter().all(|item| *item < items));
        }
    }

    #[test]
    fn half_of_the_added_members_are_stored_already() {
        let stored = (SETS.load)(0);
        let added = WORKLOADS.iter().find(|workload| workload.name == "SADD").expect("the workload exists");
        let known = (0..added.visits)
            .filter(|visit| {
                let request = (added.request)(Pick { item: 0, visit: *visit, items: ITEMS_MIN });
                stored[2..].contains(&request[2])
            })
            .count();
        assert_eq!(known as u64 * 2, added.visits);
    }
}
