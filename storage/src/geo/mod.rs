//! Places on the earth as scores of a sorted set, and searches among them, with the bits and the digits of Redis.
//!
//! 1. A place is kept as the score of its member: the number of the smallest cell of a grid that it lies in ([`cell`]). What
//!    is read back is the middle of that cell ([`Position`]).
//! 2. Cells that lie close together mostly have close numbers, so a larger cell is a range of scores. A [`Shape`] is covered by
//!    at most nine of them ([`cover`]), and only what lies there is looked at.
//! 3. Of much that was found, the nearest or farthest come first ([`order`]).
//!
//! The order of every operation on doubles is part of the result, down to its last bit. Nothing here knows keys, sorted sets
//! or units: distances are metres.

pub mod cell;
pub mod cover;
pub mod order;
mod polygon;
mod position;
mod shape;

pub use self::position::Position;
pub use self::shape::Shape;

/// Longitudes end here, east and west.
pub const LONGITUDE_MAX: f64 = 180.0;
/// Latitudes end here, north and south: where a map in Mercator's projection is a square.
pub const LATITUDE_MAX: f64 = 85.05112878;
/// The radius of the earth.
const EARTH_RADIUS_M: f64 = 6_372_797.560856;
/// A degree as an angle.
const DEGREE: f64 = std::f64::consts::PI / 180.0;

/// Degrees as an angle.
fn to_angle(degrees: f64) -> f64 {
    degrees * DEGREE
}

/// An angle in degrees.
fn to_degrees(angle: f64) -> f64 {
    angle / DEGREE
}
