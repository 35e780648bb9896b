//! Values as text, for results that are stored: a text is itself, everything else is what JSON writes. Not the replies,
//! which keep types.
//!
//! JSON has no bytes and no infinity: bytes that are no UTF-8 are an object with their hexadecimal digits, `{"hex":"ff00"}`,
//! infinities are the strings `"inf"` and `"-inf"`. Integers are exact, of any length; doubles the shortest digits that read
//! back.

use std::borrow::Cow;
use std::fmt::Write;

use crate::value::Value;

impl Value {
    /// The text that stands for it: of text and bytes they themselves, of anything else its JSON.
    pub fn text(&self) -> Cow<'_, [u8]> {
        match self {
            Value::Text(text) => text.as_bytes().into(),
            Value::Bytes(bytes) => bytes.into(),
            Value::Double(value) if value.is_infinite() => infinity(*value).as_bytes().into(),
            other => {
                let mut out = String::new();
                write(other, &mut out);
                out.into_bytes().into()
            }
        }
    }
}

/// One object of JSON, with the values of a row by the names of their columns.
pub(crate) fn object(names: &[Vec<u8>], row: &[Value]) -> Vec<u8> {
    let mut out = String::new();
    out.push('{');
    for (at, (name, value)) in names.iter().zip(row).enumerate() {
        if at > 0 {
            out.push(',');
        }
        quote(&String::from_utf8_lossy(name), &mut out);
        out.push(':');
        write(value, &mut out);
    }
    out.push('}');
    out.into_bytes()
}

fn write(value: &Value, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = match value {
        Value::Null => out.write_str("null"),
        Value::Bool(is_true) => write!(out, "{is_true}"),
        Value::Int(value) => write!(out, "{value}"),
        Value::Double(value) if value.is_infinite() => {
            quote(infinity(*value), out);
            Ok(())
        }
        // Digits all the way to 10^300 would be exact, and of no use to anybody.
        Value::Double(value) if *value != 0.0 && !PLAIN.contains(&value.abs()) => write!(out, "{value:e}"),
        Value::Double(value) => write!(out, "{value}"),
        Value::Text(text) => {
            quote(text, out);
            Ok(())
        }
        Value::Bytes(bytes) => {
            write_bytes(bytes, out);
            Ok(())
        }
        Value::List(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(value, out);
            }
            out.push(']');
            Ok(())
        }
        Value::Map(pairs) => {
            out.push('{');
            for (at, (key, value)) in pairs.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                quote(&String::from_utf8_lossy(&key.text()), out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
            Ok(())
        }
    };
}

/// Doubles that are written without an exponent.
const PLAIN: std::ops::Range<f64> = 1e-6..1e21;

fn infinity(value: f64) -> &'static str {
    if value > 0.0 { "inf" } else { "-inf" }
}

fn write_bytes(bytes: &[u8], out: &mut String) {
    match std::str::from_utf8(bytes) {
        Ok(text) => quote(text, out),
        Err(_) => {
            out.push_str("{\"hex\":\"");
            for byte in bytes {
                let _ = write!(out, "{byte:02x}");
            }
            out.push_str("\"}");
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if (control as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", control as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_json() {
        let written = |value: Value| String::from_utf8(object(&[b"a".to_vec()], &[value])).unwrap();
        for (value, expected) in [
            (Value::Null, "null"),
            (Value::Bool(true), "true"),
            (Value::Int(i128::from(i64::MAX) * 2), "18446744073709551614"),
            (Value::Double(0.1), "0.1"),
            (Value::Double(3.0), "3"),
            (Value::Double(0.0), "0"),
            (Value::Double(1e300), "1e300"),
            (Value::Double(-1.5e-9), "-1.5e-9"),
            (Value::Double(f64::INFINITY), "\"inf\""),
            (Value::Text("a\"b\\c\n\u{1}é".into()), "\"a\\\"b\\\\c\\n\\u0001é\""),
            (Value::Bytes(vec![0xff, 0]), "{\"hex\":\"ff00\"}"),
            (Value::Bytes(b"plain".to_vec()), "\"plain\""),
            (Value::List(vec![Value::Int(1), Value::Null]), "[1,null]"),
            (
                Value::Map(vec![(Value::Int(10), Value::Int(1)), (Value::Int(20), Value::Int(2))]),
                "{\"10\":1,\"20\":2}",
            ),
        ] {
            assert_eq!(written(value), format!("{{\"a\":{expected}}}"));
        }
    }

    #[test]
    fn text_stands_for_itself_and_anything_else_for_its_json() {
        assert_eq!(&*Value::Text("a\"b".into()).text(), b"a\"b");
        assert_eq!(&*Value::Bytes(vec![0xff]).text(), [0xff]);
        assert_eq!(&*Value::Double(12.5).text(), b"12.5");
        assert_eq!(&*Value::Double(f64::NEG_INFINITY).text(), b"-inf");
        assert_eq!(&*Value::Null.text(), b"null");
    }
}
