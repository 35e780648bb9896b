//! COMPUTE.HELP.

use crate::client::Client;
use crate::command::Arity::Exactly;
use crate::command::{Call, Command, Done, Flags, Flow};

pub static HELP: Command = Command::client("COMPUTE.HELP", help)
    .arity(Exactly(1))
    .flags(Flags::LOADING.union(Flags::STALE))
    .since("0.1.0")
    .complexity("O(1)")
    .summary("Returns helpful text about the different commands.");

fn help(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.reply.array(LINES.lines().count());
    LINES.lines().for_each(|line| call.reply.simple(line));
    Ok(Flow::Done)
}

const LINES: &str = "COMPUTE.<command> computes over live data; others are served meanwhile.
COUNT <pattern> [WHERE <expression>]
    Count the keys that match.
AGGREGATE <pattern> [WHERE <expression>] [GROUPBY <n> <expression> AS <name> ...] REDUCE <function> <n> <argument> ... AS <name> ...
    Reduce the keys that match; a row is a key.
KAGGREGATE <key> ..., MAGGREGATE <numkeys> <key> ...
    Reduce the elements of collections; a row is an element.
SELECT <pattern> [WHERE <expression>] RETURN <n> <expression> ... [SORTBY <name> ASC|DESC] [LIMIT <offset> <count>]
    Return rows of keys that match.
KSELECT <key> ...
    Return rows of elements of a collection.
APPLY <pattern> WHERE <expression> [LIMIT <count>] [DRYRUN] DO <action> [<argument> ...]
    Change the keys that match: DEL, UNLINK, PERSIST, EXPIRE <ms>, SET <e>, INCRBY <e>, HSET <field> <e> ..., HDEL <field> ..., SADD <key> <e>, ZADD <key> <score> <member>.
KAPPLY <key> WHERE <expression> [LIMIT <count>] [DRYRUN] DO <action> [<argument>]
    Change the elements of a collection: REMOVE, SET <e>, SCORE <e>.
NEXT <cursor> [COUNT <count>], CLOSE <cursor>
    Return the next rows of a selection with CURSOR [COUNT <count>] [MAXIDLE <ms>], or none any more.
EXPLAIN <command> <argument> ...
    Tell what such a command would do.
With INTO <key> [HASH|ZSET|LIST] the rows of an aggregation are stored; with ASYNC [ID <key>] [NOTIFY <channel>] a command becomes a job, see JOB.WAIT.
Variables of keys: key type ttl len bytes idle now; v of strings, h.field of hashes.
Variables of elements: v and i of lists, v of sets, m and s of sorted sets, f and v of hashes; key, now.
Functions: COUNT SUM AVG MIN MAX VAR STDDEV FIRST LAST ARGMIN ARGMAX DISTINCT HLL QUANTILE TOPK SAMPLE HIST ANY ALL CONCAT.";
