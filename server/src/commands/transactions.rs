//! Transactions: commands that are gathered and then run as one. That everything between MULTI and EXEC is gathered and not
//! run, and what makes a transaction void, is the business of `dispatch`.

use shardis_storage::Db;
use smallvec::SmallVec;

use super::connection;
use crate::client::Client;
use crate::client::queue::QueuedCall;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Category, Command, Done, Error, Family, Flags, Flow, Inside, Told, keys};
use crate::config::Personality;
use crate::state::State;
use crate::watch::Watches;

pub static FAMILY: Family =
    Family::new("transactions", Category::TRANSACTION, &[&DISCARD, &EXEC, &MULTI, &UNWATCH, &WATCH]);

const ANYTIME: Flags = Flags::NO_SCRIPT.union(Flags::LOADING).union(Flags::STALE);
const CONTROL: Flags = ANYTIME.union(Flags::FAST).union(Flags::ALLOW_BUSY);
const AT_ONCE: Flags = CONTROL.union(Flags::NOT_QUEUED);
const NOT_NESTED_IN_91: &[(Personality, Told)] =
    &[(Personality::Valkey91, Told::Flags(CONTROL.union(Flags::NO_MULTI)))];

static DISCARD: Command = Command::client("DISCARD", discard)
    .arity(Exactly(1))
    .flags(AT_ONCE)
    .since("2.0.0")
    .complexity("O(N), when N is the number of queued commands")
    .summary("Discards a transaction.");

fn discard(call: &mut Call<'_>, client: &mut Client) -> Done {
    client.end_queue().ok_or(Error::DISCARD_WITHOUT_MULTI)?;
    client.watches = None;
    call.ok()
}

static EXEC: Command = Command::program("EXEC", exec)
    .queued()
    .arity(Exactly(1))
    .flags(ANYTIME.union(Flags::SKIP_SLOWLOG).union(Flags::NOT_QUEUED))
    .since("1.2.0")
    .complexity("Depends on commands in the transaction")
    .summary("Executes all commands in a transaction.")
    .elsewhere(&[(Personality::Valkey91, Told::Flags(ANYTIME.union(Flags::SKIP_COMMANDLOG)))]);

fn exec(call: &mut Call<'_>, client: &mut Client, inside: &mut dyn Inside) -> Done {
    // To others it looks as if it still gathered until its last command has run.
    let queue = client.queue.take().ok_or(Error::EXEC_WITHOUT_MULTI)?;
    let watches = client.watches.take();
    let is_spoiled = watches.is_some_and(|watches| watches.are_spoiled(|db, key| inside.presence(db, key)));
    let done = if queue.is_broken {
        Err(Error::TRANSACTION_BROKEN)
    } else if is_spoiled {
        call.null_array()
    } else if let Some(dbs) = meets_all(call.state, client.db, &queue.calls, inside) {
        call.reply.array(queue.calls.len());
        for (queued, db) in queue.calls.iter().zip(dbs) {
            // A call that would have selected another database may have been refused.
            inside.note_met(client.db == db);
            inside.run(client, queued.id, queued.request.as_request(), call.reply);
        }
        Ok(Flow::Done)
    } else {
        call.null_array()
    };
    client.end_queue();
    done
}

/// The databases in which calls run, if their conditions hold there.
fn meets_all(
    state: &State,
    mut db: Db,
    calls: &[QueuedCall],
    inside: &mut dyn Inside,
) -> Option<SmallVec<[Db; 8]>> {
    let meets = |queued: &QueuedCall| {
        let (before, request) = (db, queued.request.as_request());
        if std::ptr::eq(state.commands.entry(queued.id).command, &connection::SELECT) {
            db = connection::selected(state, request).unwrap_or(db);
        }
        inside.meets(before, queued.id, request).then_some(before)
    };
    calls.iter().map(meets).collect()
}

static MULTI: Command = Command::client("MULTI", multi)
    .arity(Exactly(1))
    .flags(AT_ONCE)
    .since("1.2.0")
    .complexity("O(1)")
    .summary("Starts a transaction.")
    .elsewhere(NOT_NESTED_IN_91);

fn multi(call: &mut Call<'_>, client: &mut Client) -> Done {
    refuse_nested(call, client, Error::NESTED_MULTI)?;
    client.begin_queue();
    call.ok()
}

/// Refuses what a transaction must not contain. In Valkey that makes it void.
fn refuse_nested(call: &Call<'_>, client: &mut Client, error: Error) -> Result<(), Error> {
    match &mut client.queue {
        None => Ok(()),
        Some(queue) if call.dialect().nested_transactions_are_void => {
            queue.is_broken = true;
            Err(Error::not_in_transaction(call.dialect(), &call.command.name.to_ascii_lowercase()))
        }
        Some(_) => Err(error),
    }
}

static UNWATCH: Command = Command::client("UNWATCH", unwatch)
    .arity(Exactly(1))
    .flags(CONTROL)
    .since("2.2.0")
    .complexity("O(1)")
    .summary("Forgets about watched keys of a transaction.");

fn unwatch(call: &mut Call<'_>, client: &mut Client) -> Done {
    client.watches = None;
    call.ok()
}

static WATCH: Command = Command::program("WATCH", watch)
    .syntax("key [key ...]")
    .arity(AtLeast(2))
    .keys(&[keys(1, -1, 1).read_only()])
    .flags(AT_ONCE)
    .since("2.2.0")
    .complexity("O(1) for every key.")
    .summary("Monitors changes to keys to determine the execution of a transaction.")
    .elsewhere(NOT_NESTED_IN_91);

fn watch(call: &mut Call<'_>, client: &mut Client, inside: &mut dyn Inside) -> Done {
    refuse_nested(call, client, Error::WATCH_IN_MULTI)?;
    let (db, info) = (client.db, &client.info);
    let watches = client.watches.get_or_insert_with(|| Box::new(Watches::new(inside.state(), info)));
    for key in call.keys() {
        watches.add(db, key.bytes(), inside.presence(db, key.bytes()));
    }
    call.ok()
}
