//! JSON to Lua. What is under construction stands in a stack of its own, so that no text makes Rust recurse.

use mlua::{LightUserData, LuaString, Table, Value};

use super::super::STACK_MAX;
use super::super::arguments::{Arguments, Refusal};
use super::Settings;
use super::lexer::{Lexer, Token};

/// A table that is not complete yet.
enum Open {
    Array { table: Table, length: i64 },
    Object { table: Table, key: LuaString },
}

/// The value of a text.
pub fn decode(arguments: &Arguments<'_>, settings: Settings) -> Result<Value, Refusal> {
    if arguments.len() != 1 {
        return Err(Refusal::argument(1, "expected 1 argument"));
    }
    let text = arguments.string(1)?;
    let text = text.as_bytes();
    if let [first, second, ..] = &*text
        && (*first == 0 || *second == 0)
    {
        return Err(Refusal::error("JSON parser does not support UTF-16 or UTF-32"));
    }
    let lexer = Lexer::new(&text, settings.decode_invalid);
    Parser { arguments, lexer, open: Vec::new(), depth_max: settings.decode_depth_max, places: 1 }.parse()
}

struct Parser<'a> {
    arguments: &'a Arguments<'a>,
    lexer: Lexer<'a>,
    open: Vec<Open>,
    depth_max: i32,
    /// How many places of Lua's stack the imitated servers would use now.
    places: usize,
}

impl Parser<'_> {
    fn parse(&mut self) -> Result<Value, Refusal> {
        let token = self.lexer.next();
        let mut value = self.begin(token)?;
        loop {
            // A value is complete when there is one; else a table has been opened, and its first value comes next.
            let complete = match value {
                Some(complete) => complete,
                None => {
                    let token = self.lexer.next();
                    value = self.begin_first(token)?;
                    continue;
                }
            };
            let Some(open) = self.open.last_mut() else {
                let token = self.lexer.next();
                return if token == Token::End {
                    Ok(complete)
                } else {
                    Err(self.unexpected("the end", token))
                };
            };
            match open {
                Open::Array { table, length } => {
                    *length += 1;
                    table.raw_set(*length, complete)?;
                }
                Open::Object { table, key } => table.raw_set(&*key, complete)?,
            }
            value = self.next_element()?;
        }
    }

    /// A value that is complete at once, or none, when a table has been opened.
    fn begin(&mut self, token: Token) -> Result<Option<Value>, Refusal> {
        Ok(Some(match token {
            Token::String => Value::String(self.arguments.lua.create_string(self.lexer.string())?),
            Token::Number(number) => Value::Number(number),
            Token::Boolean(boolean) => Value::Boolean(boolean),
            Token::Null => Value::LightUserData(LightUserData(std::ptr::null_mut())),
            Token::ArrayBegin => {
                self.descend(2)?;
                self.open.push(Open::Array { table: self.arguments.lua.create_table()?, length: 0 });
                self.places += 1;
                return Ok(None);
            }
            Token::ObjectBegin => {
                self.descend(3)?;
                // The key is a place holder until the first one is read.
                let (table, key) =
                    (self.arguments.lua.create_table()?, self.arguments.lua.create_string("")?);
                self.open.push(Open::Object { table, key });
                self.places += 2;
                return Ok(None);
            }
            other => return Err(self.unexpected("value", other)),
        }))
    }

    /// What follows the beginning of a table: its end or its first value.
    fn begin_first(&mut self, token: Token) -> Result<Option<Value>, Refusal> {
        match (self.open.last(), token) {
            (Some(Open::Array { .. }), Token::ArrayEnd) | (Some(Open::Object { .. }), Token::ObjectEnd) => {
                Ok(self.close())
            }
            (Some(Open::Object { .. }), token) => self.begin_member(token),
            (_, token) => self.begin(token),
        }
    }

    /// What follows a value in a table: its end or, behind a comma, the next value.
    fn next_element(&mut self) -> Result<Option<Value>, Refusal> {
        let is_array = matches!(self.open.last(), Some(Open::Array { .. }));
        let token = self.lexer.next();
        match token {
            Token::ArrayEnd if is_array => Ok(self.close()),
            Token::ObjectEnd if !is_array => Ok(self.close()),
            Token::Comma => {
                let token = self.lexer.next();
                if is_array { self.begin(token) } else { self.begin_member(token) }
            }
            other if is_array => Err(self.unexpected("comma or array end", other)),
            other => Err(self.unexpected("comma or object end", other)),
        }
    }

    /// A key, a colon and the beginning of a value.
    fn begin_member(&mut self, token: Token) -> Result<Option<Value>, Refusal> {
        if token != Token::String {
            return Err(self.unexpected("object key string", token));
        }
        let name = self.arguments.lua.create_string(self.lexer.string())?;
        if let Some(Open::Object { key, .. }) = self.open.last_mut() {
            *key = name;
        }
        match self.lexer.next() {
            Token::Colon => {
                let token = self.lexer.next();
                self.begin(token)
            }
            other => Err(self.unexpected("colon", other)),
        }
    }

    /// Takes the innermost table, which is complete.
    fn close(&mut self) -> Option<Value> {
        let open = self.open.pop().expect("invariant: an end is taken only while a table is open");
        let (table, places) = match open {
            Open::Array { table, .. } => (table, 1),
            Open::Object { table, .. } => (table, 2),
        };
        self.places -= places;
        Some(Value::Table(table))
    }

    /// Makes sure that another table may be opened.
    fn descend(&self, places: usize) -> Result<(), Refusal> {
        let depth = self.open.len() + 1;
        if depth <= self.depth_max as usize && self.places + places <= STACK_MAX {
            return Ok(());
        }
        let text =
            format!("Found too many nested data structures ({depth}) at character {}", self.lexer.position());
        Err(Refusal::error(text))
    }

    fn unexpected(&self, expected: &str, token: Token) -> Refusal {
        let (found, position) = (token.name(), self.lexer.token_position() + 1);
        Refusal::error(format!("Expected {expected} but found {found} at character {position}"))
    }
}
