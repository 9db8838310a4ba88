//! Clusters that a module's callouts go to, and what they answer.

use proxy_wasm_harness::{Reaction, Request};

use super::message::response;
use crate::matcher::Matcher;
use crate::yaml::{Kind, Node, Problems};

/// How a cluster behaves.
#[derive(Clone, Debug)]
pub(crate) enum Cluster {
    /// No host of it is healthy: the hostcall itself fails.
    Unhealthy,
    /// A step answers.
    Asked,
    /// The first rule that fits says what becomes of a callout.
    Rules(Vec<Rule>),
}

/// What becomes of some callouts.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    when: Asked,
    reaction: Reaction,
    /// How often it is for use; always, if nothing is said.
    left: Option<u64>,
}

/// What a callout has to be like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) method: Option<Matcher>,
    pub(crate) path: Option<Matcher>,
    pub(crate) authority: Option<Matcher>,
    pub(crate) headers: Vec<(String, Matcher)>,
    pub(crate) body: Option<Matcher>,
}

pub(crate) const RULE: [&str; 4] = ["when", "respond", "fail", "times"];
pub(crate) const WHEN: [&str; 5] = ["method", "path", "authority", "headers", "body"];
pub(crate) const RESPOND: [&str; 5] = ["status", "headers", "body", "trailers", "after"];
pub(crate) const CLUSTERS: [&str; 5] = ["unhealthy", "asked", "timeout", "refuse", "reset"];
pub(crate) const FAILURES: [&str; 3] = ["timeout", "refuse", "reset"];

/// The way a callout can fail.
pub(crate) fn failure(node: &Node, problems: &Problems) -> Option<Reaction> {
    let failures: Vec<(&str, usize)> = FAILURES.iter().copied().zip(0..).collect();
    Some(match problems.word(node, &failures)? {
        0 => Reaction::Silence,
        1 => Reaction::Refuse,
        _ => Reaction::Reset,
    })
}

/// A response, at once or after some time.
pub(crate) fn respond(node: &Node, problems: &Problems) -> Option<Reaction> {
    let fields = problems.fields(node, "a cluster's response", &RESPOND)?;
    let after = fields.get("after").map(|node| problems.duration(node));
    let response = response(&fields, problems)?;
    Some(match after {
        Some(after) => Reaction::RespondAfter(after?, response),
        None => Reaction::Respond(response),
    })
}

impl Cluster {
    pub(crate) fn read(node: &Node, problems: &Problems) -> Option<Self> {
        match &node.kind {
            Kind::List(items) => {
                let rules = items.iter().map(|item| Rule::read(item, problems));
                // Each is read, so that each one's problems are found.
                let rules: Vec<Option<Rule>> = rules.collect();
                rules.into_iter().collect::<Option<_>>().map(Self::Rules)
            }
            Kind::Map(_) => Rule::read(node, problems).map(|rule| Self::Rules(vec![rule])),
            _ => {
                let always =
                    |reaction| Self::Rules(vec![Rule { when: Asked::default(), reaction, left: None }]);
                let numbered: Vec<(&str, usize)> = CLUSTERS.iter().copied().zip(0..).collect();
                Some(match problems.word(node, &numbered)? {
                    0 => Self::Unhealthy,
                    1 => Self::Asked,
                    2 => always(Reaction::Silence),
                    3 => always(Reaction::Refuse),
                    _ => always(Reaction::Reset),
                })
            }
        }
    }

    /// What becomes of a callout; nothing if no rule fits it.
    pub(crate) fn react(rules: &mut [Rule], request: &Request) -> Option<Reaction> {
        let fits = |rule: &&mut Rule| rule.left != Some(0) && rule.when.fits(request);
        let rule = rules.iter_mut().find(fits)?;
        if let Some(left) = &mut rule.left {
            *left -= 1;
        }
        Some(rule.reaction.clone())
    }
}

impl Rule {
    fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "a rule of a cluster", &RULE)?;
        let when = match fields.get("when") {
            Some(node) => Asked::read(node, problems),
            None => Some(Asked::default()),
        };
        let reaction = match (fields.get("respond"), fields.get("fail")) {
            (Some(node), None) => respond(node, problems),
            (None, Some(node)) => failure(node, problems),
            _ => problems.add(fields.at, "expected either `respond` or `fail` in a rule of a cluster"),
        };
        let left = fields.get("times").map(|node| problems.unsigned(node, "a number of callouts"));
        Some(Self { when: when?, reaction: reaction?, left: left.unwrap_or_default() })
    }
}

impl Asked {
    pub(crate) fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "a callout", &WHEN)?;
        Some(Self::of(&fields, problems))
    }

    pub(crate) fn of(fields: &crate::yaml::Fields<'_>, problems: &Problems) -> Self {
        let matcher = |name: &str| fields.get(name).and_then(|node| Matcher::read(node, problems));
        let mut headers = Vec::new();
        if let Some(node) = fields.get("headers") {
            for (key, node) in problems.entries(node, "a map of names to matchers") {
                headers.extend(Matcher::read(node, problems).map(|matcher| (key.name.clone(), matcher)));
            }
        }
        Self {
            method: matcher("method"),
            path: matcher("path"),
            authority: matcher("authority"),
            headers,
            body: matcher("body"),
        }
    }

    pub(crate) fn fits(&self, request: &Request) -> bool {
        self.mismatch(request).is_none()
    }

    /// What is not as it should be: what it is, what was expected, what was found.
    pub(crate) fn mismatch(&self, request: &Request) -> Option<(String, String, String)> {
        let pseudo = [(":method", &self.method), (":path", &self.path), (":authority", &self.authority)];
        let pseudo = pseudo.into_iter().filter_map(|(name, matcher)| Some((name, matcher.as_ref()?)));
        let headers = self.headers.iter().map(|(name, matcher)| (name.as_str(), matcher));
        for (name, matcher) in pseudo.chain(headers) {
            let values: Vec<&[u8]> = request.headers.get_all(name).collect();
            if !matcher.holds(&values) {
                return Some((
                    format!("header {name}"),
                    matcher.to_string(),
                    crate::matcher::quoted(&values),
                ));
            }
        }
        let matcher = self.body.as_ref().filter(|matcher| !matcher.holds(&[&request.body]))?;
        Some(("body".to_owned(), matcher.to_string(), crate::matcher::quoted(&[&request.body])))
    }
}
