//! `struct`: C's data as strings, after a format. `<` and `>` choose the order of bytes, `!n` aligns, a space is nothing;
//! each other letter is an item of the data.

use std::ffi::{c_int, c_long, c_short};

use mlua::{Lua, LuaString, MultiValue, Table, Value};

use super::STACK_MAX;
use super::arguments::{Arguments, Refusal, function, truncated};
use crate::command::args::until_zero;

/// The widest integer, in bytes.
const INTEGER_BYTES_MAX: usize = 32;
/// What `!` alone aligns to.
const ALIGNMENT_DEFAULT: i32 = 8;

/// The module's table.
pub fn module(lua: &Lua) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    module.raw_set("pack", function(lua, pack)?)?;
    module.raw_set("unpack", function(lua, unpack)?)?;
    module.raw_set("size", function(lua, size)?)?;
    Ok(module)
}

/// An item's letter and what stands with it.
struct Item {
    letter: u8,
    /// How many bytes it takes; zero for what has no size of its own.
    size: usize,
}

/// A format, read item by item up to its end or first zero byte.
struct Format<'a> {
    rest: &'a [u8],
    is_big_endian: bool,
    alignment: usize,
}

impl<'a> Format<'a> {
    fn new(text: &'a [u8]) -> Format<'a> {
        let rest = until_zero(text);
        Format { rest, is_big_endian: cfg!(target_endian = "big"), alignment: 1 }
    }

    fn next(&mut self) -> Result<Option<Item>, Refusal> {
        let Some((&letter, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let size = match letter {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => size_of::<c_short>(),
            b'L' | b'l' => size_of::<c_long>(),
            b'T' => size_of::<usize>(),
            b'f' => size_of::<f32>(),
            b'd' => size_of::<f64>(),
            b'c' => self.number(1)? as usize,
            b'I' | b'i' => {
                let size = self.number(size_of::<c_int>() as i32)? as usize;
                if size > INTEGER_BYTES_MAX {
                    let text = format!("integral size {size} is larger than limit of {INTEGER_BYTES_MAX}");
                    return Err(Refusal::error(text));
                }
                size
            }
            _ => 0,
        };
        Ok(Some(Item { letter, size }))
    }

    /// The number behind a letter.
    fn number(&mut self, default: i32) -> Result<i32, Refusal> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(default);
        }
        let mut number = 0_i32;
        for &digit in &self.rest[..digits] {
            let next = number.checked_mul(10).and_then(|tens| tens.checked_add(i32::from(digit - b'0')));
            number = next.ok_or_else(|| Refusal::error("integral size overflow"))?;
        }
        self.rest = &self.rest[digits..];
        Ok(number)
    }

    /// What a letter changes that is no item.
    fn control(&mut self, letter: u8) -> Result<(), Refusal> {
        match letter {
            b' ' => {}
            b'>' => self.is_big_endian = true,
            b'<' => self.is_big_endian = false,
            b'!' => {
                let alignment = self.number(ALIGNMENT_DEFAULT)?;
                if alignment.count_ones() != 1 {
                    return Err(Refusal::error(format!("alignment {alignment} is not a power of 2")));
                }
                self.alignment = alignment as usize;
            }
            _ => {
                return Err(Refusal::argument(1, [b"invalid format option '", &[letter][..], b"'"].concat()));
            }
        }
        Ok(())
    }

    /// How many bytes are left out before an item.
    fn padding(&self, position: usize, item: &Item) -> usize {
        if item.size == 0 || item.letter == b'c' {
            return 0;
        }
        let size = item.size.min(self.alignment);
        size.wrapping_sub(position & (size - 1)) & (size - 1)
    }

    /// Bytes in the order of the format, given in that of the machine.
    fn ordered<const LENGTH: usize>(&self, mut bytes: [u8; LENGTH]) -> [u8; LENGTH] {
        if self.is_big_endian != cfg!(target_endian = "big") {
            bytes.reverse();
        }
        bytes
    }
}

fn pack(arguments: &Arguments<'_>) -> Result<LuaString, Refusal> {
    let format = arguments.string(1)?;
    let format = format.as_bytes();
    let mut format = Format::new(&format);
    let mut out = Vec::new();
    let mut values = Values { arguments, position: 1 };
    while let Some(mut item) = format.next()? {
        out.resize(out.len() + format.padding(out.len(), &item), 0);
        match item.letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                put_integer(wrapped(values.number()?), item.size, format.is_big_endian, &mut out);
            }
            b'x' => out.push(0),
            b'f' => out.extend_from_slice(&format.ordered((values.number()? as f32).to_ne_bytes())),
            b'd' => out.extend_from_slice(&format.ordered(values.number()?.to_ne_bytes())),
            b'c' | b's' => {
                let text = values.string()?;
                let text = text.as_bytes();
                if item.size == 0 {
                    item.size = text.len();
                }
                let text = text.get(..item.size);
                // The imitated servers name the argument behind it.
                out.extend_from_slice(
                    text.ok_or_else(|| Refusal::argument(values.position + 1, "string too short"))?,
                );
                if item.letter == b's' {
                    out.push(0);
                }
            }
            other => format.control(other)?,
        }
    }
    Ok(arguments.lua.create_string(&out)?)
}

/// The arguments behind a format, one after another.
struct Values<'a> {
    arguments: &'a Arguments<'a>,
    position: usize,
}

impl Values<'_> {
    fn number(&mut self) -> Result<f64, Refusal> {
        self.next("number")?;
        self.arguments.number(self.position)
    }

    fn string(&mut self) -> Result<LuaString, Refusal> {
        self.next("string")?;
        self.arguments.string(self.position)
    }

    /// Right behind the last argument the imitated servers see a nil of their own.
    fn next(&mut self, expected: &str) -> Result<(), Refusal> {
        self.position += 1;
        if self.position > self.arguments.len() {
            return Err(Refusal::argument(self.position, format!("{expected} expected, got nil")));
        }
        Ok(())
    }
}

/// A number as 64 bits, as the processor converts it.
fn wrapped(number: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    if number >= HALF { (truncated(number - HALF) as u64) ^ (1 << 63) } else { truncated(number) as u64 }
}

/// The lowest bytes of a number; beyond its eight, there are zeros.
fn put_integer(number: u64, size: usize, is_big_endian: bool, out: &mut Vec<u8>) {
    let mut bytes = [0; INTEGER_BYTES_MAX];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    if is_big_endian {
        bytes[..size].reverse();
    }
    out.extend_from_slice(&bytes[..size]);
}

fn unpack(arguments: &Arguments<'_>) -> Result<MultiValue, Refusal> {
    let (format, data) = (arguments.string(1)?, arguments.string(2)?);
    let (format, data) = (format.as_bytes(), data.as_bytes());
    // A negative position is a large one to the imitated servers.
    let first = arguments.integer_or(3, 1)? as usize;
    if first == 0 {
        return Err(Refusal::argument(3, "offset must be 1 or greater"));
    }
    let lua = arguments.lua;
    let mut format = Format::new(&format);
    let mut at = first - 1;
    let mut values = MultiValue::new();
    while let Some(mut item) = format.next()? {
        taken(&data, at, item.size)?;
        at += format.padding(at, &item);
        let bytes = taken(&data, at, item.size)?;
        // There are up to three arguments, and the next position has a place too.
        if arguments.len().max(2) + values.len() + 2 > STACK_MAX {
            return Err(Refusal::error("stack overflow (too many results)"));
        }
        match item.letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let is_signed = item.letter.is_ascii_lowercase();
                values.push_back(Value::Number(integer(bytes, is_signed, format.is_big_endian)));
            }
            b'x' => {}
            b'f' => {
                let bytes = bytes.try_into().expect("invariant: as many bytes as the item has were taken");
                values.push_back(Value::Number(f64::from(f32::from_ne_bytes(format.ordered(bytes)))));
            }
            b'd' => {
                let bytes = bytes.try_into().expect("invariant: as many bytes as the item has were taken");
                values.push_back(Value::Number(f64::from_ne_bytes(format.ordered(bytes))));
            }
            b'c' => {
                if item.size == 0 {
                    item.size = previous_size(arguments, &mut values)?;
                }
                values.push_back(Value::String(lua.create_string(taken(&data, at, item.size)?)?));
            }
            b's' => {
                let end = data[at..].iter().position(|&byte| byte == 0);
                let length = end.ok_or_else(|| Refusal::error("unfinished string in data"))?;
                values.push_back(Value::String(lua.create_string(&data[at..at + length])?));
                item.size = length + 1;
            }
            other => format.control(other)?,
        }
        at += item.size;
    }
    values.push_back(Value::Integer((at as i64).wrapping_add(1)));
    Ok(values)
}

/// So many bytes of the data.
fn taken(data: &[u8], at: usize, size: usize) -> Result<&[u8], Refusal> {
    let bytes = data.get(at..).and_then(|rest| rest.get(..size));
    bytes.ok_or_else(|| Refusal::argument(2, "data string too short"))
}

/// The last value, which is not answered but says how long a string is.
fn previous_size(arguments: &Arguments<'_>, values: &mut MultiValue) -> Result<usize, Refusal> {
    let missing = || Refusal::error("format 'c0' needs a previous size");
    let value = values.pop_back().ok_or_else(missing)?;
    let number = arguments.lua.coerce_number(value)?.ok_or_else(missing)?;
    Ok(wrapped(number) as usize)
}

/// Bytes as an integer. Of more than eight, the lowest eight count; where their sign is looked for is then the processor's
/// affair, which takes a shift modulo 64.
fn integer(bytes: &[u8], is_signed: bool, is_big_endian: bool) -> f64 {
    let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    let number = if is_big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) };
    if !is_signed {
        return number as f64;
    }
    let mask = u64::MAX.wrapping_shl((8 * bytes.len() as u32).wrapping_sub(1));
    (if number & mask == 0 { number } else { number | mask }).cast_signed() as f64
}

fn size(arguments: &Arguments<'_>) -> Result<i64, Refusal> {
    let format = arguments.string(1)?;
    let format = format.as_bytes();
    let mut format = Format::new(&format);
    let mut size = 0_usize;
    while let Some(item) = format.next()? {
        size += format.padding(size, &item);
        match item.letter {
            b's' => return Err(Refusal::argument(1, "option 's' has no fixed size")),
            b'c' if item.size == 0 => return Err(Refusal::argument(1, "option 'c0' has no fixed size")),
            letter if letter.is_ascii_alphanumeric() => {}
            other => format.control(other)?,
        }
        size += item.size;
    }
    Ok(size as i64)
}
