//! Which computations there are: those that somebody waits for, and the jobs, which have keys. A run finds its key here, and
//! whoever looks on finds how far it has got. What a job is, is what stands at its key (`storage::types::job`); the clients'
//! view of it is `commands/job`.
//!
//! 1. A job is entered under the lock of its key's shard, when its key is made, and leaves when its key has gone, whoever
//!    has removed it: the settling of that transaction says so, under the same lock. So who finds a job here and has locked
//!    the shard of its key finds the key, in this database.
//! 2. Numbers are never given twice. Who has a number from before finds nothing, or a job at the key that has another one.
//! 3. What is not entered any more is cancelled: nobody could see its outcome.
//!
//! Its lock is a leaf: nothing is locked inside of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};

use parking_lot::Mutex;
use shardis_storage::types::job::{Job, Stage};
use shardis_storage::{Db, ObjectRef, Orphan};

use super::Cancel;

/// Jobs at most whose work is not done: beyond that none is begun.
pub const JOBS_OPEN_MAX: usize = 1024;

/// All computations of a server.
#[derive(Debug, Default)]
pub struct Directory {
    entries: Mutex<BTreeMap<u64, Listed>>,
    last_number: AtomicU64,
    /// Jobs whose work is not done.
    open: AtomicU64,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The database.
    pub db: Db,
    /// The key of a job; `None`: somebody waits for it.
    pub key: Option<Box<[u8]>>,
    /// Whose call it is.
    pub client: u64,
    /// What does it.
    pub command: &'static str,
    /// When it was asked for, in Unix milliseconds.
    pub created_ms: i64,
    /// How far it has got.
    pub course: Arc<Course>,
    /// How it is ended.
    pub cancel: Cancel,
}

/// How far a run has got, told by those who work on it.
#[derive(Debug)]
pub struct Course {
    /// When the work began, in Unix milliseconds; `NOT_BEGUN` before.
    begun_ms: AtomicI64,
    is_over: AtomicBool,
    /// The percentage that was told last.
    told: AtomicU8,
    /// The share of what there is to visit, in millionths.
    visited: AtomicU64,
}

/// The whole, in millionths.
const WHOLE: u64 = 1_000_000;
const NOT_BEGUN: i64 = i64::MIN;

impl Default for Course {
    fn default() -> Course {
        Course {
            begun_ms: AtomicI64::new(NOT_BEGUN),
            is_over: AtomicBool::new(false),
            told: AtomicU8::new(u8::MAX),
            visited: AtomicU64::new(0),
        }
    }
}

impl Course {
    /// Notes that the work begins.
    pub fn begin(&self, now_ms: i64) {
        self.begun_ms.store(now_ms, Ordering::Release);
    }

    /// When the work began, in Unix milliseconds, if it has.
    pub fn begun_ms(&self) -> Option<i64> {
        Some(self.begun_ms.load(Ordering::Acquire)).filter(|&begun_ms| begun_ms != NOT_BEGUN)
    }

    /// Adds a share of what there is to visit.
    pub fn add(&self, share: f64) {
        self.visited.fetch_add((share * WHOLE as f64) as u64, Ordering::Relaxed);
    }

    /// Whether this percentage is news; from now on it is none.
    pub fn tells(&self, percent: u8) -> bool {
        self.told.swap(percent, Ordering::Relaxed) != percent
    }

    /// How much is done, in percent. Nothing is until all is.
    pub fn percent(&self) -> u8 {
        (self.visited.load(Ordering::Relaxed).min(WHOLE - 1) * 100 / WHOLE) as u8
    }
}

impl Listed {
    /// How far it has got, and how much of it is done in percent: of a job without an outcome, and of anything that has no key, what
    /// those say who work on it.
    pub fn stage(&self, job: Option<&Job>) -> (Stage, u8) {
        match (job, self.course.begun_ms()) {
            (Some(job), _) if !job.stage().is_open() => (job.stage(), job.percent()),
            (_, Some(_)) => (Stage::Running, self.course.percent()),
            (_, None) => (Stage::Created, 0),
        }
    }
}

/// The place of a run that somebody waits for; it leaves when that ends.
#[derive(Debug)]
pub struct Listing {
    directory: Arc<Directory>,
    number: u64,
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.directory.entries.lock().remove(&self.number);
    }
}

impl Directory {
    /// Enters a run that somebody waits for.
    pub fn list(self: &Arc<Directory>, listed: Listed) -> Listing {
        let number = self.next_number();
        self.entries.lock().insert(number, listed);
        Listing { directory: Arc::clone(self), number }
    }

    /// A number that nobody has had.
    pub fn next_number(&self) -> u64 {
        self.last_number.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Enters a job of this number, unless too many are open; whether it was entered. The shard of its key is locked.
    pub fn enter(&self, number: u64, listed: Listed) -> bool {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        if before >= JOBS_OPEN_MAX as u64 {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.entries.lock().insert(number, listed);
        true
    }

    /// Notes that the work of a job is done, one way or another; once for each.
    pub fn close(&self, course: &Course) {
        if !course.is_over.swap(true, Ordering::AcqRel) {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Takes out a job that nobody can find any more, and ends its work.
    pub fn leave(&self, number: u64) {
        let left = self.entries.lock().remove(&number);
        if let Some(left) = left {
            left.cancel.set();
        }
    }

    /// Takes out a job whose key has gone, or somebody has replaced. Its shard is locked.
    pub fn orphaned(&self, orphan: &Orphan) {
        if let Some(ObjectRef::Job(job)) = orphan.object() {
            self.leave(job.number());
        }
    }

    /// The computation of a number.
    pub fn find(&self, number: u64) -> Option<Listed> {
        self.entries.lock().get(&number).cloned()
    }

    /// The computations of a database behind a number, with theirs, in order: so many at most.
    pub fn behind(&self, number: u64, db: Db, count: usize) -> Vec<(u64, Listed)> {
        let entries = self.entries.lock();
        let behind = entries.range(number.saturating_add(1)..).filter(|(_, listed)| listed.db == db);
        behind.take(count).map(|(number, listed)| (*number, listed.clone())).collect()
    }

    /// The jobs whose work goes on.
    pub fn at_work(&self) -> Vec<(u64, Listed)> {
        if self.open.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let entries = self.entries.lock();
        let is_at_work = |listed: &Listed| {
            let course = &*listed.course;
            listed.key.is_some() && course.begun_ms().is_some() && !course.is_over.load(Ordering::Acquire)
        };
        let at_work = entries.iter().filter(|(_, listed)| is_at_work(listed));
        at_work.map(|(number, listed)| (*number, listed.clone())).collect()
    }

    /// Takes out the jobs of a database that was emptied, and ends their work. All shards are locked.
    pub fn flushed(&self, db: Db) {
        self.entries.lock().retain(|_, listed| {
            let leaves = listed.key.is_some() && listed.db == db;
            if leaves {
                listed.cancel.set();
            }
            !leaves
        });
    }

    /// Follows two databases that have changed places. All shards are locked.
    pub fn swap(&self, a: Db, b: Db) {
        for listed in self.entries.lock().values_mut().filter(|listed| listed.key.is_some()) {
            if listed.db == a {
                listed.db = b;
            } else if listed.db == b {
                listed.db = a;
            }
        }
    }

    /// How many jobs there are, and of how many the work is not done.
    pub fn counts(&self) -> (usize, u64) {
        let jobs = self.entries.lock().values().filter(|listed| listed.key.is_some()).count();
        (jobs, self.open.load(Ordering::Relaxed))
    }

    /// About how many bytes it takes.
    pub fn memory_bytes(&self) -> usize {
        let of = |listed: &Listed| listed.key.as_ref().map_or(0, |key| key.len()) + size_of::<Course>();
        let entries = self.entries.lock();
        entries.len() * size_of::<(u64, Listed)>() + entries.values().map(of).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(key: Option<&[u8]>, db: u16) -> Listed {
        Listed {
            db: Db(db),
            key: key.map(Box::from),
            client: 1,
            command: "COMPUTE.COUNT",
            created_ms: 0,
            course: Arc::default(),
            cancel: Cancel::default(),
        }
    }

    #[test]
    fn a_job_is_found_until_its_key_has_gone_and_then_it_is_cancelled() {
        let directory = Directory::default();
        let job = listed(Some(b"j"), 0);
        assert!(directory.enter(5, job.clone()));
        assert_eq!(directory.find(5).unwrap().key.as_deref(), Some(&b"j"[..]));
        directory.swap(Db(0), Db(3));
        assert_eq!(directory.find(5).unwrap().db, Db(3));
        directory.flushed(Db(0));
        assert!(!job.cancel.is_set());
        directory.flushed(Db(3));
        assert!(job.cancel.is_set() && directory.find(5).is_none());
        directory.close(&job.course);
        directory.close(&job.course);
        assert_eq!(directory.counts(), (0, 0));
    }

    #[test]
    fn only_so_many_jobs_are_open_at_once() {
        let directory = Directory::default();
        let first = listed(Some(b"j"), 0);
        assert!(directory.enter(0, first.clone()));
        assert!((1..JOBS_OPEN_MAX as u64).all(|number| directory.enter(number, listed(Some(b"j"), 0))));
        assert!(!directory.enter(9999, listed(Some(b"j"), 0)));
        directory.close(&first.course);
        assert!(directory.enter(9999, listed(Some(b"j"), 0)));
    }

    #[test]
    fn a_run_is_listed_until_nobody_waits_for_it_any_more() {
        let directory = Arc::new(Directory::default());
        let listing = directory.list(listed(None, 0));
        assert_eq!(directory.behind(0, Db(0), 10).len(), 1);
        assert!(directory.behind(0, Db(1), 10).is_empty() && directory.at_work().is_empty());
        drop(listing);
        assert!(directory.behind(0, Db(0), 10).is_empty());
    }

    #[test]
    fn nothing_is_whole_before_it_is_over() {
        let course = Course::default();
        assert_eq!(course.begun_ms(), None);
        course.begin(0);
        assert_eq!(course.begun_ms(), Some(0));
        course.add(0.5);
        assert_eq!(course.percent(), 50);
        course.add(0.5);
        assert_eq!(course.percent(), 99);
    }
}
