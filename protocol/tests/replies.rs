//! Properties of the reply buffer: another implementation decodes every reply, in either version, to the
//! value that was written, however its parts came to be in the buffer.

use bytes::Bytes;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use redis_protocol::resp2;
use redis_protocol::resp2::types::OwnedFrame as Frame2;
use redis_protocol::resp3;
use redis_protocol::resp3::types::{OwnedFrame as Frame3, VerbatimStringFormat};
use shardis_protocol::{Aggregate, Pending, Reply, Version};

#[derive(Clone, Debug)]
enum Value {
    Null,
    NullArray,
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Shared(u8, usize),
    Double(f64),
    Boolean(bool),
    BigNumber(i128),
    Verbatim(String),
    Array(Vec<Value>),
    /// Like an array, but its length is written last.
    Counted(Vec<Value>),
    Map(Vec<(i64, Value)>),
    Set(Vec<i64>),
    /// A value in whose place another one was written first.
    Rewritten(Box<Value>, Box<Value>),
}

use Value::*;

impl Value {
    fn write(&self, reply: &mut Reply) {
        match self {
            Null => reply.null(),
            NullArray => reply.null_array(),
            Simple(text) => reply.simple(text),
            Error(text) => reply.error(text.as_bytes()),
            Integer(value) => reply.integer(*value),
            Bulk(bytes) => reply.bulk(bytes),
            Shared(byte, len) => reply.bulk_shared(Bytes::from(vec![*byte; *len])),
            Double(value) => reply.double(*value),
            Boolean(value) => reply.boolean(*value),
            BigNumber(value) => reply.big_number(&value.to_string()),
            Verbatim(text) => reply.verbatim(b"txt", text.as_bytes()),
            Array(values) => {
                reply.array(values.len());
                values.iter().for_each(|value| value.write(reply));
            }
            Counted(values) => {
                let start = reply.mark();
                values.iter().for_each(|value| value.write(reply));
                reply.insert_array_header(start, values.len());
            }
            Map(pairs) => {
                let start = reply.mark();
                for (key, value) in pairs {
                    reply.bulk_integer(*key);
                    value.write(reply);
                }
                reply.insert_header(start, Aggregate::Map, pairs.len());
            }
            Set(members) => {
                reply.set(members.len());
                members.iter().for_each(|member| reply.integer(*member));
            }
            Rewritten(first, second) => {
                let start = reply.mark();
                first.write(reply);
                reply.rollback(start);
                second.write(reply);
            }
        }
    }

    fn frame2(&self) -> Frame2 {
        let bulk = |text: String| Frame2::BulkString(text.into_bytes());
        match self {
            Null | NullArray => Frame2::Null,
            Simple(text) => Frame2::SimpleString(text.clone().into_bytes()),
            Error(text) => Frame2::Error(text.clone()),
            Integer(value) => Frame2::Integer(*value),
            Bulk(bytes) => Frame2::BulkString(bytes.clone()),
            Shared(byte, len) => Frame2::BulkString(vec![*byte; *len]),
            Double(value) => {
                let mut text = Vec::new();
                shardis_protocol::number::format_f64(*value, &mut text);
                Frame2::BulkString(text)
            }
            Boolean(value) => Frame2::Integer((*value).into()),
            BigNumber(value) => bulk(value.to_string()),
            Verbatim(text) => bulk(text.clone()),
            Array(values) | Counted(values) => Frame2::Array(values.iter().map(Value::frame2).collect()),
            Map(pairs) => Frame2::Array(
                pairs.iter().flat_map(|(key, value)| [bulk(key.to_string()), value.frame2()]).collect(),
            ),
            Set(members) => Frame2::Array(members.iter().copied().map(Frame2::Integer).collect()),
            Rewritten(_, second) => second.frame2(),
        }
    }

    fn frame3(&self) -> Frame3 {
        let attributes = None;
        let bulk = |data| Frame3::BlobString { data, attributes: None };
        let integer = |data| Frame3::Number { data, attributes: None };
        match self {
            Null | NullArray => Frame3::Null,
            Simple(text) => Frame3::SimpleString { data: text.clone().into_bytes(), attributes },
            Error(text) => Frame3::SimpleError { data: text.clone(), attributes },
            Integer(value) => integer(*value),
            Bulk(bytes) => bulk(bytes.clone()),
            Shared(byte, len) => bulk(vec![*byte; *len]),
            Double(data) => Frame3::Double { data: *data, attributes },
            Boolean(data) => Frame3::Boolean { data: *data, attributes },
            BigNumber(value) => Frame3::BigNumber { data: value.to_string().into_bytes(), attributes },
            Verbatim(text) => {
                let data = text.clone().into_bytes();
                Frame3::VerbatimString { data, format: VerbatimStringFormat::Text, attributes }
            }
            Array(values) | Counted(values) => {
                Frame3::Array { data: values.iter().map(Value::frame3).collect(), attributes }
            }
            Map(pairs) => {
                let pairs = pairs.iter().map(|(key, value)| (bulk(key.to_string().into()), value.frame3()));
                Frame3::Map { data: pairs.collect(), attributes }
            }
            Set(members) => Frame3::Set { data: members.iter().copied().map(integer).collect(), attributes },
            Rewritten(_, second) => second.frame3(),
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Null),
        Just(NullArray),
        "[ -~]{0,10}".prop_map(Simple),
        "[A-Z]{1,8} [ -~]{0,10}".prop_map(Error),
        any::<i64>().prop_map(Integer),
        (0..20_i64).prop_map(Integer),
        vec(any::<u8>(), 0..20).prop_map(Bulk),
        (any::<u8>(), 16_380..16_390_usize).prop_map(|(byte, len)| Shared(byte, len)),
        any::<f64>().prop_filter("not equal to itself", |value| !value.is_nan()).prop_map(Double),
        any::<bool>().prop_map(Boolean),
        any::<i128>().prop_map(BigNumber),
        "[ -~\r\n]{0,20}".prop_map(Verbatim),
        btree_set(any::<i64>(), 0..5).prop_map(|members| Set(members.into_iter().collect())),
    ];
    leaf.prop_recursive(3, 24, 12, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..12).prop_map(Array),
            vec(inner.clone(), 0..12).prop_map(Counted),
            btree_map(any::<i64>(), inner.clone(), 0..12).prop_map(|pairs| Map(pairs.into_iter().collect())),
            (inner.clone(), inner).prop_map(|(first, second)| Rewritten(first.into(), second.into())),
        ]
    })
}

/// The bytes of a reply with these values, taken from it in one of the two ways they are sent.
fn sent(values: &[Value], version: Version, written: &prop::sample::Index) -> Vec<u8> {
    let mut reply = Reply::new(version);
    values.iter().for_each(|value| value.write(&mut reply));
    let whole = reply.to_vec();
    assert_eq!(reply.len(), whole.len());
    let written = written.index(whole.len() + 1);
    let mut pending = Pending::new();
    pending.absorb(&mut reply, written);
    let bytes = [&whole[..written], &pending.segments().collect::<Vec<_>>().concat()].concat();
    assert!(bytes == whole, "the parts of a reply are the reply");
    bytes
}

proptest! {
    #[test]
    fn resp2_replies_are_decoded_to_what_was_written(
        values in vec(value(), 1..5),
        written: prop::sample::Index,
    ) {
        let bytes = sent(&values, Version::Resp2, &written);
        let mut at = 0;
        for value in &values {
            let (frame, len) = resp2::decode::decode(&bytes[at..]).expect("valid").expect("whole");
            prop_assert_eq!(frame, value.frame2());
            at += len;
        }
        prop_assert_eq!(at, bytes.len());
    }

    #[test]
    fn resp3_replies_are_decoded_to_what_was_written(
        values in vec(value(), 1..5),
        written: prop::sample::Index,
    ) {
        let bytes = sent(&values, Version::Resp3, &written);
        let mut at = 0;
        for value in &values {
            let (frame, len) = resp3::decode::complete::decode(&bytes[at..]).expect("valid").expect("whole");
            prop_assert_eq!(frame, value.frame3());
            at += len;
        }
        prop_assert_eq!(at, bytes.len());
    }
}

#[test]
fn pushes_and_attributes_are_decoded() {
    let mut reply = Reply::new(Version::Resp3);
    reply.push(2);
    reply.bulk(b"message");
    reply.integer(1);
    assert!(reply.attribute(1));
    reply.bulk(b"ttl");
    reply.integer(3600);
    reply.bulk(b"value");
    let bytes = reply.to_vec();
    let (frame, len) = resp3::decode::complete::decode(&bytes).expect("valid").expect("whole");
    assert!(matches!(frame, Frame3::Push { data, .. } if data.len() == 2));
    let (frame, _) = resp3::decode::complete::decode(&bytes[len..]).expect("valid").expect("whole");
    let Frame3::BlobString { data, attributes: Some(attributes) } = frame else {
        panic!("{frame:?}");
    };
    assert_eq!((&data[..], attributes.len()), (&b"value"[..], 1));
}
