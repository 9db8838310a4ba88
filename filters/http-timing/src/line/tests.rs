use filter_kit::testing::Given;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::flags::Flags;

fn log(json: &str) -> Log {
    filter_kit::config::read(json.as_bytes(), Log::read).unwrap().unwrap()
}

fn written(given: &Given, json: &str, exchange: Exchange) -> String {
    line(given, &log(json), Direction::Inbound, &exchange, 1_767_225_600_123)
}

#[test]
fn a_line_has_all_that_is_known() {
    let given = Given::request("GET", "/a/bcdef?token=1")
        .header(":authority", b"shop.test")
        .header("x-request-id", b"abc-1")
        .header("x-tenant", b"acme");
    let exchange = Exchange {
        code: 503,
        duration: Some(12_000_000),
        ttfb: Some(3_000_000),
        upstream: Some(2_000_000),
        request_bytes: Some(70),
        response_bytes: Some(900),
        flags: Flags(1 << 5 | 1 << 15),
        grpc: Some(14),
        ..Exchange::default()
    };
    assert_eq!(
        written(&given, r#"{"enabled": true, "max_path": 4, "headers": ["x-tenant", "x-none"]}"#, exchange),
        concat!(
            r#"{"ts":"2026-01-01T00:00:00.123Z","direction":"inbound","method":"GET","path":"/a/b","#,
            r#""authority":"shop.test","code":503,"class":"5xx","flags":"UF,URX","duration_ms":12,"ttfb_ms":3,"#,
            r#""upstream_ms":2,"request_bytes":70,"response_bytes":900,"grpc_status":14,"request_id":"abc-1","#,
            r#""headers":{"x-tenant":"acme","x-none":null}}"#
        )
    );
}

#[test]
fn what_is_not_known_is_null() {
    assert_eq!(
        written(&Given::default(), r#"{"enabled": true}"#, Exchange::default()),
        concat!(
            r#"{"ts":"2026-01-01T00:00:00.123Z","direction":"inbound","method":null,"path":null,"authority":null,"#,
            r#""code":0,"class":null,"flags":"","duration_ms":null,"ttfb_ms":null,"upstream_ms":null,"#,
            r#""request_bytes":null,"response_bytes":null,"grpc_status":null,"request_id":null,"headers":{}}"#
        )
    );
}

#[test]
fn the_query_is_there_only_where_it_is_asked_for() {
    let given = Given::request("GET", "/a?b=1");
    let path = |json: &str| {
        let value: Value = serde_json::from_str(&written(&given, json, Exchange::default())).unwrap();
        value["path"].clone()
    };
    assert_eq!(path(r#"{"enabled": true}"#), "/a");
    assert_eq!(path(r#"{"enabled": true, "query": true}"#), "/a?b=1");
}

#[test]
fn a_path_of_64_kib_is_cut() {
    let long = format!("/{}", "\u{e9}\"".repeat(1 << 15));
    let json =
        written(&Given::request("GET", &long), r#"{"enabled": true, "max_path": 4096}"#, Exchange::default());
    let value: Value = serde_json::from_str(&json).unwrap();
    let path = value["path"].as_str().unwrap();
    assert!(long.starts_with(path) && (4094..=4096).contains(&path.len()), "{} bytes", path.len());
}

proptest! {
    #[test]
    fn any_bytes_make_one_line_with_the_same_members(
        texts in proptest::collection::vec(proptest::collection::vec(0u8.., 0..300), 5),
        numbers in proptest::collection::vec(any::<u64>(), 3),
        grpc in any::<i64>(),
        max_path in 1_usize..4096,
    ) {
        let mut given = Given::default();
        for (name, value) in [":method", ":path", ":authority", "x-request-id", "x-tenant"].iter().zip(&texts) {
            given = given.header(name, value);
        }
        let exchange = Exchange {
            code: numbers[0] % 1000,
            duration: Some(numbers[1]),
            flags: Flags(numbers[2]),
            grpc: Some(grpc),
            ..Exchange::default()
        };
        let config = format!(r#"{{"enabled": true, "max_path": {max_path}, "headers": ["x-tenant"]}}"#);
        let json = written(&given, &config, exchange);
        prop_assert!(json.chars().all(|character| !character.is_control()), "{}", json);
        let value: Value = serde_json::from_str(&json).unwrap();
        let members: Vec<&String> = value.as_object().unwrap().keys().collect();
        prop_assert_eq!(members.len(), 16);
        prop_assert!(value["headers"]["x-tenant"].is_string());
    }
}
