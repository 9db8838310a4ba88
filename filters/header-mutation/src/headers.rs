//! The header map an operation works on.

/// Headers of one message. Names are in lower case; values are bytes and need not be UTF-8.
pub trait Headers {
    /// Whether a line of that name is there.
    fn contains(&self, name: &str) -> bool;
    /// The values of that name, in order.
    fn all(&self, name: &str) -> Vec<Vec<u8>>;
    /// Puts one line in place of all lines of that name.
    fn set(&mut self, name: &str, value: &[u8]);
    /// Adds a line after any other of that name.
    fn append(&mut self, name: &str, value: &[u8]);
    /// Removes all lines of that name.
    fn remove(&mut self, name: &str);
}

/// Lines as they stand in a message: what the host keeps, where there is no host.
impl Headers for Vec<(String, Vec<u8>)> {
    fn contains(&self, name: &str) -> bool {
        self.iter().any(|(other, _)| other == name)
    }

    fn all(&self, name: &str) -> Vec<Vec<u8>> {
        self.iter().filter(|(other, _)| other == name).map(|(_, value)| value.clone()).collect()
    }

    fn set(&mut self, name: &str, value: &[u8]) {
        Headers::remove(self, name);
        Headers::append(self, name, value);
    }

    fn append(&mut self, name: &str, value: &[u8]) {
        self.push((name.to_owned(), value.to_vec()));
    }

    fn remove(&mut self, name: &str) {
        self.retain(|(other, _)| other != name);
    }
}
