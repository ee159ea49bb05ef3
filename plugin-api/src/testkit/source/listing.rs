// SPDX-License-Identifier: Apache-2.0
//! Cases for datasets, schemas, splits and `inspect`.

use std::collections::HashSet;

use super::{Asked, Checked};
use crate::ErrorKind;
use crate::model::schema::{Column, classify, validate};
use crate::model::{IdPolicy, Role, field};
use crate::testkit::report::{ensure, fail};

/// Names no dataset or split of any source.
const UNKNOWN: &str = "no such thing \u{1F6AB}";

pub(super) const CASES: [super::Case; 5] = [
    ("its datasets are the same each time", datasets_are_stable),
    (
        "schemas and descriptors fit the data model",
        schemas_are_valid,
    ),
    ("its splits are the same each time", splits_are_stable),
    ("an unknown dataset or split is refused", refuses_unknown),
    ("it answers to `inspect`", inspects),
];

fn datasets_are_stable(asked: &Asked) -> Checked {
    let source = asked.open()?;
    let first = source.datasets()?;
    for (when, again) in [
        ("a second time", source),
        ("after reopening", asked.open()?),
    ] {
        let again = again.datasets()?;
        ensure!(
            again.len() == first.len(),
            "{} datasets, {when} {}",
            first.len(),
            again.len()
        );
        for (a, b) in first.iter().zip(&again) {
            ensure!(a.key == b.key, "dataset `{}`, {when} `{}`", a.key, b.key);
            let key = &a.key;
            ensure!(a.schema == b.schema, "`{key}` has another schema {when}");
            ensure!(
                a.descriptor == b.descriptor,
                "`{key}` has another descriptor {when}"
            );
        }
    }
    ensure!(
        first.iter().all(|d| !d.key.is_empty()),
        "a dataset's key is empty"
    );
    Ok(())
}

fn schemas_are_valid(asked: &Asked) -> Checked {
    for dataset in asked.open()?.datasets()? {
        let key = &dataset.key;
        validate(&dataset.schema)?;
        for field in dataset.schema.fields() {
            if let Column::Unrepresentable(why) = classify(field) {
                return fail(format!("`{key}`: {why}"));
            }
        }
        let about = &dataset.descriptor;
        ensure!(
            !about.system.is_empty(),
            "`{key}`: the descriptor names no system"
        );
        ensure!(
            !about.collection.is_empty(),
            "`{key}`: the descriptor names no collection"
        );
        let has_id = field::find_role(dataset.schema.fields(), Role::Id).is_some();
        let says_id = about.id.policy != IdPolicy::None;
        ensure!(
            has_id == says_id,
            "`{key}`: the descriptor's id policy is {:?}, its schema has {} id column",
            about.id.policy,
            if has_id { "an" } else { "no" }
        );
        for index in &about.indexes {
            ensure!(
                dataset.schema.index_of(&index.field).is_ok(),
                "`{key}`: the descriptor has an index on `{}`, which is no column",
                index.field
            );
        }
    }
    Ok(())
}

fn splits_are_stable(asked: &Asked) -> Checked {
    let (source, reopened) = (asked.open()?, asked.open()?);
    for dataset in source.datasets()? {
        let key = &dataset.key;
        let first = source.splits(key)?;
        ensure!(
            first == source.splits(key)?,
            "`{key}`: asked again, it gives other splits"
        );
        ensure!(
            first == reopened.splits(key)?,
            "`{key}`: reopened, it gives other splits"
        );
        let mut ids = HashSet::new();
        for split in &first {
            let id = &split.id;
            ensure!(!id.is_empty(), "`{key}`: a split's id is empty");
            ensure!(ids.insert(id), "`{key}`: two splits have the id `{id}`");
            ensure!(
                !split.fingerprint.is_empty(),
                "`{key}` split `{id}` has no fingerprint: a changed source would go unnoticed"
            );
            if let (Some(found), Some(live)) = (split.found, split.live) {
                ensure!(
                    live <= found,
                    "`{key}` split `{id}`: {live} live rows of {found} found"
                );
            }
        }
        let live: Option<u64> = first.iter().map(|s| s.live).sum();
        if let (Some(live), Some(rows)) = (live, dataset.descriptor.rows.filter(|r| r.exact)) {
            ensure!(
                live == rows.value,
                "`{key}`: its splits have {live} live rows, the descriptor says exactly {}",
                rows.value
            );
        }
    }
    Ok(())
}

fn refuses_unknown(asked: &Asked) -> Checked {
    let source = asked.open()?;
    match source.splits(UNKNOWN) {
        Ok(_) => return fail("it gives splits of a dataset that it does not have"),
        Err(e) => ensure!(
            e.kind() == ErrorKind::NotFound,
            "an unknown dataset gave {e:?}, wanted kind NotFound"
        ),
    }
    for dataset in source.datasets()? {
        let Some(mut split) = source.splits(&dataset.key)?.into_iter().next() else {
            continue;
        };
        UNKNOWN.clone_into(&mut split.id);
        split.payload = serde_json::json!({ "no such": [1] });
        let Err(error) = source.read(&dataset, &split, &super::reading::request()) else {
            let key = &dataset.key;
            return fail(format!("`{key}`: it reads a split that it never gave"));
        };
        ensure!(
            !matches!(error.kind(), ErrorKind::Panic | ErrorKind::Internal),
            "an unknown split gave {error:?}, wanted kind Config"
        );
    }
    Ok(())
}

fn inspects(asked: &Asked) -> Checked {
    let found = asked.open()?.inspect()?;
    let mut nodes: Vec<_> = found.trees.iter().collect();
    while let Some(node) = nodes.pop() {
        ensure!(!node.label.is_empty(), "a node of its tree has no label");
        nodes.extend(&node.children);
    }
    Ok(())
}
