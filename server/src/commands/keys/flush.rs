//! Whole databases: emptying and swapping them. In `COMMAND` these belong to the group of the server.

use shardis_storage::{Db, Transaction};

use super::{database, within};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Category, Command, Databases, Done, Error, Flags, Flow};

const CATEGORIES: Category = Category::KEYSPACE.union(Category::DANGEROUS);
const HISTORY: &[(&str, &str)] = &[
    ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
    ("6.2.0", "Added the `SYNC` flushing mode modifier."),
];
const TIPS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

pub static FLUSHALL: Command = Command::write("FLUSHALL", flushall)
    .syntax("[ASYNC@4.0.0 | SYNC@6.2.0]")
    .arity(AtLeast(1))
    .every()
    .databases(Databases::Every)
    .categories(CATEGORIES)
    .since("1.0.0")
    .complexity("O(N) where N is the total number of keys in all databases")
    .summary("Removes all keys from all databases.")
    .history(HISTORY)
    .tips(TIPS);

fn flushall(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    flush(call, txn, None)
}

pub static FLUSHDB: Command = Command::write("FLUSHDB", flushdb)
    .syntax("[ASYNC@4.0.0 | SYNC@6.2.0]")
    .arity(AtLeast(1))
    .every()
    .categories(CATEGORIES)
    .since("1.0.0")
    .complexity("O(N) where N is the number of keys in the selected database")
    .summary("Remove all keys from the current database.")
    .history(HISTORY)
    .tips(TIPS);

fn flushdb(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    flush(call, txn, Some(call.db))
}

fn flush(call: &mut Call<'_>, txn: &mut Transaction<'_>, db: Option<Db>) -> Done {
    let in_background = in_background(call)?;
    if !in_background {
        let keys = match db {
            Some(_) => txn.len(),
            None => (0..call.state.keyspace.databases()).map(|db| within(txn, Db(db), |txn| txn.len())).sum(),
        };
        if call.should_offload(keys) {
            return Ok(Flow::Offload);
        }
    }
    let detached = txn.flush(db);
    if in_background {
        call.state.executor.free(detached);
    }
    call.ok()
}

/// Whether the keys are to be freed after the reply.
fn in_background(call: &mut Call<'_>) -> Result<bool, Error> {
    let asynchronous = call.args.take_word("ASYNC");
    let synchronous = !asynchronous && call.args.take_word("SYNC");
    call.args.finish()?;
    Ok(asynchronous || (!synchronous && call.state.config.lazy_user_flush()))
}

pub static SWAPDB: Command = Command::write("SWAPDB", swapdb)
    .syntax("index1 index2")
    .arity(Exactly(3))
    .every()
    .databases(Databases::At(&[1, 2]))
    .flags(Flags::FAST)
    .categories(CATEGORIES)
    .since("4.0.0")
    .complexity("O(N) where N is the count of clients watching or blocking on keys from both databases.")
    .summary("Swaps two Redis databases.");

fn swapdb(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let first = call.args.integer_32().map_err(|_| Error::INVALID_FIRST_DB)?;
    let second = call.args.integer_32().map_err(|_| Error::INVALID_SECOND_DB)?;
    let (first, second) = (database(call, first)?, database(call, second)?);
    if first != second {
        txn.swap(first, second);
    }
    call.ok()
}
