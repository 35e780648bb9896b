//! Counting and reducing: keys that match a pattern, or elements of collections.

use shardis_compute::Form;

use super::apply::KAPPLY;
use super::{
    OVER_ELEMENTS, OVER_KEYS, READS_AND_BLOCKS, asynchronous, channel, destination, flags_of_call, job,
    job_key, makes_up_key,
};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Error, key, numbered};
use crate::jobs::Job;

/// What follows whose rows are reduced.
macro_rules! pipeline {
    ($rows:literal) => {
        concat!(
            $rows,
            " [TYPES count field <INT | DOUBLE | STRING | BYTES> \
             [field <INT | DOUBLE | STRING | BYTES> ...]] [WHERE expression] \
             [LET name expression [LET name expression ...]] \
             [GROUPBY count expression AS name [expression AS name ...]] \
             <REDUCE function count [argument [argument ...]] AS name> \
             [<REDUCE function count [argument [argument ...]] AS name> ...] [HAVING expression] \
             [SORTBY name <ASC | DESC> [name <ASC | DESC> ...]] [LIMIT offset count] [SCALAR] \
             [INTO destination [HASH | ZSET | LIST]] \
             [PARAMS count name value [name value ...]] [ISOLATION <SNAPSHOT | ATOMIC | FUZZY>] \
             [TIMEOUT milliseconds] [ONTIMEOUT <FAIL | PARTIAL>] [ONERROR <SKIP | FAIL | NULL>] \
             [MAXMEM bytes] [MAXGROUPS count] [MAXOUT bytes] [THREADS count] [PROFILE]",
            asynchronous!()
        )
    };
}

pub static COUNT: Command = Command::fanout("COMPUTE.COUNT", count)
    .syntax(concat!(
        "pattern [TYPE type] [AUTHORIZED] [WHERE expression] [PARAMS count name value [name value ...]] \
         [ISOLATION <SNAPSHOT | ATOMIC | FUZZY>] [TIMEOUT milliseconds] [ONERROR <SKIP | FAIL | NULL>] \
         [MAXMEM bytes] [THREADS count]",
        asynchronous!()
    ))
    .arity(AtLeast(2))
    .keys(&[job_key!(Count)])
    .channels(channel!(Count))
    .flags(READS_AND_BLOCKS)
    .flagged(flags_of_call!(Count))
    .writes_like(&KAPPLY)
    .every()
    .since("0.1.0")
    .complexity(OVER_KEYS)
    .summary("Counts the keys that match a pattern, while others are served.")
    .tips(&["request_policy:all_shards", "response_policy:agg_sum"]);

fn count(call: &mut Call<'_>) -> Result<Job, Error> {
    job(call, Form::Count)
}

pub static AGGREGATE: Command = Command::fanout("COMPUTE.AGGREGATE", aggregate)
    .syntax(pipeline!("pattern [TYPE type] [AUTHORIZED]"))
    .arity(AtLeast(7))
    .keys(&[destination!(Aggregate), job_key!(Aggregate)])
    .channels(channel!(Aggregate))
    .flags(READS_AND_BLOCKS)
    .flagged(flags_of_call!(Aggregate))
    .writes_like(&KAPPLY)
    .every()
    .since("0.1.0")
    .complexity(OVER_KEYS)
    .summary("Reduces the keys that match a pattern to a few figures, while others are served.")
    .tips(&["request_policy:all_shards", "response_policy:special"]);

fn aggregate(call: &mut Call<'_>) -> Result<Job, Error> {
    job(call, Form::Aggregate)
}

pub static KAGGREGATE: Command = Command::fanout("COMPUTE.KAGGREGATE", kaggregate)
    .syntax(pipeline!("key"))
    .arity(AtLeast(7))
    .keys(&[key(1).read_only().accesses(), destination!(KAggregate), job_key!(KAggregate)])
    .channels(channel!(KAggregate))
    .discovers(makes_up_key!(KAggregate))
    .flags(READS_AND_BLOCKS)
    .flagged(flags_of_call!(KAggregate))
    .writes_like(&KAPPLY)
    .since("0.1.0")
    .complexity(OVER_ELEMENTS)
    .summary("Reduces the elements of a collection to a few figures, while others are served.");

fn kaggregate(call: &mut Call<'_>) -> Result<Job, Error> {
    job(call, Form::KAggregate)
}

pub static MAGGREGATE: Command = Command::fanout("COMPUTE.MAGGREGATE", maggregate)
    .syntax(pipeline!("numkeys key [key ...]"))
    .arity(AtLeast(8))
    .keys(&[numbered(1, 1).read_only().accesses(), destination!(MAggregate), job_key!(MAggregate)])
    .channels(channel!(MAggregate))
    .discovers(makes_up_key!(MAggregate))
    .flags(READS_AND_BLOCKS)
    .flagged(flags_of_call!(MAggregate))
    .writes_like(&KAPPLY)
    .since("0.1.0")
    .complexity(OVER_ELEMENTS)
    .summary("Reduces the elements of several collections to a few figures, while others are served.");

fn maggregate(call: &mut Call<'_>) -> Result<Job, Error> {
    job(call, Form::MAggregate)
}
