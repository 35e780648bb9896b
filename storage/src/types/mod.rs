//! Plain data structures: they know nothing of keys, expiry or clients.
//!
//! A string lives in its entry (`string` says what one is), and so do the two words of a collection. What the
//! keyspace must know of a collection is the trait [`Collection`]; which collections there are is [`Object`].

pub mod allocation;
pub mod hash;
pub mod job;
pub mod latch;
pub mod list;
pub mod lock;
pub mod packed;
pub mod semaphore;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;
mod tree;

use self::hash::Hash;
use self::job::Job;
use self::latch::Latch;
use self::list::List;
use self::lock::Lock;
use self::semaphore::Semaphore;
use self::set::Set;
use self::sorted_set::SortedSet;
use self::stream::Stream;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A byte string or an integer.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    SortedSet,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
    /// A lock.
    Lock,
    /// A semaphore.
    Semaphore,
    /// A latch.
    Latch,
    /// A job.
    Job,
}

impl Kind {
    /// The types that clients meet at instead of keeping data in them. They are never evicted, nor moved or copied, and who
    /// removes a value of one of them is told, so that those who rely on it hear of that.
    pub const MEETING_POINTS: [Kind; 4] = [Kind::Lock, Kind::Semaphore, Kind::Latch, Kind::Job];

    /// Whether it is one of these.
    pub const fn is_meeting_point(self) -> bool {
        matches!(self, Kind::Lock | Kind::Semaphore | Kind::Latch | Kind::Job)
    }

    /// As `TYPE` reports it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::SortedSet => "zset",
            Kind::Hash => "hash",
            Kind::Stream => "stream",
            Kind::Lock => "lock",
            Kind::Semaphore => "semaphore",
            Kind::Latch => "latch",
            Kind::Job => "job",
        }
    }
}

/// The key holds another type than the operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// A value that keys can hold beside strings.
pub trait Collection: Default + 'static {
    /// Its type.
    const KIND: Kind;

    /// Whether it holds nothing: its key is removed then.
    fn is_empty(&self) -> bool;

    /// Heap bytes, in constant time.
    fn weight_bytes(&self) -> usize;

    /// How it is stored, as `OBJECT ENCODING` says it.
    fn encoding_name(&self) -> &'static str;

    /// Whether anything in it has a deadline of its own.
    fn has_deadlines(&self) -> bool {
        false
    }

    /// The collection as an object.
    fn into_object(self) -> Object;

    /// The collection in an object, if it is of this type.
    fn from_object(object: Object) -> Option<Self>;

    /// The collection behind a reference, if it is of this type.
    fn from_ref(object: ObjectRef<'_>) -> Option<&Self>;
}

/// An owned collection of any type.
#[derive(Debug)]
pub enum Object {
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A sorted set.
    SortedSet(SortedSet),
    /// A hash.
    Hash(Hash),
    /// A stream.
    Stream(Stream),
    /// A lock.
    Lock(Lock),
    /// A semaphore.
    Semaphore(Semaphore),
    /// A latch.
    Latch(Latch),
    /// A job.
    Job(Job),
}

/// A collection of any type, in place.
#[derive(Clone, Copy, Debug)]
pub enum ObjectRef<'a> {
    /// A list.
    List(&'a List),
    /// A set.
    Set(&'a Set),
    /// A sorted set.
    SortedSet(&'a SortedSet),
    /// A hash.
    Hash(&'a Hash),
    /// A stream.
    Stream(&'a Stream),
    /// A lock.
    Lock(&'a Lock),
    /// A semaphore.
    Semaphore(&'a Semaphore),
    /// A latch.
    Latch(&'a Latch),
    /// A job.
    Job(&'a Job),
}

impl ObjectRef<'_> {
    /// Its type.
    pub fn kind(self) -> Kind {
        match self {
            ObjectRef::List(_) => Kind::List,
            ObjectRef::Set(_) => Kind::Set,
            ObjectRef::SortedSet(_) => Kind::SortedSet,
            ObjectRef::Hash(_) => Kind::Hash,
            ObjectRef::Stream(_) => Kind::Stream,
            ObjectRef::Lock(_) => Kind::Lock,
            ObjectRef::Semaphore(_) => Kind::Semaphore,
            ObjectRef::Latch(_) => Kind::Latch,
            ObjectRef::Job(_) => Kind::Job,
        }
    }

    /// Heap bytes.
    pub fn weight_bytes(self) -> usize {
        match self {
            ObjectRef::List(list) => list.weight_bytes(),
            ObjectRef::Set(set) => set.weight_bytes(),
            ObjectRef::SortedSet(set) => set.weight_bytes(),
            ObjectRef::Hash(hash) => hash.weight_bytes(),
            ObjectRef::Stream(stream) => stream.weight_bytes(),
            ObjectRef::Lock(lock) => lock.weight_bytes(),
            ObjectRef::Semaphore(semaphore) => semaphore.weight_bytes(),
            ObjectRef::Latch(latch) => latch.weight_bytes(),
            ObjectRef::Job(job) => job.weight_bytes(),
        }
    }

    /// How it is stored, as `OBJECT ENCODING` says it.
    pub fn encoding_name(self) -> &'static str {
        match self {
            ObjectRef::List(list) => list.encoding_name(),
            ObjectRef::Set(set) => set.encoding_name(),
            ObjectRef::SortedSet(set) => set.encoding_name(),
            ObjectRef::Hash(hash) => hash.encoding_name(),
            ObjectRef::Stream(_)
            | ObjectRef::Lock(_)
            | ObjectRef::Semaphore(_)
            | ObjectRef::Latch(_)
            | ObjectRef::Job(_) => self.kind().name(),
        }
    }

    /// A deep copy.
    pub fn duplicate(self) -> Object {
        match self {
            ObjectRef::List(list) => Object::List(list.clone()),
            ObjectRef::Set(set) => Object::Set(set.clone()),
            ObjectRef::SortedSet(set) => Object::SortedSet(set.clone()),
            ObjectRef::Hash(hash) => Object::Hash(hash.clone()),
            ObjectRef::Stream(stream) => Object::Stream(stream.clone()),
            ObjectRef::Lock(lock) => Object::Lock(lock.clone()),
            ObjectRef::Semaphore(semaphore) => Object::Semaphore(semaphore.clone()),
            ObjectRef::Latch(latch) => Object::Latch(*latch),
            ObjectRef::Job(job) => Object::Job(job.clone()),
        }
    }
}

impl Collection for List {
    const KIND: Kind = Kind::List;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn weight_bytes(&self) -> usize {
        self.memory_bytes()
    }

    fn encoding_name(&self) -> &'static str {
        self.encoding().name()
    }

    fn into_object(self) -> Object {
        Object::List(self)
    }

    fn from_object(object: Object) -> Option<Self> {
        match object {
            Object::List(list) => Some(list),
            _ => None,
        }
    }

    fn from_ref(object: ObjectRef<'_>) -> Option<&Self> {
        match object {
            ObjectRef::List(list) => Some(list),
            _ => None,
        }
    }
}

impl Collection for Set {
    const KIND: Kind = Kind::Set;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn weight_bytes(&self) -> usize {
        self.memory_bytes()
    }

    fn encoding_name(&self) -> &'static str {
        self.encoding().name()
    }

    fn into_object(self) -> Object {
        Object::Set(self)
    }

    fn from_object(object: Object) -> Option<Self> {
        match object {
            Object::Set(set) => Some(set),
            _ => None,
        }
    }

    fn from_ref(object: ObjectRef<'_>) -> Option<&Self> {
        match object {
            ObjectRef::Set(set) => Some(set),
            _ => None,
        }
    }
}

impl Collection for SortedSet {
    const KIND: Kind = Kind::SortedSet;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn weight_bytes(&self) -> usize {
        self.memory_bytes()
    }

    fn encoding_name(&self) -> &'static str {
        self.encoding().name()
    }

    fn into_object(self) -> Object {
        Object::SortedSet(self)
    }

    fn from_object(object: Object) -> Option<Self> {
        match object {
            Object::SortedSet(set) => Some(set),
            _ => None,
        }
    }

    fn from_ref(object: ObjectRef<'_>) -> Option<&Self> {
        match object {
            ObjectRef::SortedSet(set) => Some(set),
            _ => None,
        }
    }
}

impl Collection for Hash {
    const KIND: Kind = Kind::Hash;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn weight_bytes(&self) -> usize {
        self.memory_bytes()
    }

    fn encoding_name(&self) -> &'static str {
        self.encoding().name()
    }

    fn has_deadlines(&self) -> bool {
        Hash::has_deadlines(self)
    }

    fn into_object(self) -> Object {
        Object::Hash(self)
    }

    fn from_object(object: Object) -> Option<Self> {
        match object {
            Object::Hash(hash) => Some(hash),
            _ => None,
        }
    }

    fn from_ref(object: ObjectRef<'_>) -> Option<&Self> {
        match object {
            ObjectRef::Hash(hash) => Some(hash),
            _ => None,
        }
    }
}

/// What is the same for the types that have one representation.
macro_rules! with_one_encoding {
    ($($type:ident: $is_empty:expr, $memory_bytes:expr;)*) => {
        $(impl Collection for $type {
            const KIND: Kind = Kind::$type;

            fn is_empty(&self) -> bool {
                $is_empty(self)
            }

            fn weight_bytes(&self) -> usize {
                $memory_bytes(self)
            }

            fn encoding_name(&self) -> &'static str {
                Kind::$type.name()
            }

            fn into_object(self) -> Object {
                Object::$type(self)
            }

            fn from_object(object: Object) -> Option<Self> {
                match object {
                    Object::$type(value) => Some(value),
                    _ => None,
                }
            }

            fn from_ref(object: ObjectRef<'_>) -> Option<&Self> {
                match object {
                    ObjectRef::$type(value) => Some(value),
                    _ => None,
                }
            }
        })*
    };
}

with_one_encoding! {
    Stream: |_: &Stream| false, Stream::memory_bytes;
    Lock: Lock::is_free, Lock::memory_bytes;
    Semaphore: |_: &Semaphore| false, Semaphore::memory_bytes;
    Latch: |_: &Latch| false, |_: &Latch| 0;
    Job: |_: &Job| false, Job::memory_bytes;
}
