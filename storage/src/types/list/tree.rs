//! The nodes of a long list in order, as the leaves of a tree that counts: which node holds the element of an
//! index, and every change of one node, take time logarithmic in the number of nodes. It never looks into a
//! node beyond its length and weight; how full nodes are is decided elsewhere.

use std::mem;

use crate::types::allocation::allocation_bytes;
use crate::types::packed::Packed;

/// Nodes in order, named by their index.
#[derive(Clone)]
pub(super) struct Tree {
    /// Always a branch. It is empty when there is no node.
    root: Child,
}

impl Tree {
    pub fn new() -> Tree {
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

    pub fn node(&self, node: usize) -> Option<&Packed> {
        if node >= self.nodes() {
            return None;
        }
        let (mut child, mut node) = (&self.root, node);
        loop {
            match &child.below {
                Below::Node(packed) => return Some(packed),
                Below::Branch(children) => {
                    let (at, rest) = seek(children, child.sums.nodes, node, |sums| sums.nodes);
                    (child, node) = (&children[at], rest);
                }
            }
        }
    }

    /// Changes a node, which must be there and must not become empty for long.
    pub fn edit<R>(&mut self, node: usize, change: impl FnOnce(&mut Packed) -> R) -> R {
        assert!(node < self.nodes(), "only a node that is there can be changed");
        self.root.edit(node, change)
    }

    /// Puts a node before the one of this index, or at the end.
    pub fn insert(&mut self, node: usize, packed: Packed) {
        assert!(node <= self.nodes(), "there are no gaps between nodes");
        if let Some(sibling) = self.root.insert(node, packed) {
            let left = mem::replace(&mut self.root, Child::new(Below::Branch(Vec::new())));
            self.root = Child::new(Below::Branch(vec![left, sibling]));
        }
    }

    /// Removes a node, which must be there.
    pub fn remove(&mut self, node: usize) -> Packed {
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
struct Child {
    sums: Sums,
    below: Below,
}

#[derive(Clone)]
enum Below {
    Node(Packed),
    Branch(Vec<Child>),
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Sums {
    nodes: usize,
    elements: usize,
    bytes: usize,
}

impl Child {
    fn new(below: Below) -> Child {
        Child { sums: below.sums(), below }
    }

    fn edit<R>(&mut self, node: usize, change: impl FnOnce(&mut Packed) -> R) -> R {
        match &mut self.below {
            Below::Node(packed) => {
                let result = change(packed);
                self.sums = self.below.sums();
                result
            }
            Below::Branch(children) => {
                let (at, rest) = seek(children, self.sums.nodes, node, |sums| sums.nodes);
                let child = &mut children[at];
                let before = child.sums;
                let result = child.edit(rest, change);
                self.sums.elements = self.sums.elements - before.elements + child.sums.elements;
                self.sums.bytes = self.sums.bytes - before.bytes + child.sums.bytes;
                result
            }
        }
    }

    /// Returns what must stand behind this child when it cannot take the node in.
    fn insert(&mut self, node: usize, packed: Packed) -> Option<Child> {
        let Below::Branch(children) = &mut self.below else {
            let new = Child::new(Below::Node(packed));
            return Some(if node == 0 { mem::replace(self, new) } else { new });
        };
        let (at, rest) = seek(children, self.sums.nodes, node, |sums| sums.nodes);
        let sibling = match children.get_mut(at) {
            Some(child) => child.insert(rest, packed),
            None => Some(Child::new(Below::Node(packed))),
        };
        if let Some(sibling) = sibling {
            children.insert((at + 1).min(children.len()), sibling);
        }
        let half = (children.len() > FANOUT).then(|| children.split_off(FANOUT / 2));
        self.sums = self.below.sums();
        half.map(|half| Child::new(Below::Branch(half)))
    }

    /// Leaves sums of nothing when the node was the only one.
    fn remove(&mut self, node: usize) -> Packed {
        let removed = match &mut self.below {
            Below::Node(packed) => {
                self.sums = Sums::default();
                return mem::take(packed);
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
        self.sums = self.below.sums();
        removed
    }

    /// Returns the height of what is below.
    fn check_invariants(&self) -> usize {
        assert_eq!(self.sums, self.below.sums());
        match &self.below {
            Below::Node(packed) => {
                packed.check_invariants();
                assert!(!packed.is_empty(), "an empty node is removed");
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

impl Clone for Child {
    /// A copied branch has no spare room, so it weighs less than the original.
    fn clone(&self) -> Child {
        Child::new(self.below.clone())
    }
}

impl Below {
    fn sums(&self) -> Sums {
        match self {
            Below::Node(packed) => Sums { nodes: 1, elements: packed.len(), bytes: packed.memory_bytes() },
            Below::Branch(children) => {
                let mut sums = Sums {
                    bytes: allocation_bytes(children.capacity() * size_of::<Child>()),
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
fn seek(children: &[Child], total: usize, target: usize, share: impl Fn(&Sums) -> usize) -> (usize, usize) {
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
fn join(children: &mut Vec<Child>, at: usize) {
    let left_at = at.min(children.len().saturating_sub(2));
    if let Some([left, right]) = children.get_mut(left_at..left_at + 2)
        && let (Below::Branch(own), Below::Branch(other)) = (&mut left.below, &mut right.below)
        && own.len() + other.len() <= FANOUT / 2
    {
        own.append(other);
        left.sums = left.below.sums();
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

    fn check(tree: &Tree, model: &[Packed]) {
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
