//! The first line of scripts and libraries: `#!lua flags=no-writes,allow-oom` and `#!lua name=mylib`. A script need not have
//! such a line, a library must.
//!
//! What flags do is not known here, and neither is whether a name is taken.

use shardis_protocol::{OwnedRequest, split_words};

use crate::config::Dialect;

/// What begins such a line.
const MARK: &[u8] = b"#!";
/// The only engine.
const ENGINE: &[u8] = b"lua";

/// What a script asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptFlags(u8);

impl ScriptFlags {
    /// It writes nothing.
    pub const NO_WRITES: ScriptFlags = ScriptFlags(1);
    /// It runs even if there is no memory left.
    pub const ALLOW_OOM: ScriptFlags = ScriptFlags(1 << 1);
    /// It runs even on a replica with stale data.
    pub const ALLOW_STALE: ScriptFlags = ScriptFlags(1 << 2);
    /// It does not run in a cluster.
    pub const NO_CLUSTER: ScriptFlags = ScriptFlags(1 << 3);
    /// Its keys may lie in different slots of a cluster.
    pub const ALLOW_CROSS_SLOT_KEYS: ScriptFlags = ScriptFlags(1 << 4);

    /// All flags, in the order in which they are listed.
    pub const NAMES: [(&'static str, ScriptFlags); 5] = [
        ("no-writes", ScriptFlags::NO_WRITES),
        ("allow-oom", ScriptFlags::ALLOW_OOM),
        ("allow-stale", ScriptFlags::ALLOW_STALE),
        ("no-cluster", ScriptFlags::NO_CLUSTER),
        ("allow-cross-slot-keys", ScriptFlags::ALLOW_CROSS_SLOT_KEYS),
    ];

    /// The flag of this name.
    pub fn named(name: &[u8]) -> Option<ScriptFlags> {
        let found = ScriptFlags::NAMES.iter().find(|(known, _)| known.as_bytes() == name);
        found.map(|(_, flag)| *flag)
    }

    /// Whether all of these are set.
    pub fn contains(self, flags: ScriptFlags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These and those.
    pub const fn union(self, flags: ScriptFlags) -> ScriptFlags {
        ScriptFlags(self.0 | flags.0)
    }
}

/// A script without its first line.
#[derive(Debug, PartialEq, Eq)]
pub struct Script<'a> {
    /// None, if there is no such line: such a script runs under the rules of old.
    pub flags: Option<ScriptFlags>,
    /// With the break of the first line, so that lines are counted from the beginning.
    pub body: &'a [u8],
}

/// A library without its first line.
#[derive(Debug, PartialEq, Eq)]
pub struct Library<'a> {
    /// The name of the library: letters, digits and underscores, at least one.
    pub name: String,
    /// With the break of the first line, so that lines are counted from the beginning.
    pub body: &'a [u8],
}

/// What is wrong with the first line of a script.
#[derive(Debug, PartialEq, Eq)]
pub enum ScriptError {
    /// It does not end.
    Unended,
    /// Its quotes do not match.
    Quotes,
    /// It is for another engine, which is named as the imitated server does.
    Engine(Vec<u8>),
    /// It has something else than flags.
    Option(Vec<u8>),
    /// There is no such flag.
    Flag(Vec<u8>),
}

/// What is wrong with the first line of a library.
#[derive(Debug, PartialEq, Eq)]
pub enum LibraryError {
    /// There is none.
    Missing,
    /// It does not end, or its quotes do not match.
    Invalid,
    /// It has something else than a name.
    Option(Vec<u8>),
    /// It has several names.
    RepeatedName,
    /// It has no name.
    NoName,
    /// The name has other characters, or none.
    Name,
    /// It is for another engine.
    Engine(Vec<u8>),
}

/// Takes a script apart.
pub fn script<'a>(source: &'a [u8], dialect: &Dialect) -> Result<Script<'a>, ScriptError> {
    if !source.starts_with(MARK) {
        return Ok(Script { flags: None, body: source });
    }
    let (line, body) = first_line(source).ok_or(ScriptError::Unended)?;
    let words = split_words(line).map_err(|_| ScriptError::Quotes)?;
    let words = words.as_request();
    let mark = words.name();
    let engine = &mark[MARK.len()..];
    // The earlier servers look at the engine first and take its name as it is written.
    if dialect.script_engine_first && engine != ENGINE {
        return Err(ScriptError::Engine(mark.to_vec()));
    }
    let mut flags = ScriptFlags::default();
    for option in words.iter().skip(1) {
        let Some(names) = option.strip_prefix(b"flags=") else {
            return Err(ScriptError::Option(option.to_vec()));
        };
        for name in names.split(|&byte| byte == b',').filter(|_| !names.is_empty()) {
            let flag = ScriptFlags::named(name).ok_or_else(|| ScriptError::Flag(name.to_vec()))?;
            flags = flags.union(flag);
        }
    }
    if !engine.eq_ignore_ascii_case(ENGINE) {
        return Err(ScriptError::Engine(engine.to_vec()));
    }
    Ok(Script { flags: Some(flags), body })
}

/// Takes a library apart.
pub fn library(source: &[u8]) -> Result<Library<'_>, LibraryError> {
    if !source.starts_with(MARK) {
        return Err(LibraryError::Missing);
    }
    let (line, body) = first_line(source).ok_or(LibraryError::Invalid)?;
    let words: OwnedRequest = split_words(line).map_err(|_| LibraryError::Invalid)?;
    let words = words.as_request();
    let mut name = None;
    for option in words.iter().skip(1) {
        let value = option.split_at_checked(5).filter(|(key, _)| key.eq_ignore_ascii_case(b"name="));
        let Some((_, value)) = value else { return Err(LibraryError::Option(option.to_vec())) };
        if name.replace(value).is_some() {
            return Err(LibraryError::RepeatedName);
        }
    }
    let name = library_name(name.ok_or(LibraryError::NoName)?).ok_or(LibraryError::Name)?;
    let engine = &words.name()[MARK.len()..];
    if !engine.eq_ignore_ascii_case(ENGINE) {
        return Err(LibraryError::Engine(engine.to_vec()));
    }
    Ok(Library { name, body })
}

/// A name as libraries and functions may have it.
pub fn library_name(name: &[u8]) -> Option<String> {
    let is_valid = !name.is_empty() && name.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_valid { String::from_utf8(name.to_vec()).ok() } else { None }
}

/// The first line, without its break, and the rest, with it. The end of a line is not found behind a zero byte.
fn first_line(source: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = source.iter().position(|&byte| matches!(byte, b'\n' | 0))?;
    (source[end] == b'\n').then(|| source.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::{LibraryError, ScriptError, ScriptFlags, library, script};
    use crate::command::Error;
    use crate::config::Personality;

    fn script_error(source: &str, personality: Personality) -> String {
        let dialect = personality.dialect();
        let error = script(source.as_bytes(), dialect).unwrap_err();
        String::from_utf8(Error::script_shebang(&error, dialect).text().to_vec()).unwrap()
    }

    fn library_error(source: &str) -> String {
        let error = library(source.as_bytes()).unwrap_err();
        String::from_utf8(Error::library_shebang(&error).text().to_vec()).unwrap()
    }

    #[test]
    fn flags_are_read_and_the_line_break_stays() {
        let dialect = Personality::Redis70.dialect();
        let flags = |source: &str| script(source.as_bytes(), dialect).unwrap().flags;
        assert_eq!(flags("return 1"), None);
        assert_eq!(flags(" #!lua\n"), None);
        for none in ["#!lua\n", "#!lua flags=\n", "#!'lua'\n", "#!lua\r\n"] {
            assert_eq!(flags(none), Some(ScriptFlags::default()), "{none}");
        }
        let both = ScriptFlags::NO_WRITES.union(ScriptFlags::ALLOW_OOM);
        for two in [
            "#!lua flags=no-writes,allow-oom\n",
            "#!lua\t flags=no-writes  'flags=allow-oom' \n",
            "#!lua flags=\"no-\\x77rites,allow-oom\"\n",
        ] {
            assert_eq!(flags(two), Some(both), "{two}");
        }
        let all =
            flags("#!lua flags=allow-stale,no-cluster,allow-cross-slot-keys,no-writes,allow-oom\n").unwrap();
        assert!(ScriptFlags::NAMES.iter().all(|(_, flag)| all.contains(*flag)));
        assert_eq!(script(b"#!lua\nreturn 1", dialect).unwrap().body, b"\nreturn 1");
    }

    #[test]
    fn errors_of_scripts_are_those_of_both_servers() {
        for (source, redis, valkey) in [
            ("#!lua", "Invalid script shebang", None),
            ("#!js", "Invalid script shebang", None),
            ("#!js\0x\n", "Invalid script shebang", None),
            ("#!lua 'flags\n", "Invalid engine in script shebang", None),
            ("#!js 'x\n", "Invalid engine in script shebang", None),
            (
                "#!js\n",
                "Unexpected engine in script shebang: #!js",
                Some("Could not find scripting engine 'js'"),
            ),
            ("#!\n", "Unexpected engine in script shebang: #!", Some("Could not find scripting engine ''")),
            ("#! lua\n", "Unexpected engine in script shebang: #!", Some("Unknown lua shebang option: lua")),
            (
                "#!js x=y\n",
                "Unexpected engine in script shebang: #!js",
                Some("Unknown lua shebang option: x=y"),
            ),
            ("#!lua flags\n", "Unknown lua shebang option: flags", None),
            ("#!lua Flags=no-writes\n", "Unknown lua shebang option: Flags=no-writes", None),
            ("#!lua x=y flags=z\n", "Unknown lua shebang option: x=y", None),
            ("#!lua flags=z x=y\n", "Unexpected flag in script shebang: z", None),
            ("#!lua flags=No-Writes\n", "Unexpected flag in script shebang: No-Writes", None),
            ("#!lua flags=no-writes,\n", "Unexpected flag in script shebang: ", None),
            ("#!lua flags=no-writes, allow-oom\n", "Unexpected flag in script shebang: ", None),
        ] {
            assert_eq!(script_error(source, Personality::Redis72), format!("ERR {redis}"), "{source}");
            let valkey = valkey.unwrap_or(redis);
            assert_eq!(script_error(source, Personality::Valkey91), format!("ERR {valkey}"), "{source}");
        }
        assert_eq!(
            script(b"#!LUA\n", Personality::Redis72.dialect()),
            Err(ScriptError::Engine(b"#!LUA".to_vec()))
        );
        assert!(script(b"#!LUA\n", Personality::Valkey91.dialect()).is_ok());
    }

    #[test]
    fn names_of_libraries_are_read() {
        for source in
            ["#!lua name=l_1\nx", "#!LUA  NAME=l_1 \nx", "#!'lua' \"name=l_1\"\nx", "#!lua\tname='l_1'\nx"]
        {
            let library = library(source.as_bytes()).unwrap();
            assert_eq!((library.name.as_str(), library.body), ("l_1", &b"\nx"[..]), "{source}");
        }
    }

    #[test]
    fn errors_of_libraries_are_those_of_both_servers() {
        const NAME: &str = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";
        for (source, text) in [
            ("", "Missing library metadata"),
            ("return 1", "Missing library metadata"),
            ("#!lua name=l", "Invalid library metadata"),
            ("#!lua name=l\0x\n", "Invalid library metadata"),
            ("#!lua 'name=l\n", "Invalid library metadata"),
            ("#!\n", "Library name was not given"),
            ("#!js\n", "Library name was not given"),
            ("#!lua name=\n", NAME),
            ("#!js name=a-b\n", NAME),
            ("#!lua name=l=x\n", NAME),
            ("#!lua name=a b\n", "Invalid metadata value given: b"),
            ("#!lua name=a-b x=y\n", "Invalid metadata value given: x=y"),
            ("#!lua name\n", "Invalid metadata value given: name"),
            ("#!\tlua name=l\n", "Invalid metadata value given: lua"),
            ("#!lua name=a name=a\n", "Invalid metadata value, name argument was given multiple times"),
            ("#!js name=l\n", "Engine 'js' not found"),
            ("#! name=l\n", "Engine '' not found"),
        ] {
            assert_eq!(library_error(source), format!("ERR {text}"), "{source}");
        }
        assert_eq!(library("#!lua name=é\n".as_bytes()), Err(LibraryError::Name));
    }
}
