//! Shardis: a server that speaks the Redis protocol, inside your process or alone, and computes over its data in
//! parallel.
//!
//! ```
//! let server = shardis_server::Server::builder().start()?;
//! println!("connect any Redis client to {}", server.url().unwrap());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! In reading order: `command` is the vocabulary in which commands are written, `commands` the catalogue; `net` brings
//! bytes in, `dispatch` carries a command out; `state` is one server, `builder` starts and stops it. Dependencies point
//! one way: drivers (`net`, `session`, `jobs`, `background`) call `dispatch`, which knows `command` but no command.

#![forbid(unsafe_code)]

mod acl;
mod background;
mod block;
mod blocking;
mod builder;
mod client;
mod clock;
mod command;
mod commands;
pub mod config;
mod dispatch;
mod eviction;
mod guards;
mod interest;
mod jobs;
mod keeper;
mod locks;
pub mod log;
mod net;
mod notify;
mod observe;
mod poison;
mod pubsub;
mod scripting;
mod session;
mod state;
mod tracking;
mod url;
mod value;
mod watch;

pub use self::builder::{Server, ServerBuilder, ShutdownHandle};
pub use self::clock::Clock;
pub use self::guards::{LockError, LockGuard, LockRequest, PermitGuard, PermitRequest};
pub use self::session::Session;
pub use self::value::Value;

/// Its example has to compile and to hold.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// The command table, for the tests that compare it with real servers and for `COMMANDS.md`.
#[doc(hidden)]
pub fn command_table() -> command::table::Table {
    command::table::Table::new(commands::FAMILIES, config::Personality::Redis72)
}

#[doc(hidden)]
pub use self::command::{Command, Flags, syntax, table};
