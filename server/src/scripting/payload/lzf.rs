//! The compression of the imitated servers' payloads. Compressed text is a sequence of literals and of references to what
//! came before:
//!
//! ```text
//! 000nnnnn  literals             n + 1 literals follow
//! nnnooooo  offset               n + 2 bytes from (offset + 1) bytes before; n is 1 to 6
//! 111ooooo  length offset        length + 9 bytes from there
//! ```
//!
//! Where several texts would do, the one that comes out is that of the library which the servers use, set to be very fast:
//! there is one candidate for a reference, the last place with the same hash of three bytes.

/// How many places are remembered.
const SLOTS: usize = 1 << 16;
/// The longest sequence of literals.
const LITERALS_MAX: usize = 1 << 5;
/// How far a reference reaches back.
const OFFSET_MAX: usize = 1 << 13;
/// The longest reference, but for its first two bytes.
const REFERENCE_MAX: usize = (1 << 8) + (1 << 3);
/// A reference is compared so far without a look at the end, if there is room.
const UNCHECKED_BYTES: usize = 16;

/// A shorter form of a text, if there is one of at most so many bytes.
pub fn compress(text: &[u8], length_max: usize) -> Option<Vec<u8>> {
    // Zero is no place to refer to, as the first byte is never referred to.
    let mut places = vec![0_u32; SLOTS];
    let mut out = Output { bytes: Vec::with_capacity(length_max), literals: 0, length_max };
    out.bytes.push(0);
    let mut at = 0;
    while at + 2 < text.len() {
        let slot = slot(text, at);
        let before = places[slot] as usize;
        places[slot] = at as u32;
        let offset = at.wrapping_sub(before).wrapping_sub(1);
        let is_match =
            before > 0 && before < at && offset < OFFSET_MAX && text[before..before + 3] == text[at..at + 3];
        if !is_match {
            out.literal(text[at])?;
            at += 1;
            continue;
        }
        let length = matching(text, before, at);
        out.reference(offset, length)?;
        at += length;
        if at + 2 >= text.len() {
            break;
        }
        // The two places at the end of a reference are remembered too.
        for place in [at - 2, at - 1] {
            places[self::slot(text, place)] = place as u32;
        }
    }
    if out.bytes.len() + 3 > length_max {
        return None;
    }
    text[at..].iter().try_for_each(|&byte| out.literal(byte))?;
    out.end_literals();
    Some(out.bytes)
}

/// Where a place is remembered, by its three bytes.
fn slot(text: &[u8], at: usize) -> usize {
    let hash = u32::from_be_bytes([0, text[at], text[at + 1], text[at + 2]]);
    ((hash >> 8).wrapping_sub(hash.wrapping_mul(5)) as usize) & (SLOTS - 1)
}

/// How many bytes here are those from before; the first three are.
fn matching(text: &[u8], before: usize, at: usize) -> usize {
    let longest = (text.len() - at - 2).min(REFERENCE_MAX);
    let mut length = 2;
    if longest > UNCHECKED_BYTES {
        for _ in 0..UNCHECKED_BYTES {
            length += 1;
            if text[before + length] != text[at + length] {
                return length;
            }
        }
    }
    loop {
        length += 1;
        if length >= longest || text[before + length] != text[at + length] {
            return length;
        }
    }
}

/// What has been written. Its last literals are open: the byte before them is to say how many they are.
struct Output {
    bytes: Vec<u8>,
    literals: usize,
    length_max: usize,
}

impl Output {
    fn literal(&mut self, byte: u8) -> Option<()> {
        if self.bytes.len() >= self.length_max {
            return None;
        }
        self.bytes.push(byte);
        self.literals += 1;
        if self.literals == LITERALS_MAX {
            self.end_literals();
            self.bytes.push(0);
        }
        Some(())
    }

    fn reference(&mut self, offset: usize, length: usize) -> Option<()> {
        let unused = usize::from(self.literals == 0);
        if self.bytes.len() - unused + 4 >= self.length_max {
            return None;
        }
        self.end_literals();
        let (length, high) = (length - 2, (offset >> 8) as u8);
        if length < 7 {
            self.bytes.push(high | (length as u8) << 5);
        } else {
            self.bytes.extend_from_slice(&[high | 7 << 5, (length - 7) as u8]);
        }
        self.bytes.extend_from_slice(&[offset as u8, 0]);
        Some(())
    }

    fn end_literals(&mut self) {
        let begin = self.bytes.len() - self.literals - 1;
        match self.literals {
            0 => self.bytes.truncate(begin),
            count => self.bytes[begin] = count as u8 - 1,
        }
        self.literals = 0;
    }
}

/// The text that was compressed, if it has this length. Nothing is allocated for a length before it is there.
pub fn decompress(compressed: &[u8], length: usize) -> Option<Vec<u8>> {
    if length == 0 {
        return Some(Vec::new());
    }
    let mut rest = compressed;
    let mut text = Vec::new();
    while let Some(&control) = rest.split_off_first() {
        if usize::from(control) < LITERALS_MAX {
            text.extend_from_slice(rest.split_off(..usize::from(control) + 1)?);
        } else {
            let mut count = usize::from(control >> 5) + 2;
            if count == 9 {
                count += usize::from(*rest.split_off_first()?);
            }
            let low = *rest.split_off_first()?;
            let offset = usize::from(u16::from_be_bytes([control & 0x1f, low])) + 1;
            let begin = text.len().checked_sub(offset)?;
            // What is copied may be just being written.
            for at in begin..begin + count {
                text.push(text[at]);
            }
        }
        if text.len() > length {
            return None;
        }
    }
    (text.len() == length).then_some(text)
}
