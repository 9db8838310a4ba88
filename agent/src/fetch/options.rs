//! Options of the fetchers.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::duration::duration;

/// How modules are downloaded: from where, how long, and how much.
#[derive(Args, Clone, Debug)]
pub struct FetchOptions {
    /// Hosts (HOST or HOST:PORT, as URLs have them) whose certificate is not verified, and that may be called over
    /// plain HTTP; * for all. Separated by commas.
    #[arg(long = "insecure-registries", env = "WASM_INSECURE_REGISTRIES", value_delimiter = ',')]
    pub insecure: Vec<String>,
    /// Registry configuration in YAML: mirrors, CAs, client certificates, credentials, proxies and limits by registry.
    #[arg(long = "registries", env = "MESHLOOM_WASM_REGISTRIES")]
    pub registries: Option<PathBuf>,
    /// How long one request may take until its answer begins. 0 stands for 15s.
    #[arg(
        long = "http-request-timeout",
        env = "WASM_HTTP_REQUEST_TIMEOUT",
        default_value = "15s",
        value_parser = duration
    )]
    pub request_timeout: Duration,
    /// How often a request is made at most, the first time included. 0 stands for 1.
    #[arg(long = "http-request-max-retries", env = "WASM_HTTP_REQUEST_MAX_RETRIES", default_value_t = 5)]
    pub attempts: u32,
    /// The wait before the second attempt. Each further one is half as long again, up to 700ms if this is not longer; all
    /// are changed at random by up to a half.
    #[arg(long = "http-backoff", env = "MESHLOOM_WASM_HTTP_BACKOFF", default_value = "500ms", value_parser = duration)]
    pub backoff: Duration,
    /// How long it may take to connect, TLS included.
    #[arg(
        long = "connect-timeout",
        env = "MESHLOOM_WASM_CONNECT_TIMEOUT",
        default_value = "10s",
        value_parser = duration
    )]
    pub connect_timeout: Duration,
    /// How long a download may stand still.
    #[arg(long = "idle-timeout", env = "MESHLOOM_WASM_IDLE_TIMEOUT", default_value = "15s", value_parser = duration)]
    pub idle_timeout: Duration,
    /// How long a download may take in all once it has begun, if that is longer than the resource's own timeout. So a
    /// large module may come slowly, while a source that does not answer is still given up in time.
    #[arg(
        long = "download-timeout",
        env = "MESHLOOM_WASM_DOWNLOAD_TIMEOUT",
        default_value = "10m",
        value_parser = duration
    )]
    pub download_timeout: Duration,
    /// How many modules are received at a time. Those that wait for their turn are not timed, and have one only once their
    /// source has answered; one that hardly moves is not counted.
    #[arg(long = "concurrent-downloads", env = "MESHLOOM_WASM_CONCURRENT_DOWNLOADS", default_value_t = 4)]
    pub concurrent_downloads: usize,
    /// Bytes that a module may have.
    #[arg(long = "max-binary-size", env = "ISTIO_WASM_MAX_BINARY_SIZE_BYTES", default_value_t = 256 << 20)]
    pub max_binary_size: u64,
    /// Bytes that an archive, or a compressed module, may have as it is downloaded.
    #[arg(long = "max-archive-size", env = "MESHLOOM_WASM_MAX_ARCHIVE_SIZE_BYTES", default_value_t = 256 << 20)]
    pub max_archive_size: u64,
    /// Bytes that may come out of an archive or of a compressed module while the module is looked for, what is not
    /// kept included.
    #[arg(long = "max-unpacked-size", env = "MESHLOOM_WASM_MAX_UNPACKED_SIZE_BYTES", default_value_t = 1 << 30)]
    pub max_unpacked_size: u64,
    /// Networks in CIDR notation that are never called, besides link-local ones and the metadata services of clouds.
    /// Separated by commas.
    #[arg(long = "blocked-cidrs", env = "BLOCKED_CIDRS_IN_WASM_FETCH", value_delimiter = ',')]
    pub blocked: Vec<String>,
    /// Folder of Docker's config.json with credentials, for modules without a pull secret. Without it, ~/.docker.
    #[arg(long = "docker-config", env = "DOCKER_CONFIG")]
    pub docker_config: Option<PathBuf>,
    /// File with credentials, if Docker has none. Without it, Podman's.
    #[arg(long = "registry-auth-file", env = "REGISTRY_AUTH_FILE")]
    pub registry_auth_file: Option<PathBuf>,
    /// Proxy for http URLs.
    #[arg(long = "http-proxy", env = "HTTP_PROXY", hide_env_values = true)]
    pub http_proxy: Option<String>,
    /// Proxy for https and oci URLs.
    #[arg(long = "https-proxy", env = "HTTPS_PROXY", hide_env_values = true)]
    pub https_proxy: Option<String>,
    /// Hosts, domains, addresses and networks that are called without proxy, or *. Separated by commas.
    #[arg(long = "no-proxy", env = "NO_PROXY", value_delimiter = ',')]
    pub no_proxy: Vec<String>,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            insecure: Vec::new(),
            registries: None,
            request_timeout: Duration::from_secs(15),
            attempts: 5,
            backoff: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(15),
            download_timeout: Duration::from_secs(600),
            concurrent_downloads: 4,
            max_binary_size: 256 << 20,
            max_archive_size: 256 << 20,
            max_unpacked_size: 1 << 30,
            blocked: Vec::new(),
            docker_config: None,
            registry_auth_file: None,
            http_proxy: None,
            https_proxy: None,
            no_proxy: Vec::new(),
        }
    }
}

impl FetchOptions {
    /// Go's names for the proxy variables are tried in both cases; clap knows one.
    pub(super) fn with_lower_case_proxies(mut self) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let given = |option: Option<String>| option.filter(|value| !value.is_empty());
        self.http_proxy = given(self.http_proxy).or_else(|| variable("http_proxy"));
        self.https_proxy = given(self.https_proxy).or_else(|| variable("https_proxy"));
        if self.no_proxy.is_empty() {
            let listed = variable("no_proxy").unwrap_or_default();
            self.no_proxy = listed.split(',').map(str::to_owned).collect();
        }
        self
    }

    /// Whether that host is listed as insecure. Like Istio's agent, neither trims nor completes what is listed.
    pub(super) fn is_insecure(&self, host: &str) -> bool {
        self.insecure.iter().any(|listed| listed == "*" || listed == host)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: FetchOptions,
    }

    #[test]
    fn the_defaults_of_the_command_line_and_of_the_struct_are_the_same() {
        // Whatever proxies this machine has are not what is compared.
        let command = Command::parse_from(["agent", "--http-proxy=", "--https-proxy=", "--no-proxy="]);
        let mut options = command.options;
        (options.http_proxy, options.https_proxy, options.no_proxy) = (None, None, Vec::new());
        (options.docker_config, options.registry_auth_file) = (None, None);
        assert_eq!(format!("{options:?}"), format!("{:?}", FetchOptions::default()));
    }

    #[test]
    fn every_option_is_also_an_environment_variable() {
        for argument in Command::command().get_arguments() {
            assert!(argument.get_env().is_some(), "{argument}");
        }
    }

    #[test]
    fn insecure_hosts_are_compared_with_their_port_as_they_are_written() {
        let of = |listed: &[&str]| FetchOptions {
            insecure: listed.iter().map(|host| (*host).to_owned()).collect(),
            ..FetchOptions::default()
        };
        assert!(of(&["registry.test:5000"]).is_insecure("registry.test:5000"));
        assert!(!of(&["registry.test"]).is_insecure("registry.test:5000"));
        assert!(!of(&[" registry.test"]).is_insecure("registry.test"));
        assert!(!of(&[""]).is_insecure("registry.test"));
        assert!(of(&["other.test", "*"]).is_insecure("registry.test"));
    }
}
