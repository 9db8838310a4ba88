//! The headers that Envoy keeps in a slot of their own (`INLINE_*_HEADERS` in envoy/http/header_map.h, and those
//! that its extensions register): adding to one that is there joins the values.

use std::sync::LazyLock;

const INLINE: &[&str] = &[
    ":authority",
    ":method",
    ":path",
    ":protocol",
    ":scheme",
    ":status",
    "accept",
    "accept-encoding",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "grpc-accept-encoding",
    "grpc-message",
    "grpc-status",
    "grpc-timeout",
    "keep-alive",
    "location",
    "origin",
    "proxy-connection",
    "proxy-status",
    "referer",
    "server",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "x-client-trace-id",
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-force-trace",
    "x-envoy-internal",
    "x-envoy-max-retries",
    "x-envoy-original-path",
    "x-envoy-retry-on",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-service-time",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-request-id",
];

/// By their length: every header that is added is looked up.
static BY_LENGTH: LazyLock<Vec<Vec<&[u8]>>> = LazyLock::new(|| {
    let longest = INLINE.iter().map(|name| name.len()).max().unwrap_or_default();
    let of_length =
        |length| INLINE.iter().map(|name| name.as_bytes()).filter(|name| name.len() == length).collect();
    (0..=longest).map(of_length).collect()
});

pub(super) fn is_inline(name: &[u8]) -> bool {
    BY_LENGTH.get(name.len()).is_some_and(|names| names.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_list_is_found_and_no_other() {
        assert!(INLINE.is_sorted());
        assert!(INLINE.iter().all(|name| is_inline(name.as_bytes())));
        assert!(!is_inline(b"") && !is_inline(&[b'a'; 1000]));
        assert!(is_inline(b"via") && is_inline(b":path") && !is_inline(b"x-other"));
    }
}
