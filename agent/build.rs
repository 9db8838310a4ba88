//! Compiles the descriptors of the messages that the agent reads from JSON.

use std::error::Error;
use std::path::Path;

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(false).open_file("wasm_filters.proto")?;
    let descriptors = compiler.file_descriptor_set().encode_to_vec();
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    std::fs::write(Path::new(&out).join("wasm_filters.bin"), descriptors)?;
    Ok(())
}
