//! The last commands that were slow, large, or had a large reply: SLOWLOG and COMMANDLOG show them. Each log has a length of
//! its own; its oldest entry goes first. When a command is worth an entry is told in `dispatch::cost`.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::client::ClientInfo;
use crate::config::Config;

/// What a log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Commands that took long, by microseconds.
    Slow,
    /// Commands that were large, by bytes.
    LargeRequest,
    /// Commands with a large reply, by bytes.
    LargeReply,
}

impl Subject {
    /// All of them, as COMMANDLOG calls them.
    pub const NAMES: [(&'static str, Subject); 3] = [
        ("SLOW", Subject::Slow),
        ("LARGE-REQUEST", Subject::LargeRequest),
        ("LARGE-REPLY", Subject::LargeReply),
    ];

    /// From which value on a command is logged, and how many are kept.
    pub fn limits(self, config: &Config) -> (i64, i64) {
        let (least, len_max) = match self {
            Subject::Slow => (&config.logged.slower_than_us, &config.logged.slow_max_len),
            Subject::LargeRequest => {
                (&config.logged.request_larger_than, &config.logged.large_request_max_len)
            }
            Subject::LargeReply => (&config.logged.reply_larger_than, &config.logged.large_reply_max_len),
        };
        (least.value(), len_max.value())
    }
}

/// The three logs.
#[derive(Debug, Default)]
pub struct CommandLog([Mutex<Log>; 3]);

#[derive(Debug, Default)]
struct Log {
    /// The newest first.
    entries: VecDeque<Entry>,
    next_id: u64,
}

/// A command that was worth an entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Counted from 0 since the server started, whatever was forgotten since.
    pub id: u64,
    /// Unix seconds.
    pub at_seconds: i64,
    /// Microseconds or bytes.
    pub value: i64,
    /// Its words, as far as they are kept.
    pub words: Vec<Vec<u8>>,
    /// The address of its client.
    pub addr: String,
    /// The name of its client.
    pub client_name: Vec<u8>,
}

impl CommandLog {
    /// Logs a command, by its abridged words, if it is worth that.
    pub fn note(
        &self,
        subject: Subject,
        value: i64,
        config: &Config,
        at_seconds: i64,
        info: &ClientInfo,
        words: impl FnOnce() -> Vec<Vec<u8>>,
    ) {
        let (least, len_max) = subject.limits(config);
        let len_max = usize::try_from(len_max).unwrap_or(usize::MAX);
        if least < 0 || value < least || len_max == 0 {
            return;
        }
        let (words, client_name) = (words(), info.names.lock().name.clone());
        let mut log = self.log(subject);
        let id = log.next_id;
        log.next_id += 1;
        log.entries.push_front(Entry { id, at_seconds, value, words, addr: info.addr.clone(), client_name });
        log.entries.truncate(len_max);
    }

    /// The newest entries, the newest first.
    pub fn newest(&self, subject: Subject, count: usize) -> Vec<Entry> {
        self.log(subject).entries.iter().take(count).cloned().collect()
    }

    /// How many entries there are.
    pub fn len(&self, subject: Subject) -> usize {
        self.log(subject).entries.len()
    }

    /// Forgets the entries.
    pub fn reset(&self, subject: Subject) {
        self.log(subject).entries.clear();
    }

    fn log(&self, subject: Subject) -> parking_lot::MutexGuard<'_, Log> {
        self.0[subject as usize].lock()
    }
}

/// The words of a command without what would make an entry large.
pub fn abridged<'a>(words: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let len = words.len();
    let kept = if len > WORDS_MAX { WORDS_MAX - 1 } else { len };
    let mut abridged: Vec<Vec<u8>> = words.take(kept).map(abridged_word).collect();
    if kept < len {
        abridged.push(format!("... ({} more arguments)", len - kept).into_bytes());
    }
    abridged
}

fn abridged_word(word: &[u8]) -> Vec<u8> {
    match word.split_at_checked(WORD_BYTES_MAX) {
        Some((kept, rest)) if !rest.is_empty() => {
            [kept, format!("... ({} more bytes)", rest.len()).as_bytes()].concat()
        }
        _ => word.to_vec(),
    }
}

/// Words of an entry.
const WORDS_MAX: usize = 32;
/// Bytes of one of them.
const WORD_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> ClientInfo {
        ClientInfo::new(1, "127.0.0.1:4000".into(), "127.0.0.1:6379".into(), 8, 0)
    }

    #[test]
    fn the_oldest_entry_goes_first_and_ids_go_on() {
        let (log, config) = (CommandLog::default(), Config::default());
        config.logged.slow_max_len.set(2);
        for value in [10_000, 9_999, 10_001, 10_002] {
            log.note(Subject::Slow, value, &config, 7, &client(), Vec::new);
        }
        let of =
            |entries: Vec<Entry>| entries.iter().map(|entry| (entry.id, entry.value)).collect::<Vec<_>>();
        assert_eq!(of(log.newest(Subject::Slow, 10)), [(2, 10_002), (1, 10_001)]);
        assert_eq!(of(log.newest(Subject::Slow, 1)), [(2, 10_002)]);
        log.reset(Subject::Slow);
        log.note(Subject::Slow, 20_000, &config, 7, &client(), Vec::new);
        assert_eq!(of(log.newest(Subject::Slow, 10)), [(3, 20_000)]);
        assert_eq!(log.len(Subject::LargeReply), 0);
    }

    #[test]
    fn a_log_without_length_or_limit_logs_nothing() {
        let (log, config) = (CommandLog::default(), Config::default());
        config.logged.slow_max_len.set(0);
        log.note(Subject::Slow, 20_000, &config, 7, &client(), Vec::new);
        config.logged.slow_max_len.set(2);
        config.logged.slower_than_us.set(-1);
        log.note(Subject::Slow, 20_000, &config, 7, &client(), Vec::new);
        assert_eq!(log.len(Subject::Slow), 0);
    }

    #[test]
    fn long_commands_are_abridged() {
        let word = |bytes: usize| vec![b'x'; bytes];
        assert_eq!(abridged_word(&word(128)), word(128));
        assert_eq!(abridged_word(&word(129)), [&word(128)[..], b"... (1 more bytes)"].concat());
        let words = vec![&b"w"[..]; 33];
        assert_eq!(abridged(words[..32].iter().copied()).len(), 32);
        let abridged = abridged(words.iter().copied());
        assert_eq!((abridged.len(), &abridged[31][..]), (32, &b"... (2 more arguments)"[..]));
    }
}
