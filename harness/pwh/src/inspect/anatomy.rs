//! What WebAssembly a module is made of.

use wasmparser::{Parser, Payload, Validator, WasmFeatures};

use super::Section;

/// Sizes, features, start section.
#[derive(Debug, Default)]
pub(super) struct Anatomy {
    pub(super) code_bytes: usize,
    pub(super) data_bytes: usize,
    pub(super) custom_sections: Vec<Section>,
    pub(super) start_section: bool,
    pub(super) features: Vec<Feature>,
}

/// Something that WebAssembly did not have from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Feature {
    pub(super) name: &'static str,
    /// It is not in WebAssembly 2.0 either.
    pub(super) recent: bool,
}

const FEATURES: [(&str, WasmFeatures); 21] = [
    ("mutable-globals", WasmFeatures::MUTABLE_GLOBAL),
    ("nontrapping-fptoint", WasmFeatures::SATURATING_FLOAT_TO_INT),
    ("sign-ext", WasmFeatures::SIGN_EXTENSION),
    ("reference-types", WasmFeatures::REFERENCE_TYPES),
    ("multivalue", WasmFeatures::MULTI_VALUE),
    ("bulk-memory", WasmFeatures::BULK_MEMORY),
    ("simd128", WasmFeatures::SIMD),
    ("relaxed-simd", WasmFeatures::RELAXED_SIMD),
    ("threads", WasmFeatures::THREADS),
    ("shared-everything-threads", WasmFeatures::SHARED_EVERYTHING_THREADS),
    ("tail-call", WasmFeatures::TAIL_CALL),
    ("multi-memory", WasmFeatures::MULTI_MEMORY),
    ("exceptions", WasmFeatures::EXCEPTIONS),
    ("legacy-exceptions", WasmFeatures::LEGACY_EXCEPTIONS),
    ("memory64", WasmFeatures::MEMORY64),
    ("extended-const", WasmFeatures::EXTENDED_CONST),
    ("function-references", WasmFeatures::FUNCTION_REFERENCES),
    ("gc", WasmFeatures::GC),
    ("custom-page-sizes", WasmFeatures::CUSTOM_PAGE_SIZES),
    ("stack-switching", WasmFeatures::STACK_SWITCHING),
    ("wide-arithmetic", WasmFeatures::WIDE_ARITHMETIC),
];

impl Anatomy {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut anatomy = Self { features: features(bytes), ..Self::default() };
        // It was parsed before, so there is an end to each section.
        for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
            match payload {
                Payload::CodeSectionStart { size, .. } => {
                    anatomy.code_bytes = usize::try_from(size).unwrap_or(usize::MAX);
                }
                Payload::DataSection(section) => {
                    let range = section.range();
                    anatomy.data_bytes = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
                }
                Payload::StartSection { .. } => anatomy.start_section = true,
                Payload::CustomSection(section) => {
                    let (name, bytes) = (section.name(), section.data().len());
                    match anatomy.custom_sections.iter_mut().find(|known| known.name == name) {
                        Some(known) => known.bytes += bytes,
                        None => anatomy.custom_sections.push(Section { name: name.to_owned(), bytes }),
                    }
                }
                _ => {}
            }
        }
        anatomy
    }
}

/// The features without which it is not valid.
fn features(bytes: &[u8]) -> Vec<Feature> {
    let valid = |features| Validator::new_with_features(features).validate_all(bytes).is_ok();
    if valid(WasmFeatures::WASM1) || !valid(WasmFeatures::all()) {
        return Vec::new();
    }
    FEATURES
        .into_iter()
        .filter(|(_, feature)| !valid(WasmFeatures::all().difference(*feature)))
        .map(|(name, feature)| Feature { name, recent: !WasmFeatures::WASM2.contains(feature) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(&'static str, bool)> {
        let bytes = wat::parse_str(text).unwrap();
        Anatomy::of(&bytes).features.iter().map(|feature| (feature.name, feature.recent)).collect()
    }

    #[test]
    fn a_feature_is_named_if_the_module_cannot_do_without_it() {
        assert_eq!(names("(module (func (result i32) i32.const 1))"), []);
        let simd = "(module (func (result v128) v128.const i32x4 0 0 0 0))";
        assert_eq!(names(simd), [("simd128", false)]);
        let tail = "(module (func $f return_call $f))";
        assert_eq!(names(tail), [("tail-call", true)]);
        let sign = "(module (func (param i32) (result i32) local.get 0 i32.extend8_s))";
        assert_eq!(names(sign), [("sign-ext", false)]);
    }

    #[test]
    fn sections_of_one_name_are_added_up() {
        let bytes =
            wat::parse_str(r#"(module (@custom "a" "12") (@custom "b" "1") (@custom "a" "345"))"#).unwrap();
        let sections = Anatomy::of(&bytes).custom_sections;
        let sections: Vec<(&str, usize)> =
            sections.iter().map(|section| (section.name.as_str(), section.bytes)).collect();
        assert_eq!(sections, [("a", 5), ("b", 1)]);
    }
}
