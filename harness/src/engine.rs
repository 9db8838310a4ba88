//! Two compilers for the whole process: one that counts what a guest executes, one that does not.

use std::sync::LazyLock;

use wasmtime::{Cache, CacheConfig, Config, Engine, Linker};

use crate::guest::Guest;
use crate::hostcall;

/// An engine and every function that a guest may import, in each version of the ABI.
pub(crate) struct Machinery {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Guest>,
}

/// Counts fuel, so that loops end and costs can be stated.
pub(crate) static METERED: LazyLock<Machinery> = LazyLock::new(|| Machinery::new(true));
/// As fast as it gets: for benches.
pub(crate) static UNMETERED: LazyLock<Machinery> = LazyLock::new(|| Machinery::new(false));

impl Machinery {
    #[expect(clippy::expect_used, reason = "fixed settings: they work everywhere or nowhere")]
    fn new(metered: bool) -> Self {
        let mut config = Config::new();
        config.consume_fuel(metered);
        // Compiled modules outlive the process. Without a place for them each process compiles anew.
        if let Ok(cache) = Cache::new(CacheConfig::new()) {
            config.cache(Some(cache));
        }
        let engine = Engine::new(&config).expect("a WebAssembly engine");
        let mut linker = Linker::new(&engine);
        hostcall::link(&mut linker).expect("names of hostcalls are unique");
        Self { engine, linker }
    }
}
