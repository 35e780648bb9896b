//! What a program is given: a command that runs other commands, all in the one transaction that was begun for it. How they
//! are run is the business of `dispatch`; what a program makes of them, that of its own handler.

use std::sync::Arc;

use shardis_protocol::{Reply, Request};
use shardis_storage::Db;

use super::table::CommandId;
use crate::client::Client;
use crate::state::State;

/// The inside of a program's transaction.
pub trait Inside {
    /// The server.
    fn state(&self) -> &Arc<State>;

    /// Runs a call that was let in before, and appends its reply. One that would have to wait is answered as if its time were
    /// over.
    fn run(&mut self, client: &mut Client, id: CommandId, request: Request<'_>, reply: &mut Reply);

    /// What is at a key, whose shard is locked.
    fn presence(&mut self, db: Db, key: &[u8]) -> Presence;
}

/// What is at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nothing.
    Absent,
    /// Something whose time has come, and which nobody has removed yet.
    Expired,
    /// A value.
    Live,
}
