//! How a value is written, and so where it ends.

/// A value whose bytes are being left out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// Between quotation marks.
    Quoted {
        /// The mark that began it.
        quote: Quote,
        /// Whether it was found to have anything in it, and the marker is written.
        marked: bool,
    },
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
#[derive(Clone, Copy, Debug)]
pub(super) struct Quote {
    pub(super) mark: u8,
    pub(super) level: u32,
}

/// What one byte of a value means.
pub(super) enum Step {
    /// It is part of the value.
    Within(Value),
    /// The value ends before it.
    EndsBefore,
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
    /// Takes in one byte that is no backslash, after `run` backslashes. `json`: a bare `"` always is syntax.
    pub(super) fn step(self, byte: u8, run: u32, json: bool) -> Step {
        let is_mark = matches!(byte, b'"' | b'\'');
        match self {
            Self::Quoted { quote, .. } => {
                let same = byte == quote.mark && (quote.is_closed_by(run) || quote.is_cut_by(run));
                let around = json && byte == b'"' && run == 0 && quote.mark == b'\'';
                if same || around {
                    Step::EndsBefore
                } else {
                    Step::Within(Self::Quoted { quote, marked: true })
                }
            }
            Self::Bare if ends_bare(byte) => Step::EndsBefore,
            Self::Scalar if ends_scalar(byte) || run > 0 => Step::EndsBefore,
            Self::Bare | Self::Scalar => Step::Within(self),
            Self::Nested { level, depth, within: None } if is_mark => {
                if (Quote { mark: byte, level }).is_cut_by(run) {
                    Step::EndsBefore
                } else {
                    Step::Within(Self::Nested { level, depth, within: Some(byte) })
                }
            }
            Self::Nested { level, depth, within: Some(mark) } if byte == mark => {
                let quote = Quote { mark, level };
                if quote.is_cut_by(run) {
                    Step::EndsBefore
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
