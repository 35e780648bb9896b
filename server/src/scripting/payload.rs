//! Libraries of functions as bytes that another server takes back, in the format of the imitated servers' database files:
//! for each library a mark and its text, then the version of the format and a checksum.
//!
//! ```text
//! f5 text f5 text … version:2 checksum:8         both little-endian; the checksum is of everything before it
//! ```
//!
//! What a text means is not looked at here.

mod crc64;
mod lzf;

use crate::config::Dialect;

use self::crc64::crc64;

/// Before each library.
const LIBRARY: u8 = 0xf5;
/// Before a library in the format of the release candidates of 7.0.
const LIBRARY_OF_CANDIDATE: u8 = 0xf6;
/// The version and the checksum.
const FOOTER_BYTES: usize = 10;
/// Texts that are not longer are never compressed.
const PLAIN_BYTES_MAX: usize = 20;
/// How much shorter a compressed text must be to be worth it.
const SAVED_BYTES_MIN: usize = 4;

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It was damaged, or comes from a later server.
    VersionOrChecksum,
    /// It is not one of libraries.
    NotAFunction,
    /// It is one of libraries as no released server writes it.
    Candidate,
    /// A text is cut off or damaged.
    Text,
}

/// Writes the texts of libraries down.
pub fn encode<'a>(texts: impl IntoIterator<Item = &'a [u8]>, dialect: &Dialect) -> Vec<u8> {
    let mut payload = Vec::new();
    for text in texts {
        payload.push(LIBRARY);
        write_text(text, &mut payload);
    }
    payload.extend_from_slice(&dialect.rdb_version.to_le_bytes());
    let checksum = crc64(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// The texts of a payload, one after another, so that what is wrong with one is found before what is wrong behind it.
pub fn decode<'a>(payload: &'a [u8], dialect: &Dialect) -> Result<Texts<'a>, Malformed> {
    let (rest, checksum) = payload.split_last_chunk().ok_or(Malformed::VersionOrChecksum)?;
    let (_, version) = rest.split_last_chunk().ok_or(Malformed::VersionOrChecksum)?;
    let is_known = (dialect.reads_rdb_version)(u16::from_le_bytes(*version));
    if !is_known || u64::from_le_bytes(*checksum) != crc64(rest) {
        return Err(Malformed::VersionOrChecksum);
    }
    Ok(Texts { rest: payload })
}

/// The texts of the libraries in a payload.
#[derive(Debug)]
pub struct Texts<'a> {
    /// With the footer, into which a text may reach if its length says so.
    rest: &'a [u8],
}

impl Iterator for Texts<'_> {
    type Item = Result<Vec<u8>, Malformed>;

    fn next(&mut self) -> Option<Result<Vec<u8>, Malformed>> {
        if self.rest.len() <= FOOTER_BYTES {
            return None;
        }
        let text = match self.rest.split_off_first() {
            Some(&LIBRARY) => self.text().ok_or(Malformed::Text),
            Some(&LIBRARY_OF_CANDIDATE) => Err(Malformed::Candidate),
            _ => Err(Malformed::NotAFunction),
        };
        if text.is_err() {
            self.rest = &[];
        }
        Some(text)
    }
}

/// A length, or how a text without one is encoded.
enum Length {
    Bytes(usize),
    Encoding(u8),
}

impl Texts<'_> {
    fn text(&mut self) -> Option<Vec<u8>> {
        match self.length()? {
            Length::Bytes(length) => Some(self.rest.split_off(..length)?.to_vec()),
            Length::Encoding(0) => Some(i8::from_le_bytes(self.take()?).to_string().into_bytes()),
            Length::Encoding(1) => Some(i16::from_le_bytes(self.take()?).to_string().into_bytes()),
            Length::Encoding(2) => Some(i32::from_le_bytes(self.take()?).to_string().into_bytes()),
            Length::Encoding(3) => {
                let (Length::Bytes(compressed), Length::Bytes(length)) = (self.length()?, self.length()?)
                else {
                    return None;
                };
                lzf::decompress(self.rest.split_off(..compressed)?, length)
            }
            Length::Encoding(_) => None,
        }
    }

    fn length(&mut self) -> Option<Length> {
        let [first] = self.take()?;
        let low = first & 0x3f;
        Some(match (first >> 6, first) {
            (0, _) => Length::Bytes(usize::from(low)),
            (1, _) => {
                let [second] = self.take()?;
                Length::Bytes(usize::from(u16::from_be_bytes([low, second])))
            }
            (2, 0x80) => Length::Bytes(u32::from_be_bytes(self.take()?) as usize),
            (2, 0x81) => Length::Bytes(u64::from_be_bytes(self.take()?) as usize),
            (3, _) => Length::Encoding(low),
            _ => return None,
        })
    }

    fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }
}

fn write_text(text: &[u8], payload: &mut Vec<u8>) {
    if text.len() > PLAIN_BYTES_MAX
        && let Some(compressed) = lzf::compress(text, text.len() - SAVED_BYTES_MIN)
    {
        payload.push(0xc3);
        write_length(compressed.len(), payload);
        write_length(text.len(), payload);
        payload.extend_from_slice(&compressed);
        return;
    }
    write_length(text.len(), payload);
    payload.extend_from_slice(text);
}

fn write_length(length: usize, payload: &mut Vec<u8>) {
    if length < 1 << 6 {
        payload.push(length as u8);
    } else if length < 1 << 14 {
        payload.extend_from_slice(&(length as u16 | 0x4000).to_be_bytes());
    } else if let Ok(length) = u32::try_from(length) {
        payload.push(0x80);
        payload.extend_from_slice(&length.to_be_bytes());
    } else {
        payload.push(0x81);
        payload.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::{Malformed, crc64, decode, encode};
    use crate::config::{Dialect, Personality};

    /// Letters that look random, of so many kinds.
    fn noise(length: usize, kinds: u32) -> String {
        let mut state = 1_u32;
        let letter = |_| {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12345) & 0x7fff_ffff;
            char::from(b'a' + (state >> 16).rem_euclid(kinds) as u8)
        };
        (0..length).map(letter).collect()
    }

    fn library(comment: &str) -> Vec<u8> {
        format!("#!lua name=l\nredis.register_function('f', function() end)\n--{comment}").into_bytes()
    }

    /// What this writes as a payload, with a valid footer.
    fn sealed(body: &[u8], dialect: &Dialect) -> Vec<u8> {
        let mut payload = [body, &dialect.rdb_version.to_le_bytes()].concat();
        let checksum = crc64(&payload);
        payload.extend_from_slice(&checksum.to_le_bytes());
        payload
    }

    #[test]
    fn payloads_are_byte_for_byte_those_of_both_servers() {
        let runs = format!("{}z{}w{}", "q".repeat(792), "q".repeat(263), "q".repeat(265));
        // Of each, the length and the checksums that redis-server 7.0.15 and Valkey 9.1 wrote behind it.
        let recorded = [
            (String::new(), 72, 0x9054_758a_3d06_58ac, 0x6433_2714_accf_7263),
            ("a".repeat(9), 78, 0x27ba_cb53_18bf_466b, 0xd3dd_99cd_8976_6ca4),
            ("a".repeat(100), 80, 0xfa8f_62f9_f95b_b33b, 0x0ee8_3067_6892_99f4),
            ("abc ".repeat(5000), 311, 0xd05b_0cab_8e20_5c00, 0x243c_5e35_1fe9_76cf),
            (runs, 96, 0xaa6a_0cc5_8bfb_c84e, 0x5e0d_5e5b_1a32_e281),
            (noise(100, 2), 128, 0x8486_6e47_e01e_e2e7, 0x70e1_3cd9_71d7_c828),
            (noise(1000, 2), 560, 0xa6f5_8d4c_b188_5068, 0x5292_dfd2_2041_7aa7),
            (noise(3000, 8), 2199, 0x5d04_4573_2496_750d, 0xa963_17ed_b55f_5fc2),
            (noise(20000, 3), 11523, 0x47db_0249_1e5e_135d, 0xb3bc_50d7_8f97_3992),
            (noise(9000, 26), 8723, 0xae16_07a8_5f82_1b29, 0x5a71_5536_ce4b_31e6),
            (noise(8200, 26).repeat(3), 23000, 0xa06c_d765_24da_c26d, 0x540b_85fb_b513_e8a2_u64),
        ];
        for (comment, length, redis, valkey) in &recorded {
            let text = library(comment);
            for (personality, checksum) in [(Personality::Redis70, redis), (Personality::Valkey91, valkey)] {
                let payload = encode([&*text], personality.dialect());
                assert_eq!(payload.len(), *length);
                assert_eq!(payload.last_chunk(), Some(&checksum.to_le_bytes()), "{length}");
                let texts: Vec<_> = decode(&payload, personality.dialect()).unwrap().collect();
                assert_eq!(texts, [Ok(text.clone())]);
            }
        }
        let all: Vec<_> = recorded.iter().map(|(comment, ..)| library(comment)).collect();
        let dialect = Personality::Redis72.dialect();
        let payload = encode(all.iter().map(Vec::as_slice), dialect);
        assert!(decode(&payload, dialect).unwrap().map(Result::unwrap).eq(all));
        assert_eq!(encode([], Personality::Redis70.dialect()), *b"\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda");
    }

    #[test]
    fn versions_are_accepted_as_by_the_real_servers() {
        for personality in [Personality::Redis70, Personality::Redis72, Personality::Valkey91] {
            let accepts = |version: u16| (personality.dialect().reads_rdb_version)(version);
            let accepted: Vec<u16> = (0..=u16::MAX).filter(|&version| accepts(version)).collect();
            let expected: Vec<u16> = match personality {
                Personality::Redis70 => (0..=10).collect(),
                Personality::Redis72 => (0..=11).collect(),
                Personality::Valkey91 => (1..=11).chain([80]).collect(),
            };
            assert_eq!(accepted, expected);
        }
    }

    #[test]
    fn what_is_damaged_is_refused_when_it_is_reached() {
        let dialect = Personality::Redis72.dialect();
        let read = |body: &[u8]| {
            let payload = sealed(body, dialect);
            decode(&payload, dialect).unwrap().collect::<Result<Vec<_>, _>>()
        };
        let text = |text: &[u8]| Ok(vec![text.to_vec()]);
        assert_eq!(read(b""), Ok(vec![]));
        assert_eq!(read(b"\x00\x01x"), Err(Malformed::NotAFunction));
        assert_eq!(read(b"\xf6"), Err(Malformed::Candidate));
        assert_eq!(read(b"\xf5\x01x\x01"), Err(Malformed::NotAFunction));
        assert_eq!(read(b"\xf5\x00"), text(b""));
        assert_eq!(read(b"\xf5\xc0\xfb"), text(b"-5"));
        assert_eq!(read(b"\xf5\xc1\x05\x01"), text(b"261"));
        assert_eq!(read(b"\xf5\xc2\x00\x00\x00\x80"), text(b"-2147483648"));
        assert_eq!(read(b"\xf5\xc3\x02\x01\x00a"), text(b"a"));
        assert_eq!(read(b"\xf5\xc3\x04\x05\x00a\x40\x00"), text(b"aaaaa"));
        assert_eq!(read(b"\xf5\xc3\x04\x04\x00a\x40\x00"), Err(Malformed::Text));
        let cut: [&[u8]; 15] = [
            b"\xf5",
            b"\xf5\x40",
            b"\xf5\x80\xff\xff\xff\xff",
            b"\xf5\x81\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xf5\x82\x01\x01",
            b"\xf5\xc4\x01",
            b"\xf5\xc3\x02\x05\x20\x01",
            b"\xf5\xc3\x02\x05\x00a",
            b"\xf5\xc3\x00\x05",
            b"\xf5\xc3\x02\x80\xff\xff\xff\xff\x00a",
            b"\xf5\xc3\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00a",
            b"\xf5\xc3\x80\xff\xff\xff\xff\x05\x00a",
            b"\xf5\xc3\x04\x05\x00a\x20\x05",
            b"\xf5\xc3\x02\xc0\x00a",
            b"\xf5\xc3\xc0\x02\x00a",
        ];
        for body in cut {
            assert_eq!(read(body), Err(Malformed::Text), "{body:02x?}");
        }
        // A length may reach into the footer, as with the real servers.
        assert_eq!(read(b"\xf5\x02x").map(|texts| texts[0].len()), Ok(2));
    }

    #[test]
    fn payloads_cut_or_changed_anywhere_are_refused() {
        let dialect = Personality::Valkey91.dialect();
        let payload = encode([&*library("abcabcabcabcabc")], dialect);
        for length in 0..payload.len() {
            assert_eq!(decode(&payload[..length], dialect).err(), Some(Malformed::VersionOrChecksum));
            let mut changed = payload.clone();
            changed[length] ^= 4;
            assert_eq!(decode(&changed, dialect).err(), Some(Malformed::VersionOrChecksum));
        }
    }
}
