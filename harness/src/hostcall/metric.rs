//! Metrics. An id's low two bits are its kind.

use crate::abi::{MetricType, Status};
use crate::finding::Finding;
use crate::guest::{Call, Context, Guest, Outcome};

const KIND: u32 = 3;

pub(super) fn define(call: &mut Call<'_>, kind: u32, name: u32, name_size: u32, id_to: u32) -> Outcome {
    let given = kind;
    let kind = MetricType::from_number(kind);
    call.note(|| kind.map_or_else(|| given.to_string(), |kind| format!("{kind:?}")));
    let defined = call.with(&[(name, name_size)], |texts, guest| {
        let name = super::text(texts.first().copied().unwrap_or_default()).into_owned();
        let kind = kind.ok_or(Status::BadArgument)?;
        let index = guest.world().stats.define(&name, kind)?;
        if matches!(guest.context(), Context::Http { .. } | Context::Tcp { .. }) {
            guest.world().findings.add(Finding::MetricDefinedPerStream { name });
        }
        let id = guest.ids.metric(kind);
        guest.metrics.insert(id, index);
        Ok::<u32, Status>(id)
    })?;
    let id = defined?;
    call.gave(|| id.to_string());
    call.write_u32(id_to, id)?;
    Ok(Status::Ok)
}

fn find(guest: &mut Guest, id: u32, otherwise: Status) -> Result<usize, Status> {
    match guest.metrics.get(&id) {
        Some(index) => Ok(*index),
        // An id of no kind but counter and gauge is refused before it is looked up.
        None if id & KIND > MetricType::Gauge.number() => Err(otherwise),
        None => Err(Status::NotFound),
    }
}

pub(super) fn increment(call: &mut Call<'_>, id: u32, offset: i64) -> Outcome {
    call.note(|| format!("{id}, {offset}"));
    let guest = call.guest();
    let index = find(guest, id, Status::BadArgument)?;
    Ok(guest.world().stats.increment(index, offset))
}

pub(super) fn record(call: &mut Call<'_>, id: u32, value: u64) -> Outcome {
    call.note(|| format!("{id}, {value}"));
    let guest = call.guest();
    let index = find(guest, id, Status::NotFound)?;
    Ok(guest.world().stats.record(index, value))
}

pub(super) fn get(call: &mut Call<'_>, id: u32, value_to: u32) -> Outcome {
    call.note(|| id.to_string());
    let guest = call.guest();
    let index = find(guest, id, Status::BadArgument)?;
    let value = guest.world().stats.value(index)?;
    call.gave(|| value.to_string());
    call.write_u64(value_to, value)?;
    Ok(Status::Ok)
}
