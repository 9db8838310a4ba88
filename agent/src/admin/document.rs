//! What is shown to programs: JSON with a version, to which fields are only ever added.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::Stored;
use crate::status::{Event, ResourceState};

/// The version of all documents. Another one means that a field is gone or means something else.
const VERSION: u32 = 1;

/// `/debug/wasm`
#[derive(Debug, Serialize)]
pub(super) struct Wasm {
    version: u32,
    resources: Vec<Resource>,
    modules: Vec<Stored>,
}

/// How a resource stands on a stream.
#[derive(Debug, Serialize)]
struct Resource {
    name: String,
    stream: u64,
    source: String,
    serving: &'static str,
    standing: &'static str,
    in_fallback: bool,
    /// What the module's sources are pinned by, as far as the store knows.
    digests: Vec<String>,
    wasm_sha256: Option<String>,
    path: Option<String>,
    attempts: u32,
    last_error: Option<Failure>,
    next_attempt_in_ms: Option<u64>,
    changed_ms_ago: u64,
}

#[derive(Debug, Serialize)]
struct Failure {
    reason: &'static str,
    message: String,
    fix: &'static str,
}

pub(super) fn wasm(states: &[ResourceState], modules: &[Stored], now: SystemTime) -> Wasm {
    let resources = states.iter().map(|state| resource(state, modules, now)).collect();
    Wasm { version: VERSION, resources, modules: modules.to_vec() }
}

fn resource(state: &ResourceState, modules: &[Stored], now: SystemTime) -> Resource {
    let stored =
        state.module.as_ref().and_then(|(_, path)| modules.iter().find(|stored| stored.path == *path));
    Resource {
        name: state.name.clone(),
        stream: state.stream,
        source: state.source.clone(),
        serving: state.serving.label(),
        standing: state.standing.label(),
        in_fallback: state.serving.is_fallback(),
        digests: stored.map(|stored| stored.digests.clone()).unwrap_or_default(),
        wasm_sha256: state.module.as_ref().map(|(sha256, _)| sha256.to_string()),
        path: state.module.as_ref().map(|(_, path)| path.clone()),
        attempts: state.attempts,
        last_error: state.last_error.as_ref().map(|(reason, message)| Failure {
            reason: reason.label(),
            message: message.clone(),
            fix: super::words::fix(*reason),
        }),
        next_attempt_in_ms: state.due_in(now).map(milliseconds),
        changed_ms_ago: milliseconds(now.duration_since(state.changed).unwrap_or_default()),
    }
}

pub(super) fn ecds(events: Vec<Event>) -> Value {
    json!({ "version": VERSION, "responses": events })
}

pub(super) fn configuration(options: &Value) -> Value {
    json!({ "version": VERSION, "options": options })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Serializes what has a text as that text.
pub(super) fn as_text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
