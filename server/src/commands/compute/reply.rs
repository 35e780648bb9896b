//! What a run answers: one value, or a map that also tells how far the result is to be trusted. New entries
//! are only ever appended to the map.

use shardis_compute::{Outcome, Plan, Value};
use shardis_protocol::Reply;

use crate::command::Error;
use crate::jobs::run::End;

/// Writes the reply of a run of `plan` that ended so.
pub fn respond(plan: &Plan, end: End, reply: &mut Reply) -> Result<(), Error> {
    match end {
        End::Result { outcome, .. } if plan.options().scalar => {
            value(reply, outcome.scalar().unwrap_or(&Value::Null));
            Ok(())
        }
        End::Result { outcome, covered, ms } => {
            map(reply, plan, &outcome, covered, ms);
            Ok(())
        }
        End::Failed(row) => Err(Error::new(row.message())),
        End::Overdue { timeout_ms, scanned } => Err(Error::new(format!(
            "DEADLINE the computation has reached its TIMEOUT of {timeout_ms} ms, scanned={scanned}"
        ))),
    }
}

fn map(reply: &mut Reply, plan: &Plan, outcome: &Outcome, covered: Option<f64>, ms: f64) {
    let entries = 7 + usize::from(covered.is_some());
    reply.map(entries);
    reply.bulk(b"rows");
    reply.array(outcome.rows.len());
    for row in &outcome.rows {
        reply.map(row.len());
        for (name, of_row) in row {
            reply.bulk(name);
            value(reply, of_row);
        }
    }
    for (name, count) in
        [("scanned", outcome.scanned), ("matched", outcome.matched), ("errors", outcome.errors)]
    {
        reply.bulk(name.as_bytes());
        value(reply, &Value::Int(count.into()));
    }
    reply.bulk(b"isolation");
    reply.bulk(plan.options().isolation.name().as_bytes());
    reply.bulk(b"partial");
    reply.boolean(covered.is_some());
    reply.bulk(b"ms");
    reply.double(ms);
    if let Some(share) = covered {
        reply.bulk(b"covered");
        reply.double(share);
    }
}

fn value(reply: &mut Reply, value: &Value) {
    match value {
        Value::Null => reply.null(),
        Value::Int(value) => match i64::try_from(*value) {
            Ok(value) => reply.integer(value),
            // Sums beyond 64 bits are digits in both protocols.
            Err(_) => reply.bulk(value.to_string().as_bytes()),
        },
        Value::Double(value) => reply.double(*value),
        Value::Text(text) => reply.bulk(text.as_bytes()),
        Value::Bytes(bytes) => reply.bulk(bytes),
    }
}
