//! What stands in URLs.

/// Bytes as a URL carries them: those as they are that mean nothing in it, and the ones of `kept`.
pub fn percent_encoded(bytes: &[u8], kept: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
