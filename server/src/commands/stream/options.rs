//! What XADD, XTRIM and those that delete entries say beside their ids.

use shardis_storage::types::stream::{BlockLimits, References, StreamId, Trim, TrimTo};

use super::id::{self, Missing};
use crate::command::args::until_zero;
use crate::command::{Args, Error};

/// How a stream is to be trimmed, if it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrimOptions {
    to: Option<TrimTo>,
    is_approximate: bool,
    limit: Option<i64>,
    references: Option<References>,
    pub must_exist: bool,
}

impl TrimOptions {
    /// Takes options until one is none; of XADD that is the id, which stays.
    pub fn parse(args: &mut Args<'_>, is_xadd: bool) -> Result<TrimOptions, Error> {
        let mut options = TrimOptions::default();
        while let Some(word) = args.peek() {
            let has_more = args.len() > 1;
            if is_xadd && until_zero(word) == b"*" {
                break;
            } else if has_more && args.take_word("MAXLEN") {
                options.take_threshold(args, true)?;
            } else if has_more && args.take_word("MINID") {
                options.take_threshold(args, false)?;
            } else if has_more && args.take_word("LIMIT") {
                let limit = args.integer()?;
                if limit < 0 {
                    return Err(Error::TRIMMED_NEGATIVE);
                }
                options.limit = Some(limit);
            } else if options.references.is_none() && take_references(args, &mut options.references) {
            } else if is_xadd && args.take_word("NOMKSTREAM") {
                options.must_exist = true;
            } else if is_xadd {
                break;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }

    fn take_threshold(&mut self, args: &mut Args<'_>, is_len: bool) -> Result<(), Error> {
        if self.to.is_some() {
            return Err(Error::MAXLEN_AND_MINID);
        }
        let operator = args.peek().filter(|_| args.len() > 1).map(until_zero);
        self.is_approximate = operator == Some(b"~");
        if let Some(b"~" | b"=") = operator {
            args.next();
        }
        self.to = Some(if is_len {
            let len = args.integer()?;
            TrimTo::Len(u64::try_from(len).map_err(|_| Error::KEPT_NEGATIVE)?)
        } else {
            TrimTo::Id(id::parse_strict(args.take()?, Missing::Least)?)
        });
        Ok(())
    }

    /// What becomes of references to entries that go.
    pub fn references(&self) -> References {
        self.references.unwrap_or_default()
    }

    /// How to trim, if that was said, in blocks of this size.
    pub fn trim(&self, limits: BlockLimits) -> Result<Option<Trim>, Error> {
        let Some(to) = self.to else {
            let is_limited = self.limit.is_some_and(|limit| limit > 0);
            return if is_limited { Err(Error::LIMIT_WITHOUT_TRIM) } else { Ok(None) };
        };
        let entries_max = match self.limit {
            Some(_) if !self.is_approximate => return Err(Error::LIMIT_OF_EXACT_TRIM),
            Some(limit) => limit as u64,
            None if self.is_approximate => default_limit(limits.entries_max),
            None => 0,
        };
        Ok(Some(Trim { to, is_approximate: self.is_approximate, entries_max }))
    }
}

/// How many entries go at once where nothing is said: those of a hundred blocks.
fn default_limit(entries_of_block_max: usize) -> u64 {
    match entries_of_block_max.saturating_mul(BLOCKS_MAX) {
        0 => LIMIT_OF_ENDLESS_BLOCKS,
        limit => (limit as u64).min(LIMIT_MAX),
    }
}

const BLOCKS_MAX: usize = 100;
const LIMIT_OF_ENDLESS_BLOCKS: u64 = 10_000;
const LIMIT_MAX: u64 = 1_000_000;

/// Takes a word that says what becomes of references; whether there was one.
fn take_references(args: &mut Args<'_>, references: &mut Option<References>) -> bool {
    let words =
        [("KEEPREF", References::Keep), ("DELREF", References::Delete), ("ACKED", References::Acknowledged)];
    let found = words.into_iter().find(|(word, _)| args.take_word(word));
    if let Some((_, meaning)) = found {
        *references = Some(meaning);
    }
    found.is_some()
}

/// Takes `[KEEPREF | DELREF | ACKED] IDS numids id [id ...]`, in any order; the ids stay words.
pub fn parse_ids<'a>(mut args: Args<'a>) -> Result<(References, Vec<&'a [u8]>), Error> {
    let (mut references, mut ids) = (None, None);
    while !args.is_empty() {
        if references.is_none() && take_references(&mut args, &mut references) {
            continue;
        }
        if args.len() < 2 || !args.take_word("IDS") {
            return Err(Error::SYNTAX);
        }
        let count = args.integer().map_err(|_| Error::IDS_NOT_POSITIVE)?;
        let count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or(Error::IDS_NOT_POSITIVE)?;
        if count > args.len() {
            return Err(Error::IDS_UNEQUAL);
        }
        ids = Some(args.rest().take(count).collect());
        args = args.behind(count)?;
    }
    Ok((references.unwrap_or_default(), ids.ok_or(Error::IDS_MISSING)?))
}

/// All of these words as ids, before anything is done with the first.
pub fn parse_all<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<Vec<StreamId>, Error> {
    words.map(|word| id::parse_strict(word, Missing::Least)).collect()
}
