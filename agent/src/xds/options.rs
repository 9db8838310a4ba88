//! How streams are served, and where they lead.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;

use super::address::{Discovery, Listen};
use super::prober::Probe;
use crate::boolean::boolean;
use crate::duration::{duration, positive};

/// Options of the xDS proxy. Durations are written as `500ms`, `10s`, `35m` or `1h30m`; sizes are in bytes.
#[derive(clap::Args, Clone, Debug)]
#[group(id = "xds")]
#[command(next_help_heading = "xDS")]
pub struct Options {
    /// Where Envoy finds the agent: unix:PATH, or an IP address and a port
    #[arg(long, env = "MESHLOOM_XDS_LISTEN", default_value = "unix:./etc/istio/proxy/XDS")]
    pub xds_listen: Listen,

    /// Listen for xDS on an address that others can reach. It has neither TLS nor authentication
    #[arg(long, env = "MESHLOOM_XDS_LISTEN_ANYWHERE", default_value = "false", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean)]
    pub xds_listen_anywhere: bool,

    /// How many streams one connection of Envoy may have
    #[arg(long, env = "ISTIO_GPRC_MAXSTREAMS", default_value = "100000")]
    pub xds_max_streams: u32,

    /// Bytes that a request of Envoy may have
    #[arg(long, env = "ISTIO_GPRC_MAXRECVMSGSIZE", default_value = "4194304")]
    pub xds_max_request: usize,

    /// Bytes that a response of the control plane may have
    #[arg(long, env = "MESHLOOM_XDS_MAX_RESPONSE", default_value = "2147483647")]
    pub xds_max_response: usize,

    /// Bytes of requests that may wait for the control plane on one stream. Beyond them the stream is ended
    #[arg(long, env = "MESHLOOM_XDS_MAX_WAITING_REQUESTS", default_value = "67108864")]
    pub xds_max_waiting_requests: usize,

    /// How long streams go on after the agent was told to end
    #[arg(long, env = "MESHLOOM_XDS_DRAIN", default_value = "5s", value_parser = duration)]
    pub xds_drain: Duration,

    /// How often each connection is pinged, to Envoy and to the control plane
    #[arg(long, env = "GRPC_KEEPALIVE_INTERVAL", default_value = "30s", value_parser = positive)]
    pub grpc_keepalive_interval: Duration,

    /// How long a ping may remain unanswered before the connection is closed
    #[arg(long, env = "GRPC_KEEPALIVE_TIMEOUT", default_value = "10s", value_parser = positive)]
    pub grpc_keepalive_timeout: Duration,

    /// After how long a stream is ended, so that Envoy opens another. Longer than the control plane's own limit, which
    /// is 30 m in istiod. 0 is never
    #[arg(long, env = "MESHLOOM_XDS_MAX_STREAM_AGE", default_value = "35m", value_parser = duration)]
    pub xds_max_stream_age: Duration,

    /// Where the control plane is: HOST:PORT, with http:// or https:// before it or without, or unix:PATH
    #[arg(long, env = "MESHLOOM_DISCOVERY_ADDRESS", default_value = "istiod.istio-system.svc:15012")]
    pub discovery_address: Discovery,

    /// Whether TLS is spoken to the control plane, where its address does not say so
    #[arg(
        long,
        env = "MESHLOOM_CONTROL_PLANE_AUTH_POLICY",
        default_value = "MUTUAL_TLS",
        ignore_case = true
    )]
    pub control_plane_auth_policy: AuthPolicy,

    /// How long it may take to connect to the control plane, TLS included
    #[arg(long, env = "MESHLOOM_XDS_CONNECT_TIMEOUT", default_value = "5s", value_parser = positive)]
    pub xds_connect_timeout: Duration,

    /// The name that the control plane's certificate must have, instead of the host of its address
    #[arg(long, env = "ISTIOD_SAN", value_parser = NonEmptyStringValueParser::new())]
    pub istiod_san: Option<String>,

    /// The file of the CAs that the control plane's certificate may be from, or SYSTEM for those of this machine
    #[arg(long, env = "XDS_ROOT_CA")]
    pub xds_root_ca: Option<PathBuf>,

    /// The folder of root-cert.pem, cert-chain.pem and key.pem that the agent was given
    #[arg(long, env = "PROV_CERT")]
    pub prov_cert: Option<PathBuf>,

    /// Whether certificates are mounted as files, whose paths the three options below have
    #[arg(long, env = "FILE_MOUNTED_CERTS", default_value = "false", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean)]
    pub file_mounted_certs: bool,

    /// Mounted file: CAs of the control plane
    #[arg(long, env = "ISTIO_META_TLS_CLIENT_ROOT_CERT")]
    pub tls_client_root_cert: Option<PathBuf>,

    /// Mounted file: the agent's certificate and those that signed it
    #[arg(long, env = "ISTIO_META_TLS_CLIENT_CERT_CHAIN")]
    pub tls_client_cert_chain: Option<PathBuf>,

    /// Mounted file: the key of the agent's certificate
    #[arg(long, env = "ISTIO_META_TLS_CLIENT_KEY")]
    pub tls_client_key: Option<PathBuf>,

    /// Who provides the control plane's certificate. With `none`, its CA has to be told by one of the options above
    #[arg(long, env = "PILOT_CERT_PROVIDER", default_value = "istiod")]
    pub pilot_cert_provider: String,

    /// What the agent shows of itself: JWT for the token in a file, or nothing
    #[arg(long, env = "CREDENTIAL_FETCHER_TYPE", default_value = "JWT", ignore_case = true)]
    pub credential_fetcher_type: CredentialFetcher,

    /// Which token of the pod is shown, where no file is told
    #[arg(long, env = "JWT_POLICY", default_value = "third-party-jwt", ignore_case = true)]
    pub jwt_policy: JwtPolicy,

    /// The file of the token
    #[arg(long, env = "MESHLOOM_XDS_TOKEN_FILE")]
    pub xds_token_file: Option<PathBuf>,

    /// The cluster that the control plane is told
    #[arg(long, env = "ISTIO_META_CLUSTER_ID", default_value = "")]
    pub cluster_id: String,

    /// What tells whether the workload is healthy: http://HOST:PORT/PATH, https://HOST:PORT/PATH (whose
    /// certificate is not verified) or tcp://HOST:PORT. The control plane is told
    #[arg(long, env = "MESHLOOM_HEALTH_PROBE")]
    pub health_probe: Option<Probe>,

    /// How long after the start the workload is probed first
    #[arg(long, env = "MESHLOOM_HEALTH_INITIAL_DELAY", default_value = "0s", value_parser = duration)]
    pub health_initial_delay: Duration,

    /// How often the workload is probed
    #[arg(long, env = "MESHLOOM_HEALTH_PERIOD", default_value = "10s", value_parser = positive)]
    pub health_period: Duration,

    /// How long a probe may take
    #[arg(long, env = "MESHLOOM_HEALTH_TIMEOUT", default_value = "1s", value_parser = positive)]
    pub health_timeout: Duration,

    /// How many probes in a row make the workload healthy
    #[arg(long, env = "MESHLOOM_HEALTH_SUCCESS_THRESHOLD", default_value = "1",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub health_success_threshold: u32,

    /// How many failed probes in a row make the workload unhealthy
    #[arg(long, env = "MESHLOOM_HEALTH_FAILURE_THRESHOLD", default_value = "1",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub health_failure_threshold: u32,
}

/// `controlPlaneAuthPolicy` of Istio's `ProxyConfig`.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthPolicy {
    /// TLS, with a certificate of the agent's own if it has one.
    MutualTls,
    /// No TLS.
    None,
}

/// What the agent shows of itself.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialFetcher {
    /// The token in a file.
    #[value(name = "JWT")]
    Jwt,
    /// Nothing.
    #[value(name = "")]
    Nothing,
}

/// Which token of the pod is shown.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtPolicy {
    /// The one that is made for the control plane.
    ThirdPartyJwt,
    /// The one that every pod has.
    FirstPartyJwt,
}

impl Options {
    /// The file of the token, if one is shown.
    #[must_use]
    pub fn token_file(&self) -> Option<PathBuf> {
        if self.credential_fetcher_type == CredentialFetcher::Nothing {
            return None;
        }
        Some(self.xds_token_file.clone().unwrap_or_else(|| match self.jwt_policy {
            JwtPolicy::ThirdPartyJwt => "./var/run/secrets/tokens/istio-token".into(),
            JwtPolicy::FirstPartyJwt => "/var/run/secrets/kubernetes.io/serviceaccount/token".into(),
        }))
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

    fn parse(arguments: &[&str]) -> Result<Options, clap::Error> {
        Command::try_parse_from([&["agent"], arguments].concat()).map(|command| command.options)
    }

    #[test]
    fn without_options_all_is_as_in_istio() {
        let options = parse(&[]).unwrap();
        assert_eq!(options.xds_listen, Listen::Unix("./etc/istio/proxy/XDS".into()));
        assert_eq!(options.xds_max_request, 4 * 1024 * 1024);
        assert_eq!(options.grpc_keepalive_interval, Duration::from_secs(30));
        assert_eq!(options.xds_max_stream_age, Duration::from_secs(35 * 60));
        assert!(!options.file_mounted_certs && !options.xds_listen_anywhere);
        assert!(options.health_probe.is_none());
        assert_eq!(options.token_file().unwrap(), PathBuf::from("./var/run/secrets/tokens/istio-token"));
    }

    #[test]
    fn switches_are_flags_as_well_as_values() {
        assert!(parse(&["--file-mounted-certs"]).unwrap().file_mounted_certs);
        assert!(!parse(&["--file-mounted-certs=false"]).unwrap().file_mounted_certs);
    }

    #[test]
    fn no_credential_means_no_token_file() {
        let options = parse(&["--credential-fetcher-type=", "--xds-token-file=token"]).unwrap();
        assert_eq!(options.token_file(), None);
        assert!(parse(&["--credential-fetcher-type=GoogleComputeEngine"]).is_err());
    }
}
