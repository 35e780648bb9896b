//! Waiting for replicas and for the journal, of which there are none: who waits for some waits until the time is over.

use crate::client::Client;
use crate::command::Arity::Exactly;
use crate::command::{Call, Category, Command, Done, Error, Family, Flags, Flow, Told};
use crate::config::Personality;

/// These are grouped with the commands on keys, but have no key.
pub static FAMILY: Family = Family::new("generic", Category::CONNECTION, &[&WAIT, &WAITAOF]);

const TIPS: &[&str] = &["request_policy:all_shards", "response_policy:agg_min"];

static WAIT: Command = Command::client("WAIT", wait)
    .syntax("numreplicas:integer timeout:integer")
    .arity(Exactly(3))
    .flags(Flags::BLOCKING)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.")
    .tips(TIPS)
    .elsewhere(&[(Personality::Redis70, Told::Flags(Flags::NO_SCRIPT))]);

fn wait(call: &mut Call<'_>, client: &mut Client) -> Done {
    let replicas = call.args.integer()?;
    let timeout_ms = call.timeout_ms()?;
    block(call, client, replicas > 0, timeout_ms, |reply| reply.integer(0))
}

static WAITAOF: Command = Command::client("WAITAOF", waitaof)
    .syntax("numlocal:integer numreplicas:integer timeout:integer")
    .arity(Exactly(4))
    .flags(Flags::BLOCKING)
    .since("7.2.0")
    .complexity("O(1)")
    .summary(
        "Blocks until all of the preceding write commands sent by the connection are written to the append-only file \
         of the master and/or replicas.",
    )
    .tips(TIPS);

fn waitaof(call: &mut Call<'_>, client: &mut Client) -> Done {
    let local = call.args.integer_in(0..=1, Error::OUT_OF_RANGE_0_1)?;
    let replicas = call.args.positive()?;
    let timeout_ms = call.timeout_ms()?;
    if local > 0 {
        return Err(Error::NO_JOURNAL);
    }
    block(call, client, replicas > 0, timeout_ms, |reply| {
        reply.array(2);
        reply.integer(0);
        reply.integer(0);
    })
}

/// Answers what has been reached, which is nothing: at once if no more is wanted, else when the time is over. Who must not
/// wait is answered at once, as in a transaction.
fn block(
    call: &mut Call<'_>,
    client: &mut Client,
    waits: bool,
    timeout_ms: u64,
    answer: fn(&mut shardis_protocol::Reply),
) -> Done {
    if !waits || !client.is_connection() {
        answer(call.reply);
        return Ok(Flow::Done);
    }
    call.block(timeout_ms, answer)
}
