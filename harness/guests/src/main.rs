//! `meshloom-guests`: assembles the guest that is written by hand, and shows what the guests import and export.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;
use meshloom_guests::{GUESTS, module};
use wasmparser::{Parser as Sections, Payload};

/// What `scripts/guests.sh` needs and the README shows.
#[derive(Parser)]
enum Cli {
    /// Assembles a module that is written as text
    Assemble { text: PathBuf, module: PathBuf },
    /// Prints the README's table: size, imports and exports of each guest that can be built here
    Table,
}

fn main() -> Result<()> {
    match Cli::parse() {
        Cli::Assemble { text, module } => fs::write(module, wat::parse_file(text)?)?,
        Cli::Table => {
            println!(
                "| guest | bytes | imports of `env` | imports of WASI | exports |\n|---|--:|---|---|---|"
            );
            for guest in GUESTS {
                if let Some(module) = module(guest) {
                    println!("{}", row(guest, &module).with_context(|| format!("the module of {guest}"))?);
                }
            }
        }
    }
    Ok(())
}

fn row(guest: &str, module: &Path) -> Result<String> {
    let bytes = fs::read(module)?;
    let (mut env, mut wasi, mut exports, mut callbacks) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for payload in Sections::new(0).parse_all(&bytes) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    match import.module {
                        "env" => env.push(import.name),
                        "wasi_unstable" | "wasi_snapshot_preview1" => wasi.push(import.name),
                        other => bail!("it imports from {other}, which no Proxy-Wasm host has"),
                    }
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    match export?.name {
                        "proxy_on_memory_allocate" => exports.push("proxy_on_memory_allocate"),
                        name if name.starts_with("proxy_on_") => callbacks += 1,
                        name => exports.push(name),
                    }
                }
            }
            _ => {}
        }
    }
    let env = if env.len() > 12 { format!("{} functions of the ABI", env.len()) } else { listed(env) };
    let size = bytes.len();
    Ok(format!(
        "| {guest} | {size} | {env} | {} | {callbacks} callbacks, {} |",
        listed(wasi),
        listed(exports)
    ))
}

fn listed(mut names: Vec<&str>) -> String {
    names.sort_unstable();
    if names.is_empty() { "none".to_owned() } else { format!("`{}`", names.join(", ")) }
}
