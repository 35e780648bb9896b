//! Which jobs there are, and which computations somebody waits for.

use shardis_protocol::number;
use shardis_storage::View;
use shardis_storage::glob::Pattern;
use shardis_storage::types::job::{Job, Stage};

use super::SINCE;
use crate::command::Arity::AtLeast;
use crate::command::{Call, Category, Command, Done, Error, Flow};
use crate::jobs::directory::Listed;
use crate::jobs::rights::Rights;

pub static LIST: Command = Command::read("JOB.LIST", list)
    .syntax("[MATCH pattern] [STATE <CREATED | RUNNING | DONE | FAILED | CANCELED | EXPIRED>] [COUNT count] [CURSOR cursor]")
    .arity(AtLeast(1))
    .walk()
    .with_client()
    .categories(Category::KEYSPACE)
    .since(SINCE)
    .complexity("O(N) with N being COUNT, and O(M) for the whole list with M being the number of jobs in the database.")
    .summary("Tells of the jobs of the database, and of the computations that somebody waits for, in the order of their age.");

/// Entries that are looked at without COUNT.
const COUNT_DEFAULT: i64 = 10;
/// And at most: what one call looks at.
const COUNT_MAX: i64 = 10_000;

fn list(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let options = Options::parse(call)?;
    if call.should_offload(options.count) {
        return Ok(Flow::Offload);
    }
    let rights = Rights::of_call(call);
    let entries = call.state.jobs.behind(options.cursor, options.count);
    let is_end = entries.len() < options.count;
    let next = if is_end { 0 } else { entries.last().map_or(0, |(number, _)| *number) };
    call.reply.array(2);
    call.reply.bulk(next.to_string().as_bytes());
    let header = call.reply.mark();
    let mut listed = 0;
    let db = call.db;
    for (number, entry) in entries.iter().filter(|(_, entry)| entry.db == db) {
        let Some(seen) = look(call, view, *number, entry)? else { return Ok(Flow::Offload) };
        let Some((stage, percent)) = seen else { continue };
        let matches = match (&options.pattern, &entry.key) {
            (Some(pattern), Some(key)) => pattern.matches(key),
            (Some(_), None) => false,
            (None, _) => true,
        };
        if matches && options.stage.is_none_or(|asked| asked == stage) {
            let forbids = |rights: &Rights| entry.key.as_ref().is_some_and(|key| !rights.may_touch(key));
            if rights.as_ref().is_some_and(forbids) {
                return Err(Error::FORBIDDEN_KEY_LISTED);
            }
            write(call, entry, stage, percent);
            listed += 1;
        }
    }
    call.reply.insert_array_header(header, listed);
    Ok(Flow::Done)
}

/// What a call asks for.
struct Options<'c> {
    pattern: Option<Pattern<'c>>,
    stage: Option<Stage>,
    count: usize,
    cursor: u64,
}

impl<'c> Options<'c> {
    fn parse(call: &mut Call<'c>) -> Result<Options<'c>, Error> {
        let (mut pattern, mut stage, mut count, mut cursor) = (None, None, None, None);
        while !call.args.is_empty() {
            if pattern.is_none() && call.args.take_word("MATCH") {
                pattern = Some(Pattern::new(call.args.take()?));
            } else if stage.is_none() && call.args.take_word("STATE") {
                let word = call.args.take()?;
                let named = |stage: &Stage| word.eq_ignore_ascii_case(stage.name().as_bytes());
                stage = Some(Stage::ALL.into_iter().find(named).ok_or(Error::SYNTAX)?);
            } else if count.is_none() && call.args.take_word("COUNT") {
                let word =
                    number::parse_i64(call.args.take()?).filter(|count| (1..=COUNT_MAX).contains(count));
                count = Some(word.ok_or_else(|| Error::count_range("COUNT", 1, COUNT_MAX))?);
            } else if cursor.is_none() && call.args.take_word("CURSOR") {
                let word = number::parse_i64(call.args.take()?).and_then(|cursor| u64::try_from(cursor).ok());
                cursor = Some(word.ok_or(Error::INVALID_CURSOR)?);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        let count = usize::try_from(count.unwrap_or(COUNT_DEFAULT)).unwrap_or(usize::MAX);
        Ok(Options { pattern, stage, count, cursor: cursor.unwrap_or(0) })
    }
}

/// The stage of an entry and how much of it is done; nothing inside if its key has gone, and nothing at all if its shard is held
/// for long.
fn look(
    call: &Call<'_>,
    view: &mut View<'_>,
    number: u64,
    entry: &Listed,
) -> Result<Option<Option<(Stage, u8)>>, Error> {
    let Some(key) = &entry.key else {
        return Ok(Some(Some(entry.stage(None))));
    };
    let Ok(found) = view.walk_to_key(&call.state.keyspace.key(key)) else { return Ok(None) };
    let job = found.and_then(|found| found.object::<Job>()).filter(|job| job.number() == number);
    Ok(Some(job.map(|job| entry.stage(Some(job)))))
}

fn write(call: &mut Call<'_>, entry: &Listed, stage: Stage, percent: u8) {
    let reply = &mut *call.reply;
    reply.map(7);
    reply.bulk(b"key");
    match &entry.key {
        Some(key) => reply.bulk(key),
        None => reply.null(),
    }
    for (name, text) in [
        ("name", entry.command),
        ("kind", if entry.key.is_some() { "server" } else { "run" }),
        ("state", stage.name()),
    ] {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    for (name, number) in [
        ("progress", i64::from(percent)),
        ("client", i64::try_from(entry.client).unwrap_or(i64::MAX)),
        ("created", entry.created_ms),
    ] {
        reply.bulk(name.as_bytes());
        reply.integer(number);
    }
}
