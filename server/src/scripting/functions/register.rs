//! What libraries find while they are loaded: `register_function`, the log, and what is to be known of the server.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use mlua::{Lua, MultiValue, Table, Value};

use super::Function;
use crate::command::Error;
use crate::command::args::until_zero;
use crate::config::Dialect;
use crate::scripting::shebang::{ScriptFlags, library_name};
use crate::scripting::{api, bridge};
use crate::state::State;

/// What a library has registered so far; nothing while none is loaded.
pub type Registry = Rc<RefCell<Option<Registered>>>;

/// What a library has registered.
#[derive(Default)]
pub struct Registered {
    /// The functions, and what is to be called.
    pub functions: Vec<(Function, mlua::Function)>,
    /// What is wrong with one of them, where that is told later.
    pub refused: Option<Error>,
}

/// A function as it was registered, before it is checked.
struct Wish {
    name: Vec<u8>,
    callback: mlua::Function,
    description: Option<Vec<u8>>,
    flags: ScriptFlags,
}

/// The server's table as libraries find it while they are loaded.
pub fn table(
    lua: &Lua,
    dialect: &'static Dialect,
    state: &Arc<State>,
    registry: &Registry,
) -> mlua::Result<Table> {
    let table = api::constants(lua, dialect)?;
    let state = Arc::downgrade(state);
    let log = lua.create_function(move |lua, values: MultiValue| {
        let logged = state.upgrade().map_or(Ok(()), |state| bridge::log(&state.log, dialect, &values));
        logged.map_err(|error| bridge::raise(lua, &error).unwrap_or_else(|error| error))
    })?;
    table.raw_set("log", log)?;
    let registry = registry.clone();
    let register = lua.create_function(move |lua, values: MultiValue| {
        let mut registry = registry.borrow_mut();
        let done = match &mut *registry {
            Some(registered) => wish(lua, values, dialect)?.and_then(|wish| add(registered, wish, dialect)),
            None => Err(Error::register_outside(dialect)),
        };
        done.map_err(|error| bridge::raise(lua, &error).unwrap_or_else(|error| error))
    })?;
    table.raw_set("register_function", register)?;
    Ok(table)
}

/// Checks a function at once, or notes what is wrong with it for later.
fn add(registered: &mut Registered, wish: Wish, dialect: &Dialect) -> Result<(), Error> {
    let checked = library_name(&wish.name).ok_or_else(|| Error::function_name(dialect)).and_then(|name| {
        let is_taken =
            registered.functions.iter().any(|(function, _)| function.name.eq_ignore_ascii_case(&name));
        if is_taken { Err(Error::FUNCTION_REPEATED) } else { Ok(name) }
    });
    match checked {
        Ok(name) => {
            let whole = |text: Vec<u8>| {
                if dialect.functions_checked_late { until_zero(&text).into() } else { text.into() }
            };
            let description = wish.description.map(whole);
            registered.functions.push((Function { name, description, flags: wish.flags }, wish.callback));
        }
        Err(error) if dialect.functions_checked_late => {
            registered.refused.get_or_insert(error);
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Reads the arguments: a name and a function, or a table with both and more.
fn wish(lua: &Lua, values: MultiValue, dialect: &Dialect) -> mlua::Result<Result<Wish, Error>> {
    let refuse = |before, behind| Ok(Err(Error::of_register(dialect, before, behind)));
    let mut values = values.into_iter();
    match (values.next(), values.next(), values.next()) {
        (Some(Value::Table(table)), None, None) => named(lua, &table, dialect),
        (Some(_), None, None) => refuse(
            "calling ",
            " with a single argument is only applicable to Lua table (representing named arguments).",
        ),
        (Some(name), Some(callback), None) => match (text(lua, name)?, callback) {
            (None, _) => refuse("first argument to ", " must be a string"),
            (Some(name), Value::Function(callback)) => {
                Ok(Ok(Wish { name, callback, description: None, flags: ScriptFlags::default() }))
            }
            (Some(_), _) => refuse("second argument to ", " must be a function"),
        },
        _ => refuse("wrong number of arguments to ", ""),
    }
}

fn named(lua: &Lua, table: &Table, dialect: &Dialect) -> mlua::Result<Result<Wish, Error>> {
    let refuse = |before, behind| Ok(Err(Error::of_register(dialect, before, behind)));
    let (mut name, mut callback, mut description) = (None, None, None);
    let mut flags = ScriptFlags::default();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let Some(key) = text(lua, key)? else {
            return refuse("named argument key given to ", " is not a string");
        };
        match key.to_ascii_lowercase().as_slice() {
            b"function_name" => match text(lua, value)? {
                Some(given) => name = Some(given),
                None => return refuse("function_name argument given to ", " must be a string"),
            },
            b"description" => match text(lua, value)? {
                Some(given) => description = Some(given),
                None => return refuse("description argument given to ", " must be a string"),
            },
            b"callback" => match value {
                Value::Function(given) => callback = Some(given),
                _ => return refuse("callback argument given to ", " must be a function"),
            },
            b"flags" => {
                let Value::Table(names) = value else {
                    return refuse("flags argument to ", " must be a table representing function flags");
                };
                match read_flags(lua, &names)? {
                    Some(given) => flags = given,
                    None => return Ok(Err(Error::FUNCTION_FLAG)),
                }
            }
            _ => return refuse("unknown argument given to ", ""),
        }
    }
    match (name, callback) {
        (None, _) => refuse("", " must get a function name argument"),
        (Some(_), None) => refuse("", " must get a callback argument"),
        (Some(name), Some(callback)) => Ok(Ok(Wish { name, callback, description, flags })),
    }
}

/// The flags of these names, in any case, up to the first place without any; nothing if there is no such flag.
fn read_flags(lua: &Lua, names: &Table) -> mlua::Result<Option<ScriptFlags>> {
    let mut flags = ScriptFlags::default();
    for at in 1.. {
        match names.raw_get::<Value>(at)? {
            Value::Nil => break,
            name => match text(lua, name)?.and_then(|name| ScriptFlags::named(&name.to_ascii_lowercase())) {
                Some(flag) => flags = flags.union(flag),
                None => return Ok(None),
            },
        }
    }
    Ok(Some(flags))
}

/// A string, or a number as one.
fn text(lua: &Lua, value: Value) -> mlua::Result<Option<Vec<u8>>> {
    match value {
        Value::String(_) | Value::Integer(_) | Value::Number(_) => {
            Ok(lua.coerce_string(value)?.map(|text| text.as_bytes().to_vec()))
        }
        _ => Ok(None),
    }
}
