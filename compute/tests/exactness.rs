//! The promise of the crate, held against a naive oracle: whatever the rows, and however they are split,
//! ordered, merged and encoded on the way, the outcome is the same, bit for bit. Not here: what each clause
//! means (unit tests).

use proptest::prelude::*;
use shardis_compute::{
    Batch, Bounds, Budget, DecodeError, Ended, Exceeded, Field, Form, Limits, Outcome, Partial, Plan,
    Progress, RowSource, Source, Value,
};

/// Two fields of a hash; `None` is a missing one.
type Row = [Option<Vec<u8>>; 2];

const REDUCERS: &str = "REDUCE COUNT 0 AS rows REDUCE COUNT 1 h.b AS count REDUCE SUM 1 h.a AS sum \
                        REDUCE AVG 1 h.a AS mean REDUCE MIN 1 h.b AS min REDUCE MAX 1 h['b'] AS max";

fn plan(clauses: &str) -> Plan {
    let line = format!("* {clauses}");
    let words: Vec<&[u8]> = line.split_ascii_whitespace().map(str::as_bytes).collect();
    Plan::new(Form::Aggregate, &words, &Bounds::NONE).expect("the line is a plan")
}

/// The row of a key.
fn at(key: &[u8]) -> shardis_compute::Row<'_> {
    shardis_compute::Row { key, ..shardis_compute::Row::default() }
}

fn push(batch: &mut Batch, row: &Row) {
    batch.push_row(at(b"key"), |source| {
        let index = usize::from(*source == Source::Field("b".into()));
        row[index].as_deref().map_or(Field::Missing, Field::Bytes)
    });
}

/// Folds every chunk into a partial of its own.
fn fold<'r>(plan: &Plan, chunks: impl Iterator<Item = &'r [Row]>) -> Vec<Partial> {
    let mut batch = Batch::new(plan);
    let folded = chunks.map(|rows| {
        batch.clear();
        rows.iter().for_each(|row| push(&mut batch, row));
        let mut partial = Partial::new(plan);
        partial.fold(plan, &batch);
        partial
    });
    folded.collect()
}

fn outcome(plan: &Plan, rows: &[Row]) -> Result<Outcome, Ended> {
    fold(plan, std::iter::once(rows)).remove(0).finish(plan)
}

fn values(outcome: &Outcome) -> Vec<Value> {
    outcome.rows[0].clone()
}

/// Reads text as the specification says, by the standard library alone.
fn read(text: &[u8]) -> Value {
    let Ok(text) = std::str::from_utf8(text) else { return Value::Bytes(text.to_vec()) };
    if let Some(int) = text.parse::<i64>().ok().filter(|int| int.to_string() == text) {
        return Value::Int(int.into());
    }
    match text.parse::<f64>() {
        Ok(double) if double.is_finite() => Value::Double(double + 0.0),
        _ => Value::Text(text.to_owned()),
    }
}

fn number(text: &Option<Vec<u8>>) -> Option<Value> {
    text.as_deref().map(read).filter(|value| matches!(value, Value::Int(_) | Value::Double(_)))
}

/// The outcome of `REDUCERS`, row by row. Sums are in `f64`, which is exact for the numbers the tests make.
fn oracle(rows: &[Row], skip: bool) -> Outcome {
    let failed = |row: &&Row| number(&row[0]).is_none() || row[1].is_none();
    let kept: Vec<&Row> = rows.iter().filter(|row| !skip || !failed(row)).collect();
    let numbers: Vec<Value> = kept.iter().filter_map(|row| number(&row[0])).collect();
    let total: f64 = numbers
        .iter()
        .map(|value| match value {
            Value::Int(int) => *int as f64,
            Value::Double(double) => *double,
            other => panic!("{other:?} is no number"),
        })
        .sum();
    let doubles = numbers.iter().any(|value| matches!(value, Value::Double(_)));
    let mut others: Vec<Value> = kept.iter().filter_map(|row| row[1].as_deref().map(read)).collect();
    others.sort_by(Value::order);
    let row = [
        ("rows", Value::Int(kept.len() as i128)),
        ("count", Value::Int(others.len() as i128)),
        ("sum", if doubles { Value::Double(total + 0.0) } else { Value::Int(total as i128) }),
        (
            "mean",
            if numbers.is_empty() { Value::Null } else { Value::Double(total / numbers.len() as f64 + 0.0) },
        ),
        ("min", others.first().cloned().unwrap_or(Value::Null)),
        ("max", others.last().cloned().unwrap_or(Value::Null)),
    ];
    Outcome {
        columns: row.iter().map(|(name, _)| (*name).into()).collect(),
        rows: vec![row.map(|(_, value)| value).into()],
        scanned: rows.len() as u64,
        matched: rows.len() as u64,
        errors: if skip { (rows.len() - kept.len()) as u64 } else { 0 },
    }
}

/// Values whose sums are exact in `f64`, and values that are no numbers.
fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-(1i64 << 40)..1 << 40).prop_map(|int| int.to_string().into_bytes()),
        4 => (-(1i64 << 40)..1 << 40).prop_map(|quarters| (quarters as f64 / 4.0).to_string().into_bytes()),
        1 => prop::sample::select(&["-0", "007", "1e3", ".5", "+1", "", "inf", "nan", "x", "0x1", "é"][..])
            .prop_map(Vec::from),
        1 => prop::collection::vec(128u8.., 0..4),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    [prop::option::weighted(0.9, text()), prop::option::weighted(0.9, text())]
}

/// Rows of nothing but finite doubles of every magnitude, which no sum in `f64` could get right, and
/// integers.
fn wild_row() -> impl Strategy<Value = Row> {
    let double = any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |double| double.is_finite());
    let text = prop_oneof![
        double.prop_map(|double| format!("{double:e}").into_bytes()),
        any::<i64>().prop_map(|int| int.to_string().into_bytes()),
    ];
    [text.clone().prop_map(Some), text.prop_map(Some)]
}

proptest! {
    #[test]
    fn the_outcome_is_that_of_a_naive_loop(rows in prop::collection::vec(row(), 0..60)) {
        prop_assert_eq!(outcome(&plan(REDUCERS), &rows), Ok(oracle(&rows, true)));
        prop_assert_eq!(outcome(&plan(&format!("{REDUCERS} ONERROR NULL")), &rows), Ok(oracle(&rows, false)));
    }

    #[test]
    fn all_integers_take_the_same_way(ints in prop::collection::vec(any::<i64>(), 1..60)) {
        let text = |int: &i64| Some(int.to_string().into_bytes());
        let rows: Vec<Row> = ints.iter().map(|int| [text(int), text(int)]).collect();
        let found = values(&outcome(&plan(REDUCERS), &rows).unwrap());
        let int = |value: i128| Value::Int(value);
        let total = ints.iter().map(|int| i128::from(*int)).sum();
        prop_assert_eq!(&found[..3], [int(ints.len() as i128), int(ints.len() as i128), int(total)]);
        let bound = |value: Option<&i64>| int(i128::from(*value.unwrap()));
        prop_assert_eq!(&found[4..], [bound(ints.iter().min()), bound(ints.iter().max())]);
    }

    #[test]
    fn splitting_ordering_and_merging_change_no_bit(
        (rows, shuffled) in prop::collection::vec(prop_oneof![wild_row(), row()], 1..80)
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        size in 1usize..80,
        policy in prop::sample::select(&["SKIP", "NULL"][..]),
        merge_backwards: bool,
    ) {
        let plan = plan(&format!("{REDUCERS} ONERROR {policy}"));
        let expected = outcome(&plan, &rows).unwrap();
        let mut partials = fold(&plan, shuffled.chunks(size));
        if merge_backwards {
            partials.reverse();
        }
        let mut merged = Partial::new(&plan);
        for partial in partials {
            let mut bytes = Vec::new();
            partial.encode(&mut bytes);
            prop_assert_eq!(&Partial::decode(&plan, &bytes), &Ok(partial));
            merged.merge(&plan, Partial::decode(&plan, &bytes).unwrap());
        }
        // `Debug` tells bit patterns apart that `==` does not, such as those of the two zeros.
        prop_assert_eq!(format!("{:?}", merged.finish(&plan)), format!("{:?}", Ok::<_, Ended>(expected)));
    }

    #[test]
    fn damaged_partials_are_refused_or_harmless(
        rows in prop::collection::vec(row(), 0..5),
        place in any::<prop::sample::Index>(),
        byte: u8,
        cut in any::<prop::sample::Index>(),
    ) {
        let plan = plan(&format!("{REDUCERS} ONERROR FAIL"));
        let mut bytes = Vec::new();
        fold(&plan, std::iter::once(&rows[..]))[0].encode(&mut bytes);
        let cut = cut.index(bytes.len());
        prop_assert_eq!(Partial::decode(&plan, &bytes[..cut]), Err(DecodeError::Malformed));
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Ok(damaged) = Partial::decode(&plan, &bytes) {
            let mut merged = damaged.clone();
            merged.merge(&plan, damaged);
            let _ = merged.finish(&plan);
        }
    }

    #[test]
    fn no_words_make_the_parser_panic(words in prop::collection::vec(prop_oneof![
        prop::sample::select(&[
            "TYPE", "hash", "TYPES", "int", "REDUCE", "SUM", "COUNT", "MIN", "0", "1", "2", "AS", "a", "v",
            "h.a", "h[\"a\"]", "len", "SCALAR", "ISOLATION", "FUZZY", "TIMEOUT", "ONTIMEOUT", "PARTIAL",
            "ONERROR", "NULL", "THREADS", "WHERE", "v > 1", "HAVING", "GROUPBY", "RETURN", "SORTBY", "ASC", "LET",
            "LIMIT", "PARAMS", "p.x", "TOPK", "MAXGROUPS", "HIST", "1 +",
        ][..]).prop_map(Vec::from),
        prop::collection::vec(any::<u8>(), 0..6),
    ], 0..24)) {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let forms = [Form::Count, Form::Aggregate, Form::KAggregate, Form::MAggregate, Form::Select, Form::KSelect];
        for plan in forms.into_iter().filter_map(|form| Plan::new(form, &words, &Bounds::NONE).ok()) {
            prop_assert!(Partial::new(&plan).finish(&plan).is_ok());
        }
    }
}

#[test]
fn no_rows_make_one_row() {
    let found = outcome(&plan(REDUCERS), &[]).unwrap();
    assert_eq!(found, oracle(&[], true));
    assert_eq!(values(&found)[2..4], [Value::Int(0), Value::Null]);
}

#[test]
fn onerror_fail_names_the_key_and_what_was_wrong() {
    let failure = |clauses: &str, field: Field<'_>| {
        let plan = plan(&format!("{clauses} AS x ONERROR FAIL"));
        let mut batch = Batch::new(&plan);
        batch.push_row(at(b"good"), |_| Field::Int(1));
        batch.push_row(at(b"user:7"), |_| field);
        let mut partial = Partial::new(&plan);
        partial.fold(&plan, &batch);
        assert_eq!(partial.is_ended(), partial.clone().finish(&plan).is_err());
        partial.finish(&plan).map_err(|error| match error {
            Ended::Failed(row) => String::from_utf8(row.message()).unwrap(),
            Ended::Exceeded(exceeded) => exceeded.to_string(),
        })
    };
    let told = |text: &str| Err(format!("ROWERROR user:7: {text}"));
    assert_eq!(failure("REDUCE SUM 1 h.a", Field::Bytes(b"ten")), told("h.a is not a number"));
    assert_eq!(failure("REDUCE MAX 1 h[\"a-b\"]", Field::Missing), told("h[\"a-b\"] is missing"));
    assert_eq!(failure("TYPES 1 v int REDUCE COUNT 1 v", Field::Bytes(b"1.5")), told("v is not an integer"));
    assert_eq!(
        failure("TYPES 1 v string REDUCE MIN 1 v", Field::Bytes(b"\xff")),
        told("v is not valid UTF-8")
    );
    assert!(failure("REDUCE COUNT 1 v", Field::Bytes(b"\xff")).is_ok());
}

#[test]
fn the_least_failure_is_told_whatever_the_order_of_merging() {
    let plan = plan("REDUCE SUM 1 v AS x ONERROR FAIL");
    let partials = ["b", "a", "c"].map(|key| {
        let mut batch = Batch::new(&plan);
        batch.push_row(at(key.as_bytes()), |_| Field::Missing);
        let mut partial = Partial::new(&plan);
        partial.fold(&plan, &batch);
        partial
    });
    let mut merged = Partial::new(&plan);
    partials.into_iter().for_each(|partial| merged.merge(&plan, partial));
    let Err(Ended::Failed(row)) = merged.finish(&plan) else { panic!("a row has failed") };
    assert_eq!(row.key, b"a");
}

#[test]
fn pinned_fields_are_read_as_pinned() {
    let reduced = |clauses: &str, texts: &[&str]| {
        let plan = plan(&format!("{clauses} AS x"));
        let rows: Vec<Row> = texts.iter().map(|text| [Some(text.as_bytes().to_vec()), None]).collect();
        let outcome = outcome(&plan, &rows).unwrap();
        (outcome.scalar().cloned().unwrap(), outcome.errors)
    };
    let texts = ["9", "10", "2.5", "x"];
    assert_eq!(reduced("REDUCE MAX 1 h.a", &texts), (Value::Text("x".into()), 0));
    assert_eq!(reduced("TYPES 1 h.a int REDUCE MAX 1 h.a", &texts), (Value::Int(10), 2));
    assert_eq!(reduced("TYPES 1 h.a double REDUCE MAX 1 h.a", &texts), (Value::Double(10.0), 1));
    assert_eq!(reduced("TYPES 1 h.a double REDUCE SUM 1 h.a", &["1", "2"]), (Value::Double(3.0), 0));
    assert_eq!(reduced("TYPES 1 h.a string REDUCE MIN 1 h.a", &texts), (Value::Text("10".into()), 0));
    assert_eq!(reduced("TYPES 1 h.a bytes REDUCE MAX 1 h.a", &texts), (Value::Bytes(b"x".to_vec()), 0));
    assert_eq!(reduced("TYPES 1 h.a int REDUCE COUNT 1 h.a", &texts), (Value::Int(2), 2));
}

#[test]
fn variables_of_the_row_can_be_reduced() {
    let plan =
        plan("REDUCE SUM 1 len AS a REDUCE MIN 1 ttl AS b REDUCE MAX 1 key AS c REDUCE COUNT 1 type AS d");
    let mut batch = Batch::new(&plan);
    for (key, length) in [(&b"12"[..], 3), (b"7", 4)] {
        batch.push_row(at(key), |source| match source {
            Source::Length => Field::Int(length),
            Source::Ttl => Field::Int(-1),
            Source::Type => Field::Bytes(b"list"),
            other => panic!("{other} was not asked for"),
        });
    }
    let mut partial = Partial::new(&plan);
    partial.fold(&plan, &batch);
    // A key is text, whatever it looks like.
    let expected = [Value::Int(7), Value::Int(-1), Value::Text("7".into()), Value::Int(2)];
    assert_eq!(values(&partial.finish(&plan).unwrap()), expected);
}

#[test]
fn a_partial_of_another_version_or_plan_is_refused() {
    let (sum, count) = (plan("REDUCE SUM 1 v AS x"), plan("REDUCE COUNT 1 v AS x"));
    let mut bytes = Vec::new();
    Partial::new(&sum).encode(&mut bytes);
    assert_eq!(Partial::decode(&count, &bytes), Err(DecodeError::Malformed));
    bytes[0] = 3;
    assert_eq!(Partial::decode(&sum, &bytes), Err(DecodeError::Version(3)));
}

/// Shards of integers, given out one slice at a time.
struct Shards {
    shards: Vec<Vec<i64>>,
}

impl RowSource for Shards {
    fn next_batch(&mut self, budget: Budget, out: &mut Batch) -> Progress {
        let Some(shard) = self.shards.last_mut() else { return Progress::Stopped };
        for _ in 0..budget.buckets {
            let Some(value) = shard.pop() else {
                self.shards.pop();
                return Progress::ShardDone;
            };
            out.push_row(at(b"key"), |_| Field::Int(value));
            if out.is_full() {
                break;
            }
        }
        Progress::More
    }
}

#[test]
fn a_source_is_drained_slice_by_slice() {
    let plan = plan("REDUCE SUM 1 v AS x");
    let mut source = Shards { shards: vec![(0..1000).collect(), Vec::new(), (1000..5000).collect()] };
    let (mut batch, mut partial) = (Batch::new(&plan), Partial::new(&plan));
    let budget = Budget { buckets: 256, micros: 100 };
    loop {
        let progress = source.next_batch(budget, &mut batch);
        partial.fold(&plan, &batch);
        batch.clear();
        if progress == Progress::Stopped {
            break;
        }
    }
    let outcome = partial.finish(&plan).unwrap();
    assert_eq!((outcome.scanned, outcome.scalar()), (5000, Some(&Value::Int(4999 * 2500))));
}

/// Text that is joined over and over would double with each operator.
#[test]
fn what_expressions_make_on_the_way_is_kept_within_the_limit_of_memory() {
    let limits = Limits { memory_bytes_max: 1 << 20, ..Limits::NONE };
    let text = vec![b'x'; 1000];
    let ended = |joins: usize, options: &str| {
        let joined = format!("''+{}", vec!["h.a"; joins].join("+"));
        let words = ["*", "REDUCE", "MAX", "1", &format!("size({joined})"), "AS", "max"];
        let words: Vec<&[u8]> =
            words.into_iter().chain(options.split_ascii_whitespace()).map(str::as_bytes).collect();
        let plan =
            Plan::new(Form::Aggregate, &words, &Bounds { usual: limits, ..Bounds::NONE }).expect("a plan");
        let rows = vec![[Some(text.clone()), None]; 10];
        fold(&plan, std::iter::once(rows.as_slice())).remove(0).finish(&plan).err()
    };
    assert_eq!(ended(5, ""), None);
    for options in ["", "ONERROR NULL", "ONERROR FAIL"] {
        let exceeded = Some(Ended::Exceeded(Exceeded::Memory { bytes_max: 1 << 20 }));
        assert_eq!(ended(100, options), exceeded, "{options}");
    }
}
