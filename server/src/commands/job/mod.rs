//! Jobs: work that the server does while nobody waits for it, by keys of a type of their own. How one is made and done is the
//! business of `jobs` and `dispatch::server_job`; here is what can be asked about it.

mod cancel;
mod info;
mod list;
mod wait;

use crate::command::{Category, Family};

pub static FAMILY: Family = Family::new(
    "job",
    Category::JOB,
    &[&info::INFO, &info::RESULT, &wait::WAIT, &cancel::CANCEL, &list::LIST],
);

/// Since when these commands are there.
const SINCE: &str = "0.1.0";
