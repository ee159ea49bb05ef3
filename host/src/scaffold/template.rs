// SPDX-License-Identifier: Apache-2.0
//! Fills in the templates.
//!
//! `{{word}}` stands for a value, in files and in their names. A file whose name ends in `.in`
//! would not be what its name says before it is filled in (a manifest); the ending is dropped.
//! So is the line with the templates' own licence: what is written is its author's.

use std::path::Path;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::place::File;
use crate::program::Program;

/// The line that every source file of the product has, templates too.
const LICENCE_LINE: &str = "SPDX-License-Identifier: Apache-2.0";

/// What the words stand for.
#[derive(Debug)]
pub(super) struct Values(Vec<(&'static str, String)>);

impl Values {
    /// The values for a plugin of that name, and a crate for plugins at that path.
    ///
    /// # Errors
    /// `Unsupported` for a path that a manifest can't hold.
    pub fn new(name: &str, api: &Path, api_version: &str) -> Result<Self> {
        let from_below = match api.is_absolute() {
            true => api.to_owned(),
            false => Path::new("..").join(api),
        };
        Ok(Self(vec![
            ("name", name.to_owned()),
            ("NAME", name.to_ascii_uppercase()),
            ("api_path", quoted(api)?),
            ("api_path_from_so", quoted(&from_below)?),
            ("api_version", api_version.to_owned()),
            ("program", Program::current().name.to_owned()),
        ]))
    }

    /// The files of a template, filled in.
    ///
    /// # Errors
    /// `Internal` for a word that stands for nothing.
    pub fn fill(&self, template: &[(&str, &[u8])]) -> Result<Vec<File>> {
        template
            .iter()
            .map(|(path, bytes)| self.file(path, bytes))
            .collect()
    }

    fn file(&self, path: &str, bytes: &[u8]) -> Result<File> {
        let name = self.text(path)?;
        let bytes = match std::str::from_utf8(bytes) {
            Ok(text) => self.text(&without_licence(text))?.into_bytes(),
            // Sample data.
            Err(_) => bytes.to_vec(),
        };
        Ok(File {
            path: name.strip_suffix(".in").unwrap_or(&name).to_owned(),
            bytes,
        })
    }

    fn text(&self, text: &str) -> Result<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            let word = after.split_once("}}").filter(|(word, _)| is_word(word));
            rest = match word {
                Some((word, after)) => {
                    filled.push_str(self.value(word)?);
                    after
                }
                // Braces of the language.
                None => {
                    filled.push_str("{{");
                    after
                }
            };
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn value(&self, word: &str) -> Result<&str> {
        let found = self.0.iter().find(|(known, _)| *known == word);
        found.map(|(_, value)| value.as_str()).ok_or_else(|| {
            let message = format!("`{word}` in a template stands for nothing");
            Error::new(ErrorKind::Internal, message)
        })
    }
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
}

fn without_licence(text: &str) -> String {
    match text.split_once('\n') {
        Some((first, rest)) if first.contains(LICENCE_LINE) => {
            // In C the comment goes on.
            match first.starts_with("/*") && !first.ends_with("*/") {
                true => format!("/*\n{}", rest.strip_prefix(" *\n").unwrap_or(rest)),
                false => rest.to_owned(),
            }
        }
        _ => text.to_owned(),
    }
}

/// A path as a string of a manifest; what JSON escapes, TOML escapes alike.
fn quoted(path: &Path) -> Result<String> {
    let text = path
        .to_str()
        .and_then(|text| serde_json::to_string(text).ok());
    text.ok_or_else(|| {
        Error::new(
            ErrorKind::Unsupported,
            "a manifest can't hold a path that is not UTF-8",
        )
        .with("folder", path.display())
        .help("move the crate for plugins to another folder")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        Values::new("acme", Path::new("/a \"b\""), "1.0.0").unwrap()
    }

    #[test]
    fn words_are_filled_in_and_other_braces_stay() {
        let filled = values()
            .text("{{name}} {{NAME}} {{ x }} {{}} {{name")
            .unwrap();
        assert_eq!(filled, "acme ACME {{ x }} {{}} {{name");
        assert_eq!(values().text("{{api_path}}").unwrap(), r#""/a \"b\"""#);
        let error = values().text("{{nothing}}").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }

    #[test]
    fn names_are_filled_in_and_the_licence_is_left_out() {
        let text = format!("// {LICENCE_LINE}\n//! {{{{name}}}}\n");
        let file = values()
            .file("src/{{name}}.toml.in", text.as_bytes())
            .unwrap();
        assert_eq!(file.path, "src/acme.toml");
        assert_eq!(file.bytes, b"//! acme\n");
        let text = format!("/* {LICENCE_LINE}\n *\n * {{{{name}}}}\n */\n");
        let file = values().file("plugin.c", text.as_bytes()).unwrap();
        assert_eq!(file.bytes, b"/*\n * acme\n */\n");
        let data = values().file("data", b"\xff{{name}}").unwrap();
        assert_eq!(data.bytes, b"\xff{{name}}");
    }
}
