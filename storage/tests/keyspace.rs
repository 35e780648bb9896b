//! Random transactions on small keyspaces, each step compared with a model of standard maps (`model`): values,
//! deadlines, access times, counters, the change log, memory. Threads are in `concurrency`, cursors under growth in
//! `scan`.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod model;

use std::collections::{BTreeMap, BTreeSet};

use shardis_storage::types::hash::{Hash, HashContext};
use shardis_storage::types::list::{List, ListLimit};
use shardis_storage::types::packed::{Element, Side};
use shardis_storage::types::set::{Set, SetContext};
use shardis_storage::types::sorted_set::{SortedSet, SortedSetContext};
use shardis_storage::{
    Db, Deadline, EntryRef, ExpiryCycle, Hold, Key, Keyspace, KeyspaceOptions, Kind, Patience, Random, Scope,
    Settled, StringTooLong, Transaction, What, WrongType,
};

use self::model::{Item, Model, Value, change};

const DATABASES: u16 = 3;
const KEYS: u64 = 40;
const STRING_BYTES_MAX: usize = 80_000;
const SEEDS: u64 = 50;
const STEPS: usize = 2_000;
/// Small, so that hashes change to their large form.
const HASH_CONTEXT: HashContext = HashContext { entries_max: 8, value_bytes_max: 64, seed: 3, now_ms: 0 };
/// The same for sets.
const SET_CONTEXT: SetContext = SetContext { ints_max: 8, entries_max: 8, value_bytes_max: 64, seed: 3 };
/// Small again.
const SORTED_SET_CONTEXT: SortedSetContext =
    SortedSetContext { entries_max: 8, member_bytes_max: 64, seed: 3 };

struct World {
    keyspace: Keyspace,
    model: Model,
    random: Random,
    cycle: ExpiryCycle,
}

#[test]
fn keyspace_equals_model() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        let empty_bytes = world.keyspace.totals().memory_bytes;
        let mut steps = 0;
        while steps < STEPS {
            steps += world.transaction();
            if world.random.below(20) == 0 {
                world.check(empty_bytes);
            }
        }
        world.check(empty_bytes);
        world.remove_everything();
        assert_eq!(
            world.keyspace.totals().memory_bytes,
            empty_bytes,
            "seed {seed}: all memory is given back"
        );
    }
}

impl World {
    fn new(seed: u64) -> World {
        let shards = 1 << (seed % 4);
        let keyspace = Keyspace::new(KeyspaceOptions { shards, databases: DATABASES, seed });
        keyspace.interest().raise(1);
        let world = World {
            keyspace,
            model: Model::new(DATABASES),
            random: Random::seeded(seed),
            cycle: ExpiryCycle::default(),
        };
        // The room for the numbered databases, once made, stays; this makes it.
        let mut txn = world.keyspace.begin(Scope::Every, Patience::Wait, Hold::Short, 0).unwrap();
        txn.select(Db(DATABASES - 1));
        let keys: Vec<_> = (0..200).map(|n: u32| n.to_le_bytes()).collect();
        for bytes in &keys {
            txn.set_string(&world.keyspace.key(bytes), b"room", Deadline::Never);
        }
        for bytes in &keys {
            txn.remove(&world.keyspace.key(bytes));
        }
        drop(txn);
        world
    }

    /// Some steps under one scope, and whether the keyspace says and does what the model does.
    fn transaction(&mut self) -> usize {
        let World { keyspace, model, random, cycle } = self;
        if random.below(4) == 0 {
            model.now_ms += random.below(3_000) as i64;
        }
        if random.below(10) == 0 {
            run_cycle(keyspace, model, random, cycle);
            return 1;
        }
        let keys = Keys::random(keyspace, random);
        let hold = if random.below(5) == 0 { Hold::Long } else { Hold::Short };
        let mut txn = keyspace.begin(keys.scope(), Patience::Wait, hold, model.now_ms).unwrap();
        model.db = Db(0);
        let steps = 1 + random.below(12) as usize;
        for _ in 0..steps {
            let mut step = Step { keyspace, txn: &mut txn, model, random, keys: &keys };
            if keys.reach == Reach::Every && step.random.below(6) == 0 {
                step.whole();
            } else {
                step.one();
            }
        }
        let settled = txn.settle();
        assert_eq!(settled.changes, model.settle());
        steps
    }

    fn check(&mut self, empty_bytes: usize) {
        let World { keyspace, model, .. } = self;
        keyspace.check_invariants();
        let totals = keyspace.totals();
        assert_eq!((totals.hits, totals.misses, totals.expired), (model.hits, model.misses, model.expired));
        let mut weight_bytes = 0;
        // At the beginning of time nothing is expired.
        let mut view = keyspace.begin(Scope::Every, Patience::Wait, Hold::Short, i64::MIN).unwrap();
        for (db, (keys, sizes)) in model.databases.iter().zip(&totals.databases).enumerate() {
            view.select(Db(db as u16));
            let mut seen = 0;
            view.for_each_key(&mut |key, entry| {
                assert_eq!(read(entry), (keys[key].value.clone(), keys[key].deadline_ms));
                weight_bytes += entry.memory_bytes();
                seen += 1;
            });
            let deadlines = keys.values().filter(|item| item.deadline_ms.is_some()).count();
            assert_eq!((seen, sizes.keys, sizes.deadlines), (keys.len(), keys.len(), deadlines));
            assert_eq!(view.len(), keys.len());
        }
        assert_eq!(totals.memory_bytes, empty_bytes + totals.table_bytes + weight_bytes);
    }

    fn remove_everything(&mut self) {
        let mut txn = self.keyspace.begin(Scope::Every, Patience::Wait, Hold::Short, i64::MIN).unwrap();
        for (db, keys) in self.model.databases.iter().enumerate() {
            txn.select(Db(db as u16));
            for key in keys.keys() {
                assert!(txn.remove(&self.keyspace.key(key)));
            }
        }
    }
}

/// One step of the expiry cycle, or a whole round.
fn run_cycle(keyspace: &Keyspace, model: &mut Model, random: &mut Random, cycle: &mut ExpiryCycle) {
    let is_whole = random.below(3) == 0;
    if is_whole {
        *cycle = ExpiryCycle::default();
    }
    loop {
        let step = cycle.step(keyspace, model.now_ms, 1 + random.below(8) as usize);
        assert_eq!(step.expired, step.settled.changes.len());
        for change in &step.settled.changes {
            assert_eq!(change.db, step.db);
            model.expire(change.db, &change.key);
        }
        assert_eq!(step.settled.changes, model.settle());
        if step.is_round || !is_whole {
            break;
        }
    }
    if is_whole {
        assert!(model.databases.iter().flat_map(BTreeMap::values).all(|item| !model.is_due(item)));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    One,
    Several,
    Every,
    Discovered,
}

/// The keys that a transaction may touch, and its shards.
struct Keys {
    reach: Reach,
    shards: Vec<usize>,
    names: Vec<Vec<u8>>,
}

impl Keys {
    fn random(keyspace: &Keyspace, random: &mut Random) -> Keys {
        let reach = [Reach::One, Reach::Several, Reach::Every, Reach::Discovered][random.below(4) as usize];
        let all = (0..KEYS).map(|n| match n % 8 {
            // One key in eight has its length outside the header.
            0 => format!("{n:05000}").into_bytes(),
            _ => format!("key:{n}").into_bytes(),
        });
        let mut shards: Vec<usize> = match reach {
            Reach::One => vec![random.below(keyspace.shards() as u64) as usize],
            Reach::Several => (0..3).map(|_| random.below(keyspace.shards() as u64) as usize).collect(),
            Reach::Every | Reach::Discovered => (0..keyspace.shards()).collect(),
        };
        shards.sort_unstable();
        shards.dedup();
        let names = all.filter(|name| shards.contains(&keyspace.shard_of(keyspace.hash(name)))).collect();
        Keys { reach, shards, names }
    }

    fn scope(&self) -> Scope<'_> {
        match self.reach {
            Reach::One => Scope::One(self.shards[0]),
            Reach::Several => Scope::Several(&self.shards),
            Reach::Every => Scope::Every,
            Reach::Discovered => Scope::Discovered,
        }
    }
}

/// One operation on both sides.
struct Step<'s, 'k> {
    keyspace: &'k Keyspace,
    txn: &'s mut Transaction<'k>,
    model: &'s mut Model,
    random: &'s mut Random,
    keys: &'s Keys,
}

impl Step<'_, '_> {
    fn one(&mut self) {
        let Some((name, other)) = self.name().zip(self.name()) else { return };
        let (key, other_key) = (self.keyspace.key(&name), self.keyspace.key(&other));
        match self.random.below(26) {
            0 => {
                let db = Db(self.random.below(DATABASES.into()) as u16);
                self.txn.select(db);
                self.model.db = db;
                assert_eq!(self.txn.db(), db);
            }
            1..=3 => self.read(&key),
            4 => {
                let (value, deadline) = (self.text(), self.deadline());
                self.txn.set_string(&key, &value, deadline);
                self.model.set(&name, Value::String(value), deadline);
            }
            5 => {
                let (value, deadline) = (self.text(), self.deadline());
                self.txn.set_raw_string(&key, &value, deadline);
                self.model.set(&name, Value::String(value), deadline);
            }
            6 => {
                let value = self.random.u64() as i64;
                self.txn.set_integer(&key, value);
                self.model.set(&name, Value::String(value.to_string().into_bytes()), Deadline::Keep);
            }
            7 => self.append(&key),
            8 => self.write_range(&key),
            9 => assert_eq!(self.txn.remove(&key), self.model.take(&name).is_some()),
            10 => {
                let (moved, item) = (self.txn.take(&key), self.model.take(&name));
                assert_eq!(moved.is_some(), item.is_some());
                if let Some((moved, item)) = moved.zip(item) {
                    self.txn.put(&other_key, moved);
                    self.model.put(&other, item);
                }
            }
            11 => {
                let (copy, item) = (self.txn.duplicate(&key), self.model.write(&name).cloned());
                assert_eq!(copy.is_some(), item.is_some());
                if let Some((copy, item)) = copy.zip(item) {
                    self.txn.put(&other_key, copy);
                    self.model.put(&other, item);
                }
            }
            12 => {
                let deadline_ms = match self.deadline() {
                    Deadline::At(ms) => Some(ms),
                    Deadline::Keep | Deadline::Never => None,
                };
                let found = self.model.write(&name).map(|item| {
                    item.deadline_ms = deadline_ms;
                    item.value.kind()
                });
                assert_eq!(self.txn.set_deadline(&key, deadline_ms), found.is_some());
                if let Some(kind) = found {
                    let what = if deadline_ms.is_some() { What::Deadline } else { What::DeadlineLost };
                    self.model.log(&name, kind, what);
                }
            }
            13 => self.change_bytes(&key),
            _ => self.collection(&name, &key),
        }
    }

    /// What changes one collection.
    fn collection(&mut self, name: &[u8], key: &Key<'_>) {
        match self.random.below(12) {
            0..=1 => self.push(key),
            2 => self.pop(key),
            3 => self.set_score(key),
            4 => self.remove_scored(key),
            5 => {
                let (set, members) = self.sorted_set();
                self.txn.set_collection(key, set);
                self.model.set(name, Value::SortedSet(members), Deadline::Never);
            }
            6..=7 => self.add_members(key),
            8 => self.remove_members(key),
            9 => {
                let members: BTreeSet<_> = (0..1 + self.random.below(4)).map(|_| self.text()).collect();
                self.txn.set_collection(key, set_of(&members));
                self.model.set(name, Value::Set(members), Deadline::Never);
            }
            10 => self.set_field(key),
            _ => self.remove_fields(key),
        }
    }

    /// What needs every shard.
    fn whole(&mut self) {
        let db = Db(self.random.below(DATABASES.into()) as u16);
        match self.random.below(8) {
            0 => {
                let expected: usize = self.model.databases[usize::from(db.0)].len();
                assert_eq!(self.txn.flush(Some(db)).keys(), expected);
                self.flushed(db);
            }
            1 if self.random.below(4) == 0 => {
                let expected: usize = self.model.databases.iter().map(BTreeMap::len).sum();
                assert_eq!(self.txn.flush(None).keys(), expected);
                (0..DATABASES).for_each(|db| self.flushed(Db(db)));
            }
            2 => {
                let other = Db(self.random.below(DATABASES.into()) as u16);
                self.txn.swap(db, other);
                if db != other {
                    self.model.databases.swap(db.0.into(), other.0.into());
                    for db in [db, other] {
                        self.model.changes.push(change(db, b"", Kind::String, What::Swapped));
                    }
                }
            }
            3..=5 => self.random_key(),
            _ => {
                let mut seen = BTreeMap::new();
                self.txn.for_each_key(&mut |key, entry| {
                    assert!(seen.insert(key.to_vec(), read(entry)).is_none());
                });
                let live = self.model.live().map(|(key, item)| (key.clone(), parts(item)));
                assert_eq!(seen, live.collect());
            }
        }
    }

    fn flushed(&mut self, db: Db) {
        self.model.databases[usize::from(db.0)].clear();
        self.model.changes.push(change(db, b"", Kind::String, What::Flushed));
    }

    /// Which key it is, and which expired ones it meets on the way, is up to chance; what it may do is not.
    fn random_key(&mut self) {
        let found = self.txn.random_key(self.random, usize::MAX).unwrap();
        let Settled { changes, .. } = self.txn.settle();
        let earlier = self.model.settle();
        assert_eq!(changes[..earlier.len()], earlier);
        for change in &changes[earlier.len()..] {
            self.model.expire(change.db, &change.key);
        }
        assert_eq!(changes[earlier.len()..], self.model.settle());
        match found {
            Some(key) => assert!(self.model.live().any(|(live, _)| *live == key)),
            None => assert_eq!(self.model.live().count(), 0),
        }
    }

    fn read(&mut self, key: &Key<'_>) {
        let now_ms = self.model.now_ms;
        let way = self.random.below(3);
        // Only what is locked already can be inspected; a lookup locks.
        let way = if self.keys.reach == Reach::Discovered { way % 2 } else { way };
        let expected = match way {
            0 | 1 => self.model.read(key.bytes(), way == 0),
            _ => self.model.live().find(|(name, _)| *name == key.bytes()).map(|(_, item)| item.clone()),
        };
        let found = match way {
            0 => self.txn.lookup(key),
            1 => self.txn.peek(key),
            _ => self.txn.inspect(key),
        };
        let idle_ms = expected.as_ref().map(|item| (now_ms / 1000 - item.accessed) * 1000);
        assert_eq!(found.map(|entry| entry.idle_ms()), idle_ms);
        assert_eq!(found.map(read), expected.as_ref().map(parts));
    }

    fn append(&mut self, key: &Key<'_>) {
        let tail = self.text();
        let expected = self.string(key).map(|found| {
            let is_new = found.is_none();
            let string = [found.unwrap_or_default(), tail.clone()].concat();
            let len = string.len();
            if !is_new && len > STRING_BYTES_MAX {
                return Err(StringTooLong);
            }
            self.grow(key, string, is_new);
            Ok(len)
        });
        assert_eq!(self.txn.append(key, &tail, STRING_BYTES_MAX), expected);
    }

    fn write_range(&mut self, key: &Key<'_>) {
        let (bytes, offset) = (self.text(), self.random.below(3_000) as usize);
        let Ok(mut string) = self.string(key) else {
            assert_eq!(self.txn.write_range(key, offset, &bytes, STRING_BYTES_MAX), Err(WrongType));
            return;
        };
        let len = string.as_ref().map_or(0, Vec::len);
        let end = offset + bytes.len();
        let result = self.txn.write_range(key, offset, &bytes, STRING_BYTES_MAX).unwrap();
        if bytes.is_empty() {
            assert_eq!(result, Ok(len));
        } else if end > STRING_BYTES_MAX {
            assert_eq!(result, Err(StringTooLong));
        } else {
            assert_eq!(result, Ok(len.max(end)));
            let is_new = string.is_none();
            let mut string = string.take().unwrap_or_default();
            string.resize(len.max(end), 0);
            string[offset..end].copy_from_slice(&bytes);
            self.grow(key, string, is_new);
        }
    }

    /// Inverts a part of a string, which may lie behind its end; now and then that is not told as a change.
    fn change_bytes(&mut self, key: &Key<'_>) {
        let reach = if self.random.below(2) == 0 { 60 } else { 3_000 };
        let (len_min, start) = (self.random.below(reach) as usize, self.random.below(reach) as usize);
        let (part, is_told) = (start..start + self.random.below(100) as usize, self.random.below(4) > 0);
        let Ok(string) = self.string(key) else {
            assert_eq!(self.txn.change_bytes(key, len_min, part, |_, _| (true, ())), Err(WrongType));
            return;
        };
        let old_len = string.as_ref().map(Vec::len);
        let mut expected = string.unwrap_or_default();
        expected.resize(expected.len().max(len_min), 0);
        let within = start.min(expected.len())..part.end.min(expected.len());
        let changed = &mut expected[within];
        let found = self.txn.change_bytes(key, len_min, part, |bytes, len| {
            assert_eq!((&*bytes, len), (&*changed, old_len));
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
            (is_told, bytes.to_vec())
        });
        changed.iter_mut().for_each(|byte| *byte = !*byte);
        assert_eq!(found.as_deref(), Ok(&*changed));
        let logged = self.model.changes.len();
        self.grow(key, expected, old_len.is_none());
        if !is_told {
            self.model.changes.truncate(logged);
        }
    }

    /// The string that a write finds, if there is one.
    fn string(&mut self, key: &Key<'_>) -> Result<Option<Vec<u8>>, WrongType> {
        match self.model.write(key.bytes()).map(|item| &item.value) {
            None => Ok(None),
            Some(Value::String(string)) => Ok(Some(string.clone())),
            Some(_) => Err(WrongType),
        }
    }

    /// What a string has become that was changed in place, or made if there was none.
    fn grow(&mut self, key: &Key<'_>, string: Vec<u8>, is_new: bool) {
        if is_new {
            self.model.set(key.bytes(), Value::String(string), Deadline::Never);
        } else if let Some(item) = self.model.write(key.bytes()) {
            item.value = Value::String(string);
            self.model.log(key.bytes(), Kind::String, What::Modified);
        }
    }

    /// Pushes up to three elements; none leaves no trace.
    fn push(&mut self, key: &Key<'_>) {
        let elements: Vec<_> = (0..self.random.below(4)).map(|_| self.text()).collect();
        let expected = self.model.edit(key.bytes(), Some(Value::List([].into())), Kind::List, |value| {
            let Value::List(list) = value else { unreachable!() };
            list.extend(elements.iter().cloned());
            (!elements.is_empty(), ())
        });
        match self.txn.upsert::<List>(key) {
            Ok(mut list) => {
                let elements = elements.iter().map(|element| Element::from(&element[..]));
                let is_changed = elements.len() > 0;
                list.change(|list| (is_changed, list.push(Side::Back, elements, ListLimit::default())));
                list.check_invariants();
            }
            Err(WrongType) => assert_eq!(expected, None),
        }
    }

    fn pop(&mut self, key: &Key<'_>) {
        let expected = self.model.edit(key.bytes(), None, Kind::List, |value| {
            let Value::List(list) = value else { unreachable!() };
            (true, list.pop_front())
        });
        let popped = match self.txn.edit::<List>(key) {
            Ok(Some(mut list)) => {
                let pop = |list: &mut List| {
                    list.pop_with(Side::Front, ListLimit::default(), |element| element.to_vec())
                };
                Some(list.change(|list| (true, pop(list))))
            }
            Ok(None) | Err(WrongType) => None,
        };
        assert_eq!(popped, expected);
    }

    fn set_score(&mut self, key: &Key<'_>) {
        let (member, score) = (self.field(), self.random.below(5) as i64);
        let fresh = Value::SortedSet(BTreeMap::new());
        let expected = self.model.edit(key.bytes(), Some(fresh), Kind::SortedSet, |item| {
            let Value::SortedSet(set) = item else { unreachable!() };
            (true, set.insert(member.clone(), score).map(|old| old as f64))
        });
        let old = self
            .txn
            .upsert::<SortedSet>(key)
            .map(|mut set| set.change(|set| (true, set.set(&member, score as f64, &SORTED_SET_CONTEXT))));
        assert_eq!(old.ok(), expected);
    }

    fn remove_scored(&mut self, key: &Key<'_>) {
        let members: Vec<_> = (0..6).map(|_| self.field()).collect();
        let expected = self.model.edit(key.bytes(), None, Kind::SortedSet, |value| {
            let Value::SortedSet(set) = value else { unreachable!() };
            let removed = members.iter().filter(|member| set.remove(*member).is_some()).count();
            (removed > 0, removed)
        });
        let removed = match self.txn.edit::<SortedSet>(key) {
            Ok(Some(mut set)) => {
                let removed = set.change(|set| {
                    let removed = members.iter().filter(|member| set.remove(member).is_some()).count();
                    (removed > 0, removed)
                });
                set.check_invariants();
                Some(removed)
            }
            Ok(None) | Err(WrongType) => None,
        };
        assert_eq!(removed, expected);
    }

    /// One of a few members, and what it should be.
    fn sorted_set(&mut self) -> (SortedSet, BTreeMap<Vec<u8>, i64>) {
        let (mut set, mut members) = (SortedSet::new(), BTreeMap::new());
        for score in 0..=self.random.below(12) as i64 {
            let member = self.field();
            set.set(&member, score as f64, &SORTED_SET_CONTEXT);
            members.insert(member, score);
        }
        (set, members)
    }

    fn set_field(&mut self, key: &Key<'_>) {
        let (field, value) = (self.field(), self.text());
        let expected = self.model.edit(key.bytes(), Some(Value::Hash(BTreeMap::new())), Kind::Hash, |item| {
            let Value::Hash(hash) = item else { unreachable!() };
            (true, hash.insert(field.clone(), value.clone()).is_none())
        });
        let is_new = self
            .txn
            .upsert::<Hash>(key)
            .map(|mut hash| hash.change(|hash| (true, hash.set(&field, &value, &HASH_CONTEXT))));
        assert_eq!(is_new.ok(), expected);
    }

    fn remove_fields(&mut self, key: &Key<'_>) {
        let fields: Vec<_> = (0..6).map(|_| self.field()).collect();
        let expected = self.model.edit(key.bytes(), None, Kind::Hash, |value| {
            let Value::Hash(hash) = value else { unreachable!() };
            let removed = fields.iter().filter(|field| hash.remove(*field).is_some()).count();
            (removed > 0, removed)
        });
        let removed = match self.txn.edit::<Hash>(key) {
            Ok(Some(mut hash)) => {
                let removed = hash.change(|hash| {
                    let removed = fields.iter().filter(|field| hash.remove(field, 0)).count();
                    (removed > 0, removed)
                });
                hash.check_invariants();
                Some(removed)
            }
            Ok(None) | Err(WrongType) => None,
        };
        assert_eq!(removed, expected);
    }

    /// Adds up to three members; none leaves no trace.
    fn add_members(&mut self, key: &Key<'_>) {
        let members: Vec<_> = (0..self.random.below(4)).map(|_| self.field()).collect();
        let expected = self.model.edit(key.bytes(), Some(Value::Set(BTreeSet::new())), Kind::Set, |value| {
            let Value::Set(set) = value else { unreachable!() };
            let added = members.iter().filter(|member| set.insert(member.to_vec())).count();
            (added > 0, added)
        });
        let added = self.txn.upsert::<Set>(key).map(|mut set| {
            set.change(|set| {
                let is_new = |member: &&Vec<u8>| set.add(member.as_slice().into(), &SET_CONTEXT);
                let added = members.iter().filter(is_new).count();
                (added > 0, added)
            })
        });
        assert_eq!(added.ok(), expected);
    }

    fn remove_members(&mut self, key: &Key<'_>) {
        let members: Vec<_> = (0..6).map(|_| self.field()).collect();
        let expected = self.model.edit(key.bytes(), None, Kind::Set, |value| {
            let Value::Set(set) = value else { unreachable!() };
            let removed = members.iter().filter(|member| set.remove(*member)).count();
            (removed > 0, removed)
        });
        let removed = match self.txn.edit::<Set>(key) {
            Ok(Some(mut set)) => {
                let removed = set.change(|set| {
                    let removed =
                        members.iter().filter(|member| set.remove(member.as_slice().into())).count();
                    (removed > 0, removed)
                });
                set.check_invariants();
                Some(removed)
            }
            Ok(None) | Err(WrongType) => None,
        };
        assert_eq!(removed, expected);
    }

    fn name(&mut self) -> Option<Vec<u8>> {
        let names = &self.keys.names;
        (!names.is_empty()).then(|| names[self.random.below(names.len() as u64) as usize].clone())
    }

    fn field(&mut self) -> Vec<u8> {
        format!("field:{}", self.random.below(14)).into_bytes()
    }

    /// Strings on both sides of every limit between the forms.
    fn text(&mut self) -> Vec<u8> {
        let random = &mut *self.random;
        let len = match random.below(40) {
            0 => 70_000,
            1..=3 => 1_016 + random.below(16),
            4..=5 => random.below(5_000),
            6..=20 => random.below(60),
            _ => return (random.u64() as i64 >> random.below(64)).to_string().into_bytes(),
        };
        (0..len).map(|_| b'a' + random.below(26) as u8).collect()
    }

    fn deadline(&mut self) -> Deadline {
        match self.random.below(6) {
            0..=1 => Deadline::Keep,
            2 => Deadline::Never,
            // Beyond what six bytes hold.
            3 => Deadline::At(i64::MAX - self.random.below(10) as i64),
            _ => Deadline::At(self.model.now_ms + self.random.below(20_000) as i64),
        }
    }
}

fn set_of(members: &BTreeSet<Vec<u8>>) -> Set {
    let mut set = Set::new();
    members.iter().for_each(|member| assert!(set.add(member.as_slice().into(), &SET_CONTEXT)));
    set
}

/// Value and deadline of an entry.
fn read(entry: EntryRef<'_>) -> (Value, Option<i64>) {
    let value = match entry.kind() {
        Kind::String => Value::String(entry.string().unwrap().to_vec()),
        Kind::List => Value::List(entry.object::<List>().unwrap().iter().map(|item| item.to_vec()).collect()),
        Kind::Set => {
            Value::Set(entry.object::<Set>().unwrap().iter().map(|member| member.to_vec()).collect())
        }
        Kind::SortedSet => {
            let pairs = entry.object::<SortedSet>().unwrap().iter();
            Value::SortedSet(pairs.map(|(member, score)| (member.to_vec(), score as i64)).collect())
        }
        Kind::Hash => {
            let pairs = entry.object::<Hash>().unwrap().iter(0);
            Value::Hash(pairs.map(|(field, value)| (field.to_vec(), value.to_vec())).collect())
        }
        Kind::Stream | Kind::Lock | Kind::Semaphore | Kind::Latch | Kind::Job => {
            unreachable!("the model makes none")
        }
    };
    (value, entry.deadline_ms())
}

fn parts(item: &Item) -> (Value, Option<i64>) {
    (item.value.clone(), item.deadline_ms)
}
