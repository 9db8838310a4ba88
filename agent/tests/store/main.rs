//! Modules on disk, how they get there, and what they have to be.

#[cfg(test)]
mod bundle;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod downloads;
#[cfg(test)]
#[path = "../support/image.rs"]
mod image;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod registry;
#[cfg(test)]
#[path = "../support/server.rs"]
mod server;
#[cfg(test)]
mod shelf;
#[cfg(test)]
mod signatures;
#[cfg(test)]
#[path = "../support/signer.rs"]
mod signer;
#[cfg(test)]
mod trust;
