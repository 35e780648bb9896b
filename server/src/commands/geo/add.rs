//! Adding places: ZADD with coordinates in the place of scores.

use shardis_storage::Transaction;

use super::position;
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};
use crate::commands::sorted_set::{AddOptions, Scores, add_members};

pub static GEOADD: Command = Command::write("GEOADD", geoadd)
    .syntax(
        "key condition=[NX | XX]@6.2.0 change=[CH]@6.2.0 longitude latitude member \
         [longitude latitude member ...]",
    )
    .arity(AtLeast(5))
    .keys(&[key(1).read_write().updates()])
    .flags(Flags::DENY_OOM)
    .event("zadd")
    .since("3.2.0")
    .complexity("O(log(N)) for each item added, where N is the number of elements in the sorted set.")
    .summary("Adds one or more members to a geospatial index. The key is created if it doesn't exist.")
    .history(&[("6.2.0", "Added the `CH`, `NX` and `XX` options.")]);

fn geoadd(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let mut options = AddOptions::default();
    loop {
        let option = match () {
            () if call.args.take_word("NX") => &mut options.only_new,
            () if call.args.take_word("XX") => &mut options.only_present,
            () if call.args.take_word("CH") => &mut options.counts_changes,
            () => break,
        };
        *option = true;
    }
    let words = call.args.len();
    if words == 0 || !words.is_multiple_of(3) || options.only_new && options.only_present {
        return Err(Error::SYNTAX);
    }
    if call.should_offload(words / 3) {
        return Ok(Flow::Offload);
    }
    let (longitudes, latitudes) = (call.args.rest().step_by(3), call.args.rest().skip(1).step_by(3));
    let places = longitudes.zip(latitudes).map(|(longitude, latitude)| position(call, longitude, latitude));
    let scores: Scores =
        places.map(|place| place.map(|place| place.score())).collect::<Result<_, Error>>()?;
    let members = call.args.rest().skip(2).step_by(3);
    add_members(call, txn, &key, options, scores, members)
}
