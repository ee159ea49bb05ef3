// SPDX-License-Identifier: Apache-2.0
//! From a plugin's name to its file: the places that are searched, what is trusted, which of two
//! is meant.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{
    Outcome, SINS, Space, compile_c, milvusdm, plugin_file, sins, text, with_plugins,
};

const FILE: &str = "libmilvusdm_sins.so";

/// A copy of the C plugin in a folder of the space.
#[track_caller]
fn copied(space: &Space, folder: &str) -> PathBuf {
    space.copy(sins(), &format!("{folder}/{FILE}"))
}

#[track_caller]
fn trust(space: &Space, file: &Path) -> Outcome {
    milvusdm(space, &["plugins", "trust", &text(file)])
        .run()
        .exits(0)
}

/// Inspects with the plugin, with further arguments; whether its code ran must be as claimed.
#[track_caller]
fn inspect(space: &Space, args: &[&str], has_run: bool) -> Outcome {
    let trace = space.fresh("trace");
    let args: Vec<&str> = ["inspect", "sins:"].iter().chain(args).copied().collect();
    let outcome = milvusdm(space, &args).env("SINS_TRACE", &trace).run();
    assert_eq!(trace.exists(), has_run, "whether its code ran: {outcome}");
    outcome
}

#[test]
fn a_file_runs_once_it_is_trusted_and_until_it_changes() {
    let space = Space::new();
    let file = copied(&space, "plugins");
    let from = ["--plugin-dir", "plugins"];
    let outcome = inspect(&space, &from, false).exits(2);
    outcome.says(&[
        "the plugin `sins` can't be loaded",
        "the file is not trusted",
        "plugins check",
        "plugins trust",
        "--allow-plugin",
    ]);
    let outcome = trust(&space, &file);
    outcome.prints(&["trusted: sins 1.2.3", "sha256", "trusted_plugins.json"]);
    inspect(&space, &from, true).exits(0).prints(&["rows"]);
    // The content is what is trusted, wherever it stands.
    space.copy(&file, &format!("elsewhere/{FILE}"));
    inspect(&space, &["--plugin-dir", "elsewhere"], true).exits(0);

    let mut bytes = std::fs::read(&file).expect("a file of ours");
    bytes.push(0);
    std::fs::write(&file, bytes).expect("a file of ours");
    let outcome = inspect(&space, &from, false).exits(2);
    outcome.says(&["was trusted, but it has changed since", &text(&file)]);
    trust(&space, &file);
    inspect(&space, &from, true).exits(0);

    let args = ["plugins", "trust", "--remove", &text(&file)];
    milvusdm(&space, &args)
        .run()
        .exits(0)
        .prints(&["no longer trusted"]);
    inspect(&space, &from, false)
        .exits(2)
        .says(&["not trusted"]);
    milvusdm(&space, &args)
        .run()
        .exits(2)
        .says(&["was not trusted"]);
}

#[test]
fn a_file_that_is_named_for_a_run_is_taken_for_that_run_only() {
    let space = Space::new();
    let file = text(copied(&space, "plugins"));
    inspect(&space, &["--allow-plugin", &file], true).exits(0);
    inspect(&space, &["--plugin-dir", "plugins"], false).exits(2);
    assert!(!space.path("home/.config").exists(), "nothing was recorded");
    // Whatever it is called.
    let other = text(space.copy(sins(), "any.so"));
    inspect(&space, &["--allow-plugin", &other], true).exits(0);
    let args = ["inspect", "saints:", "--allow-plugin", &other];
    let outcome = milvusdm(&space, &args).run().exits(2);
    outcome.says(&[
        "there is no plugin `saints`",
        "(--allow-plugin): holds the plugin `sins`",
    ]);
}

#[test]
fn a_plugin_that_is_not_found_is_told_with_every_place() {
    let space = Space::new();
    // Trusted, and in the working directory, which nobody searches.
    let file = copied(&space, "");
    trust(&space, &file);
    let (empty, missing) = (text(space.folder("empty")), text(space.path("missing")));
    let trace = space.path("trace");
    let outcome = milvusdm(&space, &["inspect", "sins:", "--plugin-dir", "empty"])
        .env("MILVUSDM_PLUGIN_PATH", format!("{missing}::.:relative"))
        .env("SINS_TRACE", &trace)
        .run()
        .exits(2);
    assert!(!trace.exists(), "{outcome}");
    outcome.says(&[
        "there is no plugin `sins`; searched",
        "linked in: faiss, hdf5, milvus1, null, random",
        &format!("{empty} (--plugin-dir): no {FILE}"),
        &format!("{missing} (MILVUSDM_PLUGIN_PATH): no such folder"),
        &format!(
            "{}: no such folder",
            text(space.path("home/.local/lib/milvusdm/plugins"))
        ),
        "/usr/lib/milvusdm/plugins: ",
        "MILVUSDM_PLUGIN_PATH names the relative folder `.`, which is not searched",
        "MILVUSDM_PLUGIN_PATH names the relative folder `relative`",
    ]);
    // A name that would lead elsewhere is no name.
    let args = ["inspect", "../sins:", "--plugin-dir", "empty"];
    milvusdm(&space, &args).run().exits(2);
}

#[test]
fn the_flag_comes_before_the_environment_and_that_before_the_home() {
    let space = Space::new();
    let folders = ["flag", "environment", "home/.local/lib/milvusdm/plugins"];
    let files = folders.map(|folder| copied(&space, folder));
    trust(&space, &files[0]);
    let shown = |flag: &[&str], environment: &str| -> Value {
        let args: Vec<&str> = ["plugins", "show", "sins", "--json"]
            .iter()
            .chain(flag)
            .copied()
            .collect();
        let run = milvusdm(&space, &args).env("MILVUSDM_PLUGIN_PATH", environment);
        run.run().exits(0).json()["plugin"]["file"].clone()
    };
    let environment = text(space.path("environment"));
    let canonical = |i: usize| text(files[i].canonicalize().expect("a file of ours"));
    assert_eq!(shown(&["--plugin-dir", "flag"], &environment), canonical(0));
    assert_eq!(shown(&[], &environment), canonical(1));
    assert_eq!(shown(&[], ""), canonical(2));
}

#[test]
fn a_file_that_is_refused_is_passed_over_with_a_warning() {
    let space = Space::new();
    let good = copied(&space, "good");
    trust(&space, &good);
    space.write(&format!("text/{FILE}"), "no library");
    // This one is refused at its door only, and stays loaded: the next must not be taken for it.
    let late = space.folder("late").join(FILE);
    compile_c(&SINS, &["-DJUNK_ROOT_MODULE"], &late);
    trust(&space, &late);
    let args = [
        "--plugin-dir",
        "text",
        "--plugin-dir",
        "late",
        "--plugin-dir",
        "good",
    ];
    let outcome = inspect(&space, &args, true).exits(0);
    outcome.says(&[
        "was passed over",
        "is text, beginning with `no library`",
        &text(late),
        "root module can't be entered",
        "Loading the plugin `sins`",
        &text(good),
    ]);
    // Where none is good, each is told, and the places without one.
    let outcome = inspect(
        &space,
        &[&args[..2], &["--plugin-dir", "none"]].concat(),
        false,
    );
    outcome.exits(3).says(&[
        "can't be loaded",
        "is text",
        "none (--plugin-dir): no such folder",
    ]);
}

/// The `null` plugin's twin in the user's own folder, trusted.
fn twin(space: &Space) -> PathBuf {
    let name = "home/.local/lib/milvusdm/plugins/libmilvusdm_null.so";
    let file = space.copy(&plugin_file("null"), name);
    trust(space, &file);
    file
}

#[test]
fn a_loaded_plugin_of_a_built_ins_name_has_to_be_preferred() {
    let space = Space::new();
    let file = text(twin(&space).canonicalize().expect("a file of ours"));
    let used = |task: &str, flags: &[&str]| -> Value {
        let task = format!(
            "source: {{plugin: random, rows: 10, dim: 2, seed: 1}}\nsink: {{plugin: \"null\"}}\n{task}"
        );
        let task = text(space.write("task.yaml", task));
        let args: Vec<&str> = ["run", &task, "--json"]
            .iter()
            .chain(flags)
            .copied()
            .collect();
        milvusdm(&space, &args).run().exits(0).json()["sink"]["file"].clone()
    };
    assert_eq!(used("", &[]), Value::Null);
    assert_eq!(used("prefer: linked\n", &[]), Value::Null);
    assert_eq!(used("prefer: loaded\n", &[]), file);
    assert_eq!(used("", &["--prefer", "loaded"]), file);
    assert_eq!(
        used("prefer: loaded\n", &["--prefer", "linked"]),
        Value::Null
    );
    assert_eq!(used("prefer: linked\n", &["--prefer", "loaded"]), file);
    // The other one has no twin, which is no matter; one that is refused is.
    let args = ["inspect", "random:?rows=1&dim=1", "--prefer", "loaded"];
    milvusdm(&space, &args).run().exits(0);
    let remove = ["plugins", "trust", "--remove", &file];
    milvusdm(&space, &remove).run().exits(0);
    let args = [
        "copy",
        "random:?rows=1&dim=1",
        "null:",
        "--prefer",
        "loaded",
    ];
    milvusdm(&space, &args)
        .run()
        .exits(2)
        .says(&["the file is not trusted"]);
}

#[test]
fn listing_tells_what_can_be_loaded_and_runs_none_of_it() {
    let space = Space::new();
    let good = copied(&space, "plugins");
    trust(&space, &good);
    space.copy(&plugin_file("faulty"), "plugins/libmilvusdm_faulty.so");
    space.write("plugins/libmilvusdm_text.so", "no library");
    space.write("plugins/README", "not looked at");
    let trace = space.path("trace");
    let list = |args: &[&str]| {
        let args: Vec<&str> = ["plugins", "list", "--plugin-dir", "plugins"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        milvusdm(&space, &args)
            .env("SINS_TRACE", &trace)
            .run()
            .exits(0)
    };
    list(&[]).prints(&[
        "sins",
        "1.2.3",
        "loadable",
        "faulty",
        "not trusted",
        "is text",
    ]);
    let document = list(&["--json"]).json();
    let files = document["files"].as_array().expect("a list");
    let names: Vec<&str> = files
        .iter()
        .filter_map(|file| file["name"].as_str())
        .collect();
    assert_eq!(names, ["faulty", "sins", "text"], "{document:#}");
    assert_eq!(files[1]["refused"], Value::Null);
    assert_eq!(files[0]["refused"]["kind"], "denied");
    assert_eq!(files[2]["refused"]["kind"], "format");
    assert!(!trace.exists(), "code ran");
    // Everything that tells of all plugins leaves those out that it may not run.
    let outcome = milvusdm(&space, &["schema", "--plugin-dir", "plugins"])
        .run()
        .exits(0);
    assert!(outcome.stdout.contains("sins") && !outcome.stdout.contains("faulty"));
    outcome.says(&[
        "is left out",
        "libmilvusdm_faulty.so",
        "libmilvusdm_text.so",
    ]);
}

#[test]
fn what_a_plugin_prints_stays_out_of_the_results() {
    let space = Space::new();
    let file = space.path(FILE);
    compile_c(&SINS, &["-DCHATTY"], &file);
    let args = ["copy", "sins:", "null:", "--json"];
    let outcome = with_plugins(&space, &[&file], &args).run().exits(0);
    assert_eq!(outcome.json()["ledger"]["written"], 100);
    outcome.says(&["sins: here I am", "sins: a batch"]);
    let check = milvusdm(&space, &["plugins", "check", &text(&file), "--json"])
        .run()
        .exits(0);
    assert_eq!(check.json()["verdict"], "good");
}
