//! The program: reads its command line, starts one server and ends it when a signal or a client says so. Everything
//! that belongs to a process and not to a server is here: signals, standard output, the allocator, the exit code.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use shardis_server::Server;
use shardis_server::config::Config;
use shardis_server::config::arguments::{self, Invocation};
use shardis_server::log::Sink;
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: shardis_storage::allocator::Allocator = shardis_storage::allocator::Allocator;

fn main() -> ExitCode {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    let outcome = match arguments::parse(&words, &mut io::stdin()) {
        Ok(Invocation::Print(text)) => match writeln!(io::stdout(), "{text}") {
            // Who has read enough has closed it.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            printed => printed.map_err(|error| error.to_string()),
        },
        Ok(Invocation::Serve(config)) => serve(*config).map_err(|error| format!("Cannot start: {error}")),
        Err(error) => Err(error.to_string()),
    };
    let Err(text) = outcome else { return ExitCode::SUCCESS };
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::FAILURE
}

/// Runs a server until it is told to end.
fn serve(config: Config) -> io::Result<()> {
    // Before the first client, who may be the one to send a signal.
    let signals = Signals::catch()?;
    let raised = raise_limit_of_open_files();
    huge_pages(false);
    let sink = Sink::from_config(&config);
    let server = Arc::new(Server::builder().config(config).log(sink).start()?);
    if server.addr().is_none() && server.config().unix_socket().is_none() {
        return Err(io::Error::other("Configured to not listen anywhere, exiting."));
    }
    match raised {
        Ok(None) => {}
        Ok(Some((before, now))) => server.log().notice(format_args!(
            "Increased maximum number of open files to {now} (it was originally set to {before})."
        )),
        Err(error) => server.log().warning(format_args!("Can't set maximum open files: {error}.")),
    }
    signals.watch(&server)?;
    let pid_file = write_pid_file(&server);
    announce(&server);
    server.wait_for_traffic();
    huge_pages(true);
    server.wait_for_shutdown();
    // Not left to the last owner: that might be the thread of the signals, for which nobody waits.
    server.stop();
    if let Some(path) = pid_file {
        server.log().notice("Removing the pid file.");
        let _ = fs::remove_file(path);
    }
    server.log().warning("Shardis is now ready to exit, bye bye...");
    Ok(())
}

/// Lets this process have as many files open as the system allows it, since each client is one: how many there were
/// before and are now. A server inside another program leaves that to its host.
fn raise_limit_of_open_files() -> io::Result<Option<(u64, u64)>> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return Ok(None);
    }
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(current.map(|before| (before, maximum.unwrap_or(u64::MAX))))
}

/// Writes the id of this process where the settings say, and returns where that is. That it cannot be written is no reason
/// not to serve.
fn write_pid_file(server: &Server) -> Option<PathBuf> {
    let path = server.config().pid_file()?;
    match fs::write(&path, format!("{}\n", process::id())) {
        Ok(()) => Some(path),
        Err(error) => {
            server.log().warning(format_args!("Failed to write PID file: {error}."));
            None
        }
    }
}

/// Lets the system back memory with huge pages. They are for data: what an idle server has would fill a small part of each.
/// Where the system knows nothing of this, there is nothing to do.
fn huge_pages(wanted: bool) {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(!wanted);
}

/// Tells where the server listens, and what test programs wait for.
fn announce(server: &Server) {
    let unix_socket = server.config().unix_socket().map(|path| path.display().to_string());
    let address = server.addr().map(|address| address.to_string());
    let places: Vec<&str> = [&address, &unix_socket].into_iter().flatten().map(String::as_str).collect();
    server.log().notice(format_args!(
        "Shardis {} ({} compatible) with {} threads is listening on {}; \
         data lives in memory only and is gone at exit",
        env!("CARGO_PKG_VERSION"),
        server.config().dialect().server_title(),
        server.config().thread_count(),
        places.join(" and "),
    ));
    server.log().notice("Server initialized");
    for (listens, kind) in [(address.is_some(), "tcp"), (unix_socket.is_some(), "unix")] {
        if listens {
            server.log().notice(format_args!("Ready to accept connections {kind}"));
        }
    }
}

/// The signals that end the process, caught.
struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    /// To be caught is enough.
    _hangup: Signal,
}

impl Signals {
    fn catch() -> io::Result<Signals> {
        let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
        let entered = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        // Closing the terminal is no reason to lose the data.
        let hangup = signal(SignalKind::hangup())?;
        drop(entered);
        Ok(Signals { runtime, terminate, interrupt, _hangup: hangup })
    }

    /// Asks the server to end at a SIGTERM or SIGINT. A SIGINT behind that, from somebody who sits there and does not want
    /// to wait, ends the process at once; managers of services may repeat their SIGTERM as they like.
    fn watch(mut self, server: &Arc<Server>) -> io::Result<()> {
        let server = Arc::downgrade(server);
        let mut is_ending = false;
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            loop {
                let is_interrupt = self.runtime.block_on(async {
                    tokio::select! {
                        _ = self.terminate.recv() => false,
                        _ = self.interrupt.recv() => true,
                    }
                });
                let Some(server) = server.upgrade() else { return };
                if is_ending && is_interrupt {
                    server.log().warning("You insist... exiting now.");
                    process::exit(1);
                }
                let name = if is_interrupt { "SIGINT" } else { "SIGTERM" };
                server.log().warning(format_args!("Received {name} scheduling shutdown..."));
                server.request_shutdown();
                is_ending = true;
            }
        })?;
        Ok(())
    }
}
