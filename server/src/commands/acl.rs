//! ACL of a server that has one user, who may do everything: who one is, the categories of commands, passwords by chance.
//! What would tell or change the rules of users is refused.

use rustix::rand::{GetRandomFlags, getrandom};

use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Category, Command, Done, Error, Flags, Flow, Told};
use crate::config::Personality;

pub static ACL: Command = Command::container(
    "ACL",
    &[
        &CAT, &DELUSER, &DRYRUN, &GENPASS, &GETUSER, &HELP, &LIST, &LOAD, &LOG, &SAVE, &SETUSER, &USERS,
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
/// The one user.
const USER: &str = "default";

fn refuse(_: &mut Call<'_>, _: &mut Client) -> Done {
    Err(Error::NO_USERS)
}

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
        return Err(Error::unknown_subcommand_or_arity("ACL", call.request().arg(1).unwrap_or_default()));
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

static DELUSER: Command = Command::client("DELUSER", refuse)
    .syntax("username [username ...]")
    .arity(AtLeast(3))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(1) amortized time considering the typical user.")
    .summary("Deletes ACL users, and terminates their connections.")
    .tips(TO_ALL_NODES)
    .elsewhere(NO_TIPS_IN_70);

static DRYRUN: Command = Command::client("DRYRUN", refuse)
    .syntax("username command [arg [arg ...]]")
    .arity(AtLeast(4))
    .flags(ADMIN)
    .since("7.0.0")
    .complexity("O(1).")
    .summary("Simulates the execution of a command by a user, without executing the command.");

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
        return Err(Error::unknown_subcommand_or_arity("ACL", call.request().arg(1).unwrap_or_default()));
    }
    let bits = usize::try_from(bits).ok().filter(|bits| (1..=PASSWORD_BITS_MAX).contains(bits));
    let digits = bits.ok_or(Error::PASSWORD_BITS)?.div_ceil(4);
    let mut text = String::with_capacity(PASSWORD_BITS_MAX / 4);
    while text.len() < digits {
        // A password is nothing that our own generator should know.
        let mut random = [0_u8; 32];
        let got = getrandom(&mut random, GetRandomFlags::empty()).map_err(|_| Error::NO_RANDOM)?;
        text.extend(random[..got].iter().map(|byte| format!("{byte:02x}")));
    }
    call.bulk(&text.as_bytes()[..digits])
}

const PASSWORD_BITS: i64 = 256;
const PASSWORD_BITS_MAX: usize = 4096;

static GETUSER: Command = Command::client("GETUSER", refuse)
    .syntax("username")
    .arity(Exactly(3))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(N). Where N is the number of password, command and pattern rules that the user has.")
    .summary("Lists the ACL rules of a user.")
    .history(&[("6.2.0", "Added Pub/Sub channel patterns."), ("7.0.0", "Added selectors and changed the format of key and channel patterns from a list to their rule representation.")]);

static HELP: Command = Command::client("HELP", help)
    .arity(Exactly(2))
    .flags(Flags::LOADING.union(Flags::STALE))
    .since("6.0.0")
    .complexity("O(1)")
    .summary("Returns helpful text about the different subcommands.");

fn help(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.help("ACL", HELP_LINES)
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

static LIST: Command = Command::client("LIST", refuse)
    .arity(Exactly(2))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(N). Where N is the number of configured users.")
    .summary("Dumps the effective rules in ACL file format.");

static LOAD: Command = Command::client("LOAD", refuse)
    .arity(Exactly(2))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(N). Where N is the number of configured users.")
    .summary("Reloads the rules from the configured ACL file.");

static LOG: Command = Command::client("LOG", refuse)
    .syntax("operation=[count | RESET]")
    .arity(AtLeast(2))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(N) with N being the number of entries shown.")
    .summary("Lists recent security events generated due to ACL rules.")
    .history(&[("7.2.0", "Added entry ID, timestamp created, and timestamp last updated.")]);

static SAVE: Command = Command::client("SAVE", refuse)
    .arity(Exactly(2))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(N). Where N is the number of configured users.")
    .summary("Saves the effective ACL rules in the configured ACL file.")
    .tips(TO_ALL_NODES)
    .elsewhere(NO_TIPS_IN_70);

static SETUSER: Command = Command::client("SETUSER", refuse)
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
    .elsewhere(NO_TIPS_IN_70);

static USERS: Command = Command::client("USERS", users)
    .arity(Exactly(2))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(N). Where N is the number of configured users.")
    .summary("Lists all ACL users.");

fn users(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.reply.array(1);
    call.bulk(USER.as_bytes())
}

static WHOAMI: Command = Command::client("WHOAMI", whoami)
    .arity(Exactly(2))
    .flags(ANYTIME)
    .since("6.0.0")
    .complexity("O(1)")
    .summary("Returns the authenticated username of the current connection.");

fn whoami(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.bulk(USER.as_bytes())
}
