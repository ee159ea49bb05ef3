// SPDX-License-Identifier: Apache-2.0
//! A source that reads back what the sink keeps.

use arrow_array::RecordBatch;
use milvusdm_plugin_api::model::Descriptor;
use milvusdm_plugin_api::{BatchReader, Dataset, ReadRequest, Result, Services, Source, Split};

use super::sink::{Options, Stored, store};

/// Reads back what the sink keeps.
pub struct ReadBack {
    targets: Vec<(String, Stored)>,
}

impl Source for ReadBack {
    type Options = Options;

    fn open(options: Options, _: Services) -> Result<Self> {
        let store = store();
        let own = store
            .iter()
            .filter(|((folder, _), _)| *folder == options.folder);
        let targets = own.map(|((_, name), stored)| (name.clone(), stored.clone()));
        Ok(Self {
            targets: targets.collect(),
        })
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        let dataset = |(name, stored): &(String, Stored)| {
            let (collection, partition) = match name.split_once('/') {
                Some((collection, partition)) => (collection, Some(partition.to_owned())),
                None => (name.as_str(), None),
            };
            Dataset {
                key: name.clone(),
                schema: stored.schema.clone(),
                descriptor: Descriptor {
                    system: "memory".to_owned(),
                    collection: collection.to_owned(),
                    partition,
                    ..Descriptor::default()
                },
            }
        };
        Ok(self.targets.iter().map(dataset).collect())
    }

    fn splits(&self, _: &str) -> Result<Vec<Split>> {
        Ok(vec![Split {
            id: "all".to_owned(),
            ..Split::default()
        }])
    }

    fn read(&self, key: &str, _: &Split, _: &ReadRequest) -> Result<Box<dyn BatchReader>> {
        let stored = self.targets.iter().find(|(name, _)| name == key);
        let batches = stored.map(|(_, s)| s.batches.clone()).unwrap_or_default();
        Ok(Box::new(Batches(batches.into_iter())))
    }
}

struct Batches(std::vec::IntoIter<RecordBatch>);

impl BatchReader for Batches {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.0.next())
    }
}
