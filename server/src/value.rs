//! A reply as a value, for programs that embed a server.
//!
//! The decoder walks our own writer's output, which is known to be whole and well formed; clients of a network use a
//! library of their own.

use std::fmt;

use shardis_protocol::Reply;

/// A reply. For debugging, bytes are shown as text with escapes.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A status, such as `OK`.
    Simple(String),
    /// An error: its code and text.
    Error(String),
    /// An integer.
    Integer(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// Values in order.
    Array(Vec<Value>),
    /// Pairs of values.
    Map(Vec<(Value, Value)>),
    /// Values without an order.
    Set(Vec<Value>),
    /// A floating point number.
    Double(f64),
    /// A truth value.
    Boolean(bool),
    /// Text with a format of three letters.
    Verbatim(String, Vec<u8>),
    /// An integer of any size, in decimal digits.
    BigNumber(String),
}

impl Value {
    /// The bytes of a bulk or simple string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bulk(bytes) | Value::Verbatim(_, bytes) => Some(bytes),
            Value::Simple(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// The integer.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// Writes it as a reply, in its protocol.
    pub(crate) fn write(&self, reply: &mut Reply) {
        match self {
            Value::Null => reply.null(),
            Value::Simple(text) => reply.simple(text),
            Value::Error(text) => reply.error(text.as_bytes()),
            Value::Integer(value) => reply.integer(*value),
            Value::Bulk(bytes) | Value::Verbatim(_, bytes) => reply.bulk(bytes),
            Value::Array(values) => {
                reply.array(values.len());
                values.iter().for_each(|value| value.write(reply));
            }
            Value::Set(values) => {
                reply.set(values.len());
                values.iter().for_each(|value| value.write(reply));
            }
            Value::Map(pairs) => {
                reply.map(pairs.len());
                for (key, value) in pairs {
                    key.write(reply);
                    value.write(reply);
                }
            }
            Value::Double(value) => reply.double(*value),
            Value::Boolean(value) => reply.boolean(*value),
            Value::BigNumber(digits) => reply.big_number(digits),
        }
    }

    /// Whether the command was refused or failed.
    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error(_))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut variant =
            |name: &str, field: &dyn fmt::Debug| formatter.debug_tuple(name).field(field).finish();
        match self {
            Value::Null => formatter.write_str("Null"),
            Value::Simple(text) => variant("Simple", text),
            Value::Error(text) => variant("Error", text),
            Value::Integer(value) => variant("Integer", value),
            Value::Bulk(bytes) => variant("Bulk", &Bytes(bytes)),
            Value::Array(values) => variant("Array", values),
            Value::Map(pairs) => variant("Map", &Pairs(pairs)),
            Value::Set(values) => variant("Set", values),
            Value::Double(value) => variant("Double", value),
            Value::Boolean(value) => variant("Boolean", value),
            Value::Verbatim(format, bytes) => {
                formatter.debug_tuple("Verbatim").field(format).field(&Bytes(bytes)).finish()
            }
            Value::BigNumber(digits) => variant("BigNumber", digits),
        }
    }
}

struct Bytes<'a>(&'a [u8]);

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.0.escape_ascii())
    }
}

struct Pairs<'a>(&'a [(Value, Value)]);

impl fmt::Debug for Pairs<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.0.iter().map(|(key, value)| (key, value))).finish()
    }
}

/// The first reply in `bytes`; `Null` if there is none, which is what a command without a reply answers.
pub(crate) fn decode(bytes: &[u8]) -> Value {
    Decoder { rest: bytes }.value()
}

struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    fn value(&mut self) -> Value {
        let Some((kind, line)) = self.line().split_first() else { return Value::Null };
        match kind {
            b'+' => Value::Simple(text(line)),
            b'-' => Value::Error(text(line)),
            b':' => Value::Integer(number(line).unwrap_or_default()),
            b',' => Value::Double(shardis_protocol::number::parse_f64(line).unwrap_or(f64::NAN)),
            b'#' => Value::Boolean(line == b"t"),
            b'(' => Value::BigNumber(text(line)),
            b'$' => length(line).and_then(|len| self.bulk(len)).map_or(Value::Null, Value::Bulk),
            b'=' => length(line).and_then(|len| self.bulk(len)).map_or(Value::Null, verbatim),
            b'*' | b'>' => length(line).map_or(Value::Null, |len| Value::Array(self.values(len))),
            b'~' => length(line).map_or(Value::Null, |len| Value::Set(self.values(len))),
            b'%' => length(line).map_or(Value::Null, |len| self.pairs(len)),
            _ => Value::Null,
        }
    }

    fn line(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| byte == b'\r').unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        line
    }

    fn bulk(&mut self, len: usize) -> Option<Vec<u8>> {
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest.get(2..).unwrap_or_default();
        Some(bytes.to_vec())
    }

    fn values(&mut self, len: usize) -> Vec<Value> {
        (0..len).map(|_| self.value()).collect()
    }

    fn pairs(&mut self, len: usize) -> Value {
        Value::Map((0..len).map(|_| (self.value(), self.value())).collect())
    }
}

/// A length as we write it; `None` for that of what is not there.
fn length(line: &[u8]) -> Option<usize> {
    line.iter()
        .try_fold(0, |length, &byte| byte.is_ascii_digit().then(|| length * 10 + usize::from(byte - b'0')))
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

fn number(line: &[u8]) -> Option<i64> {
    shardis_protocol::number::parse_i64(line)
}

fn verbatim(bytes: Vec<u8>) -> Value {
    match bytes.split_at_checked(4) {
        Some((format, rest)) => Value::Verbatim(text(&format[..3]), rest.to_vec()),
        None => Value::Bulk(bytes),
    }
}

#[cfg(test)]
mod tests {
    use shardis_protocol::{Reply, Version};

    use super::*;

    #[test]
    fn every_reply_type_is_decoded() {
        let mut reply = Reply::new(Version::Resp3);
        reply.array(9);
        reply.ok();
        reply.error(b"ERR no");
        reply.integer(-5);
        reply.bulk(b"a\r\nb");
        reply.null();
        reply.double(1.5);
        reply.boolean(true);
        reply.verbatim(b"txt", b"hello");
        reply.map(1);
        reply.bulk(b"k");
        reply.set(0);
        let expected = Value::Array(vec![
            Value::Simple("OK".into()),
            Value::Error("ERR no".into()),
            Value::Integer(-5),
            Value::Bulk(b"a\r\nb".to_vec()),
            Value::Null,
            Value::Double(1.5),
            Value::Boolean(true),
            Value::Verbatim("txt".into(), b"hello".to_vec()),
            Value::Map(vec![(Value::Bulk(b"k".to_vec()), Value::Set(vec![]))]),
        ]);
        assert_eq!(decode(&reply.to_vec()), expected);
        assert_eq!(decode(b""), Value::Null);
    }

    #[test]
    fn bytes_are_shown_as_text_by_debug() {
        let value = Value::Array(vec![
            Value::Bulk(b"a\"\n\xff".to_vec()),
            Value::Map(vec![(Value::Simple("k".into()), Value::Null)]),
            Value::Verbatim("txt".into(), b"v".to_vec()),
        ]);
        let expected = r#"Array([Bulk("a\"\n\xff"), Map({Simple("k"): Null}), Verbatim("txt", "v")])"#;
        assert_eq!(format!("{value:?}"), expected);
    }
}
