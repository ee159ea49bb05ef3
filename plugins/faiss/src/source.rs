// SPDX-License-Identifier: Apache-2.0
//! The source: index files as datasets.

use std::sync::Arc;

use milvusdm_plugin_api::{
    BatchReader, Dataset, Error, ErrorKind, Inspection, LogLevel, ReadRequest, Result, Services,
    Source, Split,
};

use crate::index::Index;
use crate::options::SourceOptions;
use crate::reader::Pools;
use crate::{describe, inspect, paths};

/// Reads vectors from Faiss index files.
#[derive(Debug)]
pub struct FaissSource {
    services: Services,
    indexes: Vec<Index>,
}

impl Source for FaissSource {
    type Options = SourceOptions;

    fn open(options: SourceOptions, services: Services) -> Result<Self> {
        options.check()?;
        let places = paths::find(options.path.as_slice())?;
        if options.lists.is_some() && places.len() > 1 {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "option `lists` belongs to one index, but {} are named",
                    places.len()
                ),
            )
            .with("option", "lists"));
        }
        let pools = Arc::new(Pools::default());
        let mut indexes = Vec::with_capacity(places.len());
        for place in places {
            services.check_cancelled()?;
            let path = place.path.display().to_string();
            let index = Index::open(place, &options, &services, &pools);
            indexes.push(index.map_err(|e| match e.context_value("file") {
                Some(_) => e,
                None => e.with("file", path),
            })?);
        }
        Ok(Self { services, indexes })
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        self.indexes.iter().map(describe::dataset).collect()
    }

    fn splits(&self, dataset_key: &str) -> Result<Vec<Split>> {
        let index = self.index(dataset_key)?;
        for notice in inspect::notices(index) {
            self.services.log(LogLevel::Warn, &notice);
        }
        Ok(index
            .splits()?
            .iter()
            .map(|planned| planned.split.clone())
            .collect())
    }

    fn read(
        &self,
        dataset_key: &str,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<Box<dyn BatchReader>> {
        Ok(Box::new(self.index(dataset_key)?.read(split, request)?))
    }

    fn inspect(&self) -> Result<Inspection> {
        Ok(Inspection {
            trees: self.indexes.iter().map(inspect::tree).collect(),
            notices: self.indexes.iter().flat_map(inspect::notices).collect(),
        })
    }
}

impl FaissSource {
    fn index(&self, key: &str) -> Result<&Index> {
        self.indexes
            .iter()
            .find(|index| index.place.collection == key)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::NotFound,
                    format!("there is no collection `{key}` in the source"),
                )
            })
    }
}
