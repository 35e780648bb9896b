//! Putting the first of many in order, as far as they are wanted.
//!
//! What compares equal comes out in an order that depends on how it is sorted, and clients see it. So if all are wanted they
//! are merged, which keeps the order of equals, and if only some are it is Bentley and McIlroy's quicksort ("Engineering a Sort
//! Function", 1993), which leaves alone whatever does not lie among the wanted ones: the real servers do the same.

use std::cmp::Ordering;

/// Sorts so that the first `wanted` are those that come first, in order. What is behind them is in no order, unless all are
/// wanted.
pub fn sort_first<T>(items: &mut [T], wanted: usize, compare: impl Fn(&T, &T) -> Ordering) {
    if wanted >= items.len() {
        items.sort_by(compare);
    } else if wanted > 0 {
        sort_part(items, wanted, &compare, depth_max(items.len()));
    }
}

/// Sorts the first `wanted`. A call is for the left part, the loop goes on with the right one.
fn sort_part<T>(
    mut items: &mut [T],
    mut wanted: usize,
    compare: &impl Fn(&T, &T) -> Ordering,
    depth_left: u32,
) {
    let mut rounds_left = depth_left;
    loop {
        if items.len() < INSERTED_MAX {
            return insert_each(items, compare);
        }
        // Whoever chooses the items so that each part is nearly the whole shall not take forever, nor the whole stack.
        let Some(left) = rounds_left.checked_sub(1) else { return items.sort_by(compare) };
        rounds_left = left;
        let (smaller, larger) = partition(items, compare);
        let larger_start = items.len() - larger;
        let (front, back) = items.split_at_mut(larger_start);
        if smaller > 1 {
            sort_part(&mut front[..smaller], wanted, compare, rounds_left);
        }
        if larger <= 1 || wanted <= larger_start {
            return;
        }
        wanted -= larger_start;
        items = back;
    }
}

/// Brings what is smaller than an item of middle size to the front and what is larger to the back; returns how many each are.
fn partition<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> (usize, usize) {
    let len = items.len();
    let pivot = middle_sized(items, compare);
    items.swap(0, pivot);
    // Equal ones are gathered at both ends: before `equal_end`, and from `equal_start` on.
    let (mut equal_end, mut low) = (1, 1);
    let (mut equal_start, mut high) = (len, len);
    loop {
        while low < high {
            match compare(&items[low], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(equal_end, low);
                    equal_end += 1;
                }
                Ordering::Less => {}
            }
            low += 1;
        }
        while low < high {
            match compare(&items[high - 1], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    equal_start -= 1;
                    items.swap(high - 1, equal_start);
                }
                Ordering::Greater => {}
            }
            high -= 1;
        }
        if low >= high {
            break;
        }
        items.swap(low, high - 1);
        low += 1;
        high -= 1;
    }
    let (smaller, larger) = (low - equal_end, equal_start - high);
    swap_ranges(items, 0, low, equal_end.min(smaller));
    swap_ranges(items, low, len, larger.min(len - equal_start));
    (smaller, larger)
}

/// Swaps `count` items from `start` on with those before `end`.
fn swap_ranges<T>(items: &mut [T], start: usize, end: usize, count: usize) {
    for at in 0..count {
        items.swap(start + at, end - count + at);
    }
}

/// An item that is probably neither small nor large: of many, the middle one of the middle ones of three times three.
fn middle_sized<T>(items: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let (mut first, mut middle, mut last) = (0, items.len() / 2, items.len() - 1);
    if items.len() == INSERTED_MAX {
        return middle;
    }
    if items.len() > SAMPLED_MIN {
        let eighth = items.len() / 8;
        first = middle_of(items, [first, first + eighth, first + 2 * eighth], compare);
        middle = middle_of(items, [middle - eighth, middle, middle + eighth], compare);
        last = middle_of(items, [last - 2 * eighth, last - eighth, last], compare);
    }
    middle_of(items, [first, middle, last], compare)
}

/// Which of three items is neither the smallest nor the largest.
fn middle_of<T>(items: &[T], [a, b, c]: [usize; 3], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let is_before = |one: usize, other: usize| compare(&items[one], &items[other]).is_lt();
    if is_before(a, b) {
        if is_before(b, c) {
            b
        } else if is_before(a, c) {
            c
        } else {
            a
        }
    } else if is_before(c, b) {
        b
    } else if is_before(a, c) {
        a
    } else {
        c
    }
}

fn insert_each<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && compare(&items[at - 1], &items[at]).is_gt() {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// As often as this a part may be divided before it is sorted otherwise: far more often than it ever happens by chance.
fn depth_max(len: usize) -> u32 {
    4 * (usize::BITS - len.leading_zeros()) + 16
}

/// Fewer than these are sorted by inserting each where it belongs.
const INSERTED_MAX: usize = 7;
/// Of more than these, nine are looked at for one of middle size.
const SAMPLED_MIN: usize = 40;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_are_those_of_a_full_sort(
            keys in proptest::collection::vec(0..50_u32, 0..300),
            wanted in 0..320_usize,
        ) {
            let mut items: Vec<(u32, usize)> = keys.iter().copied().zip(0..).collect();
            sort_first(&mut items, wanted, |one, other| one.0.cmp(&other.0));
            let mut sorted = keys;
            sorted.sort_unstable();
            let wanted = wanted.min(items.len());
            prop_assert!(items[..wanted].iter().map(|item| item.0).eq(sorted[..wanted].iter().copied()));
            let mut places: Vec<usize> = items.iter().map(|item| item.1).collect();
            places.sort_unstable();
            prop_assert!(places.into_iter().eq(0..items.len()), "nothing is lost or doubled");
        }
    }

    /// McIlroy's adversary ("A Killer Adversary for Quicksort", 1999): it decides what is smaller as late as it can.
    #[test]
    fn nobody_makes_it_slow() {
        const LEN: usize = 4000;
        let undecided = LEN as u32;
        let values: Vec<Cell<u32>> = vec![Cell::new(undecided); LEN];
        let (decided, candidate, comparisons) = (Cell::new(0), Cell::new(0), Cell::new(0_usize));
        let mut items: Vec<usize> = (0..LEN).collect();
        sort_first(&mut items, LEN - 1, |&one, &other| {
            comparisons.set(comparisons.get() + 1);
            if values[one].get() == undecided && values[other].get() == undecided {
                let settled = if one == candidate.get() { one } else { other };
                values[settled].set(decided.get());
                decided.set(decided.get() + 1);
            }
            if values[one].get() == undecided {
                candidate.set(one);
            } else if values[other].get() == undecided {
                candidate.set(other);
            }
            values[one].get().cmp(&values[other].get())
        });
        assert!(comparisons.get() < LEN * 200, "{} comparisons", comparisons.get());
    }
}
