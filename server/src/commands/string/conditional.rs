//! Comparing a value with what the caller expects, by its bytes or by their digest, and deleting on the
//! outcome. The same comparisons as options of SET are read in `options.rs`.

use shardis_protocol::Request;
use shardis_storage::{IntBuffer, StringRef, Transaction, View};
use xxhash_rust::xxh3::xxh3_64;

use super::options::{IFDEQ, IFDNE, IFEQ, IFNE, Options};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Access, Call, Command, Done, Error, Flags, key};
use crate::config::Dialect;

/// An expectation of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison<'a> {
    /// The operand is a digest as DIGEST replies it, not a value.
    pub digest: bool,
    /// It must be equal; otherwise it must differ.
    pub equal: bool,
    /// What the value is compared with.
    pub operand: &'a [u8],
}

impl Comparison<'_> {
    /// Whether `value` is as expected. Of a digest only the length is checked, as the imitated servers do.
    pub fn holds(self, value: StringRef<'_>) -> Result<bool, Error> {
        let mut buffer = IntBuffer::new();
        let bytes = value.bytes(&mut buffer);
        let same = if self.digest {
            if self.operand.len() != DIGEST_DIGITS {
                return Err(Error::DIGEST_LENGTH);
            }
            digest_of(bytes).as_bytes().eq_ignore_ascii_case(self.operand)
        } else {
            bytes == self.operand
        };
        Ok(same == self.equal)
    }
}

/// XXH3 with 64 bits, in hexadecimal.
fn digest_of(bytes: &[u8]) -> String {
    format!("{:0width$x}", xxh3_64(bytes), width = DIGEST_DIGITS)
}

const DIGEST_DIGITS: usize = 16;

pub static DELIFEQ: Command = Command::write("DELIFEQ", delifeq)
    .syntax("key value")
    .arity(Exactly(3))
    .keys(&[key(1).removes().deletes()])
    .flags(Flags::FAST)
    .since("9.0.0")
    .complexity("O(1)")
    .summary("Delete key if value matches string.");

fn delifeq(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let comparison = Comparison { digest: false, equal: true, operand: call.args.take()? };
    let matches = match txn.string(&key)? {
        Some(value) => comparison.holds(value)?,
        None => false,
    };
    call.integer(i64::from(matches && txn.remove(&key)))
}

pub static DELEX: Command = Command::write("DELEX", delex)
    .syntax("key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]")
    .arity(AtLeast(2))
    .keys(&[key(1).read_write().deletes().varying(delex_access)])
    .flags(Flags::FAST)
    .since("8.4.0")
    .complexity("O(1) for IFEQ/IFNE, O(N) for IFDEQ/IFDNE where N is the length of the string value.")
    .summary("Conditionally removes the specified key based on value or digest comparison.");

/// With a condition the value is read.
fn delex_access(request: Request<'_>, _: &Dialect) -> Access {
    let reads = if request.len() > 2 { Access::READ_WRITE } else { Access::REMOVE };
    Access(reads | Access::DELETE)
}

fn delex(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let options = match call.args.len() {
        0 => None,
        2 => Some(Options::parse(call.args, &[IFEQ, IFNE, IFDEQ, IFDNE])),
        _ => return Err(Error::arity("delex")),
    };
    let Some(options) = options else { return call.integer(i64::from(txn.remove(&key))) };
    // The key is looked at first: a word that means nothing is no error when there is nothing to delete.
    let Some(entry) = txn.lookup(&key) else { return call.integer(0) };
    if entry.string().is_none() {
        return Err(Error::CONDITION_NEEDS_STRING);
    }
    let condition = options.map_err(|_| Error::INVALID_CONDITION)?.condition;
    let holds = condition.holds(Some(entry))?;
    call.integer(i64::from(holds && txn.remove(&key)))
}

pub static DIGEST: Command = Command::read("DIGEST", digest)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only().accesses()])
    .flags(Flags::FAST)
    .since("8.4.0")
    .complexity("O(N) where N is the length of the string value.")
    .summary("Returns the XXH3 hash of a string value.");

fn digest(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let Some(value) = view.string(&key)? else { return call.null() };
    let digest = digest_of(value.bytes(&mut IntBuffer::new()));
    call.bulk(digest.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_keeps_its_leading_zeros() {
        assert_eq!(digest_of(b"hello"), "9555e8555c62dcfd");
        assert_eq!(digest_of(b""), "2d06800538d394c2");
        assert_eq!(digest_of(b"v8"), "0cc76dbb41381419");
    }

    #[test]
    fn digests_compare_without_case_and_integers_by_their_digits() {
        let holds = |digest, equal, operand: &[u8], value| Comparison { digest, equal, operand }.holds(value);
        let hello = StringRef::Bytes(b"hello");
        assert_eq!(holds(true, true, b"9555E8555C62DCFD", hello), Ok(true));
        assert_eq!(holds(true, false, b"9555e8555c62dcfd", hello), Ok(false));
        assert_eq!(holds(true, false, b"zzzzzzzzzzzzzzzz", hello), Ok(true));
        assert_eq!(holds(true, true, b"9555", hello), Err(Error::DIGEST_LENGTH));
        assert_eq!(holds(false, true, b"5", StringRef::Int(5)), Ok(true));
        assert_eq!(holds(false, true, b"05", StringRef::Int(5)), Ok(false));
    }
}
