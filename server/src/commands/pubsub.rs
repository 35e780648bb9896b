//! Pub/Sub: listening to channels, patterns and shard channels, sending to them, and who listens. How a message comes to its
//! listeners is told in `pubsub`.

use shardis_protocol::Reply;

use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{
    Call, Category, Channels, Command, Done, Error, Family, Flags, Flow, KeySpec, key, keys,
};
use crate::pubsub::Topic;

pub static FAMILY: Family = Family::new(
    "pubsub",
    // That of the flag, which the help does not have.
    Category::NONE,
    &[
        &PSUBSCRIBE,
        &PUBLISH,
        &PUBSUB,
        &PUNSUBSCRIBE,
        &SPUBLISH,
        &SSUBSCRIBE,
        &SUBSCRIBE,
        &SUNSUBSCRIBE,
        &UNSUBSCRIBE,
    ],
);

const INTROSPECTION: Flags = Flags::PUBSUB.union(Flags::LOADING).union(Flags::STALE);
const LISTENING: Flags = INTROSPECTION.union(Flags::NO_SCRIPT).union(Flags::WHILE_SUBSCRIBED);
const PUBLISHING: Flags = INTROSPECTION.union(Flags::FAST).union(Flags::MAY_REPLICATE);
/// Slots find their server by what stands where keys do.
const SHARD_CHANNELS: &[KeySpec] = &[keys(1, -1, 1).no_key()];

static SUBSCRIBE: Command = Command::client("SUBSCRIBE", subscribe)
    .syntax("channel [channel ...]")
    .arity(AtLeast(2))
    .channels(Channels::From(1))
    .flags(LISTENING)
    .since("2.0.0")
    .complexity("O(N) where N is the number of channels to subscribe to.")
    .summary("Listens for messages published to channels.");

fn subscribe(call: &mut Call<'_>, client: &mut Client) -> Done {
    listen(call, client, Topic::Channel)
}

static PSUBSCRIBE: Command = Command::client("PSUBSCRIBE", psubscribe)
    .syntax("pattern:pattern [pattern:pattern ...]")
    .arity(AtLeast(2))
    .channels(Channels::PatternsFrom(1))
    .flags(LISTENING)
    .since("2.0.0")
    .complexity("O(N) where N is the number of patterns to subscribe to.")
    .summary("Listens for messages published to channels that match one or more patterns.");

fn psubscribe(call: &mut Call<'_>, client: &mut Client) -> Done {
    listen(call, client, Topic::Pattern)
}

static SSUBSCRIBE: Command = Command::client("SSUBSCRIBE", ssubscribe)
    .syntax("shardchannel [shardchannel ...]")
    .arity(AtLeast(2))
    .keys(SHARD_CHANNELS)
    .channels(Channels::From(1))
    .flags(LISTENING)
    .since("7.0.0")
    .complexity("O(N) where N is the number of shard channels to subscribe to.")
    .summary("Listens for messages published to shard channels.");

fn ssubscribe(call: &mut Call<'_>, client: &mut Client) -> Done {
    listen(call, client, Topic::ShardChannel)
}

/// Subscribes to each name, and confirms each.
fn listen(call: &mut Call<'_>, client: &mut Client, topic: Topic) -> Done {
    while let Some(name) = call.args.next() {
        let count = client.subscribe(topic, name).ok_or_else(|| Error::cannot_listen(call.command.name))?;
        confirm(call.reply, verbs(topic).0, Some(name), count);
    }
    client.note_pushed(call.reply);
    Ok(Flow::Done)
}

static UNSUBSCRIBE: Command = Command::client("UNSUBSCRIBE", unsubscribe)
    .syntax("[channel [channel ...]]")
    .arity(AtLeast(1))
    .flags(LISTENING)
    .since("2.0.0")
    .complexity("O(N) where N is the number of channels to unsubscribe.")
    .summary("Stops listening to messages posted to channels.");

fn unsubscribe(call: &mut Call<'_>, client: &mut Client) -> Done {
    stop_listening(call, client, Topic::Channel)
}

static PUNSUBSCRIBE: Command = Command::client("PUNSUBSCRIBE", punsubscribe)
    .syntax("[pattern:pattern [pattern:pattern ...]]")
    .arity(AtLeast(1))
    .flags(LISTENING)
    .since("2.0.0")
    .complexity("O(N) where N is the number of patterns to unsubscribe.")
    .summary("Stops listening to messages published to channels that match one or more patterns.");

fn punsubscribe(call: &mut Call<'_>, client: &mut Client) -> Done {
    stop_listening(call, client, Topic::Pattern)
}

static SUNSUBSCRIBE: Command = Command::client("SUNSUBSCRIBE", sunsubscribe)
    .syntax("[shardchannel [shardchannel ...]]")
    .arity(AtLeast(1))
    .keys(SHARD_CHANNELS)
    .flags(LISTENING)
    .since("7.0.0")
    .complexity("O(N) where N is the number of shard channels to unsubscribe.")
    .summary("Stops listening to messages posted to shard channels.");

fn sunsubscribe(call: &mut Call<'_>, client: &mut Client) -> Done {
    stop_listening(call, client, Topic::ShardChannel)
}

/// Unsubscribes from each name, or from all if none is given, and confirms each behind what has come until then.
fn stop_listening(call: &mut Call<'_>, client: &mut Client, topic: Topic) -> Done {
    let verb = verbs(topic).1;
    if call.args.is_empty() {
        let names = client.info.subscriptions.names(topic);
        for name in &names {
            let count = client.unsubscribe(topic, name);
            client.take_messages(call.reply);
            confirm(call.reply, verb, Some(name), count);
        }
        if names.is_empty() {
            confirm(call.reply, verb, None, client.info.subscriptions.told(topic));
        }
    }
    while let Some(name) = call.args.next() {
        let count = client.unsubscribe(topic, name);
        client.take_messages(call.reply);
        confirm(call.reply, verb, Some(name), count);
    }
    client.note_pushed(call.reply);
    Ok(Flow::Done)
}

/// How confirmations call it to begin and to end to listen.
fn verbs(topic: Topic) -> (&'static str, &'static str) {
    match topic {
        Topic::Channel => ("subscribe", "unsubscribe"),
        Topic::Pattern => ("psubscribe", "punsubscribe"),
        Topic::ShardChannel => ("ssubscribe", "sunsubscribe"),
    }
}

fn confirm(reply: &mut Reply, verb: &str, name: Option<&[u8]>, count: usize) {
    reply.push(3);
    reply.bulk(verb.as_bytes());
    match name {
        Some(name) => reply.bulk(name),
        None => reply.null(),
    }
    reply.integer(count as i64);
}

static PUBLISH: Command = Command::client("PUBLISH", publish)
    .syntax("channel message")
    .arity(Exactly(3))
    .channels(Channels::At(1))
    .flags(PUBLISHING)
    .since("2.0.0")
    .complexity(
        "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of \
         subscribed patterns (by any client).",
    )
    .summary("Posts a message to a channel.");

fn publish(call: &mut Call<'_>, client: &mut Client) -> Done {
    let (channel, message) = (call.args.take()?, call.args.take()?);
    let receivers = call.state.pubsub.publish(call.state, channel, message, &mut client.wakes);
    answer(call, client, receivers)
}

static SPUBLISH: Command = Command::client("SPUBLISH", spublish)
    .syntax("shardchannel message")
    .arity(Exactly(3))
    .keys(&[key(1).no_key()])
    .channels(Channels::At(1))
    .flags(PUBLISHING)
    .since("7.0.0")
    .complexity("O(N) where N is the number of clients subscribed to the receiving shard channel.")
    .summary("Post a message to a shard channel.");

fn spublish(call: &mut Call<'_>, client: &mut Client) -> Done {
    let (channel, message) = (call.args.take()?, call.args.take()?);
    let receivers = call.state.pubsub.publish_to_shard(call.state, channel, message, &mut client.wakes);
    answer(call, client, receivers)
}

/// Older servers send a message to its own publisher before they answer.
fn answer(call: &mut Call<'_>, client: &mut Client, receivers: usize) -> Done {
    if !call.dialect().pushes_after_reply {
        client.take_messages_here(call.reply);
    }
    call.integer(receivers)
}

static PUBSUB: Command =
    Command::container("PUBSUB", &[&CHANNELS, &HELP, &NUMPAT, &NUMSUB, &SHARDCHANNELS, &SHARDNUMSUB])
        .since("2.8.0")
        .complexity("Depends on subcommand.")
        .summary("A container for Pub/Sub commands.");

static CHANNELS: Command = Command::client("CHANNELS", channels)
    .syntax("[pattern:pattern]")
    .arity(AtLeast(2))
    .flags(INTROSPECTION)
    .since("2.8.0")
    .complexity(
        "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short \
         channels and patterns)",
    )
    .summary("Returns the active channels.");

fn channels(call: &mut Call<'_>, _client: &mut Client) -> Done {
    active(call, Topic::Channel)
}

static SHARDCHANNELS: Command = Command::client("SHARDCHANNELS", shardchannels)
    .syntax("[pattern:pattern]")
    .arity(AtLeast(2))
    .flags(INTROSPECTION)
    .since("7.0.0")
    .complexity(
        "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively \
         short shard channels).",
    )
    .summary("Returns the active shard channels.");

fn shardchannels(call: &mut Call<'_>, _client: &mut Client) -> Done {
    active(call, Topic::ShardChannel)
}

/// Replies the names that anybody listens to.
fn active(call: &mut Call<'_>, topic: Topic) -> Done {
    let pattern = call.args.next();
    if !call.args.is_empty() {
        return Err(Error::unknown_subcommand_or_arity("PUBSUB", call.subcommand()));
    }
    if call.should_offload(call.state.pubsub.count(topic)) {
        return Ok(Flow::Offload);
    }
    let names = call.state.pubsub.names(topic, pattern);
    call.reply.array(names.len());
    names.iter().for_each(|name| call.reply.bulk(name));
    Ok(Flow::Done)
}

static NUMSUB: Command = Command::client("NUMSUB", numsub)
    .syntax("[channel [channel ...]]")
    .arity(AtLeast(2))
    .flags(INTROSPECTION)
    .since("2.8.0")
    .complexity("O(N) for the NUMSUB subcommand, where N is the number of requested channels")
    .summary("Returns a count of subscribers to channels.");

fn numsub(call: &mut Call<'_>, _client: &mut Client) -> Done {
    counts(call, Topic::Channel)
}

static SHARDNUMSUB: Command = Command::client("SHARDNUMSUB", shardnumsub)
    .syntax("[shardchannel [shardchannel ...]]")
    .arity(AtLeast(2))
    .flags(INTROSPECTION)
    .since("7.0.0")
    .complexity("O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels")
    .summary("Returns the count of subscribers of shard channels.");

fn shardnumsub(call: &mut Call<'_>, _client: &mut Client) -> Done {
    counts(call, Topic::ShardChannel)
}

/// Replies each name with the number of its listeners.
fn counts(call: &mut Call<'_>, topic: Topic) -> Done {
    call.reply.array(2 * call.args.len());
    while let Some(name) = call.args.next() {
        call.reply.bulk(name);
        call.reply.integer(call.state.pubsub.listeners(topic, name) as i64);
    }
    Ok(Flow::Done)
}

static NUMPAT: Command = Command::client("NUMPAT", numpat)
    .arity(Exactly(2))
    .flags(INTROSPECTION)
    .since("2.8.0")
    .complexity("O(1)")
    .summary("Returns a count of unique pattern subscriptions.");

fn numpat(call: &mut Call<'_>, _client: &mut Client) -> Done {
    call.integer(call.state.pubsub.count(Topic::Pattern))
}

static HELP: Command = Command::help(help).since("6.2.0");

fn help(call: &mut Call<'_>, _client: &mut Client) -> Done {
    call.help("PUBSUB", HELP_LINES)
}

const HELP_LINES: &[&str] = &[
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
];
