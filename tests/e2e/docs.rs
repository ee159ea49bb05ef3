// SPDX-License-Identifier: Apache-2.0
//! What the README and the pages under `docs` show is true: their commands are run and their
//! output compared.
//!
//! A block marked `console` is a session: lines after `$ ` are run by bash at what looks like
//! the top of the repository, or in the folder that an earlier line went to with `cd`, `# exit N`
//! behind a command is its exit code, and the lines below are found in its output in that order,
//! blanks aside; `...` stands for anything. A block marked `yaml NAME` is a file of that name for
//! the sessions below it.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::{
    Space, binary_path, outside_command, outside_projects, outside_target, repository, text,
};

/// One fenced block: the words behind the fence, the line it starts at, its lines.
struct Block {
    info: String,
    line: usize,
    lines: Vec<String>,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (number, line) in document.lines().enumerate() {
        match (line.strip_prefix("```"), is_open) {
            (Some(info), false) => {
                blocks.push(Block {
                    info: info.trim().to_owned(),
                    line: number + 1,
                    lines: Vec::new(),
                });
                is_open = true;
            }
            (Some(_), true) => is_open = false,
            (None, true) => blocks
                .last_mut()
                .expect("an open block")
                .lines
                .push(line.to_owned()),
            (None, false) => {}
        }
    }
    assert!(!is_open, "the last block is closed");
    blocks
}

/// A command of a session with the exit code and output that the document claims.
struct Step {
    command: String,
    code: i32,
    output: Vec<String>,
}

fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in &block.lines {
        if let Some(command) = line.strip_prefix("$ ") {
            let (command, code) = match command.split_once("  # exit ") {
                Some((command, code)) => (command, code.trim().parse().expect("an exit code")),
                None => (command, 0),
            };
            steps.push(Step {
                command: command.to_owned(),
                code,
                output: Vec::new(),
            });
        } else if !line.trim().is_empty() {
            steps
                .last_mut()
                .expect("a session starts with a command")
                .output
                .push(line.clone());
        }
    }
    steps
}

fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `pattern` is the line, `...` standing for anything.
fn is_like(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split("...");
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut is_open = false;
    for part in parts {
        is_open = part.is_empty();
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || is_open
}

/// Runs a command in `folder`.
fn run(space: &Space, folder: &Path, place: &str, step: &Step) {
    // What cargo builds of a project goes where the other tests' projects are built.
    if folder.join("Cargo.toml").is_file() && !folder.join("target").exists() {
        symlink(outside_target(), folder.join("target")).expect("a link");
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let output = outside_command("bash", folder)
        .args(["-c", &format!("set -o pipefail; {} 2>&1", step.command)])
        .env("PATH", format!("{}:{path}", text(space.path("bin"))))
        .env("HOME", space.path("home"))
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("LOGS_NUM")
        .output()
        .expect("bash starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        output.status.code(),
        Some(step.code),
        "{place}: `{}`:\n{printed}",
        step.command
    );
    let mut lines = printed.lines().map(squeezed);
    for wanted in step.output.iter().map(|line| squeezed(line)) {
        let is_there = wanted == "..." || lines.any(|line| is_like(&line, &wanted));
        assert!(
            is_there,
            "{place}: `{}` does not print `{wanted}` there:\n{printed}",
            step.command
        );
    }
}

/// Runs all sessions of a document in an empty space; gives how many commands there were.
pub fn run_document(name: &str, space: &Space) -> usize {
    let path = repository().join(name);
    let document = std::fs::read_to_string(&path).expect("a document");
    for top in ["examples", "tests"] {
        symlink(repository().join(top), space.path(top)).expect("a link");
    }
    space.folder("bin");
    symlink(binary_path(), space.path("bin/milvusdm")).expect("a link");
    let mut folder = space.root().to_owned();
    let mut count = 0;
    for block in blocks(&document) {
        let place = format!("{name}:{}", block.line);
        if let Some(file) = block.info.strip_prefix("yaml ") {
            let file = text(folder.join(file));
            space.write(&file, block.lines.join("\n") + "\n");
        } else if block.info == "console" {
            for step in steps(&block) {
                match step.command.strip_prefix("cd ") {
                    Some(to) => folder.push(to),
                    None => run(space, &folder, &place, &step),
                }
                count += 1;
            }
        }
    }
    count
}

#[test]
fn what_the_readme_shows_is_true() {
    assert!(run_document("README.md", &Space::new()) >= 4);
}

#[test]
fn what_the_guide_shows_is_true() {
    assert!(run_document("docs/guide.md", &Space::new()) >= 12);
}

#[test]
fn what_the_page_for_plugin_authors_shows_is_true() {
    // Always at one place, so that what cargo builds of it replaces what it built before.
    let space = Space::at(&outside_projects("pages"), "authors");
    assert!(run_document("docs/plugin-authors.md", &space) >= 12);
}

#[test]
fn links_inside_the_repository_lead_somewhere() {
    let mut folders = vec![repository()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            if path.is_dir() && !path.is_symlink() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".md") {
                count += check_links(&path);
            }
        }
    }
    assert!(count > 0, "there are links");
}

fn check_links(document: &Path) -> usize {
    let text = std::fs::read_to_string(document).expect("a document");
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let inside = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    let mut count = 0;
    for target in inside {
        let file = target.split('#').next().unwrap_or_default();
        let path = document.parent().expect("a folder").join(file);
        assert!(
            path.exists(),
            "{} links to `{target}`, which is not there",
            document.display()
        );
        count += 1;
    }
    count
}

#[test]
fn every_source_file_names_its_licence() {
    let output = Command::new("git")
        .args([
            "ls-files", "*.rs", "*.py", "*.sh", "*.yaml", "Makefile", ".ci/run",
        ])
        .current_dir(repository())
        .output()
        .expect("git, with which this was fetched");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let files = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(files.lines().count() > 50, "{files}");
    for file in files.lines() {
        let Ok(content) = std::fs::read_to_string(repository().join(file)) else {
            continue;
        };
        let has_licence = content
            .lines()
            .take(3)
            .any(|l| l.contains("SPDX-License-Identifier: Apache-2.0"));
        assert!(has_licence, "{file} has no SPDX line at its top");
    }
}
