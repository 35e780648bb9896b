//! Results of computations that are stored (INTO): when, and in which transaction.
//!
//! 1. A run of the shard workers ends without any lock, its cut is closed. A thread of the executor, which may wait for the shard of
//!    the key and may take long, stores its result under the lock of that one shard, unless nobody wants it any more, or there is
//!    no memory.
//! 2. A run over shards that are held stores under these locks, before anybody else gets them.
//! 3. Watchers, readers and waiting clients hear of it as of any command's changes; then it is answered.

use shardis_storage::{Hold, Transaction};

use super::jobs::{Within, holding};
use super::route::Route;
use super::{Context, admit, execute};
use crate::command::Error;
use crate::jobs::Cancel;
use crate::jobs::into;
use crate::jobs::order::{End, Order};

/// Stores what the workers have found, if that is a result; what is left of it to be answered. Nothing if nobody wants it.
pub(super) fn among_others(
    ctx: &Context<'_>,
    order: &Order,
    client: u64,
    end: End,
    cancel: &Cancel,
) -> Option<End> {
    if !matches!(end, End::Result(_)) {
        return Some(end);
    }
    // Before anything is locked: making room locks shards.
    if admit::is_out_of_memory(ctx) {
        return Some(End::Unfit(Error::OUT_OF_MEMORY));
    }
    let route = Route::to_keys(&ctx.state.keyspace, order.other_key().into_iter());
    let act = |txn: &mut Transaction<'_>| (!cancel.is_set()).then(|| put(ctx, order, end, txn));
    holding(&ctx.now(), &route, Hold::Long, client, act).flatten()
}

/// Stores a result, if there is one and it is to be stored, over shards that are held.
pub(super) fn within(within: &mut Within<'_, '_, '_>, order: &Order, end: End) -> End {
    if order.plan.storing().is_none() || !matches!(end, End::Result(_)) {
        return end;
    }
    match within.is_out_of_memory {
        true => End::Unfit(Error::OUT_OF_MEMORY),
        false => put(within.ctx, order, end, within.txn),
    }
}

fn put(ctx: &Context<'_>, order: &Order, end: End, txn: &mut Transaction<'_>) -> End {
    let end = execute::measured(ctx, txn, |txn| into::store(order, end, ctx.state, txn));
    execute::count_change(ctx, txn);
    end
}
