//! Offline sets.
