//! How each side of an exchange is handled: decided once, when the configuration is read.

use filter_kit::mode::{Mode, Share};

use crate::config::{Mutations, Rule};
use crate::direct::MOST_READS;
use crate::host::Side;

/// How the headers of one side are changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Way {
    /// Not at all: not even a call to the proxy.
    #[default]
    Nothing,
    /// By a call or two for each operation.
    Direct,
    /// In a copy of all of them.
    Lines,
}

/// How each side is handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The request's headers.
    pub(crate) request: Way,
    request_trailers: Way,
    /// The response's headers.
    pub(crate) response: Way,
    response_trailers: Way,
    /// Whether the request's headers are kept for what comes after them.
    pub(crate) keeps_request: bool,
    /// Whether there is a rule that may not apply.
    pub(crate) has_fates: bool,
    /// Whether what comes after the request's headers needs more of the exchange than its configuration.
    pub(crate) keeps_state: bool,
}

impl Plan {
    /// The way of one side.
    pub(crate) fn way(&self, side: Side) -> Way {
        match side {
            Side::Request => self.request,
            Side::RequestTrailers => self.request_trailers,
            Side::Response => self.response,
            Side::ResponseTrailers => self.response_trailers,
        }
    }

    /// Whether trailers are changed.
    pub(crate) fn changes_trailers(&self) -> bool {
        self.request_trailers != Way::Nothing || self.response_trailers != Way::Nothing
    }

    /// The plan for a configuration.
    pub(crate) fn of(mutations: &Mutations) -> Self {
        let rules = &mutations.rules;
        let later = [Side::RequestTrailers, Side::Response, Side::ResponseTrailers];
        // Once the request's headers have gone on, the proxy does not answer what they were.
        let keeps_request = rules.iter().any(|rule| {
            let templates = later.iter().flat_map(|side| rule.operations(*side));
            let mut templates = templates.filter_map(|operation| operation.value()?.template());
            templates.any(|template| template.sources().any(|source| source.needs_request()))
                || rule.when.as_ref().is_some_and(|when| when.needs_response() && when.needs_request())
        });
        let reports = mutations.mode != Mode::Enforce || mutations.share != Share::ALL;
        let must_copy =
            keeps_request || !mutations.strip_client.is_empty() || mutations.once_header.is_some();
        let trailers = |side| {
            if rules.iter().any(|rule| !rule.operations(side).is_empty()) { Way::Lines } else { Way::Nothing }
        };
        let has_fates = rules.iter().any(|rule| rule.when.is_some() || rule.stop);
        let mut plan = Self {
            request: way(rules, Side::Request, must_copy, reports),
            request_trailers: trailers(Side::RequestTrailers),
            response: way(rules, Side::Response, false, reports),
            response_trailers: trailers(Side::ResponseTrailers),
            keeps_request,
            has_fates,
            keeps_state: false,
        };
        let is_drawn = mutations.share != Share::ALL;
        let is_told = mutations.access_log && rules.iter().any(|rule| rule.name.is_some());
        // Of the response's headers it is asked whose they are, of its trailers that can no longer be.
        let is_asked = mutations.skip_local_replies && plan.response_trailers != Way::Nothing;
        let is_marked = mutations.once_header.is_some() && plan.request_trailers != Way::Nothing;
        let needs = has_fates || keeps_request || is_drawn || is_told || is_asked || is_marked;
        let comes_later = later.iter().any(|side| plan.way(*side) != Way::Nothing);
        plan.keeps_state = needs && comes_later && mutations.mode != Mode::Off;
        plan
    }
}

fn way(rules: &[Rule], side: Side, must_copy: bool, reports: bool) -> Way {
    let decides = |rule: &Rule| rule.when.is_some() && rule.needs_response() == (side == Side::Response);
    let asks = |rule: &Rule| {
        let when = rule.when.as_ref().filter(|_| decides(rule));
        when.is_some_and(|when| when.needs_request() || when.needs_response())
    };
    let changes = rules.iter().any(|rule| !rule.operations(side).is_empty());
    if !must_copy && !changes && !rules.iter().any(decides) {
        return Way::Nothing;
    }
    if must_copy || (reports && changes) {
        return Way::Lines;
    }
    // The proxy is asked by what remembers all lines of a header that is repeated: so it may be asked by conditions only
    // where nothing has changed them yet.
    let asking = rules.iter().filter(|rule| asks(rule)).count();
    if asking > 0 && changes && rules.len() > 1 {
        return Way::Lines;
    }
    let reads = rules
        .iter()
        .flat_map(|rule| rule.operations(side))
        .try_fold(asking, |sum, operation| operation.reads(side).map(|reads| sum + reads));
    match reads {
        Some(reads) if reads <= MOST_READS => Way::Direct,
        _ => Way::Lines,
    }
}
