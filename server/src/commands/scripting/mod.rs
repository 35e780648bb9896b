//! Scripts: running them, and looking after those that the server keeps. How they are run is told in `crate::scripting`.

mod eval;
mod fcall;
mod function;
mod script;

use crate::command::{Call, Category, Error, Family, Flags, Told};
use crate::config::Personality;

pub static FAMILY: Family = Family::new(
    "scripting",
    Category::SCRIPTING,
    &[
        &eval::EVAL,
        &eval::EVALSHA,
        &eval::EVALSHA_RO,
        &eval::EVAL_RO,
        &fcall::FCALL,
        &fcall::FCALL_RO,
        &function::FUNCTION,
        &script::SCRIPT,
    ],
);

const TO_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const TO_ALL_SHARDS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];
/// Allowed in Valkey on a replica with stale data.
const STALE_IN_91: &[(Personality, Told)] =
    &[(Personality::Valkey91, Told::Flags(Flags::NO_SCRIPT.union(Flags::STALE)))];

/// Takes how something is to be flushed, which makes no difference to whoever asks for it.
fn take_flush_mode(call: &mut Call<'_>, error: Error) -> Result<(), Error> {
    let is_mode = call.args.is_empty() || call.args.take_word("ASYNC") || call.args.take_word("SYNC");
    if is_mode && call.args.is_empty() { Ok(()) } else { Err(error) }
}
