//! Who may do what: the users of a server, which of them each client is, and what was refused.
//!
//! # How a change reaches clients
//!
//! 1. A user never changes. A changed one takes the place of the one of that name, and is handed to all clients that had it.
//!    What a client is held to stands in its `ClientInfo`, so that any thread can put it there.
//! 2. A user who may do everything puts up no gate, and then a call is not looked at any further. Whoever hands a client another
//!    user puts its gate up or takes it down with it: so there is nothing to compare from call to call, and a call
//!    that is admitted after a change has been answered obeys that change.
//! 3. A client takes its user, and is entered in the registry, under the lock of the users; whoever changes them holds it
//!    alone until every client has the new one. So no client is left with a user who is not there any more.
//! 4. A client whose user is removed is closed. Its thread may still be at work on commands that had come before: it is held
//!    to a user who may do nothing.
//!
//! What is allowed is declared by rules (`user`, `selector`, `rules`); `file` reads and writes them, `log` keeps what was
//! refused. Sessions inside the process are held to nothing: their callers have the server in their hands.

pub mod file;
pub mod log;
mod rules;
mod selector;
mod summary;
mod user;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use shardis_protocol::Request;
use shardis_storage::Db;

use self::log::{AccessLog, Context, Event, Reason};
pub use self::selector::{Selector, is_plain};
pub use self::user::{Surroundings, User, join_selectors};
use crate::client::{Client, ClientInfo, Gate, Registry, line};
use crate::command::error::Forbidden;
use crate::command::table::Entry;
use crate::command::{Error, Flags};
use crate::config::{Config, Dialect};
use crate::pubsub::Topic;
use crate::state::State;

/// The user that clients are until they log in as another one. It is always there.
pub const DEFAULT: &[u8] = b"default";

/// The users of a server.
#[derive(Debug)]
pub struct Acl {
    users: RwLock<Users>,
    /// Whether a new client may do something: [`DEFAULT`] is on and takes any password.
    is_open: AtomicBool,
    /// What was refused.
    pub log: AccessLog,
}

/// By name, as they are listed.
type Users = BTreeMap<Box<[u8]>, Arc<User>>;

/// A call that somebody wants to make.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// What is called.
    pub entry: &'a Entry,
    /// With these words.
    pub request: Request<'a>,
    /// The rights that a call needs may depend on it, and so do the words in which it is refused.
    pub dialect: &'a Dialect,
    /// The selected database.
    pub db: Db,
    /// How many of them there are.
    pub databases: u16,
    /// A command that needs to be allowed as well.
    pub also: Option<&'a Entry>,
}

/// What a call is refused for: the further it has got, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denied {
    what: What,
    /// The word of the call.
    word: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Command,
    Database,
    Key,
    Channel,
}

/// A call that was refused to a user.
#[derive(Debug)]
pub struct Refused {
    user: Arc<User>,
    denied: Denied,
}

/// A user who was changed.
#[derive(Debug)]
pub struct Change {
    /// The user before, if there was one.
    pub before: Option<Arc<User>>,
    /// The user now.
    pub now: Arc<User>,
    /// The clients that are this user.
    pub clients: Vec<Arc<ClientInfo>>,
}

impl Change {
    /// Whether its clients may listen to something that the user may not listen to any more.
    fn takes_channels(&self) -> bool {
        self.before.as_ref().is_some_and(|before| !self.now.keeps_channels_of(before))
    }

    /// The clients that listen to something that they may not hear any more.
    pub fn bereft(&self) -> Vec<Arc<ClientInfo>> {
        if !self.takes_channels() {
            return Vec::new();
        }
        let hears_too_much = |client: &&Arc<ClientInfo>| {
            let may_hear_all = |topic, is_pattern| {
                client.subscriptions.names(topic).iter().all(|name| self.now.may_hear(name, is_pattern))
            };
            !(may_hear_all(Topic::Channel, false)
                && may_hear_all(Topic::ShardChannel, false)
                && may_hear_all(Topic::Pattern, true))
        };
        self.clients.iter().filter(hears_too_much).cloned().collect()
    }
}

impl<'a> Attempt<'a> {
    /// A call of a client.
    pub fn new(state: &'a State, db: Db, entry: &'a Entry, request: Request<'a>) -> Attempt<'a> {
        let (dialect, databases) = (state.config.dialect(), state.keyspace.databases());
        // Only what is otherwise allowed to those who may not write has such a command.
        let also = entry.command.writes_like.filter(|_| {
            let flags = entry.command.call_flags.map(|flags| flags(state, request, entry.flags));
            flags.is_some_and(|flags| flags.contains(Flags::WRITE))
        });
        let also = also.and_then(|command| state.commands.lookup(command.name.as_bytes()));
        Attempt { entry, request, dialect, db, databases, also }
    }
}

impl Denied {
    /// What is not allowed, by its name.
    pub fn forbidden<'a>(self, attempt: &Attempt<'a>) -> Forbidden<'a> {
        let word = attempt.request.arg(self.word).unwrap_or_default();
        match self.what {
            What::Command => Forbidden::Command(&attempt.entry.full_name),
            What::Database => Forbidden::Database(word),
            What::Key => Forbidden::Key(word),
            What::Channel => Forbidden::Channel(word),
        }
    }

    fn reason(self) -> Reason {
        match self.what {
            What::Command => Reason::Command,
            What::Database => Reason::Database,
            What::Key => Reason::Key,
            What::Channel => Reason::Channel,
        }
    }
}

impl Acl {
    /// The one user that there is from the start, with the password of the settings if there is one.
    pub fn new(around: Surroundings<'_>, config: &Config) -> Acl {
        let acl = Acl { users: RwLock::default(), is_open: AtomicBool::default(), log: AccessLog::default() };
        let mut user = User::of_everybody(around);
        user.set_only_password(&config.requirepass.value());
        acl.put(&mut acl.users.write(), user.sealed(around.table));
        acl
    }

    /// Whether clients may do something before they have logged in.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Whether the user of everybody takes any password, so that none protects the server.
    pub fn is_unprotected(&self) -> bool {
        self.user(DEFAULT).is_some_and(|user| user.takes_any_password)
    }

    /// Makes a client that has just connected. It is entered in the registry here, so that it does not miss a change.
    pub fn welcome(&self, make: impl FnOnce(bool) -> Client) -> Client {
        let users = self.users.read();
        let client = make(self.is_open());
        Acl::hand(&users, DEFAULT, &client);
        client
    }

    /// Lets a client be another user, if the password is right.
    pub fn log_in(&self, client: &mut Client, name: &[u8], password: &[u8]) -> bool {
        let sum = user::sum(password);
        let users = self.users.read();
        let is_let_in = users.get(name).is_some_and(|user| user.lets_in(&sum));
        if is_let_in {
            Acl::hand(&users, name, client);
            client.is_authenticated = true;
        }
        is_let_in
    }

    /// Lets a client be the user that it was when it was new; whether it may do something now.
    pub fn log_out(&self, client: &Client) -> bool {
        let users = self.users.read();
        Acl::hand(&users, DEFAULT, client);
        self.is_open()
    }

    fn hand(users: &Users, name: &[u8], client: &Client) {
        if let Some(user) = users.get(name) {
            client.info.set_user(user.clone(), client.is_connection());
        }
    }

    /// The user of this name.
    pub fn user(&self, name: &[u8]) -> Option<Arc<User>> {
        self.users.read().get(name).cloned()
    }

    /// All users, in the order of their names.
    pub fn users(&self) -> Vec<Arc<User>> {
        self.users.read().values().cloned().collect()
    }

    /// The lines that declare all users.
    pub fn lines(&self, around: Surroundings<'_>) -> Vec<Vec<u8>> {
        self.users().iter().map(|user| user.line(around.table, around.dialect)).collect()
    }

    /// Changes a user, or makes one, unless `edit` fails.
    pub fn change<E>(
        &self,
        name: &[u8],
        clients: &Registry,
        around: Surroundings<'_>,
        edit: impl FnOnce(&mut User) -> Result<(), E>,
    ) -> Result<Change, E> {
        let mut users = self.users.write();
        let before = users.get(name).cloned();
        let mut user = before.as_deref().map_or_else(|| User::new(name, around), User::clone);
        edit(&mut user)?;
        let now = user.sealed(around.table);
        self.put(&mut users, now.clone());
        let mut followers = clients.all();
        followers.retain(|client| client.is_user(name));
        followers.iter().for_each(|client| client.set_user(now.clone(), true));
        Ok(Change { before, now, clients: followers })
    }

    /// Puts a user in its place, while there are no clients yet.
    fn add(&self, user: User, around: Surroundings<'_>) {
        self.put(&mut self.users.write(), user.sealed(around.table));
    }

    /// Gives the user of everybody a password in place of all others; an empty one stands for any.
    pub fn set_default_password(&self, password: &[u8], clients: &Registry, around: Surroundings<'_>) {
        let changed = self.change(DEFAULT, clients, around, |user| {
            user.set_only_password(password);
            Ok::<_, std::convert::Infallible>(())
        });
        let Ok(_) = changed;
    }

    /// Removes users: how many there were, and their clients, which are to be closed.
    pub fn remove(
        &self,
        names: impl Iterator<Item = impl AsRef<[u8]>>,
        clients: &Registry,
        around: Surroundings<'_>,
    ) -> (usize, Vec<Arc<ClientInfo>>) {
        let mut users = self.users.write();
        let removed: Vec<_> = names.filter_map(|name| users.remove(name.as_ref())).collect();
        let mut stranded = clients.all();
        stranded.retain(|client| removed.iter().any(|user| client.is_user(&user.name)));
        stranded.iter().for_each(|client| client.bar(around));
        (removed.len(), stranded)
    }

    /// Puts these users in the place of all. Those of them that are still there, if their clients may stay, are told; the
    /// other clients are returned, which are to be closed.
    pub fn replace(
        &self,
        loaded: Vec<User>,
        clients: &Registry,
        around: Surroundings<'_>,
    ) -> (Vec<Change>, Vec<Arc<ClientInfo>>) {
        let mut users = self.users.write();
        let before = std::mem::take(&mut *users);
        loaded.into_iter().for_each(|user| self.put(&mut users, user.sealed(around.table)));
        if !users.contains_key(DEFAULT) {
            self.put(&mut users, User::of_everybody(around).sealed(around.table));
        }
        let stays = |name: &[u8]| around.dialect.reloading_keeps_clients || name == DEFAULT;
        let mut stranded = clients.all();
        let mut changes = Vec::new();
        for now in users.values().filter(|user| stays(&user.name)) {
            let (followers, others) = stranded.into_iter().partition(|client| client.is_user(&now.name));
            stranded = others;
            let change =
                Change { before: before.get(&now.name).cloned(), now: now.clone(), clients: followers };
            change.clients.iter().for_each(|client| client.set_user(now.clone(), true));
            changes.push(change);
        }
        stranded.iter().for_each(|client| client.bar(around));
        (changes, stranded)
    }

    fn put(&self, users: &mut Users, user: Arc<User>) {
        if &*user.name == DEFAULT {
            self.is_open.store(user.is_on && user.takes_any_password, Ordering::Relaxed);
        }
        users.insert(user.name.clone(), user);
    }

    /// Whether a client may make a call; if not, that is remembered, with the context in which it was to be made and with what
    /// the client has called.
    pub fn check(
        &self,
        state: &State,
        client: &ClientInfo,
        attempt: &Attempt<'_>,
        context: Context,
        called: &str,
    ) -> Result<(), Refused> {
        let Some(user) = client.rules() else { return Ok(()) };
        let Err(denied) = user.check(attempt) else { return Ok(()) };
        let object = match denied.forbidden(attempt) {
            Forbidden::Command(name) => name.as_bytes(),
            Forbidden::Database(_) if denied.word == 0 => attempt.entry.full_name.as_bytes(),
            Forbidden::Database(word) | Forbidden::Key(word) | Forbidden::Channel(word) => word,
        };
        let event =
            Event { reason: denied.reason(), context, object: object.into(), user: user.name.clone() };
        self.note(state, client, event, called);
        Err(Refused { user, denied })
    }

    /// Remembers that somebody gave a wrong name or password.
    pub fn note_failed_login(&self, state: &State, client: &Client, name: &[u8], request: Request<'_>) {
        let object = request.name().into();
        let event = Event { reason: Reason::Login, context: Context::of(client), object, user: name.into() };
        let command = state.commands.invoked(request).map_or("NULL", |entry| entry.full_name.as_str());
        self.note(state, &client.info, event, command);
    }

    fn note(&self, state: &State, client: &ClientInfo, event: Event, command: &str) {
        let now_ms = state.clock.now_ms();
        let mut client_line = String::new();
        line::write(&mut client_line, state, now_ms, client, Some(command));
        self.log.note(event, client_line.trim_end().to_owned(), now_ms, state.config.acllog_max_len.value());
    }
}

impl Refused {
    /// What the client is told.
    pub fn error(&self, attempt: &Attempt<'_>) -> Error {
        Error::no_permission(&self.user.name, self.denied.forbidden(attempt), attempt.dialect)
    }

    /// What the script is told that wanted to make the call.
    pub fn error_in_script(&self, attempt: &Attempt<'_>) -> Error {
        Error::no_permission_in_script(&self.user.name, self.denied.forbidden(attempt), attempt.dialect)
    }

    /// What stands for the reply in a transaction, in which the call was queued when it was still allowed.
    pub fn error_in_transaction(&self, attempt: &Attempt<'_>) -> Error {
        Error::no_permission_any_more(self.denied.forbidden(attempt))
    }
}

impl Context {
    /// In which a client's own calls are made.
    pub fn of(client: &Client) -> Context {
        if client.info.gates.has(Gate::Transaction) { Context::Transaction } else { Context::TopLevel }
    }
}
