//! MEMORY: what keys and the server weigh. How that is counted is told in `observe::memory`.

use shardis_storage::View;

use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flags, Flow, Told, key};
use crate::config::Personality;
use crate::observe::memory::{MemoryUse, Surplus, problems};

pub static MEMORY: Command =
    Command::container("MEMORY", &[&DOCTOR, &HELP, &MALLOC_STATS, &PURGE, &STATS, &USAGE])
        .since("4.0.0")
        .complexity("Depends on subcommand.")
        .summary("A container for memory diagnostics commands.");

const TIPS: &[&str] = &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];
/// Allowed in Valkey while data is being loaded.
const LOADING_IN_91: &[(Personality, Told)] = &[(Personality::Valkey91, Told::Flags(Flags::LOADING))];

static DOCTOR: Command = Command::client("DOCTOR", doctor)
    .arity(Exactly(2))
    .every()
    .since("4.0.0")
    .complexity("O(1)")
    .summary("Outputs a memory problems report.")
    .tips(TIPS);

fn doctor(call: &mut Call<'_>, _: &mut Client) -> Done {
    // The sizes of the data are in the shards, each of which is waited for.
    if call.may_offload {
        return Ok(Flow::Offload);
    }
    let memory = MemoryUse::measure(call.state, &call.totals());
    let text = problems(&memory, call.state.clients.len() as u64, call.dialect().product());
    call.reply.verbatim(b"txt", text.as_bytes());
    Ok(Flow::Done)
}

static HELP: Command = Command::help(help).since("4.0.0");

fn help(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.help("MEMORY", HELP_LINES)
}

const HELP_LINES: &[&str] = &[
    "DOCTOR",
    "    Return memory problems reports.",
    "MALLOC-STATS",
    "    Return internal statistics report from the memory allocator.",
    "PURGE",
    "    Attempt to purge dirty pages for reclamation by the allocator.",
    "STATS",
    "    Return information about the memory usage of the server.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value. Nested values are",
    "    sampled up to <count> times (default: 5, 0 means sample all).",
];

static MALLOC_STATS: Command = Command::client("MALLOC-STATS", malloc_stats)
    .arity(Exactly(2))
    .since("4.0.0")
    .complexity("Depends on how much memory is allocated, could be slow")
    .summary("Returns the allocator statistics.")
    .tips(TIPS)
    .elsewhere(LOADING_IN_91);

/// What the real servers answer unless they were built with jemalloc.
fn malloc_stats(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.bulk(b"Stats not supported for the current allocator")
}

static PURGE: Command = Command::client("PURGE", purge)
    .arity(Exactly(2))
    .since("4.0.0")
    .complexity("Depends on how much memory is allocated, could be slow")
    .summary("Asks the allocator to release memory.")
    .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
    .elsewhere(LOADING_IN_91);

/// Each thread gives back what the allocator keeps for it by itself; here the one that runs this does.
fn purge(call: &mut Call<'_>, _: &mut Client) -> Done {
    if call.may_offload {
        return Ok(Flow::Offload);
    }
    #[cfg(feature = "mimalloc")]
    shardis_storage::allocator::release_unused();
    call.ok()
}

static STATS: Command = Command::client("STATS", stats)
    .arity(Exactly(2))
    .every()
    .since("4.0.0")
    .complexity("O(1)")
    .summary("Returns details about memory usage.")
    .tips(TIPS);

fn stats(call: &mut Call<'_>, _: &mut Client) -> Done {
    if call.may_offload {
        return Ok(Flow::Offload);
    }
    let totals = call.totals();
    let memory = MemoryUse::measure(call.state, &totals);
    let keys: usize = totals.databases.iter().map(|database| database.keys).sum();
    let data = memory.used.saturating_sub(memory.startup);
    let mut figures = vec![
        ("peak.allocated", Figure::Bytes(memory.peak)),
        ("total.allocated", Figure::Bytes(memory.used)),
        ("startup.allocated", Figure::Bytes(memory.startup)),
        ("replication.backlog", NONE),
        ("replicas.repl.buffer", NONE),
        ("clients.slaves", NONE),
        ("clients.normal", Figure::Bytes(memory.clients)),
        ("cluster.links", NONE),
        ("cluster.slot_import", NONE),
        ("cluster.slot_export", NONE),
        ("aof.buffer", NONE),
        ("lua.caches", Figure::Bytes(memory.scripts)),
        ("functions.caches", Figure::Bytes(memory.functions)),
    ];
    let databases = totals.databases.iter().enumerate().filter(|(_, database)| database.keys > 0);
    figures.extend(databases.map(|(db, database)| ("", Figure::Database(db, database.table_bytes as u64))));
    figures.extend([
        ("overhead.db.hashtable.lut", Figure::Bytes(memory.tables)),
        ("overhead.db.hashtable.rehashing", NONE),
        ("overhead.total", Figure::Bytes(memory.overhead())),
        ("db.dict.rehashing.count", NONE),
        ("keys.count", Figure::Bytes(keys as u64)),
        ("keys.bytes-per-key", Figure::Bytes(data.checked_div(keys as u64).unwrap_or(0))),
        ("dataset.bytes", Figure::Bytes(memory.dataset())),
        ("dataset.percentage", Figure::Ratio(memory.dataset_percent())),
        ("peak.percentage", Figure::Ratio(memory.peak_percent())),
        ("allocator.allocated", Figure::Bytes(memory.used)),
        ("allocator.active", Figure::Bytes(memory.resident)),
        ("allocator.resident", Figure::Bytes(memory.resident)),
        ("allocator.muzzy", NONE),
    ]);
    let surpluses = [
        ("allocator-fragmentation.ratio", "allocator-fragmentation.bytes", memory.fragmentation()),
        ("allocator-rss.ratio", "allocator-rss.bytes", Surplus::NONE),
        ("rss-overhead.ratio", "rss-overhead.bytes", Surplus::NONE),
        ("fragmentation", "fragmentation.bytes", memory.fragmentation()),
    ];
    for (ratio, bytes, surplus) in surpluses {
        figures.extend([(ratio, Figure::Ratio(surplus.ratio)), (bytes, Figure::Difference(surplus.bytes))]);
    }
    write_figures(call, &figures);
    Ok(Flow::Done)
}

/// A value of MEMORY STATS.
#[derive(Clone, Copy)]
enum Figure {
    /// Bytes, or another number that is not negative.
    Bytes(u64),
    Difference(i64),
    Ratio(f64),
    /// What the tables of a database weigh, under the name of the database.
    Database(usize, u64),
}

/// There is none of that.
const NONE: Figure = Figure::Bytes(0);

/// Those that the imitated server tells.
fn write_figures(call: &mut Call<'_>, figures: &[(&str, Figure)]) {
    let dialect = call.dialect();
    let told = figures.iter().filter(|(name, _)| dialect.tells(name));
    call.reply.map(told.clone().count());
    for (name, figure) in told {
        match *figure {
            Figure::Database(db, bytes) => {
                call.reply.bulk(format!("db.{db}").as_bytes());
                let tables = [
                    ("overhead.hashtable.main", Figure::Bytes(bytes)),
                    ("overhead.hashtable.expires", NONE),
                    ("overhead.hashtable.slot-to-keys", NONE),
                ];
                write_figures(call, &tables);
            }
            Figure::Bytes(bytes) => {
                call.reply.bulk(name.as_bytes());
                call.reply.integer(bytes as i64);
            }
            Figure::Difference(bytes) => {
                call.reply.bulk(name.as_bytes());
                call.reply.integer(bytes);
            }
            Figure::Ratio(ratio) => {
                call.reply.bulk(name.as_bytes());
                call.reply.double(ratio);
            }
        }
    }
}

static USAGE: Command = Command::read("USAGE", usage)
    .syntax("key [SAMPLES count]")
    .arity(AtLeast(3))
    .keys(&[key(2).read_only()])
    .since("4.0.0")
    .complexity("O(N) where N is the number of samples.")
    .summary("Estimates the memory usage of a key.");

/// Every value knows what it weighs, so nothing is sampled.
fn usage(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    while !call.args.is_empty() {
        if !call.args.take_word("SAMPLES") || call.args.integer()? < 0 {
            return Err(Error::SYNTAX);
        }
    }
    match view.inspect(&key) {
        Some(entry) => call.integer(entry.memory_bytes() + SLOT_BYTES),
        None => call.null(),
    }
}

/// The share of a key in the table: a line of memory for seven keys.
const SLOT_BYTES: usize = 64_usize.div_ceil(7);
