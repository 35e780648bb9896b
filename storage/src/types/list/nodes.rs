//! A long list: packed nodes in a counting tree. Here is the policy: which node takes an element, when one is
//! divided, when two are joined. It is Redis's, so that the number of nodes, on which the way back to the
//! small form depends, agrees with it. When a list is long is decided elsewhere.

use super::{ListLimit, Side};
use crate::types::packed::{Element, Packed};
use crate::types::tree::Tree;

/// The elements of a long list.
#[derive(Clone)]
pub(super) struct Nodes {
    tree: Tree<Packed>,
}

impl Nodes {
    /// A list of one node, or of none when `first` is empty.
    pub fn new(first: Packed) -> Nodes {
        let mut tree = Tree::new();
        if !first.is_empty() {
            tree.insert(0, first);
        }
        Nodes { tree }
    }

    pub fn len(&self) -> usize {
        self.tree.elements()
    }

    /// What everything but this structure itself takes of the heap.
    pub fn memory_bytes(&self) -> usize {
        self.tree.memory_bytes()
    }

    pub fn node(&self, node: usize) -> Option<&Packed> {
        self.tree.node(node)
    }

    /// The node of an element, and the element's place in it.
    pub fn locate(&self, index: usize) -> Option<(usize, usize)> {
        self.tree.locate(index)
    }

    pub fn push(&mut self, side: Side, element: Element<'_>, limit: ListLimit) {
        let nodes = self.tree.nodes();
        let (last, behind) = match side {
            Side::Front => (0, 0),
            Side::Back => (nodes.saturating_sub(1), nodes),
        };
        let pushed = nodes > 0
            && self.tree.edit(last, |node| {
                let fits = limit.has_room(node, element);
                if fits {
                    node.push(side, element);
                }
                fits
            });
        if !pushed {
            self.tree.insert(behind, Packed::from(element));
        }
    }

    /// Takes an element off an end and shows it.
    pub fn pop_with<R>(&mut self, side: Side, visit: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        let last = match side {
            Side::Front => 0,
            Side::Back => self.tree.nodes().saturating_sub(1),
        };
        self.tree.node(last)?;
        let (result, empty) = self.tree.edit(last, |node| (node.pop_with(side, visit), node.is_empty()));
        if empty {
            self.tree.remove(last);
        }
        result
    }

    /// Puts an element beside the one of an index that is there.
    pub fn insert(&mut self, index: usize, side: Side, element: Element<'_>, limit: ListLimit) {
        let Some((node, offset)) = self.tree.locate(index) else { return };
        let gap = offset + usize::from(side == Side::Back);
        let oversized = limit.is_oversized(element);
        if !oversized && self.has_room(node, element, limit) {
            self.tree.edit(node, |node| node.insert(node.position(gap), element));
        } else if 0 < gap && self.tree.node(node).is_some_and(|node| gap < node.len()) {
            self.divide(node, gap);
            match side {
                _ if oversized => self.tree.insert(node + 1, Packed::from(element)),
                // The element goes to the half where its neighbour is not, and that half may join others.
                Side::Front => {
                    self.tree.edit(node, |left| left.push(Side::Back, element));
                    self.join_around(node + 1, limit);
                }
                Side::Back => {
                    self.tree.edit(node + 1, |right| right.push(Side::Front, element));
                    self.join_around(node, limit);
                }
            }
        } else {
            let (neighbour, near, between) = match side {
                Side::Front => (node.checked_sub(1), Side::Back, node),
                Side::Back => (Some(node + 1), Side::Front, node + 1),
            };
            match neighbour.filter(|&neighbour| !oversized && self.has_room(neighbour, element, limit)) {
                Some(neighbour) => self.tree.edit(neighbour, |node| node.push(near, element)),
                None => self.tree.insert(between, Packed::from(element)),
            }
        }
    }

    /// Gives the index, which must be there, another element.
    pub fn set(&mut self, index: usize, element: Element<'_>, limit: ListLimit) {
        let Some((node, offset)) = self.tree.locate(index) else { return };
        let was_oversized = self.tree.node(node).is_some_and(|node| limit.is_oversized_node(node));
        if was_oversized != limit.is_oversized(element) {
            // An oversized element has a node of its own; neither may turn into the other in place.
            self.insert(index, Side::Back, element, limit);
            self.remove(index, 1);
            if offset > 0 {
                self.join_around(node + 1, limit);
            }
            return;
        }
        let overfull = self.tree.edit(node, |node| {
            node.replace(node.position(offset), element);
            node.len() > 1 && node.listpack_bytes() > limit.bytes_max.saturating_mul(OVERFULL_FACTOR)
        });
        if overfull {
            self.divide(node, offset.max(1));
        }
    }

    /// Removes `count` elements from `index` on, or as many as there are.
    pub fn remove(&mut self, index: usize, count: usize) {
        let mut count = count;
        while count > 0
            && let Some((node, offset)) = self.tree.locate(index)
        {
            let len = self.tree.node(node).map_or(0, Packed::len);
            let removed = count.min(len - offset);
            if removed == len {
                self.tree.remove(node);
            } else {
                self.tree.edit(node, |node| node.remove(node.position(offset), removed));
            }
            count -= removed;
        }
    }

    /// Removes elements that are `wanted`, at most `count` of them from an end on, and returns how many they were.
    pub fn remove_equal(&mut self, wanted: &[u8], from: Side, count: usize) -> usize {
        let mut removed = 0;
        let mut next = match from {
            Side::Front => 0,
            Side::Back => self.tree.nodes().wrapping_sub(1),
        };
        while removed < count && next < self.tree.nodes() {
            let (here, is_empty) = self
                .tree
                .edit(next, |node| (node.remove_equal(wanted, from, count - removed), node.is_empty()));
            removed += here;
            if is_empty {
                self.tree.remove(next);
            }
            next = match from {
                Side::Front => next + usize::from(!is_empty),
                // Wraps beyond the last one when there is none before.
                Side::Back => next.wrapping_sub(1),
            };
        }
        removed
    }

    /// The only node, if Redis would make it a listpack again: a small one, not that of an oversized element.
    pub fn take_if_small(&mut self, limit: ListLimit) -> Option<Packed> {
        let node = self.tree.node(0)?;
        let small = self.tree.nodes() == 1 && limit.is_half_empty(node) && !limit.is_oversized_node(node);
        small.then(|| self.tree.remove(0))
    }

    pub fn check_invariants(&self) {
        self.tree.check_invariants();
    }

    fn has_room(&self, node: usize, element: Element<'_>, limit: ListLimit) -> bool {
        self.tree.node(node).is_some_and(|node| limit.has_room(node, element))
    }

    /// Makes two nodes of one, the second beginning at `offset`.
    fn divide(&mut self, node: usize, offset: usize) {
        let rest = self.tree.edit(node, |node| node.split_off(offset));
        self.tree.insert(node + 1, rest);
    }

    /// After a division: joins the two nodes before `center`, the two behind it, and it with either side,
    /// where both fit into one.
    fn join_around(&mut self, center: usize, limit: ListLimit) {
        let mut center = center;
        if center >= 2 && self.join(center - 2, limit) {
            center -= 1;
        }
        self.join(center + 1, limit);
        if center >= 1 && self.join(center - 1, limit) {
            center -= 1;
        }
        self.join(center, limit);
    }

    /// Joins a node with the next one if there is one and both fit into one; returns whether.
    fn join(&mut self, node: usize, limit: ListLimit) -> bool {
        let fit = match (self.tree.node(node), self.tree.node(node + 1)) {
            (Some(one), Some(next)) => limit.fits_both(one, next),
            _ => false,
        };
        if fit {
            let next = self.tree.remove(node + 1);
            self.tree.edit(node, |node| node.append(&next));
        }
        fit
    }
}

/// A node that replaced elements have made so many times as large as its limit is divided where the next one
/// is, lest it grow to hundreds of megabytes of which every change moves half.
const OVERFULL_FACTOR: usize = 4;
