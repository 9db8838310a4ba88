//! Lists of a hundred thousand names, and of a million: what they take, in numbers that are the same everywhere.

use proxy_wasm_harness::{Host, budget, filter};

use super::names::{configuration, names};

/// Bytes of memory in one VM, and fuel of its configuration.
fn configured(count: usize) -> (Vec<String>, Host) {
    let names = names(count);
    let plugin = filter("blocklist").configuration(configuration(&names));
    let host =
        Host::envoy().plugin(plugin).workers_only().without_transcript().fuel_limit(20_000_000_000).start();
    (names, host)
}

fn finds_each_and_no_other(names: &[String], host: &Host) {
    for name in names.iter().step_by(names.len() / 50) {
        for authority in [name.clone(), format!("a.b.{name}:8443")] {
            assert_eq!(host.get("/").authority(&authority).send().answered().status(), 451, "{authority}");
        }
        let other = format!("x{name}");
        assert_eq!(host.get("/").authority(&other).send().forwarded().method(), "GET", "{other}");
    }
    assert_eq!(host.gauge("wasm_blocklist_entries_feed"), names.len() as u64);
}

#[test]
fn a_hundred_thousand_names_take_less_than_one_and_a_half_megabytes() {
    let (names, host) = configured(100_000);
    budget!("a_hundred_thousand_names").assert(&host.costs());
    finds_each_and_no_other(&names, &host);
    assert!(host.memory_bytes() <= 1_500_000, "{}", host.memory_bytes());
    let lookup = host.get("/").authority("a.b.c.d.e.allowed.example").send();
    budget!("a_host_of_seven_labels_in_a_hundred_thousand_names").assert(&lookup.costs());
}

#[test]
fn a_million_names_take_less_than_twelve_megabytes_from_first_to_last() {
    let (names, host) = configured(1_000_000);
    budget!("a_million_names").assert(&host.costs());
    finds_each_and_no_other(&names, &host);
    // The most that it ever was: memory of a VM never shrinks.
    assert!(host.memory_bytes() <= 12_000_000, "{}", host.memory_bytes());
    let lookup = host.get("/").authority("a.b.c.d.e.allowed.example").send();
    budget!("a_host_of_seven_labels_in_a_million_names").assert(&lookup.costs());
}

#[test]
fn more_than_allowed_are_refused_and_never_kept() {
    let json = configuration(&names(100_000)).replace("\"max_entries\":2000000", "\"max_entries\":99999");
    filter("blocklist").refuses(json).assert_says("found 100000 entries, expected at most 99999");
}

#[test]
fn doubles_are_kept_once() {
    let name = vec!["a.test".to_owned(); 100_000];
    let host = Host::envoy().plugin(filter("blocklist").configuration(configuration(&name))).start();
    assert_eq!(host.get("/").authority("a.test").send().answered().status(), 451);
}
