//! Looking into a HyperLogLog, and testing that they keep what they promise.

use shardis_storage::hyperloglog::{Encoding, HyperLogLogMut, REGISTERS, Run};
use shardis_storage::{Transaction, View};

use super::{change, sparse_bytes_max};
use crate::command::Arity::Exactly;
use crate::command::args::is_word;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};

pub static PFDEBUG: Command = Command::write("PFDEBUG", pfdebug)
    .syntax("subcommand key")
    .arity(Exactly(3))
    .keys(&[key(2).read_write().accesses()])
    .flags(Flags::DENY_OOM.union(Flags::ADMIN).union(Flags::SYSTEM))
    .since("2.8.9")
    .complexity("N/A")
    .summary("Internal commands for debugging HyperLogLog values.");

fn pfdebug(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let subcommand = call.args.take()?;
    let key = call.next_key()?;
    let run = SUBCOMMANDS.iter().find(|(name, _)| is_word(subcommand, name)).map(|(_, run)| *run);
    let done = change(txn, &key, |value| {
        let done = run.map_or_else(|| Err(Error::unknown_pfdebug(subcommand)), |run| run(call, value));
        (false, Ok(done))
    })?;
    done.unwrap_or(Err(Error::NO_HYPERLOGLOG))
}

type Subcommand = fn(&mut Call<'_>, &mut HyperLogLogMut<'_>) -> Done;

const SUBCOMMANDS: [(&str, Subcommand); 4] =
    [("GETREG", registers), ("DECODE", decode), ("ENCODING", encoding), ("TODENSE", make_dense)];

/// All registers; they are dense from then on.
fn registers(call: &mut Call<'_>, value: &mut HyperLogLogMut<'_>) -> Done {
    if call.should_offload(REGISTERS) {
        return Ok(Flow::Offload);
    }
    value.make_dense()?;
    call.reply.array(REGISTERS);
    for register in value.registers().into_iter().flatten() {
        call.reply.integer(register.into());
    }
    Ok(Flow::Done)
}

/// The runs of a sparse value in the notation of Redis.
fn decode(call: &mut Call<'_>, value: &mut HyperLogLogMut<'_>) -> Done {
    let runs = value.as_ref().runs().ok_or(Error::HYPERLOGLOG_NOT_SPARSE)??;
    let words: Vec<String> = runs
        .map(|run| match run {
            Run::Zeros(count) => format!("z:{count}"),
            Run::LongZeros(count) => format!("Z:{count}"),
            Run::Numbers(number, count) => format!("v:{number},{count}"),
        })
        .collect();
    call.bulk(words.join(" ").as_bytes())
}

fn encoding(call: &mut Call<'_>, value: &mut HyperLogLogMut<'_>) -> Done {
    call.simple(value.as_ref().encoding().name())
}

fn make_dense(call: &mut Call<'_>, value: &mut HyperLogLogMut<'_>) -> Done {
    let was_sparse = value.make_dense()?;
    call.integer(i64::from(was_sparse))
}

pub static PFSELFTEST: Command = Command::read("PFSELFTEST", pfselftest)
    .flags(Flags::ADMIN.union(Flags::SYSTEM))
    .since("2.8.9")
    .complexity("N/A")
    .summary("An internal command for testing HyperLogLog values.");

/// Adds elements that are all different to a value that is dense from the beginning and to one that becomes dense when it likes,
/// and looks at both from time to time.
fn pfselftest(call: &mut Call<'_>, _: &mut View<'_>) -> Done {
    if call.should_offload(TEST_ELEMENTS as usize) {
        return Ok(Flow::Offload);
    }
    let (seed, bytes_max) = (call.random().u64(), sparse_bytes_max(call));
    let (mut dense, mut any) = (Vec::new(), Vec::new());
    let (mut dense, mut any) = (HyperLogLogMut::empty(&mut dense), HyperLogLogMut::empty(&mut any));
    dense.make_dense()?;
    let mut checkpoint = 1;
    for added in 1..=TEST_ELEMENTS {
        let element = (added ^ seed).to_le_bytes();
        dense.add(&element, bytes_max)?;
        any.add(&element, bytes_max)?;
        if added < checkpoint {
            continue;
        }
        if added < (bytes_max / 2) as u64 && any.as_ref().encoding() != Encoding::Sparse {
            return Err(Error::TEST_NOT_SPARSE);
        }
        let count = dense.as_ref().count()?;
        if any.as_ref().count()? != count {
            return Err(Error::TEST_DISAGREEMENT);
        }
        let error = count.abs_diff(added as i64);
        // Of ten elements two may meet in a register.
        let most = if added == 10 { 1 } else { (added as f64 * TEST_ERROR_MAX).ceil() as u64 };
        if error > most {
            return Err(Error::test_too_big_error(added, error));
        }
        checkpoint *= 10;
    }
    call.ok()
}

/// Elements that are added in a test: some fifty milliseconds, where Redis takes ten times as many.
const TEST_ELEMENTS: u64 = 1_000_000;
/// Six standard errors.
const TEST_ERROR_MAX: f64 = 6.0 * 1.04 / 128.0;
