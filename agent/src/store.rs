//! Modules on disk.
