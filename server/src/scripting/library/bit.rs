//! `bit`: operations on 32 bits. A number is taken modulo 2^32, rounded to even; a result is signed.

use mlua::{Lua, Table, Value};

use super::arguments::{Arguments, Refusal, function};

/// The module's table.
pub fn module(lua: &Lua) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    module.raw_set("tobit", function(lua, |arguments| Ok(signed(bits(arguments, 1)?)))?)?;
    module.raw_set("bnot", function(lua, |arguments| Ok(signed(!bits(arguments, 1)?)))?)?;
    module.raw_set("bswap", function(lua, |arguments| Ok(signed(bits(arguments, 1)?.swap_bytes())))?)?;
    module.raw_set("tohex", function(lua, hexadecimal)?)?;
    let folds: [(&str, fn(u32, u32) -> u32); 3] = [
        ("band", |left, right| left & right),
        ("bor", |left, right| left | right),
        ("bxor", |left, right| left ^ right),
    ];
    for (name, fold) in folds {
        module.raw_set(name, function(lua, move |arguments| folded(arguments, fold))?)?;
    }
    let shifts: [(&str, fn(u32, u32) -> u32); 5] = [
        ("lshift", |bits, by| bits << by),
        ("rshift", |bits, by| bits >> by),
        ("arshift", |bits, by| (bits.cast_signed() >> by).cast_unsigned()),
        ("rol", u32::rotate_left),
        ("ror", u32::rotate_right),
    ];
    for (name, shift) in shifts {
        let shifted =
            move |arguments: &Arguments<'_>| Ok(signed(shift(bits(arguments, 1)?, bits(arguments, 2)? & 31)));
        module.raw_set(name, function(lua, shifted)?)?;
    }
    Ok(module)
}

/// An argument's bits.
fn bits(arguments: &Arguments<'_>, position: usize) -> Result<u32, Refusal> {
    /// Added to it, a number has its lowest 32 bits where a double has its own lowest ones.
    const ALIGNED: f64 = 6_755_399_441_055_744.0;
    match arguments.value(position) {
        Value::Integer(number) if i32::try_from(*number).is_ok() => Ok(*number as u32),
        _ => Ok((arguments.number(position)? + ALIGNED).to_bits() as u32),
    }
}

fn signed(bits: u32) -> i64 {
    i64::from(bits.cast_signed())
}

/// All arguments as one. The last one is looked at right after the first, which shows when several are wrong.
fn folded(arguments: &Arguments<'_>, fold: fn(u32, u32) -> u32) -> Result<i64, Refusal> {
    let first = bits(arguments, 1)?;
    let others = (2..=arguments.len()).rev().map(|position| bits(arguments, position));
    let all = others.into_iter().try_fold(first, |folded, bits| Ok::<_, Refusal>(fold(folded, bits?)))?;
    Ok(signed(all))
}

/// So many hexadecimal digits, the lowest ones; in upper case for a negative number of them.
fn hexadecimal(arguments: &Arguments<'_>) -> Result<String, Refusal> {
    let number = bits(arguments, 1)?;
    let digits = if arguments.len() < 2 { 8 } else { bits(arguments, 2)?.cast_signed() };
    let count = digits.unsigned_abs().min(8) as usize;
    let text = if digits < 0 { format!("{number:08X}") } else { format!("{number:08x}") };
    Ok(text[8 - count..].to_owned())
}
