//! From the declared keys to the shards that a call locks.

use shardis_compute::Target;
use shardis_protocol::Request;
use shardis_storage::glob::Pattern;
use shardis_storage::{Keyspace, Scope};
use smallvec::SmallVec;

use crate::client::Client;
use crate::command::call::FirstKey;
use crate::command::table::Entry;
use crate::command::{Reach, Run};
use crate::state::State;

/// The shards of a call.
pub enum Route {
    /// No key at all.
    None,
    /// One shard.
    One(usize),
    /// Several, ascending and each once.
    Several(Shards),
    /// All.
    Every,
    /// One after the other.
    Walk,
    /// Those that turn out to be needed.
    Discovered,
}

/// The shards of a call, by their index.
type Shards = SmallVec<[usize; KEYS_INLINE]>;

/// Keys of a call whose shards are listed without allocating.
const KEYS_INLINE: usize = 16;

/// The shard of a call that names one key, as nearly all do.
#[inline]
pub fn single(
    state: &State,
    entry: &Entry,
    request: Request<'_>,
    first_key: Option<FirstKey>,
) -> Option<usize> {
    let is_single = entry.has_one_key(request) && entry.command.reach == Reach::Keys;
    first_key.filter(|_| is_single).map(|first| state.keyspace.shard_of(first.hash))
}

impl Route {
    /// The route of any call, and how many keys it names.
    pub fn new(state: &State, entry: &Entry, request: Request<'_>) -> (Route, usize) {
        match entry.command.reach {
            Reach::Keys if (entry.command.discovers)(request) => (Route::Discovered, 0),
            Reach::Keys => Route::of_keys(state, entry, request),
            Reach::Every => (Route::Every, 0),
            Reach::Walk => (Route::Walk, 0),
            Reach::Queued => unreachable!("only programs have queues"),
        }
    }

    /// The route of a program.
    pub fn of_program(state: &State, entry: &Entry, request: Request<'_>, client: &Client) -> (Route, usize) {
        match entry.command.reach {
            Reach::Queued => Route::of_queue(state, client),
            _ if entry.command.inner_at.is_some() => Route::with_inner(state, entry, request),
            _ => Route::new(state, entry, request),
        }
    }

    /// What all calls of a queue need together, and the keys that their client watches.
    fn of_queue(state: &State, client: &Client) -> (Route, usize) {
        let shard_of = |key| state.keyspace.shard_of(state.keyspace.hash(key));
        let watched = client.watches.iter().flat_map(|watches| watches.keys());
        let mut shards: Shards = watched.map(shard_of).collect();
        let mut are_discovered = false;
        for queued in client.queue.iter().flat_map(|queue| &queue.calls) {
            let (entry, request) = (state.commands.entry(queued.id), queued.request.as_request());
            if entry.command.reach != Reach::Keys {
                return (Route::Every, 0);
            }
            are_discovered |=
                (entry.command.discovers)(request) || matches!(entry.command.run, Run::Program(_));
            match single(state, entry, request, queued.first_key) {
                Some(shard) => shards.push(shard),
                None => shards.extend(entry.keys(request).map(shard_of)),
            }
        }
        if are_discovered { (Route::Discovered, 0) } else { Route::of_shards(shards) }
    }

    /// The route of a program that runs the command which begins among its own words.
    fn with_inner(state: &State, entry: &Entry, request: Request<'_>) -> (Route, usize) {
        let Some((inner, words)) = entry.inner(state, request) else {
            return Route::new(state, entry, request);
        };
        if inner.command.reach != Reach::Keys {
            return (Route::Every, 0);
        }
        if (inner.command.discovers)(words) {
            return (Route::Discovered, 0);
        }
        let keys = entry.keys(request).chain(inner.keys(words));
        Route::of_shards(keys.map(|key| state.keyspace.shard_of(state.keyspace.hash(key))).collect())
    }

    fn of_keys(state: &State, entry: &Entry, request: Request<'_>) -> (Route, usize) {
        Route::of_shards(
            entry.keys(request).map(|key| state.keyspace.shard_of(state.keyspace.hash(key))).collect(),
        )
    }

    /// The route to keys that stand nowhere in a call.
    pub fn to_keys<'k>(keyspace: &Keyspace, keys: impl Iterator<Item = &'k Vec<u8>>) -> Route {
        Route::of_shards(keys.map(|key| keyspace.shard_of(keyspace.hash(key))).collect()).0
    }

    /// The route to all rows of a computation, and to another key that it changes.
    pub fn to_target(keyspace: &Keyspace, target: &Target, other: Option<&Vec<u8>>) -> Route {
        match target {
            Target::Keys(keys) => Route::to_keys(keyspace, keys.iter().chain(other)),
            // It can match one key only.
            Target::Pattern(pattern) if Pattern::new(pattern).is_literal() => {
                Route::to_keys(keyspace, std::iter::once(pattern).chain(other))
            }
            Target::Pattern(_) => Route::Every,
        }
    }

    fn of_shards(mut shards: Shards) -> (Route, usize) {
        let keys = shards.len();
        shards.sort_unstable();
        shards.dedup();
        let route = match shards.as_slice() {
            [] => Route::None,
            [one] => Route::One(*one),
            _ => Route::Several(shards),
        };
        (route, keys)
    }

    /// As storage wants it.
    pub fn scope(&self) -> Scope<'_> {
        match self {
            Route::None => Scope::None,
            Route::One(shard) => Scope::One(*shard),
            Route::Several(shards) => Scope::Several(shards),
            Route::Every => Scope::Every,
            Route::Walk => Scope::Walk,
            Route::Discovered => Scope::Discovered,
        }
    }
}

#[cfg(test)]
mod tests {
    use shardis_storage::KeyspaceOptions;

    use super::*;

    #[test]
    fn a_pattern_that_can_match_one_key_locks_its_shard_only() {
        let keyspace = Keyspace::new(KeyspaceOptions { shards: 16, databases: 1, seed: 3 });
        let to = |pattern: &[u8]| Route::to_target(&keyspace, &Target::Pattern(pattern.to_vec()), None);
        let shard = keyspace.shard_of(keyspace.hash(b"key:77"));
        assert!(matches!(to(b"key:77"), Route::One(one) if one == shard));
        for pattern in [&b"*"[..], b"key:7?", b"key:[7]7", b"key:\\77"] {
            assert!(matches!(to(pattern), Route::Every));
        }
    }
}
