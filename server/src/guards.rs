//! Locks, permits and latches for the program that embeds a server: the same as over a connection, held by guards that give them
//! back when they are dropped. What they do, the commands say.

use std::fmt;
use std::time::Duration;

use crate::builder::Server;
use crate::commands::lock::{acquire, latch, release, semaphore};
use crate::session::{Session, Value};

/// What a lock is asked for by. See [`Server::lock`].
#[derive(Debug)]
pub struct LockRequest {
    request: Request,
}

/// What permits are asked for by. See [`Server::permits`].
#[derive(Debug)]
pub struct PermitRequest {
    request: Request,
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct LockGuard {
    held: Held,
}

/// Permits that are out until this is dropped.
#[derive(Debug)]
pub struct PermitGuard {
    held: Held,
}

/// Why nothing could be acquired: the text of the error, as a client would read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockError(String);

impl fmt::Display for LockError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for LockError {}

/// A call under construction.
#[derive(Debug)]
struct Request {
    session: Session,
    words: Vec<Vec<u8>>,
    has_lease: bool,
}

/// What gives something back.
#[derive(Debug)]
struct Held {
    session: Session,
    give_back: Vec<Vec<u8>>,
    fence: u64,
}

impl Server {
    /// Asks for a lock.
    ///
    /// ```
    /// use std::time::Duration;
    /// use shardis_server::Server;
    ///
    /// let server = Server::builder().no_listener().start()?;
    /// let guard = server.lock("report").acquire()?.expect("nobody has it");
    /// assert!(server.lock("report").wait(Duration::from_millis(5)).acquire()?.is_none());
    /// assert!(guard.fence() > 0);
    /// drop(guard);
    /// let one = server.lock("report").shared().acquire()?;
    /// let two = server.lock("report").shared().lease(Duration::from_secs(5)).acquire()?;
    /// assert!(one.is_some() && two.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock(&self, key: impl AsRef<[u8]>) -> LockRequest {
        LockRequest { request: Request::new(self.session(), acquire::ACQUIRE.name, key.as_ref()) }
    }

    /// Asks for permits of a semaphore, which has to be there.
    ///
    /// ```
    /// use shardis_server::Server;
    ///
    /// let server = Server::builder().no_listener().start()?;
    /// assert!(server.permits("slots", 1).acquire().is_err(), "no such semaphore");
    /// server.execute(&["SEM.CREATE", "slots", "3"]);
    /// let two = server.permits("slots", 2).acquire()?.expect("there are three");
    /// assert!(server.permits("slots", 2).acquire()?.is_none());
    /// drop(two);
    /// assert!(server.permits("slots", 3).acquire()?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn permits(&self, key: impl AsRef<[u8]>, count: u64) -> PermitRequest {
        let mut request = Request::new(self.session(), semaphore::ACQUIRE.name, key.as_ref());
        request.option("N", count);
        PermitRequest { request }
    }

    /// Waits until a latch is open, at most so long; whether it is.
    ///
    /// ```
    /// use std::time::Duration;
    /// use shardis_server::Server;
    ///
    /// let server = Server::builder().no_listener().start()?;
    /// server.execute(&["LATCH.SET", "ready", "1"]);
    /// std::thread::scope(|scope| {
    ///     let waiting = scope.spawn(|| server.await_latch("ready", None));
    ///     server.execute(&["LATCH.DOWN", "ready"]);
    ///     assert_eq!(waiting.join().expect("it ends"), Ok(true));
    /// });
    /// server.execute(&["LATCH.SET", "later", "1"]);
    /// assert_eq!(server.await_latch("later", Some(Duration::ZERO)), Ok(false));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn await_latch(&self, key: impl AsRef<[u8]>, wait: Option<Duration>) -> Result<bool, LockError> {
        let wait_ms = wait.map_or(0, milliseconds).to_string();
        let words = [latch::AWAIT.name.as_bytes(), key.as_ref(), b"WAIT", wait_ms.as_bytes()];
        match self.session().execute(&words) {
            Value::Error(text) => Err(LockError(text)),
            reply => Ok(reply.as_integer() == Some(1)),
        }
    }
}

impl LockRequest {
    /// Shares it with others who do.
    pub fn shared(mut self) -> LockRequest {
        self.request.words.push(b"SHARED".to_vec());
        self
    }

    /// Holds it so long at the most, instead of until the guard is dropped.
    pub fn lease(mut self, lease: Duration) -> LockRequest {
        self.request.lease(lease);
        self
    }

    /// Waits for it so long, in turn.
    pub fn wait(mut self, wait: Duration) -> LockRequest {
        self.request.option("WAIT", milliseconds(wait));
        self
    }

    /// Acquires it; `None` if others have it.
    pub fn acquire(self) -> Result<Option<LockGuard>, LockError> {
        let owner = self.request.words[2].clone();
        let held = self.request.acquire(|key, fence| {
            vec![release::RELEASE.name.into(), key, owner, b"FENCE".to_vec(), fence.to_string().into_bytes()]
        })?;
        Ok(held.map(|held| LockGuard { held }))
    }
}

impl PermitRequest {
    /// Has them so long at the most, instead of until the guard is dropped.
    pub fn lease(mut self, lease: Duration) -> PermitRequest {
        self.request.lease(lease);
        self
    }

    /// Waits for them so long, in turn.
    pub fn wait(mut self, wait: Duration) -> PermitRequest {
        self.request.option("WAIT", milliseconds(wait));
        self
    }

    /// Acquires them; `None` if too few are left.
    pub fn acquire(self) -> Result<Option<PermitGuard>, LockError> {
        let held = self.request.acquire(|key, fence| {
            vec![semaphore::RELEASE.name.into(), key, fence.to_string().into_bytes()]
        })?;
        Ok(held.map(|held| PermitGuard { held }))
    }
}

impl LockGuard {
    /// The number of this grant: greater than those of all before it.
    pub fn fence(&self) -> u64 {
        self.held.fence
    }
}

impl PermitGuard {
    /// The number of this grant: greater than those of all before it.
    pub fn fence(&self) -> u64 {
        self.held.fence
    }
}

impl Request {
    /// A request of an owner that nobody else is.
    fn new(session: Session, name: &str, key: &[u8]) -> Request {
        let owner = format!("guard:{}", session.id());
        let words = vec![name.as_bytes().to_vec(), key.to_vec(), owner.into_bytes()];
        Request { session, words, has_lease: false }
    }

    fn option(&mut self, name: &str, value: u64) {
        self.words.extend([name.as_bytes().to_vec(), value.to_string().into_bytes()]);
    }

    fn lease(&mut self, lease: Duration) {
        self.option("LEASE", milliseconds(lease));
        self.has_lease = true;
    }

    fn acquire(
        mut self,
        give_back: impl FnOnce(Vec<u8>, u64) -> Vec<Vec<u8>>,
    ) -> Result<Option<Held>, LockError> {
        if !self.has_lease {
            self.words.push(b"SESSION".to_vec());
        }
        match self.session.execute(&self.words) {
            Value::Error(text) => Err(LockError(text)),
            Value::Map(fields) => {
                let is_fence = |(name, _): &&(Value, Value)| name.as_bytes() == Some(b"fence");
                let fence = fields.iter().find(is_fence).and_then(|(_, value)| value.as_integer());
                let fence = fence.and_then(|fence| u64::try_from(fence).ok()).unwrap_or_default();
                let give_back = give_back(self.words.swap_remove(1), fence);
                Ok(Some(Held { session: self.session, give_back, fence }))
            }
            _ => Ok(None),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Where its time is over there is nothing to be given back, and the server says so.
        self.session.execute(&self.give_back);
    }
}

/// Whole milliseconds, of any time one at least: none would be without an end.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
