//! Places: commands over sorted sets whose scores are cells of `storage::geo`.
//!
//! A place is a member with a score and nothing else, so every command of sorted sets works on it, too.

mod add;
mod place;
mod query;
mod radius;
mod search;

use shardis_protocol::DoubleStyle;
use shardis_storage::geo::Position;

use super::sorted_set::parse_score;
use crate::command::{Call, Category, Done, Error, Family, Flow};

pub static FAMILY: Family = Family::new(
    "geo",
    Category::GEO,
    &[
        &add::GEOADD,
        &place::GEODIST,
        &place::GEOHASH,
        &place::GEOPOS,
        &search::GEOSEARCH,
        &search::GEOSEARCHSTORE,
        &radius::GEORADIUS,
        &radius::GEORADIUSBYMEMBER,
        &radius::GEORADIUS_RO,
        &radius::GEORADIUSBYMEMBER_RO,
    ],
);

/// The place with these coordinates.
fn position(call: &Call<'_>, longitude: &[u8], latitude: &[u8]) -> Result<Position, Error> {
    let read = |text| parse_score(call, text).ok_or(Error::NOT_FLOAT);
    let (longitude, latitude) = (read(longitude)?, read(latitude)?);
    Position::new(longitude, latitude).ok_or_else(|| Error::not_on_map(longitude, latitude))
}

/// Takes the next two arguments as the coordinates of a place.
fn take_position(call: &mut Call<'_>) -> Result<Position, Error> {
    let (longitude, latitude) = (call.args.take()?, call.args.take()?);
    position(call, longitude, latitude)
}

/// Takes the next argument as a unit: so many metres.
fn take_unit(call: &mut Call<'_>) -> Result<f64, Error> {
    let unit = UNITS.iter().find(|(name, _)| call.args.take_word(name));
    unit.map(|&(_, metres)| metres).ok_or(Error::UNKNOWN_UNIT)
}

/// Replies a distance: a string with four decimals.
fn reply_distance(call: &mut Call<'_>, distance: f64) -> Done {
    let text = match call.dialect().doubles {
        DoubleStyle::SeventeenDigits => format!("{distance:.4}"),
        // Since 7.2 it is rounded as a whole number, which now and then is another one.
        DoubleStyle::Shortest => {
            let scaled = (distance * 10_000.0).round_ties_even() as u64;
            format!("{}.{:04}", scaled / 10_000, scaled % 10_000)
        }
    };
    call.bulk(text.as_bytes())
}

/// Replies a place: its coordinates with as many decimals as they have, up to 17.
fn reply_position(call: &mut Call<'_>, position: Position) -> Done {
    call.reply.array(2);
    for degrees in [position.longitude, position.latitude] {
        let text = format!("{degrees:.17}");
        call.reply.double_digits(text.trim_end_matches('0').trim_end_matches('.').as_bytes());
    }
    Ok(Flow::Done)
}

const UNITS: [(&str, f64); 4] = [("M", 1.0), ("KM", 1000.0), ("FT", 0.3048), ("MI", 1609.34)];
