//! RESP2 bytes: requests as a client sends them, replies as a right server must answer them.
//!
//! Not a parser, and deliberately not the project's own `protocol` crate: a writer that shared its code with the
//! server under test could not notice that both are wrong.

/// One command: its name and its arguments.
pub type Words = Vec<String>;

/// Appends `words` to `out` as an array of bulk strings, the form in which clients send commands.
pub fn append_command<W: AsRef<[u8]>>(out: &mut Vec<u8>, words: &[W]) {
    append_header(out, b'*', words.len());
    for word in words {
        append_bulk(out, word.as_ref());
    }
}

/// The reply that is one bulk string.
pub fn bulk(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 16);
    append_bulk(&mut out, text.as_bytes());
    out
}

/// The reply that is an array of bulk strings.
pub fn array(items: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    append_command(&mut out, items);
    out
}

/// The reply that is an array of replies.
pub fn array_of(replies: Vec<Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    append_header(&mut out, b'*', replies.len());
    replies.iter().for_each(|reply| out.extend_from_slice(reply));
    out
}

/// The reply that is one integer.
pub fn integer(value: i64) -> Vec<u8> {
    format!(":{value}\r\n").into_bytes()
}

/// The reply to a command that has nothing to say.
pub fn ok() -> Vec<u8> {
    b"+OK\r\n".to_vec()
}

/// The reply to a command that waits for EXEC.
pub fn queued() -> Vec<u8> {
    b"+QUEUED\r\n".to_vec()
}

fn append_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    append_header(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn append_header(out: &mut Vec<u8>, kind: u8, count: usize) {
    out.push(kind);
    out.extend_from_slice(count.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_arrays_of_bulk_strings() {
        let mut out = Vec::new();
        append_command(&mut out, &["SET", "k", ""]);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
    }

    #[test]
    fn replies_have_their_resp2_form() {
        assert_eq!(bulk("abc"), b"$3\r\nabc\r\n");
        assert_eq!(array(&["a".to_owned(), "bc".to_owned()]), b"*2\r\n$1\r\na\r\n$2\r\nbc\r\n");
        assert_eq!(integer(-3), b":-3\r\n");
    }
}
