//! CONFIG: the parameters on the wire. Which parameters there are and what they accept is declared in
//! `config::options`; only the texts of the replies are here.

use std::collections::BTreeMap;

use shardis_storage::glob;

use crate::client::Client;
use crate::command::args::{is_word, until_zero};
use crate::command::{Arity, Call, Command, Done, Error, Flags, Flow, Told};
use crate::config::{ConfigError, Personality, options};
use crate::state::State;

pub static CONFIG: Command = Command::container("CONFIG", &[&GET, &HELP, &RESETSTAT, &REWRITE, &SET])
    .since("2.0.0")
    .complexity("Depends on subcommand.")
    .summary("A container for server configuration commands.");

const FLAGS: Flags = Flags::ADMIN.union(Flags::NO_SCRIPT).union(Flags::LOADING).union(Flags::STALE);
const NO_TIPS_IN_70: &[(Personality, Told)] = &[(Personality::Redis70, Told::Tips(&[]))];
const TIPS: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

static GET: Command = Command::client("GET", get)
    .syntax("parameter [parameter ...]")
    .arity(Arity::AtLeast(3))
    .flags(FLAGS)
    .since("2.0.0")
    .complexity("O(N) when N is the number of configuration parameters provided")
    .summary("Returns the effective values of configuration parameters.")
    .history(&[("7.0.0", "Added the ability to pass multiple pattern parameters in one call")]);

fn get(call: &mut Call<'_>, _: &mut Client) -> Done {
    // A name is shown as it was asked for, a match as it is in the table; either only once.
    let mut found = BTreeMap::new();
    let personality = call.state.config.personality.value();
    for pattern in call.args {
        let wild = until_zero(pattern);
        if !wild.iter().any(|byte| b"[*?".contains(byte)) {
            if let Some((parameter, name)) = options::find(pattern, personality) {
                found.entry(name).or_insert((pattern, parameter));
            }
            continue;
        }
        for (parameter, name) in options::names(personality) {
            if parameter.is_listed && glob::matches_ignore_case(wild, name.as_bytes()) {
                found.entry(name).or_insert((name.as_bytes(), parameter));
            }
        }
    }
    call.reply.map(found.len());
    for (name, parameter) in found.into_values() {
        call.reply.bulk(name);
        call.reply.bulk(&parameter.format(&call.state.config));
    }
    Ok(Flow::Done)
}

static SET: Command = Command::client("SET", set)
    .syntax("parameter value [parameter value ...]")
    .arity(Arity::AtLeast(4))
    .flags(FLAGS)
    .since("2.0.0")
    .complexity("O(N) when N is the number of configuration parameters provided")
    .summary("Sets configuration parameters in-flight.")
    .history(&[("7.0.0", "Added the ability to set multiple parameters in one call.")])
    .tips(TIPS)
    .secrets(|request, at| at > 2 && at % 2 == 1 && request.arg(at - 1).is_some_and(options::is_secret));

fn set(call: &mut Call<'_>, client: &mut Client) -> Done {
    let mut pairs = Vec::with_capacity(call.args.len() / 2);
    while let Some(name) = call.args.next() {
        pairs.push((name, call.args.take()?));
    }
    let state = call.state;
    // Whoever changes an address waits until that has happened, and others wait for him: nothing for a network thread.
    let changes_address =
        pairs.iter().any(|(name, _)| ["port", "bind"].iter().any(|known| is_word(name, known)));
    let changing = state.changing_settings.try_lock();
    if call.may_offload && (changes_address || changing.is_none()) {
        return Ok(Flow::Offload);
    }
    let _changing = changing.unwrap_or_else(|| state.changing_settings.lock());
    let is_trusted = state.config.enable_protected_configs.value().lets_in(client.info.is_local());
    let password = state.config.requirepass.value();
    change(state, &pairs, is_trusted)?;
    if state.config.requirepass.value() != password {
        let password = state.config.requirepass.value();
        state.acl.set_default_password(&password, &state.clients, state.surroundings());
    }
    state.apply_settings();
    call.ok()
}

/// Makes all changes or none.
fn change(state: &State, pairs: &[(&[u8], &[u8])], is_trusted: bool) -> Result<(), ConfigError> {
    let config = &state.config;
    let before: Vec<_> = pairs.iter().filter_map(|(name, _)| Some((*name, config.get(name)?))).collect();
    let (port, addresses) = (config.port.value(), config.bind.value());
    config.set_live(pairs, is_trusted)?;
    if (port, &addresses) == (config.port.value(), &config.bind.value()) {
        return Ok(());
    }
    let Err(error) = state.listen_anew() else { return Ok(()) };
    state.log.warning(format_args!("{error}"));
    let (name, reason) = match port == config.port.value() {
        true => ("bind", "Failed to bind to specified addresses."),
        false => ("port", "Unable to listen on this port. Check server logs."),
    };
    let before: Vec<_> = before.iter().map(|(name, value)| (*name, value.as_slice())).collect();
    config.set_live(&before, is_trusted)?;
    Err(ConfigError::Refused { name: name.into(), reason: reason.into() })
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Error {
        match error {
            ConfigError::Unknown(name) => {
                Error::quoting("ERR Unknown option or number of arguments for CONFIG SET - '", &name, "'")
            }
            ConfigError::Refused { name, reason } => Error::quoting(
                "ERR CONFIG SET failed (possibly related to argument '",
                &name,
                &format!("') - {reason}"),
            ),
        }
    }
}

static RESETSTAT: Command = Command::client("RESETSTAT", reset_statistics)
    .arity(Arity::Exactly(2))
    .every()
    .flags(FLAGS)
    .since("2.0.0")
    .complexity("O(1)")
    .summary("Resets the server's statistics.")
    .tips(TIPS)
    .elsewhere(NO_TIPS_IN_70);

fn reset_statistics(call: &mut Call<'_>, _: &mut Client) -> Done {
    // The counters of the keyspace are in its shards, each of which is waited for.
    if call.may_offload {
        return Ok(Flow::Offload);
    }
    let totals = call.totals();
    call.state.stats.reset();
    call.state.keyspace.count_anew(totals);
    call.state.memory_limit.reset_excess();
    call.state.expiry.lock().reset_counters();
    call.state.executor.reset_freed();
    call.ok()
}

static REWRITE: Command = Command::client("REWRITE", rewrite)
    .arity(Arity::Exactly(2))
    .flags(FLAGS)
    .since("2.8.0")
    .complexity("O(1)")
    .summary("Persists the effective configuration to file.")
    .tips(TIPS)
    .elsewhere(NO_TIPS_IN_70);

fn rewrite(call: &mut Call<'_>, _: &mut Client) -> Done {
    // It waits for the disk.
    if call.may_offload {
        return Ok(Flow::Offload);
    }
    let users = call.state.acl.lines(call.state.surroundings());
    call.state.config.rewrite(&users).map_err(|error| {
        call.state.log.warning(format_args!("CONFIG REWRITE failed: {error}"));
        Error::new(format!("ERR {error}"))
    })?;
    call.state.log.notice("CONFIG REWRITE executed with success.");
    call.ok()
}

static HELP: Command = Command::help(help).since("5.0.0");

fn help(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.help("CONFIG", HELP_LINES)
}

const HELP_LINES: &[&str] = &[
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Rewrite the configuration file.",
];
