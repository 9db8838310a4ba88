//! What is asked of the variants.

use std::path::Path;

use bytes::Bytes;
use meshloom_lab::{Bootstrap, Reply, Upstream};
use serde_json::{Value, json};

use crate::sample;
use crate::variant::{FLOOR, NONE, NONE_AGAIN, Variant};

/// One table: the same requests to several variants.
pub struct Suite {
    /// Its name in the results.
    pub name: &'static str,
    /// One sentence on what is asked.
    pub asks: &'static str,
    /// The variant that the added costs are compared with, if that says anything.
    pub yardstick: Option<&'static str>,
    /// The path of each request.
    pub path: &'static str,
    /// The least bytes that an answer's body has.
    pub least: u64,
    /// Requests to each variant in each round.
    pub requests: u32,
    /// What is compared; the first is no filter.
    pub variants: Vec<Variant>,
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
            name: "headers",
            asks: "a GET that Envoy answers by itself (`direct_response`, 200, 3 bytes): no upstream is in the cost",
            yardstick: Some(FLOOR),
            path: "/",
            least: 3,
            requests,
            variants,
            route: json!({
                "match": { "prefix": "/" },
                "direct_response": { "status": 200, "body": { "inline_string": "ok\n" } },
            }),
        }
    }

    /// The same for further configurations of our filters, and what does the same as they.
    pub fn cases(requests: u32, floor: &Path, cases: Vec<Variant>) -> Self {
        let mut suite = Self::headers(requests, floor, &cases);
        let general = [NONE, NONE_AGAIN, FLOOR];
        suite
            .variants
            .retain(|it| general.contains(&&*it.case) || cases.iter().any(|case| case.case == it.case));
        Self {
            name: "cases",
            asks: "the same GET, with the configurations in `filters/*/bench` and what does the same as they",
            ..suite
        }
    }

    /// A large JSON body from an upstream.
    pub fn large_body(requests: u32, floor: &Path, ours: &[Variant]) -> Self {
        let mut variants = vec![
            Variant::none(),
            Variant::none_again(),
            Variant::lua("Lua, one gsub", LUA_BODY),
            Variant::floor(floor),
        ];
        variants.extend_from_slice(ours);
        Self {
            name: "body-1mb",
            asks: "a GET that an upstream answers with 1 MB of JSON, where one record in ten has something to redact",
            yardstick: None,
            path: "/large",
            // Redaction may shorten it.
            least: LARGE as u64 / 2,
            requests,
            variants,
            route: json!({ "match": { "prefix": "/" }, "route": { "cluster": CLUSTER } }),
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
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "bench",
            "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [self.route] }] },
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
        // JSON is YAML.
        Bootstrap::yaml(&bootstrap.to_string()).upstream(upstream.address())
    }
}

const CLUSTER: &str = "bench";

/// The upstream of all variants: the large body at `/large`, and at any other path a small one, such as
/// httpbin's `/headers` answers.
pub fn upstream() -> Upstream {
    let large = Bytes::from(sample::json(LARGE, true));
    let small = Bytes::from_static(br#"{"headers": {"Host": "metadata.local"}}"#);
    Upstream::answering(move |request| {
        let body = if request.path == "/large" { large.clone() } else { small.clone() };
        Reply::new(200, body).header("content-type", "application/json")
    })
}
