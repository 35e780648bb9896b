//! The program: reads its command line, starts one server and ends it when a signal or a client says so. Everything
//! that belongs to a process and not to a server is here: signals, standard output, the allocator, the exit code.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::thread;

use shardis_server::Server;
use shardis_server::config::Config;
use shardis_server::config::arguments::{self, Invocation};
use shardis_server::log::Sink;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    let outcome = match arguments::parse(&words, &mut io::stdin()) {
        Ok(Invocation::Print(text)) => writeln!(io::stdout(), "{text}").map_err(|error| error.to_string()),
        Ok(Invocation::Serve(config)) => serve(*config).map_err(|error| format!("Cannot start: {error}")),
        Err(error) => Err(error.to_string()),
    };
    let Err(text) = outcome else { return ExitCode::SUCCESS };
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::FAILURE
}

/// Runs a server until it is told to end.
fn serve(config: Config) -> io::Result<()> {
    let sink = Sink::from_config(&config);
    let server = Arc::new(Server::builder().config(config).log(sink).start()?);
    end_on_signals(&server)?;
    announce(&server);
    server.wait_for_shutdown();
    // Not left to the last owner: that might be the thread of the signals, for which nobody waits.
    server.stop();
    server.log().warning("Shardis is now ready to exit, bye bye...");
    Ok(())
}

/// Tells where the server listens, and what test programs wait for.
fn announce(server: &Server) {
    let unix_socket = server.config().unix_socket().map(|path| path.display().to_string());
    let address = server.addr().map(|address| address.to_string());
    let places: Vec<&str> = [&address, &unix_socket].into_iter().flatten().map(String::as_str).collect();
    server.log().notice(format_args!(
        "Shardis {} (Redis {} compatible) with {} threads is listening on {}; \
         data lives in memory only and is gone at exit",
        env!("CARGO_PKG_VERSION"),
        server.config().dialect().redis_version,
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

/// Asks the server to end at the first SIGTERM or SIGINT; a second one ends the process at once.
fn end_on_signals(server: &Arc<Server>) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let entered = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Closing the terminal is no reason to lose the data: to be heard is enough to stay.
    let _hangup = signal(SignalKind::hangup())?;
    drop(entered);
    let server = Arc::downgrade(server);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for received in 1.. {
            let name = runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                }
            });
            let Some(server) = server.upgrade() else { return };
            if received > 1 {
                server.log().warning("You insist... exiting now.");
                process::exit(1);
            }
            server.log().warning(format_args!("Received {name} scheduling shutdown..."));
            server.request_shutdown();
        }
    })?;
    Ok(())
}
