//! An entry: what wasmtime serialised, followed by a digest of it.
//!
//! The artefact is an ELF file whose sections are found by their offsets from its beginning, so that it can be mapped with
//! the digest behind it. One file is replaced in one step; an artefact and a digest beside it could part.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use rustix::process::geteuid;
use thiserror::Error;

use super::key::Key;

/// Bytes of the digest at the end.
pub const DIGEST: usize = blake3::OUT_LEN;

/// Permissions that nobody but the owner may have on trusted code: to write.
pub const OTHERS_WRITE: u32 = 0o022;

/// How stale the time of last use may be. Eviction need not know better, and a disk is spared a write for each start.
const USED_WITHIN: Duration = Duration::from_secs(3600);

/// An entry that is not to be trusted.
#[derive(Debug, Error)]
pub enum Unfit {
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    #[error("it is not a file of this user's that others cannot write")]
    Untrusted,
    #[error("it is cut off")]
    Short,
    #[error("its digest is wrong")]
    Digest,
}

/// An entry whose digest has been verified.
pub struct Entry {
    /// The very file that was verified, whatever its name may mean by now.
    pub file: File,
    /// What wasmtime serialised.
    pub artefact: Vec<u8>,
}

impl Entry {
    /// What `key` has at `path`, if anything.
    pub fn open(path: &Path, key: &Key) -> Result<Option<Self>, Unfit> {
        // Neither a link to follow nor a pipe to wait for.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Unfit::Read(error)),
        };
        let metadata = file.metadata().map_err(Unfit::Read)?;
        if !metadata.is_file() || metadata.uid() != geteuid().as_raw() || metadata.mode() & OTHERS_WRITE != 0 {
            return Err(Unfit::Untrusted);
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(Unfit::Read)?;
        let (artefact, digest) = content.split_last_chunk::<DIGEST>().ok_or(Unfit::Short)?;
        if key.digest(artefact) != *digest {
            return Err(Unfit::Digest);
        }
        note_use(&file, &metadata);
        content.truncate(content.len() - DIGEST);
        Ok(Some(Self { file, artefact: content }))
    }
}

fn note_use(file: &File, metadata: &Metadata) {
    let now = SystemTime::now();
    let recent = metadata.modified().is_ok_and(|used| now.duration_since(used).is_ok_and(|ago| ago < USED_WITHIN));
    if !recent {
        // A directory that can only be read forgets who was used.
        let _ = file.set_modified(now);
    }
}
