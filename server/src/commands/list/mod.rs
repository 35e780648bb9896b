//! Lists: commands over `storage::types::list`.

mod blocking;
mod pop;
mod push;
mod range;
mod transfer;

use shardis_storage::types::list::{ListLimit, Side};

use crate::command::{Call, Category, Error, Family};

pub static FAMILY: Family = Family::new(
    "list",
    Category::LIST,
    &[
        &push::LPUSH,
        &push::RPUSH,
        &pop::LPOP,
        &pop::RPOP,
        &pop::LMPOP,
        &range::LLEN,
        &range::LRANGE,
        &range::LINDEX,
        &transfer::LMOVE,
        &transfer::RPOPLPUSH,
        &blocking::BLPOP,
        &blocking::BRPOP,
        &blocking::BLMOVE,
        &blocking::BRPOPLPUSH,
        &blocking::BLMPOP,
    ],
);

/// How large a list stays compact.
fn limit(call: &Call<'_>) -> ListLimit {
    ListLimit::from_setting(call.state.config.list_max_listpack_size.value())
}

/// Takes the next argument as an end of a list.
fn side(call: &mut Call<'_>) -> Result<Side, Error> {
    if call.args.take_word("LEFT") {
        Ok(Side::Front)
    } else if call.args.take_word("RIGHT") {
        Ok(Side::Back)
    } else {
        Err(Error::SYNTAX)
    }
}
