//! The cells that settings live in: a value that every thread reads without waiting and `CONFIG SET` changes while the
//! server runs. Which settings there are is `Config`; what may be put into them is `options`.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::{Mutex, RwLock};

/// A live value that fits into one integer. Readers see a change soon, not in any order with other changes.
pub struct Setting<T> {
    raw: AtomicI64,
    kind: PhantomData<fn() -> T>,
}

impl<T: Scalar> Setting<T> {
    /// A setting with its first value.
    pub fn new(value: T) -> Setting<T> {
        Setting { raw: AtomicI64::new(value.into_raw()), kind: PhantomData }
    }

    /// The value now.
    pub fn value(&self) -> T {
        T::from_raw(self.raw.load(Ordering::Relaxed))
    }

    /// Changes the value, unchecked: `Config::set` checks.
    pub fn set(&self, value: T) {
        self.raw.store(value.into_raw(), Ordering::Relaxed);
    }

    /// The cell without its type, for the table.
    pub(super) fn raw(&self) -> &AtomicI64 {
        &self.raw
    }
}

/// What fits into a [`Setting`].
pub trait Scalar: Copy {
    /// The value that `into_raw` made this of.
    fn from_raw(raw: i64) -> Self;
    /// The value as an integer.
    fn into_raw(self) -> i64;
}

impl Scalar for i64 {
    fn from_raw(raw: i64) -> i64 {
        raw
    }

    fn into_raw(self) -> i64 {
        self
    }
}

impl Scalar for bool {
    fn from_raw(raw: i64) -> bool {
        raw != 0
    }

    fn into_raw(self) -> i64 {
        i64::from(self)
    }
}

/// Whether somebody chose, and what.
impl Scalar for Option<bool> {
    fn from_raw(raw: i64) -> Option<bool> {
        (raw >= 0).then_some(raw != 0)
    }

    fn into_raw(self) -> i64 {
        self.map_or(-1, i64::from)
    }
}

/// One of a list of words.
pub trait Choice: Copy + PartialEq + 'static {
    /// The words, as they are written and shown.
    const WORDS: &'static [&'static str];
    /// What the words mean, in the same order.
    const VALUES: &'static [Self];

    /// The word for this one.
    fn word(self) -> &'static str {
        let index = Self::VALUES.iter().position(|value| *value == self);
        index.and_then(|index| Self::WORDS.get(index)).copied().unwrap_or_default()
    }
}

impl<T: Choice> Scalar for T {
    fn from_raw(raw: i64) -> T {
        let index = usize::try_from(raw).unwrap_or(0);
        T::VALUES.get(index).copied().unwrap_or(T::VALUES[0])
    }

    fn into_raw(self) -> i64 {
        T::VALUES.iter().position(|value| *value == self).map_or(0, |index| index as i64)
    }
}

/// A live text. Bytes, because a password or a path may be any.
pub struct Text(RwLock<Arc<[u8]>>);

impl Text {
    /// A setting with its first value.
    pub fn new(bytes: impl AsRef<[u8]>) -> Text {
        Text(RwLock::new(Arc::from(bytes.as_ref())))
    }

    /// The value now.
    pub fn value(&self) -> Arc<[u8]> {
        Arc::clone(&self.0.read())
    }

    /// Changes the value, unchecked: `Config::set` checks.
    pub fn set(&self, bytes: &[u8]) {
        *self.0.write() = Arc::from(bytes);
    }

    /// Whether the value is the empty text.
    pub fn is_empty(&self) -> bool {
        self.0.read().is_empty()
    }
}

/// The values of the parameters that nothing acts on, as they are shown. Only those that were set are here.
#[derive(Default)]
pub struct Stored(Mutex<BTreeMap<&'static str, StoredValue>>);

#[derive(Default)]
struct StoredValue {
    shown: Arc<[u8]>,
    /// Whether it was set to something else than its default.
    is_changed: bool,
    /// Whether the log has named it.
    is_told: bool,
}

impl Stored {
    /// What a parameter was set to.
    pub fn value(&self, name: &str) -> Option<Arc<[u8]>> {
        self.0.lock().get(name).map(|value| Arc::clone(&value.shown))
    }

    /// Keeps a value.
    pub fn set(&self, name: &'static str, shown: Arc<[u8]>, default: &str) {
        let mut values = self.0.lock();
        let value = values.entry(name).or_default();
        value.is_changed = *shown != *default.as_bytes();
        value.shown = shown;
    }

    /// The parameters that are not at their defaults, each only once in the life of the server.
    pub fn take_untold(&self) -> Vec<&'static str> {
        let mut values = self.0.lock();
        let untold = values.iter_mut().filter(|(_, value)| value.is_changed && !value.is_told);
        untold
            .map(|(name, value)| {
                value.is_told = true;
                *name
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_gives_back_what_was_set() {
        for value in [None, Some(false), Some(true)] {
            assert_eq!(Setting::new(value).value(), value);
        }
        let number = Setting::new(i64::MIN);
        assert_eq!(number.value(), i64::MIN);
        number.set(-2);
        assert_eq!(number.value(), -2);
        let switch = Setting::new(true);
        switch.set(false);
        assert!(!switch.value());
    }

    #[test]
    fn a_text_holds_any_bytes() {
        let text = Text::new("");
        assert!(text.is_empty());
        text.set(b"\xff\0");
        assert_eq!(&*text.value(), b"\xff\0");
    }

    #[test]
    fn a_parameter_without_effect_is_told_once() {
        let stored = Stored::default();
        assert_eq!(stored.value("a"), None);
        stored.set("a", b"1"[..].into(), "1");
        assert_eq!(stored.take_untold(), [""; 0], "it is the default");
        stored.set("b", b"2"[..].into(), "1");
        stored.set("a", b"2"[..].into(), "1");
        assert_eq!(stored.take_untold(), ["a", "b"]);
        stored.set("a", b"3"[..].into(), "1");
        assert_eq!(stored.take_untold(), [""; 0]);
        assert_eq!(stored.value("a").as_deref(), Some(b"3".as_slice()));
    }
}
