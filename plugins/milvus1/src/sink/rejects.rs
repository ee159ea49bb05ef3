// SPDX-License-Identifier: Apache-2.0
//! Keeps the rows that the server refused, so that they are not lost with the run.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::server::insert::{Element, Rows};

/// The file of a target's refused rows; made with the first of them.
#[derive(Debug)]
pub struct Rejects {
    /// `None` where no folder is known.
    path: Option<PathBuf>,
    target: String,
    file: Option<BufWriter<File>>,
}

impl Rejects {
    /// A file in a folder, named after target and run.
    pub fn new(folder: Option<PathBuf>, target: &str, run: &str) -> Self {
        let name = format!("{}_{run}.jsonl", super::ids::file_name(target));
        Self {
            path: folder.map(|folder| folder.join(name)),
            target: target.to_owned(),
            file: None,
        }
    }

    /// Where the rows are, once there are some.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().and(self.path.as_deref())
    }

    /// Keeps rows.
    ///
    /// # Errors
    /// `Io`, `Denied`: a row that could not be kept would be lost.
    pub fn keep(&mut self, rows: &Rows, refused: &[(usize, String)]) -> Result<()> {
        if refused.is_empty() {
            return Ok(());
        }
        let help = "name a folder for them with `rejects` under `sink`";
        let Some(path) = self.path.clone() else {
            let message = "rows are refused, and there is no folder to keep them in: neither MILVUSDM_PATH nor HOME is set";
            return Err(Error::new(ErrorKind::Config, message)
                .with("option", "rejects")
                .help(help));
        };
        self.write(&path, rows, refused).map_err(|e| {
            Error::io("keep the rows that were refused", &e)
                .with("file", path.display())
                .help(help)
        })
    }

    fn write(
        &mut self,
        path: &Path,
        rows: &Rows,
        refused: &[(usize, String)],
    ) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                let file = OpenOptions::new().create(true).append(true).open(path)?;
                none.insert(BufWriter::new(file))
            }
        };
        for (row, reason) in refused {
            let id = rows.ids.as_ref().and_then(|ids| ids.get(*row));
            let line = json!({
                "target": self.target,
                "id": id,
                "reason": reason,
                "vector": vector(rows, *row),
            });
            writeln!(file, "{line}")?;
        }
        file.flush()
    }
}

/// Floats as numbers, or as text where JSON has no number for them; bits in hexadecimal.
fn vector(rows: &Rows, row: usize) -> Value {
    let bytes = rows.vector(row);
    match rows.element {
        Element::Binary => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Element::Float => bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| {
                let value = f32::from_le_bytes(*bytes);
                match value.is_finite() {
                    true => json!(value),
                    false => json!(value.to_string()),
                }
            })
            .collect(),
    }
}
