//! The registry configuration: one YAML file that says how each registry, or each host of modules, is called.
//!
//! ```yaml
//! registries:
//!   - prefix: docker.io                     # a host, a host and port, or either with the beginning of a path
//!     location: registry.example.com/hub    # takes the prefix's place
//!     mirrors: [mirror.example.com/hub]     # tried before it, in this order
//!     mirrorsOnly: true                     # the registry itself is never called
//!   - prefix: registry.example.com
//!     ca: /etc/meshloom/ca.pem              # trusted besides the system's
//!     clientCertificate: /etc/meshloom/client.pem
//!     clientKey: /etc/meshloom/client.key
//!     auth: { username: puller, passwordFile: /etc/meshloom/password }
//!     tokenServers: [auth.example.com]      # where it may send for tokens though that is in a private network
//!     proxy: http://proxy.example.com:3128  # or direct
//!     requestsPerSecond: 5
//!     concurrentDownloads: 2
//!   - prefix: 10.0.0.7:5000
//!     plainHttp: true
//! ```
//!
//! Of several prefixes that fit, the longest counts, and only it. What says how a host is called is looked up for the
//! host that is called: of a mirror, the mirror's. Modules by http and https use that too; `location`, `mirrors`,
//! `auth` and `tokenServers` are for OCI alone.

mod entry;
mod fields;

use std::fmt;
use std::path::Path;

pub(super) use self::entry::{Auth, Entry, ProxyChoice, is_helper_name, read_file};
use self::fields::Fields;

/// The size that the file may have, in bytes.
const LARGEST: u64 = 1 << 20;

/// How each registry is called.
#[derive(Debug, Default)]
pub struct Registries {
    entries: Vec<Entry>,
}

/// All that is wrong with a registry configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

impl Registries {
    /// Reads the file and what it names.
    ///
    /// # Errors
    ///
    /// All that is wrong, each by its place in the file.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let alone = |problem: String| Problems(vec![format!("{}: {problem}", path.display())]);
        let text = entry::read_file(path, LARGEST).map_err(alone)?;
        let text = String::from_utf8(text).map_err(|_| alone("is no text in UTF-8".to_owned()))?;
        Self::parse(&text).map_err(|Problems(problems)| {
            Problems(problems.into_iter().map(|problem| format!("{}: {problem}", path.display())).collect())
        })
    }

    /// Reads the YAML, and the files that it names.
    ///
    /// # Errors
    ///
    /// All that is wrong, each by its place.
    pub fn parse(yaml: &str) -> Result<Self, Problems> {
        let root: serde_json::Value =
            serde_saphyr::from_str(yaml).map_err(|error| Problems(vec![error.to_string()]))?;
        let mut problems = Vec::new();
        let mut entries = Vec::<Entry>::new();
        let mut places = Vec::<(String, String)>::new();
        if let Some(mut root) = Fields::of(root, "", &mut problems) {
            for (index, listed) in root.list("registries").into_iter().enumerate() {
                let place = format!("registries[{index}]");
                let Some(fields) = Fields::of(listed, &place, root.problems) else { continue };
                let Some(entry) = Entry::read(fields) else { continue };
                if let Some((first, _)) = places.iter().find(|(_, prefix)| *prefix == entry.prefix) {
                    root.problem(
                        "",
                        &format!("{place}.prefix: {} is the prefix of {first} too", entry.prefix),
                    );
                }
                places.push((place, entry.prefix.clone()));
                entries.push(entry);
            }
            root.finish();
        }
        if problems.is_empty() { Ok(Self { entries }) } else { Err(Problems(problems)) }
    }

    /// The entry with the longest prefix that fits, and its number. `host` is as a URL has it: with its port, unless
    /// that is the scheme's own.
    pub(super) fn find(&self, host: &str, path: &str) -> Option<(usize, &Entry)> {
        let whole = format!("{}/{}", host.to_ascii_lowercase(), path.trim_start_matches('/'));
        let fits = |entry: &&(usize, &Entry)| has_prefix(&whole, &entry.1.prefix);
        let entries: Vec<(usize, &Entry)> = self.entries.iter().enumerate().collect();
        entries.iter().filter(fits).max_by_key(|(_, entry)| entry.prefix.len()).copied()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }
}

/// Whether the path begins with the prefix and then ends, or goes on at a slash.
pub(super) fn has_prefix(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
