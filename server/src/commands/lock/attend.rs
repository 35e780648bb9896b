//! What the holder of a lock does meanwhile: has it last longer, or by another connection.

use shardis_storage::Transaction;
use shardis_storage::types::lock::Term;

use super::options::{fence, fence_option, milliseconds, owner};
use super::{SINCE, count};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};
use crate::locks::site::Site;

pub static RENEW: Command = Command::write("LOCK.RENEW", renew)
    .syntax("key owner LEASE milliseconds [FENCE fence:integer]")
    .arity(AtLeast(5))
    .keys(&[key(1).read_write().updates()])
    .flags(Flags::FAST)
    .since(SINCE)
    .complexity("O(1); O(N) with N owners that share the lock.")
    .summary("Lets the lease of a lock that is still held end so many milliseconds from now.");

fn renew(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let owner = owner(&mut call.args)?;
    let (mut lease_ms, mut wanted) = (None, None);
    while !call.args.is_empty() {
        if lease_ms.is_none() && call.args.take_word("LEASE") {
            lease_ms = Some(milliseconds(&mut call.args, "LEASE", 1)?);
        } else if !fence_option(&mut call.args, &mut wanted)? {
            return Err(Error::SYNTAX);
        }
    }
    let lease_ms = lease_ms.ok_or(Error::SYNTAX)?;
    let mut site = Site::new(call.state, txn, key);
    let held = site.read_lock(|lock| {
        let grant = &lock.grants()[lock.of_owner(owner)?];
        Some((grant.fence, grant.term, grant.client))
    })?;
    let held = held.filter(|(fence, ..)| wanted.is_none_or(|wanted| wanted == *fence));
    let (fence, term, client) = held.ok_or_else(|| Error::lock_lost(key.bytes()))?;
    if term.is_of_session() {
        return Err(Error::RENEW_SESSION);
    }
    let end_ms = site.now_ms.saturating_add(lease_ms);
    site.set_term(fence, Term::Lease { end_ms }, client, None)?;
    count(call.reply, lease_ms);
    Ok(Flow::Done)
}

pub static ATTACH: Command = Command::write("LOCK.ATTACH", attach)
    .syntax("key owner fence:integer")
    .arity(Exactly(4))
    .keys(&[key(1).read_write().updates()])
    .flags(Flags::FAST)
    .with_client()
    .since(SINCE)
    .complexity("O(1); O(N) with N owners that share the lock.")
    .summary("Binds a lock that is held with SESSION to this connection.");

fn attach(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let owner = owner(&mut call.args)?;
    let fence = fence(&mut call.args)?;
    let mut site = Site::new(call.state, txn, key);
    let found = site.read_lock(|lock| {
        let grant = &lock.grants()[lock.of_fence(fence)?];
        Some((*grant.owner == *owner, grant.term))
    })?;
    let (is_own, term) = found.ok_or_else(|| Error::lock_lost(key.bytes()))?;
    if !is_own {
        return Err(Error::not_owner(key.bytes(), "the grant of this fence"));
    }
    let term = match term {
        Term::Lease { .. } => return Err(Error::ATTACH_LEASE),
        Term::Session { .. } => term,
        Term::Grace { grace_ms, .. } => {
            Term::Session { grace_ms, end_ms: call.state.config.locks.session_end_ms(site.now_ms) }
        }
    };
    let client = call.client.as_ref().map_or(0, |client| client.id);
    site.set_term(fence, term, client, call.client.as_ref())?;
    call.integer(1)
}
