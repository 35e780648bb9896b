//! Accepts connections, refuses those beyond a limit with Redis's words, and hands the others to the thread with the
//! fewest. Few files name socket types (`tests/tests/tidy.rs` lists them); this one accepts.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::io::DuplexStream;

use super::metrics;
use super::thread::ThreadHandle;
use crate::client::{Client, ClientInfo};
use crate::clock;
use crate::config::Config;
use crate::observe::stats::ThreadStats;
use crate::state::State;

/// The other side of a new connection.
#[derive(Debug)]
pub enum Peer {
    /// Over TCP.
    Tcp(std::net::TcpStream),
    /// Over a UNIX socket.
    Unix(std::os::unix::net::UnixStream),
    /// Inside this process.
    Memory(DuplexStream),
}

/// Hands connections to threads.
#[derive(Clone, Debug)]
pub struct Door {
    threads: Arc<[ThreadHandle]>,
}

/// A bound socket that accepts.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// UNIX.
    Unix(std::os::unix::net::UnixListener),
    /// TCP, for those who collect metrics.
    Metrics(std::net::TcpListener),
}

impl Listener {
    /// The same for those who collect metrics.
    pub fn for_metrics(self) -> Listener {
        match self {
            Listener::Tcp(listener) => Listener::Metrics(listener),
            other => other,
        }
    }

    /// Where clients reach it over TCP.
    pub fn tcp_addr(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(_) | Listener::Metrics(_) => None,
        }
    }
}

impl Door {
    /// A door to these threads.
    pub fn new(threads: Vec<ThreadHandle>) -> Door {
        assert!(!threads.is_empty(), "a server has a network thread");
        Door { threads: threads.into() }
    }

    /// Lets an accepted connection in. It is a client from here on, and counted: a thread that is busy does not let the
    /// next ones in above the limit.
    pub fn enter(&self, state: &State, peer: Peer, addr: String, laddr: String, fd: i32) {
        state.log.verbose(format_args!("Accepted {addr}"));
        let info = ClientInfo::new(state.clients.next_id(), addr, laddr, fd, state.clock.now_ms());
        let client = state.acl.welcome(|is_open| Client::new(&state.clients, info, is_open));
        let thread = self.threads.iter().min_by_key(|thread| thread.load());
        thread.expect("invariant: a door has a thread").hand_over(peer, client);
    }
}

/// A TCP address to listen on.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    /// Where.
    pub addr: SocketAddr,
    /// Whether it may be missing on this machine.
    pub is_optional: bool,
}

/// The TCP addresses that the settings name, in order. None while the port is 0.
pub fn addresses(config: &Config) -> io::Result<Vec<Address>> {
    match u16::try_from(config.port.value()) {
        Ok(0) | Err(_) => Ok(Vec::new()),
        Ok(port) => resolve_all(&config.bind_addresses(), port),
    }
}

/// The addresses of hosts, in order. One that starts with `-` may be missing.
pub fn resolve_all(hosts: &[String], port: u16) -> io::Result<Vec<Address>> {
    let mut resolved = Vec::new();
    for host in hosts {
        let (host, is_optional) = match host.strip_prefix('-') {
            Some(host) => (host, true),
            None => (host.as_str(), false),
        };
        match resolve(host, port) {
            Ok(addr) => resolved.push(Address { addr, is_optional }),
            Err(error) if is_optional && is_missing(&error) => {}
            Err(error) => return Err(cannot_listen(format!("{host}:{port}"), &error)),
        }
    }
    Ok(resolved)
}

/// Binds addresses, in order. With port 0 the first one chooses, and the others follow.
pub fn bind(addresses: &[Address], backlog: i64) -> io::Result<Vec<Listener>> {
    let mut bound: Vec<std::net::TcpListener> = Vec::new();
    for &Address { mut addr, is_optional } in addresses {
        if let (0, Some(Ok(first))) = (addr.port(), bound.first().map(std::net::TcpListener::local_addr)) {
            addr.set_port(first.port());
        }
        match bind_tcp(addr, backlog) {
            Ok(listener) => bound.push(listener),
            Err(error) if is_optional && is_missing(&error) => {}
            Err(error) => return Err(cannot_listen(addr, &error)),
        }
    }
    Ok(bound.into_iter().map(Listener::Tcp).collect())
}

fn cannot_listen(at: impl std::fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("Could not create server TCP listening socket {at}: bind: {error}"))
}

/// Binds a UNIX socket, in the place of one that a dead server has left.
pub fn bind_unix(path: &Path, permissions: i64) -> io::Result<std::os::unix::net::UnixListener> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && std::os::unix::net::UnixStream::connect(path).is_err() {
        std::fs::remove_file(path)?;
    }
    let listener = std::os::unix::net::UnixListener::bind(path).map_err(|error| {
        io::Error::new(error.kind(), format!("Failed opening Unix socket {}: bind: {error}", path.display()))
    })?;
    if permissions != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(permissions as u32))?;
    }
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Accepts until the server stops.
pub async fn accept(listener: Listener, state: Arc<State>, stats: Arc<ThreadStats>, door: Door) {
    let listening = match listener {
        Listener::Tcp(listener) => accept_tcp(listener, &state, &stats, &door).await,
        Listener::Unix(listener) => accept_unix(listener, &state, &stats, &door).await,
        Listener::Metrics(listener) => metrics::serve(listener, &state).await,
    };
    if let Err(error) = listening {
        state.log.warning(format_args!("Accepting client connections has ended: {error}"));
    }
}

async fn accept_tcp(
    listener: std::net::TcpListener,
    state: &Arc<State>,
    stats: &ThreadStats,
    door: &Door,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, addr) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                refused_by_system(state, &error).await;
                continue;
            }
        };
        let Ok(mut stream) = stream.into_std() else { continue };
        let fd = stream.as_raw_fd();
        let laddr = stream.local_addr().map_or_else(|_| String::new(), |addr| addr.to_string());
        if is_welcome(state, stats, Some(addr.ip()), &mut stream) {
            // Without one of these options it is a connection all the same.
            if let Err(error) = configure(&stream, state) {
                state.log.verbose(format_args!("Setting a socket option of a client: {error}"));
            }
            door.enter(state, Peer::Tcp(stream), addr.to_string(), laddr, fd);
        }
    }
}

async fn accept_unix(
    listener: std::os::unix::net::UnixListener,
    state: &Arc<State>,
    stats: &ThreadStats,
    door: &Door,
) -> io::Result<()> {
    let path =
        listener.local_addr()?.as_pathname().map(|path| path.display().to_string()).unwrap_or_default();
    let listener = tokio::net::UnixListener::from_std(listener)?;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                refused_by_system(state, &error).await;
                continue;
            }
        };
        let Ok(mut stream) = stream.into_std() else { continue };
        let fd = stream.as_raw_fd();
        if is_welcome(state, stats, None, &mut stream) {
            let name = format!("{path}:0");
            door.enter(state, Peer::Unix(stream), name.clone(), name, fd);
        }
    }
}

/// The system refuses: out of descriptors, or the peer is gone already. The former lasts, so it is not asked in a tight
/// loop.
pub(super) async fn refused_by_system(state: &State, error: &io::Error) {
    state.log.warning(format_args!("Accepting client connection: {error}"));
    let is_lasting = error.kind() != io::ErrorKind::ConnectionAborted;
    if is_lasting {
        clock::pause(ACCEPT_PAUSE).await;
    }
}

/// Whether a connection may stay; if not, it is told why.
fn is_welcome(state: &State, stats: &ThreadStats, ip: Option<IpAddr>, stream: &mut impl Write) -> bool {
    let refusal: &[u8] = if state.clients.len() as i64 >= state.config.maxclients.value() {
        b"-ERR max number of clients reached\r\n"
    } else if ip.is_some_and(|ip| is_kept_out(state, ip)) {
        PROTECTED_MODE
    } else {
        stats.connections_received.add(1);
        return true;
    };
    stats.connections_rejected.add(1);
    // Whoever does not take these few bytes at once is refused without a word.
    let _ = stream.write(refusal);
    false
}

/// Whether protected mode keeps out whoever comes from there.
pub(super) fn is_kept_out(state: &State, ip: IpAddr) -> bool {
    !ip.to_canonical().is_loopback() && state.config.protected_mode.value() && state.acl.is_unprotected()
}

fn configure(stream: &std::net::TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let seconds = state.config.tcp_keepalive.value();
    if seconds > 0 {
        // What the system does not take it would refuse, and then probe after two hours.
        let in_range = |seconds: i64| Duration::from_secs(seconds.clamp(1, KEEPALIVE_SECONDS_MAX) as u64);
        let keepalive = TcpKeepalive::new()
            .with_time(in_range(seconds))
            .with_interval(in_range(seconds / 3))
            .with_retries(KEEPALIVE_PROBES);
        socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}

fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    let host = match host {
        "*" => "0.0.0.0",
        "::*" => "::",
        host => host,
    };
    (host, port).to_socket_addrs()?.next().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

fn bind_tcp(addr: SocketAddr, backlog: i64) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Whether an optional address is not there on this machine.
fn is_missing(error: &io::Error) -> bool {
    let is_unsupported =
        error.raw_os_error().is_some_and(|code| [EAFNOSUPPORT, EPROTONOSUPPORT].contains(&code));
    is_unsupported || matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
}

const EAFNOSUPPORT: i32 = 97;
const EPROTONOSUPPORT: i32 = 93;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The most that Linux takes.
const KEEPALIVE_SECONDS_MAX: i64 = 32_767;
const KEEPALIVE_PROBES: u32 = 3;
const PROTECTED_MODE: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is enabled and no \
password is set for the default user. In this mode connections are only accepted from the loopback interface. If you \
want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable \
protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis \
from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do \
so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by \
editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. \
3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Set up an \
authentication password for the default user. NOTE: You only need to do one of the above things in order for the \
server to start accepting connections from the outside.\r\n";
