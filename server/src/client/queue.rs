//! The commands that a client has gathered between MULTI and EXEC.

use shardis_protocol::{OwnedRequest, Request};

use crate::command::call::FirstKey;
use crate::command::table::{CommandId, Entry};
use crate::command::{Flags, Run};

/// The commands of a transaction that has not run yet.
#[derive(Debug, Default)]
pub struct Queue {
    /// In the order in which they came.
    pub calls: Vec<QueuedCall>,
    /// What any of them is.
    pub flags: Flags,
    /// Whether one was refused, so that none will run.
    pub is_broken: bool,
    /// Whether one of them is a program itself.
    pub has_programs: bool,
    /// Whether one of these runs where functions do.
    pub has_functions: bool,
    /// The memory behind them.
    pub bytes: usize,
}

/// One of them.
#[derive(Debug)]
pub struct QueuedCall {
    /// What is invoked.
    pub id: CommandId,
    /// Its first key, if that was hashed when it came.
    pub first_key: Option<FirstKey>,
    /// Its words.
    pub request: OwnedRequest,
}

impl Queue {
    /// Appends a call, which is what `flags` tells.
    pub fn push(&mut self, entry: &Entry, flags: Flags, first_key: Option<FirstKey>, request: Request<'_>) {
        let request = request.to_owned();
        self.bytes += size_of::<QueuedCall>() + request.memory_bytes();
        self.flags = self.flags | flags;
        self.has_programs |= matches!(entry.command.run, Run::Program(_));
        self.has_functions |= entry.command.is_with_functions;
        self.calls.push(QueuedCall { id: entry.id, first_key, request });
    }
}
