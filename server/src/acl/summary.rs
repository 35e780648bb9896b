//! Rules about commands, made up from what is allowed in the end: servers before 7.2 kept nothing else, so that is how they
//! show a user. Categories are taken as long as they bring what is shown nearer to what is allowed, the best first; single
//! commands make up for the rest.

use super::rules::CommandRules;
use crate::command::Category;
use crate::command::table::Table;

/// The rules that come to the same.
pub fn text(rules: &CommandRules, table: &Table) -> Vec<u8> {
    let adds = !rules.began_with_all;
    let mut words = vec![rules.beginning().to_vec()];
    // What the words so far come to, and what is left to be said.
    let (mut said, mut left) = (CommandRules::new(table, !adds), rules.clone());
    let mut used = Category::NONE;
    while let Some((category, name)) = best(&left, adds, used, table) {
        words.push(format!("{}@{name}", sign(adds)).into_bytes());
        said.change_category(category, adds, table);
        left.change_category(category, !adds, table);
        used = used | category;
    }
    for entry in table.entries() {
        let is_allowed = rules.has(entry.id);
        if is_allowed != said.has(entry.id) {
            words.push(format!("{}{}", sign(is_allowed), entry.full_name).into_bytes());
            said.change(entry, is_allowed, table);
        }
        for word in rules.first_words(entry.id).filter(|_| !is_allowed) {
            words.push([b"+", entry.full_name.as_bytes(), b"|", word].concat());
        }
    }
    words.join(&b' ')
}

fn sign(is_allowed: bool) -> &'static str {
    if is_allowed { "+" } else { "-" }
}

/// The category, not used yet, most of whose commands have to be said, with the fewest that must not be. Ours is taken when
/// no other fits: the imitated server does not have it.
fn best(left: &CommandRules, adds: bool, used: Category, table: &Table) -> Option<(Category, &'static str)> {
    let categories = Category::NAMES.iter().enumerate().map(|(bit, name)| (Category(1 << bit), *name));
    let (ours, others): (Vec<_>, Vec<_>) = categories
        .filter(|(category, _)| !used.contains(*category))
        .partition(|(category, _)| [Category::COMPUTE, Category::LOCK].contains(category));
    best_of(others, left, adds, table).or_else(|| best_of(ours, left, adds, table))
}

fn best_of(
    categories: Vec<(Category, &'static str)>,
    left: &CommandRules,
    adds: bool,
    table: &Table,
) -> Option<(Category, &'static str)> {
    let mut best = None;
    for (category, name) in categories {
        let members = table.entries().iter().filter(|entry| entry.categories.contains(category));
        let (right, wrong) = members.fold((0, 0), |(right, wrong), entry| match left.has(entry.id) == adds {
            true => (right + 1, wrong),
            false => (right, wrong + 1),
        });
        let is_better =
            best.is_none_or(|(_, _, most, fewest)| wrong < fewest || wrong == fewest && right > most);
        if right > wrong && is_better {
            best = Some((category, name, right, wrong));
        }
    }
    best.map(|(category, name, ..)| (category, name))
}
