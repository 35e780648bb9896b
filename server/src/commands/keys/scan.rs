//! Finding keys: all at once under every lock (KEYS, RANDOMKEY, DBSIZE), or in steps that hold one lock at a
//! time and promise less (SCAN).

use shardis_storage::glob::Pattern;
use shardis_storage::{EntryRef, ManyExpired, View};

use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Category, Command, Done, Flags, Flow, Told};
use crate::commands::scan::{Page, ScanOptions, Scanned, take_cursor};
use crate::config::Personality;

pub static KEYS: Command = Command::read("KEYS", matching_keys)
    .syntax("pattern")
    .arity(Exactly(2))
    .every()
    .categories(Category::DANGEROUS)
    .since("1.0.0")
    .complexity(
        "O(N) with N being the number of keys in the database, under the assumption that the key names in \
         the database and the given pattern have limited length.",
    )
    .summary("Returns all key names that match a pattern.")
    .tips(&["request_policy:all_shards", "nondeterministic_output_order"]);

fn matching_keys(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    if call.should_offload(view.len()) {
        return Ok(Flow::Offload);
    }
    let pattern = Pattern::new(call.args.take()?);
    let mut found = Page::default();
    view.for_each_key(&mut |key, _| {
        if pattern.matches(key) {
            found.push(key.into());
        }
    });
    found.write(call)
}

pub static SCAN: Command = Command::read("SCAN", scan)
    .syntax("cursor [MATCH pattern] [COUNT count] [TYPE type]@6.0.0")
    .arity(AtLeast(2))
    .walk()
    .since("2.8.0")
    .complexity(
        "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
         to return back to 0. N is the number of elements inside the collection.",
    )
    .summary("Iterates over the key names in the database.")
    .history(&[("6.0.0", "Added the `TYPE` subcommand.")])
    .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"])
    .elsewhere(&[(Personality::Redis70, Told::Tips(&["nondeterministic_output", "request_policy:special"]))]);

fn scan(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let mut cursor = take_cursor(call)?;
    let options = ScanOptions::parse(call, Scanned::Keys)?;
    let shards = call.state.keyspace.shards();
    if call.should_offload(options.count.max(shards / EMPTY_SHARDS_PER_WORK_UNIT)) {
        return Ok(Flow::Offload);
    }
    let mut found = Page::default();
    let mut sampled = 0;
    let mut steps_left = options.count.saturating_mul(STEPS_PER_KEY);
    while sampled < options.count && steps_left > 0 {
        let mut wants = |key: &[u8], entry: EntryRef<'_>| {
            sampled += 1;
            options.admits_key(key, entry.kind().name())
        };
        let step = view.scan(cursor, &mut wants, &mut |key| found.push(key.into()));
        // Somebody keeps the next shard for long: wait where waiting is allowed.
        let Ok(next) = step else { return Ok(Flow::Offload) };
        cursor = next;
        if cursor == 0 {
            break;
        }
        steps_left -= 1;
    }
    found.write_behind(call, cursor)
}

/// Steps a call of SCAN takes at most for every key it was to look at, in a table with many empty buckets.
const STEPS_PER_KEY: usize = 10;
/// Walking on through so many empty shards, which a call may have to do with all of them, costs as much as one unit of
/// [`Call::should_offload`].
const EMPTY_SHARDS_PER_WORK_UNIT: usize = 4;

pub static RANDOMKEY: Command = Command::read("RANDOMKEY", randomkey)
    .arity(Exactly(1))
    .every()
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Returns a random key name from the database.")
    .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"])
    .elsewhere(&[(
        Personality::Redis70,
        Told::Tips(&["request_policy:all_shards", "nondeterministic_output"]),
    )]);

fn randomkey(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let expired_max = if call.may_offload { RANDOM_EXPIRED_MAX } else { usize::MAX };
    let found = view.random_key(&mut call.state.random(), expired_max);
    match found {
        Ok(Some(key)) => call.bulk(&key),
        Ok(None) => call.null(),
        Err(ManyExpired) => Ok(Flow::Offload),
    }
}

/// Expired keys that a network thread removes before it leaves the search to others: about 100 microseconds.
const RANDOM_EXPIRED_MAX: usize = 100;

pub static DBSIZE: Command = Command::read("DBSIZE", dbsize)
    .arity(Exactly(1))
    .every()
    .flags(Flags::FAST)
    .categories(Category::KEYSPACE)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Returns the number of keys in the database.")
    .tips(&["request_policy:all_shards", "response_policy:agg_sum"]);

fn dbsize(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    call.integer(view.len())
}
