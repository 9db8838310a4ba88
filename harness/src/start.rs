//! Why a plugin does not start.

use std::fmt;

use crate::log::LogLine;

/// What keeps a host from starting. Envoy would refuse the configuration for the same reasons.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartFailure {
    /// There is nothing to start.
    #[error("no plugin was given: add one with Host::plugin")]
    NoPlugin,
    /// No ABI version is exported.
    #[error("{module}: exports no proxy_abi_version_0_1_0, _0_2_0 or _0_2_1: is it a Proxy-Wasm module?")]
    NoAbiVersion {
        /// The module.
        module: String,
    },
    /// Under `strict_link`: something is imported that the host does not provide.
    #[error("{module}: imports {}, which this host does not provide", imports.join(", "))]
    UnknownImports {
        /// The module.
        module: String,
        /// As `namespace.name`.
        imports: Vec<String>,
    },
    /// The module cannot be compiled or linked.
    #[error("{module}: {message}")]
    NotLinked {
        /// The module.
        module: String,
        /// What the compiler or the linker said.
        message: String,
    },
    /// No memory is exported.
    #[error("{module}: exports no memory under the name \"memory\"")]
    NoMemory {
        /// The module.
        module: String,
    },
    /// The host cannot give the guest anything.
    #[error("{module}: exports neither malloc nor proxy_on_memory_allocate")]
    NoMalloc {
        /// The module.
        module: String,
    },
    /// An export has another type than the ABI says.
    #[error("{module}: {export} has the wrong signature: {message}")]
    BadSignature {
        /// The module.
        module: String,
        /// The export.
        export: String,
        /// What was wanted and what was found.
        message: String,
    },
    /// It trapped before it was ready.
    #[error("{module}: trapped in {at}: {message}")]
    Trapped {
        /// The module.
        module: String,
        /// Where.
        at: &'static str,
        /// What the trap says.
        message: String,
    },
    /// `on_vm_start` returned false.
    #[error("{plugin}: on_vm_start returned false")]
    VmRefused {
        /// The plugin.
        plugin: String,
    },
    /// `on_configure` returned false.
    #[error("{plugin}: on_configure returned false")]
    ConfigurationRefused {
        /// The plugin.
        plugin: String,
    },
}

/// Why a host did not start, and what was logged until then.
#[derive(Debug)]
pub struct StartError {
    failure: StartFailure,
    logs: Vec<LogLine>,
}

impl StartError {
    pub(crate) fn new(failure: StartFailure, logs: Vec<LogLine>) -> Self {
        Self { failure, logs }
    }

    /// What went wrong.
    #[must_use]
    pub fn failure(&self) -> &StartFailure {
        &self.failure
    }

    /// Every line that was logged until then, by any VM.
    #[must_use]
    pub fn logs(&self) -> &[LogLine] {
        &self.logs
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)?;
        self.logs.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl std::error::Error for StartError {}
