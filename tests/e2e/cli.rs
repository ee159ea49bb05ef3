// SPDX-License-Identifier: Apache-2.0
//! Completions, the schema, and what is told of plugins.

use serde_json::{Value, json};

use crate::support::{Space, data, milvusdm, text};

#[test]
fn the_built_in_plugins_are_listed() {
    let space = Space::new();
    milvusdm(&space, &["plugins", "list"])
        .run()
        .exits(0)
        .prints(&["faiss", "hdf5", "milvus1", "random", "null"]);
    let list = milvusdm(&space, &["plugins", "list", "--json"])
        .run()
        .exits(0)
        .json();
    let plugins = list["plugins"].as_array().expect("plugins");
    let mut names: Vec<&str> = plugins.iter().filter_map(|p| p["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["faiss", "hdf5", "milvus1", "null", "random"]);
}

#[test]
fn every_option_of_a_plugin_is_documented() {
    let space = Space::new();
    for plugin in ["faiss", "hdf5", "milvus1", "random", "null"] {
        let page = milvusdm(&space, &["plugins", "show", plugin])
            .run()
            .exits(0);
        let document = milvusdm(&space, &["plugins", "show", plugin, "--json"])
            .run()
            .exits(0)
            .json();
        for side in ["source", "sink"] {
            let schema = find_schema(&document, side);
            for option in schema.iter().flat_map(|schema| schema.keys()) {
                assert!(
                    page.stdout.contains(option.as_str()),
                    "`{option}` of {plugin}: {page}"
                );
            }
        }
    }
    milvusdm(&space, &["plugins", "show", "hdf"])
        .run()
        .exits(2)
        .says(&["hdf5"]);
}

/// The options of one side of a plugin, wherever the document has its schema.
fn find_schema(document: &Value, side: &str) -> Option<serde_json::Map<String, Value>> {
    let plugin = document.get("plugin").unwrap_or(document);
    let part = plugin.get(side)?;
    let schema = part
        .get("options")
        .or_else(|| part.get("schema"))
        .unwrap_or(part);
    schema.get("properties")?.as_object().cloned()
}

#[test]
fn the_schema_knows_the_task_file_and_the_options_of_each_plugin() {
    let space = Space::new();
    let outcome = milvusdm(&space, &["schema"]).run().exits(0);
    let schema = outcome.json();
    for key in [
        "source", "sink", "select", "map", "convert", "mode", "memory",
    ] {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
    for option in [
        "\"lossy\"",
        "\"space\"",
        "\"compression\"",
        "\"vectors\"",
        "\"seed\"",
    ] {
        assert!(outcome.stdout.contains(option), "{option}");
    }
    assert!(
        schema["$schema"]
            .as_str()
            .is_some_and(|s| s.contains("json-schema.org"))
    );
}

#[test]
fn completions_are_scripts_that_the_shell_takes() {
    let space = Space::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome = milvusdm(&space, &["completions", shell]).run().exits(0);
        assert!(outcome.stdout.contains("inspect"), "{shell}: {outcome}");
    }
    let script = r#""$0" completions bash >milvusdm.bash
        source ./milvusdm.bash
        complete -p milvusdm
        COMP_WORDS=(milvusdm pl) COMP_CWORD=1
        _milvusdm milvusdm pl milvusdm
        echo "${COMPREPLY[@]}""#;
    let outcome = milvusdm(&space, &[])
        .under(&["bash", "-eu", "-c", script])
        .run()
        .exits(0);
    outcome.prints(&["plan", "plugins"]);
}

#[test]
fn inspect_shows_what_is_in_a_file() {
    let space = Space::new();
    let source = format!("faiss:{}", text(data("faiss/ivf8_flat_ids.index")));
    let outcome = milvusdm(&space, &["inspect", &source]).run().exits(0);
    outcome.prints(&["ivf8_flat_ids", "IwFl", "IxFI", "ip"]);
    let document = milvusdm(&space, &["inspect", &source, "--json"])
        .run()
        .exits(0)
        .json();
    assert_eq!(document["datasets"][0]["collection"], "ivf8_flat_ids");
    assert_eq!(document["datasets"][0]["indexes"][0]["family"], "ivf");
    assert!(!document["trees"].as_array().expect("trees").is_empty());
}

#[test]
fn the_plan_says_what_a_lossy_decoding_loses() {
    let space = Space::new();
    let task = json!({
        "source": {"plugin": "faiss", "path": text(data("faiss/sq8.index")), "lossy": "allow"},
        "sink": {"plugin": "hdf5", "path": "out.h5"},
    });
    let task = text(space.write("task.yaml", task.to_string()));
    for command in ["plan", "run"] {
        let outcome = milvusdm(&space, &[command, &task]).run().exits(0);
        let all = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(
            all.contains("loses something") && all.contains("8 bits"),
            "{outcome}"
        );
    }
}

#[test]
fn random_gives_the_same_rows_for_the_same_seed_whatever_the_parallelism() {
    let space = Space::new();
    let read = |name: &str| std::fs::read(space.path(name)).expect("a result");
    for (name, seed, parallel) in [("a.h5", 7, "1"), ("b.h5", 7, "8"), ("c.h5", 8, "1")] {
        let source = format!("random:50000?dim=24&seed={seed}");
        let args = [
            "copy",
            source.as_str(),
            &format!("hdf5:{name}"),
            "--parallel",
            parallel,
        ];
        milvusdm(&space, &args).run().exits(0);
    }
    assert!(
        read("a.h5") == read("b.h5"),
        "the same rows in the same order"
    );
    assert!(read("a.h5") != read("c.h5"));
}
