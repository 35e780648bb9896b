//! Selecting: rows as they are, of keys that match a pattern or of the elements of a collection.

use shardis_compute::Form;

use super::apply::KAPPLY;
use super::{
    OVER_ELEMENTS, OVER_KEYS, READS_AND_BLOCKS, asynchronous, channel, flags_of_call, job, job_key,
    makes_up_key,
};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Error, key};
use crate::jobs::Job;

/// What follows whose rows are selected.
macro_rules! selection {
    ($rows:literal) => {
        concat!(
            $rows,
            " [TYPES count field <INT | DOUBLE | STRING | BYTES> \
             [field <INT | DOUBLE | STRING | BYTES> ...]] [WHERE expression] \
             [LET name expression [LET name expression ...]] RETURN count column [column ...] \
             [SORTBY name <ASC | DESC> [name <ASC | DESC> ...]] [LIMIT offset count] \
             [CURSOR [COUNT count] [MAXIDLE milliseconds]] [PARAMS count name value [name value ...]] [ISOLATION <SNAPSHOT | ATOMIC | FUZZY>] \
             [TIMEOUT milliseconds] [ONTIMEOUT <FAIL | PARTIAL>] [ONERROR <SKIP | FAIL | NULL>] \
             [MAXMEM bytes] [MAXOUT bytes] [THREADS count] [PROFILE]",
            asynchronous!()
        )
    };
}

pub static SELECT: Command = Command::fanout("COMPUTE.SELECT", select)
    .syntax(selection!("pattern [TYPE type] [AUTHORIZED]"))
    .arity(AtLeast(5))
    .keys(&[job_key!(Select)])
    .channels(channel!(Select))
    .flags(READS_AND_BLOCKS)
    .flagged(flags_of_call!(Select))
    .writes_like(&KAPPLY)
    .with_client()
    .every()
    .since("0.1.0")
    .complexity(OVER_KEYS)
    .summary("Returns fields and figures of the keys that match a pattern, while others are served.")
    .tips(&["request_policy:all_shards", "response_policy:special"]);

fn select(call: &mut Call<'_>) -> Result<Job, Error> {
    job(call, Form::Select)
}

pub static KSELECT: Command = Command::fanout("COMPUTE.KSELECT", kselect)
    .syntax(selection!("key"))
    .arity(AtLeast(5))
    .keys(&[key(1).read_only().accesses(), job_key!(KSelect)])
    .channels(channel!(KSelect))
    .discovers(makes_up_key!(KSelect))
    .flags(READS_AND_BLOCKS)
    .flagged(flags_of_call!(KSelect))
    .writes_like(&KAPPLY)
    .with_client()
    .since("0.1.0")
    .complexity(OVER_ELEMENTS)
    .summary("Returns elements of a collection, and what is computed of them, while others are served.");

fn kselect(call: &mut Call<'_>) -> Result<Job, Error> {
    job(call, Form::KSelect)
}
