//! Modules on disk, how they get there, and what they have to be.

mod bundle;
mod crash;
mod disk;
mod policy;
mod registry;
mod shelf;
mod signatures;
mod trust;
