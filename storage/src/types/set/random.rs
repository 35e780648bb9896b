//! Members by chance: every one, and every selection of them, is as likely as another.

use std::collections::HashSet;

use super::{Form, Set, SetContext};
use crate::random::Random;
use crate::types::packed::Element;

impl Set {
    /// A member by chance.
    pub fn random_member(&self, random: &mut Random) -> Option<Element<'_>> {
        match &self.form {
            Form::Block(block) if block.len() == 0 => None,
            Form::Block(block) => {
                let place = block.nth(random.below(block.len() as u64) as usize);
                Some(block.at(&place))
            }
            Form::Table(table) => {
                let position = table.random(random)?;
                Some(table.at(&position))
            }
        }
    }

    /// Takes a member by chance out and shows it.
    pub fn pop_random<R>(&mut self, random: &mut Random, visit: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        match &mut self.form {
            Form::Block(block) if block.len() == 0 => None,
            Form::Block(block) => {
                let place = block.nth(random.below(block.len() as u64) as usize);
                let result = visit(block.at(&place));
                block.remove(place);
                Some(result)
            }
            Form::Table(table) => {
                let position = table.random(random)?;
                let result = visit(table.at(&position));
                table.remove_at(position);
                Some(result)
            }
        }
    }

    /// Shows `count` different members by chance, or all if there are not more.
    pub fn sample(&self, count: usize, random: &mut Random, mut visit: impl FnMut(Element<'_>)) {
        // Few of many are drawn again and again until they differ; for more of them all are looked at.
        if count.saturating_mul(DRAWN_SHARE) < self.len() {
            let mut drawn = HashSet::new();
            while drawn.len() < count {
                let Some(element) = self.random_member(random) else { return };
                if drawn.insert(element.to_vec()) {
                    visit(element);
                }
            }
            return;
        }
        self.select(count, random, |element, is_chosen| {
            if is_chosen {
                visit(element);
            }
        });
    }

    /// Puts `count` members by chance into `into`, which is empty, and shows the others.
    pub fn divide(
        &self,
        count: usize,
        into: &mut Set,
        context: &SetContext,
        random: &mut Random,
        mut visit: impl FnMut(Element<'_>),
    ) {
        self.select(count, random, |element, is_chosen| {
            if is_chosen {
                into.add(element, context);
            } else {
                visit(element);
            }
        });
    }

    /// Visits all members and tells which are chosen: each with the chance of those still wanted among those still left.
    fn select(&self, count: usize, random: &mut Random, mut visit: impl FnMut(Element<'_>, bool)) {
        let mut wanted = count as u64;
        for (left, element) in (1..=self.len() as u64).rev().zip(self.iter()) {
            let is_chosen = random.below(left) < wanted;
            wanted -= u64::from(is_chosen);
            visit(element, is_chosen);
        }
    }
}

/// Up to this part of a set is drawn member by member: most draws are new then.
const DRAWN_SHARE: usize = 3;
