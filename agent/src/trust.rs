//! What a module has to be before Envoy sees it.
//!
//! It is parsed whole, function by function as it is read from disk, and compared with what Envoy provides and needs
//! (`module`); and where a rule says so, its image has to be signed (`cosign`, `rules`).

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

mod cosign;
mod module;
mod options;
mod rules;

pub use cosign::PublicKey;
pub use module::Inspection;
pub use options::TrustOptions;
pub use rules::{Policy, Rule, Rules};

use crate::live::{self, Live};
use crate::{Reason, Unavailable};

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

/// The options, read and understood.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    check: Policy,
    memory: Option<u64>,
    rules: Arc<Live<Rules>>,
}

impl Trust {
    /// Reads the files that the options name, and again whenever they are [looked at](Self::look) and have changed.
    ///
    /// # Errors
    ///
    /// All that is wrong with them, one a line.
    pub fn new(options: &TrustOptions) -> Result<Self, String> {
        let rules = match options.signatures.clone() {
            None => Live::default(),
            Some(path) => {
                let read = move || {
                    let rules = Rules::read(&path)?;
                    Ok::<_, String>(live::Read { files: rules.files().to_vec(), value: rules })
                };
                Live::new(read()?, read)
            }
        };
        Ok(Self { check: options.check, memory: Some(options.memory), rules: Arc::new(rules) })
    }

    /// The same with other rules on signatures.
    #[must_use]
    pub fn with_rules(self, rules: Rules) -> Self {
        Self { rules: Arc::new(Live::fixed(rules)), ..self }
    }

    /// What there is to say about the signatures of a registry and repository: by the rules, and by the resource that asks
    /// for it. All of it counts, so a resource can ask for more than the rules do, and not for less.
    #[must_use]
    pub fn rules(&self, reference: &str, key: Option<&PublicKey>) -> Vec<Arc<Rule>> {
        let of_resource = key.map(|key| Arc::new(Rule::of_resource(key.clone())));
        self.rules.current().rule(reference).into_iter().chain(of_resource).collect()
    }

    /// Reads the rules on signatures again if they have changed. Blocks on the disk.
    pub fn look(&self) {
        self.rules.look();
    }

    /// Reads a module and says what Envoy could not run about it. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`Reason::Disk`]
    pub fn inspect(&self, path: &Path) -> Result<Inspection, Unavailable> {
        let inspected = File::open(path)
            .and_then(|file| module::inspect(BufReader::with_capacity(64 * 1024, file), self.memory()));
        inspected.map_err(|error| unread(path, &error))
    }

    /// Whether the module may go to Envoy. What is wrong with it but allowed is said in the log. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`Reason::NotAModule`] with everything that is wrong with it, and [`Reason::Disk`].
    pub fn admit(&self, path: &Path, source: &str) -> Result<(), Unavailable> {
        // What is no module at all is never passed on, whatever the policy: Istio's agent looks at so much, too.
        let is_module = is_module(path)?;
        if is_module && self.check == Policy::Off {
            return Ok(());
        }
        let problems = self.inspect(path)?.problems;
        if problems.is_empty() {
            return Ok(());
        }
        let told = format!("fetched Wasm binary from {source} is invalid: {}", problems.join("; "));
        if !is_module || self.check == Policy::Enforce {
            return Err(Unavailable::new(Reason::NotAModule, told));
        }
        tracing::warn!("{told}");
        Ok(())
    }

    fn memory(&self) -> u64 {
        self.memory.unwrap_or(1 << 30)
    }
}

/// Whether the file begins as modules do.
fn is_module(path: &Path) -> Result<bool, Unavailable> {
    let mut header = Vec::new();
    let read = File::open(path).and_then(|file| file.take(8).read_to_end(&mut header));
    read.map_err(|error| unread(path, &error))?;
    Ok(header.len() == 8 && header.starts_with(b"\0asm"))
}

fn unread(path: &Path, error: &std::io::Error) -> Unavailable {
    Unavailable::new(Reason::Disk, format!("cannot read {}: {error}", path.display()))
}
