//! A registry with one repository, that may want credentials and may lie.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use meshloom_agent::Sha256;
use serde_json::{Value, json};

use super::server::{Asked, Authority, Reply, Server};

pub(crate) const ISTIO: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What to say instead of what there is.
type Twist = Arc<dyn Fn(&Asked) -> Option<Reply> + Send + Sync>;

/// Types and bytes by paths.
type Content = HashMap<String, (String, Vec<u8>)>;

/// What a repository has, by paths below its name.
#[derive(Clone, Default)]
pub(crate) struct Repository {
    content: Arc<Mutex<Content>>,
    twist: Option<Twist>,
}

impl Repository {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Asks first whether to say something else.
    pub(crate) fn twisted(mut self, twist: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Self {
        self.twist = Some(Arc::new(twist));
        self
    }

    pub(crate) fn blob(&self, content: &[u8]) -> Sha256 {
        let digest = Sha256::of(content);
        self.put(&format!("blobs/sha256:{digest}"), "application/octet-stream", content);
        digest
    }

    /// Under its digest and under a tag.
    pub(crate) fn manifest(&self, tag: &str, manifest: &Value) -> Sha256 {
        let kind = manifest["mediaType"].as_str().unwrap_or(OCI_MANIFEST).to_owned();
        let text = manifest.to_string();
        let digest = Sha256::of(text.as_bytes());
        self.put(&format!("manifests/{tag}"), &kind, text.as_bytes());
        self.put(&format!("manifests/sha256:{digest}"), &kind, text.as_bytes());
        digest
    }

    /// An image of those layers.
    pub(crate) fn image(&self, tag: &str, layers: &[(&str, &[u8])]) -> Sha256 {
        self.manifest(tag, &image(self, OCI_MANIFEST, layers))
    }

    pub(crate) fn put(&self, path: &str, kind: &str, content: &[u8]) {
        self.content.lock().unwrap().insert(path.to_owned(), (kind.to_owned(), content.to_vec()));
    }

    pub(crate) fn reply(&self, asked: &Asked) -> Reply {
        if let Some(reply) = self.twist.as_ref().and_then(|twist| twist(asked)) {
            return reply;
        }
        if asked.path() == "/v2/" {
            return Reply::ok("{}");
        }
        let content = self.content.lock().unwrap();
        match asked.path().strip_prefix("/v2/team/module/").and_then(|path| content.get(path)) {
            Some((kind, content)) => Reply::ok(content.clone()).with("content-type", kind.clone()),
            None => Reply::new(
                404,
                super::server::Body::Whole(br#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#.to_vec()),
            ),
        }
    }

    pub(crate) async fn serve(&self) -> Server {
        let repository = self.clone();
        Server::plain(move |asked| repository.reply(asked)).await
    }

    pub(crate) async fn serve_tls(&self, authority: &Authority) -> Server {
        let repository = self.clone();
        Server::tls(authority, move |asked| repository.reply(asked)).await
    }
}

/// The manifest of an image; its layers are put in the repository.
pub(crate) fn image(repository: &Repository, kind: &str, layers: &[(&str, &[u8])]) -> Value {
    let layers: Vec<Value> = layers
        .iter()
        .map(|(kind, content)| {
            json!({"mediaType": kind, "digest": format!("sha256:{}", repository.blob(content)), "size": content.len()})
        })
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": format!("sha256:{}", Sha256::of(b"{}")), "size": 2},
        "layers": layers,
    })
}

/// The URL of a tag or a digest.
pub(crate) fn url(server: &Server, reference: &str) -> String {
    format!("oci://{}/team/module{reference}", server.host())
}
