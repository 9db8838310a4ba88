//! Further configurations of the filters, and what else does the same: `filters/<name>/bench/`.
//!
//! - `<case>.json`: a plugin configuration
//! - `<case>.lua`: a script for Envoy's Lua filter that does the same
//! - `<case>.<word>.yaml`: another filter of Envoy's that does the same, as in a list of `http_filters`
//! - `bench.yaml`: what all of them are asked, and what must be seen of each case ([`setting`])
//!
//! In the folder itself for a table of headers, in `body-1mb/` for that of large bodies. Every variant has the clusters
//! of the filter's `envoy.yaml`. A list too long to be written down is `${names:COUNT$}`: so many host names in quotes,
//! with commas between them; or `${names:COUNT|BEFORE|AFTER$}` with these around each name in place of the quotes.
//!
//! [`setting`]: crate::setting

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use serde_json::{Value, json};

use crate::setting::{self, Setting};
use crate::variant::Variant;

/// The variants of a filter's folder for one suite, in the order of their names, and what they are asked. None, if
/// there is no such folder.
///
/// # Errors
///
/// When a file cannot be used.
pub fn of(filter: &str, folder: &Path) -> anyhow::Result<(Setting, Vec<Variant>)> {
    let mut files: Vec<PathBuf> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((Setting::default(), Vec::new()));
        }
        Err(error) => return Err(error).with_context(|| folder.display().to_string()),
    };
    files.retain(|file| file.is_file() && !file.ends_with(setting::FILE));
    files.sort();
    let names = files.iter().map(|file| Ok(named(file)?.0)).collect::<anyhow::Result<BTreeSet<String>>>()?;
    if names.is_empty() {
        return Ok((Setting::default(), Vec::new()));
    }
    let setting = Setting::of(folder, &names)?;
    let clusters = Variant::clusters_of(filter);
    let mut variants = Vec::new();
    for file in &files {
        let mut variant = variant(filter, file).with_context(|| file.display().to_string())?;
        variant.clusters.clone_from(&clusters);
        variant.seen = setting.seen(&named(file)?.0);
        variants.push(variant);
    }
    Ok((setting, variants))
}

/// The case that a file is of, and what the file is.
fn named(file: &Path) -> anyhow::Result<(String, String)> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let (case, kind) =
        name.split_once('.').with_context(|| format!("{}: a file without an extension", file.display()))?;
    Ok((case.to_owned(), kind.to_owned()))
}

fn variant(filter: &str, file: &Path) -> anyhow::Result<Variant> {
    let text = filled(&std::fs::read_to_string(file)?)?;
    let (case, kind) = named(file)?;
    match kind.split_once('.').unwrap_or((&kind, "")) {
        ("json", "") => Variant::configured(filter, &case, &text),
        ("lua", "") => Ok(Variant::lua(&format!("Lua: {case}"), &text)),
        (word, "yaml") => {
            // Long lists are what is asked for here.
            let options = serde_saphyr::options! { budget: None };
            let parsed: Value = serde_saphyr::from_str_with_options(&text, options)?;
            ensure!(
                parsed.get("typed_config").is_some_and(Value::is_object),
                "no filter: it has no typed_config"
            );
            Ok(Variant::other(&format!("{word}: {case}"), parsed))
        }
        _ => Err(anyhow!("expected {case}.json, {case}.lua or {case}.<word>.yaml")),
    }
}

/// The text with its lists of names written out.
pub(crate) fn filled(text: &str) -> anyhow::Result<String> {
    const BEGIN: &str = "${names:";
    // What is around a name may have braces.
    const END: &str = "$}";
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (list, after) = after.split_once(END).context("a list of names without its end")?;
        filled.push_str(before);
        let mut parts = list.split('|');
        let count = parts.next().unwrap_or_default();
        let count: u32 = count.parse().with_context(|| format!("{count:?} is no number of names"))?;
        let (prefix, suffix) = (parts.next().unwrap_or("\""), parts.next().unwrap_or("\""));
        for number in 0..count {
            let comma = if number == 0 { "" } else { "," };
            let _ = write!(filled, "{comma}{prefix}{}{suffix}", host_name(number)); // a String takes everything
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// A host name of three or four labels that no two numbers share.
fn host_name(number: u32) -> String {
    // A bijection: odd factors have an inverse modulo 2^32.
    let mixed = number.wrapping_mul(0x9e37_79b1);
    let (service, zone) = (["ads", "tracker", "cdn-eu", "api.metrics"], ["test", "example", "invalid"]);
    let pick = |list: &[&'static str], by: u32| list.get(by as usize % list.len()).copied().unwrap_or("x");
    format!("h{mixed:08x}.{}.{}", pick(&service, mixed >> 3), pick(&zone, mixed >> 11))
}

impl Variant {
    /// A filter of this repository with that plugin configuration.
    ///
    /// # Errors
    ///
    /// When there is no such filter.
    pub fn configured(name: &str, case: &str, configuration: &str) -> anyhow::Result<Self> {
        let mut variant = Self::ours(name)?;
        variant.case = format!("{name}: {case}");
        for filter in &mut variant.filters {
            if let Some(plugin) = filter.pointer_mut("/typed_config/config").and_then(Value::as_object_mut) {
                let string = "type.googleapis.com/google.protobuf.StringValue";
                plugin.insert("configuration".to_owned(), json!({ "@type": string, "value": configuration }));
            }
        }
        Ok(variant)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_list_of_names_is_written_out_as_it_is_asked_for() {
        let names: Value = serde_json::from_str(&filled("[${names:3$}, 1]").unwrap()).unwrap();
        assert_eq!(names.as_array().unwrap().len(), 4);
        let rules = filled("[${names:2|{suffix: '|'}$}]").unwrap();
        assert!(rules.starts_with("[{suffix: 'h") && rules.matches("suffix").count() == 2, "{rules}");
        assert!(filled("${names:many$}").is_err());
        assert!(filled("${names:1").is_err());
    }

    #[test]
    fn no_name_comes_twice() {
        let names: BTreeSet<String> = (0..100_000).map(host_name).collect();
        assert_eq!(names.len(), 100_000);
    }

    #[test]
    fn what_does_the_same_has_the_clusters_of_the_filter_and_must_show_the_same() {
        let folder = meshloom_lab::root().join("filters/callout-enrichment/bench");
        let (_, variants) = of("callout-enrichment", &folder).unwrap();
        let callouts: Vec<&Variant> = variants.iter().filter(|it| it.case.ends_with(": callout")).collect();
        assert!(callouts.len() >= 3, "ours, Lua and ext_authz: {callouts:?}");
        for one in &callouts {
            assert!(one.clusters.iter().any(|cluster| cluster["name"] == "metadata"), "{}", one.case);
            assert!(!one.seen.request.is_empty(), "{}", one.case);
            assert_eq!(one.seen, callouts[0].seen, "{}", one.case);
        }
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("case.txt"), "").unwrap();
        std::fs::write(folder.path().join(setting::FILE), "cases: {case: {lacks: [a]}}").unwrap();
        let refused = of("blocklist", folder.path()).unwrap_err();
        assert!(format!("{refused:#}").contains("case.json"), "{refused:#}");
        assert!(of("blocklist", &folder.path().join("none")).unwrap().1.is_empty());
    }
}
