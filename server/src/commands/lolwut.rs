//! LOLWUT: which server this is, in a friendly voice.

use crate::client::Client;
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Flags, Flow};

pub static LOLWUT: Command = Command::client("LOLWUT", lolwut)
    .syntax("[VERSION version]")
    .arity(AtLeast(1))
    .flags(Flags::READONLY.union(Flags::FAST))
    .since("5.0.0")
    .summary("Displays computer art and the server version.");

/// The versions that had a picture take numbers for it, which are checked; ours has one size.
fn lolwut(call: &mut Call<'_>, _: &mut Client) -> Done {
    let mut art = "";
    if call.args.len() > 1 && call.args.take_word("VERSION") {
        let version = call.args.integer()?;
        if let Some((_, numbers)) = VERSIONS_WITH_ART.iter().find(|(known, _)| *known == version) {
            for _ in 0..call.args.len().min(*numbers) {
                call.args.integer()?;
            }
            art = ART;
        }
    }
    let dialect = call.dialect();
    let text = format!("{art}{} ver. {}\n", dialect.product(), dialect.server_version());
    call.reply.verbatim(b"txt", text.as_bytes());
    Ok(Flow::Done)
}

/// The versions that had a picture, and how many numbers it took.
const VERSIONS_WITH_ART: [(i64, usize); 2] = [(5, 3), (6, 2)];

/// A jar and what it is made of.
const ART: &str = r"
    /\   ______   /\
   /  \_/  __  \_/  \
   \  / \_/  \_/ \  /
    \/___\    /___\/
         \  /
          \/

";
