//! From the declared keys to the shards that a call locks.

use shardis_protocol::Request;
use shardis_storage::Scope;
use smallvec::SmallVec;

use crate::command::Reach;
use crate::command::call::FirstKey;
use crate::command::table::Entry;
use crate::state::State;

/// The shards of a call.
pub enum Route {
    /// No key at all.
    None,
    /// One shard.
    One(usize),
    /// Several, ascending and each once.
    Several(SmallVec<[usize; KEYS_INLINE]>),
    /// All.
    Every,
    /// One after the other.
    Walk,
    /// Those that turn out to be needed.
    Discovered,
}

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
        }
    }

    fn of_keys(state: &State, entry: &Entry, request: Request<'_>) -> (Route, usize) {
        let positions = entry.command.keys.iter().filter_map(|spec| spec.positions(request)).flatten();
        let shard_of = |key| state.keyspace.shard_of(state.keyspace.hash(key));
        let mut shards: SmallVec<[usize; KEYS_INLINE]> =
            positions.filter_map(|at| request.arg(at)).map(shard_of).collect();
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
