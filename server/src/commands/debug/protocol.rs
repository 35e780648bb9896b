//! DEBUG PROTOCOL: a reply of each type that the protocol has, for tests of clients.

use shardis_protocol::{Reply, Version};
use shardis_storage::Transaction;

use crate::command::args::is_word;
use crate::command::{Call, Done, Error, Flow};

pub(super) fn protocol(call: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    let name = call.args.take()?;
    if is_word(name, "PUSH") {
        return push(call);
    }
    let (_, write) = SAMPLES.iter().find(|(known, _)| is_word(name, known)).ok_or(Error::PROTOCOL_TYPE)?;
    write(call.reply);
    Ok(Flow::Done)
}

#[expect(clippy::approx_constant, reason = "the sample that all servers send")]
const SAMPLES: [(&str, fn(&mut Reply)); 12] = [
    ("STRING", |reply| reply.bulk(b"Hello World")),
    ("INTEGER", |reply| reply.integer(12345)),
    ("DOUBLE", |reply| reply.double(3.141)),
    ("NULL", Reply::null),
    ("ARRAY", |reply| {
        reply.array(3);
        (0..3).for_each(|number| reply.integer(number));
    }),
    ("SET", |reply| {
        reply.set(3);
        (0..3).for_each(|number| reply.integer(number));
    }),
    ("MAP", |reply| {
        reply.map(3);
        for number in 0..3 {
            reply.integer(number);
            reply.boolean(number == 1);
        }
    }),
    ("ATTRIB", |reply| {
        if reply.attribute(1) {
            reply.bulk(b"key-popularity");
            reply.array(2);
            reply.bulk(b"key:123");
            reply.integer(90);
        }
        reply.bulk(b"Some real reply following the attribute");
    }),
    ("BIGNUM", |reply| reply.big_number("1234567999999999999999999999999999999")),
    ("TRUE", |reply| reply.boolean(true)),
    ("FALSE", |reply| reply.boolean(false)),
    ("VERBATIM", |reply| reply.verbatim(b"txt", b"This is a verbatim\nstring")),
];

/// A push is no reply, so one comes too.
fn push(call: &mut Call<'_>) -> Done {
    if call.reply.version() != Version::Resp3 {
        return Err(Error::NEEDS_RESP3);
    }
    let is_behind = call.dialect().pushes_after_reply;
    let reply = &mut *call.reply;
    let answer = |reply: &mut Reply| reply.bulk(b"Some real reply following the push reply");
    if is_behind {
        answer(reply);
    }
    reply.push(2);
    reply.bulk(b"server-cpu-usage");
    reply.integer(42);
    if !is_behind {
        answer(reply);
    }
    Ok(Flow::Done)
}
