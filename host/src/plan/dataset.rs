// SPDX-License-Identifier: Apache-2.0
//! What planning asks of a dataset: its name, whether its counts agree, what a dump knows of it.

use milvusdm_plugin_api::model::Descriptor;
use milvusdm_plugin_api::{Dataset, Error, ErrorKind, Result, Split};

use crate::convert::Recipe;
use crate::dump::{self, Name};
use crate::task::{DatasetName, Task};

/// Collection and partition; the default one has none.
pub(crate) fn full_name(dataset: &Dataset) -> Name {
    let (collection, partition) = name(dataset);
    (collection.to_owned(), partition.map(str::to_owned))
}

/// Whether a dump has the dataset as it is.
pub(super) fn is_unchanged(
    task: &Task,
    dataset: &Dataset,
    splits: &[Split],
    recipe: &Recipe,
) -> bool {
    let known = &task.known.unchanged;
    let known = known.get(&full_name(dataset));
    known.is_some_and(|known| known.fingerprint == dump::fingerprint(dataset, splits, recipe))
}

/// Adds what a dump knows of a dataset and its file does not say.
pub(super) fn describe(descriptor: &mut Descriptor, known: &Descriptor) {
    descriptor.id = known.id;
    descriptor.indexes.clone_from(&known.indexes);
    descriptor.functions.clone_from(&known.functions);
    descriptor.aliases.clone_from(&known.aliases);
    descriptor.description.clone_from(&known.description);
    for (system, properties) in &known.properties {
        let own = descriptor.properties.entry(system.clone());
        own.or_insert_with(|| properties.clone());
    }
}

/// A dataset's own count and its splits must agree: a split that is missing would be lost in
/// silence.
pub(super) fn check_count(dataset: &Dataset, splits: &[Split]) -> Result<()> {
    let live = splits
        .iter()
        .try_fold(0u64, |sum, split| sum.checked_add(split.live?));
    match (dataset.descriptor.rows, live) {
        (Some(rows), Some(live)) if rows.exact && rows.value != live => Err(Error::new(
            ErrorKind::Plugin,
            format!(
                "`{}` is said to have exactly {} rows, but its splits have {live}",
                dataset.descriptor.full_name(),
                rows.value
            ),
        )
        .help("the source changed while it was looked at, or its plugin miscounts")),
        _ => Ok(()),
    }
}

/// A dataset's name as selections and mappings see it: the default partition has none.
pub(super) fn name(dataset: &Dataset) -> DatasetName<'_> {
    let descriptor = &dataset.descriptor;
    let partition = descriptor
        .partition
        .as_deref()
        .filter(|_| !descriptor.partition_default);
    (descriptor.collection.as_str(), partition)
}
