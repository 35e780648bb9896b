//! An entry: header, deadline, key and value in one allocation, behind one thin owning pointer.
//!
//! The block is as long as [`allocation_bytes`] says for its parts, which lie as `shape` tells, so a value may change in place
//! while the sum stays in one size class. Everything about the layout is private to these two files; what leaves them is safe
//! to hold.

use std::alloc::{alloc, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

use super::access::REMEMBERED_MASK;
use super::new_value::NewValue;
use super::shape::{
    COLLECTION_BYTES, DEADLINE_FLAGS, FORCED_RAW, HEADER_BYTES, HEADER_LENGTH_MAX, LONG_KEY, Shape, Tag,
    WIDE_DEADLINE_BYTES, WORD_BYTES, deadline_flags, long_key_flag,
};
use crate::table::TableEntry;
use crate::types::allocation::allocation_bytes;
use crate::types::hash::Hash;
use crate::types::job::Job;
use crate::types::latch::Latch;
use crate::types::list::List;
use crate::types::lock::Lock;
use crate::types::semaphore::Semaphore;
use crate::types::set::Set;
use crate::types::sorted_set::SortedSet;
use crate::types::stream::Stream;
use crate::types::string::{INLINE_BYTES_MAX, StringRef};
use crate::types::{Kind, Object, ObjectRef};

const _: () = assert!(INLINE_BYTES_MAX <= HEADER_LENGTH_MAX);
const _: () = assert!(size_of::<usize>() == WORD_BYTES && size_of::<Entry>() == WORD_BYTES);
const _: () =
    assert!(is_placed::<List>() && is_placed::<Set>() && is_placed::<SortedSet>() && is_placed::<Hash>());
const _: () =
    assert!(is_placed::<Lock>() && is_placed::<Semaphore>() && is_placed::<Latch>() && is_placed::<Job>());
const _: () = assert!(is_placed::<Stream>());

/// Whether a collection of this type fits the room for one.
const fn is_placed<T>() -> bool {
    size_of::<T>() <= COLLECTION_BYTES && align_of::<T>() <= WORD_BYTES
}

/// One key with its value and deadline: the owner of one allocation.
pub struct Entry(NonNull<u8>);

// SAFETY: an entry owns its allocation and what the value word points to, all of which may move between threads.
unsafe impl Send for Entry {}
// SAFETY: shared access only reads, and everything owned is `Sync`.
unsafe impl Sync for Entry {}

impl Entry {
    /// A new entry.
    pub fn new(key: &[u8], value: NewValue<'_>, deadline_ms: Option<i64>, clock: u32) -> Entry {
        let flags = value.raw_flag() | long_key_flag(key.len()) | deadline_flags(deadline_ms);
        let shape =
            Shape { tag: value.tag(), flags, key_bytes: key.len(), inline_bytes: value.inline_bytes() };
        let mut entry = Entry::allocate(shape, clock);
        entry.write_deadline(shape, deadline_ms);
        entry.write(shape.key_at(), key);
        entry.write_value(shape, value);
        entry
    }

    /// Its type.
    #[inline]
    pub fn kind(&self) -> Kind {
        match self.tag() {
            Tag::Inline | Tag::Int | Tag::Shared => Kind::String,
            Tag::List => Kind::List,
            Tag::Set => Kind::Set,
            Tag::SortedSet => Kind::SortedSet,
            Tag::Hash => Kind::Hash,
            Tag::Lock => Kind::Lock,
            Tag::Semaphore => Kind::Semaphore,
            Tag::Latch => Kind::Latch,
            Tag::Job => Kind::Job,
            Tag::Stream => Kind::Stream,
            Tag::Lent => unreachable!("a guard that holds the value also holds the shard"),
        }
    }

    /// When it expires: Unix milliseconds.
    #[inline]
    pub fn deadline_ms(&self) -> Option<i64> {
        let shape = self.shape();
        let used = shape.deadline_bytes();
        if used == 0 {
            return None;
        }
        let mut bytes = [0; WIDE_DEADLINE_BYTES];
        bytes[..used].copy_from_slice(self.read(shape.deadline_at(), used));
        Some(i64::from_le_bytes(bytes))
    }

    /// What it remembers of its accesses, as `access` reads it.
    pub fn clock(&self) -> u32 {
        (self.header() >> CLOCK_SHIFT) as u32 & REMEMBERED_MASK
    }

    /// Remembers an access.
    #[inline]
    pub fn touch(&mut self, clock: u32) {
        let header = self.header();
        let touched = header & !(u64::from(REMEMBERED_MASK) << CLOCK_SHIFT)
            | u64::from(clock & REMEMBERED_MASK) << CLOCK_SHIFT;
        // A hot key's line stays clean. The word is written whole: a read of the header right after it would have to
        // wait for three single bytes.
        if touched != header {
            self.write(TAG_AT, &touched.to_le_bytes());
        }
    }

    /// The value, if it is a string.
    #[inline]
    pub fn string(&self) -> Option<StringRef<'_>> {
        let shape = self.shape();
        match shape.tag {
            Tag::Inline => Some(StringRef::Bytes(self.read(shape.value_at(), shape.inline_bytes))),
            Tag::Int => Some(StringRef::Int(self.integer(shape))),
            // SAFETY: the tag says that the value is an `Arc<Vec<u8>>`, aligned by `value_at`; the reference points
            // into the block and lives as long as `self`.
            Tag::Shared => Some(StringRef::Shared(unsafe { self.place(shape).as_ref() })),
            Tag::List
            | Tag::Set
            | Tag::SortedSet
            | Tag::Hash
            | Tag::Lock
            | Tag::Semaphore
            | Tag::Latch
            | Tag::Job
            | Tag::Stream
            | Tag::Lent => None,
        }
    }

    /// The value, if it is a collection.
    #[inline]
    pub fn object(&self) -> Option<ObjectRef<'_>> {
        let shape = self.shape();
        match shape.tag {
            // SAFETY: the tag says what the value is, aligned by `value_at`; the reference points into the block and
            // lives as long as `self`.
            Tag::List => Some(ObjectRef::List(unsafe { self.place(shape).as_ref() })),
            // SAFETY: as above.
            Tag::Set => Some(ObjectRef::Set(unsafe { self.place(shape).as_ref() })),
            // SAFETY: as above.
            Tag::SortedSet => Some(ObjectRef::SortedSet(unsafe { self.place(shape).as_ref() })),
            // SAFETY: as above.
            Tag::Hash => Some(ObjectRef::Hash(unsafe { self.place(shape).as_ref() })),
            // SAFETY: as above.
            Tag::Lock => Some(ObjectRef::Lock(unsafe { self.place(shape).as_ref() })),
            // SAFETY: as above.
            Tag::Semaphore => Some(ObjectRef::Semaphore(unsafe { self.place(shape).as_ref() })),
            // SAFETY: as above.
            Tag::Latch => Some(ObjectRef::Latch(unsafe { self.place(shape).as_ref() })),
            // SAFETY: as above.
            Tag::Job => Some(ObjectRef::Job(unsafe { self.place(shape).as_ref() })),
            // SAFETY: as above.
            Tag::Stream => Some(ObjectRef::Stream(unsafe { self.place(shape).as_ref() })),
            Tag::Inline | Tag::Int | Tag::Shared | Tag::Lent => None,
        }
    }

    /// Takes the collection out, for a guard that gives it back with [`Entry::give_back`].
    pub fn lend(&mut self) -> Option<Object> {
        let shape = self.shape();
        let object = match shape.tag {
            // SAFETY: the tag says what the value is; it changes below, before anybody sees the entry again, so the value
            // is moved out once.
            Tag::List => Object::List(unsafe { self.place(shape).read() }),
            // SAFETY: as above.
            Tag::Set => Object::Set(unsafe { self.place(shape).read() }),
            // SAFETY: as above.
            Tag::SortedSet => Object::SortedSet(unsafe { self.place(shape).read() }),
            // SAFETY: as above.
            Tag::Hash => Object::Hash(unsafe { self.place(shape).read() }),
            // SAFETY: as above.
            Tag::Lock => Object::Lock(unsafe { self.place(shape).read() }),
            // SAFETY: as above.
            Tag::Semaphore => Object::Semaphore(unsafe { self.place(shape).read() }),
            // SAFETY: as above.
            Tag::Latch => Object::Latch(unsafe { self.place(shape).read() }),
            // SAFETY: as above.
            Tag::Job => Object::Job(unsafe { self.place(shape).read() }),
            // SAFETY: as above.
            Tag::Stream => Object::Stream(unsafe { self.place(shape).read() }),
            Tag::Inline | Tag::Int | Tag::Shared | Tag::Lent => return None,
        };
        self.write(TAG_AT, &[Tag::Lent as u8]);
        Some(object)
    }

    /// Takes a lent collection back.
    pub fn give_back(&mut self, object: Object) {
        assert_eq!(self.tag(), Tag::Lent);
        let value = NewValue::Object(object);
        self.write(TAG_AT, &[value.tag() as u8]);
        self.write_value(self.shape(), value);
    }

    /// Puts a value in the place of a short string or integer without moving the entry, if the size class of the block
    /// stays; else hands it back.
    pub fn replace_in_place<'a>(&mut self, value: NewValue<'a>) -> Result<(), NewValue<'a>> {
        let old = self.shape();
        let flags = old.flags & !FORCED_RAW | value.raw_flag();
        let new = Shape { tag: value.tag(), flags, inline_bytes: value.inline_bytes(), ..old };
        let plain = |tag| matches!(tag, Tag::Inline | Tag::Int);
        if !plain(old.tag) || !plain(new.tag) || new.block_bytes() != old.block_bytes() {
            return Err(value);
        }
        self.write_header(new, self.clock());
        self.write_value(new, value);
        Ok(())
    }

    /// Whether it is a short string that is `raw` already, so that its bytes may be overwritten.
    pub fn is_raw_inline(&self) -> bool {
        let shape = self.shape();
        shape.tag == Tag::Inline && shape.flags & FORCED_RAW != 0
    }

    /// Overwrites a part of such a string.
    pub fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        let shape = self.shape();
        assert!(self.is_raw_inline() && at <= shape.inline_bytes && bytes.len() <= shape.inline_bytes - at);
        self.write(shape.value_at() + at, bytes);
    }

    /// The buffer of a long string, to be changed in place.
    pub fn shared_mut(&mut self) -> Option<&mut Arc<Vec<u8>>> {
        let shape = self.shape();
        // SAFETY: as in `string`, and `&mut self` makes it exclusive.
        (shape.tag == Tag::Shared).then(|| unsafe { self.place(shape).as_mut() })
    }

    /// Changes the deadline; the entry moves only if the room for it changes.
    pub fn set_deadline(&mut self, deadline_ms: Option<i64>) {
        let shape = self.shape();
        if shape.flags & DEADLINE_FLAGS == deadline_flags(deadline_ms) {
            self.write_deadline(shape, deadline_ms);
        } else {
            self.rebuild(None, deadline_ms);
        }
    }

    /// The same value and deadline under another key.
    pub fn with_key(mut self, key: &[u8]) -> Entry {
        let deadline_ms = self.deadline_ms();
        self.rebuild(Some(key), deadline_ms);
        self
    }

    /// A deep copy under another key. A long string is shared until one of the two changes.
    pub fn duplicate(&self, key: &[u8], clock: u32) -> Entry {
        let value = match (self.string(), self.object()) {
            (Some(StringRef::Int(value)), _) => NewValue::CopiedInt(value),
            (Some(StringRef::Bytes(bytes)), _) if self.is_forced_raw() => NewValue::Raw(bytes),
            (Some(StringRef::Bytes(bytes)), _) => NewValue::Inline(bytes),
            (Some(StringRef::Shared(bytes)), _) => NewValue::Shared(Arc::clone(bytes)),
            (None, Some(object)) => NewValue::Object(object.duplicate()),
            (None, None) => unreachable!("an entry is a string or a collection"),
        };
        Entry::new(key, value, self.deadline_ms(), clock)
    }

    /// Heap bytes of the entry and its value. A buffer that copies share counts in full with each of them, as if every
    /// key had its own: so a key weighs the same whatever becomes of others, and what is to be kept within a limit of
    /// memory is never taken for less than it is.
    pub fn weight_bytes(&self) -> usize {
        let behind = match self.string() {
            Some(StringRef::Shared(bytes)) => SHARED_BYTES + allocation_bytes(bytes.capacity()),
            Some(StringRef::Bytes(_) | StringRef::Int(_)) => 0,
            None => self.object().map_or(0, ObjectRef::weight_bytes),
        };
        self.shape().block_bytes() + behind
    }

    /// Whether it is a hash with fields that have deadlines.
    #[inline]
    pub fn has_field_deadlines(&self) -> bool {
        matches!(self.object(), Some(ObjectRef::Hash(hash)) if hash.has_deadlines())
    }

    /// Whether it is a hash with fields whose deadline may have come.
    pub fn has_fields_due(&self, now_ms: i64) -> bool {
        matches!(self.object(), Some(ObjectRef::Hash(hash)) if hash.is_due(now_ms))
    }

    /// Whether it is something that clients meet at and rely on.
    #[inline]
    pub fn is_relied_on(&self) -> bool {
        match self.tag() {
            Tag::Lock => matches!(self.object(), Some(ObjectRef::Lock(lock)) if !lock.is_free()),
            Tag::Semaphore | Tag::Latch | Tag::Job => true,
            _ => false,
        }
    }

    /// How the value is stored, as `OBJECT ENCODING` says it, where strings of `raw_bytes_min` bytes and more do not
    /// share the allocation of their object.
    pub fn encoding_name(&self, raw_bytes_min: usize) -> &'static str {
        match self.string() {
            Some(StringRef::Int(_)) => "int",
            Some(StringRef::Bytes(bytes)) if bytes.len() < raw_bytes_min && !self.is_forced_raw() => "embstr",
            Some(_) => "raw",
            None => self.object().map_or("raw", ObjectRef::encoding_name),
        }
    }

    /// Whether it is an integer that was copied from another key.
    pub fn is_copied_integer(&self) -> bool {
        self.tag() == Tag::Int && self.is_forced_raw()
    }

    /// A block with its header; the parts behind it are for the caller to write.
    fn allocate(shape: Shape, clock: u32) -> Entry {
        let layout = shape.layout();
        // SAFETY: the layout is at least a header long, so not empty.
        let block = unsafe { alloc(layout) };
        let Some(block) = NonNull::new(block) else { handle_alloc_error(layout) };
        let mut entry = Entry(block);
        entry.write_header(shape, clock);
        entry
    }

    /// Moves to a new block, with another deadline and perhaps another key; the value moves along.
    fn rebuild(&mut self, key: Option<&[u8]>, deadline_ms: Option<i64>) {
        let old = self.shape();
        let key = key.unwrap_or(self.key());
        let flags = old.flags & FORCED_RAW | long_key_flag(key.len()) | deadline_flags(deadline_ms);
        let new = Shape { flags, key_bytes: key.len(), ..old };
        let mut entry = Entry::allocate(new, self.clock());
        entry.write_deadline(new, deadline_ms);
        entry.write(new.key_at(), key);
        // SAFETY: both blocks have room for the value where their shapes say, and are not the same. The bytes are copied as
        // they are, for not all of a collection's are always written.
        unsafe {
            let value = self.place::<u8>(old);
            value.copy_to_nonoverlapping(entry.place(new), old.value_bytes());
        }
        let emptied = ManuallyDrop::new(std::mem::replace(self, entry));
        // SAFETY: the block was allocated with a layout of this size and alignment; nobody uses `emptied` any more, and
        // as it is never dropped, its value lives on in the new block.
        unsafe { dealloc(emptied.0.as_ptr(), old.layout()) };
    }

    fn tag(&self) -> Tag {
        Tag::of(self.read(TAG_AT, 1)[0])
    }

    fn is_forced_raw(&self) -> bool {
        self.shape().flags & FORCED_RAW != 0
    }

    #[inline]
    fn header(&self) -> u64 {
        // SAFETY: every block starts with a header of eight bytes and is aligned to a word.
        u64::from_le(unsafe { self.0.cast::<u64>().read() })
    }

    #[inline]
    fn shape(&self) -> Shape {
        let header = self.header();
        let flags = (header >> 8) as u8;
        let lengths = (header >> 40) as usize;
        let key_bytes = if flags & LONG_KEY == 0 {
            lengths & HEADER_LENGTH_MAX
        } else {
            // SAFETY: the flag says that the word behind the header is the length of the key.
            unsafe { self.0.cast::<u64>().add(1).read() as usize }
        };
        Shape { tag: Tag::of(header as u8), flags, key_bytes, inline_bytes: lengths >> 12 }
    }

    fn write_header(&mut self, shape: Shape, clock: u32) {
        let is_long = shape.flags & LONG_KEY != 0;
        let key_bytes = if is_long { 0 } else { shape.key_bytes as u64 };
        let lengths = key_bytes | (shape.inline_bytes as u64) << 12;
        let clock = u64::from(clock & REMEMBERED_MASK) << CLOCK_SHIFT;
        let header = shape.tag as u64 | u64::from(shape.flags) << 8 | clock | lengths << 40;
        self.write(TAG_AT, &header.to_le_bytes());
        if is_long {
            self.write(HEADER_BYTES, &(shape.key_bytes as u64).to_ne_bytes());
        }
    }

    fn write_deadline(&mut self, shape: Shape, deadline_ms: Option<i64>) {
        if let Some(ms) = deadline_ms {
            self.write(shape.deadline_at(), &ms.to_le_bytes()[..shape.deadline_bytes()]);
        }
    }

    /// Writes the value; whatever was there must have been moved out or need no drop.
    fn write_value(&mut self, shape: Shape, value: NewValue<'_>) {
        match value {
            NewValue::Inline(bytes) | NewValue::Raw(bytes) => self.write(shape.value_at(), bytes),
            NewValue::Int(value) | NewValue::CopiedInt(value) => {
                self.write(shape.value_at(), &value.to_ne_bytes());
            }
            // SAFETY: the room for the value of this shape lies inside the block and is aligned for a handle.
            NewValue::Shared(bytes) => unsafe { self.place(shape).write(bytes) },
            // SAFETY: as above, for a collection.
            NewValue::Object(Object::List(list)) => unsafe { self.place(shape).write(list) },
            // SAFETY: as above.
            NewValue::Object(Object::Set(set)) => unsafe { self.place(shape).write(set) },
            // SAFETY: as above.
            NewValue::Object(Object::SortedSet(set)) => unsafe { self.place(shape).write(set) },
            // SAFETY: as above.
            NewValue::Object(Object::Hash(hash)) => unsafe { self.place(shape).write(hash) },
            // SAFETY: as above.
            NewValue::Object(Object::Lock(lock)) => unsafe { self.place(shape).write(lock) },
            // SAFETY: as above.
            NewValue::Object(Object::Semaphore(semaphore)) => unsafe { self.place(shape).write(semaphore) },
            // SAFETY: as above.
            NewValue::Object(Object::Latch(latch)) => unsafe { self.place(shape).write(latch) },
            // SAFETY: as above.
            NewValue::Object(Object::Job(job)) => unsafe { self.place(shape).write(job) },
            // SAFETY: as above.
            NewValue::Object(Object::Stream(stream)) => unsafe { self.place(shape).write(stream) },
        }
    }

    /// Where the value stands, as whatever the tag says that it is.
    #[inline]
    fn place<T>(&self, shape: Shape) -> NonNull<T> {
        // SAFETY: the value lies inside the block.
        unsafe { self.0.add(shape.value_at()).cast() }
    }

    /// The value of an integer.
    #[inline]
    fn integer(&self, shape: Shape) -> i64 {
        let mut bytes = [0; WORD_BYTES];
        bytes.copy_from_slice(self.read(shape.value_at(), WORD_BYTES));
        i64::from_ne_bytes(bytes)
    }

    #[inline]
    fn read(&self, at: usize, len: usize) -> &[u8] {
        // SAFETY: callers ask for parts that the shape of this entry places inside its block, all of them written
        // when the entry was made.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(at), len) }
    }

    #[inline]
    fn write(&mut self, at: usize, bytes: &[u8]) {
        // SAFETY: callers write parts that the shape of this entry places inside its block; `&mut self` makes it
        // exclusive, and `bytes` is no part of the block.
        unsafe { self.0.add(at).as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
    }
}

impl TableEntry for Entry {
    #[inline]
    fn key(&self) -> &[u8] {
        let shape = self.shape();
        self.read(shape.key_at(), shape.key_bytes)
    }

    #[inline]
    fn address(&self) -> *const u8 {
        self.0.as_ptr()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        drop(self.lend());
        let shape = self.shape();
        if shape.tag == Tag::Shared {
            // SAFETY: the tag says that the word is a handle owned by this entry, which is being dropped: read once.
            drop(unsafe { self.place::<Arc<Vec<u8>>>(shape).read() });
        }
        // SAFETY: the block was allocated with a layout of this size and alignment.
        unsafe { dealloc(self.0.as_ptr(), shape.layout()) };
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("key", &String::from_utf8_lossy(self.key()))
            .field("tag", &self.tag())
            .field("deadline_ms", &self.deadline_ms())
            .finish_non_exhaustive()
    }
}

const TAG_AT: usize = 0;
const CLOCK_SHIFT: u32 = 16;
/// The counters and the vector in front of a shared buffer.
const SHARED_BYTES: usize = allocation_bytes(2 * WORD_BYTES + size_of::<Vec<u8>>());

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..100),
            proptest::collection::vec(any::<u8>(), 1000..1100),
            any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        ]
    }

    fn deadlines() -> impl Strategy<Value = Option<i64>> {
        prop_oneof![Just(None), (0..1i64 << 47).prop_map(Some), any::<i64>().prop_map(Some)]
    }

    proptest! {
        /// Whatever happens to an entry, it reads back what a plain struct of its parts would.
        #[test]
        fn entry_equals_its_parts(
            keys in proptest::collection::vec(prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                proptest::collection::vec(any::<u8>(), 4090..4100),
            ], 1..4),
            changes in proptest::collection::vec((values(), deadlines(), any::<u32>()), 1..8),
        ) {
            let mut key = keys[0].clone();
            let mut entry = Entry::new(&key, NewValue::from_bytes(b"first"), None, 0);
            let mut clock = 0;
            for (n, (value, deadline_ms, new_clock)) in changes.iter().enumerate() {
                if entry.replace_in_place(NewValue::from_bytes(value)).is_err() {
                    entry = Entry::new(&key, NewValue::from_bytes(value), entry.deadline_ms(), clock);
                }
                entry.set_deadline(*deadline_ms);
                entry.touch(*new_clock);
                if value.len() <= INLINE_BYTES_MAX && n % 3 == 0 {
                    let zeros = vec![0; value.len()];
                    entry = Entry::new(&key, NewValue::raw(&zeros), *deadline_ms, *new_clock);
                    let middle = value.len() / 2;
                    entry.overwrite(middle, &value[middle..]);
                    entry.overwrite(0, &value[..middle]);
                }
                clock = new_clock & REMEMBERED_MASK;
                if n % 2 == 1 {
                    key = keys[n % keys.len()].clone();
                    entry = entry.with_key(&key);
                }
                let copy = entry.duplicate(b"copy", clock);
                for (entry, key) in [(&entry, &key[..]), (&copy, b"copy")] {
                    prop_assert_eq!(entry.key(), key);
                    prop_assert_eq!(&entry.string().unwrap().to_vec(), value);
                    prop_assert_eq!(entry.deadline_ms(), *deadline_ms);
                    prop_assert_eq!(entry.clock(), clock);
                    prop_assert_eq!(entry.kind(), Kind::String);
                    prop_assert!(entry.weight_bytes() >= key.len() + value.len().min(8));
                }
            }
        }
    }

    #[test]
    fn lent_collections_come_back() {
        for object in [
            Object::List(List::default()),
            Object::Set(Set::default()),
            Object::SortedSet(SortedSet::default()),
            Object::Hash(Hash::default()),
            Object::Lock(Lock::default()),
            Object::Semaphore(Semaphore::of_size(3)),
            Object::Latch(Latch::of_count(3)),
            Object::Job(Job::default()),
            Object::Stream(Stream::default()),
        ] {
            let mut entry = Entry::new(b"k", NewValue::Object(object), Some(5), 1);
            let kind = entry.kind();
            let object = entry.lend().unwrap();
            assert!(entry.lend().is_none() && entry.object().is_none());
            entry.give_back(object);
            assert_eq!(entry.kind(), kind);
            assert_eq!(entry.with_key(b"other").kind(), kind);
        }
        assert!(Entry::new(b"k", NewValue::Int(5), None, 1).lend().is_none());
    }

    #[test]
    fn encodings_are_those_of_redis() {
        let encoding = |value: NewValue<'_>| Entry::new(b"k", value, None, 0).encoding_name(45);
        assert_eq!(encoding(NewValue::from_bytes(b"12")), "int");
        assert_eq!(encoding(NewValue::from_bytes(b"012")), "embstr");
        assert_eq!(encoding(NewValue::from_bytes(&[b'x'; 44])), "embstr");
        assert_eq!(encoding(NewValue::from_bytes(&[b'x'; 45])), "raw");
        assert_eq!(encoding(NewValue::from_bytes(&[b'x'; 5000])), "raw");
        assert_eq!(encoding(NewValue::raw(b"short")), "raw");
    }
}
