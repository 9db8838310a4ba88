//! What to do in each callback: the plugin's program, or else the VM's.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use crate::abi;
use crate::operation::run;

const VM_CONFIGURATION: i32 = 6;
const PLUGIN_CONFIGURATION: i32 = 7;

/// What the VM remembers.
#[derive(Default)]
struct Memory {
    vm: Option<Rc<Value>>,
    plugins: BTreeMap<i32, Rc<Value>>,
    parents: BTreeMap<i32, i32>,
    paths: BTreeMap<i32, &'static [u8]>,
    calls: BTreeMap<(i32, &'static str), u64>,
    variables: BTreeMap<String, i64>,
}

thread_local! {
    // Never borrowed across a call of the host, which may call back.
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// A callback that is being run.
pub(crate) struct Call {
    pub(crate) context: i32,
    /// The how manieth this is of its kind for its context, from 1.
    nth: u64,
    program: Rc<Value>,
}

/// Logs that the host called, runs what the program has for it, and answers what it says.
pub(crate) fn enter(
    context: i32,
    name: &'static str,
    shown: &str,
    words: &[i32],
    default: Option<i32>,
) -> i32 {
    abi::log(&format!("{name}({shown})"));
    if let ("on_context_create", [parent]) = (name, words) {
        MEMORY.with_borrow_mut(|memory| memory.parents.insert(context, *parent));
    }
    load(context, name);
    let call = MEMORY.with_borrow_mut(|memory| {
        let nth = memory.calls.entry((context, name)).or_default();
        *nth += 1;
        Call { context, nth: *nth, program: memory.program(context, name) }
    });
    if name == "on_request_headers"
        && uses_paths(context)
        && let Some(path) = abi::path()
    {
        MEMORY.with_borrow_mut(|memory| memory.paths.insert(context, path));
    }
    let returned = call.program.get(name).and_then(Value::as_array).and_then(|list| run(&call, list));
    let answer = returned.or(default.map(i64::from));
    if let (Some(answer), Some(_)) = (answer, default) {
        abi::log(&format!("  return {answer}"));
    }
    answer.unwrap_or_default() as i32
}

/// Reads the configurations when they can be read.
fn load(context: i32, name: &str) {
    if MEMORY.with_borrow(|memory| memory.vm.is_none()) {
        let vm = abi::configuration(VM_CONFIGURATION).map(parse);
        MEMORY.with_borrow_mut(|memory| memory.vm = vm);
    }
    if matches!(name, "on_configure" | "validate_configuration")
        && let Some(program) = abi::configuration(PLUGIN_CONFIGURATION).map(parse)
    {
        MEMORY.with_borrow_mut(|memory| memory.plugins.insert(context, program));
    }
}

fn parse(bytes: &[u8]) -> Rc<Value> {
    Rc::new(serde_json::from_slice(bytes).unwrap_or_default())
}

impl Memory {
    fn program(&self, context: i32, name: &str) -> Rc<Value> {
        let plugin = self.plugin(context).filter(|program| program.get(name).is_some());
        plugin.or(self.vm.as_ref()).cloned().unwrap_or_default()
    }

    fn plugin(&self, context: i32) -> Option<&Rc<Value>> {
        let root = match self.parents.get(&context) {
            Some(0) | None => context,
            Some(parent) => *parent,
        };
        self.plugins.get(&root)
    }
}

impl Call {
    /// Whether an operation is meant for this call.
    pub(crate) fn matches(&self, operation: &Value) -> bool {
        let nth = match operation.get("on") {
            Some(Value::Array(list)) => list.iter().any(|nth| nth.as_u64() == Some(self.nth)),
            Some(nth) => nth.as_u64() == Some(self.nth),
            None => true,
        };
        let path = operation.get("at").and_then(Value::as_str).is_none_or(|path| {
            MEMORY.with_borrow(|memory| memory.paths.get(&self.context) == Some(&path.as_bytes()))
        });
        nth && path
    }

    /// A list of operations that has a name.
    pub(crate) fn routine(&self, name: &str) -> &[Value] {
        let routine = self.program.get("routines").and_then(|routines| routines.get(name));
        routine.and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// Reading the path is a call of the host, so it is only made for programs that ask for it.
fn uses_paths(context: i32) -> bool {
    MEMORY.with_borrow(|memory| {
        let programs = [memory.plugin(context), memory.vm.as_ref()];
        programs.into_iter().flatten().any(|program| program.to_string().contains("\"at\":"))
    })
}

/// Remembers a number under a name.
pub(crate) fn remember(name: &str, number: i64) {
    MEMORY.with_borrow_mut(|memory| memory.variables.insert(name.to_owned(), number));
}

/// The number of that name, 0 if there is none.
pub(crate) fn recall(name: &str) -> i64 {
    MEMORY.with_borrow(|memory| memory.variables.get(name).copied().unwrap_or_default())
}
