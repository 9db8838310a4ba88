//! Requests of the module's own.

use crate::header::NO_LINES;
use crate::import;

/// Sends a request to a cluster and answers the token by which its answer is known. `headers` are lines as the ABI writes
/// a map down.
///
/// # Errors
///
/// The host's status: it does not know the cluster, or has no healthy host of it.
pub fn send(cluster: &str, headers: &[u8], body: &[u8], timeout_ms: u64) -> Result<u32, u32> {
    let timeout_ms = u32::try_from(timeout_ms).unwrap_or(u32::MAX >> 1);
    let mut token = 0;
    // SAFETY: all texts are valid for their lengths, and the out pointer for a write.
    let status = unsafe {
        import::proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            NO_LINES.as_ptr(),
            NO_LINES.len(),
            timeout_ms,
            &raw mut token,
        )
    };
    if status == 0 { Ok(token) } else { Err(status) }
}
