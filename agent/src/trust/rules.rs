//! Which images have to be signed, and by whom.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::Signature;
use super::cosign::{self, PublicKey};
use crate::Sha256;

/// Most signatures of one image that are looked at.
const MOST_SIGNATURES: usize = 100;

/// What is done about a module that is not as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// It is refused.
    #[default]
    Enforce,
    /// It is said in the log.
    Warn,
    /// It is not looked at.
    Off,
}

/// Rules on signatures: for each reference the one with the longest pattern counts.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    all: Vec<Arc<Rule>>,
    /// What they were read from.
    files: Vec<PathBuf>,
}

/// Who has to have signed what.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it is for, as it was written.
    pattern: String,
    /// Whose rule it is, for messages.
    whose: String,
    policy: Policy,
    require: Require,
    /// Whether the signature must be for the same registry and repository.
    same_reference: bool,
    keys: Vec<PublicKey>,
}

/// How many of the keys have to have signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Require {
    #[default]
    Any,
    All,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesText {
    rules: Vec<RuleText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RuleText {
    #[serde(rename = "match")]
    pattern: String,
    #[serde(default)]
    policy: Policy,
    #[serde(default)]
    require: Require,
    #[serde(default)]
    same_reference: bool,
    #[serde(default)]
    keys: Vec<KeyText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum KeyText {
    File(String),
    Pem(String),
}

impl Rules {
    /// Reads the file of rules; files of keys are found from its folder.
    ///
    /// ```yaml
    /// rules:
    /// - match: registry.example.com/team/*   # registry and repository; * at the end for all below
    ///   policy: enforce                      # or warn, off
    ///   require: any                         # of the keys, or all
    ///   sameReference: false                 # whether the signature must name the same repository
    ///   keys:
    ///   - file: team.pub
    ///   - pem: |
    ///       -----BEGIN PUBLIC KEY-----
    /// ```
    ///
    /// # Errors
    ///
    /// All that is wrong with it, one a line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let named = |what: String| format!("{}: {what}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
        let mut rules = Self::from_yaml(&text, path.parent().unwrap_or(Path::new("."))).map_err(named)?;
        rules.files.push(path.to_owned());
        Ok(rules)
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, one a line.
    pub fn from_yaml(text: &str, folder: &Path) -> Result<Self, String> {
        let text: RulesText = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let mut problems = Vec::new();
        let (mut rules, mut files): (Vec<Arc<Rule>>, Vec<PathBuf>) = Default::default();
        for (index, rule) in text.rules.into_iter().enumerate() {
            let at = format!("rules[{index}]");
            if rule.pattern.is_empty() || rule.pattern.trim_end_matches('*').contains('*') {
                problems.push(format!(
                    "{at}.match: {:?}: expected registry/repository, with * only at its end",
                    rule.pattern
                ));
            }
            if rules.iter().any(|other| other.pattern == rule.pattern) {
                problems.push(format!("{at}.match: {:?} is there twice", rule.pattern));
            }
            if rule.keys.is_empty() && rule.policy != Policy::Off {
                problems.push(format!("{at}.keys: list at least one, or set policy: off"));
            }
            let mut keys = Vec::new();
            for (number, key) in rule.keys.iter().enumerate() {
                files.extend(key.file(folder));
                match key.read(folder) {
                    Ok(key) => keys.push(key),
                    Err(problem) => problems.push(format!("{at}.keys[{number}]: {problem}")),
                }
            }
            rules.push(Arc::new(Rule {
                whose: format!("the rule for {}", rule.pattern),
                pattern: rule.pattern,
                policy: rule.policy,
                require: rule.require,
                same_reference: rule.same_reference,
                keys,
            }));
        }
        if problems.is_empty() { Ok(Self { all: rules, files }) } else { Err(problems.join("\n")) }
    }

    /// The rule for a registry and repository, unless there is none or it is off.
    #[must_use]
    pub fn rule(&self, reference: &str) -> Option<Arc<Rule>> {
        let matching = self.all.iter().filter(|rule| rule.is_for(reference));
        matching.max_by_key(|rule| rule.precedence()).filter(|rule| rule.policy != Policy::Off).cloned()
    }

    /// The files that they were read from: their own, and those of keys.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }
}

impl KeyText {
    fn file(&self, folder: &Path) -> Option<PathBuf> {
        match self {
            Self::Pem(_) => None,
            Self::File(name) => Some(folder.join(name)),
        }
    }

    fn read(&self, folder: &Path) -> Result<PublicKey, String> {
        match self {
            Self::Pem(text) => PublicKey::from_pem(text),
            Self::File(name) => {
                let path = folder.join(name);
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                PublicKey::from_pem(&text).map_err(|problem| format!("{}: {problem}", path.display()))
            }
        }
    }
}

impl Rule {
    /// What a resource says by its verification key: signed by it, or not served. It is for whatever that resource wants.
    #[must_use]
    pub fn of_resource(key: PublicKey) -> Self {
        Self {
            pattern: "*".to_owned(),
            whose: "the resource".to_owned(),
            policy: Policy::Enforce,
            require: Require::Any,
            same_reference: false,
            keys: vec![key],
        }
    }

    /// What is done about what it does not allow.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.policy
    }

    fn is_for(&self, reference: &str) -> bool {
        match self.pattern.strip_suffix('*') {
            Some(prefix) => reference.starts_with(prefix.trim_end_matches('*')),
            None => reference == self.pattern,
        }
    }

    fn precedence(&self) -> (usize, bool) {
        (self.pattern.trim_end_matches('*').len(), !self.pattern.ends_with('*'))
    }

    /// Whether signatures by these keys, by their fingerprints, are enough.
    #[must_use]
    pub fn is_satisfied_by(&self, signers: &[Sha256]) -> bool {
        let mut keys = self.keys.iter().map(PublicKey::fingerprint);
        match self.require {
            Require::Any => keys.any(|key| signers.contains(&key)),
            Require::All => keys.all(|key| signers.contains(&key)),
        }
    }

    /// Checks what was found: the fingerprints of the keys that have signed that digest.
    ///
    /// # Errors
    ///
    /// That they are not enough, with what became of each signature.
    pub fn check(
        &self,
        found: &[Signature],
        digest: &Sha256,
        reference: &str,
    ) -> Result<Vec<Sha256>, String> {
        let mut signers = Vec::new();
        let mut told = String::new();
        let expected = self.same_reference.then_some(reference);
        for signature in found.iter().take(MOST_SIGNATURES) {
            match cosign::signers(signature, &self.keys, digest, expected) {
                Ok(keys) => signers.extend(keys.into_iter().map(PublicKey::fingerprint)),
                Err(why) => {
                    let _ = write!(told, "; {}: {why}", signature.place);
                }
            }
        }
        signers.sort_unstable();
        signers.dedup();
        if self.is_satisfied_by(&signers) {
            return Ok(signers);
        }
        let count = self.keys.len();
        let required = match (self.require, self.keys.as_slice()) {
            (_, [key]) => format!("the key {}", key.fingerprint()),
            (Require::Any, _) => "any of the keys".to_owned(),
            (Require::All, _) => "all of the keys".to_owned(),
        };
        let what = match (found.len(), signers.len()) {
            (0, _) => "is not signed".to_owned(),
            (_, 0) => "has no signature that counts".to_owned(),
            (_, some) => format!("is signed by {some} of {count} keys"),
        };
        Err(format!(
            "{reference}@sha256:{digest} {what}; {} wants a signature by {required}{told}",
            self.whose
        ))
    }
}
