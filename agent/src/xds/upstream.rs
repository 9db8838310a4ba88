//! The stream to the control plane: one connection for each stream of Envoy, dialled when that is opened.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status, Streaming};

use super::Refused;
use super::address::Discovery;
use super::end::whole_message;
use super::identity::{self, KeyPair, Root};
use super::metadata::metadata;
use super::options::{AuthPolicy, Options};
use super::queue::PulledRequests;
use super::raw::Raw;
use super::service::path;
use crate::ecds::Protocol;

/// Bytes that the control plane may send before it is told that they were read: as in Istio.
const WINDOW: u32 = 1024 * 1024;
/// Bytes of one HTTP/2 frame of the control plane. Fewer frames are less work, for large responses.
const FRAME: u32 = 256 * 1024;

/// How streams to the control plane are opened.
#[derive(Debug)]
pub(super) struct Upstream {
    options: Options,
    root: Option<Root>,
    server_name: Option<String>,
    key_pair: Option<KeyPair>,
    metadata: MetadataMap,
}

/// Why there is no stream to the control plane.
#[derive(Debug)]
pub(super) enum Failure {
    /// It could not be connected to.
    Dial(Status),
    /// It was connected to, and refused the stream.
    Open(Status),
}

impl Upstream {
    /// Says all that is wrong with the options. Files are not read yet: they may come later, and change.
    pub(super) fn new(
        options: &Options,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Refused> {
        let mut problems = Vec::new();
        let mut root = None;
        let tls = match &options.discovery_address {
            Discovery::Unix(_) => false,
            Discovery::Tcp { tls, .. } => {
                tls.unwrap_or(options.control_plane_auth_policy != AuthPolicy::None)
            }
        };
        let server_name = if tls { identity::server_name(options) } else { None };
        if tls {
            match Root::find(options) {
                Ok(found) => root = Some(found),
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(name) = &server_name
            && rustls::pki_types::ServerName::try_from(name.as_str()).is_err()
        {
            problems.push(format!("{name:?} cannot be the name of a server: set ISTIOD_SAN"));
        }
        let metadata = metadata(&options.cluster_id, environment).unwrap_or_else(|more| {
            problems.extend(more);
            MetadataMap::new()
        });
        let key_pair = if tls { KeyPair::find(options) } else { None };
        if problems.is_empty() {
            Ok(Self { options: options.clone(), root, server_name, key_pair, metadata })
        } else {
            Err(Refused(problems))
        }
    }

    /// Connects, and opens a stream that sends those requests. What runs for it, runs in `tasks`.
    ///
    /// Comes back only when the control plane has answered in some way, which istiod does when it has got a request: so
    /// whoever calls has to push requests meanwhile.
    pub(super) async fn open(
        self: Arc<Self>,
        protocol: Protocol,
        requests: PulledRequests,
        tasks: Tasks,
    ) -> Result<Streaming<Bytes>, Failure> {
        let dialling = async {
            let upstream = self.clone();
            let prepared = tokio::task::spawn_blocking(move || upstream.prepare()).await;
            let (endpoint, metadata) =
                prepared.map_err(|_| Status::internal("the files could not be read"))??;
            let channel = endpoint.executor(tasks).connect().await.map_err(|cause| {
                let message = whole_message(&Status::from_error(Box::new(cause)));
                Status::unavailable(format!(
                    "cannot connect to {}: {message}",
                    self.options.discovery_address
                ))
            })?;
            Ok((channel, metadata))
        };
        let limit: Duration = self.options.xds_connect_timeout;
        let (channel, metadata) = tokio::time::timeout(limit, dialling)
            .await
            .unwrap_or_else(|_| {
                let address = &self.options.discovery_address;
                Err(Status::unavailable(format!("cannot connect to {address} within {limit:?}")))
            })
            .map_err(Failure::Dial)?;
        let mut client = tonic::client::Grpc::new(Guarded(channel))
            .max_decoding_message_size(self.options.xds_max_response);
        client.ready().await.map_err(|cause| Failure::Open(Status::from_error(Box::new(cause))))?;
        let request = Request::from_parts(metadata, tonic::Extensions::new(), requests);
        let answer = client.streaming(request, path(protocol), Raw).await.map_err(Failure::Open)?;
        Ok(answer.into_inner())
    }

    /// Reads all files, and says how to connect.
    fn prepare(&self) -> Result<(Endpoint, MetadataMap), Status> {
        let refused =
            |what: &str| Status::unavailable(format!("cannot connect to the control plane: {what}"));
        let scheme = if self.root.is_some() { "https" } else { "http" };
        let address = match &self.options.discovery_address {
            Discovery::Unix(path) => format!("unix:{}", path.display()),
            Discovery::Tcp { authority, .. } => format!("{scheme}://{authority}"),
        };
        let mut endpoint = Endpoint::from_shared(address)
            .map_err(|cause| refused(&cause.to_string()))?
            .connect_timeout(self.options.xds_connect_timeout)
            .http2_keep_alive_interval(self.options.grpc_keepalive_interval)
            .keep_alive_timeout(self.options.grpc_keepalive_timeout)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_frame_size(FRAME);
        if let Some(root) = &self.root {
            let mut tls = ClientTlsConfig::new().timeout(self.options.xds_connect_timeout);
            tls = match root.read().map_err(|cause| refused(&cause))? {
                Some(certificates) => tls.ca_certificate(certificates),
                None => tls.with_native_roots(),
            };
            if let Some(name) = &self.server_name {
                tls = tls.domain_name(name);
                // As gRPC in Go has it: who is verified is who is asked.
                if let Ok(origin) = format!("https://{}", bracketed(name)).parse() {
                    endpoint = endpoint.origin(origin);
                }
            }
            endpoint = self.secured(endpoint, tls).map_err(|cause| refused(&cause))?;
        }
        let mut metadata = self.metadata.clone();
        if let Some(token) = self.options.token_file().as_deref().and_then(identity::token) {
            // Revealed to be sent, over TLS or to a control plane that is configured to have none.
            let value = format!("Bearer {}", token.reveal()).parse();
            let mut value: tonic::metadata::MetadataValue<_> = value
                .map_err(|_| Status::unauthenticated("the token has characters that no header may have"))?;
            value.set_sensitive(true);
            metadata.insert("authorization", value);
        }
        Ok((endpoint, metadata))
    }

    /// With the agent's own certificate if it can be used, and without if not: the token may do.
    fn secured(&self, endpoint: Endpoint, tls: ClientTlsConfig) -> Result<Endpoint, String> {
        let unusable =
            |cause: String| tracing::warn!("cannot use the client certificate, using token instead: {cause}");
        if let Some(pair) = &self.key_pair {
            match pair.read() {
                Ok(identity) => match endpoint.clone().tls_config(tls.clone().identity(identity)) {
                    Ok(endpoint) => return Ok(endpoint),
                    Err(cause) => unusable(whole_message(&Status::from_error(Box::new(cause)))),
                },
                Err(cause) => unusable(cause),
            }
        }
        endpoint.tls_config(tls).map_err(|cause| whole_message(&Status::from_error(Box::new(cause))))
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// The tasks that serve one connection to the control plane. They end with it, and are aborted if they do not.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    /// Until all have ended by themselves, now that nobody uses the connection; but no longer than that. A request that
    /// the control plane does not read would keep its connection open for ever.
    pub(super) async fn end_within(self, limit: Duration) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        _ = tokio::time::timeout(limit, async { while tasks.join_next().await.is_some() {} }).await;
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, task: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }
}

/// A channel that takes from an answer what tonic 0.14 panics at: `grpc-status-details-bin` that is no base64.
#[derive(Clone, Debug)]
struct Guarded(Channel);

impl tower::Service<http::Request<Body>> for Guarded {
    type Response = http::Response<Body>;
    type Error = tonic::transport::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let (mut head, body) = answer.await?.into_parts();
            guard(&mut head.headers);
            let body = body.map_frame(|mut frame| {
                if let Some(trailers) = frame.trailers_mut() {
                    guard(trailers);
                }
                frame
            });
            Ok(http::Response::from_parts(head, Body::new(body)))
        })
    }
}

fn guard(headers: &mut HeaderMap) {
    const DETAILS: &str = "grpc-status-details-bin";
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    if headers.get(DETAILS).is_some_and(|value| BASE64.decode(value).is_err()) {
        headers.remove(DETAILS);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn all_that_is_wrong_with_the_options_is_said_at_once() {
        let arguments = ["agent", "--pilot-cert-provider=none", "--istiod-san=a b"];
        let environment = [("XDS_HEADER_te".to_owned(), "x".to_owned())];
        let refused = Upstream::new(&Command::parse_from(arguments).options, environment).unwrap_err();
        assert_eq!(refused.0.len(), 3, "{refused}");
    }

    #[test]
    fn without_tls_no_certificate_is_looked_for() {
        for arguments in [
            ["agent", "--pilot-cert-provider=none", "--discovery-address=http://a:1"],
            ["agent", "--pilot-cert-provider=none", "--discovery-address=unix:/run/istiod"],
            ["agent", "--pilot-cert-provider=none", "--control-plane-auth-policy=NONE"],
        ] {
            assert!(Upstream::new(&Command::parse_from(arguments).options, []).unwrap().root.is_none());
        }
    }

    #[test]
    fn details_that_are_no_base64_are_taken_away_and_others_stay() {
        for (details, stays) in [("aGk", true), ("aGk=", true), ("!", false), ("a", false)] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status-details-bin", details.parse().unwrap());
            guard(&mut headers);
            assert_eq!(!headers.is_empty(), stays, "{details}");
        }
    }
}
