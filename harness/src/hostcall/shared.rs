//! What VMs share: data and queues.

use crate::abi::Status;
use crate::guest::{Call, Outcome};
use crate::world::Posted;

pub(super) fn set(
    call: &mut Call<'_>,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
    cas: u32,
) -> Outcome {
    call.note(|| format!("cas {cas}"));
    let stored = call.with(&[(key, key_size), (value, value_size)], |texts, guest| {
        let [key, value, ..] = texts else { return Ok(()) };
        let config = guest.config.clone();
        guest.world().shared.set(&config.vm_id, key, value, cas)
    })?;
    stored?;
    Ok(Status::Ok)
}

pub(super) fn get(
    call: &mut Call<'_>,
    key: u32,
    key_size: u32,
    value_to: u32,
    size_to: u32,
    cas_to: u32,
) -> Outcome {
    let found = call.with(&[(key, key_size)], |texts, guest| {
        let key = texts.first().copied().unwrap_or_default();
        let config = guest.config.clone();
        guest.world().shared.get(&config.vm_id, key).map(|(value, cas)| (value.to_vec(), cas))
    })?;
    let Some((value, cas)) = found else { return Ok(Status::NotFound) };
    let outcome = call.give(&value, value_to, size_to)?;
    call.write_u32(cas_to, cas)?;
    Ok(outcome)
}

pub(super) fn register_queue(call: &mut Call<'_>, name: u32, name_size: u32, id_to: u32) -> Outcome {
    let id = call.with(&[(name, name_size)], |texts, guest| {
        let name = texts.first().copied().unwrap_or_default();
        let (config, root) = (guest.config.clone(), guest.root_id());
        guest.world().queues.register(&config.vm_id, name, &config.key, root)
    })??;
    call.gave(|| id.to_string());
    call.write_u32(id_to, id)?;
    Ok(Status::Ok)
}

pub(super) fn resolve_queue(
    call: &mut Call<'_>,
    vm_id: u32,
    vm_id_size: u32,
    name: u32,
    name_size: u32,
    id_to: u32,
) -> Outcome {
    let id = call.with(&[(vm_id, vm_id_size), (name, name_size)], |texts, guest| {
        let [vm_id, name, ..] = texts else { return Err(Status::NotFound) };
        let config = guest.config.clone();
        let vm_id = super::text(vm_id);
        let vm_id = if vm_id.is_empty() { config.vm_id.as_str() } else { &vm_id };
        guest.world().queues.resolve(vm_id, name)
    })??;
    call.gave(|| id.to_string());
    call.write_u32(id_to, id)?;
    Ok(Status::Ok)
}

pub(super) fn enqueue(call: &mut Call<'_>, queue: u32, value: u32, value_size: u32) -> Outcome {
    call.note(|| queue.to_string());
    call.with(&[(value, value_size)], |texts, guest| {
        let value = texts.first().copied().unwrap_or_default();
        let world = guest.world();
        let (vm_key, root) = world.queues.enqueue(queue, value)?;
        // The owner's thread is told, which may be this one: never before this callback is over.
        world.posted.push_back(Posted::QueueReady { vm_key, root, queue });
        Ok::<(), Status>(())
    })??;
    Ok(Status::Ok)
}

pub(super) fn dequeue(call: &mut Call<'_>, queue: u32, value_to: u32, size_to: u32) -> Outcome {
    call.note(|| queue.to_string());
    let value = call.guest().world().queues.dequeue(queue)?;
    call.give(&value, value_to, size_to)
}
