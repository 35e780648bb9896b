//! What a call reaches beside keys, as far as somebody needs the right to it: channels, and databases other than the selected
//! one. Which right that is, is not known here (`acl`).

use shardis_protocol::{Request, number};

/// Which words of a call name channels.
#[derive(Clone, Copy, Debug)]
pub enum Channels {
    /// None.
    None,
    /// This one.
    At(u16),
    /// All from this one on.
    From(u16),
    /// All from this one on, and they are patterns, each for many channels.
    PatternsFrom(u16),
    /// One that is found by a look at the whole call, if there is one.
    Found(fn(Request<'_>) -> Option<usize>),
}

impl Channels {
    /// These words of a call.
    pub fn positions(self, request: Request<'_>) -> std::ops::Range<usize> {
        let words = request.len();
        match self {
            Channels::None => 0..0,
            Channels::Found(find) => find(request).map_or(0..0, |at| at..at + 1),
            Channels::At(at) => usize::from(at).min(words)..usize::from(at + 1).min(words),
            Channels::From(first) | Channels::PatternsFrom(first) => usize::from(first).min(words)..words,
        }
    }

    /// Whether they are patterns.
    pub fn are_patterns(self) -> bool {
        matches!(self, Channels::PatternsFrom(_))
    }
}

/// Which databases a call reaches.
#[derive(Clone, Copy, Debug)]
pub enum Databases {
    /// The selected one, if any.
    Selected,
    /// Those that these words number, and the selected one if there are keys.
    At(&'static [u16]),
    /// The same with words that are found by a look at the whole call.
    Found(fn(Request<'_>) -> Vec<usize>),
    /// All of them.
    Every,
}

impl Databases {
    /// The words of a call that number databases, with the numbers. None if one of them is no number that a database can have:
    /// then the call is refused for that.
    pub fn named(self, request: Request<'_>, databases: u16) -> Vec<(usize, u16)> {
        let named = |at: usize| {
            let number = u16::try_from(number::parse_i64(request.arg(at)?)?).ok()?;
            (number < databases).then_some((at, number))
        };
        let words = match self {
            Databases::Selected | Databases::Every => return Vec::new(),
            Databases::At(words) => words.iter().map(|&at| named(at.into())).collect(),
            Databases::Found(find) => find(request).into_iter().map(named).collect::<Option<Vec<_>>>(),
        };
        words.unwrap_or_default()
    }
}
