//! Refusals that the agent sends by itself: of what Envoy never sees, because it cannot be read.

use super::ledger::Known;
use super::{Desk, Effect, Protocol};
use crate::status::{Conversion, Dropped};
use crate::wire::{INTERNAL, Malformed, Request, Response, RpcStatus};

/// As much as a refusal says, in bytes.
const MAX_MESSAGE: usize = 4096;

/// A resource that cannot be read.
pub(super) struct Bad {
    /// Its name, or where it is if that cannot be read.
    pub(super) name: String,
    pub(super) why: String,
}

impl Desk {
    /// Tells the control plane that there is something in that response that cannot be read.
    pub(super) fn refuse(&mut self, known: &Known, bad: &[Bad], effects: &mut Vec<Effect>) {
        let mut message = String::new();
        for Bad { name, why } in bad {
            tracing::error!(stream = self.stream, resource = ?name, %why, "a resource of ECDS cannot be read");
            self.metrics.conversion(Conversion::UnmarshalFailure);
            if message.len() < MAX_MESSAGE {
                let separator = if message.is_empty() { "" } else { "; " };
                message.push_str(&format!("{separator}{name:?}: {why}"));
            }
        }
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        self.refuse_with(known, &message, effects);
    }

    /// The same for a response that cannot be read at all. Nothing of it reaches Envoy.
    pub(super) fn refuse_unreadable(&mut self, message: &[u8], why: &Malformed, effects: &mut Vec<Effect>) {
        tracing::error!(stream = self.stream, %why, "a response of ECDS cannot be read");
        self.metrics.conversion(Conversion::UnmarshalFailure);
        self.metrics.dropped(Dropped::Malformed);
        let known = self.ledger.arrives(&Response::read_partly(self.protocol, message));
        // Without a nonce it would be a request, and no answer.
        if !known.nonce.is_empty() {
            self.refuse_with(&known, &format!("the response cannot be read: {why}"), effects);
        }
    }

    fn refuse_with(&mut self, known: &Known, message: &str, effects: &mut Vec<Effect>) {
        self.ledger.refuse(known);
        let error = RpcStatus { code: INTERNAL, message }.encode();
        let request = Request {
            type_url: super::super::TYPE_URL,
            nonce: &known.nonce,
            error: Some(&error),
            ..Request::default()
        };
        let request = match self.protocol {
            Protocol::Sotw => Request {
                version: &self.ledger.accepted_version,
                // Without names it would be an unsubscription for a control plane that looks at them first.
                names: self.subscription.told(),
                ..request
            },
            Protocol::Delta => request,
        };
        effects.push(Effect::ToControlPlane(request.encode(self.protocol).into()));
    }
}
