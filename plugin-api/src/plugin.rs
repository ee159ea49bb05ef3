// SPDX-License-Identifier: Apache-2.0
//! What a plugin is called and offers, and the line that registers it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::abi::table::StaticTable;
use crate::abi::{PluginHandle, PluginTable, export};
use crate::model::Capabilities;
use crate::{
    BatchReader, Dataset, Error, ErrorKind, ReadRequest, Result, Services, Sink, Source, Split,
    TargetRequest, TargetState, TargetWriter,
};

/// A plugin's name and its two sides; implemented by [`export_plugin!`](crate::export_plugin!).
pub trait Plugin: 'static {
    /// The name in task files: lower-case letters, digits and `_`, a letter first.
    const NAME: &'static str;
    /// The plugin's own version.
    const VERSION: &'static str;
    /// One line for `plugins list`.
    const SUMMARY: &'static str;
    /// The page for `plugins show`, in Markdown.
    const DOCS: &'static str;
    /// The crate that it stands in; what that crate logs through `tracing` is the plugin's own.
    const CRATE: &'static str;
    /// What reads; [`NoSource`] if it only writes.
    type Source: Source;
    /// What writes; [`NoSink`] if it only reads.
    type Sink: Sink;
}

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginInfo {
    /// Name in task files.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// One line.
    #[serde(default)]
    pub summary: String,
    /// Its page, in Markdown.
    #[serde(default)]
    pub docs: String,
    /// JSON Schema of the options under `source:`; `None` if it does not read.
    #[serde(default)]
    pub source_options: Option<Value>,
    /// JSON Schema of the options under `sink:`; `None` if it does not write.
    #[serde(default)]
    pub sink_options: Option<Value>,
    /// What a panic in it does.
    #[serde(default)]
    pub panic: PanicStrategy,
}

/// What a panic in a plugin does. One that aborts the process is not loaded: it would take the
/// host along, in the middle of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PanicStrategy {
    /// It comes back as an error, or there are no panics in its language.
    #[default]
    Unwind,
    /// It ends the process.
    Abort,
}

impl PanicStrategy {
    /// How this crate was built, and with it the plugin that it is part of.
    pub const OF_THIS_BUILD: Self = match cfg!(panic = "abort") {
        true => Self::Abort,
        false => Self::Unwind,
    };
}

/// A table whose entries are this crate's own trampolines.
#[doc(hidden)]
#[derive(Debug)]
pub struct TrampolineTable(StaticTable);

impl TrampolineTable {
    /// Makes the table of a plugin; the sides that it does not have stay empty.
    pub const fn of<P: Plugin>(has_source: bool, has_sink: bool) -> Self {
        assert!(
            is_plugin_name(P::NAME),
            "a plugin's name is 1 to 64 lower-case letters, digits and `_`, a letter first"
        );
        let mut table = export::common::<P>();
        if has_source {
            table = export::with_source::<P::Source>(table);
        }
        if has_sink {
            table = export::with_sink::<P::Sink>(table);
        }
        Self(StaticTable::new(table))
    }

    /// The plugin of this table, for tests and for a host that lists its plugins by name.
    pub fn handle(&'static self) -> PluginHandle {
        PluginHandle::of(self.0.table())
    }

    /// What the doors hand out.
    pub(crate) const fn stands(&'static self) -> &'static StaticTable {
        &self.0
    }
}

/// What the file of a plugin says of it without being run.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct PluginIdentity {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The crate that it stands in.
    pub crate_name: &'static str,
}

impl PluginIdentity {
    /// That of a plugin.
    pub const fn of<P: Plugin>() -> Self {
        Self {
            name: P::NAME,
            version: P::VERSION,
            crate_name: P::CRATE,
        }
    }
}

/// Whether a plugin may be called that: 1 to 64 lower-case letters, digits and `_`, a letter first.
pub const fn is_plugin_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let fits = match bytes[i] {
            b'a'..=b'z' => true,
            b'0'..=b'9' | b'_' => i > 0,
            _ => false,
        };
        if !fits {
            return false;
        }
        i += 1;
    }
    0 < i && i <= 64
}

/// A linked-in plugin, as `inventory` collects it.
#[derive(Debug, Clone, Copy)]
pub struct Registration {
    table: &'static PluginTable,
}

impl Registration {
    /// Registers a table.
    #[doc(hidden)]
    pub const fn new(table: &'static TrampolineTable) -> Self {
        Self {
            table: table.0.table(),
        }
    }

    /// Every linked-in plugin's table, in no particular order.
    pub(crate) fn tables() -> impl Iterator<Item = &'static PluginTable> {
        inventory::iter::<Self>.into_iter().map(|r| r.table)
    }
}

/// Makes a plugin of a source, a sink or both, and registers it where it is linked in.
///
/// ```ignore
/// milvusdm_plugin_api::export_plugin! {
///     name: "faiss",
///     summary: "reads Faiss index files",
///     docs: include_str!("../docs.md"),
///     source: FaissSource,
/// }
/// ```
#[macro_export]
macro_rules! export_plugin {
    (name: $name:expr, summary: $summary:expr, docs: $docs:expr, source: $source:ty, sink: $sink:ty $(,)?) => {
        $crate::export_plugin!(@ $name, $summary, $docs, $source, $sink, true, true);
    };
    (name: $name:expr, summary: $summary:expr, docs: $docs:expr, source: $source:ty $(,)?) => {
        $crate::export_plugin!(@ $name, $summary, $docs, $source, $crate::NoSink, true, false);
    };
    (name: $name:expr, summary: $summary:expr, docs: $docs:expr, sink: $sink:ty $(,)?) => {
        $crate::export_plugin!(@ $name, $summary, $docs, $crate::NoSource, $sink, false, true);
    };
    (@ $name:expr, $summary:expr, $docs:expr, $source:ty, $sink:ty, $reads:literal, $writes:literal) => {
        /// The plugin as the boundary sees it.
        #[derive(Debug)]
        struct ThisPlugin;

        impl $crate::Plugin for ThisPlugin {
            const NAME: &'static str = $name;
            const VERSION: &'static str = env!("CARGO_PKG_VERSION");
            const SUMMARY: &'static str = $summary;
            const DOCS: &'static str = $docs;
            const CRATE: &'static str = env!("CARGO_CRATE_NAME");
            type Source = $source;
            type Sink = $sink;
        }

        /// The plugin's table of functions.
        pub static PLUGIN_TABLE: $crate::TrampolineTable =
            $crate::TrampolineTable::of::<ThisPlugin>($reads, $writes);

        /// What a file of the plugin says of it; unused where the plugin is only linked in.
        #[doc(hidden)]
        #[allow(dead_code)]
        pub const PLUGIN_IDENTITY: $crate::PluginIdentity =
            $crate::PluginIdentity::of::<ThisPlugin>();

        $crate::inventory::submit! { $crate::Registration::new(&PLUGIN_TABLE) }
    };
}

inventory::collect!(Registration);

/// Stands where a plugin does not read.
#[derive(Debug)]
pub enum NoSource {}

/// Stands where a plugin does not write.
#[derive(Debug)]
pub enum NoSink {}

fn absent(side: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the plugin is no {side}"))
}

impl Source for NoSource {
    type Options = ();

    fn open((): (), _: Services) -> Result<Self> {
        Err(absent("source"))
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        match *self {}
    }

    fn splits(&self, _: &str) -> Result<Vec<Split>> {
        match *self {}
    }

    fn read(&self, _: &str, _: &Split, _: &ReadRequest) -> Result<Box<dyn BatchReader>> {
        match *self {}
    }
}

impl Sink for NoSink {
    type Options = ();

    fn open((): (), _: Services) -> Result<Self> {
        Err(absent("sink"))
    }

    fn capabilities(&self) -> Result<Capabilities> {
        match *self {}
    }

    fn check(&self, _: &[TargetRequest]) -> Result<Vec<TargetState>> {
        match *self {}
    }

    fn prepare(&self, _: &TargetRequest) -> Result<Box<dyn TargetWriter>> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_letters_digits_and_underscores() {
        for good in ["faiss", "milvus1", "my_format"] {
            assert!(is_plugin_name(good), "{good}");
        }
        for bad in ["", "1x", "_x", "HDF5", "a-b", "a b", "é", &"x".repeat(65)] {
            assert!(!is_plugin_name(bad), "{bad}");
        }
    }

    crate::export_plugin! {
        name: "neither",
        summary: "a plugin that neither reads nor writes",
        docs: "nothing",
        source: NoSource,
    }

    #[test]
    fn a_side_that_is_absent_is_an_error_and_has_no_options() {
        let plugin = PLUGIN_TABLE.handle();
        let info = plugin.info().unwrap();
        assert_eq!(info.name, "neither");
        assert_eq!(info.version, "1.0.0");
        assert!(info.source_options.is_none() && info.sink_options.is_none());
        let options = Value::Null;
        let reads = plugin
            .open_source(&options, Services::detached())
            .unwrap_err();
        assert_eq!(reads.message(), "the plugin is no source");
        let writes = plugin
            .open_sink(&options, Services::detached())
            .unwrap_err();
        assert_eq!(writes.message(), "this plugin does not write");
        assert!(
            PluginHandle::linked()
                .iter()
                .any(|p| p.info().is_ok_and(|i| i.name == "neither"))
        );
    }
}
