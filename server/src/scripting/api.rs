//! What scripts find: which of Lua's own functions, and the server's table, as far as it asks nobody.

use std::cell::Cell;

use mlua::{Lua, MultiValue, Table, Value};

use super::script;
use crate::command::Error;
use crate::config::Dialect;

/// Functions of Lua that scripts must not have.
const WITHHELD: [&str; 9] =
    ["dofile", "getfenv", "loadfile", "module", "newproxy", "print", "require", "setfenv", "package"];

/// Takes away what scripts must not have, and replaces what would differ from the real servers.
pub fn restrict(lua: &Lua, dialect: &Dialect) -> mlua::Result<()> {
    let globals = lua.globals();
    for name in WITHHELD {
        globals.raw_remove(name)?;
    }
    let os: Table = globals.raw_get("os")?;
    if dialect.scripts_have_a_clock {
        let clock: Value = os.raw_get("clock")?;
        os.clear()?;
        os.raw_set("clock", clock)?;
    } else {
        globals.raw_remove("os")?;
    }
    replace_random(lua, &globals.raw_get("math")?)
}

/// Random numbers are those of the real servers, which are the same on every machine.
fn replace_random(lua: &Lua, math: &Table) -> mlua::Result<()> {
    let state = std::rc::Rc::new(Cell::new(LRAND48_START));
    let seeded = state.clone();
    let random = lua.create_function(move |lua, values: MultiValue| {
        let share = f64::from(next(&state) % LRAND48_MAX) / f64::from(LRAND48_MAX);
        let bound = |at: usize| lua.coerce_number(values.get(at).cloned().unwrap_or(Value::Nil));
        let refuse = |at, text| Err(mlua::Error::runtime(format!("bad argument #{at} to 'random' ({text})")));
        match values.len() {
            0 => Ok(share),
            1 => match bound(0)?.map(f64::trunc) {
                Some(upper) if upper >= 1.0 => Ok((share * upper).floor() + 1.0),
                Some(_) => refuse(1, "interval is empty"),
                None => refuse(1, "number expected"),
            },
            2 => match (bound(0)?.map(f64::trunc), bound(1)?.map(f64::trunc)) {
                (Some(lower), Some(upper)) if lower <= upper => {
                    Ok((share * (upper - lower + 1.0)).floor() + lower)
                }
                (Some(_), Some(_)) => refuse(2, "interval is empty"),
                _ => refuse(1, "number expected"),
            },
            _ => Err(mlua::Error::runtime("wrong number of arguments")),
        }
    })?;
    math.raw_set("random", random)?;
    let seed = lua.create_function(move |_, seed: f64| {
        seeded.set((seed as i64 as u32 as u64) << 16 | LRAND48_SEED_LOW);
        Ok(())
    })?;
    math.raw_set("randomseed", seed)
}

/// The generator of 48 bits that POSIX describes, of which the highest 31 are given.
fn next(state: &Cell<u64>) -> u32 {
    let next = state.get().wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & ((1 << 48) - 1);
    state.set(next);
    (next >> 17) as u32
}

const LRAND48_START: u64 = 0x1234_ABCD_330E;
const LRAND48_SEED_LOW: u64 = 0x330E;
const LRAND48_MAX: u32 = i32::MAX as u32;

/// What is to be known of the server: the levels of its log, and its version.
pub fn constants(lua: &Lua, dialect: &'static Dialect) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for (level, name) in ["LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"].into_iter().enumerate() {
        table.raw_set(name, level)?;
    }
    table.raw_set("REDIS_VERSION", dialect.redis_version)?;
    table.raw_set("REDIS_VERSION_NUM", version_number(dialect.redis_version))?;
    if let Some(version) = dialect.valkey_version {
        table.raw_set("SERVER_NAME", dialect.server_name)?;
        table.raw_set("VALKEY_VERSION", version)?;
        table.raw_set("VALKEY_VERSION_NUM", version_number(version))?;
    }
    Ok(table)
}

/// The server's table without the functions that ask the server.
pub fn server_table(lua: &Lua, dialect: &'static Dialect) -> mlua::Result<Table> {
    let table = constants(lua, dialect)?;
    let replication =
        [("REPL_NONE", 0), ("REPL_AOF", 1), ("REPL_SLAVE", 2), ("REPL_REPLICA", 2), ("REPL_ALL", 3)];
    for (name, value) in replication {
        table.raw_set(name, value)?;
    }
    let refused = |lua: &Lua, error: Error| -> mlua::Result<Value> {
        Err(super::library::Raised::error(super::convert::error_table(lua, error.text())?))
    };
    table.raw_set(
        "sha1hex",
        lua.create_function(move |lua, values: MultiValue| match (values.len(), values.front()) {
            (1, Some(value)) => {
                let text = lua.coerce_string(value.clone())?;
                let bytes = text.as_ref().map(|text| text.as_bytes().to_vec()).unwrap_or_default();
                Ok(Value::String(lua.create_string(hex::encode(script::sum(&bytes)))?))
            }
            _ => refused(lua, Error::SCRIPT_ARGUMENTS),
        })?,
    )?;
    table.raw_set("error_reply", single_reply(lua, "err")?)?;
    table.raw_set("status_reply", single_reply(lua, "ok")?)?;
    table.raw_set("replicate_commands", lua.create_function(|_, ()| Ok(true))?)?;
    table.raw_set("breakpoint", lua.create_function(|_, ()| Ok(false))?)?;
    table.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    table.raw_set(
        "set_repl",
        lua.create_function(move |lua, values: MultiValue| match (values.len(), values.front()) {
            (1, Some(Value::Integer(0..=3))) => Ok(Value::Nil),
            (1, _) => refused(lua, Error::SCRIPT_REPLICATION),
            _ => refused(lua, Error::script_arguments(dialect, "set_repl", "requires one argument.")),
        })?,
    )?;
    Ok(table)
}

/// Takes from the server's table what only scripts have.
pub fn withhold_from_functions(table: &Table) -> mlua::Result<()> {
    ["breakpoint", "debug", "replicate_commands"].into_iter().try_for_each(|name| table.raw_remove(name))
}

/// A function that makes a table with one text, which is a status or an error to whoever called the script.
fn single_reply(lua: &Lua, tag: &'static str) -> mlua::Result<mlua::Function> {
    lua.create_function(move |lua, values: MultiValue| {
        let (1, Some(Value::String(text))) = (values.len(), values.front()) else {
            return super::convert::error_table(lua, Error::SCRIPT_REPLY.text());
        };
        let text = text.as_bytes();
        let table = lua.create_table_with_capacity(0, 1)?;
        let text = if tag == "err" { with_code(&text) } else { text.to_vec() };
        table.raw_set(tag, lua.create_string(text)?)?;
        Ok(Value::Table(table))
    })
}

/// An error has a code: its first word, if there are several.
fn with_code(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    if text.contains(&b' ') { text.to_vec() } else { [b"ERR ", text].concat() }
}

/// A version as one number: a byte for each of its parts.
fn version_number(version: &str) -> u32 {
    version.split('.').fold(0, |number, part| number << 8 | part.parse::<u32>().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_are_those_of_the_real_servers() {
        let state = Cell::new(LRAND48_START);
        let drawn: Vec<u32> = (0..4)
            .map(|_| (f64::from(next(&state) % LRAND48_MAX) / f64::from(LRAND48_MAX) * 100.0) as u32 + 1)
            .collect();
        assert_eq!(drawn, [40, 85, 36, 45]);
    }

    #[test]
    fn versions_are_numbers() {
        assert_eq!((version_number("7.2.4"), version_number("7.0.15")), (459_268, 458_767));
    }
}
