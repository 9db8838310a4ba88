//! Logging, time, configuration, contexts.

use wasmtime::{Caller, Linker};

use crate::abi::{Level, Status};
use crate::guest::{Call, Context, Effect, Guest, Halt, Outcome};
use crate::log::LogLine;
use crate::timer::Due;

pub(super) fn log(call: &mut Call<'_>, level: u32, message: u32, size: u32) -> Outcome {
    let Some(level) = Level::from_number(level) else {
        call.note(|| format!("level {level}"));
        return Ok(Status::BadArgument);
    };
    call.note(|| level.to_string());
    call.with(&[(message, size)], |texts, guest| {
        let [message, ..] = texts else { return };
        say(guest, level, message);
    })?;
    Ok(Status::Ok)
}

/// Keeps a line that the guest logged, if the level is one that is logged.
pub(super) fn say(guest: &mut Guest, level: Level, message: &[u8]) {
    let plugin = guest.plugin();
    let role = guest.config.role;
    let world = guest.world();
    if level < world.log_level {
        return;
    }
    let plugin = plugin.and_then(|plugin| world.plugins.get(plugin));
    let plugin = plugin.map(|plugin| plugin.name.clone()).unwrap_or_default();
    let message = super::text(message).into_owned();
    world.log.push(LogLine { level, message, plugin, role });
}

/// Logs what the host has to say about the guest.
pub(super) fn complain(call: &mut Call<'_>, message: &str) {
    // As quiet as in Envoy; in the transcript it stands anyway.
    say(call.guest(), Level::Trace, message.as_bytes());
}

pub(super) fn get_log_level(call: &mut Call<'_>, level_to: u32) -> Outcome {
    let level = call.guest().world().log_level;
    call.gave(|| level.to_string());
    call.write_u32(level_to, level.number())?;
    Ok(Status::Ok)
}

pub(super) fn get_current_time_nanoseconds(call: &mut Call<'_>, time_to: u32) -> Outcome {
    let now = call.guest().world().clock.wall();
    call.gave(|| now.to_string());
    call.write_u64(time_to, now)?;
    Ok(Status::Ok)
}

pub(super) fn set_tick_period_milliseconds(call: &mut Call<'_>, period: u32) -> Outcome {
    call.note(|| period.to_string());
    let guest = call.guest();
    let (vm, id) = (guest.id, guest.root_id());
    let Some(root) = guest.roots.get_mut(&id) else { return Ok(Status::Ok) };
    root.tick.period = u64::from(period);
    root.tick.generation += 1;
    let generation = root.tick.generation;
    if period > 0 {
        let world = guest.world();
        let at = world.clock.monotonic().saturating_add(u64::from(period) * 1_000_000);
        world.timers.set(at, Due::Tick { vm, root: id, generation });
    }
    Ok(Status::Ok)
}

/// ABI 0.1.0: the plugin's configuration while it is configured, else the VM's.
pub(super) fn get_configuration(call: &mut Call<'_>, data_to: u32, size_to: u32) -> Outcome {
    let guest = call.guest();
    let configuring = guest.root().filter(|root| root.configuring).map(|root| root.plugin);
    let bytes = match configuring {
        Some(plugin) => {
            guest.world().plugins.get(plugin).map(|plugin| plugin.configuration.clone()).unwrap_or_default()
        }
        None => guest.config.configuration.clone(),
    };
    call.give(&bytes, data_to, size_to)
}

pub(super) fn get_status(call: &mut Call<'_>, code_to: u32, message_to: u32, size_to: u32) -> Outcome {
    let guest = call.guest();
    let acting = guest.acting();
    // Only root contexts have one: a stream that is made effective reads 0 and nothing.
    let (code, message) = guest.roots.get(&acting).map(|root| root.status.clone()).unwrap_or_default();
    call.write_u32(code_to, code)?;
    let outcome = call.give(message.as_bytes(), message_to, size_to);
    call.gave(|| format!("{code} {message:?}"));
    outcome
}

pub(super) fn set_effective_context(call: &mut Call<'_>, context: u32) -> Outcome {
    call.note(|| context.to_string());
    let guest = call.guest();
    if !guest.contexts.contains_key(&context) {
        return Ok(Status::BadArgument);
    }
    guest.effective = context;
    Ok(Status::Ok)
}

pub(super) fn done(call: &mut Call<'_>) -> Outcome {
    let guest = call.guest();
    let id = guest.root_id();
    match guest.roots.get_mut(&id) {
        Some(root) if root.pending_done => {
            root.pending_done = false;
            guest.effects.push_back(Effect::Delete { root: id });
            Ok(Status::Ok)
        }
        _ => Ok(Status::NotFound),
    }
}

/// What emscripten's threads ask; there is one thread.
pub(super) fn pthread_equal(_: &mut Call<'_>, left: u32, right: u32) -> Result<Status, Halt> {
    // 1 and 0 are the answers, and happen to be statuses.
    Ok(if left == right { Status::NotFound } else { Status::Ok })
}

/// emscripten tells the host that memory has grown; the host looks anew at each call anyway.
pub(super) fn link_memory_growth(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "emscripten_notify_memory_growth",
        |mut caller: Caller<'_, Guest>, _memory: u32| {
            caller.data_mut().cost.hostcalls += 1;
            caller.data_mut().spend(super::HOSTCALL)
        },
    )?;
    Ok(())
}

/// The HTTP stream that the acting context belongs to, and the filter's place in its chain.
pub(super) fn http(guest: &Guest) -> Option<(usize, usize)> {
    match guest.context() {
        Context::Http { stream, filter, .. } => Some((stream, filter)),
        _ => None,
    }
}
