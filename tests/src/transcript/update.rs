//! Writes down what the references answer, where a transcript has no reply or another one. What already
//! matches stays as people wrote it, matchers included. Its output is a draft: whoever ran it reads the
//! change before keeping it.

use std::fs;
use std::time::Duration;

use super::parse::{action_mark, logical_lines};
use super::run::{Seen, Session, see};
use super::{Action, Script, Step, Target};
use crate::notation::{merge, write};
use crate::server::Server;

/// After this silence a command counts as one that has no reply yet, or no further one.
const SILENCE: Duration = Duration::from_millis(300);

/// What one server answered in one run: for each step, in order.
struct Recording {
    personality: &'static str,
    /// With the protocol that the client spoke by then.
    seen: Vec<(Vec<Seen>, u8)>,
}

/// Asks `targets` (references only) and rewrites the file where they disagree with it; returns how many steps
/// changed.
pub fn update(script: &Script, targets: &[Target]) -> usize {
    let mut recordings = Vec::new();
    for target in targets {
        let Target::Reference(reference, program) = target else { continue };
        if !script.references.contains(reference) {
            continue;
        }
        for &protocol in &script.protocols {
            let arguments: Vec<&str> = script.configuration.iter().map(String::as_str).collect();
            let server = Server::start(program, &arguments);
            let seen = record(script, &server, protocol);
            recordings.push(Recording { personality: reference.personality(), seen });
        }
    }
    if recordings.is_empty() {
        return 0;
    }
    let stale: Vec<usize> =
        (0..script.steps.len()).filter(|&index| is_stale(script, index, &recordings)).collect();
    if !stale.is_empty() {
        rewrite(script, &stale, &recordings);
    }
    stale.len()
}

fn record(script: &Script, server: &Server, protocol: u8) -> Vec<(Vec<Seen>, u8)> {
    let mut session = Session::new(server, protocol);
    let play = |step: &Step| {
        let (mut seen, spoken) = session.play(step, "");
        let asks = !script.is_read_later(step);
        // A step that someone has written replies for has told how many there are.
        while step.replies.is_empty() && asks {
            let Ok(speaker) = session.speaker(&step.client) else { break };
            match see(&mut speaker.client, SILENCE) {
                Seen::Nothing(_) => break,
                Seen::Closed => {
                    seen.push(Seen::Closed);
                    break;
                }
                reply => seen.push(reply),
            }
            if !step.client.starts_with("raw") {
                break;
            }
        }
        (seen, spoken)
    };
    script.steps.iter().map(play).collect()
}

fn is_stale(script: &Script, index: usize, recordings: &[Recording]) -> bool {
    let step = &script.steps[index];
    recordings.iter().any(|recording| {
        let (seen, spoken) = &recording.seen[index];
        seen.len() != step.replies.len()
            || step.replies.iter().zip(seen).any(|(expected, seen)| {
                let outcome = expected.select(recording.personality, *spoken);
                !outcome.is_some_and(|outcome| seen.is(outcome, *spoken))
            })
    })
}

/// Replaces the reply lines of the stale steps.
fn rewrite(script: &Script, stale: &[usize], recordings: &[Recording]) {
    let text = fs::read_to_string(&script.path).expect("it was just read");
    let reply_lines = reply_line_numbers(&text);
    let mut written = String::new();
    for (number, line) in (1..).zip(text.lines()) {
        let owner = reply_lines.iter().find(|(_, lines)| lines.contains(&number)).map(|(owner, _)| *owner);
        let replaced = |owner| stale.iter().any(|&index| script.steps[index].line == owner);
        if owner.is_some_and(replaced) {
            continue;
        }
        let step = stale.iter().find(|&&index| script.steps[index].line == number);
        match step {
            Some(&index) if matches!(script.steps[index].action, Action::Read) => {
                written.push_str(&format!("{}< ", script.steps[index].client));
            }
            _ => written.push_str(&format!("{line}\n")),
        }
        if let Some(&index) = step {
            written.push_str(&expectations(recordings, index));
        }
    }
    fs::write(&script.path, written).expect("the transcripts are writable");
}

/// For each step's line, the numbers of the lines that hold its replies.
fn reply_line_numbers(text: &str) -> Vec<(usize, Vec<usize>)> {
    let mut owners: Vec<(usize, Vec<usize>)> = Vec::new();
    for (start, line) in logical_lines(text) {
        let length = line.lines().count();
        if action_mark(&line).is_some() {
            owners.push((start, (start + 1..start + length).collect()));
        } else if let (Some((_, lines)), false) = (owners.last_mut(), line.starts_with('@')) {
            lines.extend(start..start + length);
        }
    }
    owners
}

/// The reply lines of one step: the default is the first reference's, others are variants where they differ.
fn expectations(recordings: &[Recording], index: usize) -> String {
    let replies_max = recordings.iter().map(|recording| recording.seen[index].0.len()).max().unwrap_or(0);
    let mut lines = String::new();
    for number in 0..replies_max {
        let mut personalities: Vec<&str> = recordings.iter().map(|recording| recording.personality).collect();
        personalities.dedup();
        let default = forms(recordings, personalities.remove(0), index, number);
        lines.extend(default.iter().map(|(selector, text)| line(&[*selector], text)));
        for other in personalities {
            let forms = forms(recordings, other, index, number);
            if forms != default {
                lines.extend(forms.iter().map(|(selector, text)| line(&[other, selector], text)));
            }
        }
    }
    lines
}

/// A server's reply as one line for both protocols, or as one for each.
fn forms(
    recordings: &[Recording],
    personality: &str,
    index: usize,
    number: usize,
) -> Vec<(&'static str, String)> {
    let of = |protocol: u8| {
        let mine = |recording: &&Recording| {
            recording.personality == personality && recording.seen[index].1 == protocol
        };
        recordings.iter().find(mine).and_then(|recording| recording.seen[index].0.get(number))
    };
    match (of(2), of(3)) {
        (Some(Seen::Reply(two)), Some(Seen::Reply(three))) => match merge(two, three) {
            Some(merged) => vec![("", write(&merged))],
            None => vec![("", write(two)), ("resp3", write(three))],
        },
        (Some(Seen::Closed), _) | (_, Some(Seen::Closed)) => vec![("", "closed".into())],
        (Some(Seen::Reply(only)), None) | (None, Some(Seen::Reply(only))) => vec![("", write(only))],
        _ => Vec::new(),
    }
}

fn line(selectors: &[&str], reply: &str) -> String {
    let named: Vec<&str> = selectors.iter().copied().filter(|name| !name.is_empty()).collect();
    if named.is_empty() { format!("{reply}\n") } else { format!("[{}] {reply}\n", named.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Reply;

    fn recording(personality: &'static str, protocol: u8, reply: Reply) -> Recording {
        Recording { personality, seen: vec![(vec![Seen::Reply(reply)], protocol)] }
    }

    #[test]
    fn what_servers_and_protocols_share_is_written_once() {
        let mut recordings = vec![
            recording("redis-7.0", 2, Reply::Nil),
            recording("redis-7.0", 3, Reply::Null),
            recording("valkey-9.1", 2, Reply::Nil),
            recording("valkey-9.1", 3, Reply::Null),
        ];
        assert_eq!(expectations(&recordings, 0), "nil\n");
        recordings[2].seen[0].0[0] = Seen::Reply(Reply::Integer(1));
        assert_eq!(expectations(&recordings, 0), "nil\n[valkey-9.1] :1\n[valkey-9.1,resp3] _\n");
    }

    #[test]
    fn replies_are_found_below_their_commands() {
        let text = "@protocol 2\na> X\n[\n  :1\n  ]\n# why\na> Y\n\na> Z\n:1\n:2\n";
        assert_eq!(reply_line_numbers(text), [(2, vec![3, 4, 5]), (7, vec![]), (9, vec![10, 11])]);
    }
}
