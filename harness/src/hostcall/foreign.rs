//! Foreign functions: those that Envoy has, and those that a test adds.

use crate::abi::{Level, Status};
use crate::foreign::Declared;
use crate::guest::{Call, Guest, Halt, Outcome};

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
        let [name, arguments, ..] = texts else { return Err(Status::NotFound) };
        let name = super::text(name);
        run(guest, &name, arguments)
    })?;
    let (status, results) = match answer {
        Ok(results) => (Status::Ok, results),
        Err(Status::NotFound) => return Ok(Status::NotFound),
        Err(status) => (status, Vec::new()),
    };
    call.gave(|| crate::guest::quoted(&results));
    // Either place may be null for a guest that does not want it.
    let mut pointer = 0;
    if !results.is_empty() && results_to != 0 {
        pointer = call.allocate(results.len())?;
        call.write(pointer, &results)?;
    }
    if results_to != 0 {
        call.write_u32(results_to, pointer)?;
    }
    if size_to != 0 {
        call.write_u32(
            size_to,
            u32::try_from(results.len()).map_err(|_| Halt::Status(Status::InternalFailure))?,
        )?;
    }
    Ok(status)
}

fn run(guest: &mut Guest, name: &str, arguments: &[u8]) -> Result<Vec<u8>, Status> {
    if let Some(function) = guest.world().functions.0.get_mut(name) {
        return function(arguments);
    }
    match name {
        "clear_route_cache" => Ok(Vec::new()),
        "declare_property" => declare(guest, arguments).map(|()| Vec::new()),
        _ => {
            super::general::say(
                guest,
                Level::Debug,
                format!("no foreign function {name:?}: add it with Host::foreign_function").as_bytes(),
            );
            Err(Status::NotFound)
        }
    }
}

/// Reads what a `DeclarePropertyArguments` message needs: the name (field 1) and whether it is read only (2).
fn declare(guest: &mut Guest, arguments: &[u8]) -> Result<(), Status> {
    let mut name = None;
    let mut read_only = false;
    let mut rest = arguments;
    while let Some((tag, after)) = rest.split_first() {
        let (number, after) = varint(after).ok_or(Status::BadArgument)?;
        rest = match tag & 7 {
            0 => {
                if tag >> 3 == 2 {
                    read_only = number != 0;
                }
                after
            }
            2 => {
                let (content, after) = after.split_at_checked(number).ok_or(Status::BadArgument)?;
                if tag >> 3 == 1 {
                    name = Some(content.to_vec());
                }
                after
            }
            _ => return Err(Status::BadArgument),
        };
    }
    let root = guest.root().ok_or(Status::BadArgument)?;
    let name = name.unwrap_or_default();
    if root.declared.contains_key(&name) {
        return Err(Status::BadArgument);
    }
    root.declared.insert(name, Declared { read_only });
    Ok(())
}

fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0usize;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}
