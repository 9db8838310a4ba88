//! An HTTP server that does what it is told, however wrong that is.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query, or whatever else stood there.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
}

/// What is answered.
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

pub(crate) enum Body {
    /// With its length.
    Whole(Vec<u8>),
    /// Without its length: it ends when the connection does.
    Unmeasured(Vec<u8>),
    /// With another length than it has.
    Claiming(usize, Vec<u8>),
    /// Then nothing more comes, and the connection stays.
    Stalls(Vec<u8>),
    /// A byte at a time, so long apart.
    Drips(Vec<u8>, Duration),
    /// So many zeros after what is first.
    Zeros(Vec<u8>, u64),
    /// Not even a status, until so much later.
    Late(Vec<u8>, Duration),
    /// Not even a status.
    Silence,
    /// A header as long as this.
    HugeHeader(usize),
    /// What CONNECT asks for.
    Tunnel(SocketAddr),
}

impl Reply {
    pub(crate) fn new(status: u16, body: Body) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, Body::Whole(body.into()))
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::new(status, Body::Whole(Vec::new()))
    }

    pub(crate) fn redirect(to: impl Into<String>) -> Self {
        Self::status(302).with("location", to)
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    async fn write<S: AsyncRead + AsyncWrite + Unpin>(mut self, mut stream: S) -> std::io::Result<()> {
        if let Body::Late(body, wait) = self.body {
            tokio::time::sleep(wait).await;
            self.body = Body::Whole(body);
        }
        let length = match &self.body {
            Body::Whole(body) => Some(body.len() as u64),
            Body::Claiming(length, _) => Some(*length as u64),
            Body::Stalls(body) => Some(body.len() as u64 + 1000),
            Body::Drips(body, _) => Some(body.len() as u64),
            Body::Zeros(first, zeros) => Some(first.len() as u64 + zeros),
            Body::Unmeasured(_) | Body::Tunnel(_) | Body::HugeHeader(_) | Body::Late(..) => None,
            Body::Silence => return std::future::pending().await,
        };
        let mut head = format!("HTTP/1.1 {} said\r\nconnection: close\r\n", self.status);
        for (name, value) in self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(length) = length {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        if let Body::HugeHeader(length) = self.body {
            head.push_str(&format!("x-huge: {}\r\n", "h".repeat(length)));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await?;
        match self.body {
            Body::Whole(body) | Body::Unmeasured(body) | Body::Claiming(_, body) => {
                stream.write_all(&body).await?
            }
            Body::Stalls(body) => {
                stream.write_all(&body).await?;
                stream.flush().await?;
                std::future::pending::<()>().await;
            }
            Body::Drips(body, apart) => {
                for byte in body {
                    stream.write_all(&[byte]).await?;
                    stream.flush().await?;
                    tokio::time::sleep(apart).await;
                }
            }
            Body::Zeros(first, zeros) => {
                stream.write_all(&first).await?;
                let chunk = vec![0; 64 << 10];
                let mut left = usize::try_from(zeros).unwrap();
                while left > 0 {
                    let some = left.min(chunk.len());
                    stream.write_all(&chunk[..some]).await?;
                    left -= some;
                }
            }
            Body::Tunnel(to) => {
                let mut upstream = TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut stream, &mut upstream).await?;
            }
            Body::Silence | Body::HugeHeader(_) | Body::Late(..) => {}
        }
        stream.shutdown().await
    }
}

type Handler = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// A server of one test's own, gone with it.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn plain(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start("127.0.0.1:0", None, handler).await
    }

    pub(crate) async fn tls(
        authority: &Authority,
        handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start("127.0.0.1:0", Some(authority.server(false)), handler).await
    }

    pub(crate) async fn start(
        at: &str,
        tls: Option<TlsAcceptor>,
        handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (log, count) = (asked.clone(), connections.clone());
        let handler: Handler = Arc::new(handler);
        let task = tokio::spawn(async move {
            let mut serving = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (tls, log, handler) = (tls.clone(), log.clone(), handler.clone());
                serving.spawn(async move {
                    // Clients may go at any time; what they did is seen in what they asked.
                    match tls {
                        None => serve(stream, log, handler).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, log, handler).await,
                            Err(_) => Ok(()),
                        },
                    }
                });
            }
        });
        Self { address, scheme, asked, connections, task }
    }

    /// Host and port.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Connections so far, those included on which nothing was asked.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    log: Arc<Mutex<Vec<Asked>>>,
    handler: Handler,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
        // TLS, where none is spoken: as servers of Go answer.
        if head == [0x16] {
            stream
                .write_all(
                    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n",
                )
                .await?;
            return stream.shutdown().await;
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let (method, target) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut asked = Asked { method, target, headers, body: String::new() };
    let length = asked.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    asked.body = String::from_utf8(body).unwrap();
    log.lock().unwrap().push(asked.clone());
    handler(&asked).write(stream).await
}

/// A certificate authority of one test's own.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        let authority = Self { issuer, folder };
        let (certificate, key) = authority.issue("client.test");
        std::fs::write(authority.folder.path().join("client.pem"), certificate.pem()).unwrap();
        std::fs::write(authority.folder.path().join("client.key"), key.serialize_pem()).unwrap();
        let (certificate, key) = authority.issue("127.0.0.1");
        std::fs::write(authority.folder.path().join("server.pem"), certificate.pem()).unwrap();
        std::fs::write(authority.folder.path().join("server.key"), key.serialize_pem()).unwrap();
        authority
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut names = vec![name.to_owned()];
        if name == "127.0.0.1" {
            names.extend(["localhost".to_owned(), "registry.test".to_owned()]);
        }
        (CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A file of it: `ca.pem`, `client.pem`, `client.key`, `server.pem` or `server.key`.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A server at 127.0.0.1 that may ask its clients for certificates.
    pub(crate) fn server(&self, asks: bool) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (certificate, key) = self.issue("127.0.0.1");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            config.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            config.with_no_client_auth()
        };
        let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}
