//! Lua values that Rust functions raise as errors. `mlua` gives scripts an error of Rust as userdata of its own, where the
//! imitated servers raise a string or a table; so the value travels inside the error, and whatever catches errors on behalf
//! of a script takes it out again: the functions here, and for what no script caught, [`Raised::value_of`].

use std::fmt;

use mlua::{Function, Lua, Table, Value};

/// A Lua value on its way to whoever catches it.
#[derive(Debug)]
pub struct Raised(Value);

impl Raised {
    /// The error that carries a value.
    pub fn error(value: Value) -> mlua::Error {
        mlua::Error::external(Raised(value))
    }

    /// What a script sees of an error: the value that was raised, else the text of what went wrong in Lua.
    pub fn value_of(lua: &Lua, error: &mlua::Error) -> mlua::Result<Value> {
        if let Some(Raised(value)) = error.downcast_ref() {
            return Ok(value.clone());
        }
        let text = match innermost(error) {
            mlua::Error::RuntimeError(text) | mlua::Error::MemoryError(text) => text.clone(),
            mlua::Error::SyntaxError { message, .. } => message.clone(),
            other => other.to_string(),
        };
        lua.create_string(text).map(Value::String)
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::String(text) => text.display().fmt(formatter),
            other => write!(formatter, "(error object is a {} value)", other.type_name()),
        }
    }
}

impl std::error::Error for Raised {}

/// The error itself, without the traces that calls have added.
fn innermost(error: &mlua::Error) -> &mlua::Error {
    let mut error = error;
    while let mlua::Error::CallbackError { cause, .. } = error {
        error = cause;
    }
    error
}

/// Replaces the functions of Lua that catch errors by such as catch the value that was raised.
pub fn protect_calls(lua: &Lua) -> mlua::Result<()> {
    let globals = lua.globals();
    let coroutine: Option<Table> = globals.raw_get("coroutine")?;
    let resume: Option<Function> = coroutine.as_ref().map(|table| table.raw_get("resume")).transpose()?;
    let value_of = lua.create_function(|lua, error: Value| match error {
        Value::Error(error) => Raised::value_of(lua, &error),
        other => Ok(other),
    })?;
    let plain: (Function, Function) = (globals.raw_get("pcall")?, globals.raw_get("xpcall")?);
    // An environment of its own: scripts must not reach ours through these functions.
    let chunk = lua.load(PROTECTED).set_name("=protected").set_environment(lua.create_table()?);
    let protected: (Function, Function, Function) =
        chunk.call((value_of, globals.raw_get::<Function>("type")?, plain.0, plain.1, resume))?;
    globals.raw_set("pcall", protected.0)?;
    globals.raw_set("xpcall", protected.1)?;
    if let Some(coroutine) = coroutine {
        coroutine.raw_set("resume", protected.2)?;
    }
    Ok(())
}

/// A call through these costs one more call of a Lua function. That makes no C frame, of which Lua allows only 200.
const PROTECTED: &str = "
local value_of, type, pcall, xpcall, resume = ...
local function settle(succeeded, ...)
    if succeeded or type((...)) ~= 'userdata' then return succeeded, ... end
    return succeeded, value_of((...))
end
-- Of the error that a command answers, whoever has called so that nothing is raised gets the text.
local function settle_call(succeeded, ...)
    if succeeded then return succeeded, ... end
    local failure = ...
    if type(failure) == 'userdata' then failure = value_of(failure) end
    if type(failure) == 'table' and type(failure.err) == 'string' then failure = failure.err end
    return succeeded, failure
end
return function(...) return settle_call(pcall(...)) end,
    function(run, handle)
        return xpcall(run, function(failure)
            if type(failure) == 'userdata' then failure = value_of(failure) end
            return handle(failure)
        end)
    end,
    function(...) return settle(resume(...)) end
";
