//! Streams of Envoy and of the control plane, and what passes between them.
