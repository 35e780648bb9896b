//! Persistence, of which there is none yet: what would save the data is refused, because an OK would promise that it is
//! there after the server's end.

use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Category, Command, Done, Error, Flags};

const FLAGS: Flags = Flags::ADMIN.union(Flags::NO_SCRIPT).union(Flags::NO_ASYNC_LOADING);

fn refuse(_: &mut Call<'_>, _: &mut Client) -> Done {
    Err(Error::NO_PERSISTENCE)
}

pub static BGREWRITEAOF: Command = Command::client("BGREWRITEAOF", refuse)
    .arity(Exactly(1))
    .flags(FLAGS)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Asynchronously rewrites the append-only file to disk.");

pub static BGSAVE: Command = Command::client("BGSAVE", bgsave)
    .syntax("[SCHEDULE]@3.2.2")
    .arity(AtLeast(1))
    .flags(FLAGS)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Asynchronously saves the database(s) to disk.")
    .history(&[("3.2.2", "Added the `SCHEDULE` option.")]);

fn bgsave(call: &mut Call<'_>, client: &mut Client) -> Done {
    call.args.take_word("SCHEDULE");
    call.args.finish()?;
    refuse(call, client)
}

pub static LASTSAVE: Command = Command::client("LASTSAVE", lastsave)
    .arity(Exactly(1))
    .flags(Flags::LOADING.union(Flags::STALE).union(Flags::FAST))
    .categories(Category::ADMIN.union(Category::DANGEROUS))
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Returns the Unix timestamp of the last successful save to disk.")
    .tips(&["nondeterministic_output"]);

/// As by a server that has saved nothing yet: when it was started.
fn lastsave(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.integer(call.state.started_ms / 1000)
}

pub static SAVE: Command = Command::client("SAVE", refuse)
    .arity(Exactly(1))
    .flags(FLAGS.union(Flags::NO_MULTI))
    .since("1.0.0")
    .complexity("O(N) where N is the total number of keys in all databases")
    .summary("Synchronously saves the database(s) to disk.");
