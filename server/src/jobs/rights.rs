//! Which keys the caller of a run may read, or change, asked for each key while it runs. Not here: which commands he may call.

use std::sync::Arc;

use crate::acl::{Attempt, User};

/// The rights of a caller who may not read every key.
#[derive(Debug)]
pub struct Rights {
    user: Arc<User>,
    /// Which of the user's selectors allow the command.
    selectors: Vec<usize>,
    /// Whether he changes the keys.
    writes: bool,
}

impl Rights {
    /// Those of a user who makes a call.
    pub fn new(user: Arc<User>, attempt: &Attempt<'_>, writes: bool) -> Rights {
        let selectors = user.selectors_for(attempt);
        Rights { user, selectors, writes }
    }

    /// Whether a key may be read, and changed where that is wanted.
    pub fn may_read(&self, key: &[u8]) -> bool {
        match self.writes {
            true => self.user.may_change(&self.selectors, key),
            false => self.user.may_read(&self.selectors, key),
        }
    }
}
