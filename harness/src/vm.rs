//! One instance of a module: how it is made and how it is called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wasmtime::{Instance, Store, Trap, TypedFunc, WasmParams, WasmResults};

use crate::abi::{AbiVersion, Callback};
use crate::guest::{Guest, Restriction};
use crate::log::Role;
use crate::module::{Linked, Module};
use crate::start::StartFailure;
use crate::world::World;

/// What a VM is made from, and who it is.
#[derive(Debug)]
pub(crate) struct VmConfig {
    /// VMs of equal keys are one: `sha256(vm_id, vm_configuration, code)` in Envoy.
    pub(crate) key: String,
    pub(crate) vm_id: String,
    pub(crate) configuration: Vec<u8>,
    pub(crate) environment: BTreeMap<String, String>,
    /// The functions that may be called, if they are restricted.
    pub(crate) capabilities: Option<BTreeSet<String>>,
    pub(crate) role: Role,
}

impl VmConfig {
    /// Whether the guest may not call, or not be called by, the function of that name.
    pub(crate) fn denies(&self, name: &str) -> bool {
        self.capabilities.as_ref().is_some_and(|allowed| !allowed.contains(name))
    }
}

/// An exported callback by the number of its parameters.
enum Export {
    One(TypedFunc<u32, ()>),
    OneToOne(TypedFunc<u32, u32>),
    Two(TypedFunc<(u32, u32), ()>),
    TwoToOne(TypedFunc<(u32, u32), u32>),
    Three(TypedFunc<(u32, u32, u32), ()>),
    ThreeToOne(TypedFunc<(u32, u32, u32), u32>),
    Five(TypedFunc<(u32, u32, u32, u32, u32), ()>),
}

/// A running module.
pub(crate) struct Vm {
    pub(crate) store: Store<Guest>,
    exports: Vec<Option<Export>>,
    /// Why it can no longer be called.
    pub(crate) failed: Option<String>,
    #[expect(dead_code, reason = "keeps the code alive that runs")]
    pub(crate) module: Module,
    /// Instructions that one callback may execute; none if they are not counted.
    fuel: Option<u64>,
}

/// What one VM may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of linear memory.
    pub(crate) memory: usize,
    /// Instructions of one callback; none if they are not to be counted.
    pub(crate) fuel: Option<u64>,
}

/// How a call into a VM ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// The module has no such callback.
    Absent,
    Returned(u32),
    /// It trapped, now or earlier.
    Failed,
}

impl Vm {
    /// Instantiates the module and lets it start: `_initialize` and `main`, or `_start`, whichever is there
    /// (proxy-wasm-cpp-host, `WasmBase::startVm`).
    pub(crate) fn make(
        module: &Module,
        config: Arc<VmConfig>,
        id: usize,
        limits: Limits,
        world: Box<World>,
    ) -> (Box<World>, Result<Self, StartFailure>) {
        let prepared = Self::abi(module).and_then(|abi| {
            let linked = module.linked(limits.fuel.is_some()).map_err(|message| StartFailure::NotLinked {
                module: module.name().to_owned(),
                message: message.to_string(),
            })?;
            Ok((abi, linked))
        });
        let (abi, linked) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return (world, Err(error)),
        };
        let mut guest = Guest::new(id, config, abi, limits.memory);
        guest.work_limit = limits.fuel;
        guest.world = Some(world);
        // A start section runs under the same restriction as `_initialize`.
        guest.restriction = Restriction::Starting;
        let mut store = Store::new(linked.instance.module().engine(), guest);
        store.limiter(|guest| guest);
        let made = Self::bring_up(module, &linked, &mut store, limits);
        #[expect(clippy::expect_used, reason = "it was put there above and hostcalls only borrow it")]
        let world = store.data_mut().world.take().expect("the world comes back from a start");
        store.data_mut().restriction = Restriction::None;
        let fuel = limits.fuel;
        let vm = made.map(|exports| Self { store, exports, failed: None, module: module.clone(), fuel });
        (world, vm)
    }

    fn bring_up(
        module: &Module,
        linked: &Linked,
        store: &mut Store<Guest>,
        limits: Limits,
    ) -> Result<Vec<Option<Export>>, StartFailure> {
        let name = module.name();
        let trapped = |at: &'static str| {
            move |error: wasmtime::Error| StartFailure::Trapped {
                module: name.to_owned(),
                at,
                message: explain(&error),
            }
        };
        if let Some(fuel) = limits.fuel {
            store.set_fuel(fuel).map_err(trapped("instantiation"))?;
        }
        let instance = linked.instance.instantiate(&mut *store).map_err(trapped("instantiation"))?;
        let exports = Self::with_exports(store.data().abi, module, &instance, store)?;
        if let Some(initialize) = typed::<(), ()>(name, &instance, store, "_initialize")? {
            initialize.call(&mut *store, ()).map_err(trapped("_initialize"))?;
            if let Some(main) = typed::<(u32, u32), u32>(name, &instance, store, "main")? {
                main.call(&mut *store, (0, 0)).map_err(trapped("main"))?;
            } else if let Some(main) = typed::<(), u32>(name, &instance, store, "__main_void")? {
                main.call(&mut *store, ()).map_err(trapped("__main_void"))?;
            }
        } else if let Some(start) = typed::<(), ()>(name, &instance, store, "_start")? {
            start.call(&mut *store, ()).map_err(trapped("_start"))?;
        }
        Ok(exports)
    }

    fn abi(module: &Module) -> Result<AbiVersion, StartFailure> {
        match module.description().abi_versions.as_slice() {
            [abi] => Ok(*abi),
            [] => Err(StartFailure::NoAbiVersion { module: module.name().to_owned() }),
            // proxy-wasm-cpp-host takes the first that it meets among the exports.
            [abi, ..] => Ok(*abi),
        }
    }

    fn with_exports(
        abi: AbiVersion,
        module: &Module,
        instance: &Instance,
        store: &mut Store<Guest>,
    ) -> Result<Vec<Option<Export>>, StartFailure> {
        let name = module.name();
        let Some(memory) = instance.get_memory(&mut *store, "memory") else {
            return Err(StartFailure::NoMemory { module: name.to_owned() });
        };
        store.data_mut().memory = Some(memory);
        let malloc = match typed::<u32, u32>(name, instance, store, "malloc")? {
            Some(malloc) => Some(malloc),
            None => typed::<u32, u32>(name, instance, store, "proxy_on_memory_allocate")?,
        };
        store.data_mut().malloc =
            Some(malloc.ok_or_else(|| StartFailure::NoMalloc { module: name.to_owned() })?);
        Callback::ALL
            .iter()
            .map(|callback| {
                if store.data().config.denies(callback.export()) {
                    return Ok(None);
                }
                export(abi, name, instance, store, *callback)
            })
            .collect()
    }

    /// Whether the module has the callback and may be called by it.
    pub(crate) fn has(&self, callback: Callback) -> bool {
        self.exports.get(callback as usize).is_some_and(Option::is_some)
    }

    /// Calls the guest. The world must be in it.
    pub(crate) fn call(&mut self, callback: Callback, arguments: &[u32; 5]) -> wasmtime::Result<u32> {
        if let Some(fuel) = self.fuel {
            self.store.set_fuel(fuel)?;
            self.store.data_mut().work = 0;
        }
        let Some(Some(export)) = self.exports.get(callback as usize) else { return Ok(0) };
        let [a, b, c, d, e] = *arguments;
        let store = &mut self.store;
        match export {
            Export::One(function) => function.call(store, a).map(|()| 0),
            Export::OneToOne(function) => function.call(store, a),
            Export::Two(function) => function.call(store, (a, b)).map(|()| 0),
            Export::TwoToOne(function) => function.call(store, (a, b)),
            Export::Three(function) => function.call(store, (a, b, c)).map(|()| 0),
            Export::ThreeToOne(function) => function.call(store, (a, b, c)),
            Export::Five(function) => function.call(store, (a, b, c, d, e)).map(|()| 0),
        }
    }

    /// Instructions that the last call executed.
    pub(crate) fn fuel_used(&self) -> u64 {
        self.fuel.map_or(0, |fuel| fuel.saturating_sub(self.store.get_fuel().unwrap_or(fuel)))
    }

    /// The linear memory in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.store
            .data()
            .memory
            .map_or(0, |memory| u64::try_from(memory.data_size(&self.store)).unwrap_or(u64::MAX))
    }
}

fn export(
    abi: AbiVersion,
    module: &str,
    instance: &Instance,
    store: &mut Store<Guest>,
    callback: Callback,
) -> Result<Option<Export>, StartFailure> {
    let name = callback.export();
    // ABI 0.1.0 does not say whether the stream ends with its headers.
    let short =
        abi == AbiVersion::V0_1_0 && matches!(callback, Callback::RequestHeaders | Callback::ResponseHeaders);
    if abi == AbiVersion::V0_1_0 && callback == Callback::ForeignFunction {
        return Ok(None);
    }
    let count = callback.parameters().len() - usize::from(short);
    Ok(match (count, callback.returns()) {
        (1, false) => typed(module, instance, store, name)?.map(Export::One),
        (1, true) => typed(module, instance, store, name)?.map(Export::OneToOne),
        (2, false) => typed(module, instance, store, name)?.map(Export::Two),
        (2, true) => typed(module, instance, store, name)?.map(Export::TwoToOne),
        (3, false) => typed(module, instance, store, name)?.map(Export::Three),
        (3, true) => typed(module, instance, store, name)?.map(Export::ThreeToOne),
        _ => typed(module, instance, store, name)?.map(Export::Five),
    })
}

fn typed<P: WasmParams, R: WasmResults>(
    module: &str,
    instance: &Instance,
    store: &mut Store<Guest>,
    name: &str,
) -> Result<Option<TypedFunc<P, R>>, StartFailure> {
    let Some(function) = instance.get_func(&mut *store, name) else { return Ok(None) };
    function.typed::<P, R>(&*store).map(Some).map_err(|error| StartFailure::BadSignature {
        module: module.to_owned(),
        export: name.to_owned(),
        message: error.to_string(),
    })
}

/// What a trap says: its own words, and where in the guest it happened.
pub(crate) fn explain(error: &wasmtime::Error) -> String {
    let cause = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => {
            "out of fuel: the callback ran longer than it may (is it a loop without end?)".to_owned()
        }
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    match error.downcast_ref::<wasmtime::WasmBacktrace>() {
        Some(backtrace) => {
            let frames: Vec<String> = backtrace
                .frames()
                .iter()
                .take(20)
                .map(|frame| {
                    frame
                        .func_name()
                        .map_or_else(|| format!("function {}", frame.func_index()), str::to_owned)
                })
                .collect();
            if frames.is_empty() { cause } else { format!("{cause}, in {}", frames.join(" < ")) }
        }
        None => cause,
    }
}
