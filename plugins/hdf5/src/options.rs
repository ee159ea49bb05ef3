// SPDX-License-Identifier: Apache-2.0
//! What a task says under `source:` and `sink:`; checked before any file is touched.

use milvusdm_plugin_api::model::BitOrder;
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::h5::Compression;
use crate::h5::Limits;
use crate::metric;

/// One text, or several.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several, in order.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them, in order.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// How bytes in `uint8` vectors are to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Binary {
    /// As root attributes (`bit_order`, `dim`, `metric`) say; without them, bits in a dataset
    /// called `embeddings`, numbers in any other.
    #[default]
    Auto,
    /// As 8 bits each.
    Yes,
    /// As numbers from 0 to 255.
    No,
}

/// What to do with vectors of 64-bit integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WideInts {
    /// Refuse them.
    #[default]
    Refuse,
    /// Carry them as 64-bit floats; a value beyond 2^53 in size stops the run.
    F64,
}

/// What to do with rows that were allocated but never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unwritten {
    /// Refuse the file.
    #[default]
    Refuse,
    /// Read the file's fill value.
    Fill,
}

/// Options of the HDF5 source.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceOptions {
    /// A file, a folder, a glob pattern, or a list of these: `data/*.h5`.
    #[schemars(extend("x-positional" = true))]
    pub path: OneOrMany,
    /// Dataset with the vectors: `/train`. Default: `embeddings`, else `train`.
    #[serde(default)]
    pub vectors: Option<String>,
    /// Dataset with the ids: `/my/ids`; `none` reads no ids. Default: `ids` beside the vectors,
    /// if there is one.
    #[serde(default)]
    pub ids: Option<String>,
    /// Further columns: `auto` (all 1-D datasets beside the vectors), `none`, or a list of
    /// datasets: `[price, title]`.
    #[serde(default = "auto")]
    pub columns: OneOrMany,
    /// Whether `uint8` vectors are bits: `auto`, `yes` or `no`.
    #[serde(default)]
    pub binary: Binary,
    /// Order of bits in binary vectors, where the file does not say: `msb` or `lsb`.
    #[serde(default)]
    pub bit_order: Option<BitOrder>,
    /// The metric, where the file does not say: `l2`.
    #[serde(default)]
    pub metric: Option<String>,
    /// Vectors of 64-bit integers: `refuse`, or carry them as `f64`.
    #[serde(default)]
    pub wide_ints: WideInts,
    /// Rows that were allocated but never written: `refuse`, or `fill`.
    #[serde(default)]
    pub unwritten: Unwritten,
    /// Largest row of compressed chunks to decode at once, in MiB. Decoding takes up to four
    /// times that, which has to fit into the task's `memory`.
    #[serde(default = "default_max_chunk_mib")]
    pub max_chunk_mib: u32,
}

fn auto() -> OneOrMany {
    OneOrMany::One("auto".to_owned())
}

const fn default_max_chunk_mib() -> u32 {
    32
}

/// Which further columns are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Columns {
    /// Every 1-D dataset beside the vectors.
    Auto,
    /// None.
    None,
    /// These.
    Named(Vec<String>),
}

impl SourceOptions {
    /// Only a path, everything else as by default.
    pub fn at(path: &str) -> Self {
        Self {
            path: OneOrMany::One(path.to_owned()),
            vectors: None,
            ids: None,
            columns: auto(),
            binary: Binary::Auto,
            bit_order: None,
            metric: None,
            wide_ints: WideInts::Refuse,
            unwritten: Unwritten::Refuse,
            max_chunk_mib: default_max_chunk_mib(),
        }
    }

    /// Refuses what does not fit together.
    ///
    /// # Errors
    /// `Config`, naming the option.
    pub fn check(&self) -> Result<()> {
        if self.path.as_slice().is_empty() || self.path.as_slice().iter().any(String::is_empty) {
            return Err(config(
                "path",
                "option `path` is empty, wanted a file, folder or pattern",
            ));
        }
        if self.bit_order == Some(BitOrder::Unknown) {
            return Err(config(
                "bit_order",
                "option `bit_order` is `unknown`, wanted `msb` or `lsb`",
            ));
        }
        if let Some(name) = &self.metric
            && metric::canonical(name).starts_with("native:")
        {
            return Err(config(
                "metric",
                format!("option `metric` is `{name}`, which is no known metric"),
            )
            .help("wanted for example `l2`, `ip`, `cosine`, `hamming` or `jaccard`"));
        }
        if !(1..=4096).contains(&self.max_chunk_mib) {
            return Err(config(
                "max_chunk_mib",
                format!(
                    "option `max_chunk_mib` is {}, wanted 1 to 4096",
                    self.max_chunk_mib
                ),
            ));
        }
        Ok(())
    }

    /// Which further columns are read.
    pub fn columns(&self) -> Columns {
        match &self.columns {
            OneOrMany::One(word) if word == "auto" => Columns::Auto,
            OneOrMany::One(word) if word == "none" => Columns::None,
            named => Columns::Named(named.as_slice().to_vec()),
        }
    }

    /// What a dataset may ask of us.
    pub fn limits(&self) -> Limits {
        Limits {
            chunk_bytes: u64::from(self.max_chunk_mib) << 20,
            allow_unwritten: self.unwritten == Unwritten::Fill,
            is_known: false,
        }
    }
}

/// Options of the HDF5 sink.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SinkOptions {
    /// One file (`out.h5`, `out.hdf5`) for one dataset, or a folder: `out/` gets
    /// `<collection>/<partition>.h5`.
    #[schemars(extend("x-positional" = true))]
    pub path: String,
    /// `none`, `gzip`, `gzip:1` to `gzip:9`, or `lzf`.
    #[serde(default = "default_compression")]
    pub compression: String,
    /// Whether bytes are shuffled before compression, which often helps with floats.
    #[serde(default)]
    pub shuffle: bool,
    /// Rows of a chunk; asks for chunked storage also without compression. Default: about 1 MiB.
    #[serde(default)]
    pub chunk_rows: Option<u64>,
    /// Name of the dataset with the vectors.
    #[serde(default = "default_vectors")]
    pub vectors: String,
    /// Name of the dataset with the ids.
    #[serde(default = "default_ids")]
    pub ids: String,
}

fn default_compression() -> String {
    "none".to_owned()
}

fn default_vectors() -> String {
    crate::VECTORS.to_owned()
}

fn default_ids() -> String {
    crate::IDS.to_owned()
}

impl SinkOptions {
    /// Only a path, everything else as by default.
    pub fn at(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            compression: default_compression(),
            shuffle: false,
            chunk_rows: None,
            vectors: default_vectors(),
            ids: default_ids(),
        }
    }

    /// Reads `compression`.
    ///
    /// # Errors
    /// `Config` for any other word.
    pub fn compression(&self) -> Result<Compression> {
        match self.compression.as_str() {
            "none" => Ok(Compression::None),
            "gzip" => Ok(Compression::Gzip(4)),
            "lzf" => Ok(Compression::Lzf),
            other => match other
                .strip_prefix("gzip:")
                .and_then(|level| level.parse().ok())
            {
                Some(level @ 1..=9) => Ok(Compression::Gzip(level)),
                _ => Err(
                    config("compression", format!("option `compression` is `{other}`"))
                        .help("wanted `none`, `gzip`, `gzip:1` to `gzip:9`, or `lzf`"),
                ),
            },
        }
    }

    /// Refuses what does not fit together.
    ///
    /// # Errors
    /// `Config`, naming the option.
    pub fn check(&self) -> Result<()> {
        if self.path.is_empty() {
            return Err(config(
                "path",
                "option `path` is empty, wanted a file or folder",
            ));
        }
        if self.compression()? == Compression::None && self.shuffle {
            return Err(config("shuffle", "option `shuffle` needs `compression`"));
        }
        if self.chunk_rows == Some(0) {
            return Err(config(
                "chunk_rows",
                "option `chunk_rows` is 0, wanted at least 1",
            ));
        }
        for (option, name) in [("vectors", &self.vectors), ("ids", &self.ids)] {
            if !crate::names::is_dataset_name(name) {
                return Err(config(
                    option,
                    format!("option `{option}` is `{name}`, which can't be a dataset's name"),
                )
                .help("wanted a name without `/`, other than `.`"));
            }
        }
        if self.vectors == self.ids {
            return Err(config(
                "ids",
                format!("options `vectors` and `ids` are both `{}`", self.ids),
            ));
        }
        Ok(())
    }
}

/// An error of an option; the host shows its line.
fn config(option: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message).with("option", option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_words_are_read() {
        let read = |word: &str| {
            SinkOptions {
                compression: word.to_owned(),
                ..SinkOptions::at("a")
            }
            .compression()
        };
        assert_eq!(read("none").unwrap(), Compression::None);
        assert_eq!(read("gzip").unwrap(), Compression::Gzip(4));
        assert_eq!(read("gzip:9").unwrap(), Compression::Gzip(9));
        assert_eq!(read("lzf").unwrap(), Compression::Lzf);
        for bad in ["gzip:0", "gzip:10", "gzip:", "zstd", ""] {
            assert!(
                read(bad).unwrap_err().to_string().contains("compression"),
                "{bad}"
            );
        }
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        let sink = |change: &dyn Fn(&mut SinkOptions)| {
            let mut options = SinkOptions::at("a");
            change(&mut options);
            options.check().unwrap_err()
        };
        let source = |change: &dyn Fn(&mut SourceOptions)| {
            let mut options = SourceOptions::at("a");
            change(&mut options);
            options.check().unwrap_err()
        };
        for (error, option, why) in [
            (sink(&|o| o.path.clear()), "path", "empty"),
            (sink(&|o| o.shuffle = true), "shuffle", "`compression`"),
            (sink(&|o| o.chunk_rows = Some(0)), "chunk_rows", "0"),
            (
                sink(&|o| o.compression = "zip".into()),
                "compression",
                "zip",
            ),
            (sink(&|o| o.ids = "a/b".into()), "ids", "a/b"),
            (sink(&|o| o.vectors = ".".into()), "vectors", "name"),
            (sink(&|o| o.ids = "embeddings".into()), "ids", "both"),
            (
                source(&|o| o.path = OneOrMany::Many(Vec::new())),
                "path",
                "empty",
            ),
            (
                source(&|o| o.metric = Some("tall".into())),
                "metric",
                "tall",
            ),
            (
                source(&|o| o.bit_order = Some(BitOrder::Unknown)),
                "bit_order",
                "`lsb`",
            ),
            (source(&|o| o.max_chunk_mib = 0), "max_chunk_mib", "4096"),
        ] {
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(error.context_value("option"), Some(option), "{error}");
            assert_eq!(error.kind(), ErrorKind::Config);
        }
        SourceOptions {
            metric: Some("L2".to_owned()),
            ..SourceOptions::at("a")
        }
        .check()
        .unwrap();
    }

    #[test]
    fn a_misspelt_option_is_refused() {
        let error =
            serde_json::from_str::<SourceOptions>(r#"{"path":"a","vektors":"/x"}"#).unwrap_err();
        assert!(error.to_string().contains("vektors"));
    }
}
