//! DEBUG subcommands that tell how values and tables are stored. They tell it of this server, in the words of the imitated
//! one.

use std::hash::{DefaultHasher, Hasher};

use shardis_storage::types::hash::Hash;
use shardis_storage::types::list::List;
use shardis_storage::types::set::Set;
use shardis_storage::types::sorted_set::SortedSet;
use shardis_storage::{Db, EntryRef, ObjectRef, StringRef, Transaction};

use crate::client::Client;
use crate::command::{Call, Done, Error, Flow};
use crate::commands::keys::object::{encoding_of, references_of};
use crate::config::Config;
use crate::state::State;

pub(super) fn object(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let entry = txn.inspect_stored(&key).ok_or(Error::NO_SUCH_KEY)?;
    // Values have no address that stays. What stands for it tells one value from another, and nothing of the secret hash
    // of the key: whoever knew that could choose keys and fields that collide.
    let mut address = DefaultHasher::new();
    address.write(key.bytes());
    let encoding = encoding_of(call, &key, entry);
    let mut text = format!(
        "Value at:0x{:x} refcount:{} encoding:{encoding} serializedlength:{} lru:{} lru_seconds_idle:{}",
        address.finish(),
        references_of(call, entry),
        serialized_bytes(entry),
        entry.access_clock(),
        entry.idle_ms() / 1000,
    );
    if let Some(list) = entry.object::<List>().filter(|_| encoding == "quicklist") {
        text.push_str(&nodes_of(list, &call.state.config));
    }
    call.simple(&text)
}

/// What there is to tell of a list's nodes. `ql_compressed` tells what the settings say; none ever is.
fn nodes_of(list: &List, config: &Config) -> String {
    let limit = config.list_max_listpack_size.value();
    let is_compressed = u8::from(config.list_compress_depth.value() != 0);
    let (nodes, bytes) =
        list.nodes().fold((0, 0), |(nodes, bytes), node| (nodes + 1, bytes + node.listpack_bytes()));
    let average = list.len() as f64 / f64::from(nodes);
    format!(
        " ql_nodes:{nodes} ql_avg_node:{average:.2} ql_listpack_max:{limit} ql_compressed:{is_compressed} \
         ql_uncompressed_size:{bytes}"
    )
}

/// How long the value would be in a dump: of a string without compression, of a collection as it is in memory.
fn serialized_bytes(entry: EntryRef<'_>) -> usize {
    match entry.string() {
        Some(StringRef::Int(value)) if i8::try_from(value).is_ok() => 2,
        Some(StringRef::Int(value)) if i16::try_from(value).is_ok() => 3,
        Some(StringRef::Int(value)) if i32::try_from(value).is_ok() => 5,
        Some(string) => match string.len() {
            bytes @ 0..64 => 1 + bytes,
            bytes @ 64..16_384 => 2 + bytes,
            bytes => 5 + bytes,
        },
        None => entry.memory_bytes(),
    }
}

/// Lengths of a key and its string, what is kept free behind them, and what they take of the heap: a short string is in
/// the block of its key.
pub(super) fn string_length(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let entry = txn.inspect(&key).ok_or(Error::NO_SUCH_KEY)?;
    let (bytes, free, block) = match entry.string() {
        Some(StringRef::Bytes(bytes)) => (bytes.len(), 0, 0),
        Some(StringRef::Shared(bytes)) => (bytes.len(), bytes.capacity() - bytes.len(), bytes.capacity()),
        Some(StringRef::Int(_)) | None => return Err(Error::NOT_AN_SDS),
    };
    let [between, of_key, of_value] = call.dialect().sdslen_words;
    let figures = [
        format!("key_sds_len:{}", key.bytes().len()),
        "key_sds_avail:0".to_owned(),
        format!("{of_key}{}", entry.memory_bytes() - block),
        format!("val_sds_len:{bytes}"),
        format!("val_sds_avail:{free}"),
        format!("{of_value}{block}"),
    ];
    call.simple(&figures.join(between))
}

/// The real servers print the structure on their standard output, which this one may share with others: it only answers
/// whether there is one.
pub(super) fn listpack(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let entry = txn.inspect(&key).ok_or(Error::NO_SUCH_KEY)?;
    match encoding_of(call, &key, entry) {
        "listpack" | "listpackex" => call.simple("Listpack structure printed on stdout"),
        _ => Err(Error::NOT_A_LISTPACK),
    }
}

/// The same for a long list.
pub(super) fn quicklist(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let entry = txn.inspect(&key).ok_or(Error::NO_SUCH_KEY)?;
    match encoding_of(call, &key, entry) {
        "quicklist" => call.simple("Quicklist structure printed on stdout"),
        _ => Err(Error::NOT_A_QUICKLIST),
    }
}

pub(super) fn table_of_database(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let number = call.args.integer()?;
    let number = u16::try_from(number).ok().filter(|&db| db < call.state.keyspace.databases());
    txn.select(Db(number.ok_or(Error::NO_SUCH_DATABASE)?));
    let text = format!("[Dictionary HT]\n{}[Expires HT]\n", table_text(txn.room(), txn.len()));
    call.reply.verbatim(b"txt", text.as_bytes());
    Ok(Flow::Done)
}

pub(super) fn table_of_key(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let entry = txn.inspect(&key).ok_or(Error::NO_SUCH_KEY)?;
    let (room, len) = match entry.any_object() {
        Some(ObjectRef::Set(set)) => (set.table_buckets(), set.len()),
        Some(ObjectRef::SortedSet(set)) => (set.table_room(), set.len()),
        Some(ObjectRef::Hash(hash)) => (hash.table_room(), hash.len()),
        _ => (None, 0),
    };
    let room = room.ok_or(Error::NOT_A_HASH_TABLE)?;
    call.reply.verbatim(b"txt", table_text(room, len).as_bytes());
    Ok(Flow::Done)
}

fn table_text(room: usize, entries: usize) -> String {
    format!("Hash table 0 stats (main hash table):\n table size: {room}\n number of elements: {entries}\n")
}

/// Sizes of structures of ours.
pub(super) fn sizes(call: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    let text = format!(
        "bits:{} state:{} client:{} list:{} set:{} zset:{} hash:{} ",
        usize::BITS,
        size_of::<State>(),
        size_of::<Client>(),
        size_of::<List>(),
        size_of::<Set>(),
        size_of::<SortedSet>(),
        size_of::<Hash>(),
    );
    call.bulk(text.as_bytes())
}
