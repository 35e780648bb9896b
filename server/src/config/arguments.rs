//! The command line, as Redis reads it: a configuration file, `-` for more of it on standard input, and options that
//! are directives with dashes before them. Reading only; the program prints and starts.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{self, Path};

use super::file::{LoadErrors, Loader, Source, read_limited};
use super::{Config, Personality, help};

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// To serve.
    Serve(Box<Config>),
    /// To print this text.
    Print(String),
}

/// Reads the words behind the program's name. Later sources overrule earlier ones: file, standard input, options.
pub fn parse(words: &[OsString], standard_input: &mut dyn Read) -> Result<Invocation, LoadErrors> {
    let first = words.first().map(|word| word.as_bytes());
    match first {
        Some(b"-v") => return Ok(Invocation::Print(version())),
        Some(b"-h") => return Ok(Invocation::Print(help())),
        _ => {}
    }
    let has_file = first.is_some_and(|word| !word.starts_with(b"-"));
    let options = Options::of(words, usize::from(has_file));
    if let Some(text) = options.asks_for {
        return Ok(Invocation::Print(text()));
    }
    let mut loader = Loader::default();
    if has_file {
        let path = Path::new(&words[0]);
        loader.read_file(&path::absolute(path).unwrap_or_else(|_| path.into()));
    }
    if options.reads_input {
        let mut text = Vec::new();
        match read_limited(standard_input, &mut text) {
            Ok(()) => loader.read(&Source::StandardInput, &text),
            Err(error) => loader.note_unreadable(Path::new("standard input"), &error),
        }
    }
    loader.read(&Source::CommandLine, &options.lines);
    loader.finish().map(|config| Invocation::Serve(Box::new(config)))
}

/// What stands behind the configuration file.
#[derive(Default)]
struct Options {
    /// As lines of a configuration file.
    lines: Vec<u8>,
    /// Whether `-` is the first or last of all words.
    reads_input: bool,
    /// What is to be printed instead of serving.
    asks_for: Option<fn() -> String>,
}

impl Options {
    /// The words from `start` on.
    fn of(words: &[OsString], start: usize) -> Options {
        let mut options = Options::default();
        let lines = &mut options.lines;
        // Behind a bare option name stands a value, even if it has dashes.
        let mut wants_value = false;
        for (index, word) in words.iter().map(|word| word.as_bytes()).enumerate().skip(start) {
            let next = words.get(index + 1).map(|word| word.as_bytes());
            match word.strip_prefix(b"--") {
                None if word == b"-" && (index == 0 || next.is_none()) => options.reads_input = true,
                Some(b"version") if !wants_value => options.asks_for = options.asks_for.or(Some(version)),
                Some(b"help") if !wants_value => options.asks_for = options.asks_for.or(Some(help)),
                Some(option) if !wants_value => {
                    if !lines.is_empty() {
                        lines.push(b'\n');
                    }
                    lines.extend_from_slice(option);
                    wants_value = !option.trim_ascii().contains(&b' ');
                    // `--save` without a value means the empty one: command lines made from empty lists look like this.
                    if option.eq_ignore_ascii_case(b"save") && next.is_none_or(|next| next.starts_with(b"--"))
                    {
                        lines.extend_from_slice(b" \"\"");
                        wants_value = false;
                    }
                }
                _ => {
                    lines.extend_from_slice(format!(" \"{}\"", word.escape_ascii()).as_bytes());
                    wants_value = false;
                }
            }
        }
        options
    }
}

/// In the form of Redis, from which tools take what stands behind `v=`.
fn version() -> String {
    format!(
        "Shardis server v={} sha=00000000:0 malloc={} bits={} build=0 shardis_version={}",
        Personality::Redis72.dialect().redis_version,
        if cfg!(feature = "mimalloc") { "mimalloc" } else { "libc" },
        usize::BITS,
        env!("CARGO_PKG_VERSION"),
    )
}

fn help() -> String {
    format!(
        "Usage: shardis-server [/path/to/redis.conf] [options] [-]
       shardis-server - (read config from stdin)
       shardis-server -v or --version
       shardis-server -h or --help

Examples:
       shardis-server (run the server with default conf)
       echo 'timeout 60' | shardis-server -
       shardis-server /etc/redis/6379.conf
       shardis-server --port 7777 --requirepass secret
       shardis-server /etc/myredis.conf --loglevel verbose -

All data lives in memory and is gone when the server ends. An option is a line of the
configuration file with two dashes before it. These are known:

{}",
        help::parameters().trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::super::file::LoadError;
    use super::*;

    fn parse_words(words: &[&str], input: &str) -> Result<Invocation, LoadErrors> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        parse(&words, &mut input.as_bytes())
    }

    fn config(words: &[&str], input: &str) -> Config {
        match parse_words(words, input) {
            Ok(Invocation::Serve(config)) => *config,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    #[test]
    fn options_are_directives_with_dashes() {
        let config = config(
            &["--PORT", "7000", "--bind", "10.0.0.1", "::1", "--save", "", "--timeout 5", "--hz", "20"],
            "",
        );
        assert_eq!((config.port.value(), config.timeout.value(), config.hz.value()), (7000, 5, 20));
        assert_eq!(config.bind_addresses(), ["10.0.0.1", "::1"]);
        assert_eq!(config.file, None);
    }

    #[test]
    fn a_value_may_look_like_an_option_or_hold_any_byte() {
        assert_eq!(&*config(&["--requirepass", "--port"], "").requirepass.value(), b"--port");
        assert_eq!(&*config(&["--requirepass", "a 'b'\"\n\\"], "").requirepass.value(), b"a 'b'\"\n\\");
        assert!(parse_words(&["--requirepass", "-"], "").is_err(), "the last dash is the input");
        assert_eq!(&*config(&["--requirepass", "-", "--hz", "9"], "port x").requirepass.value(), b"-");
    }

    #[test]
    fn save_may_stand_without_a_value() {
        assert_eq!(config(&["--save", "--port", "7000"], "").port.value(), 7000);
        assert_eq!(config(&["--port", "7000", "--save"], "").port.value(), 7000);
    }

    #[test]
    fn standard_input_stands_between_file_and_options() {
        let config = config(&["-", "--timeout", "3"], "timeout 2\nhz 20\n");
        assert_eq!((config.timeout.value(), config.hz.value()), (3, 20));
        let config = self::config(&["--timeout", "3", "-"], "timeout 2\nhz 20");
        assert_eq!((config.timeout.value(), config.hz.value()), (3, 20));
    }

    #[test]
    fn standard_input_is_read_only_if_the_dash_is_the_first_or_last_word_of_all() {
        let file = std::env::temp_dir().join(format!("shardis-arguments-{}.conf", std::process::id()));
        std::fs::write(&file, "timeout 1\n").expect("a file");
        let path = file.to_str().expect("a name in letters");
        assert_eq!(config(&[path, "-"], "timeout 2").timeout.value(), 2);
        assert_eq!(config(&[path, "--hz", "9", "-"], "timeout 2").timeout.value(), 2);
        let error = parse_words(&[path, "-", "--timeout", "3"], "timeout 2").expect_err("a word too many");
        let error = error.0[0].to_string();
        assert!(error.ends_with(">>> '\"-\"'\nBad directive or wrong number of arguments"), "{error}");
        std::fs::remove_file(&file).expect("it is there");
    }

    #[test]
    fn wrong_options_are_told_as_directives() {
        let table: &[(&[&str], usize, &str, &str)] = &[
            (&["--foo", "bar"], 1, "foo \"bar\"", "Bad directive or wrong number of arguments"),
            (&["--port", "abc"], 1, "port \"abc\"", "argument couldn't be parsed into an integer"),
            (&["--port"], 1, "port", "wrong number of arguments"),
            (&["--port", "1", "2"], 1, "port \"1\" \"2\"", "wrong number of arguments"),
            (&["--port 99999"], 1, "port 99999", "argument must be between 0 and 65535 inclusive"),
            (&["--port=7"], 1, "port=7", "Bad directive or wrong number of arguments"),
            (&["-p", "7"], 1, "\"-p\" \"7\"", "Bad directive or wrong number of arguments"),
            (
                &["--timeout", "5", "--PORT", "abc"],
                2,
                "PORT \"abc\"",
                "argument couldn't be parsed into an integer",
            ),
            (&["--", "5"], 1, "\"5\"", "Bad directive or wrong number of arguments"),
            (&["--sentinel"], 1, "sentinel", "sentinel mode is not supported"),
            (&["--test-memory", "9"], 1, "test-memory \"9\"", "this program does not test memory"),
            (&["--dir", "/nosuch"], 1, "dir \"/nosuch\"", "No such file or directory"),
        ];
        for (words, number, shown, expected) in table {
            let errors = parse_words(words, "").expect_err(shown);
            assert!(errors.to_string().ends_with("\n\nThe option --help lists what may be set."), "{errors}");
            let [LoadError::Directive { source, line, text, reason }] = errors.0.as_slice() else {
                panic!("{errors:?}")
            };
            assert_eq!((source, line), (&Source::CommandLine, number), "{words:?}");
            assert_eq!((text.trim(), reason.as_ref()), (*shown, *expected), "{words:?}");
        }
    }

    #[test]
    fn a_missing_configuration_file_is_named_with_its_whole_path() {
        let error = parse_words(&["/nosuch/redis.conf", "--port", "1"], "").expect_err("no file").to_string();
        let expected = "Fatal error, can't open config file '/nosuch/redis.conf': No such file or directory";
        assert_eq!(error, expected);
    }

    #[test]
    fn version_and_help_are_printed() {
        for word in ["-v", "--version"] {
            let Ok(Invocation::Print(text)) = parse_words(&[word, "--foo"], "") else { panic!("{word}") };
            assert!(text.starts_with("Shardis server v=7.2.4 sha=") && text.contains(" bits=64 "), "{text}");
            assert!(text.ends_with(concat!("shardis_version=", env!("CARGO_PKG_VERSION"))), "{text}");
        }
        for word in ["-h", "--help"] {
            let Ok(Invocation::Print(text)) = parse_words(&[word], "") else { panic!("{word}") };
            assert!(
                text.starts_with("Usage: shardis-server ") && text.contains("--requirepass text"),
                "{text}"
            );
        }
    }

    #[test]
    fn version_and_help_may_stand_behind_a_file_and_other_options() {
        for words in [
            &["/nosuch", "--help"][..],
            &["--port", "x", "--help", "--version"],
            &["--port 1", "--help", "2"],
        ] {
            let Ok(Invocation::Print(text)) = parse_words(words, "") else { panic!("{words:?}") };
            assert!(text.starts_with("Usage: "), "{words:?}: {text}");
        }
        let Ok(Invocation::Print(text)) = parse_words(&["--hz", "9", "--version"], "") else {
            panic!("no text")
        };
        assert!(text.starts_with("Shardis server v="), "{text}");
        assert_eq!(
            &*config(&["--requirepass", "--help"], "").requirepass.value(),
            b"--help",
            "it is a value"
        );
    }
}
