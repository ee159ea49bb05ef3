// SPDX-License-Identifier: Apache-2.0
//! Who may have written a plugin file, and what may stand in its place.
//!
//! CI runs as root, who owns everything there: files of other users are made with `chown`, and
//! runs of other users with `setpriv`.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::support::{
    Outcome, SINS, Space, compile_c, is_root, milvusdm, open_binary, plugin_file, set_mode, sins,
    text,
};

const FILE: &str = "libmilvusdm_sins.so";
const NOBODY: u32 = 65534;

/// A space with the C plugin in `plugins`, trusted.
#[track_caller]
fn trusted() -> Space {
    let space = Space::new();
    let file = space.copy(sins(), &format!("plugins/{FILE}"));
    set_mode(&file, 0o644);
    set_mode(&space.path("plugins"), 0o755);
    milvusdm(&space, &["plugins", "trust", &text(file)])
        .run()
        .exits(0);
    space
}

/// Inspects with the plugin from `plugins`, or as one that is named for the run.
#[track_caller]
fn inspect(space: &Space, is_named: bool, has_run: bool) -> Outcome {
    let trace = space.fresh("trace");
    let file = text(space.path("plugins").join(FILE));
    let from = match is_named {
        false => ["--plugin-dir", "plugins"],
        true => ["--allow-plugin", &file],
    };
    let args = [&["inspect", "sins:"], &from[..]].concat();
    let outcome = milvusdm(space, &args).env("SINS_TRACE", &trace).run();
    assert_eq!(trace.exists(), has_run, "whether its code ran: {outcome}");
    outcome
}

#[test]
fn what_everybody_may_write_never_runs_and_what_a_group_may_only_when_it_is_named() {
    let space = trusted();
    let (folder, file) = (space.path("plugins"), space.path("plugins").join(FILE));
    for (folder_mode, file_mode, part) in [
        (0o755, 0o664, "its group may write to it"),
        (0o775, 0o644, "its group may write to it"),
        (0o755, 0o646, "everybody may write to it"),
        (0o757, 0o644, "everybody may write to it"),
        (0o1777, 0o644, "everybody may write to it"),
    ] {
        set_mode(&folder, folder_mode);
        set_mode(&file, file_mode);
        inspect(&space, false, false)
            .exits(2)
            .says(&[part, "is not safe", "chmod"]);
        let is_of_a_group = part.starts_with("its group");
        let outcome = inspect(&space, true, is_of_a_group);
        match is_of_a_group {
            true => outcome.exits(0),
            false => outcome.exits(2).says(&[part]),
        };
        // What can't be loaded can't be trusted either.
        let args = ["plugins", "trust", &text(&file)];
        milvusdm(&space, &args).run().exits(2).says(&[part]);
    }
    set_mode(&folder, 0o755);
    set_mode(&file, 0o644);
    inspect(&space, false, true).exits(0);
    // A folder above, too: who may rename `plugins` chooses what stands there.
    set_mode(space.root(), 0o777);
    inspect(&space, true, false)
        .exits(2)
        .says(&["everybody may write to it"]);
    set_mode(space.root(), 0o755);
}

fn chown(path: &Path, user: u32) {
    std::os::unix::fs::chown(path, Some(user), Some(user)).expect("root gives files away");
}

#[test]
fn what_another_user_owns_does_not_run() {
    if !is_root() {
        // Only root can give a file away; CI is root.
        return;
    }
    let space = trusted();
    let (folder, file) = (space.path("plugins"), space.path("plugins").join(FILE));
    let wanted = &["belongs to uid 65534, wanted root or you (uid 0)"];
    for owned in [&file, &folder] {
        chown(owned, NOBODY);
        for is_named in [false, true] {
            inspect(&space, is_named, false).exits(2).says(wanted);
        }
        chown(owned, 0);
    }
    inspect(&space, false, true).exits(0);

    // Nobody runs what is nobody's own, and what is root's.
    let home = space.folder("nobodys/home");
    chown(&space.path("nobodys"), NOBODY);
    chown(&home, NOBODY);
    let own = space.copy(&file, &format!("nobodys/plugins/{FILE}"));
    chown(&own, NOBODY);
    chown(&space.path("nobodys/plugins"), NOBODY);
    let binary = open_binary(&space);
    let user = NOBODY.to_string();
    let as_nobody = |args: &[&str]| {
        let wrapper = [
            "setpriv",
            "--reuid",
            &user,
            "--regid",
            &user,
            "--clear-groups",
            "--",
        ];
        milvusdm(&space, args)
            .program(&binary)
            .env("HOME", &home)
            .env("MILVUSDM_PATH", &home)
            .under(&wrapper)
            .run()
    };
    for file in [&own, &file] {
        let file = text(file);
        let args = ["inspect", "sins:", "--allow-plugin", &file];
        as_nobody(&args).exits(0);
    }
    // The list of what is trusted is each user's own.
    let args = ["inspect", "sins:", "--plugin-dir", "plugins"];
    as_nobody(&args).exits(2).says(&["not trusted"]);
    as_nobody(&["plugins", "trust", &text(&file)]).exits(0);
    as_nobody(&args).exits(0);
}

#[test]
fn links_are_followed_and_judged_by_what_they_lead_to() {
    let space = trusted();
    let link = space.folder("links").join(FILE);
    std::os::unix::fs::symlink(space.path("plugins").join(FILE), &link).expect("a link");
    let args = ["plugins", "show", "sins", "--plugin-dir", "links", "--json"];
    let shown = milvusdm(&space, &args).run().exits(0).json();
    let target = space
        .path("plugins")
        .join(FILE)
        .canonicalize()
        .expect("a file of ours");
    assert_eq!(shown["plugin"]["file"], text(target));
    for folder in ["links", "plugins"] {
        set_mode(&space.path(folder), 0o777);
        milvusdm(&space, &args)
            .run()
            .exits(2)
            .says(&["is not safe", folder]);
        set_mode(&space.path(folder), 0o755);
    }
    let link = space.folder("loops").join(FILE);
    std::os::unix::fs::symlink(&link, &link).expect("a link");
    let args = ["inspect", "sins:", "--plugin-dir", "loops"];
    milvusdm(&space, &args)
        .run()
        .exits(2)
        .says(&["open the plugin file"]);
}

#[test]
fn what_is_no_file_is_named_and_not_waited_for() {
    let space = Space::new();
    let folder = space.folder("plugins");
    let made = std::process::Command::new("mkfifo")
        .arg(folder.join(FILE))
        .status();
    assert!(made.expect("mkfifo is installed").success());
    let args = ["inspect", "sins:", "--plugin-dir", "plugins"];
    let run = |args: &[&str]| milvusdm(&space, args).limit_ms(20_000).run();
    run(&args)
        .exits(2)
        .says(&["this is a pipe, wanted a plugin file"]);
    run(&["plugins", "list", "--plugin-dir", "plugins"])
        .exits(0)
        .prints(&["this is a pipe"]);
    run(&["plugins", "check", &text(folder.join(FILE))])
        .exits(2)
        .says(&["a pipe"]);
    std::fs::remove_file(folder.join(FILE)).expect("a pipe of ours");
    space.folder(&format!("plugins/{FILE}"));
    run(&args).exits(2).says(&["this is a folder"]);
    std::fs::remove_dir(folder.join(FILE)).expect("a folder of ours");
    std::os::unix::fs::symlink("/dev/zero", folder.join(FILE)).expect("a link");
    // Already the folder of devices may be anybody's.
    let outcome = run(&args);
    assert_eq!(outcome.code, Some(2), "{outcome}");
}

#[test]
fn libraries_that_look_for_others_beside_themselves_are_refused() {
    let space = Space::new();
    let file = space.path(FILE);
    for (switches, part) in [
        (&["-Wl,-rpath,$ORIGIN"][..], "`$ORIGIN`"),
        (&["-Wl,-rpath,/usr/lib:lib"], "`/usr/lib:lib`"),
        (&["-Wl,-rpath,/usr/lib::/lib"], "`/usr/lib::/lib`"),
        (&["-Wl,--disable-new-dtags,-rpath,."], "`.`"),
        (&["-Wl,-f,./libother.so"], "`./libother.so`"),
    ] {
        compile_c(&SINS, switches, &file);
        let args = ["inspect", "sins:", "--allow-plugin", &text(&file)];
        let outcome = milvusdm(&space, &args).run().exits(3);
        outcome.says(&[part, "relative to itself or to the working directory"]);
    }
    compile_c(&SINS, &["-Wl,-rpath,/nowhere"], &file);
    let args = ["inspect", "sins:", "--allow-plugin", &text(&file)];
    milvusdm(&space, &args).run().exits(0);
    // One that is not there at all is for the system to say.
    compile_c(
        &SINS,
        &["-Wl,--no-as-needed", "-Wl,-soname,libgone.so"],
        &space.path("libgone.so"),
    );
    let link = ["-Wl,--no-as-needed", &text(space.path("libgone.so"))];
    compile_c(&SINS, &link, &file);
    let outcome = milvusdm(&space, &args).run().exits(3);
    outcome.says(&[
        "the system can't load the library",
        "libgone.so",
        "readelf -d",
    ]);
}

#[test]
fn a_list_of_trusted_files_that_others_may_have_written_is_not_believed() {
    let space = trusted();
    let list = space.path("home/.config/milvusdm/trusted_plugins.json");
    let run = || inspect(&space, false, false).exits(2);
    for mode in [0o666, 0o620] {
        set_mode(&list, mode);
        run().says(&["may have been written by others", "chmod go-w"]);
    }
    set_mode(&list, 0o600);
    inspect(&space, false, true).exits(0);
    if is_root() {
        chown(&list, NOBODY);
        run().says(&["may have been written by others"]);
        chown(&list, 0);
    }
    let good = std::fs::read_to_string(&list).expect("the list");
    for (damage, part) in [
        (good[..good.len() / 2].to_owned(), "is damaged"),
        ("[]".to_owned(), "is damaged"),
        (
            good.replace("\"version\": 1,", "\"version\": 7,"),
            "has version 7, wanted 1",
        ),
    ] {
        std::fs::write(&list, damage).expect("a file of ours");
        run().says(&["the list of trusted plugins", part, &text(&list)]);
        // Nor is it written over, as if it had been empty.
        let args = ["plugins", "trust", &text(space.path("plugins").join(FILE))];
        milvusdm(&space, &args).run().exits(2).says(&[part]);
    }
    std::fs::write(&list, good).expect("a file of ours");
    inspect(&space, false, true).exits(0);
    // A file that is named for the run needs no list.
    std::fs::write(&list, "{").expect("a file of ours");
    inspect(&space, true, true).exits(0);
}

#[derive(Default)]
struct Over(AtomicBool);

/// Ends what waits for it, in a test that fails too.
struct Ending<'a>(&'a Over);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// What runs is what was checked, whatever is done to the file meanwhile.
#[test]
fn a_file_that_is_swapped_while_a_run_starts_runs_as_trusted_or_not_at_all() {
    let space = Space::new();
    let place = space.folder("plugins").join("libmilvusdm_faulty.so");
    let good = std::fs::read(plugin_file("faulty")).expect("the plugin");
    // Another content of the same plugin, that nobody trusts.
    let mut bad = good.clone();
    bad.extend_from_slice(b"more");
    std::fs::write(&place, &good).expect("a file of ours");
    let trusted = milvusdm(&space, &["plugins", "trust", &text(&place), "--json"])
        .run()
        .exits(0);
    let sha256 = trusted.json()["trusted"][0]["sha256"].clone();
    let is_over = Over::default();
    let (mut ran, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // By turns as a whole, and within the file that is there.
            for turn in 0.. {
                if is_over.0.load(Ordering::Relaxed) {
                    break;
                }
                let content = if turn % 2 == 0 { &bad } else { &good };
                if turn % 4 < 2 {
                    let other = space.path("plugins/other");
                    std::fs::write(&other, content).expect("a file of ours");
                    std::fs::rename(&other, &place).expect("a file of ours");
                } else {
                    std::fs::write(&place, content).expect("a file of ours");
                }
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
        });
        let _ending = Ending(&is_over);
        let args = [
            "copy",
            "faulty:",
            "null:",
            "--json",
            "--plugin-dir",
            "plugins",
        ];
        for _ in 0..40 {
            let outcome = milvusdm(&space, &args).run();
            match outcome.code {
                Some(0) => {
                    ran += 1;
                    assert_eq!(outcome.json()["source"]["sha256"], sha256, "{outcome}");
                }
                // A file that is being written may be cut off, or empty, at that moment.
                Some(2 | 3) => {
                    refused += 1;
                    let error: Value = outcome.json()["error"].clone();
                    assert_ne!(error, Value::Null, "{outcome}");
                }
                _ => panic!("{outcome}"),
            }
        }
    });
    assert!(ran > 0 && refused > 0, "{ran} ran, {refused} were refused");
}
