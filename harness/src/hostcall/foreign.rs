//! Foreign functions: those that Envoy has, and those that a test adds.

use crate::abi::{Level, Status};
use crate::foreign::state::{Declared, FACTORIES, Shape};
use crate::guest::{Call, Context, Guest, Halt, Outcome};
use crate::profile::Profile;
use crate::property::wire::{Field, read};
use crate::world::Posted;

mod expression;
mod zlib;

/// What a function answers: bytes that the guest is asked for memory for, if it answers any.
type Answer = Result<Option<Vec<u8>>, Halt>;

pub(super) fn call(
    call: &mut Call<'_>,
    name: u32,
    name_size: u32,
    arguments: u32,
    arguments_size: u32,
    results_to: u32,
    size_to: u32,
) -> Outcome {
    let answer = call.with(&[(name, name_size), (arguments, arguments_size)], |texts, guest| {
        let [name, arguments, ..] = texts else { return None };
        let name = super::text(name);
        run(guest, &name, arguments)
    })?;
    let Some(answer) = answer else { return Ok(Status::NotFound) };
    let (status, results) = match answer {
        Ok(results) => (Status::Ok, results),
        Err(Halt::Status(status)) => (status, None),
        Err(trap) => return Err(trap),
    };
    call.gave(|| crate::guest::quoted(results.as_deref().unwrap_or_default()));
    let mut pointer = 0;
    // Either place may be null for a guest that does not want it.
    if let Some(results) = &results
        && results_to != 0
    {
        pointer = match call.allocate(results.len()) {
            // For nothing there may be nowhere.
            Err(Halt::Status(_)) if results.is_empty() => 0,
            pointer => pointer?,
        };
        call.write(pointer, results)?;
    }
    if results_to != 0 {
        call.write_u32(results_to, pointer)?;
    }
    if size_to != 0 {
        let size = results.map_or(0, |results| results.len());
        call.write_u32(size_to, u32::try_from(size).map_err(|_| Status::InternalFailure)?)?;
    }
    Ok(status)
}

/// `None` if there is no function of that name.
fn run(guest: &mut Guest, name: &str, arguments: &[u8]) -> Option<Answer> {
    if let Some(function) = guest.world().functions.by_name.get_mut(name) {
        let results = function(arguments);
        return Some(results.map(|bytes| (!bytes.is_empty()).then_some(bytes)).map_err(Halt::Status));
    }
    let limit = guest.memory_limit;
    Some(match name {
        "compress" => Ok(Some(zlib::compress(arguments))),
        "uncompress" => zlib::uncompress(arguments, limit).map(Some).map_err(Halt::Status),
        "clear_route_cache" => Ok(None),
        "declare_property" => declare(guest, arguments).map(|()| None).map_err(Halt::Status),
        "set_envoy_filter_state" => set_state(guest, arguments).map(|()| None).map_err(Halt::Status),
        "expr_create" => expression::create(guest, arguments).map(Some).map_err(Halt::Status),
        "expr_evaluate" => expression::evaluate(guest, arguments).map(Some).map_err(Halt::Status),
        "expr_delete" => expression::delete(guest, arguments).map(|()| None).map_err(Halt::Status),
        "verify_signature" => Err(left_to_tests(name)),
        "sign" if guest.world().profile != Profile::Envoy1_36 => Err(left_to_tests(name)),
        _ => {
            super::general::say(
                guest,
                Level::Debug,
                format!("no foreign function {name:?}: add it with HostBuilder::foreign_function").as_bytes(),
            );
            return None;
        }
    })
}

/// Cryptography is not worth its dependencies here: whoever tests a filter that uses it knows what it is to answer.
fn left_to_tests(name: &str) -> Halt {
    Halt::Trap(wasmtime::Error::msg(format!(
        "the module called Envoy's foreign function {name}, which this host does not have: add one with \
         HostBuilder::foreign_function"
    )))
}

/// `DeclarePropertyArguments`. A context of a stream keeps what it declares to itself, where nobody looks for it.
fn declare(guest: &mut Guest, arguments: &[u8]) -> Result<(), Status> {
    let mut name = "";
    let mut declared = Declared::default();
    for (number, field) in read(arguments).ok_or(Status::BadArgument)? {
        match (number, field) {
            (1, field) => name = field.text().ok_or(Status::BadArgument)?,
            (2, Field::Number(number)) => declared.read_only = number != 0,
            (3, Field::Number(number)) => {
                declared.shape = match number {
                    1 => Shape::Text,
                    2 => Shape::FlatBuffers,
                    3 => Shape::Protobuf,
                    _ => Shape::Bytes,
                }
            }
            _ => {}
        }
    }
    let (name, id) = (name.as_bytes().to_vec(), guest.current);
    let is_new = match guest.roots.get_mut(&id) {
        Some(root) => {
            let is_new = !root.declared.contains_key(&name);
            root.declared.entry(name).or_insert(declared);
            is_new
        }
        None => {
            let contexts = &guest.contexts;
            guest.declared.retain(|(context, _)| contexts.contains_key(context));
            guest.declared.insert((id, name))
        }
    };
    if is_new { Ok(()) } else { Err(Status::BadArgument) }
}

/// `SetEnvoyFilterStateArguments`
fn set_state(guest: &mut Guest, arguments: &[u8]) -> Result<(), Status> {
    let (mut key, mut value) = ("", "");
    for (number, field) in read(arguments).ok_or(Status::BadArgument)? {
        match number {
            1 => key = field.text().ok_or(Status::BadArgument)?,
            2 => value = field.text().ok_or(Status::BadArgument)?,
            _ => {}
        }
    }
    let factory = FACTORIES.iter().find(|(name, _)| *name == key).map(|(_, takes)| *takes);
    match factory {
        Some(takes) if !takes(value) => return Err(Status::BadArgument),
        Some(_) => {}
        None if guest.world().functions.factories.contains(key) => {}
        None => return Err(Status::NotFound),
    }
    let context = acting(guest);
    super::property::state(guest, context).ok_or(Status::NotFound)?.set_object(key, value);
    Ok(())
}

/// Until 1.36 Envoy gave foreign functions the context whose callback runs, whatever context was effective.
fn acting(guest: &mut Guest) -> Context {
    if guest.world().profile == Profile::Envoy1_36 {
        guest.context_of(guest.current)
    } else {
        guest.context()
    }
}

/// Envoy's own import: a name is resolved, and `envoy_on_resolve_dns` told.
pub(super) fn resolve_dns(call: &mut Call<'_>, name: u32, name_size: u32, token_to: u32) -> Outcome {
    let name = call.with(&[(name, name_size)], |texts, _| {
        String::from_utf8_lossy(texts.first().copied().unwrap_or_default()).into_owned()
    })?;
    let token = call.guest().ids.resolution();
    call.write_u32(token_to, token)?;
    call.gave(|| token.to_string());
    let guest = call.guest();
    let (vm, root) = (guest.id, guest.root_id());
    guest.world().posted.push_back(Posted::Resolved { vm, root, token, name });
    Ok(Status::Ok)
}
