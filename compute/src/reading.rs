//! `Reading`: what the text of a field is taken for. Not here: how it is parsed (`number`), and how columns of it are
//! read (`expr::input`).

/// What the text of a field is taken for. Ordered by how much of it a batch must keep: nothing, numbers,
/// everything; from `Raw` on, integers are kept as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reading {
    /// Only whether there is a value.
    Presence,
    /// An integer, or a row error.
    Int,
    /// A number as a double, or a row error.
    Double,
    /// An integer if it is one, else a double, else a row error.
    Number,
    /// A number if it is one, else as `Raw`.
    Any,
    /// A string if it is valid UTF-8, else bytes.
    Raw,
    /// A string if it is valid UTF-8, else a row error.
    String,
    /// Bytes.
    Bytes,
}
