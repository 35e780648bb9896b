//! `Source`: what a variable of an expression stands for, and which variables the rows of a plan have. Not here: how its
//! text is read (`reading`), and where rows get it from.

use std::fmt;

use crate::kind::{Kind, Kinds};

/// What a row is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The key: `key`.
    Key,
    /// Milliseconds since 1970 of the run's instant: `now`.
    Now,
    /// The name of the key's type: `type`.
    Type,
    /// Milliseconds left to the key, -1 without a deadline: `ttl`.
    Ttl,
    /// What STRLEN, HLEN, LLEN, SCARD or ZCARD says: `len`.
    Length,
    /// What MEMORY USAGE estimates: `bytes`.
    Bytes,
    /// Milliseconds since the last access: `idle`.
    Idle,
    /// A string; an element of a list or set; the value of a field of a hash: `v`.
    Value,
    /// A field of a hash that is a row: `h.name`.
    Field(Box<str>),
    /// The index of an element of a list: `i`.
    Index,
    /// A member of a sorted set: `m`.
    Member,
    /// Its score: `s`.
    Score,
    /// The name of a field of a hash whose fields are rows: `f`.
    FieldName,
    /// The id of an entry of a stream: `id`.
    EntryId,
    /// Its first number: `ms`.
    EntryMs,
    /// Its second number: `seq`.
    EntrySeq,
    /// A field of an entry: `x.name`.
    EntryField(Box<str>),
    /// The element that is a row, by what tells it apart: a member, a field of a hash, an element of a list. No expression
    /// names it.
    Element,
    /// The index of an element of a list, else 0. No expression names it.
    Place,
    /// A group or the result of a reducer, by its place, in HAVING.
    Output(usize),
}

/// What the rows of a plan are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain<'n> {
    /// Keys.
    Keyspace,
    /// Elements of collections.
    Elements,
    /// Rows of the result, by the names of their columns.
    Outputs(&'n [Vec<u8>]),
}

/// The type that a variable has by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Native {
    /// Text whose meaning is the context's.
    Untyped,
    Int,
    Double,
    Text,
    /// Whatever the value is.
    Any,
}

/// A variable without parts.
struct Variable {
    name: &'static str,
    source: Source,
    native: Native,
    /// The types of key that have it.
    kinds: Kinds,
}

const fn variable(name: &'static str, source: Source, native: Native, kinds: Kinds) -> Variable {
    Variable { name, source, native, kinds }
}

const KEYSPACE: &[Variable] = &[
    variable("key", Source::Key, Native::Text, Kinds::ALL),
    variable("now", Source::Now, Native::Int, Kinds::ALL),
    variable("type", Source::Type, Native::Text, Kinds::ALL),
    variable("ttl", Source::Ttl, Native::Int, Kinds::ALL),
    variable("len", Source::Length, Native::Int, Kinds::ALL),
    variable("bytes", Source::Bytes, Native::Int, Kinds::ALL),
    variable("idle", Source::Idle, Native::Int, Kinds::ALL),
    variable("v", Source::Value, Native::Untyped, Kinds::of(&[Kind::String])),
];

const ELEMENTS: &[Variable] = &[
    variable("key", Source::Key, Native::Text, Kinds::COLLECTIONS),
    variable("now", Source::Now, Native::Int, Kinds::COLLECTIONS),
    variable("v", Source::Value, Native::Untyped, Kinds::of(&[Kind::List, Kind::Set, Kind::Hash])),
    variable("i", Source::Index, Native::Int, Kinds::of(&[Kind::List])),
    variable("m", Source::Member, Native::Untyped, Kinds::of(&[Kind::Zset])),
    variable("s", Source::Score, Native::Double, Kinds::of(&[Kind::Zset])),
    variable("f", Source::FieldName, Native::Untyped, Kinds::of(&[Kind::Hash])),
    variable("id", Source::EntryId, Native::Text, Kinds::of(&[Kind::Stream])),
    variable("ms", Source::EntryMs, Native::Int, Kinds::of(&[Kind::Stream])),
    variable("seq", Source::EntrySeq, Native::Int, Kinds::of(&[Kind::Stream])),
];

impl Domain<'_> {
    /// What a name stands for, its type, and which types of key have it.
    pub(crate) fn variable(&self, name: &str) -> Option<(Source, Native, Kinds)> {
        if let Domain::Outputs(names) = self {
            let at = names.iter().position(|output| output == name.as_bytes())?;
            return Some((Source::Output(at), Native::Any, Kinds::ALL));
        }
        let found = self.variables().iter().find(|variable| variable.name == name)?;
        Some((found.source.clone(), found.native, found.kinds))
    }

    /// What stands before the fields of rows, and which type of key has them: `h.name`, or `x.name` of entries.
    pub(crate) fn fields(&self) -> Option<(&'static str, Kind)> {
        match self {
            Domain::Keyspace => Some(("h", Kind::Hash)),
            Domain::Elements => Some(("x", Kind::Stream)),
            Domain::Outputs(_) => None,
        }
    }

    /// The field of this name.
    pub(crate) fn field(&self, name: &str) -> Source {
        match self {
            Domain::Elements => Source::EntryField(name.into()),
            Domain::Keyspace | Domain::Outputs(_) => Source::Field(name.into()),
        }
    }

    /// The names there are, for errors.
    pub(crate) fn names(&self) -> String {
        let mut names: Vec<String> = match self {
            Domain::Outputs(names) => {
                names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
            }
            _ => self.variables().iter().map(|variable| variable.name.to_owned()).collect(),
        };
        names.extend(self.fields().map(|(root, _)| format!("{root}.field")));
        names.join(", ")
    }

    fn variables(&self) -> &'static [Variable] {
        match self {
            Domain::Keyspace => KEYSPACE,
            Domain::Elements => ELEMENTS,
            Domain::Outputs(_) => &[],
        }
    }
}

impl Source {
    /// The place of an output.
    pub(crate) fn output(&self) -> usize {
        match self {
            Source::Output(at) => *at,
            _ => unreachable!("invariant: HAVING sees outputs only"),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = match self {
            Source::Field(name) => Some(("h", name)),
            Source::EntryField(name) => Some(("x", name)),
            _ => None,
        };
        if let Some((root, name)) = field {
            let is_plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && name.chars().all(|other| other.is_ascii_alphanumeric() || other == '_');
            return if is_plain { write!(f, "{root}.{name}") } else { write!(f, "{root}[{name:?}]") };
        }
        let named = KEYSPACE.iter().chain(ELEMENTS).find(|variable| variable.source == *self);
        f.write_str(named.map_or("a result", |variable| variable.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_prints_as_it_is_written() {
        for (source, text) in [
            (Source::Value, "v"),
            (Source::Length, "len"),
            (Source::Score, "s"),
            (Source::Field("total".into()), "h.total"),
            (Source::Field("a-b".into()), "h[\"a-b\"]"),
            (Source::Field("1".into()), "h[\"1\"]"),
            (Source::EntryField("temp".into()), "x.temp"),
            (Source::EntryMs, "ms"),
        ] {
            assert_eq!(source.to_string(), text);
        }
    }

    #[test]
    fn a_name_means_what_its_rows_say() {
        let (_, _, kinds) = Domain::Keyspace.variable("v").unwrap();
        assert!(kinds.has(Kind::String) && !kinds.has(Kind::List));
        let (_, _, kinds) = Domain::Elements.variable("v").unwrap();
        assert!(!kinds.has(Kind::String) && kinds.has(Kind::List) && kinds.has(Kind::Hash));
        assert!(Domain::Elements.variable("ttl").is_none());
        let names = [b"n".to_vec()];
        assert_eq!(Domain::Outputs(&names).variable("n").unwrap().0, Source::Output(0));
        assert!(Domain::Outputs(&names).variable("key").is_none());
    }
}
