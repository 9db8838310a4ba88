//! One operation after the other.
//!
//! An operation is an object. One key says what to do, the others when and how:
//!
//! | key | does |
//! |---|---|
//! | `proxy_...`, or a name of WASI | calls the host with that list of arguments |
//! | `return` | ends the callback with that answer |
//! | `trap` | traps |
//! | `do` | runs the routine of that name |
//! | `remember` | keeps the context's id as variable of that name |
//! | `environ` | lists the environment's variables |
//! | `proc_exit` | asks the host to end the program |
//!
//! | key | means |
//! |---|---|
//! | `on` | only in the n-th call of this callback for its context; a number or a list |
//! | `at` | only for streams with that `:path` |
//! | `each` | once for each element of that list, which stands where the arguments have `"$each"` |
//! | `save` | keeps the first number that the host returns as variable of that name |
//! | `show` | logs only the `status`, or the `length` of what came; or reads bytes as a `map` |
//! | `out` | has the host write its results to that address |

use serde_json::Value;

use crate::abi::{HOSTCALLS, Hostcall, log, proc_exit};
use crate::argument::{Arguments, Results, number, show};
use crate::program::{Call, remember};

/// Runs a list of operations; the answer is that of the first `return`.
pub(crate) fn run(call: &Call, operations: &[Value]) -> Option<i64> {
    operations.iter().filter(|operation| call.matches(operation)).find_map(|operation| one(call, operation))
}

fn one(call: &Call, operation: &Value) -> Option<i64> {
    let text = |key: &str| operation.get(key).and_then(Value::as_str);
    if let Some(answer) = operation.get("return") {
        return answer.as_i64();
    }
    if let Some(routine) = text("do") {
        return run(call, call.routine(routine));
    }
    if operation.get("trap").is_some() {
        log("  trap");
        core::arch::wasm32::unreachable();
    }
    if let Some(name) = text("remember") {
        remember(name, call.context.into());
    } else if operation.get("environ").is_some() {
        environ();
    } else if let Some(code) = operation.get("proc_exit") {
        let code = number(code, call.context) as i32;
        proc_exit(code);
        log(&format!("  proc_exit({code}) returned"));
    } else if let Some((hostcall, arguments)) = HOSTCALLS.iter().find_map(|hostcall| {
        let arguments = operation.get(hostcall.name)?;
        Some((hostcall, arguments.as_array().map_or(&[][..], Vec::as_slice)))
    }) {
        match operation.get("each").and_then(Value::as_array) {
            None => invoke(call, operation, hostcall, arguments),
            Some(list) => {
                for element in list {
                    let fill = |value: &Value| {
                        if value.as_str() == Some("$each") { element.clone() } else { value.clone() }
                    };
                    let arguments: Vec<Value> = arguments.iter().map(fill).collect();
                    invoke(call, operation, hostcall, &arguments);
                }
            }
        }
    } else {
        log(&format!("  unknown operation {operation}"));
    }
    None
}

fn invoke(call: &Call, operation: &Value, hostcall: &Hostcall, values: &[Value]) {
    let mut arguments = Arguments::default();
    for (index, letter) in hostcall.takes.chars().enumerate() {
        arguments.push(letter, values.get(index).unwrap_or(&Value::Null), call.context);
    }
    let mut results = Results::new(hostcall.gives);
    let mut out = results.words();
    if let Some(address) = operation.get("out").and_then(Value::as_i64) {
        out.fill(address);
    }
    arguments.words.extend(out);
    let status = (hostcall.call)(&arguments.words);
    let how = operation.get("show").and_then(Value::as_str);
    let shown = if status == 0 { results.show(how) } else { String::new() };
    log(&format!("  {}({}) -> {status}{shown}", hostcall.name, arguments.shown.join(", ")));
    if let (Some(name), Some(number)) = (operation.get("save").and_then(Value::as_str), results.number()) {
        remember(name, number);
    }
}

/// Logs that the module is initialised, and calls the host's function that the environment's variable
/// `PROBE_INITIALIZE` names: the configurations cannot be read yet.
pub(crate) fn initialize() {
    log("_initialize()");
    let (_, variables) = environment();
    let wanted = variables.iter().find_map(|variable| variable.strip_prefix(b"PROBE_INITIALIZE="));
    if let Some(hostcall) =
        HOSTCALLS.iter().find(|hostcall| wanted.is_some_and(|wanted| wanted == hostcall.name.as_bytes()))
    {
        let status = (hostcall.call)(&[0; 12]);
        log(&format!("  {}(0..) -> {status}", hostcall.name));
    }
}

fn environ() {
    let (statuses, mut variables) = environment();
    // Envoy keeps them in a hash map.
    variables.sort();
    let listed: Vec<String> = variables.iter().map(|variable| show(variable)).collect();
    log(&format!("  environ -> {statuses} [{}]", listed.join(", ")));
}

/// The statuses, and the variables: WASI has them in two calls, of which the second needs what the first says.
fn environment() -> (String, Vec<Vec<u8>>) {
    let find = |name| HOSTCALLS.iter().find(|hostcall| hostcall.name == name);
    let (Some(sizes), Some(get)) = (find("environ_sizes_get"), find("environ_get")) else {
        return Default::default();
    };
    let (mut count, mut size) = (0u32, 0u32);
    let first = (sizes.call)(&[&raw mut count as i64, &raw mut size as i64]);
    let (mut places, mut text) = (vec![0u32; count as usize + 1], vec![0u8; size as usize + 1]);
    let second = (get.call)(&[places.as_mut_ptr() as i64, text.as_mut_ptr() as i64]);
    text.truncate(size as usize);
    let variables = text.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).map(<[u8]>::to_vec);
    (format!("{first} {second}"), variables.collect())
}
