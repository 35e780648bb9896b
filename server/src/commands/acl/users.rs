//! ACL over users: showing, changing and removing them, and asking what they may do.

use shardis_protocol::{Reply, Request};

use super::{ADMIN, NO_TIPS_IN_70, TO_ALL_NODES};
use crate::acl::{self, Attempt, Selector, User, join_selectors};
use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flow};

pub static DELUSER: Command = Command::client("DELUSER", delete_users)
    .syntax("username [username ...]")
    .arity(AtLeast(3))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(1) amortized time considering the typical user.")
    .summary("Deletes ACL users, and terminates their connections.")
    .tips(TO_ALL_NODES)
    .elsewhere(NO_TIPS_IN_70)
    .secrets(is_of_user);

fn delete_users(call: &mut Call<'_>, client: &mut Client) -> Done {
    if call.args.into_iter().any(|name| name == acl::DEFAULT) {
        return Err(Error::DEFAULT_USER_STAYS);
    }
    if call.should_offload(call.state.clients.len()) {
        return Ok(Flow::Offload);
    }
    let (state, names) = (call.state, call.args.rest());
    let (removed, stranded) = state.acl.remove(names, &state.clients, state.surroundings());
    super::close(call, client, &stranded);
    call.integer(removed)
}

pub static DRYRUN: Command = Command::client("DRYRUN", dry_run)
    .syntax("username command [arg [arg ...]]")
    .arity(AtLeast(4))
    .flags(ADMIN)
    .since("7.0.0")
    .complexity("O(1).")
    .summary("Simulates the execution of a command by a user, without executing the command.");

fn dry_run(call: &mut Call<'_>, client: &mut Client) -> Done {
    let name = call.args.take()?;
    let user = call.state.acl.user(name).ok_or_else(|| Error::user_not_found(name))?;
    let request: Request<'_> = call.request().tail(3);
    let commands = &call.state.commands;
    let entry = commands.invoked(request).ok_or_else(|| Error::command_not_found(request.name()))?;
    if !entry.command.arity.fits(request.len()) {
        return Err(Error::arity(&entry.full_name));
    }
    let attempt = Attempt::new(call.state, client.db, entry, request);
    match user.check(&attempt) {
        Ok(()) => call.ok(),
        Err(denied) => {
            let forbidden = denied.forbidden(&attempt);
            call.bulk(&Error::would_be_refused(&user.name, forbidden, attempt.dialect))
        }
    }
}

pub static GETUSER: Command = Command::client("GETUSER", show_user)
    .syntax("username")
    .arity(Exactly(3))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(N). Where N is the number of password, command and pattern rules that the user has.")
    .summary("Lists the ACL rules of a user.")
    .history(&[("6.2.0", "Added Pub/Sub channel patterns."), ("7.0.0", "Added selectors and changed the format of key and channel patterns from a list to their rule representation.")])
    .secrets(is_of_user);

fn show_user(call: &mut Call<'_>, _: &mut Client) -> Done {
    let Some(user) = call.state.acl.user(call.args.take()?) else { return call.null() };
    let dialect = call.dialect();
    let fields = if dialect.users_have_databases { 7 } else { 6 };
    call.reply.map(fields);
    call.reply.bulk(b"flags");
    let flags = user.flags(dialect);
    call.reply.set(flags.len());
    flags.iter().for_each(|flag| call.reply.bulk(flag.as_bytes()));
    call.reply.bulk(b"passwords");
    let passwords = user.passwords();
    call.reply.array(passwords.len());
    passwords.for_each(|sum| call.reply.bulk(sum.as_bytes()));
    write_selector(call, user.own());
    call.reply.bulk(b"selectors");
    call.reply.array(user.others().len());
    for selector in user.others() {
        call.reply.map(fields - 3);
        write_selector(call, selector);
    }
    Ok(Flow::Done)
}

/// The fields of a selector, without a header.
fn write_selector(call: &mut Call<'_>, selector: &Selector) {
    let (dialect, table) = (call.dialect(), &call.state.commands);
    let reply: &mut Reply = call.reply;
    let mut field = |name: &str, value: Vec<u8>| {
        reply.bulk(name.as_bytes());
        reply.bulk(&value);
    };
    field("commands", selector.commands_text(table, dialect));
    field("keys", selector.keys_text());
    field("channels", selector.channels_text());
    if dialect.users_have_databases {
        field("databases", selector.databases_text());
    }
}

pub static LIST: Command = Command::client("LIST", list_users)
    .arity(Exactly(2))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(N). Where N is the number of configured users.")
    .summary("Dumps the effective rules in ACL file format.");

fn list_users(call: &mut Call<'_>, _: &mut Client) -> Done {
    let lines = call.state.acl.lines(call.state.surroundings());
    call.reply.array(lines.len());
    lines.iter().for_each(|line| call.reply.bulk(line));
    Ok(Flow::Done)
}

pub static SETUSER: Command = Command::client("SETUSER", set_user)
    .syntax("username [rule [rule ...]]")
    .arity(AtLeast(3))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(N). Where N is the number of rules provided.")
    .summary("Creates and modifies an ACL user and its rules.")
    .history(&[
        ("6.2.0", "Added Pub/Sub channel patterns."),
        ("7.0.0", "Added selectors and key based permissions."),
    ])
    .tips(TO_ALL_NODES)
    .elsewhere(NO_TIPS_IN_70)
    .secrets(is_of_user);

fn set_user(call: &mut Call<'_>, client: &mut Client) -> Done {
    let name = call.args.take()?;
    if !acl::is_plain(name) {
        return Err(Error::USER_NAME);
    }
    // Each client has to be looked at.
    if call.should_offload(call.state.clients.len()) {
        return Ok(Flow::Offload);
    }
    let (state, around) = (call.state, call.state.surroundings());
    let rules =
        join_selectors(call.args.into_iter(), around.dialect).map_err(Error::unmatched_parenthesis)?;
    let follow = |user: &mut User| {
        let mut rules = rules.iter();
        rules.try_for_each(|rule| user.apply(rule, around).map_err(|fault| Error::user_rule(rule, fault)))
    };
    let change = state.acl.change(name, &state.clients, around, follow)?;
    super::close(call, client, &change.bereft());
    call.ok()
}

pub static USERS: Command = Command::client("USERS", users)
    .arity(Exactly(2))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(N). Where N is the number of configured users.")
    .summary("Lists all ACL users.");

fn users(call: &mut Call<'_>, _: &mut Client) -> Done {
    let users = call.state.acl.users();
    call.reply.array(users.len());
    users.iter().for_each(|user| call.reply.bulk(&user.name));
    Ok(Flow::Done)
}

/// The words that say who a user is.
fn is_of_user(_: Request<'_>, at: usize) -> bool {
    at > 1
}
