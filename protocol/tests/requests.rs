//! Properties of the request parser: no way of cutting the input changes what is found in it, and what
//! another implementation encodes is read back unchanged.

use proptest::collection::vec;
use proptest::prelude::*;
use redis_protocol::resp2::encode::encode;
use redis_protocol::resp2::types::{OwnedFrame, Resp2Frame};
use shardis_protocol::{Limits, OwnedRequest, Parsed, ProtocolError, Request, RequestParser};

/// What a connection saw: its commands, the error that ended it, and the bytes left over.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    commands: Vec<OwnedRequest>,
    error: Option<ProtocolError>,
    left: usize,
}

/// Parses the pieces as they arrive, as a connection does.
fn receive<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &Limits) -> Seen {
    let (mut parser, mut seen, mut input) = (RequestParser::new(), Seen::default(), Vec::new());
    let mut hint_before = 0;
    for piece in pieces {
        input.extend_from_slice(piece);
        let mut at = 0;
        loop {
            let mut spans = Vec::new();
            let rest = &input[at..];
            let consumed = match parser.parse(rest, limits, &mut spans) {
                Ok(Parsed::Command { consumed }) => {
                    seen.commands.push(Request::new(rest, &spans).to_owned());
                    consumed
                }
                Ok(Parsed::Inline { consumed, request }) => {
                    seen.commands.push(request);
                    consumed
                }
                Ok(Parsed::Nothing { consumed }) => consumed,
                Ok(Parsed::Incomplete { hint }) => {
                    assert!(hint > rest.len() && hint >= hint_before, "hints only grow");
                    hint_before = hint;
                    break;
                }
                Err(error) => {
                    seen.error = Some(error);
                    return seen;
                }
            };
            assert!(consumed > 0 && consumed <= rest.len());
            assert!(consumed >= hint_before, "a hint was certain");
            assert!(!parser.is_partial() && parser.memory_bytes() == 0);
            hint_before = 0;
            at += consumed;
        }
        input.drain(..at);
    }
    seen.left = input.len();
    seen
}

fn encoded(args: &[Vec<u8>]) -> Vec<u8> {
    let frame = OwnedFrame::Array(args.iter().cloned().map(OwnedFrame::BulkString).collect());
    let mut bytes = vec![0; frame.encode_len(false)];
    let written = encode(&mut bytes, &frame, false).expect("the buffer has the size asked for");
    bytes.truncate(written);
    bytes
}

fn command() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let bytes = |len| vec(any::<u8>(), len);
    let arg = prop_oneof![8 => bytes(0..12), 1 => bytes(90..120), 1 => bytes(990..1010)];
    prop_oneof![9 => vec(arg.clone(), 1..6), 1 => vec(arg, 6..30)]
        .prop_filter("web clients are shown out", |args| {
            !args[0].eq_ignore_ascii_case(b"POST") && !args[0].eq_ignore_ascii_case(b"Host:")
        })
}

/// Commands, lines and rubbish that is likely to be taken for either.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => command().prop_map(|args| encoded(&args)),
        3 => "[a-z \t\"'\\\\x0-9]{0,20}\r?\n".prop_map(String::into_bytes),
        1 => "[*$][-+ 0-9]?[0-9]{0,12}\r\n".prop_map(String::into_bytes),
        1 => vec(prop::sample::select(b"*$-01239\r\n \"'\\xPOST:\0\xff".to_vec()), 0..8),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    (prop_oneof![Just(512 << 20), 0_u64..200], any::<bool>())
        .prop_map(|(bulk_bytes_max, authenticated)| Limits { bulk_bytes_max, authenticated })
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_commands(
        fragments in vec(fragment(), 0..8),
        limits in limits(),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let input = fragments.concat();
        let whole = receive([&input[..]], &limits);
        prop_assert_eq!(&receive(input.chunks(1), &limits), &whole);

        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &input[cut[0]..cut[1]]);
        prop_assert_eq!(receive(pieces, &limits), whole);
    }

    #[test]
    fn what_another_implementation_encodes_is_read_back(commands in vec(command(), 1..10)) {
        let input = commands.iter().flat_map(|args| encoded(args)).collect::<Vec<_>>();
        let expected: Vec<_> = commands.iter().map(|args| OwnedRequest::from_args(args)).collect();
        let seen = receive([&input[..]], &Limits::default());
        prop_assert_eq!(seen, Seen { commands: expected, error: None, left: 0 });
    }

    #[test]
    fn no_input_panics(input in vec(any::<u8>(), 0..200), limits in limits()) {
        prop_assert_eq!(receive(input.chunks(3), &limits), receive([&input[..]], &limits));
    }
}
