//! Between replies and Lua values, both ways, as the real servers convert them; and what a script has raised.
//!
//! Neither way recurses: what scripts nest is bounded by memory only.

use mlua::{Lua, Table, Value};
use shardis_protocol::{Reply, number};

use super::library::{Raised, truncated};
use super::sandbox::Failure;

/// How deep a value may be nested that a script returns: as many places as Lua's stack has.
const DEPTH_MAX: usize = 7900;

/// The Lua value of a reply, which is whole and well formed, since our own writer has made it.
pub fn to_lua(lua: &Lua, reply: &[u8]) -> mlua::Result<Value> {
    let mut rest = reply;
    read(lua, &mut rest)
}

/// Replies nest as deep as commands nest them, and none of those that scripts may call does deeply.
fn read(lua: &Lua, rest: &mut &[u8]) -> mlua::Result<Value> {
    let Some((kind, line)) = line(rest).split_first() else { return Ok(Value::Nil) };
    let length = || number::parse_i64(line).and_then(|length| usize::try_from(length).ok());
    Ok(match kind {
        b':' => Value::Number(number::parse_i64(line).unwrap_or_default() as f64),
        b'$' => match length() {
            Some(length) => Value::String(lua.create_string(bulk(rest, length))?),
            None => Value::Boolean(false),
        },
        b'+' => single(lua, "ok", line)?,
        b'-' => failure(lua, line)?,
        b'*' | b'>' => match length() {
            Some(length) => {
                let array = lua.create_table_with_capacity(length, 0)?;
                for at in 1..=length {
                    array.raw_set(at, read(lua, rest)?)?;
                }
                Value::Table(array)
            }
            None => Value::Boolean(false),
        },
        b'%' => {
            let map = lua.create_table()?;
            for _ in 0..length().unwrap_or_default() {
                let key = read(lua, rest)?;
                map.raw_set(key, read(lua, rest)?)?;
            }
            tagged(lua, "map", Value::Table(map))?
        }
        b'~' => {
            let set = lua.create_table()?;
            for _ in 0..length().unwrap_or_default() {
                set.raw_set(read(lua, rest)?, true)?;
            }
            tagged(lua, "set", Value::Table(set))?
        }
        b',' => tagged(lua, "double", Value::Number(number::parse_f64(line).unwrap_or(f64::NAN)))?,
        b'#' => Value::Boolean(line == b"t"),
        b'(' => single(lua, "big_number", line)?,
        // What is said about a reply scripts do not see.
        b'|' => {
            for _ in 0..2 * length().unwrap_or_default() {
                read(lua, rest)?;
            }
            read(lua, rest)?
        }
        b'=' => verbatim(lua, bulk(rest, length().unwrap_or_default()))?,
        _ => Value::Nil,
    })
}

fn line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = rest.iter().position(|&byte| byte == b'\r').unwrap_or(rest.len());
    let line = &rest[..end];
    *rest = rest.get(end + 2..).unwrap_or_default();
    line
}

fn bulk<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (bytes, behind) = rest.split_at_checked(length).unwrap_or_default();
    *rest = behind.get(2..).unwrap_or_default();
    bytes
}

fn tagged(lua: &Lua, tag: &str, value: Value) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(tag, value)?;
    Ok(Value::Table(table))
}

fn single(lua: &Lua, tag: &str, text: &[u8]) -> mlua::Result<Value> {
    tagged(lua, tag, Value::String(lua.create_string(text)?))
}

fn verbatim(lua: &Lua, text: &[u8]) -> mlua::Result<Value> {
    let (format, text) = text.split_at_checked(4).unwrap_or_default();
    let parts = lua.create_table_with_capacity(0, 2)?;
    parts.raw_set("format", lua.create_string(&format[..format.len().min(3)])?)?;
    parts.raw_set("string", lua.create_string(text)?)?;
    tagged(lua, "verbatim_string", Value::Table(parts))
}

/// The error that a command has answered; it is counted already.
fn failure(lua: &Lua, text: &[u8]) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(0, 2)?;
    table.raw_set("err", lua.create_string(text)?)?;
    table.raw_set(COUNTED, true)?;
    Ok(Value::Table(table))
}

/// In the table of an error: whether it has been counted.
const COUNTED: &str = "ignore_error_stats_update";

/// What an error of the server is to a script.
pub fn error_table(lua: &Lua, text: &[u8]) -> mlua::Result<Value> {
    single(lua, "err", text)
}

/// Writes what a script has returned. In RESP3 of the script a truth value is one; else `true` is 1 and `false` is nothing.
/// Tables are taken as they are, whatever metatable they have.
pub fn write(
    value: Value,
    knows_booleans: bool,
    reply: &mut Reply,
    on_error: OnError<'_>,
) -> mlua::Result<Result<(), Failure>> {
    if !value.is_table() {
        write_scalar(&value, knows_booleans, reply);
        return Ok(Ok(()));
    }
    let mut open = vec![Open::Value(value)];
    let mut depth = 0_usize;
    while let Some(next) = open.pop() {
        match next {
            Open::End => depth -= 1,
            Open::Value(Value::Table(table)) => {
                if depth == DEPTH_MAX {
                    let text = b"ERR reached lua stack limit".to_vec();
                    return Ok(Err(Failure { text, ..Failure::default() }));
                }
                depth += 1;
                open.push(Open::End);
                write_table(&table, reply, &mut open, on_error)?;
            }
            Open::Value(value) => write_scalar(&value, knows_booleans, reply),
        }
    }
    Ok(Ok(()))
}

/// Hears of each error that is written: its text, and whether it has been counted.
pub type OnError<'e> = &'e mut dyn FnMut(&[u8], bool);

/// What is still to be written, the last of it first.
enum Open {
    Value(Value),
    /// The values of a table are written.
    End,
}

fn write_scalar(value: &Value, knows_booleans: bool, reply: &mut Reply) {
    match value {
        Value::String(text) => reply.bulk(&text.as_bytes()),
        Value::Integer(value) => reply.integer(*value),
        Value::Number(value) => reply.integer(truncated(*value)),
        Value::Boolean(value) if knows_booleans => reply.boolean(*value),
        Value::Boolean(true) => reply.integer(1),
        _ => reply.null(),
    }
}

fn write_table(
    table: &Table,
    reply: &mut Reply,
    open: &mut Vec<Open>,
    on_error: OnError<'_>,
) -> mlua::Result<()> {
    if let Value::String(text) = table.raw_get::<Value>("err")? {
        on_error(&text.as_bytes(), table.raw_get::<bool>(COUNTED).unwrap_or_default());
        reply.error(&text.as_bytes());
        return Ok(());
    }
    if let Value::String(text) = table.raw_get::<Value>("ok")? {
        reply.simple_bytes(&text.as_bytes());
        return Ok(());
    }
    let double = match table.raw_get::<Value>("double")? {
        Value::Number(value) => Some(value),
        Value::Integer(value) => Some(value as f64),
        _ => None,
    };
    if let Some(double) = double {
        reply.double(double);
        return Ok(());
    }
    if let Value::Table(map) = table.raw_get::<Value>("map")? {
        let pairs = pairs(&map)?;
        reply.map(pairs.len());
        for (key, value) in pairs.into_iter().rev() {
            open.extend([Open::Value(value), Open::Value(key)]);
        }
        return Ok(());
    }
    if let Value::Table(set) = table.raw_get::<Value>("set")? {
        let pairs = pairs(&set)?;
        reply.set(pairs.len());
        open.extend(pairs.into_iter().rev().map(|(key, _)| Open::Value(key)));
        return Ok(());
    }
    if let Value::String(digits) = table.raw_get::<Value>("big_number")? {
        reply.big_number(&digits.to_string_lossy().replace(['\r', '\n'], " "));
        return Ok(());
    }
    if let Value::Table(parts) = table.raw_get::<Value>("verbatim_string")?
        && let (Value::String(format), Value::String(text)) =
            (parts.raw_get("format")?, parts.raw_get("string")?)
    {
        let mut three = [b' '; 3];
        three.iter_mut().zip(format.as_bytes().iter()).for_each(|(to, from)| *to = *from);
        reply.verbatim(&three, &text.as_bytes());
        return Ok(());
    }
    let mut values = Vec::new();
    loop {
        match table.raw_get::<Value>(values.len() + 1)? {
            Value::Nil => break,
            value => values.push(Open::Value(value)),
        }
    }
    reply.array(values.len());
    open.extend(values.into_iter().rev());
    Ok(())
}

fn pairs(table: &Table) -> mlua::Result<Vec<(Value, Value)>> {
    table.pairs::<Value, Value>().collect()
}

/// What was raised, as a table with its text and its place. Called while what has raised it is still on the stack.
pub fn describe(lua: &Lua, raised: Value) -> mlua::Result<Value> {
    let raised = match raised {
        Value::Error(error) => Raised::value_of(lua, &error)?,
        other => other,
    };
    let table = match raised {
        Value::Table(table) => table,
        other => {
            let text = match &other {
                Value::String(text) => text.as_bytes().to_vec(),
                other => other.to_string()?.into_bytes(),
            };
            let table = lua.create_table_with_capacity(0, 3)?;
            table.raw_set("err", lua.create_string([b"ERR ", &text[..]].concat())?)?;
            table
        }
    };
    let place = (1..PLACES_MAX).find_map(|level| {
        let place = |debug: &mlua::debug::Debug<'_>| {
            let source = debug.source();
            let is_scripts = source.what == "Lua" || source.what == "main";
            let source = source.source.map(|source| source.into_owned()).unwrap_or_default();
            let line = debug.current_line().filter(|_| is_scripts && !OURS.contains(&source.as_str()));
            line.map(|line| (source, line))
        };
        lua.inspect_stack(level, place).flatten()
    });
    if let Some((source, line)) = place {
        table.raw_set("source", source)?;
        table.raw_set("line", line)?;
    }
    Ok(Value::Table(table))
}

/// The chunks of our own code around scripts.
pub const OURS: [&str; 2] = ["=sandbox", "=protected"];
/// Levels of the stack that are searched for the script.
const PLACES_MAX: usize = 8;

/// An error that a script has raised and nobody has caught, from what [`describe`] made of it.
pub fn failure_of(raised: &Value) -> Failure {
    let Value::Table(table) = raised else {
        return Failure { text: b"ERR unknown error".to_vec(), ..Failure::default() };
    };
    let text = match table.raw_get::<Value>("err") {
        Ok(Value::String(text)) => text.as_bytes().to_vec(),
        _ => b"ERR unknown error".to_vec(),
    };
    let source: Option<String> = table.raw_get("source").ok();
    let line: Option<usize> = table.raw_get("line").ok();
    let is_counted = table.raw_get::<bool>(COUNTED).unwrap_or_default();
    Failure { text, place: source.zip(line), is_counted }
}
