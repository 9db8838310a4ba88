//! Envoy accepts every bootstrap as it stands.

use meshloom_lab::{Bootstrap, Envoy, filters};

#[test]
fn the_bootstrap_of_every_filter_is_accepted() {
    for filter in filters() {
        if let Err(refused) = Envoy::validate(&Bootstrap::filter(&filter)) {
            panic!("{filter}: {refused}");
        }
    }
}

#[test]
fn the_bootstrap_with_all_filters_is_accepted() {
    if let Err(refused) = Envoy::validate(&Bootstrap::all()) {
        panic!("{refused}");
    }
}
