//! The argument cursor: a handler takes its arguments from left to right and never counts words.

use shardis_protocol::{Request, number};

use super::error::Error;

/// The arguments that are left, in place.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    request: Request<'a>,
    at: usize,
}

impl<'a> Args<'a> {
    /// The arguments of `request` from word `at` on.
    #[inline]
    pub fn new(request: Request<'a>, at: usize) -> Args<'a> {
        Args { request, at }
    }

    /// All words of the call that they belong to.
    #[inline]
    pub fn request(&self) -> Request<'a> {
        self.request
    }

    /// How many are left.
    #[inline]
    pub fn len(&self) -> usize {
        self.request.len().saturating_sub(self.at)
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next one, without taking it.
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.request.arg(self.at)
    }

    /// Takes the next one, if there is one.
    #[inline]
    pub fn next(&mut self) -> Option<&'a [u8]> {
        let arg = self.request.arg(self.at)?;
        self.at += 1;
        Some(arg)
    }

    /// Those that are left, one after another; none is taken.
    pub fn rest(&self) -> Rest<'a> {
        Rest(*self)
    }

    /// Takes the next one; a missing one is a syntax error.
    #[inline]
    pub fn take(&mut self) -> Result<&'a [u8], Error> {
        self.next().ok_or(Error::SYNTAX)
    }

    /// Takes the next one as an integer.
    pub fn integer(&mut self) -> Result<i64, Error> {
        number::parse_i64(self.take()?).ok_or(Error::NOT_INTEGER)
    }

    /// Takes the next one as an integer in a range; `error` when it is a number beyond.
    pub fn integer_in(&mut self, range: std::ops::RangeInclusive<i64>, error: Error) -> Result<i64, Error> {
        let value = self.integer()?;
        if range.contains(&value) { Ok(value) } else { Err(error) }
    }

    /// Takes the next one as an integer of 32 bits.
    pub fn integer_32(&mut self) -> Result<i64, Error> {
        self.integer_in(i32::MIN.into()..=i32::MAX.into(), Error::OUT_OF_RANGE_32)
    }

    /// Takes the next one as a count, which is not negative; what is no number is out of range too.
    pub fn positive(&mut self) -> Result<usize, Error> {
        let count = number::parse_i64(self.take()?).and_then(|count| usize::try_from(count).ok());
        count.ok_or(Error::NOT_POSITIVE)
    }

    /// Takes the next one as a count above zero; what is no number is none, and the error names it.
    pub fn above_zero(&mut self, name: &str) -> Result<usize, Error> {
        let count = number::parse_i64(self.take()?).and_then(|count| usize::try_from(count).ok());
        count.filter(|&count| count > 0).ok_or_else(|| Error::not_above_zero(name))
    }

    /// The arguments behind the next `count`, none of them taken; fewer than that are a syntax error.
    pub fn behind(&self, count: usize) -> Result<Args<'a>, Error> {
        if count > self.len() { Err(Error::SYNTAX) } else { Ok(Args { at: self.at + count, ..*self }) }
    }

    /// Takes the next one if it is this word in any case; `word` is upper case.
    pub fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|arg| is_word(arg, word));
        self.at += usize::from(found);
        found
    }

    /// Ends the grammar: anything left is a syntax error.
    pub fn finish(&self) -> Result<(), Error> {
        if self.is_empty() { Ok(()) } else { Err(Error::SYNTAX) }
    }
}

/// An argument up to its first zero byte, which is where it ends for C.
pub fn until_zero(arg: &[u8]) -> &[u8] {
    arg.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Whether an argument is this word in any case. The real servers compare C strings here, so a zero byte ends the
/// argument.
pub fn is_word(arg: &[u8], word: &str) -> bool {
    arg.split_at_checked(word.len()).is_some_and(|(head, tail)| {
        head.eq_ignore_ascii_case(word.as_bytes()) && tail.first().is_none_or(|&byte| byte == 0)
    })
}

impl<'a> IntoIterator for Args<'a> {
    type Item = &'a [u8];
    type IntoIter = Rest<'a>;

    fn into_iter(self) -> Rest<'a> {
        self.rest()
    }
}

/// Arguments one after another.
#[derive(Clone, Copy, Debug)]
pub struct Rest<'a>(Args<'a>);

impl<'a> Iterator for Rest<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for Rest<'_> {}
