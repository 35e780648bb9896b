//! Requests encoded before the measurement, in random order, with the replies that a right server gives.
//!
//! Building a pool costs time and memory so that sending from it and checking against it cost next to nothing.

use crate::failure::{Failure, excerpt};
use shardis_benches::resp;
use shardis_benches::workload::{Pick, Reply, Workload};
use std::ops::Range;

/// The requests of one workload.
pub struct Pool {
    requests: Stretches,
    answers: Answers,
}

impl Pool {
    /// Encodes every request of `workload` over `items` items once, shuffled.
    pub fn build(workload: &Workload, items: u64) -> Self {
        let mut order: Vec<u64> = (0..items * workload.visits).collect();
        fastrand::Rng::with_seed(SEED).shuffle(&mut order);
        let picks = || order.iter().map(|number| Pick { item: number % items, visit: number / items, items });
        let requests = Stretches::collect(picks(), |out, pick| {
            workload.commands(pick).iter().for_each(|command| resp::append_command(out, command));
        });
        let answers = match workload.reply {
            Reply::Exact(reply) => Answers::Exact(Stretches::collect(picks(), |out, pick| {
                out.extend(workload.replies(reply, pick))
            })),
            Reply::Like(reply) => Answers::Like(Stretches::collect(picks(), |out, pick| {
                out.extend(workload.replies(reply, pick))
            })),
            Reply::Integer { min, max } => Answers::Integers(min..=max),
        };
        Self { requests, answers }
    }

    /// The number of requests.
    pub fn len(&self) -> usize {
        self.requests.ends.len()
    }

    /// The bytes of a batch of requests.
    pub fn requests(&self, batch: &Range<usize>) -> &[u8] {
        self.requests.get(batch)
    }

    /// Compares what `server` has answered so far with what `batch` must be answered. Gives the length of the
    /// batch's replies once all have arrived; bytes after them belong to the next batch.
    pub fn check(
        &self,
        server: &str,
        batch: &Range<usize>,
        received: &[u8],
    ) -> Result<Option<usize>, Failure> {
        match &self.answers {
            Answers::Exact(replies) => {
                let expected = replies.get(batch);
                let common = expected.len().min(received.len());
                if expected[..common] == received[..common] {
                    return Ok((common == expected.len()).then_some(common));
                }
                Err(self.first_difference(server, batch, replies, received))
            }
            Answers::Like(replies) => {
                let mut used = 0;
                for index in batch.clone() {
                    let expected = replies.get(&(index..index + 1));
                    let rest = &received[used..];
                    if !expected.iter().zip(rest).all(|(like, byte)| is_like(*like, *byte)) {
                        return Err(self.wrong(server, index, excerpt(expected), rest));
                    }
                    if rest.len() < expected.len() {
                        return Ok(None);
                    }
                    used += expected.len();
                }
                Ok(Some(used))
            }
            Answers::Integers(range) => {
                let mut used = 0;
                for index in batch.clone() {
                    let Some(length) = received[used..].iter().position(|byte| *byte == b'\n') else {
                        // An integer has at most twenty digits: a longer line is something else.
                        if received.len() - used > INTEGER_BYTES_MAX {
                            return Err(self.wrong(server, index, format!("{range:?}"), &received[used..]));
                        }
                        return Ok(None);
                    };
                    let line = &received[used..=used + length];
                    if !integer(line).is_some_and(|value| range.contains(&value)) {
                        return Err(self.wrong(server, index, format!("an integer in {range:?}"), line));
                    }
                    used += line.len();
                }
                Ok(Some(used))
            }
        }
    }

    /// The failure of a server that answers more than it was asked for.
    pub fn surplus(&self, server: &str, batch: &Range<usize>, received: &[u8]) -> Failure {
        self.wrong(server, batch.end - 1, "nothing more".to_owned(), received)
    }

    fn first_difference(
        &self,
        server: &str,
        batch: &Range<usize>,
        replies: &Stretches,
        received: &[u8],
    ) -> Failure {
        let mut rest = received;
        for index in batch.clone() {
            let expected = replies.get(&(index..index + 1));
            match rest.strip_prefix(expected) {
                Some(after) => rest = after,
                None => return self.wrong(server, index, excerpt(expected), rest),
            }
        }
        self.surplus(server, batch, rest)
    }

    fn wrong(&self, server: &str, index: usize, expected: String, received: &[u8]) -> Failure {
        Failure::WrongReply {
            server: server.to_owned(),
            command: excerpt(self.requests.get(&(index..index + 1))),
            expected,
            received: excerpt(received),
        }
    }
}

/// Many byte strings one behind the other.
struct Stretches {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Stretches {
    fn collect(picks: impl Iterator<Item = Pick>, append: impl Fn(&mut Vec<u8>, Pick)) -> Self {
        let mut stretches = Self { bytes: Vec::new(), ends: Vec::new() };
        for pick in picks {
            append(&mut stretches.bytes, pick);
            stretches.ends.push(stretches.bytes.len());
        }
        stretches
    }

    fn get(&self, range: &Range<usize>) -> &[u8] {
        let start = range.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        let end = range.end.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.bytes[start..end]
    }
}

/// What the replies must be.
enum Answers {
    Exact(Stretches),
    Like(Stretches),
    Integers(std::ops::RangeInclusive<i64>),
}

fn is_like(like: u8, byte: u8) -> bool {
    like == byte || like == b'#' && byte.is_ascii_digit()
}

fn integer(line: &[u8]) -> Option<i64> {
    let digits = line.strip_prefix(b":")?.strip_suffix(b"\r\n")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The same order in every run.
const SEED: u64 = 2;
const INTEGER_BYTES_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use shardis_benches::workload::WORKLOADS;

    fn pool(name: &str) -> Pool {
        let workload = WORKLOADS.iter().find(|workload| workload.name == name).expect("the workload exists");
        Pool::build(workload, 100)
    }

    fn answer(pool: &Pool, batch: &Range<usize>) -> Vec<u8> {
        match &pool.answers {
            Answers::Exact(replies) => replies.get(batch).to_vec(),
            Answers::Like(_) | Answers::Integers(_) => panic!("this workload has exact answers"),
        }
    }

    #[test]
    fn every_request_is_in_the_pool_once() {
        let pool = pool("GET");
        let mut requests: Vec<_> =
            (0..pool.len()).map(|index| pool.requests(&(index..index + 1)).to_vec()).collect();
        requests.sort();
        requests.dedup();
        assert_eq!(requests.len(), 100);
    }

    #[test]
    fn exact_answers_are_complete_only_with_their_last_byte() {
        let pool = pool("GET");
        let reply = answer(&pool, &(4..7));
        for length in 0..reply.len() {
            assert!(matches!(pool.check("test", &(4..7), &reply[..length]), Ok(None)));
        }
        let more = [&reply[..], b"+"].concat();
        assert!(matches!(pool.check("test", &(4..7), &more), Ok(Some(length)) if length == reply.len()));
    }

    #[test]
    fn a_wrong_byte_names_the_request_it_answers() {
        let pool = pool("GET");
        let mut reply = answer(&pool, &(4..7));
        let second = answer(&pool, &(4..5)).len() + 10;
        reply[second] ^= 1;
        let Err(Failure::WrongReply { command, .. }) = pool.check("test", &(4..7), &reply) else {
            panic!("a wrong byte must be noticed");
        };
        assert_eq!(command, excerpt(pool.requests(&(5..6))));
    }

    #[test]
    fn a_digit_may_be_any() {
        let pool = pool("XADD");
        assert!(matches!(pool.check("test", &(0..1), b"$8\r\n5-100234\r\n"), Ok(Some(14))));
        assert!(matches!(pool.check("test", &(0..1), b"$8\r\n5-1002"), Ok(None)));
        assert!(pool.check("test", &(0..1), b"$8\r\n5-10023x\r\n").is_err());
        assert!(pool.check("test", &(0..1), b"-ERR no\r\n").is_err());
    }

    #[test]
    fn integers_must_be_integers_in_range() {
        let pool = pool("SADD");
        assert!(matches!(pool.check("test", &(0..2), b":0\r\n:1\r\n"), Ok(Some(8))));
        assert!(matches!(pool.check("test", &(0..2), b":0\r\n:1"), Ok(None)));
        assert!(pool.check("test", &(0..2), b":0\r\n:2\r\n").is_err());
        assert!(pool.check("test", &(0..1), b"-ERR no\r\n").is_err());
        assert!(pool.check("test", &(0..1), &[b'x'; 30]).is_err());
    }
}
