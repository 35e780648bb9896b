//! The workloads over HyperLogLogs, and their data. What a workload is, and the list of all, is the parent.

use super::{Dataset, PAR, Reply, SINGLE, Setting, Workload, far_apart, key, with, words};

pub const PFCOUNT: Workload = Workload {
    name: "PFCOUNT",
    dataset: &COUNTED,
    visits: 1,
    request: |p| words(["PFCOUNT", &key(p.item)]),
    reply: Reply::Integer { min: ELEMENTS * 19 / 20, max: ELEMENTS * 21 / 20 },
    setting: Setting::Plain,
    depths: PAR,
};
pub const PFCOUNT_OF_THREE: Workload = Workload {
    name: "PFCOUNT 3 keys",
    request: |p| with(words(["PFCOUNT"]), far_apart(p, 3).map(|pick| key(pick.item))),
    reply: Reply::Integer { min: 3 * ELEMENTS * 19 / 20, max: 3 * ELEMENTS * 21 / 20 },
    ..PFCOUNT
};
/// Some raise a register; all are known once each was added.
pub const PFADD: Workload = Workload {
    name: "PFADD",
    visits: 200,
    reply: Reply::Integer { min: 0, max: 1 },
    request: |p| words(["PFADD", &key(p.item), &p.visit.to_string()]),
    depths: SINGLE,
    ..PFCOUNT
};

static COUNTED: Dataset = Dataset {
    name: "HyperLogLogs of 2500 elements",
    keys_per_item: 250,
    load: |n| with(words(["PFADD", &key(n)]), (0..ELEMENTS).map(|element| format!("{n}:{element}"))),
    consumed: false,
};

/// Elements in the dense HyperLogLogs, and their estimate.
const ELEMENTS: i64 = 2500;
