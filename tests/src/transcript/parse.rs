//! From the text of a transcript to its steps. The meaning of replies and words is `notation`'s.

use std::path::Path;

use super::{Action, Expected, Outcome, Script, Step};
use crate::client::encode;
use crate::notation::{Pattern, Words};
use crate::reference::Reference;

/// Reads the text of one file.
pub fn script(path: &Path, text: &str) -> Result<Script, String> {
    let mut script = Script {
        path: path.into(),
        references: Reference::ALL.into(),
        protocols: vec![2, 3],
        configuration: Vec::new(),
        steps: Vec::new(),
    };
    for (number, line) in logical_lines(text) {
        add_line(&mut script, number, &line)
            .map_err(|reason| format!("{}:{number}: {reason}", path.display()))?;
    }
    Ok(script)
}

/// Lines with their numbers; comments and empty ones left out, continuations joined to the line they
/// continue.
pub(super) fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match lines.last_mut() {
            Some((_, last)) if line.starts_with(' ') => last.extend(["\n", line]),
            _ if line.trim().is_empty() || line.starts_with("# ") || line == "#" => {}
            _ => lines.push((index + 1, line.into())),
        }
    }
    lines
}

fn add_line(script: &mut Script, number: usize, line: &str) -> Result<(), String> {
    if let Some(header) = line.strip_prefix('@') {
        return add_header(script, header);
    }
    if let Some((client, repeat, action, rest)) = action_mark(line) {
        let mut step = Step {
            line: number,
            text: line.into(),
            client: client.into(),
            action: Action::Read,
            replies: Vec::new(),
            switches_to: None,
        };
        match (action, client) {
            ("<", _) => step.replies.push(Expected { variants: vec![(Vec::new(), outcome(rest)?)] }),
            (_, "clock") => {
                step.action = advance(rest)?;
                step.replies.push(Expected { variants: vec![(Vec::new(), outcome("+OK")?)] });
            }
            _ => {
                let words: Vec<Vec<u8>> =
                    Words::new(rest).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
                step.switches_to = switches_to(&words);
                step.action = sending(client, repeat, action, &words)?;
            }
        }
        script.steps.push(step);
        return Ok(());
    }
    let step = script.steps.last_mut().ok_or("a reply without a command")?;
    let (selectors, reply) = split_selectors(line)?;
    let outcome = outcome(reply)?;
    match step.replies.last_mut() {
        Some(last)
            if !selectors.is_empty() && last.variants.iter().all(|(others, _)| *others != selectors) =>
        {
            last.variants.push((selectors, outcome));
        }
        _ => step.replies.push(Expected { variants: vec![(selectors, outcome)] }),
    }
    Ok(())
}

fn add_header(script: &mut Script, header: &str) -> Result<(), String> {
    let (name, value) = header.split_once(' ').unwrap_or((header, ""));
    match (name, value) {
        (_, "") => return Err(format!("@{name} needs a value")),
        ("references", "none") => script.references.clear(),
        ("references", names) => script.references = references(names)?,
        ("protocol", "both") => script.protocols = vec![2, 3],
        ("protocol", "2") => script.protocols = vec![2],
        ("protocol", "3") => script.protocols = vec![3],
        ("config", setting) => {
            let (name, value) = setting.split_once(' ').ok_or("@config needs a name and a value")?;
            script.configuration.extend([format!("--{name}"), value.trim_matches('"').into()]);
        }
        ("only", reason) => {
            let reason = reason.strip_prefix("shardis").ok_or("@only shardis")?;
            if reason.trim().is_empty() {
                return Err("@only shardis needs a reason".into());
            }
            script.references.clear();
        }
        ("recorded" | "unverified", _) => script.references.clear(),
        _ => return Err(format!("@{header} is no header")),
    }
    Ok(())
}

fn references(names: &str) -> Result<Vec<Reference>, String> {
    let reference = |name: &str| match name {
        "redis" => Ok(Reference::Redis),
        "valkey" => Ok(Reference::Valkey),
        _ => Err(format!("{name} is no reference")),
    };
    names.split_whitespace().map(reference).collect()
}

/// Client, repetition (of `a*5>`), mark and the rest of a line like `a> GET k`.
pub(super) fn action_mark(line: &str) -> Option<(&str, &str, &str, &str)> {
    let client_end = line.find(|mark: char| !mark.is_ascii_lowercase() && !mark.is_ascii_digit())?;
    let (client, rest) = line.split_at(client_end);
    let (repeat, rest) = match rest.strip_prefix('*') {
        Some(rest) => rest.split_at(rest.find(|digit: char| !digit.is_ascii_digit())?),
        None => ("", rest),
    };
    let mark = ["~>", ">", "<"].into_iter().find(|mark| rest.starts_with(mark))?;
    let rest = rest[mark.len()..].strip_prefix([' ', '\n'])?;
    (!client.is_empty()).then_some((client, repeat, mark, rest))
}

/// Time passes on the server itself, so that no other program's sleep has to be as long.
fn advance(rest: &str) -> Result<Action, String> {
    let milliseconds = rest.strip_prefix("advance ").and_then(|number| number.parse::<u32>().ok());
    let seconds = f64::from(milliseconds.ok_or("clock> advance <milliseconds>")?) / 1000.0;
    Ok(Action::Send(encode(&["DEBUG", "SLEEP", &seconds.to_string()])))
}

fn sending(client: &str, repeat: &str, mark: &str, words: &[Vec<u8>]) -> Result<Action, String> {
    let bytes = match words {
        [] => return Err("nothing to send".into()),
        _ if client.starts_with("raw") => words.concat(),
        _ => encode(words),
    };
    match (mark, repeat) {
        ("~>", "") => Ok(Action::Eventually(bytes)),
        (">", "") if words.iter().any(|word| referred(word).is_some()) => Ok(Action::Refer(words.to_vec())),
        (">", "") => Ok(Action::Send(bytes)),
        (">", count) => {
            let count: usize = count.parse().map_err(|_| "no count after *")?;
            Ok(Action::Repeat((1..=count).map(|number| encode(&numbered(words, number))).collect()))
        }
        _ => Err("a repetition cannot wait".into()),
    }
}

/// The client whose number a word stands for.
pub(super) fn referred(word: &[u8]) -> Option<&str> {
    let name = word.strip_prefix(b"id(")?.strip_suffix(b")")?;
    std::str::from_utf8(name).ok()
}

fn switches_to(words: &[Vec<u8>]) -> Option<u8> {
    match words {
        [name, version, ..] if name.eq_ignore_ascii_case(b"HELLO") => {
            [(b"2", 2), (b"3", 3)].iter().find(|(text, _)| *text == &version[..]).map(|(_, number)| *number)
        }
        [name] if name.eq_ignore_ascii_case(b"RESET") => Some(2),
        _ => None,
    }
}

/// The words with every `#` replaced by the number.
fn numbered(words: &[Vec<u8>], number: usize) -> Vec<Vec<u8>> {
    let digits = number.to_string().into_bytes();
    let replaced = |word: &Vec<u8>| word.split(|&byte| byte == b'#').collect::<Vec<_>>().join(&digits[..]);
    words.iter().map(replaced).collect()
}

/// `[redis-7.0,resp2] reply` → the selectors and the reply. An array has a space after its bracket, they have none.
fn split_selectors(line: &str) -> Result<(Vec<String>, &str), String> {
    let Some(rest) = line.strip_prefix('[').filter(|rest| !rest.starts_with([' ', '\n'])) else {
        return Ok((Vec::new(), line));
    };
    let (names, reply) = rest.split_once("] ").ok_or("a variant is [name] reply")?;
    let known = ["redis-7.0", "redis-7.2", "valkey-9.1", "resp2", "resp3"];
    let selectors: Vec<String> = names.split(',').map(str::to_owned).collect();
    match selectors.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("{name} is neither a personality nor a protocol")),
        None => Ok((selectors, reply)),
    }
}

fn outcome(reply: &str) -> Result<Outcome, String> {
    let pattern = match reply.trim() {
        "closed" => None,
        reply => Some(Pattern::parse(reply).map_err(|error| error.to_string())?),
    };
    Ok(Outcome { text: reply.into(), reply: pattern })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Script {
        script(Path::new("x.txt"), text).expect(text)
    }

    #[test]
    fn a_conversation_is_read_as_written() {
        let text = "@protocol 2\n@config maxclients 5\n# words\na> SET k \"v w\"\n+OK\nraw> \"GET k\" \"\\r\\n\"\n\"v w\"\nclosed\n";
        let script = parsed(text);
        assert_eq!(
            (script.protocols, script.configuration),
            (vec![2], vec!["--maxclients".into(), "5".into()])
        );
        assert!(
            matches!(&script.steps[0].action, Action::Send(bytes) if bytes == &encode(&["SET", "k", "v w"]))
        );
        assert!(matches!(&script.steps[1].action, Action::Send(bytes) if bytes == b"GET k\r\n"));
        assert_eq!((script.steps[0].replies.len(), script.steps[1].replies.len()), (1, 2));
        assert_eq!(script.steps[1].line, 6);
    }

    #[test]
    fn the_most_specific_variant_is_selected() {
        let text = "a> X\n:0\n[redis-7.0] :1\n[redis-7.0,resp3] :2\n[resp3] :3\n:4\n";
        let replies = &parsed(text).steps[0].replies;
        assert_eq!(replies.len(), 2);
        let selected = [("redis-7.2", 2), ("redis-7.0", 2), ("redis-7.0", 3), ("redis-7.2", 3)]
            .map(|(name, protocol)| replies[0].select(name, protocol).expect("a default").text.clone());
        assert_eq!(selected, [":0", ":1", ":2", ":3"]);
    }

    #[test]
    fn repetitions_count_and_continuations_join() {
        let script = parsed("a*2> RPUSH l#x #\n:2\na> LRANGE l 0 -1\n[\n  \"1\"\n  \"2\"\n  ]\na< +OK\n");
        let Action::Repeat(commands) = &script.steps[0].action else { panic!("{:?}", script.steps[0]) };
        assert_eq!(commands[1], encode(&["RPUSH", "l2x", "2"]));
        assert_eq!(script.steps[1].replies.len(), 1);
        assert!(matches!(script.steps[2].action, Action::Read));
    }

    #[test]
    fn numbers_of_clients_are_filled_in_later() {
        let script = parsed("a> CLIENT KILL ID id(b)\n:1\n");
        let Action::Refer(words) = &script.steps[0].action else { panic!("{:?}", script.steps[0]) };
        assert_eq!(words.iter().filter_map(|word| referred(word)).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, line) in
            [("+OK\n", 1), ("a> GET k\nnul\n", 2), ("@only shardis\n", 1), ("a> X\n:1\n[redis-6] :2\n", 3)]
        {
            let error = script(Path::new("x.txt"), text).expect_err(text);
            assert!(error.starts_with(&format!("x.txt:{line}: ")), "{error}");
        }
    }
}
