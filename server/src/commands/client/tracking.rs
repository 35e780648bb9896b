//! Client-side caching: what a client asks for, and what it is told of that. Who hears of which key is the business of `tracking`.

use super::{FLAGS, WHILE_BUSY_IN_91, on_or_off};
use crate::client::{Client, line};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::is_word;
use crate::command::{Call, Command, Done, Error, Flow};
use crate::tracking::{Modes, Options, Terms};

pub static CACHING: Command = Command::client("CACHING", caching)
    .syntax("<YES | NO>")
    .arity(Exactly(3))
    .flags(FLAGS)
    .since("6.0.0")
    .complexity("O(1)")
    .summary("Instructs the server whether to track the keys in the next request.")
    .elsewhere(WHILE_BUSY_IN_91);

fn caching(call: &mut Call<'_>, client: &mut Client) -> Done {
    let terms = &client.info.tracking;
    if !terms.has(Modes::ON) {
        return Err(Error::CACHING_WITHOUT_TRACKING);
    }
    let word = call.args.take()?;
    if is_word(word, "YES") {
        if !terms.has(Modes::OPT_IN) {
            return Err(Error::CACHING_WITHOUT_OPTIN);
        }
    } else if is_word(word, "NO") {
        if !terms.has(Modes::OPT_OUT) {
            return Err(Error::CACHING_WITHOUT_OPTOUT);
        }
    } else {
        return Err(Error::SYNTAX);
    }
    terms.set_caching(true);
    call.ok()
}

pub static GETREDIR: Command = Command::client("GETREDIR", getredir)
    .arity(Exactly(2))
    .flags(FLAGS)
    .since("6.0.0")
    .complexity("O(1)")
    .summary("Returns the client ID to which the connection's tracking notifications are redirected.")
    .elsewhere(WHILE_BUSY_IN_91);

fn getredir(call: &mut Call<'_>, client: &mut Client) -> Done {
    call.integer(line::redirect(&client.info))
}

pub static TRACKING: Command = Command::client("TRACKING", tracking)
    .syntax(
        "status=<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
    )
    .arity(AtLeast(3))
    .flags(FLAGS)
    .since("6.0.0")
    .complexity("O(1). Some options may introduce additional complexity.")
    .summary("Controls server-assisted client-side caching for the connection.");

/// The options are read before the word in front of them.
fn tracking(call: &mut Call<'_>, client: &mut Client) -> Done {
    let status = call.args.take()?;
    let options = options(call)?;
    if !on_or_off(status)? {
        client.stop_tracking();
        return call.ok();
    }
    check(&options, &client.info.tracking)?;
    if client.track(call.state, &options) { call.ok() } else { Err(Error::cannot_track("CLIENT TRACKING")) }
}

const MODES: [(&str, Modes); 4] = [
    ("BCAST", Modes::BROADCAST),
    ("OPTIN", Modes::OPT_IN),
    ("OPTOUT", Modes::OPT_OUT),
    ("NOLOOP", Modes::NO_LOOP),
];

fn options<'c>(call: &mut Call<'c>) -> Result<Options<'c>, Error> {
    let mut options = Options::default();
    while !call.args.is_empty() {
        if call.args.take_word("REDIRECT") && !call.args.is_empty() {
            if options.redirect.is_some() {
                return Err(Error::REDIRECT_TWICE);
            }
            let id = u64::try_from(call.args.integer()?).unwrap_or(0);
            let target = call.state.clients.client(id).ok_or(Error::REDIRECT_TO_NOBODY)?;
            options.redirect = Some(target.id);
        } else if call.args.take_word("PREFIX") && !call.args.is_empty() {
            options.prefixes.push(call.args.take()?);
        } else {
            let known = MODES.iter().find(|(word, _)| call.args.take_word(word));
            options.modes = options.modes.and(known.ok_or(Error::SYNTAX)?.1);
        }
    }
    Ok(options)
}

/// Whether a client on these terms may have what it asks for.
fn check(options: &Options<'_>, terms: &Terms) -> Result<(), Error> {
    let (asked, current) = (options.modes, terms.modes());
    let (is_on, by_prefixes) = (current.contains(Modes::ON), asked.contains(Modes::BROADCAST));
    if !by_prefixes && !options.prefixes.is_empty() {
        return Err(Error::PREFIX_WITHOUT_BROADCAST);
    }
    if is_on && by_prefixes != current.contains(Modes::BROADCAST) {
        return Err(Error::BROADCAST_SWITCHED);
    }
    let (opt_in, opt_out) = (asked.contains(Modes::OPT_IN), asked.contains(Modes::OPT_OUT));
    if by_prefixes && (opt_in || opt_out) {
        return Err(Error::BROADCAST_BY_CALLS);
    }
    if opt_in && opt_out {
        return Err(Error::OPTIN_AND_OPTOUT);
    }
    if opt_in && current.contains(Modes::OPT_OUT) || opt_out && current.contains(Modes::OPT_IN) {
        return Err(Error::OPTIN_SWITCHED);
    }
    if by_prefixes { check_prefixes(&options.prefixes, &terms.prefixes()) } else { Ok(()) }
}

/// Whether no key has two of these prefixes, so that a client hears of each once.
fn check_prefixes(prefixes: &[&[u8]], existing: &[Box<[u8]>]) -> Result<(), Error> {
    let overlaps = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    for (at, prefix) in prefixes.iter().enumerate() {
        if let Some(other) = existing.iter().find(|other| overlaps(prefix, other)) {
            return Err(Error::prefixes_overlap(prefix, other, false));
        }
        if let Some(other) = prefixes[at + 1..].iter().find(|other| overlaps(prefix, other)) {
            return Err(Error::prefixes_overlap(prefix, other, true));
        }
    }
    Ok(())
}

pub static TRACKINGINFO: Command = Command::client("TRACKINGINFO", trackinginfo)
    .arity(Exactly(2))
    .flags(FLAGS)
    .since("6.2.0")
    .complexity("O(1)")
    .summary("Returns information about server-assisted client-side caching for the connection.");

fn trackinginfo(call: &mut Call<'_>, client: &mut Client) -> Done {
    let terms = &client.info.tracking;
    let flags = flags(terms.modes());
    let reply = &mut *call.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"redirect");
    reply.integer(line::redirect(&client.info));
    let prefixes = terms.prefixes();
    reply.bulk(b"prefixes");
    reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| reply.bulk(prefix));
    Ok(Flow::Done)
}

fn flags(modes: Modes) -> Vec<&'static str> {
    if !modes.contains(Modes::ON) {
        return vec!["off"];
    }
    let flags = [
        ("on", Modes::ON),
        ("bcast", Modes::BROADCAST),
        ("optin", Modes::OPT_IN),
        ("caching-yes", Modes::OPT_IN.and(Modes::CACHING)),
        ("optout", Modes::OPT_OUT),
        ("caching-no", Modes::OPT_OUT.and(Modes::CACHING)),
        ("noloop", Modes::NO_LOOP),
        ("broken_redirect", Modes::BROKEN),
    ];
    flags.iter().filter(|(_, mode)| modes.contains(*mode)).map(|(flag, _)| *flag).collect()
}
