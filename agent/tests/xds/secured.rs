//! Whom the agent trusts, and what it shows of itself.

use super::*;

/// An authority with a folder for what it signs.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root-cert.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// A certificate for that name and its key, until that year.
    fn sign(&self, name: &str, until: i32) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        (parameters.signed_by(&key, &self.issuer).unwrap(), key)
    }

    async fn control_plane(&self, name: &str) -> ControlPlane {
        let (certificate, key) = self.sign(name, 4000);
        ControlPlane::start_with_tls(Tls {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            client_ca: Some(self.issuer.pem()),
        })
        .await
    }

    /// Puts the agent's certificate and key where it looks for them.
    fn provide(&self, certificate: &str, key: &str) -> String {
        std::fs::write(self.folder.path().join("cert-chain.pem"), certificate).unwrap();
        std::fs::write(self.folder.path().join("key.pem"), key).unwrap();
        format!("--prov-cert={}", self.folder.path().display())
    }

    fn root(&self) -> String {
        format!("--xds-root-ca={}", self.folder.path().join("root-cert.pem").display())
    }
}

fn at(host: &str, control_plane: &ControlPlane) -> String {
    format!("--discovery-address={host}:{}", control_plane.address().port())
}

/// The stream that arrives at the control plane, or how Envoy's ends.
async fn opened(agent: &Agent, control_plane: &mut ControlPlane) -> Result<control_plane::Stream, Status> {
    let envoy = Envoy::connect(&agent.address).await.sotw().await;
    envoy.send(&first(CDS));
    tokio::select! {
        stream = control_plane.stream() => Ok(stream),
        end = envoy.end() => Err(end),
    }
}

#[tokio::test]
async fn the_control_plane_s_certificate_has_to_have_the_name_that_is_asked_for() {
    let authority = Authority::new();
    for (certified, host, san, accepted) in [
        ("127.0.0.1", "127.0.0.1", None, true),
        ("istiod.example.com", "127.0.0.1", None, false),
        ("istiod.example.com", "127.0.0.1", Some("istiod.example.com"), true),
        ("istiod.istio-system.svc", "localhost", None, true),
        ("localhost", "localhost", None, false),
        ("localhost", "localhost", Some("localhost"), true),
    ] {
        let mut control_plane = authority.control_plane(certified).await;
        let (address, root) = (at(host, &control_plane), authority.root());
        let san = san.map(|name| format!("--istiod-san={name}"));
        let options: Vec<&str> =
            [Some(address.as_str()), Some(&root), san.as_deref()].into_iter().flatten().collect();
        let agent = Agent::start(&options).await;
        let opened = opened(&agent, &mut control_plane).await;
        assert_eq!(opened.is_ok(), accepted, "{certified} {host} {san:?}: {:?}", opened.err());
    }
}

#[tokio::test]
async fn a_control_plane_of_another_authority_is_refused_by_what_is_wrong() {
    let mut control_plane = Authority::new().control_plane("127.0.0.1").await;
    let (address, root) = (at("127.0.0.1", &control_plane), Authority::new().root());
    // The folder of the authority is gone by now, and with it the file.
    let agent = Agent::start(&[&address, &root]).await;
    let end = opened(&agent, &mut control_plane).await.err().unwrap();
    assert_eq!(end.code(), Code::Unavailable);
    assert!(
        end.message().contains("root CA file for XDS") && end.message().contains("No such file"),
        "{end}"
    );
    let other = Authority::new();
    let agent = Agent::start(&[&address, &other.root()]).await;
    let end = opened(&agent, &mut control_plane).await.err().unwrap();
    assert!(end.message().contains("invalid peer certificate"), "{end}");
    std::fs::write(other.folder.path().join("root-cert.pem"), "no certificate").unwrap();
    let end = opened(&agent, &mut control_plane).await.err().unwrap();
    assert!(end.message().contains("0 certificates"), "{end}");
}

#[tokio::test]
async fn the_agent_s_certificate_is_shown_and_a_renewed_one_at_the_next_stream() {
    let authority = Authority::new();
    let mut control_plane = authority.control_plane("127.0.0.1").await;
    let address = at("127.0.0.1", &control_plane);
    let (certificate, key) = authority.sign("agent", 4000);
    let provided = authority.provide(&certificate.pem(), &key.serialize_pem());
    let agent = Agent::start(&[&address, &provided]).await;
    let stream = opened(&agent, &mut control_plane).await.unwrap();
    assert_eq!(stream.certificate.as_deref(), Some(certificate.der().as_ref()));
    let (renewed, key) = authority.sign("agent", 4000);
    authority.provide(&renewed.pem(), &key.serialize_pem());
    let stream = opened(&agent, &mut control_plane).await.unwrap();
    assert_eq!(stream.certificate.as_deref(), Some(renewed.der().as_ref()));
}

#[tokio::test]
async fn a_certificate_that_has_expired_or_cannot_be_read_is_not_shown() {
    let authority = Authority::new();
    let mut control_plane = authority.control_plane("127.0.0.1").await;
    let address = at("127.0.0.1", &control_plane);
    let (certificate, key) = authority.sign("agent", 4000);
    let (expired, expired_key) = authority.sign("agent", 2021);
    for (certificate, key) in [
        (expired.pem(), expired_key.serialize_pem()),
        (certificate.pem(), "no key".to_owned()),
        (certificate.pem(), expired_key.serialize_pem()),
        ("no certificate".to_owned(), key.serialize_pem()),
    ] {
        let provided = authority.provide(&certificate, &key);
        let agent = Agent::start(&[&address, &provided]).await;
        let stream = opened(&agent, &mut control_plane).await.unwrap();
        assert_eq!(stream.certificate, None);
    }
}

#[tokio::test]
async fn token_cluster_and_the_headers_of_the_environment_are_sent_with_each_stream() {
    let authority = Authority::new();
    let mut control_plane = authority.control_plane("127.0.0.1").await;
    let token = authority.folder.path().join("token");
    let (address, root) = (at("127.0.0.1", &control_plane), authority.root());
    let file = format!("--xds-token-file={}", token.display());
    let agent = Agent::start(&[&address, &root, &file, "--cluster-id=Kubernetes"]).await;
    for (written, sent) in [("first\n", Some("Bearer first")), ("second", Some("Bearer second")), ("", None)]
    {
        std::fs::write(&token, written).unwrap();
        let stream = opened(&agent, &mut control_plane).await.unwrap();
        assert_eq!(stream.metadata.get("authorization").map(|value| value.to_str().unwrap()), sent);
        assert_eq!(stream.metadata.get("clusterid").unwrap(), "Kubernetes");
        assert_eq!(stream.metadata.get("x-tenant").unwrap(), "acme");
    }
    std::fs::write(&token, "two\nlines").unwrap();
    let end = opened(&agent, &mut control_plane).await.err().unwrap();
    assert!(end.code() == Code::Unauthenticated && !end.message().contains("lines"), "{end}");
}

#[tokio::test]
async fn a_control_plane_that_speaks_no_tls_is_given_up_in_time() {
    // Accepts, and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = Authority::new();
    let address = format!("--discovery-address={}", silent.local_addr().unwrap());
    let agent = Agent::start(&[&address, &authority.root(), "--xds-connect-timeout=100ms"]).await;
    let envoy = Envoy::connect(&agent.address).await.sotw().await;
    envoy.send(&first(CDS));
    let end = envoy.end().await;
    assert_eq!(end.code(), Code::Unavailable, "{end}");
}

#[tokio::test]
async fn options_that_cannot_work_are_refused_before_the_socket_is_bound() {
    let refused = Agent::try_start(&["--discovery-address=a:1", "--pilot-cert-provider=none"]).await;
    assert!(refused.err().unwrap().to_string().contains("XDS_ROOT_CA"));
}
