use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use super::*;

fn user(name: &str) -> Credential {
    Credential::Basic { username: name.to_owned(), password: Secret::new("word".to_owned()) }
}

fn listed(auths: &str, host: &str, repository: &str) -> Credential {
    DockerConfig::parse(format!("{{\"auths\": {{{auths}}}}}").as_bytes()).unwrap().listed(host, repository)
}

fn wanted(secret: Option<&str>) -> Wanted {
    let pull_secret = secret.map(|text| Secret::new(text.to_owned()));
    Wanted { pull_secret, ..Wanted::new("oci://registry.test/team/module", "r", Duration::from_secs(5)) }
}

#[test]
fn a_key_may_be_a_host_a_url_or_a_path_and_the_longest_counts() {
    for key in [
        "registry.test:5000",
        "https://registry.test:5000",
        "http://registry.test:5000/v2/",
        "https://registry.test:5000/v1/",
        "registry.test:5000/team",
        "registry.test:5000/team/module",
        "REGISTRY.test:5000",
    ] {
        let auths = format!(r#""{key}": {{"username": "a", "password": "word"}}"#);
        assert_eq!(listed(&auths, "registry.test:5000", "team/module"), user("a"), "{key}");
    }
    let both = r#""registry.test": {"username": "a", "password": "word"},
        "registry.test/team": {"username": "b", "password": "word"}"#;
    assert_eq!(listed(both, "registry.test", "team/module"), user("b"));
    assert_eq!(listed(both, "registry.test", "teams/module"), user("a"));
    assert_eq!(listed(both, "registry.test:443", "module"), user("a"));
    for other in ["registry.test:5000", "other.test", "registry.test.evil.test"] {
        assert_eq!(listed(both, other, "team/module"), Credential::Anonymous, "{other}");
    }
}

#[test]
fn docker_hub_is_known_by_its_legacy_key() {
    for key in ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"] {
        let auths = format!(r#""{key}": {{"username": "a", "password": "word"}}"#);
        assert_eq!(listed(&auths, "index.docker.io", "library/module"), user("a"), "{key}");
    }
}

#[test]
fn an_auth_in_base64_is_a_user_and_a_password() {
    // `a:word`, with and without padding.
    for auth in ["YTp3b3Jk", " YTp3b3Jk ", "YTp3b3JkAAA="] {
        assert_eq!(listed(&format!(r#""h.test": {{"auth": "{auth}"}}"#), "h.test", "m"), user("a"), "{auth}");
    }
    let colons = r#""h.test": {"auth": "YTp3Om9yZA"}"#;
    let expected = Credential::Basic { username: "a".to_owned(), password: Secret::new("w:ord".to_owned()) };
    assert_eq!(listed(colons, "h.test", "m"), expected);
}

#[test]
fn tokens_go_before_passwords() {
    let of = |fields: &str| listed(&format!(r#""h.test": {{"auth": "YTp3b3Jk", {fields}}}"#), "h.test", "m");
    assert_eq!(of(r#""identitytoken": "t""#), Credential::Identity(Secret::new("t".to_owned())));
    assert_eq!(of(r#""registrytoken": "t""#), Credential::Registry(Secret::new("t".to_owned())));
    let named = r#""h.test": {"username": "<token>", "password": "t"}"#;
    assert_eq!(listed(named, "h.test", "m"), Credential::Identity(Secret::new("t".to_owned())));
}

#[test]
fn a_legacy_secret_is_read_too() {
    let config = DockerConfig::parse(br#"{"h.test": {"auth": "YTp3b3Jk"}}"#).unwrap();
    assert_eq!(config.listed("h.test", "m"), user("a"));
}

#[test]
fn what_is_no_configuration_is_refused_without_being_quoted() {
    for text in [
        "null",
        "[]",
        "hunter2",
        r#"{"auths": "hunter2"}"#,
        r#"{"auths": {"h.test": {"auth": "hunter2!"}}}"#,
        r#"{"auths": {"h.test": {"auth": "aHVudGVyMg=="}}}"#,
        r#"{"auths": {"h.test": {"username": ["hunter2"]}}}"#,
        "",
    ] {
        let problem = DockerConfig::parse(text.as_bytes()).unwrap_err();
        assert!(!problem.contains("hunter2"), "{problem}");
    }
    let shown =
        format!("{:?}", DockerConfig::parse(br#"{"auths": {"h.test": {"password": "hunter2"}}}"#).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// Folders and files of one test.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn places(&self, files: &[&str]) -> Places {
        Places { files: files.iter().map(|name| self.0.path().join(name)).collect() }
    }
}

const CONFIG: &str = r#"{"auths": {"registry.test": {"username": "a", "password": "word"}}}"#;

#[tokio::test]
async fn without_pull_secret_the_first_configuration_that_is_there_counts() {
    let home = Home::new();
    home.file("second", CONFIG);
    home.file("third", "{}");
    let places = home.places(&["first", "second", "third"]);
    let found = places.find(&wanted(None), None, "registry.test", "team/module").await.unwrap();
    assert_eq!(found.credential, user("a"));
    assert!(found.origin.ends_with("second"), "{}", found.origin);
    let found = home.places(&["first"]).find(&wanted(None), None, "registry.test", "m").await.unwrap();
    assert_eq!(found.credential, Credential::Anonymous);
}

#[tokio::test]
async fn a_pull_secret_goes_before_every_configuration_even_without_the_host_in_it() {
    let home = Home::new();
    home.file("config", CONFIG);
    let places = home.places(&["config"]);
    let secret = wanted(Some(r#"{"auths": {"other.test": {"auth": "YTp3b3Jk"}}}"#));
    let found = places.find(&secret, None, "registry.test", "m").await.unwrap();
    assert_eq!((found.credential, found.origin.as_str()), (Credential::Anonymous, "the pull secret"));
    let wrong = places.find(&wanted(Some("null")), None, "registry.test", "m").await.unwrap_err();
    assert!(wrong.starts_with("the pull secret: is empty"), "{wrong}");
}

#[tokio::test]
async fn a_pull_secret_runs_no_program_on_this_machine() {
    let secret = wanted(Some(r#"{"credsStore": "evil", "credHelpers": {"registry.test": "evil"}}"#));
    let places = Places { files: Vec::new() };
    // Were it run, that it is not there would be told.
    let found = places.find(&secret, None, "registry.test", "m").await.unwrap();
    assert_eq!(found.credential, Credential::Anonymous);
}

#[tokio::test]
async fn the_registry_configuration_says_where_the_credentials_of_a_host_are() {
    let home = Home::new();
    let password = home.file("password", "word\n");
    let config = home.file("config", CONFIG);
    let yaml = format!(
        "registries:
  - {{prefix: a.test, auth: {{username: a, passwordFile: {}}}}}
  - {{prefix: registry.test, auth: {{dockerConfig: {}}}}}
  - {{prefix: c.test, auth: anonymous}}",
        password.display(),
        config.display()
    );
    let registries = crate::fetch::registries::Registries::parse(&yaml).unwrap();
    let places = home.places(&[]);
    for (host, expected) in
        [("a.test", user("a")), ("registry.test", user("a")), ("c.test", Credential::Anonymous)]
    {
        let entry = registries.find(host, "m").map(|(_, entry)| entry);
        let found = places.find(&wanted(None), entry, host, "m").await.unwrap();
        assert_eq!(found.credential, expected, "{host}");
    }
}

fn script(home: &Home, text: &str) -> String {
    let path = home.file("helper", &format!("#!/bin/sh\n{text}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn helper_says(text: &str) -> Result<Credential, String> {
    let home = Home::new();
    helper::run(&script(&home, text), "registry.test").await
}

#[tokio::test]
async fn a_helper_is_asked_for_the_host_and_answers_with_user_and_secret() {
    let answer = r#"read host; [ "$1" = get ] && echo "{\"Username\": \"$host\", \"Secret\": \"word\"}""#;
    assert_eq!(helper_says(answer).await, Ok(user("registry.test")));
    let home = Home::new();
    let hub = helper::run(&script(&home, answer), "index.docker.io").await;
    assert_eq!(hub, Ok(user("https://index.docker.io/v1/")));
    let token = r#"echo '{"Username": "<token>", "Secret": "t"}'"#;
    assert_eq!(helper_says(token).await, Ok(Credential::Identity(Secret::new("t".to_owned()))));
}

#[tokio::test]
async fn a_helper_without_credentials_is_no_error_and_one_that_fails_is() {
    let none = "echo credentials not found in native keychain; exit 1";
    assert_eq!(helper_says(none).await, Ok(Credential::Anonymous));
    let failing = helper_says("echo no network; exit 3").await.unwrap_err();
    assert!(failing.contains("exit status: 3") && failing.contains("no network"), "{failing}");
    let endless =
        helper_says("while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done").await.unwrap_err();
    assert!(endless.contains("more than 262144 bytes"), "{endless}");
    assert!(helper_says("echo hunter2").await.is_err_and(|problem| !problem.contains("hunter2")));
    assert!(helper::run("/nowhere/helper", "registry.test").await.unwrap_err().contains("cannot be run"));
    assert!(helper::ask("../evil", "registry.test").await.unwrap_err().contains("expected a name"));
}

#[tokio::test]
async fn a_store_is_asked_for_what_is_not_listed() {
    let config = DockerConfig::parse(br#"{"auths": {"registry.test": {"username": "a", "password": "word"}, "s.test": {}}, "credsStore": "not-there", "credHelpers": {"h.test": "not-there-either"}}"#).unwrap();
    let of = |host: &'static str| config.find(host, "m", Path::new("config.json"));
    assert_eq!(of("registry.test").await.unwrap().credential, user("a"));
    assert!(of("s.test").await.unwrap_err().starts_with("docker-credential-not-there: cannot be run"));
    assert!(of("h.test").await.unwrap_err().starts_with("docker-credential-not-there-either: cannot be run"));
}
