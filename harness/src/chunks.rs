//! How a body is cut on its way.

use bytes::Bytes;

use crate::random::Random;

/// A plan to cut a body into the pieces that filters see.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Chunks {
    /// In one piece.
    #[default]
    Whole,
    /// In pieces of so many bytes, the last may be shorter. 0 is taken for 1.
    Of(usize),
    /// Cut at these places, in any order; places beyond the end are ignored.
    At(Vec<usize>),
    /// Cut at random, the same for the same seed.
    Random(u64),
}

impl Chunks {
    /// The pieces; at least one, which is empty if the body is.
    #[must_use]
    pub fn cut(&self, body: &Bytes) -> Vec<Bytes> {
        let mut places: Vec<usize> = match self {
            Self::Whole => Vec::new(),
            Self::Of(size) => (0..body.len()).step_by((*size).max(1)).collect(),
            Self::At(places) => places.clone(),
            Self::Random(seed) => {
                let mut random = Random::seeded(*seed);
                let count = usize::try_from(random.below(16)).unwrap_or_default();
                let length = u64::try_from(body.len()).unwrap_or(u64::MAX).saturating_add(1);
                (0..count).map(|_| usize::try_from(random.below(length)).unwrap_or_default()).collect()
            }
        };
        places.sort_unstable();
        places.dedup();
        let mut pieces = Vec::new();
        let mut rest = body.clone();
        let mut at = 0;
        for place in places {
            if place > at && place < at + rest.len() {
                pieces.push(rest.split_to(place - at));
                at = place;
            }
        }
        pieces.push(rest);
        pieces
    }

    /// Plans that find what depends on where a body is cut: whole, single bytes, sevens, every single cut of a short
    /// body (some of a long one), and `random` random plans.
    pub fn plans(length: usize, random: u64) -> impl Iterator<Item = Self> {
        // Every place of a short body; a long one would take too long.
        let step = (length / 256).max(1);
        let single = (1..length).step_by(step).map(|place| Self::At(vec![place]));
        [Self::Whole, Self::Of(1), Self::Of(7)].into_iter().chain(single).chain((0..random).map(Self::Random))
    }

    /// # Panics
    ///
    /// If `outcome` is another for some way to cut a body of that length than for the whole, naming the plan.
    #[track_caller]
    pub fn assert_no_difference<T: PartialEq + std::fmt::Debug>(
        length: usize,
        mut outcome: impl FnMut(&Self) -> T,
    ) {
        let whole = outcome(&Self::Whole);
        for plan in Self::plans(length, 32) {
            let cut = outcome(&plan);
            assert!(cut == whole, "cut as {plan:?}, the outcome is\n{cut:?}\nand whole it is\n{whole:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(plan: &Chunks) -> Vec<String> {
        let pieces = plan.cut(&Bytes::from_static(b"abcdefg"));
        pieces.iter().map(|piece| String::from_utf8(piece.to_vec()).unwrap()).collect()
    }

    #[test]
    fn each_plan_cuts_as_it_says() {
        assert_eq!(cut(&Chunks::Whole), ["abcdefg"]);
        assert_eq!(cut(&Chunks::Of(3)), ["abc", "def", "g"]);
        assert_eq!(cut(&Chunks::Of(0)).len(), 7);
        assert_eq!(cut(&Chunks::At(vec![5, 1, 99, 0, 7])), ["a", "bcde", "fg"]);
        assert_eq!(cut(&Chunks::Random(3)), cut(&Chunks::Random(3)));
    }

    #[test]
    fn the_pieces_are_the_body_whatever_the_plan() {
        for plan in Chunks::plans(7, 50) {
            assert_eq!(cut(&plan).concat(), "abcdefg", "{plan:?}");
        }
        assert_eq!(Chunks::Of(1).cut(&Bytes::new()), [Bytes::new()]);
    }
}
