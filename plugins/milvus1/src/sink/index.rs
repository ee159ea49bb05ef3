// SPDX-License-Identifier: Apache-2.0
//! Which index a target's collection gets: the source's own where it is of the same system, else
//! what its neutral reading stands for here.

use milvusdm_plugin_api::model::{Descriptor, IndexDefinition};
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
    /// What becomes of the source's definition.
    pub notice: Option<String>,
}

impl IndexPlan {
    /// Decides for a target.
    pub fn of(options: &Milvus1SinkOptions, descriptor: &Descriptor, element: Element) -> Self {
        if options.has_no_index() {
            return Self::default();
        }
        if let Ok(Some(index)) = options.own_index() {
            return Self {
                index: Some(index),
                notice: None,
            };
        }
        match descriptor.indexes.first() {
            None => Self::default(),
            Some(definition) => Self::of_source(definition, element),
        }
    }

    fn of_source(definition: &IndexDefinition, element: Element) -> Self {
        let text = |name: &str| definition.native.get(name).and_then(Value::as_str);
        let source = text("type").unwrap_or(definition.family.as_str());
        if text("system") == Some(crate::NAME) {
            let code = definition.native.get("type_id").and_then(Value::as_i64);
            let known = code.and_then(index_type::of_code);
            let known = known.or_else(|| text("type").and_then(index_type::of_name));
            return match (known, definition.native.get("params")) {
                (Some(kind), _) if index_type::is_flat(kind.code) => Self::default(),
                (Some(kind), Some(Value::Object(params))) => {
                    Self::built(kind, Value::Object(params.clone()).to_string(), None)
                }
                _ => Self::not_built(source),
            };
        }
        let is_binary = element == Element::Binary;
        let found = index_type::of_neutral(&definition.family, &definition.quantizer, is_binary);
        match found {
            Some(kind) if index_type::is_flat(kind.code) => Self::default(),
            Some(kind) => match params(kind, &definition.params) {
                Some(params) => {
                    let notice = format!(
                        "the source's index {source} is built as {} with {params}",
                        kind.name
                    );
                    Self::built(kind, params, Some(notice))
                }
                None => Self::not_built(source),
            },
            None => Self::not_built(source),
        }
    }

    fn built(kind: &IndexType, params: String, notice: Option<String>) -> Self {
        let notice = notice.unwrap_or_else(|| format!("the index {} {params} is built", kind.name));
        Self {
            index: Some(IndexInfo {
                code: kind.code,
                params,
            }),
            notice: Some(notice),
        }
    }

    fn not_built(source: &str) -> Self {
        Self {
            index: None,
            notice: Some(format!(
                "no index is built: Milvus 1.x has nothing like the source's {source}; `index` names one"
            )),
        }
    }
}

/// The parameters under this system's names; `None` if one is missing.
fn params(kind: &IndexType, neutral: &Map<String, Value>) -> Option<String> {
    let mut params = Map::new();
    for (name, neutral_name) in kind.params {
        params.insert((*name).to_owned(), neutral.get(*neutral_name)?.clone());
    }
    Some(Value::Object(params).to_string())
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
        IndexPlan::of(&options, &descriptor, element)
    }

    #[test]
    fn the_same_systems_definition_is_taken_word_by_word() {
        let found = plan(
            r#"{"family":"nsg","native":{"system":"milvus1","type":"RNSG","type_id":4,"params":{"knng":100,"out_degree":50}}}"#,
            Element::Float,
        );
        let index = found.index.unwrap();
        assert_eq!(
            (index.code, index.params.as_str()),
            (4, r#"{"knng":100,"out_degree":50}"#)
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
