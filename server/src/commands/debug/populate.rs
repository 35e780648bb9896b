//! DEBUG POPULATE: many keys with one call.

use shardis_storage::{Deadline, Transaction};

use crate::command::{Call, Done, Error, Flow};

/// Adds keys that are not there yet. A size cuts the value, or fills it up with zeroes.
pub(super) fn populate(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let mut args = call.args;
    let count = args.positive()?;
    let prefix = args.next().unwrap_or(b"key");
    let size = if args.is_empty() { 0 } else { args.positive()? };
    if size as i64 > call.state.config.proto_max_bulk_len.value() {
        return Err(Error::STRING_TOO_LONG);
    }
    if call.should_offload(count) || call.should_offload(size) {
        return Ok(Flow::Offload);
    }
    let mut value = Vec::new();
    for number in 0..count {
        // So that a server that is told to stop does not wait for it.
        if *call.state.stopping.borrow() {
            break;
        }
        let key = [prefix, format!(":{number}").as_bytes()].concat();
        let key = call.state.keyspace.key(&key);
        if txn.find(&key).is_none() {
            value.clear();
            value.extend_from_slice(format!("value:{number}").as_bytes());
            value.resize(if size == 0 { value.len() } else { size }, 0);
            txn.set_text(&key, &value, Deadline::Never);
        }
    }
    call.ok()
}
