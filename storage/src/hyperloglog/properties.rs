//! HyperLogLogs against a plain array of registers, against what they promise, and against bytes that mean nothing.

use proptest::prelude::*;

use super::*;
use crate::Random;

/// As `hll-sparse-max-bytes` is unless somebody sets it.
const SPARSE_BYTES_MAX: usize = 3000;

fn empty() -> Vec<u8> {
    let mut bytes = Vec::new();
    HyperLogLogMut::empty(&mut bytes);
    bytes
}

fn edit(bytes: &mut Vec<u8>) -> HyperLogLogMut<'_> {
    let Some(value) = HyperLogLogMut::parse(bytes) else { panic!("it has the header") };
    value
}

fn read(bytes: &[u8]) -> HyperLogLog<'_> {
    let Some(value) = HyperLogLog::parse(bytes) else { panic!("it has the header") };
    value
}

fn registers(bytes: &[u8]) -> Vec<u8> {
    let mut dense = bytes.to_vec();
    let mut dense = edit(&mut dense);
    assert!(dense.make_dense().is_ok(), "its runs make up all registers");
    dense.registers().into_iter().flatten().collect()
}

#[test]
fn an_empty_one_is_that_of_redis() {
    assert_eq!(empty(), b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff");
    assert_eq!((read(&empty()).cached_count(), read(&empty()).count()), (Some(0), Ok(0)));
}

#[test]
fn estimates_have_the_standard_error_that_is_promised() -> Result<(), Corrupted> {
    const SEEDS: u64 = 8;
    const CHECKED: [u64; 6] = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
    // 1.04 / sqrt(registers).
    const STANDARD_ERROR: f64 = 0.0081;
    let mut squares = [0.0; CHECKED.len()];
    for seed in 1..=SEEDS {
        let mut bytes = empty();
        let mut added = 0_u64;
        for (squares, checked) in squares.iter_mut().zip(CHECKED) {
            while added < checked {
                let element = added ^ Random::seeded(seed).u64();
                added += 1;
                edit(&mut bytes).add(&element.to_le_bytes(), SPARSE_BYTES_MAX)?;
            }
            let error = read(&bytes).count()? as f64 / checked as f64 - 1.0;
            assert!(error.abs() < 4.0 * STANDARD_ERROR, "{error} for {checked} of seed {seed}");
            *squares += error * error;
        }
    }
    for (sum, checked) in squares.into_iter().zip(CHECKED) {
        let error = (sum / SEEDS as f64).sqrt();
        assert!(error < 1.5 * STANDARD_ERROR, "a standard error of {error} for {checked}");
    }
    Ok(())
}

#[test]
fn sparse_and_dense_agree_with_a_plain_array() {
    let (mut sparse, mut dense, mut plain) = (empty(), empty(), vec![0; REGISTERS]);
    assert_eq!(edit(&mut dense).make_dense(), Ok(true));
    let mut random = Random::seeded(7);
    for added in 0..40_000 {
        let element = random.u64().to_le_bytes();
        let (register, number) = hash::place(&element);
        let is_raised = plain[register] < number;
        plain[register] = number.max(plain[register]);
        assert_eq!((read(&sparse).covers(&element), read(&dense).covers(&element)), (!is_raised, !is_raised));
        assert_eq!(edit(&mut sparse).add(&element, usize::MAX), Ok(is_raised));
        assert_eq!(edit(&mut dense).add(&element, 0), Ok(is_raised));
        if added % 997 == 0 {
            assert_eq!(registers(&sparse), plain);
            assert_eq!(read(&sparse).count(), read(&dense).count());
        }
    }
    assert_eq!((registers(&sparse), registers(&dense)), (plain.clone(), plain));
}

#[test]
fn it_becomes_dense_before_it_is_longer_than_allowed() -> Result<(), Corrupted> {
    let mut bytes = empty();
    let mut longest = 0;
    for element in 0..10_000_u32 {
        edit(&mut bytes).add(&element.to_le_bytes(), 200)?;
        if read(&bytes).encoding() == Encoding::Sparse {
            longest = longest.max(bytes.len());
        }
    }
    assert!((190..=200).contains(&longest), "{longest} bytes");
    assert_eq!((read(&bytes).encoding(), bytes.len()), (Encoding::Dense, DENSE_BYTES));
    Ok(())
}

#[test]
fn a_union_has_the_greatest_numbers_and_is_written_as_if_each_was_raised_alone() -> Result<(), Corrupted> {
    for (size, bytes_max) in
        [(0, 3000), (10, 3000), (700, 3000), (3_000, 3000), (5_000, 40_000), (30_000, 3000)]
    {
        let mut random = Random::seeded(size);
        let mut parts = [empty(), empty(), empty()];
        for part in &mut parts {
            for _ in 0..size {
                edit(part).add(&random.u64().to_le_bytes(), bytes_max)?;
            }
        }
        let mut union = Union::default();
        for part in &parts {
            union.add(read(part))?;
        }
        let greatest: Vec<u8> = (0..REGISTERS).map(|at| dense::register(&union.registers, at)).collect();
        let all = parts.each_ref().map(|part| registers(part));
        assert!((0..REGISTERS).all(|at| Some(greatest[at]) == all.iter().map(|part| part[at]).max()));

        for target in [empty(), parts[0].clone()] {
            let (mut together, mut alone) = (target.clone(), target);
            edit(&mut together).take(&union, bytes_max)?;
            assert_eq!(registers(&together), greatest);
            assert_eq!(read(&together).count(), Ok(union.count()));
            assert_eq!(read(&together).cached_count(), None);
            if union.is_dense {
                continue;
            }
            for (register, number) in greatest.iter().enumerate().filter(|(_, number)| **number > 0) {
                edit(&mut alone).raise(register, *number, bytes_max, &mut sparse::Place::default())?;
            }
            edit(&mut alone).invalidate();
            assert_eq!(together, alone, "a search that goes on finds the same");
        }
    }
    Ok(())
}

#[test]
fn the_count_in_the_header_is_out_of_date_or_not() {
    let mut bytes = empty();
    edit(&mut bytes).cache_count(0x0123_4567_89ab_cdef);
    assert_eq!(read(&bytes).cached_count(), Some(0x0123_4567_89ab_cdef));
    edit(&mut bytes).invalidate();
    assert_eq!(read(&bytes).cached_count(), None);
    assert_eq!(bytes[8..16], [0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x81], "the rest stays");
}

#[test]
fn only_the_right_header_is_one() -> Result<(), Corrupted> {
    let mut dense = empty();
    edit(&mut dense).make_dense()?;
    assert!(HyperLogLog::parse(&dense).is_some());
    assert!(HyperLogLog::parse(&dense[..DENSE_BYTES - 1]).is_none());
    assert!(HyperLogLog::parse(&[&dense[..], b"x"].concat()).is_none());
    for wrong in [&b""[..], b"HYLL", b"HYLL\x01\0\0\0\0\0\0\0\0\0\0", b"HYLX\x01\0\0\0\0\0\0\0\0\0\0\0"] {
        assert!(HyperLogLog::parse(wrong).is_none());
    }
    assert!(HyperLogLog::parse(b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0").is_none());
    let nothing = read(b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(nothing.count(), Err(Corrupted));
    Ok(())
}

#[test]
fn what_is_too_long_to_be_sound_is_not_read() {
    let mut bytes = empty();
    bytes.resize(1 << 20, 0x80);
    assert_eq!(read(&bytes).count(), Err(Corrupted));
    assert_eq!(Union::default().add(read(&bytes)), Err(Corrupted));
    assert!(read(&bytes).runs().is_some_and(|runs| runs.is_err()));
    assert_eq!(edit(&mut bytes).add(b"x", usize::MAX), Err(Corrupted));
    assert_eq!(edit(&mut bytes).make_dense(), Err(Corrupted));
}

/// Runs that make up exactly all registers.
fn sound() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..400).prop_map(|random| {
        let mut bytes = empty();
        bytes.truncate(HEADER_BYTES);
        let mut registers = 0;
        let mut random = random.into_iter();
        while let Some(code) = random.next() {
            let before = bytes.len();
            bytes.push(code);
            if code & 0xc0 == 0x40 {
                bytes.push(random.next().unwrap_or(0));
                bytes[before] &= 0x47;
            }
            let run = sparse::runs(&[&[0; HEADER_BYTES][..], &bytes[before..]].concat())
                .ok()
                .and_then(|mut runs| runs.next());
            let count = match run {
                Some(Run::Zeros(count) | Run::LongZeros(count) | Run::Numbers(_, count)) => count,
                None => 0,
            };
            if registers + count > REGISTERS {
                bytes.truncate(before);
                break;
            }
            registers += count;
        }
        while registers < REGISTERS {
            let count = (REGISTERS - registers).min(64);
            bytes.push(count as u8 - 1);
            registers += count;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_runs_are_changed_as_the_registers_that_they_are(
        bytes in sound(),
        raised in prop::collection::vec((0..REGISTERS, 1..=51_u8), 1..60),
        bytes_max in 0..4000_usize,
    ) {
        let mut plain = registers(&bytes);
        let mut changed = bytes;
        for (register, number) in raised {
            let is_raised = plain[register] < number;
            plain[register] = plain[register].max(number);
            let outcome = edit(&mut changed).raise(register, number, bytes_max, &mut sparse::Place::default());
            prop_assert_eq!(outcome, Ok(is_raised));
            prop_assert_eq!(&registers(&changed), &plain);
        }
    }

    #[test]
    fn bytes_that_mean_nothing_are_found_out(
        runs in prop::collection::vec(any::<u8>(), 0..6000),
        elements in prop::collection::vec(any::<u64>(), 0..50),
        bytes_max in 0..20_000_usize,
    ) {
        let mut bytes = empty();
        bytes.truncate(HEADER_BYTES);
        bytes.extend_from_slice(&runs);
        let before = bytes.len();
        let count = read(&bytes).count();
        let mut union = Union::default();
        let is_sound = union.add(read(&bytes)).is_ok();
        prop_assert_eq!(is_sound, count.is_ok());
        if is_sound {
            prop_assert_eq!(edit(&mut bytes.clone()).take(&union, bytes_max), Ok(()));
        }
        for element in elements {
            let is_covered = read(&bytes).covers(&element.to_le_bytes());
            let outcome = edit(&mut bytes).add(&element.to_le_bytes(), bytes_max);
            prop_assert!(!is_covered || outcome == Ok(false));
            prop_assert!(outcome.is_ok() || !is_sound);
        }
        prop_assert!(bytes.len() <= before.max(bytes_max).max(DENSE_BYTES) + 5);
        prop_assert_eq!(edit(&mut bytes).make_dense().is_ok(), is_sound);
    }

    #[test]
    fn any_dense_registers_have_an_estimate(numbers in prop::collection::vec(0..64_u8, 1..100)) {
        let mut bytes = empty();
        prop_assert_eq!(edit(&mut bytes).make_dense(), Ok(true));
        let registers = dense_registers_mut(&mut bytes);
        for (register, number) in numbers.iter().cycle().take(REGISTERS).enumerate() {
            dense::raise(registers, register, *number);
        }
        let count = read(&bytes).count();
        prop_assert!(count.is_ok_and(|count| count >= 0 || count == i64::MIN));
    }
}
