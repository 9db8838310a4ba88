//! How a module gets into the store.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;

use super::folder::{Source, make, remove, sync};
use super::journal::Record;
use super::open::Writer;
use super::state::Stat;
use super::{Step, Store, disk};
use crate::fetch::Downloaded;
use crate::{Held, Reason, Sha256, Unavailable};

impl Store {
    /// Puts a download into the store, as what these sources have; Envoy is told of the file of the first. The download
    /// must be in [`download_folder`](Self::download_folder). Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`Reason::Disk`], with the path and the bytes. The download is gone then.
    pub fn put(&self, downloaded: Downloaded, sources: &[Source]) -> Result<Held, Unavailable> {
        let Some(first) = sources.first() else {
            return Err(Unavailable::new(Reason::Disk, "a module without a source cannot be stored"));
        };
        let size = downloaded.size;
        let path = self.files.folder().path(first);
        self.put_at(downloaded, sources).map_err(|failure| match failure {
            Failure::Io(doing, error) => {
                disk(&path, &format!("{doing} (a module of {size} bytes) for"), &error)
            }
            Failure::Told(told) => told,
        })?;
        self.files.at_hand(first).ok_or_else(|| {
            let message = format!("{} was changed while it was stored", path.display());
            Unavailable::new(Reason::Disk, message)
        })
    }

    fn put_at(&self, downloaded: Downloaded, sources: &[Source]) -> Result<(), Failure> {
        let Downloaded { file, sha256, size } = downloaded;
        let folder = self.files.folder();
        self.step(Step::Downloaded).map_err(failed("cannot write"))?;
        let written = file.as_file().metadata().map_err(failed("cannot look at what was written"))?.len();
        if written != size {
            let error = io::Error::other(format!("{written} bytes are in the file"));
            return Err(Failure::Io("cannot write", error));
        }
        file.as_file()
            .set_permissions(Permissions::from_mode(0o644))
            .map_err(failed("cannot set permissions"))?;
        file.as_file().sync_all().map_err(failed("cannot write"))?;
        self.step(Step::Synced).map_err(failed("cannot write"))?;

        let mut writer = self.writer();
        let _lock = self.locked(&writer)?;
        self.step(Step::Locked).map_err(failed("cannot lock"))?;
        self.catch_up(&mut writer)?;
        self.make_room(&mut writer, &sha256, size)?;
        self.step(Step::RoomMade).map_err(failed("cannot make room"))?;

        let blob = folder.blob(&sha256);
        let known = self.files.state().verified.get(&sha256).copied();
        let there = fs::symlink_metadata(&blob).ok().map(|metadata| Stat::of(&metadata));
        if known.is_none() || known != there {
            file.persist(&blob).map_err(|error| Failure::Io("cannot rename", error.error))?;
            self.step(Step::BlobNamed).map_err(failed("cannot rename"))?;
            sync(&folder.blobs()).map_err(failed("cannot write the folder"))?;
            let stat = fs::symlink_metadata(&blob).map_err(failed("cannot look at what was written"))?;
            self.files.state().verified.insert(sha256, Stat::of(&stat));
        }
        self.step(Step::BlobSynced).map_err(failed("cannot write the folder"))?;

        let used = self.files.state().tick();
        let mut records = vec![Record::Module { sha256, size, used }];
        let known = sources.iter();
        records.extend(known.map(|Source { name, checksum }| Record::Source {
            name: *name,
            checksum: *checksum,
            sha256,
        }));
        if let Some(first) = sources.first() {
            self.link_locked(&writer, first, &sha256).map_err(failed("cannot link"))?;
        }
        self.write(&mut writer, &records)?;
        Ok(())
    }

    /// Another source was found to have a module that is there.
    ///
    /// # Errors
    ///
    /// [`Reason::Disk`]
    pub fn add_source(&self, source: Source, sha256: Sha256) -> Result<(), Unavailable> {
        let mut writer = self.writer();
        let _lock = self.locked(&writer)?;
        self.catch_up(&mut writer)?;
        if self.files.state().module(&sha256).is_none() {
            return Ok(());
        }
        let record = Record::Source { name: source.name, checksum: source.checksum, sha256 };
        self.write(&mut writer, &[record])
    }

    /// Gives a source its file.
    pub(super) fn link(&self, source: &Source, sha256: Sha256) -> Result<(), Unavailable> {
        let writer = self.writer();
        let _lock = self.locked(&writer)?;
        self.link_locked(&writer, source, &sha256)
            .map_err(|error| disk(&self.files.folder().path(source), "cannot link", &error))
    }

    fn link_locked(&self, writer: &Writer, source: &Source, sha256: &Sha256) -> io::Result<()> {
        let folder = self.files.folder();
        let blob = folder.blob(sha256);
        let path = folder.path(source);
        let its = folder.folder_of(source);
        if !its.is_dir() {
            make(&its)?;
            sync(folder.root())?;
        }
        self.step(Step::FolderMade)?;
        let of_blob = Stat::of(&fs::symlink_metadata(&blob)?);
        let there = fs::symlink_metadata(&path).is_ok_and(|found| Stat::of(&found).is_same_file(&of_blob));
        if there {
            return Ok(());
        }
        // A link cannot replace what has the name; a rename can.
        let temporary = writer.temporary.path().join(format!("{}.link", source.checksum));
        remove(&temporary)?;
        fs::hard_link(&blob, &temporary)?;
        let named = self.step(Step::LinkMade).and_then(|()| fs::rename(&temporary, &path));
        if let Err(error) = named {
            // Swept with the agent's folder if this fails, too.
            let _ = remove(&temporary);
            return Err(error);
        }
        self.step(Step::LinkNamed)?;
        sync(&its)?;
        self.step(Step::LinkSynced)
    }
}

enum Failure {
    Io(&'static str, io::Error),
    Told(Unavailable),
}

impl From<Unavailable> for Failure {
    fn from(told: Unavailable) -> Self {
        Self::Told(told)
    }
}

fn failed(doing: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::Io(doing, error)
}
