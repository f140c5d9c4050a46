//! A disk that can be filled up.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::daemon::temporary_folder;
use crate::skipped;

/// A file system in memory.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None`, and a note that the test is skipped, if it cannot be mounted.
    pub fn mount(size: &str) -> Option<Self> {
        let folder = temporary_folder();
        let options = format!("size={size},mode=0755");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            skipped("nothing can be mounted here: it takes root");
            return None;
        }
        Some(Self(folder))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn fill(&self) {
        let mut file = File::create(self.path().join("full")).unwrap();
        for size in [4096, 1] {
            loop {
                match file.write(&[0; 4096][..size]) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    pub fn make_room(&self) {
        fs::remove_file(self.path().join("full")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}
