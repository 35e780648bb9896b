//! Calling functions of libraries.

use shardis_protocol::Request;
use smallvec::SmallVec;

use super::eval::{NOTED_KEYS, NOTED_KEYS_RO, READS, WORDS_INLINE, WRITES, admit, answer, flags_of, numkeys};
use crate::client::Client;
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Flow, Inside, Need};
use crate::scripting::functions::Function;
use crate::scripting::sandbox::Invocation;
use crate::scripting::script::Rules;
use crate::scripting::shebang::ScriptFlags;
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

pub static FCALL_RO: Command = Command::program("FCALL_RO", fcall_read_only)
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
    flags_of(called.map(|called| rules(called.function())), flags)
}

fn rules(function: &Function) -> Rules {
    Rules {
        has_shebang: true,
        refuses_writes: function.flags.contains(ScriptFlags::NO_WRITES),
        allows_oom: function.flags.contains(ScriptFlags::ALLOW_OOM),
    }
}

fn check_numkeys(call: &Call<'_>) -> Result<usize, Error> {
    let mut args = call.args.behind(1)?;
    let count = args.integer().map_err(|_| Error::NUMKEYS_BAD)?;
    numkeys(count, args.len())
}

fn fcall(call: &mut Call<'_>, client: &mut Client, inside: &mut dyn Inside) -> Done {
    run(call, client, inside, false)
}

fn fcall_read_only(call: &mut Call<'_>, client: &mut Client, inside: &mut dyn Inside) -> Done {
    run(call, client, inside, true)
}

fn run(call: &mut Call<'_>, client: &mut Client, inside: &mut dyn Inside, is_read_only: bool) -> Done {
    let called = call.function.take().expect("invariant: a function is found before it is run");
    let function = called.function();
    let rules = admit(inside, rules(function), is_read_only)?;
    let keys_count = check_numkeys(call)?;
    let words: SmallVec<[&[u8]; WORDS_INLINE]> = call.args.behind(2)?.rest().collect();
    let (keys, arguments) = words.split_at(keys_count);
    let invocation = Invocation { name: &function.name, request: call.request(), keys, arguments, rules };
    let Some(engine) = inside.engine() else { return Ok(Flow::Offload) };
    let done = engine.with_function_engine(inside, |engine, inside| {
        engine.call(&called, &invocation, client, inside, call.reply)
    });
    answer(call, inside, done, &function.name)
}
