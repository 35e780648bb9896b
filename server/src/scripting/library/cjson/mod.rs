//! `cjson`: JSON to and from Lua. The module keeps its settings for as long as it lives; `cjson.new` makes another module
//! with settings of its own.
//!
//! Texts are bytes: what is no UTF-8 passes both ways unchanged.

mod decode;
mod encode;
mod lexer;
mod number;

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Function, LightUserData, Lua, Table, Value};

use super::arguments::{Arguments, Refusal, function};
use crate::command::args::until_zero;

/// How many values that lie in each other are taken unless a script asks for more.
const DEPTH_MAX_DEFAULT: i32 = 1000;
/// The digits of numbers, and the most that there may be.
const PRECISION_MAX: i32 = 14;

/// What scripts can set.
#[derive(Clone, Copy, Debug)]
struct Settings {
    /// What to do with arrays that are mostly empty.
    sparse: Sparse,
    encode_depth_max: i32,
    decode_depth_max: i32,
    /// How many digits of a number are written.
    precision: i32,
    encode_invalid: InvalidNumbers,
    /// Whether infinities, not-a-number and hexadecimal digits are read.
    decode_invalid: bool,
    /// Has no effect here: a buffer that is kept is one that cannot be given back.
    keeps_buffer: bool,
}

/// When an array is too sparse: its last index is beyond `safe` and more than `ratio` times as large as its elements are many.
#[derive(Clone, Copy, Debug)]
struct Sparse {
    /// Whether such an array becomes an object, else it is refused.
    converts: bool,
    /// Zero for any.
    ratio: i32,
    safe: i32,
}

/// What becomes of a number that JSON cannot express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InvalidNumbers {
    Refused,
    Written,
    Null,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sparse: Sparse { converts: false, ratio: 2, safe: 10 },
            encode_depth_max: DEPTH_MAX_DEFAULT,
            decode_depth_max: DEPTH_MAX_DEFAULT,
            precision: PRECISION_MAX,
            encode_invalid: InvalidNumbers::Refused,
            decode_invalid: true,
            keeps_buffer: true,
        }
    }
}

/// The settings of one module, which all its functions share.
type Shared = Rc<Cell<Settings>>;

/// The module's table, with default settings.
pub fn module(lua: &Lua) -> mlua::Result<Table> {
    let settings = Shared::default();
    let module = lua.create_table()?;
    let next: Function = lua.globals().raw_get("next")?;
    let shared = settings.clone();
    let encode = function(lua, move |arguments| encode::encode(arguments, shared.get(), &next))?;
    module.raw_set("encode", encode)?;
    let shared = settings.clone();
    let decode = function(lua, move |arguments| decode::decode(arguments, shared.get()))?;
    module.raw_set("decode", decode)?;
    module.raw_set("new", function(lua, |arguments| Ok(self::module(arguments.lua)?))?)?;
    for (name, count, set) in OPTIONS {
        let shared = settings.clone();
        let option = function(lua, move |arguments| {
            if arguments.len() > count {
                return Err(Refusal::argument(count + 1, "found too many arguments"));
            }
            let mut settings = shared.get();
            // What was set before something is refused stays set.
            let values = set(arguments, &mut settings);
            shared.set(settings);
            values.map(mlua::MultiValue::from_vec)
        })?;
        module.raw_set(name, option)?;
    }
    module.raw_set("null", Value::LightUserData(LightUserData(std::ptr::null_mut())))?;
    module.raw_set("_NAME", "cjson")?;
    module.raw_set("_VERSION", "2.1.0")?;
    Ok(module)
}

/// Sets what is given and answers what is set.
type SetOption = fn(&Arguments<'_>, &mut Settings) -> Result<Vec<Value>, Refusal>;

/// The functions that set something, and how many arguments they take.
const OPTIONS: [(&str, usize, SetOption); 7] = [
    ("encode_sparse_array", 3, |arguments, settings| {
        let sparse = &mut settings.sparse;
        Ok(vec![
            flag(arguments, &mut sparse.converts)?,
            integer(arguments, 2, &mut sparse.ratio, 0, i32::MAX)?,
            integer(arguments, 3, &mut sparse.safe, 0, i32::MAX)?,
        ])
    }),
    ("encode_max_depth", 1, |arguments, settings| {
        Ok(vec![integer(arguments, 1, &mut settings.encode_depth_max, 1, i32::MAX)?])
    }),
    ("decode_max_depth", 1, |arguments, settings| {
        Ok(vec![integer(arguments, 1, &mut settings.decode_depth_max, 1, i32::MAX)?])
    }),
    ("encode_number_precision", 1, |arguments, settings| {
        Ok(vec![integer(arguments, 1, &mut settings.precision, 1, PRECISION_MAX)?])
    }),
    ("encode_keep_buffer", 1, |arguments, settings| Ok(vec![flag(arguments, &mut settings.keeps_buffer)?])),
    ("encode_invalid_numbers", 1, |arguments, settings| {
        let invalid = &mut settings.encode_invalid;
        match arguments.value(1) {
            Value::Nil => {}
            Value::Boolean(false) => *invalid = InvalidNumbers::Refused,
            Value::Boolean(true) => *invalid = InvalidNumbers::Written,
            _ => {
                let words = [InvalidNumbers::Refused, InvalidNumbers::Written, InvalidNumbers::Null];
                *invalid = words[word(arguments, &["off", "on", "null"])?];
            }
        }
        Ok(vec![match invalid {
            InvalidNumbers::Refused => Value::Boolean(false),
            InvalidNumbers::Written => Value::Boolean(true),
            InvalidNumbers::Null => Value::String(arguments.lua.create_string("null")?),
        }])
    }),
    ("decode_invalid_numbers", 1, |arguments, settings| {
        Ok(vec![flag(arguments, &mut settings.decode_invalid)?])
    }),
];

/// The first argument as a boolean or `on` and `off`, if it is given.
fn flag(arguments: &Arguments<'_>, setting: &mut bool) -> Result<Value, Refusal> {
    match arguments.value(1) {
        Value::Nil => {}
        Value::Boolean(flag) => *setting = *flag,
        _ => *setting = word(arguments, &["off", "on"])? == 1,
    }
    Ok(Value::Boolean(*setting))
}

/// Which of these words the first argument is.
fn word(arguments: &Arguments<'_>, words: &[&str]) -> Result<usize, Refusal> {
    let text = arguments.string(1)?;
    let bytes = text.as_bytes();
    // C compares and repeats a string up to its first zero byte.
    let seen = until_zero(&bytes);
    let found = words.iter().position(|word| word.as_bytes() == seen);
    found.ok_or_else(|| Refusal::argument(1, [b"invalid option '", seen, b"'"].concat()))
}

/// An argument as an integer within bounds, if it is given.
fn integer(
    arguments: &Arguments<'_>,
    position: usize,
    setting: &mut i32,
    least: i32,
    most: i32,
) -> Result<Value, Refusal> {
    if !arguments.is_nil(position) {
        // The imitated servers look at 32 bits, and blame the first argument for any.
        let number = arguments.integer(position)? as i32;
        if !(least..=most).contains(&number) {
            return Err(Refusal::argument(1, format!("expected integer between {least} and {most}")));
        }
        *setting = number;
    }
    Ok(Value::Integer(i64::from(*setting)))
}
