//! What a program is given: a command that runs other commands, all in the one transaction that was begun for it. How they
//! are run is the business of `dispatch`; what a program makes of them, that of its own handler.

use std::rc::Rc;
use std::sync::Arc;

use shardis_protocol::{Reply, Request};
use shardis_storage::{Db, View, WrongType};

use super::Error;
use super::table::CommandId;
use crate::client::Client;
use crate::scripting::engine::EngineSlot;
use crate::state::State;

/// The inside of a program's transaction.
pub trait Inside {
    /// The server.
    fn state(&self) -> &Arc<State>;

    /// What runs scripts on this thread, if it can.
    fn engine(&self) -> Option<Rc<EngineSlot>>;

    /// Whether there was no memory left when the program began.
    fn is_out_of_memory(&self) -> bool;

    /// Whether it has turned out that the program takes too long for this thread. Nothing has happened then, and it must run
    /// elsewhere.
    fn is_too_long(&self) -> bool;

    /// Runs a call that was let in before, and appends its reply. One that would have to wait is answered as if its time were
    /// over.
    fn run(&mut self, client: &mut Client, id: CommandId, request: Request<'_>, reply: &mut Reply);

    /// Lets in and runs a call of a script, and appends its reply, which may be an error; whether the command is one that
    /// writes.
    fn call(
        &mut self,
        client: &mut Client,
        request: Request<'_>,
        rules: &ScriptRules,
        reply: &mut Reply,
    ) -> bool;

    /// Whether the user of this client may call this; nothing if there is no such command.
    fn may_call(&self, client: &Client, request: Request<'_>) -> Option<bool>;

    /// Notes that the program answers an error, although it has come to its end; counts the error, unless that has been done.
    fn note_failure(&mut self, error: Option<&Error>);

    /// Whether a call that was let in before has no condition, or one that holds.
    fn meets(&mut self, db: Db, id: CommandId, request: Request<'_>) -> bool;

    /// Notes whether the call that is next has been found to meet its condition, where it runs.
    fn note_met(&mut self, is_met: bool);

    /// Lets a program look at data whose shard is locked.
    fn with_data(
        &mut self,
        db: Db,
        look: &mut dyn FnMut(&mut View<'_>) -> Result<bool, WrongType>,
    ) -> Result<bool, WrongType>;

    /// What is at a key, whose shard is locked.
    fn presence(&mut self, db: Db, key: &[u8]) -> Presence;
}

/// Which shards a program needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Those of the keys that it declares, and no others, for a short time.
    Declared,
    /// The same, for a time that nobody knows.
    DeclaredForLong,
    /// What it needs turns out while it runs, which may take long.
    Discovered,
}

/// What the calls of a script are held to.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScriptRules {
    /// Whether it may only read.
    pub refuses_writes: bool,
    /// Whether it may take memory where there is none left.
    pub allows_oom: bool,
    /// Whether it has called a command that writes. Then it is not stopped for want of memory, in the midst of what it does.
    pub has_written: bool,
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
