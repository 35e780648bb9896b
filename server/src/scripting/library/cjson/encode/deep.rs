//! Tables that lie deep in others. What is begun stands in a stack of its own, so that no table makes Rust recurse without
//! end; each step costs a call into Lua.

use mlua::{Table, Value};

use super::super::super::arguments::Refusal;
use super::{Depth, Encoder, Shape};

/// A table that is not written to its end yet.
struct Open {
    table: Table,
    rest: Rest,
    is_first: bool,
    /// Where its values stand.
    within: Depth,
}

/// What of a table is still to be written.
enum Rest {
    Array {
        index: i32,
        length: i32,
    },
    /// Everything behind this key.
    Object {
        key: Value,
    },
}

impl Encoder<'_> {
    /// Writes a table and everything in it.
    pub(super) fn deep(&mut self, table: &Table, depth: Depth) -> Result<(), Refusal> {
        let mut open = vec![self.begin(table.clone(), depth)?];
        while let Some(innermost) = open.last_mut() {
            match self.next_value(innermost)? {
                Some(Value::Table(table)) => {
                    let within = innermost.within;
                    open.push(self.begin(table, within)?);
                }
                Some(scalar) => self.scalar(&scalar)?,
                None => drop(open.pop()),
            }
        }
        Ok(())
    }

    fn begin(&mut self, table: Table, depth: Depth) -> Result<Open, Refusal> {
        self.check_depth(depth)?;
        let (mark, rest) = match self.shape(&table)? {
            Shape::Array(length) if length > 0 => (b'[', Rest::Array { index: 1, length }),
            _ => (b'{', Rest::Object { key: Value::Nil }),
        };
        self.out.push(mark);
        Ok(Open { table, rest, is_first: true, within: depth.within(mark == b'[') })
    }

    /// The value that is to be written next, its key being written; none, when the table has been ended.
    fn next_value(&mut self, open: &mut Open) -> Result<Option<Value>, Refusal> {
        let is_first = std::mem::replace(&mut open.is_first, false);
        match &mut open.rest {
            Rest::Array { index, length } if *index > *length => {
                self.out.push(b']');
                Ok(None)
            }
            Rest::Array { index, .. } => {
                self.comma(is_first);
                let value = open.table.raw_get(*index)?;
                *index += 1;
                Ok(Some(value))
            }
            Rest::Object { key } => {
                let (name, value): (Value, Value) = self.next.call((&open.table, &*key))?;
                if name.is_nil() {
                    self.out.push(b'}');
                    return Ok(None);
                }
                self.key(&name, is_first)?;
                *key = name;
                Ok(Some(value))
            }
        }
    }
}
