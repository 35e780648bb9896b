//! The parameters of computations: what each may take unless its command says otherwise, and what no command may ask for
//! more than.

use super::declare::{memory, number};
use super::locks::LEASE_MS_MAX;
use super::options::{Parameter, THREADS_MAX};
use super::setting::Setting;

/// What computations may take.
pub struct ComputeLimits {
    pub threads: Setting<i64>,
    pub timeout: Setting<i64>,
    pub async_timeout: Setting<i64>,
    pub job_kept_ms: Setting<i64>,
    pub max_memory: Setting<i64>,
    pub max_groups: Setting<i64>,
    pub max_output: Setting<i64>,
    pub hard_timeout: Setting<i64>,
    pub hard_max_memory: Setting<i64>,
    pub hard_max_groups: Setting<i64>,
    pub hard_max_output: Setting<i64>,
}

impl Default for ComputeLimits {
    fn default() -> ComputeLimits {
        ComputeLimits {
            threads: Setting::new(0),
            timeout: Setting::new(5000),
            async_timeout: Setting::new(600_000),
            job_kept_ms: Setting::new(3_600_000),
            max_memory: Setting::new(0),
            max_groups: Setting::new(1_000_000),
            max_output: Setting::new(64 << 20),
            hard_timeout: Setting::new(0),
            hard_max_memory: Setting::new(0),
            hard_max_groups: Setting::new(0),
            hard_max_output: Setting::new(0),
        }
    }
}

pub const THREADS: Parameter =
    number("compute-threads", 0, THREADS_MAX, |config| config.compute.threads.raw())
        .at_start()
        .summary("Threads that compute; 0 for as many as the machine runs at once.");

pub const TIMEOUT: Parameter = number("compute-timeout", 0, i64::MAX, |config| config.compute.timeout.raw())
    .summary("Milliseconds that a computation may take without TIMEOUT; 0 for as long as it takes.");

pub const ASYNC_TIMEOUT: Parameter =
    number("compute-async-timeout", 0, i64::MAX, |config| config.compute.async_timeout.raw()).summary(
        "Milliseconds that a computation may take with ASYNC and without TIMEOUT; 0 for as long as it takes.",
    );

pub const JOB_TTL: Parameter = number("job-ttl", 0, LEASE_MS_MAX, |config| config.compute.job_kept_ms.raw())
    .summary("Milliseconds that a job is kept when it has ended; 0 until somebody removes it.");

pub const MAX_MEMORY: Parameter = memory("compute-max-memory", 0, |config| config.compute.max_memory.raw())
    .summary("Bytes that a computation may need without MAXMEM; 0 for a twentieth of the memory there is.");

pub const MAX_GROUPS: Parameter =
    number("compute-max-groups", 1, i64::MAX, |config| config.compute.max_groups.raw())
        .summary("Groups that a computation may have without MAXGROUPS.");

pub const MAX_OUTPUT: Parameter = memory("compute-max-output", 1, |config| config.compute.max_output.raw())
    .summary("Bytes that the result of a computation may have without MAXOUT.");

pub const HARD_TIMEOUT: Parameter =
    number("compute-hard-timeout", 0, i64::MAX, |config| config.compute.hard_timeout.raw())
        .summary("The longest TIMEOUT that a command may ask for; 0 for any.");

pub const HARD_MAX_MEMORY: Parameter =
    memory("compute-hard-max-memory", 0, |config| config.compute.hard_max_memory.raw())
        .summary("The most MAXMEM that a command may ask for; 0 for any.");

pub const HARD_MAX_GROUPS: Parameter =
    number("compute-hard-max-groups", 0, i64::MAX, |config| config.compute.hard_max_groups.raw())
        .summary("The most MAXGROUPS that a command may ask for; 0 for any.");

pub const HARD_MAX_OUTPUT: Parameter =
    memory("compute-hard-max-output", 0, |config| config.compute.hard_max_output.raw())
        .summary("The most MAXOUT that a command may ask for; 0 for any.");
