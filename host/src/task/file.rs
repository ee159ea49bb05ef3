// SPDX-License-Identifier: Apache-2.0
//! Gets the text of a task file, and nothing that is not one: no directory, no device, nothing
//! without an end.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::origin;
use super::place::Place;
use super::render::{shorten, visible};

/// Largest task file; it could name some ten thousand collections.
const MAX_BYTES: usize = 1 << 20;

/// How the file is called in messages; nothing in it steers a terminal.
pub(super) fn shown_name(path: &Path) -> String {
    path.display().to_string().chars().map(visible).collect()
}

/// The text of the file at `path`, without a byte-order mark.
pub(super) fn read(path: &Path) -> Result<String> {
    let name = shown_name(path);
    let failed = |cause: &std::io::Error| {
        let error = Error::io(
            format!("can't read the task file `{}`", shorten(&name)),
            cause,
        );
        match error.kind() {
            ErrorKind::NotFound => {
                error.help("check the path; a relative one starts at the working directory")
            }
            ErrorKind::Denied => error.help("make it readable for this user"),
            _ => error,
        }
        .with("file", &name)
    };
    // Opening some devices does something: what it is comes first. The second look is at what
    // was opened, should the name have changed hands between the two.
    check_type(&std::fs::metadata(path).map_err(|e| failed(&e))?, &name)?;
    let file = File::open(path).map_err(|e| failed(&e))?;
    check_type(&file.metadata().map_err(|e| failed(&e))?, &name)?;
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|e| failed(&e))?;
    text(bytes, &name)
}

fn check_type(metadata: &Metadata, name: &str) -> Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() || kind.is_fifo() {
        return Ok(());
    }
    let found = if kind.is_dir() {
        "a directory"
    } else {
        "a device or socket"
    };
    let message = format!("`{}` is {found}, wanted a task file in YAML", shorten(name));
    Err(Error::new(ErrorKind::Config, message).with("file", name))
}

fn text(bytes: Vec<u8>, name: &str) -> Result<String> {
    if bytes.len() > MAX_BYTES {
        let message = format!(
            "this is over {} MiB, too large for a task file",
            MAX_BYTES >> 20
        );
        return Err(Error::new(ErrorKind::Config, message)
            .with("file", name)
            .help("is this the data, instead of the task?"));
    }
    let is_utf_16 = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let byte = bytes.get(good).copied().unwrap_or_default();
        let before = String::from_utf8_lossy(bytes.get(..good).unwrap_or_default());
        let lossy = String::from_utf8_lossy(bytes);
        let help = if is_utf_16 {
            "this looks like UTF-16; save it as UTF-8"
        } else {
            "if this is a task file, save it as UTF-8"
        };
        let message = format!("found byte 0x{byte:02X}, wanted UTF-8 text");
        let error = Error::new(ErrorKind::Config, message).help(help);
        origin::located(error, name, &lossy, Place::after(&before), None)
    })?;
    Ok(match text.strip_prefix('\u{FEFF}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> Error {
        read(path).expect_err("the file is refused")
    }

    #[test]
    fn what_is_no_file_is_refused_by_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let error = refused(folder.path());
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error
                .message()
                .contains("is a directory, wanted a task file"),
            "{error}"
        );
        assert!(
            refused(Path::new("/dev/zero"))
                .message()
                .contains("is a device or socket")
        );
        let missing = refused(&folder.path().join("gone.yaml"));
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(missing.to_string().contains("gone.yaml"), "{missing}");
    }

    #[test]
    fn a_pipe_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo is part of every Unix").success());
        let writer = std::thread::spawn({
            let path = path.clone();
            move || std::fs::write(path, "a: 1\n")
        });
        assert_eq!(read(&path).unwrap(), "a: 1\n");
        writer.join().unwrap().unwrap();
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_shown_where_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.yaml");
        std::fs::write(&path, b"a: 1\r\nb: \xC3\xA9\xFFx\n").unwrap();
        let error = refused(&path);
        assert!(
            error.context_value("at").unwrap().ends_with("t.yaml:2:5"),
            "{error}"
        );
        assert!(error.message().contains("0xFF"), "{error}");
        std::fs::write(&path, b"\xFF\xFEa\0").unwrap();
        assert!(refused(&path).help_text().unwrap().contains("UTF-16"));
    }

    #[test]
    fn a_byte_order_mark_is_dropped_and_a_huge_file_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.yaml");
        std::fs::write(&path, "\u{FEFF}a: 1\n").unwrap();
        assert_eq!(read(&path).unwrap(), "a: 1\n");
        std::fs::write(&path, vec![b'#'; MAX_BYTES + 1]).unwrap();
        assert!(refused(&path).message().contains("over 1 MiB"));
    }
}
