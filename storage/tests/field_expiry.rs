//! Deadlines of fields in a keyspace, against a plain model: whatever becomes of their keys, the books say how many hashes
//! have any, nobody sees what has expired, and the cycle removes it and what becomes empty by that.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};

use shardis_storage::types::hash::{Hash, HashContext};
use shardis_storage::{
    Db, Deadline, ExpiryCycle, Hold, Keyspace, KeyspaceOptions, Patience, Random, Scope, Transaction,
};

const DATABASES: u16 = 2;
/// Buckets of one step of the cycle.
const STEP_BUCKETS: usize = 16;

/// The live deadlines by field, by database and key. Fields without a deadline have the greatest.
type Model = BTreeMap<(u16, String), BTreeMap<String, i64>>;

struct World {
    keyspace: Keyspace,
    model: Model,
    random: Random,
    now_ms: i64,
}

impl World {
    fn new(seed: u64) -> World {
        let options = KeyspaceOptions { shards: 1 << (seed % 3), databases: DATABASES, seed };
        World {
            keyspace: Keyspace::new(options),
            model: Model::new(),
            random: Random::seeded(seed),
            now_ms: 1_000,
        }
    }

    fn name(&mut self) -> (u16, String) {
        (self.random.below(DATABASES.into()) as u16, format!("key:{}", self.random.below(30)))
    }

    fn context(&self) -> HashContext {
        HashContext { entries_max: 20, value_bytes_max: 64, seed: 9, now_ms: self.now_ms }
    }

    fn change(&mut self, db: u16, change: impl FnOnce(&Keyspace, &mut Transaction<'_>)) {
        let mut txn = self.keyspace.begin(Scope::Every, Patience::Wait, Hold::Short, self.now_ms).unwrap();
        txn.select(Db(db));
        change(&self.keyspace, &mut txn);
    }

    fn step(&mut self) {
        let (db, name) = self.name();
        let (_, other) = self.name();
        let context = self.context();
        match self.random.below(20) {
            0..=11 => {
                let fields = 1 + self.random.below(40);
                let is_timed = self.random.below(3) > 0;
                let deadline_ms = self.now_ms + 1 + self.random.below(500) as i64;
                let own = self.model.entry((db, name.clone())).or_default();
                let names: Vec<_> = (0..fields).map(|_| format!("{}", self.random.below(60))).collect();
                let deadline_of = |is_timed: bool| if is_timed { deadline_ms } else { i64::MAX };
                own.extend(names.iter().map(|field| (field.clone(), deadline_of(is_timed))));
                self.change(db, |keyspace, txn| {
                    let mut hash = txn.upsert::<Hash>(&keyspace.key(name.as_bytes())).unwrap();
                    for field in &names {
                        hash.change(|hash| (true, hash.set(field.as_bytes(), b"value", &context)));
                        if is_timed {
                            let deadline_ms = Some(deadline_ms);
                            hash.change(|hash| {
                                (true, hash.set_deadline(field.as_bytes(), deadline_ms, &context))
                            });
                        }
                    }
                });
            }
            12 => {
                self.model.remove(&(db, name.clone()));
                self.change(db, |keyspace, txn| {
                    txn.remove(&keyspace.key(name.as_bytes()));
                });
            }
            13 => {
                // A string takes the place of a hash, and is removed again.
                self.model.remove(&(db, name.clone()));
                self.change(db, |keyspace, txn| {
                    let key = keyspace.key(name.as_bytes());
                    txn.set_string(&key, b"text", Deadline::Never);
                    txn.remove(&key);
                });
            }
            14 => {
                if let Some(own) = self.model.get(&(db, name.clone())).cloned() {
                    self.model.insert((db, other.clone()), own);
                }
                self.change(db, |keyspace, txn| {
                    if let Some(copy) = txn.duplicate(&keyspace.key(name.as_bytes())) {
                        txn.put(&keyspace.key(other.as_bytes()), copy);
                    }
                });
            }
            15 => {
                if let Some(own) = self.model.remove(&(db, name.clone())) {
                    self.model.insert((db, other.clone()), own);
                }
                self.change(db, |keyspace, txn| {
                    if let Some(moved) = txn.take(&keyspace.key(name.as_bytes())) {
                        txn.put(&keyspace.key(other.as_bytes()), moved);
                    }
                });
            }
            16 => {
                let swapped = std::mem::take(&mut self.model).into_iter();
                self.model = swapped.map(|((db, name), own)| ((1 - db, name), own)).collect();
                self.change(db, |_, txn| txn.swap(Db(0), Db(1)));
            }
            _ => {
                self.now_ms += self.random.below(100) as i64;
                let now_ms = self.now_ms;
                self.model.values_mut().for_each(|own| own.retain(|_, deadline_ms| *deadline_ms > now_ms));
            }
        }
    }

    /// Everybody sees what is live and nothing else.
    fn check_visible(&mut self) {
        let (model, now_ms) = (self.model.clone(), self.now_ms);
        for ((db, name), own) in model {
            self.change(db, |keyspace, txn| {
                let key = keyspace.key(name.as_bytes());
                let Some(hash) = txn.read::<Hash>(&key).unwrap() else { return assert!(own.is_empty()) };
                hash.check_invariants();
                let seen = hash.iter(now_ms).map(|(field, _)| String::from_utf8(field.to_vec()).unwrap());
                assert!(seen.collect::<BTreeSet<_>>().iter().eq(own.keys()));
            });
        }
        self.keyspace.check_invariants();
    }

    /// Rounds of the cycle leave nothing that has expired.
    fn expire_all(&mut self) {
        let (mut cycle, mut rounds) = (ExpiryCycle::default(), 0);
        while rounds < 8 {
            rounds += usize::from(cycle.step(&self.keyspace, self.now_ms, STEP_BUCKETS).is_round);
        }
        self.model.retain(|_, own| !own.is_empty());
        let totals = self.keyspace.totals();
        for (db, sizes) in totals.databases.iter().enumerate() {
            let own = self.model.iter().filter(|((own, _), _)| usize::from(*own) == db);
            let is_timed =
                |own: &BTreeMap<String, i64>| own.values().any(|&deadline_ms| deadline_ms < i64::MAX);
            let (keys, timed) =
                own.fold((0, 0), |(keys, timed), (_, own)| (keys + 1, timed + usize::from(is_timed(own))));
            assert_eq!((sizes.keys, sizes.timed_hashes), (keys, timed), "database {db}");
        }
        self.check_visible();
    }
}

#[test]
fn fields_expire_whatever_becomes_of_their_keys() {
    for seed in 0..40 {
        let mut world = World::new(seed);
        for step in 0..250 {
            world.step();
            if step % 25 == 0 {
                world.check_visible();
            }
            if step % 60 == 59 {
                world.expire_all();
            }
        }
    }
}

#[test]
fn a_large_hash_does_not_keep_the_others_waiting() {
    let mut world = World::new(3);
    let context = world.context();
    let set = |name: &'static str, fields: usize, deadline_of: fn(usize) -> i64| {
        move |keyspace: &Keyspace, txn: &mut Transaction<'_>| {
            let mut hash = txn.upsert::<Hash>(&keyspace.key(name.as_bytes())).unwrap();
            for n in 0..fields {
                let field = format!("field:{n}");
                hash.change(|hash| (true, hash.set(field.as_bytes(), b"value", &context)));
                let deadline_ms = Some(deadline_of(n));
                hash.change(|hash| (true, hash.set_deadline(field.as_bytes(), deadline_ms, &context)));
            }
        }
    };
    // One in a hundred fields of the large one is due: the walk goes on and comes back.
    world.change(0, set("large", 20_000, |n| if n % 100 == 0 { 2_000 } else { i64::MAX }));
    world.change(0, set("small", 5, |_| 2_000));
    let mut cycle = ExpiryCycle::default();
    let (mut rounds, mut removed) = (0, 0);
    while rounds < 2 {
        let step = cycle.step(&world.keyspace, 2_000, STEP_BUCKETS);
        rounds += usize::from(step.is_round);
        removed += step.fields.removed;
    }
    assert!((5..100).contains(&removed), "the small hash, and a little of the large one: {removed}");
    assert_eq!(world.keyspace.totals().databases[0].keys, 1, "the small hash is gone");
    // All fields are due: it stays until they are gone.
    world.change(0, set("due", 5_000, |_| 3_000));
    let mut steps = 0;
    while world.keyspace.totals().databases[0].keys > 1 {
        cycle.step(&world.keyspace, i64::MAX - 1, STEP_BUCKETS);
        steps += 1;
    }
    assert!((40..200).contains(&steps), "{steps}");
}
