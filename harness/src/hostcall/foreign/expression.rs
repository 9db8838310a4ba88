//! `expr_create`, `expr_evaluate`, `expr_delete`: expressions that a root context keeps for its streams.

use crate::abi::Status;
use crate::cel::{Expression, Refused};
use crate::foreign::Expressions;
use crate::guest::Guest;
use crate::hostcall::property::view::View;
use crate::property::group::Found;

/// Those of the root context above the one whose callback runs, whatever context is effective.
fn of_root(guest: &mut Guest) -> Result<&mut Expressions, Status> {
    let id = guest.root_id_of(guest.current);
    guest.roots.get_mut(&id).map(|root| &mut root.expressions).ok_or(Status::InternalFailure)
}

pub(super) fn create(guest: &mut Guest, text: &[u8]) -> Result<Vec<u8>, Status> {
    let text = std::str::from_utf8(text).map_err(|_| Status::BadArgument)?;
    let expression = Expression::read(text);
    if expression.as_ref().err() == Some(&Refused::Unread) {
        return Err(Status::BadArgument);
    }
    let expressions = of_root(guest)?;
    if expressions.is_full() {
        return Err(Status::InternalFailure);
    }
    // It is taken even if the expression is not.
    let token = expressions.token();
    expressions.put(token, expression.map_err(|_| Status::BadArgument)?);
    Ok(token.to_le_bytes().to_vec())
}

pub(super) fn evaluate(guest: &mut Guest, token: &[u8]) -> Result<Vec<u8>, Status> {
    let token = read(token)?;
    let id = guest.root_id_of(guest.current);
    let guest = &*guest;
    let root = guest.roots.get(&id).ok_or(Status::NotFound)?;
    let expression = root.expressions.get(token).ok_or(Status::NotFound)?;
    let view = View::of(guest, guest.current);
    match expression.evaluate(&view).map_err(|_| Status::InternalFailure)? {
        Found::Value(value) => value.to_bytes(),
        Found::Group(_) => Err(Status::SerializationFailure),
    }
}

pub(super) fn delete(guest: &mut Guest, token: &[u8]) -> Result<(), Status> {
    let token = read(token)?;
    of_root(guest)?.delete(token);
    Ok(())
}

fn read(token: &[u8]) -> Result<u32, Status> {
    token.try_into().map(u32::from_le_bytes).map_err(|_| Status::BadArgument)
}
