// SPDX-License-Identifier: Apache-2.0
//! Embeds what `plugins new` writes: the templates, the crate for plugins as it stands beside
//! this one, and the versions that both are tested with.
//!
//! The crate's manifest takes values from this workspace; a copy elsewhere can't, so they are
//! filled in here.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use toml::{Table, Value};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Parts of the crate for plugins that its users need; its tests and benchmarks stay here.
const API_PARTS: [&str; 3] = ["src", "include", "README.md"];
/// Parts of its manifest that belong to its tests, or to this workspace.
const NOT_COPIED: [&str; 3] = ["dev-dependencies", "bench", "lints"];

fn main() -> Result<()> {
    let host = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let top = host.parent().ok_or("the host stands in the repository")?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let api = top.join("plugin-api");
    let read = |name: &str| -> Result<String> {
        let path = top.join(name);
        println!("cargo:rerun-if-changed={}", path.display());
        fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()).into())
    };

    let manifest: Table = read("plugin-api/Cargo.toml")?.parse()?;
    let (manifest, version) = filled_in(manifest, &read("Cargo.toml")?.parse()?)?;
    fs::write(out.join("plugin-api.toml"), manifest)?;
    read("Cargo.lock")?;

    let mut files = Vec::new();
    for part in API_PARTS {
        collect(&api, &api.join(part), &mut files)?;
    }
    files.push(("Cargo.toml".to_owned(), out.join("plugin-api.toml")));
    files.push(("LICENSE".to_owned(), top.join("LICENSE")));
    let mut code = format!("pub(super) const API_VERSION: &str = {version:?};\n");
    add_list(&mut code, "API", &files)?;
    for (list, folder) in [("RUST", "template/rust"), ("C", "template/c")] {
        let folder = host.join(folder);
        let mut files = Vec::new();
        collect(&folder, &folder, &mut files)?;
        add_list(&mut code, list, &files)?;
    }
    let lock = top.join("Cargo.lock");
    writeln!(
        code,
        "pub(super) const LOCK: &str = include_str!({lock:?});"
    )?;
    fs::write(out.join("scaffold.rs"), code)?;
    Ok(())
}

/// Adds a file, or all files of a folder, by their names below `root`.
fn collect(root: &Path, path: &Path, files: &mut Vec<(String, PathBuf)>) -> Result<()> {
    println!("cargo:rerun-if-changed={}", path.display());
    if path.is_file() {
        let name = path.strip_prefix(root)?.to_str().ok_or("a name in UTF-8")?;
        files.push((name.to_owned(), path.to_owned()));
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.sort();
    paths.iter().try_for_each(|path| collect(root, path, files))
}

fn add_list(code: &mut String, name: &str, files: &[(String, PathBuf)]) -> Result<()> {
    writeln!(code, "pub(super) static {name}: &[(&str, &[u8])] = &[")?;
    for (name, path) in files {
        writeln!(code, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    code.push_str("];\n");
    Ok(())
}

/// The manifest without what its users don't need, and with what it inherits; and its version.
fn filled_in(mut manifest: Table, workspace: &Table) -> Result<(String, String)> {
    let inherited = |part: &str| -> Result<&Table> {
        let part = workspace.get("workspace").and_then(|w| w.get(part));
        part.and_then(Value::as_table)
            .ok_or_else(|| "the workspace has no such part".into())
    };
    for part in NOT_COPIED {
        manifest.remove(part);
    }
    let package = inherited("package")?;
    for (key, value) in table(&mut manifest, "package")? {
        if is_inherited(value) {
            let found = package.get(key);
            *value = found
                .ok_or_else(|| format!("no `{key}` to inherit"))?
                .clone();
        }
    }
    let dependencies = inherited("dependencies")?;
    for (key, value) in table(&mut manifest, "dependencies")? {
        if is_inherited(value) {
            let found = dependencies.get(key);
            let found = found.ok_or_else(|| format!("no dependency `{key}` to inherit"))?;
            *value = Value::Table(joined(found, value)?);
        }
        if value.get("path").is_some() {
            return Err(format!("`{key}` is not where a copy of the crate would look").into());
        }
    }
    // What would be inherited elsewhere is not filled in; better noticed when this is built.
    let is_known = |part: &str| ["package", "dependencies"].contains(&part);
    if let Some(part) = manifest.keys().find(|part| !is_known(part)) {
        return Err(format!("`{part}` of the manifest is not known here").into());
    }
    let version = table(&mut manifest, "package")?.get("version");
    let version = version
        .and_then(Value::as_str)
        .ok_or("a version")?
        .to_owned();
    let text = toml::to_string(&manifest)?;
    let head = "# The crate for plugins, as the milvusdm that wrote it carries it.\n";
    Ok((format!("{head}{text}"), version))
}

fn table<'a>(manifest: &'a mut Table, part: &str) -> Result<&'a mut Table> {
    let found = manifest.get_mut(part).and_then(Value::as_table_mut);
    found.ok_or_else(|| format!("the manifest has no `{part}`").into())
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

/// The workspace's dependency with what the member adds to it.
fn joined(workspace: &Value, member: &Value) -> Result<Table> {
    let mut all = match workspace {
        Value::Table(table) => table.clone(),
        version => Table::from_iter([("version".to_owned(), version.clone())]),
    };
    for (key, value) in member.as_table().into_iter().flatten() {
        match (key.as_str(), all.get_mut(key), value) {
            ("workspace", ..) => {}
            ("features", Some(Value::Array(all)), Value::Array(more)) => {
                all.extend(more.iter().cloned());
            }
            _ => _ = all.insert(key.clone(), value.clone()),
        }
    }
    Ok(all)
}
