//! The environment that the operator gives the VM.

/// The value of a variable.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn variable(name: &str) -> Option<Vec<u8>> {
    std::env::var_os(name).map(std::ffi::OsString::into_encoded_bytes)
}

/// The value of a variable.
#[cfg(target_family = "wasm")]
pub(crate) fn variable(name: &str) -> Option<Vec<u8>> {
    filter_shell::environment(name)
}
