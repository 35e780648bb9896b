//! The engine of functions: a sandbox, and what the libraries that were loaded into it have registered.
//!
//! A library is loaded when it comes, and what it has kept since then stays as long as it does. Should the sandbox be made
//! anew, because another server is imitated from now on, a library is loaded again when one of its functions is called.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use mlua::Lua;
use shardis_protocol::Reply;

use super::register::{self, Registered, Registry};
use super::{Called, Functions, Library};
use crate::client::Client;
use crate::command::{Error, Inside};
use crate::config::Personality;
use crate::scripting::convert;
use crate::scripting::sandbox::{Failure, Invocation, Sandbox};
use crate::scripting::shebang;
use crate::state::State;

/// Runs functions.
pub struct FunctionEngine {
    sandbox: Sandbox,
    /// Runs a library.
    load: mlua::Function,
    registry: Registry,
    /// What the libraries have registered, by their numbers.
    callbacks: HashMap<u64, Vec<mlua::Function>>,
    /// Of which generation of the libraries these are.
    generation: u64,
}

impl std::fmt::Debug for FunctionEngine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FunctionEngine")
            .field("callbacks", &self.callbacks.len())
            .finish_non_exhaustive()
    }
}

/// For how long a library may be loaded.
const LOAD_TIME_MAX: Duration = Duration::from_millis(500);

impl FunctionEngine {
    pub fn new(state: &Arc<State>, personality: Personality) -> mlua::Result<FunctionEngine> {
        let registry = Registry::default();
        let loading = |lua: &Lua| register::table(lua, personality.dialect(), state, &registry);
        let (sandbox, load) = Sandbox::new(state, personality, Some(&loading))?;
        let callbacks = HashMap::default();
        let generation = state.functions.generation();
        Ok(FunctionEngine { sandbox, load, registry, callbacks, generation })
    }

    /// Which server it imitates.
    pub fn personality(&self) -> Personality {
        self.sandbox.personality
    }

    /// Loads a library, which is not yet one of the server's: should it not become one, it is to be forgotten.
    pub fn load(&mut self, functions: &Functions, source: &[u8]) -> Result<Arc<Library>, Error> {
        let shebang::Library { name, body } =
            shebang::library(source).map_err(|error| Error::library_shebang(&error))?;
        let (registered, callbacks) = self.run_library(body)?.functions.into_iter().unzip();
        let library = functions.make(name, source, registered);
        self.callbacks.insert(library.id, callbacks);
        Ok(library)
    }

    fn run_library(&mut self, body: &[u8]) -> Result<Registered, Error> {
        let chunk = self.sandbox.compile(body, "@user_function");
        let chunk = chunk.map_err(|message| Error::library_does_not_compile(&message))?;
        self.registry.replace(Some(Registered::default()));
        let ended = self.sandbox.within(LOAD_TIME_MAX, || self.load.call::<(bool, mlua::Value)>(chunk));
        let registered = self.registry.take().unwrap_or_default();
        let failure = match ended {
            Ok((true, _)) => None,
            Ok((false, raised)) => Some(convert::failure_of(&raised)),
            Err(error) => Some(Failure::of_lua(&error)),
        };
        match (failure, registered) {
            (Some(failure), _) => Err(Error::library_does_not_load(&failure.text)),
            (None, Registered { refused: Some(error), .. }) => Err(error),
            (None, registered) if registered.functions.is_empty() => Err(Error::NO_FUNCTIONS_REGISTERED),
            (None, registered) => Ok(registered),
        }
    }

    /// Calls a function for a client, and writes what it returns.
    pub fn call(
        &mut self,
        called: &Called,
        invocation: &Invocation<'_>,
        client: &mut Client,
        inside: &mut dyn Inside,
        reply: &mut Reply,
    ) -> Result<(), Failure> {
        let functions = &inside.state().functions;
        if self.generation != functions.generation() {
            self.forget(functions);
        }
        let callback = self.callback(called).map_err(|error| Failure::of(&error))?;
        self.sandbox.call(&callback, invocation, client, inside, reply)
    }

    fn callback(&mut self, called: &Called) -> Result<mlua::Function, Error> {
        let library = &called.library;
        if !self.callbacks.contains_key(&library.id) {
            let body = shebang::library(&library.code).map_err(|error| Error::library_shebang(&error))?.body;
            let registered = self.run_library(body)?.functions.into_iter();
            self.callbacks.insert(library.id, registered.map(|(_, callback)| callback).collect());
        }
        // A library that registers something else each time has functions that are no more.
        let callback = self.callbacks.get(&library.id).and_then(|callbacks| callbacks.get(called.index()));
        callback.cloned().ok_or(Error::NO_FUNCTION)
    }

    /// Forgets libraries that are not among the server's.
    pub fn forget(&mut self, functions: &Functions) {
        self.generation = functions.generation();
        let collection = functions.collection();
        let ids: HashSet<u64> = collection.libraries().map(|library| library.id).collect();
        self.callbacks.retain(|id, _| ids.contains(id));
    }
}
