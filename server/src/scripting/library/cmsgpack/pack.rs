//! Lua to MessagePack. A table whose keys are 1 to n is an array, the empty one too; any other one is a map.

use std::ops::ControlFlow;

use mlua::{LuaString, Table, Value};

use super::super::arguments::{Arguments, Refusal};
use super::super::walk;

/// Tables that lie deeper are nil, so that a table may contain itself.
const NESTING_MAX: usize = 16;

/// The texts of all arguments, one behind the other.
pub fn pack(arguments: &Arguments<'_>) -> Result<LuaString, Refusal> {
    if arguments.len() == 0 {
        return Err(Refusal::argument(0, "MessagePack pack needs input."));
    }
    let mut packer = Packer { out: Vec::new() };
    for position in 1..=arguments.len() {
        packer.value(arguments.value(position), 0)?;
    }
    Ok(arguments.lua.create_string(&packer.out)?)
}

struct Packer {
    out: Vec<u8>,
}

/// A table turned out to be no array.
struct Irregular;

impl Packer {
    fn value(&mut self, value: &Value, nesting: usize) -> mlua::Result<()> {
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(number) => self.integer(*number),
            Value::Number(number) => self.number(*number),
            Value::Boolean(false) => self.out.push(0xc2),
            Value::Boolean(true) => self.out.push(0xc3),
            Value::Table(table) if nesting < NESTING_MAX => return self.table(table, nesting),
            _ => self.out.push(0xc0),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, nesting: usize) -> mlua::Result<()> {
        // There is no length only if there is no first element.
        let length = table.raw_len();
        if length == 0 {
            return self.map(table, nesting);
        }
        let start = self.out.len();
        match self.sequence(table, length, nesting)? {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(Irregular) => {
                self.out.truncate(start);
                match array_length(table)? {
                    Some(length) => self.array(table, length, nesting),
                    None => self.map(table, nesting),
                }
            }
        }
    }

    /// Packs a table that is met as 1 to `length`, in this order.
    fn sequence(
        &mut self,
        table: &Table,
        length: usize,
        nesting: usize,
    ) -> mlua::Result<ControlFlow<Irregular>> {
        self.head(length, 0x90, 15, [0, 0xdc, 0xdd]);
        let mut expected = 0;
        let walked = walk::pairs(table, |key, value| {
            expected += 1;
            if !matches!(key, Value::Integer(index) if index == expected) {
                return ControlFlow::Break(Ok(Irregular));
            }
            match self.value(&value, nesting + 1) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(Err(error)),
            }
        })?;
        match walked {
            ControlFlow::Break(Err(error)) => Err(error),
            ControlFlow::Break(Ok(irregular)) => Ok(ControlFlow::Break(irregular)),
            ControlFlow::Continue(()) if expected == length as i64 => Ok(ControlFlow::Continue(())),
            ControlFlow::Continue(()) => Ok(ControlFlow::Break(Irregular)),
        }
    }

    fn array(&mut self, table: &Table, length: usize, nesting: usize) -> mlua::Result<()> {
        self.head(length, 0x90, 15, [0, 0xdc, 0xdd]);
        for index in 1..=length {
            self.value(&table.raw_get(index)?, nesting + 1)?;
        }
        Ok(())
    }

    /// Packs pairs, then puts before them how many there are. A table without any is an array.
    fn map(&mut self, table: &Table, nesting: usize) -> mlua::Result<()> {
        let start = self.out.len();
        let mut count = 0;
        let walked = walk::pairs(table, |key, value| {
            count += 1;
            let packed = self.value(&key, nesting + 1).and_then(|()| self.value(&value, nesting + 1));
            match packed {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            }
        })?;
        if let ControlFlow::Break(error) = walked {
            return Err(error);
        }
        let end = self.out.len();
        let first = if count == 0 { 0x90 } else { 0x80 };
        self.head(count, first, 15, [0, 0xde, 0xdf]);
        let head = self.out.len() - end;
        self.out[start..].rotate_right(head);
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.head(text.len(), 0xa0, 31, [0xd9, 0xda, 0xdb]);
        self.out.extend_from_slice(text);
    }

    /// A length: in the first byte, if it is short, else behind one that says how wide it is. Without a mark for a single
    /// byte, there is none.
    fn head(&mut self, length: usize, short: u8, short_max: u8, marks: [u8; 3]) {
        let [mark_8, mark_16, mark_32] = marks;
        if length <= usize::from(short_max) {
            self.out.push(short | length as u8);
        } else if mark_8 != 0 && length <= 0xff {
            self.out.extend_from_slice(&[mark_8, length as u8]);
        } else if length <= 0xffff {
            self.out.push(mark_16);
            self.out.extend_from_slice(&(length as u16).to_be_bytes());
        } else {
            self.out.push(mark_32);
            self.out.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }

    fn integer(&mut self, number: i64) {
        if (-32..=127).contains(&number) {
            return self.out.push(number as u8);
        }
        let (mark, width) = match number {
            0..=0xff => (0xcc, 1),
            0x100..=0xffff => (0xcd, 2),
            0x1_0000..=0xffff_ffff => (0xce, 4),
            0x1_0000_0000.. => (0xcf, 8),
            -0x80..0 => (0xd0, 1),
            -0x8000..-0x80 => (0xd1, 2),
            -0x8000_0000..-0x8000 => (0xd2, 4),
            ..-0x8000_0000 => (0xd3, 8),
        };
        self.out.push(mark);
        self.out.extend_from_slice(&number.to_be_bytes()[8 - width..]);
    }

    fn number(&mut self, number: f64) {
        if number == 0.0 {
            // The negative zero, which is none among integers.
            return self.integer(0);
        }
        let short = number as f32;
        if f64::from(short) == number {
            self.out.push(0xca);
            self.out.extend_from_slice(&short.to_be_bytes());
        } else {
            self.out.push(0xcb);
            self.out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// How many elements an array has; none, if this is no array.
fn array_length(table: &Table) -> mlua::Result<Option<usize>> {
    let (mut last, mut count) = (0, 0);
    let walked = walk::pairs(table, |key, _| match key {
        Value::Integer(index) if (1..=i64::from(i32::MAX)).contains(&index) => {
            last = last.max(index);
            count += 1;
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Break(()),
    })?;
    Ok((walked.is_continue() && last == count).then_some(count as usize))
}
