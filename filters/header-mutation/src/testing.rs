//! A proxy for tests and benches of the decision.

use std::cell::RefCell;
use std::rc::Rc;

use filter_kit::reads::{Map, Reads, pairs};
use filter_kit::testing::Given;

use crate::host::{Held, Host, Side};
use crate::lines::Lines;
use crate::{Exchange, Mutations, Once, Tally, Verdict};

/// One message after the other in a proxy that has what it is given, does what it is told, and notes what that was.
#[derive(Debug, Default)]
pub struct Proxy {
    attributes: Given,
    /// The lines of the side that is passing: the proxy has no other.
    lines: RefCell<Vec<(Vec<u8>, Vec<u8>)>>,
    passing: std::cell::Cell<Option<Side>>,
    /// Every call that read or changed something.
    pub calls: RefCell<Vec<String>>,
    /// What was counted.
    pub tally: Tally,
    /// The marks.
    pub once: Once,
}

/// Header lines as a test writes them.
pub type Written<'a> = &'a [(&'a str, &'a [u8])];

impl Proxy {
    /// With attributes.
    pub fn knowing(attributes: Given) -> Self {
        Self { attributes, ..Self::default() }
    }

    /// Before an exchange by these rules.
    pub fn exchange(&self, mutations: &Rc<Mutations>) -> Exchange {
        Exchange::new(Rc::clone(mutations))
    }

    /// Has these lines on one side, and no others.
    pub fn offer(&self, side: Side, lines: Written<'_>) {
        *self.lines.borrow_mut() =
            lines.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())).collect();
        self.passing.set(Some(side));
    }

    /// The lines of one side after it has passed; `None` if the request was answered 400.
    pub fn pass(&self, exchange: &mut Exchange, side: Side, before: Written<'_>) -> Option<Vec<String>> {
        self.offer(side, before);
        let verdict = match side {
            Side::Request => exchange.request_headers(self, &self.tally, &self.once),
            later => {
                exchange.later(later, self, &self.tally, &self.once);
                Verdict::Continue
            }
        };
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let lines = self.lines.borrow();
        let shown = lines.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect();
        (verdict == Verdict::Continue).then_some(shown)
    }

    /// The lines of the side that passed last.
    pub fn lines(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.lines.borrow().clone()
    }

    fn noted(&self, call: &str, name: &[u8]) -> bool {
        self.calls.borrow_mut().push(format!("{call} {}", name.escape_ascii()));
        true
    }
}

impl Reads for Proxy {
    fn header(&self, map: Map, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.noted("get", name.as_bytes());
        if self.passing.get().and_then(Side::map) != Some(map) {
            return false;
        }
        let lines = self.lines.borrow();
        lines.iter().filter(|(other, _)| other == name.as_bytes()).any(|(_, value)| each(value))
    }

    fn attribute(&self, path: &str, read: &mut dyn FnMut(&[u8])) -> bool {
        self.noted("attribute", path.replace('\0', ".").as_bytes());
        Reads::attribute(&self.attributes, path, read)
    }

    fn now_ms(&self) -> u64 {
        self.attributes.now_ms()
    }

    fn random(&self) -> [u8; 16] {
        self.attributes.random()
    }
}

impl Host for Proxy {
    fn held(&self, _: Side, name: &[u8], value: &[u8]) -> Held {
        self.noted("compare", name);
        let lines = self.lines.borrow();
        let mut values = lines.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_slice());
        match (values.next(), values.next()) {
            (None, _) => Held::Nothing,
            (Some(first), None) if first == value => Held::Same,
            _ => Held::Other,
        }
    }

    fn lines(&self, _: Side) -> Vec<u8> {
        self.noted("lines", b"");
        let lines = self.lines.borrow();
        let mut all = Lines::default();
        lines.iter().for_each(|(name, value)| all.push(name, value.into()));
        let map = all.to_map();
        debug_assert_eq!(pairs(&map).count(), lines.len());
        map
    }

    fn replace(&self, _: Side, name: &[u8], value: &[u8]) -> bool {
        let mut lines = self.lines.borrow_mut();
        lines.retain(|(other, _)| other != name);
        lines.push((name.to_vec(), value.to_vec()));
        self.noted("replace", name)
    }

    fn add(&self, _: Side, name: &[u8], value: &[u8]) -> bool {
        self.lines.borrow_mut().push((name.to_vec(), value.to_vec()));
        self.noted("add", name)
    }

    fn remove(&self, _: Side, name: &[u8]) -> bool {
        self.lines.borrow_mut().retain(|(other, _)| other != name);
        self.noted("remove", name)
    }

    fn keep(&self, name: &str, value: &[u8]) -> bool {
        self.noted("keep", format!("{name} {}", value.escape_ascii()).as_bytes())
    }
}
