//! What Envoy's answers say about what it has.

use std::time::Instant;

use super::Desk;
use super::entry::Sent;
use crate::Reason;
use crate::status::{Serving, Standing};

impl Desk {
    /// Envoy answered that nonce; `refusal` says why, if it refused.
    pub(super) fn answered(&mut self, nonce: &str, refusal: Option<&str>, now: Instant) {
        let Some((passed_over, answered)) = self.ledger.answered(nonce) else { return };
        for sent in passed_over {
            match refusal {
                // It has gone beyond these, and has refused none of them as far as one can know.
                None => self.accepted(sent, now),
                Some(_) => self.release(sent.held.into_iter().collect(), now),
            }
        }
        for sent in answered {
            match refusal {
                None => self.accepted(sent, now),
                Some(why) => self.refused(sent, why, now),
            }
        }
    }

    fn accepted(&mut self, sent: Sent, now: Instant) {
        let Sent { name, serving, record, held } = sent;
        if let Some(record) = record {
            self.last_good.accepted(&name, record);
        }
        // An answer to something older says nothing about what has been sent since.
        let last = !self.ledger.is_unanswered(&name);
        let Some(entry) = self.entries.get_mut(&name) else {
            return self.release(held.into_iter().collect(), now);
        };
        entry.accepted = serving;
        entry.has = held;
        entry.doubtful = None;
        if !last || entry.straggler.is_some() {
            return;
        }
        if entry.listed {
            entry.stands(Standing::Accepted);
            entry.show(&self.board, now);
        } else {
            // A resource without remote code: there is nothing more to tell of the name.
            self.entries.remove(&name);
        }
    }

    fn refused(&mut self, sent: Sent, why: &str, now: Instant) {
        let Sent { name, held, .. } = sent;
        tracing::error!(stream = self.stream, resource = ?name, %why, "Envoy refused a resource");
        let last = !self.ledger.is_unanswered(&name);
        let remembered = self.last_good.get(&name).is_some();
        let Some(entry) = self.entries.get_mut(&name) else {
            return self.release(held.into_iter().collect(), now);
        };
        let before = std::mem::replace(&mut entry.doubtful, held);
        if !last {
            return self.release(before.into_iter().collect(), now);
        }
        let serving = match entry.accepted {
            // Envoy keeps what it has, which is what was wanted before.
            Serving::Wanted => Serving::LastGood,
            Serving::Nothing if remembered => Serving::LastGood,
            other => other,
        };
        let has = entry.has.clone();
        entry.serves(serving, has.as_ref());
        entry.error(Reason::NotAModule, format!("Envoy refused it: {why}"));
        if entry.straggler.is_none() {
            entry.stands(Standing::Refused);
        }
        entry.listed = true;
        entry.show(&self.board, now);
        self.release(before.into_iter().collect(), now);
    }
}
