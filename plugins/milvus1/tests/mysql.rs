// SPDX-License-Identifier: Apache-2.0
//! Metadata in MariaDB: a server of its own for the test, with what a real Milvus left in one.
//! `make setup` installs the server.

mod common;

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{copy, golden, read, read_json, sorted, wanted};
use milvusdm_plugin_api::ErrorKind;
use serde_json::json;
use tempfile::TempDir;

/// A server that ends with the test.
struct Server {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program of the server, which may stand where only root's `PATH` leads.
fn quiet(program: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.env("PATH", format!("{path}:/usr/sbin"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = format!("--datadir={}", folder.path().join("data").display());
        let made = quiet("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal"])
            .args(["--skip-test-db", &data])
            .args(as_root())
            .status()
            .expect("`mariadb-install-db` is there: `make setup` installs it");
        assert!(made.success(), "mariadb-install-db failed");
        // The listener is gone when the server wants the port.
        let port = {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        let process = quiet("mariadbd")
            .args(["--no-defaults", "--bind-address=127.0.0.1", &data])
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", folder.path().join("s").display()))
            .arg(format!(
                "--pid-file={}",
                folder.path().join("pid").display()
            ))
            .args(["--innodb-buffer-pool-size=16M", "--skip-log-bin"])
            .args(as_root())
            .spawn()
            .unwrap();
        let server = Self {
            process,
            port,
            folder,
        };
        let start = Instant::now();
        while !server.run("SELECT 1") {
            assert!(start.elapsed() < Duration::from_secs(60), "no server");
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    /// Runs statements as the user who may do all.
    fn run(&self, statements: &str) -> bool {
        let mut client = quiet("mariadb")
            .args(["--no-defaults", "--user=root"])
            .arg(format!(
                "--socket={}",
                self.folder.path().join("s").display()
            ))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // A client that found no server has gone already.
        let _ = client
            .stdin
            .take()
            .unwrap()
            .write_all(statements.as_bytes());
        client.wait().unwrap().success()
    }

    fn uri(&self, user: &str, password: &str, database: &str) -> String {
        let port = self.port;
        format!("mysql://{user}:{password}@127.0.0.1:{port}/{database}")
    }
}

fn as_root() -> Option<&'static str> {
    rustix::process::geteuid()
        .is_root()
        .then_some("--user=root")
}

/// The tables of the golden directory in a database, and a user who may only read them.
fn prepare(server: &Server) {
    let dump = fs::read_to_string(golden().join("mysql/meta.sql")).unwrap();
    assert!(server.run(&format!(
        "CREATE DATABASE milvus CHARACTER SET utf8mb4; USE milvus;\n{dump}"
    )));
    assert!(server.run(
        "CREATE USER reader@'%' IDENTIFIED BY 'p/w@d%'; GRANT SELECT ON milvus.* TO reader@'%'; CREATE DATABASE empty; GRANT SELECT ON empty.* TO reader@'%'; CREATE USER none@'%' IDENTIFIED BY 'x';"
    ));
}

#[test]
fn collections_listed_in_mariadb_are_read_row_for_row() {
    let server = Server::start();
    prepare(&server);
    let home = golden().join("mysql");
    let uri = server.uri("reader", "p%2Fw%40d%25", "milvus");
    let mut found = read(&home, &json!({"metadata": uri})).unwrap();
    let described = read_json(&home.join("expected.json"));
    for (name, rows) in wanted(&described["collections"]) {
        let whole = found
            .remove(&name)
            .unwrap_or_else(|| panic!("there is no {name}"));
        assert_eq!(sorted(whole.rows), sorted(rows), "{name}");
    }
    assert!(found.is_empty(), "{:?}", found.keys());
    refuses(&server, &home);
    an_older_schema_is_read(&server);
}

/// What the server refuses is said in its words, without the password.
fn refuses(server: &Server, home: &Path) {
    for (user, password, database, kind) in [
        ("reader", "wrong-password", "milvus", ErrorKind::Denied),
        ("reader", "p%2Fw%40d%25", "nowhere", ErrorKind::Denied),
        ("reader", "p%2Fw%40d%25", "empty", ErrorKind::NotFound),
        ("none", "x", "milvus", ErrorKind::Denied),
        ("root", "", "nowhere", ErrorKind::NotFound),
    ] {
        let uri = server.uri(user, password, database);
        let error = read(home, &json!({"metadata": uri})).err().unwrap();
        assert_eq!(error.kind(), kind, "{user} {database}: {error}");
        for secret in ["wrong-password", "p/w@d%", "p%2Fw"] {
            assert!(!error.to_string().contains(secret), "{error}");
        }
    }
    let uri = "mysql://u:hidden@127.0.0.1:1/milvus";
    let error = read(home, &json!({"metadata": uri})).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Remote, "{error}");
    assert!(!error.to_string().contains("hidden"), "{error}");
}

/// Other tables in other orders, and none that later versions brought.
fn an_older_schema_is_read(server: &Server) {
    assert!(server.run(
        "USE milvus; DROP TABLE Fields; DROP TABLE Environment; ALTER TABLE Tables MODIFY version VARCHAR(64) FIRST; ALTER TABLE TableFiles MODIFY segment_id VARCHAR(255) FIRST;"
    ));
    let scratch = tempfile::tempdir().unwrap();
    copy(&golden().join("mysql"), scratch.path());
    let uri = server.uri("reader", "p%2Fw%40d%25", "milvus");
    let found = read(scratch.path(), &json!({"metadata": uri})).unwrap();
    assert!(found.contains_key("parts_auto/日本"), "{:?}", found.keys());
}
