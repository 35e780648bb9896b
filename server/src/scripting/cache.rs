//! The scripts that a server keeps, by the sums of their texts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use hex::FromHex;

use super::hashing::Plain;
use super::outline::Outline;
use super::script::{Rules, Script, Sum};

/// All scripts of a server.
#[derive(Debug, Default)]
pub struct Scripts {
    scripts: DashMap<Sum, Arc<Script>, Plain>,
    /// Raised when all are forgotten, so that engines forget what they have compiled.
    generation: AtomicU64,
    next_id: AtomicU64,
    /// Bytes of their texts, and what keeps them.
    bytes: AtomicUsize,
}

impl Scripts {
    /// The script of a sum.
    #[inline]
    pub fn find(&self, sum: &Sum) -> Option<Arc<Script>> {
        self.scripts.get(sum).map(|script| script.clone())
    }

    /// The script of a sum in hexadecimal digits.
    pub fn named(&self, name: &[u8]) -> Option<Arc<Script>> {
        Sum::from_hex(name).ok().and_then(|sum| self.find(&sum))
    }

    /// Keeps a script, unless it is there already.
    pub fn insert(&self, sum: Sum, text: &[u8], rules: Rules, outline: Outline) -> Arc<Script> {
        let entry = self.scripts.entry(sum).or_insert_with(|| {
            let script = Script {
                id: self.next_id.fetch_add(1, Ordering::Relaxed),
                sum,
                name: hex::encode(sum),
                text: text.into(),
                rules,
                outline,
            };
            self.bytes.fetch_add(script_bytes(&script), Ordering::Relaxed);
            Arc::new(script)
        });
        entry.clone()
    }

    /// Forgets a script.
    pub fn remove(&self, sum: &Sum) {
        if let Some((_, script)) = self.scripts.remove(sum) {
            self.bytes.fetch_sub(script_bytes(&script), Ordering::Relaxed);
        }
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.scripts.retain(|_, script| {
            self.bytes.fetch_sub(script_bytes(script), Ordering::Relaxed);
            false
        });
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Changes whenever all scripts were forgotten.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.scripts.len()
    }

    /// Bytes of their texts, and what keeps them.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

fn script_bytes(script: &Script) -> usize {
    script.text.len() + script.name.len() + size_of::<Script>() + size_of::<(Sum, Arc<Script>)>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripting::script::sum;

    #[test]
    fn scripts_are_found_by_their_names_in_either_case() {
        let scripts = Scripts::default();
        scripts.insert(sum(b"a"), b"a", Rules::default(), Outline::default());
        let name = "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8";
        let found = |name: &str| scripts.named(name.as_bytes()).map(|script| script.name.clone());
        assert_eq!(found(name).as_deref(), Some(name));
        assert_eq!(found(&name.to_ascii_uppercase()).as_deref(), Some(name));
        for bad in [
            "",
            "86",
            "zzf7e437faa5a7fce15d1ddcb9eaeaea377667b8",
            "86f7e437faa5a7fce15d1ddcb9eaeaea377667b80",
        ] {
            assert_eq!(found(bad), None);
        }
    }
}
