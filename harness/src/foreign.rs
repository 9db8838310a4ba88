//! Foreign functions: what `proxy_call_foreign_function` finds by name.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use crate::abi::Status;
use crate::cel::Expression;

pub(crate) mod state;

/// What a foreign function of a test does.
pub(crate) type Function = Box<dyn FnMut(&[u8]) -> Result<Vec<u8>, Status> + Send>;

/// What a test added to those functions that Envoy has.
#[derive(Default)]
pub(crate) struct Functions {
    pub(crate) by_name: HashMap<String, Function>,
    /// What `set_envoy_filter_state` can make beside [`state::FACTORIES`].
    pub(crate) factories: BTreeSet<String>,
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

/// A guest may make expressions without end; a root context keeps this many.
const MAX_EXPRESSIONS: usize = 10_000;

/// The expressions of one root context (`ExpressionContext`). Their tokens count from 0.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    next: u32,
    by_token: HashMap<u32, Expression>,
}

impl Expressions {
    /// Whether there are more than a guest that means well would make.
    pub(crate) fn is_full(&self) -> bool {
        self.by_token.len() >= MAX_EXPRESSIONS
    }

    /// A token that is not in use.
    pub(crate) fn token(&mut self) -> u32 {
        loop {
            let token = self.next;
            self.next = token.wrapping_add(1);
            if !self.by_token.contains_key(&token) {
                return token;
            }
        }
    }

    pub(crate) fn put(&mut self, token: u32, expression: Expression) {
        self.by_token.insert(token, expression);
    }

    pub(crate) fn get(&self, token: u32) -> Option<&Expression> {
        self.by_token.get(&token)
    }

    pub(crate) fn delete(&mut self, token: u32) {
        self.by_token.remove(&token);
    }
}
