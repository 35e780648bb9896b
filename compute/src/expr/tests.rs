//! Kernels against the interpreter: random expressions over random rows, each run both ways, values and failures compared.
//! The interpreter knows the language, so it is the oracle; where it calls back for operators of ours (`scalar`), those
//! have tests of their own.

use std::collections::HashSet;

use super::*;
use crate::batch::{Batch, Field, Row};
use crate::grammar::Form;
use crate::options::Bounds;
use crate::plan::Plan;
use crate::vector::Scalar;

/// Pairs of an expression and a row.
const PAIRS: usize = 1_000_000;
const ROWS: usize = 100;

/// A small generator of its own, so that a seed gives the same expressions for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Fields a to c are of any text; i, d, s and r are pinned.
const FIELDS: [&str; 7] = ["a", "b", "c", "i", "d", "s", "r"];

fn number(random: &mut Random, depth: usize) -> String {
    if depth == 0 || random.below(4) == 0 {
        return match random.below(9) {
            0 => "h.a".into(),
            1 => "h.b".into(),
            2 => "h.i".into(),
            3 => "h.d".into(),
            4 => "len".into(),
            5 => "p.n".into(),
            6 => random
                .one(&["0", "1", "2", "-3", "7", "100", "9223372036854775807", "4611686018427387904"])
                .into(),
            7 => random.one(&["0.5", "-1.25", "3.0", "1e308", "0.0"]).into(),
            _ => "h.i".into(),
        };
    }
    let d = depth - 1;
    match random.below(12) {
        0..=5 => {
            let (a, b) = (number(random, d), number(random, d));
            format!("({a} {} {b})", random.one(&["+", "-", "*", "/", "+", "-"]))
        }
        6 => format!("(int({}) % {})", number(random, d), random.one(&["2", "7", "h.i", "0"])),
        7 => format!("-({})", number(random, d)),
        8 => format!("({} ? {} : {})", truth(random, d), number(random, d), number(random, d)),
        9 => format!(
            "{}({})",
            random.one(&["int", "double", "num"]),
            if random.below(2) == 0 { number(random, d) } else { text(random, d) }
        ),
        10 => format!("bucket({}, {})", number(random, d), random.one(&["10", "0.5", "h.i", "-1"])),
        _ => format!("size({})", text(random, d)),
    }
}

fn text(random: &mut Random, depth: usize) -> String {
    if depth == 0 || random.below(3) == 0 {
        return random
            .one(&["h.s", "h.a", "h.c", "key", "'x'", "'12'", "''", "'ü'", "p.t", "str(h.b)"])
            .into();
    }
    let d = depth - 1;
    match random.below(4) {
        0 => format!("({} + {})", text(random, d), random.one(&["'-'", "h.s", "key", "'1'"])),
        1 => format!("({} ? {} : {})", truth(random, d), text(random, d), text(random, d)),
        2 => format!("string({})", number(random, d)),
        _ => format!("('<' + {})", text(random, d)),
    }
}

fn truth(random: &mut Random, depth: usize) -> String {
    const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];
    if depth == 0 {
        return random.one(&["has(h.a)", "has(h.c)", "true", "false", "bool(h.s)", "h.i > 0"]).into();
    }
    let d = depth - 1;
    match random.below(15) {
        0..=2 => format!("({} && {})", truth(random, d), truth(random, d)),
        3..=5 => format!("({} || {})", truth(random, d), truth(random, d)),
        6 => format!("!{}", truth(random, d)),
        7..=9 => format!("({} {} {})", number(random, d), random.one(&COMPARISONS), number(random, d)),
        10 => format!("({} {} {})", text(random, d), random.one(&COMPARISONS), text(random, d)),
        11 => format!(
            "({} {} {})",
            random.one(&["h.a", "h.b", "h.c"]),
            random.one(&COMPARISONS),
            random.one(&["h.a", "h.b", "h.c", "p.n", "'x'", "12"])
        ),
        12 => format!(
            "({} in {})",
            random.one(&["h.a", "h.s", "h.i", "h.c"]),
            random.one(&[
                "[1, 2, 12]",
                "['x', '12', 'ü']",
                "[1, 2.5]",
                "[h.a, 'x']",
                "['x', b'12', b'\\xff']"
            ])
        ),
        13 => format!(
            "{}.{}({})",
            random.one(&["h.s", "h.a", "key", "'xy'"]),
            random.one(&["startsWith", "endsWith", "contains", "matches"]),
            random.one(&["'x'", "''", "'[0-9]+'", "'k'"])
        ),
        _ => match random.below(4) {
            3 => format!(
                "({} {} {} && {})",
                random.one(&["[h.a]", "[h.s, 'x']", "[1, 2]", "[]"]),
                random.one(&["==", "!="]),
                random.one(&["[h.b]", "['x']", "[1, 2]", "['12', 'x']"]),
                truth(random, d)
            ),
            0 => format!("[1, 2, 3].exists(e, e > {})", number(random, d.min(1))),
            1 => format!("['x', h.s].all(e, e == {})", random.one(&["h.s", "h.a", "'x'"])),
            _ => format!("[{}].exists_one(e, e == 1)", number(random, d.min(1))),
        },
    }
}

fn value(random: &mut Random, field: &str) -> Option<Vec<u8>> {
    if random.below(12) == 0 {
        return None;
    }
    let text: &[u8] = match field {
        "i" => random.one(&[
            &b"0"[..],
            b"1",
            b"-7",
            b"12",
            b"9223372036854775807",
            b"-9223372036854775808",
            b"x",
            b"1.5",
        ]),
        "d" => random.one(&[&b"0"[..], b"1.5", b"-2.25", b"1e308", b"-0", b"12", b"x", b"1e-300"]),
        "s" => random.one(&[&b"x"[..], b"", b"12", b"true", b"0", "ü".as_bytes(), b"xyz", b"\xff"]),
        "r" => random.one(&[&b"x"[..], b"\xff\x00", b"12", b""]),
        _ => random.one(&[
            &b"12"[..],
            b"12.50",
            b"x",
            b"",
            b"007",
            b"-3",
            "ü".as_bytes(),
            b"\xfe\xff",
            b"1e3",
            b"9223372036854775807",
            b"nan",
        ]),
    };
    Some(text.to_vec())
}

fn nodes(node: &Node) -> usize {
    1 + match node {
        Node::Constant(_) | Node::Input(_) | Node::Present(_) | Node::Interpreted(_) => 0,
        Node::Not(a) | Node::Negate(a) | Node::Matches(a, _) | Node::Among(a, _) => nodes(a),
        Node::And(a, b) | Node::Or(a, b) => nodes(a) + nodes(b),
        Node::Choose(parts) => parts.iter().map(nodes).sum(),
        Node::Arithmetic(_, sides) | Node::Compare(_, sides) | Node::CompareLoosely(_, sides) => {
            sides.iter().map(nodes).sum()
        }
        Node::Call(_, arguments) => arguments.iter().map(nodes).sum(),
    }
}

fn same(a: Scalar<'_>, b: Scalar<'_>) -> bool {
    match (a, b) {
        (Scalar::Double(a), Scalar::Double(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
        _ => a == b,
    }
}

fn batch(plan: &Plan, random: &mut Random) -> Batch {
    let mut batch = Batch::new(plan);
    for row in 0..ROWS {
        let fields: Vec<Option<Vec<u8>>> = FIELDS.iter().map(|field| value(random, field)).collect();
        let key = format!("key:{row}");
        batch.push_row(Row { key: key.as_bytes(), ..Row::default() }, |source| match source {
            Source::Length => Field::Int(row as i64),
            Source::Field(name) => {
                let at = FIELDS.iter().position(|field| *field == &**name);
                at.and_then(|at| fields[at].as_deref()).map_or(Field::Missing, Field::Bytes)
            }
            other => panic!("{other:?} is not asked for"),
        });
    }
    batch
}

#[test]
fn kernels_and_interpreter_agree() {
    let bounds = Bounds::NONE;
    let language = Language::default();
    let mut random = Random(1);
    let (mut pairs, mut refused, mut interpreted, mut failed) = (0, 0, 0, 0);
    let (mut seen, mut sizes) = (HashSet::new(), Vec::new());
    while pairs < PAIRS {
        let depth = 1 + random.below(4);
        let text = match random.below(3) {
            0 => number(&mut random, depth),
            1 => text(&mut random, depth),
            _ => truth(&mut random, depth),
        };
        if !seen.insert(text.clone()) {
            continue;
        }
        let words = [
            "*", "TYPES", "4", "h.i", "INT", "h.d", "DOUBLE", "h.s", "STRING", "h.r", "BYTES", "PARAMS", "2",
            "n", "3", "t", "x", "RETURN", "1", &text,
        ];
        let plan = match Plan::new(Form::Select, &words.map(str::as_bytes), &bounds) {
            Ok(plan) => plan,
            Err(PlanError::Expression { .. }) => {
                refused += 1;
                continue;
            }
            Err(error) => panic!("{text}: {error}"),
        };
        let expression = &plan.values()[0].expression;
        interpreted += usize::from(expression.node.is_interpreted());
        sizes.push(nodes(&expression.node));
        let batch = batch(&plan, &mut random);
        let arena = bumpalo::Bump::new();
        let frame = Frame::of_batch(&batch, plan.inputs(), &arena);
        let rows: Vec<u32> = (0..ROWS as u32).collect();
        let lowered = frame.evaluate(&expression.node, &rows);
        let interpreted = expression.interpreted(&language);
        let oracle = frame.evaluate(&interpreted, &rows);
        for row in 0..ROWS {
            pairs += 1;
            let at = row as u32;
            match (lowered.failure_at(at), oracle.failure_at(at)) {
                (None, None) => {
                    let (ours, theirs) = (lowered.vector.at(row), oracle.vector.at(row));
                    assert!(same(ours, theirs), "{text} of row {row}: {ours:?}, not {theirs:?}");
                }
                (Some(_), Some(_)) => failed += 1,
                (ours, theirs) => panic!(
                    "{text} of row {row}: {ours:?} {:?}, not {theirs:?} {:?}",
                    lowered.vector.at(row),
                    oracle.vector.at(row)
                ),
            }
        }
    }
    sizes.sort_unstable();
    let (expressions, median) = (sizes.len(), sizes[sizes.len() / 2]);
    println!(
        "{pairs} pairs of {expressions} expressions with a median of {median} nodes; {failed} failed both ways; \
         {interpreted} expressions have parts that are interpreted; {refused} more were refused"
    );
    assert!(expressions >= 10_000 && median >= 8, "{expressions} expressions, median {median}");
}
