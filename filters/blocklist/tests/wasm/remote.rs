//! Lists that are fetched.

use std::time::Duration;

use proxy_wasm_harness::{Host, Level, Response, filter};

const SECOND: Duration = Duration::from_secs(1);

fn configuration(remote: &str) -> String {
    format!(
        r#"{{"version": 1, "reply": {{"blocked_by_uri": "https://example.com/"}}, "lists": [
            {{"name": "feed", "remote": {{"cluster": "lists", "authority": "lists.test", "path": "/egress.txt",
                "interval": "1s", "on_initial_missing": "open" {remote}}}}}]}}"#
    )
}

fn fetching(remote: &str) -> Host {
    let plugin = filter("blocklist").configuration(configuration(remote));
    Host::envoy().plugin(plugin).workers_only().cluster("lists").start()
}

fn status(host: &Host, authority: &str) -> u32 {
    let stream = host.get("/").authority(authority).send();
    if stream.is_answered() {
        stream.answered().status()
    } else {
        stream.respond(Response::ok("")).received().status()
    }
}

/// Lets time pass until the list is asked for, and answers.
fn answer(host: &Host, response: Response) {
    host.advance(SECOND * 3);
    host.callout("lists").respond_with(response);
}

fn list(text: &str) -> Response {
    Response::ok(text.to_owned())
}

#[test]
fn a_list_is_fetched_and_in_force_for_the_next_request() {
    let host = fetching("");
    assert_eq!(status(&host, "a.test"), 200);
    host.advance(SECOND);
    let call = host.callout("lists").assert_path("/egress.txt").assert_header(":authority", "lists.test");
    assert_eq!(call.timeout_ms(), 10_000);
    assert_eq!(call.request().header("if-none-match"), None);
    call.respond_with(list("# feed\n.a.test\n"));
    assert_eq!((status(&host, "x.a.test"), status(&host, "b.test")), (451, 200));
    assert_eq!(host.gauge("wasm_blocklist_entries_feed"), 1);
    assert_eq!(host.counter("wasm_blocklist_refreshes_feed_total"), 1);
    answer(&host, list("b.test\n"));
    assert_eq!((status(&host, "x.a.test"), status(&host, "b.test")), (200, 451));
    host.assert_no_findings();
}

#[test]
fn before_the_first_fetch_requests_are_answered_503_unless_it_is_said() {
    let closed = configuration("").replace("open", "closed");
    let plugin = filter("blocklist").configuration(closed);
    let host = Host::envoy().plugin(plugin).workers_only().cluster("lists").start();
    assert_eq!(status(&host, "a.test"), 503);
    answer(&host, list("b.test"));
    assert_eq!((status(&host, "a.test"), status(&host, "b.test")), (200, 451));
}

#[test]
fn an_unchanged_list_is_not_sent_again() {
    let host = fetching("");
    answer(&host, list("a.test").with_header("etag", "\"v1\""));
    host.advance(SECOND * 3);
    assert!(host.gauge("wasm_blocklist_age_feed_seconds") >= 1);
    host.callout("lists").assert_header("if-none-match", "\"v1\"").respond_with(Response::new(304));
    assert_eq!(status(&host, "a.test"), 451);
    assert_eq!(host.counter("wasm_blocklist_refreshes_feed_total"), 2);
    assert_eq!(host.counter("wasm_blocklist_refresh_errors_feed_total"), 0);
}

#[test]
fn whatever_goes_wrong_the_last_good_list_stays() {
    let good = "a.test\n";
    for (number, bad) in [
        Response::new(500).with_body("a.test"),
        Response::new(304),
        Response::new(204),
        list(&"b.test\n".repeat(200)),
        list("b.test\nhttp://c.test/\n"),
        list("<html>not a list</html>"),
        list(""),
        list("b.test\n# sha256: 0000000000000000000000000000000000000000000000000000000000000000\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let host = fetching(r#", "max_bytes": 1000"#);
        answer(&host, list(good));
        answer(&host, bad);
        assert_eq!((status(&host, "a.test"), status(&host, "b.test")), (451, 200), "{number}");
        assert_eq!(host.counter("wasm_blocklist_refresh_errors_feed_total"), 1, "{number}");
        assert_eq!(host.counter("wasm_blocklist_errors_total"), 1, "{number}");
        answer(&host, list("c.test"));
        assert_eq!((status(&host, "a.test"), status(&host, "c.test")), (200, 451), "{number}");
    }
}

#[test]
fn a_server_that_is_slow_gone_or_unknown_is_asked_again_and_told_of_once() {
    let host = fetching("");
    answer(&host, list("a.test"));
    host.advance(SECOND * 3);
    host.callout("lists").time_out();
    host.advance(SECOND * 3);
    host.callout("lists").refuse();
    host.advance(SECOND * 3);
    host.callout("lists").reset();
    assert_eq!(host.counter("wasm_blocklist_refresh_errors_feed_total"), 3);
    assert_eq!(host.logs(Level::Warn).len(), 1, "{:?}", host.logs(Level::Warn));
    assert_eq!(status(&host, "a.test"), 451);

    let plugin = filter("blocklist").configuration(configuration(""));
    let unknown = Host::envoy().plugin(plugin).workers_only().start();
    unknown.advance(SECOND * 5);
    assert!(unknown.counter("wasm_blocklist_refresh_errors_feed_total") > 1);
    assert!(unknown.logs(Level::Warn)[0].contains("cannot be called"));
    assert_eq!(unknown.traps(), [] as [String; 0]);
}

#[test]
fn one_fetch_is_under_way_at_a_time() {
    let host = fetching("");
    host.advance(SECOND * 8);
    assert_eq!(host.callouts("lists").len(), 1);
}

#[test]
fn bad_lines_are_told_by_their_numbers_and_never_by_their_text() {
    let host = fetching("");
    answer(&host, list("a.test\nsecret word\n"));
    let warned = host.logs(Level::Warn).concat();
    assert!(warned.contains("line 2: expected") && !warned.contains("secret"), "{warned}");
    let host = fetching(r#", "max_bad_lines": 1"#);
    answer(&host, list("a.test\nsecret word\n"));
    assert_eq!(status(&host, "a.test"), 451);
    assert_eq!(host.gauge("wasm_blocklist_bad_lines_feed"), 1);
}

#[test]
fn a_new_configuration_goes_on_with_the_list_that_was_fetched() {
    let host = fetching("");
    answer(&host, list("a.test").with_header("etag", "\"v1\""));
    let changed =
        configuration("").replace("\"version\": 1,", "\"version\": 1, \"sni_mismatch\": \"report\",");
    host.reconfigure("blocklist", changed).unwrap();
    assert_eq!(status(&host, "a.test"), 451);
    host.advance(SECOND * 3);
    let calls = host.callouts("lists");
    assert!(calls.iter().any(|call| call.request().header("if-none-match").as_deref() == Some("\"v1\"")));
}

#[test]
fn a_configuration_that_changes_during_a_fetch_loses_nothing() {
    let host = fetching("");
    host.advance(SECOND);
    let before = host.get("/").authority("a.test").open();
    let changed =
        configuration("").replace("\"version\": 1,", "\"version\": 1, \"sni_mismatch\": \"report\",");
    host.reconfigure("blocklist", changed).unwrap();
    for call in host.callouts("lists") {
        call.respond_with(list("a.test"));
    }
    host.advance(SECOND * 3);
    for call in host.callouts("lists") {
        call.respond_with(list("a.test"));
    }
    before.data("", true);
    assert_eq!(before.forwarded().method(), "GET");
    assert_eq!(status(&host, "a.test"), 451);
    assert_eq!(host.traps(), [] as [String; 0]);
}

#[test]
fn a_list_that_is_off_is_not_fetched() {
    let text = configuration("").replace("\"name\": \"feed\",", "\"name\": \"feed\", \"mode\": \"off\",");
    let host =
        Host::envoy().plugin(filter("blocklist").configuration(text)).workers_only().cluster("lists").start();
    host.advance(SECOND * 9);
    assert_eq!(host.asked().len(), 0);
    assert_eq!(status(&host, "a.test"), 200);
}

#[test]
fn an_allowlist_may_be_fetched() {
    let text = configuration("")
        .replace("\"version\": 1,", "\"version\": 1, \"default\": \"deny\",")
        .replace("\"name\": \"feed\",", "\"name\": \"feed\", \"action\": \"allow\",")
        .replace("open", "closed");
    let host =
        Host::envoy().plugin(filter("blocklist").configuration(text)).workers_only().cluster("lists").start();
    assert_eq!(status(&host, "a.test"), 451);
    answer(&host, list(".a.test\n"));
    assert_eq!((status(&host, "x.a.test"), status(&host, "b.test")), (200, 451));
}

#[test]
fn a_hundred_thousand_names_are_fetched_into_two_megabytes() {
    let names = super::names::names(100_000);
    let host = fetching(r#", "max_bytes": "8MiB""#);
    answer(&host, list(&names.join("\n")));
    assert_eq!(host.gauge("wasm_blocklist_entries_feed"), 100_000);
    assert_eq!(status(&host, &names[77_777]), 451);
    assert!(host.memory_bytes() <= 2_000_000, "{}", host.memory_bytes());
    let once = host.memory_bytes();
    for _ in 0..5 {
        answer(&host, list(&names.join("\n")));
    }
    assert_eq!(status(&host, &names[99_999]), 451);
    // The new one is built beside the old one.
    assert!(host.memory_bytes() <= once + 1_000_000, "{} after {once}", host.memory_bytes());
}
