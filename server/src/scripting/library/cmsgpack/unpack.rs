//! MessagePack to Lua. What is under construction stands in a stack of its own, so that no text makes Rust recurse; and
//! nothing is allocated for a length before the bytes are there.

use mlua::{MultiValue, Table, Value};

use super::super::STACK_MAX;
use super::super::arguments::{Arguments, Refusal};

const TOO_MANY_VALUES: &str =
    "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)";
const TOO_DEEP: &str = "stack overflow (in function mp_decode_to_lua_array)";

/// Everything in a text.
pub fn unpack(arguments: &Arguments<'_>) -> Result<MultiValue, Refusal> {
    unpack_from(arguments, 0, 0)
}

/// One value, and before it where the next one begins.
pub fn unpack_one(arguments: &Arguments<'_>) -> Result<MultiValue, Refusal> {
    let offset = arguments.integer_or(2, 0)?;
    unpack_from(arguments, 1, offset)
}

/// So many values, and before them where the next one begins.
pub fn unpack_limit(arguments: &Arguments<'_>) -> Result<MultiValue, Refusal> {
    let limit = arguments.integer(2)?;
    let offset = arguments.integer_or(3, 0)?;
    unpack_from(arguments, limit, offset)
}

/// Without a limit and an offset, everything is unpacked, and no place is told.
fn unpack_from(arguments: &Arguments<'_>, limit: i64, offset: i64) -> Result<MultiValue, Refusal> {
    let text = arguments.string(1)?;
    let text = text.as_bytes();
    let length = text.len();
    if limit < 0 || offset < 0 {
        return Err(Refusal::error(format!(
            "Invalid request to unpack with offset of {} and limit of {}.",
            offset as i32, length as i32
        )));
    }
    if offset as usize > length {
        // The imitated servers tell 32 bits of these figures.
        let text = format!("Start offset {} greater than input length {}.", offset as i32, length as i32);
        return Err(Refusal::error(text));
    }
    let everything = limit == 0 && offset == 0;
    let limit = if everything { i64::MAX } else { limit };
    // The text itself has a place on the stack.
    let mut unpacker = Unpacker { arguments, rest: &text[offset as usize..], open: Vec::new(), places: 1 };
    let mut values = MultiValue::new();
    while !unpacker.rest.is_empty() && values.len() < limit as usize {
        values.push_back(unpacker.value()?);
        unpacker.places += 1;
    }
    if !everything {
        let next = if unpacker.rest.is_empty() { -1 } else { (length - unpacker.rest.len()) as i64 };
        values.push_front(Value::Integer(next));
    }
    Ok(values)
}

/// A table that is not complete yet, and how many elements are still to come.
enum Open {
    Array { table: Table, length: i64, left: u32 },
    Map { table: Table, key: Option<Value>, left: u32 },
}

/// What a mark begins: a value that is complete, or a table of so many elements.
enum Item {
    Value(Value),
    Array(u32),
    Map(u32),
}

struct Unpacker<'a> {
    arguments: &'a Arguments<'a>,
    rest: &'a [u8],
    open: Vec<Open>,
    /// How many places of Lua's stack the imitated servers would use for what is complete.
    places: usize,
}

impl Unpacker<'_> {
    /// The next value, with everything in it.
    fn value(&mut self) -> Result<Value, Refusal> {
        // Each open table has a place, and so has the key of the element that it waits for.
        let mut places = self.places;
        loop {
            if places >= STACK_MAX {
                return Err(Refusal::error(TOO_MANY_VALUES));
            }
            let mut complete = match self.item()? {
                Item::Value(value) => Some(value),
                Item::Array(_) if places + 2 > STACK_MAX => return Err(Refusal::error(TOO_DEEP)),
                Item::Array(left) => {
                    self.open.push(Open::Array {
                        table: self.arguments.lua.create_table()?,
                        length: 0,
                        left,
                    });
                    places += 2;
                    None
                }
                Item::Map(left) => {
                    self.open.push(Open::Map { table: self.arguments.lua.create_table()?, key: None, left });
                    places += 1;
                    None
                }
            };
            // What is complete may be the last element of one table after another.
            loop {
                match (self.open.last_mut(), complete.take()) {
                    (None, Some(value)) => return Ok(value),
                    (None, None) => break,
                    (Some(Open::Array { table, left: 0, .. }), _) => {
                        complete = Some(Value::Table(table.clone()));
                        self.open.pop();
                        places -= 2;
                    }
                    (Some(Open::Map { table, left: 0, .. }), _) => {
                        complete = Some(Value::Table(table.clone()));
                        self.open.pop();
                        places -= 1;
                    }
                    (Some(_), None) => break,
                    (Some(Open::Array { table, length, left }), Some(value)) => {
                        *length += 1;
                        *left -= 1;
                        table.raw_set(*length, value)?;
                    }
                    (Some(Open::Map { table, key, left }), Some(value)) => match key.take() {
                        None => {
                            *key = Some(value);
                            places += 1;
                        }
                        Some(key) => {
                            check_key(&key)?;
                            table.raw_set(key, value)?;
                            *left -= 1;
                            places -= 1;
                        }
                    },
                }
            }
        }
    }

    fn item(&mut self) -> Result<Item, Refusal> {
        let [mark] = self.take()?;
        let value = match mark {
            0x00..=0x7f | 0xe0..=0xff => Value::Integer(i64::from(mark.cast_signed())),
            0x80..=0x8f => return Ok(Item::Map(u32::from(mark & 15))),
            0x90..=0x9f => return Ok(Item::Array(u32::from(mark & 15))),
            0xa0..=0xbf => self.string(usize::from(mark & 31))?,
            0xc0 => Value::Nil,
            0xc2 => Value::Boolean(false),
            0xc3 => Value::Boolean(true),
            0xca => Value::Number(f64::from(f32::from_be_bytes(self.take()?))),
            0xcb => Value::Number(f64::from_be_bytes(self.take()?)),
            0xcc => Value::Integer(i64::from(u8::from_be_bytes(self.take()?))),
            0xcd => Value::Integer(i64::from(u16::from_be_bytes(self.take()?))),
            0xce => Value::Integer(i64::from(u32::from_be_bytes(self.take()?))),
            // The imitated servers take the upper half for negative numbers.
            0xcf | 0xd3 => Value::Number(i64::from_be_bytes(self.take()?) as f64),
            0xd0 => Value::Integer(i64::from(i8::from_be_bytes(self.take()?))),
            0xd1 => Value::Integer(i64::from(i16::from_be_bytes(self.take()?))),
            0xd2 => Value::Integer(i64::from(i32::from_be_bytes(self.take()?))),
            0xd9 => {
                let length = u8::from_be_bytes(self.take()?);
                self.string(usize::from(length))?
            }
            0xda => {
                let length = u16::from_be_bytes(self.take()?);
                self.string(usize::from(length))?
            }
            0xdb => {
                let length = u32::from_be_bytes(self.take()?);
                self.string(length as usize)?
            }
            0xdc => return Ok(Item::Array(u32::from(u16::from_be_bytes(self.take()?)))),
            0xdd => return Ok(Item::Array(u32::from_be_bytes(self.take()?))),
            0xde => return Ok(Item::Map(u32::from(u16::from_be_bytes(self.take()?)))),
            0xdf => return Ok(Item::Map(u32::from_be_bytes(self.take()?))),
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => return Err(Refusal::error("Bad data format in input.")),
        };
        Ok(Item::Value(value))
    }

    fn string(&mut self, length: usize) -> Result<Value, Refusal> {
        let text = self.rest.split_off(..length).ok_or_else(missing)?;
        Ok(Value::String(self.arguments.lua.create_string(text)?))
    }

    fn take<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Refusal> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(missing)?;
        self.rest = rest;
        Ok(*taken)
    }
}

/// What Lua itself has against a key.
fn check_key(key: &Value) -> Result<(), Refusal> {
    match key {
        Value::Nil => Err(Refusal::Placeless("table index is nil")),
        Value::Number(number) if number.is_nan() => Err(Refusal::Placeless("table index is NaN")),
        _ => Ok(()),
    }
}

fn missing() -> Refusal {
    Refusal::error("Missing bytes in input.")
}
