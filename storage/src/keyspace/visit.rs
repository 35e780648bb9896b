//! Visits of the workers that compute: the live keys of one shard, a group of buckets at a time, for as long as the
//! worker keeps the shard locked. A visit is no access: it touches no clock and counts no hit, it removes nothing, and
//! nobody can change anything through it.
//!
//! What a walk over a shard promises, though the shard is unlocked and changed between two visits: a key that is there
//! from beginning to end is visited exactly once. That is `table::sweep`'s proof; a key never changes its shard. Expiry
//! is judged by the instant of the walk, which its caller keeps, so a key does not vanish halfway.

use smallvec::SmallVec;

use super::scope::{Contended, Hold, Patience, Scope};
use super::view::{EntryRef, View};
use super::{Db, Keyspace};
use crate::table::{Frontier, TableEntry, prefetch};
use crate::types::ObjectRef;

/// A locked shard, to be visited.
pub struct ShardVisit<'k> {
    view: View<'k>,
    shard: usize,
}

impl Keyspace {
    /// Locks a shard to visit what database `db` has in it, as of `now_ms`.
    pub fn visit(
        &self,
        shard: usize,
        db: Db,
        patience: Patience,
        now_ms: i64,
    ) -> Result<ShardVisit<'_>, Contended> {
        let mut view = View::begin(self, Scope::One(shard), patience, Hold::Short, now_ms)?;
        view.select(db);
        Ok(ShardVisit { view, shard })
    }
}

impl ShardVisit<'_> {
    /// Goes on from `frontier` through the next [`GROUP_BUCKETS`] buckets and returns the new frontier. Keys that
    /// `admits` lets through are given to `row`; once that answers false, the step ends with the bucket.
    ///
    /// A key costs three or four lines of memory, each found through the one before: bucket, entry, value and what the
    /// value points to. So a group goes through in as many passes, each asking for the lines of the next.
    pub fn step(
        &mut self,
        frontier: Frontier,
        mut admits: impl FnMut(&[u8], EntryRef<'_>) -> bool,
        mut row: impl FnMut(&[u8], EntryRef<'_>) -> bool,
    ) -> Frontier {
        let (db, clock, now_ms) = (self.view.db, self.view.clock, self.view.now_ms);
        let hasher = &self.view.keyspace.hasher;
        let table = &self.view.shard_at(self.shard).database(db).table;
        let mut group: SmallVec<[_; GROUP_INLINE]> = SmallVec::new();
        let end = table.sweep(frontier, GROUP_BUCKETS, hasher, |entry, end| group.push((Some(entry), end)));
        let mut stop_at = end;
        for at in 0..group.len() + 3 * DISTANCE {
            if let Some((Some(entry), _)) = group.get(at) {
                prefetch(entry.address());
            }
            if let Some((slot, _)) = group.get_mut(at.wrapping_sub(DISTANCE)) {
                let Some(entry) = slot else { unreachable!() };
                let is_live = entry.deadline_ms().is_none_or(|deadline| deadline > now_ms);
                if is_live && admits(entry.key(), EntryRef::new(entry, clock)) {
                    prefetch_value(entry.object());
                } else {
                    *slot = None;
                }
            }
            if let Some((Some(entry), _)) = group.get(at.wrapping_sub(2 * DISTANCE))
                && let Some(ObjectRef::Hash(hash)) = entry.object()
            {
                hash.prefetch();
            }
            if let Some((Some(entry), bucket_end)) = group.get(at.wrapping_sub(3 * DISTANCE)) {
                if *bucket_end > stop_at {
                    break;
                }
                if !row(entry.key(), EntryRef::new(entry, clock)) {
                    stop_at = *bucket_end;
                }
            }
        }
        stop_at
    }
}

/// Asks for the line of a collection; a string lies in its entry.
fn prefetch_value(object: Option<ObjectRef<'_>>) {
    match object {
        Some(ObjectRef::Hash(hash)) => prefetch(std::ptr::from_ref(hash)),
        Some(ObjectRef::List(list)) => prefetch(std::ptr::from_ref(list)),
        None => {}
    }
}

/// Buckets of one group: enough to fill the processor's queue of pending lines many times, so that waiting for the
/// first ones is shared by all, and few enough that their lines fit its first-level cache.
pub const GROUP_BUCKETS: usize = 16;
/// Entries of a group that need no allocation: buckets at their fullest, and some chains.
const GROUP_INLINE: usize = 256;
const DISTANCE: usize = 8;
