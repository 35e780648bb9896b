//! Lua to JSON. A table whose keys are positive integers is an array; any other one, the empty one too, is an object.

mod deep;

use std::ops::ControlFlow;

use mlua::{Function, LuaString, Table, Value};

use super::super::STACK_MAX;
use super::super::arguments::{Arguments, Refusal, type_name};
use super::super::walk;
use super::number;
use super::{InvalidNumbers, Settings};

/// Up to here tables are written by functions that call each other, which is the fast way. Each takes one of the 200 C calls
/// that Lua has for everything.
const RECURSION_MAX: i32 = 16;
/// The places of Lua's stack that the imitated servers want to have for one more table.
const TABLE_PLACES: usize = 3;

/// The text of a value. `next` is Lua's own.
pub fn encode(arguments: &Arguments<'_>, settings: Settings, next: &Function) -> Result<LuaString, Refusal> {
    if arguments.len() != 1 {
        return Err(Refusal::argument(1, "expected 1 argument"));
    }
    let mut encoder = Encoder { settings, next, out: Vec::new() };
    encoder.value(arguments.value(1), Depth { tables: 0, places: 1 })?;
    Ok(arguments.lua.create_string(&encoder.out)?)
}

struct Encoder<'a> {
    settings: Settings,
    next: &'a Function,
    out: Vec<u8>,
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Depth {
    /// In how many tables.
    tables: i32,
    /// How many places of Lua's stack the imitated servers would use there.
    places: usize,
}

impl Depth {
    /// In one table more, which has a value there, and a key unless it is an array.
    fn within(self, is_array: bool) -> Depth {
        Depth { tables: self.tables + 1, places: self.places + if is_array { 1 } else { 2 } }
    }
}

/// What a table is to JSON.
enum Shape {
    /// With this last index.
    Array(i32),
    Object,
}

/// Why a table is not written in one go.
enum Stop {
    /// It is no array from its first to its last element, in this order.
    Irregular,
    Refused(Refusal),
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value, depth: Depth) -> Result<(), Refusal> {
        match value {
            Value::Table(table) => self.table(table, depth),
            scalar => self.scalar(scalar),
        }
    }

    fn scalar(&mut self, value: &Value) -> Result<(), Refusal> {
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(number) => self.number(*number as f64)?,
            Value::Number(number) => self.number(*number)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::LightUserData(pointer) if pointer.0.is_null() => self.out.extend_from_slice(b"null"),
            other => return Err(refuse(other, "type not supported")),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: Depth) -> Result<(), Refusal> {
        if depth.tables >= RECURSION_MAX {
            return self.deep(table, depth);
        }
        self.check_depth(depth)?;
        let start = self.out.len();
        let Some(stop) = self.in_one_go(table, depth)? else { return Ok(()) };
        // An array that is too sparse is refused before anything that it contains.
        let shape = self.shape(table)?;
        if let Stop::Refused(refusal) = stop {
            return Err(refusal);
        }
        self.out.truncate(start);
        match shape {
            Shape::Array(length) if length > 0 => self.array(table, length, depth),
            _ => self.object(table, depth),
        }
    }

    /// Makes sure that one more table may be written here.
    fn check_depth(&self, depth: Depth) -> Result<(), Refusal> {
        let tables = depth.tables + 1;
        if tables > self.settings.encode_depth_max || depth.places + TABLE_PLACES > STACK_MAX {
            return Err(Refusal::error(format!("Cannot serialise, excessive nesting ({tables})")));
        }
        Ok(())
    }

    /// Writes what is clear from its first key on: an object with a key that no array has, or the array of a sequence that is
    /// met in order.
    fn in_one_go(&mut self, table: &Table, depth: Depth) -> Result<Option<Stop>, Refusal> {
        let mut length = 0;
        let mut is_array = false;
        let start = self.out.len();
        self.out.push(b'{');
        let walked = walk::pairs(table, |key, value| {
            let is_first = self.out.len() == start + 1;
            if is_first && index(&key).is_some() {
                is_array = true;
                self.out[start] = b'[';
            }
            let written = if is_array {
                length += 1;
                if index(&key) != Some(f64::from(length)) {
                    return ControlFlow::Break(Stop::Irregular);
                }
                self.element(&value, is_first, depth)
            } else {
                self.member(&key, &value, is_first, depth)
            };
            match written {
                Ok(()) => ControlFlow::Continue(()),
                Err(refusal) => ControlFlow::Break(Stop::Refused(refusal)),
            }
        })?;
        match walked {
            ControlFlow::Break(Stop::Refused(refusal)) if !is_array => Err(refusal),
            ControlFlow::Break(stop) => Ok(Some(stop)),
            ControlFlow::Continue(()) => {
                self.out.push(if is_array { b']' } else { b'}' });
                Ok(None)
            }
        }
    }

    fn shape(&self, table: &Table) -> Result<Shape, Refusal> {
        let (mut last, mut count) = (0_i32, 0_i32);
        let walked = walk::pairs(table, |key, _| {
            let Some(index) = index(&key) else { return ControlFlow::Break(()) };
            if index > f64::from(last) {
                // As the processor converts a double: what does not fit is negative.
                last = if index <= f64::from(i32::MAX) { index as i32 } else { i32::MIN };
            }
            count = count.wrapping_add(1);
            ControlFlow::Continue(())
        })?;
        if walked.is_break() {
            return Ok(Shape::Object);
        }
        let sparse = self.settings.sparse;
        if sparse.ratio > 0 && last > count.wrapping_mul(sparse.ratio) && last > sparse.safe {
            if !sparse.converts {
                return Err(Refusal::error("Cannot serialise table: excessively sparse array"));
            }
            return Ok(Shape::Object);
        }
        Ok(Shape::Array(last))
    }

    fn array(&mut self, table: &Table, length: i32, depth: Depth) -> Result<(), Refusal> {
        self.out.push(b'[');
        for index in 1..=length {
            let value: Value = table.raw_get(index)?;
            self.element(&value, index == 1, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: Depth) -> Result<(), Refusal> {
        self.out.push(b'{');
        let start = self.out.len();
        let walked = walk::pairs(table, |key, value| {
            let is_first = self.out.len() == start;
            match self.member(&key, &value, is_first, depth) {
                Ok(()) => ControlFlow::Continue(()),
                Err(refusal) => ControlFlow::Break(refusal),
            }
        })?;
        if let ControlFlow::Break(refusal) = walked {
            return Err(refusal);
        }
        self.out.push(b'}');
        Ok(())
    }

    fn element(&mut self, value: &Value, is_first: bool, depth: Depth) -> Result<(), Refusal> {
        self.comma(is_first);
        self.value(value, depth.within(true))
    }

    fn member(&mut self, key: &Value, value: &Value, is_first: bool, depth: Depth) -> Result<(), Refusal> {
        self.key(key, is_first)?;
        self.value(value, depth.within(false))
    }

    fn comma(&mut self, is_first: bool) {
        if !is_first {
            self.out.push(b',');
        }
    }

    /// Writes a key and what stands around it.
    fn key(&mut self, key: &Value, is_first: bool) -> Result<(), Refusal> {
        self.comma(is_first);
        match key {
            Value::String(name) => self.string(&name.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                self.out.push(b'"');
                self.scalar(key)?;
                self.out.push(b'"');
            }
            other => return Err(refuse(other, "table key must be a number or string")),
        }
        self.out.push(b':');
        Ok(())
    }

    fn number(&mut self, number: f64) -> Result<(), Refusal> {
        if number.is_finite() {
            number::write(number, self.settings.precision, &mut self.out);
            return Ok(());
        }
        let text: &[u8] = match self.settings.encode_invalid {
            InvalidNumbers::Refused => {
                return Err(refuse(&Value::Number(number), "must not be NaN or Inf"));
            }
            InvalidNumbers::Null => b"null",
            InvalidNumbers::Written if number.is_nan() => b"nan",
            InvalidNumbers::Written if number < 0.0 => b"-inf",
            InvalidNumbers::Written => b"inf",
        };
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        let mut rest = text;
        while let Some(plain) = rest.iter().position(|&byte| is_escaped(byte)) {
            self.out.extend_from_slice(&rest[..plain]);
            self.escape(rest[plain]);
            rest = &rest[plain + 1..];
        }
        self.out.extend_from_slice(rest);
        self.out.push(b'"');
    }

    fn escape(&mut self, byte: u8) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let letter = match byte {
            8 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            12 => b'f',
            b'\r' => b'r',
            b'"' | b'/' | b'\\' => byte,
            _ => {
                let digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
                self.out.extend_from_slice(b"\\u00");
                return self.out.extend_from_slice(&digits);
            }
        };
        self.out.extend_from_slice(&[b'\\', letter]);
    }
}

/// The key as an index of an array.
fn index(key: &Value) -> Option<f64> {
    let number = match key {
        Value::Integer(number) => *number as f64,
        Value::Number(number) => *number,
        _ => return None,
    };
    (number >= 1.0 && number.floor() == number).then_some(number)
}

fn is_escaped(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'"' | b'/' | b'\\' | 127)
}

fn refuse(value: &Value, reason: &str) -> Refusal {
    Refusal::error(format!("Cannot serialise {}: {reason}", type_name(value)))
}
