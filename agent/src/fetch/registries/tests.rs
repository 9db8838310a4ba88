use super::*;

fn problems(yaml: &str) -> Vec<String> {
    Registries::parse(yaml).unwrap_err().0
}

#[test]
fn all_problems_are_told_at_once_by_their_places() {
    let yaml = "
registries:
  - prefix: https://registry.example.com
    mirror: [a]
    mirrorsOnly: true
  - mirrors: [7, 'user@host']
    ca: /nowhere/ca.pem
    clientKey: /nowhere/key
    plainHttp: maybe
  - text
  - prefix: b.example.com
    auth: { credentialHelper: ../evil, username: me }
    proxy: socks5://user:hunter2@example.com
    requestsPerSecond: 0
    concurrentDownloads: -1
  - prefix: b.example.com
  - prefix: c.example.com
    plainHttp: true
    skipVerify: true
    auth: secret
more: 1
";
    let expected = [
        "registries[0].prefix: \"https://registry.example.com\": expected a host",
        "registries[0].mirrorsOnly: there are no mirrors",
        "registries[0]: unknown field \"mirror\", expected one of prefix, location, mirrors",
        "registries[1].prefix: missing",
        "registries[1].mirrors[0]: expected text, found 7",
        "registries[1].mirrors[0]: \"user@host\": expected a host",
        "registries[1].ca: /nowhere/ca.pem: cannot be read",
        "registries[1].clientCertificate: missing",
        "registries[1].plainHttp: expected true or false, found text",
        "registries[2]: expected a mapping, found text",
        "registries[3].auth.credentialHelper: expected what follows",
        "registries[3].auth: username and passwordFile belong together",
        "registries[3].proxy: expected direct, or a URL",
        "registries[3].requestsPerSecond: expected a number above 0",
        "registries[3].concurrentDownloads: expected a whole number",
        "registries[4].prefix: b.example.com is the prefix of registries[3] too",
        "registries[5].plainHttp: certificates mean nothing without TLS",
        "registries[5].auth: expected a mapping, found text",
        "unknown field \"more\"",
    ];
    let found = problems(yaml);
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}, not {expected}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    assert!(
        found.iter().all(|problem| !problem.contains("hunter2") && !problem.contains("secret")),
        "{found:#?}"
    );
}

#[test]
fn what_is_no_yaml_is_refused_and_an_empty_file_is_not() {
    assert_eq!(problems("registries: [").len(), 1);
    assert_eq!(problems("registries: {}"), ["registries: expected a list, found a mapping"]);
    assert_eq!(problems("[]"), ["the file: expected a mapping, found a list"]);
    assert!(Registries::parse("").is_ok() && Registries::parse("registries:").is_ok());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let problems = Registries::read(Path::new("/nowhere/registries.yaml")).unwrap_err().to_string();
    assert!(problems.starts_with("/nowhere/registries.yaml: cannot be read"), "{problems}");
}

#[test]
fn the_longest_prefix_that_ends_where_a_name_ends_counts() {
    let yaml = "
registries:
  - prefix: Registry.example.com
  - prefix: registry.example.com/team
  - prefix: registry.example.com:5000
  - prefix: index.docker.io
";
    let registries = Registries::parse(yaml).unwrap();
    let of = |host: &str, path: &str| registries.find(host, path).map(|(index, _)| index);
    assert_eq!(of("registry.example.com", "module"), Some(0));
    assert_eq!(of("registry.example.com", "team/module"), Some(1));
    assert_eq!(of("registry.example.com", "/team"), Some(1));
    assert_eq!(of("registry.example.com", "teams/module"), Some(0));
    assert_eq!(of("registry.example.com:5000", "team/module"), Some(2));
    assert_eq!(of("registry.example.com:50", "team/module"), None);
    assert_eq!(of("docker.io", "library/module"), Some(3));
    assert_eq!(of("example.com", "module"), None);
}
