//! SETBIT and GETBIT: one bit.

use shardis_protocol::number;
use shardis_storage::{IntBuffer, Transaction, View, bits};

use super::{bit_offset, grows_long};
use crate::command::Arity::Exactly;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};

pub static SETBIT: Command = Command::write("SETBIT", setbit)
    .syntax("key offset value:integer")
    .arity(Exactly(4))
    .keys(&[key(1).read_write().accesses().updates()])
    .flags(Flags::DENY_OOM)
    .since("2.2.0")
    .complexity("O(1)")
    .summary("Sets or clears the bit at offset of the string value. Creates the key if it doesn't exist.");

fn setbit(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let word = call.args.take()?;
    let offset = bit_offset(call, word, 1)?;
    let is_set = match number::parse_i64(call.args.take()?) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(Error::BIT_VALUE),
    };
    let byte = offset / 8;
    if grows_long(call, txn, &key, byte + 1) {
        return Ok(Flow::Offload);
    }
    let was_set = txn.change_bytes(&key, byte + 1, byte..byte + 1, |bytes, old_len| {
        let was_set = bits::set_bit(bytes, offset % 8, is_set);
        (was_set != is_set || old_len.is_none_or(|len| len <= byte), was_set)
    })?;
    call.integer(u8::from(was_set))
}

pub static GETBIT: Command = Command::read("GETBIT", getbit)
    .syntax("key offset")
    .arity(Exactly(3))
    .keys(&[key(1).read_only().accesses()])
    .flags(Flags::FAST)
    .since("2.2.0")
    .complexity("O(1)")
    .summary("Returns a bit value by offset.");

fn getbit(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let word = call.args.take()?;
    let offset = bit_offset(call, word, 1)?;
    let value = view.string(&key)?;
    let is_set = value.is_some_and(|value| bits::bit(value.bytes(&mut IntBuffer::new()), offset));
    call.integer(u8::from(is_set))
}
