//! CONFIG REWRITE: writes the settings of a running server into its configuration file, line by line as Redis does.
//! Comments, order and included files stay. A directive that the file has is changed where it stands; one that it lacks
//! is appended if its value is not the default; what stands there twice is left once. Lines that no parameter answers to
//! become comments.
//!
//! The new file takes the place of the old one at once, so that nobody ever reads half of it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;

use shardis_protocol::split_words;

use super::file::read_whole;
use super::kind::os_text;
use super::options::{self, Parameter};
use super::{Config, Kind, Personality, Unit, refused};

/// Why the configuration file could not be rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RewriteError {
    /// The server was started without one.
    NoFile,
    /// The operating system's reason.
    System(String),
}

impl fmt::Display for RewriteError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RewriteError::NoFile => formatter.write_str("The server is running without a config file"),
            RewriteError::System(reason) => write!(formatter, "Rewriting config file: {reason}"),
        }
    }
}

impl std::error::Error for RewriteError {}

impl From<io::Error> for RewriteError {
    fn from(error: io::Error) -> RewriteError {
        RewriteError::System(os_text(&error))
    }
}

impl Config {
    /// Writes the settings into the configuration file, and the lines that declare the users, unless those have a file of
    /// their own.
    pub fn rewrite(&self, users: &[Vec<u8>]) -> Result<(), RewriteError> {
        let path = self.file.as_deref().ok_or(RewriteError::NoFile)?;
        let _alone = self.rewriting.lock();
        let text = match read_whole(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            text => text?,
        };
        let users = if self.aclfile.is_empty() { users } else { &[] };
        Ok(replace(path, &self.rewritten(&text, users))?)
    }

    /// The text of a configuration file, with the settings as they are now.
    fn rewritten(&self, text: &[u8], users: &[Vec<u8>]) -> Vec<u8> {
        let mut draft = Draft::read(text);
        let defaults = Config::default();
        let personality = self.personality.value();
        for parameter in options::every().filter(|each| each.personalities.contains(&personality)) {
            let is_wanted = parameter.is_always_written() || !parameter.is_default(self, &defaults);
            draft.put(parameter.name, parameter.directive(self), is_wanted);
        }
        draft.put_users(users);
        draft.text()
    }
}

impl Parameter {
    /// The directory is written even if it is that in which the server was started: the next start may be elsewhere.
    fn is_always_written(&self) -> bool {
        matches!(self.kind, Kind::Directory)
    }

    /// The line for the value now, none if a missing line says the same.
    fn directive(&self, config: &Config) -> Option<Vec<u8>> {
        let value = self.format(config);
        let is_unset = value.is_empty() && self.format(&Config::default()).is_empty();
        let written = match self.kind {
            Kind::Text | Kind::TextUntilZero | Kind::Peer if is_unset => return None,
            Kind::Text
            | Kind::TextUntilZero
            | Kind::Shaped(_)
            | Kind::EventClasses
            | Kind::Peer
            | Kind::Directory => quoted(&value),
            Kind::Number { unit: Unit::Memory, .. } => with_unit(value),
            _ if value.is_empty() => b"\"\"".to_vec(),
            _ => value,
        };
        Some([self.name.as_bytes(), b" ", &written].concat())
    }
}

/// A configuration file that is being rewritten.
#[derive(Default)]
struct Draft {
    lines: Vec<Vec<u8>>,
    /// The lines of each parameter that are not rewritten yet.
    places: HashMap<&'static str, VecDeque<usize>>,
    /// Whether the line stands there behind which lines are appended.
    is_signed: bool,
}

impl Draft {
    fn read(text: &[u8]) -> Draft {
        let mut draft = Draft::default();
        for line in text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii) {
            draft.is_signed |= line == SIGNATURE;
            if line.is_empty() || line.starts_with(b"#") {
                draft.lines.push(line.to_vec());
                continue;
            }
            let words = split_words(line).ok();
            let name = words.as_ref().and_then(|words| words.as_request().iter().next()).unwrap_or_default();
            // Whose personality a directive belongs to does not matter, as when the file was read.
            let found = options::candidates(name, Personality::Redis72);
            if let Some((parameter, _)) = found.first() {
                draft.places.entry(parameter.name).or_default().push_back(draft.lines.len());
            }
            if name.eq_ignore_ascii_case(USER.as_bytes()) {
                draft.places.entry(USER).or_default().push_back(draft.lines.len());
            }
            let is_known = !found.is_empty() || name.eq_ignore_ascii_case(b"include") || is_directive(name);
            draft.lines.push(if is_known { line.to_vec() } else { [UNKNOWN_MARK, line].concat() });
        }
        draft
    }

    /// Writes the line of a parameter where the first one stands, or at the end if there is none and it is wanted.
    fn put(&mut self, name: &'static str, line: Option<Vec<u8>>, is_wanted: bool) {
        let mut places = self.places.remove(name).unwrap_or_default();
        if let Some(line) = line {
            match places.pop_front() {
                Some(place) => self.lines[place] = line,
                None if is_wanted => self.append(line),
                None => {}
            }
        }
        places.into_iter().for_each(|place| self.lines[place].clear());
    }

    /// Writes the lines of the users where such lines stand, and the rest of them at the end.
    fn put_users(&mut self, users: &[Vec<u8>]) {
        let mut places = self.places.remove(USER).unwrap_or_default();
        for user in users {
            match places.pop_front() {
                Some(place) => self.lines[place].clone_from(user),
                None => self.append(user.clone()),
            }
        }
        places.into_iter().for_each(|place| self.lines[place].clear());
    }

    fn append(&mut self, line: Vec<u8>) {
        if !self.is_signed {
            self.lines.push(SIGNATURE.to_vec());
            self.is_signed = true;
        }
        self.lines.push(line);
    }

    /// The lines, with one empty line where there are several.
    fn text(mut self) -> Vec<u8> {
        self.lines.dedup_by(|next, line| next.is_empty() && line.is_empty());
        self.lines.iter().flat_map(|line| [line.as_slice(), b"\n"]).flatten().copied().collect()
    }
}

/// Whether this is a directive without being a parameter.
fn is_directive(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(USER.as_bytes())
        || refused::DIRECTIVES.iter().any(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
}

/// In double quotes, with the escapes of Redis.
fn quoted(value: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for &byte in value {
        match byte {
            b'\\' | b'"' => quoted.extend([b'\\', byte]),
            b'\n' => quoted.extend(b"\\n"),
            b'\r' => quoted.extend(b"\\r"),
            b'\t' => quoted.extend(b"\\t"),
            7 => quoted.extend(b"\\a"),
            8 => quoted.extend(b"\\b"),
            b' '..=b'~' => quoted.push(byte),
            _ => quoted.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    quoted.push(b'"');
    quoted
}

/// A number of bytes in the largest unit of which it is a multiple.
fn with_unit(digits: Vec<u8>) -> Vec<u8> {
    let bytes = std::str::from_utf8(&digits).ok().and_then(|digits| digits.parse::<i64>().ok());
    let unit = |bytes: i64| UNITS.iter().find(|(_, size)| bytes != 0 && bytes % size == 0);
    match bytes.and_then(|bytes| Some((bytes, unit(bytes)?))) {
        Some((bytes, (name, size))) => format!("{}{name}", bytes / size).into_bytes(),
        None => digits,
    }
}

/// Puts a file with this text in the place of another one, whose permissions it takes over.
pub(crate) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mode = fs::metadata(path).map_or(MODE, |metadata| metadata.permissions().mode());
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!("-{}.tmp", process::id()));
    let draft = PathBuf::from(draft);
    // Of an earlier attempt, which ended with its process.
    let _ = fs::remove_file(&draft);
    let written = write(&draft, mode, text).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written?;
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

fn write(path: &Path, mode: u32, text: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(MODE_WHILE_WRITING).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(text)?;
    file.sync_all()
}

/// The directive that declares a user.
const USER: &str = "user";
const SIGNATURE: &[u8] = b"# Generated by CONFIG REWRITE";
/// Before a line that means nothing.
const UNKNOWN_MARK: &[u8] = b"# ??? ";
const UNITS: [(&str, i64); 3] = [("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10)];
/// Permissions of a file that was not there.
const MODE: u32 = 0o644;
/// It may hold a password.
const MODE_WHILE_WRITING: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(config: &Config, text: &str) -> String {
        config.dir.set(b"/");
        String::from_utf8(config.rewritten(text.as_bytes(), &[])).expect("letters")
    }

    /// As redis-server 7.0.15 and valkey-server 9.1.2 do, apart from the order of what they append.
    #[test]
    fn lines_are_changed_where_they_stand_and_others_appended() {
        let config = Config::default();
        for (name, value) in [
            ("timeout", "5"),
            ("requirepass", "a \"b\"\n\x01"),
            ("proto-max-bulk-len", "1gb"),
            ("hz", "20"),
            ("replica-priority", "50"),
            ("notify-keyspace-events", "KEA"),
            ("masterauth", "x"),
        ] {
            config.set(name, value).expect(name);
        }
        let before = "# My comment\nport 6379\n\n\n  # blanks above \nTIMEOUT 7\ntimeout 9\nsave 900 1\nsave 300 10\n\
                      slave-priority 60\nrequirepass old\nloglevel   debug  \nproto-max-bulk-len 1\nbogus line\n\
                      hz \"12\ninclude extra.conf\nunixsocket /tmp/s\ntcp-backlog 511\nhash-max-ziplist-value 9\n";
        let after = "# My comment\nport 6379\n\n# blanks above\ntimeout 5\n\nsave \"\"\n\nreplica-priority 50\n\
                     requirepass \"a \\\"b\\\"\\n\\x01\"\nloglevel notice\nproto-max-bulk-len 1gb\n# ??? bogus line\n\
                     # ??? hz \"12\ninclude extra.conf\n\ntcp-backlog 511\nhash-max-listpack-value 64\n\n\
                     # Generated by CONFIG REWRITE\nhz 20\nnotify-keyspace-events \"AKE\"\ndir \"/\"\nmasterauth \"x\"\n";
        assert_eq!(rewritten(&config, before), after);
        assert_eq!(rewritten(&config, after), format!("{after}\n"), "the signature stands once");
    }

    #[test]
    fn a_rewritten_file_gives_the_same_settings() {
        let config = Config::default();
        let chosen = [
            ("personality", "valkey-9.1"),
            ("port", "7000"),
            ("bind", "127.0.0.1 ::1"),
            ("unixsocketperm", "700"),
            ("requirepass", "\0\x7f\r\t\\"),
            ("save", ""),
            ("oom-score-adj-values", "1 2 3"),
            ("shutdown-on-sigterm", "safe failover"),
            ("lazyfree-lazy-user-del", "no"),
            ("repl-backlog-size", "5mb"),
            ("pidfile", "/a b"),
        ];
        for (name, value) in chosen {
            config.set(name, value).expect(name);
        }
        let text = rewritten(&config, "");
        let mut loader = super::super::file::Loader::default();
        loader.read(&super::super::file::Source::StandardInput, text.as_bytes());
        let read = loader.finish().expect("a configuration");
        for (parameter, name) in options::names(Personality::Valkey91) {
            assert_eq!(read.get(name), config.get(name), "{name}: {}", parameter.summary);
        }
        assert!(text.contains("\nshutdown-on-sigterm safe failover\n"), "{text}");
        assert!(!text.contains("tcp-backlog") && !text.contains("lazyfree-lazy-user-flush"), "{text}");
    }

    #[test]
    fn without_a_file_there_is_nothing_to_rewrite() {
        assert_eq!(Config::default().rewrite(&[]), Err(RewriteError::NoFile));
        let lost = Config { file: Some(PathBuf::from("/nosuch/redis.conf")), ..Config::default() };
        let error = lost.rewrite(&[]).expect_err("no directory").to_string();
        assert_eq!(error, "Rewriting config file: No such file or directory");
    }
}
