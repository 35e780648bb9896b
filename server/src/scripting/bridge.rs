//! What becomes of a call of a script: its words become a request, which is let in and run like any other, in the transaction of the
//! script; the reply becomes Lua values.
//!
//! The functions that scripts call are made once for an engine, while what they work on belongs to one run of one script. Lua
//! stands between the two and can carry nothing that is only lent. So a run lends its bridge to everything that happens on
//! its thread while it lasts, and the functions find it there; nothing of it stays behind.

use mlua::{Lua, MultiValue, Table, Value};
use scoped_tls_hkt::scoped_thread_local;
use shardis_protocol::{DoubleStyle, OwnedRequest, Version, number};

use super::convert;
use super::library::Raised;
use super::sandbox::{Invocation, Scratch};
use super::watchdog::Status;
use crate::client::Client;
use crate::command::{Error, Inside, ScriptRules};
use crate::config::Dialect;
use crate::log::Log;

/// Between a script that runs and the server.
pub struct Bridge<'b> {
    /// The client that the script is to commands.
    pub client: Client,
    /// What the script was called with.
    pub invocation: &'b Invocation<'b>,
    pub inside: &'b mut dyn Inside,
    pub rules: ScriptRules,
    pub status: &'b Status,
    pub scratch: Scratch,
}

scoped_thread_local!(static mut CURRENT: for<'b> &'b mut (dyn Asked + 'b));

/// What the functions of the server's table find.
trait Asked {
    fn answer(&mut self, question: Question, lua: &Lua, values: &MultiValue) -> mlua::Result<Value>;

    /// What runs: its name, and the words of the call.
    fn called(&self) -> (String, OwnedRequest);
}

/// The functions that ask.
#[derive(Clone, Copy, Debug)]
enum Question {
    Call,
    ProtectedCall,
    SetVersion,
    Log,
    MayCall,
}

/// Their names.
const FUNCTIONS: [(&str, Question); 5] = [
    ("call", Question::Call),
    ("pcall", Question::ProtectedCall),
    ("setresp", Question::SetVersion),
    ("log", Question::Log),
    ("acl_check_cmd", Question::MayCall),
];

/// Puts the functions that ask the server into its table.
pub fn install(lua: &Lua, table: &Table) -> mlua::Result<()> {
    for (name, question) in FUNCTIONS {
        let function = lua.create_function(move |lua, values: MultiValue| {
            if !CURRENT.is_set() {
                return Err(raise(lua, &Error::NO_SCRIPT_RUNS)?);
            }
            CURRENT.with(|bridge| bridge.answer(question, lua, &values))
        })?;
        table.raw_set(name, function)?;
    }
    Ok(())
}

/// What runs on this thread, unless it has just asked the server something.
pub fn called() -> Option<(String, OwnedRequest)> {
    CURRENT.is_set().then(|| CURRENT.with(|bridge| bridge.called()))
}

impl Asked for Bridge<'_> {
    fn answer(&mut self, question: Question, lua: &Lua, values: &MultiValue) -> mlua::Result<Value> {
        let done = match question {
            Question::Call => return self.call(lua, values, true),
            Question::ProtectedCall => return self.call(lua, values, false),
            Question::SetVersion => self.set_version(values).map(|()| Value::Nil),
            Question::Log => self.log(values).map(|()| Value::Nil),
            Question::MayCall => self.may_call(values).map(Value::Boolean),
        };
        match done {
            Ok(value) => Ok(value),
            Err(error) => Err(raise(lua, &error)?),
        }
    }

    fn called(&self) -> (String, OwnedRequest) {
        (self.invocation.name.to_owned(), self.invocation.request.to_owned())
    }
}

impl Bridge<'_> {
    /// Lends the bridge to what `run` calls.
    pub fn lend<R>(&mut self, run: impl FnOnce() -> R) -> R {
        CURRENT.set(self, run)
    }

    fn dialect(&self) -> &'static Dialect {
        self.inside.state().config.dialect()
    }

    /// Calls a command. What it answers in an error is raised, or only answered.
    fn call(&mut self, lua: &Lua, values: &MultiValue, raises: bool) -> mlua::Result<Value> {
        if let Err(error) = self.take_words(values) {
            let value = convert::error_table(lua, error.text())?;
            return if raises { Err(Raised::error(value)) } else { Ok(value) };
        }
        self.scratch.reply.clear();
        self.scratch.reply.set_version(self.client.version);
        let Scratch { request, reply } = &mut self.scratch;
        if self.inside.call(&mut self.client, request.as_request(), &self.rules, reply) {
            self.rules.has_written = true;
            self.status.note_write();
        }
        let value = match self.scratch.reply.as_contiguous() {
            Some(bytes) => convert::to_lua(lua, bytes)?,
            None => convert::to_lua(lua, &self.scratch.reply.to_vec())?,
        };
        let is_error = self.scratch.reply.as_contiguous().is_some_and(|bytes| bytes.first() == Some(&b'-'));
        if is_error && raises { Err(Raised::error(value)) } else { Ok(value) }
    }

    fn take_words(&mut self, values: &MultiValue) -> Result<(), Error> {
        let dialect = self.dialect();
        if values.is_empty() {
            return Err(Error::script_without_command(dialect));
        }
        self.scratch.request.clear();
        let mut digits = Vec::new();
        for value in values {
            let has_room = match value {
                Value::String(text) => self.scratch.request.push(&text.as_bytes()),
                Value::Integer(value) => {
                    write_number(*value as f64, dialect, &mut digits);
                    self.scratch.request.push(&digits)
                }
                Value::Number(value) => {
                    write_number(*value, dialect, &mut digits);
                    self.scratch.request.push(&digits)
                }
                _ => return Err(Error::script_argument(dialect)),
            };
            if !has_room {
                return Err(Error::STRING_TOO_LONG);
            }
        }
        Ok(())
    }

    fn set_version(&mut self, values: &MultiValue) -> Result<(), Error> {
        if values.len() != 1 {
            return Err(Error::script_arguments(self.dialect(), "setresp", "requires one argument."));
        }
        self.client.version = match number_of(&values[0]) {
            Some(2) => Version::Resp2,
            Some(3) => Version::Resp3,
            _ => return Err(Error::SCRIPT_PROTOCOL),
        };
        Ok(())
    }

    fn log(&self, values: &MultiValue) -> Result<(), Error> {
        log(&self.inside.state().log, self.dialect(), values)
    }

    /// Whether the caller's user may call this.
    fn may_call(&mut self, values: &MultiValue) -> Result<bool, Error> {
        self.take_words(values)?;
        let may = self.inside.may_call(&self.client, self.scratch.request.as_request());
        may.ok_or_else(|| Error::script_unknown_command(self.dialect()))
    }
}

/// Writes what a script has to say into the log.
pub fn log(log: &Log, dialect: &Dialect, values: &MultiValue) -> Result<(), Error> {
    if values.len() < 2 {
        return Err(Error::script_arguments(dialect, "log", "requires two arguments or more."));
    }
    let level = match &values[0] {
        Value::Integer(_) | Value::Number(_) => number_of(&values[0]),
        _ => return Err(Error::SCRIPT_LOG_LEVEL_TYPE),
    };
    let words = values.iter().skip(1).filter_map(|value| value.to_string().ok());
    let text = words.collect::<Vec<_>>().join(" ");
    match level {
        Some(0) => log.debug(format_args!("{text}")),
        Some(1) => log.verbose(format_args!("{text}")),
        Some(2) => log.notice(format_args!("{text}")),
        Some(3) => log.warning(format_args!("{text}")),
        _ => return Err(Error::script_log_level(dialect)),
    }
    Ok(())
}

/// A number as commands get it from scripts.
fn write_number(value: f64, dialect: &Dialect, digits: &mut Vec<u8>) {
    digits.clear();
    let is_whole = value.trunc() == value && value.abs() < WHOLE_MAX;
    if value.is_nan() {
        digits.extend(if value.is_sign_negative() { &b"-nan"[..] } else { b"nan" });
    } else if is_whole && dialect.doubles == DoubleStyle::Shortest {
        digits.extend(itoa::Buffer::new().format(value as i64).as_bytes());
    } else {
        dialect.doubles.format(value, digits);
    }
}

/// Whole numbers up to here are 64-bit integers.
const WHOLE_MAX: f64 = 9_223_372_036_854_775_807.0;

/// The error as a script sees it, to be raised.
pub fn raise(lua: &Lua, error: &Error) -> mlua::Result<mlua::Error> {
    Ok(Raised::error(convert::error_table(lua, error.text())?))
}

/// A number, or what reads as one.
fn number_of(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(value) => Some(*value),
        Value::Number(value) => Some(*value as i64),
        Value::String(text) => number::parse_f64(&text.as_bytes()).map(|value| value as i64),
        _ => None,
    }
}
