// SPDX-License-Identifier: Apache-2.0
//! Which index a target's collection gets: the source's own where it is of the same system, else
//! what its neutral reading stands for here.

use milvusdm_plugin_api::model::{Descriptor, IndexDefinition};
use milvusdm_plugin_api::{Error, ErrorKind};
use serde_json::{Map, Value};

use super::options::Milvus1SinkOptions;
use crate::index_type::{self, IndexType};
use crate::server::IndexInfo;
use crate::server::insert::Element;

/// The index to build, and what a person should know of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IndexPlan {
    /// The definition; `None` builds none.
    pub index: Option<IndexInfo>,
    /// Whether it is the task's own.
    pub is_own: bool,
    /// What becomes of the source's definition.
    pub notice: Option<String>,
    /// Why the task's own definition can't be built.
    pub refusal: Option<Error>,
}

/// What an index is built on.
#[derive(Debug, Clone, Copy)]
pub struct Vectors {
    /// What they are made of.
    pub element: Element,
    /// Their dimension.
    pub dim: u64,
}

impl IndexPlan {
    /// Decides for a target.
    pub fn of(options: &Milvus1SinkOptions, descriptor: &Descriptor, vectors: Vectors) -> Self {
        if options.has_no_index() {
            return Self::default();
        }
        match (options.own_index(), descriptor.indexes.first()) {
            (Ok(Some((kind, params))), _) => Self::own(kind, params, vectors),
            (_, Some(definition)) => Self::of_source(definition, vectors),
            (_, None) => Self::default(),
        }
    }

    fn own(kind: &IndexType, params: &Map<String, Value>, vectors: Vectors) -> Self {
        match vectors.check(kind, params) {
            Ok(()) => Self {
                is_own: true,
                ..Self::built(kind, params.clone(), None)
            },
            Err(why) => Self {
                refusal: Some(Error::new(ErrorKind::Config, why).with("option", "index")),
                ..Self::default()
            },
        }
    }

    fn of_source(definition: &IndexDefinition, vectors: Vectors) -> Self {
        let text = |name: &str| definition.native.get(name).and_then(Value::as_str);
        let source = text("type").unwrap_or(definition.family.as_str());
        let is_same_system = text("system") == Some(crate::NAME);
        let found = match is_same_system {
            true => {
                let code = definition.native.get("type_id").and_then(Value::as_i64);
                let known = code.and_then(index_type::of_code);
                known.or_else(|| text("type").and_then(index_type::of_name))
            }
            false => {
                let is_binary = vectors.element == Element::Binary;
                index_type::of_neutral(&definition.family, &definition.quantizer, is_binary)
            }
        };
        let Some(kind) = found else {
            return Self::not_built(source, "Milvus 1.x has nothing like it");
        };
        if index_type::is_flat(kind.code) {
            return Self::default();
        }
        let params = match is_same_system {
            true => definition
                .native
                .get("params")
                .and_then(Value::as_object)
                .cloned(),
            false => Some(params(kind, &definition.params)),
        };
        let params = params.unwrap_or_default();
        match vectors.check(kind, &params) {
            Err(why) => Self::not_built(source, &why),
            Ok(()) if is_same_system => Self::built(kind, params, None),
            Ok(()) => Self::built(kind, params, Some(source)),
        }
    }

    fn built(kind: &IndexType, params: Map<String, Value>, translated: Option<&str>) -> Self {
        let params = Value::Object(params).to_string();
        let notice = match translated {
            Some(source) => format!(
                "the source's index {source} is built as {} with {params}",
                kind.name
            ),
            None => format!("the index {} {params} is built", kind.name),
        };
        Self {
            index: Some(IndexInfo {
                code: kind.code,
                params,
            }),
            notice: Some(notice),
            ..Self::default()
        }
    }

    fn not_built(source: &str, why: &str) -> Self {
        Self {
            notice: Some(format!(
                "the source's index {source} is not built: {why}; `index` names another one"
            )),
            ..Self::default()
        }
    }
}

impl Vectors {
    fn check(self, kind: &IndexType, params: &Map<String, Value>) -> Result<(), String> {
        index_type::check(kind, params, self.element == Element::Binary, self.dim)
    }
}

/// The parameters under this system's names, as far as they are known.
fn params(kind: &IndexType, neutral: &Map<String, Value>) -> Map<String, Value> {
    let known = kind.params.iter();
    let known = known.filter_map(|(name, neutral_name)| {
        Some(((*name).to_owned(), neutral.get(*neutral_name)?.clone()))
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(index: &str, element: Element) -> IndexPlan {
        let descriptor = Descriptor {
            indexes: vec![serde_json::from_str(index).unwrap()],
            ..Descriptor::default()
        };
        let options = serde_json::from_str(r#"{"uri":"db"}"#).unwrap();
        IndexPlan::of(&options, &descriptor, Vectors { element, dim: 128 })
    }

    #[test]
    fn the_same_systems_definition_is_taken_word_by_word() {
        let found = plan(
            r#"{"family":"nsg","native":{"system":"milvus1","type":"RNSG","type_id":4,"params":{"candidate_pool_size":300,"knng":100,"out_degree":50,"search_length":60}}}"#,
            Element::Float,
        );
        let index = found.index.unwrap();
        assert_eq!(
            (index.code, index.params.as_str()),
            (
                4,
                r#"{"candidate_pool_size":300,"knng":100,"out_degree":50,"search_length":60}"#
            )
        );
    }

    #[test]
    fn another_systems_definition_is_translated_or_left_out_with_a_word() {
        let faiss = r#"{"family":"ivf","quantizer":"none","params":{"nlist":64},"native":{"system":"faiss","type":"IwFl"}}"#;
        let found = plan(faiss, Element::Float);
        assert_eq!(found.index.unwrap().code, 2);
        assert!(found.notice.unwrap().contains("IVF_FLAT"));
        assert_eq!(plan(faiss, Element::Binary).index.unwrap().code, 10);
        let none = plan(
            r#"{"family":"lsh","native":{"type":"IxHe"}}"#,
            Element::Float,
        );
        assert_eq!(none.index, None);
        assert!(none.notice.unwrap().contains("IxHe"));
        let flat = plan(r#"{"family":"flat","quantizer":"none"}"#, Element::Float);
        assert_eq!(flat, IndexPlan::default());
    }
}
