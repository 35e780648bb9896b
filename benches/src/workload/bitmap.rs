//! The workloads over bits of strings, and their data. What a workload is, and the list of all, is the parent.

use super::{Dataset, Depth, Reply, SINGLE, UNJUDGED, Workload, key, words, workload};
use crate::resp;
use crate::target::{Against, Target};

pub const GETBIT: Workload = workload(
    "GETBIT",
    &BITMAPS,
    |p| words(["GETBIT", &key(p.item), LAST_BIT]),
    |_| resp::integer(1),
    ONE_BIT,
);
pub const BITCOUNT: Workload = workload(
    "BITCOUNT 1 KB",
    &BITMAPS,
    |p| words(["BITCOUNT", &key(p.item)]),
    |_| resp::integer(1),
    UNJUDGED,
);
pub const BITOP: Workload = workload(
    "BITOP OR of 2 of 1 KB",
    &BITMAPS,
    |p| words(["BITOP", "OR", &format!("r:{}", p.item), &key(p.item), &key((p.item + 1) % p.items)]),
    |_| resp::integer(BITMAP_BYTES),
    UNJUDGED,
);
/// Each visit makes the bit another one.
pub const SETBIT: Workload = Workload {
    visits: 2,
    reply: Reply::Integer { min: 0, max: 1 },
    ..workload(
        "SETBIT",
        &BITMAPS,
        |p| words(["SETBIT", &key(p.item), "5000", if p.visit == 0 { "1" } else { "0" }]),
        |_| resp::integer(0),
        ONE_BIT,
    )
};
/// Changes an integer and leaves what was there.
pub const BITFIELD: Workload = workload(
    "BITFIELD of 2 SET",
    &BITMAPS,
    |p| words(["BITFIELD", &key(p.item), "SET", "u12", "#100", "77", "SET", "u12", "#100", "0"]),
    |_| resp::array_of(vec![resp::integer(0), resp::integer(77)]),
    SINGLE,
);
pub const LARGE_BITCOUNT: Workload = workload(
    "BITCOUNT 1 MB",
    &LARGE_BITMAPS,
    |p| words(["BITCOUNT", &key(p.item)]),
    |_| resp::integer(4 * LARGE_BITMAP_BYTES),
    UNJUDGED,
);
pub const LARGE_BITOP: Workload = workload(
    "BITOP AND of 2 of 1 MB",
    &LARGE_BITMAPS,
    |p| words(["BITOP", "AND", &format!("r:{}", p.item % 8), &key(p.item), &key((p.item + 1) % p.items)]),
    |_| resp::integer(LARGE_BITMAP_BYTES),
    UNJUDGED,
);

static BITMAPS: Dataset = Dataset {
    name: "bitmaps of 1 KB",
    keys_per_item: 10,
    load: |n| words(["SETBIT", &key(n), LAST_BIT, "1"]),
    consumed: false,
};
// Half of the bits of the letter are set.
static LARGE_BITMAPS: Dataset = Dataset {
    name: "bitmaps of 1 MB",
    keys_per_item: 10_000,
    load: |n| words(["SET", &key(n), &"U".repeat(LARGE_BITMAP_BYTES as usize)]),
    consumed: false,
};

/// A bit lies in another cache line than its key, and the wait for that is the same on every server.
const ONE_BIT: &[Depth] = &[Depth { pipeline: 16, cpu: Target::ratio(Against::BestPeer, 1.0, 0.75) }];
/// The highest bit of the small bitmaps.
const LAST_BIT: &str = "8191";
const BITMAP_BYTES: i64 = 1024;
const LARGE_BITMAP_BYTES: i64 = 1024 * 1024;
