//! The configuration. All of it may be left out.

mod extras;
mod log;
mod long_lived;
mod objective;
mod slice;
mod status;

use filter_kit::config::{self, Fields, Node, Refusal};
use filter_kit::level::Level;
use filter_kit::metric::Defined;
use filter_kit::when::When;

pub use extras::Extras;
pub use log::Log;
pub use long_lived::{LongLived, Treat};
pub use objective::Objective;
pub use slice::Slice;
pub use status::Status;

use crate::{Direction, Families};

/// What is recorded of streams.
#[derive(Clone, Debug)]
pub struct Timing {
    /// How much is written into the log.
    pub log_level: Level,
    /// Which way all traffic goes; `None` to ask the listener for each stream.
    pub direction: Option<Direction>,
    /// For listeners that do not say which way their traffic goes.
    pub default_direction: Direction,
    /// The metrics beside the base ones.
    pub extras: Extras,
    /// Streams whose duration is no latency.
    pub long_lived: LongLived,
    /// Streams that nothing is recorded of.
    pub ignore: Option<When>,
    /// Streams that have metrics of their own as well.
    pub slices: Vec<Slice>,
    /// What is promised.
    pub objectives: Vec<Objective>,
    /// The log line, if there is to be one.
    pub log: Option<Log>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            log_level: Level::Info,
            direction: None,
            default_direction: Direction::Inbound,
            extras: Extras::default(),
            long_lived: LongLived::default(),
            ignore: None,
            slices: Vec::new(),
            objectives: Vec::new(),
            log: None,
        }
    }
}

/// How many objectives there may be: each has two counters in every family.
const MOST_OBJECTIVES: u32 = 8;

impl Timing {
    /// Reads plugin configuration such as `{"version": 1, "metrics": {"ttfb": true}}`; none at all is the default.
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
            let level = Level::field(fields);
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
            let extras = fields.optional("metrics", "What is recorded beside the base metrics", Extras::read);
            let long_lived = LongLived::fields(fields);
            let ignore = fields.optional(
                "ignore",
                "Streams that nothing is recorded of, such as health checks",
                When::read,
            );
            let slices = fields.optional(
                "slices",
                "Streams that have all metrics once more, under a name of their own",
                |node| node.up_to(slice::MOST, Slice::read),
            );
            let objectives = fields.optional(
                "slo",
                "Service level objectives: how many streams count, and how many were good",
                |node| node.up_to(MOST_OBJECTIVES, Objective::read),
            );
            let log = fields.optional("log", "Lines of JSON in Envoy's log", Log::read);
            let timing = Self {
                log_level: level?,
                direction: direction?,
                default_direction: default_direction?,
                extras: extras?.unwrap_or_default(),
                long_lived: long_lived?,
                ignore: ignore?,
                slices: slices?.unwrap_or_default(),
                objectives: objectives?.unwrap_or_default(),
                log: log?.flatten(),
            };
            if timing.log.is_some() && !timing.log_level.writes(Level::Info) {
                return fields.problem("`log` has lines at level `info`, which `log_level` leaves out");
            }
            timing.names_are_distinct(fields).then_some(timing)
        })
    }

    /// Whether duration and class of every stream are all that is recorded.
    pub fn is_plain(&self) -> bool {
        let nothing_more = self.slices.is_empty() && self.objectives.is_empty() && self.log.is_none();
        nothing_more && self.ignore.is_none() && !self.extras.any()
    }

    /// Two metrics of one name would be one metric that counts neither.
    fn names_are_distinct(&self, fields: &Fields<'_>) -> bool {
        let (mut names, mut distinct) = (Defined::new(), true);
        // A direction has the names of the other.
        Families::of(self, Direction::Inbound, &mut |_, name| {
            let mut is_new = false;
            names.id(name, |_| {
                is_new = true;
                Some(0)
            });
            if !is_new {
                distinct = false;
                let message = format!(
                    "the names in `slices` and `slo` make the metric {name} twice, expected other names"
                );
                let _: Option<()> = fields.problem(message);
            }
            None
        });
        distinct
    }
}

#[cfg(test)]
mod tests;
