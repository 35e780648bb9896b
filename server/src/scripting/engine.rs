//! The engine of scripts: a sandbox, and the scripts that it has compiled. Each thread that runs scripts has its own, so that
//! scripts of several threads run at the same time. What scripts leave behind in it is what they may set in libraries: the settings
//! of cjson, and the state of `math.random`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use mlua::Function;
use shardis_protocol::Reply;

use super::functions::engine::FunctionEngine;
use super::hashing::Plain;
use super::sandbox::{Failure, Invocation, Sandbox};
use super::script::Script;
use crate::client::Client;
use crate::command::{Error, Inside};
use crate::config::Personality;
use crate::state::State;

/// The place of a thread's engines, which are made when they are first used.
#[derive(Debug, Default)]
pub struct EngineSlot {
    scripts: RefCell<Option<Box<Engine>>>,
    /// On the one thread that has one.
    functions: Option<RefCell<Option<Box<FunctionEngine>>>>,
}

/// Runs scripts.
pub struct Engine {
    sandbox: Sandbox,
    compiled: Compiled,
}

/// The scripts that an engine has compiled.
struct Compiled {
    /// By the number of the script.
    chunks: HashMap<u64, Function, Plain>,
    /// Of which generation of the cache these are.
    generation: u64,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("chunks", &self.compiled.chunks.len()).finish_non_exhaustive()
    }
}

/// Compiled scripts that an engine keeps; then it forgets all of them, which costs compiling them again.
const CHUNKS_MAX: usize = 10_000;

impl EngineSlot {
    /// The slot of the thread that runs functions.
    pub fn with_functions() -> EngineSlot {
        EngineSlot { functions: Some(RefCell::default()), ..EngineSlot::default() }
    }

    /// Whether functions run here.
    pub fn has_functions(&self) -> bool {
        self.functions.is_some()
    }

    /// Lets `work` have the engine of scripts, unless it is at work already or cannot be made.
    pub fn with<R>(
        &self,
        inside: &mut dyn Inside,
        work: impl FnOnce(&mut Engine, &mut dyn Inside) -> R,
    ) -> Option<R> {
        borrow(&self.scripts, inside, Engine::new, |engine| engine.sandbox.personality, work)
    }

    /// The same with the engine of functions, where it is.
    pub fn with_function_engine<R>(
        &self,
        inside: &mut dyn Inside,
        work: impl FnOnce(&mut FunctionEngine, &mut dyn Inside) -> R,
    ) -> Option<R> {
        let slot = self.functions.as_ref()?;
        borrow(slot, inside, FunctionEngine::new, FunctionEngine::personality, work)
    }
}

/// Makes an engine, unless there is one that imitates the right server, and lends it.
fn borrow<E, R>(
    slot: &RefCell<Option<Box<E>>>,
    inside: &mut dyn Inside,
    make: fn(&Arc<State>, Personality) -> mlua::Result<E>,
    personality_of: fn(&E) -> Personality,
    work: impl FnOnce(&mut E, &mut dyn Inside) -> R,
) -> Option<R> {
    let mut slot = slot.try_borrow_mut().ok()?;
    let personality = inside.state().config.personality.value();
    if slot.as_ref().is_none_or(|engine| personality_of(engine) != personality) {
        *slot = Some(Box::new(make(inside.state(), personality).ok()?));
    }
    slot.as_mut().map(|engine| work(engine, inside))
}

impl Engine {
    fn new(state: &Arc<State>, personality: Personality) -> mlua::Result<Engine> {
        let (sandbox, _) = Sandbox::new(state, personality, None)?;
        let compiled = Compiled { chunks: HashMap::default(), generation: state.scripts.generation() };
        Ok(Engine { sandbox, compiled })
    }

    /// Compiles a script, unless that has been done.
    pub fn compile(&mut self, state: &State, script: &Script) -> Result<(), Error> {
        self.compiled.chunk(&self.sandbox, state, script).map(drop)
    }

    /// Runs a script for a client, and writes what it returns.
    pub fn run(
        &mut self,
        script: &Script,
        invocation: &Invocation<'_>,
        client: &mut Client,
        inside: &mut dyn Inside,
        reply: &mut Reply,
    ) -> Result<(), Failure> {
        let chunk = self.compiled.chunk(&self.sandbox, inside.state(), script);
        let chunk = chunk.map_err(|error| Failure::of(&error))?;
        self.sandbox.call(chunk, invocation, client, inside, reply)
    }
}

impl Compiled {
    fn chunk(&mut self, sandbox: &Sandbox, state: &State, script: &Script) -> Result<&Function, Error> {
        let generation = state.scripts.generation();
        if self.generation != generation || self.chunks.len() >= CHUNKS_MAX {
            self.chunks.clear();
            self.generation = generation;
        }
        match self.chunks.entry(script.id) {
            Entry::Occupied(chunk) => Ok(chunk.into_mut()),
            Entry::Vacant(place) => {
                let chunk = sandbox.compile(script.code(), "@user_script").map_err(|message| {
                    // What is no Lua is not kept.
                    state.scripts.remove(&script.sum);
                    Error::script_does_not_compile(&message)
                })?;
                Ok(place.insert(chunk))
            }
        }
    }
}
