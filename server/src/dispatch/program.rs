//! Programs: commands that run others in their own transaction. It locks, once and before anything runs, what they all need.
//! Messages of what they change are written call by call, in one order with those that they publish themselves; who watches or
//! waits for keys hears at the end. Nobody is woken before the locks are gone, so that to everybody else they are one command.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use shardis_protocol::{Mark, Reply, Request};
use shardis_storage::{Db, Key, Transaction, View, WrongType};

use super::execute::{self, Handled};
use super::jobs::Within;
use super::route::Route;
use super::server_job::Created;
use super::{Context, Outcome, Runner, admit, answer_error, cost, jobs, server_job, settle, show};
use crate::acl::{Attempt, Refused, log};
use crate::client::{Client, Gate};
use crate::command::call::{Caller, FirstKey};
use crate::command::table::{CommandId, Entry};
use crate::command::{Call, Done, Error, Flags, Flow, Inside, Need, Presence, Reach, Run, ScriptRules};
use crate::interest;
use crate::observe::thresholds::Cost;
use crate::scripting::engine::EngineSlot;
use crate::state::State;
use crate::tracking::Teller;

/// Calls in a queue that a network thread runs.
const CALLS_MAX: usize = 128;
/// Bytes of the values of keys that a network thread runs a queue over, unless its commands take constant time.
const VALUES_BYTES_MAX: usize = 64 * 1024;

type RunProgram = fn(&mut Call<'_>, &mut Client, &mut dyn Inside) -> Done;

/// Runs a program on the shards of all that it runs, or tells why it has to run elsewhere or later.
pub(super) fn execute(
    ctx: &Context<'_>,
    client: &mut Client,
    call: &mut Call<'_>,
    entry: &Entry,
    mark: Mark,
    run: RunProgram,
) -> Handled {
    let need = match entry.command.prepare.map(|prepare| prepare(call)).transpose() {
        Ok(need) => need,
        Err(error) => return execute::end(ctx, client, entry, mark, call, Err(error)),
    };
    let (route, keys) = match need {
        Some(Need::Discovered) => (Route::Discovered, 0),
        Some(Need::Declared | Need::DeclaredForLong) | None => {
            Route::of_program(ctx.state, entry, call.request(), client)
        }
    };
    let is_long = matches!(route, Route::Every | Route::Discovered)
        || need == Some(Need::DeclaredForLong)
        || is_long_queue(entry, client);
    let lacks_engine = match ctx.engine {
        Some(engine) => runs_with_functions(entry, client) && !engine.has_functions(),
        None => may_run_scripts(entry, client),
    };
    if ctx.runner == Runner::Network && is_long || lacks_engine || call.should_offload(keys) {
        return Handled::Offload;
    }
    let is_out_of_memory = admit::is_out_of_memory(ctx);
    let (patience, hold) = ctx.runner.manners();
    let mut txn = Transaction::new(&ctx.state.keyspace, patience, hold, ctx.now_ms);
    if txn.acquire(route.scope()).is_err() {
        return Handled::Contended;
    }
    if ctx.state.pause.is_on(&ctx.state.clock) {
        txn.keep_expired();
    }
    if call.may_offload && has_heavy_calls(ctx.state, entry, client, &mut txn) {
        return Handled::Offload;
    }
    // Behind the transaction, so that the server is marked before its shards are free.
    let guard = ctx.state.poison.guard();
    // What fails inside takes back only its own part of the reply.
    call.reply.keep_whole();
    call.may_offload = false;
    show_first(ctx, client, call.request(), entry);
    let time_us = Cell::new(None);
    let mut inside =
        Running::new(ctx, &mut txn, &entry.full_name, is_out_of_memory, Teller::of(&client.info), &time_us);
    let done = run(call, client, &mut inside);
    inside.count_failure(entry, &done);
    let (teller, created) = (inside.teller, inside.created);
    let handled = execute::end(ctx, client, entry, mark, call, done);
    // What has been told already is still in the log.
    let aftermath = txn.has_leftovers().then(|| {
        // A program may take long.
        settle::settle(&ctx.now(), &mut txn, teller)
    });
    drop(txn);
    drop(guard);
    if let Some(aftermath) = aftermath {
        aftermath.finish(ctx, &mut client.wakes);
    }
    created.into_iter().for_each(|created| created.set_going(ctx.state));
    handled
}

/// Whether it needs an engine.
fn may_run_scripts(entry: &Entry, client: &Client) -> bool {
    let queue = client.queue.as_ref().filter(|_| entry.command.reach == Reach::Queued);
    entry.command.prepare.is_some()
        || entry.command.is_with_functions
        || queue.is_some_and(|queue| queue.has_programs)
}

/// Whether it has to run on the thread of functions.
pub(super) fn runs_with_functions(entry: &Entry, client: &Client) -> bool {
    let queue = client.queue.as_ref().filter(|_| entry.command.reach == Reach::Queued);
    entry.command.is_with_functions || queue.is_some_and(|queue| queue.has_functions)
}

/// Shows a program whose calls are shown too, before them, to those who monitor.
fn show_first(ctx: &Context<'_>, client: &Client, request: Request<'_>, entry: &Entry) {
    if ctx.state.clients.monitors.is_any() && entry.flags.contains(Flags::SKIP_MONITOR) {
        ctx.state.clients.monitors.tell(client, entry.command.shown(request), ctx.state);
    }
}

/// Whether there are many calls.
fn is_long_queue(entry: &Entry, client: &Client) -> bool {
    let queue = client.queue.as_ref().filter(|_| entry.command.reach == Reach::Queued);
    queue.is_some_and(|queue| queue.calls.len() > CALLS_MAX)
}

/// Whether calls that may take as long as their values are large have large ones, or computations are long to read.
fn has_heavy_calls(state: &State, entry: &Entry, client: &Client, txn: &mut Transaction<'_>) -> bool {
    let Some(queue) = client.queue.as_ref().filter(|_| entry.command.reach == Reach::Queued) else {
        return false;
    };
    let mut bytes = 0;
    txn.select(client.db);
    for queued in &queue.calls {
        let entry = state.commands.entry(queued.id);
        if entry.is_short {
            continue;
        }
        let request = queued.request.as_request();
        if execute::is_long_to_read(entry, request) {
            return true;
        }
        for key in entry.keys(request) {
            bytes += txn.inspect(&state.keyspace.key(key)).map_or(0, |found| found.memory_bytes());
        }
    }
    bytes > VALUES_BYTES_MAX
}

/// A program that runs.
struct Running<'r, 'c, 'k> {
    ctx: &'r Context<'c>,
    txn: &'r mut Transaction<'k>,
    is_out_of_memory: bool,
    /// What the client has called.
    called: &'r str,
    /// Tells those who track keys, and the events.
    teller: Teller,
    /// Whether it has run anything but commands that read.
    has_effects: bool,
    /// Whether a call has turned out to take too long for this thread.
    is_too_long: bool,
    /// Whether the program that has run last answers an error.
    has_failed: bool,
    /// When the last call ended, and the next begins.
    last_ended: Instant,
    /// What its calls of TIME answer.
    time_us: &'r Cell<Option<i64>>,
    /// Whether the conditions of its calls have been looked at, and held.
    has_met_conditions: bool,
    /// The jobs that it has asked for, whose work begins when it has ended.
    created: Vec<Created>,
}

impl Inside for Running<'_, '_, '_> {
    fn state(&self) -> &Arc<State> {
        self.ctx.state
    }

    fn engine(&self) -> Option<Rc<EngineSlot>> {
        self.ctx.engine.cloned()
    }

    fn is_out_of_memory(&self) -> bool {
        self.is_out_of_memory
    }

    fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    fn run(&mut self, client: &mut Client, id: CommandId, request: Request<'_>, reply: &mut Reply) {
        let entry = self.ctx.state.commands.entry(id);
        match self.check_rules(
            client,
            entry,
            request,
            log::Context::Transaction,
            Refused::error_in_transaction,
        ) {
            Ok(()) => self.carry_out(client, entry, request, None, reply),
            Err(error) => {
                self.ctx.stats.command(entry.id).rejected.add(1);
                answer_error(self.ctx, &error, reply);
            }
        }
    }

    fn call(
        &mut self,
        client: &mut Client,
        request: Request<'_>,
        rules: &ScriptRules,
        reply: &mut Reply,
    ) -> bool {
        let admitted =
            admit::admit_in_script(self.ctx, request, rules, self.is_out_of_memory).and_then(|entry| {
                let (context, told) = (log::Context::Script, Refused::error_in_script);
                self.check_rules(client, entry, request, context, told).map(|()| entry)
            });
        match admitted {
            Ok(entry) => {
                let first_key = match self.check_keys(client, entry, request) {
                    Ok(first_key) => first_key,
                    Err(error) => {
                        reply.error(error.text());
                        return false;
                    }
                };
                self.carry_out(client, entry, request, first_key, reply);
                entry.flags.contains(Flags::WRITE)
            }
            Err(error) => {
                if let Some(entry) = self.ctx.state.commands.invoked(request) {
                    self.ctx.stats.command(entry.id).rejected.add(1);
                }
                answer_error(self.ctx, &error, reply);
                false
            }
        }
    }

    fn may_call(&self, client: &Client, request: Request<'_>) -> Option<bool> {
        let entry = self.ctx.state.commands.resolvable(request)?;
        Some(client.info.may(&Attempt::new(self.ctx.state, client.db, entry, request)))
    }

    fn note_failure(&mut self, error: Option<&Error>) {
        self.has_failed = true;
        if let Some(error) = error {
            self.ctx.stats.count_error(error.code());
        }
    }

    fn presence(&mut self, db: Db, key: &[u8]) -> Presence {
        settle::presence(self.ctx.state, self.txn, db, key)
    }

    fn meets(&mut self, db: Db, id: CommandId, request: Request<'_>) -> bool {
        let state = self.ctx.state;
        let Some(condition) = state.commands.entry(id).command.condition else { return true };
        self.txn.select(db);
        condition(state, request, self.txn)
    }

    fn note_met(&mut self, is_met: bool) {
        self.has_met_conditions = is_met;
    }

    fn with_data(
        &mut self,
        db: Db,
        look: &mut dyn FnMut(&mut View<'_>) -> Result<bool, WrongType>,
    ) -> Result<bool, WrongType> {
        self.txn.select(db);
        look(self.txn)
    }
}

impl<'r, 'c, 'k> Running<'r, 'c, 'k> {
    fn new(
        ctx: &'r Context<'c>,
        txn: &'r mut Transaction<'k>,
        called: &'r str,
        is_out_of_memory: bool,
        teller: Teller,
        time_us: &'r Cell<Option<i64>>,
    ) -> Running<'r, 'c, 'k> {
        let last_ended = ctx.state.clock.tick();
        Running {
            ctx,
            txn,
            is_out_of_memory,
            called,
            teller,
            has_effects: false,
            is_too_long: false,
            has_failed: false,
            last_ended,
            time_us,
            has_met_conditions: false,
            created: Vec::new(),
        }
    }

    /// Counts a call that has come to its end and yet answers an error.
    fn count_failure(&mut self, entry: &Entry, done: &Done) {
        if std::mem::take(&mut self.has_failed) && matches!(done, Ok(Flow::Done)) {
            self.ctx.stats.command(entry.id).failed.add(1);
        }
    }

    /// Whether the client's user may make a call, as it did when the call was queued, or its script was called.
    fn check_rules<'e>(
        &self,
        client: &Client,
        entry: &'e Entry,
        request: Request<'e>,
        context: log::Context,
        told: fn(&Refused, &Attempt<'_>) -> Error,
    ) -> Result<(), Error> {
        if !client.info.gates.has(Gate::Rules) {
            return Ok(());
        }
        let state = self.ctx.state;
        let attempt = Attempt::new(state, client.db, entry, request);
        let checked = state.acl.check(state, &client.info, &attempt, context, self.called);
        checked.map_err(|refused| told(&refused, &attempt))
    }

    /// Looks at the keys of a script's call, where those that it has declared are locked and no others. The script was found to
    /// keep to them; should that ever be wrong, it hears so. Gives the key, if there is just one.
    fn check_keys(
        &mut self,
        client: &Client,
        entry: &Entry,
        request: Request<'_>,
    ) -> Result<Option<FirstKey>, Error> {
        if self.is_too_long {
            return Err(Error::SCRIPT_MOVES);
        }
        if self.txn.discovers() {
            return Ok(None);
        }
        if entry.command.reach != Reach::Keys || (entry.command.discovers)(request) {
            return Err(Error::SCRIPT_LEFT_ITS_KEYS);
        }
        self.txn.select(client.db);
        let keyspace = &self.ctx.state.keyspace;
        let first_key = entry.first_key.filter(|_| entry.has_one_key(request)).and_then(|at| {
            let word = request.arg(usize::from(at.get()))?;
            Some((word, FirstKey { at, hash: keyspace.hash(word) }))
        });
        let bytes = match first_key {
            Some((word, first)) => self.check_key(entry, &Key::with_hash(word, first.hash))?,
            None => {
                let keys = entry.keys(request).map(|word| self.check_key(entry, &keyspace.key(word)));
                keys.sum::<Result<usize, Error>>()?
            }
        };
        if bytes > VALUES_BYTES_MAX && self.ctx.runner == Runner::Network && !self.has_effects {
            self.is_too_long = true;
            return Err(Error::SCRIPT_MOVES);
        }
        Ok(first_key.map(|(_, first)| first))
    }

    /// Looks at one of them: how many bytes its value takes, if the call may have to go through all of it.
    fn check_key(&mut self, entry: &Entry, key: &Key<'_>) -> Result<usize, Error> {
        if !self.txn.holds(key) {
            return Err(Error::SCRIPT_LEFT_ITS_KEYS);
        }
        let value = if entry.is_short { None } else { self.txn.inspect(key) };
        Ok(value.map_or(0, |value| value.memory_bytes()))
    }

    fn carry_out(
        &mut self,
        client: &mut Client,
        entry: &Entry,
        request: Request<'_>,
        first_key: Option<FirstKey>,
        reply: &mut Reply,
    ) {
        let ctx = self.ctx;
        self.has_effects |= !entry.only_reads();
        let mark = reply.mark();
        let replied_before = reply.len();
        reply.set_version(client.version);
        let mut call = ctx.call(entry, request, reply, client.db, client.notes_accesses);
        call.may_discover = execute::may_discover(ctx, client, entry, request);
        call.may_offload = false;
        call.first_key = first_key;
        let (is_script, time_us) = (client.is_script, self.time_us);
        let has_met_conditions = self.has_met_conditions;
        call.program = Some(Caller { is_script, time_us, has_met_conditions });
        if entry.command.knows_client {
            call.client = Some(client.info.clone());
        }
        let done = self.invoke(client, entry, &mut call);
        if !call.granted.is_empty() {
            client.note_granted(&call.granted, call.reply.len());
        }
        match done {
            Ok(Flow::Done) => {}
            Ok(Flow::Block) => {
                let block =
                    call.block.take().expect("invariant: a handler that blocks has said for how long");
                (block.cannot_wait)(call.reply);
            }
            Ok(Flow::Offload) => unreachable!("nobody may offload here"),
            Err(error) => execute::fail(ctx, entry, mark, &error, call.reply),
        }
        execute::count(ctx, client, entry.id);
        execute::count_change(ctx, self.txn);
        if self.txn.is_observed(interest::TRACKED | interest::EVENTS) {
            self.tell(client, entry, request);
        }
        self.note_cost(client, entry, request, reply.len() - replied_before);
        if ctx.state.clients.monitors.is_any() {
            show(ctx, client, request, entry, &Outcome::Done);
        }
    }

    fn invoke(&mut self, client: &mut Client, entry: &Entry, call: &mut Call<'_>) -> Done {
        self.txn.select(call.db);
        self.txn.note_accesses(call.notes_accesses);
        self.txn.attribute(entry.id.index() as u16);
        if entry.command.reach != Reach::Keys {
            self.txn.hold_every();
        }
        match entry.command.run {
            Run::Read(run) => run(call, self.txn),
            Run::Write(run) | Run::Blocking(_, run) => {
                if self.ctx.state.config.maxmemory.value() != 0 {
                    // Shards that are locked now are no memory that the call takes.
                    call.keys().for_each(|key| self.txn.reach(&key));
                }
                execute::measured(self.ctx, self.txn, |txn| run(call, txn))
            }
            Run::Client(run) => {
                if entry.command.reach == Reach::Every {
                    call.totals = Some(Box::new(self.txn.totals()));
                }
                let done = run(call, client);
                // It may have begun to track keys.
                self.txn.listen_again();
                done
            }
            Run::Program(run) => {
                if let Some(prepare) = entry.command.prepare {
                    prepare(call)?;
                }
                show_first(self.ctx, client, call.request(), entry);
                // Conditions are looked at for a transaction's own calls, and hold for no other's.
                let has_met = std::mem::take(&mut self.has_met_conditions);
                let done = run(call, client, self);
                self.has_met_conditions = has_met;
                self.count_failure(entry, &done);
                done
            }
            Run::Fanout(run) => {
                let attempt = Attempt::new(self.ctx.state, call.db, entry, call.request());
                let job = run(call)?.held_to(client.info.rules(), &attempt);
                if job.is_asynchronous() {
                    self.created.push(server_job::create(self.ctx, self.txn, client, entry, call, job)?);
                    return Ok(Flow::Done);
                }
                let (ctx, is_out_of_memory) = (self.ctx, self.is_out_of_memory);
                let mut within = Within { ctx, txn: self.txn, is_out_of_memory };
                jobs::run_within(&mut within, job, call.reply).map(|()| Flow::Done)
            }
            Run::Container => unreachable!("the table resolves a container to a subcommand or an error"),
        }
    }

    /// Tells what a call has changed, and then notes what it has read.
    #[cold]
    fn tell(&mut self, client: &Client, entry: &Entry, request: Request<'_>) {
        let state = self.ctx.state;
        self.txn.drop_expired();
        self.teller.tell(state, self.txn.changes());
        state.clients.tracking.note_read(state, &client.info, entry, request);
    }

    /// Tells what a call took: the time from the end of the one before it to its own.
    fn note_cost(&mut self, client: &Client, entry: &Entry, request: Request<'_>, reply_bytes: usize) {
        let now = self.ctx.state.clock.tick();
        let took = now - std::mem::replace(&mut self.last_ended, now);
        let cost = Cost { took: Some(took), request_bytes: cost::request_bytes(request), reply_bytes };
        cost::note(self.ctx, &client.info, entry, request, cost);
    }
}
