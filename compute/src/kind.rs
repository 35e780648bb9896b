//! The types of key that a plan may be about. Not a value's type.

/// A type of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Kind {
    String,
    Hash,
    List,
    Set,
    Zset,
    Stream,
    Lock,
    Semaphore,
    Latch,
    Job,
}

impl Kind {
    /// Every type, as the TYPE clause names them.
    pub const ALL: [Kind; 10] = [
        Kind::String,
        Kind::Hash,
        Kind::List,
        Kind::Set,
        Kind::Zset,
        Kind::Stream,
        Kind::Lock,
        Kind::Semaphore,
        Kind::Latch,
        Kind::Job,
    ];

    /// The name of the type, as the TYPE command answers it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Hash => "hash",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::Zset => "zset",
            Kind::Stream => "stream",
            Kind::Lock => "lock",
            Kind::Semaphore => "semaphore",
            Kind::Latch => "latch",
            Kind::Job => "job",
        }
    }

    /// Whether its elements have an order of their own.
    pub const fn is_ordered(self) -> bool {
        matches!(self, Kind::List | Kind::Zset | Kind::Stream)
    }
}

/// A set of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// All of them.
    pub const ALL: Kinds = Kinds::of(&Kind::ALL);
    /// Those that have elements.
    pub const COLLECTIONS: Kinds = Kinds::of(&[Kind::Hash, Kind::List, Kind::Set, Kind::Zset, Kind::Stream]);
    /// Those whose elements have an order of their own.
    pub const ORDERED: Kinds = Kinds::of(&[Kind::List, Kind::Zset, Kind::Stream]);

    /// These types.
    pub const fn of(kinds: &[Kind]) -> Kinds {
        let (mut bits, mut at) = (0, 0);
        while at < kinds.len() {
            bits |= 1 << kinds[at] as u8;
            at += 1;
        }
        Kinds(bits)
    }

    /// Whether a type is among them.
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// Those that are in both.
    pub const fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The only one, if there is just one.
    pub fn only(self) -> Option<Kind> {
        let mut kinds = Kind::ALL.into_iter().filter(|kind| self.has(*kind));
        kinds.next().filter(|_| kinds.next().is_none())
    }

    /// Their names.
    pub fn names(self) -> String {
        let names: Vec<&str> = Kind::ALL.into_iter().filter(|kind| self.has(*kind)).map(Kind::name).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_types_are_sets() {
        let both = Kinds::of(&[Kind::List, Kind::Zset]);
        assert!(Kinds::ORDERED.has(Kind::Stream));
        assert_eq!(both.and(Kinds::of(&[Kind::Zset, Kind::Hash])).only(), Some(Kind::Zset));
        assert!(both.and(Kinds::of(&[Kind::Hash])).is_empty());
        assert_eq!((both.only(), both.names()), (None, "list, zset".into()));
        assert_eq!(Kinds::ORDERED.and(both), both);
    }
}
