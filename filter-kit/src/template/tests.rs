use proptest::prelude::*;

use super::*;
use crate::testing::Given;

fn rendered(template: &str, given: &Given) -> Result<String, Unrendered> {
    let mut out = b"before ".to_vec();
    let outcome = Template::parse(template).unwrap().render(given, 100, &mut out);
    let text = String::from_utf8_lossy(&out).into_owned();
    if outcome.is_err() {
        assert_eq!(text, "before ");
    }
    outcome.map(|()| text.strip_prefix("before ").unwrap().to_owned())
}

fn request() -> Given {
    Given::request("GET", "/a/b?x=1&empty=&bare&x=2&q=%20#f?x=3")
        .header("x-user", b"ann")
        .header("x-many", b"1")
        .header("x-many", b"2")
        .header("x-empty", b"")
        .header("cookie", b"a=1; b=\"2\"")
        .header("cookie", b"c=3=3;d=")
        .header(":authority", b"Example.COM.:80")
        .attribute("xds\0route_name", b"main")
        .attribute("request\0size", &7_i64.to_le_bytes())
        .attribute("response\0size", b"odd")
        .attribute("connection\0mtls", &[1])
        .attribute("metadata\0a.b\0c", b"dotted")
}

#[test]
fn each_source_gives_its_part() {
    for (template, expected) in [
        ("", ""),
        ("plain", "plain"),
        ("$$5 $${x}", "$5 ${x}"),
        ("${header:X-User}", "ann"),
        ("<${header:x-many}>", "<1>"),
        ("${headers:x-many}", "1,2"),
        ("${header:x-empty}", ""),
        ("${headers:x-empty}", ""),
        ("${query:x} ${query:empty} ${query:bare} ${query:q}", "1   %20"),
        ("${cookie:a} ${cookie:b} ${cookie:c} ${cookie:d}", "1 \"2\" 3=3 "),
        ("${method} ${path_no_query} ${authority} ${host}", "GET /a/b Example.COM.:80 example.com"),
        ("${path}", "/a/b?x=1&empty=&bare&x=2&q=%20#f?x=3"),
        ("${prop:xds.route_name} ${prop:request.size} ${prop:connection.mtls}", "main 7 true"),
        (r"${prop:metadata.a\.b.c}", "dotted"),
        ("${now_ms}", "1700000000000"),
        ("${uuid}", "00010203-0405-4607-8809-0a0b0c0d0e0f"),
        ("${header:x-none}${default:some body}", "some body"),
        ("${header:x-none}${default:}", ""),
        ("${header:x-empty}${default:other}", ""),
        ("${header:x-user}${default:other}", "ann"),
    ] {
        assert_eq!(rendered(template, &request()).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn a_source_that_is_missing_is_not_an_empty_one() {
    for template in [
        "a ${header:x-none}",
        "${headers:x-none}",
        "${query:none}",
        "${query:X}",
        "${cookie:none}",
        "${prop:none}",
        "${prop:response.size}",
        "${status}",
        "${response_header:x-user}",
        "${header:x-user}${default:a} ${header:x-none}",
    ] {
        assert_eq!(rendered(template, &request()), Err(Unrendered::Missing), "{template}");
    }
    let connect = Given::default().header(":authority", b"a b");
    for template in ["${path}", "${path_no_query}", "${query:a}", "${method}", "${host}"] {
        assert_eq!(rendered(template, &connect), Err(Unrendered::Missing), "{template}");
    }
}

#[test]
fn a_value_beyond_its_bound_is_none() {
    let of = |length: usize| rendered("${header:x}", &Given::default().header("x", &vec![b'v'; length]));
    assert_eq!(of(100).map(|value| value.len()), Ok(100));
    assert_eq!(of(101), Err(Unrendered::TooLong));
}

#[test]
fn bytes_that_are_no_text_stay_as_they_are() {
    let mut out = Vec::new();
    let given = Given::default().header("x", b"caf\xe9\r\n");
    Template::parse("${header:x}").unwrap().render(&given, 10, &mut out).unwrap();
    assert_eq!(out, b"caf\xe9\r\n");
}

#[test]
fn what_is_no_template_is_refused() {
    for (wrong, hint) in [
        ("$", "dollar sign"),
        ("$x", "dollar sign"),
        ("${path", "closing brace"),
        ("${}", "source that is known"),
        ("${user}", "source that is known"),
        ("${header}", "source that is known"),
        ("${path:x}", "source that is known"),
        ("${header::path}", "name of a header"),
        ("${header:}", "name of a header"),
        ("${query:a=b}", "query parameter"),
        ("${cookie:}", "query parameter"),
        ("${prop:}", "attribute's path"),
        ("${prop:a..b}", "attribute's path"),
        (r"${prop:a\b}", "dot within a part"),
        ("${default:x}", "right behind"),
        ("${path} ${default:x}", "right behind"),
        ("${path}${default:x}${default:y}", "right behind"),
    ] {
        let expected = Template::parse(wrong).expect_err(wrong);
        assert!(expected.contains(hint), "{wrong}: {expected}");
    }
    assert!(Template::parse(&"a".repeat(MAX_TEMPLATE + 1)).is_err());
}

#[test]
fn what_a_template_needs_is_known_before_it_is_used() {
    let needs = |template: &str| Template::parse(template).unwrap().needs_response();
    assert!(needs("${header:x}${status}") && needs("${response_headers:x}"));
    assert!(!needs("${header:x} ${path}${default:y} text"));
}

proptest! {
    #[test]
    fn no_text_is_too_odd(typed in "[$}{:.a-z\\\\]{0,40}|(\\$\\{(header|prop|query|default|path|uuid):?[a-z.]{0,3}\\}|[$a]){0,6}") {
        if let Ok(template) = Template::parse(&typed) {
            let mut out = Vec::new();
            let outcome = template.render(&request(), 30, &mut out);
            prop_assert!(out.len() <= 30 && (outcome.is_ok() || out.is_empty()));
        }
    }

    #[test]
    fn text_with_its_dollar_signs_doubled_is_itself(text in "\\PC{0,60}") {
        let doubled = text.replace('$', "$$");
        let template = Template::parse(&doubled).unwrap();
        prop_assert_eq!(template.literal(), Some(text.as_bytes()));
    }

    #[test]
    fn any_query_and_cookie_can_be_searched(bytes in proptest::collection::vec(0u8.., 0..60)) {
        let _ = (source::query(&bytes, "a"), source::cookie(&bytes, "a"));
    }
}
