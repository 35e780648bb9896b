//! Functions: the libraries that a server keeps. They are one immutable collection, which a change replaces as a whole, so that
//! a change is all or nothing and whoever reads sees either what was before or what is after.
//!
//! Running them is the business of [`engine`]. All functions run on one thread, in one Lua state: what a library keeps between
//! calls is the same for all callers, as in the real servers. It costs nothing while functions have to exclude each
//! other anyway, since nobody knows what keys they will touch.

pub mod engine;
mod register;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::RwLock;

use super::shebang::ScriptFlags;
use crate::command::Error;

/// All functions of a server.
#[derive(Debug, Default)]
pub struct Functions {
    collection: RwLock<Arc<Collection>>,
    /// Raised by each change.
    generation: AtomicU64,
    /// What the libraries take without what the engine has made of them.
    bytes: AtomicUsize,
    next_id: AtomicU64,
}

/// The libraries of one moment.
#[derive(Clone, Debug, Default)]
pub struct Collection {
    libraries: BTreeMap<String, Arc<Library>>,
    /// By their names in lower case: the library, and which one of it.
    functions: HashMap<String, (Arc<Library>, usize)>,
}

/// A library.
#[derive(Debug)]
pub struct Library {
    /// Its number, never used twice: what the engine keeps its functions by.
    pub id: u64,
    /// Its name, in which case matters.
    pub name: String,
    /// Its text, with the first line.
    pub code: Box<[u8]>,
    /// In the order in which it has registered them.
    pub functions: Vec<Function>,
}

/// A function of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, in which case does not matter.
    pub name: String,
    /// What it says of itself.
    pub description: Option<Box<[u8]>>,
    /// What it asks for.
    pub flags: ScriptFlags,
}

/// A function that somebody calls.
#[derive(Clone, Debug)]
pub struct Called {
    /// Its library.
    pub library: Arc<Library>,
    /// Which one it is.
    index: usize,
}

/// What becomes of libraries that are there when others are restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// All are removed.
    Flush,
    /// They stay, and none may have the name of another.
    Append,
    /// Those give way that have the name of another.
    Replace,
}

impl Functions {
    /// The libraries of now.
    pub fn collection(&self) -> Arc<Collection> {
        self.collection.read().clone()
    }

    /// The function of a name.
    pub fn find(&self, name: &[u8]) -> Option<Called> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        let (library, index) = self.collection.read().functions.get(&name)?.clone();
        Some(Called { library, index })
    }

    /// Changes whenever the libraries do.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// What the libraries take without what the engine has made of them.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// A library, which is not yet one of those here.
    pub fn make(&self, name: String, code: &[u8], functions: Vec<Function>) -> Arc<Library> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        Arc::new(Library { id, name, code: code.into(), functions })
    }

    /// Adds a library, or puts it in the place of the one of its name.
    pub fn load(&self, library: Arc<Library>, replaces: bool) -> Result<(), Error> {
        self.change(|collection| {
            if collection.remove(&library.name) && !replaces {
                return Err(Error::library_exists(&library.name));
            }
            collection.add(library)
        })
    }

    /// Adds all of these libraries or none.
    pub fn restore(&self, libraries: Vec<Arc<Library>>, policy: Policy) -> Result<(), Error> {
        self.change(|collection| {
            if policy == Policy::Flush {
                *collection = Collection::default();
            }
            for library in &libraries {
                if collection.remove(&library.name) && policy == Policy::Append {
                    return Err(Error::library_collides(&library.name));
                }
            }
            libraries.into_iter().try_for_each(|library| collection.add(library))
        })
    }

    /// Removes a library.
    pub fn delete(&self, name: &[u8]) -> Result<(), Error> {
        self.change(|collection| {
            let is_removed = std::str::from_utf8(name).is_ok_and(|name| collection.remove(name));
            if is_removed { Ok(()) } else { Err(Error::NO_LIBRARY) }
        })
    }

    /// Removes all.
    pub fn clear(&self) {
        self.replace(&mut self.collection.write(), Collection::default());
    }

    /// Puts a changed copy in the place of the libraries, unless the change is refused.
    fn change(&self, change: impl FnOnce(&mut Collection) -> Result<(), Error>) -> Result<(), Error> {
        let mut current = self.collection.write();
        let mut changed = Collection::clone(&current);
        change(&mut changed)?;
        self.replace(&mut current, changed);
        Ok(())
    }

    fn replace(&self, current: &mut Arc<Collection>, new: Collection) {
        self.bytes.store(new.memory_bytes(), Ordering::Relaxed);
        *current = Arc::new(new);
        self.generation.fetch_add(1, Ordering::Release);
    }
}

impl Collection {
    /// All libraries, by name.
    pub fn libraries(&self) -> impl ExactSizeIterator<Item = &Arc<Library>> {
        self.libraries.values()
    }

    /// How many functions they have together.
    pub fn functions_count(&self) -> usize {
        self.functions.len()
    }

    /// Whether there is one of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.libraries.contains_key(name)
    }

    fn memory_bytes(&self) -> usize {
        let of_functions = self.functions.len() * size_of::<(String, (Arc<Library>, usize))>();
        self.libraries.values().map(|library| library.memory_bytes()).sum::<usize>() + of_functions
    }

    fn add(&mut self, library: Arc<Library>) -> Result<(), Error> {
        for (index, function) in library.functions.iter().enumerate() {
            let found = self.functions.insert(function.name.to_ascii_lowercase(), (library.clone(), index));
            match found {
                None => {}
                Some((owner, _)) if Arc::ptr_eq(&owner, &library) => return Err(Error::FUNCTION_REPEATED),
                Some(_) => return Err(Error::function_collides(&function.name)),
            }
        }
        self.libraries.insert(library.name.clone(), library);
        Ok(())
    }

    /// Removes a library, if there is one of this name.
    fn remove(&mut self, name: &str) -> bool {
        let Some(library) = self.libraries.remove(name) else { return false };
        for function in &library.functions {
            self.functions.remove(&function.name.to_ascii_lowercase());
        }
        true
    }
}

impl Library {
    fn memory_bytes(&self) -> usize {
        let of_functions = self.functions.iter().map(|function| {
            let description = function.description.as_ref().map_or(0, |description| description.len());
            size_of::<Function>() + 2 * function.name.len() + description
        });
        size_of::<Library>() + self.name.len() + self.code.len() + of_functions.sum::<usize>()
    }
}

impl Called {
    /// Which one it is of its library.
    pub fn index(&self) -> usize {
        self.index
    }

    /// What it is.
    pub fn function(&self) -> &Function {
        &self.library.functions[self.index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(functions: &Functions, name: &str, names: &[&str]) -> Arc<Library> {
        let named =
            |name: &&str| Function { name: (*name).into(), description: None, flags: ScriptFlags::default() };
        functions.make(name.into(), b"code", names.iter().map(named).collect())
    }

    fn names(functions: &Functions) -> Vec<String> {
        functions.collection().libraries().map(|library| library.name.clone()).collect()
    }

    #[test]
    fn a_function_is_found_by_its_name_in_any_case() {
        let functions = Functions::default();
        functions.load(library(&functions, "l", &["one", "Two"]), false).unwrap();
        assert_eq!(functions.find(b"tWO").unwrap().function().name, "Two");
        assert!(functions.find(b"three").is_none() && functions.find(b"\xff").is_none());
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let functions = Functions::default();
        functions.load(library(&functions, "l", &["f"]), false).unwrap();
        functions.load(library(&functions, "m", &["g"]), false).unwrap();
        let generation = functions.generation();
        let refused = [
            functions.load(library(&functions, "l", &["h"]), false),
            functions.load(library(&functions, "l", &["G"]), true),
            functions.load(library(&functions, "n", &["h", "H"]), false),
            functions.restore(
                vec![library(&functions, "a", &["h"]), library(&functions, "m", &["i"])],
                Policy::Append,
            ),
            functions.restore(vec![library(&functions, "a", &["f"])], Policy::Replace),
            functions.delete(b"L"),
        ];
        let texts = refused.map(|refused| String::from_utf8(refused.unwrap_err().text().to_vec()).unwrap());
        assert_eq!(
            texts,
            [
                "ERR Library 'l' already exists",
                "ERR Function G already exists",
                "ERR Function already exists in the library",
                "ERR Library m already exists",
                "ERR Function f already exists",
                "ERR Library not found",
            ]
        );
        assert_eq!((functions.generation(), names(&functions)), (generation, vec!["l".into(), "m".into()]));
        assert!(functions.find(b"h").is_none());
    }

    #[test]
    fn what_gives_way_takes_its_functions_along() {
        let functions = Functions::default();
        functions.load(library(&functions, "l", &["f"]), false).unwrap();
        functions.load(library(&functions, "l", &["g"]), true).unwrap();
        assert!(functions.find(b"f").is_none() && functions.find(b"g").is_some());
        functions.restore(vec![library(&functions, "m", &["f"])], Policy::Replace).unwrap();
        assert_eq!(names(&functions), ["l", "m"]);
        functions.restore(vec![library(&functions, "n", &["f"])], Policy::Flush).unwrap();
        assert_eq!((names(&functions), functions.collection().functions_count()), (vec!["n".into()], 1));
        functions.delete(b"n").unwrap();
        assert_eq!(functions.memory_bytes(), 0);
    }
}
