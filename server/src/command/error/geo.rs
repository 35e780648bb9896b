//! The texts of errors about places.

use super::Error;
use crate::config::Dialect;

impl Error {
    /// A unit that does not exist.
    pub const UNKNOWN_UNIT: Error = Error::fixed(&"ERR unsupported unit provided. please use M, KM, FT, MI");
    /// A radius that is no number.
    pub const RADIUS_NOT_FLOAT: Error = Error::fixed(&"ERR need numeric radius");
    /// A radius below zero.
    pub const RADIUS_NEGATIVE: Error = Error::fixed(&"ERR radius cannot be negative");
    /// A width that is no number.
    pub const WIDTH_NOT_FLOAT: Error = Error::fixed(&"ERR need numeric width");
    /// A height that is no number.
    pub const HEIGHT_NOT_FLOAT: Error = Error::fixed(&"ERR need numeric height");
    /// One of these below zero.
    pub const BOX_NEGATIVE: Error = Error::fixed(&"ERR height or width cannot be negative");
    /// A number of corners that is none.
    pub const INVALID_CORNERS: Error = Error::fixed(&"ERR invalid number of vertices");
    /// A polygon of no area, or of corners that are not there.
    pub const TOO_FEW_CORNERS: Error = Error::fixed(&"ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
    /// As many places as none.
    pub const COUNT_NOT_ABOVE_ZERO: Error = Error::fixed(&"ERR COUNT must be > 0");
    /// Any places, but not how many.
    pub const ANY_WITHOUT_COUNT: Error = Error::fixed(&"ERR the ANY argument requires COUNT argument");
    /// GEORADIUS that is to store and to tell.
    pub const STORE_AND_WITH: Error = Error::fixed(
        &"ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
    );
    /// GEOSEARCHSTORE that is to tell.
    pub const GEOSEARCHSTORE_AND_WITH: Error =
        Error::fixed(&"ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options");

    /// Coordinates beyond the map.
    pub fn not_on_map(longitude: f64, latitude: f64) -> Error {
        Error::new(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"))
    }

    /// A member in the middle of a search that is not there.
    pub fn no_such_place(member: &[u8], dialect: &Dialect) -> Error {
        match dialect.searches_polygons {
            true => Error::quoting("ERR member ", member, " does not exist"),
            false => Error::new("ERR could not decode requested zset member"),
        }
    }

    /// A search around nothing.
    pub fn one_middle(command: &[u8]) -> Error {
        Error::quoting("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ", command, "")
    }

    /// A search in nothing.
    pub fn one_area(command: &[u8], dialect: &Dialect) -> Error {
        let shapes =
            if dialect.searches_polygons { "BYRADIUS, BYBOX and BYPOLYGON" } else { "BYRADIUS and BYBOX" };
        Error::quoting(&format!("ERR exactly one of {shapes} can be specified for "), command, "")
    }
}
