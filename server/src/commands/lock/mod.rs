//! Locks: commands over `storage::types::lock`. What follows from a change of grants is told in `locks`; nothing here waits, and who
//! is to wait says so.

pub mod acquire;
mod attend;
mod guard;
mod info;
mod options;
pub mod release;

pub mod latch;
pub mod semaphore;

use shardis_protocol::Reply;
use shardis_storage::types::lock::Term;

use crate::command::{Category, Family};
use crate::locks::site::Admitted;

pub static FAMILY: Family = Family::new(
    "lock",
    Category::LOCK,
    &[
        &acquire::ACQUIRE,
        &acquire::MACQUIRE,
        &attend::RENEW,
        &release::RELEASE,
        &attend::ATTACH,
        &guard::GUARD,
        &guard::CHECK,
        &guard::FENCE,
        &info::INFO,
        &info::LIST,
        &release::BREAK,
        &semaphore::CREATE,
        &semaphore::ACQUIRE,
        &semaphore::RELEASE,
        &semaphore::RENEW,
        &semaphore::RESIZE,
        &semaphore::INFO,
        &latch::SET,
        &latch::DOWN,
        &latch::AWAIT,
        &latch::INFO,
    ],
);

/// Since when these commands are there.
const SINCE: &str = "0.1.0";

/// Writes a number that is never negative.
fn count(reply: &mut Reply, value: u64) {
    reply.integer(i64::try_from(value).unwrap_or(i64::MAX));
}

/// Writes how long a grant lasts yet; -1 if it does not end by itself.
fn lease(reply: &mut Reply, term: Term, now_ms: u64) {
    match term.left_ms(now_ms) {
        Some(left_ms) => count(reply, left_ms),
        None => reply.integer(-1),
    }
}

/// Writes what somebody has got of a lock.
fn admitted(reply: &mut Reply, admitted: &Admitted, now_ms: u64) {
    reply.map(3);
    reply.bulk(b"fence");
    count(reply, admitted.fence);
    reply.bulk(b"holds");
    count(reply, admitted.holds.into());
    reply.bulk(b"lease");
    lease(reply, admitted.term, now_ms);
}
