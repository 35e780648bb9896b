//! What holds of every reducer: rows may be split, ordered, folded singly, encoded and merged in any way, and the result
//! is that of a plain computation over all of them. Only tests.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::key::normalized;
use super::text::put_value;
use super::*;
use crate::encode::Reader;
use crate::value::Value;
use crate::vector::{Rows, Scalar, Vector};

/// Every reducer, with constants under which twenty rows show something.
const CASES: &[(Function, &[&str])] = &[
    (Function::Count, &[]),
    (Function::Sum, &[]),
    (Function::Avg, &[]),
    (Function::Min, &[]),
    (Function::Max, &[]),
    (Function::Var, &[]),
    (Function::Stddev, &[]),
    (Function::First, &[]),
    (Function::Last, &[]),
    (Function::ArgMin, &[]),
    (Function::ArgMax, &[]),
    (Function::Distinct, &[]),
    (Function::Hll, &[]),
    (Function::Quantile, &["0", "0.3", "0.5", "1"]),
    (Function::Quantile, &["0.9"]),
    (Function::TopK, &["3"]),
    (Function::Sample, &["4", "17"]),
    (Function::Hist, &["3"]),
    (Function::Hist, &["0.5"]),
    (Function::Any, &[]),
    (Function::All, &[]),
    (Function::Concat, &["-"]),
];

const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// A row: its place, its identity, and the values of two expressions.
#[derive(Clone, Debug)]
struct Row {
    place: u64,
    identity: String,
    values: [Value; 2],
}

/// How a run of the rows goes.
#[derive(Clone, Debug)]
struct Way {
    /// Rows are sorted by these, then cut into batches of so many.
    order: Vec<u32>,
    batch: usize,
    /// Steps of a generator that decides all the rest.
    seed: u64,
}

fn spec((function, constants): &(Function, &[&str]), ordered: bool) -> Spec {
    let words: Vec<&[u8]> = constants.iter().map(|word| word.as_bytes()).collect();
    match Spec::new(*function, &words, ordered, OUTPUT_BYTES_MAX) {
        Ok(spec) => spec,
        Err(error) => panic!("{error}"),
    }
}

fn scalar(value: &Value) -> Scalar<'_> {
    match value {
        Value::Bool(value) => Scalar::Bool(*value),
        Value::Int(value) => Scalar::Int(*value as i64),
        Value::Double(value) => Scalar::Double(*value),
        Value::Text(text) => Scalar::Text(text),
        Value::Bytes(bytes) => Scalar::Bytes(bytes),
        _ => Scalar::Null,
    }
}

/// A column as narrow as its values allow.
fn column<'r>(rows: &'r [Row], argument: usize) -> Vector<'r> {
    let values = || rows.iter().map(|row| &row.values[argument]);
    let ints = values().map(|value| if let Value::Int(value) = value { Some(*value as i64) } else { None });
    let doubles = values().map(|value| if let Value::Double(value) = value { Some(*value) } else { None });
    let bools = values().map(|value| if let Value::Bool(value) = value { Some(*value) } else { None });
    (ints.collect::<Option<_>>().map(Vector::Ints))
        .or_else(|| doubles.collect::<Option<_>>().map(Vector::Doubles))
        .or_else(|| bools.collect::<Option<_>>().map(Vector::Bools))
        .unwrap_or_else(|| Vector::Mixed(values().map(scalar).collect()))
}

fn fold(spec: &Spec, rows: &[Row], singly: bool) -> State {
    let arguments: Vec<_> = (0..spec.function().expressions()).map(|at| column(rows, at)).collect();
    let ordinals: Vec<u64> = rows.iter().map(|row| row.place).collect();
    let identities: Vec<&[u8]> = rows.iter().map(|row| row.identity.as_bytes()).collect();
    let given = Rows { len: rows.len(), ordinals: &ordinals, identities: &identities };
    let mut state = State::new(spec);
    let result = if singly {
        (0..rows.len()).try_for_each(|row| state.fold_row(spec, &arguments, given, row))
    } else {
        state.fold(spec, &arguments, given)
    };
    assert_eq!(result, Ok(()));
    state
}

fn encoded(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.encode(&mut bytes);
    bytes
}

fn decoded(spec: &Spec, bytes: &[u8]) -> State {
    let mut input = Reader::new(bytes);
    match State::decode(spec, &mut input) {
        Ok(state) if input.end() == Ok(()) => state,
        other => panic!("{other:?} with bytes left: {:?}", input.end()),
    }
}

/// Folds the rows in the way, and merges pairs at random until one state is left.
fn run(spec: &Spec, rows: &[Row], way: &Way) -> State {
    let mut seed = way.seed | 1;
    let mut draw = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    };
    let mut shuffled: Vec<_> =
        rows.iter().cloned().zip(way.order.iter().chain(std::iter::repeat(&0))).collect();
    shuffled.sort_by_key(|(_, key)| **key);
    let shuffled: Vec<Row> = shuffled.into_iter().map(|(row, _)| row).collect();
    let mut states = vec![State::new(spec)];
    states.extend(shuffled.chunks(way.batch).map(|batch| fold(spec, batch, draw(2) == 0)));
    while states.len() > 1 {
        let other = states.swap_remove(draw(states.len()));
        let other = if draw(2) == 0 { decoded(spec, &encoded(&other)) } else { other };
        let at = draw(states.len());
        assert_eq!(states[at].merge(spec, other), Ok(()));
    }
    states.remove(0)
}

/// The result by plain means; `None` for estimates and for what only has a bound.
fn model(spec: &Spec, constants: &[&str], rows: &[Row]) -> Option<Value> {
    let present = || rows.iter().filter(|row| row.values[0] != Value::Null);
    let sorted = |key: fn(&Row) -> u64| {
        let mut rows: Vec<&Row> = present().collect();
        rows.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.values[0].order(&b.values[0])));
        rows
    };
    let first = |row: Option<&&Row>| row.map_or(Value::Null, |row| row.values[0].clone());
    let last_place = |rows: &[&Row]| rows.last().map(|row| row.place);
    let distinct = || {
        let mut counts: BTreeMap<String, (Value, i128)> = BTreeMap::new();
        for row in present() {
            let value = Value::from(normalized(scalar(&row.values[0])));
            counts.entry(format!("{value:?}")).or_insert((value, 0)).1 += 1;
        }
        counts
    };
    Some(match spec.function() {
        Function::Count => Value::Int(present().count() as i128),
        Function::Min => first(sorted(|_| 0).first()),
        Function::Max => first(sorted(|_| 0).last()),
        Function::First => first(sorted(|row| row.place).first()),
        Function::Last => {
            let rows = sorted(|row| row.place);
            first(rows.iter().find(|row| Some(row.place) == last_place(&rows)))
        }
        Function::ArgMin | Function::ArgMax => {
            let mut rows: Vec<&Row> = present().filter(|row| row.values[1] != Value::Null).collect();
            let is_greatest = spec.function() == Function::ArgMax;
            rows.sort_by(|a, b| {
                let by = a.values[1].order(&b.values[1]);
                let by = if is_greatest { by.reverse() } else { by };
                by.then_with(|| a.values[0].order(&b.values[0]))
            });
            first(rows.first())
        }
        Function::Distinct => Value::Int(distinct().len() as i128),
        Function::TopK => {
            let mut all: Vec<(Value, i128)> = distinct().into_values().collect();
            all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.order(&b.0)));
            let entry = |(value, count)| Value::List(vec![value, Value::Int(count), Value::Int(0)]);
            Value::List(all.into_iter().take(3).map(entry).collect())
        }
        Function::Sample => {
            let mut all: Vec<&Row> = present().collect();
            all.sort_by_key(|row| (xxh3_64_with_seed(row.identity.as_bytes(), 17), row.identity.clone()));
            Value::List(all.into_iter().take(4).map(|row| row.values[0].clone()).collect())
        }
        Function::Any => Value::Bool(present().any(|row| row.values[0] == Value::Bool(true))),
        Function::All => Value::Bool(present().all(|row| row.values[0] == Value::Bool(true))),
        Function::Concat => plain_text(if spec.ordered { sorted(|row| row.place) } else { sorted(|_| 0) }),
        Function::Hist if constants == ["3"] => plain_thirds(present()),
        _ => return None,
    })
}

fn plain_text(rows: Vec<&Row>) -> Value {
    let text = |row: &Row| {
        let mut text = Vec::new();
        put_value(&row.values[0], &mut text);
        text
    };
    let joined = rows.into_iter().map(text).collect::<Vec<_>>().join(&b'-');
    String::from_utf8(joined).map_or_else(|error| Value::Bytes(error.into_bytes()), Value::Text)
}

/// The histogram of width 3.
fn plain_thirds<'r>(rows: impl Iterator<Item = &'r Row>) -> Value {
    let mut counts: BTreeMap<i128, i128> = BTreeMap::new();
    for row in rows {
        let floor = match row.values[0] {
            Value::Double(value) => value.floor() as i128,
            Value::Int(value) => value,
            ref other => panic!("{other:?}"),
        };
        *counts.entry(floor - floor.rem_euclid(3)).or_default() += 1;
    }
    Value::Map(counts.into_iter().map(|(start, count)| (Value::Int(start), Value::Int(count))).collect())
}

/// Values that a function may be given; few different ones, so that they meet.
fn value(context: Context) -> BoxedStrategy<Value> {
    let double =
        prop_oneof![(-40i32..40).prop_map(|quarters| f64::from(quarters) / 4.0 + 0.0), -1e3f64..1e3,];
    let number = prop_oneof![
        (-9i64..9).prop_map(|int| Value::Int(int.into())),
        double.prop_map(|double| Value::Double(double + 0.0)),
    ];
    let text = prop_oneof!["[ab]{0,2}".prop_map(Value::Text), Just(Value::Bytes(vec![0xff]))];
    match context {
        Context::Number => number.boxed(),
        Context::Truth => any::<bool>().prop_map(Value::Bool).boxed(),
        _ => prop_oneof![number, text, any::<bool>().prop_map(Value::Bool)].boxed(),
    }
}

fn rows(function: Function) -> impl Strategy<Value = Vec<Row>> {
    let argument = value(function.context(0));
    // One kind in a whole column is common, and has paths of its own.
    let column = |argument: BoxedStrategy<Value>| {
        let mixed = prop_oneof![1 => Just(Value::Null), 6 => argument.clone()];
        let kept = |kind: fn(&Value) -> bool| {
            let argument = argument.clone();
            prop::collection::vec(argument, 60).prop_map(move |mut values| {
                values.retain(kind);
                values
            })
        };
        prop_oneof![
            prop::collection::vec(mixed, 0..30),
            kept(|value| matches!(value, Value::Int(_))),
            kept(|value| matches!(value, Value::Double(_))),
            kept(|value| matches!(value, Value::Bool(_))),
        ]
    };
    (column(argument.clone()), column(argument), any::<bool>()).prop_map(|(first, second, ties)| {
        let seconds = second.into_iter().chain(std::iter::repeat(Value::Null));
        let row = |(at, (first, second)): (usize, (Value, Value))| Row {
            place: (if ties { at / 2 } else { at }) as u64 * 7 % 64,
            identity: format!("row:{at}"),
            values: [first, second],
        };
        first.into_iter().zip(seconds).enumerate().map(row).collect()
    })
}

fn case() -> impl Strategy<Value = (usize, bool, Vec<Row>)> {
    (0..CASES.len(), any::<bool>()).prop_flat_map(|(case, ordered)| {
        let function = CASES[case].0;
        let ordered = ordered || (function.needs_order() && function != Function::Concat);
        (Just(case), Just(ordered), rows(function))
    })
}

fn way() -> impl Strategy<Value = Way> {
    (prop::collection::vec(any::<u32>(), 60), 1usize..40, any::<u64>()).prop_map(|(order, batch, seed)| Way {
        order,
        batch,
        seed,
    })
}

/// Whether doubles may round here, as they came.
fn rounds(function: Function, rows: &[Row]) -> bool {
    matches!(function, Function::Var | Function::Stddev)
        && rows.iter().any(|row| matches!(row.values[0], Value::Double(_)))
}

/// Both null, or doubles that differ by no more than what summing squares up to 1e6 rounds.
fn assert_near(left: &Value, right: &Value) {
    match (left, right) {
        (Value::Double(left), Value::Double(right)) => {
            assert!((left - right).abs() <= 1e-9 * left.abs().max(1.0), "{left} and {right}");
        }
        _ => assert_eq!(left, right),
    }
}

/// Number and variance by two passes over doubles, which is exact enough for values up to a thousand.
fn plain_variance(rows: &[Row]) -> Option<f64> {
    let values: Vec<f64> = rows
        .iter()
        .filter_map(|row| match row.values[0] {
            Value::Int(value) => Some(value as f64),
            Value::Double(value) => Some(value),
            _ => None,
        })
        .collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.len() >= 2)
        .then(|| values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_way_of_folding_and_merging_shows((case, ordered, rows) in case(), way in way()) {
        let (function, constants) = CASES[case];
        let spec = spec(&CASES[case], ordered);
        let whole = fold(&spec, &rows, false);
        let merged = run(&spec, &rows, &way);
        if rounds(function, &rows) {
            assert_near(&merged.finish(&spec), &whole.finish(&spec));
        } else {
            prop_assert_eq!(encoded(&merged), encoded(&whole));
            prop_assert_eq!(merged.finish(&spec), whole.finish(&spec));
            prop_assert_eq!(encoded(&fold(&spec, &rows, true)), encoded(&whole));
        }
        if let Some(expected) = model(&spec, constants, &rows) {
            prop_assert_eq!(whole.finish(&spec), expected);
        }
        if matches!(function, Function::Var | Function::Stddev) {
            let variance = plain_variance(&rows);
            let variance = if function == Function::Var { variance } else { variance.map(f64::sqrt) };
            assert_near(&whole.finish(&spec), &variance.map_or(Value::Null, Value::Double));
        }
    }

    #[test]
    fn damaged_bytes_neither_panic_nor_take_memory(
        (case, ordered, rows) in case(),
        damages in prop::collection::vec((any::<u16>(), any::<u8>(), 0u8..4), 1..4),
    ) {
        let spec = spec(&CASES[case], ordered);
        let mut state = fold(&spec, &rows, false);
        let mut bytes = encoded(&state);
        for (at, byte, kind) in damages {
            let at = usize::from(at) % (bytes.len() + 1);
            match kind {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                2 if at < bytes.len() => bytes[at] ^= byte,
                _ if at < bytes.len() => bytes[at] = if byte % 2 == 0 { 0 } else { 0xff },
                _ => {}
            }
        }
        if let Ok(mut read) = State::decode(&spec, &mut Reader::new(&bytes)) {
            // The widest is a page of QUANTILE, 576 bytes for 11.
            let bytes_max = 64 * bytes.len() + (32 << 10);
            prop_assert!(read.memory_bytes() <= bytes_max, "{} for {}", read.memory_bytes(), bytes.len());
            let _ = state.merge(&spec, read.clone());
            let _ = read.merge(&spec, state.clone());
            let _ = (state.finish(&spec), read.finish(&spec), encoded(&state), encoded(&read));
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read(case in 0..CASES.len(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let spec = spec(&CASES[case], true);
        if let Ok(state) = State::decode(&spec, &mut Reader::new(&bytes)) {
            prop_assert!(state.memory_bytes() <= 64 * bytes.len() + (32 << 10));
            let _ = (state.finish(&spec), encoded(&state));
        }
    }
}

#[test]
fn every_function_is_among_the_cases() {
    let names: BTreeSet<&str> = CASES.iter().map(|(function, _)| function.name()).collect();
    assert_eq!(names.len(), Function::Concat as usize + 1);
}

#[test]
fn memory_is_what_was_kept() {
    let count = 100_000usize;
    let rows: Vec<Row> = (0..count)
        .map(|at| Row {
            place: at as u64,
            identity: format!("row:{at}"),
            values: [Value::Text(format!("value {at:06}")), Value::Null],
        })
        .collect();
    // Texts of twelve bytes, and with each of them at most so much around it.
    for (name, kept) in [("DISTINCT", count), ("CONCAT", count), ("TOPK", 1_000), ("SAMPLE", 4)] {
        let Some(case) = CASES.iter().find(|(function, _)| function.name() == name) else { panic!("{name}") };
        let mut spec = spec(case, true);
        spec.output_bytes_max = usize::MAX;
        let bytes = fold(&spec, &rows, false).memory_bytes();
        assert!((12 * kept..200 * kept).contains(&bytes), "{name}: {bytes} for {kept}");
    }
    let Some(case) = CASES.iter().find(|(function, _)| *function == Function::Count) else { panic!("COUNT") };
    assert_eq!(fold(&spec(case, false), &rows, false).memory_bytes(), 0);
}
