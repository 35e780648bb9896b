//! ACL: who may do what. Here is what does not depend on the users that there are; these are shown and changed in
//! `users`, read and written in `file`, and what was refused to them is shown in `log`.

mod file;
mod log;
mod users;

use std::sync::Arc;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::client::{Client, ClientInfo};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Category, Command, Done, Error, Flags, Flow, Told};
use crate::config::Personality;

pub static ACL: Command = Command::container(
    "ACL",
    &[
        &CAT,
        &users::DELUSER,
        &users::DRYRUN,
        &GENPASS,
        &users::GETUSER,
        &HELP,
        &users::LIST,
        &file::LOAD,
        &log::LOG,
        &file::SAVE,
        &users::SETUSER,
        &users::USERS,
        &WHOAMI,
    ],
)
.since("6.0.0")
.complexity("Depends on subcommand.")
.summary("A container for Access List Control commands.");

const ANYTIME: Flags = Flags::NO_SCRIPT.union(Flags::LOADING).union(Flags::STALE);
const ADMIN: Flags = ANYTIME.union(Flags::ADMIN);
const TO_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const NO_TIPS_IN_70: &[(Personality, Told)] = &[(Personality::Redis70, Told::Tips(&[]))];

static CAT: Command = Command::client("CAT", cat)
    .syntax("[category]")
    .arity(AtLeast(2))
    .flags(ANYTIME)
    .since("6.0.0")
    .complexity("O(1) since the categories and commands are a fixed set.")
    .summary("Lists the ACL categories, or the commands inside a category.");

fn cat(call: &mut Call<'_>, _: &mut Client) -> Done {
    let Some(name) = call.args.next() else {
        call.reply.array(Category::NAMES.len());
        Category::NAMES.iter().for_each(|name| call.reply.bulk(name.as_bytes()));
        return Ok(Flow::Done);
    };
    if !call.args.is_empty() {
        return Err(Error::unknown_subcommand_or_arity("ACL", call.subcommand()));
    }
    let category = Category::from_name(name).ok_or_else(|| Error::unknown_category(name))?;
    let start = call.reply.mark();
    let mut names = 0;
    for entry in call.state.commands.entries().iter().filter(|entry| entry.categories.contains(category)) {
        call.reply.bulk(entry.full_name.as_bytes());
        names += 1;
    }
    call.reply.insert_array_header(start, names);
    Ok(Flow::Done)
}

static GENPASS: Command = Command::client("GENPASS", genpass)
    .syntax("[bits]")
    .arity(AtLeast(2))
    .flags(ANYTIME)
    .since("6.0.0")
    .complexity("O(1)")
    .summary("Generates a pseudorandom, secure password that can be used to identify ACL users.");

fn genpass(call: &mut Call<'_>, _: &mut Client) -> Done {
    let bits = if call.args.is_empty() { PASSWORD_BITS } else { call.args.integer()? };
    if !call.args.is_empty() {
        return Err(Error::unknown_subcommand_or_arity("ACL", call.subcommand()));
    }
    let bits = usize::try_from(bits).ok().filter(|bits| (1..=PASSWORD_BITS_MAX).contains(bits));
    let digits = bits.ok_or(Error::PASSWORD_BITS)?.div_ceil(4);
    let mut text = String::with_capacity(PASSWORD_BITS_MAX / 4);
    while text.len() < digits {
        // A password is nothing that our own generator should know.
        let mut random = [0_u8; 32];
        let got = getrandom(&mut random, GetRandomFlags::empty()).map_err(|_| Error::NO_RANDOM)?;
        text.push_str(&hex::encode(&random[..got]));
    }
    call.bulk(&text.as_bytes()[..digits])
}

const PASSWORD_BITS: i64 = 256;
const PASSWORD_BITS_MAX: usize = 4096;

static HELP: Command = Command::help(help).since("6.0.0");

fn help(call: &mut Call<'_>, _: &mut Client) -> Done {
    // Valkey, which leaves the server's name out of its help, has another word for what a user is made of.
    let word = if call.dialect().help_names_server { "attribute" } else { "rule" };
    let lines: Vec<String> = HELP_LINES.iter().map(|line| line.replace("attribute", word)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    call.help("ACL", &lines)
}

const HELP_LINES: &[&str] = &[
    "CAT [<category>]",
    "    List all commands that belong to <category>, or all command categories",
    "    when no category is specified.",
    "DELUSER <username> [<username> ...]",
    "    Delete a list of users.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Returns whether the user can execute the given command without executing the command.",
    "GETUSER <username>",
    "    Get the user's details.",
    "GENPASS [<bits>]",
    "    Generate a secure 256-bit user password. The optional `bits` argument can",
    "    be used to specify a different size.",
    "LIST",
    "    Show users details in config file format.",
    "LOAD",
    "    Reload users from the ACL file.",
    "LOG [<count> | RESET]",
    "    Show the ACL log entries.",
    "SAVE",
    "    Save the current config to the ACL file.",
    "SETUSER <username> <attribute> [<attribute> ...]",
    "    Create or modify a user with the specified attributes.",
    "USERS",
    "    List all the registered usernames.",
    "WHOAMI",
    "    Return the current connection username.",
];

static WHOAMI: Command = Command::client("WHOAMI", whoami)
    .arity(Exactly(2))
    .flags(ANYTIME)
    .since("6.0.0")
    .complexity("O(1)")
    .summary("Returns the authenticated username of the current connection.");

fn whoami(call: &mut Call<'_>, client: &mut Client) -> Done {
    call.bulk(&client.info.user_name())
}

/// Closes the clients of users who are not there any more; the caller is answered first.
fn close(call: &Call<'_>, caller: &mut Client, stranded: &[Arc<ClientInfo>]) {
    for info in stranded {
        if info.id == caller.id {
            caller.close_after_reply = true;
        } else {
            call.state.clients.close(info);
        }
    }
}
