//! INFO: which sections a call wants. What is in them is told in `observe::info`.

use crate::client::Client;
use crate::command::Arity::AtLeast;
use crate::command::args::is_word;
use crate::command::{Call, Category, Command, Done, Flags, Flow};
use crate::observe::info::{self, Section};

pub static INFO: Command = Command::client("INFO", run)
    .syntax("[section [section ...]]")
    .arity(AtLeast(1))
    .every()
    .flags(Flags::LOADING.union(Flags::STALE))
    .categories(Category::DANGEROUS)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Returns information and statistics about the server.")
    .history(&[("7.0.0", "Added support for taking multiple section arguments.")])
    .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]);

fn run(call: &mut Call<'_>, _client: &mut Client) -> Done {
    // The report waits for every shard and reads files of the system.
    if call.may_offload {
        return Ok(Flow::Offload);
    }
    let words = call.args;
    let totals = call.totals();
    let text = info::report(call.state, totals, |section| {
        words.is_empty() && section.is_default || words.rest().any(|word| is_wanted(section, word))
    });
    call.reply.verbatim(b"txt", text.as_bytes());
    Ok(Flow::Done)
}

/// Whether a word of the call stands for this section. A word that stands for none is ignored.
fn is_wanted(section: &Section, word: &[u8]) -> bool {
    let is = |name: &str| is_word(word, name);
    is("all")
        || is("everything")
        || (is("default") && section.is_default)
        || section.names.iter().any(|name| is(name))
}
