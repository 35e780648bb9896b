//! `cmsgpack`: MessagePack to and from Lua. Strings are raw bytes; a number without a fraction is packed as an integer.

mod pack;
mod unpack;

use mlua::{Lua, Table};

use super::arguments::function;
use crate::config::Dialect;

/// The module's table.
pub fn module(lua: &Lua, dialect: &Dialect) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    module.raw_set("pack", function(lua, pack::pack)?)?;
    module.raw_set("unpack", function(lua, unpack::unpack)?)?;
    module.raw_set("unpack_one", function(lua, unpack::unpack_one)?)?;
    module.raw_set("unpack_limit", function(lua, unpack::unpack_limit)?)?;
    module.raw_set("_NAME", "cmsgpack")?;
    module.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    module.raw_set("_COPYRIGHT", dialect.cmsgpack_copyright)?;
    module.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(module)
}
