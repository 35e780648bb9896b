//! Results that are handed out page by page. A run with CURSOR makes its whole result at once, as of its instant; what does not fit
//! the first page waits here, for the same user on whatever connection, until it has been fetched, is closed, or has not
//! been asked for too long; or until the database that it is about is emptied.
//!
//! Who has a number finds that cursor or none: numbers are drawn at random, and never given twice while a cursor is open. Its lock is
//! a leaf: nothing is locked inside of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use shardis_compute::{Outcome, Plan, Value};
use shardis_storage::{Db, Random};

use super::order::Finished;
use crate::command::Error;

/// Cursors at most that are open at once.
pub const CURSORS_MAX: usize = 1024;
/// Rows of a page without COUNT.
pub const PAGE_ROWS: usize = 1000;
/// How long a cursor waits without MAXIDLE.
const IDLE_MS: u64 = 300_000;
/// The results that are open may together take so many times what one run may need that does not say.
pub const SHARE_OF_ALL: u64 = 4;

/// All cursors of a server.
#[derive(Debug, Default)]
pub struct Cursors {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    cursors: HashMap<u64, Cursor>,
    bytes: usize,
}

/// The rest of a result.
#[derive(Debug)]
struct Cursor {
    /// Whose it is.
    user: Box<[u8]>,
    db: Db,
    plan: Arc<Plan>,
    /// The result without rows.
    frame: Finished,
    rows: std::vec::IntoIter<Vec<Value>>,
    bytes: usize,
    idle_max: Duration,
    /// When it was asked for last, in time that has elapsed on the clock.
    touched: Duration,
}

/// What was closed. To free it may take long, which is for whoever may take long.
#[derive(Debug)]
#[must_use]
pub struct Closed(Vec<Cursor>);

/// A part of a result.
#[derive(Debug)]
pub struct Page {
    /// What it is the result of.
    pub plan: Arc<Plan>,
    /// The result, with the rows of this page only.
    pub finished: Finished,
    /// Where the rest of them is; 0 if there is none.
    pub cursor: u64,
}

/// Whose a cursor is, and when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The user.
    pub user: &'a [u8],
    /// In time that has elapsed on the clock.
    pub now: Duration,
}

impl Cursors {
    /// The first page of a result in this database, and a cursor for what it leaves, unless all cursors would take more than so
    /// many bytes. It weighs the whole result, and may free it, for which a network thread has no time.
    pub fn open(
        &self,
        plan: &Arc<Plan>,
        finished: Finished,
        db: Db,
        asking: Asking<'_>,
        bytes_max: u64,
        random: &mut Random,
    ) -> Result<Page, Error> {
        let options = plan.options().cursor.unwrap_or_default();
        let mut frame = finished;
        let rows = std::mem::take(&mut frame.outcome.rows);
        let bytes = rows.iter().map(|row| row_bytes(row)).sum();
        let mut cursor = Cursor {
            user: asking.user.into(),
            db,
            plan: Arc::clone(plan),
            frame,
            rows: rows.into_iter(),
            bytes,
            idle_max: Duration::from_millis(options.idle_ms_max.unwrap_or(IDLE_MS)),
            touched: asking.now,
        };
        let page = cursor.page(None, 0);
        if cursor.rows.len() == 0 {
            return Ok(page);
        }
        let mut open = self.open.lock();
        if open.cursors.len() >= CURSORS_MAX {
            return Err(Error::too_many_cursors());
        }
        if (open.bytes + cursor.bytes) as u64 > bytes_max {
            return Err(Error::cursors_are_too_large(bytes_max));
        }
        let number = open.number(random);
        open.bytes += cursor.bytes;
        open.cursors.insert(number, cursor);
        Ok(Page { cursor: number, ..page })
    }

    /// The next page of so many rows at most, or of as many as the cursor was opened for. With the last one it is closed.
    pub fn next(&self, number: u64, rows_max: Option<usize>, asking: Asking<'_>) -> Result<Page, Error> {
        let mut open = self.open.lock();
        let open = &mut *open;
        let cursor = open.find(number, asking)?;
        cursor.touched = asking.now;
        let before = cursor.bytes;
        let page = cursor.page(rows_max, number);
        open.bytes -= before - cursor.bytes;
        if page.cursor == 0 {
            // It has no rows left.
            drop(open.close_all(|at, _| at == number));
        }
        Ok(page)
    }

    /// How many rows its next page has without COUNT.
    pub fn page_rows(&self, number: u64, asking: Asking<'_>) -> Result<usize, Error> {
        Ok(self.open.lock().find(number, asking)?.page_rows())
    }

    /// Closes a cursor that nobody has heard of.
    pub fn withdraw(&self, number: u64) -> Closed {
        self.open.lock().close_all(|at, _| at == number)
    }

    /// Closes a cursor.
    pub fn close(&self, number: u64, asking: Asking<'_>) -> Result<Closed, Error> {
        let mut open = self.open.lock();
        open.find(number, asking)?;
        Ok(open.close_all(|at, _| at == number))
    }

    /// Closes those that nobody has asked for too long.
    pub fn close_idle(&self, now: Duration) -> Closed {
        self.open.lock().close_all(|_, cursor| cursor.is_idle(now))
    }

    /// Closes those that are about a database which was emptied.
    pub fn flushed(&self, db: Db) -> Closed {
        self.open.lock().close_all(|_, cursor| cursor.db == db)
    }

    /// How many there are, and about how many bytes they take.
    pub fn counts(&self) -> (usize, usize) {
        let open = self.open.lock();
        (open.cursors.len(), open.bytes)
    }
}

impl Open {
    /// The cursor of a number that this user has open.
    fn find(&mut self, number: u64, asking: Asking<'_>) -> Result<&mut Cursor, Error> {
        let is_theirs = |cursor: &&mut Cursor| *cursor.user == *asking.user && !cursor.is_idle(asking.now);
        self.cursors.get_mut(&number).filter(is_theirs).ok_or(Error::NO_CURSOR)
    }

    fn close_all(&mut self, which: impl Fn(u64, &Cursor) -> bool) -> Closed {
        let closed: Vec<Cursor> = self
            .cursors
            .extract_if(|number, cursor| which(*number, cursor))
            .map(|(_, cursor)| cursor)
            .collect();
        self.bytes -= closed.iter().map(|cursor| cursor.bytes).sum::<usize>();
        Closed(closed)
    }

    /// A number that no cursor has, and that reads as an integer in any language.
    fn number(&self, random: &mut Random) -> u64 {
        loop {
            let number = random.below(1 << 53);
            if number > 0 && !self.cursors.contains_key(&number) {
                return number;
            }
        }
    }
}

impl Closed {
    /// Whether there is nothing to be freed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Cursor {
    /// Whether nobody has asked for it too long.
    fn is_idle(&self, now: Duration) -> bool {
        now.saturating_sub(self.touched) >= self.idle_max
    }

    fn page_rows(&self) -> usize {
        let options = self.plan.options().cursor.unwrap_or_default();
        options.count.map_or(PAGE_ROWS, Into::into)
    }

    /// Takes the next rows: so many at most, and no more than a reply may have bytes, but one in any case.
    fn page(&mut self, rows_max: Option<usize>, number: u64) -> Page {
        let rows_max = rows_max.unwrap_or(self.page_rows());
        let bytes_max = usize::try_from(self.plan.limits().output_bytes_max).unwrap_or(usize::MAX);
        let (mut count, mut bytes) = (0_usize, 0_usize);
        for row in self.rows.as_slice().iter().take(rows_max) {
            let next = bytes.saturating_add(row_bytes(row));
            if count > 0 && next > bytes_max {
                break;
            }
            (count, bytes) = (count + 1, next);
        }
        // The room for the rows themselves stays until the last is gone.
        self.bytes -= bytes - count * size_of::<Vec<Value>>();
        let rows = self.rows.by_ref().take(count).collect();
        let outcome = Outcome { rows, ..self.frame.outcome.clone() };
        let Finished { stored, isolation, covered, ms, profile, .. } = self.frame;
        let finished = Finished { outcome, stored, isolation, covered, ms, profile };
        let cursor = if self.rows.len() == 0 { 0 } else { number };
        Page { plan: Arc::clone(&self.plan), finished, cursor }
    }
}

/// About how many bytes a row takes, here and in a reply.
fn row_bytes(row: &[Value]) -> usize {
    size_of::<Vec<Value>>() + row.iter().map(|value| size_of::<Value>() + value.memory_bytes()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use shardis_compute::{Bounds, Form, Isolation, Limits};

    use super::super::order::Profile;
    use super::*;

    const ALICE: Asking<'_> = Asking { user: b"alice", now: Duration::ZERO };

    fn plan(options: &str, limits: Limits) -> Arc<Plan> {
        let words = format!("* RETURN 1 key {options}");
        let words: Vec<&[u8]> = words.split_ascii_whitespace().map(str::as_bytes).collect();
        Arc::new(Plan::new(Form::Select, &words, &Bounds { usual: limits, ..Bounds::NONE }).unwrap())
    }

    fn result(rows: usize) -> Finished {
        let rows = (0..rows).map(|n| vec![Value::Text(format!("key:{n:04}"))]).collect();
        let outcome = Outcome { columns: vec![b"key".to_vec()], rows, scanned: 1, matched: 1, errors: 0 };
        let (isolation, profile) = (Isolation::Snapshot, Profile::default());
        Finished { outcome, stored: None, isolation, covered: None, ms: 1.0, profile }
    }

    fn open(cursors: &Cursors, plan: &Arc<Plan>, rows: usize) -> Result<Page, Error> {
        cursors.open(plan, result(rows), Db(0), ALICE, u64::MAX, &mut Random::seeded(1))
    }

    #[test]
    fn pages_are_the_result_and_the_last_one_closes_the_cursor() {
        let cursors = Cursors::default();
        let plan = plan("CURSOR COUNT 4", Limits::NONE);
        let mut page = open(&cursors, &plan, 11).unwrap();
        let (mut rows, number) = (std::mem::take(&mut page.finished.outcome.rows), page.cursor);
        assert_eq!((rows.len(), cursors.counts().0), (4, 1));
        for (rows_max, expected) in [(None, 4), (Some(2), 2), (Some(9), 1)] {
            assert_eq!(page.cursor, number);
            page = cursors.next(number, rows_max, ALICE).unwrap();
            assert_eq!(page.finished.outcome.rows.len(), expected);
            rows.append(&mut page.finished.outcome.rows);
        }
        assert_eq!((page.cursor, cursors.counts()), (0, (0, 0)));
        assert_eq!(rows, result(11).outcome.rows);
        assert!(cursors.next(number, None, ALICE).is_err());
    }

    #[test]
    fn what_fits_one_page_opens_nothing() {
        let cursors = Cursors::default();
        let page = open(&cursors, &plan("CURSOR COUNT 4", Limits::NONE), 4).unwrap();
        assert_eq!((page.finished.outcome.rows.len(), page.cursor, cursors.counts()), (4, 0, (0, 0)));
    }

    #[test]
    fn a_page_has_no_more_bytes_than_a_reply_may_but_one_row_in_any_case() {
        let cursors = Cursors::default();
        let row_bytes = row_bytes(&result(1).outcome.rows[0]) as u64;
        for (output_bytes_max, expected) in [(3 * row_bytes, 3), (1, 1)] {
            let limits = Limits { output_bytes_max, ..Limits::NONE };
            let page = open(&cursors, &plan("CURSOR", limits), 10).unwrap();
            assert_eq!(page.finished.outcome.rows.len(), expected);
        }
    }

    #[test]
    fn a_cursor_is_for_its_user_and_ends_by_waiting_or_with_its_database() {
        let cursors = Cursors::default();
        let plan = plan("CURSOR COUNT 1 MAXIDLE 50", Limits::NONE);
        let at = |now_ms| Asking { now: Duration::from_millis(now_ms), ..ALICE };
        let number = open(&cursors, &plan, 9).unwrap().cursor;
        assert!(cursors.next(number, None, Asking { user: b"bob", ..at(1) }).is_err());
        assert!(cursors.close(number, Asking { user: b"bob", ..at(1) }).is_err());
        assert!(cursors.next(number, None, at(49)).is_ok() && cursors.next(number, None, at(98)).is_ok());
        assert!(cursors.next(number, None, at(148)).is_err());
        assert!(!cursors.close_idle(at(148).now).is_empty());
        assert_eq!(cursors.counts(), (0, 0));
        let number = open(&cursors, &plan, 9).unwrap().cursor;
        assert!(cursors.flushed(Db(1)).is_empty());
        assert!(cursors.next(number, None, ALICE).is_ok());
        assert!(!cursors.flushed(Db(0)).is_empty());
        assert!(cursors.next(number, None, ALICE).is_err());
    }

    #[test]
    fn there_are_only_so_many_and_together_they_are_only_so_large() {
        let cursors = Cursors::default();
        let unlimited = plan("CURSOR COUNT 1", Limits::NONE);
        let mut random = Random::seeded(1);
        let mut open = |plan: &Arc<Plan>, rows, bytes_max| {
            cursors.open(plan, result(rows), Db(0), ALICE, bytes_max, &mut random)
        };
        let number = open(&unlimited, 2, u64::MAX).unwrap().cursor;
        let error = open(&unlimited, 9, 100).unwrap_err();
        assert_eq!(error.code(), b"MEMLIMIT");
        assert!((1..CURSORS_MAX).all(|_| open(&unlimited, 2, u64::MAX).is_ok()));
        assert!(open(&unlimited, 2, u64::MAX).is_err());
        assert!(!cursors.close(number, ALICE).unwrap().is_empty());
        assert!(open(&unlimited, 2, u64::MAX).is_ok());
    }
}
