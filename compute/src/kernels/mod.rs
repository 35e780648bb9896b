//! What folding does to columns, one step a file: `read` takes a column for what an input wants of it and
//! drops failing rows, `reduce` folds the dense values that are left. Not here: how steps are put together
//! (`partial`).

pub(crate) mod read;
pub(crate) mod reduce;
