//! What a keyspace must look like from outside: standard maps and a list of changes, as naive as can be. It has no
//! shards, no locks and no memory; the tests compare a real keyspace with it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use shardis_storage::{Change, Db, Deadline, Kind, Notice, What};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    String(Vec<u8>),
    List(VecDeque<Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    /// Whole numbers for scores.
    SortedSet(BTreeMap<Vec<u8>, i64>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
}

impl Value {
    pub fn kind(&self) -> Kind {
        match self {
            Value::String(_) => Kind::String,
            Value::List(_) => Kind::List,
            Value::Set(_) => Kind::Set,
            Value::SortedSet(_) => Kind::SortedSet,
            Value::Hash(_) => Kind::Hash,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Value::String(_) => false,
            Value::List(list) => list.is_empty(),
            Value::Set(set) => set.is_empty(),
            Value::SortedSet(set) => set.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
        }
    }
}

/// A value with what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub value: Value,
    pub deadline_ms: Option<i64>,
    /// Seconds of the last access.
    pub accessed: i64,
}

/// All keys, expired ones that nobody has met yet included.
#[derive(Debug)]
pub struct Model {
    pub databases: Vec<BTreeMap<Vec<u8>, Item>>,
    pub db: Db,
    pub now_ms: i64,
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    /// What the transaction under way has changed.
    pub changes: Vec<Change>,
    /// Expired keys that it has read.
    met: Vec<(Db, Vec<u8>)>,
}

impl Model {
    pub fn new(databases: u16) -> Model {
        let databases = (0..databases).map(|_| BTreeMap::new()).collect();
        let changes = Vec::new();
        Model { databases, db: Db(0), now_ms: 0, hits: 0, misses: 0, expired: 0, changes, met: Vec::new() }
    }

    /// The current database.
    pub fn keys(&mut self) -> &mut BTreeMap<Vec<u8>, Item> {
        &mut self.databases[usize::from(self.db.0)]
    }

    /// Keys of the current database that are not expired.
    pub fn live(&self) -> impl Iterator<Item = (&Vec<u8>, &Item)> {
        self.databases[usize::from(self.db.0)].iter().filter(|(_, item)| !self.is_due(item))
    }

    pub fn is_due(&self, item: &Item) -> bool {
        item.deadline_ms.is_some_and(|deadline| deadline <= self.now_ms)
    }

    /// A read that counts.
    pub fn read(&mut self, key: &[u8], is_access: bool) -> Option<Item> {
        let accessed = self.now_ms / 1000;
        let found = self.keys().get(key).cloned();
        if found.as_ref().is_none_or(|item| self.is_due(item)) {
            self.misses += 1;
            if found.is_some() {
                self.met.push((self.db, key.to_vec()));
            }
            return None;
        }
        self.hits += 1;
        let item = self.keys().get_mut(key)?;
        if is_access {
            item.accessed = accessed;
        }
        Some(item.clone())
    }

    /// The item as a write finds it: an expired one goes first.
    pub fn write(&mut self, key: &[u8]) -> Option<&mut Item> {
        let accessed = self.now_ms / 1000;
        let db = self.db;
        self.expire(db, key);
        let item = self.keys().get_mut(key)?;
        item.accessed = accessed;
        Some(item)
    }

    /// Removes a key if its time has come.
    pub fn expire(&mut self, db: Db, key: &[u8]) {
        let Some(item) = self.databases[usize::from(db.0)].get(key) else { return };
        if self.is_due(item) {
            let kind = item.value.kind();
            self.databases[usize::from(db.0)].remove(key);
            self.expired += 1;
            self.changes.push(change(db, key, kind, What::Expired));
        }
    }

    pub fn log(&mut self, key: &[u8], kind: Kind, what: What) {
        self.changes.push(change(self.db, key, kind, what));
    }

    /// Sets a value in the place of whatever is there.
    pub fn set(&mut self, key: &[u8], value: Value, deadline: Deadline) {
        let old = self.write(key).map(|item| item.deadline_ms);
        let what = if old.is_some() { What::Overwritten } else { What::Created };
        let deadline_ms = match deadline {
            Deadline::Keep => old.flatten(),
            Deadline::Never => None,
            Deadline::At(ms) => Some(ms),
        };
        let kind = value.kind();
        let accessed = self.now_ms / 1000;
        self.keys().insert(key.to_vec(), Item { value, deadline_ms, accessed });
        self.log(key, kind, what);
        if matches!(deadline, Deadline::At(_)) {
            self.log(key, kind, What::Deadline);
        }
    }

    /// Gives a key an item of another.
    pub fn put(&mut self, key: &[u8], item: Item) {
        let what = if self.write(key).is_some() { What::Overwritten } else { What::Created };
        let kind = item.value.kind();
        self.keys().insert(key.to_vec(), item);
        self.log(key, kind, what);
    }

    pub fn take(&mut self, key: &[u8]) -> Option<Item> {
        self.write(key)?;
        let item = self.keys().remove(key)?;
        self.log(key, item.value.kind(), What::Removed);
        Some(item)
    }

    /// Changes a collection, which `fresh` makes if there is none; `None` where the key holds another type. What
    /// `change` returns begins with whether it has changed anything.
    pub fn edit<R>(
        &mut self,
        key: &[u8],
        fresh: Option<Value>,
        kind: Kind,
        change: impl FnOnce(&mut Value) -> (bool, R),
    ) -> Option<R> {
        let is_new = self.write(key).is_none();
        if is_new {
            let accessed = self.now_ms / 1000;
            let item = Item { value: fresh?, deadline_ms: None, accessed };
            self.keys().insert(key.to_vec(), item);
        }
        let value = &mut self.keys().get_mut(key)?.value;
        if value.kind() != kind {
            return None;
        }
        let (is_changed, result) = change(value);
        let is_empty = value.is_empty();
        if is_empty {
            self.keys().remove(key);
        }
        match (is_empty, is_new) {
            (true, true) => {}
            (true, false) => {
                self.log(key, kind, What::Modified);
                self.log(key, kind, What::Removed);
            }
            (false, true) => self.log(key, kind, What::Created),
            (false, false) if is_changed => self.log(key, kind, What::Modified),
            (false, false) => {}
        }
        Some(result)
    }

    /// The end of a transaction: what it changed.
    pub fn settle(&mut self) -> Vec<Change> {
        for (db, key) in std::mem::take(&mut self.met) {
            self.expire(db, &key);
        }
        std::mem::take(&mut self.changes)
    }
}

/// A change of which nobody has said who made it or what it is to be told as.
pub fn change(db: Db, key: &[u8], kind: Kind, what: What) -> Change {
    Change { db, key: key.into(), kind, what, cause: 0, notice: Notice::Usual }
}
