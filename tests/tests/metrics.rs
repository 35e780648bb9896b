//! The endpoint for Prometheus.

use std::io::{Read, Write};
use std::net::TcpStream;

use shardis_tests::client::PATIENCE;
use shardis_tests::server::{Server, free_address};

/// The answer to an HTTP request, whole.
fn http(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn prometheus_finds_the_figures_under_the_names_of_the_exporter_for_redis() {
    let port = free_address().port();
    let server = Server::ours("redis-7.2", &["--metrics-port", &port.to_string()]);
    let mut client = server.client();
    for command in
        [&["SET", "a", "1"][..], &["SET", "b", "1", "EX", "100"], &["GET", "a"], &["GET", "c"], &["NO"]]
    {
        client.call(command).expect("a reply");
    }
    let text = http(port, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("content-type: application/openmetrics-text; version=1.0.0"), "{text}");
    let lines = [
        "# TYPE redis_up gauge\nredis_up 1\n",
        "redis_connected_clients 1\n",
        "redis_db_keys{db=\"db0\"} 2.0\n",
        "redis_db_keys_expiring{db=\"db0\"} 1.0\n",
        "redis_keyspace_hits_total 1\n",
        "redis_keyspace_misses_total 1\n",
        "redis_commands_total{cmd=\"set\"} 2.0\n",
        "redis_commands_failed_calls_total{cmd=\"get\"} 0.0\n",
        "redis_errors_total{err=\"ERR\"} 1.0\n",
        "redis_memory_used_bytes ",
        "redis_cpu_user_seconds_total ",
        "# EOF\n",
    ];
    for line in lines {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
    let told = |request| http(port, request).lines().next().unwrap_or_default().to_owned();
    assert_eq!(told("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "HTTP/1.1 404 Not Found");
    assert_eq!(
        told("PUT /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        "HTTP/1.1 405 Method Not Allowed"
    );
    assert_eq!(told("nonsense\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    client.call(&["PING"]).expect("it serves on");
}
