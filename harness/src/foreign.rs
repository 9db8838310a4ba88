//! Foreign functions: what `proxy_call_foreign_function` finds by name.

use std::collections::HashMap;
use std::fmt;

use crate::abi::Status;

/// What a foreign function of a test does.
pub(crate) type Function = Box<dyn FnMut(&[u8]) -> Result<Vec<u8>, Status> + Send>;

/// The functions that a test added, by name. Those that Envoy has are in [`builtin`](crate::hostcall).
#[derive(Default)]
pub(crate) struct Functions(pub(crate) HashMap<String, Function>);

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What `declare_property` said of a property.
#[derive(Debug, Clone, Default)]
pub(crate) struct Declared {
    pub(crate) read_only: bool,
}
