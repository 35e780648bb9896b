//! Computing over the keys of a database, or over the elements of collections: commands whose work is done by the shard
//! workers (`jobs::pool`). What they may compute, and every word of their grammar, is `shardis-compute`'s.

mod aggregate;
mod apply;
mod cursor;
mod explain;
mod help;
mod reply;
mod select;

use std::sync::Arc;

use shardis_compute::{Bounds, Form, Limits, Place, Plan};
use shardis_protocol::Request;

use crate::command::{Call, Category, Error, Family, Flags};
use crate::config::Setting;
use crate::jobs::Job;
use crate::jobs::order::{Order, Respond};

pub static FAMILY: Family = Family::new(
    "compute",
    Category::COMPUTE,
    &[
        &aggregate::AGGREGATE,
        &apply::APPLY,
        &cursor::CLOSE,
        &aggregate::COUNT,
        &explain::EXPLAIN,
        &help::HELP,
        &aggregate::KAGGREGATE,
        &apply::KAPPLY,
        &select::KSELECT,
        &aggregate::MAGGREGATE,
        &cursor::NEXT,
        &select::SELECT,
    ],
);

/// A run only reads, and its client waits for it.
const READS_AND_BLOCKS: Flags = Flags::READONLY.union(Flags::BLOCKING);

const OVER_KEYS: &str =
    "O(N) with N being the number of keys in the database, shared by the threads that compute.";
const OVER_ELEMENTS: &str = "O(N) with N being the number of elements in the collections.";

/// Where the key of INTO stands.
const DESTINATION: &str = "For the optional INTO keyword, which writes. It is marked 'unknown' because the keyword can appear \
     anywhere in the argument array";

/// Where the key of a job stands.
const JOB: &str = "For the optional ID keyword of ASYNC, which writes. It is marked 'unknown' because the keyword can appear \
     anywhere in the argument array";

/// What may follow all of them.
macro_rules! asynchronous {
    () => {
        " [ASYNC [ID key] [NOTIFY channel]]"
    };
}
use asynchronous;

/// The key that a form of command stores its result at.
macro_rules! destination {
    ($form:ident) => {
        crate::command::searched(|request| {
            super::place(Form::$form, shardis_compute::Place::Destination, request)
        })
        .overwrites()
        .updates()
        .notes(super::DESTINATION)
    };
}
use destination;

/// The key of the job that a form of command becomes with ASYNC.
macro_rules! job_key {
    ($form:ident) => {
        crate::command::searched(|request| super::place(Form::$form, shardis_compute::Place::Job, request))
            .overwrites()
            .inserts()
            .notes(super::JOB)
    };
}
use job_key;

/// The channel that hears of the end of such a job.
macro_rules! channel {
    ($form:ident) => {
        crate::command::Channels::Found(|request| {
            super::place(Form::$form, shardis_compute::Place::Channel, request)
        })
    };
}
use channel;

/// The word of a call that is a key or a channel, and stands where only the grammar of its form tells.
fn place(form: Form, place: Place, request: Request<'_>) -> Option<usize> {
    let words: Vec<&[u8]> = (1..request.len()).filter_map(|at| request.arg(at)).collect();
    Plan::place(form, &words, place).map(|at| at + 1)
}

/// A call that stores its result, or becomes a job, writes and takes memory.
macro_rules! flags_of_call {
    ($form:ident) => {
        |_, request, flags| super::flags_of(Form::$form, request, flags)
    };
}
use flags_of_call;

/// Whether a call becomes a job whose key no word names.
macro_rules! makes_up_key {
    ($form:ident) => {
        |request| {
            super::has_word(request, b"ASYNC")
                && super::place(Form::$form, shardis_compute::Place::Job, request).is_none()
        }
    };
}
use makes_up_key;

fn flags_of(form: Form, request: Request<'_>, flags: Flags) -> Flags {
    // Most calls have neither word, so that nobody has to read them for this.
    let writes = (has_word(request, b"INTO") || has_word(request, b"ASYNC")) && {
        let words: Vec<&[u8]> = (1..request.len()).filter_map(|at| request.arg(at)).collect();
        Plan::writes(form, &words)
    };
    if writes { flags.without(Flags::READONLY) | Flags::WRITE | Flags::DENY_OOM } else { flags }
}

fn has_word(request: Request<'_>, keyword: &[u8]) -> bool {
    (2..request.len()).filter_map(|at| request.arg(at)).any(|word| word.eq_ignore_ascii_case(keyword))
}

/// What all of them do: the arguments become a plan, which runs over the caller's database.
fn job(call: &mut Call<'_>, form: Form) -> Result<Job, Error> {
    let words: Vec<&[u8]> = call.args.rest().collect();
    let plan = plan(call, form, &words)?;
    let respond: Respond = match plan.options().cursor {
        Some(_) => cursor::first_page(call, bounds(call).usual.memory_bytes_max),
        None => Arc::new(reply::answer),
    };
    Ok(Job::new(Order {
        plan: Arc::new(plan),
        db: call.db,
        rights: None,
        apply: None,
        then: None,
        respond,
        course: Arc::default(),
    }))
}

fn plan(call: &Call<'_>, form: Form, words: &[&[u8]]) -> Result<Plan, Error> {
    Plan::new(form, words, &bounds(call)).map_err(|error| Error::new(error.to_string()))
}

/// What the configuration allows.
fn bounds(call: &Call<'_>) -> Bounds {
    let config = &call.state.config;
    let limits = &config.compute;
    let number = |setting: &Setting<i64>| setting.value().unsigned_abs();
    let hard = |setting: &Setting<i64>| match number(setting) {
        0 => u64::MAX,
        limit => limit,
    };
    let memory_bytes_max = match (number(&limits.max_memory), number(&config.maxmemory)) {
        (0, 0) => call.state.pool.machine_bytes() / MEMORY_SHARE,
        (0, maxmemory) => maxmemory / MEMORY_SHARE,
        (configured, _) => configured,
    };
    Bounds {
        usual: Limits {
            timeout_ms: number(&limits.timeout),
            memory_bytes_max,
            groups_max: number(&limits.max_groups),
            output_bytes_max: number(&limits.max_output),
        },
        async_timeout_ms: number(&limits.async_timeout),
        hard: Limits {
            timeout_ms: number(&limits.hard_timeout),
            memory_bytes_max: hard(&limits.hard_max_memory),
            groups_max: hard(&limits.hard_max_groups),
            output_bytes_max: hard(&limits.hard_max_output),
        },
    }
}

/// A run may take a twentieth of the memory there is.
const MEMORY_SHARE: u64 = 20;
