//! Cuts against what was there: random writes of every kind come between the steps of visitors, and what was visited and
//! what was fed together must be what a look at the whole keyspace had found at the moment of the cut, each key once and with
//! its value of then. Threads are in the tests of `keyspace::cut`.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use shardis_storage::types::hash::{Hash, HashContext};
use shardis_storage::types::list::{List, ListLimit};
use shardis_storage::types::packed::{Element, Side};
use shardis_storage::types::set::{Set, SetContext};
use shardis_storage::types::sorted_set::{SortedSet, SortedSetContext};
use shardis_storage::{
    CUTS_MAX, Cover, Cut, CutRefusal, Db, Deadline, Detached, EntryRef, Eviction, ExpiryCycle, Feed,
    Frontier, Hand, Hold, Key, Keyspace, KeyspaceOptions, Kind, Patience, Random, Rank, Scope, Transaction,
};

const DATABASES: u16 = 3;
const NAMES: u64 = 60;
const GUESTS_MAX: u64 = 3_000;
const SEEDS: u64 = 40;
const STEPS: usize = 1_500;
const STRING_BYTES_MAX: usize = 80_000;
const SET_CONTEXT: SetContext = SetContext { ints_max: 8, entries_max: 8, value_bytes_max: 64, seed: 3 };
const SORTED_SET_CONTEXT: SortedSetContext =
    SortedSetContext { entries_max: 8, member_bytes_max: 64, seed: 3 };

/// Keys with all that can be told of what they hold.
type Rows = BTreeMap<Vec<u8>, String>;

/// What a cut was fed with.
#[derive(Default)]
struct Sink(Mutex<Rows>);

impl Feed for Sink {
    fn feed(&self, _shard: usize, key: &[u8], entry: EntryRef<'_>) {
        assert!(self.0.lock().unwrap().insert(key.to_vec(), render(entry)).is_none(), "fed twice");
    }
}

struct OpenCut {
    cut: Cut,
    sink: Arc<Sink>,
    /// What there was.
    expected: Rows,
    visited: Rows,
    /// Shards in which the visit is not over.
    left: Vec<usize>,
    /// The keys that it is about, if it is about some, without those that the visitor has ended.
    keys: Option<BTreeSet<Vec<u8>>>,
}

struct World {
    keyspace: Keyspace,
    random: Random,
    now_ms: i64,
    cuts: Vec<OpenCut>,
    cycle: ExpiryCycle,
    hand: Hand,
    guests: u64,
    detached: Vec<Detached>,
    checked: usize,
}

#[test]
fn what_is_visited_and_what_is_fed_are_what_was_there() {
    let mut checked = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            match world.random.below(10) {
                0 if world.cuts.len() < 4 => world.open(),
                0..=2 => world.visit(),
                3 if world.random.below(40) == 0 => world.abandon(),
                _ => world.transaction(),
            }
        }
        while !world.cuts.is_empty() {
            world.visit();
        }
        world.keyspace.check_invariants();
        checked += world.checked;
    }
    assert!(checked > 2 * SEEDS as usize, "{checked} cuts were compared");
}

#[test]
fn so_many_cuts_may_be_open_and_no_more() {
    let keyspace = Keyspace::new(KeyspaceOptions { shards: 2, databases: 1, seed: 1 });
    let open = || keyspace.open_cut(Db(0), Cover::Every, Arc::new(Sink::default()), Patience::Short, 0);
    let mut cuts: Vec<_> = (0..CUTS_MAX).map(|_| open().unwrap()).collect();
    assert_eq!(open().unwrap_err(), CutRefusal::TooMany);
    cuts.pop();
    assert!(open().is_ok());
}

#[test]
fn opening_does_not_wait_for_a_long_holder_of_undeclared_keys_nor_is_stopped_by_others() {
    let keyspace = Keyspace::new(KeyspaceOptions { shards: 2, databases: 1, seed: 1 });
    let open = || keyspace.open_cut(Db(0), Cover::Every, Arc::new(Sink::default()), Patience::Short, 0);
    let holder = keyspace.begin(Scope::Discovered, Patience::Wait, Hold::Long, 0).unwrap();
    assert_eq!(open().unwrap_err(), CutRefusal::Contended);
    drop(holder);
    for scope in [Scope::Every, Scope::One(0), Scope::Several(&[0, 1])] {
        let holder = keyspace.begin(scope, Patience::Wait, Hold::Long, 0).unwrap();
        assert!(open().is_ok(), "{scope:?}");
        drop(holder);
    }
}

/// What is under way when a cut is opened is before it as a whole: what it changes from then on belongs to the cut. So it is too
/// if it is after another cut, which it feeds.
#[test]
fn a_transaction_under_way_is_before_the_cut() {
    for follows_another in [false, true] {
        let keyspace = Keyspace::new(KeyspaceOptions { shards: 2, databases: 1, seed: 1 });
        let (key, later) = (keyspace.key(b"key"), keyspace.key(b"later"));
        let open = |sink: &Arc<Sink>| {
            let feed = Arc::clone(sink) as Arc<dyn Feed>;
            keyspace.open_cut(Db(0), Cover::Every, feed, Patience::Short, 0).unwrap()
        };
        let (sink, earlier_sink) = (Arc::new(Sink::default()), Arc::new(Sink::default()));
        keyspace.begin(Scope::Every, Patience::Wait, Hold::Short, 0).unwrap().set_integer(&key, 1);
        let _earlier = follows_another.then(|| open(&earlier_sink));
        let mut txn = keyspace.begin(Scope::Every, Patience::Wait, Hold::Short, 0).unwrap();
        let cut = open(&sink);
        // Listeners that come meanwhile are heard, and make no difference to that.
        txn.listen_again();
        txn.set_integer(&key, 2);
        txn.set_integer(&later, 3);
        drop(txn);
        assert!(sink.0.lock().unwrap().is_empty());
        assert_eq!(earlier_sink.0.lock().unwrap().len(), usize::from(follows_another));
        let mut rows = Rows::new();
        for shard in 0..2 {
            let mut visit = keyspace.visit_cut(&cut, shard, Patience::Wait, 0).unwrap();
            let mut row =
                |key: &[u8], entry: EntryRef<'_>| rows.insert(key.to_vec(), render(entry)).is_none();
            while visit.step(|_, _| true, &mut row) < Frontier::END {}
        }
        assert_eq!(rows.keys().map(Vec::as_slice).collect::<Vec<_>>(), [&b"key"[..], b"later"]);
        assert!(rows[&b"key"[..]].contains("[50]"), "{rows:?}");
    }
}

/// What was flushed counts as long as a cut goes on in it, once however many cuts do, and so do the keys that are done.
#[test]
fn what_cuts_keep_counts_as_memory() {
    let keyspace = Keyspace::new(KeyspaceOptions { shards: 4, databases: 3, seed: 1 });
    let open =
        || keyspace.open_cut(Db(0), Cover::Every, Arc::new(Sink::default()), Patience::Wait, 0).unwrap();
    let write = |change: &dyn Fn(&mut Transaction<'_>)| {
        change(&mut keyspace.begin(Scope::Every, Patience::Wait, Hold::Short, 0).unwrap());
    };
    let bytes = || keyspace.totals().memory_bytes;
    drop((open(), open()));
    let empty = bytes();
    let names: Vec<_> = (0..2_000).map(|n| format!("key:{n}").into_bytes()).collect();
    let fill = |txn: &mut Transaction<'_>| {
        names.iter().for_each(|name| txn.set_string(&keyspace.key(name), &[b'v'; 100], Deadline::Never));
    };
    write(&fill);
    let full = bytes();
    let cuts = (open(), open());
    assert_eq!(bytes(), full, "an untouched cut takes no more than those before it");
    write(&|txn| drop(txn.flush(None)));
    assert_eq!(bytes(), full, "what both go on in counts once");
    write(&fill);
    assert_eq!(bytes(), 2 * full - empty, "new keys are none of their business");
    drop(cuts);
    assert_eq!(bytes(), full);
    let cut = open();
    write(&fill);
    assert!(bytes() > full, "the names of those that are done count");
    drop(cut);
    assert_eq!(bytes(), full);
    write(&|txn| drop(txn.flush(None)));
    assert_eq!(bytes(), empty);
}

impl World {
    fn new(seed: u64) -> World {
        let shards = 1 << (seed % 4);
        World {
            keyspace: Keyspace::new(KeyspaceOptions { shards, databases: DATABASES, seed }),
            random: Random::seeded(seed),
            now_ms: 1_000_000,
            cuts: Vec::new(),
            cycle: ExpiryCycle::default(),
            hand: Hand::default(),
            guests: 0,
            detached: Vec::new(),
            checked: 0,
        }
    }

    fn open(&mut self) {
        let db = self.db();
        let shards: Vec<usize> = (0..self.keyspace.shards()).collect();
        let names: Vec<Vec<u8>> = (0..1 + self.random.below(12)).map(|_| self.name()).collect();
        let some: Vec<usize> = shards.iter().copied().filter(|_| self.random.below(2) == 0).collect();
        let sink = Arc::new(Sink::default());
        let feed = Arc::clone(&sink) as Arc<dyn Feed>;
        let keys: Vec<Key<'_>> = names.iter().map(|name| self.keyspace.key(name)).collect();
        let (cover, keys) = match self.random.below(4) {
            0 => (Cover::Keys(&keys), Some(names.iter().cloned().collect::<BTreeSet<_>>())),
            1 => (Cover::Shards(&some), None),
            _ => (Cover::Every, None),
        };
        let expected = self.rows(db, |key| match cover {
            Cover::Every => true,
            Cover::Shards(shards) => shards.contains(&self.keyspace.shard_of(self.keyspace.hash(key))),
            Cover::Keys(_) => names.iter().any(|name| name == key),
        });
        let cut = self.keyspace.open_cut(db, cover, feed, Patience::Short, self.now_ms).unwrap();
        let left = cut.shards().to_vec();
        self.cuts.push(OpenCut { cut, sink, expected, visited: Rows::new(), left, keys });
    }

    /// What is alive in a database now.
    fn rows(&self, db: Db, wants: impl Fn(&[u8]) -> bool) -> Rows {
        let mut rows = Rows::new();
        let mut view = self.keyspace.begin(Scope::Every, Patience::Wait, Hold::Short, self.now_ms).unwrap();
        view.select(db);
        view.for_each_key(&mut |key, entry| {
            if wants(key) {
                rows.insert(key.to_vec(), render(entry));
            }
        });
        rows
    }

    /// A step of the visitor of some cut; when it has seen everything, the cut is compared.
    fn visit(&mut self) {
        if self.cuts.is_empty() {
            return;
        }
        let at = self.random.below(self.cuts.len() as u64) as usize;
        let open = &mut self.cuts[at];
        if !open.left.is_empty() {
            let at = self.random.below(open.left.len() as u64) as usize;
            if open.visit(&self.keyspace, open.left[at], &mut self.random, self.now_ms) {
                open.left.swap_remove(at);
            }
        } else if self.random.below(4) == 0 {
            // Not always at once, so that what is written after the end is seen to be nobody's business.
            let open = self.cuts.swap_remove(at);
            let mut found = open.sink.0.lock().unwrap().clone();
            for (key, row) in open.visited {
                assert!(found.insert(key, row).is_none(), "fed and visited");
            }
            assert_eq!(found, open.expected);
            self.checked += 1;
        }
    }

    fn abandon(&mut self) {
        self.cuts.pop();
    }

    fn transaction(&mut self) {
        if self.random.below(4) == 0 {
            self.now_ms += self.random.below(2_000) as i64;
        }
        match self.random.below(60) {
            0..=2 => drop(self.cycle.step(&self.keyspace, self.now_ms, 1 + self.random.below(8) as usize)),
            3..=5 => {
                let rank = [Rank::Idle, Rank::Soonest, Rank::Chance][self.random.below(3) as usize];
                let eviction = Eviction { rank, only_mortal: false, samples: 3 };
                drop(self.keyspace.evict(eviction, &mut self.hand, &mut self.random, self.now_ms));
            }
            6 => self.guests(),
            7 if self.random.below(3) == 0 => self.whole(),
            _ => self.keys(),
        }
        self.detached.drain(..self.random.below(1 + self.detached.len() as u64) as usize);
    }

    /// Many keys come or go, so that tables grow and shrink.
    fn guests(&mut self) {
        let db = self.db();
        let count = self.random.below(GUESTS_MAX);
        let mut txn = self.keyspace.begin(Scope::Every, Patience::Wait, Hold::Short, self.now_ms).unwrap();
        txn.select(db);
        let numbers = if self.random.below(2) == 0 {
            self.guests += count;
            self.guests - count..self.guests
        } else {
            self.guests.saturating_sub(2 * count)..self.guests
        };
        let is_arrival = self.random.below(2) == 0;
        for number in numbers {
            let name = format!("guest:{number}");
            let key = self.keyspace.key(name.as_bytes());
            if is_arrival {
                txn.set_integer(&key, number as i64);
            } else {
                txn.remove(&key);
            }
        }
    }

    fn whole(&mut self) {
        let (db, other) = (self.db(), self.db());
        let scope = if self.random.below(2) == 0 { Scope::Every } else { Scope::Discovered };
        let mut txn = self.keyspace.begin(scope, Patience::Wait, Hold::Short, self.now_ms).unwrap();
        match self.random.below(4) {
            0 => self.detached.push(txn.flush(Some(db))),
            1 => self.detached.push(txn.flush(None)),
            _ => txn.swap(db, other),
        }
    }

    /// A transaction that writes to a few keys.
    fn keys(&mut self) {
        let (name, other) = (self.name(), self.name());
        let (key, other) = (self.keyspace.key(&name), self.keyspace.key(&other));
        let (db, other_db) = (self.db(), self.db());
        let mut shards = [self.keyspace.shard_of(key.hash()), self.keyspace.shard_of(other.hash())];
        shards.sort_unstable();
        let is_one = shards[0] == shards[1];
        let scope = match self.random.below(4) {
            0..=1 if is_one => Scope::One(shards[0]),
            0 => Scope::Every,
            1 => Scope::Discovered,
            _ => Scope::Several(if is_one { &shards[..1] } else { &shards }),
        };
        let mut txn = self.keyspace.begin(scope, Patience::Wait, Hold::Short, self.now_ms).unwrap();
        txn.select(db);
        let mut write = Write { txn: &mut txn, random: &mut self.random, now_ms: self.now_ms };
        for _ in 0..1 + write.random.below(3) {
            match write.random.below(4) {
                0 => write.string(&key),
                1 => write.key(&key, &other, other_db),
                2 => write.collection(&key),
                _ => write.hash(&key),
            }
        }
        drop(txn.settle());
    }

    fn db(&mut self) -> Db {
        Db(self.random.below(DATABASES.into()) as u16)
    }

    fn name(&mut self) -> Vec<u8> {
        format!("key:{}", self.random.below(NAMES)).into_bytes()
    }
}

impl OpenCut {
    /// One visit to a shard; whether it is over there.
    fn visit(&mut self, keyspace: &Keyspace, shard: usize, random: &mut Random, now_ms: i64) -> bool {
        let mut visit = keyspace.visit_cut(&self.cut, shard, Patience::Wait, now_ms).unwrap();
        let Some(keys) = &mut self.keys else {
            let is_picky = random.below(2) == 0;
            let reached = visit.step(
                |_, _| true,
                |key, entry| {
                    assert!(self.visited.insert(key.to_vec(), render(entry)).is_none(), "visited twice");
                    !is_picky || random.below(3) > 0
                },
            );
            return reached == Frontier::END;
        };
        let here = |name: &Vec<u8>| keyspace.shard_of(keyspace.hash(name)) == shard;
        let Some(name) = keys.iter().find(|name| here(name)).cloned() else { return true };
        let key = keyspace.key(&name);
        let row = visit.key(&key).map(render);
        assert!(row.is_none() || self.expected.get(&name) == row.as_ref(), "as it was, whenever one looks");
        // Otherwise it is a slice of a longer visit, and the cut goes on with the key.
        if random.below(3) == 0 {
            visit.end_key(&key);
            keys.remove(&name);
            self.visited.extend(row.map(|row| (name, row)));
        }
        false
    }
}

/// Writes to keys within a transaction.
struct Write<'w, 'k> {
    txn: &'w mut Transaction<'k>,
    random: &'w mut Random,
    now_ms: i64,
}

impl Write<'_, '_> {
    fn string(&mut self, key: &Key<'_>) {
        let (text, deadline) = (self.text(), self.deadline());
        match self.random.below(7) {
            0 => self.txn.set_string(key, &text, deadline),
            1 => self.txn.set_text(key, &text, deadline),
            2 => self.txn.set_raw_string(key, &text, deadline),
            3 => self.txn.set_integer(key, self.random.u64() as i64),
            4 => _ = self.txn.append(key, &text, STRING_BYTES_MAX),
            5 => {
                let invert = |bytes: &mut [u8], _| (true, bytes.iter_mut().for_each(|byte| *byte = !*byte));
                _ = self.txn.change_bytes(key, self.random.below(50) as usize, 0..20, invert);
            }
            _ => _ = self.txn.write_range(key, self.random.below(50) as usize, &text, STRING_BYTES_MAX),
        }
    }

    /// What is done to keys of all types, and between them.
    fn key(&mut self, key: &Key<'_>, other: &Key<'_>, other_db: Db) {
        let db = self.txn.db();
        match self.random.below(10) {
            0 => _ = self.txn.remove(key),
            1..=2 => {
                let moved = self.txn.take(key);
                self.txn.select(other_db);
                if let Some(moved) = moved {
                    self.txn.put(other, moved);
                }
                self.txn.select(db);
            }
            3 => {
                let copy = self.txn.duplicate(key);
                self.txn.select(other_db);
                if let Some(copy) = copy {
                    self.txn.put(other, copy);
                }
                self.txn.select(db);
            }
            4..=5 => {
                let deadline_ms = match self.deadline() {
                    Deadline::At(ms) => Some(ms),
                    Deadline::Keep | Deadline::Never => None,
                };
                self.txn.set_deadline(key, deadline_ms);
            }
            6 => drop(self.txn.lookup(key).map(render)),
            7 => drop(self.txn.find(key).map(render)),
            8 if self.txn.find(key).is_some_and(|entry| entry.kind() != Kind::String) => {
                self.txn.remove_emptied(key);
            }
            _ => self.txn.drop_expired(),
        }
    }

    fn collection(&mut self, key: &Key<'_>) {
        let texts: Vec<_> = (0..self.random.below(4)).map(|_| self.text()).collect();
        match self.random.below(8) {
            0 => {
                let mut set = Set::new();
                for text in &texts {
                    set.add(text.as_slice().into(), &SET_CONTEXT);
                }
                self.txn.set_collection(key, set);
            }
            1..=2 => {
                let Ok(mut list) = self.txn.upsert::<List>(key) else { return };
                let elements = texts.iter().map(|text| Element::from(&text[..]));
                list.change(|list| (true, list.push(Side::Back, elements, ListLimit::default())));
            }
            3 => {
                let Ok(Some(mut list)) = self.txn.edit::<List>(key) else { return };
                let pop = |list: &mut List| {
                    list.pop_with(Side::Front, ListLimit::default(), |element| element.to_vec())
                };
                list.change(|list| (true, pop(list)));
            }
            4 => {
                let Ok(mut set) = self.txn.upsert::<Set>(key) else { return };
                for text in &texts {
                    set.change(|set| (true, set.add(text.as_slice().into(), &SET_CONTEXT)));
                }
            }
            5 => {
                let Ok(Some(mut set)) = self.txn.edit::<Set>(key) else { return };
                let first = set.iter().next().map(|member| member.to_vec());
                first.map(|member| set.change(|set| (true, set.remove(member.as_slice().into()))));
            }
            6 => {
                let score = self.random.below(9) as f64;
                let Ok(mut set) = self.txn.upsert::<SortedSet>(key) else { return };
                for text in &texts {
                    set.change(|set| (true, set.set(text, score, &SORTED_SET_CONTEXT)));
                }
            }
            _ => {
                let Ok(Some(mut set)) = self.txn.edit::<SortedSet>(key) else { return };
                let first = set.iter().next().map(|(member, _)| member.to_vec());
                first.map(|member| set.change(|set| (true, set.remove(&member))));
            }
        }
    }

    fn hash(&mut self, key: &Key<'_>) {
        let now_ms = self.now_ms;
        let context = HashContext { entries_max: 8, value_bytes_max: 64, seed: 3, now_ms };
        let (field, value) = (format!("field:{}", self.random.below(14)).into_bytes(), self.text());
        let deadline_ms = now_ms + 1 + self.random.below(5_000) as i64;
        match self.random.below(4) {
            0 => {
                let Ok(Some(mut hash)) = self.txn.edit::<Hash>(key) else { return };
                hash.change(|hash| (true, hash.remove(&field, now_ms)));
            }
            1 => {
                let Ok(Some(mut hash)) = self.txn.edit::<Hash>(key) else { return };
                hash.change(|hash| (true, hash.expire_fields(now_ms, 10)));
            }
            way => {
                let Ok(mut hash) = self.txn.upsert::<Hash>(key) else { return };
                hash.change(|hash| (true, hash.set(&field, &value, &context)));
                if way == 3 {
                    hash.change(|hash| (true, hash.set_deadline(&field, Some(deadline_ms), &context)));
                }
            }
        }
    }

    fn text(&mut self) -> Vec<u8> {
        let len = match self.random.below(40) {
            0 => 70_000,
            1..=5 => self.random.below(3_000),
            6..=20 => self.random.below(60),
            _ => return self.random.below(1_000).to_string().into_bytes(),
        };
        (0..len).map(|_| b'a' + self.random.below(26) as u8).collect()
    }

    fn deadline(&mut self) -> Deadline {
        match self.random.below(4) {
            0 => Deadline::Keep,
            1 => Deadline::Never,
            _ => Deadline::At(self.now_ms + self.random.below(9_000) as i64),
        }
    }
}

/// All that can be told of an entry but its accesses.
fn render(entry: EntryRef<'_>) -> String {
    let value = match entry.kind() {
        Kind::String => format!("{:?}", entry.string().unwrap().to_vec()),
        Kind::List => {
            format!(
                "{:?}",
                entry.object::<List>().unwrap().iter().map(|item| item.to_vec()).collect::<Vec<_>>()
            )
        }
        Kind::Set => {
            let members: BTreeSet<_> =
                entry.object::<Set>().unwrap().iter().map(|member| member.to_vec()).collect();
            format!("{members:?}")
        }
        Kind::SortedSet => {
            let pairs = entry.object::<SortedSet>().unwrap().iter();
            format!("{:?}", pairs.map(|(member, score)| (member.to_vec(), score)).collect::<Vec<_>>())
        }
        Kind::Hash => {
            let hash = entry.object::<Hash>().unwrap();
            // At the beginning of time no field has expired.
            let fields: BTreeMap<_, _> = hash
                .iter(i64::MIN)
                .map(|(field, value)| (field.to_vec(), (value.to_vec(), hash.deadline_ms(&field.to_vec()))))
                .collect();
            format!("{fields:?}")
        }
        other => unreachable!("no test makes a {}", other.name()),
    };
    format!("{:?} {:?} {value}", entry.kind(), entry.deadline_ms())
}
