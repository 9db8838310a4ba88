//! The harness against small guests written as text: what good ones may rely on, and what hostile ones get.

#[cfg(test)]
mod harness {
    mod adversary;
    mod callout;
    mod corpus;
    mod guest;
    mod lifecycle;
    mod module;
    mod sdk;
    mod stream;
    mod world;
}
