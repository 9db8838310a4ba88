//! Tokens that stand in place of what was found in a request, until they come back in its response.

/// What each token of one exchange stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// What all of them end with, so that nobody else's text is taken for one.
    nonce: u16,
    /// Token and what it stands for, in the order in which they were given.
    given: Vec<(String, Box<[u8]>)>,
    /// How many bytes they stand for.
    bytes: usize,
}

/// How many there may be in an exchange. What is found beyond that is not restored.
const MOST: usize = 256;

/// How many bytes they may stand for together.
const MOST_BYTES: usize = 32 << 10;

impl Tokens {
    /// None yet.
    pub fn new(nonce: u16) -> Self {
        Self { nonce, ..Self::default() }
    }

    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// The token for what a detector found, the same for the same; `None` if there are too many.
    pub(crate) fn token(&mut self, detector: &str, found: &[u8]) -> Option<&str> {
        let known = |(token, original): &(String, Box<[u8]>)| {
            **original == *found && token.strip_prefix('[').is_some_and(|token| token.starts_with(detector))
        };
        let index = match self.given.iter().position(known) {
            Some(index) => index,
            None if self.given.len() == MOST || self.bytes + found.len() > MOST_BYTES => return None,
            None => {
                let number = self.given.len() + 1;
                let token = format!("[{detector}_{number}_{:04x}]", self.nonce);
                self.bytes += found.len();
                self.given.push((token, found.into()));
                self.given.len() - 1
            }
        };
        self.given.get(index).map(|(token, _)| token.as_str())
    }

    /// What a token stands for.
    pub(crate) fn original(&self, token: &[u8]) -> Option<&[u8]> {
        self.given.iter().find(|(given, _)| given.as_bytes() == token).map(|(_, original)| &**original)
    }

    /// All tokens.
    pub(crate) fn all(&self) -> impl Iterator<Item = Vec<u8>> {
        self.given.iter().map(|(token, _)| token.clone().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_has_the_same_token_and_another_another() {
        let mut tokens = Tokens::new(0x9f3);
        assert_eq!(tokens.token("mail", b"ada@example.com"), Some("[mail_1_09f3]"));
        assert_eq!(tokens.token("mail", b"bob@example.com"), Some("[mail_2_09f3]"));
        assert_eq!(tokens.token("mail", b"ada@example.com"), Some("[mail_1_09f3]"));
        assert_eq!(tokens.token("word", b"ada@example.com"), Some("[word_3_09f3]"));
        assert_eq!(tokens.original(b"[mail_2_09f3]"), Some(&b"bob@example.com"[..]));
        assert_eq!(tokens.original(b"[mail_2_09f4]"), None);
    }

    #[test]
    fn there_are_only_so_many() {
        let mut tokens = Tokens::new(1);
        for number in 0..MOST {
            assert!(tokens.token("a", number.to_string().as_bytes()).is_some());
        }
        assert_eq!(tokens.token("a", b"one more"), None);
        assert!(tokens.token("a", b"7").is_some(), "one that is known");
        let mut tokens = Tokens::new(1);
        assert!(tokens.token("a", &[b'x'; MOST_BYTES]).is_some());
        assert_eq!(tokens.token("a", b"y"), None);
    }
}
