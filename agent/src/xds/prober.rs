//! Asks the workload whether it is healthy, as Istio's agent does for workloads outside Kubernetes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::health::Health;
use super::options::Options;

/// Who asks.
const AGENT: &str = "meshloom-agent";

/// How the workload is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    uri: Uri,
    kind: Kind,
}

/// What is spoken to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Http,
    /// Its certificate is not verified, as the kubelet does not: it is asked whether it is well, and told nothing.
    Https,
    /// Nothing: it accepts a connection, or it does not.
    Tcp,
}

/// The text tells of no probe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no probe: expected http://HOST:PORT/PATH, https://HOST:PORT/PATH or tcp://HOST:PORT")]
pub struct NoProbe(String);

impl FromStr for Probe {
    type Err = NoProbe;

    fn from_str(text: &str) -> Result<Self, NoProbe> {
        let refused = || NoProbe(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| refused())?;
        let kind = match uri.scheme_str() {
            Some("http") => Kind::Http,
            Some("https") => Kind::Https,
            Some("tcp") if matches!(uri.path(), "" | "/") => Kind::Tcp,
            _ => return Err(refused()),
        };
        if uri.port_u16().is_some() { Ok(Self { uri, kind }) } else { Err(refused()) }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

impl Probe {
    /// Whether the workload answers: with a status from 200 to 399, or by accepting a connection.
    async fn ask(&self) -> Result<(), String> {
        let status = match self.kind {
            Kind::Tcp => return self.connect().await.map(drop),
            Kind::Http => self.get().await?,
            Kind::Https => self.get_by_tls().await?,
        };
        if (200..400).contains(&status) { Ok(()) } else { Err(format!("{self}: answered {status}")) }
    }

    async fn connect(&self) -> Result<TcpStream, String> {
        let host = self.uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = self.uri.port_u16().unwrap_or_default();
        TcpStream::connect((host, port)).await.map_err(|cause| format!("{self}: {cause}"))
    }

    /// A client for each probe: a connection that was good a while ago says nothing.
    async fn get_by_tls(&self) -> Result<u16, String> {
        let named = |cause: reqwest::Error| {
            // The library's own text names the URL once more, and leaves out the cause.
            let mut text = cause.to_string();
            let mut cause = std::error::Error::source(&cause);
            while let Some(source) = cause {
                text = source.to_string();
                cause = source.source();
            }
            format!("{self}: {text}")
        };
        let client = reqwest::Client::builder()
            .user_agent(AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tls_danger_accept_invalid_certs(true)
            .build()
            .map_err(named)?;
        let answer = client.get(self.uri.to_string()).send().await.map_err(named)?;
        Ok(answer.status().as_u16())
    }

    async fn get(&self) -> Result<u16, String> {
        let stream = self.connect().await?;
        let named = |cause: hyper::Error| format!("{self}: {cause}");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
                .await
                .map_err(named)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(connection); // aborted with the probe
        let path = self.uri.path_and_query().map_or("/", |it| it.as_str());
        let request = http::Request::get(path)
            .header(http::header::HOST, self.uri.authority().map_or("", |it| it.as_str()))
            .header(http::header::USER_AGENT, AGENT)
            .header(http::header::CONNECTION, "close")
            .body(Empty::new())
            .map_err(|cause| format!("{self}: {cause}"))?;
        Ok(sender.send_request(request).await.map_err(named)?.status().as_u16())
    }
}

/// Probes for ever, and reports changes.
pub(super) async fn run(options: &Options, probe: &Probe, health: &Health) {
    let mut verdict = Verdict::new(options.health_success_threshold, options.health_failure_threshold);
    let first = Instant::now() + options.health_initial_delay;
    let mut ticks = tokio::time::interval_at(first, options.health_period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let limit: Duration = options.health_timeout;
        let answer = tokio::time::timeout(limit, probe.ask())
            .await
            .unwrap_or_else(|_| Err(format!("{probe}: no answer within {limit:?}")));
        match verdict.hear(answer) {
            Some(Ok(())) => {
                tracing::info!(%probe, "the workload is healthy");
                health.healthy();
            }
            Some(Err(message)) => {
                tracing::warn!(%probe, "the workload is not healthy: {message}");
                health.unhealthy(message);
            }
            None => {}
        }
    }
}

/// What is believed of the workload, and how many answers in a row would change that.
#[derive(Debug)]
struct Verdict {
    healthy: Option<bool>,
    successes: u32,
    failures: u32,
    success_threshold: u32,
    failure_threshold: u32,
}

impl Verdict {
    fn new(success_threshold: u32, failure_threshold: u32) -> Self {
        Self { healthy: None, successes: 0, failures: 0, success_threshold, failure_threshold }
    }

    /// What is to be reported after this answer, if anything.
    fn hear(&mut self, answer: Result<(), String>) -> Option<Result<(), String>> {
        let (counted, other, threshold) = match answer {
            Ok(()) => (&mut self.successes, &mut self.failures, self.success_threshold),
            Err(_) => (&mut self.failures, &mut self.successes, self.failure_threshold),
        };
        *other = 0;
        *counted = counted.saturating_add(1);
        if self.healthy == Some(answer.is_ok()) || *counted < threshold {
            return None;
        }
        self.healthy = Some(answer.is_ok());
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn heard(verdict: &mut Verdict, answers: &str) -> String {
        let answer = |it| if it == '+' { Ok(()) } else { Err("down".to_owned()) };
        let report = |it: Option<Result<(), String>>| it.map_or('.', |it| if it.is_ok() { 'H' } else { 'U' });
        answers.chars().map(|it| report(verdict.hear(answer(it)))).collect()
    }

    #[test]
    fn only_changes_are_reported_and_each_after_as_many_answers_in_a_row_as_it_takes() {
        assert_eq!(heard(&mut Verdict::new(1, 1), "++--+-"), "H.U.HU");
        assert_eq!(heard(&mut Verdict::new(2, 3), "+-++--+---+-++"), "...H.....U...H");
    }

    #[test]
    fn what_is_no_probe_is_refused() {
        for text in
            ["", "http://", "http://a/ready", "https://a/", "ftp://a:1/", "tcp://a", "tcp://a:1/path", "a:1"]
        {
            assert!(text.parse::<Probe>().is_err(), "{text}");
        }
        for text in
            ["http://127.0.0.1:8080/ready?a=b", "http://[::1]:1/", "https://a:1/", "tcp://localhost:1"]
        {
            assert!(text.parse::<Probe>().is_ok(), "{text}");
        }
    }

    /// Answers one connection with that text, and says what it was asked.
    async fn answering(text: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 1000];
            let length = stream.read(&mut asked).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        (port, served)
    }

    #[tokio::test]
    async fn an_http_probe_goes_by_the_status() {
        for (status, healthy) in [("200 OK", true), ("302 Found", true), ("404 No", false), ("503 No", false)]
        {
            let text = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").leak();
            let (port, served) = answering(text).await;
            let probe: Probe = format!("http://127.0.0.1:{port}/ready?x=1").parse().unwrap();
            let answer = probe.ask().await;
            assert_eq!(answer.is_ok(), healthy, "{status}: {answer:?}");
            let asked = served.await.unwrap();
            assert!(asked.starts_with("GET /ready?x=1 HTTP/1.1\r\n"), "{asked}");
            assert!(asked.contains(&format!("host: 127.0.0.1:{port}")), "{asked}");
        }
    }

    /// As [`answering`], by TLS with a certificate that nobody trusts.
    async fn answering_by_tls(text: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
        _ = rustls::crypto::ring::default_provider().install_default();
        let made = rcgen::generate_simple_self_signed(vec!["workload.test".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut asked = vec![0; 1000];
            let length = stream.read(&mut asked).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        (port, served)
    }

    #[tokio::test]
    async fn an_https_probe_goes_by_the_status_whoever_signed_the_certificate() {
        for (status, healthy) in [("200 OK", true), ("302 Found", true), ("500 No", false)] {
            let text =
                format!("HTTP/1.1 {status}\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n").leak();
            let (port, served) = answering_by_tls(text).await;
            let probe: Probe = format!("https://127.0.0.1:{port}/ready?x=1").parse().unwrap();
            let answer = probe.ask().await;
            assert_eq!(answer.is_ok(), healthy, "{status}: {answer:?}");
            let asked = served.await.unwrap();
            assert!(asked.starts_with("GET /ready?x=1 HTTP/1.1\r\n"), "{asked}");
        }
    }

    #[tokio::test]
    async fn an_https_probe_of_what_speaks_no_tls_fails_and_says_why() {
        _ = rustls::crypto::ring::default_provider().install_default();
        let (port, _served) = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let probe: Probe = format!("https://127.0.0.1:{port}/").parse().unwrap();
        let told = probe.ask().await.unwrap_err();
        assert!(told.starts_with(&format!("https://127.0.0.1:{port}/: ")), "{told}");
    }

    #[tokio::test]
    async fn a_tcp_probe_goes_by_the_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let probe: Probe = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
        assert_eq!(probe.ask().await, Ok(()));
        drop(listener);
        assert!(probe.ask().await.unwrap_err().contains("refused"));
    }
}
