//! A real Prometheus, which scrapes Envoys and answers PromQL.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Request;
use crate::process::Running;
use crate::repository::optional_tool;

/// How long Prometheus may take to be ready, or to have seen what a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running Prometheus on a port of its own. Ended when dropped; what it stored goes with it.
#[derive(Debug)]
pub struct Prometheus {
    // Ended first: fields are dropped in the order they stand.
    _process: Running,
    address: SocketAddr,
    _folder: TempDir,
}

/// One series of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels, the metric's name as `__name__` among them.
    pub labels: BTreeMap<String, String>,
    /// Seconds since the epoch and value, in order of time; one of them where the query was for one moment.
    pub points: Vec<(f64, f64)>,
}

impl Prometheus {
    /// The Prometheus that is used; `None` when there is none here, which is then said on standard error.
    pub fn binary() -> Option<PathBuf> {
        optional_tool("PROMETHEUS_BIN", "prometheus")
    }

    /// Its companion `promtool`; `None` as above.
    pub fn promtool() -> Option<PathBuf> {
        optional_tool("PROMTOOL_BIN", "promtool")
    }

    /// Scrapes the admin interfaces `targets` as the job `envoy`, each once in `interval`, such as `500ms`. `None`
    /// when there is no Prometheus here.
    ///
    /// # Panics
    ///
    /// When it does not become ready, with what it logged.
    pub fn scraping(targets: &[SocketAddr], interval: &str) -> Option<Self> {
        let binary = Self::binary()?;
        let folder = TempDir::new().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
        let config = json!({
            "global": { "scrape_interval": interval, "scrape_timeout": interval },
            "scrape_configs": [{
                "job_name": "envoy",
                "metrics_path": "/stats/prometheus",
                "static_configs": [{ "targets": targets }],
            }],
        });
        // YAML takes JSON.
        std::fs::write(path("prometheus.yml"), config.to_string()).expect("a file in a temporary folder");
        let log = std::fs::File::create(path("log")).expect("a file in a temporary folder");
        let child = Command::new(binary)
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("Prometheus can be run");
        let mut process = Running::new(child);
        let begun = Instant::now();
        loop {
            let ended = process.ended();
            let log = std::fs::read_to_string(path("log")).unwrap_or_default();
            if let Some(address) = listening(&log).filter(|address| is_ready(*address)) {
                return Some(Self { _process: process, address, _folder: folder });
            }
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "Prometheus did not start; it logged:\n{log}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What `promql` is now.
    ///
    /// # Errors
    ///
    /// What Prometheus has against the query.
    pub fn query(&self, promql: &str) -> anyhow::Result<Vec<Series>> {
        self.ask("query", &[("query", promql)])
    }

    /// What `promql` was from `start` to `end`, once in each `step` seconds.
    ///
    /// # Errors
    ///
    /// What Prometheus has against the query.
    pub fn query_range(
        &self,
        promql: &str,
        start: SystemTime,
        end: SystemTime,
        step: u32,
    ) -> anyhow::Result<Vec<Series>> {
        let [start, end] = [start, end].map(|time| {
            let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            format!("{:.3}", since.as_secs_f64())
        });
        let step = step.to_string();
        self.ask("query_range", &[("query", promql), ("start", &start), ("end", &end), ("step", &step)])
    }

    /// The one value of `promql`; `None` when it has no series.
    ///
    /// # Panics
    ///
    /// When Prometheus refuses the query, or answers several series.
    #[track_caller]
    pub fn value(&self, promql: &str) -> Option<f64> {
        let answer = self.query(promql).unwrap_or_else(|error| panic!("{promql}: {error:#}"));
        assert!(answer.len() < 2, "{promql}: several series: {answer:?}");
        Some(answer.first()?.points.first()?.1)
    }

    /// Waits until `promql` has that value.
    ///
    /// # Panics
    ///
    /// When it has not within half a minute.
    #[track_caller]
    pub fn wait_for(&self, promql: &str, expected: f64) {
        let begun = Instant::now();
        loop {
            let value = self.value(promql);
            if value == Some(expected) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{promql} is {value:?}, not {expected}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn ask(&self, kind: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Vec<Series>> {
        let form: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
        let answer: Value = Request::new(self.address, "POST", &format!("/api/v1/{kind}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.join("&"))
            .try_send()?
            .json();
        if answer["status"] != "success" {
            bail!("Prometheus refuses the query: {}", answer["error"]);
        }
        let result = answer["data"]["result"].as_array().context("an answer without a result")?;
        result.iter().map(|one| series(one).with_context(|| format!("reading {one}"))).collect()
    }
}

/// Reads a series of an instant or of a range query.
fn series(value: &Value) -> anyhow::Result<Series> {
    let labels = value["metric"].as_object().context("no labels")?;
    let labels = labels
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let one = std::slice::from_ref(&value["value"]);
    let points = value["values"].as_array().map_or(one, Vec::as_slice);
    let point = |point: &Value| -> anyhow::Result<(f64, f64)> {
        let time = point[0].as_f64().context("a point without a time")?;
        Ok((time, point[1].as_str().context("a point without a value")?.parse()?))
    };
    Ok(Series { labels, points: points.iter().map(point).collect::<anyhow::Result<_>>()? })
}

/// Where it says that it listens: `... msg="Listening on" address=127.0.0.1:34465`.
fn listening(log: &str) -> Option<SocketAddr> {
    let rest = log.split("msg=\"Listening on\"").nth(1)?;
    rest.split("address=").nth(1)?.split_whitespace().next()?.parse().ok()
}

fn is_ready(address: SocketAddr) -> bool {
    Request::new(address, "GET", "/-/ready").try_send().is_ok_and(|response| response.status == 200)
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_log_once_it_is_there() {
        let early = "msg=\"Start listening for connections\" address=127.0.0.1:0\n";
        assert_eq!(listening(early), None);
        let log = format!("{early}component=web msg=\"Listening on\" address=127.0.0.1:34465\nmsg=\"TLS\"");
        assert_eq!(listening(&log), Some(([127, 0, 0, 1], 34465).into()));
    }

    #[test]
    fn a_query_stays_one_field_of_a_form() {
        assert_eq!(percent_encoded("a{b=\"c&d\"}+1"), "a%7Bb%3D%22c%26d%22%7D%2B1");
    }

    #[test]
    fn series_of_both_kinds_of_query_are_read() {
        let labels = BTreeMap::from([("class".to_owned(), "2xx".to_owned())]);
        let instant = series(&json!({"metric": {"class": "2xx"}, "value": [1.5, "NaN"]})).unwrap();
        assert_eq!(instant.labels, labels);
        assert!(instant.points[0].1.is_nan());
        let range = series(&json!({"metric": {"class": "2xx"}, "values": [[1, "2"], [2, "+Inf"]]})).unwrap();
        assert_eq!(range, Series { labels, points: vec![(1.0, 2.0), (2.0, f64::INFINITY)] });
        assert!(series(&json!({"metric": {}, "value": [1.5]})).is_err());
    }
}
