//! A client: what its connection knows, and what others may see of it (`registry`); what all of them are held to: `limits` of
//! their time and memory, and the `pause`.

mod gates;
pub mod inbox;
pub mod limits;
pub mod line;
mod monitors;
pub mod pause;
pub mod registry;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use shardis_protocol::Version;
use shardis_storage::Db;

pub use self::gates::{Gate, Gates};
pub use self::monitors::Monitors;
pub use self::registry::{ClientInfo, Mode, Registry};

/// The connection's own view of its client.
#[derive(Debug)]
pub struct Client {
    /// Its number, never used twice.
    pub id: u64,
    /// The selected database.
    pub db: Db,
    /// The protocol it speaks.
    pub version: Version,
    /// Whether it may run commands; always true while no password is set.
    pub is_authenticated: bool,
    /// Whether the connection ends after the replies so far.
    pub close_after_reply: bool,
    /// Calls that ran, whether they failed or not.
    pub commands: u64,
    /// Which calls it is answered.
    pub answers: Answers,
    /// Whether the keys that it looks up are noted as accessed.
    pub notes_accesses: bool,
    /// What others see.
    pub info: Arc<ClientInfo>,
    /// `None` for a session inside the process, which is no connection.
    registry: Option<Arc<Registry>>,
}

/// Which calls a client is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// All.
    All,
    /// All but the next one.
    AllButNext,
    /// All but the one under way.
    AllButThis,
    /// None.
    None,
}

impl Client {
    /// A new client, entered in the registry until it is dropped.
    pub fn new(registry: &Arc<Registry>, info: ClientInfo, is_authenticated: bool) -> Client {
        let mut client = Client::detached(info, is_authenticated);
        registry.insert(client.info.clone());
        client.registry = Some(registry.clone());
        client
    }

    /// A client without a connection, which nobody else sees: a session inside the process.
    pub fn detached(info: ClientInfo, is_authenticated: bool) -> Client {
        let info = Arc::new(info);
        Client {
            id: info.id,
            db: Db(0),
            version: Version::Resp2,
            is_authenticated,
            close_after_reply: false,
            commands: 0,
            answers: Answers::All,
            notes_accesses: true,
            info,
            registry: None,
        }
    }

    /// Selects a database.
    pub fn select(&mut self, db: Db) {
        self.db = db;
        self.info.db.store(db.0, Ordering::Relaxed);
    }

    /// Switches the protocol of all further replies.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
        let number = if version == Version::Resp3 { 3 } else { 2 };
        self.info.protocol.store(number, Ordering::Relaxed);
    }

    /// Shows it the commands of all clients from now on. False for a session inside the process, which nobody can send
    /// anything to.
    pub fn monitor(&mut self) -> bool {
        let Some(registry) = &self.registry else { return false };
        registry.monitors.add(self.info.clone());
        self.info.gates.set(Gate::Monitor, true);
        self.info.is_monitor.store(true, Ordering::Relaxed);
        true
    }

    fn stop_monitoring(&mut self) -> Vec<u8> {
        let Some(registry) = self.registry.as_ref().filter(|_| self.info.gates.has(Gate::Monitor)) else {
            return Vec::new();
        };
        self.info.gates.set(Gate::Monitor, false);
        self.info.is_monitor.store(false, Ordering::Relaxed);
        registry.monitors.remove(&self.info)
    }

    /// Whether it is a connection: not a session inside the process, whose caller would have to wait where it waits.
    pub fn is_connection(&self) -> bool {
        self.registry.is_some()
    }

    /// Says which calls it is answered.
    pub fn answer(&mut self, answers: Answers) {
        self.answers = answers;
        self.info.set_mode(Mode::Silent, answers == Answers::None);
    }

    /// Ends a call: whether it is not answered.
    pub fn is_unanswered(&mut self) -> bool {
        match self.answers {
            Answers::All | Answers::AllButNext => false,
            Answers::AllButThis => {
                self.answers = Answers::All;
                true
            }
            Answers::None => true,
        }
    }

    /// Says whether the keys that it looks up are noted as accessed.
    pub fn note_accesses(&mut self, notes: bool) {
        self.notes_accesses = notes;
        self.info.set_mode(Mode::NoTouch, !notes);
    }

    /// Back to what it was when it was new, but for its number and the library that drives it. A connection loses its
    /// trust unless `is_open`; a session never does, and speaks the newest protocol. What a monitor has not been sent yet is
    /// handed out.
    pub fn reset(&mut self, is_open: bool) -> Vec<u8> {
        let is_session = !self.is_connection();
        let unsent = self.stop_monitoring();
        self.select(Db(0));
        self.set_version(if is_session { Version::Resp3 } else { Version::Resp2 });
        self.is_authenticated = is_session || is_open;
        self.info.names.lock().name.clear();
        self.info.set_mode(Mode::NoEvict, false);
        self.note_accesses(true);
        // A skip that is under way ends with the call.
        if self.answers != Answers::AllButThis {
            self.answer(Answers::All);
        }
        unsent
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop_monitoring();
        if let Some(registry) = &self.registry {
            registry.remove(self.id);
        }
    }
}
