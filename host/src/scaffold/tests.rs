// SPDX-License-Identifier: Apache-2.0
//! What is written, and what is refused.

use std::path::Path;

use super::*;

fn write(name: &str, parent: &Path) -> Result<Written> {
    let project = Project {
        name,
        language: Language::Rust,
        api: None,
        parent,
    };
    project.write(&["hdf5"])
}

#[test]
fn names_that_are_none_are_refused_with_the_rule_that_they_break() {
    let parent = tempfile::tempdir().unwrap();
    let long = "a".repeat(65);
    for (name, why) in [
        ("", "empty"),
        ("Acme", "`A`"),
        ("my-format", "`-`"),
        ("../up", "`.`"),
        ("a/b", "`/`"),
        ("ünï", "`ü`"),
        ("7zip", "starts with `7`"),
        ("_x", "starts with `_`"),
        (long.as_str(), "65 characters"),
        ("hdf5", "built-in"),
        ("api", "the one for plugins"),
    ] {
        let error = write(name, parent.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(why), "`{name}`: {error}");
        assert!(error.help_text().is_some(), "{error}");
    }
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    write(&"a".repeat(64), parent.path()).unwrap();
}

#[test]
fn the_copy_of_the_crate_for_plugins_stands_by_itself() {
    let parent = tempfile::tempdir().unwrap();
    let written = write("acme", parent.path()).unwrap();
    let read = |name: &str| std::fs::read_to_string(written.folder.join(name)).unwrap();
    let manifest = read("plugin-api/Cargo.toml");
    assert!(!manifest.contains("workspace"), "{manifest}");
    for wanted in [
        "name = \"milvusdm-plugin-api\"",
        "edition = \"2024\"",
        "[dependencies.abi_stable]",
        "\"derive\"",
    ] {
        assert!(manifest.contains(wanted), "{wanted} in {manifest}");
    }
    assert!(!manifest.contains("bench") && !manifest.contains("proptest"));
    for file in ["src/lib.rs", "src/abi/table.rs", "README.md", "LICENSE"] {
        assert!(
            written.files.contains(&format!("plugin-api/{file}")),
            "{file}"
        );
    }
    assert!(read("Cargo.lock").contains("name = \"abi_stable\""));
}

#[test]
fn a_project_is_filled_in_and_its_authors_own() {
    let parent = tempfile::tempdir().unwrap();
    let written = write("acme", parent.path()).unwrap();
    let own = written.files.iter().filter(|f| !f.starts_with(API_FOLDER));
    let mut count = 0;
    for file in own {
        let bytes = std::fs::read(written.folder.join(file)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("{{name}}"), "{file}");
        assert!(!text.contains("SPDX-License-Identifier"), "{file}");
        assert!(!file.ends_with(".in"), "{file}");
        count += 1;
    }
    assert!(count >= 9, "{:?}", written.files);
    assert!(
        written
            .next
            .iter()
            .any(|command| command.contains("libmilvusdm_acme.so"))
    );
}

#[test]
fn another_crate_for_plugins_is_taken_only_if_it_is_one() {
    let parent = tempfile::tempdir().unwrap();
    let api = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin-api");
    let mut project = Project {
        name: "acme",
        language: Language::Rust,
        api: Some(&api),
        parent: parent.path(),
    };
    let written = project.write(&[]).unwrap();
    assert_eq!(written.api_version, embedded::API_VERSION);
    assert!(!written.files.iter().any(|f| f.starts_with(API_FOLDER)));
    let manifest = std::fs::read_to_string(written.folder.join("so/Cargo.toml")).unwrap();
    let path = api.canonicalize().unwrap();
    assert!(manifest.contains(path.to_str().unwrap()), "{manifest}");

    project.name = "other";
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (api, kind) in [
        (host, ErrorKind::Config),
        (Path::new("/nowhere"), ErrorKind::NotFound),
        (parent.path(), ErrorKind::NotFound),
    ] {
        project.api = Some(api);
        let error = project.write(&[]).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.context_value("option"), Some("--api"));
    }
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
}
