//! How many words a call has.

/// The number of words of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// This many words.
    Exactly(u16),
    /// This many words or more.
    AtLeast(u16),
}

impl Arity {
    /// Whether a call of `words` words fits.
    pub const fn fits(self, words: usize) -> bool {
        match self {
            Arity::Exactly(n) => words == n as usize,
            Arity::AtLeast(n) => words >= n as usize,
        }
    }

    /// As `COMMAND` reports it: negative for a minimum.
    pub const fn signed(self) -> i64 {
        match self {
            Arity::Exactly(n) => n as i64,
            Arity::AtLeast(n) => -(n as i64),
        }
    }
}
