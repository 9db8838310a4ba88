//! What becomes of one resource.

use std::borrow::Cow;

use bytes::Bytes;

use super::environment::{self, ENVIRONMENT};
use super::filter::Kind;
use super::remote::{self, Remote};
use super::typed_struct;
use crate::wire::{Any, Layer, Malformed, fields, merged, put_bytes, replaced, text};

/// `TypedExtensionConfig.typed_config`.
pub(super) const TYPED_CONFIG: u32 = 2;
/// `Wasm.config`, of HTTP and of network filters.
const CONFIG: u32 = 1;
/// `PluginConfig.vm_config`.
const VM_CONFIG: u32 = 3;
/// `VmConfig.code`.
const CODE: u32 = 3;
/// `AsyncDataSource.local`, `AsyncDataSource.remote`.
const LOCAL: u32 = 1;
const REMOTE: u32 = 2;

/// A resource that has been looked at.
#[derive(Clone, Debug)]
pub struct Converted {
    /// Its name; empty if that cannot be read.
    pub name: String,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// What becomes of a resource.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is sent as it is.
    Untouched,
    /// It needs no module, and is sent so: without what only the agent is told.
    Stripped(Bytes),
    /// It needs a module.
    Remote(Box<Remote>),
    /// It cannot be read, for that reason, which the control plane is told.
    Malformed(String),
}

/// Looks at a resource: an `Any` with a `TypedExtensionConfig`.
#[must_use]
pub fn convert(any: &[u8]) -> Converted {
    let mut name = String::new();
    let outcome = outcome(any, &mut name).unwrap_or_else(Outcome::Malformed);
    Converted { name, outcome }
}

/// The same for when nothing is to be converted: what only the agent is told is taken out, and that is all. What
/// cannot be read is left as it is.
#[must_use]
pub fn strip(any: &[u8]) -> Converted {
    let mut converted = convert(any);
    converted.outcome = match converted.outcome {
        Outcome::Remote(_) => stripped_remote(any).unwrap_or(Outcome::Untouched),
        Outcome::Malformed(_) => Outcome::Untouched,
        other => other,
    };
    converted
}

/// The bytes of a message that is not as it should be say why; for people they come as text.
fn unreadable(what: &str) -> impl Fn(Malformed) -> String {
    move |why| format!("{what}: {why}")
}

fn outcome(any: &[u8], name: &mut String) -> Result<Outcome, String> {
    let resource = Any::read(any).map_err(unreadable("the resource"))?;
    if Some(resource.type_name()) != super::TYPE_URL.rsplit('/').next() {
        return Err(format!(
            "expected a TypedExtensionConfig, found the type {:?}",
            short(resource.type_url)
        ));
    }
    let unreadable = unreadable("TypedExtensionConfig");
    let extension = resource.value;
    text(extension, 1, "name").map_err(&unreadable)?.clone_into(name);
    let Some(typed_config) = merged(extension, TYPED_CONFIG, "typed_config").map_err(&unreadable)? else {
        return Err("TypedExtensionConfig does not contain any typed config".into());
    };
    let filter = Any::read(&typed_config).map_err(&unreadable)?;
    let place = Place { any, extension, name };
    if let Some(kind) = Kind::of(filter.type_name()) {
        let read = Wasm::read(filter.value).map_err(self::unreadable(filter.type_name()))?;
        return place.outcome(&read, kind, filter.type_url);
    }
    if !typed_struct::is(filter.type_name()) {
        return Ok(Outcome::Untouched);
    }
    let (inner_type, value) =
        typed_struct::read(filter.value).map_err(self::unreadable(filter.type_name()))?;
    let Some(kind) = Kind::of(inner_type.rsplit('/').next().unwrap_or_default()) else {
        return Ok(Outcome::Untouched);
    };
    let decoded = typed_struct::decode(kind, &value)?;
    let read = Wasm::read(&decoded).map_err(self::unreadable(filter.type_name()))?;
    match place.outcome(&read, kind, kind.type_url())? {
        // Nothing of it is for the agent but, perhaps, what is taken out. It stays a TypedStruct.
        Outcome::Stripped(_) => stripped_struct(any, extension, &typed_config, filter.value)
            .map_err(self::unreadable(filter.type_name())),
        other => Ok(other),
    }
}

/// Where in a resource a filter is.
struct Place<'a> {
    any: &'a [u8],
    extension: &'a [u8],
    name: &'a str,
}

/// A Wasm filter's messages, from outside inwards.
struct Wasm<'a> {
    wasm: &'a [u8],
    plugin: Cow<'a, [u8]>,
    vm: Vec<u8>,
    environment: Option<Vec<u8>>,
    code: Vec<u8>,
}

/// Which code an `AsyncDataSource` has: of a `oneof` the last one counts.
enum Code {
    None,
    Local { whole: bool },
    Remote(Vec<u8>),
}

impl<'a> Wasm<'a> {
    fn read(wasm: &'a [u8]) -> Result<Self, Malformed> {
        let plugin = merged(wasm, CONFIG, "Wasm.config")?.unwrap_or_default();
        let vm = merged(&plugin, VM_CONFIG, "PluginConfig.vm_config")?.unwrap_or_default().into_owned();
        let environment = merged(&vm, ENVIRONMENT, "VmConfig.environment_variables")?.map(Cow::into_owned);
        let code = merged(&vm, CODE, "VmConfig.code")?.unwrap_or_default().into_owned();
        Ok(Self { wasm, plugin, vm, environment, code })
    }

    fn code(&self) -> Result<Code, Malformed> {
        let mut code = Code::None;
        let mut seen_remote = false;
        for field in fields(&self.code) {
            let field = field?;
            match (field.number, &mut code) {
                (LOCAL, _) => {
                    field.bytes("AsyncDataSource.local")?;
                    code = Code::Local { whole: !seen_remote };
                }
                (REMOTE, Code::Remote(before)) => {
                    before.extend_from_slice(field.bytes("AsyncDataSource.remote")?);
                }
                (REMOTE, _) => {
                    seen_remote = true;
                    code = Code::Remote(field.bytes("AsyncDataSource.remote")?.to_vec());
                }
                _ => {}
            }
        }
        Ok(code)
    }
}

impl Place<'_> {
    fn outcome(&self, read: &Wasm<'_>, kind: Kind, type_url: &str) -> Result<Outcome, String> {
        let unreadable = unreadable("PluginConfig");
        let told = match &read.environment {
            Some(environment) => environment::told(environment).map_err(&unreadable)?,
            None => environment::Told::default(),
        };
        // Read before anything is stripped: `vm` is what is left.
        let vm = match &read.environment {
            Some(environment) if told.any => {
                Cow::Owned(environment::stripped(&read.vm, environment).map_err(&unreadable)?)
            }
            _ => Cow::Borrowed(&read.vm[..]),
        };
        match read.code().map_err(&unreadable)? {
            Code::None => Err(match kind {
                Kind::Http => "no remote and local load found in Wasm HTTP filter".into(),
                Kind::Network => "no remote and local load found in Wasm network filter".into(),
            }),
            Code::Local { whole: true } if !told.any => Ok(Outcome::Untouched),
            Code::Local { .. } => {
                let stripped = || {
                    let vm = replaced(&vm, CODE, &crate::wire::without(&read.code, &[REMOTE])?)?;
                    let plugin = replaced(&read.plugin, VM_CONFIG, &vm)?;
                    let wasm = replaced(read.wasm, CONFIG, &plugin)?;
                    self.with_config(&Any { type_url, value: &wasm }.encode())
                };
                stripped().map(Outcome::Stripped).map_err(&unreadable)
            }
            Code::Remote(source) => {
                let remote = || {
                    let mut filter = Vec::new();
                    put_bytes(&mut filter, 1, type_url.as_bytes());
                    Ok(Remote {
                        wanted: remote::wanted(&source, self.name, told)?,
                        filter: remote::filter_of(&read.plugin)?,
                        kind,
                        inner: [
                            Layer::around(&vm, CODE)?,
                            Layer::around(&read.plugin, VM_CONFIG)?,
                            Layer::around(read.wasm, CONFIG)?,
                            Layer::around(&filter, Any::VALUE)?,
                        ],
                        outer: remote::outer(self.any, self.extension)?,
                    })
                };
                remote().map(|remote| Outcome::Remote(Box::new(remote))).map_err(&unreadable)
            }
        }
    }

    fn with_config(&self, typed_config: &[u8]) -> Result<Bytes, Malformed> {
        let [extension, any] = remote::outer(self.any, self.extension)?;
        Ok(any.wrap(&extension.wrap(typed_config)).into())
    }
}

/// A resource whose `TypedStruct` is stripped of what only the agent is told, and stays one.
fn stripped_struct(
    any: &[u8],
    extension: &[u8],
    typed_config: &[u8],
    typed_struct: &[u8],
) -> Result<Outcome, Malformed> {
    let Some(stripped) = typed_struct::stripped(typed_struct)? else { return Ok(Outcome::Untouched) };
    let place = Place { any, extension, name: "" };
    place.with_config(&replaced(typed_config, Any::VALUE, &stripped)?).map(Outcome::Stripped)
}

/// A resource whose code stays remote, without what only the agent is told.
fn stripped_remote(any: &[u8]) -> Result<Outcome, Malformed> {
    let extension = Any::read(any)?.value;
    let typed_config = merged(extension, TYPED_CONFIG, "typed_config")?.unwrap_or_default();
    let filter = Any::read(&typed_config)?;
    if typed_struct::is(filter.type_name()) {
        return stripped_struct(any, extension, &typed_config, filter.value);
    }
    let read = Wasm::read(filter.value)?;
    let Some(environment) = &read.environment else { return Ok(Outcome::Untouched) };
    if !environment::told(environment)?.any {
        return Ok(Outcome::Untouched);
    }
    let vm = environment::stripped(&read.vm, environment)?;
    let wasm = replaced(read.wasm, CONFIG, &replaced(&read.plugin, VM_CONFIG, &vm)?)?;
    let place = Place { any, extension, name: "" };
    place.with_config(&replaced(&typed_config, Any::VALUE, &wasm)?).map(Outcome::Stripped)
}

/// As much of a text as a message for people should quote.
fn short(text: &str) -> String {
    text.chars().take(100).collect()
}
