//! Running scripts: by their text, or by its sum.

use std::sync::Arc;

use shardis_protocol::{Reply, Request};
use smallvec::SmallVec;

use crate::client::Client;
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Flow, Inside, KeySpec, Need, ScriptRules, numbered};
use crate::scripting::engine::EngineSlot;
use crate::scripting::functions::Called;
use crate::scripting::outline::{Outline, outline};
use crate::scripting::sandbox::{Failure, Invocation};
use crate::scripting::script::{self, Rules, Script};
use crate::scripting::shebang;
use crate::state::State;

const FLAGS: Flags =
    Flags::NO_SCRIPT.union(Flags::STALE).union(Flags::SKIP_MONITOR).union(Flags::NO_MANDATORY_KEYS);
pub const WRITES: Flags = FLAGS.union(Flags::MAY_REPLICATE);
pub const READS: Flags = FLAGS.union(Flags::READONLY);
const COMPLEXITY: &str = "Depends on the script that is executed.";
const KEYS: &[KeySpec] = &[numbered(2, 1).read_write().accesses().updates()];
const KEYS_RO: &[KeySpec] = &[numbered(2, 1).read_only().accesses()];
pub const NOTED_KEYS: &[KeySpec] = &[numbered(2, 1)
    .read_write()
    .accesses()
    .updates()
    .notes("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")];
pub const NOTED_KEYS_RO: &[KeySpec] = &[numbered(2, 1)
    .read_only()
    .accesses()
    .notes("We cannot tell how the keys will be used so we assume the worst, RO and ACCESS")];

pub static EVAL: Command = Command::program("EVAL", eval)
    .prepared(find_by_text)
    .flagged(flags_by_text)
    .syntax("script numkeys:integer [key [key ...]] [arg:string [arg:string ...]]")
    .arity(AtLeast(3))
    .keys(NOTED_KEYS)
    .flags(WRITES)
    .since("2.6.0")
    .complexity(COMPLEXITY)
    .summary("Executes a server-side Lua script.");

pub static EVALSHA: Command = Command::program("EVALSHA", eval)
    .prepared(find_by_sum)
    .flagged(flags_by_sum)
    .syntax("sha1 numkeys:integer [key [key ...]] [arg:string [arg:string ...]]")
    .arity(AtLeast(3))
    .keys(KEYS)
    .flags(WRITES)
    .since("2.6.0")
    .complexity(COMPLEXITY)
    .summary("Executes a server-side Lua script by SHA1 digest.");

pub static EVALSHA_RO: Command = Command::program("EVALSHA_RO", eval)
    .prepared(find_by_sum)
    .flagged(flags_by_sum)
    .syntax("sha1 numkeys:integer [key [key ...]] [arg:string [arg:string ...]]")
    .arity(AtLeast(3))
    .keys(KEYS_RO)
    .flags(READS)
    .since("7.0.0")
    .complexity(COMPLEXITY)
    .summary("Executes a read-only server-side Lua script by SHA1 digest.");

pub static EVAL_RO: Command = Command::program("EVAL_RO", eval)
    .prepared(find_by_text)
    .flagged(flags_by_text)
    .syntax("script numkeys:integer [key [key ...]] [arg:string [arg:string ...]]")
    .arity(AtLeast(3))
    .keys(NOTED_KEYS_RO)
    .flags(READS)
    .since("7.0.0")
    .complexity(COMPLEXITY)
    .summary("Executes a read-only server-side Lua script.");

/// Keys and arguments that are listed without allocating.
const WORDS_INLINE: usize = 16;

/// Keeps a script, whatever Lua will say of it.
pub fn keep(state: &State, text: &[u8]) -> Result<Arc<Script>, Error> {
    let sum = script::sum(text);
    match state.scripts.find(&sum) {
        Some(script) => Ok(script),
        None => {
            let rules = rules(state, text)?;
            Ok(state.scripts.insert(sum, text, rules, outline(text, &state.commands)))
        }
    }
}

/// What the first line of a script says.
fn rules(state: &State, text: &[u8]) -> Result<Rules, Error> {
    let dialect = state.config.dialect();
    let said = shebang::script(text, dialect).map_err(|error| Error::script_shebang(&error, dialect))?;
    Ok(Rules::of(said.flags))
}

fn find_by_text(call: &mut Call<'_>) -> Result<Need, Error> {
    check_numkeys(call)?;
    let script = keep(call.state, call.request().arg(1).unwrap_or_default())?;
    Ok(found(call, script))
}

fn find_by_sum(call: &mut Call<'_>) -> Result<Need, Error> {
    check_numkeys(call)?;
    let script = call.request().arg(1).and_then(|name| call.state.scripts.named(name));
    let script = script.ok_or_else(|| Error::no_such_script(call.dialect()))?;
    Ok(found(call, script))
}

fn flags_by_text(state: &State, request: Request<'_>, flags: Flags) -> Flags {
    let said = request.arg(1).and_then(|text| rules(state, text).ok());
    flags_of(said, flags)
}

fn flags_by_sum(state: &State, request: Request<'_>, flags: Flags) -> Flags {
    let script = request.arg(1).and_then(|name| state.scripts.named(name));
    flags_of(script.map(|script| script.rules), flags)
}

/// What a call of a command is that runs something with these rules. What has said nothing may be anything.
pub fn flags_of(rules: Option<Rules>, flags: Flags) -> Flags {
    let Some(rules) = rules.filter(|rules| rules.has_shebang) else { return flags };
    let flags = flags.without(Flags::MAY_REPLICATE);
    match (rules.refuses_writes, rules.allows_oom) {
        (true, _) => flags,
        (false, true) => flags | Flags::WRITE,
        (false, false) => flags | Flags::WRITE | Flags::DENY_OOM,
    }
}

/// Notes the script that a call runs, and tells what that needs.
fn found(call: &mut Call<'_>, script: Arc<Script>) -> Need {
    let Outline { keeps_to_its_keys, is_bounded } = script.outline;
    call.script = Some(script);
    match (keeps_to_its_keys, is_bounded) {
        (true, true) => Need::Declared,
        (true, false) => Need::DeclaredForLong,
        (false, _) => Need::Discovered,
    }
}

/// How many of the words behind it are keys.
fn check_numkeys(call: &mut Call<'_>) -> Result<usize, Error> {
    let mut args = call.args.behind(1)?;
    let count = args.integer()?;
    numkeys(count, args.len())
}

/// As many keys as that, of so many words.
pub fn numkeys(count: i64, words: usize) -> Result<usize, Error> {
    if count > words as i64 {
        return Err(Error::NUMKEYS_BEYOND_ARGUMENTS);
    }
    usize::try_from(count).map_err(|_| Error::NUMKEYS_NEGATIVE)
}

fn eval(call: &mut Call<'_>, client: &mut Client, inside: &mut dyn Inside) -> Done {
    let script = call.script.take().expect("invariant: a script is found before it is run");
    let keys = check_numkeys(call)?;
    run(call, client, inside, Callee::Script(&script), keys)
}

/// What is to run.
#[derive(Clone, Copy)]
pub enum Callee<'c> {
    /// A script.
    Script(&'c Script),
    /// A function of a library.
    Function(&'c Called),
}

impl Callee<'_> {
    fn name(&self) -> &str {
        match self {
            Callee::Script(script) => &script.name,
            Callee::Function(called) => &called.function().name,
        }
    }

    fn rules(&self) -> Rules {
        match self {
            Callee::Script(script) => script.rules,
            Callee::Function(called) => Rules::of(Some(called.function().flags)),
        }
    }

    /// Runs it, unless its engine cannot be had.
    fn enter(
        &self,
        engines: &EngineSlot,
        invocation: &Invocation<'_>,
        client: &mut Client,
        inside: &mut dyn Inside,
        reply: &mut Reply,
    ) -> Option<Result<(), Failure>> {
        match self {
            Callee::Script(script) => {
                engines.with(inside, |engine, inside| engine.run(script, invocation, client, inside, reply))
            }
            Callee::Function(called) => engines.with_function_engine(inside, |engine, inside| {
                engine.call(called, invocation, client, inside, reply)
            }),
        }
    }
}

/// Runs a script or function with so many keys, and answers what it returns or raises.
pub fn run(
    call: &mut Call<'_>,
    client: &mut Client,
    inside: &mut dyn Inside,
    callee: Callee<'_>,
    keys: usize,
) -> Done {
    let rules = admit(inside, callee.rules(), call.command.flags.contains(Flags::READONLY))?;
    let words: SmallVec<[&[u8]; WORDS_INLINE]> = call.args.behind(2)?.rest().collect();
    let (keys, arguments) = words.split_at(keys);
    let invocation = Invocation { name: callee.name(), request: call.request(), keys, arguments, rules };
    let Some(engines) = inside.engine() else { return Ok(Flow::Offload) };
    let done = callee.enter(&engines, &invocation, client, inside, call.reply);
    if inside.is_too_long() {
        return Ok(Flow::Offload);
    }
    let Err(failure) = done.ok_or(Error::NO_ENGINE)? else { return Ok(Flow::Done) };
    let name = if call.dialect().scripts_name_redis { callee.name() } else { "" };
    let error = Error::new(failure.describe(name));
    if !failure.is_counted {
        return Err(error);
    }
    call.reply.error(error.text());
    inside.note_failure(None);
    Ok(Flow::Done)
}

/// Checks what has said what it is, and tells what its calls are held to.
fn admit(inside: &dyn Inside, rules: Rules, is_read_only: bool) -> Result<ScriptRules, Error> {
    let may_write = rules.has_shebang && !rules.refuses_writes;
    if is_read_only && may_write {
        return Err(Error::SCRIPT_NOT_READ_ONLY);
    }
    if may_write && !rules.allows_oom && inside.is_out_of_memory() {
        return Err(Error::SCRIPT_OUT_OF_MEMORY);
    }
    let refuses_writes = is_read_only || rules.refuses_writes;
    Ok(ScriptRules { refuses_writes, allows_oom: rules.allows_oom, has_written: false })
}
