//! What a computation would do: how its expressions run, what it reads and what it is allowed. Nothing is run; but whoever asks
//! must be allowed to.

use shardis_compute::{Form, Limits, Plan, Target};

use super::apply::{self, application};
use super::{aggregate, plan, select};
use crate::acl::{Attempt, log};
use crate::client::Client;
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Flow};

pub static EXPLAIN: Command = Command::client("COMPUTE.EXPLAIN", explain)
    .syntax("command argument [argument ...]")
    .arity(AtLeast(3))
    .flags(Flags::READONLY)
    .every()
    .since("0.1.0")
    .complexity("O(1)")
    .summary("Tells what a computation would do, and runs nothing.");

static FORMS: [(&Command, Form); 8] = [
    (&aggregate::COUNT, Form::Count),
    (&aggregate::AGGREGATE, Form::Aggregate),
    (&aggregate::KAGGREGATE, Form::KAggregate),
    (&aggregate::MAGGREGATE, Form::MAggregate),
    (&select::SELECT, Form::Select),
    (&select::KSELECT, Form::KSelect),
    (&apply::APPLY, Form::Apply),
    (&apply::KAPPLY, Form::KApply),
];

fn explain(call: &mut Call<'_>, client: &mut Client) -> Done {
    // It waits for shards to count their keys, and long expressions take their time.
    if call.may_offload {
        return Ok(Flow::Offload);
    }
    let word = call.args.next().ok_or(Error::SYNTAX)?;
    let is_named = |command: &Command| {
        command.name.split_once('.').is_some_and(|(_, name)| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    let &(command, form) = FORMS.iter().find(|(command, _)| is_named(command)).ok_or(Error::SYNTAX)?;
    check_rights(call, client, command)?;
    let words: Vec<&[u8]> = call.args.rest().collect();
    let (application, planned);
    let plan = match form {
        Form::Apply | Form::KApply => {
            application = self::application(call, form, &words)?;
            application.change()
        }
        _ => {
            planned = plan(call, form, &words)?;
            &planned
        }
    };
    if plan.options().asynchronous.is_some() {
        return Err(Error::ASYNC_EXPLAIN);
    }
    write(call, plan);
    Ok(Flow::Done)
}

/// Refuses it to whom the computation would be refused.
fn check_rights(call: &Call<'_>, client: &Client, command: &Command) -> Result<(), Error> {
    let Some(entry) = call.state.commands.lookup(command.name.as_bytes()) else { return Ok(()) };
    let (state, request) = (call.state, call.request().tail(1));
    let attempt = Attempt::new(state, call.db, entry, request);
    let checked = state.acl.check(state, &client.info, &attempt, log::Context::of(client), call.command.name);
    checked.map_err(|refused| refused.error(&attempt))
}

fn write(call: &mut Call<'_>, plan: &Plan) {
    let totals = call.totals();
    let keys = totals.databases.get(usize::from(call.db.0)).map_or(0, |totals| totals.keys);
    let explanation = plan.explain();
    let (source, shards, rows) = match plan.target() {
        Target::Pattern(_) => ("keyspace", call.state.keyspace.shards(), keys as i64),
        Target::Keys(keys) => ("keys", keys.len(), -1),
    };
    let reply = &mut *call.reply;
    reply.map(9);
    let mut text = |name: &str, value: &str| {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    };
    text("source", source);
    text("type", &plan.kinds().only().map_or_else(|| plan.kinds().names(), |kind| kind.name().into()));
    reply.bulk(b"fields");
    reply.array(explanation.fields.len());
    explanation.fields.iter().for_each(|field| reply.bulk(field.as_bytes()));
    reply.bulk(b"clauses");
    reply.array(explanation.clauses.len());
    for clause in &explanation.clauses {
        let mode = if clause.interpreted.is_some() { "interpreted" } else { "vectorised" };
        reply.map(4);
        let pairs = [
            ("clause", clause.clause),
            ("text", clause.text.as_str()),
            ("mode", mode),
            ("reason", clause.interpreted.unwrap_or_default()),
        ];
        pairs.iter().flat_map(|(name, value)| [name, value]).for_each(|word| reply.bulk(word.as_bytes()));
    }
    reply.bulk(b"reducers");
    reply.array(explanation.reducers.len());
    explanation.reducers.iter().for_each(|name| reply.bulk(name.as_bytes()));
    reply.bulk(b"isolation");
    reply.bulk(plan.options().isolation.name().as_bytes());
    reply.bulk(b"shards");
    reply.integer(shards as i64);
    reply.bulk(b"rows_estimate");
    reply.integer(rows);
    let Limits { timeout_ms, memory_bytes_max, groups_max, output_bytes_max } = plan.limits();
    reply.bulk(b"limits");
    reply.map(4);
    for (name, limit) in [
        ("timeout", timeout_ms),
        ("maxmem", memory_bytes_max),
        ("maxgroups", groups_max),
        ("maxout", output_bytes_max),
    ] {
        reply.bulk(name.as_bytes());
        reply.integer(i64::try_from(limit).unwrap_or(i64::MAX));
    }
}
