//! The configuration. All of it may be left out.

use filter_kit::config::{self, Node, Refusal};

use crate::Direction;

/// What is recorded beside the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Which way all traffic goes; `None` to ask the listener for each stream.
    pub direction: Option<Direction>,
    /// For listeners that do not say which way their traffic goes.
    pub default_direction: Direction,
    /// The log line, if there is to be one.
    pub log: Option<LogLine>,
}

/// A line of JSON for each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How much of a path is logged, in bytes.
    pub max_path: usize,
}

impl Default for Timing {
    fn default() -> Self {
        Self { direction: None, default_direction: Direction::Inbound, log: None }
    }
}

impl Timing {
    /// Reads plugin configuration such as `{"version": 1, "log": {"enabled": true}}`; none at all is the default.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        config::read(bytes, Self::from_node)
    }

    /// Reads the configuration, and natively describes it for `schema.json`.
    pub fn from_node(root: Node<'_>) -> Option<Self> {
        root.object(|fields| {
            fields.version(1);
            let direction = fields.or(
                "direction",
                "Which way all traffic goes; `auto` asks the listener for each request",
                "auto",
                |node| {
                    let [inbound, outbound] =
                        Direction::WORDS.map(|(word, direction)| (word, Some(direction)));
                    node.one_of(&[("auto", None), inbound, outbound])
                },
            );
            let default_direction = fields.or(
                "default_direction",
                "For listeners that do not say which way their traffic goes",
                "inbound",
                |node| node.one_of(&Direction::WORDS),
            );
            let log = fields.optional("log", "A line of JSON for each request", log);
            Some(Self { direction: direction?, default_direction: default_direction?, log: log?.flatten() })
        })
    }
}

fn log(node: Node<'_>) -> Option<Option<LogLine>> {
    node.object(|fields| {
        let enabled = fields.required("enabled", "Whether to write it", |node| node.boolean());
        let max_path = fields.or("max_path", "How much of a path it has, in bytes", 128, |node| {
            usize::try_from(node.integer(1..=4096)?).ok()
        });
        let max_path = max_path?;
        Some(enabled?.then_some(LogLine { max_path }))
    })
}

/// The configurations of the plugins in a VM, numbered in the order they came. Each is there once, so there are
/// more only when an operator writes another.
#[derive(Debug, Default)]
pub struct Configurations(Vec<Timing>);

impl Configurations {
    /// None yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The number of `timing`, or the one it would have.
    pub fn number_of(&self, timing: &Timing) -> usize {
        self.0.iter().position(|other| other == timing).unwrap_or(self.0.len())
    }

    /// Adds `timing` unless it is there.
    pub fn add(&mut self, timing: Timing) {
        if self.number_of(&timing) == self.0.len() {
            self.0.push(timing);
        }
    }

    /// The configuration that has this number.
    pub fn get(&self, number: usize) -> Option<&Timing> {
        self.0.get(number)
    }

    /// The configuration of every plugin, if they have but one.
    pub fn only(&self) -> Option<&Timing> {
        match self.0.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_configuration_records_metrics_alone() {
        for json in ["", " ", r#"{"version": 1}"#, r#"{"version": 1, "log": {"enabled": false}}"#] {
            assert_eq!(Timing::from_json(json.as_bytes()), Ok(Timing::default()), "{json}");
        }
    }

    #[test]
    fn a_direction_that_is_known_can_be_given() {
        let direction = |json: &str| Timing::from_json(json.as_bytes()).unwrap().direction;
        assert_eq!(direction(r#"{"version": 1, "direction": "outbound"}"#), Some(Direction::Outbound));
        assert_eq!(direction(r#"{"version": 1, "direction": "auto"}"#), None);
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let json =
            r#"{"default_direction": "sideways", "log": {"enable": true, "max_path": 0}, "labels": []}"#;
        let refusal = Timing::from_json(json.as_bytes()).unwrap_err();
        let paths: Vec<&str> = refusal.problems().iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(
            paths,
            ["labels", "version", "default_direction", "log.enable", "log.enabled", "log.max_path"]
        );
    }

    #[test]
    fn each_configuration_of_a_vm_has_one_number() {
        let [first, second] = [Direction::Inbound, Direction::Outbound]
            .map(|direction| Timing { direction: Some(direction), ..Timing::default() });
        let mut configurations = Configurations::new();
        assert_eq!(configurations.only(), None);
        for (timing, number) in [(&first, 0), (&first, 0), (&second, 1), (&first, 0), (&second, 1)] {
            assert_eq!(configurations.number_of(timing), number);
            configurations.add(timing.clone());
            assert_eq!(configurations.get(number), Some(timing));
            assert_eq!(configurations.only().is_some(), configurations.get(1).is_none());
        }
        assert_eq!(configurations.get(2), None);
    }
}
