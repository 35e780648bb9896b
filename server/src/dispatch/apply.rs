//! Changing what a run has selected: the second half of commands that apply an action.
//!
//! 1. A run finds the candidates, as of one instant, like any selection (`jobs::run`).
//! 2. A thread of the executor takes them one by one. It locks the shard of the candidate's key, and that of the other key
//!    that the action names, judges the row as it is now, and makes the change in that same hold: nobody's write is lost.
//! 3. A change is a call of an ordinary command, and is settled like one: events, those who watch, track or wait, and the
//!    limit of memory follow from it.
//! 4. Between two candidates it ends when nobody waits for it any more, time is up or there is no memory left. What was
//!    changed stays, and the error tells how much that was.
//! 5. Where all shards are held anyway, which is so inside of programs and for ISOLATION ATOMIC, everything is judged and
//!    checked before the first change; what ends it until then leaves everything as it was, and from then on nothing ends it.

use shardis_compute::{Batch, Exceeded, OnError, OnTimeout, RowError, Target, Value, Verdict};
use shardis_protocol::{Reply, Version};
use shardis_storage::{Hold, Transaction};

use super::jobs::{Beginning, Within, holding};
use super::route::Route;
use super::{Context, admit, execute};
use crate::command::{Error, Flags, Run};
use crate::jobs::apply::{Applied, Apply, Candidate, Deed, Stopped, Tally, Why};
use crate::jobs::order::{End, Finished, Order};
use crate::jobs::{Cancel, rows};

type Outcome = Result<Applied, Stopped>;

/// What becomes of an order that changes rows.
impl Beginning {
    /// Takes candidate by candidate while others are served.
    pub(super) fn change_among_others(
        &self,
        ctx: &Context<'_>,
        order: &Order,
        apply: &Apply,
        end: End,
        cancel: &Cancel,
    ) -> Outcome {
        let (found, candidates) = candidates(order, end)?;
        let mut changing = Changing::new(apply, order, &found);
        let mut is_partial = found.covered.is_some();
        for candidate in &candidates {
            if changing.is_done() {
                break;
            }
            if cancel.is_set() {
                return Err(changing.stopped(Why::Cancelled));
            }
            if self.is_overdue(ctx) {
                if order.plan.options().on_timeout == OnTimeout::Partial {
                    is_partial = true;
                    break;
                }
                let (timeout_ms, scanned) = (order.plan.limits().timeout_ms, found.outcome.scanned);
                return Err(changing.stopped(Why::Overdue { timeout_ms, scanned }));
            }
            if let Err(why) = changing.take(&ctx.now(), candidate, self.client) {
                return Err(changing.stopped(why));
            }
            // A network thread may wait for the core.
            std::thread::yield_now();
        }
        Ok(self.applied(changing.tally, &found, is_partial))
    }

    /// Over shards that are held: everything is judged before anything is changed.
    pub(super) fn change_held(
        &self,
        within: &mut Within<'_, '_, '_>,
        order: &Order,
        apply: &Apply,
        end: End,
        cancel: &Cancel,
    ) -> Outcome {
        let Within { ctx, txn, is_out_of_memory } = within;
        let (found, candidates) = candidates(order, end)?;
        let mut is_partial = found.covered.is_some();
        let mut changing = Changing::new(apply, order, &found);
        changing.is_out_of_memory = *is_out_of_memory;
        let nothing = |why| Stopped { why, changed: 0 };
        let bytes_max = order.plan.limits().memory_bytes_max;
        let (mut deeds, mut bytes) = (Vec::new(), 0);
        for candidate in &candidates {
            if cancel.is_set() {
                return Err(nothing(Why::Cancelled));
            }
            if self.is_overdue(ctx) {
                if order.plan.options().on_timeout == OnTimeout::Partial {
                    is_partial = true;
                    break;
                }
                let (timeout_ms, scanned) = (order.plan.limits().timeout_ms, found.outcome.scanned);
                return Err(nothing(Why::Overdue { timeout_ms, scanned }));
            }
            let deed = changing.deed(ctx, txn, candidate).map_err(nothing)?;
            let Some(deed) = deed else { continue };
            bytes += deed.request.memory_bytes() as u64 + size_of::<Deed>() as u64;
            if bytes > bytes_max {
                return Err(nothing(Why::Exceeded(Exceeded::Memory { bytes_max })));
            }
            deeds.push((candidate, deed));
        }
        // From here on nothing ends it.
        changing.on_error = OnError::Skip;
        // All shards may be held, so that their memory is summed once, and not for each change.
        execute::measured(ctx, txn, |txn| {
            for (candidate, deed) in &deeds {
                if changing.is_done() {
                    break;
                }
                changing.carry_out(ctx, txn, candidate, deed).map_err(nothing)?;
            }
            Ok(())
        })?;
        Ok(self.applied(changing.tally, &found, is_partial))
    }

    fn applied(&self, tally: Tally, found: &Finished, is_partial: bool) -> Applied {
        let ms = self.started.elapsed().as_micros() as f64 / 1000.0;
        let (scanned, profile) = (found.outcome.scanned, found.profile);
        Applied { tally, scanned, isolation: found.isolation, is_partial, ms, profile }
    }
}

/// The changes of a job.
struct Changing<'j> {
    apply: &'j Apply,
    order: &'j Order,
    batch: Batch,
    tally: Tally,
    is_out_of_memory: bool,
    on_error: OnError,
}

impl<'j> Changing<'j> {
    fn new(apply: &'j Apply, order: &'j Order, found: &Finished) -> Changing<'j> {
        let (matched, errors) = (found.outcome.matched, found.outcome.errors);
        Changing {
            apply,
            order,
            batch: Batch::new(apply.application.change()),
            tally: Tally { matched, errors, ..Tally::default() },
            is_out_of_memory: false,
            on_error: order.plan.options().on_error,
        }
    }

    fn is_done(&self) -> bool {
        self.apply.application.changes_max().is_some_and(|max| self.tally.changed >= max)
    }

    fn stopped(&self, why: Why) -> Stopped {
        Stopped { why, changed: self.tally.changed }
    }

    /// Takes a candidate: judges it and changes it, in a transaction of its own.
    fn take(&mut self, ctx: &Context<'_>, candidate: &Candidate, client: u64) -> Result<(), Why> {
        // Looked at before, because making room takes locks.
        self.is_out_of_memory = admit::is_out_of_memory(ctx);
        let keyspace = &ctx.state.keyspace;
        let keys = [Some(&candidate.key), self.apply.other_key.as_ref()];
        let route = Route::to_keys(keyspace, keys.into_iter().flatten());
        let act = |txn: &mut Transaction<'_>| {
            txn.select(self.order.db);
            match self.deed(ctx, txn, candidate)? {
                Some(deed) => execute::measured(ctx, txn, |txn| self.carry_out(ctx, txn, candidate, &deed)),
                None => Ok(()),
            }
        };
        holding(ctx, &route, Hold::Short, client, act).unwrap_or(Err(Why::Cancelled))
    }

    /// The call that changes a candidate, if it is still to be changed. Its shards are held, and its database is selected.
    fn deed(
        &mut self,
        ctx: &Context<'_>,
        txn: &mut Transaction<'_>,
        candidate: &Candidate,
    ) -> Result<Option<Deed>, Why> {
        let application = &self.apply.application;
        let key = ctx.state.keyspace.key(&candidate.key);
        self.batch.clear();
        let now_ms = txn.now_ms();
        let entry = txn.inspect(&key);
        let kind = entry.map(|entry| entry.kind());
        let is_there = entry
            .is_some_and(|entry| rows::push_live(application, &mut self.batch, candidate, entry, now_ms));
        let verdict = if is_there { application.judge(&self.batch, &candidate.key) } else { Verdict::Pass };
        let values = match verdict {
            Verdict::Pass => {
                self.tally.skipped += 1;
                return Ok(None);
            }
            Verdict::Failed(row) => return self.fail(row).map(|()| None),
            Verdict::Change(values) => values,
        };
        let Some(deed) = (self.apply.deed)(application, candidate, kind, &values) else {
            let row = RowError { key: candidate.key.clone(), text: "the new value is too long".into() };
            return self.fail(row).map(|()| None);
        };
        if let Err(error) = (self.apply.check)(txn, deed.request.as_request(), &ctx.state.keyspace) {
            return self.refuse(candidate, &error).map(|()| None);
        }
        let entry = ctx.state.commands.lookup(deed.request.as_request().name());
        let adds = entry.is_some_and(|entry| entry.flags.contains(Flags::DENY_OOM));
        if adds && self.is_out_of_memory {
            return Err(Why::OutOfMemory);
        }
        Ok(Some(deed).filter(|_| !self.order.plan.options().dry_run))
    }

    /// Changes a candidate by a call of an ordinary command.
    fn carry_out(
        &mut self,
        ctx: &Context<'_>,
        txn: &mut Transaction<'_>,
        candidate: &Candidate,
        deed: &Deed,
    ) -> Result<(), Why> {
        let request = deed.request.as_request();
        let Some(entry) = ctx.state.commands.lookup(request.name()) else {
            unreachable!("invariant: deeds are calls of commands")
        };
        txn.note_accesses(true);
        txn.attribute(entry.id.index() as u16);
        let mut reply = Reply::new(Version::Resp2);
        let mut call = ctx.call(entry, request, &mut reply, self.order.db, true);
        call.may_offload = false;
        let run = match (deed.run, entry.command.run) {
            (Some(run), _) | (None, Run::Write(run)) => run,
            _ => unreachable!("invariant: deeds write keys"),
        };
        let done = run(&mut call, txn);
        if txn.take_changed() {
            ctx.stats.changes.add(1);
            self.tally.changed += 1;
        }
        match done {
            Ok(_) => Ok(()),
            Err(error) => self.refuse(candidate, &error),
        }
    }

    fn refuse(&mut self, candidate: &Candidate, error: &Error) -> Result<(), Why> {
        let text = String::from_utf8_lossy(error.text()).into_owned();
        self.fail(RowError { key: candidate.key.clone(), text })
    }

    fn fail(&mut self, row: RowError) -> Result<(), Why> {
        self.tally.errors += 1;
        if self.on_error == OnError::Fail { Err(Why::Failed(row)) } else { Ok(()) }
    }
}

/// The rows that were found.
fn candidates(order: &Order, end: End) -> Result<(Box<Finished>, Vec<Candidate>), Stopped> {
    let mut found = match end {
        End::Result(found) => found,
        end => return Err(Stopped { why: Why::Run(Box::new(end)), changed: 0 }),
    };
    let rows = std::mem::take(&mut found.outcome.rows).into_iter();
    let candidates = match order.plan.target() {
        Target::Pattern(_) => rows.filter_map(|row| key_candidate(row.into_iter().next()?)).collect(),
        // From the end, so that what is removed from a list moves nothing that is still to come.
        Target::Keys(keys) => rows.rev().filter_map(|row| element_candidate(keys.first()?, row)).collect(),
    };
    Ok((found, candidates))
}

fn key_candidate(key: Value) -> Option<Candidate> {
    Some(Candidate { key: bytes(key)?, element: Vec::new(), place: 0 })
}

fn element_candidate(key: &[u8], row: Vec<Value>) -> Option<Candidate> {
    let mut values = row.into_iter();
    let element = bytes(values.next()?)?;
    let Some(Value::Int(place)) = values.next() else { return None };
    Some(Candidate { key: key.to_vec(), element, place: usize::try_from(place).ok()? })
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::Text(text) => Some(text.into_bytes()),
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}
