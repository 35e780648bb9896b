//! Hashes: a few short fields in one packed buffer, many or long ones in a table. The change happens where
//! Redis has it, so that OBJECT ENCODING agrees, and is never undone by deletion. Deadlines of single fields stand beside
//! the fields (`timed`), so that a hash without any pays nothing for them.

#[expect(
    unsafe_code,
    reason = "an entry of one word: 16 bytes less for each field than a boxed slice in a box"
)]
mod entry;
mod table;
mod timed;

use std::fmt;

use self::table::Fields;
pub use self::timed::ExpiredFields;
use self::timed::Timed;
use super::allocation::allocation_bytes;
use super::packed::{Element, Packed, Position};
use crate::random::Random;
use crate::table::prefetch;

/// The limits of the small form, what a large hash is seeded with, and when all this happens.
#[derive(Clone, Copy, Debug)]
pub struct HashContext {
    /// The most fields of a small hash: `hash-max-listpack-entries`.
    pub entries_max: usize,
    /// The longest field or value of a small hash: `hash-max-listpack-value`.
    pub value_bytes_max: usize,
    /// What decides the order of a large hash's fields.
    pub seed: u64,
    /// The instant by which fields have expired: Unix milliseconds.
    pub now_ms: i64,
}

/// How a hash is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HashEncoding {
    /// One packed buffer.
    Packed,
    /// One packed buffer, and another one with deadlines of its fields.
    PackedTimed,
    /// A table, with or without deadlines.
    Table,
}

impl HashEncoding {
    /// As `OBJECT ENCODING` says it.
    pub const fn name(self) -> &'static str {
        match self {
            HashEncoding::Packed => "listpack",
            HashEncoding::PackedTimed => "listpackex",
            HashEncoding::Table => "hashtable",
        }
    }
}

/// Fields, each with a value. A field whose deadline has come is still there until it is removed, and counted, but nobody
/// sees it any more.
#[derive(Clone)]
pub struct Hash {
    form: Form,
}

#[derive(Clone)]
enum Form {
    /// Fields and values in turns.
    Packed(Packed),
    Boxed(Box<Boxed>),
}

#[derive(Clone)]
enum Boxed {
    Table(Fields),
    /// Either form, with deadlines.
    Timed(Timed),
}

/// Deadlines cost nothing where there are none.
const _: () = assert!(size_of::<Hash>() == size_of::<Packed>() && size_of::<Boxed>() == size_of::<Fields>());

/// Where the fields are, with or without deadlines.
enum Place<'a> {
    Packed(&'a Packed),
    Table(&'a Fields),
}

impl Hash {
    /// A hash without fields, which allocates nothing.
    pub fn new() -> Hash {
        Hash { form: Form::Packed(Packed::new()) }
    }

    /// How many fields there are, those that nobody sees any more included.
    pub fn len(&self) -> usize {
        match self.place() {
            Place::Packed(packed) => packed.len() / 2,
            Place::Table(fields) => fields.len(),
        }
    }

    /// How many fields there are to be seen. Takes the time of a look at each while some have expired.
    pub fn live_len(&self, now_ms: i64) -> usize {
        if self.due(now_ms).is_none() { self.len() } else { self.iter(now_ms).count() }
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How the hash is stored.
    pub fn encoding(&self) -> HashEncoding {
        match (self.place(), self.timed()) {
            (Place::Packed(_), None) => HashEncoding::Packed,
            (Place::Packed(_), Some(_)) => HashEncoding::PackedTimed,
            (Place::Table(_), _) => HashEncoding::Table,
        }
    }

    /// Heap bytes, in constant time.
    pub fn memory_bytes(&self) -> usize {
        let boxed = match &self.form {
            Form::Packed(packed) => return packed.memory_bytes(),
            Form::Boxed(boxed) => boxed,
        };
        allocation_bytes(size_of::<Boxed>())
            + match &**boxed {
                Boxed::Table(fields) => fields.memory_bytes(),
                Boxed::Timed(timed) => timed.memory_bytes(),
            }
    }

    /// Fields that the table has room for, if there is a table.
    pub fn table_room(&self) -> Option<usize> {
        match self.place() {
            Place::Packed(_) => None,
            Place::Table(fields) => Some(fields.room()),
        }
    }

    /// Asks for what a search for a field reads first.
    #[inline]
    pub fn prefetch(&self) {
        match &self.form {
            Form::Packed(packed) => packed.prefetch(),
            Form::Boxed(boxed) => prefetch(std::ptr::from_ref::<Boxed>(boxed)),
        }
    }

    /// The value of a field.
    pub fn field(&self, field: &[u8], now_ms: i64) -> Option<Element<'_>> {
        if self.due(now_ms).is_some_and(|timed| timed.has_expired(field, now_ms)) {
            return None;
        }
        match self.place() {
            Place::Packed(packed) => find(packed, field).and_then(|at| packed.at(packed.after(at))),
            Place::Table(fields) => fields.value(field).map(Element::Bytes),
        }
    }

    /// Whether there is this field.
    pub fn contains(&self, field: &[u8], now_ms: i64) -> bool {
        self.field(field, now_ms).is_some()
    }

    /// When a field expires: Unix milliseconds.
    pub fn deadline_ms(&self, field: &[u8]) -> Option<i64> {
        self.timed()?.deadline_ms(field)
    }

    /// Whether any field has a deadline.
    pub fn has_deadlines(&self) -> bool {
        self.timed().is_some_and(Timed::has_deadlines)
    }

    /// Whether some deadline may have come.
    pub fn is_due(&self, now_ms: i64) -> bool {
        self.due(now_ms).is_some()
    }

    /// All fields with their values: a small hash in order of arrival, a large one in no order.
    pub fn iter(&self, now_ms: i64) -> impl Iterator<Item = (Element<'_>, Element<'_>)> {
        let (packed, fields) = match self.place() {
            Place::Packed(packed) => (Some(pairs(packed)), None),
            Place::Table(fields) => (None, Some(fields.iter())),
        };
        let fields = fields.into_iter().flatten().map(|(field, value)| (field.into(), value.into()));
        let due = self.due(now_ms);
        let all = packed.into_iter().flatten().chain(fields);
        all.filter(move |&(field, _)| due.is_none_or(|timed| !timed.has_element_expired(field, now_ms)))
    }

    /// One step of an iteration that survives changes between its steps: a field that is there from first to
    /// last is visited at least once. Begins with cursor 0, is over when it returns 0, and visits about
    /// `count` fields; all of a small hash.
    pub fn scan(
        &self,
        cursor: u64,
        count: usize,
        now_ms: i64,
        visit: &mut dyn FnMut(Element<'_>, Element<'_>),
    ) -> u64 {
        let due = self.due(now_ms);
        let mut visit_live = |field: Element<'_>, value: Element<'_>| {
            if due.is_none_or(|timed| !timed.has_element_expired(field, now_ms)) {
                visit(field, value);
            }
        };
        match self.place() {
            Place::Packed(packed) => {
                pairs(packed).for_each(|(field, value)| visit_live(field, value));
                0
            }
            Place::Table(fields) => {
                fields.scan(cursor, count, &mut |field, value| visit_live(field.into(), value.into()))
            }
        }
    }

    /// How many fields a step of a scan looks at that is asked for `count`.
    pub fn scan_len(&self, count: usize) -> usize {
        match self.place() {
            Place::Packed(packed) => packed.len() / 2,
            Place::Table(fields) => fields.len().min(count),
        }
    }

    /// A field with its value, each as likely as another.
    pub fn random_entry(&self, random: &mut Random, now_ms: i64) -> Option<(Element<'_>, Element<'_>)> {
        let Some(timed) = self.due(now_ms) else { return self.any_entry(random) };
        for _ in 0..LIVE_TRIES_MAX {
            let found = self.any_entry(random)?;
            if !timed.has_element_expired(found.0, now_ms) {
                return Some(found);
            }
        }
        self.sample(1, random, now_ms).pop()
    }

    /// A field with its value by chance, expired or not.
    fn any_entry(&self, random: &mut Random) -> Option<(Element<'_>, Element<'_>)> {
        match self.place() {
            Place::Packed(packed) if packed.is_empty() => None,
            Place::Packed(packed) => {
                let field = packed.position(2 * random.below(packed.len() as u64 / 2) as usize);
                pair(&mut packed.iter_from(field))
            }
            Place::Table(fields) => fields.random(random).map(|(field, value)| (field.into(), value.into())),
        }
    }

    /// So many different fields with their values, each as likely as another; all of them if there are not more.
    pub fn sample(&self, count: usize, random: &mut Random, now_ms: i64) -> Vec<(Element<'_>, Element<'_>)> {
        let mut left = self.live_len(now_ms);
        let mut wanted = count.min(left);
        if let Place::Table(fields) = self.place()
            && wanted <= left / SPARSE_SAMPLE_SHARE
            && self.due(now_ms).is_none()
            && let Some(sparse) = fields.sample(wanted, random)
        {
            return sparse.into_iter().map(|(field, value)| (field.into(), value.into())).collect();
        }
        let mut chosen = Vec::with_capacity(wanted);
        for pair in self.iter(now_ms) {
            if random.below(left as u64) < wanted as u64 {
                chosen.push(pair);
                wanted -= 1;
            }
            left -= 1;
        }
        chosen
    }

    /// Makes ready for as many field arguments in one command, repeated ones counted too: more than a small
    /// hash may have make a table of it at once, as in Redis.
    pub fn expect_fields(&mut self, fields: usize, context: &HashContext) {
        if let Some(timed) = self.timed_mut() {
            timed.fields.expect_fields(fields, context);
        } else if fields > context.entries_max {
            self.make_table(context);
        }
    }

    /// Sets a field, which has no deadline then, and returns whether it is new.
    pub fn set(&mut self, field: &[u8], value: &[u8], context: &HashContext) -> bool {
        let has_expired = self.timed_mut().is_some_and(|timed| {
            let has_expired = timed.has_expired(field, context.now_ms);
            timed.set_deadline(field, None, context);
            has_expired
        });
        self.put(field, value, context) || has_expired
    }

    /// Sets a field, which keeps its deadline unless that has come, and returns whether it is new.
    pub fn update(&mut self, field: &[u8], value: &[u8], context: &HashContext) -> bool {
        if self.due(context.now_ms).is_some_and(|timed| timed.has_expired(field, context.now_ms)) {
            return self.set(field, value, context);
        }
        self.put(field, value, context)
    }

    /// Gives a field that is there another deadline, or none.
    pub fn set_deadline(&mut self, field: &[u8], deadline_ms: Option<i64>, context: &HashContext) {
        if deadline_ms.is_some() && self.timed().is_none() {
            let fields = std::mem::take(self);
            self.form = Form::Boxed(Box::new(Boxed::Timed(Timed::new(fields))));
        }
        if let Some(timed) = self.timed_mut() {
            timed.set_deadline(field, deadline_ms, context);
        }
    }

    /// Removes a field, and returns whether it was there to be seen.
    pub fn remove(&mut self, field: &[u8], now_ms: i64) -> bool {
        match &mut self.form {
            Form::Packed(packed) => {
                let found = find(packed, field);
                if let Some(at) = found {
                    packed.remove(at, 2);
                }
                found.is_some()
            }
            Form::Boxed(boxed) => match &mut **boxed {
                Boxed::Table(fields) => fields.remove(field),
                Boxed::Timed(timed) => timed.remove(field, now_ms),
            },
        }
    }

    /// Removes fields whose deadline has come, having looked at about as many deadlines as `count`. The next call goes on
    /// where this one ended.
    pub fn expire_fields(&mut self, now_ms: i64, count: usize) -> ExpiredFields {
        self.timed_mut().map(|timed| timed.expire(now_ms, count)).unwrap_or_default()
    }

    /// Panics if the hash contradicts itself.
    pub fn check_invariants(&self) {
        if let Some(timed) = self.timed() {
            timed.check_invariants();
        }
        match self.place() {
            Place::Packed(packed) => {
                packed.check_invariants();
                assert_eq!(packed.len() % 2, 0, "every field has a value");
                for (index, (field, _)) in pairs(packed).enumerate() {
                    assert_eq!(
                        find(packed, &field.to_vec()),
                        Some(packed.position(2 * index)),
                        "fields differ"
                    );
                }
            }
            Place::Table(fields) => fields.check_invariants(),
        }
    }

    /// Sets a field, whatever its deadline is, and returns whether there was none.
    fn put(&mut self, field: &[u8], value: &[u8], context: &HashContext) -> bool {
        if field.len().max(value.len()) > context.value_bytes_max {
            self.make_table(context);
        }
        let packed = match &mut self.form {
            Form::Packed(packed) => packed,
            Form::Boxed(boxed) => {
                return match &mut **boxed {
                    Boxed::Table(fields) => fields.set(field, value),
                    Boxed::Timed(timed) => timed.fields.put(field, value, context),
                };
            }
        };
        let found = find(packed, field);
        if let Some(at) = found {
            packed.replace(packed.after(at), value.into());
        } else {
            packed.insert_pair(packed.position(packed.len()), [field.into(), value.into()]);
        }
        // Also where nothing was added: the limit may be lower than when the hash was made.
        if self.len() > context.entries_max {
            self.make_table(context);
        }
        found.is_none()
    }

    /// Makes a table of a small hash without deadlines.
    fn make_table(&mut self, context: &HashContext) {
        let Form::Packed(packed) = &self.form else { return };
        let mut fields = Fields::new(context.seed);
        for (field, value) in pairs(packed) {
            fields.set(&field.to_vec(), &value.to_vec());
        }
        self.form = Form::Boxed(Box::new(Boxed::Table(fields)));
    }

    fn place(&self) -> Place<'_> {
        match &self.form {
            Form::Packed(packed) => Place::Packed(packed),
            Form::Boxed(boxed) => match &**boxed {
                Boxed::Table(fields) => Place::Table(fields),
                Boxed::Timed(timed) => timed.fields.place(),
            },
        }
    }

    fn timed(&self) -> Option<&Timed> {
        match &self.form {
            Form::Boxed(boxed) => match &**boxed {
                Boxed::Timed(timed) => Some(timed),
                Boxed::Table(_) => None,
            },
            Form::Packed(_) => None,
        }
    }

    fn timed_mut(&mut self) -> Option<&mut Timed> {
        match &mut self.form {
            Form::Boxed(boxed) => match &mut **boxed {
                Boxed::Timed(timed) => Some(timed),
                Boxed::Table(_) => None,
            },
            Form::Packed(_) => None,
        }
    }

    /// The deadlines, if any of them may have come.
    #[inline]
    fn due(&self, now_ms: i64) -> Option<&Timed> {
        self.timed().filter(|timed| timed.is_due(now_ms))
    }
}

impl Default for Hash {
    fn default() -> Hash {
        Hash::new()
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter(i64::MIN)).finish()
    }
}

/// How often chance is tried before all fields are gone through for one that has not expired.
const LIVE_TRIES_MAX: usize = 100;
/// Where so small a part of a large hash is wanted, it is found sooner by chance than by going through all of it.
const SPARSE_SAMPLE_SHARE: usize = 3;

fn find(packed: &Packed, field: &[u8]) -> Option<Position> {
    packed.find(field, 2)
}

fn pairs(packed: &Packed) -> impl Iterator<Item = (Element<'_>, Element<'_>)> {
    let mut elements = packed.iter();
    std::iter::from_fn(move || pair(&mut elements))
}

fn pair<'a>(elements: &mut impl Iterator<Item = Element<'a>>) -> Option<(Element<'a>, Element<'a>)> {
    elements.next().zip(elements.next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const CONTEXT: HashContext =
        HashContext { entries_max: 512, value_bytes_max: 64, seed: 7, now_ms: NOW_MS };
    const NOW_MS: i64 = 1_000;

    fn filled(fields: usize) -> Hash {
        let mut hash = Hash::new();
        for field in 0..fields {
            assert!(hash.set(format!("field:{field}").as_bytes(), b"value", &CONTEXT));
        }
        hash
    }

    #[test]
    fn a_hash_becomes_a_table_with_the_first_field_too_many_and_stays_one() {
        let mut hash = filled(512);
        assert_eq!(hash.encoding(), HashEncoding::Packed);
        assert!(!hash.set(b"field:7", b"another", &CONTEXT));
        assert_eq!(hash.encoding(), HashEncoding::Packed);
        assert!(hash.set(b"one more", b"", &CONTEXT));
        assert_eq!(hash.encoding(), HashEncoding::Table);
        assert!(hash.remove(b"one more", NOW_MS) && hash.remove(b"field:7", NOW_MS));
        assert_eq!((hash.encoding(), hash.len()), (HashEncoding::Table, 511));
        hash.check_invariants();
    }

    #[test]
    fn a_hash_becomes_a_table_with_the_first_field_or_value_too_long() {
        let (fits, too_long) = ([b'x'; 64], [b'x'; 65]);
        for (field, value) in [(&too_long[..], &fits[..]), (&fits[..], &too_long[..])] {
            let mut hash = filled(3);
            hash.set(&fits, &fits, &CONTEXT);
            assert_eq!(hash.encoding(), HashEncoding::Packed);
            hash.set(field, value, &CONTEXT);
            assert_eq!(hash.encoding(), HashEncoding::Table);
            assert_eq!(hash.field(field, NOW_MS), Some(value.into()));
            assert_eq!(hash.field(b"field:2", NOW_MS), Some(Element::Bytes(b"value")));
        }
    }

    #[test]
    fn more_field_arguments_than_a_small_hash_may_have_make_a_table_at_once() {
        let mut hash = Hash::new();
        hash.expect_fields(512, &CONTEXT);
        assert_eq!(hash.encoding(), HashEncoding::Packed);
        hash.expect_fields(513, &CONTEXT);
        assert_eq!(hash.encoding(), HashEncoding::Table);
    }

    #[test]
    fn every_field_comes_up_at_random_about_equally_often_in_both_forms() {
        for fields in [10, 1_000] {
            let hash = filled(fields);
            let mut random = Random::seeded(3);
            let mut seen = BTreeMap::<Vec<u8>, usize>::new();
            for _ in 0..fields * 200 {
                let (field, value) =
                    hash.random_entry(&mut random, NOW_MS).expect("invariant: the hash is not empty");
                assert!(value.eq_bytes(b"value"));
                *seen.entry(field.to_vec()).or_default() += 1;
            }
            assert_eq!(seen.len(), fields);
            assert!(seen.values().all(|count| (100..300).contains(count)), "{seen:?}");
        }
        assert_eq!(Hash::new().random_entry(&mut Random::seeded(1), NOW_MS), None);
    }

    #[test]
    fn a_sample_has_different_fields_each_about_equally_often_in_both_forms() {
        for (fields, count) in [(10, 4), (600, 500), (600, 60), (10, 100)] {
            let hash = filled(fields);
            let mut random = Random::seeded(4);
            let mut seen = BTreeMap::<Vec<u8>, usize>::new();
            let rounds = 60_000 / count;
            for _ in 0..rounds {
                let sample = hash.sample(count, &mut random, NOW_MS);
                let distinct: BTreeSet<_> = sample.iter().map(|(field, _)| field.to_vec()).collect();
                assert_eq!((sample.len(), distinct.len()), (count.min(fields), count.min(fields)));
                distinct.into_iter().for_each(|field| *seen.entry(field).or_default() += 1);
            }
            let mean = rounds * count.min(fields) / fields;
            assert_eq!(seen.len(), fields);
            assert!(seen.values().all(|times| (mean / 4..=mean * 4).contains(times)), "{seen:?}");
        }
        assert!(Hash::new().sample(3, &mut Random::seeded(1), NOW_MS).is_empty());
    }

    #[test]
    fn a_scan_visits_what_stays_while_the_table_grows_and_shrinks() {
        for fields in [100, 5_000] {
            let mut hash = filled(fields);
            let (mut seen, mut cursor, mut steps) = (BTreeSet::new(), 0, 0);
            loop {
                cursor = hash.scan(cursor, 10, NOW_MS, &mut |field, _| {
                    seen.insert(field.to_vec());
                });
                steps += 1;
                if cursor == 0 {
                    break;
                }
                for extra in 0..40 {
                    let field = format!("extra:{}:{extra}", steps / 100);
                    if steps / 50 % 2 == 0 {
                        hash.set(field.as_bytes(), b"", &CONTEXT);
                    } else {
                        hash.remove(field.as_bytes(), NOW_MS);
                    }
                }
            }
            assert!((0..fields).all(|field| seen.contains(format!("field:{field}").as_bytes())));
            assert_eq!(
                steps > fields / 100,
                fields > 512,
                "about as many as asked for; a small hash in one step"
            );
        }
    }

    #[test]
    fn a_large_hash_of_short_fields_weighs_less_than_54_bytes_for_each() {
        let mut hash = Hash::new();
        for field in 0..100_000 {
            hash.set(
                format!("field:{field:010}").as_bytes(),
                format!("value:{field:08}").as_bytes(),
                &CONTEXT,
            );
        }
        assert!(hash.memory_bytes() <= 54 * hash.len(), "{}", hash.memory_bytes() / hash.len());
    }

    /// A hash without any deadline weighs what its fields weigh, and one with a deadline what that weighs too.
    #[test]
    fn deadlines_weigh_only_where_there_are_some() {
        let mut hash = filled(20);
        let without = hash.memory_bytes();
        hash.set_deadline(b"field:3", Some(NOW_MS + 1), &CONTEXT);
        assert_eq!(hash.encoding(), HashEncoding::PackedTimed);
        assert!((without + 1..without + 120).contains(&hash.memory_bytes()), "{}", hash.memory_bytes());
        assert!(hash.has_deadlines() && !hash.is_due(NOW_MS) && hash.is_due(NOW_MS + 1));
        hash.set(b"field:3", b"value", &CONTEXT);
        assert!(!hash.has_deadlines() && !hash.is_due(i64::MAX - 1));
        assert_eq!(
            hash.encoding(),
            HashEncoding::PackedTimed,
            "it stays one for which there may be deadlines"
        );
    }

    #[test]
    fn many_fields_expire_a_few_at_a_time_and_each_once() {
        let mut hash = filled(10_000);
        for field in 0..10_000 {
            let deadline_ms = NOW_MS + i64::from(field % 2);
            hash.set_deadline(format!("field:{field}").as_bytes(), Some(deadline_ms), &CONTEXT);
        }
        let (mut steps, mut done) = (0, ExpiredFields::default());
        while hash.is_due(NOW_MS) {
            let step = hash.expire_fields(NOW_MS, 100);
            assert!(step.sampled < 300, "{step:?}");
            (steps, done.sampled, done.removed) =
                (steps + 1, done.sampled + step.sampled, done.removed + step.removed);
        }
        assert_eq!((done.removed, hash.len()), (5_000, 5_000));
        assert!(done.sampled < 25_000 && steps > 30, "{done:?} in {steps} steps");
        assert_eq!(hash.expire_fields(NOW_MS, 100), ExpiredFields::default());
        assert_eq!((hash.live_len(NOW_MS), hash.live_len(NOW_MS + 1)), (5_000, 0));
        assert_eq!(hash.random_entry(&mut Random::seeded(1), NOW_MS + 1), None);
        hash.check_invariants();
    }

    #[test]
    fn chance_finds_fields_that_have_not_expired_among_many_that_have() {
        let mut hash = filled(1_000);
        for field in 2..1_000 {
            hash.set_deadline(format!("field:{field}").as_bytes(), Some(NOW_MS), &CONTEXT);
        }
        let mut random = Random::seeded(5);
        let mut first = 0;
        for _ in 0..100 {
            let (field, _) = hash.random_entry(&mut random, NOW_MS).expect("invariant: two are left");
            assert!(field.eq_bytes(b"field:0") || field.eq_bytes(b"field:1"));
            first += usize::from(field.eq_bytes(b"field:0"));
            assert_eq!(hash.sample(3, &mut random, NOW_MS).len(), 2);
        }
        assert!((20..80).contains(&first), "{first}");
    }

    #[derive(Clone, Debug)]
    enum Operation {
        Set(Vec<u8>, Vec<u8>),
        Update(Vec<u8>, Vec<u8>),
        Remove(Vec<u8>),
        SetDeadline(Vec<u8>, Option<i64>),
        Wait(i64),
        Expire,
        Clone,
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let field = || {
            (0..60_u32).prop_map(|field| {
                [format!("{field}"), format!("f{field}")][field as usize % 2].clone().into_bytes()
            })
        };
        let value = || {
            prop_oneof![
                20 => any::<i16>().prop_map(|value| value.to_string().into_bytes()),
                20 => prop::collection::vec(any::<u8>(), 0..20),
                1 => prop::collection::vec(any::<u8>(), 0..70),
            ]
        };
        prop_oneof![
            20 => (field(), value()).prop_map(|(field, value)| Operation::Set(field, value)),
            10 => (field(), value()).prop_map(|(field, value)| Operation::Update(field, value)),
            10 => field().prop_map(Operation::Remove),
            1 => (field(), prop::option::weighted(0.8, 0..100_i64))
                .prop_map(|(field, after)| Operation::SetDeadline(field, after)),
            1 => (0..20_i64).prop_map(Operation::Wait),
            1 => Just(Operation::Expire),
            1 => Just(Operation::Clone),
        ]
    }

    /// What a hash is compared with: value and deadline by field, expired ones included until they are removed.
    type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

    fn is_live(deadline_ms: Option<i64>, now_ms: i64) -> bool {
        deadline_ms.is_none_or(|deadline_ms| deadline_ms > now_ms)
    }

    fn check(hash: &Hash, model: &Model, now_ms: i64) {
        hash.check_invariants();
        assert_eq!(hash.len(), model.len());
        assert_eq!(hash.is_empty(), model.is_empty());
        assert_eq!(hash.has_deadlines(), model.values().any(|(_, deadline_ms)| deadline_ms.is_some()));
        let live: BTreeMap<_, _> =
            (model.iter().filter(|(_, (_, deadline_ms))| is_live(*deadline_ms, now_ms)))
                .map(|(field, (value, _))| (field.clone(), value.clone()))
                .collect();
        assert_eq!(hash.live_len(now_ms), live.len());
        let all: BTreeMap<_, _> =
            hash.iter(now_ms).map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
        assert_eq!(all, live);
        let mut scanned = BTreeMap::new();
        let cursor = hash.scan(0, usize::MAX, now_ms, &mut |field, value| {
            scanned.insert(field.to_vec(), value.to_vec());
        });
        assert_eq!((cursor, scanned), (0, live));
        for (field, (_, deadline_ms)) in model {
            assert_eq!(hash.deadline_ms(field), *deadline_ms);
        }
    }

    fn apply(hash: &mut Hash, model: &mut Model, operation: Operation, context: &mut HashContext) {
        let now_ms = context.now_ms;
        let live_deadline = |model: &Model, field: &[u8]| {
            model
                .get(field)
                .map(|(_, deadline_ms)| *deadline_ms)
                .filter(|deadline_ms| is_live(*deadline_ms, now_ms))
        };
        match operation {
            Operation::Set(field, value) => {
                assert_eq!(hash.set(&field, &value, context), live_deadline(model, &field).is_none());
                assert_eq!(hash.field(&field, now_ms), Some(value.as_slice().into()));
                model.insert(field, (value, None));
            }
            Operation::Update(field, value) => {
                let current = live_deadline(model, &field);
                assert_eq!(hash.update(&field, &value, context), current.is_none());
                model.insert(field, (value, current.flatten()));
            }
            Operation::Remove(field) => {
                let is_there = live_deadline(model, &field).is_some();
                assert_eq!(hash.contains(&field, now_ms), is_there);
                assert_eq!(hash.remove(&field, now_ms), is_there);
                assert_eq!(hash.field(&field, now_ms), None);
                model.remove(&field);
            }
            Operation::SetDeadline(field, after_ms) => {
                if let Some((_, deadline_ms)) = model.get_mut(&field) {
                    *deadline_ms = after_ms.map(|after_ms| now_ms + after_ms);
                    hash.set_deadline(&field, *deadline_ms, context);
                }
            }
            Operation::Wait(ms) => context.now_ms += ms,
            Operation::Expire => {
                let before = hash.len();
                let mut removed = 0;
                while hash.is_due(now_ms) {
                    removed += hash.expire_fields(now_ms, 7).removed;
                }
                assert_eq!(removed, before - hash.len());
                model.retain(|_, (_, deadline_ms)| is_live(*deadline_ms, now_ms));
            }
            Operation::Clone => *hash = hash.clone(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn a_hash_is_a_map_in_all_forms(
            entries_max in 0..50_usize,
            value_bytes_max in 15..70_usize,
            operations in prop::collection::vec(operation(), 0..400),
        ) {
            let mut context = HashContext { entries_max, value_bytes_max, seed: 1, now_ms: NOW_MS };
            let (mut hash, mut model) = (Hash::new(), Model::new());
            let mut large = false;
            for (index, operation) in operations.into_iter().enumerate() {
                if let Operation::Set(field, value) | Operation::Update(field, value) = &operation {
                    large |= field.len().max(value.len()) > value_bytes_max;
                }
                apply(&mut hash, &mut model, operation, &mut context);
                large |= model.len() > entries_max;
                prop_assert_eq!(hash.encoding() == HashEncoding::Table, large);
                if index % 16 == 0 {
                    check(&hash, &model, context.now_ms);
                }
            }
            check(&hash, &model, context.now_ms);
        }
    }
}
