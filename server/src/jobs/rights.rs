//! Which keys the caller of a run may read, or change, asked for each key while it runs. Not here: which commands he may call.

use std::sync::Arc;

use crate::acl::{Attempt, User};
use crate::command::{Access, Call};

/// The rights of a caller who may not do with every key what the run does.
#[derive(Debug)]
pub struct Rights {
    user: Arc<User>,
    /// Which of the user's selectors allow the command.
    selectors: Vec<usize>,
    /// What the run does with keys.
    access: Access,
}

impl Rights {
    /// Those of a user who makes a call.
    pub fn new(user: Arc<User>, attempt: &Attempt<'_>, access: Access) -> Rights {
        let selectors = user.selectors_for(attempt);
        Rights { user, selectors, access }
    }

    /// Those of who makes a call that is about keys which it does not name, unless he may read all keys.
    pub fn of_call(call: &Call<'_>) -> Option<Rights> {
        let user = call.client.as_ref()?.rules()?;
        let entry = call.state.commands.resolve(call.request()).ok()?;
        let (attempt, access) =
            (Attempt::new(call.state, call.db, entry, call.request()), Access(Access::ACCESS));
        (!user.may_touch_all_keys(&attempt, access)).then(|| Rights::new(user, &attempt, access))
    }

    /// Whether a key may be read, and changed where that is wanted.
    pub fn may_touch(&self, key: &[u8]) -> bool {
        self.user.may_touch(&self.selectors, key, self.access)
    }
}
