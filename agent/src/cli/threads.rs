//! The threads that the agent works with.

use tokio::runtime::{Builder, Runtime};

use super::Failure;

/// How much of the machine is used
#[derive(clap::Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Resources")]
pub(super) struct ThreadOptions {
    /// Threads for streams and downloads. Two keep one busy stream from delaying another and the admin server
    #[arg(long, env = "MESHLOOM_WORKER_THREADS", default_value_t = 2, value_name = "COUNT")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=64))]
    worker_threads: u16,
}

impl ThreadOptions {
    /// A runtime of so many threads; blocking calls (of the disk) have up to eight more, while there are any.
    pub(super) fn runtime(self) -> Result<Runtime, Failure> {
        Builder::new_multi_thread()
            .worker_threads(usize::from(self.worker_threads))
            .max_blocking_threads(8)
            .thread_stack_size(1 << 20)
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("cannot start threads: {error}")))
    }
}
