//! The server's log, in the format of Redis. Lines are made by whatever thread has something to say; the level is read
//! from the settings at each line, so that it can be changed at any time. An embedded server logs nowhere unless its
//! host asks for it, and there is no global logger: each server has its own.
//!
//! Times are in UTC, since the time zone of the machine cannot be asked for safely.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process;
use std::sync::Arc;

use crate::config::Config;
pub use crate::config::Level;

/// Where a server logs to.
pub struct Log {
    sink: Sink,
    config: Arc<Config>,
    now_ms: Box<dyn Fn() -> i64 + Send + Sync>,
}

/// What happens to the lines of the log.
#[derive(Default)]
pub enum Sink {
    /// Nothing.
    #[default]
    None,
    /// They go to standard output.
    Stdout,
    /// They are appended to a file, which is opened for each line, so that it can be moved away at any time.
    File(PathBuf),
    /// They are given to a function of the host: level and text, without the time.
    Callback(Box<dyn Fn(Level, &str) + Send + Sync>),
}

impl Sink {
    /// The sink that the settings name, for a program of its own.
    pub fn from_config(config: &Config) -> Sink {
        config.log_file().map_or(Sink::Stdout, Sink::File)
    }
}

impl Log {
    /// A log whose level is in `config` and whose lines carry the Unix time in milliseconds that `now_ms` tells.
    pub fn new(sink: Sink, config: Arc<Config>, now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Log {
        Log { sink, config, now_ms: Box::new(now_ms) }
    }

    /// For those who look for a fault.
    pub fn debug(&self, text: impl Display) {
        self.write(Level::Debug, &text);
    }

    /// Events that are rarely of use.
    pub fn verbose(&self, text: impl Display) {
        self.write(Level::Verbose, &text);
    }

    /// What an operator wants to know.
    pub fn notice(&self, text: impl Display) {
        self.write(Level::Notice, &text);
    }

    /// What an operator has to know.
    pub fn warning(&self, text: impl Display) {
        self.write(Level::Warning, &text);
    }

    /// Writes a line if it matters enough. A log that cannot be written is no reason to stop serving.
    fn write(&self, level: Level, text: &dyn Display) {
        if level < self.config.loglevel.value() {
            return;
        }
        let line = || format!("{}:M {} {} {text}\n", process::id(), utc((self.now_ms)()), mark(level));
        let _ = match &self.sink {
            Sink::None => Ok(()),
            Sink::Stdout => io::stdout().lock().write_all(line().as_bytes()),
            Sink::File(path) => {
                let file = File::options().append(true).create(true).open(path);
                file.and_then(|mut file| file.write_all(line().as_bytes()))
            }
            Sink::Callback(callback) => {
                callback(level, &text.to_string());
                Ok(())
            }
        };
    }
}

/// The sign by which a level is recognised in a line.
fn mark(level: Level) -> char {
    match level {
        Level::Debug => '.',
        Level::Verbose => '-',
        Level::Notice => '*',
        Level::Warning | Level::Nothing => '#',
    }
}

/// A Unix time in milliseconds as `22 Nov 2026 18:00:00.000`.
fn utc(now_ms: i64) -> String {
    let (days, ms) = (now_ms.div_euclid(DAY_MS), now_ms.rem_euclid(DAY_MS));
    // Years are counted from March, so that the leap day is the last of its year, and in eras of 400 years, which are
    // all alike. 719,468 days lie between the first of March of the year 0 and the epoch.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Five months from March on have 153 days, and again five.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era + i64::from(month >= 10);
    let name = MONTHS_FROM_MARCH[month as usize];
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{day:02} {name} {year} {hour:02}:{minute:02}:{second:02}.{:03}", ms % 1000)
}

const DAY_MS: i64 = 86_400_000;
const ERA_DAYS: i64 = 146_097;
const MONTHS_FROM_MARCH: [&str; 12] =
    ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"];

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs;
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn times_are_shown_as_dates() {
        // By `date -u -d @... '+%d %b %Y %H:%M:%S'`.
        let table = [
            (0, "01 Jan 1970 00:00:00.000"),
            (-1, "31 Dec 1969 23:59:59.999"),
            (1_795_373_697_007, "22 Nov 2026 18:54:57.007"),
            (951_782_400_000, "29 Feb 2000 00:00:00.000"),
            (951_868_800_000, "01 Mar 2000 00:00:00.000"),
            (4_107_542_399_000, "28 Feb 2100 23:59:59.000"),
            (4_107_542_400_000, "01 Mar 2100 00:00:00.000"),
            (1_735_689_599_999, "31 Dec 2024 23:59:59.999"),
            (-62_135_596_800_000, "01 Jan 1 00:00:00.000"),
        ];
        for (now_ms, expected) in table {
            assert_eq!(utc(now_ms), expected, "{now_ms}");
        }
        assert!(utc(i64::MAX).ends_with(" 292278994 07:12:55.807"), "{}", utc(i64::MAX));
        assert!(utc(i64::MIN).contains(" -292275055 "), "{}", utc(i64::MIN));
    }

    #[test]
    fn the_level_is_live_and_reaches_the_callback() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = {
            let lines = Arc::clone(&lines);
            Sink::Callback(Box::new(move |level, text| {
                lines.lock().expect("no panic before").push((level, text.to_owned()));
            }))
        };
        let config = Arc::new(Config::default());
        let log = Log::new(sink, Arc::clone(&config), || 0);
        log.verbose("too little");
        log.notice(format_args!("{} clients", 3));
        config.loglevel.set(Level::Debug);
        log.debug("now");
        config.loglevel.set(Level::Nothing);
        log.warning("never");
        let expected = [(Level::Notice, "3 clients".to_owned()), (Level::Debug, "now".to_owned())];
        assert_eq!(*lines.lock().expect("no panic before"), expected);
    }

    #[test]
    fn lines_are_appended_to_a_file_that_may_be_moved_away() {
        let path = env::temp_dir().join(format!("shardis-log-{}", process::id()));
        let log = Log::new(Sink::File(path.clone()), Arc::new(Config::default()), || 1_795_373_697_007);
        log.notice("Server initialized");
        log.warning("two");
        let id = process::id();
        let expected = format!(
            "{id}:M 22 Nov 2026 18:54:57.007 * Server initialized\n{id}:M 22 Nov 2026 18:54:57.007 # two\n"
        );
        assert_eq!(fs::read_to_string(&path).expect("a log"), expected);
        fs::remove_file(&path).expect("a log");
        log.notice("three");
        assert!(fs::read_to_string(&path).expect("a new log").ends_with(" * three\n"));
        fs::remove_file(&path).expect("a log");
    }
}
