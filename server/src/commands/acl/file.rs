//! ACL LOAD and SAVE: the file that declares the users.

use super::{ADMIN, NO_TIPS_IN_70, TO_ALL_NODES, close};
use crate::acl::file;
use crate::client::Client;
use crate::command::Arity::Exactly;
use crate::command::{Call, Command, Done, Error, Flow};

pub static LOAD: Command = Command::client("LOAD", load)
    .arity(Exactly(2))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(N). Where N is the number of configured users.")
    .summary("Reloads the rules from the configured ACL file.");

fn load(call: &mut Call<'_>, client: &mut Client) -> Done {
    let state = call.state;
    if state.config.aclfile.is_empty() {
        return Err(Error::no_user_file(call.dialect()));
    }
    // It waits for the disk.
    if call.may_offload {
        return Ok(Flow::Offload);
    }
    let around = state.surroundings();
    let users = file::read(&state.config, around).map_err(|errors| Error::new(format!("ERR {errors}")))?;
    let (changes, stranded) = state.acl.replace(users, &state.clients, around);
    close(call, client, &stranded);
    changes.iter().for_each(|change| close(call, client, &change.bereft()));
    call.ok()
}

pub static SAVE: Command = Command::client("SAVE", save)
    .arity(Exactly(2))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(N). Where N is the number of configured users.")
    .summary("Saves the effective ACL rules in the configured ACL file.")
    .tips(TO_ALL_NODES)
    .elsewhere(NO_TIPS_IN_70);

fn save(call: &mut Call<'_>, _: &mut Client) -> Done {
    let state = call.state;
    if state.config.aclfile.is_empty() {
        return Err(Error::no_user_file(call.dialect()));
    }
    // It waits for the disk.
    if call.may_offload {
        return Ok(Flow::Offload);
    }
    file::write(state).map_err(|error| {
        state.log.warning(format_args!("Saving the users: {error}"));
        Error::USERS_NOT_SAVED
    })?;
    call.ok()
}
