//! The checksum of the imitated servers' payloads: the polynomial of Jones, reflected, from zero on and not inverted.

/// The reflected polynomial.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;

/// What each byte does to a checksum.
const TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut checksum = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            checksum = (checksum >> 1) ^ if checksum & 1 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        table[byte] = checksum;
        byte += 1;
    }
    table
};

/// The checksum of these bytes.
pub fn crc64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |checksum, &byte| TABLE[usize::from(checksum as u8 ^ byte)] ^ (checksum >> 8))
}

#[cfg(test)]
mod tests {
    use super::crc64;

    #[test]
    fn the_check_value_is_that_of_the_polynomial() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(&[0; 10]), 0);
    }
}
