//! Whether a history has an order: the argument stands in the folder's own text.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use super::cycle::{Edge, Graph};
use super::{Operation, Seen, What};

/// So much of an operation's commands is shown.
const TEXT_MAX: usize = 1000;

/// Why a history has no order.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What it is.
    pub kind: Kind,
    /// The operations that show it, and how.
    pub text: String,
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Two operations made the same version, so that one of them is lost.
    TwoWriters,
    /// A version was met that nobody made.
    Unwritten,
    /// Within one operation an object went back, or changed what it had just made.
    Backwards,
    /// Operations each of which must come before the next, all around.
    Cycle,
}

/// Why an operation comes before another.
#[derive(Clone, Copy, Debug)]
enum Why {
    /// It made the version that the other met.
    Met(u32, u64),
    /// It met the version that the other replaced.
    Replaced(u32, u64),
    /// It made a version before the other made a later one.
    Made(u32, u64),
    /// It had ended before the other began.
    Time,
}

/// Proves that a history is strictly serialisable, or shows that it is not.
pub fn check(operations: &[Operation]) -> Result<(), Fault> {
    let objects = Objects::of(operations)?;
    let mut edges = Vec::new();
    objects.demand(operations, &mut edges)?;
    let count = operations.len() as u32;
    demand_time(operations, &mut edges);
    // Short ones are easier to read, but a short cycle is through operations that met more than one thing.
    let mut by_length: Vec<u32> = (0..count).collect();
    by_length.sort_by_key(|index| {
        let length = operations[*index as usize].seen.len();
        (length < 2, length)
    });
    match Graph::new(2 * count, count, &edges).cycle(&by_length) {
        Some(cycle) => Err(objects.cycle(operations, &cycle)),
        None => Ok(()),
    }
}

/// The objects of a history, by the order in which they are first mentioned.
#[derive(Default)]
struct Objects {
    by_name: HashMap<Arc<str>, u32>,
    all: Vec<Object>,
}

#[derive(Default)]
struct Object {
    name: Arc<str>,
    /// Versions and the operations that made them, in order.
    writers: Vec<(u64, u32)>,
    /// The versions that have marks.
    marks: HashMap<u64, u64>,
}

impl Objects {
    /// Who made which version.
    fn of(operations: &[Operation]) -> Result<Self, Fault> {
        let mut objects = Self::default();
        for (index, operation) in operations.iter().enumerate() {
            for seen in &operation.seen {
                let object = objects.entry(&seen.object);
                if let Some(version) = made(seen.what) {
                    object.writers.push((version, index as u32));
                }
                if let What::MadeMarked(version, mark) = seen.what {
                    object.marks.insert(mark, version);
                }
            }
        }
        for object in &mut objects.all {
            object.writers.sort_unstable();
            let twice = object.writers.windows(2).find(|pair| pair[0].0 == pair[1].0);
            if let Some(&[(version, first), (_, second)]) = twice {
                let text = format!("both made version {version} of {}", object.name);
                return Err(fault(Kind::TwoWriters, operations, &[first, second], &[&object.name], &text));
            }
        }
        Ok(objects)
    }

    fn entry(&mut self, name: &Arc<str>) -> &mut Object {
        let next = self.all.len() as u32;
        let index = *self.by_name.entry(name.clone()).or_insert(next);
        if index == next {
            self.all.push(Object { name: name.clone(), ..Object::default() });
        }
        &mut self.all[index as usize]
    }

    /// What versions demand: an edge for each.
    fn demand(&self, operations: &[Operation], edges: &mut Vec<Edge<Why>>) -> Result<(), Fault> {
        for (id, object) in self.all.iter().enumerate() {
            for pair in object.writers.windows(2) {
                push(edges, pair[0].1, pair[1].1, Why::Made(id as u32, pair[1].0));
            }
        }
        let mut last = Vec::new();
        for (index, operation) in operations.iter().enumerate() {
            last.clear();
            for seen in &operation.seen {
                self.demand_one(operations, index as u32, seen, &mut last, edges)?;
            }
        }
        Ok(())
    }

    fn demand_one(
        &self,
        operations: &[Operation],
        index: u32,
        seen: &Seen,
        last: &mut Vec<(u32, u64)>,
        edges: &mut Vec<Edge<Why>>,
    ) -> Result<(), Fault> {
        let id = self.by_name[&seen.object];
        let object = &self.all[id as usize];
        let unwritten = |version: &str| {
            let text = format!("A met {version} of {}, which nobody made", object.name);
            fault(Kind::Unwritten, operations, &[index], &[&object.name], &text)
        };
        let writer = |version| object.writer(version).map_err(|()| unwritten(&format!("version {version}")));
        let (version, made) = match seen.what {
            What::Passed(version) => {
                let writer = writer(version)?;
                writer.into_iter().for_each(|from| push(edges, from, index, Why::Met(id, version)));
                return Ok(());
            }
            What::Put(version) => (version, true),
            What::Made(version) | What::MadeMarked(version, _) => {
                // The writers are in order already; that the one before is there is what counts.
                writer(version.saturating_sub(1))?;
                (version, true)
            }
            What::Met(version) => (version, false),
            What::MetMark(mark) => {
                let version = object.marks.get(&mark);
                (*version.ok_or_else(|| unwritten(&format!("the version with the mark {mark}")))?, false)
            }
        };
        if !made {
            let writer = writer(version)?;
            writer.into_iter().for_each(|from| push(edges, from, index, Why::Met(id, version)));
            let next = object.writers.partition_point(|(other, _)| *other <= version);
            if let Some(&(next, to)) = object.writers.get(next) {
                push(edges, index, to, Why::Replaced(id, next));
            }
        }
        let before = last.iter_mut().find(|(other, _)| *other == id);
        match before {
            Some((_, before)) if version < *before || made && version == *before => {
                let text = format!("A was at version {before} of {} before version {version}", object.name);
                return Err(fault(Kind::Backwards, operations, &[index], &[&object.name], &text));
            }
            Some((_, before)) => *before = version,
            None => last.push((id, version)),
        }
        Ok(())
    }

    fn cycle(&self, operations: &[Operation], cycle: &[Edge<Why>]) -> Fault {
        let count = operations.len() as u32;
        let members: Vec<u32> = cycle.iter().map(|edge| edge.from).filter(|from| *from < count).collect();
        let mut steps = cycle.iter().filter(|edge| edge.from < count);
        let (mut text, mut objects) = (String::new(), Vec::new());
        for (place, &from) in members.iter().enumerate() {
            let next = (place + 1) % members.len();
            let (a, b) = (letter(place), letter(next));
            let edge = steps.next().expect("invariant: a step for each member");
            let mut name = |id: u32| {
                let name = &*self.all[id as usize].name;
                objects.push(name);
                name
            };
            let _ = match edge.why {
                Why::Met(id, version) => {
                    writeln!(text, "{a} made version {version} of {}, which {b} met", name(id))
                }
                Why::Replaced(id, version) => {
                    writeln!(text, "{a} met {} before {b} made version {version} of it", name(id))
                }
                Why::Made(id, version) => {
                    writeln!(text, "{a} made a version of {} before {b} made version {version}", name(id))
                }
                Why::Time => {
                    let (end, start) =
                        (operations[from as usize].end_ns, operations[members[next] as usize].start_ns);
                    writeln!(text, "{a} had ended {} ns before {b} began", start.saturating_sub(end))
                }
            };
        }
        fault(Kind::Cycle, operations, &members, &objects, text.trim_end())
    }
}

impl Object {
    /// Who made a version; nobody made the first, and an error is a version that nobody should have met.
    fn writer(&self, version: u64) -> Result<Option<u32>, ()> {
        if version == 0 {
            return Ok(None);
        }
        let place = self.writers.binary_search_by_key(&version, |(version, _)| *version).map_err(drop)?;
        Ok(Some(self.writers[place].1))
    }
}

fn made(what: What) -> Option<u64> {
    match what {
        What::Made(version) | What::MadeMarked(version, _) | What::Put(version) => Some(version),
        What::Met(_) | What::MetMark(_) | What::Passed(_) => None,
    }
}

fn push(edges: &mut Vec<Edge<Why>>, from: u32, to: u32, why: Why) {
    if from != to {
        edges.push(Edge { from, to, why });
    }
}

/// Who had ended before another began comes first: by a chain of moments, whose nodes follow those of the operations.
fn demand_time(operations: &[Operation], edges: &mut Vec<Edge<Why>>) {
    let count = operations.len() as u32;
    let mut by_end: Vec<u32> = (0..count).collect();
    by_end.sort_unstable_by_key(|index| operations[*index as usize].end_ns);
    for (moment, &index) in (count..).zip(&by_end) {
        push(edges, index, moment, Why::Time);
        if moment > count {
            push(edges, moment - 1, moment, Why::Time);
        }
    }
    for (index, operation) in (0..).zip(operations) {
        let ended = by_end.partition_point(|other| operations[*other as usize].end_ns < operation.start_ns);
        if ended > 0 {
            push(edges, count + ended as u32 - 1, index, Why::Time);
        }
    }
}

/// Shows these operations and what they learnt of these objects.
fn fault(kind: Kind, operations: &[Operation], shown: &[u32], objects: &[&str], why: &str) -> Fault {
    let mut text = format!("{kind:?}, in {} operations\n", operations.len());
    for (place, &index) in shown.iter().enumerate() {
        let operation = &operations[index as usize];
        let (start, end) = (operation.start_ns as f64 / 1e3, operation.end_ns as f64 / 1e3);
        let commands: String = operation.text.chars().take(TEXT_MAX).collect();
        let more = if commands.len() < operation.text.len() { " ..." } else { "" };
        let _ = writeln!(
            text,
            "{}: client {}, from {start:.1} to {end:.1} us: {commands}{more}",
            letter(place),
            operation.client
        );
        for seen in operation.seen.iter().filter(|seen| objects.contains(&&*seen.object)) {
            let _ = writeln!(text, "    {}: {:?}", seen.object, seen.what);
        }
    }
    text.push_str(why);
    Fault { kind, text }
}

fn letter(place: usize) -> String {
    match u8::try_from(place) {
        Ok(place @ 0..26) => char::from(b'A' + place).into(),
        _ => format!("#{place}"),
    }
}
