//! Whether the workload is healthy, as the control plane is told it.
//!
//! A `HealthInformation` is a request without names, node or nonce: `error_detail` is what is wrong, and nothing if
//! nothing is. The control plane never answers it, and skips it before a stream's first request; so it waits for the
//! first request for listeners, after which the control plane surely knows the node.

use bytes::Bytes;
use prost::Message as _;
use tokio::sync::watch;

use crate::ecds::Protocol;

/// The type of the message.
const TYPE_URL: &str = "type.googleapis.com/istio.v1.HealthInformation";
/// `google.rpc.Code.INTERNAL`.
const INTERNAL: i32 = 13;

/// What is known of the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It does its work.
    Healthy,
    /// It does not, for that reason.
    Unhealthy(String),
}

/// By which the workload's health is reported. All clones report of the same workload.
#[derive(Clone, Debug)]
pub struct Health(watch::Sender<Option<Condition>>);

impl Default for Health {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Health {
    /// The workload is healthy. Sent on every stream, if it was not known before.
    pub fn healthy(&self) {
        self.report(Condition::Healthy);
    }

    /// The workload is not healthy. Sent on every stream if it was healthy, or nothing was known; another message alone
    /// is no change.
    pub fn unhealthy(&self, message: impl Into<String>) {
        self.report(Condition::Unhealthy(message.into()));
    }

    /// What was reported last.
    #[must_use]
    pub fn condition(&self) -> Option<Condition> {
        self.0.borrow().clone()
    }

    fn report(&self, now: Condition) {
        self.0.send_if_modified(|known| {
            let changed = known.as_ref().map(std::mem::discriminant) != Some(std::mem::discriminant(&now));
            if changed {
                *known = Some(now);
            }
            changed
        });
    }

    /// For one stream.
    pub(super) fn listen(&self) -> Reports {
        Reports { known: self.0.subscribe(), sent: None, opened: false }
    }
}

/// What one stream has still to tell the control plane.
#[derive(Debug)]
pub(super) struct Reports {
    known: watch::Receiver<Option<Condition>>,
    sent: Option<Condition>,
    opened: bool,
}

impl Reports {
    /// The control plane may be told from now on.
    pub(super) fn open(&mut self) {
        self.opened = true;
    }

    /// The newest, if the control plane may be told and has not been.
    pub(super) fn due(&mut self, protocol: Protocol) -> Option<Bytes> {
        if !self.opened {
            return None;
        }
        let known = self.known.borrow_and_update().clone();
        if known == self.sent {
            return None;
        }
        self.sent.clone_from(&known);
        known.map(|condition| encode(protocol, &condition))
    }

    /// Until something else is reported.
    pub(super) async fn changed(&mut self) {
        if self.known.changed().await.is_err() {
            // Nobody is left who could report.
            std::future::pending().await
        }
    }
}

fn encode(protocol: Protocol, condition: &Condition) -> Bytes {
    let type_url = TYPE_URL.to_owned();
    let error_detail = match condition {
        Condition::Healthy => None,
        Condition::Unhealthy(message) => Some(ErrorDetail { code: INTERNAL, message: message.clone() }),
    };
    match protocol {
        Protocol::Sotw => SotwReport { type_url, error_detail }.encode_to_vec(),
        Protocol::Delta => DeltaReport { type_url, error_detail }.encode_to_vec(),
    }
    .into()
}

/// `DiscoveryRequest`, as far as it is used.
#[derive(Clone, PartialEq, prost::Message)]
struct SotwReport {
    #[prost(string, tag = "4")]
    type_url: String,
    #[prost(message, optional, tag = "6")]
    error_detail: Option<ErrorDetail>,
}

/// `DeltaDiscoveryRequest`, as far as it is used.
#[derive(Clone, PartialEq, prost::Message)]
struct DeltaReport {
    #[prost(string, tag = "2")]
    type_url: String,
    #[prost(message, optional, tag = "7")]
    error_detail: Option<ErrorDetail>,
}

/// `google.rpc.Status`, as far as it is used.
#[derive(Clone, PartialEq, prost::Message)]
struct ErrorDetail {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};

    use super::*;

    #[test]
    fn nothing_is_sent_before_the_stream_is_open_and_then_the_newest() {
        let health = Health::default();
        let mut reports = health.listen();
        health.unhealthy("starting");
        health.healthy();
        assert_eq!(reports.due(Protocol::Sotw), None);
        reports.open();
        let sent = DiscoveryRequest::decode(reports.due(Protocol::Sotw).unwrap()).unwrap();
        assert_eq!(sent, DiscoveryRequest { type_url: TYPE_URL.into(), ..Default::default() });
        assert_eq!(reports.due(Protocol::Sotw), None);
    }

    #[test]
    fn what_is_wrong_is_told_in_both_protocols() {
        let health = Health::default();
        health.unhealthy("connection refused");
        let [mut sotw, mut delta] = [health.listen(), health.listen()];
        sotw.open();
        delta.open();
        let sotw = DiscoveryRequest::decode(sotw.due(Protocol::Sotw).unwrap()).unwrap();
        let delta = DeltaDiscoveryRequest::decode(delta.due(Protocol::Delta).unwrap()).unwrap();
        assert_eq!((sotw.type_url.as_str(), delta.type_url.as_str()), (TYPE_URL, TYPE_URL));
        assert_eq!(sotw.error_detail, delta.error_detail);
        let detail = sotw.error_detail.unwrap();
        assert_eq!((detail.code, detail.message.as_str()), (13, "connection refused"));
    }

    #[test]
    fn the_same_health_again_is_no_change_and_neither_is_another_message() {
        let health = Health::default();
        let mut reports = health.listen();
        reports.open();
        health.unhealthy("one");
        assert!(reports.due(Protocol::Delta).is_some());
        health.unhealthy("two");
        assert_eq!(reports.due(Protocol::Delta), None);
        assert_eq!(health.condition(), Some(Condition::Unhealthy("one".into())));
        health.healthy();
        health.unhealthy("one");
        assert_eq!(reports.due(Protocol::Delta), None, "back where the control plane believes it to be");
    }

    #[tokio::test]
    async fn each_stream_is_told_by_itself() {
        let health = Health::default();
        let mut early = health.listen();
        early.open();
        health.healthy();
        early.changed().await;
        assert!(early.due(Protocol::Sotw).is_some());
        let mut late = health.listen();
        late.open();
        assert!(late.due(Protocol::Sotw).is_some());
    }
}
