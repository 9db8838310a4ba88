//! The CNCF distribution registry: one of a test's own, with its storage in a temporary folder.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use meshloom_agent::Sha256;
use reqwest::{Certificate, Client, Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;

use crate::server::Authority;
use crate::tokens::{ISSUER, Issuer, SERVICE};

/// How long a registry may take to listen, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);
/// `a` and `word`, as `htpasswd -B` writes them.
const PASSWORDS: &str = "a:$2b$05$abcdefghijklmnopqrstuuQDoL5Sa/TtfS/XN4AY/jgq.HBbO1BTu\n";

/// Who may push and pull.
pub(crate) enum Access<'a> {
    Free,
    /// User `a` with password `word`.
    Password,
    Tokens {
        realm: String,
        issuer: &'a Issuer,
    },
}

pub(crate) struct Registry {
    program: PathBuf,
    process: Child,
    port: u16,
    host: String,
    folder: TempDir,
    client: Client,
    scheme: &'static str,
    authorization: Option<String>,
}

impl Registry {
    /// Nothing, if there is no registry here to test with.
    pub(crate) async fn start(access: Access<'_>, tls: Option<&Authority>) -> Option<Self> {
        let Some(program) = std::env::var_os("REGISTRY_BIN").filter(|program| !program.is_empty()) else {
            // Not by a macro, whose text is shown only of tests that fail.
            let told = "SKIPPED: no pull from a real registry was tested, because REGISTRY_BIN names none";
            std::io::stderr().write_all(format!("{told}\n").as_bytes()).unwrap();
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let root = folder.path().join("blobs");
        let mut config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root:?}}}}}\n\
             http:\n  addr: \"127.0.0.1:{port}\"\n"
        );
        if let Some(authority) = tls {
            let (certificate, key) = (authority.file("server.pem"), authority.file("server.key"));
            config.push_str(&format!("  tls: {{certificate: {certificate:?}, key: {key:?}}}\n"));
        }
        let authorization = match access {
            Access::Free => None,
            Access::Password => {
                let path = folder.path().join("htpasswd");
                std::fs::write(&path, PASSWORDS).unwrap();
                config.push_str(&format!("auth: {{htpasswd: {{realm: Registry Realm, path: {path:?}}}}}\n"));
                Some("Basic YTp3b3Jk".to_owned())
            }
            Access::Tokens { realm, issuer } => {
                let path = folder.path().join("issuer.pem");
                std::fs::write(&path, issuer.certificate()).unwrap();
                config.push_str(&format!(
                    "auth: {{token: {{realm: {realm:?}, service: {SERVICE}, issuer: {ISSUER}, rootcertbundle: {path:?}}}}}\n"
                ));
                Some(format!("Bearer {}", issuer.token(&["pull", "push"])))
            }
        };
        std::fs::write(folder.path().join("config.yml"), config).unwrap();
        // The library has none by itself.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder().no_proxy();
        if let Some(authority) = tls {
            let pem = std::fs::read(authority.file("ca.pem")).unwrap();
            client = client.tls_certs_only([Certificate::from_pem(&pem).unwrap()]);
        }
        let mut registry = Self {
            process: run(program.as_ref(), &folder),
            program: program.into(),
            port,
            host: format!("127.0.0.1:{port}"),
            folder,
            client: client.build().unwrap(),
            scheme: if tls.is_some() { "https" } else { "http" },
            authorization,
        };
        registry.wait().await;
        Some(registry)
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The module's, with a tag or a digest.
    pub(crate) fn url(&self, reference: &str) -> String {
        format!("oci://{}/team/module{reference}", self.host)
    }

    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        }
    }

    /// Pushes a blob.
    pub(crate) async fn blob(&self, content: &[u8]) -> Sha256 {
        let digest = Sha256::of(content);
        let begin = format!("{}://{}/v2/team/module/blobs/uploads/", self.scheme, self.host);
        let begun = self.request(Method::POST, &begin).send().await.unwrap();
        assert_eq!(begun.status(), 202, "{}", begun.text().await.unwrap());
        let location =
            reqwest::Url::parse(&begin).unwrap().join(begun.headers()["location"].to_str().unwrap());
        let mut location = location.unwrap();
        location.query_pairs_mut().append_pair("digest", &format!("sha256:{digest}"));
        let put = self.request(Method::PUT, location.as_str()).body(content.to_vec()).send().await.unwrap();
        assert_eq!(put.status(), 201, "{}", put.text().await.unwrap());
        digest
    }

    /// Pushes a manifest under a tag.
    pub(crate) async fn manifest(&self, tag: &str, manifest: &Value) -> Sha256 {
        let url = format!("{}://{}/v2/team/module/manifests/{tag}", self.scheme, self.host);
        let put =
            self.request(Method::PUT, &url).header("content-type", manifest["mediaType"].as_str().unwrap());
        let put = put.body(manifest.to_string()).send().await.unwrap();
        assert_eq!(put.status(), 201, "{}", put.text().await.unwrap());
        Sha256::of(manifest.to_string().as_bytes())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it without a farewell.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again, with what it has.
    pub(crate) async fn again(&mut self) {
        self.process = run(&self.program, &self.folder);
        self.wait().await;
    }

    async fn wait(&mut self) {
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the registry ended with {status}: {}", log());
            }
            assert!(begin.elapsed() < PATIENCE, "the registry does not listen after {PATIENCE:?}: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn run(program: &std::path::Path, folder: &TempDir) -> Child {
    Command::new(program)
        .arg("serve")
        .arg(folder.path().join("config.yml"))
        // Version 3 would send traces to a collector, which is not there.
        .env("OTEL_TRACES_EXPORTER", "none")
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
        .spawn()
        .unwrap()
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
