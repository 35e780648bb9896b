//! Transactions in a sequence: which commands the servers have gathered, and how what EXEC answers is compared, each element
//! by the rules of the command that it answers.
//!
//! What is gathered is told by the servers' answers, not by the commands, so damage to MULTI or EXEC needs no care here.

use super::compare::{Circumstances, Frame, same};
use super::generate::Step;
use crate::reply::Reply;

/// What both servers have gathered since MULTI.
#[derive(Debug, Default)]
pub struct Queue {
    gathered: Vec<Gathered>,
}

#[derive(Debug)]
struct Gathered {
    step: Step,
    /// Whether it asks for what the one before it is compared by.
    is_probe: bool,
}

impl Queue {
    /// Takes note of a command that both have answered, and of the probe behind it. Tells each answer of ours, once it is a real
    /// one, and returns the name of the command whose answers differ.
    pub fn compare(
        &mut self,
        step: &Step,
        (ours, theirs): (&Frame, &Frame),
        circumstances: Circumstances<'_>,
        seen: &mut impl FnMut(&Step, &Frame),
    ) -> Option<String> {
        if is_gathered(ours) && is_gathered(theirs) {
            self.gathered.push(Gathered { step: step.clone(), is_probe: false });
            self.gather_probe(step, circumstances);
            return None;
        }
        seen(step, ours);
        // A damaged command leaves a transaction as it is, but its probe is gathered.
        self.gather_probe(step, circumstances);
        match step.name().as_str() {
            "MULTI" if !ours.1.is_error() => self.gathered.clear(),
            "EXEC" if matches!(ours.1, Reply::Items(..)) && matches!(theirs.1, Reply::Items(..)) => {
                return self.compare_elements(ours, theirs, circumstances, seen);
            }
            _ => {}
        }
        (!same(step, ours, theirs, circumstances)).then(|| step.full_name())
    }

    fn gather_probe(&mut self, step: &Step, circumstances: Circumstances<'_>) {
        let is_gathered = circumstances.probed.is_some_and(|(ours, _)| is_gathered(ours));
        if let Some(step) = super::compare::probe(step).filter(|_| is_gathered) {
            self.gathered.push(Gathered { step, is_probe: true });
        }
    }

    fn compare_elements(
        &mut self,
        ours: &Frame,
        theirs: &Frame,
        circumstances: Circumstances<'_>,
        seen: &mut impl FnMut(&Step, &Frame),
    ) -> Option<String> {
        let gathered = std::mem::take(&mut self.gathered);
        let (ours, theirs) = (elements(ours), elements(theirs));
        if ours.len() != gathered.len() || theirs.len() != gathered.len() {
            return Some("EXEC".into());
        }
        for (index, Gathered { step, .. }) in gathered.iter().enumerate().filter(|(_, each)| !each.is_probe) {
            seen(step, &ours[index]);
            let probe = gathered.get(index + 1).filter(|next| next.is_probe);
            let probed = probe.map(|_| (&ours[index + 1], &theirs[index + 1]));
            if !same(step, &ours[index], &theirs[index], Circumstances { probed, ..circumstances }) {
                return Some(format!("EXEC of {}", step.full_name()));
            }
        }
        None
    }
}

fn is_gathered(frame: &Frame) -> bool {
    frame.0 == b"+QUEUED\r\n"
}

/// The elements of an array and the bytes of each.
fn elements(frame: &Frame) -> Vec<Frame> {
    let head = frame.0.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (mut elements, mut rest) = (Vec::new(), &frame.0[head..]);
    while let Ok(Some((reply, length))) = Reply::parse(rest) {
        elements.push((rest[..length].to_vec(), reply));
        rest = &rest[length..];
    }
    elements
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const QUEUED: &[u8] = b"+QUEUED\r\n";
    const AB: &str = "*2\r\n$1\r\na\r\n$1\r\nb\r\n";
    const BA: &str = "*2\r\n$1\r\nb\r\n$1\r\na\r\n";

    fn step(text: &str) -> Step {
        Step { words: text.split(' ').map(Into::into).collect() }
    }

    fn frame(bytes: &[u8]) -> Frame {
        (bytes.to_vec(), Reply::parse(bytes).expect("well formed").expect("complete").0)
    }

    /// What differs at last, when these are gathered and then answered; probes are gathered behind their commands.
    fn differing(commands: &[&str], ours: &str, theirs: &str) -> (Option<String>, Vec<String>) {
        let (mut queue, mut seen, queued) = (Queue::default(), Vec::new(), frame(QUEUED));
        let mut note = |step: &Step, _: &Frame| seen.push(step.full_name());
        for command in commands {
            let step = step(command);
            let probed = super::super::compare::probe(&step).map(|_| (&queued, &queued));
            let circumstances = Circumstances { probed, apart: Duration::ZERO };
            assert_eq!(queue.compare(&step, (&queued, &queued), circumstances, &mut note), None);
        }
        let circumstances = Circumstances { probed: None, apart: Duration::ZERO };
        let (ours, theirs) = (frame(ours.as_bytes()), frame(theirs.as_bytes()));
        let name = queue.compare(&step("EXEC"), (&ours, &theirs), circumstances, &mut note);
        (name, seen)
    }

    #[test]
    fn each_element_is_compared_by_the_rules_of_its_command() {
        let answers = |keys: &str, values: &str| format!("*2\r\n{keys}{values}");
        let commands = ["KEYS *", "MGET a b"];
        let (name, seen) = differing(&commands, &answers(AB, AB), &answers(BA, AB));
        assert_eq!((name, seen), (None, vec!["EXEC".into(), "KEYS".into(), "MGET".into()]));
        let (name, _) = differing(&commands, &answers(AB, AB), &answers(AB, BA));
        assert_eq!(name.as_deref(), Some("EXEC of MGET"));
    }

    #[test]
    fn the_answer_to_a_probe_is_an_element_too() {
        let answers = |keys: &str, encoding: &str| format!("*2\r\n{keys}+{encoding}\r\n");
        let table = |keys| answers(keys, "hashtable");
        assert_eq!(differing(&["HKEYS h"], &table(AB), &table(BA)).0, None);
        let packed = |keys| answers(keys, "listpack");
        assert_eq!(differing(&["HKEYS h"], &packed(AB), &packed(BA)).0.as_deref(), Some("EXEC of HKEYS"));
    }

    #[test]
    fn what_is_void_on_one_side_only_differs() {
        assert_eq!(differing(&["GET a"], "*-1\r\n", "*-1\r\n").0, None);
        assert_eq!(differing(&["GET a"], "*-1\r\n", "*1\r\n$1\r\na\r\n").0.as_deref(), Some("EXEC"));
        assert_eq!(differing(&["GET a"], "*0\r\n", "*1\r\n$1\r\na\r\n").0.as_deref(), Some("EXEC"));
    }
}
