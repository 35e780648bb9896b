//! The endpoint for Prometheus: `GET /metrics` over HTTP, on a port of its own. What is told there is `observe/metrics`.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use crate::clock;
use crate::observe::metrics;
use crate::state::State;

/// Connections at a time; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 16;
/// Longest wait for the head of a request.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// Longest stay of a connection, which may not read what it has asked for.
const STAY_MAX: Duration = Duration::from_secs(30);

/// Answers until the server stops.
pub async fn serve(listener: std::net::TcpListener, state: &Arc<State>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // It is never closed.
        let Ok(seat) = seats.clone().acquire_owned().await else { return Ok(()) };
        let (stream, addr) = match listener.accept().await {
            Ok((_, addr)) if super::listener::is_kept_out(state, addr.ip()) => continue,
            Ok(accepted) => accepted,
            Err(error) => {
                super::listener::refused_by_system(state, &error).await;
                continue;
            }
        };
        state.log.verbose(format_args!("Metrics for {addr}"));
        let state = state.clone();
        tokio::task::spawn_local(async move {
            // Whoever stays longer connects again.
            let _ = clock::limit(STAY_MAX, converse(stream, &state)).await;
            drop(seat);
        });
    }
}

async fn converse(stream: TcpStream, state: &Arc<State>) {
    let answer = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(answer(request.method(), request.uri().path(), state).await)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        state.log.verbose(format_args!("Serving metrics: {error}"));
    }
}

async fn answer(method: &Method, path: &str, state: &Arc<State>) -> Response<Full<Bytes>> {
    if path != "/metrics" {
        return told(StatusCode::NOT_FOUND, "The metrics are at /metrics.\n");
    }
    if method != Method::GET && method != Method::HEAD {
        let mut response = told(StatusCode::METHOD_NOT_ALLOWED, "Metrics can only be read.\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let (sender, gathered) = oneshot::channel();
    let state_there = state.clone();
    state.executor.run(move |_| {
        // Whoever asked may have gone.
        let _ = sender.send(metrics::text(&state_there));
    });
    match gathered.await {
        Ok(Ok(text)) => {
            let mut response = Response::new(Full::from(text));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::MEDIA_TYPE));
            response
        }
        Ok(Err(_)) => told(StatusCode::INTERNAL_SERVER_ERROR, "The metrics cannot be written.\n"),
        Err(_) => told(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping.\n"),
    }
}

fn told(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}
