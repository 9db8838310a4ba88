//! The options of the server.

use std::net::SocketAddr;

use serde::Serialize;

use crate::boolean::boolean;

/// What is served over HTTP, and to whom
#[derive(clap::Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Status, metrics and debugging")]
pub struct AdminOptions {
    /// Where readiness, metrics and the status page are served: an IP address and a port (0: any that is free)
    #[arg(
        long,
        env = "MESHLOOM_ADMIN_ADDRESS",
        default_value = "127.0.0.1:15020",
        value_name = "ADDRESS:PORT"
    )]
    pub admin_address: SocketAddr,

    /// Allow an `--admin-address` that other machines can reach
    #[arg(long, env = "MESHLOOM_ADMIN_ANYWHERE", default_value = "false", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean)]
    pub admin_anywhere: bool,

    /// Answer the status page and `/debug/*` to other machines as well
    #[arg(long, env = "MESHLOOM_ADMIN_DEBUG_ANYWHERE", default_value = "false", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean)]
    pub admin_debug_anywhere: bool,

    /// Host names by which the server may be called, besides `localhost` and IP addresses; comma-separated
    #[arg(long, env = "MESHLOOM_ADMIN_HOSTS", value_delimiter = ',', value_name = "NAME")]
    pub admin_hosts: Vec<String>,

    /// How many resources have a metric of their own, `meshloom_agent_resource_info` (0: none)
    #[arg(long, env = "MESHLOOM_METRICS_RESOURCES", default_value_t = 200, value_name = "COUNT")]
    pub metrics_resources: usize,
}

impl AdminOptions {
    /// What is wrong with them, each with what would be right.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let address = self.admin_address;
        if !address.ip().is_loopback() && !self.admin_anywhere {
            problems.push(format!(
                "admin-address: other machines can reach {address}, expected an address such as 127.0.0.1:{}, or \
                 --admin-anywhere as well",
                address.port()
            ));
        }
        problems
    }
}
