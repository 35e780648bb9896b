//! Which keys the caller of a run may read, asked for each key while it runs. Not here: which commands he may call.

use std::sync::Arc;

use crate::acl::{Attempt, User};

/// The rights of a caller who may not read every key.
#[derive(Debug)]
pub struct Rights {
    user: Arc<User>,
    /// Which of the user's selectors allow the command.
    selectors: Vec<usize>,
}

impl Rights {
    /// Those of a user who makes a call.
    pub fn new(user: Arc<User>, attempt: &Attempt<'_>) -> Rights {
        let selectors = user.selectors_for(attempt);
        Rights { user, selectors }
    }

    /// Whether a key may be read.
    pub fn may_read(&self, key: &[u8]) -> bool {
        self.user.may_read(&self.selectors, key)
    }
}
