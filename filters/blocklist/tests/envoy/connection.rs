//! What stands on the wire: hosts that no client library would send, tunnels, TLS, and where requests go.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use meshloom_lab::{Bootstrap, Envoy, Upstream};
use serde_json::json;

use super::configured;

/// Sends bytes, and answers the status line of what comes back.
fn raw(envoy: &Envoy, request: &str) -> String {
    let mut stream = TcpStream::connect(envoy.proxy()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    line
}

#[test]
fn hosts_that_no_library_would_send_are_judged_too() {
    let upstream = Upstream::ok();
    let json = json!({"version": 1, "lists": [{"name": "a", "entries": [".a.test", "10.0.0.0/8", "127.0.0.0/8"]}], "reply": {"status": 403}});
    let envoy = Envoy::with(configured(&upstream, &json)).start();
    let get = |target: &str, hosts: &[&str]| {
        let hosts: String = hosts.iter().map(|host| format!("host: {host}\r\n")).collect();
        raw(&envoy, &format!("GET {target} HTTP/1.1\r\n{hosts}connection: close\r\n\r\n"))
    };
    for (target, hosts, status) in [
        ("/", &["b.test"][..], "200"),
        ("/", &["b.test", "a.test"], "400"),
        ("/", &["a.test", "b.test"], "400"),
        // Absolute form: its host counts, whatever the header says (RFC 9112, section 3.2.2).
        ("http://x.a.test/", &["b.test"], "403"),
        ("http://b.test/", &["x.a.test"], "200"),
        ("/", &["0x7f.1"], "403"),
        ("/", &["2130706433"], "403"),
        ("/", &["[::ffff:10.0.0.1]:80"], "403"),
        ("/", &["user@b.test"], "400"),
        ("/", &[""], "400"),
        ("/", &[], "400"),
    ] {
        let answer = get(target, hosts);
        assert!(answer.contains(&format!(" {status} ")), "{target} {hosts:?}: {answer}");
    }
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
    let connect = |to: &str| raw(&envoy, &format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n\r\n"));
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
