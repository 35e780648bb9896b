//! What a run answers: one value, or a map that also tells how far the result is to be trusted. New entries
//! are only ever appended to the map.

use std::sync::Arc;

use shardis_compute::{Outcome, Plan, Value};
use shardis_protocol::Reply;

use crate::command::Error;
use crate::jobs::Answer;
use crate::jobs::order::{End, Finished, Profile};

/// What is answered to a run of `plan` that ended so.
pub fn answer(plan: &Arc<Plan>, end: End) -> Answer {
    let plan = Arc::clone(plan);
    Answer::new(end.scanned(), move |reply| respond(&plan, end, reply))
}

/// Writes the reply of a run of `plan` that ended so.
pub fn respond(plan: &Plan, end: End, reply: &mut Reply) -> Result<(), Error> {
    match end {
        End::Result(finished) if plan.options().scalar => {
            value(reply, finished.outcome.scalar().unwrap_or(&Value::Null));
            Ok(())
        }
        End::Result(finished) => {
            map(reply, plan, &finished, None);
            Ok(())
        }
        End::Failed(row) => Err(Error::new(row.message())),
        End::Exceeded(exceeded) => Err(Error::new(exceeded.to_string())),
        End::Denied => Err(Error::NO_PERMISSION_TO_MATCHED_KEY),
        End::WrongType => Err(Error::WRONG_TYPE),
        End::Unfit(error) => Err(error),
        End::Overdue { timeout_ms, scanned } => Err(Error::new(format!(
            "DEADLINE the computation has reached its TIMEOUT of {timeout_ms} ms, scanned={scanned}"
        ))),
    }
}

/// Writes a result; of a part of one also where the rest is.
pub(super) fn map(reply: &mut Reply, plan: &Plan, finished: &Finished, cursor: Option<u64>) {
    let Finished { outcome, stored, isolation, covered, ms, profile } = finished;
    let selects = !plan.columns().is_empty();
    let errors = plan.errors();
    let optional = [selects, covered.is_some(), !errors.is_empty(), plan.options().profile, cursor.is_some()]
        .map(usize::from);
    reply.map(7 + optional.iter().sum::<usize>());
    match stored {
        Some(stored) => {
            reply.bulk(b"stored");
            value(reply, &Value::Int((*stored).into()));
        }
        None => rows(reply, plan, outcome),
    }
    if selects {
        reply.bulk(b"columns");
        reply.array(outcome.columns.len());
        outcome.columns.iter().for_each(|name| reply.bulk(name));
    }
    for (name, count) in
        [("scanned", outcome.scanned), ("matched", outcome.matched), ("errors", outcome.errors)]
    {
        reply.bulk(name.as_bytes());
        value(reply, &Value::Int(count.into()));
    }
    reply.bulk(b"isolation");
    reply.bulk(isolation.name().as_bytes());
    reply.bulk(b"partial");
    reply.boolean(covered.is_some());
    reply.bulk(b"ms");
    reply.double(*ms);
    if let Some(share) = covered {
        reply.bulk(b"covered");
        reply.double(*share);
    }
    if !errors.is_empty() {
        reply.bulk(b"error");
        reply.map(errors.len());
        for (name, error) in errors {
            reply.bulk(name);
            reply.double(error);
        }
    }
    if plan.options().profile {
        write_profile(reply, profile);
    }
    if let Some(cursor) = cursor {
        reply.bulk(b"cursor");
        reply.bulk(cursor.to_string().as_bytes());
    }
}

/// Rows of groups and reducers are maps, those of a selection are arrays.
fn rows(reply: &mut Reply, plan: &Plan, outcome: &Outcome) {
    reply.bulk(b"rows");
    reply.array(outcome.rows.len());
    for row in &outcome.rows {
        if !plan.columns().is_empty() {
            reply.array(row.len());
            row.iter().for_each(|of_row| value(reply, of_row));
            continue;
        }
        reply.map(row.len());
        for (name, of_row) in outcome.columns.iter().zip(row) {
            reply.bulk(name);
            value(reply, of_row);
        }
    }
}

pub(super) fn write_profile(reply: &mut Reply, profile: &Profile) {
    let Profile { opening, toll, folding, merging, fed, lanes } = profile;
    let micros = |duration: &std::time::Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    let fields = [
        ("cut_us", micros(opening)),
        ("visit_us", micros(&toll.held)),
        ("fold_us", micros(folding)),
        ("merge_us", micros(merging)),
        ("slices", toll.slices as i64),
        ("max_slice_us", micros(&toll.held_max)),
        ("preimages", *fed as i64),
        ("threads", *lanes as i64),
    ];
    reply.bulk(b"profile");
    reply.map(fields.len());
    for (name, figure) in fields {
        reply.bulk(name.as_bytes());
        reply.integer(figure);
    }
}

fn value(reply: &mut Reply, written: &Value) {
    match written {
        Value::Null => reply.null(),
        Value::Bool(is_true) => reply.boolean(*is_true),
        Value::Int(value) => match i64::try_from(*value) {
            Ok(value) => reply.integer(value),
            // Sums beyond 64 bits are digits in both protocols.
            Err(_) => reply.bulk(value.to_string().as_bytes()),
        },
        Value::Double(value) => reply.double(*value),
        Value::Text(text) => reply.bulk(text.as_bytes()),
        Value::Bytes(bytes) => reply.bulk(bytes),
        Value::List(values) => {
            reply.array(values.len());
            values.iter().for_each(|of_list| value(reply, of_list));
        }
        Value::Map(pairs) => {
            reply.map(pairs.len());
            for (key, of_key) in pairs {
                value(reply, key);
                value(reply, of_key);
            }
        }
    }
}
