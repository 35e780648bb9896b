//! Which shards a transaction locks, and how long it is ready to wait for them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

use super::Keyspace;
use super::shard::{Shard, Slot};

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
    /// Whichever are touched, each kept from then on.
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

/// The shards that a transaction holds.
pub(super) enum Held<'k> {
    None,
    One(usize, MutexGuard<'k, Shard>),
    Several(Vec<(usize, MutexGuard<'k, Shard>)>),
    Every(Vec<MutexGuard<'k, Shard>>),
    /// At most one, exchanged for the next.
    Walk(Patience, Option<(usize, MutexGuard<'k, Shard>)>),
    /// In order of discovery.
    Discovered(Vec<(usize, MutexGuard<'k, Shard>)>),
}

/// The lock that orders transactions over several shards.
pub(super) enum Order<'k> {
    None,
    Shared { _guard: RwLockReadGuard<'k, ()> },
    Exclusive { _guard: RwLockWriteGuard<'k, ()> },
}

/// A wait between two looks at the mark of a holder.
const SHORT_WAIT: Duration = Duration::from_micros(100);

impl<'k> Held<'k> {
    /// Takes the shards of a scope, with the order lock where its rule says so.
    pub fn take(keyspace: &'k Keyspace, scope: Scope<'_>, patience: Patience) -> Result<(Self, Order<'k>), Contended> {
        let lock = |index: usize| lock(&keyspace.slots[index], patience);
        Ok(match scope {
            Scope::None => (Held::None, Order::None),
            Scope::One(index) => (Held::One(index, lock(index)?), Order::None),
            Scope::Walk => (Held::Walk(patience, None), Order::None),
            Scope::Several(indices) => {
                debug_assert!(indices.is_sorted_by(|a, b| a < b));
                let order = order_shared(keyspace, patience)?;
                let taken: Result<_, _> = indices.iter().map(|&index| Ok((index, lock(index)?))).collect();
                (Held::Several(taken?), order)
            }
            Scope::Every => {
                let order = order_shared(keyspace, patience)?;
                let taken: Result<_, _> = (0..keyspace.slots.len()).map(lock).collect();
                (Held::Every(taken?), order)
            }
            Scope::Discovered => (Held::Discovered(Vec::new()), order_exclusive(keyspace, patience)?),
        })
    }

    /// The shard, which the scope must cover.
    #[inline]
    pub fn shard_mut(&mut self, keyspace: &'k Keyspace, index: usize) -> &mut Shard {
        match self {
            Held::One(held, guard) => {
                assert_eq!(*held, index, "a key was touched whose shard is not locked");
                guard
            }
            Held::Several(guards) => {
                let at = guards.binary_search_by_key(&index, |(held, _)| *held);
                &mut guards[at.expect("invariant: only declared keys are touched")].1
            }
            Held::Every(guards) => &mut guards[index],
            Held::Walk(_, Some((held, guard))) if *held == index => guard,
            Held::Walk(..) => unreachable!("a walk moves by `walk_to`"),
            Held::Discovered(guards) => discover(guards, keyspace, index),
            Held::None => unreachable!("a command without keys touched one"),
        }
    }

    /// Moves the one lock of a walk.
    pub fn walk_to(&mut self, keyspace: &'k Keyspace, index: usize) -> Result<(), Contended> {
        let Held::Walk(patience, held) = self else { return Ok(()) };
        if held.as_ref().is_none_or(|(at, _)| *at != index) {
            // The old one goes before the new one is waited for.
            *held = None;
            *held = Some((index, lock(&keyspace.slots[index], *patience)?));
        }
        Ok(())
    }

    /// The shard, which must be held already.
    pub fn shard(&self, index: usize) -> &Shard {
        let found = match self {
            Held::One(held, guard) | Held::Walk(_, Some((held, guard))) => (*held == index).then_some(guard),
            Held::Several(guards) => guards.iter().find(|(held, _)| *held == index).map(|(_, guard)| guard),
            Held::Discovered(guards) => guards.iter().find(|(held, _)| *held == index).map(|(_, guard)| guard),
            Held::Every(guards) => guards.get(index),
            Held::None | Held::Walk(_, None) => None,
        };
        found.expect("invariant: only locked shards are read")
    }

    /// Every shard that is held, with its index.
    pub fn all(&self) -> Vec<(usize, &Shard)> {
        match self {
            Held::None | Held::Walk(_, None) => Vec::new(),
            Held::One(index, guard) | Held::Walk(_, Some((index, guard))) => vec![(*index, &**guard)],
            Held::Several(guards) => guards.iter().map(|(index, guard)| (*index, &**guard)).collect(),
            Held::Discovered(guards) => guards.iter().map(|(index, guard)| (*index, &**guard)).collect(),
            Held::Every(guards) => guards.iter().enumerate().map(|(index, guard)| (index, &**guard)).collect(),
        }
    }
}

fn discover<'h, 'k>(
    guards: &'h mut Vec<(usize, MutexGuard<'k, Shard>)>,
    keyspace: &'k Keyspace,
    index: usize,
) -> &'h mut Shard {
    let known = guards.iter().position(|(held, _)| *held == index);
    let at = known.unwrap_or_else(|| {
        guards.push((index, keyspace.slots[index].lock()));
        guards.len() - 1
    });
    &mut guards[at].1
}

#[inline]
fn lock(slot: &Slot, patience: Patience) -> Result<MutexGuard<'_, Shard>, Contended> {
    match slot.try_lock() {
        Some(guard) => Ok(guard),
        None => lock_contended(slot, patience),
    }
}

#[cold]
fn lock_contended(slot: &Slot, patience: Patience) -> Result<MutexGuard<'_, Shard>, Contended> {
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

fn order_shared(keyspace: &Keyspace, patience: Patience) -> Result<Order<'_>, Contended> {
    let order = &keyspace.order;
    let guard = match patience {
        Patience::Wait => order.read(),
        Patience::Short => wait_short(keyspace, || order.try_read_for(SHORT_WAIT))?,
    };
    Ok(Order::Shared { _guard: guard })
}

fn order_exclusive(keyspace: &Keyspace, patience: Patience) -> Result<Order<'_>, Contended> {
    let order = &keyspace.order;
    let guard = match patience {
        Patience::Wait => order.write(),
        Patience::Short => wait_short(keyspace, || order.try_write_for(SHORT_WAIT))?,
    };
    Ok(Order::Exclusive { _guard: guard })
}

/// Tries for the order lock until a long holder is seen to have it.
fn wait_short<T>(keyspace: &Keyspace, try_for: impl Fn() -> Option<T>) -> Result<T, Contended> {
    loop {
        if let Some(guard) = try_for() {
            return Ok(guard);
        }
        if keyspace.order_holders_long.load(Ordering::Acquire) > 0 {
            return Err(Contended);
        }
    }
}
