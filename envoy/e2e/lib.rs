//! Nothing but the tests in `tests/`: what only a real Envoy can show of all filters together.
