//! The catalogue: declarations of commands and their handlers, nothing else. A family is a file or a folder here; to add
//! a command, write its static above its handler and list it in its family.
//!
//! What becomes of a declaration is told in `command/`, how a command is carried out in `dispatch/`. Nothing outside
//! this folder names a command.

mod acl;
mod bitmap;
mod client;
mod cluster;
mod command;
mod command_log;
mod compute;
mod config;
mod connection;
mod debug;
mod geo;
mod hash;
mod hyperloglog;
mod info;
pub mod job;
mod keys;
mod latency;
mod list;
pub mod lock;
mod lolwut;
mod memory;
mod module;
mod persistence;
mod pubsub;
mod replication;
mod scan;
mod scripting;
mod server;
mod set;
mod sort;
mod sorted_set;
mod stream;
mod string;
mod transactions;
mod wait;

use crate::command::Family;

/// Every family, in the order of the documentation.
pub static FAMILIES: &[&Family] = &[
    &string::FAMILY,
    &keys::FAMILY,
    &sort::FAMILY,
    &wait::FAMILY,
    &hash::FAMILY,
    &list::FAMILY,
    &set::FAMILY,
    &sorted_set::FAMILY,
    &stream::FAMILY,
    &hyperloglog::FAMILY,
    &bitmap::FAMILY,
    &geo::FAMILY,
    &pubsub::FAMILY,
    &connection::FAMILY,
    &server::FAMILY,
    &scripting::FAMILY,
    &transactions::FAMILY,
    &cluster::FAMILY,
    &compute::FAMILY,
    &lock::FAMILY,
    &job::FAMILY,
];
