// SPDX-License-Identifier: Apache-2.0
//! Where a dump's rows came from, as it is the same from any folder.

use std::path::{Component, Path};

use serde_json::Value;

/// The options of a source with its paths resolved. Only the plugin knows which of them are paths: what
/// names something that is there is taken for one, up to the first part that is not, such as a glob.
pub fn resolved(source: &Value) -> Value {
    match source {
        Value::String(text) => Value::String(resolved_path(text)),
        Value::Array(items) => items.iter().map(resolved).collect(),
        Value::Object(members) => {
            let members = members.iter();
            let resolved = members.map(|(name, value)| match name.as_str() {
                "plugin" => (name.clone(), value.clone()),
                _ => (name.clone(), resolved(value)),
            });
            Value::Object(resolved.collect())
        }
        other => other.clone(),
    }
}

fn resolved_path(text: &str) -> String {
    let path = Path::new(text);
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    let is_one_name = path.components().count() == 1 && path.components().all(is_plain);
    let mut known = path.ancestors().filter(|part| !part.as_os_str().is_empty());
    let known = known.find_map(|part| Some((part, part.canonicalize().ok()?)));
    match known {
        Some((part, whole)) => {
            let rest = path.strip_prefix(part).unwrap_or(Path::new(""));
            let whole = whole.components().chain(rest.components());
            whole.collect::<std::path::PathBuf>().display().to_string()
        }
        // `*.h5` is in this folder; `L2` is no path at all.
        None if !is_one_name || text.contains(['*', '?']) => {
            let here = std::env::current_dir().unwrap_or_default();
            here.join(path).display().to_string()
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_is_the_same_however_it_is_written() {
        // Tests run in the folder of the package.
        let here = std::env::current_dir().unwrap();
        let here = here.display();
        let of = |path: &str| resolved(&json!({"plugin": "src", "path": path, "n": 1}));
        assert_eq!(of("src/"), of("./src"));
        assert_eq!(of("src")["path"], format!("{here}/src"));
        assert_eq!(of("src/*.rs")["path"], format!("{here}/src/*.rs"));
        assert_eq!(of("*.rs")["path"], format!("{here}/*.rs"));
        assert_eq!(of("src")["plugin"], "src");
        assert_eq!(of("L2")["path"], "L2");
        assert_eq!(of("src")["n"], 1);
        let list = resolved(&json!({"path": ["src", "L2"]}));
        assert_eq!(list["path"], json!([format!("{here}/src"), "L2"]));
    }
}
