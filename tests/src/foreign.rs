//! Programs of others that use a server: where they are installed, how one is run, and what the server has thought of it.
//!
//! `./tests/run` installs what is needed. Where something is missing the test is skipped, or fails where `CI` is set, as
//! with the real servers in `reference`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::server::Server;

/// After so many seconds a program that waits for something is ended, and the test fails.
const PATIENCE_SECONDS: &str = "120";

/// Python with a package, of this name where it is imported.
pub fn python_with(package: &str) -> Option<PathBuf> {
    let python = built("venv/bin/python");
    let imports = Command::new(&python).args(["-c", &format!("import {package}")]).output();
    let is_installed = imports.is_ok_and(|output| output.status.success());
    is_installed.then_some(python).or_else(|| missing(&format!("{package} for Python")))
}

/// Node with a package.
pub fn node_with(package: &str) -> Option<PathBuf> {
    let is_installed = modules().join(package).is_dir() && is_program("node");
    is_installed.then(|| "node".into()).or_else(|| missing(&format!("{package} for node")))
}

/// Whether there is such a program.
pub fn is_available(program: &str) -> bool {
    is_program(program) || missing::<()>(program).is_some()
}

/// A script of `clients/`. Beside it nothing is written.
pub fn script(interpreter: PathBuf, name: &str) -> Command {
    let mut command = limited(interpreter);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name))
        .env("NODE_PATH", modules())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A program that is ended when it takes too long.
pub fn limited(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command.arg(PATIENCE_SECONDS).arg(program).stdin(Stdio::null());
    command
}

/// What a program prints; it must end well and in time, and say nothing on its error output.
pub fn run(command: &mut Command) -> String {
    let output: Output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (printed, complaint) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{printed}\n{complaint}", output.status);
    assert!(complaint.is_empty(), "{command:?}:\n{complaint}");
    printed.into_owned()
}

/// What a client is told of where a server is.
pub fn url(server: &Server) -> String {
    format!("redis://{}/", server.address())
}

/// The directory that the harness has given a server, where its socket and its output are.
pub fn directory(server: &Server) -> String {
    let reply = server.client().call(&["CONFIG", "GET", "dir"]).expect("a reply");
    String::from_utf8(reply.items()[1].text().expect("a path").to_vec()).expect("a path of plain letters")
}

/// Its UNIX socket.
pub fn socket(server: &Server) -> String {
    directory(server) + "/socket"
}

/// Asserts that ours has logged nothing at the level of warnings.
pub fn assert_nothing_logged(server: &Server) {
    let log = fs::read_to_string(directory(server) + "/output").expect("the harness keeps the output");
    assert!(log.contains("Ready to accept connections"), "no log: {log}");
    let warnings: Vec<&str> = log.lines().filter(|line| !line.contains(" * ")).collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
}

fn modules() -> PathBuf {
    built("npm/node_modules")
}

fn is_program(name: &str) -> bool {
    Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn missing<T>(what: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "{what} is not installed");
    eprintln!("SKIPPED: {what} is not installed; ./tests/run installs it");
    None
}

/// Something that `./tests/run` has put into the build directory.
fn built(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(path)
}
