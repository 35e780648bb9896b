//! The modules that scripts find beside the server's own: `cjson`, `cmsgpack`, `struct` and `bit`, with the functions,
//! defaults and error texts of the imitated servers, which have them all alike.
//!
//! A function of a module is a Rust function that Lua calls directly, so that its errors name the line of the script even
//! where it is tail-called. What it raises is a Lua string inside an error of Rust; `raised` is how a script gets to see the
//! string. Making the tables read-only and closing the sandbox are not done here.

mod arguments;
mod bit;
mod cjson;
mod cmsgpack;
mod raised;
mod structs;
mod walk;

use mlua::Lua;

pub use self::arguments::truncated;

use crate::config::Dialect;

pub use self::raised::{Raised, protect_calls};

/// How much of Lua's stack a function may seem to use. Lua gives it 8000 places, and so many values the imitated servers keep
/// in each other and answer at once. `mlua` keeps its references in as many places, of which some are in use elsewhere.
const STACK_MAX: usize = 7900;

/// Puts the modules where scripts find them.
pub fn install(lua: &Lua, dialect: &Dialect) -> mlua::Result<()> {
    let globals = lua.globals();
    globals.raw_set("bit", bit::module(lua)?)?;
    globals.raw_set("cjson", cjson::module(lua)?)?;
    globals.raw_set("cmsgpack", cmsgpack::module(lua, dialect)?)?;
    globals.raw_set("struct", structs::module(lua)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use mlua::{Function, Lua};

    use super::{install, protect_calls};
    use crate::config::Personality;

    const FRAME: &str = include_str!("../../../../tests/reference/lua-libraries.lua");
    const RECORDED: &str = include_str!("../../../../tests/reference/lua-libraries.txt");

    fn sandbox(personality: Personality) -> Lua {
        let lua = Lua::new();
        install(&lua, personality.dialect()).unwrap();
        protect_calls(&lua).unwrap();
        lua
    }

    /// An expression and what the server answered.
    fn recorded(server: &str) -> impl Iterator<Item = (&str, &str)> {
        let mut lines = RECORDED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).peekable();
        std::iter::from_fn(move || {
            let expression = lines.next()?.strip_prefix("> ").expect("an expression");
            let mut answer = None;
            while let Some(line) = lines.next_if(|line| !line.starts_with("> ")) {
                let (name, text) = line.split_once(' ').unwrap();
                answer = answer.or((name == "=" || name == server).then_some(text));
            }
            Some((expression, answer.expect("an answer")))
        })
    }

    #[test]
    fn modules_answer_as_those_of_real_servers() {
        for (personality, server) in
            [(Personality::Redis70, "redis-7.0"), (Personality::Valkey91, "valkey-9.1")]
        {
            let lua = sandbox(personality);
            let mut differences = Vec::new();
            for (expression, expected) in recorded(server) {
                let chunk = lua.load(FRAME.replace("EXPRESSION", expression)).set_name("@user_script");
                let answer = chunk.eval::<String>().unwrap_or_else(|error| format!("failed: {error}"));
                if answer != expected {
                    differences.push(format!("{expression}\n  ours   {answer}\n  theirs {expected}\n"));
                }
            }
            assert!(differences.is_empty(), "{server}, {}:\n{}", differences.len(), differences.concat());
        }
    }

    #[test]
    fn what_is_raised_arrives_as_a_string() {
        let lua = sandbox(Personality::Redis72);
        let chunk = lua.load(
            "local _, pcalled = pcall(bit.tobit, 'x')
            local _, handled = xpcall(function() return bit.tobit('x') end, function(text) return 'handled ' .. text end)
            local _, resumed = coroutine.resume(coroutine.create(function() return bit.tobit('x') end))
            local _, table = pcall(error, {1})
            return pcalled, handled, resumed, table[1], select('#', pcall(function() end)), pcall(error)",
        );
        let told: (String, String, String, i64, i64, bool, mlua::Value) =
            chunk.set_name("@s").eval().unwrap();
        assert_eq!(told.0, "bad argument #1 to '?' (number expected, got string)");
        assert_eq!(told.1, "handled s:2: bad argument #1 to 'tobit' (number expected, got string)");
        assert_eq!(told.2, "s:3: bad argument #1 to 'tobit' (number expected, got string)");
        assert_eq!((told.3, told.4, told.5, told.6.is_nil()), (1, 1, false, true));
    }

    #[test]
    fn calls_may_be_caught_as_deep_as_without_our_functions() {
        let lua = sandbox(Personality::Redis72);
        let deep = "local function go(depth) if depth == 0 then return 'end' end return (select(2, pcall(go, depth - 1))) end
            return go(180)";
        assert_eq!(lua.load(deep).eval::<String>().unwrap(), "end");
    }

    #[test]
    fn a_function_of_ours_gives_scripts_no_way_to_its_environment() {
        let lua = sandbox(Personality::Redis72);
        let environment: mlua::Table = lua.load("return getfenv(pcall)").eval().unwrap();
        assert!(environment.is_empty());
        let get: Function = lua.load("return getfenv(cjson.encode).cjson.encode").eval().unwrap();
        assert_eq!(get.call::<String>(1).unwrap(), "1");
    }

    #[test]
    fn values_survive_packing_and_encoding() {
        let lua = sandbox(Personality::Redis72);
        let chunk = lua.load(
            "math.randomseed(7)
            local random = math.random
            local function value(depth)
                local kind = random(depth > 0 and 6 or 4)
                if kind == 1 then return random(2) == 1 end
                if kind == 2 then return random(-100000, 100000) / 2 end
                if kind == 3 then return random(-9, 9) * 2 ^ random(0, 40) end
                if kind == 4 then
                    local text = {}
                    for index = 1, random(0, 40) do text[index] = string.char(random(0, 255)) end
                    return table.concat(text)
                end
                local members = {}
                for index = 1, random(0, 20) do members[kind == 5 and index or 'key' .. index] = value(depth - 1) end
                return members
            end
            local function same(left, right)
                if type(left) ~= 'table' or type(right) ~= 'table' then return left == right end
                for key, member in pairs(left) do if not same(member, right[key]) then return false end end
                for key in pairs(right) do if left[key] == nil then return false end end
                return true
            end
            for _ = 1, 300 do
                local original = value(4)
                assert(same(original, cmsgpack.unpack(cmsgpack.pack(original))))
                assert(same(original, cjson.decode(cjson.encode(original))))
            end",
        );
        chunk.exec().unwrap();
    }

    #[test]
    fn no_bytes_do_harm() {
        let lua = sandbox(Personality::Redis72);
        let attempt: Function = lua
            .load(
                "return function(text, format)
                    pcall(cjson.decode, text)
                    -- Nothing is answered: Lua 5.1 asserts in its own pcall that it has room for one result more.
                    pcall(function() local value = cmsgpack.unpack(text) end)
                    pcall(function() local value = struct.unpack(format, text) end)
                    pcall(struct.size, format)
                    pcall(struct.pack, format, 1, text, 2, text)
                end",
            )
            .eval()
            .unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let mut any_of = |letters: &[u8]| -> mlua::BString {
            (0..random.usize(..40))
                .map(|_| random.choice(letters).copied().unwrap_or_default())
                .collect::<Vec<u8>>()
                .into()
        };
        let bytes: Vec<u8> = (0..=255).collect();
        for _ in 0..3000 {
            attempt.call::<()>((any_of(&bytes), any_of(&bytes))).unwrap();
            attempt
                .call::<()>((any_of(b"{}[]\",:\\u0eE+-.1nulltrue"), any_of(b"bBhHiIlLTfdxsc0123456789!<> ")))
                .unwrap();
            attempt
                .call::<()>((
                    any_of(b"\x81\x91\x92\xc0\xdc\xdd\xde\xdf\xd9\xdb\x00\x01\xa1\xff"),
                    any_of(b"c0s!i8d"),
                ))
                .unwrap();
        }
    }

    #[test]
    fn depth_has_an_end_wherever_a_script_puts_it() {
        let lua = sandbox(Personality::Redis72);
        let refused = |script: &str| -> String {
            let script = format!(
                "local succeeded, text = pcall(function() {script} end) assert(not succeeded) return text"
            );
            lua.load(script).set_name("@s").eval().unwrap()
        };
        lua.load("cjson.encode_max_depth(2^31 - 1) cjson.decode_max_depth(2^31 - 1)").exec().unwrap();
        for (script, text) in [
            (
                "return cjson.decode(('['):rep(1e6))",
                "s:1: Found too many nested data structures (7899) at character 7899",
            ),
            (
                "return cjson.decode(('{\"a\":'):rep(1e6))",
                "s:1: Found too many nested data structures (3950) at character 19746",
            ),
            (
                "local t = {} for i = 1, 1e5 do t = {t} end return cjson.encode(t)",
                "s:1: Cannot serialise, excessive nesting (7898)",
            ),
            (
                "local t = {} for i = 1, 1e5 do t = {a = t} end return cjson.encode(t)",
                "s:1: Cannot serialise, excessive nesting (3950)",
            ),
            (
                "local t = {} t[1] = t return cjson.encode(t)",
                "s:1: Cannot serialise, excessive nesting (7898)",
            ),
            (
                "return cmsgpack.unpack(('\\145'):rep(1e6))",
                "s:1: stack overflow (in function mp_decode_to_lua_array)",
            ),
            (
                "return cmsgpack.unpack(('\\129\\161a'):rep(1e6))",
                "s:1: stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)",
            ),
            (
                "return struct.unpack(('s'):rep(1e4), ('\\0'):rep(1e4))",
                "s:1: stack overflow (too many results)",
            ),
        ] {
            assert_eq!(refused(script), text, "{script}");
        }
    }
}
