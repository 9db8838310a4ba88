//! Every kind of detector, with its token cut at every byte: text, JSON and events, by HTTP/1.1 and HTTP/2, with and
//! without trailers.

use meshloom_lab::{Bootstrap, Envoy, Reply, Upstream};
use serde_json::{Value, json};

/// The kinds that have a form of their own, and those that are told what to look for.
const EVERY_KIND: &str = include_str!("../every_kind.json");

const ALL: &str = "4111-1111-1111-1111, 123-45-6789 ada@example.com 10.0.0.1 2001:db8::1 DE89370400440532013000 +14155550123 \
    eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w AKIAIOSFODNN7EXAMPLE password=hunter2 Bearer abcdef0123456789 \
    Project Falcon, ACC-12345678 -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- end";
const NONE: &str = "CARD, SSN MAIL V4 V6 IBAN PHONE JWT AWS password=* Bearer BEARER WORD, ACCT PEM end";

fn json_of(text: &str, dob: &Value, pin: &str, top: &Value) -> String {
    json!({"a": text, "dob": dob, "users": [{"pin": pin}], "top": top}).to_string()
}

/// The content-type, the body, and what is to become of it.
fn bodies() -> [(&'static str, String, String); 3] {
    let json = json_of(ALL, &json!("1815-12-10"), "1234", &json!([1, {"a": 2}]));
    let gone = json_of(NONE, &json!(""), "PATH", &json!("PATH"));
    [
        ("text/plain", ALL.to_owned(), NONE.to_owned()),
        ("application/json", json.clone(), gone.clone()),
        (
            "text/event-stream",
            format!("data: {ALL}\n\ndata: {json}\n\n"),
            format!("data: {NONE}\n\ndata: {gone}\n\n"),
        ),
    ]
}

/// How often a piece of a body was held back.
fn times_held(envoy: &Envoy) -> u64 {
    let text = envoy.prometheus();
    let line = text.lines().find(|line| line.starts_with("wasm_redaction_held_bytes_count"));
    line.and_then(|line| line.rsplit(' ').next()).map_or(0, |count| count.parse().unwrap())
}

#[test]
fn no_token_of_any_kind_comes_through_however_it_is_cut() {
    for h2_upstream in [false, true] {
        // `/body/cut`, and `t` for trailers.
        let upstream = Upstream::answering(|request| {
            let mut words = request.path.trim_start_matches('/').split('/');
            let (content_type, body, _) = bodies()[words.next().unwrap().parse::<usize>().unwrap()].clone();
            let cut: usize = words.next().unwrap().parse().unwrap();
            let reply = Reply::new(200, "").header("content-type", content_type);
            let reply = reply.chunks([body[..cut].to_owned(), body[cut..].to_owned()]);
            if words.next() == Some("t") { reply.trailer("x-end", "1") } else { reply }
        });
        let mut bootstrap = Bootstrap::filter("redaction")
            .configure("redaction", EVERY_KIND)
            .upstream(upstream.address())
            .connection_manager(|manager| {
                manager["http_protocol_options"] = json!({"enable_trailers": true})
            });
        if h2_upstream {
            bootstrap = bootstrap.http2_upstream();
        }
        let envoy = Envoy::with(bootstrap).start();
        let (mut sent, mut in_two) = (0, 0);
        for (number, (content_type, body, expected)) in bodies().iter().enumerate() {
            for cut in 1..body.len() {
                // Each way of four, in turn: every cut has one, and every eighth byte of each token all of them.
                for way in 0..4 {
                    if way != cut % 4 && cut % 8 != 0 {
                        continue;
                    }
                    let (http2, trailers) = (way & 1 == 1, way & 2 == 2);
                    let request = envoy.get(&format!("/{number}/{cut}/{}", if trailers { "t" } else { "" }));
                    let response = if http2 { request.http2() } else { request }.send();
                    assert_eq!(
                        &response.text(),
                        expected,
                        "{content_type} cut at {cut}, http2 {http2}, trailers {trailers}, upstream http2 {h2_upstream}"
                    );
                    if trailers && h2_upstream {
                        assert_eq!(response.trailers, [("x-end".to_owned(), b"1".to_vec())], "http2 {http2}");
                    }
                    sent += 1;
                    in_two += u64::from(response.parts.len() > 1);
                }
            }
        }
        // A body whose parts came apart was held after the first, or has left in two. Some may have come together.
        let apart = times_held(&envoy) + in_two;
        assert!(apart * 10 >= sent * 9, "{apart} of {sent} bodies came in two");
    }
}

#[test]
fn requests_are_cut_at_every_byte_too() {
    let config = EVERY_KIND.replacen("{", r#"{"direction": ["request"], "#, 1);
    let upstream = Upstream::ok();
    let bootstrap =
        Bootstrap::filter("redaction").configure("redaction", config).upstream(upstream.address());
    let envoy = Envoy::with(bootstrap).start();
    for cut in (1..ALL.len()).step_by(3) {
        let seen = super::raw::post_in_two(
            envoy.proxy(),
            "text/plain",
            &ALL.as_bytes()[..cut],
            &ALL.as_bytes()[cut..],
        );
        assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
        let bodies = upstream.seen();
        assert_eq!(String::from_utf8_lossy(&bodies.last().unwrap().body), NONE, "cut at {cut}");
    }
}
