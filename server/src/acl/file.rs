//! Users in files: the ACL file, which has nothing but their lines, and the lines `user` of a configuration file. Both are
//! read as a whole or not at all.

use std::collections::BTreeSet;
use std::io;

use super::is_plain;
use super::user::{Surroundings, User, join_selectors};
use crate::command::args::until_zero;
use crate::command::error::RuleFault;
use crate::config::file::{LoadErrors, UserLine};
use crate::config::{Config, os_text, read_whole, replace};
use crate::state::State;

/// Lets a server that is about to start have the users of its files.
pub fn load_at_start(state: &State) -> io::Result<()> {
    let (config, around) = (&state.config, state.surroundings());
    let product = config.dialect().product();
    if config.aclfile.is_empty() {
        for user in configured(&config.users, around)? {
            state.acl.add(user, around);
        }
        return Ok(());
    }
    if !config.users.is_empty() {
        let file = format!("{}.conf", product.to_ascii_lowercase());
        return Err(io::Error::other(format!(
            "Configuring {product} with users defined in {file} and at the same setting an ACL file path is invalid. This \
             setup is very likely to lead to configuration errors and security holes, please define either an ACL file \
             or declare users directly in your {file}, but not both."
        )));
    }
    let users = read(config, around).map_err(|errors| {
        io::Error::other(format!("Aborting {product} startup because of ACL errors: {errors}"))
    })?;
    state.acl.replace(users, &state.clients, around);
    Ok(())
}

/// Writes all users into the ACL file of the settings.
pub fn write(state: &State) -> io::Result<()> {
    let lines = state.acl.lines(state.surroundings());
    let text: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
    replace(&state.config.acl_file().unwrap_or_default(), &text)
}

/// The users of the ACL file of the settings, or all that is wrong with it.
pub fn read(config: &Config, around: Surroundings<'_>) -> Result<Vec<User>, String> {
    let shown = String::from_utf8_lossy(&config.aclfile.value()).into_owned();
    let path = config.acl_file().unwrap_or_default();
    match read_whole(&path) {
        Ok(text) => parse(&shown, &text, around),
        Err(error) => Err(format!("Error loading ACLs, opening file '{shown}': {}", os_text(&error))),
    }
}

/// The users that a text declares, a line for each. What is wrong is told in the words of the real servers.
fn parse(file: &str, text: &[u8], around: Surroundings<'_>) -> Result<Vec<User>, String> {
    let mut users = Vec::new();
    let mut names = BTreeSet::new();
    let mut errors = String::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let (line, number) = (until_zero(line).trim_ascii(), index + 1);
        if line.is_empty() {
            continue;
        }
        let mut words = line.split(|&byte| byte == b' ');
        let (Some(b"user"), Some(name)) = (words.next(), words.next()) else {
            errors.push_str(&format!(
                "{file}:{number} should start with user keyword followed by the username. "
            ));
            continue;
        };
        if !names.insert(name) {
            let name = String::from_utf8_lossy(name);
            errors.push_str(&format!("WARNING: Duplicate user '{name}' found on line {number}. "));
            continue;
        }
        match join_selectors(words, around.dialect) {
            Ok(rules) => users.push(user(name, &rules, &format!("{file}:{number}"), &mut errors, around)),
            Err(_) => {
                errors.push_str(&format!("{file}:{number}: Unmatched parenthesis in selector definition. "))
            }
        }
    }
    if errors.is_empty() {
        return Ok(users);
    }
    errors.push_str(NOTHING_CHANGED);
    Err(errors)
}

/// The user of a line. Every unknown command is told, and of everything else that is wrong the first.
fn user(name: &[u8], rules: &[Vec<u8>], place: &str, errors: &mut String, around: Surroundings<'_>) -> User {
    let mut user = User::new(name, around);
    let mut is_told = false;
    for rule in rules {
        match user.apply(rule, around) {
            Ok(()) => {}
            Err(fault @ RuleFault::UnknownCommand) => {
                let (rule, fault) = (String::from_utf8_lossy(rule), fault.text());
                errors.push_str(&format!("{place}: Error in applying operation '{rule}': {fault}. "));
            }
            Err(fault) if !is_told => {
                is_told = true;
                errors.push_str(&format!("{place}: {}. ", fault.text()));
            }
            Err(_) => {}
        }
    }
    user
}

/// The users of a configuration file. The user of everybody is reset before.
fn configured(lines: &[UserLine], around: Surroundings<'_>) -> io::Result<Vec<User>> {
    lines.iter().map(|line| configured_user(line, around)).collect()
}

fn configured_user(line: &UserLine, around: Surroundings<'_>) -> io::Result<User> {
    let [_, name, rules @ ..] = line.words.as_slice() else {
        unreachable!("a line without a name was refused when it was read")
    };
    if !is_plain(name) {
        return Err(io::Error::other("Spaces not allowed in ACL usernames"));
    }
    let wrong = |at: usize, reason: &str| {
        // The real servers name the word that stands two before the wrong one.
        let word = String::from_utf8_lossy(line.words.get(at).map_or(b"", Vec::as_slice)).into_owned();
        let reason = format!("Error in user declaration '{word}': {reason}");
        io::Error::other(LoadErrors(vec![line.error(reason)]))
    };
    let rules = join_selectors(rules.iter().map(Vec::as_slice), around.dialect);
    let rules = rules.map_err(|_| wrong(0, "Wrong format"))?;
    let mut user = User::new(name, around);
    if **name == *super::DEFAULT {
        user.reset(around);
    }
    for (at, rule) in rules.iter().enumerate() {
        user.apply(rule, around).map_err(|fault| match fault {
            RuleFault::UnknownCommand => io::Error::other(format!(
                "Error loading ACL rule '{}' for the user named '{}': {}",
                String::from_utf8_lossy(rule),
                String::from_utf8_lossy(name),
                fault.text()
            )),
            _ => wrong(at, fault.text()),
        })?;
    }
    Ok(user)
}

const NOTHING_CHANGED: &str =
    "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
