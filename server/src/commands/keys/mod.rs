//! Keys as such, whatever they hold: whether they are there, how long, under which name.

mod exists;
pub mod expire;
mod flush;
pub mod object;
mod rename;
mod scan;

use shardis_storage::{Db, EntryRef, Kind, Transaction};

use crate::command::{Call, Category, Error, Family};

pub use self::expire::remove_overdue;
pub use self::flush::{FLUSHALL, FLUSHDB, SWAPDB};
pub use self::scan::DBSIZE;

pub static FAMILY: Family = Family::new(
    "generic",
    Category::KEYSPACE,
    &[
        &exists::EXISTS,
        &exists::TYPE,
        &exists::TOUCH,
        &exists::DEL,
        &exists::UNLINK,
        &expire::EXPIRE,
        &expire::PEXPIRE,
        &expire::EXPIREAT,
        &expire::PEXPIREAT,
        &expire::TTL,
        &expire::PTTL,
        &expire::EXPIRETIME,
        &expire::PEXPIRETIME,
        &expire::PERSIST,
        &rename::RENAME,
        &rename::RENAMENX,
        &rename::MOVE,
        &rename::COPY,
        &scan::KEYS,
        &scan::SCAN,
        &scan::RANDOMKEY,
        &object::OBJECT,
    ],
);

/// Refuses what only makes sense for data: clients rely on the key of a lock, a semaphore, a latch or a job as it is.
pub fn refuse_meeting_point(found: EntryRef<'_>) -> Result<(), Error> {
    match found.kind() {
        Kind::Job => Err(Error::JOB_STAYS),
        kind if kind.is_meeting_point() => Err(Error::MEETING_POINT),
        _ => Ok(()),
    }
}

/// The same for a time to live, which a job has when it has ended, and may have before.
pub fn refuse_deadline(found: EntryRef<'_>) -> Result<(), Error> {
    if found.kind() == Kind::Job { Ok(()) } else { refuse_meeting_point(found) }
}

/// The database of this number.
fn database(call: &Call<'_>, number: i64) -> Result<Db, Error> {
    let number = u16::try_from(number).ok().filter(|&number| number < call.state.keyspace.databases());
    number.map(Db).ok_or(Error::DB_OUT_OF_RANGE)
}

/// Does something in another database.
fn within<T>(txn: &mut Transaction<'_>, db: Db, action: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
    let home = txn.db();
    txn.select(db);
    let outcome = action(txn);
    txn.select(home);
    outcome
}
