// SPDX-License-Identifier: Apache-2.0
//! What keeps a run from going on: whatever differs between the plan that it followed and the
//! one that its task makes now.

use milvusdm_plugin_api::{Error, ErrorKind};
use serde_json::Value;

use super::record::{RunRecord, TargetRecord};

/// Changes that are listed; more are only counted.
const MOST: usize = 5;

/// The error for a task or source that changed since; `None` if nothing did.
pub fn refusal(before: &RunRecord, now: &RunRecord) -> Option<Error> {
    let mut changes = of_run(before, now);
    if changes.is_empty() {
        return None;
    }
    let more = changes.len().saturating_sub(MOST);
    changes.truncate(MOST);
    let mut error = Error::new(
        ErrorKind::Exists,
        "an earlier run of this task is unfinished, and can't go on: something changed since",
    );
    for change in changes {
        error = error.with("changed", change);
    }
    if more > 0 {
        error = error.with("changed", format!("{more} further things"));
    }
    let is_elsewhere = before.left_behind(now).next().is_some();
    Some(error.help(match is_elsewhere {
        true => format!(
            "give the command in {}; `--restart` begins anew in this folder, and leaves what is there",
            before.folder
        ),
        false => "change it back to go on, or begin anew with `--restart`, which takes back what the earlier run left half-written".to_owned(),
    }))
}

fn of_run(before: &RunRecord, now: &RunRecord) -> Vec<String> {
    let mut changes = Vec::new();
    for target in before.left_behind(now) {
        changes.push(format!(
            "folder: target {} is {} in {}, where the run was begun; this is {}",
            target.name, target.location, before.folder, now.folder
        ));
    }
    changes.extend(differences("source", &before.source, &now.source));
    changes.extend(differences("sink", &before.sink, &now.sink));
    if before.mode != now.mode {
        changes.push(format!("mode: was `{}`, is `{}`", before.mode, now.mode));
    }
    for target in &before.targets {
        match now.targets.iter().find(|new| new.name == target.name) {
            None => changes.push(format!(
                "target {}: was written to, and is left alone now (`select`, `map` or `mode`)",
                target.name
            )),
            Some(new) => of_target(target, new, &mut changes),
        }
    }
    let is_new = |target: &&TargetRecord| !before.targets.iter().any(|old| old.name == target.name);
    for target in now.targets.iter().filter(is_new) {
        changes.push(format!("target {}: is new", target.name));
    }
    changes
}

/// Where the options of a source or sink differ, by their names.
pub fn differences(side: &str, before: &Value, now: &Value) -> Vec<String> {
    if before == now {
        return Vec::new();
    }
    let (Some(old), Some(new)) = (before.as_object(), now.as_object()) else {
        return vec![format!("{side}: is another one")];
    };
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let difference = |name: &&String| match (old.get(*name), new.get(*name)) {
        (old, new) if old == new => None,
        (None, Some(new)) => Some(format!("{side}.{name}: is {new}, was not given")),
        (Some(old), None) => Some(format!("{side}.{name}: was {old}, is not given")),
        (Some(old), Some(new)) => Some(format!("{side}.{name}: was {old}, is {new}")),
        (None, None) => None,
    };
    names.iter().filter_map(difference).collect()
}

fn of_target(before: &TargetRecord, now: &TargetRecord, changes: &mut Vec<String>) {
    let name = &before.name;
    if before.location != now.location {
        changes.push(format!(
            "target {name}: was {}, is {}",
            before.location, now.location
        ));
    }
    if before.columns != now.columns || before.conversions != now.conversions {
        changes.push(format!("target {name}: its columns or their conversions"));
    }
    if before.splits.len() != now.splits.len() {
        changes.push(format!(
            "target {name}: the source had {} splits for it, now {}",
            before.splits.len(),
            now.splits.len()
        ));
        return;
    }
    for (old, new) in before.splits.iter().zip(&now.splits) {
        if (&old.dataset, &old.id) != (&new.dataset, &new.id) {
            changes.push(format!(
                "source: split {} of {} is now {} of {}",
                old.id, old.dataset, new.id, new.dataset
            ));
        } else if old.fingerprint != new.fingerprint {
            changes.push(format!(
                "source: split {} of {} was written to, or its file has another time",
                old.id, old.dataset
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::record::{Mark, SplitRecord, Stage};
    use super::*;

    fn run() -> RunRecord {
        let split = |id: &str| SplitRecord {
            dataset: "faces".to_owned(),
            id: id.to_owned(),
            fingerprint: "1".to_owned(),
            live: None,
            acknowledged: Mark::default(),
            durable: Mark::default(),
        };
        RunRecord {
            run: "abcd1234".to_owned(),
            began: 7,
            source: json!({"plugin": "faiss", "path": "a"}),
            sink: json!({"plugin": "hdf5", "path": "b"}),
            mode: "fail".to_owned(),
            folder: "/nowhere".into(),
            is_reported: false,
            targets: vec![TargetRecord {
                name: "faces".to_owned(),
                location: "l".to_owned(),
                columns: vec!["id".into()],
                conversions: Vec::new(),
                existed: false,
                rows_before: None,
                stage: Stage::Planned,
                splits: vec![split("0"), split("1")],
            }],
        }
    }

    #[test]
    fn each_change_is_named() {
        assert_eq!(refusal(&run(), &run()), None);
        let changed = |change: fn(&mut RunRecord)| {
            let mut now = run();
            change(&mut now);
            refusal(&run(), &now).unwrap().to_string()
        };
        let says = |text: String, what: &str| assert!(text.contains(what), "{what}: {text}");
        says(
            changed(|run| run.source = json!({"plugin": "faiss", "path": "c"})),
            r#"source.path: was "a", is "c""#,
        );
        says(
            changed(|run| run.sink["index"] = "none".into()),
            r#"sink.index: is "none", was not given"#,
        );
        says(
            changed(|run| run.mode = "skip".to_owned()),
            "mode: was `fail`, is `skip`",
        );
        says(
            changed(|run| run.targets.clear()),
            "target faces: was written to, and is left alone now",
        );
        says(
            changed(|run| run.targets[0].splits[1].fingerprint.push('2')),
            "split 1 of faces was written to",
        );
        says(
            changed(|run| drop(run.targets[0].splits.pop())),
            "had 2 splits for it, now 1",
        );
        says(changed(|run| run.targets[0].columns.clear()), "its columns");
        says(
            changed(|run| run.targets[0].location.push('2')),
            "was l, is l2",
        );
    }
}
