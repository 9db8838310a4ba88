//! What stands on the wire: hosts that no client library would send, tunnels, TLS, and where requests go.

use std::process::Command;

use meshloom_lab::{Bootstrap, Discovery, Envoy, Upstream, answering_once};
use serde_json::{Value, json};

use super::{becomes, configured};

/// An Envoy that forwards all hosts but these.
fn denying(upstream: &Upstream, entries: &[&str]) -> Bootstrap {
    let lists = json!([{"name": "a", "entries": entries}]);
    configured(upstream, &json!({"version": 1, "lists": lists, "reply": {"status": 403, "body": "listed\n"}}))
}

/// The answer to `GET target` with these hosts: its status, and its body.
fn get(envoy: &Envoy, target: &str, hosts: &[&[u8]]) -> (u16, String) {
    let mut request = format!("GET {target} HTTP/1.1\r\nconnection: close\r\n").into_bytes();
    for host in hosts {
        request.extend([b"host: ", *host, b"\r\n"].concat());
    }
    answer(&envoy.raw([&request[..], b"\r\n"].concat()))
}

fn answer(raw: &str) -> (u16, String) {
    let (head, body) = raw.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {raw}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn hosts_that_no_library_would_send_are_judged_too() {
    let upstream = Upstream::ok();
    let envoy = Envoy::with(denying(&upstream, &[".a.test", "10.0.0.0/8", "127.0.0.0/8"])).start();
    for (target, hosts, status, body) in [
        ("/", &[&b"b.test"[..]][..], 200, "hello\n"),
        // Envoy joins them by a comma, which no host has in it.
        ("/", &[b"b.test", b"a.test"], 400, "malformed host\n"),
        ("/", &[b"a.test", b"b.test"], 400, "malformed host\n"),
        // Absolute form: its host counts, whatever the header says (RFC 9112, section 3.2.2).
        ("http://x.a.test/", &[b"b.test"], 403, "listed\n"),
        ("http://b.test/", &[b"x.a.test"], 200, "hello\n"),
        ("/", &[b"0x7f.1"], 403, "listed\n"),
        ("/", &[b"2130706433"], 403, "listed\n"),
        ("/", &[b"[::ffff:10.0.0.1]:80"], 403, "listed\n"),
        ("/", &[b"user@b.test"], 400, "malformed host\n"),
        ("/", &[b""], 400, "missing host\n"),
        // It is Envoy that answers these, and the filter never hears of them.
        ("/", &[b"caf\xe9.test"], 400, "Bad Request"),
        ("/", &[], 400, ""),
    ] {
        let shown: Vec<_> = hosts.iter().map(|host| host.escape_ascii().to_string()).collect();
        assert_eq!(get(&envoy, target, hosts), (status, body.to_owned()), "{target} {shown:?}");
    }
    assert_eq!(envoy.stat("wasm_blocklist_malformed_host_total"), 3);
    assert_eq!(envoy.stat("wasm_blocklist_missing_host_total"), 1);
    assert_eq!(envoy.stat("wasm_blocklist_denied_total"), 8);
    assert_eq!(upstream.seen().len(), 2);
}

#[test]
fn a_request_of_http_1_0_needs_no_host_to_be_answered() {
    let upstream = Upstream::ok();
    for (default, expected) in
        [(None, (400, "")), (Some("x.a.test"), (403, "listed\n")), (Some("b.test"), (200, "hello\n"))]
    {
        let bootstrap = denying(&upstream, &[".a.test"]).connection_manager(|manager| {
            manager["http_protocol_options"] = json!({"accept_http_10": true});
            if let Some(default) = default {
                manager["http_protocol_options"]["default_host_for_http_10"] = default.into();
            }
        });
        let envoy = Envoy::with(bootstrap).start();
        let answered = answer(&envoy.raw("GET / HTTP/1.0\r\n\r\n"));
        assert_eq!(answered, (expected.0, expected.1.to_owned()), "{default:?}");
    }
}

#[test]
fn an_upgrade_to_a_websocket_is_judged_like_any_request() {
    let (address, served) = answering_once(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello",
    );
    let unused = Upstream::ok();
    let bootstrap = denying(&unused, &[".a.test"])
        .upstream(address)
        .connection_manager(|manager| manager["upgrade_configs"] = json!([{"upgrade_type": "websocket"}]));
    let envoy = Envoy::with(bootstrap).start();
    let upgrade = |host: &str| {
        format!(
            "GET / HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    };
    let denied = envoy.raw_head(upgrade("x.a.test"));
    assert!(denied.starts_with("HTTP/1.1 403 "), "{denied}");
    let passed = envoy.raw(upgrade("b.test"));
    assert!(passed.starts_with("HTTP/1.1 101 ") && passed.ends_with("hello"), "{passed}");
    assert!(served.join().unwrap().contains("host: b.test\r\n"));
    assert_eq!(envoy.stat("wasm_blocklist_denied_total"), 1);
}

#[test]
fn a_forwarded_host_is_held_to_the_lists_if_it_is_said() {
    let upstream = Upstream::ok();
    for (also, status) in [(json!(["x-forwarded-host"]), 403), (json!([]), 200)] {
        let json = json!({"version": 1, "also_check": also, "reply": {"status": 403},
            "lists": [{"name": "a", "entries": [".a.test"]}]});
        let envoy = Envoy::with(configured(&upstream, &json)).start();
        let ask = |forwarded: &[&str]| {
            let request = envoy.get("/").header("host", "b.test");
            let request =
                forwarded.iter().fold(request, |request, host| request.header("x-forwarded-host", host));
            request.send().status
        };
        assert_eq!(ask(&["c.test, x.A.test:80"]), status);
        assert_eq!(ask(&["c.test", "x.a.test"]), status);
        assert_eq!(ask(&["c.test"]), 200);
    }
}

#[test]
fn it_stands_behind_a_filter_of_envoys_that_decides_who_may_ask() {
    let upstream = Upstream::ok();
    let bootstrap = denying(&upstream, &[".a.test"]).connection_manager(|manager| {
        let rbac = json!({
            "name": "envoy.filters.http.rbac",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
                "rules": {"action": "DENY", "policies": {"guests": {
                    "permissions": [{"any": true}],
                    "principals": [{"header": {"name": "x-who", "string_match": {"exact": "guest"}}}],
                }}},
            },
        });
        manager["http_filters"].as_array_mut().unwrap().insert(0, rbac);
    });
    let envoy = Envoy::with(bootstrap).start();
    let ask = |who: &str, host: &str| {
        let response = envoy.get("/").header("x-who", who).header("host", host).send();
        (response.status, response.text())
    };
    assert_eq!(ask("guest", "a.test"), (403, "RBAC: access denied".to_owned()));
    assert_eq!(ask("guest", "b.test"), (403, "RBAC: access denied".to_owned()));
    assert_eq!(ask("member", "a.test"), (403, "listed\n".to_owned()));
    assert_eq!(ask("member", "b.test"), (200, "hello\n".to_owned()));
    // What was answered in front of it is nothing that it checked.
    envoy.wait_for_stat("wasm_blocklist_checked_total", 2);
    assert_eq!(envoy.stat("wasm_blocklist_denied_total"), 1);
}

#[test]
fn a_list_is_for_those_whose_attributes_match_whatever_their_type() {
    let upstream = Upstream::ok();
    let (pass, deny) = (200, 403);
    for (attribute, comparison, status) in [
        ("xds.node.metadata.LABELS.app", json!({"exact": "shop"}), deny),
        ("xds.node.metadata.LABELS.app", json!({"exact": "cart"}), pass),
        ("xds.node.metadata.LABELS.app\\.kubernetes\\.io/name", json!({"exact": "shop"}), deny),
        ("connection.mtls", json!({"exact": "false"}), deny),
        ("connection.mtls", json!({"exact": "true"}), pass),
        ("source.address", json!({"prefix": "127.0.0.1:"}), deny),
    ] {
        let mut source = comparison;
        source["attribute"] = attribute.into();
        let json = json!({"version": 1, "reply": {"status": 403},
            "lists": [{"name": "a", "entries": ["a.test"], "sources": [source]}]});
        let bootstrap = configured(&upstream, &json).edit(|tree| {
            let labels = json!({"app": "shop", "app.kubernetes.io/name": "shop"});
            tree["node"] = json!({"id": "me", "cluster": "us", "metadata": {"LABELS": labels}});
        });
        let envoy = Envoy::with(bootstrap).start();
        assert_eq!(envoy.get("/").header("host", "a.test").send().status, status, "{attribute}");
    }
    // Its port is known once Envoy listens.
    let lists = |sources: [Value; 2]| {
        let [here, there] = sources;
        json!({"version": 1, "reply": {"status": 403}, "lists": [
            {"name": "here", "entries": ["here.test"], "sources": [here]},
            {"name": "there", "entries": ["there.test"], "sources": [there]}]})
    };
    let port = |port: u16| json!({"attribute": "destination.port", "exact": port.to_string()});
    let (bootstrap, mut discovery) =
        Discovery::of(configured(&upstream, &lists([port(1), port(1)])), "blocklist");
    discovery.configure(lists([port(1), port(1)]));
    let envoy = Envoy::with(bootstrap).start();
    assert_eq!(envoy.get("/").header("host", "here.test").send().status, pass);
    let here = envoy.proxy().port();
    discovery.configure(lists([port(here), port(here - 1)]));
    becomes(&envoy, "here.test", deny);
    assert_eq!(envoy.get("/").header("host", "there.test").send().status, pass);
}

#[test]
fn a_tunnel_is_judged_by_its_host_and_port() {
    let upstream = Upstream::ok();
    let json = json!({"version": 1, "default": "deny", "reply": {"status": 403},
        "lists": [{"name": "ok", "action": "allow", "entries": [".a.test:443"]}]});
    let bootstrap = configured(&upstream, &json).connection_manager(|manager| {
        manager["upgrade_configs"] = json!([{"upgrade_type": "CONNECT"}]);
        manager["route_config"]["virtual_hosts"][0]["routes"] = json!([{
            "match": {"connect_matcher": {}},
            "route": {"cluster": "httpbin", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]},
        }]);
    });
    let envoy = Envoy::with(bootstrap).start();
    let connect = |to: &str| envoy.raw_head(format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n\r\n"));
    assert!(connect("x.a.test:443").contains(" 200 "), "{}", connect("x.a.test:443"));
    assert!(connect("x.a.test:22").contains(" 403 "));
    assert!(connect("b.test:443").contains(" 403 "));
}

#[test]
fn a_name_that_leads_to_a_listed_address_is_reset_or_reported() {
    let upstream = Upstream::ok();
    for (consequence, passes) in [("reset", false), ("report", true)] {
        let json = json!({"version": 1, "check_upstream_ip": consequence, "reply": {"status": 403},
            "lists": [{"name": "inside", "presets": ["private_ips"]}]});
        let envoy = Envoy::with(configured(&upstream, &json)).start();
        let answer = envoy.get("/").header("host", "b.test").try_send();
        match passes {
            true => assert_eq!(answer.unwrap().text(), "hello\n"),
            // The response was here; nothing of it goes on.
            false => assert!(answer.is_err() || !answer.unwrap().text().contains("hello")),
        }
        let (denied, reported) = if passes { (0, 1) } else { (1, 0) };
        assert_eq!(envoy.stat("wasm_blocklist_denied_inside_total"), denied, "{consequence}");
        assert_eq!(envoy.stat("wasm_blocklist_reported_inside_total"), reported, "{consequence}");
        assert_eq!(envoy.get("/").header("host", "10.0.0.1").send().status, 403, "{consequence}");
    }
}

#[test]
fn a_request_for_another_host_than_the_server_name_is_answered_421() {
    let upstream = Upstream::ok();
    let key = rcgen::generate_simple_self_signed(vec!["b.test".to_owned()]).unwrap();
    let json = json!({"version": 1, "sni_mismatch": "deny", "also_check": ["sni"], "reply": {"status": 403},
        "lists": [{"name": "a", "entries": ["a.test"]}]});
    let bootstrap: Bootstrap = configured(&upstream, &json).edit(|tree| {
        tree["static_resources"]["listeners"][0]["filter_chains"][0]["transport_socket"] = json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {"tls_certificates": [{
                    "certificate_chain": {"inline_string": key.cert.pem()},
                    "private_key": {"inline_string": key.signing_key.serialize_pem()}}]},
            },
        });
        // Where the server name is read even without TLS of its own.
        tree["static_resources"]["listeners"][0]["listener_filters"] = json!([{
            "name": "envoy.filters.listener.tls_inspector",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"}}]);
    });
    let envoy = Envoy::with(bootstrap).start();
    let port = envoy.proxy().port();
    let ask = |server_name: &str, host: &str| {
        let output = Command::new("curl")
            .args(["-s", "-k", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "10"])
            .args(["--resolve", &format!("{server_name}:{port}:127.0.0.1"), "-H", &format!("host: {host}")])
            .arg(format!("https://{server_name}:{port}/"))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(ask("b.test", "B.test:443"), "200");
    assert_eq!(ask("b.test", "c.test"), "421");
    assert_eq!(ask("a.test", "c.test"), "403");
    assert_eq!(envoy.stat("wasm_blocklist_sni_mismatch_total"), 2);
}
