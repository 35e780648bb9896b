//! Large collections over the wire: what is too much for a network thread is done elsewhere and answers as the same done
//! in place, and what is stepped through while it changes is seen.

use std::collections::BTreeSet;

use shardis_tests::client::Client;
use shardis_tests::reply::Reply;
use shardis_tests::server::Server;

/// Far more than is done on a network thread in one go.
const MANY: usize = 5000;

fn ours() -> Server {
    Server::ours("redis-7.2", &["--threads", "1"])
}

#[test]
fn large_sets_are_combined_as_small_ones_are() {
    let server = ours();
    let mut client = Client::connect_speaking(server.address(), 3).expect("it accepts");
    add(&mut client, "even", (0..MANY).map(|n| format!("m{}", 2 * n)));
    add(&mut client, "third", (0..MANY).map(|n| format!("m{}", 3 * n)));
    let multiples = |of: usize| (0..MANY).map(move |n| of * n).collect::<BTreeSet<usize>>();
    let (even, third) = (multiples(2), multiples(3));
    let named = |numbers: &mut dyn Iterator<Item = usize>| -> BTreeSet<Vec<u8>> {
        numbers.map(|number| format!("m{number}").into_bytes()).collect()
    };
    let common = named(&mut even.intersection(&third).copied());
    let all = named(&mut even.union(&third).copied());
    let rest = named(&mut even.difference(&third).copied());
    for (command, expected) in [("SINTER", &common), ("SUNION", &all), ("SDIFF", &rest)] {
        let found = members(&call(&mut client, &[command, "even", "third"]));
        assert_eq!(&found, expected, "{command}");
        let store = format!("{command}STORE");
        let stored = call(&mut client, &[&store, "into", "even", "third", "third"]);
        assert_eq!(stored, count(expected.len()), "{store}");
        assert_eq!(&members(&call(&mut client, &["SMEMBERS", "into"])), expected, "{store}");
    }
    assert_eq!(call(&mut client, &["SINTERCARD", "2", "even", "third"]), count(common.len()));
    assert_eq!(call(&mut client, &["SINTERCARD", "2", "even", "third", "LIMIT", "9"]), count(9));
    // The destination is one of the sources.
    assert_eq!(call(&mut client, &["SDIFFSTORE", "even", "even", "third"]), count(rest.len()));
    assert_eq!(members(&call(&mut client, &["SMEMBERS", "even"])), rest);
}

#[test]
fn members_by_chance_leave_a_large_set_once() {
    let server = ours();
    let mut client = server.client();
    add(&mut client, "k", (0..MANY).map(|n| format!("m{n}")));
    let drawn = call(&mut client, &["SRANDMEMBER", "k", "2000"]);
    assert_eq!((drawn.items().len(), members(&drawn).len()), (2000, 2000));
    assert_eq!(call(&mut client, &["SRANDMEMBER", "k", "-9000"]).items().len(), 9000);
    let too_many = call(&mut client, &["SRANDMEMBER", "k", "-9223372036854775807"]);
    assert_eq!(too_many, Reply::Error(b"ERR value is out of range".to_vec()));
    let mut popped = BTreeSet::new();
    for some in ["1500", "10", "3400", "1", "1000"] {
        let reply = call(&mut client, &["SPOP", "k", some]);
        let before = popped.len();
        popped.extend(members(&reply));
        assert_eq!(popped.len(), before + reply.items().len(), "SPOP {some}");
        assert_eq!(call(&mut client, &["SCARD", "k"]), count(MANY - popped.len()));
    }
    assert_eq!(popped.len(), MANY);
    assert_eq!(call(&mut client, &["EXISTS", "k"]), Reply::Integer(0));
}

#[test]
fn what_is_done_elsewhere_counts_its_lookups_once() {
    let server = ours();
    let mut client = server.client();
    add(&mut client, "a", (0..MANY).map(|n| n.to_string()));
    assert_eq!(call(&mut client, &["CONFIG", "RESETSTAT"]), Reply::simple("OK"));
    call(&mut client, &["SUNION", "a", "missing", "a"]);
    call(&mut client, &["SMEMBERS", "a"]);
    call(&mut client, &["SSCAN", "a", "0", "COUNT", "3000"]);
    let info = call(&mut client, &["INFO", "stats"]);
    let info = String::from_utf8_lossy(info.text().expect("a text")).into_owned();
    for figure in ["keyspace_hits:4", "keyspace_misses:1"] {
        assert!(info.lines().any(|line| line == figure), "{figure}: {info}");
    }
}

#[test]
fn a_walk_sees_what_stays_while_a_set_grows_and_shrinks() {
    walk("SSCAN", "SADD", "SREM", |name| vec![name], 1);
}

#[test]
fn a_walk_sees_what_stays_while_a_hash_grows_and_shrinks() {
    walk("HSCAN", "HSET", "HDEL", |name| vec![name, "v".into()], 2);
}

/// Steps through a collection of `MANY` elements that stay, while others come and go between the steps.
fn walk(scan: &str, add: &str, remove: &str, element: fn(String) -> Vec<String>, width: usize) {
    let server = ours();
    let mut client = server.client();
    let stays = (0..MANY).map(|n| format!("stays{n}"));
    let words: Vec<String> = stays.clone().flat_map(element).collect();
    call_with(&mut client, &[add, "k"], &words);
    let (mut cursor, mut seen, mut steps) = ("0".to_owned(), BTreeSet::new(), 0);
    loop {
        let page = call(&mut client, &[scan, "k", &cursor, "COUNT", "50"]);
        let [next, found] = page.items() else { panic!("no page: {page:?}") };
        seen.extend(found.items().chunks(width).filter_map(|element| element[0].text()).map(<[u8]>::to_vec));
        cursor = String::from_utf8_lossy(next.text().expect("a cursor")).into_owned();
        if cursor == "0" {
            break;
        }
        steps += 1;
        let guests = |step: usize| (0..200).map(move |n| format!("guest{step}:{n}"));
        if steps / 20 % 2 == 0 {
            let words: Vec<String> = guests(steps).flat_map(element).collect();
            call_with(&mut client, &[add, "k"], &words);
        } else {
            let words: Vec<String> = guests(steps - 20).collect();
            call_with(&mut client, &[remove, "k"], &words);
        }
    }
    assert!(steps > 50, "{steps} steps");
    assert!(stays.map(String::into_bytes).all(|name| seen.contains(&name)));
}

fn add(client: &mut Client, key: &str, members: impl Iterator<Item = String>) {
    let members: Vec<String> = members.collect();
    assert_eq!(call_with(client, &["SADD", key], &members), count(members.len()));
}

fn members(reply: &Reply) -> BTreeSet<Vec<u8>> {
    reply.items().iter().filter_map(|member| member.text()).map(<[u8]>::to_vec).collect()
}

fn count(len: usize) -> Reply {
    Reply::Integer(i64::try_from(len).expect("a small number"))
}

fn call(client: &mut Client, words: &[&str]) -> Reply {
    client.call(words).expect("a reply")
}

fn call_with(client: &mut Client, words: &[&str], more: &[String]) -> Reply {
    let words: Vec<&str> = words.iter().copied().chain(more.iter().map(String::as_str)).collect();
    call(client, &words)
}
