//! One resource made ready for Envoy without a stream: for the command line.

use bytes::Bytes;

use super::convert::{Outcome, convert};
use super::filter::Filter;
use super::options::OnFetchFailure;
use crate::{Held, Library, Unavailable};

/// A resource that Envoy may be given.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The resource, an `Any`.
    pub resource: Bytes,
    /// Its module, if it had a remote one and that was obtained.
    pub module: Option<Held>,
    /// What stands in for the module, and why. Last-good resources belong to an agent that runs: here the plugin's
    /// failure policy decides.
    pub stand_in: Option<(Filter, Unavailable)>,
}

/// Makes a resource (an `Any` with a `TypedExtensionConfig`) ready for Envoy; its module is obtained if it needs one.
///
/// # Errors
///
/// Why the resource cannot be read; or, if the policy is to wait for the module, why that is not there.
pub async fn finish(
    resource: Bytes,
    library: &dyn Library,
    on_fetch_failure: OnFetchFailure,
) -> Result<Finished, String> {
    let finished = |resource| Finished { resource, module: None, stand_in: None };
    let remote = match convert(&resource).outcome {
        Outcome::Malformed(why) => return Err(why),
        Outcome::Untouched => return Ok(finished(resource)),
        Outcome::Stripped(stripped) => return Ok(finished(stripped)),
        Outcome::Remote(remote) => remote,
    };
    let obtained = match remote.wanted.clone() {
        Ok(wanted) => library.obtain(wanted).await,
        Err(why) => Err(why.unavailable()),
    };
    let unavailable = match obtained {
        Ok(held) => {
            return Ok(Finished {
                resource: remote.with_module(&held.path),
                module: Some(held),
                stand_in: None,
            });
        }
        Err(unavailable) => unavailable,
    };
    let filter = match on_fetch_failure {
        OnFetchFailure::LastGood => remote.filter,
        OnFetchFailure::Open => Filter::Allow,
        OnFetchFailure::Close => Filter::Deny,
        OnFetchFailure::Wait => return Err(unavailable.message),
    };
    Ok(Finished { resource: remote.with_filter(filter), module: None, stand_in: Some((filter, unavailable)) })
}
