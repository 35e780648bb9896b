//! Taking elements off either end.

use shardis_storage::Transaction;
use shardis_storage::types::list::{List, Side};

use super::limit;
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Flow, KeySpec, key};

const KEYS: &[KeySpec] = &[key(1).read_write().accesses().deletes()];
const HISTORY: &[(&str, &str)] = &[("6.2.0", "Added the `count` argument.")];

pub static LPOP: Command = Command::write("LPOP", lpop)
    .syntax("key [count]@6.2.0")
    .arity(AtLeast(2))
    .keys(KEYS)
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(N) where N is the number of elements returned")
    .summary(
        "Returns the first elements in a list after removing it. Deletes the list if the last element was popped.",
    )
    .history(HISTORY);

fn lpop(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    pop(call, txn, Side::Front)
}

pub static RPOP: Command = Command::write("RPOP", rpop)
    .syntax("key [count]@6.2.0")
    .arity(AtLeast(2))
    .keys(KEYS)
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(N) where N is the number of elements returned")
    .summary(
        "Returns and removes the last elements of a list. Deletes the list if the last element was popped.",
    )
    .history(HISTORY);

fn rpop(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    pop(call, txn, Side::Back)
}

fn pop(call: &mut Call<'_>, txn: &mut Transaction<'_>, side: Side) -> Done {
    let key = call.next_key()?;
    let count = count(call)?;
    let limit = limit(call);
    let list = txn.edit::<List>(&key)?;
    let (mut list, count) = match (list, count) {
        (None, None) => return call.null(),
        (None, Some(_)) => return call.null_array(),
        (Some(list), None) => (list, 1),
        (Some(list), Some(count)) => {
            let count = count.min(list.len());
            if call.should_offload(count) {
                return Ok(Flow::Offload);
            }
            call.reply.array(count);
            (list, count)
        }
    };
    list.change(|list| {
        let mut pop = || list.pop_with(side, limit, |element| call.element(element)).transpose();
        (count > 0, (0..count).try_for_each(|_| pop().map(drop)))
    })?;
    Ok(Flow::Done)
}

/// The optional number of elements to take.
fn count(call: &mut Call<'_>) -> Result<Option<usize>, Error> {
    match call.args.len() {
        0 => Ok(None),
        1 => call.args.positive().map(Some),
        _ => Err(Error::arity(&call.command.name.to_ascii_lowercase())),
    }
}
