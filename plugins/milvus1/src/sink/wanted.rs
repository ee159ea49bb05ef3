// SPDX-License-Identifier: Apache-2.0
//! A target in this system's terms, and what of it does not need the server to be refused.

use milvusdm_plugin_api::arrow::schema::{DataType, Fields};
use milvusdm_plugin_api::model::{
    Elem, IdPolicy, Kind, Metric, Role, Unique, VectorType, field, wire,
};
use milvusdm_plugin_api::{Error, ErrorKind, Mode, Result, Resumed, TargetRequest};
use milvusdm_proto::milvus1::CollectionSchema;
use serde_json::Value;

use super::index::{IndexPlan, Vectors};
use super::options::{INDEX_FILE_SIZE, Milvus1SinkOptions};
use crate::metric;
use crate::server::CollectionInfo;
use crate::server::DEFAULT_PARTITION;
use crate::server::insert::{Destination, Element};

/// Longest name of a collection or tag of a partition, in bytes.
const MAX_NAME: usize = 255;
/// Largest dimension (bits of binary vectors).
pub const MAX_DIM: u32 = 32_768;

/// A target, read from what the host asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Collection and partition.
    pub to: Destination,
    /// What to do where it exists.
    pub mode: Mode,
    /// Dimension, bits of binary vectors.
    pub dimension: i64,
    /// Number of the metric; `None` where nobody tells.
    pub metric: Option<i64>,
    /// What vectors are made of.
    pub element: Element,
    /// Bytes of one vector.
    pub row_bytes: usize,
    /// Where the ids stand in a batch; `None` leaves them to the server.
    pub id_column: Option<usize>,
    /// Where the vectors stand in a batch.
    pub vector_column: usize,
    /// Size from which segments are indexed, in MB.
    pub index_file_size: i64,
    /// The index to build in the end.
    pub index: IndexPlan,
    /// Whether the source made the ids itself.
    pub had_auto_ids: bool,
    /// Whether the source says that no id comes twice.
    pub has_unique_ids: bool,
    /// Whether it belongs to a run that can go on.
    pub is_kept: bool,
    /// What an earlier process of the run did.
    pub resumed: Option<Resumed>,
}

impl Wanted {
    /// Reads a request.
    ///
    /// # Errors
    /// `Config` or `Unsupported` for what no Milvus 1.x server would take.
    pub fn of(request: &TargetRequest, options: &Milvus1SinkOptions) -> Result<Self> {
        let spec = &request.spec;
        let to = Destination {
            collection: spec.collection.clone(),
            partition: spec
                .partition
                .clone()
                .filter(|partition| partition != DEFAULT_PARTITION),
        };
        check_collection(&to.collection)?;
        if let Some(tag) = &to.partition {
            check_tag(tag)?;
        }
        let fields = request.schema.fields();
        check_columns(fields)?;
        let (vector_column, vector_field) = field::find_role(fields, Role::Vector)
            .ok_or_else(|| unsupported("there is no column of vectors"))?;
        let vector = VectorType::of(vector_field)?
            .ok_or_else(|| unsupported("the column of vectors is none"))?;
        let element = match (vector.kind, vector.elem) {
            (Kind::Dense, Elem::F32) => Element::Float,
            (Kind::Binary, Elem::Bit) => Element::Binary,
            (kind, elem) => {
                return Err(unsupported(&format!("vectors are {kind} of {elem}"))
                    .with("column", vector_field.name()));
            }
        };
        check_dimension(&vector, options).map_err(|e| e.with("column", vector_field.name()))?;
        Ok(Self {
            to,
            mode: spec.mode,
            dimension: i64::from(vector.dim),
            metric: metric_of(&vector, element, options)?,
            element,
            row_bytes: vector.row_bytes().unwrap_or(0),
            id_column: field::find_role(fields, Role::Id).map(|(column, _)| column),
            vector_column,
            index_file_size: index_file_size(request, options),
            index: IndexPlan::of(
                options,
                &spec.descriptor,
                Vectors {
                    element,
                    dim: u64::from(vector.dim),
                },
            ),
            had_auto_ids: spec.descriptor.id.policy == IdPolicy::Auto,
            has_unique_ids: spec.descriptor.id.unique == Unique::Yes && spec.parts.len() == 1,
            is_kept: !spec.run.is_empty(),
            resumed: spec.resumed.clone(),
        })
    }

    /// `collection` or `collection/partition`.
    pub fn name(&self) -> String {
        self.to.to_string()
    }

    /// What a new collection for it is made with.
    ///
    /// # Errors
    /// `Config` if the metric is not known.
    pub fn schema(&self) -> Result<CollectionSchema> {
        let metric = self.metric.ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "the source does not tell the metric, which a new collection needs",
            )
            .with("option", "metric")
            .help(match self.element {
                Element::Float => "say `metric: L2` or `metric: IP` under `sink`",
                Element::Binary => "say `metric: HAMMING`, `JACCARD`, `TANIMOTO`, `SUBSTRUCTURE` or `SUPERSTRUCTURE` under `sink`",
            })
        })?;
        Ok(CollectionSchema {
            status: None,
            collection_name: self.to.collection.clone(),
            dimension: self.dimension,
            index_file_size: self.index_file_size,
            metric_type: i32::try_from(metric).unwrap_or(0),
            extra_params: Vec::new(),
        })
    }

    /// That its rows fit into a collection that is there.
    ///
    /// # Errors
    /// `Unsupported`, saying what differs.
    pub fn expect_fits(&self, found: &CollectionInfo) -> Result<()> {
        let differs = |what: &str, there: String, here: String| {
            Err(unsupported(&format!(
                "the collection `{}` has {what} {there}, the source {here}",
                found.name
            ))
            .help("choose another collection, or replace it with `mode: overwrite`"))
        };
        let is_binary = metric::of_code(found.metric).is_some_and(Metric::is_binary);
        if is_binary != (self.element == Element::Binary) {
            let kind = |binary| if binary { "binary" } else { "float" }.to_owned();
            return differs("vectors of kind", kind(is_binary), kind(!is_binary));
        }
        if found.dimension != self.dimension {
            return differs(
                "dimension",
                found.dimension.to_string(),
                self.dimension.to_string(),
            );
        }
        match self.metric {
            Some(metric) if metric != found.metric => {
                let name = |code| metric::native_name(code).unwrap_or("unknown").to_owned();
                differs("metric", name(found.metric), name(metric))
            }
            _ => Ok(()),
        }
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, what)
}

/// A collection has an id and a vector, and no third column.
fn check_columns(fields: &Fields) -> Result<()> {
    for column in fields {
        let role = field::role(column)?;
        if role == Some(Role::Id) && column.data_type() != &DataType::Int64 {
            return Err(unsupported(&format!(
                "ids of Milvus 1.x are 64-bit integers, `{}` has the type {}",
                column.name(),
                wire::type_name(column)
            ))
            .with("column", column.name())
            .help("leave the ids to the server with `convert: {ids: generate}`"));
        }
        if !matches!(role, Some(Role::Id | Role::Vector)) {
            return Err(unsupported(&format!(
                "Milvus 1.x has no columns beside id and vector: `{}` of type {} can't be written",
                column.name(),
                wire::type_name(column)
            ))
            .with("column", column.name())
            .help(format!(
                "leave it out with `convert: {{columns: {{{}: drop}}}}`",
                column.name()
            )));
        }
    }
    Ok(())
}

/// `utils/ValidationUtil.cpp`.
fn check_collection(name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts_well = name
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if starts_well && name.chars().all(is_plain) && name.len() <= MAX_NAME {
        return Ok(());
    }
    let message = format!(
        "`{name}` can't name a collection of Milvus 1.x: wanted letters, digits and `_`, no digit first, at most {MAX_NAME}"
    );
    Err(Error::new(ErrorKind::Config, message).help("give it another name with `map` in the task"))
}

/// A server trims tags where it makes partitions but not where it inserts: rows for such a tag
/// are acknowledged and lost.
fn check_tag(tag: &str) -> Result<()> {
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}');
    if !tag.is_empty() && tag.len() <= MAX_NAME && tag.trim_matches(is_blank) == tag {
        return Ok(());
    }
    let message = format!(
        "`{tag}` can't name a partition of Milvus 1.x: wanted 1 to {MAX_NAME} bytes without blanks at the ends"
    );
    Err(Error::new(ErrorKind::Config, message).help("give it another name with `map` in the task"))
}

fn check_dimension(vector: &VectorType, options: &Milvus1SinkOptions) -> Result<()> {
    if let Some(wanted) = options.dimension.filter(|wanted| *wanted != vector.dim) {
        let message = format!(
            "the vectors have dimension {}, the task says {wanted}",
            vector.dim
        );
        return Err(Error::new(ErrorKind::Config, message).with("option", "dimension"));
    }
    if vector.dim > MAX_DIM {
        return Err(unsupported(&format!(
            "dimension {} is over {MAX_DIM}, the most that Milvus 1.x takes",
            vector.dim
        )));
    }
    if vector.kind == Kind::Binary && !vector.dim.is_multiple_of(8) {
        return Err(unsupported(&format!(
            "binary vectors have {} bits, Milvus 1.x takes multiples of 8",
            vector.dim
        )));
    }
    Ok(())
}

/// The number of the metric: the task's, else the source's.
fn metric_of(
    vector: &VectorType,
    element: Element,
    options: &Milvus1SinkOptions,
) -> Result<Option<i64>> {
    let is_binary = element == Element::Binary;
    let given = options.metric_for(is_binary)?;
    let (metric, name) = match (given, vector.metric.as_deref()) {
        (Some(metric), _) => return Ok(metric::code(metric)),
        (None, None) => return Ok(None),
        (None, Some(name)) => (Metric::from_name(name), name),
    };
    let fits = metric.filter(|metric| metric.is_binary() == is_binary);
    match fits.and_then(metric::code) {
        Some(code) => Ok(Some(code)),
        None => {
            let kind = if is_binary { "binary" } else { "float" };
            Err(unsupported(&format!(
                "Milvus 1.x has no metric `{name}` for {kind} vectors"
            ))
            .help("say with `metric` under `sink` which one to search by instead"))
        }
    }
}

fn index_file_size(request: &TargetRequest, options: &Milvus1SinkOptions) -> i64 {
    let properties = request.spec.descriptor.properties.get(crate::NAME);
    let source = properties
        .and_then(|properties| properties.get("index_file_size"))
        .and_then(Value::as_i64)
        .filter(|size| (1..=4096).contains(size));
    options
        .index_file_size
        .or(source)
        .unwrap_or(INDEX_FILE_SIZE)
}
