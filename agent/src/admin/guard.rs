//! Who may ask.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Admin;

/// The address that a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Turns requests away whose `Host` is a name that was not agreed on: a web page whose name is made to resolve to
/// 127.0.0.1 (DNS rebinding) calls by that name.
pub(super) async fn host(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    if is_agreed(request.headers(), &admin.options.admin_hosts) {
        return next.run(request).await;
    }
    let why =
        "this Host is not served: call by IP address or as localhost, or add the name to --admin-hosts\n";
    (StatusCode::MISDIRECTED_REQUEST, why).into_response()
}

/// Lets this machine in, and others if they may see debug endpoints.
pub(super) async fn debug(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    if admin.options.admin_debug_anywhere || is_from_here(&request) {
        return next.run(request).await;
    }
    let why = "only for this machine, unless the agent is started with --admin-debug-anywhere\n";
    (StatusCode::FORBIDDEN, why).into_response()
}

/// Lets this machine in, but not the web pages that somebody looks at on it.
pub(super) async fn control(request: Request, next: Next) -> Response {
    if !is_from_here(&request) {
        return (StatusCode::FORBIDDEN, "only for this machine\n").into_response();
    }
    let headers = request.headers();
    if headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site") {
        return (StatusCode::FORBIDDEN, "not for browsers\n").into_response();
    }
    next.run(request).await
}

fn is_from_here(request: &Request) -> bool {
    let peer = request.extensions().get::<Peer>();
    peer.is_some_and(|Peer(address)| address.ip().to_canonical().is_loopback())
}

fn is_agreed(headers: &HeaderMap, names: &[String]) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        // HTTP/1.0 has none, and is not what browsers speak. Two of them are nobody's.
        return !headers.contains_key(header::HOST);
    };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    address.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|agreed| name.eq_ignore_ascii_case(agreed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(hosts: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        is_agreed(&headers, &["agent.example.com".to_owned()])
    }

    #[test]
    fn addresses_localhost_and_agreed_names_are_served() {
        for host in ["127.0.0.1:15020", "10.1.2.3", "[::1]:15020", "[::1]", "localhost", "LOCALHOST:1"] {
            assert!(agreed(&[host]), "{host}");
        }
        assert!(agreed(&["Agent.example.com:15020"]));
        assert!(agreed(&[]));
    }

    #[test]
    fn other_names_are_not() {
        for host in
            ["rebound.test", "rebound.test:15020", "localhost.rebound.test", "", "127.0.0.1.rebound.test"]
        {
            assert!(!agreed(&[host]), "{host}");
        }
        assert!(!agreed(&["localhost", "rebound.test"]));
    }
}
