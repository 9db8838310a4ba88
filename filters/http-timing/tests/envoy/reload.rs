//! Configurations that change under load, as a control plane changes them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tempfile::TempDir;

use super::*;

/// The filter's configuration in a file that Envoy watches: what Istio sends for a WasmPlugin is of this kind (ECDS).
struct Discovery {
    folder: TempDir,
    filter: Value,
    version: u64,
}

impl Discovery {
    /// Takes the filter out of a bootstrap, and leaves there where it is to be found.
    fn of(bootstrap: Bootstrap) -> (Bootstrap, Self) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("http-timing.json");
        let mut filter = Value::Null;
        let bootstrap = bootstrap.connection_manager(|manager| {
            let timing = &mut manager["http_filters"][0];
            filter = timing["typed_config"].take();
            *timing = json!({"name": "http-timing", "config_discovery": {
                "config_source": {"path_config_source": {"path": path}, "resource_api_version": "V3"},
                "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
            }});
        });
        // Whoever asks a control plane has to say who he is.
        let bootstrap = bootstrap.edit(|tree| tree["node"] = json!({"id": "envoy", "cluster": "tests"}));
        (bootstrap, Self { folder, filter, version: 0 })
    }

    fn configure(&mut self, configuration: &Value) {
        self.version += 1;
        self.filter["config"]["configuration"]["value"] = configuration.to_string().into();
        let discovered = json!({"version_info": self.version.to_string(), "resources": [{
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": "http-timing",
            "typed_config": self.filter,
        }]});
        // Envoy watches for a file that is moved there.
        let [new, path] = ["new", "http-timing.json"].map(|name| self.folder.path().join(name));
        write(&new, &discovered);
        std::fs::rename(new, path).unwrap();
    }
}

fn write(path: &PathBuf, json: &Value) {
    std::fs::write(path, json.to_string()).unwrap();
}

const WORKERS: u32 = 2;
const RELOADS: u64 = 24;
/// What the process may grow by from the fourth to the last of the configurations, in KiB. A VM takes ten times as much.
const GROWTH_KIB: u64 = 4 * 1024;

/// No two are the same, and some of the metrics are in one of two alone.
fn configuration(n: u64) -> Value {
    json!({
        "version": 1, "direction": "inbound",
        "metrics": {"requests": true, "inflight": true, "ttfb": n.is_multiple_of(2), "sizes": true},
        "slices": [{"name": format!("s{}", n % 3), "when": {"paths": [{"prefix": "/"}, {"exact": format!("/{n}")}]}}],
        "slo": [{"name": "fast", "latency": "5s"}],
        "log": {"enabled": true, "only_status": ["5xx"], "max_path": 100 + n},
    })
}

#[test]
fn configurations_change_under_load_and_no_request_or_count_is_lost() {
    let upstream = Upstream::as_asked();
    let (bootstrap, mut discovery) = Discovery::of(bootstrap("INBOUND").upstream(upstream.address()));
    discovery.configure(&configuration(0));
    let envoy = Envoy::with(bootstrap).concurrency(WORKERS).start();
    let loads = || envoy.stat("wasm_http_timing_config_loads_total");
    let vms = || envoy.stat("envoy_wasm_envoy_wasm_runtime_v8_active");
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut resident = Vec::new();
    let mut seen = [0_u64; 2];
    let mut alive = Vec::new();
    std::thread::scope(|scope| {
        for client in 0..4 {
            let (envoy, stop, answered) = (&envoy, &stop, &answered);
            scope.spawn(move || {
                let mut session = envoy.session();
                while !stop.load(Ordering::Relaxed) {
                    // Some streams are longer than a reload.
                    let path = if client == 0 { "/200/150" } else { "/200/1" };
                    assert_eq!(session.send(envoy.get(path)).status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut end = OnDrop(&stop);
        for n in 1..=RELOADS {
            let (before, requests) = (loads(), answered.load(Ordering::Relaxed));
            discovery.configure(&configuration(n));
            // Once in a VM that tries it, and once in that of each worker.
            wait(|| loads() >= before + 1 + u64::from(WORKERS), "the configuration was not loaded");
            wait(|| answered.load(Ordering::Relaxed) > requests + 20, "the load stands still");
            let now = [
                envoy.stat("wasm_http_inbound_responses_total_2xx"),
                envoy.stat("wasm_http_inbound_requests_total"),
            ];
            assert!(now[0] >= seen[0] && now[1] >= seen[1], "a counter began anew: {seen:?}, then {now:?}");
            seen = now;
            resident.push(envoy.resident_kib());
            alive.push(vms());
        }
        end.fire();
    });
    let answered = answered.load(Ordering::Relaxed);
    envoy.wait_for_stat("wasm_http_inbound_inflight", 0);
    for name in ["requests_total", "responses_total_2xx", "slo_fast_total", "slo_fast_good_total"] {
        envoy.wait_for_stat(&format!("wasm_http_inbound_{name}"), answered);
    }
    for name in ["duration_ms_count", "request_bytes_count"] {
        envoy.wait_for_stat(&format!("wasm_http_inbound_{name}"), answered);
    }
    let in_slices: u64 = (0..3).map(|n| envoy.stat(&format!("wasm_http_inbound_s{n}_requests_total"))).sum();
    assert_eq!(in_slices, answered);
    assert_eq!(envoy.stat("wasm_http_timing_config_rejects_total"), 0);
    // A metric that was defined again would be there twice.
    let text = envoy.prometheus();
    let once = text.lines().filter(|line| line.starts_with("wasm_http_inbound_requests_total")).count();
    assert_eq!(once, 1);
    println!("{answered} requests, {RELOADS} reloads, resident {resident:?} KiB, VMs {alive:?}");
    assert!(resident[RELOADS as usize - 1] < resident[3] + GROWTH_KIB, "{resident:?}");
    // One VM for each thread, and none is left behind.
    assert!(alive.iter().all(|vms| *vms <= alive[0] + 1), "{alive:?}");
    assert!(!envoy.log().contains("[error]") && !envoy.log().contains("[critical]"), "{}", envoy.log());
}

#[test]
fn a_configuration_that_is_refused_changes_nothing() {
    let upstream = Upstream::as_asked();
    let (bootstrap, mut discovery) = Discovery::of(bootstrap("INBOUND").upstream(upstream.address()));
    discovery.configure(&json!({"version": 1}));
    let envoy = Envoy::with(bootstrap).start();
    envoy.get("/200").send();
    discovery.configure(&json!({"version": 1, "slices": "all"}));
    envoy.wait_for_log("config field `slices`");
    envoy.get("/200").send();
    envoy.wait_for_stat("wasm_http_inbound_responses_total_2xx", 2);
    assert_eq!(envoy.stat("wasm_http_timing_config_rejects_total"), 1);
}

/// Ends the load however the test ends.
struct OnDrop<'a>(&'a AtomicBool);

impl OnDrop<'_> {
    fn fire(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.fire();
    }
}

#[track_caller]
fn wait(is_so: impl Fn() -> bool, otherwise: &str) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{otherwise}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
