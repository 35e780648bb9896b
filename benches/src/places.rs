//! Places in a row, and what is searched among them: the dataset of the geo workloads. How they are run is in `workload`.

use crate::resp::{self, Words};
use crate::workload::{Dataset, Pick, words};

/// Indexes of ninety places each, every one 715 metres farther east than the one before.
pub static PLACES: Dataset = Dataset {
    name: "geo indexes of 90",
    keys_per_item: 100,
    load: |n| {
        let places = (0..ROW).flat_map(|at| [longitude(at), LATITUDE.to_owned(), format!("place:{at}")]);
        words(["GEOADD", &format!("geo:{n}")]).into_iter().chain(places).collect()
    },
    consumed: false,
};

/// A search in a circle around the first place, nearest ones first.
pub fn search(pick: Pick) -> Words {
    let key = format!("geo:{}", pick.item);
    words(["GEOSEARCH", &key, "FROMLONLAT", &longitude(0), LATITUDE, "BYRADIUS", "7.5", "km", "ASC"])
}

/// The places that lie there.
pub fn found(_: Pick) -> Vec<u8> {
    let places: Words = (0..FOUND).map(|at| format!("place:{at}")).collect();
    resp::array(&places)
}

/// Moves the last place, which no search finds: each visit to another end.
pub fn move_last(pick: Pick) -> Words {
    let to = longitude(ROW + pick.visit);
    words(["GEOADD", &format!("geo:{}", pick.item), &to, LATITUDE, &format!("place:{}", ROW - 1)])
}

fn longitude(at: u64) -> String {
    format!("10.{at:02}")
}

/// Places in an index; longitudes have two decimals.
const ROW: u64 = 90;
/// As many as are at most 7.5 km away from the first.
const FOUND: u64 = 11;
/// How often the last place is moved.
pub const MOVES: u64 = 10;
const LATITUDE: &str = "50";
const _: () = assert!(ROW + MOVES <= 100, "longitudes have two decimals");
