//! The admin server on a socket, with resources of every state on its board.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Parser as _;
use meshloom_agent::admin::{self, Admin, AdminOptions, Inventory, Stored};
use meshloom_agent::status::{Board, Metrics, ResourceState, Serving, Standing};
use meshloom_agent::{Reason, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A name that would like to be markup.
pub(crate) const HOSTILE: &str = "<script>document.title='owned'</script>\"'&\u{202e}";

/// A server, and what it shows.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) board: Arc<Board>,
    pub(crate) quit: CancellationToken,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: tokio::task::JoinHandle<()>,
}

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    options: AdminOptions,
}

pub(crate) fn options(arguments: &[&str]) -> AdminOptions {
    Arguments::parse_from(std::iter::once("test").chain(arguments.iter().copied())).options
}

/// A resource that was sent 75 seconds ago.
pub(crate) fn state(name: &str, serving: Serving, standing: Standing) -> ResourceState {
    ResourceState {
        stream: 1,
        name: name.to_owned(),
        source: "https://files.test/filter.wasm".to_owned(),
        serving,
        standing,
        module: None,
        attempts: 1,
        last_error: None,
        next_attempt: None,
        changed: SystemTime::now() - Duration::from_secs(75),
    }
}

struct Shelf;

impl Inventory for Shelf {
    fn modules(&self) -> Vec<Stored> {
        let stored = |bytes: &[u8], in_use, source: &str| Stored {
            sha256: Sha256::of(bytes),
            path: format!("/var/lib/istio/data/{}.wasm", Sha256::of(bytes)),
            bytes: 131_072,
            in_use,
            used_ms: Some(0),
            sources: vec![source.to_owned()],
            digests: vec!["sha256:5d41".to_owned()],
        };
        vec![
            stored(b"gate", true, "oci://registry.test/filters/tenant-gate:1.2"),
            stored(b"old", false, "https://files.test/rate-limit.wasm"),
        ]
    }
}

impl Served {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (board, quit, stop) =
            (Arc::new(Board::default()), CancellationToken::new(), CancellationToken::new());
        let admin = Admin {
            board: Arc::clone(&board),
            metrics: Arc::new(Metrics::default()),
            inventory: Arc::new(Shelf),
            options: options(arguments),
            configuration: serde_json::json!({ "admin-address": address.to_string() }),
            started: SystemTime::now(),
            quit: quit.clone(),
        };
        let ended = tokio::spawn(admin::serve(listener, Arc::new(admin), stop.clone()));
        Self { address, board, quit, stop, ended }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address))
            .await
    }

    /// Sends those bytes, and reads until the server closes.
    pub(crate) async fn send(&self, request: &str) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// One resource in each state.
    pub(crate) fn fill(&self) {
        self.board.listens(true);
        let now = SystemTime::now();
        let state = |name: &str, serving, standing| {
            let source = format!("oci://registry.test/filters/{name}:1.2");
            ResourceState {
                source,
                ..state(&format!("extensions.istio.io/wasmplugin/shop.{name}"), serving, standing)
            }
        };
        let module = |bytes: &[u8]| {
            let sha256 = Sha256::of(bytes);
            Some((sha256, format!("/var/lib/istio/data/{sha256}.wasm")))
        };
        let failed = |reason, message: &str| Some((reason, message.to_owned()));
        let due = |seconds| Some(now + Duration::from_secs(seconds));
        let refused = "GET https://registry.test/v2/filters/quota/manifests/1.2: connection refused";
        for state in [
            ResourceState {
                module: module(b"gate"),
                ..state("tenant-gate", Serving::Wanted, Standing::Accepted)
            },
            ResourceState {
                module: module(b"gate"),
                ..state("body-digest", Serving::Wanted, Standing::Sent)
            },
            ResourceState {
                module: module(b"old"),
                attempts: 3,
                last_error: failed(
                    Reason::ChecksumMismatch,
                    "manifest is sha256:aa…, the resource wants sha256:bb…",
                ),
                next_attempt: due(48),
                ..state("rate-limit", Serving::LastGood, Standing::Waiting)
            },
            ResourceState {
                attempts: 2,
                last_error: failed(Reason::Unreachable, refused),
                next_attempt: due(3600),
                ..state("quota", Serving::Deny, Standing::Waiting)
            },
            ResourceState {
                attempts: 9,
                last_error: failed(Reason::Denied, "registry.test: 401 for pull of filters/audit"),
                next_attempt: due(25),
                ..state("audit", Serving::Allow, Standing::Waiting)
            },
            state("new", Serving::Nothing, Standing::Fetching),
            ResourceState { name: HOSTILE.to_owned(), ..state("", Serving::Nothing, Standing::Malformed) },
        ] {
            self.board.put(state);
        }
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In small letters.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        let start = self.body.find('{').unwrap();
        let end = self.body.rfind('}').unwrap();
        serde_json::from_str(&self.body[start..=end]).unwrap()
    }
}
