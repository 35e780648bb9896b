//! Results page by page: the first answers the selection with CURSOR, these commands give the others.

use std::num::NonZeroUsize;
use std::sync::Arc;

use shardis_compute::Plan;
use shardis_protocol::{Reply, number};
use shardis_storage::Random;

use super::reply;
use crate::acl;
use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flags, Flow};
use crate::jobs::cursors::Asking;
use crate::jobs::order::{End, Respond};

pub static NEXT: Command = Command::client("COMPUTE.NEXT", next)
    .syntax("cursor [COUNT count]")
    .arity(AtLeast(2))
    .flags(Flags::READONLY)
    .since("0.1.0")
    .complexity("O(N) with N being the number of rows that are returned.")
    .summary("Returns the next rows of a selection with CURSOR.");

fn next(call: &mut Call<'_>, client: &mut Client) -> Done {
    let cursor = number_of(call)?;
    let mut rows_max = None;
    if call.args.take_word("COUNT") {
        let count = number::parse_i64(call.args.take()?).and_then(|count| usize::try_from(count).ok());
        rows_max = Some(count.and_then(NonZeroUsize::new).ok_or(Error::NOT_INTEGER)?.get());
    }
    call.args.finish()?;
    let user = client.info.user_name();
    let asking = Asking { user: &user, now: call.state.clock.elapsed() };
    let page = call.state.cursors.next(cursor, rows_max, asking)?;
    reply::map(call.reply, &page.plan, &page.finished, Some(page.cursor));
    Ok(Flow::Done)
}

pub static CLOSE: Command = Command::client("COMPUTE.CLOSE", close)
    .syntax("cursor")
    .arity(Exactly(2))
    .flags(Flags::READONLY.union(Flags::FAST))
    .since("0.1.0")
    .complexity("O(N) with N being the number of rows that were not fetched.")
    .summary("Closes the cursor of a selection.");

fn close(call: &mut Call<'_>, client: &mut Client) -> Done {
    let cursor = number_of(call)?;
    let user = client.info.user_name();
    let closed = call.state.cursors.close(cursor, Asking { user: &user, now: call.state.clock.elapsed() })?;
    call.state.close_cursors(closed);
    call.integer(1)
}

fn number_of(call: &mut Call<'_>) -> Result<u64, Error> {
    let number = number::parse_i64(call.args.take()?).and_then(|number| u64::try_from(number).ok());
    number.ok_or(Error::INVALID_CURSOR)
}

/// What answers a selection with CURSOR: its first page.
pub(super) fn first_page(call: &Call<'_>) -> Respond {
    let (cursors, clock, db) = (Arc::clone(&call.state.cursors), call.state.clock.clone(), call.db);
    let user = call.client.as_ref().map_or_else(|| acl::DEFAULT.into(), |client| client.user_name());
    let seed = call.state.random().u64();
    Arc::new(move |plan: &Arc<Plan>, end: End, reply: &mut Reply| {
        let finished = match end {
            End::Result(finished) => finished,
            end => return reply::respond(plan, end, reply),
        };
        let asking = Asking { user: &user, now: clock.elapsed() };
        let page = cursors.open(plan, *finished, db, asking, &mut Random::seeded(seed))?;
        reply::map(reply, plan, &page.finished, Some(page.cursor));
        Ok(())
    })
}
