//! How the value of an assignment is written, and so where it ends.

/// A value, as far as it has been gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Between quotation marks.
    Quoted(Quote),
    /// Without quotation marks, after an equals sign.
    Bare,
    /// A JSON number or word.
    Scalar,
    /// A JSON object or array.
    Nested {
        /// Backslashes before the quotation marks in it.
        level: u32,
        /// How many brackets are open.
        depth: u32,
        /// The mark of the string it is in.
        within: Option<u8>,
    },
}

/// A quotation mark, with the backslashes it needs where it stands: 0 in plain text and in JSON, 1 in JSON that
/// is itself a JSON string, 3 in JSON in that, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(super) mark: u8,
    pub(super) level: u32,
}

/// What one byte of a value means.
pub(super) enum Step {
    /// It is part of the value.
    Within(Value),
    /// The value ends before it; as many of the backslashes before it are not part of the value either.
    EndsBefore(u32),
    /// The value ends with it.
    EndsWith,
}

impl Quote {
    /// Whether a mark after `run` backslashes ends the string that this one began.
    fn is_closed_by(self, run: u32) -> bool {
        let period = self.level.saturating_add(1).saturating_mul(2);
        run % period == self.level
    }

    /// Whether a mark after `run` backslashes ends a string around this one: it needs fewer of them.
    fn is_cut_by(self, run: u32) -> bool {
        run < self.level
    }
}

impl Value {
    /// Takes in one byte that is no backslash, after `run` backslashes.
    pub(super) fn step(self, byte: u8, run: u32) -> Step {
        let is_mark = matches!(byte, b'"' | b'\'');
        match self {
            Self::Quoted(quote) => {
                if byte == quote.mark && (quote.is_closed_by(run) || quote.is_cut_by(run)) {
                    Step::EndsBefore(run.min(quote.level))
                } else {
                    Step::Within(self)
                }
            }
            Self::Bare if ends_bare(byte) => Step::EndsBefore(run),
            Self::Scalar if ends_scalar(byte) || run > 0 => Step::EndsBefore(run),
            Self::Bare | Self::Scalar => Step::Within(self),
            Self::Nested { level, depth, within: None } if is_mark => {
                if (Quote { mark: byte, level }).is_cut_by(run) {
                    Step::EndsBefore(run)
                } else {
                    Step::Within(Self::Nested { level, depth, within: Some(byte) })
                }
            }
            Self::Nested { level, depth, within: Some(mark) } if byte == mark => {
                let quote = Quote { mark, level };
                if quote.is_cut_by(run) {
                    Step::EndsBefore(run)
                } else if quote.is_closed_by(run) {
                    Step::Within(Self::Nested { level, depth, within: None })
                } else {
                    Step::Within(self)
                }
            }
            Self::Nested { level, depth, within: None } => match byte {
                b'{' | b'[' => {
                    Step::Within(Self::Nested { level, depth: depth.saturating_add(1), within: None })
                }
                b'}' | b']' if depth <= 1 => Step::EndsWith,
                b'}' | b']' => Step::Within(Self::Nested { level, depth: depth - 1, within: None }),
                _ => Step::Within(self),
            },
            Self::Nested { .. } => Step::Within(self),
        }
    }
}

/// What ends a value without quotation marks. Commas and semicolons do not: they may be part of a secret, and it
/// is better to take too much than to leave the rest of one.
pub(super) fn ends_bare(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'"' | b'&' | b'<')
}

/// What ends a JSON number or word.
pub(super) fn ends_scalar(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'"' | b'\'' | b',' | b'}' | b']')
}
