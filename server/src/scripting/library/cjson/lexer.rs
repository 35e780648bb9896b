//! The words of JSON, one after another, with the errors of the imitated servers. What words may follow each other is
//! `decode`'s.

use super::number;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    /// Its bytes are in `Lexer::string`.
    String,
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    /// Nothing that JSON has, and what is said of it.
    Invalid(&'static str),
}

impl Token {
    /// What errors call it.
    pub fn name(self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Invalid(reason) => reason,
        }
    }
}

/// Reads words from a text. A zero byte ends the text wherever it stands.
pub struct Lexer<'a> {
    text: &'a [u8],
    /// Where the next word is looked for.
    at: usize,
    /// Where the last word began, or what is wrong with it stands.
    token_at: usize,
    /// The last string, if it had escapes.
    unescaped: Vec<u8>,
    /// Where the last string stands in the text, if it had none.
    plain: Option<(usize, usize)>,
    takes_invalid_numbers: bool,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a [u8], takes_invalid_numbers: bool) -> Lexer<'a> {
        Lexer { text, at: 0, token_at: 0, unescaped: Vec::new(), plain: None, takes_invalid_numbers }
    }

    /// The last string's bytes.
    pub fn string(&self) -> &[u8] {
        match self.plain {
            Some((start, end)) => &self.text[start..end],
            None => &self.unescaped,
        }
    }

    /// How much of the text has been read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Where the last word stands.
    pub fn token_position(&self) -> usize {
        self.token_at
    }

    pub fn next(&mut self) -> Token {
        while matches!(self.byte(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.token_at = self.at;
        let token = match self.byte(0) {
            0 => return Token::End,
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            b'"' => return self.take_string(),
            b'-' | b'0'..=b'9' => {
                if !self.takes_invalid_numbers && self.is_invalid_number() {
                    return Token::Invalid("invalid number");
                }
                return self.take_number();
            }
            _ => return self.take_word(),
        };
        self.at += 1;
        token
    }

    /// A byte from here; zero behind the end.
    fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn take_word(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let words: [(&[u8], Token); 3] =
            [(b"true", Token::Boolean(true)), (b"false", Token::Boolean(false)), (b"null", Token::Null)];
        if let Some((word, token)) = words.into_iter().find(|(word, _)| rest.starts_with(word)) {
            self.at += word.len();
            return token;
        }
        if self.takes_invalid_numbers
            && matches!(self.byte(0), b'+' | b'i' | b'I' | b'n' | b'N')
            && self.is_invalid_number()
        {
            return self.take_number();
        }
        Token::Invalid("invalid token")
    }

    /// Whether here stands what C takes for a number and JSON does not. What is no number to C either may pass.
    fn is_invalid_number(&self) -> bool {
        let digits = self.at + usize::from(self.byte(0) == b'-');
        let rest = &self.text[digits..];
        let starts_with = |word: &[u8]| rest.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(word));
        match rest {
            _ if self.byte(0) == b'+' => true,
            [b'0', second, ..] => second.eq_ignore_ascii_case(&b'x') || second.is_ascii_digit(),
            [first, ..] if *first <= b'9' => false,
            _ => starts_with(b"inf") || starts_with(b"nan"),
        }
    }

    fn take_number(&mut self) -> Token {
        match number::read(&self.text[self.at..]) {
            Some((number, length)) => {
                self.at += length;
                Token::Number(number)
            }
            None => Token::Invalid("invalid number"),
        }
    }

    fn take_string(&mut self) -> Token {
        self.at += 1;
        let start = self.at;
        let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0);
        self.skip_to(is_special);
        if self.byte(0) == b'"' {
            self.plain = Some((start, self.at));
            self.at += 1;
            return Token::String;
        }
        self.plain = None;
        self.unescaped.clear();
        self.unescaped.extend_from_slice(&self.text[start..self.at]);
        loop {
            match self.byte(0) {
                b'"' => break,
                0 => return self.invalid("unexpected end of string"),
                _ => {
                    if let Err(reason) = self.take_escape() {
                        return self.invalid(reason);
                    }
                }
            }
            let start = self.at;
            self.skip_to(is_special);
            self.unescaped.extend_from_slice(&self.text[start..self.at]);
        }
        self.at += 1;
        Token::String
    }

    fn skip_to(&mut self, is_wanted: impl Fn(&u8) -> bool) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(is_wanted).unwrap_or(rest.len());
    }

    /// What stands here is wrong, not where the word began.
    fn invalid(&mut self, reason: &'static str) -> Token {
        self.token_at = self.at;
        Token::Invalid(reason)
    }

    /// Takes a backslash and what belongs to it.
    fn take_escape(&mut self) -> Result<(), &'static str> {
        let byte = match self.byte(1) {
            b'u' => return self.take_unicode().ok_or("invalid unicode escape code"),
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => 12,
            b'r' => b'\r',
            _ => return Err("invalid escape code"),
        };
        self.unescaped.push(byte);
        self.at += 2;
        Ok(())
    }

    /// Takes a code point, in one unit or in two.
    fn take_unicode(&mut self) -> Option<()> {
        let first = self.unit(2)?;
        let (code_point, length) = if first & 0xF800 == 0xD800 {
            let is_pair = first & 0x0400 == 0 && self.byte(6) == b'\\' && self.byte(7) == b'u';
            let second = is_pair.then(|| self.unit(8))??;
            if second & 0xFC00 != 0xDC00 {
                return None;
            }
            ((((first & 0x3FF) << 10) | (second & 0x3FF)) + 0x10000, 12)
        } else {
            (first, 6)
        };
        let character = char::from_u32(code_point)?;
        self.unescaped.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += length;
        Some(())
    }

    /// Four hexadecimal digits.
    fn unit(&self, ahead: usize) -> Option<u32> {
        (0..4).try_fold(0, |unit, index| {
            let digit = char::from(self.byte(ahead + index)).to_digit(16)?;
            Some(unit << 4 | digit)
        })
    }
}
