//! Hashes: a few short fields in one packed buffer, many or long ones in a table. The change happens where
//! Redis has it, so that OBJECT ENCODING agrees, and is never undone by deletion. No deadlines of single
//! fields here.

#[expect(
    unsafe_code,
    reason = "an entry of one word: 16 bytes less for each field than a boxed slice in a box"
)]
mod entry;
mod table;

use std::fmt;

use self::table::Fields;
use super::packed::{Element, Packed, Position, Side};
use crate::random::Random;
use crate::table::prefetch;

/// The limits of the small form, and what a large hash is seeded with.
#[derive(Clone, Copy, Debug)]
pub struct HashContext {
    /// The most fields of a small hash: `hash-max-listpack-entries`.
    pub entries_max: usize,
    /// The longest field or value of a small hash: `hash-max-listpack-value`.
    pub value_bytes_max: usize,
    /// What decides the order of a large hash's fields.
    pub seed: u64,
}

/// How a hash is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HashEncoding {
    /// One packed buffer.
    Packed,
    /// A table.
    Table,
}

impl HashEncoding {
    /// As `OBJECT ENCODING` says it.
    pub const fn name(self) -> &'static str {
        match self {
            HashEncoding::Packed => "listpack",
            HashEncoding::Table => "hashtable",
        }
    }
}

/// Fields, each with a value.
#[derive(Clone)]
pub struct Hash {
    form: Form,
}

#[derive(Clone)]
enum Form {
    /// Fields and values in turns.
    Packed(Packed),
    Table(Box<Fields>),
}

const _: () = assert!(size_of::<Hash>() == size_of::<Packed>());

impl Hash {
    /// A hash without fields, which allocates nothing.
    pub fn new() -> Hash {
        Hash { form: Form::Packed(Packed::new()) }
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.len() / 2,
            Form::Table(fields) => fields.len(),
        }
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How the hash is stored.
    pub fn encoding(&self) -> HashEncoding {
        match &self.form {
            Form::Packed(_) => HashEncoding::Packed,
            Form::Table(_) => HashEncoding::Table,
        }
    }

    /// Heap bytes, in constant time.
    pub fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.memory_bytes(),
            Form::Table(fields) => fields.memory_bytes(),
        }
    }

    /// Fields that the table has room for, if there is a table.
    pub fn table_room(&self) -> Option<usize> {
        match &self.form {
            Form::Packed(_) => None,
            Form::Table(fields) => Some(fields.room()),
        }
    }

    /// Asks for what a search for a field reads first.
    #[inline]
    pub fn prefetch(&self) {
        match &self.form {
            Form::Packed(packed) => packed.prefetch(),
            Form::Table(fields) => prefetch(std::ptr::from_ref::<Fields>(fields)),
        }
    }

    /// The value of a field.
    pub fn field(&self, field: &[u8]) -> Option<Element<'_>> {
        match &self.form {
            Form::Packed(packed) => find(packed, field).and_then(|at| packed.at(packed.after(at))),
            Form::Table(fields) => fields.value(field).map(Element::Bytes),
        }
    }

    /// Whether there is this field.
    pub fn contains(&self, field: &[u8]) -> bool {
        match &self.form {
            Form::Packed(packed) => find(packed, field).is_some(),
            Form::Table(fields) => fields.value(field).is_some(),
        }
    }

    /// All fields with their values: a small hash in order of arrival, a large one in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Element<'_>, Element<'_>)> {
        let (packed, fields) = match &self.form {
            Form::Packed(packed) => (Some(pairs(packed)), None),
            Form::Table(fields) => (None, Some(fields.iter())),
        };
        let fields = fields.into_iter().flatten().map(|(field, value)| (field.into(), value.into()));
        packed.into_iter().flatten().chain(fields)
    }

    /// One step of an iteration that survives changes between its steps: a field that is there from first to
    /// last is visited at least once. Begins with cursor 0, is over when it returns 0, and visits about
    /// `count` fields; all of a small hash.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(Element<'_>, Element<'_>)) -> u64 {
        match &self.form {
            Form::Packed(packed) => {
                pairs(packed).for_each(|(field, value)| visit(field, value));
                0
            }
            Form::Table(fields) => {
                fields.scan(cursor, count, &mut |field, value| visit(field.into(), value.into()))
            }
        }
    }

    /// How many fields a step of a scan looks at that is asked for `count`.
    pub fn scan_len(&self, count: usize) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.len() / 2,
            Form::Table(fields) => fields.len().min(count),
        }
    }

    /// A field with its value, each as likely as another.
    pub fn random_entry(&self, random: &mut Random) -> Option<(Element<'_>, Element<'_>)> {
        match &self.form {
            Form::Packed(packed) if packed.is_empty() => None,
            Form::Packed(packed) => {
                let field = packed.position(2 * random.below(packed.len() as u64 / 2) as usize);
                pair(&mut packed.iter_from(field))
            }
            Form::Table(fields) => fields.random(random).map(|(field, value)| (field.into(), value.into())),
        }
    }

    /// Makes ready for as many field arguments in one command, repeated ones counted too: more than a small
    /// hash may have make a table of it at once, as in Redis.
    pub fn expect_fields(&mut self, fields: usize, context: &HashContext) {
        if fields > context.entries_max {
            self.make_table(context);
        }
    }

    /// Sets a field, and returns whether it is new.
    pub fn set(&mut self, field: &[u8], value: &[u8], context: &HashContext) -> bool {
        if field.len().max(value.len()) > context.value_bytes_max {
            self.make_table(context);
        }
        let packed = match &mut self.form {
            Form::Packed(packed) => packed,
            Form::Table(fields) => return fields.set(field, value),
        };
        let found = find(packed, field);
        if let Some(at) = found {
            packed.replace(packed.after(at), value.into());
        } else {
            packed.push(Side::Back, field.into());
            packed.push(Side::Back, value.into());
        }
        // Also where nothing was added: the limit may be lower than when the hash was made.
        if self.len() > context.entries_max {
            self.make_table(context);
        }
        found.is_none()
    }

    /// Removes a field, and returns whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.form {
            Form::Packed(packed) => {
                let found = find(packed, field);
                if let Some(at) = found {
                    packed.remove(at, 2);
                }
                found.is_some()
            }
            Form::Table(fields) => fields.remove(field),
        }
    }

    /// Panics if the hash contradicts itself.
    pub fn check_invariants(&self) {
        match &self.form {
            Form::Packed(packed) => {
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
            Form::Table(fields) => fields.check_invariants(),
        }
    }

    fn make_table(&mut self, context: &HashContext) {
        let Form::Packed(packed) = &self.form else { return };
        let mut fields = Fields::new(context.seed);
        for (field, value) in pairs(packed) {
            fields.set(&field.to_vec(), &value.to_vec());
        }
        self.form = Form::Table(Box::new(fields));
    }
}

impl Default for Hash {
    fn default() -> Hash {
        Hash::new()
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

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

    const CONTEXT: HashContext = HashContext { entries_max: 512, value_bytes_max: 64, seed: 7 };

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
        assert!(hash.remove(b"one more") && hash.remove(b"field:7"));
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
            assert_eq!(hash.field(field), Some(value.into()));
            assert_eq!(hash.field(b"field:2"), Some(Element::Bytes(b"value")));
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
                    hash.random_entry(&mut random).expect("invariant: the hash is not empty");
                assert!(value.eq_bytes(b"value"));
                *seen.entry(field.to_vec()).or_default() += 1;
            }
            assert_eq!(seen.len(), fields);
            assert!(seen.values().all(|count| (100..300).contains(count)), "{seen:?}");
        }
        assert_eq!(Hash::new().random_entry(&mut Random::seeded(1)), None);
    }

    #[test]
    fn a_scan_visits_what_stays_while_the_table_grows_and_shrinks() {
        for fields in [100, 5_000] {
            let mut hash = filled(fields);
            let (mut seen, mut cursor, mut steps) = (BTreeSet::new(), 0, 0);
            loop {
                cursor = hash.scan(cursor, 10, &mut |field, _| {
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
                        hash.remove(field.as_bytes());
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

    #[derive(Clone, Debug)]
    enum Operation {
        Set(Vec<u8>, Vec<u8>),
        Remove(Vec<u8>),
        Clone,
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let field = || {
            (0..60_u32)
                .prop_map(|field| [format!("{field}"), format!("f{field}")][field as usize % 2].clone())
        };
        let value = prop_oneof![
            20 => any::<i16>().prop_map(|value| value.to_string().into_bytes()),
            20 => prop::collection::vec(any::<u8>(), 0..20),
            1 => prop::collection::vec(any::<u8>(), 0..70),
        ];
        prop_oneof![
            30 => (field(), value).prop_map(|(field, value)| Operation::Set(field.into_bytes(), value)),
            10 => field().prop_map(|field| Operation::Remove(field.into_bytes())),
            1 => Just(Operation::Clone),
        ]
    }

    fn check(hash: &Hash, model: &BTreeMap<Vec<u8>, Vec<u8>>) {
        hash.check_invariants();
        assert_eq!(hash.len(), model.len());
        assert_eq!(hash.is_empty(), model.is_empty());
        let all: BTreeMap<_, _> =
            hash.iter().map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
        assert_eq!(&all, model);
        let mut scanned = BTreeMap::new();
        assert_eq!(
            hash.scan(0, usize::MAX, &mut |field, value| drop(
                scanned.insert(field.to_vec(), value.to_vec())
            )),
            0
        );
        assert_eq!(&scanned, model);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn a_hash_is_a_map_in_both_forms(
            entries_max in 0..50_usize,
            value_bytes_max in 15..70_usize,
            operations in prop::collection::vec(operation(), 0..400),
        ) {
            let context = HashContext { entries_max, value_bytes_max, seed: 1 };
            let (mut hash, mut model) = (Hash::new(), BTreeMap::new());
            let mut large = false;
            for (index, operation) in operations.into_iter().enumerate() {
                match operation {
                    Operation::Set(field, value) => {
                        let new = hash.set(&field, &value, &context);
                        large |= field.len().max(value.len()) > value_bytes_max;
                        prop_assert_eq!(hash.field(&field), Some(value.as_slice().into()));
                        prop_assert_eq!(model.insert(field, value).is_none(), new);
                        large |= model.len() > entries_max;
                    }
                    Operation::Remove(field) => {
                        prop_assert_eq!(hash.contains(&field), model.contains_key(&field));
                        prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some());
                        prop_assert_eq!(hash.field(&field), None);
                    }
                    Operation::Clone => hash = hash.clone(),
                }
                prop_assert_eq!(hash.encoding() == HashEncoding::Table, large);
                if index % 16 == 0 {
                    check(&hash, &model);
                }
            }
            check(&hash, &model);
        }
    }
}
