//! How one client takes a lock and gives it back: on ours by LOCK.ACQUIRE and LOCK.RELEASE, elsewhere by the commands that the
//! `Lock` of redis-py sends, word for word, and with its pause between tries. Who else wants the lock it does not know.

use crate::connection::{Connection, Value};
use crate::failure::{Failure, lost};
use crate::server::RunningServer;
use shardis_benches::resp::Words;
use shardis_benches::workload::words;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How a client waits for a lock that somebody else holds.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// In the queue of the server.
    Queue,
    /// By trying again after this pause.
    Polling(Duration),
}

impl Way {
    /// How long a client that waits may not look.
    pub fn pause(self) -> Duration {
        match self {
            Self::Queue => Duration::ZERO,
            Self::Polling(pause) => pause,
        }
    }
}

/// One client of one lock.
pub struct Taker {
    server: String,
    connection: Connection,
    way: Way,
    key: String,
    number: usize,
    /// Each time it is somebody else, as in redis-py.
    turn: u64,
    /// The digest of the script that gives back.
    script: String,
    /// That of its latest grant.
    fence: u64,
}

impl Taker {
    pub fn connect(server: &RunningServer, way: Way, key: &str, number: usize) -> Result<Self, Failure> {
        let mut connection = server.connect()?;
        let script = match way {
            Way::Queue => String::new(),
            Way::Polling(_) => connection.demand(&["SCRIPT", "LOAD", GIVE_BACK])?,
        };
        let (server, key) = (server.name.clone(), key.to_owned());
        Ok(Self { server, connection, way, key, number, turn: 0, script, fence: 0 })
    }

    /// Takes the lock, however long it takes.
    pub fn take(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        self.turn += 1;
        loop {
            let mut request = self.request();
            if matches!(self.way, Way::Queue) {
                request.extend(words(["WAIT", "0"]));
            }
            self.connection.ask(&request)?;
            if self.is_taken()? {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(lost(&self.server)(io::ErrorKind::TimedOut.into()));
            }
            thread::sleep(self.way.pause());
        }
    }

    /// Asks for a lock that nobody holds.
    pub fn ask(&mut self) -> Result<(), Failure> {
        self.turn += 1;
        let request = self.request();
        self.connection.ask(&request)
    }

    /// Reads whether the lock is its own now, and checks that its fence is a new one.
    pub fn is_taken(&mut self) -> Result<bool, Failure> {
        let reply = self.connection.answer()?;
        match (self.way, &reply) {
            (Way::Polling(_), Value::Null) => return Ok(false),
            (Way::Polling(_), Value::Text(text)) if text == "OK" => return Ok(true),
            (Way::Queue, Value::Array(fields)) => {
                if let [Value::Text(name), Value::Text(fence), ..] = fields.as_slice()
                    && name == "fence"
                    && let Ok(fence) = fence.parse()
                    && fence > self.fence
                {
                    self.fence = fence;
                    return Ok(true);
                }
            }
            _ => {}
        }
        Err(self.connection.wrong(self.request().join(" ").as_bytes(), "a new grant", &reply))
    }

    /// Gives the lock back.
    pub fn give_back(&mut self) -> Result<(), Failure> {
        self.ask_back()?;
        self.is_given_back()
    }

    /// Asks that the lock be taken back.
    pub fn ask_back(&mut self) -> Result<(), Failure> {
        let request = self.request_back();
        self.connection.ask(&request)
    }

    /// Reads that it has been.
    pub fn is_given_back(&mut self) -> Result<(), Failure> {
        let expected = match self.way {
            Way::Queue => "0",
            Way::Polling(_) => "1",
        };
        match self.connection.answer()? {
            Value::Text(text) if text == expected => Ok(()),
            reply => Err(self.connection.wrong(self.request_back().join(" ").as_bytes(), expected, &reply)),
        }
    }

    /// The failure of a server that has given its lock to somebody else, too.
    pub fn is_not_alone(&self) -> Failure {
        Failure::WrongReply {
            server: self.server.clone(),
            command: self.request().join(" "),
            expected: "one holder".to_owned(),
            received: "two".to_owned(),
        }
    }

    fn request(&self) -> Words {
        match self.way {
            Way::Queue => words(["LOCK.ACQUIRE", &self.key, &self.token(), "LEASE", LEASE_MS]),
            Way::Polling(_) => words(["SET", &self.key, &self.token(), "NX", "PX", LEASE_MS]),
        }
    }

    fn request_back(&self) -> Words {
        match self.way {
            Way::Queue => words(["LOCK.RELEASE", &self.key, &self.token()]),
            Way::Polling(_) => words(["EVALSHA", &self.script, "1", &self.key, &self.token()]),
        }
    }

    /// As long as the random ones of redis-py.
    fn token(&self) -> String {
        format!("{:08x}{:024x}", self.number, self.turn)
    }
}

const LEASE_MS: &str = "30000";
/// Nobody waits longer for a lock.
const PATIENCE: Duration = Duration::from_secs(30);
/// `Lock.LUA_RELEASE_SCRIPT` of redis-py.
const GIVE_BACK: &str = "
        local token = redis.call('get', KEYS[1])
        if not token or token ~= ARGV[1] then
            return 0
        end
        redis.call('del', KEYS[1])
        return 1
    ";
