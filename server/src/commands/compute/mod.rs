//! Computing over the keys of a database, or over the elements of collections: commands whose work is done by the shard
//! workers (`jobs::pool`). What they may compute, and every word of their grammar, is `shardis-compute`'s.

mod aggregate;
mod apply;
mod explain;
mod help;
mod reply;
mod select;

use std::sync::Arc;

use shardis_compute::{Bounds, Form, Limits, Options, Plan};

use crate::command::{Call, Category, Error, Family, Flags};
use crate::config::Setting;
use crate::jobs::Job;
use crate::jobs::run::Order;

pub static FAMILY: Family = Family::new(
    "compute",
    Category::COMPUTE,
    &[
        &aggregate::AGGREGATE,
        &apply::APPLY,
        &aggregate::COUNT,
        &explain::EXPLAIN,
        &help::HELP,
        &aggregate::KAGGREGATE,
        &apply::KAPPLY,
        &select::KSELECT,
        &aggregate::MAGGREGATE,
        &select::SELECT,
    ],
);

/// A run only reads, and its client waits for it.
const READS_AND_BLOCKS: Flags = Flags::READONLY.union(Flags::BLOCKING);

const OVER_KEYS: &str =
    "O(N) with N being the number of keys in the database, shared by the threads that compute.";
const OVER_ELEMENTS: &str = "O(N) with N being the number of elements in the collections.";

/// What all of them do: the arguments become a plan, which runs over the caller's database.
fn job(call: &mut Call<'_>, form: Form) -> Result<Job, Error> {
    let words: Vec<&[u8]> = call.args.rest().collect();
    let plan = plan(call, form, &words)?;
    refuse_later(plan.options())?;
    Ok(Job::new(Order {
        plan: Arc::new(plan),
        db: call.db,
        rights: None,
        apply: None,
        then: None,
        respond: reply::respond,
    }))
}

/// Refuses the clauses that cannot be carried out.
fn refuse_later(options: &Options) -> Result<(), Error> {
    let later = [
        (options.into.is_some(), "INTO"),
        (options.cursor.is_some(), "CURSOR"),
        (options.asynchronous.is_some(), "ASYNC"),
    ];
    let asked = later.into_iter().find(|(is_asked, _)| *is_asked);
    asked.map_or(Ok(()), |(_, clause)| Err(Error::clause_not_available(clause)))
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
