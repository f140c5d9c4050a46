//! An entry: what wasmtime serialized, followed by a digest of it.
//!
//! wasmtime's artefact is an ELF file and finds its sections by their offsets from the beginning, so it can be mapped with the
//! digest behind it. One file is replaced in one step; two could come apart.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use rustix::process::geteuid;
use thiserror::Error;

use super::key::Key;

pub const DIGEST: usize = blake3::OUT_LEN;

/// Permission to write for anyone but the owner: trusted code must not have it.
pub const OTHERS_WRITE: u32 = 0o022;

/// How stale the time of last use may be. Eviction needs no better, and not every start writes to the disk.
const USED_WITHIN: Duration = Duration::from_secs(3600);

#[derive(Debug, Error)]
pub enum Unfit {
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    #[error("it is not a file that only this user can write")]
    Untrusted,
    #[error("it is truncated")]
    Short,
    #[error("its digest is wrong")]
    Digest,
}

/// An entry whose digest has been verified.
pub struct Entry {
    /// The file that was verified, whatever its name means by now.
    pub file: File,
    pub artefact: Vec<u8>,
}

impl Entry {
    /// The entry of `key` at `path`, if there is one.
    pub fn open(path: &Path, key: &Key) -> Result<Option<Self>, Unfit> {
        // Follows no link, and does not wait for the other end of a pipe.
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
        // Fails in a read-only directory, which evicts nothing.
        let _ = file.set_modified(now);
    }
}
