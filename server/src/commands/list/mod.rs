//! Lists: commands over `storage::types::list`.

mod blocking;
mod pop;
mod push;
mod range;
mod search;
mod transfer;
mod within;

use shardis_storage::types::list::{ListLimit, Side};

use crate::command::{Call, Category, Error, Family};

pub static FAMILY: Family = Family::new(
    "list",
    Category::LIST,
    &[
        &push::LPUSH,
        &push::RPUSH,
        &push::LPUSHX,
        &push::RPUSHX,
        &pop::LPOP,
        &pop::RPOP,
        &pop::LMPOP,
        &range::LLEN,
        &range::LRANGE,
        &range::LINDEX,
        &search::LPOS,
        &within::LINSERT,
        &within::LSET,
        &within::LREM,
        &within::LTRIM,
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
pub fn limit(call: &Call<'_>) -> ListLimit {
    ListLimit::from_setting(call.state.config.list_max_listpack_size.value())
}

/// Takes a number whose sign is the end to begin from. Without a magnitude it is the one that cannot be negated, where
/// that is taken.
fn directed(call: &mut Call<'_>) -> Result<(Side, Option<usize>), Error> {
    let number = call.args.integer()?;
    let from = if number < 0 { Side::Back } else { Side::Front };
    match number.checked_abs() {
        None if call.dialect().unnegatable_is_refused => Err(Error::OUT_OF_RANGE_NEGATABLE),
        magnitude => Ok((from, magnitude.and_then(|magnitude| usize::try_from(magnitude).ok()))),
    }
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
