//! Which shards a transaction locks, and how long it is ready to wait for them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::{RwLockReadGuard, RwLockWriteGuard};

use super::Keyspace;
use super::shard::{Locked, Shard, Slot};
use super::view::View;

/// The shards of a transaction.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// None: the command touches no key.
    None,
    /// One shard.
    One(usize),
    /// Several, ascending and each once.
    Several(&'a [usize]),
    /// All.
    Every,
    /// One after the other, never two together.
    Walk,
    /// Whichever are touched, each kept from then on. There is no way back, so it must be ready to wait.
    Discovered,
}

/// How long a transaction may wait for its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as it takes.
    Wait,
    /// For holders that are soon done, not for those that marked themselves as long.
    Short,
}

/// How long a transaction may hold its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Microseconds.
    Short,
    /// Perhaps seconds: its shards are marked.
    Long,
}

/// A shard is held by somebody who may keep it for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contended;

/// A shard that is held, with its index.
pub(super) type Guard<'k> = (usize, Locked<'k>);

/// The shards that a transaction holds. The tag is a whole word: moving a byte and the seven behind it makes the processor
/// wait for what it has just written.
#[repr(u64)]
pub(super) enum Held<'k> {
    None,
    One(Guard<'k>),
    /// Ascending.
    Several(Vec<Guard<'k>>),
    Every(Vec<Guard<'k>>),
    /// At most one, exchanged for the next.
    Walk(Option<Guard<'k>>),
    /// In order of discovery.
    Discovered(Vec<Guard<'k>>),
}

/// The lock that orders transactions over several shards.
#[repr(u64)]
pub(super) enum Order<'k> {
    None,
    Shared { _guard: RwLockReadGuard<'k, ()> },
    Exclusive { _guard: RwLockWriteGuard<'k, ()> },
}

/// A wait between two looks at the mark of a holder.
const SHORT_WAIT: Duration = Duration::from_micros(100);

impl<'k> Held<'k> {
    /// The shard, which must be held.
    #[inline]
    pub fn shard_mut(&mut self, index: usize) -> &mut Shard {
        match self {
            Held::One((held, guard)) | Held::Walk(Some((held, guard))) => {
                assert_eq!(*held, index, "a key was touched whose shard is not locked");
                guard
            }
            Held::Several(guards) => {
                let at = guards.binary_search_by_key(&index, |(held, _)| *held);
                &mut guards[at.expect("invariant: only declared keys are touched")].1
            }
            Held::Every(guards) => &mut guards[index].1,
            Held::Discovered(guards) => {
                let at = guards.iter().position(|(held, _)| *held == index);
                &mut guards[at.expect("invariant: a shard is discovered before it is used")].1
            }
            Held::None | Held::Walk(None) => unreachable!("a command without keys touched one"),
        }
    }

    /// The shard, which must be held.
    pub fn shard(&self, index: usize) -> &Shard {
        let found = match self {
            Held::Every(guards) => guards.get(index),
            _ => self.all().iter().find(|(held, _)| *held == index),
        };
        &found.expect("invariant: only locked shards are read").1
    }

    /// Whether a shard is held.
    pub fn holds(&self, index: usize) -> bool {
        matches!(self, Held::Every(_)) || self.all().iter().any(|(held, _)| *held == index)
    }

    /// Every shard that is held.
    pub fn all(&self) -> &[Guard<'k>] {
        match self {
            Held::None | Held::Walk(None) => &[],
            Held::One(guard) | Held::Walk(Some(guard)) => std::slice::from_ref(guard),
            Held::Several(guards) | Held::Every(guards) | Held::Discovered(guards) => guards,
        }
    }
}

/// Locks the one shard of a transaction.
#[inline]
pub(super) fn lock_one(
    keyspace: &Keyspace,
    index: usize,
    patience: Patience,
    hold: Hold,
) -> Result<Guard<'_>, Contended> {
    let slot = &keyspace.slots[index];
    let guard = match slot.try_lock() {
        Some(guard) => guard,
        None => lock_contended(slot, patience)?,
    };
    if hold == Hold::Long {
        slot.mark_held_long(true);
    }
    Ok((index, guard))
}

#[cold]
fn lock_contended(slot: &Slot, patience: Patience) -> Result<Locked<'_>, Contended> {
    if patience == Patience::Wait {
        return Ok(slot.lock());
    }
    loop {
        if slot.is_held_long() {
            return Err(Contended);
        }
        if let Some(guard) = slot.try_lock_for(SHORT_WAIT) {
            return Ok(guard);
        }
    }
}

/// How a transaction comes to its shards.
impl<'k> View<'k> {
    /// Takes the shards of a scope, with the order lock where its rule says so.
    #[inline(never)]
    pub(super) fn take(&mut self, scope: Scope<'_>) -> Result<(), Contended> {
        match scope {
            Scope::None => {}
            Scope::One(index) => self.held = Held::One(self.lock(index)?),
            Scope::Walk => self.held = Held::Walk(None),
            Scope::Several(indices) => {
                debug_assert!(indices.is_sorted_by(|a, b| a < b));
                self.order_shared()?;
                self.held = Held::Several(Vec::with_capacity(indices.len()));
                indices.iter().try_for_each(|&index| self.keep(index))?;
            }
            Scope::Every => {
                self.order_shared()?;
                let shards = self.keyspace.slots.len();
                self.held = Held::Every(Vec::with_capacity(shards));
                (0..shards).try_for_each(|index| self.keep(index))?;
            }
            Scope::Discovered => {
                assert_eq!(self.patience, Patience::Wait, "a discovered shard is waited for");
                self.order_exclusive()?;
                self.held = Held::Discovered(Vec::new());
            }
        }
        Ok(())
    }

    /// Moves the one lock of a walk.
    pub(super) fn walk_to(&mut self, index: usize) -> Result<(), Contended> {
        let Held::Walk(at) = &self.held else { return Ok(()) };
        if at.as_ref().is_some_and(|(at, _)| *at == index) {
            return Ok(());
        }
        // What was met expired in the old one cannot be removed later.
        self.remove_expired();
        // The old one goes before the new one is waited for.
        if let Held::Walk(at) = &mut self.held
            && let Some((old, guard)) = at.take()
            && self.hold == Hold::Long
        {
            self.keyspace.slots[old].mark_held_long(false);
            drop(guard);
            self.keyspace.released();
        }
        self.held = Held::Walk(Some(self.lock(index)?));
        Ok(())
    }

    /// Makes sure that a shard is held before it is used: this is where discovered ones are locked.
    #[inline]
    pub(super) fn touch(&mut self, index: usize) {
        if let Held::Discovered(guards) = &self.held
            && !guards.iter().any(|(held, _)| *held == index)
        {
            self.discover(index);
        }
    }

    #[cold]
    fn discover(&mut self, index: usize) {
        let guard = match self.keyspace.slots[index].try_lock() {
            Some(guard) => guard,
            None => self.wait_for(index),
        };
        let guard = self.taken(index, guard);
        if let Held::Discovered(guards) = &mut self.held {
            guards.push(guard);
        }
    }

    /// Whether shards are locked as they are touched, or all are.
    pub fn discovers(&self) -> bool {
        matches!(self.held, Held::Discovered(_) | Held::Every(_))
    }

    /// Locks every shard, where whichever is touched is locked. Then it is as if all had been asked for.
    pub fn hold_every(&mut self) {
        if !matches!(self.held, Held::Discovered(_)) {
            return;
        }
        (0..self.keyspace.slots.len()).for_each(|index| self.touch(index));
        if let Held::Discovered(guards) = &mut self.held {
            let mut guards = std::mem::take(guards);
            guards.sort_unstable_by_key(|(index, _)| *index);
            self.held = Held::Every(guards);
        }
    }

    /// Locks one more of several shards.
    fn keep(&mut self, index: usize) -> Result<(), Contended> {
        let guard = self.lock(index)?;
        if let Held::Several(guards) | Held::Every(guards) = &mut self.held {
            guards.push(guard);
        }
        Ok(())
    }

    fn lock(&mut self, index: usize) -> Result<Guard<'k>, Contended> {
        let slot = &self.keyspace.slots[index];
        let guard = match slot.try_lock() {
            Some(guard) => guard,
            None if self.patience == Patience::Wait => self.wait_for(index),
            None => lock_contended(slot, Patience::Short)?,
        };
        Ok(self.taken(index, guard))
    }

    /// What follows as soon as a shard is locked.
    fn taken(&mut self, index: usize, guard: Locked<'k>) -> Guard<'k> {
        if self.hold == Hold::Long {
            self.keyspace.slots[index].mark_held_long(true);
        }
        // Who was seen under the locks before stays seen.
        let known = self.observers;
        self.look();
        self.observers = self.observers.and_listeners_of(known);
        (index, guard)
    }

    /// Waits as long as it takes. Who waits for a long holder holds what it has for as long.
    fn wait_for(&mut self, index: usize) -> Locked<'k> {
        let slot = &self.keyspace.slots[index];
        loop {
            if slot.is_held_long() {
                self.become_long();
                return slot.lock();
            }
            if let Some(guard) = slot.try_lock_for(SHORT_WAIT) {
                return guard;
            }
        }
    }

    pub(super) fn order_shared(&mut self) -> Result<(), Contended> {
        let order = &self.keyspace.order.lock;
        let guard = match self.patience {
            Patience::Wait => order.read(),
            Patience::Short => self.wait_short(|| order.try_read_for(SHORT_WAIT))?,
        };
        self.ordered(Order::Shared { _guard: guard });
        Ok(())
    }

    fn order_exclusive(&mut self) -> Result<(), Contended> {
        let order = &self.keyspace.order.lock;
        let guard = match self.patience {
            Patience::Wait => order.write(),
            Patience::Short => self.wait_short(|| order.try_write_for(SHORT_WAIT))?,
        };
        self.ordered(Order::Exclusive { _guard: guard });
        Ok(())
    }

    fn ordered(&mut self, order: Order<'k>) {
        self.order = order;
        if self.hold == Hold::Long {
            self.mark_order(true);
        }
    }

    /// Tries for the order lock until a long holder is seen to have it.
    fn wait_short<T>(&self, try_for: impl Fn() -> Option<T>) -> Result<T, Contended> {
        loop {
            if let Some(guard) = try_for() {
                return Ok(guard);
            }
            if self.keyspace.order.holders_long.load(Ordering::Acquire) > 0 {
                return Err(Contended);
            }
        }
    }

    fn become_long(&mut self) {
        let holds_any = !self.held.all().is_empty() || !matches!(self.order, Order::None);
        if holds_any && self.hold == Hold::Short {
            self.hold = Hold::Long;
            self.mark(true);
        }
    }

    fn mark(&self, long: bool) {
        for (index, _) in self.held.all() {
            self.keyspace.slots[*index].mark_held_long(long);
        }
        if !matches!(self.order, Order::None) {
            self.mark_order(long);
        }
    }

    fn mark_order(&self, long: bool) {
        let holders = &self.keyspace.order.holders_long;
        if long {
            holders.fetch_add(1, Ordering::AcqRel);
        } else {
            holders.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for View<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.hold == Hold::Long {
            self.release();
        }
    }
}

impl View<'_> {
    #[cold]
    fn release(&mut self) {
        self.mark(false);
        self.held = Held::None;
        self.order = Order::None;
        self.keyspace.released();
    }
}
