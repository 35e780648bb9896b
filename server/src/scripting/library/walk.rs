//! Steps through a Lua table, in the order of `next` and without metamethods.

use std::ops::ControlFlow;

use mlua::{Table, Value};

/// Shows every pair to `visit` until it breaks. A walk needs a C call for as long as it lasts, of which Lua allows 200 in
/// all: they may lie in each other only a few deep.
pub fn pairs<B>(
    table: &Table,
    mut visit: impl FnMut(Value, Value) -> ControlFlow<B>,
) -> mlua::Result<ControlFlow<B>> {
    let mut stopped = None;
    let walked = table.for_each::<Value, Value>(|key, value| match visit(key, value) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(reason) => {
            stopped = Some(reason);
            // Any error ends the walk; nobody sees this one.
            Err(mlua::Error::StackError)
        }
    });
    match stopped {
        Some(reason) => Ok(ControlFlow::Break(reason)),
        None => walked.map(ControlFlow::Continue),
    }
}
