//! Which owners wait for which: who would close a cycle by waiting is told so instead.
//!
//! 1. A key is in the graph while somebody waits for it, with those who hold it and those who wait, in the order of their turn.
//! 2. Who waits for a key waits for its holders and for all who are before it in the queue, because nobody overtakes.
//! 3. A request is entered before its shards are let go, by one look at the graph: if any of those it would wait for waits, over
//!    however many others, for its own owner, it is refused. So of the requests that close a cycle the last one is refused,
//!    and the others go on.
//! 4. Who holds such a key is noted whenever that changes, under the key's shard.
//!
//! Requests that do not have to wait never come here.

use std::collections::{BTreeMap, HashMap, HashSet};

use parking_lot::Mutex;
use shardis_storage::Db;

/// Who waits for whom.
#[derive(Debug, Default)]
pub struct Graph(Mutex<Waits>);

type Place = (u16, Box<[u8]>);
type Name = Box<[u8]>;

#[derive(Debug, Default)]
struct Waits {
    keys: HashMap<Place, Node>,
    /// The keys that an owner waits for, and its turn there.
    owners: HashMap<Name, Vec<(i64, Place)>>,
    /// The owners of requests, by their turn.
    requests: HashMap<i64, Name>,
    /// How many keys in the graph an owner holds.
    holders: HashMap<Name, usize>,
}

#[derive(Debug, Default)]
struct Node {
    holders: Vec<Name>,
    queue: BTreeMap<i64, Name>,
}

/// A request that is to wait.
#[derive(Debug)]
pub struct Request<'r> {
    /// Its turn.
    pub ticket: i64,
    /// For whom.
    pub owner: &'r [u8],
    /// The database.
    pub db: Db,
}

impl Graph {
    /// Enters a request that waits for keys with these holders. False, and nothing is entered, if that would close a cycle.
    pub fn wait(&self, request: &Request<'_>, keys: &[(&[u8], Vec<Name>)]) -> bool {
        let mut waits = self.0.lock();
        for (key, holders) in keys {
            waits.enter(request, key, holders);
        }
        let is_free = !waits.is_cycle(request.owner);
        if !is_free {
            waits.forget(request.ticket);
        }
        is_free
    }

    /// Takes a request out.
    pub fn forget(&self, ticket: i64) {
        self.0.lock().forget(ticket);
    }

    /// Notes who holds a key now, if anybody waits for it.
    pub fn note_holders<'n>(&self, db: Db, key: &[u8], holders: impl Iterator<Item = &'n [u8]>) {
        let mut waits = self.0.lock();
        let place = (db.0, key.into());
        if waits.keys.contains_key(&place) {
            waits.set_holders(&place, holders.map(Box::from).collect());
        }
    }

    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.0.lock().requests.len()
    }
}

impl Waits {
    fn enter(&mut self, request: &Request<'_>, key: &[u8], holders: &[Name]) {
        let place = (request.db.0, key.into());
        self.keys.entry(place.clone()).or_default().queue.insert(request.ticket, request.owner.into());
        self.set_holders(&place, holders.to_vec());
        self.owners.entry(request.owner.into()).or_default().push((request.ticket, place));
        self.requests.insert(request.ticket, request.owner.into());
    }

    fn set_holders(&mut self, place: &Place, holders: Vec<Name>) {
        let Some(node) = self.keys.get_mut(place) else { return };
        for holder in std::mem::take(&mut node.holders) {
            if let Some(count) = self.holders.get_mut(&holder) {
                *count -= 1;
                if *count == 0 {
                    self.holders.remove(&holder);
                }
            }
        }
        for holder in &holders {
            *self.holders.entry(holder.clone()).or_default() += 1;
        }
        node.holders = holders;
    }

    fn forget(&mut self, ticket: i64) {
        let Some(owner) = self.requests.remove(&ticket) else { return };
        let Some(own) = self.owners.get_mut(&owner) else { return };
        let (gone, left) = std::mem::take(own).into_iter().partition(|(its, _)| *its == ticket);
        *own = left;
        if own.is_empty() {
            self.owners.remove(&owner);
        }
        let gone: Vec<(i64, Place)> = gone;
        for (ticket, place) in gone {
            let Some(node) = self.keys.get_mut(&place) else { continue };
            node.queue.remove(&ticket);
            if node.queue.is_empty() {
                self.set_holders(&place, Vec::new());
                self.keys.remove(&place);
            }
        }
    }

    /// Whether an owner waits, over others, for itself. Of each queue every place is looked at once.
    fn is_cycle(&self, owner: &[u8]) -> bool {
        // Nobody waits for who holds nothing that others wait for, and stands only at the end of queues.
        let is_last = |(ticket, place): &(i64, Place)| {
            self.keys.get(place).is_none_or(|node| node.queue.range(ticket + 1..).next().is_none())
        };
        let is_waited_for = self.holders.contains_key(owner)
            || self.owners.get(owner).is_some_and(|own| own.iter().any(|wait| !is_last(wait)));
        if !is_waited_for {
            return false;
        }
        // What the owner itself waits for is looked at apart: there it may stand itself, which is no cycle.
        let mut seen_up_to: HashMap<&Place, i64> = HashMap::new();
        let (mut seen, mut next) = (HashSet::new(), vec![owner]);
        while let Some(waiting) = next.pop() {
            for (ticket, place) in self.owners.get(waiting).into_iter().flatten() {
                let Some(node) = self.keys.get(place) else { continue };
                let before = if waiting == owner { None } else { seen_up_to.insert(place, *ticket) };
                let from = before.unwrap_or(i64::MIN);
                if from >= *ticket {
                    seen_up_to.insert(place, from);
                    continue;
                }
                let holders = node.holders.iter().filter(|_| before.is_none());
                let ahead = node.queue.range(from..*ticket).map(|(_, name)| name);
                for blocker in holders.chain(ahead) {
                    let blocker: &[u8] = blocker;
                    if blocker == owner && waiting != owner {
                        return true;
                    }
                    if blocker != owner && seen.insert(blocker) {
                        next.push(blocker);
                    }
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(graph: &Graph, ticket: i64, owner: &str, keys: &[(&str, &[&str])]) -> bool {
        let keys: Vec<(&[u8], Vec<Name>)> = keys
            .iter()
            .map(|(key, holders)| {
                (key.as_bytes(), holders.iter().map(|name| name.as_bytes().into()).collect())
            })
            .collect();
        graph.wait(&Request { ticket, owner: owner.as_bytes(), db: Db(0) }, &keys)
    }

    #[test]
    fn who_would_close_a_cycle_of_any_length_is_refused() {
        for length in 2..20 {
            let graph = Graph::default();
            let name = |n: i64| format!("owner:{}", n % length);
            for n in 0..length {
                let (owner, holder) = (name(n), name(n + 1));
                let key = format!("key:{}", (n + 1) % length);
                assert_eq!(wait(&graph, n, &owner, &[(&key, &[&holder])]), n + 1 < length, "{length}");
            }
            graph.forget(0);
            let (owner, holder, key) = (name(length - 1), name(0), "key:0");
            assert!(wait(&graph, 100, &owner, &[(key, &[&holder])]), "one went away");
        }
    }

    #[test]
    fn waiting_behind_somebody_is_waiting_for_somebody() {
        let graph = Graph::default();
        // `m` needs both keys, of which `a` is free and `b` is held by `h`.
        assert!(wait(&graph, 1, "m", &[("a", &[]), ("b", &["h"])]));
        assert!(wait(&graph, 2, "x", &[("a", &[])]));
        assert!(!wait(&graph, 3, "h", &[("a", &[])]));
        assert!(wait(&graph, 4, "y", &[("b", &["h"])]));
        assert_eq!(graph.len(), 3);
    }

    #[test]
    fn who_holds_a_key_is_noted_only_while_somebody_waits_for_it() {
        let graph = Graph::default();
        assert!(wait(&graph, 1, "a", &[("k", &["b"])]));
        graph.note_holders(Db(0), b"k", [b"c".as_slice()].into_iter());
        assert!(wait(&graph, 2, "b", &[("l", &["a"])]));
        assert!(!wait(&graph, 3, "c", &[("l", &["a"])]));
        graph.forget(1);
        graph.forget(2);
        let waits = graph.0.lock();
        assert!(waits.keys.is_empty() && waits.owners.is_empty() && waits.holders.is_empty());
    }

    #[test]
    fn two_who_want_to_go_from_shared_to_exclusive_wait_for_each_other() {
        let graph = Graph::default();
        assert!(wait(&graph, i64::MIN + 1, "a", &[("k", &["a", "b"])]));
        assert!(!wait(&graph, i64::MIN + 2, "b", &[("k", &["a", "b"])]));
    }
}
