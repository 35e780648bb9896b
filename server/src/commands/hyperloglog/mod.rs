//! HyperLogLogs: commands over `storage::hyperloglog`. The values are strings; what makes one a HyperLogLog is its header, which is
//! read anew by each command.
//!
//! What makes a value dense or `raw` without changing what it means is no change that anybody is told of, as in Redis.

mod add;
mod count;
mod debug;

use shardis_storage::hyperloglog::{Corrupted, HyperLogLog, HyperLogLogMut};
use shardis_storage::{Deadline, EntryRef, Key, StringRef, Transaction};

use crate::command::{Call, Category, Error, Family};

pub static FAMILY: Family = Family::new(
    "hyperloglog",
    Category::HYPERLOGLOG,
    &[&add::PFADD, &count::PFCOUNT, &count::PFMERGE, &debug::PFDEBUG, &debug::PFSELFTEST],
);

/// What an entry holds, if that is one.
fn read(entry: EntryRef<'_>) -> Result<HyperLogLog<'_>, Error> {
    parse(entry.string().ok_or(Error::WRONG_TYPE)?)
}

fn parse(string: StringRef<'_>) -> Result<HyperLogLog<'_>, Error> {
    let value = match string {
        StringRef::Bytes(bytes) => HyperLogLog::parse(bytes),
        StringRef::Shared(bytes) => HyperLogLog::parse(bytes),
        StringRef::Int(_) => None,
    };
    value.ok_or(Error::NOT_HYPERLOGLOG)
}

/// Whether an entry has been looked into before: then it is `raw`, and stays so.
fn is_raw(call: &Call<'_>, key: &Key<'_>, entry: &EntryRef<'_>) -> bool {
    entry.encoding((call.dialect().raw_bytes_min)(key.bytes().len())) == "raw"
}

/// Lets `change` have the value at a key, in place; none if there is no such key. What it returns begins with whether anybody is
/// to be told.
fn change<R>(
    txn: &mut Transaction<'_>,
    key: &Key<'_>,
    change: impl FnOnce(&mut HyperLogLogMut<'_>) -> (bool, Result<R, Corrupted>),
) -> Result<Option<R>, Error> {
    // What is none of them is not even copied.
    let check = |string: StringRef<'_>| parse(string).map(drop);
    let outcome = txn.change_string(key, check, |bytes| match HyperLogLogMut::parse(bytes) {
        Some(mut value) => {
            let (is_change, outcome) = change(&mut value);
            (is_change, outcome.map_err(Error::from))
        }
        None => (false, Err(Error::NOT_HYPERLOGLOG)),
    })?;
    outcome.transpose()
}

/// Creates a value at a key that does not exist, from an empty one.
fn create(
    txn: &mut Transaction<'_>,
    key: &Key<'_>,
    fill: impl FnOnce(&mut HyperLogLogMut<'_>) -> Result<(), Corrupted>,
) -> Result<(), Error> {
    let mut bytes = Vec::new();
    let mut value = HyperLogLogMut::empty(&mut bytes);
    fill(&mut value)?;
    value.invalidate();
    txn.set_raw_string(key, &bytes, Deadline::Never);
    Ok(())
}

/// The longest that a sparse value may become.
fn sparse_bytes_max(call: &Call<'_>) -> usize {
    usize::try_from(call.state.config.hll_sparse_max_bytes.value()).unwrap_or(usize::MAX)
}
