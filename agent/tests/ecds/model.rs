//! Whatever comes in which order: what holds all the same.
//!
//! Resources bear the number of the push that they came in, as their version and in their module's name.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3 as xds;
use envoy_types::pb::google::protobuf::Any;
use meshloom_agent::ecds::{OnFetchFailure, Options, Protocol, TYPE_URL};
use meshloom_agent::{Reason, Unavailable};
use proptest::prelude::*;
use prost::Message as _;

use crate::library::{held, unreachable};
use crate::stage::*;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    /// The control plane sends some names: what of each.
    Push(Vec<(usize, Content)>),
    /// The control plane takes a name away (incremental only).
    Remove(usize),
    /// Envoy answers the oldest response that it has not answered, and may ask for another name, or not for one.
    Answer { accept: bool, toggle: Option<usize> },
    /// Envoy asks for another name, or not for one.
    Toggle(usize),
    /// One of the attempts ends.
    End { which: usize, how: Ending },
    /// Time passes, in milliseconds.
    Pass(u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Content {
    Wanted,
    AtHand,
    /// The same module as the push before.
    Again,
    Plain,
    Unreadable,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    There,
    Fails,
    Unusable,
}

fn event() -> impl Strategy<Value = Event> {
    let content = prop_oneof![
        4 => Just(Content::Wanted),
        1 => Just(Content::AtHand),
        1 => Just(Content::Again),
        1 => Just(Content::Plain),
        1 => Just(Content::Unreadable),
    ];
    let ending = prop_oneof![3 => Just(Ending::There), 3 => Just(Ending::Fails), 1 => Just(Ending::Unusable)];
    let name = 0..NAMES.len();
    prop_oneof![
        4 => prop::collection::btree_map(name.clone(), content, 0..4)
            .prop_map(|names| Event::Push(names.into_iter().collect())),
        1 => name.clone().prop_map(Event::Remove),
        4 => (prop::bool::weighted(0.8), prop::option::weighted(0.1, name.clone()))
            .prop_map(|(accept, toggle)| Event::Answer { accept, toggle }),
        1 => name.prop_map(Event::Toggle),
        4 => (0..8_usize, ending).prop_map(|(which, how)| Event::End { which, how }),
        3 => prop_oneof![0..100_u64, 500..2000_u64, 4000..7000_u64].prop_map(Event::Pass),
    ]
}

struct World {
    stage: Stage,
    protocol: Protocol,
    pushes: u64,
    /// What Envoy asks for.
    subscribed: BTreeSet<usize>,
    /// The last push in which each name came with something that can be read, while Envoy asked for it, and what it was.
    newest: BTreeMap<usize, (u64, Content, String)>,
    /// The module of the last push of each name.
    module: HashMap<usize, String>,
    /// Responses that Envoy has not answered.
    unanswered: VecDeque<String>,
    seen_by_envoy: usize,
    seen_by_control_plane: usize,
    /// Whether Envoy refuses one of the agent's own responses at this moment: that comes in addition.
    refuses_own: bool,
    /// The nonces of the control plane that it was answered.
    answered: HashSet<String>,
    /// State of the world: the names in the last request that the control plane got.
    last_names: Vec<String>,
    /// By name: the envelope's version that was last sent.
    last_version: BTreeMap<String, u64>,
    /// By name: the newest module that was sent and not refused.
    last_module: BTreeMap<String, u64>,
    /// What each response had in it, for when Envoy refuses it.
    contents: HashMap<String, Vec<(String, u64)>>,
    last_nonce: u64,
}

fn wrapped(protocol: Protocol, nonce: u64, resources: &[Any], removed: &[&str]) -> Vec<u8> {
    if protocol == Protocol::Delta {
        return response(protocol, &nonce.to_string(), resources, removed);
    }
    let wrap = |any: &Any| Any {
        type_url: "type.googleapis.com/envoy.service.discovery.v3.Resource".into(),
        value: in_envelope(any, &format!("v{nonce}")).encode_to_vec(),
    };
    xds::DiscoveryResponse {
        version_info: format!("v{nonce}"),
        resources: resources.iter().map(wrap).collect(),
        type_url: TYPE_URL.into(),
        nonce: nonce.to_string(),
        ..Default::default()
    }
    .encode_to_vec()
}

impl World {
    fn new(protocol: Protocol, on_fetch_failure: OnFetchFailure, seed: u64) -> Self {
        let options = Options { on_fetch_failure, seed: Some(seed), ..Options::default() };
        let mut stage = Stage::silent(protocol, options, Arc::default());
        stage.subscribe(&NAMES[..2], &[], "");
        Self {
            stage,
            protocol,
            pushes: 0,
            subscribed: [0, 1].into(),
            newest: BTreeMap::new(),
            module: HashMap::new(),
            unanswered: VecDeque::new(),
            seen_by_envoy: 0,
            seen_by_control_plane: 1,
            refuses_own: false,
            answered: HashSet::new(),
            last_names: vec!["a".into(), "b".into()],
            last_version: BTreeMap::new(),
            last_module: BTreeMap::new(),
            contents: HashMap::new(),
            last_nonce: 0,
        }
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Push(contents) => self.push(contents),
            Event::Remove(index) if self.protocol == Protocol::Delta => {
                self.pushes += 1;
                self.newest.remove(index);
                // What comes under that name later is another thing.
                self.last_module.remove(NAMES[*index]);
                self.stage.respond(wrapped(self.protocol, self.pushes, &[], &[NAMES[*index]]));
            }
            Event::Remove(_) => {}
            Event::Answer { accept, toggle } => self.answer(*accept, *toggle),
            Event::Toggle(index) => {
                let nonce = match self.protocol {
                    // The last that Envoy has answered.
                    Protocol::Sotw => self.answered_last(),
                    Protocol::Delta => String::new(),
                };
                self.toggle(*index, &nonce);
            }
            Event::End { which, how } => {
                let Some(ticket) = self.stage.running.keys().nth(*which).copied() else { return };
                let url = self.stage.running[&ticket].url.clone();
                let what = url.split(['/', '.']).rev().nth(1).unwrap().to_owned();
                let outcome = match how {
                    Ending::There => Ok(held(&what)),
                    Ending::Fails => Err(unreachable()),
                    Ending::Unusable => Err(Unavailable::new(Reason::Unusable, "unusable")),
                };
                if outcome.is_ok() {
                    self.stage.library.has(&url, held(&what));
                }
                self.stage.ticket_ends(ticket, outcome);
            }
            Event::Pass(milliseconds) => {
                self.stage.advance(std::time::Duration::from_millis(*milliseconds));
            }
        }
        self.look();
    }

    fn push(&mut self, contents: &[(usize, Content)]) {
        self.pushes += 1;
        let number = self.pushes;
        let mut resources = Vec::new();
        for (index, content) in contents {
            let name = NAMES[*index];
            let own = format!("{name}-{number}");
            let what = match content {
                Content::Again => self.module.get(index).cloned().unwrap_or(own),
                _ => own,
            };
            match content {
                Content::Plain => resources.push(plain(name)),
                Content::Unreadable => resources.push(unreadable(name)),
                Content::Wanted | Content::Again => resources.push(wants(name, &what)),
                Content::AtHand => {
                    self.stage.library.has(&url(&what), held(&what));
                    resources.push(wants(name, &what));
                }
            }
            if *content != Content::Unreadable {
                if *content != Content::Plain {
                    self.module.insert(*index, what.clone());
                }
                if self.subscribed.contains(index) {
                    self.newest.insert(*index, (number, *content, what));
                }
            }
        }
        self.stage.respond(wrapped(self.protocol, number, &resources, &[]));
    }

    fn toggle(&mut self, index: usize, nonce: &str) {
        self.newest.remove(&index);
        // Envoy keeps nothing under a name that it does not ask for, and takes nothing under it.
        self.last_module.remove(NAMES[index]);
        if self.subscribed.remove(&index) {
            self.stage.subscribe(&[], &[NAMES[index]], nonce);
        } else {
            self.subscribed.insert(index);
            self.stage.subscribe(&[NAMES[index]], &[], nonce);
        }
    }

    fn answered_last(&self) -> String {
        let open = self.unanswered.len();
        let sent = &self.stage.to_envoy;
        sent.len().checked_sub(open + 1).map(|at| sent[at].nonce.clone()).unwrap_or_default()
    }

    fn answer(&mut self, accept: bool, toggle: Option<usize>) {
        let Some(nonce) = self.unanswered.pop_front() else { return };
        if let Some(index) = toggle {
            return self.toggle(index, &nonce);
        }
        if accept {
            return self.stage.accept(&nonce);
        }
        self.refuses_own = is_own(&nonce);
        for (name, module) in self.contents.remove(&nonce).unwrap_or_default() {
            // Envoy has what it had before.
            if self.last_module.get(&name) == Some(&module) {
                self.last_module.remove(&name);
            }
        }
        self.stage.refuse(&nonce);
    }

    /// Looks at what Envoy and the control plane have been sent since the last look.
    fn look(&mut self) {
        for sent in &self.stage.to_envoy[self.seen_by_envoy..] {
            self.unanswered.push_back(sent.nonce.clone());
            if !is_own(&sent.nonce) {
                let nonce: u64 = sent.nonce.parse().unwrap();
                assert!(nonce > self.last_nonce, "nonces of the control plane come in order, each once");
                self.last_nonce = nonce;
            }
            let mut contents = Vec::new();
            for resource in &sent.resources {
                let version: u64 = resource.version.trim_start_matches('v').parse().unwrap();
                let last = self.last_version.insert(resource.name.clone(), version).unwrap_or(0);
                assert!(version >= last, "{}: push {version} after {last}", resource.name);
                let is_asked_for = self.subscribed.iter().any(|index| NAMES[*index] == resource.name);
                if let What::Module(path) = &resource.what
                    && is_asked_for
                {
                    let module = path.rsplit(['-', '.']).nth(1).unwrap().parse().unwrap();
                    let last = self.last_module.insert(resource.name.clone(), module).unwrap_or(0);
                    assert!(module >= last, "{}: module {module} after {last}", resource.name);
                    contents.push((resource.name.clone(), module));
                }
            }
            self.contents.insert(sent.nonce.clone(), contents);
        }
        self.seen_by_envoy = self.stage.to_envoy.len();
        for told in &self.stage.to_control_plane[self.seen_by_control_plane..] {
            assert!(!is_own(&told.nonce), "no nonce of the agent's own reaches the control plane");
            let same_names = std::mem::replace(&mut self.last_names, told.names.clone()) == told.names;
            if told.error.is_some() && std::mem::take(&mut self.refuses_own) {
                continue;
            }
            let answers = told.error.is_some() || self.protocol == Protocol::Delta || same_names;
            if answers && !told.nonce.is_empty() {
                assert!(self.answered.insert(told.nonce.clone()), "push {} is answered once", told.nonce);
            }
        }
        self.refuses_own = false;
        self.seen_by_control_plane = self.stage.to_control_plane.len();
    }

    /// Everything that goes on ends well, and Envoy takes everything.
    fn ends_well(&mut self) {
        for _ in 0..200 {
            while !self.stage.running.is_empty() {
                self.happens(&Event::End { which: 0, how: Ending::There });
            }
            while !self.unanswered.is_empty() {
                self.happens(&Event::Answer { accept: true, toggle: None });
            }
            self.happens(&Event::Pass(10_000));
            if self.stage.running.is_empty() && self.unanswered.is_empty() {
                break;
            }
        }
        assert!(self.stage.running.is_empty() && self.unanswered.is_empty());
    }
}

fn policy() -> impl Strategy<Value = OnFetchFailure> {
    prop_oneof![
        3 => Just(OnFetchFailure::LastGood),
        1 => Just(OnFetchFailure::Open),
        1 => Just(OnFetchFailure::Close),
        1 => Just(OnFetchFailure::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_in_which_order(
        delta: bool, policy in policy(), seed: u64, events in prop::collection::vec(event(), 0..60),
    ) {
        let protocol = if delta { Protocol::Delta } else { Protocol::Sotw };
        let mut world = World::new(protocol, policy, seed);
        let mut given_up_for_good = BTreeSet::new();
        for event in &events {
            if let Event::End { which, how: Ending::Unusable } = event
                && let Some(wanted) = world.stage.running.values().nth(*which)
            {
                given_up_for_good.insert(wanted.url.clone());
            }
            world.happens(event);
        }
        world.ends_well();
        for (index, (number, content, what)) in &world.newest {
            let name = NAMES[*index];
            if given_up_for_good.contains(&url(what)) {
                continue;
            }
            let expected = match content {
                Content::Plain => What::Other("type.googleapis.com/example.Lua".into()),
                _ => module(what),
            };
            prop_assert_eq!(world.stage.serves(name), Some(expected), "{} of push {}", name, number);
        }
        // Nothing is owed to anybody once nobody asks for anything.
        world.push(&[(0, Content::Wanted), (1, Content::Wanted), (2, Content::Wanted), (3, Content::Wanted)]);
        for index in 0..NAMES.len() {
            if world.subscribed.contains(&index) {
                world.happens(&Event::Toggle(index));
            }
        }
        prop_assert!(world.stage.running.is_empty());
        prop_assert!(world.stage.board.all().is_empty(), "{:?}", world.stage.board.all());
    }
}
