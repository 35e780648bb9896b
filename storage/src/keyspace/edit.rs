//! The write guard of a collection.
//!
//! It takes the collection out of its entry for as long as it lives and dereferences to the plain data structure, which
//! changes only in [`Edit::change`]. When it drops, it gives the collection back, removes the key if the collection
//! became empty, keeps the shard's memory and appends to the change log. A handler cannot forget any of this.

use std::ops::Deref;

use super::Key;
use super::change::What;
use super::cut::Fed;
use super::view::View;
use crate::table::{KeyHash, Position};
use crate::types::{Collection, WrongType};

/// A collection that is being changed.
pub struct Edit<'t, 'k, T: Collection> {
    view: &'t mut View<'k>,
    key: Box<[u8]>,
    hash: KeyHash,
    position: Position,
    fed: Fed,
    /// Present until the guard drops.
    value: Option<T>,
    weight_bytes_before: usize,
    had_deadlines: bool,
    /// What a change means for the key, as long as the collection does not become empty.
    what: What,
    is_changed: bool,
}

impl<'t, 'k, T: Collection> Edit<'t, 'k, T> {
    pub(super) fn of(
        view: &'t mut View<'k>,
        key: &Key<'_>,
        position: Position,
        what: What,
    ) -> Result<Edit<'t, 'k, T>, WrongType> {
        let is_observed = view.observers.listen_to(T::KIND);
        if view.database_mut(key.hash).table.at(position).kind() != T::KIND {
            return Err(WrongType);
        }
        // Now, because the entry is without its value as long as the guard lives.
        let fed = view.before_change(key.hash, position);
        let entry = view.database_mut(key.hash).table.change(fed).at_mut(position);
        let weight_bytes_before = entry.weight_bytes();
        let value = entry.lend().and_then(T::from_object).expect("invariant: the kind was just compared");
        // The key is only needed for the log.
        let key_bytes: Box<[u8]> = if is_observed { key.bytes.into() } else { Box::default() };
        Ok(Edit {
            view,
            key: key_bytes,
            hash: key.hash,
            position,
            fed,
            had_deadlines: value.has_deadlines(),
            value: Some(value),
            weight_bytes_before,
            what,
            is_changed: false,
        })
    }

    /// Says that what changes is only what time has brought about.
    pub(super) fn is_of_time(&mut self) {
        self.what = What::FieldsExpired;
    }

    /// Lets `change` have the collection. What it returns begins with whether it has changed anything: a command that
    /// finds nothing to do is no change of the key.
    pub fn change<R>(&mut self, change: impl FnOnce(&mut T) -> (bool, R)) -> R {
        let value = self.value.as_mut().expect("invariant: present until the guard drops");
        let (is_changed, outcome) = change(value);
        self.is_changed |= is_changed;
        outcome
    }
}

impl<T: Collection> Deref for Edit<'_, '_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("invariant: present until the guard drops")
    }
}

impl<T: Collection> Drop for Edit<'_, '_, T> {
    fn drop(&mut self) {
        let Some(value) = self.value.take() else { return };
        let (is_empty, has_deadlines) = (value.is_empty(), value.has_deadlines());
        let database = self.view.database_mut(self.hash);
        let entry = database.table.change(self.fed).at_mut(self.position);
        entry.give_back(value.into_object());
        database.weight_bytes = database.weight_bytes + entry.weight_bytes() - self.weight_bytes_before;
        database.timed_hashes =
            database.timed_hashes + u32::from(has_deadlines) - u32::from(self.had_deadlines);
        if is_empty {
            let entry = self.view.remove_at(self.hash, self.position);
            self.view.discard(entry);
        }
        // It was never there.
        if !self.is_changed || is_empty && self.what == What::Created {
            return;
        }
        let key = std::mem::take(&mut self.key);
        self.view.log(&key, T::KIND, self.what);
        if is_empty {
            self.view.log_emptied(&key, T::KIND);
        }
    }
}
