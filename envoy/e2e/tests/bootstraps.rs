//! Envoy accepts every bootstrap as it stands.

use meshloom_lab::{Bootstrap, Envoy, filters, root};

#[test]
fn the_bootstrap_of_every_filter_is_accepted() {
    for filter in filters() {
        if let Err(refused) = Envoy::validate(&Bootstrap::filter(&filter)) {
            panic!("{filter}: {refused}");
        }
    }
}

#[test]
fn the_bootstrap_with_all_filters_is_accepted_and_has_them_all() {
    if let Err(refused) = Envoy::validate(&Bootstrap::all()) {
        panic!("{refused}");
    }
    let text = std::fs::read_to_string(root().join("envoy/all.yaml")).unwrap();
    for filter in filters() {
        assert!(text.contains(&format!("filename: dist/{filter}.wasm")), "envoy/all.yaml lacks {filter}");
    }
}
