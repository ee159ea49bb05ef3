// SPDX-License-Identifier: Apache-2.0
//! Metadata in MySQL or MariaDB, read in one read-only transaction.

use std::time::Duration;

use milvusdm_plugin_api::{Error, ErrorKind, Result, Services};
use mysql::prelude::Queryable;
use mysql::{AccessMode, Conn, IsolationLevel, OptsBuilder, Row, SslOpts, TxOpts, Value};
use url::{Url, form_urlencoded};

use super::{Cell, Cells, Columns, ENVIRONMENT, FILES, FileRow, Metadata, TABLES, TableRow};

const PORT: u16 = 3306;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// Reads the metadata of the database that the URI names.
///
/// # Errors
/// `Config` for a URI that is none; `Denied`, `NotFound` or `Remote` as the server says.
pub fn read(uri: &str, services: &Services) -> Result<Metadata> {
    let place = Place::parse(uri)?;
    place.mask(services);
    let origin = place.to_string();
    let failed = |cause: mysql::Error| place.failed(cause);
    let mut connection = Conn::new(place.options()).map_err(failed)?;
    services.check_cancelled()?;
    let options = TxOpts::default()
        .set_isolation_level(Some(IsolationLevel::RepeatableRead))
        .set_access_mode(Some(AccessMode::ReadOnly))
        .set_with_consistent_snapshot(true);
    let mut snapshot = connection.start_transaction(options).map_err(failed)?;
    let mut reader = Reader {
        place: &place,
        origin: &origin,
        snapshot: &mut snapshot,
    };
    let mut metadata = Metadata {
        tables: reader.rows("Tables", TABLES, TableRow::from_cells)?,
        files: reader.rows("TableFiles", FILES, FileRow::from_cells)?,
        global_lsn: 0,
        origin: origin.clone(),
    };
    if !reader.columns("Environment")?.is_empty() {
        let lsns = reader.rows("Environment", ENVIRONMENT, |mut cells| cells.int())?;
        metadata.global_lsn = lsns.into_iter().max().unwrap_or(0);
    }
    metadata.sort();
    Ok(metadata)
}

/// What the query part of the URI says of encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tls {
    Off,
    Required,
    Verify,
}

struct Place {
    user: String,
    password: String,
    host: String,
    port: u16,
    database: String,
    tls: Tls,
}

impl std::fmt::Display for Place {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            user,
            host,
            port,
            database,
            ..
        } = self;
        write!(f, "mysql://{user}@{host}:{port}/{database}")
    }
}

impl Place {
    fn parse(uri: &str) -> Result<Self> {
        let url = Url::parse(uri).map_err(|e| wrong("the URI can't be read").caused_by(e))?;
        let host = url.host_str().filter(|h| !h.is_empty());
        let database = decoded(url.path().trim_start_matches('/'));
        if database.is_empty() || database.contains('/') {
            return Err(wrong("the URI names no database"));
        }
        let mut tls = Tls::Off;
        for (key, value) in url.query_pairs() {
            tls = match (key.as_ref(), value.as_ref()) {
                ("tls", "off") => Tls::Off,
                ("tls", "required") => Tls::Required,
                ("tls", "verify") => Tls::Verify,
                _ => return Err(wrong("after `?` only `tls=off|required|verify` is known")),
            };
        }
        Ok(Self {
            user: decoded(url.username()),
            password: decoded(url.password().unwrap_or_default()),
            host: host
                .ok_or_else(|| wrong("the URI names no host"))?
                .trim_matches(['[', ']'])
                .to_owned(),
            port: url.port().unwrap_or(PORT),
            database,
            tls,
        })
    }

    fn mask(&self, services: &Services) {
        if !self.password.is_empty() {
            services.mask_secret(&self.password);
        }
    }

    fn options(&self) -> OptsBuilder {
        let tls = match self.tls {
            Tls::Off => None,
            Tls::Verify => Some(SslOpts::default()),
            Tls::Required => Some(
                SslOpts::default()
                    .with_danger_accept_invalid_certs(true)
                    .with_danger_skip_domain_validation(true),
            ),
        };
        OptsBuilder::new()
            .ip_or_hostname(Some(self.host.clone()))
            .tcp_port(self.port)
            .user(Some(self.user.clone()))
            .pass(Some(self.password.clone()))
            .db_name(Some(self.database.clone()))
            .prefer_socket(false)
            .tcp_connect_timeout(Some(CONNECT_TIMEOUT))
            .read_timeout(Some(READ_TIMEOUT))
            .ssl_opts(tls)
    }

    /// Says what the server said; its texts never hold the password.
    fn failed(&self, cause: mysql::Error) -> Error {
        // https://mariadb.com/kb/en/mariadb-error-codes/: 1044, 1045 access denied,
        // 1049 unknown database, 1142 command denied, 1146 no such table.
        let (kind, help) = match &cause {
            mysql::Error::MySqlError(e) => match e.code {
                1044 | 1045 | 1142 | 1143 => (
                    ErrorKind::Denied,
                    "check user and password in `metadata`; reading needs SELECT only",
                ),
                1049 | 1146 => (
                    ErrorKind::NotFound,
                    "check the database in `metadata`: the server's `meta_uri` names it",
                ),
                _ => (ErrorKind::Remote, "see the database server's log"),
            },
            _ => (
                ErrorKind::Remote,
                "check host and port in `metadata`, and whether the database server runs",
            ),
        };
        Error::new(kind, "can't read the metadata from the database server")
            .with("metadata", self)
            .caused_by(cause)
            .help(help)
    }
}

struct Reader<'a, 'b> {
    place: &'a Place,
    origin: &'a str,
    snapshot: &'a mut mysql::Transaction<'b>,
}

impl Reader<'_, '_> {
    /// The columns of a table; none where there is no such table.
    fn columns(&mut self, table: &str) -> Result<Vec<String>> {
        self.snapshot
            .exec(
                "SELECT column_name FROM information_schema.columns \
                 WHERE table_schema = ? AND table_name = ?",
                (&self.place.database, table),
            )
            .map_err(|e| self.place.failed(e))
    }

    fn rows<T>(
        &mut self,
        table: &'static str,
        columns: Columns,
        make: impl Fn(Cells<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let there = self.columns(table)?;
        if there.is_empty() {
            let message = format!("the database has no table `{table}`");
            return Err(Error::new(ErrorKind::NotFound, message)
                .with("metadata", self.origin)
                .help("the server's `meta_uri` names the database"));
        }
        let chosen = super::choose(table, columns, &there, self.origin)?;
        let query = super::select(table, &chosen, '`');
        let place = self.place;
        let found = self
            .snapshot
            .exec_iter(query, ())
            .map_err(|e| place.failed(e))?;
        let mut made = Vec::new();
        for row in found {
            let row: Row = row.map_err(|e| place.failed(e))?;
            let cells = row.unwrap_raw().into_iter();
            let cells = cells.map(|v| cell(v.unwrap_or(Value::NULL))).collect();
            made.push(make(Cells::new(table, columns, cells, self.origin))?);
        }
        Ok(made)
    }
}

fn cell(value: Value) -> Cell {
    match value {
        Value::NULL => Cell::Null,
        Value::Int(number) => Cell::Int(number),
        Value::UInt(number) => {
            i64::try_from(number).map_or_else(|_| Cell::Text(number.to_string()), Cell::Int)
        }
        Value::Bytes(bytes) => Cell::Text(String::from_utf8_lossy(&bytes).into_owned()),
        other => Cell::Text(format!("{other:?}")),
    }
}

/// Percent signs undone; `+` is a plus.
fn decoded(text: &str) -> String {
    let escaped = text
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    form_urlencoded::parse(escaped.as_bytes())
        .map(|(key, _)| key.into_owned())
        .next()
        .unwrap_or_default()
}

/// The URI is not shown: it holds a password.
fn wrong(message: &str) -> Error {
    Error::new(ErrorKind::Config, message)
        .with("option", "metadata")
        .help("wanted `mysql://user:password@host:port/database`, with `%XX` for signs that have a meaning in a URI")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_decoded_and_never_shown() {
        let place =
            Place::parse("mysql://ro%40t:p%2Fw+d%25@db.example:3307/milvus?tls=required").unwrap();
        assert_eq!(
            (place.user.as_str(), place.password.as_str()),
            ("ro@t", "p/w+d%")
        );
        assert_eq!((place.port, place.tls), (3307, Tls::Required));
        assert_eq!(place.to_string(), "mysql://ro@t@db.example:3307/milvus");
        let place = Place::parse("mysql://root@[::1]/milvus").unwrap();
        assert_eq!((place.host.as_str(), place.port), ("::1", PORT));
    }

    #[test]
    fn what_is_no_such_uri_is_refused_without_showing_it() {
        for bad in [
            "mysql://u:secret@h",
            "mysql://u:secret@h:99999/d",
            "mysql://u:secret@h/d?tls=maybe",
            "mysql://u:secret@h/d/e",
            "mysql://u:secret@/d",
        ] {
            let Err(error) = Place::parse(bad) else {
                panic!("{bad} was taken");
            };
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
