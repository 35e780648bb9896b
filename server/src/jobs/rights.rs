//! Which keys the caller of a run may read, or change, asked for each key while it runs. Not here: which commands he may call.

use std::sync::Arc;

use crate::acl::{Attempt, User};
use crate::command::Access;

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

    /// Whether a key may be read, and changed where that is wanted.
    pub fn may_touch(&self, key: &[u8]) -> bool {
        self.user.may_touch(&self.selectors, key, self.access)
    }
}
