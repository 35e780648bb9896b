//! The state of CONCAT: every value, to be joined at the end in the order of their source, or ascending where it has none
//! or several values share a place. The bytes that will be joined are counted while they come, since their number only
//! grows; whoever passes MAXOUT hears of it before memory is spent on more.

use super::limit::Limit;
use super::spec::{Constants, Spec};
use super::text::put_value;
use crate::encode::Reader;
use crate::error::DecodeError;
use crate::value::Value;
use crate::vector::Scalar;

/// Values with their places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Joined {
    parts: Vec<(u64, Value)>,
    /// Bytes of their texts, without separators.
    texts_bytes: usize,
    /// Bytes that values keep outside of themselves.
    kept_bytes: usize,
}

impl Joined {
    pub(super) fn add(&mut self, spec: &Spec, value: Scalar<'_>, place: u64) -> Result<(), Limit> {
        self.push(place, Value::from(value));
        self.check(spec)
    }

    fn push(&mut self, place: u64, value: Value) {
        self.kept_bytes += value.memory_bytes();
        self.texts_bytes = self.texts_bytes.saturating_add(match &value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            value => {
                let mut text = Vec::new();
                put_value(value, &mut text);
                text.len()
            }
        });
        self.parts.push((place, value));
    }

    fn check(&self, spec: &Spec) -> Result<(), Limit> {
        let gaps = self.parts.len().saturating_sub(1);
        let bytes = gaps.saturating_mul(separator(spec).len()).saturating_add(self.texts_bytes);
        let bytes_max = spec.output_bytes_max;
        if bytes > bytes_max { Err(Limit::OutputBytes { bytes_max }) } else { Ok(()) }
    }

    pub(super) fn merge(&mut self, spec: &Spec, other: Joined) -> Result<(), Limit> {
        self.parts.extend(other.parts);
        self.texts_bytes = self.texts_bytes.saturating_add(other.texts_bytes);
        self.kept_bytes += other.kept_bytes;
        self.check(spec)
    }

    fn ascending(&self) -> Vec<&(u64, Value)> {
        let mut parts: Vec<_> = self.parts.iter().collect();
        parts.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.order(&b.1)));
        parts
    }

    /// Text if all of it is, else bytes; no values are an empty text.
    pub(super) fn finish(&self, spec: &Spec) -> Value {
        let mut joined = Vec::new();
        for (at, (_, value)) in self.ascending().into_iter().enumerate() {
            if at > 0 {
                joined.extend_from_slice(separator(spec));
            }
            put_value(value, &mut joined);
        }
        String::from_utf8(joined).map_or_else(|error| Value::Bytes(error.into_bytes()), Value::Text)
    }

    /// `number u64 | place u64, value of each, in the order in which they are joined`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.parts.len() as u64).to_le_bytes());
        for (place, value) in self.ascending() {
            out.extend_from_slice(&place.to_le_bytes());
            value.encode(out);
        }
    }

    pub(super) fn decode(spec: &Spec, input: &mut Reader<'_>) -> Result<Joined, DecodeError> {
        let mut joined = Joined::default();
        for _ in 0..input.u64()? {
            let (place, value) = (input.u64()?, Value::decode(input)?);
            if value == Value::Null {
                return Err(DecodeError::Malformed);
            }
            joined.push(place, value);
        }
        joined.check(spec).map_err(|_| DecodeError::Malformed)?;
        Ok(joined)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.parts.capacity() * size_of::<(u64, Value)>() + self.kept_bytes
    }
}

impl PartialEq for Joined {
    fn eq(&self, other: &Joined) -> bool {
        self.ascending() == other.ascending()
    }
}

fn separator(spec: &Spec) -> &[u8] {
    match &spec.constants {
        Constants::Separator(separator) => separator,
        _ => b"",
    }
}

#[cfg(test)]
mod tests {
    use super::super::function::Function;
    use super::*;

    fn joined(separator: &[u8], rows: &[(u64, Scalar<'_>)], bytes_max: usize) -> Result<Value, Limit> {
        let spec = Spec::new(Function::Concat, &[separator], true, bytes_max).expect("a separator");
        let mut joined = Joined::default();
        rows.iter().try_for_each(|(place, value)| joined.add(&spec, *value, *place))?;
        Ok(joined.finish(&spec))
    }

    #[test]
    fn values_are_joined_by_place_then_ascending() {
        let rows =
            [(2, Scalar::Text("z")), (1, Scalar::Text("y")), (3, Scalar::Double(0.5)), (0, Scalar::Int(-7))];
        assert_eq!(joined(b", ", &rows, 100), Ok(Value::Text("-7, y, z, 0.5".into())));
        let rows = rows.map(|(_, value)| (0, value));
        assert_eq!(joined(b"|", &rows, 100), Ok(Value::Text("-7|0.5|y|z".into())));
        assert_eq!(joined(b"|", &[], 0), Ok(Value::Text(String::new())));
        assert_eq!(joined(b"", &[(0, Scalar::Bytes(b"\xff"))], 1), Ok(Value::Bytes(vec![0xff])));
    }

    #[test]
    fn what_is_too_long_is_a_limit() {
        let rows = [(0, Scalar::Text("abc")), (0, Scalar::Text("d"))];
        assert_eq!(joined(b"--", &rows, 6), Ok(Value::Text("abc--d".into())));
        assert_eq!(joined(b"--", &rows, 5), Err(Limit::OutputBytes { bytes_max: 5 }));
    }
}
