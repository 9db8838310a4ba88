//! The registry configuration: one YAML file that says how each registry, or each host of modules, is called.
//! The README shows its form.

mod entry;
mod fields;

use std::fmt;
use std::path::{Path, PathBuf};

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

    /// The files that its entries name and that were read with it: certificates and keys.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.entries.iter().flat_map(|entry| entry.files.iter().cloned()).collect()
    }

    /// The entry of that number, with it.
    pub(super) fn by_number(&self, index: Option<usize>) -> Option<(usize, &Entry)> {
        let index = index?;
        Some((index, self.entries.get(index)?))
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
