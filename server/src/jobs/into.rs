//! Storing the result of a run: what INTO writes, in a transaction that somebody else began and settles. Not here: when, and on
//! which thread; that is the business of `dispatch`.
//!
//! Everything is made before anything is written, so that a result that does not fit its form changes nothing.

use shardis_compute::{IntoForm, Outcome, Value};
use shardis_storage::types::hash::{Hash, HashContext};
use shardis_storage::types::list::{List, ListLimit, Side};
use shardis_storage::types::packed::Element;
use shardis_storage::types::sorted_set::{SortedSet, SortedSetContext};
use shardis_storage::{Event, Key, Notice, Transaction};

use super::order::{End, Order};
use crate::command::{Error, event};
use crate::config::Config;
use crate::state::State;

/// Stores a result in the place of whatever its key had, if its order says so; what is left of it is how many rows that were.
pub fn store(order: &Order, end: End, state: &State, txn: &mut Transaction<'_>) -> End {
    let (Some((key, form)), End::Result(mut finished)) = (order.plan.storing(), end) else {
        unreachable!("invariant: only results are stored, where the plan says")
    };
    let key = state.keyspace.key(key);
    txn.select(order.db);
    let stored = put(&finished.outcome, form, &state.config, txn, &key);
    if let Err(error) = stored {
        return End::Unfit(error);
    }
    finished.stored = Some(finished.outcome.rows.len() as u64);
    finished.outcome.rows = Vec::new();
    End::Result(finished)
}

fn put(
    outcome: &Outcome,
    form: IntoForm,
    config: &Config,
    txn: &mut Transaction<'_>,
    key: &Key<'_>,
) -> Result<(), Error> {
    let announce = |txn: &mut Transaction<'_>, event: &'static Event| {
        let event = if outcome.rows.is_empty() { &event::DELETED } else { event };
        txn.announce(Notice::Event(event));
    };
    match form {
        IntoForm::Hash => {
            let hash = hash(outcome, config, key, txn.now_ms())?;
            announce(txn, &event::COMPUTED_HASH);
            txn.set_collection(key, hash);
        }
        IntoForm::Zset => {
            let set = sorted_set(outcome, config, key)?;
            announce(txn, &event::COMPUTED_SORTED_SET);
            txn.set_collection(key, set);
        }
        IntoForm::List => {
            let rows: Vec<Vec<u8>> = outcome.rows.iter().map(|row| outcome.json(row)).collect();
            let mut list = List::default();
            let limit = ListLimit::from_setting(config.list_max_listpack_size.value());
            list.push(Side::Back, rows.iter().map(|row| Element::from(row.as_slice())), limit);
            announce(txn, &event::COMPUTED_LIST);
            txn.set_collection(key, list);
        }
    }
    Ok(())
}

fn hash(outcome: &Outcome, config: &Config, key: &Key<'_>, now_ms: i64) -> Result<Hash, Error> {
    let context = HashContext {
        entries_max: limit(config.hash_max_listpack_entries.value()),
        value_bytes_max: limit(config.hash_max_listpack_value.value()),
        seed: key.hash().0,
        now_ms,
    };
    let mut hash = Hash::new();
    hash.expect_fields(outcome.rows.len(), &context);
    for (group, value) in pairs(outcome) {
        if !hash.set(&group.text(), &value.text(), &context) {
            return Err(Error::same_text_of_groups(&group.text()));
        }
    }
    Ok(hash)
}

fn sorted_set(outcome: &Outcome, config: &Config, key: &Key<'_>) -> Result<SortedSet, Error> {
    let context = SortedSetContext {
        entries_max: limit(config.zset_max_listpack_entries.value()),
        member_bytes_max: limit(config.zset_max_listpack_value.value()),
        seed: key.hash().0,
    };
    let mut set = SortedSet::new();
    for (group, value) in pairs(outcome) {
        let score = match value {
            // What is exact stays so, or is refused.
            Value::Int(score) if (*score as f64) as i128 == *score => *score as f64,
            Value::Double(score) => *score,
            _ => return Err(Error::value_is_no_score(&group.text())),
        };
        if set.set(&group.text(), score, &context).is_some() {
            return Err(Error::same_text_of_groups(&group.text()));
        }
    }
    Ok(set)
}

/// Each group with the value of the only reducer.
fn pairs(outcome: &Outcome) -> impl Iterator<Item = (&Value, &Value)> {
    outcome.rows.iter().map(|row| match row.as_slice() {
        [group, value] => (group, value),
        _ => unreachable!("invariant: the plan has one group and one reducer"),
    })
}

fn limit(setting: i64) -> usize {
    usize::try_from(setting).unwrap_or(0)
}
