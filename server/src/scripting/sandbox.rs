//! A sandbox: one Lua state with everything that code of clients finds in it, and the way in which that code is called. Code
//! reaches the server through [`Bridge`]; for how long it may run, and who may end it, see `watchdog`.
//!
//! Scripts and libraries of functions find different things. What is kept in a sandbox is the business of `engine` for
//! scripts and of `functions::engine` for functions.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mlua::chunk::ChunkMode;
use mlua::state::{GcIncParams, GcMode};
use mlua::{Either, Function, HookTriggers, IntoLua, Lua, LuaOptions, StdLib, Table, Value, VmState};
use shardis_protocol::{OwnedRequest, Reply, Request, Version};

use super::bridge::{self, Bridge};
use super::library::{self, Raised};
use super::watchdog::{Kind, Status};
use super::{api, convert};
use crate::client::Client;
use crate::clock::Clock;
use crate::command::{Error, Inside, ScriptRules};
use crate::config::Personality;
use crate::state::State;

/// A Lua state that code of clients may be run in.
pub struct Sandbox {
    pub lua: Lua,
    pub personality: Personality,
    /// What the globals of that code are.
    pub environment: Table,
    /// Runs what is called with keys and arguments.
    run: Function,
    guard: Rc<Guard>,
    /// The memory of the calls.
    scratch: Scratch,
}

/// What a call of a script is written into, and what it answers.
#[derive(Debug, Default)]
pub struct Scratch {
    pub request: OwnedRequest,
    pub reply: Reply,
}

/// A call from outside.
pub struct Invocation<'i> {
    /// The name of the function that is called; of a script its sum.
    pub name: &'i str,
    /// All words of the call.
    pub request: Request<'i>,
    /// The words that are keys.
    pub keys: &'i [&'i [u8]],
    /// Those that are none.
    pub arguments: &'i [&'i [u8]],
    /// What its calls are held to.
    pub rules: ScriptRules,
}

/// An error that ended what ran.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// Its code and text.
    pub text: Vec<u8>,
    /// The chunk and the line, where they are known.
    pub place: Option<(String, usize)>,
    /// Whether it is that of a command, which has been counted.
    pub is_counted: bool,
}

/// Memory that is kept from one call to the next.
const SCRATCH_BYTES_MAX: usize = 256 * 1024;
/// Memory may grow to so many percent of what is in use before the garbage is collected: scripts leave much behind, and the
/// sandbox, which is looked at each time, is a tenth of a megabyte.
const GARBAGE_PERCENT: i32 = 400;
/// Instructions between two looks at what others want.
const INSTRUCTIONS_PER_LOOK: u32 = 10_000;

impl Sandbox {
    /// A sandbox whose code finds the server's table. `loading` is what libraries find instead while they are loaded; with
    /// it the sandbox is one of functions. Gives what loads a library, too.
    pub fn new(
        state: &Arc<State>,
        personality: Personality,
        loading: Option<&dyn Fn(&Lua) -> mlua::Result<Table>>,
    ) -> mlua::Result<(Sandbox, Function)> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(true))?;
        let dialect = personality.dialect();
        library::install(&lua, dialect)?;
        // What runs scripts catches everything as it is.
        let catch: Function = lua.globals().raw_get("xpcall")?;
        library::protect_calls(&lua)?;
        api::restrict(&lua, dialect)?;
        let server = api::server_table(&lua, dialect)?;
        bridge::install(&lua, &server)?;
        let loading = loading.map(|make| make(&lua)).transpose()?;
        if loading.is_some() {
            api::withhold_from_functions(&server)?;
        }
        let kind = if loading.is_some() { Kind::Function } else { Kind::Script };
        let handle = lua.create_function(|lua, raised: Value| convert::describe(lua, raised))?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("=sandbox").set_mode(ChunkMode::Text);
        let names = lua.create_sequence_from(dialect.server_tables.iter().copied())?;
        let (environment, run, load): (Table, Function, Function) =
            prelude.call((lua.globals(), server, handle, catch, names, loading))?;
        lua.set_globals(environment.clone())?;
        let status = enroll(state, kind);
        let killed = match kind {
            Kind::Script => dialect.script_killed,
            Kind::Function => dialect.function_killed,
        };
        let clock = state.clock.clone();
        let (deadline, is_strict) = Default::default();
        let guard = Rc::new(Guard { status, clock, deadline, killed, is_strict });
        guard.relax(&lua)?;
        let limit = usize::try_from(state.config.scripts.lua_memory_limit.value()).unwrap_or_default();
        lua.set_memory_limit(limit)?;
        lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(GARBAGE_PERCENT)));
        let scratch = Scratch::default();
        Ok((Sandbox { lua, personality, environment, run, guard, scratch }, load))
    }

    /// Compiles code. What an error says begins with the place in it.
    pub fn compile(&self, code: &[u8], name: &str) -> Result<Function, Vec<u8>> {
        let chunk = self.lua.load(code).set_name(name).set_mode(ChunkMode::Text);
        let chunk = chunk.set_environment(self.environment.clone()).into_function();
        chunk.map_err(|error| message(&error))
    }

    /// Calls what is in here for a client, and writes what it returns.
    pub fn call(
        &mut self,
        callee: &Function,
        invocation: &Invocation<'_>,
        client: &mut Client,
        inside: &mut dyn Inside,
        reply: &mut Reply,
    ) -> Result<(), Failure> {
        self.guard.status.begin();
        let done = self.enter(callee, invocation, client, inside, reply);
        self.guard.status.end(&inside.state().watchdog, self.lua.used_memory());
        self.calm_down();
        done.unwrap_or_else(|error| Err(Failure::of_lua(&error)))
    }

    fn enter(
        &mut self,
        callee: &Function,
        invocation: &Invocation<'_>,
        client: &mut Client,
        inside: &mut dyn Inside,
        reply: &mut Reply,
    ) -> mlua::Result<Result<(), Failure>> {
        let mut bridge = Bridge {
            invocation,
            client: Client::of_script(client),
            inside,
            rules: invocation.rules,
            status: &self.guard.status,
            scratch: std::mem::take(&mut self.scratch),
        };
        let (keys, arguments) = (self.table(invocation.keys)?, self.table(invocation.arguments)?);
        let ended = bridge.lend(|| self.run.call::<(bool, Value)>((callee, keys, arguments)));
        let Bridge { client: mut of_script, inside, scratch, .. } = bridge;
        let version = of_script.version;
        // Whom it has messages for is woken when its caller's turn is over.
        client.wakes.append(&mut of_script.wakes);
        // What runs once more elsewhere counts there.
        client.commands += if inside.is_too_long() { 0 } else { of_script.commands };
        self.scratch = scratch.trimmed();
        let (succeeded, value) = ended?;
        if !succeeded {
            return Ok(Err(convert::failure_of(&value)));
        }
        reply.set_double_style(self.personality.dialect().doubles);
        convert::write(value, version == Version::Resp3, reply, &mut |text, is_counted| {
            inside.note_failure((!is_counted).then(|| Error::new(text)).as_ref());
        })
    }

    /// Runs something that loads a library, for so long at most.
    pub fn within<R>(&self, time_max: Duration, run: impl FnOnce() -> R) -> R {
        self.guard.deadline.set(Some(self.guard.clock.elapsed() + time_max));
        let result = run();
        self.guard.deadline.set(None);
        self.guard.status.note_memory(self.lua.used_memory());
        self.calm_down();
        result
    }

    /// Undoes what it took to end something.
    fn calm_down(&self) {
        if self.guard.is_strict.get() {
            // Only memory could be short; then what runs next is watched more closely than it need be.
            let _ = self.guard.relax(&self.lua);
        }
    }

    fn table(&self, words: &[&[u8]]) -> mlua::Result<Table> {
        // Text goes in at once; anything else has to be made a string first.
        let value = |word| str::from_utf8(word).map_or(Either::Right(Bytes(word)), Either::Left);
        self.lua.create_sequence_from(words.iter().copied().map(value))
    }
}

/// A word that is no text.
struct Bytes<'w>(&'w [u8]);

impl IntoLua for Bytes<'_> {
    fn into_lua(self, lua: &Lua) -> mlua::Result<Value> {
        lua.create_string(self.0).map(Value::String)
    }
}

/// Makes the watchdog look after one more sandbox.
fn enroll(state: &Arc<State>, kind: Kind) -> Arc<Status> {
    let released = Arc::downgrade(state);
    state.watchdog.enroll(kind, move || {
        // Those who wait for the shards of what runs are told that it is busy.
        if let Some(state) = released.upgrade() {
            state.released.notify_waiters();
        }
    })
}

/// Ends the code in here: when somebody wants that, or when its time to load is over.
pub struct Guard {
    status: Arc<Status>,
    clock: Clock,
    /// When what is being loaded must have ended: time that has elapsed on the clock.
    deadline: Cell<Option<Duration>>,
    /// What is raised when somebody wants it to end.
    killed: &'static str,
    /// Whether it looks at every line, because something must end and may have caught the first error.
    is_strict: Cell<bool>,
}

impl Guard {
    /// Looks as seldom as it may, from now on.
    fn relax(self: &Rc<Guard>, lua: &Lua) -> mlua::Result<()> {
        self.is_strict.set(false);
        self.watch(lua, HookTriggers::new().every_nth_instruction(INSTRUCTIONS_PER_LOOK))
    }

    fn watch(self: &Rc<Guard>, lua: &Lua, triggers: HookTriggers) -> mlua::Result<()> {
        let guard = self.clone();
        lua.set_hook(triggers, move |lua, debug| {
            // Our own code around it is short, and undoes what has to be undone.
            if debug.source().source.is_some_and(|source| convert::OURS.contains(&&*source)) {
                return Ok(VmState::Continue);
            }
            let Some(text) = guard.look() else { return Ok(VmState::Continue) };
            if !guard.is_strict.replace(true) {
                guard.watch(lua, HookTriggers::EVERY_LINE)?;
            }
            Err(Raised::error(convert::error_table(lua, &text)?))
        })
    }

    /// Why what runs has to end.
    fn look(&self) -> Option<Vec<u8>> {
        match self.deadline.get() {
            Some(deadline) => {
                (self.clock.elapsed() > deadline).then(|| Error::FUNCTION_LOAD_TIMEOUT.text().to_vec())
            }
            None => self.status.look(bridge::called).then(|| self.killed.as_bytes().to_vec()),
        }
    }
}

impl Scratch {
    /// Without what an unusual call has made it grow to.
    fn trimmed(self) -> Scratch {
        let is_small = self.request.memory_bytes() + self.reply.memory_bytes() <= SCRATCH_BYTES_MAX;
        if is_small { self } else { Scratch::default() }
    }
}

impl Failure {
    /// What could not even begin.
    pub fn of(error: &Error) -> Failure {
        Failure { text: error.text().to_vec(), ..Failure::default() }
    }

    /// What Lua could not do.
    pub fn of_lua(error: &mlua::Error) -> Failure {
        Failure { text: message(error), ..Failure::default() }
    }

    /// The whole text, for the client that has called what has this name.
    pub fn describe(&self, name: &str) -> Vec<u8> {
        let Some((source, line)) = &self.place else { return self.text.clone() };
        let comma = if name.is_empty() { "" } else { ", " };
        let source = source.strip_prefix(['=']).unwrap_or(source);
        let place = format!(" script: {name}{comma}on {source}:{line}.");
        [&self.text[..], place.as_bytes()].concat()
    }
}

/// What Lua says of an error, without the traces of our own functions.
fn message(error: &mlua::Error) -> Vec<u8> {
    match error {
        mlua::Error::SyntaxError { message, .. } => message.clone().into_bytes(),
        mlua::Error::MemoryError(text) => [b"ERR ", text.as_bytes()].concat(),
        mlua::Error::RuntimeError(text) => [b"ERR ", text.as_bytes()].concat(),
        mlua::Error::CallbackError { cause, .. } => message(cause),
        other => [b"ERR ", other.to_string().as_bytes()].concat(),
    }
}
