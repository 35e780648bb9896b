//! BITOP: several bitmaps combined into one.

use shardis_storage::bits::{self, Operation};
use shardis_storage::{IntBuffer, Key, StringRef, Transaction};

use super::BYTES_PER_WORK_UNIT;
use crate::command::Arity::AtLeast;
use crate::command::args::is_word;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key, keys};

pub static BITOP: Command = Command::write("BITOP", bitop)
    .syntax("operation=<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]")
    .arity(AtLeast(4))
    .keys(&[key(2).overwrites().updates(), keys(3, -1, 1).read_only().accesses()])
    .flags(Flags::DENY_OOM)
    .event("set")
    .since("2.6.0")
    .complexity("O(N)")
    .summary("Performs bitwise operations on multiple strings, and stores the result.")
    .history(&[("8.2.0", "Added the `DIFF`, `DIFF1`, `ANDOR`, and `ONE` operations.")]);

const OPERATIONS: [(&str, Operation); 8] = [
    ("AND", Operation::And),
    ("OR", Operation::Or),
    ("XOR", Operation::Xor),
    ("NOT", Operation::Not),
    ("DIFF", Operation::Diff),
    ("DIFF1", Operation::Diff1),
    ("ANDOR", Operation::AndOr),
    ("ONE", Operation::One),
];

fn bitop(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let word = call.args.take()?;
    let known = OPERATIONS.iter().find(|(name, _)| is_word(word, name));
    let &(name, operation) = known.ok_or(Error::SYNTAX)?;
    let destination = call.next_key()?;
    let sources = call.args.len();
    match operation {
        Operation::Not if sources != 1 => return Err(Error::BITOP_ONE_SOURCE),
        Operation::Diff | Operation::Diff1 | Operation::AndOr if sources < 2 => {
            return Err(Error::bitop_two_sources(name));
        }
        _ => {}
    }
    let keys = (0..sources).map(|_| call.next_key()).collect::<Result<Vec<Key<'_>>, Error>>()?;
    let mut total = 0;
    for key in &keys {
        total += txn.string(key)?.map_or(0, |value| value.len());
    }
    if call.should_offload(keys.len() + total / BYTES_PER_WORK_UNIT) {
        keys.iter().for_each(|key| txn.uncount(key));
        return Ok(Flow::Offload);
    }
    let result = combine(txn, operation, &keys);
    let len = result.len();
    if len == 0 {
        txn.remove(&destination);
    } else {
        txn.set_made(&destination, result);
    }
    call.integer(len)
}

/// Combines the strings at keys that have been looked up; where there is none, it is the empty one.
fn combine(txn: &Transaction<'_>, operation: Operation, keys: &[Key<'_>]) -> Vec<u8> {
    let found = |key| txn.looked_up(key).and_then(|entry| entry.string());
    let strings: Vec<StringRef<'_>> =
        keys.iter().map(|key| found(key).unwrap_or(StringRef::Bytes(b""))).collect();
    let mut digits = vec![IntBuffer::new(); strings.len()];
    let sources: Vec<&[u8]> =
        strings.iter().zip(&mut digits).map(|(string, digits)| string.bytes(digits)).collect();
    bits::combine(operation, &sources)
}
