// SPDX-License-Identifier: Apache-2.0
//! The ids of the rows that were written, one a line, in a file for each source file: what
//! MilvusDM 1.0 left behind, and the only record of ids that the server made.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::model::Descriptor;
use milvusdm_plugin_api::{Error, Result, TargetSpec};

/// Bytes of a name that a file is called after; what is added fits into 255.
const MAX_NAME: usize = 160;

/// The files of one target.
#[derive(Debug)]
pub struct IdFiles {
    parts: Vec<Part>,
}

/// What comes from one dataset of the source.
#[derive(Debug)]
struct Part {
    /// Splits of the target's plan up to its end.
    splits_end: u64,
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl IdFiles {
    /// The files for a target, in a folder.
    pub fn new(folder: &Path, spec: &TargetSpec, run: &str) -> Self {
        let mut splits_end = 0u64;
        let parts = spec.parts.iter().map(|part| {
            splits_end = splits_end.saturating_add(part.splits);
            let name = format!("{}_{run}.txt", file_name(&stem(&part.descriptor)));
            Part {
                splits_end,
                path: folder.join(name),
                file: None,
            }
        });
        Self {
            parts: parts.collect(),
        }
    }

    /// Adds ids of rows of a split.
    ///
    /// # Errors
    /// `Io`, `Denied`.
    pub fn add(&mut self, split: u64, ids: &[i64]) -> Result<()> {
        let current = self.parts.iter().position(|part| split < part.splits_end);
        for (number, part) in self.parts.iter_mut().enumerate() {
            match current {
                Some(current) if number == current => {
                    part.add(ids).map_err(|e| part.failed(&e))?;
                }
                // Rows come in order, and two parts may share a file.
                Some(current) if number < current => part.close()?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes the files durable.
    ///
    /// # Errors
    /// `Io`.
    pub fn finish(&mut self) -> Result<()> {
        self.parts.iter_mut().try_for_each(Part::close)
    }
}

impl Part {
    fn close(&mut self) -> Result<()> {
        let Some(mut file) = self.file.take() else {
            return Ok(());
        };
        let written = file.flush().and_then(|()| file.get_ref().sync_all());
        written.map_err(|e| self.failed(&e))
    }

    fn add(&mut self, ids: &[i64]) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                if let Some(folder) = self.path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                let file = File::options().create(true).append(true).open(&self.path)?;
                none.insert(BufWriter::new(file))
            }
        };
        for id in ids {
            writeln!(file, "{id}")?;
        }
        // A process that is killed leaves the ids of every row that it acknowledged.
        file.flush()
    }

    fn failed(&self, e: &std::io::Error) -> Error {
        Error::io("write the ids", e).with("file", self.path.display())
    }
}

/// The stem of the file that a dataset comes from; else its name.
fn stem(descriptor: &Descriptor) -> String {
    let properties = descriptor.properties.get(&descriptor.system);
    let file = properties
        .and_then(|properties| properties.get("files")?.get(0)?.as_str())
        .map(Path::new);
    let stem = file.and_then(Path::file_stem);
    stem.map_or_else(
        || descriptor.full_name(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

/// A name that a file can have.
pub fn file_name(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | ' ');
    let name: String = name
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    match name.trim_start_matches('.') {
        "" => "unnamed".to_owned(),
        name => {
            let cut = name.floor_char_boundary(MAX_NAME);
            name.get(..cut).unwrap_or_default().to_owned()
        }
    }
}
