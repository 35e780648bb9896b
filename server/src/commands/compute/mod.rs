//! Computing over the keys of a database: commands whose work is done by the shard workers (`jobs::pool`).
//! What they may compute, and every word of their grammar, is `shardis-compute`'s.

mod aggregate;
mod reply;

use shardis_compute::{Plan, PlanError};

use crate::command::{Call, Category, Error, Family, Flags};
use crate::jobs::Job;
use crate::jobs::run::Order;

pub static FAMILY: Family =
    Family::new("compute", Category::COMPUTE, &[&aggregate::COUNT, &aggregate::AGGREGATE]);

/// A run only reads, and its client waits for it.
const READS_AND_BLOCKS: Flags = Flags::READONLY.union(Flags::BLOCKING);

/// What all of them do: the arguments become a plan, which runs over the caller's database as of now.
fn job(call: &mut Call<'_>, parse: fn(&[&[u8]]) -> Result<Plan, PlanError>) -> Result<Job, Error> {
    let words: Vec<&[u8]> = call.args.rest().collect();
    let plan = parse(&words).map_err(|error| Error::new(error.to_string()))?;
    let order = Order { plan, db: call.db, now_ms: call.now_ms, respond: reply::respond };
    Ok(Job::new(move |state| state.pool.submit(state, order)))
}
