//! Events that are told of keys under another name than that of the command that has changed them.

use shardis_storage::Event;

use crate::config::EventClasses;

const fn event(name: &'static str, class: u32) -> Event {
    Event { name, class }
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $class:ident;)*) => {
        $($(#[$doc])* pub static $name: Event = event($text, EventClasses::$class);)*
    };
}

events! {
    /// A key is gone.
    DELETED = "del", GENERIC;
    /// A key will expire.
    TO_EXPIRE = "expire", GENERIC;
    /// A key will not expire any more.
    NOT_TO_EXPIRE = "persist", GENERIC;
    /// Its time had come.
    EXPIRED = "expired", EXPIRED;
    /// There was no memory for it.
    EVICTED = "evicted", EVICTED;
    /// It did not exist.
    NEW = "new", NEW;
    /// It was looked for and is not there.
    KEY_MISS = "keymiss", MISSED;
    /// A value went elsewhere.
    RENAME_FROM = "rename_from", GENERIC;
    /// It came from elsewhere.
    RENAME_TO = "rename_to", GENERIC;
    /// It went to another database.
    MOVE_FROM = "move_from", GENERIC;
    /// It came from another database.
    MOVE_TO = "move_to", GENERIC;
    /// It was copied from elsewhere.
    COPY_TO = "copy_to", GENERIC;
    /// A list was made of what was sorted.
    SORT_STORE = "sortstore", LIST;
    /// A list was made of what was computed.
    COMPUTED_LIST = "computestore", LIST;
    /// Likewise a hash.
    COMPUTED_HASH = "computestore", HASH;
    /// Likewise a sorted set.
    COMPUTED_SORTED_SET = "computestore", SORTED_SET;
    /// Elements were added before the first.
    PUSHED_FRONT = "lpush", LIST;
    /// Elements were added behind the last.
    PUSHED_BACK = "rpush", LIST;
    /// The first elements were taken.
    POPPED_FRONT = "lpop", LIST;
    /// The last elements were taken.
    POPPED_BACK = "rpop", LIST;
    /// A member was added to a set.
    MEMBER_ADDED = "sadd", SET;
    /// A member was removed from a set.
    MEMBER_REMOVED = "srem", SET;
    /// Fields were set.
    FIELDS_SET = "hset", HASH;
    /// Fields were removed.
    FIELDS_REMOVED = "hdel", HASH;
    /// Fields will expire.
    FIELDS_TO_EXPIRE = "hexpire", HASH;
    /// The time of fields had come.
    FIELDS_EXPIRED = "hexpired", HASH;
    /// Fields will not expire any more.
    FIELDS_NOT_TO_EXPIRE = "hpersist", HASH;
    /// A score was added to.
    SCORE_ADDED = "zincr", SORTED_SET;
    /// The members with the least scores were taken.
    POPPED_LEAST = "zpopmin", SORTED_SET;
    /// The members with the greatest scores were taken.
    POPPED_GREATEST = "zpopmax", SORTED_SET;
    /// The oldest entries of a stream were cut off.
    STREAM_TRIMMED = "xtrim", STREAM;
    /// What a stream knows of its past was set.
    STREAM_SET = "xsetid", STREAM;
    /// A group was made.
    GROUP_CREATED = "xgroup-create", STREAM;
    /// It was set to another entry.
    GROUP_SET = "xgroup-setid", STREAM;
    /// It was removed.
    GROUP_DESTROYED = "xgroup-destroy", STREAM;
    /// A consumer was made.
    CONSUMER_CREATED = "xgroup-createconsumer", STREAM;
    /// It was removed.
    CONSUMER_DELETED = "xgroup-delconsumer", STREAM;
    /// Somebody has got a lock or permits.
    LOCK_ACQUIRED = "lock.acquired", OTHER;
    /// Somebody has given them back.
    LOCK_RELEASED = "lock.released", OTHER;
    /// Their time was over, or their connection was gone.
    LOCK_EXPIRED = "lock.expired", OTHER;
    /// Somebody else has ended them.
    LOCK_BROKEN = "lock.broken", OTHER;
    /// A job was asked for.
    JOB_CREATED = "job.created", OTHER;
    /// The work on it has begun.
    JOB_RUNNING = "job.running", OTHER;
    /// It has a result.
    JOB_DONE = "job.done", OTHER;
    /// It has come to an error.
    JOB_FAILED = "job.failed", OTHER;
    /// Somebody has ended it.
    JOB_CANCELED = "job.canceled", OTHER;
    /// Its time was over.
    JOB_EXPIRED = "job.expired", OTHER;
}
