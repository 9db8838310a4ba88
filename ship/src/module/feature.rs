//! The Wasm features that a module was compiled with, and what wasm-opt calls them.
//!
//! They are named one by one: with all features on, wasm-opt writes instructions that the V8 in Envoy refuses.

use wasmparser::{BinaryReader, Parser, Payload};

use super::Malformed;

/// Features by the names that LLVM gives them, and by those of wasm-opt's options.
const NAMES: &[(&str, &str)] = &[
    ("atomics", "threads"),
    ("bulk-memory", "bulk-memory"),
    ("bulk-memory-opt", "bulk-memory-opt"),
    ("call-indirect-overlong", "call-indirect-overlong"),
    ("exception-handling", "exception-handling"),
    ("extended-const", "extended-const"),
    ("fp16", "fp16"),
    ("gc", "gc"),
    ("memory64", "memory64"),
    ("multimemory", "multimemory"),
    ("multivalue", "multivalue"),
    ("mutable-globals", "mutable-globals"),
    ("nontrapping-fptoint", "nontrapping-float-to-int"),
    ("reference-types", "reference-types"),
    ("relaxed-simd", "relaxed-simd"),
    ("sign-ext", "sign-ext"),
    ("simd128", "simd"),
    ("tail-call", "tail-call"),
    ("wide-arithmetic", "wide-arithmetic"),
];

/// The compiler used a feature that the table lacks.
#[derive(Debug, thiserror::Error)]
#[error("target feature `{0}` is unknown to ship, add wasm-opt's name for it to ship/src/module/feature.rs")]
pub struct UnknownFeature(String);

/// The features that a module may use.
#[derive(Debug, PartialEq, Eq)]
pub struct Features(Vec<String>);

impl Features {
    /// What the compiler wrote into the custom section `target_features`; `None` when it was stripped.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when the module or that section cannot be read.
    pub fn of_module(module: &[u8]) -> Result<Option<Self>, Malformed> {
        for payload in Parser::new(0).parse_all(module) {
            if let Payload::CustomSection(section) = payload?
                && section.name() == "target_features"
            {
                return Ok(Some(Self::of_section(section.data())?));
            }
        }
        Ok(None)
    }

    /// Whether the module may use it.
    #[must_use]
    pub fn has(&self, feature: &str) -> bool {
        self.0.iter().any(|name| name == feature)
    }

    /// The layout: <https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md#target-features-section>
    fn of_section(data: &[u8]) -> Result<Self, Malformed> {
        let mut reader = BinaryReader::new(data, 0);
        let mut features = Vec::new();
        for _ in 0..reader.read_var_u32()? {
            let prefix = reader.read_u8()?;
            let name = reader.read_string()?;
            if prefix == b'+' {
                features.push(name.to_owned());
            }
        }
        Ok(Self(features))
    }

    /// Reads them from what `rustc --print cfg --target ...` prints: what the target has on, used or not.
    #[must_use]
    pub fn of_rustc(cfg: &str) -> Self {
        let quoted = cfg.lines().filter_map(|line| line.strip_prefix("target_feature=\""));
        Self(quoted.filter_map(|rest| rest.strip_suffix('"')).map(str::to_owned).collect())
    }

    /// wasm-opt's options for these features and no others.
    ///
    /// # Errors
    ///
    /// [`UnknownFeature`], naming the first that is not in the table.
    pub fn options(&self) -> Result<Vec<String>, UnknownFeature> {
        let mut options = vec!["--mvp-features".to_owned()];
        for feature in &self.0 {
            let known = NAMES.iter().find(|(name, _)| name == feature);
            let (_, name) = known.ok_or_else(|| UnknownFeature(feature.clone()))?;
            options.push(format!("--enable-{name}"));
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(features: &str) -> Vec<u8> {
        wat::parse_str(format!("(module (@custom \"target_features\" \"{features}\"))")).unwrap()
    }

    #[test]
    fn the_features_in_use_become_options_after_all_were_switched_off() {
        let features = Features::of_module(&module(r"\03+\08sign-ext+\13nontrapping-fptoint-\07simd128"));
        assert_eq!(
            features.unwrap().unwrap().options().unwrap(),
            ["--mvp-features", "--enable-sign-ext", "--enable-nontrapping-float-to-int"]
        );
    }

    #[test]
    fn a_module_without_the_section_says_nothing_of_its_features() {
        assert_eq!(Features::of_module(&wat::parse_str("(module)").unwrap()).unwrap(), None);
    }

    #[test]
    fn a_section_that_ends_too_early_is_refused() {
        assert!(Features::of_module(&module(r"\02+\08sign-ext")).is_err());
    }

    #[test]
    fn the_compilers_own_list_is_read_line_by_line() {
        let cfg = "panic=\"abort\"\ntarget_arch=\"wasm32\"\ntarget_feature=\"sign-ext\"\ntarget_feature=\"simd128\"\n";
        assert_eq!(
            Features::of_rustc(cfg).options().unwrap(),
            ["--mvp-features", "--enable-sign-ext", "--enable-simd"]
        );
    }

    #[test]
    fn an_unknown_feature_is_refused_by_name() {
        let error = Features::of_rustc("target_feature=\"telepathy\"").options().unwrap_err();
        assert!(error.to_string().starts_with("target feature `telepathy` is unknown to ship"), "{error}");
    }
}
