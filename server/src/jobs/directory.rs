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

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use parking_lot::Mutex;
use shardis_storage::types::job::{Job, Stage};
use shardis_storage::{Db, ObjectRef, Orphan};

use super::Cancel;

/// Jobs at most whose work is not done: beyond that none is begun.
pub const JOBS_OPEN_MAX: usize = 1024;

/// All computations of a server.
#[derive(Debug, Default)]
pub struct Directory {
    entries: Mutex<Entries>,
    last_number: AtomicU64,
}

#[derive(Debug, Default)]
struct Entries {
    all: BTreeMap<u64, Listed>,
    /// Jobs whose work is not done, whether their key is there or not.
    open: BTreeSet<u64>,
    /// How many have keys.
    jobs: usize,
    bytes: usize,
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

    /// Whether this percentage is news.
    pub fn is_news(&self, percent: u8) -> bool {
        self.told.load(Ordering::Relaxed) != percent
    }

    /// Notes that it has been told.
    pub fn note_told(&self, percent: u8) {
        self.told.store(percent, Ordering::Relaxed);
    }

    /// How much is done, in percent. Nothing is until all is.
    pub fn percent(&self) -> u8 {
        (self.visited.load(Ordering::Relaxed).min(WHOLE - 1) * 100 / WHOLE) as u8
    }
}

impl Listed {
    fn weight(&self) -> usize {
        size_of::<(u64, Listed)>() + size_of::<Course>() + self.key.as_ref().map_or(0, |key| key.len())
    }

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
        self.directory.entries.lock().remove(self.number);
    }
}

impl Entries {
    fn insert(&mut self, number: u64, listed: Listed) {
        self.bytes += listed.weight();
        self.jobs += usize::from(listed.key.is_some());
        self.all.insert(number, listed);
    }

    fn remove(&mut self, number: u64) -> Option<Listed> {
        let listed = self.all.remove(&number)?;
        self.bytes -= listed.weight();
        self.jobs -= usize::from(listed.key.is_some());
        Some(listed)
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
        let mut entries = self.entries.lock();
        if entries.open.len() >= JOBS_OPEN_MAX {
            return false;
        }
        entries.open.insert(number);
        entries.insert(number, listed);
        true
    }

    /// Notes that the work of a job is done, one way or another.
    pub fn close(&self, number: u64) {
        self.entries.lock().open.remove(&number);
    }

    /// Takes out a job that nobody can find any more, and ends its work.
    pub fn leave(&self, number: u64) {
        let left = self.entries.lock().remove(number);
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
        self.entries.lock().all.get(&number).cloned()
    }

    /// The computations behind a number, with theirs, in order: so many at most, whatever their database.
    pub fn behind(&self, number: u64, count: usize) -> Vec<(u64, Listed)> {
        let entries = self.entries.lock();
        let behind = entries.all.range(number.saturating_add(1)..);
        behind.take(count).map(|(number, listed)| (*number, listed.clone())).collect()
    }

    /// The jobs whose work goes on.
    pub fn at_work(&self) -> Vec<(u64, Listed)> {
        let entries = self.entries.lock();
        let open = entries.open.iter().filter_map(|number| Some((*number, entries.all.get(number)?)));
        let at_work = open.filter(|(_, listed)| listed.course.begun_ms().is_some());
        at_work.map(|(number, listed)| (number, listed.clone())).collect()
    }

    /// Looks for the jobs of databases that were emptied, or have changed places, in whatever order: `find` tells where the job of
    /// this number is now, if it is anywhere. All shards are locked.
    pub fn follow(&self, dbs: &[Db], mut find: impl FnMut(u64, &[u8]) -> Option<Db>) {
        let mut entries = self.entries.lock();
        let mut gone = Vec::new();
        for (number, listed) in entries.all.iter_mut().filter(|(_, listed)| dbs.contains(&listed.db)) {
            let Some(key) = &listed.key else { continue };
            match find(*number, key) {
                Some(db) => listed.db = db,
                None => gone.push(*number),
            }
        }
        for listed in gone.into_iter().filter_map(|number| entries.remove(number)) {
            listed.cancel.set();
        }
    }

    /// How many jobs there are, and of how many the work is not done.
    pub fn counts(&self) -> (usize, usize) {
        let entries = self.entries.lock();
        (entries.jobs, entries.open.len())
    }

    /// About how many bytes it takes.
    pub fn memory_bytes(&self) -> usize {
        self.entries.lock().bytes
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
        directory.follow(&[Db(0), Db(3)], |number, key| (number == 5 && key == b"j").then_some(Db(3)));
        assert_eq!(directory.find(5).unwrap().db, Db(3));
        directory.follow(&[Db(0)], |_, _| None);
        assert!(!job.cancel.is_set() && directory.counts() == (1, 1));
        directory.follow(&[Db(3)], |_, _| None);
        assert!(job.cancel.is_set() && directory.find(5).is_none());
        directory.close(5);
        directory.close(5);
        assert_eq!((directory.counts(), directory.memory_bytes()), ((0, 0), 0));
    }

    #[test]
    fn only_so_many_jobs_are_open_at_once() {
        let directory = Directory::default();
        assert!(directory.enter(0, listed(Some(b"j"), 0)));
        assert!((1..JOBS_OPEN_MAX as u64).all(|number| directory.enter(number, listed(Some(b"j"), 0))));
        assert!(!directory.enter(9999, listed(Some(b"j"), 0)));
        directory.close(0);
        assert!(directory.enter(9999, listed(Some(b"j"), 0)));
    }

    #[test]
    fn a_run_is_listed_until_nobody_waits_for_it_any_more() {
        let directory = Arc::new(Directory::default());
        let listing = directory.list(listed(None, 0));
        assert!(directory.behind(0, 10).len() == 1 && directory.at_work().is_empty());
        drop(listing);
        assert!(directory.behind(0, 10).is_empty());
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
