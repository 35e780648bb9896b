//! The protocol layer alone: what parsing a pipeline and writing its replies costs, without keys and sockets.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shardis_benches::resp::append_command;
use shardis_benches::workload::{key, value};
use shardis_protocol::{Limits, Parsed, Reply, RequestParser, Span, Version};

/// Commands of a pipeline.
const PIPELINE: u64 = 100;

/// A pipeline of commands, each made of its number.
fn pipeline<const N: usize>(words: impl Fn(u64) -> [String; N]) -> Vec<u8> {
    let mut input = Vec::new();
    (0..PIPELINE).for_each(|number| append_command(&mut input, &words(number)));
    input
}

/// Parses a whole pipeline and says how many arguments it had.
fn parse(parser: &mut RequestParser, spans: &mut Vec<Span>, input: &[u8]) -> usize {
    spans.clear();
    let mut at = 0;
    while at < input.len() {
        match parser.parse(&input[at..], &Limits::default(), spans) {
            Ok(Parsed::Command { consumed }) => at += consumed,
            other => panic!("a pipeline of whole commands: {other:?}"),
        }
    }
    spans.len()
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("protocol/parse");
    group.throughput(Throughput::Elements(PIPELINE));
    let pipelines = [
        ("get", 2, pipeline(|number| ["GET".into(), key(number)])),
        ("set", 3, pipeline(|number| ["SET".into(), key(number), value(number)])),
    ];
    for (name, words, input) in &pipelines {
        let (mut parser, mut spans) = (RequestParser::new(), Vec::new());
        assert_eq!(parse(&mut parser, &mut spans, input), words * PIPELINE as usize);
        group.bench_function(*name, |bencher| {
            bencher.iter(|| parse(&mut parser, &mut spans, black_box(input)));
        });
    }
    group.finish();
}

fn replies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("protocol/reply");
    group.throughput(Throughput::Elements(PIPELINE));
    let values: Vec<String> = (0..PIPELINE).map(value).collect();
    let mut reply = Reply::new(Version::Resp2);
    let mut write = |name: &str, one: fn(&mut Reply, &str)| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                reply.clear();
                values.iter().for_each(|value| one(&mut reply, black_box(value)));
                reply.len()
            });
        });
    };
    write("bulk", |reply, value| reply.bulk(value.as_bytes()));
    write("ok", |reply, _| reply.ok());
    write("integer", |reply, value| reply.integer(value.len() as i64));
    group.finish();
}

criterion_group!(benches, requests, replies);
criterion_main!(benches);
