// SPDX-License-Identifier: Apache-2.0
//! The source: a data directory or a server, as the options say.

use std::collections::BTreeMap;

use milvusdm_plugin_api::{
    BatchReader, Dataset, Inspection, Node, ReadRequest, Result, Services, Source, Split,
};

use serde_json::json;

use crate::cold::{ColdSource, Location};
use crate::online::OnlineSource;
use crate::options::{Milvus1SourceOptions, Place};

/// Reads collections of Milvus 1.x.
#[derive(Debug)]
pub struct Milvus1Source {
    origin: Origin,
    find_id: Option<i64>,
}

#[derive(Debug)]
enum Origin {
    /// From the files of a server that is stopped.
    Cold(Box<ColdSource>),
    /// From a running server.
    Online(OnlineSource),
}

impl Source for Milvus1Source {
    type Options = Milvus1SourceOptions;

    fn open(options: Milvus1SourceOptions, services: Services) -> Result<Self> {
        let origin = match options.place()? {
            Place::Directory(path) => {
                Origin::Cold(Box::new(ColdSource::open(path, &options, services)?))
            }
            Place::Server(uri) => Origin::Online(OnlineSource::open(uri, &options, services)?),
        };
        Ok(Self {
            origin,
            find_id: options.find_id,
        })
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        match &self.origin {
            Origin::Cold(cold) => cold.datasets(),
            Origin::Online(online) => online.datasets(),
        }
    }

    fn splits(&self, dataset_key: &str) -> Result<Vec<Split>> {
        match &self.origin {
            Origin::Cold(cold) => cold.splits(dataset_key),
            Origin::Online(online) => online.splits(dataset_key),
        }
    }

    fn read(
        &self,
        dataset_key: &str,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<Box<dyn BatchReader>> {
        match &self.origin {
            Origin::Cold(cold) => cold.read(dataset_key, split, request),
            Origin::Online(online) => online.read(dataset_key, split, request),
        }
    }

    fn inspect(&self) -> Result<Inspection> {
        let mut inspection = match &self.origin {
            Origin::Cold(cold) => cold.inspect()?,
            Origin::Online(online) => online.inspect()?,
        };
        if let Some(id) = self.find_id {
            let rows = match &self.origin {
                Origin::Cold(cold) => cold.locate(id)?,
                Origin::Online(online) => online.locate(id)?,
            };
            inspection.trees.insert(0, places(id, &rows));
        }
        Ok(inspection)
    }
}

/// Where an id was found, for people.
fn places(id: i64, rows: &[Location]) -> Node {
    let place = |row: &Location| {
        let mut facts = BTreeMap::new();
        if let Some(row) = row.row {
            facts.insert("row".to_owned(), json!(row));
        }
        if row.is_deleted {
            facts.insert("deleted".to_owned(), json!(true));
        }
        let partition = row.partition.as_deref().unwrap_or("_default");
        Node {
            label: format!("{}/{partition}, segment {}", row.collection, row.segment),
            facts,
            children: Vec::new(),
        }
    };
    Node {
        label: format!("id {id}"),
        facts: BTreeMap::from([("rows".to_owned(), json!(rows.len()))]),
        children: rows.iter().map(place).collect(),
    }
}
