//! What was refused, the newest first. What happens again and again within a minute is one entry with a count.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// What was refused, and how often.
#[derive(Debug, Default)]
pub struct AccessLog {
    entries: Mutex<Entries>,
    denied: [AtomicU64; 5],
}

#[derive(Debug, Default)]
struct Entries {
    /// The newest first.
    list: VecDeque<Entry>,
    next_id: u64,
}

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// For a wrong name or password.
    Login,
    /// For the command.
    Command,
    /// For a key.
    Key,
    /// For a channel.
    Channel,
    /// For a database.
    Database,
}

/// Where it was to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// By a client.
    TopLevel,
    /// In a transaction.
    Transaction,
    /// In a script.
    Script,
}

/// What was refused to whom: that of which more is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Why.
    pub reason: Reason,
    /// Where.
    pub context: Context,
    /// The command, the key, the channel or the database.
    pub object: Box<[u8]>,
    /// The name of the user.
    pub user: Box<[u8]>,
}

/// An event and how it came about.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Counted from 0.
    pub id: u64,
    /// What happened.
    pub event: Event,
    /// How often.
    pub count: u64,
    /// When first: Unix milliseconds.
    pub created_ms: i64,
    /// When last.
    pub updated_ms: i64,
    /// The client that was the last.
    pub client: String,
}

impl Reason {
    /// As ACL LOG calls it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Login => "auth",
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Channel => "channel",
            Reason::Database => "database",
        }
    }
}

impl Context {
    /// As ACL LOG calls it.
    pub fn name(self) -> &'static str {
        match self {
            Context::TopLevel => "toplevel",
            Context::Transaction => "multi",
            Context::Script => "lua",
        }
    }
}

impl AccessLog {
    /// How often something was refused for this reason.
    pub fn denied(&self, reason: Reason) -> u64 {
        self.denied[reason as usize].load(Ordering::Relaxed)
    }

    /// Remembers an event, as one of `len_max` entries.
    pub fn note(&self, event: Event, client: String, now_ms: i64, len_max: i64) {
        self.denied[event.reason as usize].fetch_add(1, Ordering::Relaxed);
        let len_max = usize::try_from(len_max).unwrap_or(0);
        let mut entries = self.entries.lock();
        let is_same = |entry: &Entry| entry.event == event && now_ms - entry.updated_ms <= SAME_WITHIN_MS;
        let found = entries.list.iter().take(LOOKED_AT_MAX).position(is_same);
        let entry = match found.and_then(|at| entries.list.remove(at)) {
            Some(entry) => Entry { count: entry.count + 1, updated_ms: now_ms, client, ..entry },
            None => {
                let id = entries.next_id;
                entries.next_id += u64::from(len_max > 0);
                Entry { id, event, count: 1, created_ms: now_ms, updated_ms: now_ms, client }
            }
        };
        entries.list.push_front(entry);
        entries.list.truncate(len_max);
    }

    /// The newest entries, the newest first.
    pub fn newest(&self, count: usize) -> Vec<Entry> {
        self.entries.lock().list.iter().take(count).cloned().collect()
    }

    /// Forgets the entries.
    pub fn reset(&self) {
        self.entries.lock().list.clear();
    }
}

/// What happens again within this time is the same entry.
const SAME_WITHIN_MS: i64 = 60_000;
/// An entry is looked for among so many.
const LOOKED_AT_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn event(object: &str) -> Event {
        let (reason, context) = (Reason::Key, Context::TopLevel);
        Event { reason, context, object: object.as_bytes().into(), user: b"u"[..].into() }
    }

    fn told(log: &AccessLog) -> Vec<(u64, u64, i64, i64)> {
        log.newest(99)
            .iter()
            .map(|entry| (entry.id, entry.count, entry.created_ms, entry.updated_ms))
            .collect()
    }

    #[test]
    fn the_same_within_a_minute_is_one_entry_and_comes_first() {
        let log = AccessLog::default();
        for (object, now_ms) in [("a", 0), ("b", 10), ("a", 60_000), ("a", 120_001), ("b", 120_002)] {
            log.note(event(object), String::new(), now_ms, 128);
        }
        let expected =
            [(3, 1, 120_002, 120_002), (2, 1, 120_001, 120_001), (0, 2, 0, 60_000), (1, 1, 10, 10)];
        assert_eq!(told(&log), expected);
        assert_eq!((log.denied(Reason::Key), log.denied(Reason::Login)), (5, 0));
        log.reset();
        log.note(event("c"), String::new(), 0, 128);
        assert_eq!(told(&log), [(4, 1, 0, 0)], "ids go on");
    }

    #[test]
    fn only_so_many_entries_are_kept_and_looked_at() {
        let log = AccessLog::default();
        for number in 0..11 {
            log.note(event(&number.to_string()), String::new(), 0, 11);
        }
        log.note(event("0"), String::new(), 0, 11);
        assert_eq!(told(&log)[0], (11, 1, 0, 0), "ten were looked at");
        assert_eq!(told(&log).len(), 11);
        log.note(event("0"), String::new(), 0, 0);
        assert_eq!(told(&log), []);
    }
}
