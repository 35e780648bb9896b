//! What the operating system tells of this process and of the machine. Where it tells it otherwise than Linux, nothing is
//! known and everything is zero.

use std::fs;

/// Name, release and processor; the release only where the system tells it in a file.
pub fn operating_system() -> String {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok();
    let name = read("ostype").unwrap_or_else(|| std::env::consts::OS.to_owned());
    let release = read("osrelease").unwrap_or_default();
    format!("{} {} {}", name.trim(), release.trim(), std::env::consts::ARCH)
}

/// A line `name: n kB` of a status file, in bytes; zero where there is no such file.
pub fn status_bytes(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Bytes of memory that the machine has.
pub fn machine_bytes() -> u64 {
    status_bytes("/proc/meminfo", "MemTotal:")
}

/// Resident bytes of this process.
pub fn resident_bytes() -> u64 {
    status_bytes("/proc/self/status", "VmRSS:")
}

/// Seconds that a process or thread has used, by its status file: user, system, and both of its children.
pub fn processor_times(path: &str) -> Option<[f64; 4]> {
    let text = fs::read_to_string(path).ok()?;
    // The name of the program comes second, in parentheses, and may hold anything.
    let (_, fields) = text.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(USER_TIME_FIELD).map(str::parse::<u64>);
    let mut seconds = [0.0; 4];
    for value in &mut seconds {
        *value = ticks.next()?.ok()? as f64 / TICKS_PER_SECOND;
    }
    Some(seconds)
}

/// Where the user's time stands in such a file, counted behind the name.
const USER_TIME_FIELD: usize = 11;
/// Linux reports times to programs in hundredths of a second, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_memory_and_time() {
        assert!(resident_bytes() > 0);
        assert!(status_bytes("/proc/meminfo", "MemTotal:") > 0);
        assert_eq!(status_bytes("/proc/self/status", "NoSuchLine:"), 0);
        assert_eq!(status_bytes("/no/such/file", "VmRSS:"), 0);
        let times = processor_times("/proc/self/stat");
        assert!(times.is_some_and(|times| times.iter().all(|seconds| *seconds >= 0.0)));
        assert_eq!(processor_times("/no/such/file"), None);
    }
}
