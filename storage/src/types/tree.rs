//! The nodes of a long list or sorted set in order, as the leaves of a tree that counts: which node holds the element
//! of an index, which one a sorted element belongs to, and every change of one node, take time logarithmic in the
//! number of nodes. It never looks into a node beyond its length, weight and bound; how full nodes are is decided
//! elsewhere.

use std::fmt::Debug;
use std::mem;

use super::allocation::allocation_bytes;
use super::packed::Packed;

/// What a tree needs to know of a node.
pub(super) trait Node: Default {
    /// What is known of a node's last element without looking at it: what a search compares first.
    type Bound: Copy + Default + PartialEq + Debug;

    /// How many elements it has.
    fn len(&self) -> usize;

    /// What it takes of the heap.
    fn memory_bytes(&self) -> usize;

    /// That of its last element.
    fn bound(&self) -> Self::Bound;

    /// Panics if the node contradicts itself.
    fn check_invariants(&self);
}

/// Elements that nobody searches for have nothing to compare.
impl Node for Packed {
    type Bound = ();

    fn len(&self) -> usize {
        self.len()
    }

    fn memory_bytes(&self) -> usize {
        self.memory_bytes()
    }

    fn bound(&self) {}

    fn check_invariants(&self) {
        self.check_invariants();
    }
}

/// Nodes in order, named by their index.
#[derive(Clone)]
pub(super) struct Tree<N: Node> {
    /// Always a branch. It is empty when there is no node.
    root: Child<N>,
}

impl<N: Node> Tree<N> {
    pub fn new() -> Tree<N> {
        Tree { root: Child::new(Below::Branch(Vec::new())) }
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.root.sums.nodes
    }

    /// How many elements they have together.
    pub fn elements(&self) -> usize {
        self.root.sums.elements
    }

    /// What nodes and branches take of the heap.
    pub fn memory_bytes(&self) -> usize {
        self.root.sums.bytes
    }

    /// The node that holds the element of this index, and which one of its elements that is.
    pub fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.elements() {
            return None;
        }
        let (mut child, mut node, mut offset) = (&self.root, 0, index);
        while let Below::Branch(children) = &child.below {
            let (at, rest) = seek(children, child.sums.elements, offset, |sums| sums.elements);
            node += children[..at].iter().map(|child| child.sums.nodes).sum::<usize>();
            (child, offset) = (&children[at], rest);
        }
        Some((node, offset))
    }

    /// Where what is searched for begins: the first node whose last element is not before it, and how many elements the
    /// nodes in front have. `is_before` tells from a bound whether the last element is before it, if that can tell;
    /// else `is_last_before` looks at the node.
    pub fn search(
        &self,
        is_before: impl Fn(N::Bound) -> Option<bool>,
        is_last_before: impl Fn(&N) -> bool,
    ) -> (usize, usize) {
        let (mut child, mut node, mut elements) = (&self.root, 0, 0);
        while let Below::Branch(children) = &child.below {
            let at = children.partition_point(|child| {
                is_before(child.bound).unwrap_or_else(|| child.last_node().is_some_and(&is_last_before))
            });
            for before in &children[..at] {
                node += before.sums.nodes;
                elements += before.sums.elements;
            }
            match children.get(at) {
                Some(next) => child = next,
                None => break,
            }
        }
        (node, elements)
    }

    pub fn node(&self, node: usize) -> Option<&N> {
        if node >= self.nodes() {
            return None;
        }
        let (mut child, mut node) = (&self.root, node);
        loop {
            match &child.below {
                Below::Node(found) => return Some(found),
                Below::Branch(children) => {
                    let (at, rest) = seek(children, child.sums.nodes, node, |sums| sums.nodes);
                    (child, node) = (&children[at], rest);
                }
            }
        }
    }

    /// Changes a node, which must be there and must not become empty for long.
    pub fn edit<R>(&mut self, node: usize, change: impl FnOnce(&mut N) -> R) -> R {
        assert!(node < self.nodes(), "only a node that is there can be changed");
        self.root.edit(node, change)
    }

    /// Puts a node before the one of this index, or at the end.
    pub fn insert(&mut self, index: usize, node: N) {
        assert!(index <= self.nodes(), "there are no gaps between nodes");
        if let Some(sibling) = self.root.insert(index, node) {
            let left = mem::replace(&mut self.root, Child::new(Below::Branch(Vec::new())));
            self.root = Child::new(Below::Branch(vec![left, sibling]));
        }
    }

    /// Removes a node, which must be there.
    pub fn remove(&mut self, node: usize) -> N {
        assert!(node < self.nodes(), "only a node that is there can be removed");
        let removed = self.root.remove(node);
        while let Below::Branch(children) = &mut self.root.below
            && let [Child { below: Below::Branch(_), .. }] = children[..]
            && let Some(only) = children.pop()
        {
            self.root = only;
        }
        removed
    }

    /// Panics if the tree contradicts itself.
    pub fn check_invariants(&self) {
        assert!(matches!(self.root.below, Below::Branch(_)), "the root is a branch");
        self.root.check_invariants();
    }
}

/// A place in the tree with the sums of what is below it.
struct Child<N: Node> {
    sums: Sums,
    /// That of the last node.
    bound: N::Bound,
    below: Below<N>,
}

#[derive(Clone)]
enum Below<N: Node> {
    Node(N),
    Branch(Vec<Child<N>>),
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Sums {
    nodes: usize,
    elements: usize,
    bytes: usize,
}

impl<N: Node> Child<N> {
    fn new(below: Below<N>) -> Child<N> {
        Child { sums: below.sums(), bound: below.bound(), below }
    }

    fn last_node(&self) -> Option<&N> {
        let mut child = self;
        loop {
            match &child.below {
                Below::Node(node) => return Some(node),
                Below::Branch(children) => child = children.last()?,
            }
        }
    }

    fn edit<R>(&mut self, node: usize, change: impl FnOnce(&mut N) -> R) -> R {
        match &mut self.below {
            Below::Node(found) => {
                let result = change(found);
                self.summarize();
                result
            }
            Below::Branch(children) => {
                let (at, rest) = seek(children, self.sums.nodes, node, |sums| sums.nodes);
                let child = &mut children[at];
                let before = child.sums;
                let result = child.edit(rest, change);
                self.sums.elements = self.sums.elements - before.elements + child.sums.elements;
                self.sums.bytes = self.sums.bytes - before.bytes + child.sums.bytes;
                self.bound = self.below.bound();
                result
            }
        }
    }

    /// Returns what must stand behind this child when it cannot take the node in.
    fn insert(&mut self, index: usize, node: N) -> Option<Child<N>> {
        let Below::Branch(children) = &mut self.below else {
            let new = Child::new(Below::Node(node));
            return Some(if index == 0 { mem::replace(self, new) } else { new });
        };
        let (at, rest) = seek(children, self.sums.nodes, index, |sums| sums.nodes);
        let sibling = match children.get_mut(at) {
            Some(child) => child.insert(rest, node),
            None => Some(Child::new(Below::Node(node))),
        };
        if let Some(sibling) = sibling {
            children.insert((at + 1).min(children.len()), sibling);
        }
        let half = (children.len() > FANOUT).then(|| children.split_off(FANOUT / 2));
        self.summarize();
        half.map(|half| Child::new(Below::Branch(half)))
    }

    /// Leaves sums of nothing when the node was the only one.
    fn remove(&mut self, node: usize) -> N {
        let removed = match &mut self.below {
            Below::Node(found) => {
                self.sums = Sums::default();
                return mem::take(found);
            }
            Below::Branch(children) => {
                let (at, rest) = seek(children, self.sums.nodes, node, |sums| sums.nodes);
                let removed = children[at].remove(rest);
                if children[at].sums.nodes == 0 {
                    children.remove(at);
                } else {
                    join(children, at);
                }
                removed
            }
        };
        self.summarize();
        removed
    }

    fn summarize(&mut self) {
        self.sums = self.below.sums();
        self.bound = self.below.bound();
    }

    /// Returns the height of what is below.
    fn check_invariants(&self) -> usize {
        assert_eq!(self.sums, self.below.sums());
        assert_eq!(self.bound, self.below.bound());
        match &self.below {
            Below::Node(node) => {
                node.check_invariants();
                assert!(node.len() > 0, "an empty node is removed");
                0
            }
            Below::Branch(children) => {
                assert!(children.len() <= FANOUT);
                let heights: Vec<usize> = children.iter().map(Child::check_invariants).collect();
                assert!(heights.windows(2).all(|pair| pair[0] == pair[1]), "all nodes are at one depth");
                heights.first().map_or(1, |height| height + 1)
            }
        }
    }
}

impl<N: Node + Clone> Clone for Child<N> {
    /// A copied branch has no spare room, so it weighs less than the original.
    fn clone(&self) -> Child<N> {
        Child::new(self.below.clone())
    }
}

impl<N: Node> Below<N> {
    fn bound(&self) -> N::Bound {
        match self {
            Below::Node(node) => node.bound(),
            Below::Branch(children) => children.last().map_or(N::Bound::default(), |last| last.bound),
        }
    }

    fn sums(&self) -> Sums {
        match self {
            Below::Node(node) => Sums { nodes: 1, elements: node.len(), bytes: node.memory_bytes() },
            Below::Branch(children) => {
                let mut sums = Sums {
                    bytes: allocation_bytes(children.capacity() * size_of::<Child<N>>()),
                    ..Sums::default()
                };
                for child in children {
                    sums.nodes += child.sums.nodes;
                    sums.elements += child.sums.elements;
                    sums.bytes += child.sums.bytes;
                }
                sums
            }
        }
    }
}

/// The child whose share of `total` contains `target`, and the target within that share; the end belongs to
/// the last child. Searches from the nearer end, so that both ends of a list are found at once.
fn seek<N: Node>(
    children: &[Child<N>],
    total: usize,
    target: usize,
    share: impl Fn(&Sums) -> usize,
) -> (usize, usize) {
    if target < total / 2 {
        let mut rest = target;
        for (at, child) in children.iter().enumerate() {
            let share = share(&child.sums);
            if rest < share {
                return (at, rest);
            }
            rest -= share;
        }
    } else {
        let mut begin = total;
        for (at, child) in children.iter().enumerate().rev() {
            begin -= share(&child.sums);
            if begin <= target {
                return (at, target - begin);
            }
        }
    }
    (0, 0)
}

/// Makes one branch of the one at `at` and a neighbour when both have few children. Half the fan-out, so that
/// the next insertion does not divide it again; still enough to keep the height logarithmic.
fn join<N: Node>(children: &mut Vec<Child<N>>, at: usize) {
    let left_at = at.min(children.len().saturating_sub(2));
    if let Some([left, right]) = children.get_mut(left_at..left_at + 2)
        && let (Below::Branch(own), Below::Branch(other)) = (&mut left.below, &mut right.below)
        && own.len() + other.len() <= FANOUT / 2
    {
        own.append(other);
        left.summarize();
        children.remove(left_at + 1);
    }
}

/// The most children of a branch.
const FANOUT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::packed::{Element, Side};
    use proptest::prelude::*;

    fn node(first: i64, len: i64) -> Packed {
        let mut packed = Packed::new();
        for value in first..first + len {
            packed.push(Side::Back, Element::Int(value));
        }
        packed
    }

    fn check(tree: &Tree<Packed>, model: &[Packed]) {
        tree.check_invariants();
        assert_eq!(tree.nodes(), model.len());
        assert_eq!(tree.elements(), model.iter().map(Packed::len).sum());
        assert!((0..=model.len()).all(|index| tree.node(index) == model.get(index)));
        let places =
            model.iter().enumerate().flat_map(|(node, packed)| (0..packed.len()).map(move |at| (node, at)));
        assert!((0..=tree.elements()).map_while(|index| tree.locate(index)).eq(places));
        assert_eq!(tree.locate(tree.elements()), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn a_tree_is_a_sequence_of_nodes(
            operations in prop::collection::vec((0..100_u32, 0..10_000_usize, 1..5_i64), 0..1_500),
            growth in 40..70_u32,
        ) {
            let (mut tree, mut model) = (Tree::new(), Vec::new());
            for (step, (choice, index, len)) in operations.into_iter().enumerate() {
                if model.is_empty() || choice < growth {
                    // Mostly at the ends, as lists grow.
                    let index = match choice % 3 {
                        0 => 0,
                        1 => model.len(),
                        _ => index % (model.len() + 1),
                    };
                    tree.insert(index, node(step as i64, len));
                    model.insert(index, node(step as i64, len));
                } else if choice % 2 == 0 {
                    let index = index % model.len();
                    prop_assert_eq!(tree.remove(index), model.remove(index));
                } else {
                    let index = index % model.len();
                    let other = node(step as i64, len);
                    tree.edit(index, |packed| packed.append(&other));
                    model[index].append(&other);
                }
                if step % 100 == 0 {
                    check(&tree, &model);
                    check(&tree.clone(), &model);
                }
            }
            check(&tree, &model);
            while !model.is_empty() {
                let index = model.len() / 3;
                prop_assert_eq!(tree.remove(index), model.remove(index));
            }
            check(&tree, &model);
        }
    }
}
