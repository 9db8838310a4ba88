//! A configuration together with the ids of its metrics: what is done with a stream.

use filter_kit::attribute::Direction;
use filter_kit::reads::Reads;

use crate::config::Timing;
use crate::exchange::{Exchange, Faults, integer};
use crate::metrics::{Define, Families, Meter};

/// What a VM does for the plugins of one configuration.
#[derive(Debug)]
pub struct Plan {
    /// The configuration.
    pub timing: Timing,
    /// Its metrics, by direction.
    families: [Families; 2],
    /// Whether duration and class are all that is recorded.
    pub is_plain: bool,
}

/// What was noted of a stream when its request came, and must be undone when it is over.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    direction: Direction,
    /// A bit for each slice that it is under way in.
    slices: u32,
}

impl Plan {
    /// Has `define` make, or find, each metric.
    pub fn new(timing: Timing, define: Define<'_>) -> Self {
        let mut of = |direction| Families::of(&timing, direction, define);
        let families = [of(Direction::Inbound), of(Direction::Outbound)];
        Self { is_plain: timing.is_plain(), timing, families }
    }

    /// A request came: it is under way.
    pub fn begin(&self, reads: &impl Reads, meter: &impl Meter, faults: &mut Faults) -> Begun {
        let direction = self.direction(reads, faults);
        let families = self.families(direction);
        families.all.under_way(meter, 1);
        let mut slices = 0;
        for (index, (slice, family)) in self.timing.slices.iter().zip(&families.slices).enumerate() {
            if !slice.when.needs_response() && slice.when.holds(reads) {
                family.under_way(meter, 1);
                slices |= 1 << index;
            }
        }
        Begun { direction, slices }
    }

    /// The stream is over, however: it is no longer under way.
    pub fn end(&self, begun: Begun, meter: &impl Meter) {
        let families = self.families(begun.direction);
        families.all.under_way(meter, -1);
        for (index, family) in families.slices.iter().enumerate() {
            if begun.slices & (1 << index) != 0 {
                family.under_way(meter, -1);
            }
        }
    }

    /// As [`record`](Self::record), of a plan that is plain: the way of most streams, and so with nothing in it that such a
    /// plan has no use for.
    #[inline(always)]
    pub fn record_plain(&self, reads: &impl Reads, meter: &impl Meter, faults: &mut Faults) {
        if let Some((exchange, _)) = Exchange::read_base(reads, &self.timing, faults) {
            self.families(self.direction(reads, faults)).all.record_base(meter, &exchange);
        }
    }

    /// Records a stream that is over, whoever answered it. Answers what it was and which way it went; `None` if nothing
    /// was recorded.
    pub fn record(
        &self,
        reads: &impl Reads,
        meter: &impl Meter,
        begun: Option<Begun>,
        since_first_byte: Option<u64>,
        faults: &mut Faults,
    ) -> Option<(Direction, Exchange)> {
        if self.timing.ignore.as_ref().is_some_and(|ignore| ignore.holds(reads)) {
            return None;
        }
        let exchange = Exchange::read(reads, &self.timing, since_first_byte, faults)?;
        let direction = match begun {
            Some(begun) => begun.direction,
            None => self.direction(reads, faults),
        };
        let families = self.families(direction);
        families.all.record(meter, &self.timing, &exchange);
        for (slice, family) in self.timing.slices.iter().zip(&families.slices) {
            if slice.when.holds(reads) {
                family.record(meter, &self.timing, &exchange);
            }
        }
        Some((direction, exchange))
    }

    fn families(&self, direction: Direction) -> &Families {
        let [inbound, outbound] = &self.families;
        match direction {
            Direction::Inbound => inbound,
            Direction::Outbound => outbound,
        }
    }

    /// Asked each time unless it is given: listeners of both directions share a root context (Envoy 1.36 to 1.40).
    #[inline(always)]
    fn direction(&self, reads: &impl Reads, faults: &mut Faults) -> Direction {
        if let Some(direction) = self.timing.direction {
            return direction;
        }
        let [new, old] = Direction::ATTRIBUTES;
        let value = integer(reads, new).or_else(|| integer(reads, old));
        faults.missing |= value.is_none();
        value.and_then(Direction::from_attribute).unwrap_or(self.timing.default_direction)
    }
}

#[cfg(test)]
mod tests;
