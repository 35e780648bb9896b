//! What a script passes to a function of a module, taken with the conversions and refused with the words of Lua's own
//! library. What the functions do with it is not here.

use mlua::{Function, IntoLuaMulti, Lua, LuaString, MultiValue, Value};

use super::raised::Raised;

/// Makes a function that scripts can call.
pub fn function<R: IntoLuaMulti>(
    lua: &Lua,
    body: impl Fn(&Arguments<'_>) -> Result<R, Refusal> + 'static,
) -> mlua::Result<Function> {
    lua.create_function(move |lua, values: MultiValue| {
        body(&Arguments { lua, values }).map_err(|refusal| refusal.raise(lua))
    })
}

/// The arguments of one call. They are counted from one, as scripts do.
pub struct Arguments<'a> {
    /// Where they come from.
    pub lua: &'a Lua,
    values: MultiValue,
}

impl Arguments<'_> {
    /// How many there are, those that are nil too.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The argument at this position; nil, if there is none.
    pub fn value(&self, position: usize) -> &Value {
        self.values.get(position - 1).unwrap_or(&Value::Nil)
    }

    /// Whether nothing stands here, or nil.
    pub fn is_nil(&self, position: usize) -> bool {
        self.value(position).is_nil()
    }

    /// A number, or a string that reads as one.
    pub fn number(&self, position: usize) -> Result<f64, Refusal> {
        match self.value(position) {
            Value::Integer(number) => Ok(*number as f64),
            Value::Number(number) => Ok(*number),
            Value::String(text) => {
                let number = self.lua.coerce_number(Value::String(text.clone()))?;
                number.ok_or_else(|| self.wrong_type(position, "number"))
            }
            _ => Err(self.wrong_type(position, "number")),
        }
    }

    /// A number without its fraction.
    pub fn integer(&self, position: usize) -> Result<i64, Refusal> {
        match self.value(position) {
            Value::Integer(number) => Ok(*number),
            _ => self.number(position).map(truncated),
        }
    }

    /// The same where it may be left out.
    pub fn integer_or(&self, position: usize, default: i64) -> Result<i64, Refusal> {
        if self.is_nil(position) { Ok(default) } else { self.integer(position) }
    }

    /// A string, or a number as Lua writes it.
    pub fn string(&self, position: usize) -> Result<LuaString, Refusal> {
        match self.value(position) {
            Value::String(text) => Ok(text.clone()),
            number @ (Value::Integer(_) | Value::Number(_)) => {
                let text = self.lua.coerce_string(number.clone())?;
                text.ok_or_else(|| self.wrong_type(position, "string"))
            }
            _ => Err(self.wrong_type(position, "string")),
        }
    }

    /// The argument at this position is of another type.
    pub fn wrong_type(&self, position: usize, expected: &str) -> Refusal {
        let found = if position > self.len() { "no value" } else { type_name(self.value(position)) };
        Refusal::argument(position, format!("{expected} expected, got {found}"))
    }
}

/// Why a function does not answer.
#[derive(Debug)]
pub enum Refusal {
    /// The argument at this position is not accepted.
    Argument { position: usize, reason: Vec<u8> },
    /// Anything else that is the caller's fault.
    Error(Vec<u8>),
    /// What Lua itself complains about on behalf of a function, without naming a place.
    Placeless(&'static str),
    /// Lua could not do what it was asked for.
    Lua(mlua::Error),
}

impl Refusal {
    /// The argument at this position is not accepted.
    pub fn argument(position: usize, reason: impl Into<Vec<u8>>) -> Refusal {
        Refusal::Argument { position, reason: reason.into() }
    }

    /// Anything else that is the caller's fault.
    pub fn error(text: impl Into<Vec<u8>>) -> Refusal {
        Refusal::Error(text.into())
    }

    /// The same as an error of Lua; to be called while the function that refuses is the innermost one.
    fn raise(self, lua: &Lua) -> mlua::Error {
        let text = match self {
            Refusal::Argument { position, reason } => {
                [place(lua).into_bytes(), bad_argument(lua, position).into_bytes(), reason, b")".to_vec()]
                    .concat()
            }
            Refusal::Error(text) => [place(lua).into_bytes(), text].concat(),
            Refusal::Placeless(text) => text.into(),
            Refusal::Lua(error) => return error,
        };
        match lua.create_string(text) {
            Ok(text) => Raised::error(Value::String(text)),
            Err(error) => error,
        }
    }
}

impl From<mlua::Error> for Refusal {
    fn from(error: mlua::Error) -> Refusal {
        Refusal::Lua(error)
    }
}

/// Where the innermost function was called; nothing, if that was not in a script.
fn place(lua: &Lua) -> String {
    let place = lua.inspect_stack(1, |caller| {
        let line = caller.current_line()?;
        Some(format!("{}:{line}: ", caller.source().short_src?))
    });
    place.flatten().unwrap_or_default()
}

/// The beginning of what is said of an argument, which is counted and named as the script wrote the call.
fn bad_argument(lua: &Lua, position: usize) -> String {
    let text = lua.inspect_stack(0, |function| {
        let names = function.names();
        let name = names.name.as_deref().unwrap_or("?");
        let is_method = names.name_what == Some("method");
        match position {
            1 if is_method => format!("calling '{name}' on bad self ("),
            _ => format!("bad argument #{} to '{name}' (", position - usize::from(is_method)),
        }
    });
    text.unwrap_or_else(|| format!("bad argument #{position} ("))
}

/// What Lua 5.1 calls the type of a value.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        _ => "userdata",
    }
}

/// A number without its fraction, as the processor converts it: what does not fit is the smallest integer.
pub fn truncated(number: f64) -> i64 {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&number) { number as i64 } else { i64::MIN }
}

#[cfg(test)]
mod tests {
    use super::truncated;

    #[test]
    fn what_does_not_fit_is_the_smallest_integer() {
        let numbers = [1.9, -1.9, 9.3e18, -9.3e18, f64::NAN, f64::INFINITY].map(truncated);
        assert_eq!(numbers, [1, -1, i64::MIN, i64::MIN, i64::MIN, i64::MIN]);
    }
}
