//! Sets: a few integers in order or a few short members of any kind in one block, many or long ones in a table. The
//! change happens where Redis has it, so that OBJECT ENCODING agrees, and is never undone by removal. What several sets
//! have in common is worked out by others.

mod block;
mod random;
mod table;

use std::fmt;

use self::block::Block;
use self::table::Table;
use super::packed::Element;
use crate::number::i64_len;
use crate::table::prefetch;

/// The limits of the small forms, and what a large set is seeded with.
#[derive(Clone, Copy, Debug)]
pub struct SetContext {
    /// The most members of a small set of integers: `set-max-intset-entries`.
    pub ints_max: usize,
    /// The most members of a small set of any: `set-max-listpack-entries`.
    pub entries_max: usize,
    /// The longest member of a small set of any: `set-max-listpack-value`.
    pub value_bytes_max: usize,
    /// What decides the order of a large set's members.
    pub seed: u64,
}

/// How a set is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetEncoding {
    /// Integers in order.
    Ints,
    /// One packed block.
    Packed,
    /// A table.
    Table,
}

impl SetEncoding {
    /// As `OBJECT ENCODING` says it.
    pub const fn name(self) -> &'static str {
        match self {
            SetEncoding::Ints => "intset",
            SetEncoding::Packed => "listpack",
            SetEncoding::Table => "hashtable",
        }
    }
}

/// Members, each of them once.
#[derive(Clone)]
pub struct Set {
    form: Form,
}

#[derive(Clone)]
enum Form {
    /// Integers or any members, as the block says.
    Block(Block),
    Table(Box<Table>),
}

const _: () = assert!(size_of::<Set>() == size_of::<Block>());

impl Set {
    /// A set without members, which allocates nothing and is one of integers until something else is added.
    pub fn new() -> Set {
        Set { form: Form::Block(Block::default()) }
    }

    /// A set without members, which stays packed if only integers are added.
    pub fn packed() -> Set {
        Set { form: Form::Block(Block::packed()) }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Block(block) => block.len(),
            Form::Table(table) => table.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How the set is stored.
    pub fn encoding(&self) -> SetEncoding {
        match &self.form {
            Form::Block(block) if block.is_packed() => SetEncoding::Packed,
            Form::Block(_) => SetEncoding::Ints,
            Form::Table(_) => SetEncoding::Table,
        }
    }

    /// Heap bytes, in constant time.
    pub fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Block(block) => block.memory_bytes(),
            Form::Table(table) => table.memory_bytes(),
        }
    }

    /// Buckets of the table, if there is a table.
    pub fn table_buckets(&self) -> Option<usize> {
        match &self.form {
            Form::Block(_) => None,
            Form::Table(table) => Some(table.buckets()),
        }
    }

    /// Asks for what a search for a member reads first.
    #[inline]
    pub fn prefetch(&self) {
        match &self.form {
            Form::Block(block) => block.prefetch(),
            Form::Table(table) => prefetch(std::ptr::from_ref::<Table>(table)),
        }
    }

    /// Whether there is this member.
    pub fn contains(&self, element: Element<'_>) -> bool {
        match &self.form {
            Form::Block(block) => block.find(element).is_some(),
            Form::Table(table) => table.contains(element),
        }
    }

    /// All members: integers in order, others of a small set in order of arrival, those of a large one in no order.
    pub fn iter(&self) -> impl Iterator<Item = Element<'_>> {
        let (block, table) = match &self.form {
            Form::Block(block) => (Some(block.iter()), None),
            Form::Table(table) => (None, Some(table.iter())),
        };
        block.into_iter().flatten().chain(table.into_iter().flatten())
    }

    /// One step of an iteration that survives changes between its steps: a member that is there from first to last is
    /// visited at least once. Begins with cursor 0, is over when it returns 0, and visits about `count` members; all of a
    /// small set.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(Element<'_>)) -> u64 {
        match &self.form {
            Form::Block(block) => {
                block.iter().for_each(visit);
                0
            }
            Form::Table(table) => table.scan(cursor, count, visit),
        }
    }

    /// How many members a step of a scan looks at that is asked for `count`.
    pub fn scan_len(&self, count: usize) -> usize {
        match &self.form {
            Form::Block(block) => block.len(),
            Form::Table(table) => table.len().min(count),
        }
    }

    /// Makes ready for as many members in one command, repeated ones counted too, the first of which is given: more than
    /// a small set may have make a table of it at once, as in Redis.
    pub fn expect_members(&mut self, members: usize, first: Element<'_>, context: &SetContext) {
        let fits_block = members <= context.entries_max;
        let Form::Block(block) = &self.form else { return };
        match (block.len(), block.is_packed()) {
            (0, _) if first.as_i64().is_none() && fits_block => {}
            (0, _) if first.as_i64().is_some() && members <= context.ints_max => {}
            (0, _) if fits_block => *self = Set::packed(),
            (1.., true) if fits_block => {}
            (1.., false) if members <= context.ints_max => {}
            _ => self.make_table(context),
        }
    }

    /// Adds a member, and returns whether it is new.
    pub fn add(&mut self, element: Element<'_>, context: &SetContext) -> bool {
        let block = match &mut self.form {
            Form::Block(block) => block,
            Form::Table(table) => return table.add(element),
        };
        if block.is_packed() {
            if block.find(element).is_some() {
                return false;
            }
            if block.len() < context.entries_max && element.len() <= context.value_bytes_max {
                block.push(element);
                return true;
            }
        } else if let Some(value) = element.as_i64() {
            let is_new = block.insert(value);
            if is_new && block.len() > context.ints_max.min(INTS_MAX) {
                self.make_table(context);
            }
            return is_new;
        } else if fits_packed(block, element, context) {
            let mut packed = Block::default();
            for element in block.iter().chain([element]) {
                packed.push(element);
            }
            *block = packed;
            return true;
        }
        self.make_table(context);
        self.add(element, context)
    }

    /// Removes a member, and returns whether it was there.
    pub fn remove(&mut self, element: Element<'_>) -> bool {
        match &mut self.form {
            Form::Block(block) => {
                let place = block.find(element);
                place.map(|place| block.remove(place)).is_some()
            }
            Form::Table(table) => table.remove(element),
        }
    }

    /// Makes a set of integers of one that has no other members, if it is not too large.
    pub fn narrow(&mut self, context: &SetContext) {
        let is_narrow = self.encoding() == SetEncoding::Ints;
        if is_narrow || self.len() > context.ints_max.min(INTS_MAX) {
            return;
        }
        let mut block = Block::default();
        for element in self.iter() {
            let Some(value) = element.as_i64() else { return };
            block.insert(value);
        }
        self.form = Form::Block(block);
    }

    /// Panics if the set contradicts itself.
    pub fn check_invariants(&self) {
        match &self.form {
            Form::Block(block) => block.check_invariants(),
            Form::Table(table) => table.check_invariants(),
        }
    }

    fn make_table(&mut self, context: &SetContext) {
        let Form::Block(block) = &self.form else { return };
        let mut table = Table::new(context.seed);
        for element in block.iter() {
            table.add(element);
        }
        self.form = Form::Table(Box::new(table));
    }
}

/// Whether a block of integers may become a packed one to take a member that is none.
fn fits_packed(ints: &Block, element: Element<'_>, context: &SetContext) -> bool {
    let longest = ints.bounds().map_or(0, |(least, greatest)| i64_len(least).max(i64_len(greatest)));
    let longest = longest.max(element.len());
    ints.len() < context.entries_max && longest <= context.value_bytes_max
}

impl Default for Set {
    fn default() -> Set {
        Set::new()
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

/// More integers than this are never kept in order, as in Redis.
const INTS_MAX: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const CONTEXT: SetContext = SetContext { ints_max: 512, entries_max: 128, value_bytes_max: 64, seed: 7 };

    fn set(members: impl IntoIterator<Item = impl ToString>) -> Set {
        let mut set = Set::new();
        for member in members {
            set.add(member.to_string().as_bytes().into(), &CONTEXT);
        }
        set.check_invariants();
        set
    }

    fn named(members: usize) -> Set {
        set((0..members).map(|member| format!("member:{member}")))
    }

    #[test]
    fn integers_are_in_order_until_there_are_too_many() {
        let mut ints = set((0..512).rev());
        assert_eq!(ints.encoding(), SetEncoding::Ints);
        assert!(ints.iter().eq((0..512).map(Element::Int)));
        assert!(!ints.add(b"511".as_slice().into(), &CONTEXT) && ints.encoding() == SetEncoding::Ints);
        assert!(ints.add(Element::Int(512), &CONTEXT));
        assert_eq!((ints.encoding(), ints.len()), (SetEncoding::Table, 513));
        ints.check_invariants();
    }

    #[test]
    fn integers_of_every_width_stay_in_order() {
        let values = [7, -7, 32_767, -32_769, 32_768, i64::from(i32::MAX), 1 << 31, i64::MIN, i64::MAX, 0];
        for len in 1..=values.len() {
            let ints = set(&values[..len]);
            let mut expected = values[..len].to_vec();
            expected.sort_unstable();
            assert!(ints.iter().eq(expected.into_iter().map(Element::Int)));
        }
    }

    #[test]
    fn another_member_makes_a_packed_set_of_integers_or_a_table_of_many_or_long_ones() {
        let with = |mut set: Set, member: &[u8], context: &SetContext| {
            assert!(set.add(member.into(), context));
            set.check_invariants();
            set.encoding()
        };
        assert_eq!(with(set(0..127), b"x", &CONTEXT), SetEncoding::Packed);
        assert_eq!(with(set(0..128), b"x", &CONTEXT), SetEncoding::Table);
        assert_eq!(with(set(0..3), &[b'x'; 64], &CONTEXT), SetEncoding::Packed);
        assert_eq!(with(set(0..3), &[b'x'; 65], &CONTEXT), SetEncoding::Table);
        assert_eq!(with(named(127), b"x", &CONTEXT), SetEncoding::Packed);
        assert_eq!(with(named(128), b"x", &CONTEXT), SetEncoding::Table);
        let short = SetContext { value_bytes_max: 3, ..CONTEXT };
        assert_eq!(with(set([1000]), b"x", &short), SetEncoding::Table);
        assert_eq!(with(set([100]), b"x", &short), SetEncoding::Packed);
    }

    #[test]
    fn more_members_than_a_small_set_may_have_make_a_table_at_once() {
        let expecting = |mut set: Set, members, first: &[u8]| {
            set.expect_members(members, first.into(), &CONTEXT);
            set.encoding()
        };
        assert_eq!(expecting(Set::new(), 512, b"1"), SetEncoding::Ints);
        assert_eq!(expecting(Set::new(), 513, b"1"), SetEncoding::Table);
        assert_eq!(expecting(Set::new(), 128, b"x"), SetEncoding::Ints, "until it is added");
        assert_eq!(expecting(Set::new(), 129, b"x"), SetEncoding::Table);
        assert_eq!(expecting(named(1), 129, b"1"), SetEncoding::Table);
        assert_eq!(expecting(set([1]), 129, b"x"), SetEncoding::Ints);
        assert_eq!(expecting(set([1]), 513, b"x"), SetEncoding::Table);
    }

    #[test]
    fn only_a_small_set_of_integers_becomes_one() {
        let narrowed = |mut set: Set| {
            set.narrow(&CONTEXT);
            set.check_invariants();
            set.encoding()
        };
        let mut mixed = set(["x", "1", "2"]);
        assert_eq!(narrowed(mixed.clone()), SetEncoding::Packed);
        assert!(mixed.remove(b"x".as_slice().into()));
        assert_eq!(narrowed(mixed), SetEncoding::Ints);
        assert_eq!(narrowed(set(0..513)), SetEncoding::Table);
    }

    #[test]
    fn every_member_comes_up_at_random_about_equally_often_in_all_forms() {
        for set in [set(0..10), named(10), named(1000), set(0..1000)] {
            let (mut random, mut seen) = (Random::seeded(3), BTreeMap::<Vec<u8>, usize>::new());
            for _ in 0..set.len() * 200 {
                let member = set.random_member(&mut random).expect("invariant: the set is not empty");
                *seen.entry(member.to_vec()).or_default() += 1;
            }
            assert_eq!(seen.len(), set.len());
            assert!(seen.values().all(|count| (130..270).contains(count)), "{seen:?}");
        }
        assert_eq!(Set::new().random_member(&mut Random::seeded(1)), None);
    }

    #[test]
    fn a_sample_has_different_members_each_as_often_as_another() {
        for (set, count) in [(named(20), 5), (set(0..1000), 900), (named(1000), 10), (named(5), 9)] {
            let (mut random, mut seen) = (Random::seeded(5), BTreeMap::<Vec<u8>, usize>::new());
            let rounds = 4000 / count;
            for _ in 0..rounds {
                let mut sample = BTreeSet::new();
                set.sample(count, &mut random, |member| assert!(sample.insert(member.to_vec())));
                assert_eq!(sample.len(), count.min(set.len()));
                sample.into_iter().for_each(|member| *seen.entry(member).or_default() += 1);
            }
            let expected = rounds * count.min(set.len()) / set.len();
            assert!(seen.values().all(|&times| times.abs_diff(expected) <= expected / 4 + 12), "{seen:?}");
        }
    }

    #[test]
    fn popping_and_dividing_keep_every_member_once() {
        for mut set in [set(0..100), named(100), named(1000)] {
            let all: BTreeSet<_> = set.iter().map(|member| member.to_vec()).collect();
            let (mut random, mut seen) = (Random::seeded(7), BTreeSet::new());
            for _ in 0..50 {
                assert!(
                    set.pop_random(&mut random, |member| assert!(seen.insert(member.to_vec()))).is_some()
                );
                set.check_invariants();
            }
            let mut into = Set::packed();
            set.divide(10, &mut into, &CONTEXT, &mut random, |member| assert!(seen.insert(member.to_vec())));
            assert_eq!((into.len(), into.encoding()), (10, SetEncoding::Packed));
            into.iter().for_each(|member| assert!(seen.insert(member.to_vec())));
            assert_eq!(seen, all);
        }
    }

    #[test]
    fn a_scan_visits_what_stays_while_the_table_grows_and_shrinks() {
        for members in [100, 5_000] {
            let mut set = named(members);
            let (mut seen, mut cursor, mut steps) = (BTreeSet::new(), 0, 0);
            loop {
                cursor = set.scan(cursor, 10, &mut |member| {
                    seen.insert(member.to_vec());
                });
                steps += 1;
                if cursor == 0 {
                    break;
                }
                for extra in 0..40 {
                    let member = format!("extra:{}:{extra}", steps / 100).into_bytes();
                    if steps / 50 % 2 == 0 {
                        set.add(member.as_slice().into(), &CONTEXT);
                    } else {
                        set.remove(member.as_slice().into());
                    }
                }
            }
            set.check_invariants();
            assert!((0..members).all(|member| seen.contains(format!("member:{member}").as_bytes())));
            assert_eq!(steps > members / 100, members > 128, "a small set in one step");
        }
    }

    #[test]
    fn sets_weigh_little() {
        let large = set((0..100_000).map(|member| format!("member:{member:010}")));
        assert!(large.memory_bytes() <= 26 * large.len(), "{}", large.memory_bytes() / large.len());
        let mut shrunk = large;
        (200..100_000)
            .for_each(|member| assert!(shrunk.remove(format!("member:{member:010}").as_bytes().into())));
        assert!(shrunk.memory_bytes() <= 200 * 60, "{}", shrunk.memory_bytes());
        assert_eq!(set((0..10).map(|item| format!("item{item}"))).memory_bytes(), 64);
        assert_eq!(set(0..7).memory_bytes(), 16);
    }

    #[derive(Clone, Debug)]
    enum Operation {
        Add(Vec<u8>),
        AddMany(u32, u32),
        Remove(Vec<u8>),
        RemoveMany(u32, u32),
        Pop(u64),
        Clone,
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let member = || {
            prop_oneof![
                20 => (0..60_u32).prop_map(|member| format!("m{member}").into_bytes()),
                20 => (0..60_u32).prop_map(|member| member.to_string().into_bytes()),
                2 => any::<i64>().prop_map(|member| member.to_string().into_bytes()),
                2 => prop::collection::vec(any::<u8>(), 0..70),
                1 => (1..3_u8, 500..5_000_usize).prop_map(|(byte, len)| vec![byte; len]),
            ]
        };
        prop_oneof![
            20 => member().prop_map(Operation::Add),
            1 => (0..500_u32, 1..60_u32).prop_map(|(from, count)| Operation::AddMany(from, count)),
            8 => member().prop_map(Operation::Remove),
            1 => (0..500_u32, 1..60_u32).prop_map(|(from, count)| Operation::RemoveMany(from, count)),
            1 => any::<u64>().prop_map(Operation::Pop),
            1 => Just(Operation::Clone),
        ]
    }

    fn check(set: &Set, model: &BTreeSet<Vec<u8>>) {
        set.check_invariants();
        assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
        let all: Vec<Vec<u8>> = set.iter().map(|member| member.to_vec()).collect();
        assert_eq!(all.len(), model.len());
        assert!(all.iter().all(|member| model.contains(member)));
        let mut scanned = BTreeSet::new();
        let mut visit = |member: Element<'_>| assert!(scanned.insert(member.to_vec()));
        assert_eq!(set.scan(0, usize::MAX, &mut visit), 0);
        assert_eq!(&scanned, model);
    }

    fn change(set: &mut Set, model: &mut BTreeSet<Vec<u8>>, context: &SetContext, operation: Operation) {
        let mut add = |set: &mut Set, member: Vec<u8>| {
            let is_new = set.add(member.as_slice().into(), context);
            assert!(set.contains(member.as_slice().into()));
            assert_eq!(model.insert(member), is_new);
        };
        match operation {
            Operation::Add(member) => add(set, member),
            Operation::AddMany(from, count) => {
                (from..from + count).for_each(|member| add(set, member.to_string().into_bytes()));
            }
            Operation::Remove(member) => {
                assert_eq!(set.remove(member.as_slice().into()), model.remove(&member));
                assert!(!set.contains(member.as_slice().into()));
            }
            Operation::RemoveMany(from, count) => (from..from + count).for_each(|member| {
                let member = member.to_string().into_bytes();
                assert_eq!(set.remove(member.as_slice().into()), model.remove(&member));
            }),
            Operation::Pop(seed) => {
                let popped = set.pop_random(&mut Random::seeded(seed), |member| member.to_vec());
                assert_eq!(popped.is_none(), model.is_empty());
                assert!(popped.is_none_or(|member| model.remove(&member)));
            }
            Operation::Clone => *set = set.clone(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn a_set_is_a_set_in_all_forms(
            ints_max in 0..100_usize,
            entries_max in 0..60_usize,
            value_bytes_max in 15..70_usize,
            operations in prop::collection::vec(operation(), 0..400),
        ) {
            let context = SetContext { ints_max, entries_max, value_bytes_max, seed: 1 };
            let (mut set, mut model) = (Set::new(), BTreeSet::new());
            for (index, operation) in operations.into_iter().enumerate() {
                change(&mut set, &mut model, &context, operation);
                match set.encoding() {
                    SetEncoding::Ints => {
                        prop_assert!(model.iter().all(|member| Element::Bytes(member).as_i64().is_some()));
                        prop_assert!(set.len() <= ints_max);
                    }
                    SetEncoding::Packed => {
                        prop_assert!(model.iter().all(|member| member.len() <= value_bytes_max));
                        prop_assert!(set.len() <= entries_max);
                    }
                    SetEncoding::Table => {}
                }
                if index % 16 == 0 {
                    check(&set, &model);
                }
            }
            check(&set, &model);
        }
    }
}
