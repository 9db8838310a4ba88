//! What a module has to be before Envoy sees it.

/// A signature as cosign keeps it in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// What is signed: the payload's bytes, exactly.
    pub payload: bytes::Bytes,
    /// The signature, in base64 as it is found.
    pub signature: String,
    /// Where it was found, for messages.
    pub place: String,
}
