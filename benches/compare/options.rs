//! The command line, and what `--smoke` makes smaller. Starts no server.

use crate::failure::Failure;
use crate::server::Program;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What to compare, how long and where to put it.
#[derive(Debug)]
pub struct Options {
    /// The servers; the first is ours.
    pub programs: Vec<Program>,
    /// Python with redis-py, where there is one.
    pub python: Option<PathBuf>,
    /// Where the report, the plots and the servers' logs go.
    pub out: PathBuf,
    /// Words, one of which sequences a figure's section and name must contain; none: every figure.
    pub only: Vec<String>,
    /// Strings in the largest dataset.
    pub keys: u64,
    /// Length of one load measurement.
    pub duration: Duration,
    /// Interleaved repetitions.
    pub rounds: usize,
    /// Connections that are opened to weigh an idle one.
    pub idle_connections: usize,
    /// Silent connections beside those who work.
    pub crowd: usize,
    /// How long a server is left alone before its memory is read.
    pub settle: Duration,
    /// How long latency is watched with computations back to back.
    pub busy: Duration,
    pub plots: bool,
    pub json: Option<PathBuf>,
    pub gate: bool,
}

impl Options {
    /// Reads the arguments; `None` when they ask for help. `target` is the build directory, where our server
    /// (`executables`) and the references are looked for.
    pub fn parse(
        arguments: impl Iterator<Item = String>,
        target: &Path,
        executables: &Path,
    ) -> Result<Option<Self>, Failure> {
        let mut raw = Raw::default();
        let mut arguments = arguments;
        while let Some(option) = arguments.next() {
            let mut value =
                || arguments.next().ok_or_else(|| Failure::Usage(format!("{option} needs a value")));
            match option.as_str() {
                "--help" | "-h" => return Ok(None),
                "--ours" => raw.ours = Some(value()?.into()),
                "--server" => raw.servers.push(named(&value()?)?),
                "--out" => raw.out = Some(value()?.into()),
                "--only" => raw.only.push(whole_words(&value()?)),
                "--keys" => raw.keys = Some(number(&option, &value()?, 1.0)? as u64),
                "--seconds" => raw.seconds = Some(number(&option, &value()?, 0.01)?),
                "--rounds" => raw.rounds = Some(number(&option, &value()?, 1.0)? as usize),
                "--json" => raw.json = Some(value()?.into()),
                "--smoke" => raw.smoke = true,
                "--no-plots" => raw.no_plots = true,
                "--gate" => raw.gate = true,
                _ => return Err(Failure::Usage(format!("unknown option {option}"))),
            }
        }
        Ok(Some(raw.settle(target, executables)))
    }

    /// Whether the run is to measure the figure called `name` in `section`.
    pub fn selects(&self, section: &str, name: &str) -> bool {
        let name = whole_words(&format!("{section} {name}"));
        self.only.is_empty() || self.only.iter().any(|wanted| name.contains(wanted))
    }
}

/// The arguments before defaults.
#[derive(Default)]
struct Raw {
    ours: Option<PathBuf>,
    servers: Vec<Program>,
    out: Option<PathBuf>,
    only: Vec<String>,
    keys: Option<u64>,
    seconds: Option<f64>,
    rounds: Option<usize>,
    json: Option<PathBuf>,
    smoke: bool,
    no_plots: bool,
    gate: bool,
}

impl Raw {
    fn settle(self, target: &Path, executables: &Path) -> Options {
        let size = if self.smoke { SMOKE } else { FULL };
        let ours = self.ours.unwrap_or_else(|| executables.join("shardis-server"));
        let redis = on_path("redis-server");
        let valkey = Some(target.join("reference/valkey-server"))
            .filter(|path| path.is_file())
            .or_else(|| on_path("valkey-server"));
        let references = [("redis", redis), ("valkey", valkey)]
            .into_iter()
            .filter_map(|(name, path)| path.map(|path| Program { name: name.to_owned(), path }));
        let mut programs = vec![Program { name: crate::results::OURS.to_owned(), path: ours }];
        programs.extend(references);
        programs.extend(self.servers);
        Options {
            programs,
            python: Some(target.join("venv/bin/python")).filter(|path| has_redis_py(path)),
            out: self.out.unwrap_or_else(|| target.join("compare")),
            only: self.only,
            keys: self.keys.unwrap_or(size.keys),
            duration: Duration::from_secs_f64(self.seconds.unwrap_or(size.seconds)),
            rounds: self.rounds.unwrap_or(size.rounds),
            idle_connections: size.idle_connections,
            crowd: size.crowd,
            settle: size.settle,
            busy: size.busy,
            plots: !self.no_plots,
            json: self.json,
            gate: self.gate,
        }
    }
}

/// What a run measures when it is not told otherwise.
struct Size {
    keys: u64,
    seconds: f64,
    rounds: usize,
    idle_connections: usize,
    crowd: usize,
    settle: Duration,
    busy: Duration,
}

fn named(text: &str) -> Result<Program, Failure> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() => Ok(Program { name: name.to_owned(), path: path.into() }),
        _ => Err(Failure::Usage(format!("--server wants NAME=PATH, not {text}"))),
    }
}

fn number(option: &str, text: &str, min: f64) -> Result<f64, Failure> {
    match text.parse::<f64>() {
        Ok(value) if value >= min && value <= NUMBER_MAX => Ok(value),
        _ => Err(Failure::Usage(format!("{option} wants a number from {min} to {NUMBER_MAX}, not {text}"))),
    }
}

/// The words of `text` in lower case, each between spaces, so that containment means whole words.
fn whole_words(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(" ".to_owned(), |line, word| line + &word.to_lowercase() + " ")
}

fn has_redis_py(python: &Path) -> bool {
    let imports = Command::new(python).args(["-c", "import redis"]).output();
    imports.is_ok_and(|output| output.status.success())
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// What `--help` prints.
pub const HELP: &str = "\
compare: the same workloads on this server and on real ones, as ratios in a Markdown report

  --ours PATH          our server (default: shardis-server beside this program)
  --server NAME=PATH   one more server that takes Redis's options (may be repeated);
                       redis-server and valkey-server are found on PATH, the latter
                       also as target/reference/valkey-server, and redis-py in target/venv
  --out DIR            report, plots and logs (default: target/compare)
  --only WORDS         measure only figures whose section (load, pubsub, memory, start, compute,
                       scripts, waiting, locks) and name contain these words, for example 'GET P16' or 'memory'
                       (may be repeated)
  --keys N             strings in the largest dataset (1000000)
  --seconds S          length of one load measurement (1)
  --rounds N           interleaved repetitions (3)
  --smoke              tiny sizes: checks that every part works, says nothing about speed
  --no-plots           no SVG files
  --json FILE          every sample, for other programs
  --gate               fail when a first target is missed
";

const FULL: Size = Size {
    keys: 1_000_000,
    seconds: 1.0,
    rounds: 3,
    idle_connections: 1_000,
    crowd: 9_000,
    settle: Duration::from_millis(500),
    busy: Duration::from_secs(10),
};
const SMOKE: Size = Size {
    keys: 2_000,
    seconds: 0.03,
    rounds: 1,
    idle_connections: 50,
    crowd: 100,
    settle: Duration::from_millis(20),
    busy: Duration::from_millis(300),
};

/// No count and no duration on the command line is larger: a slip of the finger must not run for days.
const NUMBER_MAX: f64 = 100_000_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Option<Options>, Failure> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        Options::parse(arguments, Path::new("/nowhere"), Path::new("/nowhere/fast"))
    }

    fn parsed(arguments: &[&str]) -> Options {
        parse(arguments).expect("the arguments are right").expect("they do not ask for help")
    }

    #[test]
    fn ours_comes_first_and_is_looked_for_beside_the_program() {
        let options = parsed(&["--server", "other=/bin/other"]);
        assert_eq!(options.programs[0].path, Path::new("/nowhere/fast/shardis-server"));
        assert_eq!(options.programs.last().map(|program| program.name.as_str()), Some("other"));
        assert_eq!(options.out, Path::new("/nowhere/compare"));
    }

    #[test]
    fn explicit_numbers_win_over_smoke_in_any_order() {
        let options = parsed(&["--keys", "500", "--smoke"]);
        assert_eq!((options.keys, options.rounds), (500, 1));
    }

    #[test]
    fn only_selects_by_whole_words() {
        let options = parsed(&["--only", "get p16", "--only", "memory list"]);
        assert!(options.selects("load", "GET P16"));
        assert!(options.selects("memory", "list of 10"));
        assert!(!options.selects("load", "GET P1"));
        assert!(!options.selects("load", "GET 8 bytes P16"));
        assert!(!options.selects("load", "MGET 10 keys P16"));
        assert!(parsed(&[]).selects("memory", "list of 10"));
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for wrong in [&["--keys"][..], &["--keys", "0"], &["--rounds", "x"], &["--server", "x"], &["--fast"]]
        {
            assert!(matches!(parse(wrong), Err(Failure::Usage(_))), "{wrong:?}");
        }
        assert!(matches!(parse(&["--help"]), Ok(None)));
    }
}
