// SPDX-License-Identifier: Apache-2.0
//! The end that is a data directory of Milvus 1.x.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::fault::Fault;
use super::super::names::DEFAULT_PARTITION;
use super::super::pointer;
use super::super::render::shorten;
use super::draft::Draft;
use super::keys::{Collections, MysqlParameter, OneOrMany};
use super::{Purpose, expect_text};

/// Port of a MySQL server, unless it was changed.
const MYSQL_PORT: u16 = 3306;
/// What stands for a password that must not be shown.
const PASSWORD: &str = "${MYSQL_PASSWORD}";

/// What M2M and M2H say about their source.
pub(super) struct Source<'a> {
    pub path: &'a str,
    pub mysql: Option<&'a MysqlParameter>,
    pub include: &'a Collections,
    pub exclude: Option<&'a Collections>,
}

impl Source<'_> {
    /// Reads from there.
    pub(super) fn write(&self, draft: &mut Draft, purpose: Purpose<'_>) -> Result<(), Fault> {
        expect_text(self.path, &draft.at("source_milvus_path"))?;
        draft.set("source/plugin", "milvus1", "");
        draft.set_text("source/path", self.path, "source_milvus_path");
        draft.note(
            "source",
            "also read: segments that wait for their index, and rows in the write-ahead log (`wal: ignore` leaves those)",
        );
        if let Some(mysql) = self.mysql {
            let uri = mysql_uri(mysql, draft, purpose)?;
            draft.set("source/metadata", uri, "mysql_parameter");
        }
        let include = globs(self.include, "source_collection", draft)?;
        if let Some(include) = include {
            draft.set_list("select/include", &include, "source_collection");
        }
        if let Some(exclude) = self.exclude {
            let exclude = globs(exclude, "exclude_collection", draft)?;
            let all = || vec![("*".to_owned(), "exclude_collection".to_owned())];
            let exclude = exclude.unwrap_or_else(all);
            draft.set_list("select/exclude", &exclude, "exclude_collection");
        }
        Ok(())
    }

    /// Whether it takes default partitions only together with all others of their collections.
    pub(super) fn takes_whole_collections(&self) -> bool {
        let is_default = |tags: &OneOrMany| {
            let mut each = tags.each().into_iter();
            each.any(|(tag, _)| is_default_tag(tag))
        };
        match self.include {
            Collections::All(_) => true,
            Collections::Named(named) => !named.values().flatten().any(is_default),
        }
    }
}

fn is_default_tag(tag: &str) -> bool {
    tag.is_empty() || tag == DEFAULT_PARTITION
}

/// The URI of the metadata; user and password may hold any letter.
fn mysql_uri(
    mysql: &MysqlParameter,
    draft: &mut Draft,
    purpose: Purpose<'_>,
) -> Result<String, Fault> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let port = match &mysql.port {
        Some(port) => port.number(&draft.at("mysql_parameter/port"))?,
        None => MYSQL_PORT,
    };
    for (key, text) in [("host", &mysql.host), ("database", &mysql.database)] {
        expect_text(text, &draft.at(&format!("mysql_parameter/{key}")))?;
    }
    let password = match mysql.password.as_deref() {
        None | Some("") => String::new(),
        Some(password) if purpose.is_run() => format!(":{}", encoded(password)),
        Some(_) => {
            draft.note(
                "source",
                "the password is not repeated here: set MYSQL_PASSWORD, with letters other than A-Z a-z 0-9 as %XX",
            );
            format!(":{PASSWORD}")
        }
    };
    let host = match mysql.host.contains(':') {
        true => format!("[{}]", mysql.host),
        false => mysql.host.replace('$', "$$"),
    };
    let (user, database) = (encoded(&mysql.user), encoded(&mysql.database));
    Ok(format!("mysql://{user}{password}@{host}:{port}/{database}"))
}

/// The globs for collections and their partitions, each with where it comes from; `None` for
/// everything.
fn globs(
    collections: &Collections,
    key: &str,
    draft: &Draft,
) -> Result<Option<Vec<(String, String)>>, Fault> {
    let named = match collections {
        Collections::All(all) if all == "*" => return Ok(None),
        Collections::All(other) => {
            let message = format!("found `{}`, wanted `*` or collections", shorten(other));
            let help = format!("write `{key}: {{{}: }}`", shorten(other));
            return Err(Fault::of_value(&draft.at(key), message).help(help));
        }
        Collections::Named(named) => named,
    };
    if named.is_empty() {
        let fault = Fault::of_value(&draft.at(key), "found no collection, wanted one or more");
        return Err(fault.help("`'*'` takes all there are"));
    }
    let mut globs = Vec::new();
    for (collection, tags) in named {
        let from = pointer::member(key, collection);
        if collection.is_empty() || collection.contains('/') {
            let message = "wanted the name of a collection".to_owned();
            let fault = Fault::of_key(&draft.at(&from), message);
            return Err(fault.help(format!(
                "partitions stand in a list: `{key}: {{test: [p1, p2]}}`"
            )));
        }
        let tags = tags.as_ref().map(OneOrMany::each).unwrap_or_default();
        if tags.is_empty() {
            globs.push((collection.clone(), from));
            continue;
        }
        for (tag, below) in tags {
            globs.push((
                format!("{collection}/{}", tag_glob(tag)),
                format!("{from}{below}"),
            ));
        }
    }
    Ok(Some(globs))
}

/// The glob that takes the partition of a tag, which may hold any letter; `*` takes all.
fn tag_glob(tag: &str) -> String {
    if is_default_tag(tag) {
        return DEFAULT_PARTITION.to_owned();
    }
    if tag == "*" {
        return tag.to_owned();
    }
    let mut glob = String::with_capacity(tag.len());
    for letter in tag.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            glob.push('\\');
        }
        glob.push(letter);
    }
    glob
}
