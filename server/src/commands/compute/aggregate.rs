//! Counting and reducing the keys that match a pattern.

use shardis_compute::Plan;

use super::{READS_AND_BLOCKS, job};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Error};
use crate::jobs::Job;

pub static COUNT: Command = Command::fanout("COMPUTE.COUNT", count)
    .syntax(
        "pattern [TYPE type] [ISOLATION <SNAPSHOT | ATOMIC | FUZZY>] [TIMEOUT milliseconds] \
         [ONERROR <SKIP | FAIL | NULL>] [THREADS count]",
    )
    .arity(AtLeast(2))
    .flags(READS_AND_BLOCKS)
    .since("0.1.0")
    .complexity("O(N) with N being the number of keys in the database, shared by the threads that compute.")
    .summary("Counts the keys that match a pattern, while others are served.")
    .tips(&["request_policy:all_shards", "response_policy:agg_sum"]);

fn count(call: &mut Call<'_>) -> Result<Job, Error> {
    job(call, Plan::count)
}

pub static AGGREGATE: Command = Command::fanout("COMPUTE.AGGREGATE", aggregate)
    .syntax(
        "pattern [TYPE type] [TYPES count field <INT | DOUBLE | STRING | BYTES> \
         [field <INT | DOUBLE | STRING | BYTES> ...]] \
         <REDUCE function count [expression] AS name> [<REDUCE function count [expression] AS name> ...] \
         [SCALAR] [ISOLATION <SNAPSHOT | ATOMIC | FUZZY>] [TIMEOUT milliseconds] \
         [ONTIMEOUT <FAIL | PARTIAL>] [ONERROR <SKIP | FAIL | NULL>] [THREADS count]",
    )
    .arity(AtLeast(7))
    .flags(READS_AND_BLOCKS)
    .since("0.1.0")
    .complexity("O(N) with N being the number of keys in the database, shared by the threads that compute.")
    .summary("Reduces the keys that match a pattern to a few figures, while others are served.")
    .tips(&["request_policy:all_shards", "response_policy:special"]);

fn aggregate(call: &mut Call<'_>) -> Result<Job, Error> {
    job(call, Plan::aggregate)
}
