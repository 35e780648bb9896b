//! Key specifications in the real servers' own model (where to begin, how to find the rest, what is done to them), and
//! the extraction of keys from a call. The one description serves locking, prefetching and `COMMAND`.

use shardis_protocol::Request;

use crate::config::Dialect;

/// Where keys stand in a call, and what the command does to them.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// Where the search begins.
    pub begin: Begin,
    /// How the keys are found from there.
    pub find: Find,
    /// What is done to the keys.
    pub access: Access,
    /// A remark for `COMMAND INFO`.
    pub notes: &'static str,
    /// Where `access` depends on the arguments: what a call really does.
    pub access_by_call: Option<fn(Request<'_>, &Dialect) -> Access>,
}

/// Where the search for keys begins.
#[derive(Clone, Copy, Debug)]
pub enum Begin {
    /// At this word of the call; the name is word 0.
    Index(u16),
    /// Behind this word, which may stand from word `from` on.
    Keyword {
        /// The word, in upper case.
        word: &'static str,
        /// The first place where it may stand.
        from: u16,
    },
    /// The model has no words for it.
    Unknown,
}

/// How keys are found from the beginning on.
#[derive(Clone, Copy, Debug)]
pub enum Find {
    /// From the beginning to `last` (relative to the beginning; negative from the end of the call) in steps.
    Range {
        /// The last key.
        last: i16,
        /// The distance from key to key.
        step: u16,
    },
    /// The first of so many equal parts of what is behind the beginning, which a look at the whole call finds.
    Part {
        /// How many parts there are.
        of: u16,
        /// The first word behind the beginning, unlike in the model also where an option has the same word as an argument.
        start: fn(Request<'_>) -> Option<usize>,
    },
    /// The beginning holds a count; the first key stands `first` words behind it.
    Count {
        /// Distance from the count to the first key.
        first: u16,
        /// The distance from key to key.
        step: u16,
    },
    /// By a look at the whole call, which finds one key or none.
    Search(fn(Request<'_>) -> Option<usize>),
    /// Not in the call: patterns there name them together with data.
    Content,
}

/// What a command does to a key: bits, named as in `COMMAND INFO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(pub u16);

impl Access {
    /// Reads the value or its metadata.
    pub const READ_ONLY: u16 = 1 << 0;
    /// Reads and changes it.
    pub const READ_WRITE: u16 = 1 << 1;
    /// Replaces it without reading.
    pub const OVERWRITE: u16 = 1 << 2;
    /// Removes it.
    pub const REMOVE: u16 = 1 << 3;
    /// Returns or copies the user's data.
    pub const ACCESS: u16 = 1 << 4;
    /// Changes existing data.
    pub const UPDATE: u16 = 1 << 5;
    /// Adds data.
    pub const INSERT: u16 = 1 << 6;
    /// Deletes data.
    pub const DELETE: u16 = 1 << 7;
    /// Only looks like a key.
    pub const NOT_KEY: u16 = 1 << 8;
    /// The flags depend on the arguments.
    pub const VARIABLE_FLAGS: u16 = 1 << 9;

    /// Bits and their names, in the order of replies.
    pub const NAMES: [(u16, &'static str); 10] = [
        (Access::READ_ONLY, "RO"),
        (Access::READ_WRITE, "RW"),
        (Access::OVERWRITE, "OW"),
        (Access::REMOVE, "RM"),
        (Access::ACCESS, "access"),
        (Access::UPDATE, "update"),
        (Access::INSERT, "insert"),
        (Access::DELETE, "delete"),
        (Access::NOT_KEY, "not_key"),
        (Access::VARIABLE_FLAGS, "variable_flags"),
    ];

    /// The names of what is in here.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Access::NAMES.into_iter().filter(move |&(bit, _)| self.0 & bit != 0).map(|(_, name)| name)
    }
}

/// One key at this word of the call.
pub const fn key(index: u16) -> KeySpec {
    keys(index, 0, 1)
}

/// Keys from word `first` to `last` (relative to `first`; negative from the end) in steps.
pub const fn keys(first: u16, last: i16, step: u16) -> KeySpec {
    KeySpec::new(Find::Range { last, step }, first)
}

/// A count at word `index`, the keys behind it, one every `step` words.
pub const fn numbered(index: u16, step: u16) -> KeySpec {
    KeySpec::new(Find::Count { first: 1, step }, index)
}

/// Keys behind a word, followed by as many words of another meaning. `start` finds the first.
pub const fn halved_behind_word(
    word: &'static str,
    from: u16,
    start: fn(Request<'_>) -> Option<usize>,
) -> KeySpec {
    KeySpec { begin: Begin::Keyword { word, from }, ..KeySpec::new(Find::Part { of: 2, start }, 0) }
}

/// A key that stands where `search` finds it, if it does.
pub const fn searched(search: fn(Request<'_>) -> Option<usize>) -> KeySpec {
    KeySpec { begin: Begin::Unknown, ..KeySpec::new(Find::Search(search), 0) }
}

/// A key behind a word that may stand from word `from` on. Which of several counts is what `search` knows.
pub const fn behind_word(word: &'static str, from: u16, search: fn(Request<'_>) -> Option<usize>) -> KeySpec {
    KeySpec { begin: Begin::Keyword { word, from }, ..searched(search) }
}

/// Keys that patterns in the call name together with data.
pub const fn named_by_content() -> KeySpec {
    KeySpec { begin: Begin::Unknown, ..KeySpec::new(Find::Content, 0) }
}

impl KeySpec {
    /// Whether words that are no keys tell where the keys are, but for their number.
    pub fn depends_on_words(&self) -> bool {
        matches!(self.find, Find::Part { .. } | Find::Search(_) | Find::Content)
    }

    const fn new(find: Find, begin: u16) -> KeySpec {
        KeySpec { begin: Begin::Index(begin), find, access: Access(0), notes: "", access_by_call: None }
    }

    const fn with(mut self, bits: u16) -> KeySpec {
        self.access = Access(self.access.0 | bits);
        self
    }

    /// The command reads the key.
    pub const fn read_only(self) -> KeySpec {
        self.with(Access::READ_ONLY)
    }

    /// The command reads and changes the key.
    pub const fn read_write(self) -> KeySpec {
        self.with(Access::READ_WRITE)
    }

    /// The command replaces the key unread.
    pub const fn overwrites(self) -> KeySpec {
        self.with(Access::OVERWRITE)
    }

    /// The command removes the key.
    pub const fn removes(self) -> KeySpec {
        self.with(Access::REMOVE)
    }

    /// The user's data is returned or copied.
    pub const fn accesses(self) -> KeySpec {
        self.with(Access::ACCESS)
    }

    /// Existing data changes.
    pub const fn updates(self) -> KeySpec {
        self.with(Access::UPDATE)
    }

    /// Data is added.
    pub const fn inserts(self) -> KeySpec {
        self.with(Access::INSERT)
    }

    /// Data is deleted.
    pub const fn deletes(self) -> KeySpec {
        self.with(Access::DELETE)
    }

    /// It only looks like a key, to who finds the server for it: there is none of that name.
    pub const fn no_key(self) -> KeySpec {
        self.with(Access::NOT_KEY)
    }

    /// Whether it does.
    pub const fn is_no_key(&self) -> bool {
        self.access.0 & Access::NOT_KEY != 0
    }

    /// The flags depend on the arguments.
    pub const fn variable_flags(self) -> KeySpec {
        self.with(Access::VARIABLE_FLAGS)
    }

    /// The flags depend on the arguments; `access` tells those of a call.
    pub const fn varying(mut self, access: fn(Request<'_>, &Dialect) -> Access) -> KeySpec {
        self.access_by_call = Some(access);
        self.variable_flags()
    }

    /// A remark for `COMMAND INFO`.
    pub const fn notes(mut self, notes: &'static str) -> KeySpec {
        self.notes = notes;
        self
    }

    /// Whether a call that may block waits for these keys: those whose data it is after.
    pub const fn is_awaited(&self) -> bool {
        self.access.0 & Access::ACCESS != 0
    }

    /// What a call does to the keys of this specification.
    pub fn access_in(&self, request: Request<'_>, dialect: &Dialect) -> Access {
        self.access_by_call.map_or(self.access, |access| access(request, dialect))
    }

    /// The positions of this specification's keys in a call: `None` when the call has no such positions (a count that is
    /// no number or exceeds the call).
    pub fn positions(&self, request: Request<'_>) -> Option<Positions> {
        let begin = match self.begin {
            Begin::Index(begin) => usize::from(begin),
            Begin::Keyword { .. } | Begin::Unknown => 0,
        };
        let words = request.len();
        match self.find {
            Find::Range { last, step } => {
                let last = if last >= 0 {
                    begin + last as usize
                } else {
                    words.checked_sub(last.unsigned_abs().into())?
                };
                let end = (last + 1).min(words);
                Some(Positions { next: begin, end, step: step.into() })
            }
            Find::Part { of, start } => {
                let begin = start(request)?;
                let end = begin + words.saturating_sub(begin) / usize::from(of);
                Some(Positions { next: begin, end, step: 1 })
            }
            Find::Count { first, step } => {
                let count = shardis_protocol::number::parse_i64(request.arg(begin)?)?;
                let count = usize::try_from(count).ok().filter(|&count| count > 0)?;
                let (first, step) = (begin + usize::from(first), usize::from(step));
                let last = (count - 1).checked_mul(step)?.checked_add(first)?;
                (last < words).then_some(Positions { next: first, end: last + 1, step })
            }
            Find::Search(search) => {
                let range = search(request).map_or(0..0, |at| at..words.min(at + 1));
                Some(Positions { next: range.start, end: range.end, step: 1 })
            }
            Find::Content => Some(Positions { next: 0, end: 0, step: 1 }),
        }
    }
}

/// The word positions of keys in a call.
#[derive(Clone, Copy, Debug)]
pub struct Positions {
    next: usize,
    end: usize,
    step: usize,
}

impl Iterator for Positions {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = self.next;
        (at < self.end).then(|| {
            self.next += self.step;
            at
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end.saturating_sub(self.next).div_ceil(self.step);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Positions {}
