//! Lists: a short one in one packed buffer, a long one in a chain of packed nodes found by index. The change
//! from one form to the other and back happens where Redis has it, so that OBJECT ENCODING agrees. Nothing
//! here blocks or waits.

mod nodes;

use std::fmt;

use self::nodes::Nodes;
use super::allocation::allocation_bytes;
use super::packed::{self, Element, LISTPACK_FRAME_BYTES, Packed};
use crate::table::prefetch;

pub use super::packed::Side;

/// How large a short list, and a node of a long one, may be: `list-max-listpack-size`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListLimit {
    /// As a listpack.
    bytes_max: usize,
    elements_max: usize,
    /// Up to this size the only node of a long list is made a short one again.
    shrunk_bytes_max: usize,
}

impl ListLimit {
    /// What the setting means: -1 to -5 for 4 to 64 KB, 0 and more for a number of elements, at most 8 KB of
    /// them.
    pub const fn from_setting(setting: i64) -> ListLimit {
        if setting < 0 {
            let size = if setting < -5 { 5 } else { -setting };
            let bytes_max = 2048 << size;
            ListLimit { bytes_max, elements_max: usize::MAX, shrunk_bytes_max: bytes_max / 2 }
        } else {
            let elements_max = if setting == 0 { 1 } else { setting as usize };
            ListLimit { bytes_max: COUNTED_BYTES_MAX, elements_max, shrunk_bytes_max: usize::MAX }
        }
    }

    fn exceeded(self, listpack_bytes: usize, elements: usize) -> bool {
        listpack_bytes > self.bytes_max || elements > self.elements_max
    }

    /// Whether a node may take one more element, by Redis's estimate of what it takes.
    fn has_room(self, node: &Packed, element: Element<'_>) -> bool {
        let bytes = node.listpack_bytes().saturating_add(element.len() + ENTRY_OVERHEAD_ESTIMATE);
        !self.exceeded(bytes, node.len() + 1)
    }

    fn fits_both(self, one: &Packed, other: &Packed) -> bool {
        let bytes = one.listpack_bytes() + other.listpack_bytes() - LISTPACK_FRAME_BYTES;
        !self.exceeded(bytes, one.len() + other.len())
    }

    /// Whether an element is so long that it gets a node of its own.
    fn is_oversized(self, element: Element<'_>) -> bool {
        element.len() > self.bytes_max
    }

    fn is_oversized_node(self, node: &Packed) -> bool {
        node.len() == 1 && node.nth(0).is_some_and(|element| self.is_oversized(element))
    }

    fn is_half_empty(self, node: &Packed) -> bool {
        node.listpack_bytes() <= self.shrunk_bytes_max && node.len() <= self.elements_max / 2
    }
}

impl Default for ListLimit {
    fn default() -> ListLimit {
        ListLimit::from_setting(-2)
    }
}

/// An element on its way from one end to another, perhaps of another list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Moved {
    /// As bytes.
    Bytes(Vec<u8>),
    /// As an integer.
    Int(i64),
}

impl Moved {
    /// A copy of an element.
    pub fn new(element: Element<'_>) -> Moved {
        match element {
            Element::Bytes(bytes) => Moved::Bytes(bytes.to_vec()),
            Element::Int(value) => Moved::Int(value),
        }
    }

    /// The element.
    pub fn element(&self) -> Element<'_> {
        match self {
            Moved::Bytes(bytes) => Element::Bytes(bytes),
            Moved::Int(value) => Element::Int(*value),
        }
    }
}

/// How a list is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListEncoding {
    /// One packed buffer.
    Packed,
    /// A chain of packed nodes.
    Nodes,
}

impl ListEncoding {
    /// As `OBJECT ENCODING` says it.
    pub const fn name(self) -> &'static str {
        match self {
            ListEncoding::Packed => "listpack",
            ListEncoding::Nodes => "quicklist",
        }
    }
}

/// Elements in order.
#[derive(Clone)]
pub struct List {
    form: Form,
}

#[derive(Clone)]
enum Form {
    Packed(Packed),
    Nodes(Box<Nodes>),
}

const _: () = assert!(size_of::<List>() == size_of::<Packed>());

impl List {
    /// A list without elements, which allocates nothing.
    pub fn new() -> List {
        List { form: Form::Packed(Packed::new()) }
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.len(),
            Form::Nodes(nodes) => nodes.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks for what its elements are found through.
    #[inline]
    pub fn prefetch(&self) {
        match &self.form {
            Form::Packed(packed) => packed.prefetch(),
            Form::Nodes(nodes) => prefetch(std::ptr::from_ref::<Nodes>(nodes)),
        }
    }

    /// How the list is stored.
    pub fn encoding(&self) -> ListEncoding {
        match &self.form {
            Form::Packed(_) => ListEncoding::Packed,
            Form::Nodes(_) => ListEncoding::Nodes,
        }
    }

    /// Heap bytes, in constant time.
    pub fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.memory_bytes(),
            Form::Nodes(nodes) => allocation_bytes(size_of::<Nodes>()) + nodes.memory_bytes(),
        }
    }

    /// The packed nodes in order; a short list is one by itself.
    pub fn nodes(&self) -> impl Iterator<Item = &Packed> {
        (0..).map_while(|node| self.node(node))
    }

    /// The element of this index.
    pub fn nth(&self, index: usize) -> Option<Element<'_>> {
        let (node, offset) = self.locate(index)?;
        self.node(node)?.nth(offset)
    }

    /// All elements from front to back.
    pub fn iter(&self) -> Elements<'_> {
        self.iter_from(0, Side::Back)
    }

    /// The elements from an index on, it included, towards one of the ends; none if there is no such index.
    pub fn iter_from(&self, index: usize, towards: Side) -> Elements<'_> {
        let in_node = |(node, offset): (usize, usize)| {
            let packed = self.node(node)?;
            Some(match towards {
                Side::Front => (node, packed.iter_before(packed.position(offset + 1)), index + 1),
                Side::Back => (node, packed.iter_from(packed.position(offset)), self.len() - index),
            })
        };
        let (node, current, left) = self.locate(index).and_then(in_node).unwrap_or_default();
        Elements { list: self, node, current, towards, left }
    }

    /// Makes ready for one command's new elements, of `bytes` bytes together: more than a short list may have
    /// make a long one of it at once, as in Redis. What adds elements does this by itself; LINSERT does it
    /// even if nothing is inserted then.
    pub fn expect_elements(&mut self, bytes: usize, elements: usize, limit: ListLimit) {
        if let Form::Packed(packed) = &mut self.form
            && limit.exceeded(packed.listpack_bytes().saturating_add(bytes), packed.len() + elements)
        {
            self.form = Form::Nodes(Box::new(Nodes::new(std::mem::take(packed))));
        }
    }

    /// Adds the elements of one command at an end, one after the other. What was an integer in another list
    /// ([`Element::Int`]) counts as no bytes for the change to the long form, as in Redis.
    pub fn push<'a>(
        &mut self,
        side: Side,
        elements: impl Iterator<Item = Element<'a>> + Clone,
        limit: ListLimit,
    ) {
        let (mut bytes, mut count) = (0, 0);
        for element in elements.clone() {
            bytes += expected_bytes(element);
            count += 1;
        }
        self.expect_elements(bytes, count, limit);
        match &mut self.form {
            Form::Packed(packed) if count == 1 => elements.for_each(|element| packed.push(side, element)),
            Form::Packed(packed) => packed.push_all(side, elements),
            Form::Nodes(nodes) => elements.for_each(|element| nodes.push(side, element, limit)),
        }
    }

    /// Takes an element off an end and shows it.
    pub fn pop_with<R>(
        &mut self,
        side: Side,
        limit: ListLimit,
        visit: impl FnOnce(Element<'_>) -> R,
    ) -> Option<R> {
        let result = match &mut self.form {
            Form::Packed(packed) => return packed.pop_with(side, visit),
            Form::Nodes(nodes) => nodes.pop_with(side, visit),
        };
        self.shrink(limit);
        result
    }

    /// Moves an element from one end to the other, or takes it off and puts it back where it was, and shows it.
    pub fn rotate<R>(
        &mut self,
        from: Side,
        to: Side,
        limit: ListLimit,
        visit: impl FnOnce(Element<'_>) -> R,
    ) -> Option<R> {
        let take = |element: Element<'_>| (Moved::new(element), visit(element));
        let (moved, result) = match &mut self.form {
            Form::Packed(packed) => packed.pop_with(from, take),
            Form::Nodes(nodes) => nodes.pop_with(from, take),
        }?;
        // The form is that of a list which has never been without it.
        self.push(to, std::iter::once(moved.element()), limit);
        self.shrink(limit);
        Some(result)
    }

    /// Puts an element beside the one of an index, and returns whether there is that one.
    pub fn insert(&mut self, index: usize, side: Side, element: Element<'_>, limit: ListLimit) -> bool {
        self.expect_elements(expected_bytes(element), 1, limit);
        if index >= self.len() {
            return false;
        }
        match &mut self.form {
            Form::Packed(packed) => {
                packed.insert(packed.position(index + usize::from(side == Side::Back)), element)
            }
            Form::Nodes(nodes) => nodes.insert(index, side, element, limit),
        }
        true
    }

    /// Gives an index another element, and returns whether there is that index.
    pub fn set(&mut self, index: usize, element: Element<'_>, limit: ListLimit) -> bool {
        self.expect_elements(expected_bytes(element), 1, limit);
        if index >= self.len() {
            return false;
        }
        match &mut self.form {
            Form::Packed(packed) => packed.replace(packed.position(index), element),
            Form::Nodes(nodes) => nodes.set(index, element, limit),
        }
        self.shrink(limit);
        true
    }

    /// Removes `count` elements from `index` on, or as many as there are.
    pub fn remove(&mut self, index: usize, count: usize, limit: ListLimit) {
        match &mut self.form {
            Form::Packed(packed) => {
                let index = index.min(packed.len());
                packed.remove(packed.position(index), count.min(packed.len() - index));
            }
            Form::Nodes(nodes) => nodes.remove(index, count),
        }
        self.shrink(limit);
    }

    /// Removes elements that are `wanted`, at most `count` of them from an end on, and returns how many they were.
    pub fn remove_equal(&mut self, wanted: &[u8], from: Side, count: usize, limit: ListLimit) -> usize {
        let removed = match &mut self.form {
            Form::Packed(packed) => packed.remove_equal(wanted, from, count),
            Form::Nodes(nodes) => nodes.remove_equal(wanted, from, count),
        };
        if removed > 0 {
            self.shrink(limit);
        }
        removed
    }

    /// Panics if the list contradicts itself.
    pub fn check_invariants(&self) {
        match &self.form {
            Form::Packed(packed) => packed.check_invariants(),
            Form::Nodes(nodes) => nodes.check_invariants(),
        }
    }

    /// Makes a long list a short one again when little is left of it.
    fn shrink(&mut self, limit: ListLimit) {
        if let Form::Nodes(nodes) = &mut self.form
            && let Some(packed) = nodes.take_if_small(limit)
        {
            self.form = Form::Packed(packed);
        }
    }

    /// A short list is its own only node.
    fn node(&self, node: usize) -> Option<&Packed> {
        match &self.form {
            Form::Packed(packed) => (node == 0).then_some(packed),
            Form::Nodes(nodes) => nodes.node(node),
        }
    }

    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        match &self.form {
            Form::Packed(packed) => (index < packed.len()).then_some((0, index)),
            Form::Nodes(nodes) => nodes.locate(index),
        }
    }
}

impl Default for List {
    fn default() -> List {
        List::new()
    }
}

impl fmt::Debug for List {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

/// Elements one after another.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    list: &'a List,
    node: usize,
    current: packed::Elements<'a>,
    towards: Side,
    left: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        self.left = self.left.checked_sub(1)?;
        loop {
            let (next, neighbour) = match self.towards {
                Side::Front => (self.current.next_back(), self.node.wrapping_sub(1)),
                Side::Back => (self.current.next(), self.node + 1),
            };
            if next.is_some() {
                return next;
            }
            self.current = self.list.node(neighbour)?.iter();
            self.node = neighbour;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements<'_> {}

/// What an element counts for before it is added. Redis does not count what it holds as an integer object.
fn expected_bytes(element: Element<'_>) -> usize {
    match element {
        Element::Int(_) => 0,
        Element::Bytes(bytes) => bytes.len(),
    }
}

/// The most bytes of a node whose limit is a number of elements.
const COUNTED_BYTES_MAX: usize = 8192;
/// What Redis adds to the length of an element before it knows what its entry takes.
const ENTRY_OVERHEAD_ESTIMATE: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    const LIMIT: ListLimit = ListLimit::from_setting(-2);

    fn push(list: &mut List, side: Side, texts: &[&[u8]], limit: ListLimit) {
        list.push(side, texts.iter().map(|text| Element::Bytes(text)), limit);
    }

    fn of(texts: &[&[u8]]) -> List {
        let mut list = List::new();
        push(&mut list, Side::Back, texts, LIMIT);
        list
    }

    #[test]
    fn a_list_becomes_long_with_the_first_command_that_would_exceed_the_limit() {
        assert_eq!(of(&[&[b'x'; 8185]]).encoding(), ListEncoding::Packed);
        assert_eq!(of(&[&[b'x'; 8186]]).encoding(), ListEncoding::Nodes);
        // Before a command the elements count with their lengths, after it with what their entries take.
        let mut list = of(&[&[b'x'; 4000], &[b'y'; 4185]]);
        assert_eq!(list.encoding(), ListEncoding::Packed);
        push(&mut list, Side::Front, &[b""], LIMIT);
        assert_eq!(list.encoding(), ListEncoding::Nodes);
        assert_eq!(of(&[&b"1234567"[..]; 1200]).encoding(), ListEncoding::Nodes);
        let mut list = List::new();
        list.push(Side::Back, std::iter::repeat_n(Element::Int(1_234_567), 1200), LIMIT);
        assert_eq!(list.encoding(), ListEncoding::Packed);
    }

    #[test]
    fn a_long_list_becomes_short_when_half_the_limit_is_left() {
        for (len, encoding) in [(4085, ListEncoding::Packed), (4086, ListEncoding::Nodes)] {
            let mut list = of(&[&[b'x'; 8000], &[b'y'; 300]]);
            list.pop_with(Side::Back, LIMIT, |_| ());
            assert_eq!(list.encoding(), ListEncoding::Nodes);
            list.set(0, Element::Bytes(&vec![b'z'; len]), LIMIT);
            assert_eq!(list.encoding(), encoding);
            assert_eq!(list.nth(0).map(|element| element.len()), Some(len));
        }
    }

    #[test]
    fn a_limit_of_elements_holds_up_to_8_kilobytes_of_them() {
        let limit = ListLimit::from_setting(3);
        let mut list = List::new();
        push(&mut list, Side::Back, &[b"a", b"b", b"c"], limit);
        assert_eq!(list.encoding(), ListEncoding::Packed);
        push(&mut list, Side::Back, &[b"d"], limit);
        list.remove(1, 1, limit);
        list.remove(1, 1, limit);
        assert_eq!(list.encoding(), ListEncoding::Nodes, "in two nodes");
        list.remove(1, 1, limit);
        assert_eq!(list.encoding(), ListEncoding::Packed, "in one");
        push(&mut list, Side::Back, &[&[b'x'; 8192]], limit);
        assert_eq!(list.encoding(), ListEncoding::Nodes);
    }

    #[test]
    fn nodes_are_divided_and_joined_as_by_a_real_server() {
        let limit = ListLimit::from_setting(4);
        let oversized = [b'x'; 8193];
        let mut list = List::new();
        push(&mut list, Side::Back, &[b"a", b"b", b"c", b"d"], limit);
        push(&mut list, Side::Back, &[b"e"], limit);
        push(&mut list, Side::Back, &[b"f", b"g", b"h", b"i", b"j", b"k", b"l", b"m"], limit);
        // Each edit, an insertion beside the index or a new element for it, with the number of nodes after
        // it.
        let edits: [(Option<Side>, usize, &[u8], usize); 10] = [
            (Some(Side::Back), 1, b"B", 5),
            (Some(Side::Front), 3, b"C", 5),
            (Some(Side::Front), 6, b"E", 6),
            (Some(Side::Back), 10, b"H", 7),
            (Some(Side::Front), 13, b"J", 6),
            (None, 2, &oversized, 7),
            (None, 3, &oversized, 8),
            (None, 3, b"d", 7),
            (None, 2, b"c", 6),
            (Some(Side::Back), 15, &oversized, 8),
        ];
        for (step, (side, index, text, nodes)) in edits.into_iter().enumerate() {
            match side {
                Some(side) => list.insert(index, side, text.into(), limit),
                None => list.set(index, text.into(), limit),
            };
            list.check_invariants();
            assert!(list.node(nodes - 1).is_some() && list.node(nodes).is_none(), "step {step}");
        }
        list.remove(list.len() - 1, 1, limit);
        list.remove(0, 6, limit);
        list.remove(list.len() - 4, 4, limit);
        let left: Vec<_> = list.iter().map(|element| element.to_vec()).collect();
        assert_eq!(left.concat(), b"EefghHiJ");
        assert!(list.node(2).is_some() && list.node(3).is_none());
    }

    #[test]
    fn replaced_elements_do_not_grow_a_node_without_limit() {
        let mut list = of(&[&b"x"[..]; 3000]);
        for index in 0..1000 {
            list.set(index, Element::Bytes(&[b'y'; 8000]), LIMIT);
            let (node, _) = list.locate(index).expect("invariant: the index is below the length");
            assert!(list.node(node).is_some_and(|node| node.bytes_len() < 6 * 8192));
        }
        list.check_invariants();
    }

    #[test]
    fn a_long_list_of_short_items_weighs_less_than_18_bytes_for_each() {
        for side in [Side::Front, Side::Back] {
            let mut list = List::new();
            for item in 0..100_000 {
                push(&mut list, side, &[format!("item:{item:010}").as_bytes()], LIMIT);
            }
            assert!(list.memory_bytes() <= 18 * list.len(), "{}", list.memory_bytes());
            while list.pop_with(side, LIMIT, |_| ()).is_some() {}
            assert_eq!((list.memory_bytes(), list.encoding()), (0, ListEncoding::Packed));
        }
    }

    #[derive(Clone, Debug)]
    enum Operation {
        Push(Side, Vec<Vec<u8>>),
        Pop(Side, usize),
        Rotate(Side, Side),
        Insert(usize, Side, Vec<u8>),
        Set(usize, Vec<u8>),
        Remove(usize, usize),
        RemoveEqual(usize, Side, usize),
        Read(usize, Side),
        Clone,
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let side = || prop_oneof![Just(Side::Front), Just(Side::Back)];
        let index = || 0..10_000_usize;
        let text = || {
            prop_oneof![
                20 => (any::<i64>(), 0..64_u32)
                    .prop_map(|(value, shift)| (value >> shift).to_string().into_bytes()),
                20 => prop::collection::vec(any::<u8>(), 0..40),
                10 => (0..60_usize, 0..60_usize).prop_map(|(unit, times)| vec![b'x'; unit * times]),
                1 => (4_000..9_000_usize).prop_map(|len| vec![b'y'; len]),
            ]
        };
        prop_oneof![
            6 => (side(), prop::collection::vec(text(), 1..12))
                .prop_map(|(side, texts)| Operation::Push(side, texts)),
            4 => (side(), 1..8_usize).prop_map(|(side, count)| Operation::Pop(side, count)),
            2 => (side(), side()).prop_map(|(from, to)| Operation::Rotate(from, to)),
            6 => (index(), side(), text())
                .prop_map(|(index, side, text)| Operation::Insert(index, side, text)),
            6 => (index(), text()).prop_map(|(index, text)| Operation::Set(index, text)),
            3 => (index(), 0..30_usize).prop_map(|(index, count)| Operation::Remove(index, count)),
            2 => (index(), side(), 0..40_usize)
                .prop_map(|(index, side, count)| Operation::RemoveEqual(index, side, count)),
            3 => (index(), side()).prop_map(|(index, side)| Operation::Read(index, side)),
            1 => Just(Operation::Clone),
        ]
    }

    fn apply(list: &mut List, model: &mut VecDeque<Vec<u8>>, operation: Operation, limit: ListLimit) {
        let index_in = |index: usize, model: &VecDeque<Vec<u8>>| index % (model.len() + 1);
        match operation {
            Operation::Push(side, texts) => {
                list.push(side, texts.iter().map(|text| Element::Bytes(text)), limit);
                match side {
                    Side::Front => texts.into_iter().for_each(|text| model.push_front(text)),
                    Side::Back => model.extend(texts),
                }
            }
            Operation::Pop(side, count) => {
                for _ in 0..count {
                    let expected = if side == Side::Front { model.pop_front() } else { model.pop_back() };
                    assert_eq!(list.pop_with(side, limit, |element| element.to_vec()), expected);
                }
            }
            Operation::Rotate(from, to) => {
                let moved = if from == Side::Front { model.pop_front() } else { model.pop_back() };
                assert_eq!(list.rotate(from, to, limit, |element| element.to_vec()), moved);
                match to {
                    Side::Front => moved.into_iter().for_each(|text| model.push_front(text)),
                    Side::Back => model.extend(moved),
                }
            }
            Operation::Insert(index, side, text) => {
                let index = index_in(index, model);
                let there = index < model.len();
                assert_eq!(list.insert(index, side, text.as_slice().into(), limit), there);
                if there {
                    model.insert(index + usize::from(side == Side::Back), text);
                }
            }
            Operation::Set(index, text) => {
                let index = index_in(index, model);
                assert_eq!(list.set(index, text.as_slice().into(), limit), index < model.len());
                if let Some(own) = model.get_mut(index) {
                    *own = text;
                }
            }
            Operation::Remove(index, count) => {
                let index = index_in(index, model);
                list.remove(index, count, limit);
                model.drain(index..model.len().min(index + count));
            }
            Operation::RemoveEqual(index, side, count) => {
                let wanted = model.get(index_in(index, model)).cloned().unwrap_or_default();
                let mut found: Vec<_> = (0..model.len()).filter(|&index| model[index] == wanted).collect();
                match side {
                    Side::Front => found.truncate(count),
                    Side::Back => drop(found.drain(..found.len().saturating_sub(count))),
                }
                assert_eq!(list.remove_equal(&wanted, side, count, limit), found.len());
                found.into_iter().rev().for_each(|index| drop(model.remove(index)));
            }
            Operation::Read(index, side) => {
                let index = index_in(index, model);
                assert_eq!(list.nth(index), model.get(index).map(|text| Element::Bytes(text)));
                let elements = list.iter_from(index, side);
                assert_eq!(elements.len(), elements.clone().count());
                let read: Vec<_> = elements.take(50).map(|element| element.to_vec()).collect();
                let expected: Vec<_> = match side {
                    _ if index == model.len() => Vec::new(),
                    Side::Front => model.range(..=index).rev().take(50).cloned().collect(),
                    Side::Back => model.range(index..).take(50).cloned().collect(),
                };
                assert_eq!(read, expected);
            }
            Operation::Clone => *list = list.clone(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_list_is_a_sequence_in_both_forms(
            setting in prop_oneof![Just(-2_i64), Just(-1), Just(0), 1..20_i64, Just(1_000)],
            operations in prop::collection::vec(operation(), 0..1_000),
        ) {
            let limit = ListLimit::from_setting(setting);
            let (mut list, mut model) = (List::new(), VecDeque::new());
            for (step, operation) in operations.into_iter().enumerate() {
                apply(&mut list, &mut model, operation, limit);
                prop_assert_eq!(list.len(), model.len());
                if step % 50 == 0 {
                    list.check_invariants();
                }
            }
            list.check_invariants();
            prop_assert!(list.iter().map(|element| element.to_vec()).eq(model));
        }
    }
}
