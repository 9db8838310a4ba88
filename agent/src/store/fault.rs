//! Where a test stops the store.

use std::io;
use std::sync::Arc;

/// Steps of a change, between which the agent may be killed or the disk may refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The download is complete, not yet on disk.
    Downloaded,
    /// The download is on disk under a temporary name.
    Synced,
    /// The store is locked.
    Locked,
    /// What has to make room is gone.
    RoomMade,
    /// The blob has its name.
    BlobNamed,
    /// The name of the blob is on disk.
    BlobSynced,
    /// The folder of the source is there.
    FolderMade,
    /// The link is there under a temporary name.
    LinkMade,
    /// Envoy's file has its name.
    LinkNamed,
    /// The name of Envoy's file is on disk.
    LinkSynced,
    /// Half of the journal's new lines are written.
    JournalTorn,
    /// The journal is written, not yet on disk.
    JournalWritten,
    /// The journal is on disk.
    JournalSynced,
    /// The shorter journal is on disk under a temporary name.
    Compacted,
    /// The shorter journal has its name.
    CompactedNamed,
    /// Envoy's files of an evicted module are gone, its blob is not.
    Unlinked,
    /// The blob of an evicted module is gone.
    BlobRemoved,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 17] = [
        Self::Downloaded,
        Self::Synced,
        Self::Locked,
        Self::RoomMade,
        Self::BlobNamed,
        Self::BlobSynced,
        Self::FolderMade,
        Self::LinkMade,
        Self::LinkNamed,
        Self::LinkSynced,
        Self::JournalTorn,
        Self::JournalWritten,
        Self::JournalSynced,
        Self::Compacted,
        Self::CompactedNamed,
        Self::Unlinked,
        Self::BlobRemoved,
    ];
}

/// Asked at each step whether the disk refuses there. A test may as well end the process.
pub type Faults = Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>;
