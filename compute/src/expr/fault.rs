//! `Fault`: why an expression has no value for a row. Small and without text of its own, as it may come once a row.

use std::fmt;

/// Why an expression has no value for a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault<'b> {
    /// The row has no such field.
    Missing,
    /// The text is no number.
    NotNumber,
    /// The text is no integer.
    NotInteger,
    /// The text is not valid UTF-8.
    NotText,
    /// The text was not kept, as it is too long.
    TooLong,
    /// The result leaves the range of 64-bit integers.
    Overflow,
    /// A division by zero.
    DivisionByZero,
    /// The result is infinite or not a number.
    NotFinite,
    /// The values have no order.
    Incomparable,
    /// An operand is none that an operator or function takes.
    Operand(&'static str),
    /// The result is of no type that its place takes.
    Result(&'static str),
    /// What it makes on the way needs more memory than there may be: the run ends.
    Memory,
    /// What the interpreter says.
    Told(&'b str),
}

/// A fault, and where it is known the input that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure<'b> {
    pub(crate) fault: Fault<'b>,
    /// The number of the input.
    pub(crate) input: Option<u16>,
}

impl<'b> From<Fault<'b>> for Failure<'b> {
    fn from(fault: Fault<'b>) -> Failure<'b> {
        Failure { fault, input: None }
    }
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Missing => "is missing",
            Fault::NotNumber => "is not a number",
            Fault::NotInteger => "is not an integer",
            Fault::NotText => "is not valid UTF-8",
            Fault::TooLong => "is too long",
            Fault::Overflow => "leaves the range of 64-bit integers",
            Fault::DivisionByZero => "divides by zero",
            Fault::NotFinite => "is infinite or not a number",
            Fault::Incomparable => "compares values that have no order",
            Fault::Operand(text) | Fault::Result(text) => text,
            Fault::Memory => "needs too much memory",
            Fault::Told(text) => text,
        })
    }
}
