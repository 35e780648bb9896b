//! Searching for places: GEOSEARCH and GEOSEARCHSTORE, and how all searches find, order, reply and store them.

use std::ops::Range;

use shardis_storage::geo::order::sort_first;
use shardis_storage::geo::{Position, Shape, cover};
use shardis_storage::types::packed::{Element, Side};
use shardis_storage::types::sorted_set::{Cut, Items, SortedSet};
use shardis_storage::{IntBuffer, Transaction, View};
use smallvec::SmallVec;

use super::query::{Form, Order, Query};
use super::{reply_distance, reply_position};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Flags, Flow, key};
use crate::commands::sorted_set::{context, store};

const COMPLEXITY: &str = "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape \
    provided as the filter and M is the number of items inside the shape";
const HISTORY: &[(&str, &str)] = &[("7.0.0", "Added support for uppercase unit names.")];

pub static GEOSEARCH: Command = Command::read("GEOSEARCH", geosearch)
    .syntax(
        "key from=<FROMMEMBER member | FROMLONLAT longitude latitude> \
         by=<BYRADIUS radius unit=<M | KM | FT | MI> | BYBOX width height unit=<M | KM | FT | MI>> [ASC | DESC] \
         [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    )
    .arity(AtLeast(7))
    .keys(&[key(1).read_only().accesses()])
    .since("6.2.0")
    .complexity(COMPLEXITY)
    .summary("Queries a geospatial index for members inside an area of a box or a circle.")
    .history(HISTORY);

fn geosearch(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_search(call, view, Form::Any { is_stored: false })
}

pub static GEOSEARCHSTORE: Command = Command::write("GEOSEARCHSTORE", geosearchstore)
    .syntax(
        "destination source from=<FROMMEMBER member | FROMLONLAT longitude latitude> \
         by=<BYRADIUS radius unit=<M | KM | FT | MI> | BYBOX width height unit=<M | KM | FT | MI>> [ASC | DESC] \
         [COUNT count [ANY]] [STOREDIST]",
    )
    .arity(AtLeast(8))
    .keys(&[key(1).overwrites().updates(), key(2).read_only().accesses()])
    .flags(Flags::DENY_OOM)
    .since("6.2.0")
    .complexity(COMPLEXITY)
    .summary(
        "Queries a geospatial index for members inside an area of a box or a circle, optionally stores the result.",
    )
    .history(HISTORY);

fn geosearchstore(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    call.next_key()?;
    store_or_reply(call, txn, Form::Any { is_stored: true })
}

/// Searches, and replies what was found.
pub fn reply_search(call: &mut Call<'_>, view: &mut View<'_>, form: Form) -> Done {
    let source = call.next_key()?;
    let set = view.read::<SortedSet>(&source)?;
    let query = Query::parse(call, form, set)?;
    let Some(search) = Search::new(set, &query) else {
        call.reply.array(0);
        return Ok(Flow::Done);
    };
    if call.should_offload(search.effort()) {
        drop(search);
        view.uncount(&source);
        return Ok(Flow::Offload);
    }
    reply_places(call, &query, &search.run())
}

/// Searches, and stores what was found if the call says where; else replies it.
pub fn store_or_reply(call: &mut Call<'_>, txn: &mut Transaction<'_>, form: Form) -> Done {
    let source = call.next_key()?;
    let set = txn.read::<SortedSet>(&source)?;
    let query = Query::parse(call, form, set)?;
    let destination = query.destination.map(|at| call.key(at)).transpose()?;
    let search = Search::new(set, &query);
    if call.should_offload(search.as_ref().map_or(0, Search::effort)) {
        drop(search);
        txn.uncount(&source);
        return Ok(Flow::Offload);
    }
    let places = search.map(Search::run).unwrap_or_default();
    let Some(destination) = destination else { return reply_places(call, &query, &places) };
    let context = context(call, &destination);
    let mut stored = SortedSet::new();
    let longest = places.iter().map(|place| place.member.text(&mut IntBuffer::new()).len()).max();
    stored.expect_members(places.len(), longest.unwrap_or(0), &context);
    for place in &places {
        let score = if query.stores_distances { place.distance_m / query.unit_m } else { place.score };
        stored.set(place.member.text(&mut IntBuffer::new()), score, &context);
    }
    store(call, txn, &destination, stored)
}

fn reply_places(call: &mut Call<'_>, query: &Query, places: &[Place<'_>]) -> Done {
    let told = query.told;
    call.reply.array(places.len());
    for place in places {
        if told.count() > 0 {
            call.reply.array(1 + told.count());
        }
        call.element(place.member)?;
        if told.distance {
            reply_distance(call, place.distance_m / query.unit_m)?;
        }
        if told.hash {
            call.integer(place.score as i64)?;
        }
        if told.position {
            reply_position(call, place.position)?;
        }
    }
    Ok(Flow::Done)
}

/// A place that was found.
struct Place<'s> {
    member: Element<'s>,
    score: f64,
    position: Position,
    distance_m: f64,
}

/// A search that is about to begin.
struct Search<'s> {
    query: &'s Query,
    shape: &'s Shape,
    /// Those that have to be looked at, cell by cell.
    candidates: SmallVec<[Items<'s>; 9]>,
}

impl<'s> Search<'s> {
    /// A search in a set, if there is one.
    fn new(set: Option<&'s SortedSet>, query: &'s Query) -> Option<Search<'s>> {
        let (set, shape) = (set?, query.shape.as_ref()?);
        let members_of = |scores: Range<f64>| {
            set.between(Cut::Score(scores.start, Side::Front), Cut::Score(scores.end, Side::Front))
        };
        let candidates = cover::cells(shape).iter().map(|cell| members_of(cell.scores())).collect();
        Some(Search { query, shape, candidates })
    }

    /// How much work it is.
    fn effort(&self) -> usize {
        let members = self.candidates.iter().map(Items::len).sum::<usize>();
        members.saturating_mul(self.shape.effort())
    }

    /// Finds what is wanted: in the order of the cells, or else in the one that is asked for.
    fn run(self) -> Vec<Place<'s>> {
        let &Query { count, takes_any, order, .. } = self.query;
        let wanted = count.unwrap_or(usize::MAX);
        let candidates = self.candidates.into_iter().flatten();
        let inside = candidates.filter_map(|(member, score)| place_inside(self.shape, member, score));
        let mut places: Vec<Place<'s>> = inside.take(if takes_any { wanted } else { usize::MAX }).collect();
        let nearest = |one: &Place<'_>, other: &Place<'_>| one.distance_m.total_cmp(&other.distance_m);
        match order {
            Some(Order::NearestFirst) => sort_first(&mut places, wanted, nearest),
            Some(Order::FarthestFirst) => sort_first(&mut places, wanted, |one, other| nearest(other, one)),
            None => {}
        }
        places.truncate(wanted);
        places
    }
}

/// A member as a place, if it is inside of a shape.
fn place_inside<'s>(shape: &Shape, member: Element<'s>, score: f64) -> Option<Place<'s>> {
    let position = Position::from_score(score);
    let distance_m = shape.distance_inside_m(position)?;
    Some(Place { member, score, position, distance_m })
}
