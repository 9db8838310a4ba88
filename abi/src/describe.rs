//! What can be read of a module without running it.

use wasmparser::{ExternalKind, Parser, Payload, TypeRef, ValType, Validator, WasmFeatures};

use crate::{AbiVersion, Provided, provided};

/// What stands in a module.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// The ABI versions whose marker is exported; a good module has one.
    pub abi_versions: Vec<AbiVersion>,
    /// What it needs.
    pub imports: Vec<Import>,
    /// What it offers.
    pub exports: Vec<Export>,
    /// Its linear memory, if it has one.
    pub memory: Option<Memory>,
    /// The names of its custom sections; of many, the first.
    pub custom: Vec<String>,
    /// Its size in bytes.
    pub size: usize,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The namespace, such as `env` or `wasi_snapshot_preview1`.
    pub module: String,
    /// The name in it.
    pub name: String,
    /// Its type as WebAssembly writes it, such as `(i32 i64) -> i32`; what is no function is named by its kind.
    pub signature: String,
}

impl Import {
    /// What a host provides under that name, in whichever version of the ABI.
    #[must_use]
    pub fn provided(&self) -> Option<Provided> {
        provided(&self.module, &self.name)
    }
}

/// One export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// Its type; what is no function is named by its kind.
    pub signature: String,
}

/// The limits of a linear memory, in pages of 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// How much it begins with.
    pub minimum: u64,
    /// How much it may grow to, if the module says.
    pub maximum: Option<u64>,
}

impl Description {
    /// Validates the bytes and reads them.
    ///
    /// # Errors
    ///
    /// What is wrong with them, and at which offset.
    pub fn of(bytes: &[u8]) -> Result<Self, String> {
        Validator::new_with_features(WasmFeatures::default())
            .validate_all(bytes)
            .map_err(|error| error.to_string())?;
        let mut description = Self { size: bytes.len(), ..Self::default() };
        let mut names = Names::default();
        for payload in Parser::new(0).parse_all(bytes) {
            let added = payload.and_then(|payload| description.add(payload, &mut names));
            added.map_err(|error| error.to_string())?;
        }
        description.abi_versions = AbiVersion::ALL
            .into_iter()
            .filter(|version| description.export(version.marker()).is_some())
            .collect();
        Ok(description)
    }

    /// The ABI version that functions are linked for: that of the module, else the newest.
    #[must_use]
    pub fn abi(&self) -> AbiVersion {
        self.abi_versions.first().copied().unwrap_or(AbiVersion::V0_2_1)
    }

    /// The export of that name.
    #[must_use]
    pub fn export(&self, name: &str) -> Option<&Export> {
        self.exports.iter().find(|export| export.name == name)
    }

    pub(crate) fn add(&mut self, payload: Payload<'_>, names: &mut Names) -> wasmparser::Result<()> {
        let Names { types, functions } = names;
        let signature = |types: &[String], index: u32| {
            usize::try_from(index).ok().and_then(|index| types.get(index)).cloned().unwrap_or_default()
        };
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for kind in group?.into_types() {
                        types.push(match &kind.composite_type.inner {
                            wasmparser::CompositeInnerType::Func(function) => {
                                written(function.params(), function.results())
                            }
                            _ => "not a function".to_owned(),
                        });
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let kind = match import.ty {
                        TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                            functions.push(index);
                            signature(types, index)
                        }
                        TypeRef::Memory(memory) => {
                            self.memory = Some(limits(&memory));
                            "memory".to_owned()
                        }
                        TypeRef::Table(_) => "table".to_owned(),
                        TypeRef::Global(_) => "global".to_owned(),
                        TypeRef::Tag(_) => "tag".to_owned(),
                    };
                    self.imports.push(Import {
                        module: import.module.to_owned(),
                        name: import.name.to_owned(),
                        signature: kind,
                    });
                }
            }
            Payload::FunctionSection(section) => {
                for function in section {
                    functions.push(function?);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memory = Some(limits(&memory?));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    let kind = match export.kind {
                        ExternalKind::Func | ExternalKind::FuncExact => {
                            let index = usize::try_from(export.index).ok();
                            let index = index.and_then(|index| functions.get(index)).copied();
                            index.map(|index| signature(types, index)).unwrap_or_default()
                        }
                        ExternalKind::Table => "table".to_owned(),
                        ExternalKind::Memory => "memory".to_owned(),
                        ExternalKind::Global => "global".to_owned(),
                        ExternalKind::Tag => "tag".to_owned(),
                    };
                    self.exports.push(Export { name: export.name.to_owned(), signature: kind });
                }
            }
            Payload::CustomSection(section) => self.custom.push(section.name().to_owned()),
            _ => {}
        }
        Ok(())
    }
}

/// What is needed to name the types of functions.
#[derive(Default)]
pub(crate) struct Names {
    /// As they are printed.
    types: Vec<String>,
    /// The type of each function.
    functions: Vec<u32>,
}

fn limits(memory: &wasmparser::MemoryType) -> Memory {
    Memory { minimum: memory.initial, maximum: memory.maximum }
}

/// A function's type as it is printed: `(i32 i64) -> i32`.
fn written(parameters: &[ValType], results: &[ValType]) -> String {
    let list = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    match results {
        [] => format!("({})", list(parameters)),
        results => format!("({}) -> {}", list(parameters), list(results)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_read_as_it_is_written() {
        let module = wat::parse_str(
            r#"(module
                (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
                (memory (export "memory") 2 16)
                (func (export "proxy_abi_version_0_2_1"))
                (func (export "proxy_on_tick") (param i32)))"#,
        )
        .unwrap();
        let description = Description::of(&module).unwrap();
        assert_eq!(description.abi_versions, [AbiVersion::V0_2_1]);
        assert_eq!(description.imports[0].signature, description.imports[0].provided().unwrap().signature);
        assert_eq!(description.export("proxy_on_tick").unwrap().signature, "(i32)");
        assert_eq!(description.memory, Some(Memory { minimum: 2, maximum: Some(16) }));
    }

    #[test]
    fn what_is_no_module_is_refused_with_the_place() {
        assert!(Description::of(b"<html>").unwrap_err().contains("offset 0x0"));
    }
}
