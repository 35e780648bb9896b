//! The flags of commands: what clients see of them, and what only this server asks for. Not what they lead to, which is the business
//! of `dispatch` and of `table`.

/// Flags of a command: those declared, and those that `table` derives from the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(pub u32);

impl Flags {
    /// Nothing declared.
    pub const NONE: Flags = Flags(0);
    /// Changes data. Derived from the write shape.
    pub const WRITE: Flags = Flags(1 << 0);
    /// Reads data. Derived from the read shape.
    pub const READONLY: Flags = Flags(1 << 1);
    /// May add data: refused when memory is exhausted.
    pub const DENY_OOM: Flags = Flags(1 << 2);
    /// For administrators.
    pub const ADMIN: Flags = Flags(1 << 3);
    /// Belongs to Pub/Sub.
    pub const PUBSUB: Flags = Flags(1 << 4);
    /// Not callable from scripts.
    pub const NO_SCRIPT: Flags = Flags(1 << 5);
    /// May block its client.
    pub const BLOCKING: Flags = Flags(1 << 6);
    /// Allowed while data is being loaded.
    pub const LOADING: Flags = Flags(1 << 7);
    /// Allowed on a replica with stale data.
    pub const STALE: Flags = Flags(1 << 8);
    /// Not shown to `MONITOR`.
    pub const SKIP_MONITOR: Flags = Flags(1 << 9);
    /// Not recorded by `SLOWLOG`.
    pub const SKIP_SLOWLOG: Flags = Flags(1 << 10);
    /// O(1) or O(log n).
    pub const FAST: Flags = Flags(1 << 11);
    /// Allowed before authentication.
    pub const NO_AUTH: Flags = Flags(1 << 12);
    /// May be replicated though it is no write.
    pub const MAY_REPLICATE: Flags = Flags(1 << 13);
    /// The key arguments may be absent.
    pub const NO_MANDATORY_KEYS: Flags = Flags(1 << 14);
    /// Not allowed inside a transaction.
    pub const NO_MULTI: Flags = Flags(1 << 15);
    /// The positions of the keys depend on the arguments. Derived from the key specifications.
    pub const MOVABLE_KEYS: Flags = Flags(1 << 16);
    /// Allowed while a script is running too long.
    pub const ALLOW_BUSY: Flags = Flags(1 << 17);
    /// Not allowed while a replica loads in the background.
    pub const NO_ASYNC_LOADING: Flags = Flags(1 << 18);
    /// Needs `enable-debug-command`.
    pub const PROTECTED: Flags = Flags(1 << 19);
    /// Allowed while its client listens to channels in RESP2.
    pub const WHILE_SUBSCRIBED: Flags = Flags(1 << 23);
    /// Among servers, or for developers of the server: `syscmd` in `COMMAND DOCS`.
    pub const SYSTEM: Flags = Flags(1 << 20);
    /// Runs at once where other commands are gathered for a transaction.
    pub const NOT_QUEUED: Flags = Flags(1 << 21);
    /// What its client has said about the caching of the next call still holds for the one behind it.
    pub const KEEPS_CACHING: Flags = Flags(1 << 24);
    /// What Valkey calls `SKIP_SLOWLOG`: only told.
    pub const SKIP_COMMANDLOG: Flags = Flags(1 << 22);

    /// The flags that clients see and their names, in the order of replies.
    pub const NAMES: [(Flags, &'static str); 19] = [
        (Flags::WRITE, "write"),
        (Flags::READONLY, "readonly"),
        (Flags::DENY_OOM, "denyoom"),
        (Flags::ADMIN, "admin"),
        (Flags::PUBSUB, "pubsub"),
        (Flags::NO_SCRIPT, "noscript"),
        (Flags::BLOCKING, "blocking"),
        (Flags::LOADING, "loading"),
        (Flags::STALE, "stale"),
        (Flags::SKIP_MONITOR, "skip_monitor"),
        (Flags::SKIP_SLOWLOG, "skip_slowlog"),
        (Flags::SKIP_COMMANDLOG, "skip_commandlog"),
        (Flags::FAST, "fast"),
        (Flags::NO_AUTH, "no_auth"),
        (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (Flags::NO_ASYNC_LOADING, "no_async_loading"),
        (Flags::NO_MULTI, "no_multi"),
        (Flags::MOVABLE_KEYS, "movablekeys"),
        (Flags::ALLOW_BUSY, "allow_busy"),
    ];

    /// The names of those in here that clients see.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Flags::NAMES.into_iter().filter(move |&(flag, _)| self.contains(flag)).map(|(_, name)| name)
    }

    /// Both sets together.
    pub const fn union(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// What is in here but not in the other set.
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// Whether all of `other` is in here.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        self.union(other)
    }
}
