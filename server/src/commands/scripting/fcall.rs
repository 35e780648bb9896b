//! Calling functions of libraries.

use shardis_protocol::Request;

use super::eval::{Callee, NOTED_KEYS, NOTED_KEYS_RO, READS, WRITES, flags_of, numkeys, run};
use crate::client::Client;
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Inside, Need};
use crate::scripting::script::Rules;
use crate::state::State;

const SYNTAX: &str = "function:string numkeys:integer [key [key ...]] [arg:string [arg:string ...]]";
const COMPLEXITY: &str = "Depends on the function that is executed.";

pub static FCALL: Command = Command::program("FCALL", fcall)
    .prepared(find)
    .flagged(flags)
    .with_functions()
    .syntax(SYNTAX)
    .arity(AtLeast(3))
    .keys(NOTED_KEYS)
    .flags(WRITES)
    .since("7.0.0")
    .complexity(COMPLEXITY)
    .summary("Invokes a function.");

pub static FCALL_RO: Command = Command::program("FCALL_RO", fcall)
    .prepared(find)
    .flagged(flags)
    .with_functions()
    .syntax(SYNTAX)
    .arity(AtLeast(3))
    .keys(NOTED_KEYS_RO)
    .flags(READS)
    .since("7.0.0")
    .complexity(COMPLEXITY)
    .summary("Invokes a read-only function.");

/// Finds the function. Nobody knows what it will touch.
fn find(call: &mut Call<'_>) -> Result<Need, Error> {
    let name = call.request().arg(1).unwrap_or_default();
    call.function = Some(call.state.functions.find(name).ok_or(Error::NO_FUNCTION)?);
    check_numkeys(call)?;
    Ok(Need::Discovered)
}

fn flags(state: &State, request: Request<'_>, flags: Flags) -> Flags {
    let called = request.arg(1).and_then(|name| state.functions.find(name));
    flags_of(called.map(|called| Rules::of(Some(called.function().flags))), flags)
}

fn check_numkeys(call: &Call<'_>) -> Result<usize, Error> {
    let mut args = call.args.behind(1)?;
    let count = args.integer().map_err(|_| Error::NUMKEYS_BAD)?;
    numkeys(count, args.len())
}

fn fcall(call: &mut Call<'_>, client: &mut Client, inside: &mut dyn Inside) -> Done {
    let called = call.function.take().expect("invariant: a function is found before it is run");
    let keys = check_numkeys(call)?;
    run(call, client, inside, Callee::Function(&called), keys)
}
