//! What is asked of the variants.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use meshloom_lab::{Bootstrap, Reply, Upstream};
use serde_json::{Value, json};

use crate::load::Question;
use crate::sample;
use crate::setting::Setting;
use crate::variant::{FLOOR, NONE, NONE_AGAIN, Variant};

/// One table: the same requests to several variants.
pub struct Suite {
    /// Its name in the results.
    pub name: String,
    /// One sentence on what is asked.
    pub asks: String,
    /// The variant that the added costs are compared with, if that says anything.
    pub yardstick: Option<&'static str>,
    /// What each request asks.
    pub question: Question,
    /// The least bytes that an answer's body has.
    pub least: u64,
    /// Requests to each variant in each round.
    pub requests: u32,
    /// Of the rounds of a run, it has one in so many: what takes milliseconds is seen sooner.
    pub one_in: u32,
    /// What is compared; the first is no filter.
    pub variants: Vec<Variant>,
    /// Headers of the answer before any filter has seen it.
    answer: BTreeMap<String, String>,
    route: Value,
}

/// The size of a large body: under Envoy's default limit of 1 MiB for what a filter may hold back.
const LARGE: usize = 1_000_000;

const LUA_HEADERS: &str = r#"
function envoy_on_request(handle) handle:headers():replace("x-training", "envoy-wasm") end
function envoy_on_response(handle) handle:headers():replace("x-training", "envoy-wasm") end
"#;

// What redaction's sample configuration does, for the one spelling that the body has.
const LUA_BODY: &str = r#"
function envoy_on_response(handle)
  local body = handle:body()
  local redacted = body:getBytes(0, body:length()):gsub('"password": "[^"]*"', '"password": "[REDACTED]"')
  body:setBytes(redacted)
end
"#;

impl Suite {
    /// Headers alone: Envoy answers by itself, so nothing but Envoy's own work is in the cost.
    pub fn headers(requests: u32, floor: &Path, ours: &[Variant]) -> Self {
        let mut variants = vec![
            Variant::none(),
            Variant::none_again(),
            Variant::native(),
            Variant::lua("Lua", LUA_HEADERS),
            Variant::floor(floor),
        ];
        variants.extend_from_slice(ours);
        Self {
            name: "headers".to_owned(),
            asks: "a GET that Envoy answers by itself (`direct_response`, 200, 3 bytes): no upstream is in the cost"
                .to_owned(),
            yardstick: Some(FLOOR),
            question: Question::plain("/"),
            least: 3,
            requests,
            one_in: 1,
            variants,
            answer: BTreeMap::new(),
            route: json!({
                "match": { "prefix": "/" },
                "direct_response": { "status": 200, "body": { "inline_string": "ok\n" } },
            }),
        }
    }

    /// The same for further configurations of one filter, and what does the same as they, with a request of their own.
    pub fn cases(filter: &str, requests: u32, floor: &Path, setting: &Setting, cases: Vec<Variant>) -> Self {
        let mut suite = Self::headers(requests, floor, &[]);
        suite.variants.retain(|it| [NONE, NONE_AGAIN, FLOOR].contains(&&*it.case));
        suite.variants.extend(cases);
        Self {
            name: filter.to_owned(),
            asks: format!(
                "the same GET with what `filters/{filter}/bench/bench.yaml` has, to the configurations beside it and \
                 to what does the same as they"
            ),
            question: setting.question("/"),
            answer: setting.response.clone(),
            ..suite
        }
    }

    /// A large JSON body from an upstream, with something to redact in it.
    pub fn large_body(requests: u32, floor: &Path, others: Vec<Variant>) -> Self {
        let mut variants = vec![
            Variant::none(),
            Variant::none_again(),
            Variant::lua("Lua, one gsub", LUA_BODY),
            Variant::floor(floor),
        ];
        variants.extend(others);
        Self {
            name: "body-1mb".to_owned(),
            asks: "a GET that an upstream answers with 1 MB of JSON, where one record in ten has something to redact"
                .to_owned(),
            yardstick: None,
            question: Question::plain("/large"),
            // Redaction may shorten it.
            least: LARGE as u64 / 2,
            requests,
            one_in: 4,
            variants,
            answer: BTreeMap::new(),
            route: json!({ "match": { "prefix": "/" }, "route": { "cluster": CLUSTER } }),
        }
    }

    /// The same without anything to redact.
    pub fn clean_body(requests: u32, floor: &Path, others: Vec<Variant>) -> Self {
        Self {
            name: "body-1mb-clean".to_owned(),
            asks: "the same where nothing is to be redacted".to_owned(),
            question: Question::plain("/clean"),
            ..Self::large_body(requests, floor, others)
        }
    }

    /// The bootstrap of a variant; every cluster is `upstream`.
    pub fn bootstrap(&self, variant: &Variant, upstream: &Upstream) -> Bootstrap {
        let mut filters = variant.filters.clone();
        filters.push(json!({
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        }));
        let mut clusters = variant.clusters.clone();
        clusters.push(json!({
            "name": CLUSTER,
            "type": "STATIC",
            "connect_timeout": "1s",
            "load_assignment": {
                "cluster_name": CLUSTER,
                "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": {} } }] }],
            },
        }));
        let added = |(name, value): (&String, &String)| json!({ "header": { "key": name, "value": value } });
        let mut route = self.route.clone();
        if let Some(route) = route.as_object_mut().filter(|_| !self.answer.is_empty()) {
            route.insert("response_headers_to_add".to_owned(), self.answer.iter().map(added).collect());
        }
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "bench",
            "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [route] }] },
            "http_filters": filters,
        });
        let bootstrap = json!({
            "admin": {},
            "static_resources": {
                "listeners": [{
                    "name": "http",
                    "address": {},
                    "filter_chains": [{ "filters": [{
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }]}],
                }],
                "clusters": clusters,
            },
        });
        Bootstrap::tree(bootstrap).upstream(upstream.address())
    }
}

const CLUSTER: &str = "bench";

/// The upstream of all variants: large bodies at `/large` and `/clean`, a failure at `/fails`, nothing for an hour at
/// `/silent`, a body that comes piece by piece at `/stream`; and at any other path a small body, such as httpbin's `/headers` answers,
/// with what it knows of a user in `x-user-id` as well.
pub fn upstream() -> Upstream {
    let [large, clean] = [true, false].map(|dirty| Bytes::from(sample::json(LARGE, dirty)));
    let pieces: Vec<Bytes> = sample::lines(PIECES, PIECE).into_iter().map(Bytes::from).collect();
    let small = Bytes::from_static(br#"{"headers": {"Host": "metadata.local"}}"#);
    let json = |body: &Bytes| Reply::new(200, body.clone()).header("content-type", "application/json");
    Upstream::answering(move |request| match &*request.path {
        "/large" => json(&large),
        "/clean" => json(&clean),
        "/fails" => Reply::new(503, ""),
        "/silent" => Reply::new(200, "").after(Duration::from_secs(3600)),
        "/stream" => {
            let reply = Reply::new(200, "").header("content-type", "application/x-ndjson");
            reply.chunks(pieces.clone()).pausing(Duration::from_millis(1))
        }
        _ => json(&small).header("x-user-id", "7"),
    })
}

/// A streamed body: so many pieces, of about so many bytes each.
const PIECES: usize = 5;
const PIECE: usize = 4096;
