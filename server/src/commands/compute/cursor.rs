//! Results page by page: the first answers the selection with CURSOR, these commands give the others.

use std::num::NonZeroUsize;
use std::sync::Arc;

use shardis_compute::Plan;
use shardis_protocol::number;
use shardis_storage::Random;

use super::reply;
use crate::acl;
use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flags, Flow};
use crate::jobs::Answer;
use crate::jobs::cursors::{Asking, Cursors, SHARE_OF_ALL};
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
    let rows = rows_max.map_or_else(|| call.state.cursors.page_rows(cursor, asking), Ok)?;
    if call.should_offload(rows) {
        return Ok(Flow::Offload);
    }
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

/// What answers a selection with CURSOR: its first page, which is made where the selection was.
pub(super) fn first_page(call: &Call<'_>, memory_bytes_max: u64) -> Respond {
    let (cursors, clock, db) = (Arc::clone(&call.state.cursors), call.state.clock.clone(), call.db);
    let user = call.client.as_ref().map_or_else(|| acl::DEFAULT.into(), |client| client.user_name());
    let seed = call.state.random().u64();
    let bytes_max = memory_bytes_max.saturating_mul(SHARE_OF_ALL);
    Arc::new(move |plan: &Arc<Plan>, end: End| {
        let finished = match end {
            End::Result(finished) => finished,
            end => return reply::answer(plan, end),
        };
        let scanned = Some(finished.outcome.scanned);
        let asking = Asking { user: &user, now: clock.elapsed() };
        match cursors.open(plan, *finished, db, asking, bytes_max, &mut Random::seeded(seed)) {
            Ok(page) => {
                let untold = Untold { cursors: Arc::clone(&cursors), number: page.cursor };
                Answer::new(scanned, move |reply| {
                    reply::map(reply, &page.plan, &page.finished, Some(page.cursor));
                    untold.tell();
                    Ok(())
                })
            }
            Err(error) => Answer::new(scanned, |_| Err(error)),
        }
    })
}

/// A cursor of which nobody has heard: it is closed, if nobody ever does.
struct Untold {
    cursors: Arc<Cursors>,
    /// Its number, or 0.
    number: u64,
}

impl Untold {
    /// Notes that somebody has.
    fn tell(mut self) {
        self.number = 0;
    }
}

impl Drop for Untold {
    fn drop(&mut self) {
        if self.number != 0 {
            drop(self.cursors.withdraw(self.number));
        }
    }
}
