// SPDX-License-Identifier: Apache-2.0
//! Says whether a plugin may be called that, before a project of the name is written.
//!
//! The crate for plugins refuses such names too, but only when it is compiled.

use milvusdm_plugin_api::{Error, ErrorKind, Result};

/// Longest name, in bytes.
const MAX_NAME: usize = 64;
/// Names whose crates would be called as the crate for plugins is.
const OF_THE_API: [&str; 2] = ["api", "plugin_api"];

/// Refuses what is no plugin's name, and the names of built-in plugins.
///
/// # Errors
/// `Config`, saying which rule is broken.
pub(super) fn check(name: &str, built_in: &[&str]) -> Result<()> {
    let refuse = |why: String, help: &str| {
        Err(Error::new(
            ErrorKind::Config,
            format!("a plugin can't be called `{name}`: {why}"),
        )
        .help(help.to_owned()))
    };
    let rule = "a plugin's name is 1 to 64 lower-case letters, digits and `_`, a letter first";
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if let Some(other) = name.chars().find(|c| !is_plain(*c)) {
        return refuse(
            format!("`{other}` is none of the characters of a name"),
            rule,
        );
    }
    match name.chars().next() {
        None => return refuse("it is empty".to_owned(), rule),
        Some(first) if !first.is_ascii_lowercase() => {
            return refuse(format!("it starts with `{first}`"), rule);
        }
        Some(_) => {}
    }
    if name.len() > MAX_NAME {
        return refuse(format!("it has {} characters", name.len()), rule);
    }
    if built_in.contains(&name) {
        return refuse(
            "a built-in plugin has that name".to_owned(),
            "a loaded plugin of that name would only be used by tasks that say `prefer: loaded`; choose another name",
        );
    }
    if OF_THE_API.contains(&name) {
        return refuse(
            "its crate would be called as the one for plugins is".to_owned(),
            "choose another name",
        );
    }
    Ok(())
}
