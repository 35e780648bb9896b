//! The vocabulary in which commands are written: a command is one `static`, declared directly above the function that
//! runs it, and everything else (dispatch, arity errors, locking, `COMMAND`, `COMMANDS.md`) derives from it.
//!
//! This folder names no command and runs none: the catalogue is `commands/`, the life of a command is `dispatch/`.

pub mod args;
mod arity;
pub mod call;
mod category;
pub mod error;
pub mod event;
mod extent;
mod flags;
pub mod keys;
pub mod program;
pub mod syntax;
pub mod table;

use shardis_protocol::Request;
use shardis_storage::{Kind, Transaction, View};

pub use self::args::Args;
pub use self::arity::Arity;
pub use self::call::{Block, Call, Done, Flow};
pub use self::category::Category;
pub use self::error::Error;
pub use self::extent::{Channels, Databases};
pub use self::flags::Flags;
pub use self::keys::{
    Access, Begin, Find, KeySpec, behind_word, halved_behind_word, key, keys, named_by_content, numbered,
    searched,
};
pub use self::program::{Inside, Need, Presence, ScriptRules};
use crate::client::Client;
use crate::config::Personality;
use crate::jobs::Job;
use crate::state::State;

/// The declaration of a command. Build one with [`Command::read`], [`Command::write`], [`Command::blocking`],
/// [`Command::client`], [`Command::fanout`] or [`Command::container`]; the constructor fixes what the handler may touch.
#[derive(Debug)]
pub struct Command {
    /// Upper case, as in the documentation; a subcommand has its own word only (`LIST` of `CLIENT LIST`).
    pub name: &'static str,
    /// What the handler receives, hence what it may do.
    pub run: Run,
    /// How many words a call has, the name (and the subcommand) included.
    pub arity: Arity,
    /// Where the keys stand among the arguments and what is done to them.
    pub keys: &'static [KeySpec],
    /// Which words of a call name channels that its client needs the right to.
    pub channels: Channels,
    /// Which databases a call reaches beyond the selected one.
    pub databases: Databases,
    /// Which shards the command locks when its keys do not say so.
    pub reach: Reach,
    /// Whether a call touches keys that only running it tells.
    pub discovers: fn(Request<'_>) -> bool,
    /// What a program does before it locks anything: it tells what it needs, or why it cannot run.
    pub prepare: Option<fn(&mut Call<'_>) -> Result<Need, Error>>,
    /// Of a program that says what it is: what a call then is, instead of the flags here.
    pub call_flags: Option<fn(&State, Request<'_>, Flags) -> Flags>,
    /// Of a command that only some calls of write, by their flags: one that always does. Who makes such a call needs the right to
    /// that as well.
    pub writes_like: Option<&'static Command>,
    /// The event that its changes are, if that does not have its name.
    pub event: &'static str,
    /// Whether a program runs where functions do.
    pub is_with_functions: bool,
    /// Whether those who wait are served strictly one after the other, with all their keys at once and whatever is at these.
    pub is_in_turn: bool,
    /// Whether those who wait are answered, too, when a key is gone or another type has come.
    pub minds_loss: bool,
    /// Whether a call is told which connection makes it.
    pub knows_client: bool,
    /// Of a program that runs one command from its own words: the word where that begins.
    pub inner_at: Option<u16>,
    /// What has to hold before a transaction with such a call begins.
    pub condition: Option<Condition>,
    /// What cannot be derived from the shape.
    pub flags: Flags,
    /// Access-control categories beyond those that the family and the flags imply.
    pub categories: Category,
    /// The arguments in the notation of the documentation; empty when there are none.
    pub syntax: &'static str,
    /// The version of Redis that introduced it; for our own commands the version of Shardis.
    pub since: &'static str,
    /// One sentence, or empty for a container.
    pub complexity: &'static str,
    /// One sentence with a full stop.
    pub summary: &'static str,
    /// What changed since: version and sentence.
    pub history: &'static [(&'static str, &'static str)],
    /// Hints for proxies and clients, as in the `tips` of `COMMAND INFO`.
    pub tips: &'static [&'static str],
    /// The version in which it was deprecated and what replaces it.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Which words of a call are nobody else's business, in logs and to monitors; the name is word 0.
    pub is_secret: fn(Request<'_>, usize) -> bool,
    /// The subcommands of a container.
    pub subcommands: &'static [&'static Command],
    /// What the servers that are not the default one tell of it.
    pub elsewhere: &'static [(Personality, Told)],
}

/// Whether a call of a transaction lets it begin, with the shards of its keys locked.
pub type Condition = fn(&State, Request<'_>, &mut Transaction<'_>) -> bool;

/// A fact of `COMMAND INFO`, as another server tells it. It is only told, and commands are carried out as declared, but for the
/// number of words.
#[derive(Clone, Copy, Debug)]
pub enum Told {
    /// These flags instead of all others.
    Flags(Flags),
    /// These hints instead.
    Tips(&'static [&'static str]),
    /// So many words instead, which is also what calls are held to.
    Arity(Arity),
}

/// The handler, by the capability it needs. The shape is the capability: a handler cannot reach what it is not given.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// May change the connection and the server's services; touches no key.
    Client(fn(&mut Call<'_>, &mut Client) -> Done),
    /// May read the locked shards.
    Read(fn(&mut Call<'_>, &mut View<'_>) -> Done),
    /// May read and write the locked shards.
    Write(fn(&mut Call<'_>, &mut Transaction<'_>) -> Done),
    /// The same, and may let its client wait until a key of [`Call::awaited_keys`] holds a value of this type.
    Blocking(Kind, fn(&mut Call<'_>, &mut Transaction<'_>) -> Done),
    /// Runs other commands in the one transaction of all of them.
    Program(fn(&mut Call<'_>, &mut Client, &mut dyn Inside) -> Done),
    /// Describes work for the shard workers; its connection waits for the outcome, no lock is held.
    Fanout(fn(&mut Call<'_>) -> Result<Job, Error>),
    /// Has subcommands and no behaviour of its own.
    Container,
}

/// Which shards a data command locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The shards of its keys.
    Keys,
    /// All shards at once.
    Every,
    /// One shard after the other, never two together.
    Walk,
    /// Those of the calls that its client has gathered, and of the keys that it watches.
    Queued,
}

/// A family of commands: a file or folder of `commands/`, a group of the documentation, a category.
#[derive(Debug)]
pub struct Family {
    /// The documentation group: `string`, `generic`, `connection`.
    pub group: &'static str,
    /// The category all its commands are in.
    pub category: Category,
    /// The commands, in reading order.
    pub commands: &'static [&'static Command],
}

impl Family {
    /// A family with its commands.
    pub const fn new(
        group: &'static str,
        category: Category,
        commands: &'static [&'static Command],
    ) -> Family {
        Family { group, category, commands }
    }
}

impl Command {
    const fn new(name: &'static str, run: Run) -> Command {
        Command {
            name,
            run,
            arity: Arity::Exactly(1),
            keys: &[],
            channels: Channels::None,
            databases: Databases::Selected,
            reach: Reach::Keys,
            discovers: |_| false,
            prepare: None,
            call_flags: None,
            writes_like: None,
            event: "",
            is_with_functions: false,
            is_in_turn: false,
            minds_loss: false,
            knows_client: false,
            inner_at: None,
            condition: None,
            flags: Flags::NONE,
            categories: Category::NONE,
            syntax: "",
            since: "",
            complexity: "",
            summary: "",
            history: &[],
            tips: &[],
            deprecated: None,
            is_secret: |_, _| false,
            subcommands: &[],
            elsewhere: &[],
        }
    }

    /// A command about the connection or the server.
    pub const fn client(name: &'static str, run: fn(&mut Call<'_>, &mut Client) -> Done) -> Command {
        Command::new(name, Run::Client(run))
    }

    /// The subcommand that tells what others there are.
    pub const fn help(run: fn(&mut Call<'_>, &mut Client) -> Done) -> Command {
        Command::client("HELP", run)
            .arity(Arity::Exactly(2))
            .flags(Flags::LOADING.union(Flags::STALE))
            .complexity("O(1)")
            .summary("Returns helpful text about the different subcommands.")
    }

    /// A command that reads keys.
    pub const fn read(name: &'static str, run: fn(&mut Call<'_>, &mut View<'_>) -> Done) -> Command {
        Command::new(name, Run::Read(run))
    }

    /// A command that writes keys.
    pub const fn write(name: &'static str, run: fn(&mut Call<'_>, &mut Transaction<'_>) -> Done) -> Command {
        Command::new(name, Run::Write(run))
    }

    /// A command that writes keys, and waits for values of this type if there is none.
    pub const fn blocking(
        name: &'static str,
        kind: Kind,
        run: fn(&mut Call<'_>, &mut Transaction<'_>) -> Done,
    ) -> Command {
        Command::new(name, Run::Blocking(kind, run))
    }

    /// A command that runs other commands.
    pub const fn program(
        name: &'static str,
        run: fn(&mut Call<'_>, &mut Client, &mut dyn Inside) -> Done,
    ) -> Command {
        Command::new(name, Run::Program(run))
    }

    /// A command whose work is done by the shard workers.
    pub const fn fanout(name: &'static str, run: fn(&mut Call<'_>) -> Result<Job, Error>) -> Command {
        Command::new(name, Run::Fanout(run))
    }

    /// A command that only has subcommands.
    pub const fn container(name: &'static str, subcommands: &'static [&'static Command]) -> Command {
        Command { subcommands, arity: Arity::AtLeast(2), ..Command::new(name, Run::Container) }
    }

    /// Subcommands of a command that does something by itself when it is called without one.
    pub const fn subcommands(mut self, subcommands: &'static [&'static Command]) -> Command {
        self.subcommands = subcommands;
        self
    }

    /// The arguments, as documented.
    pub const fn syntax(mut self, syntax: &'static str) -> Command {
        self.syntax = syntax;
        self
    }

    /// The number of words.
    pub const fn arity(mut self, arity: Arity) -> Command {
        self.arity = arity;
        self
    }

    /// Says which calls touch keys that only running them tells.
    pub const fn discovers(mut self, discovers: fn(Request<'_>) -> bool) -> Command {
        self.discovers = discovers;
        self
    }

    /// The keys.
    pub const fn keys(mut self, keys: &'static [KeySpec]) -> Command {
        self.keys = keys;
        self
    }

    /// The words that name channels.
    pub const fn channels(mut self, channels: Channels) -> Command {
        self.channels = channels;
        self
    }

    /// The databases beyond the selected one.
    pub const fn databases(mut self, databases: Databases) -> Command {
        self.databases = databases;
        self
    }

    /// Locks all shards at once.
    pub const fn every(mut self) -> Command {
        self.reach = Reach::Every;
        self
    }

    /// The event that its changes are.
    pub const fn event(mut self, name: &'static str) -> Command {
        self.event = name;
        self
    }

    /// What a program does before it locks anything.
    pub const fn prepared(mut self, prepare: fn(&mut Call<'_>) -> Result<Need, Error>) -> Command {
        self.prepare = Some(prepare);
        self
    }

    /// A call of this program may say what it is.
    pub const fn flagged(mut self, flags: fn(&State, Request<'_>, Flags) -> Flags) -> Command {
        self.call_flags = Some(flags);
        self
    }

    /// Who makes a call of it that writes needs the right to this command as well.
    pub const fn writes_like(mut self, command: &'static Command) -> Command {
        self.writes_like = Some(command);
        self
    }

    /// Runs on the thread of functions, which is the only one that has them.
    pub const fn with_functions(mut self) -> Command {
        self.is_with_functions = true;
        self
    }

    /// Serves those who wait strictly one after the other, with all their keys at once and whatever is at these.
    pub const fn in_turn(mut self) -> Command {
        self.is_in_turn = true;
        self
    }

    /// Answers those who wait, too, when a key is gone or another type has come.
    pub const fn minds_loss(mut self) -> Command {
        self.minds_loss = true;
        self
    }

    /// Is told which connection makes a call.
    pub const fn with_client(mut self) -> Command {
        self.knows_client = true;
        self
    }

    /// Runs the command that begins at this word.
    pub const fn running(mut self, inner_at: u16) -> Command {
        self.inner_at = Some(inner_at);
        self
    }

    /// Says what has to hold before a transaction begins that has such a call.
    pub const fn condition(mut self, condition: Condition) -> Command {
        self.condition = Some(condition);
        self
    }

    /// Locks what the calls need that its client has gathered.
    pub const fn queued(mut self) -> Command {
        self.reach = Reach::Queued;
        self
    }

    /// Locks one shard after the other.
    pub const fn walk(mut self) -> Command {
        self.reach = Reach::Walk;
        self
    }

    /// Flags that the shape does not imply.
    pub const fn flags(mut self, flags: Flags) -> Command {
        self.flags = flags;
        self
    }

    /// Categories that family and flags do not imply.
    pub const fn categories(mut self, categories: Category) -> Command {
        self.categories = categories;
        self
    }

    /// The version that introduced it.
    pub const fn since(mut self, version: &'static str) -> Command {
        self.since = version;
        self
    }

    /// The time complexity, as a sentence.
    pub const fn complexity(mut self, sentence: &'static str) -> Command {
        self.complexity = sentence;
        self
    }

    /// What it does, as a sentence.
    pub const fn summary(mut self, sentence: &'static str) -> Command {
        self.summary = sentence;
        self
    }

    /// What changed since it was introduced.
    pub const fn history(mut self, history: &'static [(&'static str, &'static str)]) -> Command {
        self.history = history;
        self
    }

    /// Hints for clients.
    pub const fn tips(mut self, tips: &'static [&'static str]) -> Command {
        self.tips = tips;
        self
    }

    /// What other servers tell.
    pub const fn elsewhere(mut self, elsewhere: &'static [(Personality, Told)]) -> Command {
        self.elsewhere = elsewhere;
        self
    }

    /// Has words that are nobody else's business.
    pub const fn secrets(mut self, is_secret: fn(Request<'_>, usize) -> bool) -> Command {
        self.is_secret = is_secret;
        self
    }

    /// Deprecated since a version, replaced by something.
    pub const fn deprecated(mut self, since: &'static str, replaced_by: &'static str) -> Command {
        self.deprecated = Some((since, replaced_by));
        self
    }
}
