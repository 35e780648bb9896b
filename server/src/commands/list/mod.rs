//! Lists: commands over `storage::types::list`.

mod pop;
mod push;
mod range;

use shardis_storage::types::list::ListLimit;

use crate::command::{Call, Category, Family};

pub static FAMILY: Family = Family::new(
    "list",
    Category::LIST,
    &[&push::LPUSH, &push::RPUSH, &pop::LPOP, &pop::RPOP, &range::LLEN, &range::LRANGE, &range::LINDEX],
);

/// How large a list stays compact.
pub fn limit(call: &Call<'_>) -> ListLimit {
    ListLimit::from_setting(call.state.config.list_max_listpack_size.value())
}
