//! What can be said of a script before it runs, from its text: whether it touches only keys that it has declared, and whether it is
//! bounded, so that it cannot run for long. Such a script locks its keys' shards only, and may run where nothing long may.
//!
//! It reads words, not grammar, and is on the safe side: what it does not know makes it say no. What it says yes to:
//!
//! - Commands are called as `redis.call` or `redis.pcall`, or by a local name for one of them, with their name as a literal.
//! - Where the command has its keys stands `KEYS[...]`, or a local name for that, or `unpack(KEYS)` at the end.
//! - `KEYS` is only read, and so are these local names, each of which is given once.
//! - For being bounded: no loop, no function, no call but of a few quick ones by their own names, and little that can grow.

use std::collections::HashMap;

use shardis_protocol::OwnedRequest;

use crate::command::table::Table;
use crate::command::{Reach, Run};

/// What is known of a script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Whether it touches the keys that it declares, and no others.
    pub keeps_to_its_keys: bool,
    /// Whether it cannot run for long, but for what its commands take.
    pub is_bounded: bool,
}

/// A word of Lua.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a [u8]),
    /// A literal without escapes.
    Text(&'a [u8]),
    Number(&'a [u8]),
    Sign(u8),
    /// A literal with escapes.
    Escaped,
    /// What joins texts.
    Join,
    /// A comparison.
    Comparison,
}

/// What a local name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Local {
    Call,
    Key,
}

/// Longer scripts are not looked at.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Longer scripts are not said to be bounded: what grows with each statement would grow too often.
const BOUNDED_BYTES_MAX: usize = 4096;
/// Texts that a bounded script joins. Each may double what it has.
const JOINS_MAX: usize = 8;
/// Words behind which a bracket opens no call.
const KEYWORDS: [&[u8]; 14] = [
    b"and", b"do", b"else", b"elseif", b"end", b"false", b"if", b"local", b"nil", b"not", b"or", b"return",
    b"then", b"true",
];
/// Words that begin what may run more than once.
const REPEATING: [&[u8]; 6] = [b"for", b"while", b"repeat", b"until", b"function", b"goto"];
/// Functions that are quick for whatever they are given.
const QUICK: [&[u8]; 4] = [b"tonumber", b"tostring", b"type", b"unpack"];
/// The same, of `redis`: what its commands take is known elsewhere.
const QUICK_OF_REDIS: [&[u8]; 4] = [b"call", b"pcall", b"error_reply", b"status_reply"];

/// What the text of a script says.
pub fn outline(text: &[u8], commands: &Table) -> Outline {
    if text.len() > TEXT_BYTES_MAX {
        return Outline::default();
    }
    let Some(tokens) = tokens(text) else { return Outline::default() };
    let Some(locals) = locals(&tokens) else { return Outline::default() };
    let keeps_to_its_keys = keeps_to_its_keys(&tokens, &locals, commands);
    let is_bounded = text.len() <= BOUNDED_BYTES_MAX && is_bounded(&tokens, &locals);
    Outline { keeps_to_its_keys, is_bounded }
}

/// Names that a script gives to commands and keys: each once, and never anything else. Nothing if it is not that clear.
fn locals<'a>(tokens: &[Token<'a>]) -> Option<HashMap<&'a [u8], Local>> {
    let mut locals = HashMap::new();
    for (at, token) in tokens.iter().enumerate() {
        if *token != Token::Name(b"local") {
            continue;
        }
        let [Token::Name(name), Token::Sign(b'='), rest @ ..] = &tokens[at + 1..] else { continue };
        let meant = match rest {
            [
                Token::Name(b"redis" | b"server"),
                Token::Sign(b'.'),
                Token::Name(b"call" | b"pcall"),
                next @ ..,
            ] if !matches!(next.first(), Some(Token::Sign(b'(' | b'.' | b':' | b'['))) => Local::Call,
            [Token::Name(b"KEYS"), Token::Sign(b'['), rest @ ..] => {
                let after = behind(rest, b'[', b']')?;
                match rest.get(after) {
                    Some(Token::Name(b"or" | b"and")) => continue,
                    // The statement ends here.
                    None | Some(Token::Name(_) | Token::Sign(b';')) => Local::Key,
                    Some(_) => continue,
                }
            }
            _ => continue,
        };
        if locals.insert(*name, meant).is_some() {
            return None;
        }
    }
    // A name that is given again, as a local, a parameter, or by assignment, may stand for anything.
    let is_given = |name: &[u8]| {
        let named = tokens.iter().enumerate().filter(|(_, token)| **token == Token::Name(name));
        named.filter(|(at, _)| is_target(tokens, *at)).count()
    };
    locals.keys().all(|name| is_given(name) == 1).then_some(locals)
}

/// Whether a name at this place is one that is given a value: in a list of names behind `local`, `for` or `function`, or before a
/// single `=`.
fn is_target(tokens: &[Token<'_>], at: usize) -> bool {
    let is_assigned = tokens.get(at + 1) == Some(&Token::Sign(b'='));
    let mut start = at;
    while start >= 2 && tokens[start - 1] == Token::Sign(b',') && matches!(tokens[start - 2], Token::Name(_))
    {
        start -= 2;
    }
    let declares = |token: &Token<'_>| matches!(token, Token::Name(b"local" | b"for"));
    let is_declared = start >= 1 && declares(&tokens[start - 1]);
    let is_parameter = start >= 1 && tokens[start - 1] == Token::Sign(b'(') && {
        // The name of the function may be that of a field.
        let is_of_name = |token: &&Token<'_>| match token {
            Token::Name(name) => *name != b"function",
            token => matches!(token, Token::Sign(b'.' | b':')),
        };
        let mut before = tokens[..start - 1].iter().rev().skip_while(is_of_name);
        before.next() == Some(&Token::Name(b"function"))
    };
    // An assignment to several names at once.
    let is_in_list = {
        let mut end = at + 1;
        while tokens.get(end) == Some(&Token::Sign(b','))
            && matches!(tokens.get(end + 1), Some(Token::Name(_)))
        {
            end += 2;
        }
        end > at + 1 && tokens.get(end) == Some(&Token::Sign(b'='))
    };
    is_assigned || is_declared || is_parameter || is_in_list
}

fn keeps_to_its_keys(tokens: &[Token<'_>], locals: &HashMap<&[u8], Local>, commands: &Table) -> bool {
    let mut at = 0;
    while at < tokens.len() {
        match (&tokens[at], &tokens[at + 1..]) {
            (Token::Name(b"redis" | b"server"), [Token::Sign(b'.'), Token::Name(name), rest @ ..]) => {
                at += 3;
                let is_call = matches!(*name, b"call" | b"pcall");
                if is_call && rest.first() == Some(&Token::Sign(b'(')) {
                    if !keys_are_declared(&rest[1..], locals, commands) {
                        return false;
                    }
                } else if is_call && !is_named(tokens, at - 3) {
                    return false;
                }
            }
            (Token::Name(b"redis" | b"server"), _) => return false,
            (Token::Name(b"_G" | b"getmetatable" | b"setmetatable" | b"rawset" | b"rawget" | b"load"), _)
            | (
                Token::Name(b"loadstring" | b"getfenv" | b"setfenv" | b"xpcall" | b"pcall" | b"coroutine"),
                _,
            ) => {
                // A protected call gets the function that it calls; a field of this name is that of the table.
                if at == 0 || !matches!(tokens[at - 1], Token::Sign(b'.' | b':')) {
                    return false;
                }
                at += 1;
            }
            (Token::Name(b"KEYS"), rest) => {
                if !is_read(tokens, at, rest) {
                    return false;
                }
                at += 1;
            }
            (Token::Name(name), rest) => {
                if !is_field(tokens, at) && locals.get(name) == Some(&Local::Call) {
                    let is_its_own = at > 0 && tokens[at - 1] == Token::Name(b"local");
                    let is_called = rest.first() == Some(&Token::Sign(b'('));
                    if !(is_its_own || is_called && keys_are_declared(&rest[1..], locals, commands)) {
                        return false;
                    }
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    true
}

/// Whether a function that is mentioned at this place is only given a local name.
fn is_named(tokens: &[Token<'_>], at: usize) -> bool {
    at >= 3 && tokens[at - 3] == Token::Name(b"local") && tokens[at - 1] == Token::Sign(b'=')
}

/// Whether `KEYS` is only read here: an element of it, how many there are, or all of them at once.
fn is_read(tokens: &[Token<'_>], at: usize, rest: &[Token<'_>]) -> bool {
    let before = at.checked_sub(1).map(|before| tokens[before]);
    if before == Some(Token::Sign(b'#')) {
        return rest.first() != Some(&Token::Sign(b'['));
    }
    match rest {
        [Token::Sign(b'['), rest @ ..] => behind(rest, b'[', b']').is_some_and(|after| {
            // Neither one that is assigned to, nor the first of several.
            !matches!(rest.get(after), Some(Token::Sign(b'=' | b','))) || is_argument(tokens, at)
        }),
        [Token::Sign(b')'), ..] => {
            let opened = at.checked_sub(2).map(|from| (tokens[from], tokens[from + 1]));
            opened == Some((Token::Name(b"unpack"), Token::Sign(b'(')))
        }
        _ => false,
    }
}

/// Whether this place is inside brackets, where a comma separates arguments or fields.
fn is_argument(tokens: &[Token<'_>], at: usize) -> bool {
    let depth = |open: &[u8], close: &[u8]| {
        tokens[..at].iter().fold(0_i64, |depth, token| match token {
            Token::Sign(sign) if open.contains(sign) => depth + 1,
            Token::Sign(sign) if close.contains(sign) => depth - 1,
            _ => depth,
        })
    };
    depth(b"({", b")}") > 0
}

/// Whether the keys of a call, from behind its opening bracket on, are all declared ones.
fn keys_are_declared(rest: &[Token<'_>], locals: &HashMap<&[u8], Local>, commands: &Table) -> bool {
    let Some(arguments) = arguments(rest) else { return false };
    let Some([Token::Text(name)]) = arguments.first() else { return false };
    let mut words: Vec<&[u8]> = vec![name];
    let is_open = arguments.last().is_some_and(|last| is_many(last));
    for argument in &arguments[1..] {
        words.push(match argument {
            [Token::Text(text)] | [Token::Number(text)] => text,
            _ => b"?",
        });
    }
    let request = OwnedRequest::from_args(&words);
    let Some(entry) = commands.invoked(request.as_request()) else { return false };
    let command = entry.command;
    match command.run {
        Run::Read(_) | Run::Write(_) | Run::Blocking(..) => {}
        // What touches no key cannot touch the wrong one.
        Run::Client(_) => return command.reach == Reach::Keys,
        Run::Program(_) | Run::Fanout(_) | Run::Container => return false,
    }
    if command.reach != Reach::Keys || command.keys.is_empty() || (command.discovers)(request.as_request()) {
        return false;
    }
    let is_key = |at: usize| arguments.get(at).is_some_and(|argument| is_declared(argument, locals));
    // What comes at the end in a number that only running tells may be keys, if that is all that it can be.
    if is_open {
        let last = arguments.len() - 1;
        let first_open =
            entry.single_key && entry.first_key.is_some_and(|first| usize::from(first.get()) < last);
        let all_keys = is_all_keys(arguments[last])
            && entry.first_key.is_some()
            && entry.key_range.last == -1
            && entry.key_range.step == 1;
        if !first_open && !all_keys {
            return false;
        }
    }
    let mut found = false;
    for spec in command.keys {
        let Some(positions) = spec.positions(request.as_request()) else { return false };
        for at in positions {
            found = true;
            if !(is_key(at) || is_open && at == arguments.len() - 1 && is_all_keys(arguments[at])) {
                return false;
            }
        }
    }
    found && !command.keys.iter().any(|spec| spec.depends_on_words())
}

fn is_declared(argument: &[Token<'_>], locals: &HashMap<&[u8], Local>) -> bool {
    match argument {
        [Token::Name(b"KEYS"), Token::Sign(b'['), rest @ ..] => behind(rest, b'[', b']') == Some(rest.len()),
        [Token::Name(name)] => locals.get(name) == Some(&Local::Key),
        _ => false,
    }
}

/// Whether an argument may be several: a call, or `...`.
fn is_many(argument: &[Token<'_>]) -> bool {
    matches!(argument, [Token::Name(_), .., Token::Sign(b')')] | [.., Token::Sign(b'.')])
}

fn is_all_keys(argument: &[Token<'_>]) -> bool {
    argument == [Token::Name(b"unpack"), Token::Sign(b'('), Token::Name(b"KEYS"), Token::Sign(b')')]
}

/// The arguments of a call, from behind its opening bracket on.
fn arguments<'t, 'a>(rest: &'t [Token<'a>]) -> Option<Vec<&'t [Token<'a>]>> {
    let end = behind(rest, b'(', b')')? - 1;
    let (mut arguments, mut start, mut depth) = (Vec::new(), 0, 0);
    for at in 0..end {
        match rest[at] {
            Token::Sign(b'(' | b'[' | b'{') => depth += 1,
            Token::Sign(b')' | b']' | b'}') => depth -= 1,
            Token::Sign(b',') if depth == 0 => {
                arguments.push(&rest[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    arguments.push(&rest[start..end]);
    Some(arguments)
}

/// How many words there are up to the bracket that closes what was opened before them, and with it.
fn behind(rest: &[Token<'_>], open: u8, close: u8) -> Option<usize> {
    let mut depth = 1;
    for (at, token) in rest.iter().enumerate() {
        match token {
            Token::Sign(sign) if *sign == open => depth += 1,
            Token::Sign(sign) if *sign == close => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// Whether nothing runs more than once, all that is called is quick, and little can grow: one table has a name, nothing is put
/// into a field, few texts are joined.
fn is_bounded(tokens: &[Token<'_>], locals: &HashMap<&[u8], Local>) -> bool {
    let joins = tokens.iter().filter(|token| **token == Token::Join).count();
    let tables = tokens.windows(2).filter(|pair| **pair == [Token::Sign(b'='), Token::Sign(b'{')]).count();
    joins <= JOINS_MAX && tables <= 1 && (0..tokens.len()).all(|at| is_quick(tokens, locals, at))
}

/// Whether a word does nothing that may take long, at its place.
fn is_quick(tokens: &[Token<'_>], locals: &HashMap<&[u8], Local>, at: usize) -> bool {
    let next = tokens.get(at + 1);
    let is_called = matches!(next, Some(Token::Sign(b'(' | b'{' | b':') | Token::Text(_) | Token::Escaped));
    let is_assigned = next == Some(&Token::Sign(b'='));
    match tokens[at] {
        Token::Name(name) if REPEATING.contains(&name) => false,
        Token::Name(name) if KEYWORDS.contains(&name) => true,
        Token::Name(_) if is_called => is_quick_function(tokens, locals, at),
        Token::Name(_) => !(is_assigned && is_field(tokens, at)),
        // What is in brackets may be any function.
        Token::Sign(b')') => !is_called,
        Token::Sign(b']') => !is_called && !is_assigned,
        _ => true,
    }
}

/// Whether a name that is called is that of a quick function, and has not been given to another.
fn is_quick_function(tokens: &[Token<'_>], locals: &HashMap<&[u8], Local>, at: usize) -> bool {
    let Token::Name(name) = tokens[at] else { return false };
    if is_field(tokens, at) {
        let of_redis = at >= 2 && matches!(tokens[at - 2], Token::Name(b"redis" | b"server"));
        return of_redis && !is_field(tokens, at - 2) && QUICK_OF_REDIS.contains(&name);
    }
    let is_given = || (0..tokens.len()).any(|at| tokens[at] == Token::Name(name) && is_target(tokens, at));
    locals.get(name) == Some(&Local::Call) || QUICK.contains(&name) && !is_given()
}

fn is_field(tokens: &[Token<'_>], at: usize) -> bool {
    at > 0 && matches!(tokens[at - 1], Token::Sign(b'.' | b':'))
}

/// The words of a script; nothing if one of them is not understood.
fn tokens(text: &[u8]) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        at += match byte {
            b' ' | b'\t' | b'\r' | b'\n' => 1,
            b'-' if rest.starts_with(b"--[") => return None,
            b'-' if rest.starts_with(b"--") => {
                rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len())
            }
            b'[' if matches!(rest.get(1), Some(b'[' | b'=')) => return None,
            b'"' | b'\'' => {
                let length = text_length(rest)?;
                let inside = &rest[1..length - 1];
                tokens.push(if inside.contains(&b'\\') { Token::Escaped } else { Token::Text(inside) });
                length
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
                let length = rest.iter().take_while(is_name).count();
                tokens.push(Token::Name(&rest[..length]));
                length
            }
            b'0'..=b'9' => {
                let is_number = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'.';
                let length = rest.iter().take_while(is_number).count();
                tokens.push(Token::Number(&rest[..length]));
                length
            }
            b'=' | b'~' | b'<' | b'>' if rest.get(1) == Some(&b'=') => {
                tokens.push(Token::Comparison);
                2
            }
            b'.' if rest.starts_with(b"..") => {
                tokens.push(if rest.starts_with(b"...") { Token::Sign(b'.') } else { Token::Join });
                if rest.starts_with(b"...") { 3 } else { 2 }
            }
            _ if byte.is_ascii_punctuation() => {
                tokens.push(Token::Sign(byte));
                1
            }
            _ => return None,
        };
    }
    Some(tokens)
}

/// The length of a literal with its quotes.
fn text_length(rest: &[u8]) -> Option<usize> {
    let quote = *rest.first()?;
    let mut at = 1;
    loop {
        match *rest.get(at)? {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> (bool, bool) {
        let outline = outline(text.as_bytes(), &crate::command_table());
        (outline.keeps_to_its_keys, outline.is_bounded)
    }

    #[test]
    fn what_common_scripts_do_is_understood() {
        for text in [
            "return redis.call('GET', KEYS[1])",
            "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end",
            "local key = KEYS[1] local n = redis.call('incr', key) if n == 1 then redis.call('expire', key, ARGV[1]) end return n",
            "local call = redis.call\nreturn call('hset', KEYS[1], 'f', ARGV[1])",
            "return redis.call('MGET', unpack(KEYS))",
            "return redis.call('SADD', KEYS[1], unpack(ARGV))",
            "return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) -- a comment",
            "redis.call('RENAME', KEYS[1], KEYS[2]) return {KEYS[1], KEYS[2]}",
            "return redis.call('ZADD', KEYS[1], tonumber(ARGV[1]), ARGV[2])",
            "return redis.call('PING')",
            "return redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2], KEYS[3])",
        ] {
            assert_eq!(told(text), (true, true), "{text}");
        }
    }

    #[test]
    fn what_may_touch_other_keys_is_not_said_to_keep_to_its_own() {
        for text in [
            "return redis.call('GET', ARGV[1])",
            "return redis.call('GET', 'fixed')",
            "return redis.call('GET', KEYS[1] .. 'x')",
            "return redis.call(ARGV[1], KEYS[1])",
            "return redis.call('MGET', KEYS[1], ARGV[1])",
            "return redis.call('MGET', unpack(ARGV))",
            "return redis.call('DEL', KEYS[1], unpack(ARGV))",
            "return redis.call(unpack(ARGV))",
            "return redis.call('GET', ...)",
            "KEYS[1] = 'other' return redis.call('GET', KEYS[1])",
            "local a = 1 a, KEYS[1] = 2, 'other' return redis.call('GET', KEYS[1])",
            "KEYS[1], a = 'other', 2 return redis.call('GET', KEYS[1])",
            "local k = KEYS k[1] = 'x' return redis.call('GET', KEYS[1])",
            "table.insert(KEYS, 'x') return redis.call('GET', KEYS[2])",
            "local key = KEYS[1] key = ARGV[1] return redis.call('GET', key)",
            "local key = KEYS[1] local key = ARGV[1] return redis.call('GET', key)",
            "local key = KEYS[1] for key in pairs(ARGV) do redis.call('GET', key) end",
            "local key = KEYS[1] for i, key in pairs(ARGV) do redis.call('GET', key) end",
            "local key = KEYS[1] local function f(key) return redis.call('GET', key) end return f('x')",
            "local key = KEYS[1] local function f(a, key) return redis.call('GET', key) end return f(1, 'x')",
            "local t = {} local key = KEYS[1] function t.f(key) return redis.call('GET', key) end return t.f('x')",
            "local t = {} local key = KEYS[1] function t:f(a, key) return redis.call('GET', key) end return t:f(1, 'x')",
            "local key = KEYS[1] local a, key = 1, 'x' return redis.call('GET', key)",
            "local key = KEYS[1] a, key = 1, 'x' return redis.call('GET', key)",
            "local key = KEYS[1] key, a = 'x', 1 return redis.call('GET', key)",
            "local key = KEYS[1] .. 'x' return redis.call('GET', key)",
            "local key = KEYS[1] and 'x' return redis.call('GET', key)",
            "local call = redis.call call = f return call('GET', 'x')",
            "local c = redis.call local d = c return d('GET', 'x')",
            "local r = redis return r.call('GET', 'x')",
            "return redis['call']('GET', 'x')",
            "return pcall(redis.call, 'GET', 'x')",
            "return _G.redis.call('GET', 'x')",
            "return redis.call('KEYS', '*')",
            "return redis.call('DBSIZE')",
            "return redis.call('SCAN', 0)",
            "return redis.call('SORT', KEYS[1], 'BY', 'x*')",
            "return redis.call('ZUNIONSTORE', KEYS[1], ARGV[1], KEYS[2], 'x')",
            "return redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2], 'x')",
            "return redis.call('NOSUCH', KEYS[1])",
            "return redis.call 'DBSIZE'",
            "loadstring('x')() return redis.call('GET', KEYS[1])",
            "local s = [[long]] return redis.call('GET', KEYS[1])",
            "return redis.call('\\71ET', KEYS[1])",
        ] {
            assert!(!told(text).0, "{text}");
        }
    }

    #[test]
    fn what_may_run_for_long_is_not_said_to_be_bounded() {
        for text in [
            "while true do end",
            "for i = 1, 10 do redis.call('GET', KEYS[1]) end",
            "repeat until false",
            "local function f() return f() end return f()",
            "return string.rep('x', 1e9)",
            "return ('x'):rep(1e9)",
            "local s = ARGV[1] return s:rep(1e9)",
            "table.sort(ARGV)",
            "return (string.find)(ARGV[1], '.-.-.-.-b')",
            "return ({string.gsub})[1](ARGV[1], '.-.-.-.-b', '')",
            "return ('x')['rep']('x', 1e9)",
            "return string.rep'\\120'",
            "local type = string.rep return type('x', 1e9)",
            "type = string.rep return type('x', 1e9)",
            "local t = {call = string.rep} return t.call('x', 1e9)",
            "local t = {redis = {call = string.rep}} return t.redis.call('x', 1e9)",
            "local s = ARGV[1] s=s..s s=s..s s=s..s s=s..s s=s..s s=s..s s=s..s s=s..s s=s..s return s",
            "local t = {1} t = {t, t} t = {t, t} return t",
            "local t = {{}, {}} t[1][1] = t[2] return t",
            "local t = {{}, {}} t.a = t return t",
            "return cjson.encode(KEYS)",
        ] {
            assert!(!told(text).1, "{text}");
        }
    }
}
