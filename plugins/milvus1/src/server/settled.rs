// SPDX-License-Identifier: Apache-2.0
//! Counts that stay what they are: a server may still be at work on a request whose connection
//! is gone.

use std::time::Duration;

use milvusdm_plugin_api::Result;

use super::{CollectionInfo, Server};

/// Pause between two counts that must agree.
const SETTLE: Duration = Duration::from_secs(1);
/// Counts that may differ from those before them.
const SETTLING: usize = 10;

impl Server {
    /// Counts again and again, until twice in a row the same comes out; after ten seconds, what came
    /// out last: a row that is stored later still is found when the target is finished.
    ///
    /// # Errors
    /// Those of counting.
    pub fn settled(&self, count: impl Fn() -> Result<u64>) -> Result<u64> {
        let mut counted = count()?;
        for _ in 0..SETTLING {
            self.pause(SETTLE);
            let again = count()?;
            if again == counted {
                break;
            }
            counted = again;
        }
        Ok(counted)
    }

    /// What there is of a collection, once its rows stay as many.
    ///
    /// # Errors
    /// `Remote`.
    pub fn settled_collection(&self, name: &str) -> Result<Option<CollectionInfo>> {
        if self.has_collection(name)? {
            self.settled(|| {
                // Rows that are not flushed are not counted.
                self.flush(name)?;
                let found = self.collection(name)?;
                let partitions = found.iter().flat_map(|found| &found.partitions);
                Ok(partitions.map(|partition| partition.row_count).sum::<u64>())
            })?;
        }
        self.collection(name)
    }
}
