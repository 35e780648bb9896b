//! The categories of commands: what access rules call many commands by, and what clients see of it.

/// Access-control categories, a bit each. `NAMES` gives their order in replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Category(pub u32);

impl Category {
    /// None.
    pub const NONE: Category = Category(0);
    /// The categories in the order in which the real servers list them.
    pub const NAMES: [&'static str; 24] = [
        "keyspace",
        "read",
        "write",
        "set",
        "sortedset",
        "list",
        "hash",
        "string",
        "bitmap",
        "hyperloglog",
        "geo",
        "stream",
        "pubsub",
        "admin",
        "fast",
        "slow",
        "blocking",
        "dangerous",
        "connection",
        "transaction",
        "scripting",
        "compute",
        "lock",
        "job",
    ];
    /// Keys as such.
    pub const KEYSPACE: Category = Category(1 << 0);
    /// Reads data.
    pub const READ: Category = Category(1 << 1);
    /// Writes data.
    pub const WRITE: Category = Category(1 << 2);
    /// Sets.
    pub const SET: Category = Category(1 << 3);
    /// Sorted sets.
    pub const SORTED_SET: Category = Category(1 << 4);
    /// Lists.
    pub const LIST: Category = Category(1 << 5);
    /// Hashes.
    pub const HASH: Category = Category(1 << 6);
    /// Strings.
    pub const STRING: Category = Category(1 << 7);
    /// Bitmaps.
    pub const BITMAP: Category = Category(1 << 8);
    /// HyperLogLog.
    pub const HYPERLOGLOG: Category = Category(1 << 9);
    /// Geospatial.
    pub const GEO: Category = Category(1 << 10);
    /// Streams.
    pub const STREAM: Category = Category(1 << 11);
    /// Pub/Sub.
    pub const PUBSUB: Category = Category(1 << 12);
    /// For administrators.
    pub const ADMIN: Category = Category(1 << 13);
    /// Fast.
    pub const FAST: Category = Category(1 << 14);
    /// Not fast.
    pub const SLOW: Category = Category(1 << 15);
    /// May block.
    pub const BLOCKING: Category = Category(1 << 16);
    /// Can do harm.
    pub const DANGEROUS: Category = Category(1 << 17);
    /// The connection.
    pub const CONNECTION: Category = Category(1 << 18);
    /// Transactions.
    pub const TRANSACTION: Category = Category(1 << 19);
    /// Scripts.
    pub const SCRIPTING: Category = Category(1 << 20);
    /// Parallel computation over live data.
    pub const COMPUTE: Category = Category(1 << 21);
    /// Locks, semaphores and latches.
    pub const LOCK: Category = Category(1 << 22);
    /// Jobs.
    pub const JOB: Category = Category(1 << 23);

    /// Whether it is about values that have elements.
    pub fn is_of_collections(self) -> bool {
        [Category::LIST, Category::SET, Category::SORTED_SET, Category::HASH, Category::GEO].contains(&self)
    }

    /// The names of those in here.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let named = Category::NAMES.into_iter().enumerate();
        named.filter(move |(bit, _)| self.0 & (1 << bit) != 0).map(|(_, name)| name)
    }

    /// The category of this name, in any case.
    pub fn from_name(name: &[u8]) -> Option<Category> {
        let bit = Category::NAMES.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes()))?;
        Some(Category(1 << bit))
    }

    /// Both sets together.
    pub const fn union(self, other: Category) -> Category {
        Category(self.0 | other.0)
    }

    /// Whether all of `other` is in here.
    pub const fn contains(self, other: Category) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Category {
    type Output = Category;
    fn bitor(self, other: Category) -> Category {
        self.union(other)
    }
}
