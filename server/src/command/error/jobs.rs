//! The texts about jobs: what is the matter, where, and what to do.

use shardis_storage::Kind;
use shardis_storage::types::job::Stage;

use super::Error;
use crate::jobs::directory::JOBS_OPEN_MAX;

impl Error {
    /// Nothing at the key of a job.
    pub const NO_JOB: Error = Error::fixed(&"NOJOB there is no job at this key");
    /// A job as what is moved or copied.
    pub const JOB_STAYS: Error =
        Error::fixed(&"ERR operation not supported for jobs: they are neither moved nor copied");
    /// An explanation that nobody waits for.
    pub const ASYNC_EXPLAIN: Error = Error::fixed(&"ERR ASYNC does not go with EXPLAIN");
    /// The key that ASYNC makes up is none that its caller may write.
    pub const NO_PERMISSION_TO_JOB: Error = Error::fixed(
        &"NOPERM this user has no permissions to write keys of the name compute:job:*, which jobs have without ID",
    );
    /// What a job ends with that somebody has ended.
    pub const JOB_CANCELED: Error = Error::fixed(&"CANCELED the job was cancelled");

    /// A job where something is already.
    pub fn job_exists(kind: Kind, stage: Option<Stage>) -> Error {
        let state = stage.map_or(kind.name(), Stage::name);
        Error::new(format!("JOBSTATE {state}: the key of ID exists, a job needs one of its own"))
    }

    /// The result of a job that has none.
    pub fn job_without_result(stage: Stage, reason: &[u8]) -> Error {
        Error::new([b"JOBSTATE ", stage.name().as_bytes(), b": ", reason].concat())
    }

    /// More jobs than the server takes.
    pub fn too_many_jobs() -> Error {
        Error::new(format!(
            "ERR too many jobs are open: at most {JOBS_OPEN_MAX} can be at a time, wait for one"
        ))
    }
}
