// SPDX-License-Identifier: Apache-2.0
//! A source of vectors in text, a line each: `7;0.25;-1.5;3` is the vector of id 7.
//!
//! Rows are counted by line ends, apart from the code that reads numbers, so that the host can
//! tell if that one loses any.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use milvusdm_plugin_api::arrow::array::{
    FixedSizeListArray, Float32Array, Int64Array, RecordBatch,
};
use milvusdm_plugin_api::arrow::schema::{DataType, SchemaRef};
use milvusdm_plugin_api::model::{Descriptor, Elem, IdInfo, IdPolicy, SchemaBuilder, VectorType};
use milvusdm_plugin_api::{
    BatchReader, Dataset, Error, ErrorKind, ReadRequest, Result, Services, Source, Split,
};

/// The plugin's name in task files.
pub const ACME: &str = "acme";

/// No line is longer; a file without line ends is none of ours.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// What a task says under `source:`.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinesOptions {
    /// The file: `vectors.txt`.
    #[schemars(extend("x-positional" = true))]
    path: PathBuf,
    /// The character between the numbers of a line: `;`.
    #[serde(default = "default_separator")]
    separator: char,
}

fn default_separator() -> char {
    ','
}

/// A file of vectors in text.
#[derive(Debug)]
pub struct LinesSource {
    options: LinesOptions,
    dim: u32,
    schema: SchemaRef,
    services: Services,
}

impl LinesSource {
    fn bytes_per_row(&self) -> u64 {
        8 + 4 * u64::from(self.dim)
    }

    /// Changes when the file does.
    fn fingerprint(&self) -> Result<String> {
        let path = &self.options.path;
        let metadata = path.metadata().map_err(|e| io("look at", path, &e))?;
        let changed = metadata.modified().map_err(|e| io("look at", path, &e))?;
        let age = changed.duration_since(SystemTime::UNIX_EPOCH);
        let changed = age.map_or(0, |age| age.as_nanos());
        Ok(format!("{} bytes, changed {changed}", metadata.len()))
    }

    /// Lines of the file; the last one may lack its end.
    fn count(&self) -> Result<u64> {
        let path = &self.options.path;
        let mut file = open(path)?;
        let (mut lines, mut last) = (0, b'\n');
        loop {
            self.services.check_cancelled()?;
            let block = file.fill_buf().map_err(|e| io("read", path, &e))?;
            let Some(end) = block.last() else { break };
            lines += block.iter().filter(|byte| **byte == b'\n').count() as u64;
            last = *end;
            let used = block.len();
            file.consume(used);
        }
        Ok(lines + u64::from(last != b'\n'))
    }

    fn known(&self, key: &str) -> Result<()> {
        if key == ACME {
            return Ok(());
        }
        let message = format!("there is no dataset `{key}`, only `{ACME}`");
        Err(Error::new(ErrorKind::NotFound, message))
    }
}

impl Source for LinesSource {
    type Options = LinesOptions;

    fn open(options: LinesOptions, services: Services) -> Result<Self> {
        let mut lines = Lines::open(&options)?;
        let dim = match lines.next()? {
            Some(line) => line.split(options.separator).count().saturating_sub(1),
            None => return Err(lines.wrong("found nothing, wanted a line of numbers".into())),
        };
        let dim = u32::try_from(dim).unwrap_or(u32::MAX);
        if dim == 0 {
            let message = format!(
                "found no `{}`, wanted it between numbers",
                options.separator
            );
            return Err(lines
                .wrong(message)
                .with("option", "separator")
                .help("name the right one with `separator`"));
        }
        let schema = SchemaBuilder::new()
            .id("id", DataType::Int64)
            .vector("vector", &VectorType::dense(Elem::F32, dim))?
            .finish()?;
        Ok(Self {
            options,
            dim,
            schema,
            services,
        })
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        let stem = self.options.path.file_stem().unwrap_or_default();
        let descriptor = Descriptor {
            system: ACME.to_owned(),
            collection: stem.to_string_lossy().into_owned(),
            id: IdInfo {
                policy: IdPolicy::Given,
                ..IdInfo::default()
            },
            fingerprint: Some(self.fingerprint()?),
            ..Descriptor::default()
        };
        let (key, schema) = (ACME.to_owned(), self.schema.clone());
        Ok(vec![Dataset {
            key,
            schema,
            descriptor,
        }])
    }

    fn splits(&self, key: &str) -> Result<Vec<Split>> {
        self.known(key)?;
        let found = self.count()?;
        Ok(vec![Split {
            id: "all".to_owned(),
            found: Some(found),
            live: Some(found),
            bytes: found.saturating_mul(self.bytes_per_row()),
            held_bytes: MAX_LINE_BYTES,
            fingerprint: self.fingerprint()?,
            ..Split::default()
        }])
    }

    fn read(
        &self,
        key: &str,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<Box<dyn BatchReader>> {
        self.known(key)?;
        if split.id != "all" {
            let message = format!("`{key}` has no split `{}`", split.id);
            return Err(Error::new(ErrorKind::Config, message));
        }
        let mut lines = Lines::open(&self.options)?;
        for _ in 0..request.first_row {
            if lines.next()?.is_none() {
                break;
            }
        }
        Ok(Box::new(LinesReader {
            lines,
            separator: self.options.separator,
            dim: self.dim as usize,
            batch_rows: request.rows_per_batch(self.bytes_per_row()),
            schema: self.schema.clone(),
            services: self.services.clone(),
        }))
    }
}

/// A reader of the file.
struct LinesReader {
    lines: Lines,
    separator: char,
    dim: usize,
    batch_rows: u64,
    schema: SchemaRef,
    services: Services,
}

impl LinesReader {
    /// Takes one line into the columns; false at the end.
    fn row(&mut self, ids: &mut Vec<i64>, values: &mut Vec<f32>) -> Result<bool> {
        let Some(line) = self.lines.next()? else {
            return Ok(false);
        };
        let mut words = line.split(self.separator).map(str::trim);
        let id = words.next().unwrap_or_default();
        let before = values.len();
        let mut wrong = id
            .parse()
            .map(|id| ids.push(id))
            .err()
            .map(|_| format!("found `{id}`, wanted a whole number as the id"));
        for word in words {
            match word.parse() {
                Ok(value) => values.push(value),
                Err(_) => wrong = wrong.or(Some(format!("found `{word}`, wanted a number"))),
            }
        }
        let found = values.len() - before;
        if wrong.is_none() && found != self.dim {
            wrong = Some(format!(
                "found {found} numbers after the id, wanted {}",
                self.dim
            ));
        }
        match wrong {
            Some(message) => Err(self.lines.wrong(message)),
            None => Ok(true),
        }
    }
}

impl BatchReader for LinesReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.services.check_cancelled()?;
        let (mut ids, mut values) = (Vec::new(), Vec::new());
        while (ids.len() as u64) < self.batch_rows && self.row(&mut ids, &mut values)? {}
        if ids.is_empty() {
            return Ok(None);
        }
        let broken = |e| Error::new(ErrorKind::Internal, "make a batch of lines").caused_by(e);
        let DataType::FixedSizeList(item, dim) = self.schema.field(1).data_type() else {
            return Err(Error::new(
                ErrorKind::Internal,
                "the second column is no vector",
            ));
        };
        let values = Arc::new(Float32Array::from(values));
        let vectors =
            FixedSizeListArray::try_new(item.clone(), *dim, values, None).map_err(broken)?;
        let columns = vec![Arc::new(Int64Array::from(ids)) as _, Arc::new(vectors) as _];
        RecordBatch::try_new(self.schema.clone(), columns)
            .map(Some)
            .map_err(broken)
    }
}

/// The lines of a file, counted.
struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    number: u64,
    line: Vec<u8>,
}

impl Lines {
    fn open(options: &LinesOptions) -> Result<Self> {
        let path = options.path.clone();
        let file = open(&path)?;
        Ok(Self {
            path,
            file,
            number: 0,
            line: Vec::new(),
        })
    }

    /// The next line without its end; `None` after the last.
    fn next(&mut self) -> Result<Option<&str>> {
        self.line.clear();
        self.number += 1;
        let mut bounded = (&mut self.file).take(MAX_LINE_BYTES);
        let length = bounded.read_until(b'\n', &mut self.line);
        let length = length.map_err(|e| io("read", &self.path, &e))?;
        let is_cut = length as u64 == MAX_LINE_BYTES && !self.line.ends_with(b"\n");
        if is_cut || std::str::from_utf8(&self.line).is_err() {
            let what = if is_cut {
                "a line of over 1 MiB"
            } else {
                "bytes that are no UTF-8"
            };
            return Err(self.wrong(format!("found {what}, wanted a line of numbers")));
        }
        let line = std::str::from_utf8(&self.line).unwrap_or_default();
        Ok((length > 0).then(|| line.trim_end_matches(['\n', '\r'])))
    }

    /// What is wrong with the line that was read last.
    fn wrong(&self, message: String) -> Error {
        Error::new(ErrorKind::Format, message)
            .with("file", self.path.display())
            .with("line", self.number)
    }
}

fn open(path: &Path) -> Result<BufReader<File>> {
    let file = File::open(path).map_err(|e| io("open", path, &e))?;
    Ok(BufReader::with_capacity(1 << 16, file))
}

fn io(doing: &str, path: &Path, cause: &std::io::Error) -> Error {
    Error::io(format!("{doing} the file of vectors"), cause).with("file", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use milvusdm_plugin_api::testkit;
    use serde_json::json;

    fn suite(content: &str) -> (tempfile::TempDir, serde_json::Value) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vectors.txt");
        std::fs::write(&path, content).unwrap();
        let options = json!({"path": path, "separator": ";"});
        (folder, options)
    }

    #[test]
    fn it_passes_the_suite_of_every_plugin() {
        let content: String = (0..100)
            .map(|i| format!("{i};{i}.5;-1e-3; 7\r\n"))
            .collect();
        for content in [content.as_str(), "7;1\n8;2", "7;1"] {
            let (_folder, options) = suite(content);
            testkit::source(crate::PLUGIN_TABLE.handle(), options)
                .rows(content.lines().count() as u64)
                .run()
                .assert_passed();
        }
    }

    #[test]
    fn a_line_that_does_not_fit_is_named() {
        let cases = [
            ("1;2\n\n", "line: 2"),
            ("1;2\nx;3\n", "found `x`, wanted a whole number"),
            ("1;2\n2;y\n", "found `y`, wanted a number"),
            ("1;2\n2;3;4\n", "found 2 numbers after the id, wanted 1"),
        ];
        for (content, wanted) in cases {
            let (_folder, options) = suite(content);
            let plugin = crate::PLUGIN_TABLE.handle();
            let source = plugin.open_source(&options, Services::detached()).unwrap();
            let dataset = source.datasets().unwrap().remove(0);
            let split = source.splits(&dataset.key).unwrap().remove(0);
            let request = ReadRequest {
                first_row: 0,
                max_batch_bytes: 1 << 20,
                max_batch_rows: None,
            };
            let mut reader = source.read(&dataset, &split, &request).unwrap();
            let error = reader.next().unwrap_err();
            assert!(error.to_string().contains(wanted), "{content:?}: {error}");
        }
        for content in ["", "7\n", "7,1\n"] {
            let (_folder, options) = suite(content);
            let plugin = crate::PLUGIN_TABLE.handle();
            assert!(plugin.open_source(&options, Services::detached()).is_err());
        }
    }
}
