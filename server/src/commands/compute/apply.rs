//! Changing what is selected: keys that match a pattern, or the elements of a collection, each by a call of the command that
//! a client would use for it. The actions are rows of a table. Not here: how candidates are found (`jobs`), and how they are
//! changed (`dispatch::apply`).

use std::sync::Arc;

use shardis_compute::{Action, Application, Argument, Form, Kind, Kinds, Value, action_words};
use shardis_protocol::{OwnedRequest, Reply, Request, number};
use shardis_storage::types::list::List;
use shardis_storage::{Keyspace, Kind as Stored, StringRef, Transaction, View};

use super::reply::{answer, respond, write_profile};
use super::{OVER_ELEMENTS, OVER_KEYS, asynchronous, bounds, channel, flags_of_call, job_key, makes_up_key};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Category, Command, Done, Error, Flags, Flow, KeySpec, key, searched};
use crate::commands::keys::refuse_deadline;
use crate::commands::list;
use crate::jobs::Job;
use crate::jobs::apply::{Applied, Apply, Candidate, Deed, Stopped, Why};
use crate::jobs::order::{End, Order};

const WRITES_AND_BLOCKS: Flags = Flags::WRITE.union(Flags::BLOCKING);

/// The other key of actions that name one.
const OTHER: KeySpec = searched(other_key).read_write().inserts().notes(
    "The key behind DO SADD or DO ZADD. It is marked 'unknown' because the action can stand anywhere in the argument array",
);

pub static APPLY: Command = Command::fanout("COMPUTE.APPLY", apply)
    .syntax(concat!(
        "pattern [TYPE type] [AUTHORIZED] [TYPES count field <INT | DOUBLE | STRING | BYTES> \
         [field <INT | DOUBLE | STRING | BYTES> ...]] WHERE expression [LIMIT count] [DRYRUN] \
         [PARAMS count name value [name value ...]] [ISOLATION <SNAPSHOT | ATOMIC | FUZZY>] \
         [TIMEOUT milliseconds] [ONTIMEOUT <FAIL | PARTIAL>] [ONERROR <SKIP | FAIL | NULL>] [MAXMEM bytes] \
         [THREADS count] [PROFILE]",
        asynchronous!(),
        " DO action [argument ...]"
    ))
    .arity(AtLeast(6))
    .keys(&[OTHER, job_key!(Apply)])
    .channels(channel!(Apply))
    .flags(WRITES_AND_BLOCKS)
    .flagged(flags_of_call!(Apply))
    .categories(Category::DANGEROUS)
    .every()
    .since("0.1.0")
    .complexity(OVER_KEYS)
    .summary("Changes the keys that match a pattern and a condition, while others are served.")
    .tips(&["request_policy:all_shards", "response_policy:special"]);

fn apply(call: &mut Call<'_>) -> Result<Job, Error> {
    job(call, Form::Apply, deed_of_key)
}

pub static KAPPLY: Command = Command::fanout("COMPUTE.KAPPLY", kapply)
    .syntax(concat!(
        "key [TYPES count field <INT | DOUBLE | STRING | BYTES> [field <INT | DOUBLE | STRING | BYTES> ...]] \
         WHERE expression [LIMIT count] [DRYRUN] [PARAMS count name value [name value ...]] \
         [ISOLATION <SNAPSHOT | ATOMIC | FUZZY>] [TIMEOUT milliseconds] [ONTIMEOUT <FAIL | PARTIAL>] \
         [ONERROR <SKIP | FAIL | NULL>] [MAXMEM bytes] [THREADS count] [PROFILE]",
        asynchronous!(),
        " DO action [argument ...]"
    ))
    .arity(AtLeast(6))
    .keys(&[key(1).read_write().accesses().updates().deletes(), job_key!(KApply)])
    .channels(channel!(KApply))
    .discovers(makes_up_key!(KApply))
    .flags(WRITES_AND_BLOCKS)
    .flagged(flags_of_call!(KApply))
    .since("0.1.0")
    .complexity(OVER_ELEMENTS)
    .summary("Changes the elements of a collection of which a condition holds, while others are served.");

fn kapply(call: &mut Call<'_>) -> Result<Job, Error> {
    job(call, Form::KApply, deed_of_element)
}

/// What such a call asks for.
pub(super) fn application(call: &Call<'_>, form: Form, words: &[&[u8]]) -> Result<Application, Error> {
    let actions: &[Action] = if form == Form::KApply { &ELEMENT_ACTIONS } else { &ACTIONS };
    Application::new(form, words, actions, &bounds(call)).map_err(|error| Error::new(error.to_string()))
}

type MakeDeed = fn(&Application, &Candidate, Option<Stored>, &[Value]) -> Option<Deed>;

fn job(call: &mut Call<'_>, form: Form, deed: MakeDeed) -> Result<Job, Error> {
    let words: Vec<&[u8]> = call.args.rest().collect();
    let application = application(call, form, &words)?;
    let names_one = form == Form::Apply && names_other_key(ACTIONS[application.action()].name.as_bytes());
    let other_key = application.words().first().filter(|_| names_one).cloned();
    Ok(Job::new(Order {
        plan: Arc::clone(application.candidates()),
        db: call.db,
        rights: None,
        apply: Some(Arc::new(Apply { application, deed, check, other_key, respond: respond_applied })),
        then: None,
        respond: Arc::new(answer),
        course: Arc::default(),
    }))
}

const fn action(name: &'static str, arguments: &'static [Argument], kinds: Kinds) -> Action {
    Action { name, arguments, repeats: false, kinds }
}

const STRINGS: Kinds = Kinds::of(&[Kind::String]);
const HASHES: Kinds = Kinds::of(&[Kind::Hash]);

/// What can be done with a key. In the call its name comes first; then the key, or the other key that it names, and the values.
const ACTIONS: [Action; 10] = [
    action("DEL", &[], Kinds::ALL),
    action("UNLINK", &[], Kinds::ALL),
    action("PERSIST", &[], Kinds::ALL),
    action("EXPIRE", &[Argument::Integer], Kinds::ALL),
    action("SET", &[Argument::Text], Kinds::ALL),
    action("INCRBY", &[Argument::Integer], STRINGS),
    Action { repeats: true, ..action("HSET", &[Argument::Word, Argument::Text], HASHES) },
    Action { repeats: true, ..action("HDEL", &[Argument::Word], HASHES) },
    action("SADD", &[Argument::Word, Argument::Text], Kinds::ALL),
    action("ZADD", &[Argument::Word, Argument::Number, Argument::Text], Kinds::ALL),
];

/// What can be done with an element.
const ELEMENT_ACTIONS: [Action; 3] = [
    action("REMOVE", &[], Kinds::of(&[Kind::Hash, Kind::List, Kind::Set, Kind::Zset])),
    action("SET", &[Argument::Text], Kinds::of(&[Kind::List, Kind::Hash])),
    action("SCORE", &[Argument::Number], Kinds::of(&[Kind::Zset])),
];

/// The word of the other key, in a call whose action names one.
fn other_key(request: Request<'_>) -> Option<usize> {
    let words: Vec<&[u8]> = (1..request.len()).filter_map(|at| request.arg(at)).collect();
    let action = action_words(Form::Apply, &words)?;
    (action.len() > 1 && names_other_key(action[0])).then(|| request.len() - action.len() + 1)
}

/// Whether an action adds to another key, which is its first word.
fn names_other_key(action: &[u8]) -> bool {
    [b"SADD", b"ZADD"].iter().any(|adds| action.eq_ignore_ascii_case(*adds))
}

fn deed_of_key(
    application: &Application,
    candidate: &Candidate,
    _: Option<Stored>,
    values: &[Value],
) -> Option<Deed> {
    let name = ACTIONS[application.action()].name;
    let (name, suffix): (&str, &[&str]) = match name {
        // Times are milliseconds.
        "EXPIRE" => ("PEXPIRE", &[]),
        "SET" => ("SET", &["KEEPTTL"]),
        name => (name, &[]),
    };
    let mut words = vec![name.as_bytes().to_vec()];
    if !names_other_key(name.as_bytes()) {
        words.push(candidate.key.clone());
    }
    words.extend(values.iter().map(word));
    words.extend(suffix.iter().map(|word| word.as_bytes().to_vec()));
    deed(&words)
}

fn deed_of_element(
    application: &Application,
    candidate: &Candidate,
    kind: Option<Stored>,
    values: &[Value],
) -> Option<Deed> {
    let name = ELEMENT_ACTIONS[application.action()].name;
    let (key, element) = (candidate.key.clone(), candidate.element.clone());
    let place = candidate.place.to_string().into_bytes();
    let value = values.first().map(word).unwrap_or_default();
    let words = |name: &str, rest: Vec<Vec<u8>>| [vec![name.into(), key], rest].concat();
    match (name, kind?) {
        ("REMOVE", Stored::List) => Some(Deed { run: Some(remove_at), ..deed(&words("LREM", vec![place]))? }),
        ("REMOVE", Stored::Set) => deed(&words("SREM", vec![element])),
        ("REMOVE", Stored::SortedSet) => deed(&words("ZREM", vec![element])),
        ("REMOVE", Stored::Hash) => deed(&words("HDEL", vec![element])),
        ("SET", Stored::List) => deed(&words("LSET", vec![place, value])),
        ("SET", Stored::Hash) => deed(&words("HSET", vec![element, value])),
        ("SCORE", Stored::SortedSet) => deed(&words("ZADD", vec![value, element])),
        _ => None,
    }
}

/// A call of these words, if they are not too long.
fn deed(words: &[Vec<u8>]) -> Option<Deed> {
    let mut request = OwnedRequest::default();
    words.iter().all(|word| request.push(word)).then_some(Deed { request, run: None })
}

/// Removes the element at an index of a list, which no command does.
fn remove_at(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let index = usize::try_from(call.args.integer()?).unwrap_or(usize::MAX);
    let limit = list::limit(call);
    if let Some(mut list) = txn.edit::<List>(&key)? {
        list.change(|list| {
            let is_there = index < list.len();
            list.remove(index, usize::from(is_there), limit);
            (is_there, ())
        });
    }
    Ok(Flow::Done)
}

fn word(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(text) => text.clone().into_bytes(),
        Value::Bytes(bytes) => bytes.clone(),
        Value::Int(value) => value.to_string().into_bytes(),
        Value::Double(value) => {
            let mut text = Vec::new();
            number::format_f64_shortest(*value, &mut text);
            text
        }
        Value::Bool(is_true) => is_true.to_string().into_bytes(),
        Value::Null | Value::List(_) | Value::Map(_) => Vec::new(),
    }
}

/// Tells what a change would fail for, so that none is made where all or none is to be.
fn check(view: &mut View<'_>, request: Request<'_>, keyspace: &Keyspace) -> Result<(), Error> {
    let key = keyspace.key(request.arg(1).unwrap_or_default());
    let amount = || number::parse_i64(request.arg(2).unwrap_or_default()).ok_or(Error::NOT_INTEGER);
    let now_ms = view.now_ms();
    let found = view.inspect(&key);
    let is_other = |kind| found.is_some_and(|entry| entry.kind() != kind);
    match request.name() {
        b"INCRBY" => {
            let before = match found.map(|entry| entry.string()) {
                None => 0,
                Some(Some(StringRef::Int(value))) => value,
                Some(Some(StringRef::Bytes(bytes))) => number::parse_i64(bytes).ok_or(Error::NOT_INTEGER)?,
                Some(Some(StringRef::Shared(bytes))) => number::parse_i64(bytes).ok_or(Error::NOT_INTEGER)?,
                Some(None) => return Err(Error::WRONG_TYPE),
            };
            before.checked_add(amount()?).map(drop).ok_or(Error::OVERFLOW)
        }
        b"PERSIST" => found.map_or(Ok(()), refuse_deadline),
        b"PEXPIRE" => {
            amount()?.checked_add(now_ms).ok_or_else(|| Error::invalid_expire("pexpire"))?;
            found.map_or(Ok(()), refuse_deadline)
        }
        b"SADD" if is_other(Stored::Set) => Err(Error::WRONG_TYPE),
        b"ZADD" if is_other(Stored::SortedSet) => Err(Error::WRONG_TYPE),
        _ => Ok(()),
    }
}

/// Writes the reply of what was applied.
fn respond_applied(apply: &Apply, outcome: Result<Applied, Stopped>, reply: &mut Reply) -> Result<(), Error> {
    let Stopped { why, changed } = match outcome {
        Ok(applied) => {
            write(apply, &applied, reply);
            return Ok(());
        }
        Err(stopped) => stopped,
    };
    Err(match why {
        Why::Run(end) => match *end {
            End::Overdue { timeout_ms, scanned } => Error::application_overdue(timeout_ms, scanned, 0),
            end => return respond(apply.application.candidates(), end, reply),
        },
        Why::Overdue { timeout_ms, scanned } => Error::application_overdue(timeout_ms, scanned, changed),
        Why::Failed(row) => Error::new(row.message()).after_changes(changed),
        Why::Exceeded(exceeded) => Error::new(exceeded.to_string()).after_changes(changed),
        Why::OutOfMemory => Error::OUT_OF_MEMORY.after_changes(changed),
        Why::Cancelled => Error::JOB_CANCELED.after_changes(changed),
    })
}

fn write(apply: &Apply, applied: &Applied, reply: &mut Reply) {
    let Applied { tally, isolation, is_partial, ms, profile, .. } = applied;
    let has_profile = apply.application.candidates().options().profile;
    reply.map(7 + usize::from(has_profile));
    let counts = [
        ("matched", tally.matched),
        ("changed", tally.changed),
        ("skipped", tally.skipped),
        ("errors", tally.errors),
    ];
    for (name, count) in counts {
        reply.bulk(name.as_bytes());
        reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
    }
    reply.bulk(b"isolation");
    reply.bulk(isolation.name().as_bytes());
    reply.bulk(b"partial");
    reply.boolean(*is_partial);
    reply.bulk(b"ms");
    reply.double(*ms);
    if has_profile {
        write_profile(reply, profile);
    }
}
