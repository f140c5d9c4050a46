//! A file of lines that is rotated when it is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes that are read at a time to find the end of the last whole line.
const BLOCK: u64 = 4096;

/// `FILE` and the files before it: `FILE.1` is the last, `FILE.2` the one before.
pub struct RotatedFile {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    size: u64,
    size_max: u64,
    keep: usize,
}

impl RotatedFile {
    /// Continues the file. A partial line that a crash left at its end is cut off.
    pub fn open(path: &Path, size_max: u64, keep: usize) -> io::Result<Self> {
        let file = open(path)?;
        let size = whole_lines(&file)?;
        file.set_len(size)?;
        Ok(Self { path: path.into(), file, size, size_max, keep })
    }

    /// Writes as many lines as possible. Returns how many, and why not all.
    pub fn write(&mut self, lines: &[Vec<u8>]) -> (usize, io::Result<()>) {
        let mut done = 0;
        while done < lines.len() {
            if self.size > 0
                && self.size + lines[done].len() as u64 > self.size_max
                && let Err(error) = self.rotate()
            {
                return (done, Err(error));
            }
            // As many as fit, and at least one.
            let mut batch = Vec::new();
            let mut count = 0;
            for line in &lines[done..] {
                if count > 0 && self.size + (batch.len() + line.len()) as u64 > self.size_max {
                    break;
                }
                batch.extend_from_slice(line);
                count += 1;
            }
            if let Err(error) = self.file.write_all(&batch) {
                // A partial line would spoil the next.
                let _ = self.file.set_len(self.size);
                return (done, Err(error));
            }
            self.size += batch.len() as u64;
            done += count;
        }
        (done, Ok(()))
    }

    fn rotate(&mut self) -> io::Result<()> {
        if self.keep == 0 {
            self.file.set_len(0)?;
            self.size = 0;
            return Ok(());
        }
        for number in (1..self.keep).rev() {
            rename(&self.numbered(number), &self.numbered(number + 1))?;
        }
        rename(&self.path, &self.numbered(1))?;
        self.file = open(&self.path)?;
        self.size = 0;
        Ok(())
    }

    fn numbered(&self, number: usize) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        name.into()
    }
}

/// Readable by the owner alone: joules of single calls are a side channel.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

fn whole_lines(file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0; BLOCK as usize];
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let block = &mut block[..(end - start) as usize];
        file.read_exact_at(block, start)?;
        if let Some(place) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<Vec<u8>> {
        lines.iter().map(|line| format!("{line}\n").into_bytes()).collect()
    }

    #[test]
    fn a_file_is_rotated_at_exactly_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.ndjson");
        let text = |suffix: &str| fs::read_to_string(format!("{}{suffix}", path.display())).unwrap_or_default();
        // Two lines of five bytes fit.
        let mut file = RotatedFile::open(&path, 10, 2).unwrap();
        assert!(matches!(file.write(&lines(&["1111", "2222"])), (2, Ok(()))));
        assert_eq!((text(""), text(".1")), ("1111\n2222\n".into(), String::new()));
        assert!(matches!(file.write(&lines(&["3", "4444", "55", "longer than a file"])), (4, Ok(()))));
        assert_eq!(
            (text(""), text(".1"), text(".2")),
            ("longer than a file\n".into(), "3\n4444\n55\n".into(), "1111\n2222\n".into())
        );
        // A restarted daemon continues the file, and no more files are kept than configured.
        let mut file = RotatedFile::open(&path, 10, 2).unwrap();
        assert!(matches!(file.write(&lines(&["6"])), (1, Ok(()))));
        assert_eq!(
            (text(""), text(".1"), text(".2")),
            ("6\n".into(), "longer than a file\n".into(), "3\n4444\n55\n".into())
        );
        assert!(!path.with_extension("ndjson.3").exists());
    }

    #[test]
    fn keeping_no_files_truncates_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = RotatedFile::open(&path, 4, 0).unwrap();
        assert!(matches!(file.write(&lines(&["1", "2", "3"])), (3, Ok(()))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "3\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_partial_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for (left, kept) in [
            ("whole\nhal".to_owned(), "whole\n".to_owned()),
            ("half".into(), String::new()),
            (format!("{}\n{}", "a".repeat(5000), "b".repeat(9000)), format!("{}\n", "a".repeat(5000))),
            (String::new(), String::new()),
            ("whole\n".into(), "whole\n".into()),
        ] {
            fs::write(&path, &left).unwrap();
            let mut file = RotatedFile::open(&path, 1 << 20, 1).unwrap();
            assert!(matches!(file.write(&lines(&["next"])), (1, Ok(()))));
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{kept}next\n"));
        }
    }
}
