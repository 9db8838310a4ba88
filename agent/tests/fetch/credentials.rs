//! Registries that want credentials: passwords, tokens, certificates.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use meshloom_agent::Reason;
use meshloom_agent::fetch::FetchOptions;

use super::image::*;
use super::pulling::*;
use super::server::{Authority, Body, Reply, Server};

/// A registry that wants a user and a password, and its repository.
async fn with_password() -> Server {
    let repository = Repository::new().twisted(|asked| {
        (asked.header("authorization") != Some("Basic YTp3b3Jk"))
            .then(|| Reply::status(401).with("www-authenticate", "Basic realm=\"Registry Realm\""))
    });
    repository.image("v1", &[(ISTIO, MODULE)]);
    repository.serve().await
}

#[tokio::test]
async fn a_registry_with_passwords_is_told_the_pull_secrets() {
    let server = with_password().await;
    let network = network(options());
    let mut wanted = wanted(url(&server, ":v1"));
    wanted.pull_secret = secret(&server.host(), r#""username": "a", "password": "word""#);
    assert_eq!(module(&network, &wanted).await, MODULE);
    wanted.pull_secret = secret(&format!("https://{}/team", server.host()), r#""auth": "YTp3b3Jk""#);
    assert_eq!(module(&network, &wanted).await, MODULE);

    wanted.pull_secret = secret(&server.host(), r#""username": "a", "password": "hunter2""#);
    let refused = refusal(&network, &wanted).await;
    assert_eq!(refused.reason, Reason::Denied);
    assert!(
        refused.message.ends_with("401 Unauthorized to the credentials from the pull secret"),
        "{refused}"
    );

    wanted.pull_secret = secret("other.test", r#""username": "a", "password": "hunter2""#);
    let refused = refusal(&network, &wanted).await;
    assert!(
        refused.message.ends_with("wants credentials (basic), and there are none for it in the pull secret"),
        "{refused}"
    );
    wanted.pull_secret = None;
    let refused = refusal(&network, &wanted).await;
    assert!(refused.message.ends_with("in neither a pull secret nor a Docker configuration"), "{refused}");
    assert_eq!(refused.reason, Reason::Denied);
}

#[tokio::test]
async fn without_pull_secret_the_docker_configuration_is_used() {
    let server = with_password().await;
    let folder = tempfile::tempdir().unwrap();
    let config = format!(r#"{{"auths": {{"{}": {{"auth": "YTp3b3Jk"}}}}}}"#, server.host());
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    let options = FetchOptions { docker_config: Some(folder.path().into()), ..options() };
    assert_eq!(module(&network(options), &wanted(url(&server, ":v1"))).await, MODULE);
}

/// A registry whose tokens are given under `/token` of its own host; `grant` says whether to, and for how long.
async fn with_tokens(
    grant: impl Fn(&super::server::Asked, usize) -> Option<Reply> + Send + Sync + 'static,
) -> Server {
    let host = Arc::new(std::sync::OnceLock::<String>::new());
    let (given, realm) = (AtomicUsize::new(0), host.clone());
    let repository = Repository::new().twisted(move |asked| {
        if asked.path() == "/token" {
            return grant(asked, given.fetch_add(1, Ordering::SeqCst) + 1);
        }
        let valid = format!("Bearer t{}", given.load(Ordering::SeqCst));
        (asked.header("authorization") != Some(&valid)).then(|| {
            let challenge = format!("Bearer realm=\"http://{}/token\",service=\"s&x\"", realm.get().unwrap());
            Reply::status(401).with("www-authenticate", challenge)
        })
    });
    repository.image("v1", &[(ISTIO, MODULE)]);
    let server = repository.serve().await;
    host.set(server.host()).unwrap();
    server
}

fn token(number: usize) -> Option<Reply> {
    Some(Reply::ok(format!("{{\"token\": \"t{number}\", \"expires_in\": 300}}")))
}

#[tokio::test]
async fn a_token_is_got_without_credentials_for_a_public_repository() {
    let server = with_tokens(|asked, number| {
        assert_eq!(asked.target, "/token?service=s%26x&scope=repository%3Ateam%2Fmodule%3Apull");
        assert_eq!(asked.header("authorization"), None);
        token(number)
    })
    .await;
    assert_eq!(module(&network(options()), &wanted(url(&server, ":v1"))).await, MODULE);
}

#[tokio::test]
async fn a_token_is_got_with_a_password_and_with_an_identity_token() {
    let server = with_tokens(|asked, number| match asked.header("authorization") {
        Some("Basic YTp3b3Jk") => token(number),
        _ => Some(Reply::status(401)),
    })
    .await;
    let mut by_password = wanted(url(&server, ":v1"));
    by_password.pull_secret = secret(&server.host(), r#""username": "a", "password": "word""#);
    assert_eq!(module(&network(options()), &by_password).await, MODULE);
    by_password.pull_secret = secret(&server.host(), r#""username": "a", "password": "hunter2""#);
    let refused = refusal(&network(options()), &by_password).await;
    assert_eq!(refused.reason, Reason::Denied);
    assert!(
        refused.message.contains("answers 401 Unauthorized to credentials from the pull secret"),
        "{refused}"
    );
    assert!(!refused.message.contains("hunter2"), "{refused}");

    let server = with_tokens(|asked, number| {
        assert_eq!(asked.method, "POST");
        let form: Vec<(String, String)> =
            url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
        let of = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!((of("grant_type"), of("refresh_token")), (Some("refresh_token"), Some("i&d")));
        assert_eq!((of("service"), of("scope")), (Some("s&x"), Some("repository:team/module:pull")));
        Some(Reply::ok(format!("{{\"access_token\": \"t{number}\"}}")))
    })
    .await;
    let mut by_identity = wanted(url(&server, ":v1"));
    by_identity.pull_secret = secret(&server.host(), r#""identitytoken": "i&d""#);
    assert_eq!(module(&network(options()), &by_identity).await, MODULE);
}

#[tokio::test]
async fn a_registry_token_is_sent_as_it_is() {
    let server = with_tokens(|_, _| panic!("nobody has to be asked for it")).await;
    let mut wanted = wanted(url(&server, ":v1"));
    wanted.pull_secret = secret(&server.host(), r#""registrytoken": "t0""#);
    assert_eq!(module(&network(options()), &wanted).await, MODULE);
}

#[tokio::test]
async fn a_token_that_is_over_is_replaced() {
    // Each is good until the next request for one; those of the manifest are of no use for the layer.
    let repository = Repository::new();
    repository.image("v1", &[(ISTIO, MODULE)]);
    let (child, host) = (repository.clone(), Arc::new(std::sync::OnceLock::<String>::new()));
    let (given, realm) = (AtomicUsize::new(0), host.clone());
    let server = Server::plain(move |asked| {
        if asked.path() == "/token" {
            return Reply::ok(format!(
                "{{\"token\": \"t{}\", \"expires_in\": 1}}",
                given.fetch_add(1, Ordering::SeqCst)
            ));
        }
        // The first token is refused already where it is new.
        match asked.header("authorization") {
            Some(sent) if sent != "Bearer t0" => child.reply(asked),
            _ => Reply::status(401)
                .with("www-authenticate", format!("Bearer realm=\"http://{}/token\"", realm.get().unwrap())),
        }
    })
    .await;
    host.set(server.host()).unwrap();
    let mut wanted = wanted(url(&server, ":v1"));
    wanted.pull_secret = secret(&server.host(), r#""username": "a", "password": "word""#);
    assert_eq!(module(&network(options()), &wanted).await, MODULE);
}

#[tokio::test]
async fn a_token_server_that_answers_nonsense_is_refused_without_quoting_it() {
    for answer in [
        || Reply::ok("hunter2"),
        || Reply::ok(r#"{"token": ""}"#),
        || Reply::ok(format!(r#"{{"token": "{}"}}"#, "h".repeat(300 << 10))),
        || Reply::ok(r#"{"token": "hunter2\n"}"#),
    ] {
        let server = with_tokens(move |_, _| Some(answer())).await;
        let refused = refusal(&network(options()), &wanted(url(&server, ":v1"))).await;
        assert!(matches!(refused.reason, Reason::Denied | Reason::TooLarge), "{refused}");
        assert!(!refused.message.contains("hunter2"), "{refused}");
    }
}

#[tokio::test]
async fn a_registry_does_not_send_its_clients_to_another_port_of_this_machine_unless_it_is_listed() {
    let tokens = Server::plain(|_| Reply::ok(r#"{"token": "t1"}"#)).await;
    let realm = tokens.url("/token");
    let repository = Repository::new().twisted(move |asked| {
        (asked.header("authorization") != Some("Bearer t1"))
            .then(|| Reply::status(401).with("www-authenticate", format!("Bearer realm=\"{realm}\"")))
    });
    repository.image("v1", &[(ISTIO, MODULE)]);
    let server = repository.serve().await;
    let wanted = wanted(url(&server, ":v1"));
    let refused = refusal(&network(options()), &wanted).await;
    assert!(refused.message.contains("rejected unsafe bearer realm"), "{refused}");
    assert_eq!((refused.reason, tokens.connections()), (Reason::Blocked, 0));
    let yaml = format!("registries: [{{prefix: '{}', tokenServers: ['{}']}}]", server.host(), tokens.host());
    assert_eq!(module(&network_with(options(), &yaml), &wanted).await, MODULE);
}

#[tokio::test]
async fn a_proxy_in_a_private_network_leads_to_the_token_servers_of_the_internet() {
    let repository = Repository::new().twisted(|asked| match asked.path() {
        "/token" => Some(Reply::ok(r#"{"token": "t1"}"#)),
        _ => (asked.header("authorization") != Some("Bearer t1"))
            .then(|| Reply::status(401).with("www-authenticate", "Bearer realm=\"http://auth.test/token\"")),
    });
    repository.image("v1", &[(ISTIO, MODULE)]);
    let proxy = Server::plain(move |asked| {
        let target = asked.target.replace("http://registry.test", "").replace("http://auth.test", "");
        repository.reply(&super::server::Asked { target, ..asked.clone() })
    })
    .await;
    let by_name = format!("http://localhost:{}", proxy.address().port());
    let network = network_with(
        FetchOptions { http_proxy: Some(by_name), ..options() },
        "registries: [{prefix: registry.test, plainHttp: true}]",
    );
    assert_eq!(module(&network, &wanted("oci://registry.test/team/module:v1")).await, MODULE);
    assert!(proxy.asked().iter().any(|asked| asked.target.starts_with("http://auth.test/token?")));
}

#[tokio::test]
async fn credentials_stay_with_the_host_that_they_are_for() {
    let storage = Server::plain(|_| Reply::ok(MODULE)).await;
    let to = storage.url("/signed?by=hunter2");
    let repository = Repository::new().twisted(move |asked| {
        if asked.header("authorization") != Some("Basic YTp3b3Jk") {
            return Some(Reply::status(401).with("www-authenticate", "Basic realm=\"r\""));
        }
        asked.path().contains("/blobs/").then(|| Reply::redirect(to.clone()))
    });
    repository.image("v1", &[(ISTIO, MODULE)]);
    let server = repository.serve().await;
    let mut wanted = wanted(url(&server, ":v1"));
    wanted.pull_secret = secret(&server.host(), r#""auth": "YTp3b3Jk""#);
    assert_eq!(module(&network(options()), &wanted).await, MODULE);
    assert_eq!(storage.asked()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_registry_that_may_not_be_called_in_clear_is_not() {
    // By its name it is not this machine, and the way to it is through a proxy.
    let repository = Repository::new();
    repository.image("v1", &[(ISTIO, MODULE)]);
    let server = repository.serve().await;
    let to = server.address();
    let child = repository.clone();
    let proxy = Server::plain(move |asked| match asked.method.as_str() {
        "CONNECT" => Reply::new(200, Body::Tunnel(to)),
        _ => child.reply(&super::server::Asked {
            target: asked.target.replace("http://registry.test", ""),
            ..asked.clone()
        }),
    })
    .await;
    let options = |insecure: &[&str]| FetchOptions {
        http_proxy: Some(proxy.url("")),
        https_proxy: Some(proxy.url("")),
        insecure: insecure.iter().map(|host| (*host).to_owned()).collect(),
        attempts: 1,
        ..options()
    };
    let mut wanted = wanted("oci://registry.test/team/module:v1");
    wanted.pull_secret = secret("registry.test", r#""auth": "YTp3b3Jk""#);
    let refused = refusal(&network(options(&[])), &wanted).await;
    assert_eq!(refused.reason, Reason::Unreachable, "{refused}");
    assert!(
        proxy
            .asked()
            .iter()
            .all(|asked| asked.method == "CONNECT" && asked.header("authorization").is_none())
    );
    for insecure in ["registry.test", "*"] {
        assert_eq!(module(&network(options(&[insecure])), &wanted).await, MODULE);
    }
    let yaml = "registries: [{prefix: registry.test, plainHttp: true}]";
    let before = proxy.asked().iter().filter(|asked| asked.method == "CONNECT").count();
    assert_eq!(module(&network_with(options(&[]), yaml), &wanted).await, MODULE);
    let after = proxy.asked().iter().filter(|asked| asked.method == "CONNECT").count();
    assert_eq!(before, after, "what is known to be plain is not tried with TLS");
}

#[tokio::test]
async fn a_registry_with_a_certificate_of_its_own_is_known_by_the_configuration() {
    let authority = Authority::new();
    let repository = Repository::new();
    repository.image("v1", &[(ISTIO, MODULE)]);
    let server = repository.serve_tls(&authority).await;
    let wanted = wanted(url(&server, ":v1"));
    let refused = refusal(&network(options()), &wanted).await;
    assert!(refused.message.ends_with("x509: certificate signed by unknown authority"), "{refused}");
    let yaml =
        format!("registries: [{{prefix: '{}/team', ca: {}}}]", server.host(), authority.file("ca.pem"));
    assert_eq!(module(&network_with(options(), &yaml), &wanted).await, MODULE);
    // What is asked first is whether credentials are wanted, which is no path of the repository.
    let mut known = wanted.clone();
    known.pull_secret = secret(&server.host(), r#""auth": "YTp3b3Jk""#);
    assert_eq!(module(&network_with(options(), &yaml), &known).await, MODULE);
    let all = FetchOptions { insecure: vec!["*".to_owned()], ..options() };
    assert_eq!(module(&network(all), &wanted).await, MODULE);
}
