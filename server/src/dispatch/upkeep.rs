//! What is done about a lock or semaphore without any command: its shard is locked, what has to end ends, and those who wait are
//! served as behind any command. What is to be done, the keeper knows.

use shardis_storage::{Contended, Db, Scope};

use super::{Context, settle};
use crate::client::inbox::Wakes;
use crate::locks::register::GrantRef;
use crate::locks::site::Site;
use crate::state::State;

/// Something to be done at a key.
#[derive(Clone, Debug)]
pub struct Upkeep {
    /// The database, as far as is known.
    pub db: Db,
    /// The key.
    pub key: Box<[u8]>,
    /// What.
    pub deed: Deed,
}

/// What there is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Nothing but to take away what is over, and to offer the key to those who wait.
    Offer,
    /// Let a connection go by which grants last.
    Depart {
        /// The connection.
        client: u64,
        /// One of them.
        grant: GrantRef,
    },
    /// Take this grant back.
    Undo {
        /// The grant.
        grant: GrantRef,
    },
}

impl Upkeep {
    /// The database that its key is in. SWAPDB may have exchanged it since this was asked for, and nothing does while the shard of the
    /// key is locked.
    fn db(&self, state: &State) -> Db {
        let grant = match self.deed {
            Deed::Offer => None,
            Deed::Depart { grant, .. } | Deed::Undo { grant } => Some(grant),
        };
        grant.and_then(|grant| state.locks.register.find(grant)).map_or(self.db, |granted| granted.db)
    }
}

/// Does it, unless somebody holds the shard for long.
pub fn carry_out(ctx: &Context<'_>, upkeep: &Upkeep, wakes: &mut Wakes) -> Result<(), Contended> {
    let (state, Upkeep { key, deed, .. }) = (ctx.state, upkeep);
    let key = state.keyspace.key(key);
    let (patience, hold) = ctx.runner.manners();
    let scope = Scope::One(state.keyspace.shard_of(key.hash()));
    let mut txn = state.keyspace.begin(scope, patience, hold, ctx.now_ms)?;
    let db = upkeep.db(state);
    txn.select(db);
    if state.pause.is_on(&state.clock) {
        txn.keep_expired();
    }
    // Behind the transaction, so that the server is marked before its shards are free.
    let guard = state.poison.guard();
    let mut site = Site::new(state, &mut txn, key);
    site.sweep();
    match *deed {
        Deed::Offer => {}
        Deed::Depart { client, .. } => site.depart(client),
        Deed::Undo { grant } => site.undo(grant.fence),
    }
    let aftermath = settle::settle_and_offer(ctx, &mut txn, db, key.bytes());
    drop(txn);
    drop(guard);
    aftermath.finish(ctx, wakes);
    Ok(())
}
