//! Sorted sets: a few short members in one packed buffer, many or long ones in a table and a counting tree. The change
//! happens where Redis has it, so that OBJECT ENCODING agrees, and is never undone. Elements are in order of their
//! scores, equal ones in that of their bytes; a rank is a place in this order.

mod chunk;
#[expect(
    unsafe_code,
    reason = "an entry of one word that table and tree own together: a member stands once, not twice"
)]
mod entry;
mod large;
mod score;
mod small;

use std::convert::Infallible;
use std::fmt;
use std::ops::Range;

use self::chunk::Item;
use self::large::Members;
pub use self::score::Cut;
use self::small::Pairs;
use super::packed::{Element, Packed, Side};
use super::string::IntBuffer;
use crate::random::Random;
use crate::table::prefetch;

/// The limits of the small form, and what a large sorted set is seeded with.
#[derive(Clone, Copy, Debug)]
pub struct SortedSetContext {
    /// The most members of a small sorted set: `zset-max-listpack-entries`.
    pub entries_max: usize,
    /// The longest member of a small sorted set: `zset-max-listpack-value`.
    pub member_bytes_max: usize,
    /// What decides the order in which a large sorted set is scanned.
    pub seed: u64,
}

/// How a sorted set is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SortedSetEncoding {
    /// One packed buffer.
    Packed,
    /// A table and a tree.
    Tree,
}

impl SortedSetEncoding {
    /// As `OBJECT ENCODING` says it.
    pub const fn name(self) -> &'static str {
        match self {
            SortedSetEncoding::Packed => "listpack",
            SortedSetEncoding::Tree => "skiplist",
        }
    }
}

/// Members in the order of their scores.
#[derive(Clone)]
pub struct SortedSet {
    form: Form,
}

#[derive(Clone)]
enum Form {
    Packed(Packed),
    Tree(Box<Members>),
}

const _: () = assert!(size_of::<SortedSet>() == size_of::<Packed>());

impl SortedSet {
    /// A sorted set without members, which allocates nothing.
    pub fn new() -> SortedSet {
        SortedSet { form: Form::Packed(Packed::new()) }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.len() / 2,
            Form::Tree(members) => members.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks for what its members are found through.
    #[inline]
    pub fn prefetch(&self) {
        match &self.form {
            Form::Packed(packed) => packed.prefetch(),
            Form::Tree(members) => prefetch(std::ptr::from_ref::<Members>(members)),
        }
    }

    /// How the sorted set is stored.
    pub fn encoding(&self) -> SortedSetEncoding {
        match &self.form {
            Form::Packed(_) => SortedSetEncoding::Packed,
            Form::Tree(_) => SortedSetEncoding::Tree,
        }
    }

    /// Heap bytes, in constant time.
    pub fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.memory_bytes(),
            Form::Tree(members) => members.memory_bytes(),
        }
    }

    /// Members that the table has room for, if there is a table.
    pub fn table_room(&self) -> Option<usize> {
        match &self.form {
            Form::Packed(_) => None,
            Form::Tree(members) => Some(members.room()),
        }
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.form {
            Form::Packed(packed) => small::find(packed, member).map(|(_, score)| score),
            Form::Tree(members) => members.score(member),
        }
    }

    /// The rank of a member, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        let cut = Cut::Element(score, member);
        Some(match &self.form {
            Form::Packed(packed) => (small::run(packed, 0, cut), score),
            Form::Tree(members) => (members.rank(cut), score),
        })
    }

    /// The ranks of the elements between two cuts.
    pub fn ranks(&self, from: Cut<'_>, to: Cut<'_>) -> Range<usize> {
        match &self.form {
            Form::Packed(packed) => {
                let first = small::run(packed, 0, from);
                first..first + small::run(packed, first, to)
            }
            Form::Tree(members) => {
                let first = members.rank(from);
                first..members.rank(to).max(first)
            }
        }
    }

    /// The elements between two cuts, in order; what a small sorted set has in front of them is walked over once.
    pub fn between(&self, from: Cut<'_>, to: Cut<'_>) -> Items<'_> {
        match &self.form {
            Form::Packed(packed) => {
                let (pairs, left) = small::between(packed, from, to);
                Items { source: Source::Packed(pairs), towards: Side::Back, left }
            }
            Form::Tree(_) => {
                let ranks = self.ranks(from, to);
                Items { left: ranks.len(), ..self.iter_from(ranks.start, Side::Back) }
            }
        }
    }

    /// The element of this rank.
    pub fn nth(&self, rank: usize) -> Option<(Element<'_>, f64)> {
        self.iter_from(rank, Side::Back).next()
    }

    /// All elements in order.
    pub fn iter(&self) -> Items<'_> {
        self.iter_from(0, Side::Back)
    }

    /// The elements from a rank on, it included, towards one of the ends; none if there is no such rank.
    pub fn iter_from(&self, rank: usize, towards: Side) -> Items<'_> {
        let len = self.len();
        let left = match towards {
            _ if rank >= len => 0,
            Side::Front => rank + 1,
            Side::Back => len - rank,
        };
        let source = match (&self.form, towards) {
            (Form::Packed(packed), Side::Front) => Source::Packed(small::pairs_before(packed, left)),
            (Form::Packed(packed), Side::Back) => Source::Packed(small::pairs_from(packed, len - left)),
            (Form::Tree(members), _) => {
                let (node, at) = members.locate(rank).unwrap_or_default();
                let items = members.node(node).unwrap_or_default();
                let items = match towards {
                    Side::Front => &items[..items.len().min(at + 1)],
                    Side::Back => &items[at..],
                };
                Source::Tree { members, node, items: items.iter() }
            }
        };
        Items { source, towards, left }
    }

    /// The scores from a rank on, so many at most, in order. They stand beside each other: no member is looked at.
    pub fn scores_from(&self, rank: usize, count: usize) -> Vec<f64> {
        let count = count.min(self.len().saturating_sub(rank));
        let mut scores = Vec::with_capacity(count);
        match &self.form {
            Form::Packed(_) => {
                scores.extend(self.iter_from(rank, Side::Back).take(count).map(|(_, score)| score))
            }
            Form::Tree(members) => {
                let (mut node, mut at) = members.locate(rank).unwrap_or_default();
                while scores.len() < count
                    && let Some(items) = members.node(node)
                {
                    scores.extend(items[at..].iter().take(count - scores.len()).map(|item| item.score));
                    (node, at) = (node + 1, 0);
                }
            }
        }
        scores
    }

    /// One step of an iteration that survives changes between its steps: a member that is there from first to last is
    /// visited at least once. Begins with cursor 0, is over when it returns 0, and visits about `count` members; all of
    /// a small sorted set.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(Element<'_>, f64)) -> u64 {
        match &self.form {
            Form::Packed(packed) => {
                small::pairs(packed).for_each(|(member, score)| visit(member, score));
                0
            }
            Form::Tree(members) => {
                members.scan(cursor, count, &mut |member, score| visit(member.into(), score))
            }
        }
    }

    /// How many members a step of a scan looks at that is asked for `count`.
    pub fn scan_len(&self, count: usize) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.len() / 2,
            Form::Tree(members) => members.len().min(count),
        }
    }

    /// An element by chance, each as likely as another.
    pub fn random_entry(&self, random: &mut Random) -> Option<(Element<'_>, f64)> {
        if self.is_empty() { None } else { self.nth(random.below(self.len() as u64) as usize) }
    }

    /// Makes ready for as many members in one command, repeated ones counted too, the longest of so many bytes: what a
    /// small sorted set may not have makes a large one of it at once, as in Redis.
    pub fn expect_members(&mut self, members: usize, member_bytes: usize, context: &SortedSetContext) {
        if members > context.entries_max || member_bytes > context.member_bytes_max {
            self.make_tree(context);
        }
    }

    /// Gives a member a score, which must be a number, and returns the one that it had. A score that equals the old one
    /// changes nothing, not even the sign of a zero. A small sorted set keeps no sign of a zero.
    pub fn set(&mut self, member: &[u8], score: f64, context: &SortedSetContext) -> Option<f64> {
        let mut before = None;
        let given = self.update(member, context, |old| {
            before = old;
            Ok::<_, Infallible>(Some(score))
        });
        debug_assert!(given.is_ok_and(|given| given == Some(score)));
        before
    }

    /// Gives a member the score that `decide` makes of the one that it has, if it has and if that makes one; returns what
    /// `decide` does.
    pub fn update<E>(
        &mut self,
        member: &[u8],
        context: &SortedSetContext,
        decide: impl FnOnce(Option<f64>) -> Result<Option<f64>, E>,
    ) -> Result<Option<f64>, E> {
        let packed = match &mut self.form {
            Form::Packed(packed) => packed,
            Form::Tree(members) => return members.update(member, decide),
        };
        let found = small::find(packed, member);
        let given = decide(found.map(|(_, old)| old))?;
        let Some(score) = given else { return Ok(None) };
        assert!(!score.is_nan(), "scores have an order");
        match found {
            Some((_, old)) if old == score => {}
            Some((position, _)) => small::change(packed, position, member, score),
            None if packed.len() / 2 < context.entries_max && member.len() <= context.member_bytes_max => {
                small::insert(packed, member, score);
            }
            None => self.make_tree(context).add(member, score),
        }
        Ok(given)
    }

    /// Removes a member, and returns the score that it had.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.form {
            Form::Packed(packed) => {
                let (position, score) = small::find(packed, member)?;
                packed.remove(position, 2);
                Some(score)
            }
            Form::Tree(members) => members.remove(member),
        }
    }

    /// Removes `count` elements from a rank on, or as many as there are.
    pub fn remove_ranks(&mut self, rank: usize, count: usize) {
        let rank = rank.min(self.len());
        let count = count.min(self.len() - rank);
        match &mut self.form {
            Form::Packed(packed) => packed.remove(packed.position(2 * rank), 2 * count),
            Form::Tree(members) => members.remove_ranks(rank, count),
        }
    }

    /// Panics if the sorted set contradicts itself.
    pub fn check_invariants(&self) {
        match &self.form {
            Form::Packed(packed) => {
                packed.check_invariants();
                assert_eq!(packed.len() % 2, 0, "every member has a score");
                for (rank, (member, score)) in small::pairs(packed).enumerate() {
                    let cut = member.to_vec();
                    assert_eq!(
                        small::run(packed, 0, Cut::Element(score, &cut)),
                        rank,
                        "members are in order"
                    );
                    assert!(
                        small::find(packed, &cut)
                            .is_some_and(|(position, _)| { position == packed.position(2 * rank) }),
                        "members differ"
                    );
                }
            }
            Form::Tree(members) => members.check_invariants(),
        }
    }

    /// Makes a small sorted set a large one.
    fn make_tree(&mut self, context: &SortedSetContext) -> &mut Members {
        if let Form::Packed(packed) = &self.form {
            let mut members = Members::new(context.seed);
            let mut buffer = IntBuffer::new();
            for (member, score) in small::pairs(packed) {
                members.add(member.text(&mut buffer), score);
            }
            self.form = Form::Tree(Box::new(members));
        }
        match &mut self.form {
            Form::Packed(_) => unreachable!("it was just replaced"),
            Form::Tree(members) => members,
        }
    }
}

impl Default for SortedSet {
    fn default() -> SortedSet {
        SortedSet::new()
    }
}

impl fmt::Debug for SortedSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

/// Elements one after another, each a member with its score.
#[derive(Clone)]
pub struct Items<'a> {
    source: Source<'a>,
    towards: Side,
    left: usize,
}

#[derive(Clone)]
enum Source<'a> {
    Packed(Pairs<'a>),
    Tree { members: &'a Members, node: usize, items: std::slice::Iter<'a, Item> },
}

impl<'a> Iterator for Items<'a> {
    type Item = (Element<'a>, f64);

    fn next(&mut self) -> Option<(Element<'a>, f64)> {
        self.left = self.left.checked_sub(1)?;
        match (&mut self.source, self.towards) {
            (Source::Packed(pairs), Side::Front) => pairs.next_back(),
            (Source::Packed(pairs), Side::Back) => pairs.next(),
            (Source::Tree { members, node, items }, towards) => {
                if items.as_slice().is_empty() {
                    *node = match towards {
                        Side::Front => node.checked_sub(1)?,
                        Side::Back => *node + 1,
                    };
                    *items = members.node(*node)?.iter();
                }
                let item = if towards == Side::Front { items.next_back() } else { items.next() }?;
                Some((Element::Bytes(item.entry.member()), item.score))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Items<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const CONTEXT: SortedSetContext = SortedSetContext { entries_max: 128, member_bytes_max: 64, seed: 7 };

    /// What a sorted set is: a map to scores, sorted whenever that is asked for.
    #[derive(Default)]
    struct Model(BTreeMap<Vec<u8>, f64>);

    impl Model {
        fn sorted(&self) -> Vec<(Vec<u8>, f64)> {
            let mut sorted: Vec<_> = self.0.iter().map(|(member, &score)| (member.clone(), score)).collect();
            sorted.sort_by(|one, other| one.1.partial_cmp(&other.1).unwrap().then(one.0.cmp(&other.0)));
            sorted
        }
    }

    fn owned<'a>(items: impl Iterator<Item = (Element<'a>, f64)>) -> Vec<(Vec<u8>, f64)> {
        items.map(|(member, score)| (member.to_vec(), score)).collect()
    }

    fn filled(members: usize) -> SortedSet {
        let mut set = SortedSet::new();
        for member in 0..members {
            let score = (member * 7919 % 1000) as f64;
            assert_eq!(set.set(format!("member:{member}").as_bytes(), score, &CONTEXT), None);
        }
        set
    }

    #[test]
    fn a_sorted_set_becomes_large_with_the_first_member_too_many_and_stays_so() {
        let mut set = filled(128);
        assert_eq!(set.encoding(), SortedSetEncoding::Packed);
        assert!(set.set(b"member:7", 0.5, &CONTEXT).is_some());
        assert_eq!(set.encoding(), SortedSetEncoding::Packed);
        assert_eq!(set.set(b"one more", 0.5, &CONTEXT), None);
        assert_eq!(set.encoding(), SortedSetEncoding::Tree);
        set.remove_ranks(1, 1000);
        assert_eq!((set.encoding(), set.len()), (SortedSetEncoding::Tree, 1));
        set.check_invariants();
    }

    #[test]
    fn a_sorted_set_becomes_large_with_the_first_member_too_long() {
        let mut set = filled(3);
        set.set(&[b'x'; 64], 1.0, &CONTEXT);
        assert_eq!(set.encoding(), SortedSetEncoding::Packed);
        set.set(&[b'x'; 65], 2.0, &CONTEXT);
        assert_eq!(set.encoding(), SortedSetEncoding::Tree);
        assert_eq!((set.len(), set.score(b"member:0")), (5, Some(0.0)));
    }

    #[test]
    fn more_members_in_one_command_than_a_small_sorted_set_may_have_make_it_large_at_once() {
        for (members, bytes, encoding) in [
            (128, 64, SortedSetEncoding::Packed),
            (129, 1, SortedSetEncoding::Tree),
            (1, 65, SortedSetEncoding::Tree),
        ] {
            let mut set = SortedSet::new();
            set.expect_members(members, bytes, &CONTEXT);
            assert_eq!(set.encoding(), encoding);
        }
    }

    #[test]
    fn zeros_are_equal_and_infinities_are_the_ends() {
        for members in [0, 1000] {
            let mut set = filled(members);
            for (member, score) in
                [("b", 0.0), ("a", -0.0), ("z", f64::INFINITY), ("y", f64::NEG_INFINITY), ("c", -0.0)]
            {
                set.set(member.as_bytes(), score, &CONTEXT);
            }
            assert_eq!(set.set(b"b", -0.0, &CONTEXT).map(f64::to_bits), Some(0));
            let [a, b, c] = [b"a", b"b", b"c"].map(|member| set.rank(member).unwrap().0);
            assert_eq!((b, c), (a + 1, b + 1));
            assert_eq!(set.rank(b"y"), Some((0, f64::NEG_INFINITY)));
            assert_eq!(set.rank(b"z"), Some((set.len() - 1, f64::INFINITY)));
            let zeros = set.ranks(Cut::Score(-0.0, Side::Front), Cut::Score(0.0, Side::Back));
            assert!(zeros.contains(&a) && zeros.contains(&c));
            set.check_invariants();
        }
    }

    #[test]
    fn a_large_sorted_set_takes_no_more_than_promised() {
        let mut set = SortedSet::new();
        for n in 0..1_000_000_u64 {
            let score = (n * 7919 % 1_000_003) as f64;
            set.set(format!("member:{n:010}").as_bytes(), score, &CONTEXT);
        }
        let bytes = set.memory_bytes() as f64 / set.len() as f64;
        assert!(bytes <= 64.0, "{bytes:.2} bytes a member");
    }

    #[test]
    fn memory_comes_back_when_members_go() {
        let mut set = filled(10_000);
        let full = set.memory_bytes();
        for member in 0..9_990 {
            assert!(set.remove(format!("member:{member}").as_bytes()).is_some());
        }
        assert!(set.memory_bytes() * 50 < full);
        set.check_invariants();
    }

    #[test]
    fn every_member_comes_up_at_random_about_equally_often_in_both_forms() {
        for members in [10, 1_000] {
            let set = filled(members);
            let mut random = Random::seeded(3);
            let mut seen = BTreeMap::<Vec<u8>, usize>::new();
            for _ in 0..members * 200 {
                let (member, _) = set.random_entry(&mut random).unwrap();
                *seen.entry(member.to_vec()).or_default() += 1;
            }
            assert_eq!(seen.len(), members);
            assert!(seen.values().all(|&count| (100..300).contains(&count)));
        }
    }

    #[test]
    fn a_scan_visits_every_member_that_stays() {
        let mut set = filled(5_000);
        let (mut cursor, mut seen, mut steps) = (0, BTreeSet::new(), 0);
        loop {
            cursor = set.scan(cursor, 10, &mut |member, _| {
                seen.insert(member.to_vec());
            });
            steps += 1;
            set.remove(format!("member:{}", 4_999 - steps).as_bytes());
            set.set(format!("new:{steps}").as_bytes(), 0.0, &CONTEXT);
            if cursor == 0 {
                break;
            }
        }
        let stayed = (0..4_999 - steps).map(|n| format!("member:{n}").into_bytes());
        assert_eq!(stayed.filter(|member| !seen.contains(member)).count(), 0, "after {steps} steps");
    }

    #[derive(Clone, Debug)]
    enum Operation {
        Set(Vec<u8>, f64),
        SetMany(u32, u32, f64),
        Remove(Vec<u8>),
        RemoveRanks(usize, usize),
        Ask(Vec<u8>, f64, f64),
    }

    fn member() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            8 => (0..2_000_u32).prop_map(|n| n.to_string().into_bytes()),
            1 => prop::collection::vec(any::<u8>(), 0..3),
            1 => Just(vec![b'm'; 70]),
        ]
    }

    fn score() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (-20..20_i32).prop_map(f64::from),
            2 => (-1000..1000_i32).prop_map(|n| f64::from(n) / 8.0),
            1 => prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, 1e300, 5e-324]),
        ]
    }

    fn operation() -> impl Strategy<Value = Operation> {
        prop_oneof![
            12 => (member(), score()).prop_map(|(member, score)| Operation::Set(member, score)),
            1 => (0..1_800_u32, 1..200_u32, score())
                .prop_map(|(from, count, score)| Operation::SetMany(from, count, score)),
            6 => member().prop_map(Operation::Remove),
            1 => (0..2_000_usize, 0..300_usize).prop_map(|(rank, count)| Operation::RemoveRanks(rank, count)),
            4 => (member(), score(), score()).prop_map(|(member, from, to)| Operation::Ask(member, from, to)),
        ]
    }

    fn apply(set: &mut SortedSet, model: &mut Model, operation: Operation, context: &SortedSetContext) {
        let mut set_one = |member: Vec<u8>, score: f64| {
            let old = model.0.get(&member).copied();
            assert_eq!(set.set(&member, score, context), old);
            if old != Some(score) {
                model.0.insert(member, score);
            }
        };
        match operation {
            Operation::Set(member, score) => set_one(member, score),
            Operation::SetMany(from, count, score) => {
                (from..from + count).for_each(|n| set_one(n.to_string().into_bytes(), score));
            }
            Operation::Remove(member) => assert_eq!(set.remove(&member), model.0.remove(&member)),
            Operation::RemoveRanks(rank, count) => {
                for (member, _) in model.sorted().iter().skip(rank).take(count) {
                    model.0.remove(member);
                }
                set.remove_ranks(rank, count);
            }
            Operation::Ask(member, from, to) => ask(set, &model.sorted(), &member, from, to),
        }
    }

    fn ask(set: &SortedSet, sorted: &[(Vec<u8>, f64)], member: &[u8], from: f64, to: f64) {
        let rank = sorted.iter().position(|(other, _)| other == member);
        assert_eq!(set.rank(member).map(|(rank, _)| rank), rank);
        assert_eq!(set.score(member), rank.map(|rank| sorted[rank].1));
        let expected = sorted.iter().filter(|(_, score)| (from..=to).contains(score)).cloned();
        let ranks = set.ranks(Cut::Score(from, Side::Front), Cut::Score(to, Side::Back));
        let range = set.iter_from(ranks.start, Side::Back).take(ranks.len());
        let expected = expected.collect::<Vec<_>>();
        let scores = expected.iter().map(|(_, score)| *score).collect::<Vec<_>>();
        assert_eq!(owned(range), expected);
        let between = set.between(Cut::Score(from, Side::Front), Cut::Score(to, Side::Back));
        assert_eq!((between.len(), owned(between)), (expected.len(), expected));
        assert_eq!(set.scores_from(ranks.start, ranks.len()), scores);
        let exclusive = sorted.iter().filter(|(_, score)| from < *score && *score < to).count();
        assert_eq!(set.ranks(Cut::Score(from, Side::Back), Cut::Score(to, Side::Front)).len(), exclusive);
        let at = rank.unwrap_or(sorted.len() / 3);
        let backwards = sorted.iter().take(at + 1).rev().cloned().collect::<Vec<_>>();
        assert_eq!(owned(set.iter_from(at, Side::Front)), backwards);
        assert_eq!(set.nth(at).map(|(member, _)| member.to_vec()), sorted.get(at).map(|pair| pair.0.clone()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn a_sorted_set_is_a_map_in_order(
            operations in prop::collection::vec(operation(), 0..2_000),
            entries_max in prop_oneof![Just(0_usize), Just(128), Just(400)],
        ) {
            let context = SortedSetContext { entries_max, ..CONTEXT };
            let (mut set, mut model) = (SortedSet::new(), Model::default());
            for (step, operation) in operations.into_iter().enumerate() {
                apply(&mut set, &mut model, operation, &context);
                assert_eq!(set.len(), model.0.len());
                if step % 200 == 0 {
                    set.check_invariants();
                    assert_eq!(owned(set.iter()), model.sorted());
                }
            }
            set.check_invariants();
            let copy = set.clone();
            copy.check_invariants();
            drop(set);
            prop_assert_eq!(owned(copy.iter()), model.sorted());
        }

        #[test]
        fn members_of_one_score_are_found_by_their_bytes(
            members in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 0..3), 0..400),
            from in prop::collection::vec(any::<u8>(), 0..3),
            to in prop::collection::vec(any::<u8>(), 0..3),
            entries_max in prop_oneof![Just(0_usize), Just(1_000)],
        ) {
            let context = SortedSetContext { entries_max, ..CONTEXT };
            let mut set = SortedSet::new();
            for member in &members {
                set.set(member, 1.5, &context);
            }
            let inclusive = set.ranks(Cut::Member(&from, Side::Front), Cut::Member(&to, Side::Back));
            let expected = members.iter().filter(|&member| from <= *member && *member <= to);
            prop_assert!(set
                .iter_from(inclusive.start, Side::Back)
                .take(inclusive.len())
                .map(|(member, _)| member.to_vec())
                .eq(expected.cloned()));
            let below = set.ranks(Cut::FRONT, Cut::Member(&to, Side::Front));
            prop_assert_eq!(below, 0..members.iter().filter(|&member| *member < to).count());
            prop_assert_eq!(set.ranks(Cut::FRONT, Cut::BACK), 0..members.len());
        }
    }
}
