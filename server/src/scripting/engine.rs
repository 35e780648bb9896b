//! An engine: one Lua state with its sandbox, and the scripts that it has compiled. Each thread that runs scripts has its own, so
//! that scripts of several threads run at the same time; no script can leave anything behind in it, so that it makes no
//! difference which one runs a script.
//!
//! A script calls commands through [`Inside`]; for how long it may run, and who may end it, see `watchdog`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use mlua::chunk::ChunkMode;
use mlua::state::{GcIncParams, GcMode};
use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState};
use shardis_protocol::{OwnedRequest, Reply, Version};

use super::bridge::{self, Bridge};
use super::library::{self, Raised};
use super::script::Script;
use super::watchdog::Status;
use super::{api, convert};
use crate::client::Client;
use crate::command::{Error, Inside, ScriptRules};
use crate::config::Personality;
use crate::state::State;

/// The place of a thread's engine, which is made when it is first used.
#[derive(Debug, Default)]
pub struct EngineSlot(RefCell<Option<Box<Engine>>>);

/// A Lua state that runs scripts.
pub struct Engine {
    lua: Lua,
    personality: Personality,
    /// What the globals of scripts are.
    environment: Table,
    /// Runs a compiled script.
    run: Function,
    /// By the number of the script.
    chunks: HashMap<u64, Function>,
    /// Of which generation of the cache these are.
    generation: u64,
    status: Arc<Status>,
    /// The memory of the calls of scripts.
    scratch: Scratch,
}

/// What a call of a script is written into, and what it answers.
#[derive(Debug, Default)]
pub struct Scratch {
    pub request: OwnedRequest,
    pub reply: Reply,
}

/// A call of a script.
pub struct Invocation<'i> {
    /// What is run.
    pub script: &'i Script,
    /// What it finds under KEYS.
    pub keys: &'i [&'i [u8]],
    /// What it finds under ARGV.
    pub arguments: &'i [&'i [u8]],
    /// What its calls are held to.
    pub rules: ScriptRules,
}

/// An error that ended a script.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// Its code and text.
    pub text: Vec<u8>,
    /// The chunk and the line, where they are known.
    pub place: Option<(String, usize)>,
    /// Whether it is that of a command, which has been counted.
    pub is_counted: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("chunks", &self.chunks.len()).finish_non_exhaustive()
    }
}

/// Compiled scripts that an engine keeps; then it forgets all of them, which costs compiling them again.
const CHUNKS_MAX: usize = 10_000;
/// Memory that is kept from one script to the next.
const SCRATCH_BYTES_MAX: usize = 256 * 1024;
/// Memory may grow to so many percent of what is in use before the garbage is collected: scripts leave much behind, and the
/// sandbox, which is looked at each time, is a tenth of a megabyte.
const GARBAGE_PERCENT: i32 = 400;
/// Instructions between two looks at what others want of a script.
const INSTRUCTIONS_PER_LOOK: u32 = 10_000;

impl EngineSlot {
    /// Lets `work` have the engine, unless it is at work already or cannot be made.
    pub fn with<R>(&self, state: &Arc<State>, work: impl FnOnce(&mut Engine) -> R) -> Option<R> {
        let mut slot = self.0.try_borrow_mut().ok()?;
        let personality = state.config.personality.value();
        if slot.as_ref().is_none_or(|engine| engine.personality != personality) {
            *slot = Some(Box::new(Engine::new(state, personality).ok()?));
        }
        slot.as_mut().map(|engine| work(engine))
    }
}

impl Engine {
    fn new(state: &Arc<State>, personality: Personality) -> mlua::Result<Engine> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(true))?;
        let dialect = personality.dialect();
        let released = Arc::downgrade(state);
        let status = state.watchdog.enroll(move || {
            // Those who wait for the shards of a script are told that it is busy.
            if let Some(state) = released.upgrade() {
                state.released.notify_waiters();
            }
        });
        library::install(&lua, dialect)?;
        // What runs scripts catches everything as it is.
        let catch: Function = lua.globals().raw_get("xpcall")?;
        library::protect_calls(&lua)?;
        api::restrict(&lua, dialect)?;
        let server = api::server_table(&lua, dialect)?;
        bridge::install(&lua, &server)?;
        let handle = lua.create_function(|lua, raised: Value| convert::describe(lua, raised))?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("=sandbox").set_mode(ChunkMode::Text);
        let names = lua.create_sequence_from(dialect.server_tables.iter().copied())?;
        let (environment, run): (Table, Function) =
            prelude.call((lua.globals(), server, handle, catch, names))?;
        lua.set_globals(environment.clone())?;
        let watched = status.clone();
        let killed = dialect.script_killed;
        lua.set_hook(HookTriggers::new().every_nth_instruction(INSTRUCTIONS_PER_LOOK), move |lua, _| {
            if !watched.look() {
                return Ok(VmState::Continue);
            }
            Err(Raised::error(convert::error_table(lua, killed.as_bytes())?))
        })?;
        let limit = usize::try_from(state.config.lua_memory_limit.value()).unwrap_or_default();
        lua.set_memory_limit(limit)?;
        lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(GARBAGE_PERCENT)));
        let generation = state.scripts.generation();
        let (chunks, scratch) = Default::default();
        Ok(Engine { lua, personality, environment, run, chunks, generation, status, scratch })
    }

    /// Compiles a script, unless that has been done.
    pub fn compile(&mut self, state: &State, script: &Script) -> Result<Function, Error> {
        let generation = state.scripts.generation();
        if self.generation != generation || self.chunks.len() >= CHUNKS_MAX {
            self.chunks.clear();
            self.generation = generation;
        }
        if let Some(chunk) = self.chunks.get(&script.id) {
            return Ok(chunk.clone());
        }
        let text = script.code();
        let chunk = self.lua.load(&text[..]).set_name("@user_script").set_mode(ChunkMode::Text);
        let chunk = chunk.set_environment(self.environment.clone()).into_function();
        let chunk = chunk.map_err(|error| Error::script_does_not_compile(&message(&error)))?;
        self.chunks.insert(script.id, chunk.clone());
        Ok(chunk)
    }

    /// Runs a script for a client, and writes what it returns.
    pub fn run(
        &mut self,
        invocation: &Invocation<'_>,
        client: &Client,
        inside: &mut dyn Inside,
        reply: &mut Reply,
    ) -> Result<(), Failure> {
        let state = inside.state().clone();
        let chunk = self.compile(&state, invocation.script).map_err(|error| Failure::of(&error))?;
        self.status.begin();
        let done = self.call(&chunk, invocation, client, inside, reply);
        self.status.end(&state.watchdog);
        done.unwrap_or_else(|error| Err(Failure { text: message(&error), ..Failure::default() }))
    }

    fn call(
        &mut self,
        chunk: &Function,
        invocation: &Invocation<'_>,
        client: &Client,
        inside: &mut dyn Inside,
        reply: &mut Reply,
    ) -> mlua::Result<Result<(), Failure>> {
        let mut bridge = Bridge {
            client: Client::of_script(client),
            inside,
            rules: invocation.rules,
            status: &self.status,
            scratch: std::mem::take(&mut self.scratch),
        };
        let (keys, arguments) = (self.table(invocation.keys)?, self.table(invocation.arguments)?);
        let ended = bridge.lend(|| self.run.call::<(bool, Value)>((chunk, keys, arguments)));
        bridge.client.wakes.wake();
        let (version, scratch) = (bridge.client.version, bridge.scratch);
        self.scratch = scratch.trimmed();
        let (succeeded, value) = ended?;
        if !succeeded {
            return Ok(Err(convert::failure_of(&value)));
        }
        convert::write(value, version == Version::Resp3, reply)
    }

    fn table(&self, words: &[&[u8]]) -> mlua::Result<Table> {
        let table = self.lua.create_table_with_capacity(words.len(), 0)?;
        for (at, word) in words.iter().enumerate() {
            table.raw_set(at + 1, self.lua.create_string(word)?)?;
        }
        Ok(table)
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
    fn of(error: &Error) -> Failure {
        Failure { text: error.text().to_vec(), ..Failure::default() }
    }

    /// The whole text, for the client that has called the script of this name.
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
