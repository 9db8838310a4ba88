//! Links the module with a smaller stack.

fn main() {
    // A module has a stack of 1 MiB unless it is told otherwise, in each VM. A configuration nested as deep as the reader
    // of JSON allows takes a tenth of this one.
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo::rustc-link-arg-cdylib=-zstack-size=262144");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
