//! Reading directives, one a line, in the syntax of redis.conf: words with Redis's quoting, `#` comments, `include`.
//! The command line is read as more such lines. What a directive may say is declared in `options`.
//!
//! The last directive for a parameter counts. So a value that cannot be had is an error only if it is the last word:
//! `save 900 1` in a shared file may be taken back by `--save ""`.
//!
//! Reading goes on behind an error, so that one start tells all that is wrong. That a log cannot be written is told last,
//! when nothing else is wrong: to try it makes a file.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use shardis_protocol::split_words;
use shardis_storage::glob;

use super::kind::os_text;
use super::{Config, Personality, Reason, options};

/// Builds a [`Config`] from directives.
#[derive(Debug, Default)]
pub struct Loader {
    config: Config,
    /// What is wrong, by its place in the order of reading.
    errors: BTreeMap<usize, LoadError>,
    /// The places of those values in it that cannot be had: a later directive may still take them back.
    refused: HashMap<&'static str, usize>,
    /// How many errors there were, also those that were taken back.
    met: usize,
    include_depth: usize,
    /// Whether files include one another endlessly. Then no more are included, or their number would double at every step.
    is_too_deep: bool,
}

/// Where directives come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A configuration file.
    File(PathBuf),
    /// Standard input, in the same syntax.
    StandardInput,
    /// The options of the program, each a line.
    CommandLine,
}

/// All reasons why the server does not start, in the order of reading. Displayed are the first one in the form of Redis,
/// each of the others on a line, and how many more there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadErrors(pub Vec<LoadError>);

/// A reason why the server does not start. Displayed in the form of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// A directive that does not exist, is wrong or cannot be obeyed.
    Directive {
        /// Where it stands.
        source: Source,
        /// On which line, from 1.
        line: usize,
        /// How it is written.
        text: String,
        /// What is wrong.
        reason: Reason,
    },
    /// A configuration file that cannot be read.
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The operating system's reason.
        reason: String,
    },
    /// A log file that cannot be written, with the operating system's reason.
    LogFile(String),
}

/// The declaration of a user: its words, the directive first, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    /// At least the directive and a name.
    pub words: Vec<Vec<u8>>,
    source: Source,
    line: usize,
    text: String,
}

impl UserLine {
    /// Why the server does not start with it.
    pub fn error(&self, reason: impl Into<Reason>) -> LoadError {
        let (source, text) = (self.source.clone(), self.text.clone());
        LoadError::Directive { source, line: self.line, text, reason: reason.into() }
    }
}

impl Loader {
    /// Reads a configuration file; the first one is the server's own.
    pub fn read_file(&mut self, path: &Path) {
        match read_whole(path) {
            Ok(text) => {
                self.config.file.get_or_insert_with(|| path.into());
                self.read(&Source::File(path.into()), &text);
            }
            Err(error) => self.note_unreadable(path, &error),
        }
    }

    /// Reads directives, one a line.
    pub fn read(&mut self, source: &Source, text: &[u8]) {
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = Line { source, number: index + 1, text: line.trim_ascii() };
            if line.text.starts_with(b"#") {
                continue;
            }
            if let Err(reason) = self.obey(&line) {
                self.note(line.error(reason));
            }
        }
    }

    /// Remembers that something cannot be read.
    pub fn note_unreadable(&mut self, path: &Path, error: &io::Error) {
        let reason = os_text(error);
        self.note(LoadError::Unreadable { path: path.into(), reason });
    }

    /// The settings, once everything is read.
    pub fn finish(self) -> Result<Config, LoadErrors> {
        if !self.errors.is_empty() {
            return Err(LoadErrors(self.errors.into_values().collect()));
        }
        // Later a log that cannot be written is silent, so it is tried now.
        if let Some(path) = self.config.log_file() {
            File::options()
                .append(true)
                .create(true)
                .open(path)
                .map_err(|error| LoadErrors(vec![LoadError::LogFile(os_text(&error))]))?;
        }
        Ok(self.config)
    }

    /// Remembers an error and returns its place in the order of reading.
    fn note(&mut self, error: LoadError) -> usize {
        self.met += 1;
        self.errors.insert(self.met, error);
        self.met
    }

    fn obey(&mut self, line: &Line<'_>) -> Result<(), Reason> {
        let words = split_words(line.text).map_err(|_| "Unbalanced quotes in configuration line")?;
        let mut words = words.as_request().iter();
        let Some(name) = words.next() else { return Ok(()) };
        let values: Vec<&[u8]> = words.collect();
        let candidates = options::candidates(name, self.config.personality.value());
        let Some((parameter, _)) = candidates.first() else {
            return match *values {
                [path] if name.eq_ignore_ascii_case(b"include") => self.include(path),
                [user, ..] if name.eq_ignore_ascii_case(b"user") => self.declare(user, line),
                [_] if options::is_obsolete(name) => Ok(()),
                _ => Err(options::refusal(name).into()),
            };
        };
        if let Some(place) = self.refused.remove(parameter.name) {
            self.errors.remove(&place);
        }
        if values.len() != 1 && !parameter.kind.takes_words() {
            return Err("wrong number of arguments".into());
        }
        let (parameter, value) = options::parse(&candidates, &values.join(&b' '), &self.config)?;
        match parameter.admit(&value, &self.config) {
            Ok(()) => parameter.store(value, &self.config),
            Err(reason) => {
                let place = self.note(line.error(reason));
                self.refused.insert(parameter.name, place);
            }
        }
        Ok(())
    }

    /// Keeps the declaration of a user: what it says is understood by those who know the commands.
    fn declare(&mut self, name: &[u8], line: &Line<'_>) -> Result<(), Reason> {
        let words = split_words(line.text).unwrap_or_default();
        let words: Vec<Vec<u8>> = words.as_request().iter().map(<[u8]>::to_vec).collect();
        if self.config.users.iter().any(|user| user.words.get(1).is_some_and(|known| known == name)) {
            let name = String::from_utf8_lossy(name);
            return Err(format!(
                "Error in user declaration '{name}': Duplicate user found. A user can only be defined once in config files"
            )
            .into());
        }
        let (source, text) = (line.source.clone(), String::from_utf8_lossy(line.text).into_owned());
        self.config.users.push(UserLine { words, source, line: line.number, text });
        Ok(())
    }

    /// Reads another file, or all that match a pattern, which may be none.
    fn include(&mut self, path: &[u8]) -> Result<(), Reason> {
        if self.is_too_deep {
            return Ok(());
        }
        if self.include_depth == INCLUDE_DEPTH_MAX {
            self.is_too_deep = true;
            return Err("too many files include one another".into());
        }
        self.include_depth += 1;
        if is_pattern(path) {
            // The directory that a relative pattern starts from is none itself, whatever it is called.
            let paths = matching(self.config.path(b""), Path::new(OsStr::from_bytes(path)));
            paths.iter().for_each(|path| self.read_file(path));
        } else {
            self.read_file(&self.config.path(path));
        }
        self.include_depth -= 1;
        Ok(())
    }
}

/// All of a configuration file. Nobody writes one that is larger than [`FILE_BYTES_MAX`]: it is a device or a mistake.
pub(crate) fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    read_limited(&mut File::open(path)?, &mut text)?;
    Ok(text)
}

/// All that can be read, unless it is too much.
pub(super) fn read_limited(source: &mut dyn Read, text: &mut Vec<u8>) -> io::Result<()> {
    source.take(FILE_BYTES_MAX + 1).read_to_end(text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "File too large"));
    }
    Ok(())
}

/// A configuration file may be so long.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Files that include one another endlessly are stopped here.
const INCLUDE_DEPTH_MAX: usize = 16;
/// More errors than this are counted and not shown. A stock configuration file of Redis has fewer.
const SHOWN_MAX: usize = 100;

/// A line that is being read.
struct Line<'a> {
    source: &'a Source,
    number: usize,
    text: &'a [u8],
}

impl Line<'_> {
    fn error(&self, reason: impl Into<Reason>) -> LoadError {
        LoadError::Directive {
            source: self.source.clone(),
            line: self.number,
            text: String::from_utf8_lossy(self.text).into_owned(),
            reason: reason.into(),
        }
    }
}

fn is_pattern(path: &[u8]) -> bool {
    path.iter().any(|byte| b"*?[".contains(byte))
}

/// The files that match a pattern, in order; each part of it may have wildcards.
fn matching(start: PathBuf, pattern: &Path) -> Vec<PathBuf> {
    let mut paths = vec![start];
    for part in pattern.components().map(|part| part.as_os_str()) {
        paths = if is_pattern(part.as_bytes()) {
            paths.iter().flat_map(|directory| matching_entries(directory, part.as_bytes())).collect()
        } else {
            paths.iter().map(|directory| directory.join(part)).collect()
        };
    }
    // A link that leads nowhere is kept: that it cannot be read has to be told.
    paths.retain(|path| path.symlink_metadata().is_ok() && !path.is_dir());
    paths.sort();
    paths
}

/// What lies in a directory and matches; hidden files only if the pattern names the dot.
fn matching_entries(directory: &Path, pattern: &[u8]) -> Vec<PathBuf> {
    let names = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names
        .filter(|name| {
            let name = name.as_bytes();
            glob::matches(pattern, name) && pattern.starts_with(b".") == name.starts_with(b".")
        })
        .map(|name| directory.join(name))
        .collect()
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => path.display().fmt(formatter),
            Source::StandardInput => formatter.write_str("standard input"),
            Source::CommandLine => formatter.write_str("the command line"),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let LoadError::Unreadable { path, reason } = self {
            return write!(formatter, "Fatal error, can't open config file '{}': {reason}", path.display());
        }
        let version = Personality::Redis72.dialect().redis_version;
        writeln!(formatter, "\n*** FATAL CONFIG FILE ERROR (Redis {version}) ***")?;
        match self {
            LoadError::Directive { source, line, text, reason } => {
                writeln!(formatter, "Reading the configuration file, at line {line} of {source}")?;
                write!(formatter, ">>> '{text}'\n{reason}")
            }
            LoadError::LogFile(reason) | LoadError::Unreadable { reason, .. } => {
                write!(formatter, "Can't open the log file: {reason}")
            }
        }
    }
}

impl fmt::Display for LoadErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.0.split_first() else { return Ok(()) };
        first.fmt(formatter)?;
        if !others.is_empty() {
            formatter.write_str("\n\nThis is wrong too:")?;
        }
        let (shown, rest) = others.split_at(others.len().min(SHOWN_MAX - 1));
        for error in shown {
            formatter.write_str("\n  ")?;
            error.write_on_one_line(formatter)?;
        }
        if !rest.is_empty() {
            write!(formatter, "\n  and {} more", rest.len())?;
        }
        if self.0.iter().any(LoadError::is_on_command_line) {
            formatter.write_str("\n\nThe option --help lists what may be set.")?;
        }
        Ok(())
    }
}

impl LoadError {
    fn write_on_one_line(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Directive { source, line, text, reason } => {
                write!(formatter, "line {line} of {source}: '{text}': {reason}")
            }
            LoadError::Unreadable { path, reason } => {
                write!(formatter, "can't open config file '{}': {reason}", path.display())
            }
            LoadError::LogFile(reason) => write!(formatter, "can't open the log file: {reason}"),
        }
    }

    fn is_on_command_line(&self) -> bool {
        matches!(self, LoadError::Directive { source: Source::CommandLine, .. })
    }
}

impl std::error::Error for LoadError {}
impl std::error::Error for LoadErrors {}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process;

    use super::*;

    /// A directory that goes when the test ends.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str, files: &[(&str, &str)]) -> Directory {
            let path = env::temp_dir().join(format!("shardis-config-{}-{name}", process::id()));
            fs::create_dir_all(&path).expect("a directory");
            for (name, text) in files {
                let file = path.join(name);
                fs::create_dir_all(file.parent().expect("it is below")).expect("a directory");
                fs::write(file, text).expect("a file");
            }
            Directory(path)
        }

        fn load(&self, name: &str) -> Result<Config, LoadErrors> {
            let mut loader = Loader::default();
            loader.config.dir.set(self.0.as_os_str().as_bytes());
            loader.read_file(&self.0.join(name));
            loader.finish()
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn load(text: &str) -> Result<Config, LoadErrors> {
        let mut loader = Loader::default();
        loader.read(&Source::StandardInput, text.as_bytes());
        loader.finish()
    }

    #[test]
    fn directives_are_read_with_quotes_comments_and_any_case() {
        let config = load(
            "# a comment\n\n\t TIMEOUT 5 \r\nrequirepass \"a b\\x00\\\"\"\n  # another\n\
             bind 10.0.0.1 ::1\nproto-max-bulk-len '2mb'\nloglevel DEBUG\nlist-max-ziplist-size -1",
        )
        .expect("a configuration");
        assert_eq!(config.timeout.value(), 5);
        assert_eq!(&*config.requirepass.value(), b"a b\0\"");
        assert_eq!(config.bind_addresses(), ["10.0.0.1", "::1"]);
        assert_eq!(config.proto_max_bulk_len.value(), 2 << 20);
        assert_eq!(config.list_max_listpack_size.value(), -1);
        assert_eq!(load("bind").expect("no address").bind_addresses(), [""; 0]);
        assert_eq!(load("bind \"a b\"").expect("two addresses").bind_addresses(), ["a", "b"]);
    }

    #[test]
    fn several_percentiles_and_what_is_obsolete_are_taken() {
        let config = load("latency-tracking-info-percentiles 50 99 99.9\nlua-replicate-commands yes\n");
        let config = config.expect("as a real server writes it");
        let percentiles = config.get("latency-tracking-info-percentiles");
        assert_eq!(percentiles.as_deref(), Some(b"50 99 99.9".as_slice()));
        assert!(load("list-max-ziplist-value 64 5").is_err());
    }

    /// Reasons as redis-server 7.0.15 gives them.
    #[test]
    fn wrong_directives_are_told_with_line_and_reason() {
        let table = [
            (
                "timeout 5\n\n# c\n  foo \"bar baz\" \n",
                4,
                "foo \"bar baz\"",
                "Bad directive or wrong number of arguments",
            ),
            ("port \"12", 1, "port \"12", "Unbalanced quotes in configuration line"),
            ("timeout 1 2", 1, "timeout 1 2", "wrong number of arguments"),
            ("timeout", 1, "timeout", "wrong number of arguments"),
            ("timeout abc", 1, "timeout abc", "argument couldn't be parsed into an integer"),
            ("\"timeout\" 5 # c", 1, "\"timeout\" 5 # c", "wrong number of arguments"),
            ("include", 1, "include", "Bad directive or wrong number of arguments"),
            ("databases 0", 1, "databases 0", "argument must be between 1 and 2147483647 inclusive"),
        ];
        for (text, line, shown, reason) in table {
            let reason = reason.replace("2147483647", "65535");
            let error = load(text).expect_err(text);
            let expected = LoadErrors(vec![LoadError::Directive {
                source: Source::StandardInput,
                line,
                text: shown.to_owned(),
                reason: reason.clone().into(),
            }]);
            assert_eq!(error, expected);
            assert_eq!(
                error.to_string(),
                format!(
                    "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\n\
                     Reading the configuration file, at line {line} of standard input\n>>> '{shown}'\n{reason}"
                )
            );
        }
    }

    #[test]
    fn a_refused_value_may_be_taken_back_later() {
        assert!(load("appendonly yes\nsave 900 1\nsave 60 10\nappendonly no\nsave \"\"").is_ok());
        let error = load("save \"\"\nsave 900 1\ntimeout 3").expect_err("a promise").to_string();
        assert!(error.contains("at line 2 of standard input\n>>> 'save 900 1'\nsnapshots"), "{error}");
        let error = load("appendonly yes\nappendonly abc").expect_err("no answer").to_string();
        let last = "at line 2 of standard input\n>>> 'appendonly abc'\nargument must be 'yes' or 'no'";
        assert!(error.ends_with(last), "{error}");
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_in_the_order_of_reading() {
        let directory = Directory::new(
            "wrong",
            &[
                ("main.conf", "daemonize yes\ninclude part.conf\ninclude lost.conf\nsave 60 1\nport x\n"),
                ("part.conf", "\nsyslog-enabled yes\ntimeout 5"),
                ("twice.conf", "include twice.conf\ninclude twice.conf\ninclude twice.conf\nfoo"),
            ],
        );
        let mut loader = Loader::default();
        loader.config.dir.set(directory.0.as_os_str().as_bytes());
        loader.read_file(&directory.0.join("main.conf"));
        loader.read(&Source::CommandLine, b"save \"\"\nnosuch 1");
        let told = loader.finish().expect_err("much is wrong").to_string();
        let (first, others) = told.split_once("\n\nThis is wrong too:\n").expect("several");
        let path = directory.0.display();
        assert!(first.contains(&format!("at line 1 of {path}/main.conf\n>>> 'daemonize yes'\n")), "{told}");
        let starts = [
            format!("  line 2 of {path}/part.conf: 'syslog-enabled yes': "),
            format!("  can't open config file '{path}/lost.conf': No such file"),
            format!("  line 5 of {path}/main.conf: 'port x': argument couldn't be parsed"),
            "  line 2 of the command line: 'nosuch 1': Bad directive".to_owned(),
            String::new(),
            "The option --help lists".to_owned(),
        ];
        let lines: Vec<&str> = others.lines().collect();
        assert_eq!(lines.len(), starts.len(), "{told}");
        for (line, start) in lines.iter().zip(&starts) {
            assert!(line.starts_with(start), "{start:?}: {told}");
        }

        let LoadErrors(errors) = directory.load("twice.conf").expect_err("a loop");
        assert_eq!(errors.len(), 1 + 17, "the loop is told once, and what is wrong in each of the files");
        let told = load(&"foo\n".repeat(SHOWN_MAX + 3)).expect_err("much is wrong").to_string();
        assert_eq!(told.matches("'foo'").count(), SHOWN_MAX, "{told}");
        assert!(told.ends_with("\n  and 3 more"), "{told}");
    }

    #[test]
    fn files_are_included_by_name_or_pattern() {
        let directory = Directory::new(
            "included",
            &[
                ("main.conf", "include b.conf\ninclude *.part\ninclude none*.conf\ntimeout 3"),
                ("b.conf", "timeout 1\nhz 20"),
                ("2.part", "maxclients 2"),
                ("1.part", "maxclients 1"),
                (".hidden.part", "maxclients 9"),
                ("loop.conf", "include loop.conf"),
                ("lost.conf", "\ninclude nosuch.conf"),
                ("bad.conf", "include worse.conf"),
                ("worse.conf", "\nfoo"),
            ],
        );
        let config = directory.load("main.conf").expect("a configuration");
        assert_eq!((config.timeout.value(), config.hz.value(), config.maxclients.value()), (3, 20, 2));
        assert_eq!(config.file, Some(directory.0.join("main.conf")));

        let told = |name| directory.load(name).expect_err(name).to_string();
        assert!(told("loop.conf").ends_with(">>> 'include loop.conf'\ntoo many files include one another"));
        let lost = directory.0.join("nosuch.conf");
        assert_eq!(
            told("lost.conf"),
            format!("Fatal error, can't open config file '{}': No such file or directory", lost.display())
        );
        let worse = directory.0.join("worse.conf");
        assert!(told("bad.conf").contains(&format!("at line 2 of {}\n>>> 'foo'", worse.display())));
    }

    #[test]
    fn every_part_of_an_included_path_may_be_a_pattern() {
        let directory = Directory::new(
            "parts [of] a path",
            &[
                ("main.conf", "include ?/*/x.conf"),
                ("b/2/x.conf", "timeout 2"),
                ("a/1/x.conf", "timeout 1\nhz 20"),
                ("a/1/y.conf", "hz 30"),
                ("a/none/y.conf", "hz 40"),
                ("a/.hidden/x.conf", "hz 50"),
                ("a/folder/x.conf/z.conf", "hz 60"),
                ("absolute.conf", ""),
            ],
        );
        let config = directory.load("main.conf").expect("a configuration");
        assert_eq!((config.timeout.value(), config.hz.value()), (2, 20));

        let parent = directory.0.parent().expect("it is below").display();
        let text = format!("include \"{parent}/*parts ?of? a path/a/1/[x]*\"");
        let config = load(&text).expect("a configuration");
        assert_eq!((config.timeout.value(), config.hz.value()), (1, 20), "{text}");
    }

    #[test]
    fn a_log_that_cannot_be_written_stops_the_start() {
        let error = load("logfile /nosuch/x").expect_err("no directory").to_string();
        assert_eq!(
            error,
            "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\nCan't open the log file: No such file or directory"
        );
    }
}
