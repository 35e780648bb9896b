//! Single places: where they are, and how far from each other.

use shardis_storage::View;
use shardis_storage::geo::Position;
use shardis_storage::types::sorted_set::SortedSet;

use super::{reply_distance, reply_position, take_unit};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flow, KeySpec, key};

const KEYS: &[KeySpec] = &[key(1).read_only().accesses()];

pub static GEODIST: Command = Command::read("GEODIST", geodist)
    .syntax("key member1 member2 unit=[M | KM | FT | MI]")
    .arity(AtLeast(4))
    .keys(KEYS)
    .since("3.2.0")
    .complexity("O(1)")
    .summary("Returns the distance between two members of a geospatial index.");

fn geodist(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let (one, other) = (call.args.take()?, call.args.take()?);
    let unit_m = match call.args.len() {
        0 => 1.0,
        1 => take_unit(call)?,
        _ => return Err(Error::SYNTAX),
    };
    let set = view.read::<SortedSet>(&key)?;
    match set.and_then(|set| Some((place(set, one)?, place(set, other)?))) {
        Some((one, other)) => reply_distance(call, one.distance_m(other) / unit_m),
        None => call.null(),
    }
}

pub static GEOHASH: Command = Command::read("GEOHASH", geohash)
    .syntax("key [member [member ...]]")
    .arity(AtLeast(2))
    .keys(KEYS)
    .since("3.2.0")
    .complexity("O(1) for each member requested.")
    .summary("Returns members from a geospatial index as geohash strings.");

fn geohash(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    each_place(call, view, |call, place| match place {
        Some(place) => call.bulk(&place.geohash()),
        None => call.null(),
    })
}

pub static GEOPOS: Command = Command::read("GEOPOS", geopos)
    .syntax("key [member [member ...]]")
    .arity(AtLeast(2))
    .keys(KEYS)
    .since("3.2.0")
    .complexity("O(1) for each member requested.")
    .summary("Returns the longitude and latitude of members from a geospatial index.");

fn geopos(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    each_place(call, view, |call, place| match place {
        Some(place) => reply_position(call, place),
        None => call.null_array(),
    })
}

/// Replies one thing for each member of a call.
fn each_place(
    call: &mut Call<'_>,
    view: &mut View<'_>,
    reply: fn(&mut Call<'_>, Option<Position>) -> Done,
) -> Done {
    let key = call.next_key()?;
    if call.should_offload(call.args.len()) {
        return Ok(Flow::Offload);
    }
    let set = view.read::<SortedSet>(&key)?;
    call.reply.array(call.args.len());
    while let Some(member) = call.args.next() {
        reply(call, set.and_then(|set| place(set, member)))?;
    }
    Ok(Flow::Done)
}

/// Where a member is.
pub fn place(set: &SortedSet, member: &[u8]) -> Option<Position> {
    set.score(member).map(Position::from_score)
}
