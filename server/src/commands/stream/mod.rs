//! Streams: commands over `storage::types::stream`.
//!
//! What groups keep is no content of a key: those who watch it or keep a copy of it do not hear when that changes, as in Redis.

mod add;
mod claim;
mod group;
mod id;
mod info;
mod options;
mod pending;
mod range;
mod read;
mod remove;

use shardis_protocol::Reply;
use shardis_storage::types::packed::Element;
use shardis_storage::types::stream::{BlockLimits, EntryRef, StreamId};

use crate::command::{Call, Category, Family};

pub static FAMILY: Family = Family::new(
    "stream",
    Category::STREAM,
    &[
        &add::XADD,
        &add::XTRIM,
        &remove::XDEL,
        &remove::XDELEX,
        &remove::XSETID,
        &range::XLEN,
        &range::XRANGE,
        &range::XREVRANGE,
        &read::XREAD,
        &read::XREADGROUP,
        &group::XGROUP,
        &pending::XACK,
        &remove::XACKDEL,
        &pending::XPENDING,
        &claim::XCLAIM,
        &claim::XAUTOCLAIM,
        &info::XINFO,
    ],
);

/// When a block of entries is full.
fn block_limits(call: &Call<'_>) -> BlockLimits {
    let limit = |setting: i64| usize::try_from(setting).unwrap_or(0);
    BlockLimits {
        bytes_max: limit(call.state.config.streams.node_bytes_max.value()),
        entries_max: limit(call.state.config.streams.node_entries_max.value()),
    }
}

fn reply_id(reply: &mut Reply, id: StreamId) {
    reply.bulk(id::Text::new(id).as_bytes());
}

/// Replies an entry: its id, and its fields with their values in turn.
fn reply_entry(reply: &mut Reply, entry: EntryRef<'_>) {
    reply.array(2);
    reply_id(reply, entry.id());
    reply.array(2 * entry.len());
    for (field, value) in entry.pairs() {
        reply_element(reply, field);
        reply_element(reply, value);
    }
}

fn reply_element(reply: &mut Reply, element: Element<'_>) {
    match element {
        Element::Int(value) => reply.bulk_integer(value),
        Element::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// Replies entries; how many there were.
fn reply_entries<'a>(reply: &mut Reply, entries: impl Iterator<Item = EntryRef<'a>>) -> usize {
    let start = reply.mark();
    let mut count = 0;
    for entry in entries {
        reply_entry(reply, entry);
        count += 1;
    }
    reply.insert_array_header(start, count);
    count
}

/// An integer argument, which may be no number of anything.
fn negative_is_zero(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}
